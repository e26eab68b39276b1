import Capacity
import Entries
import Identity
import NodeCore
import Simulation
import Testing

/// What a page reads of all contracts. That it is what one finds by looking at each of them, random markets
/// and worlds check.
@Suite struct OverviewTests {
    @Test func `what waits comes by urgency, and a proposal waits until its deadline`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let paid = try OptionTests.option(&market, line)
        var proposals: [ContractID] = []
        for days in [Int64(3), 1, 2] {
            let held = try market.held("alice", paid)
            let draft = Node.ProposalDraft(
                template: held.proposal.template, currency: Market.cny,
                arguments: Dictionary(
                    held.proposal.arguments.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
                roles: [
                    "issuer": [market.did("bob")], "holder": [market.did("alice")],
                    "arbiter": [market.did("judge")],
                ],
                lines: [line], acceptBy: market.at(days: days), grantBy: market.at(days: days))
            proposals.append(try market.network.command("bob") { try $0.propose(draft) })
            market.settle()
        }
        func waiting(_ days: Int64, most: Int = 10) -> [ContractID] {
            let (overview, now) = (
                market.network["alice"].contracts.overview, market.at(days: days)
            )
            let found = overview.waiting(at: now, most: most).map(\.contract)
            #expect(overview.waitingCount(at: now) >= found.count)
            return found
        }
        // The premium is to be paid by a deadline of its own.
        let until = try #require(
            market.network["alice"].contracts.overview.waiting(at: market.network.now, most: 10)
                .first { $0.contract == paid }?.until)
        #expect(until > market.at(days: 1) && until < market.at(days: 40))
        let order = [proposals[1], proposals[2], proposals[0]]
        #expect(waiting(0).filter { $0 != paid } == order)
        #expect(waiting(0, most: 1) == [order[0]])
        #expect(waiting(2).filter { $0 != paid } == [order[1], order[2]])
        #expect(waiting(30) == [paid])
    }

    @Test func `what I said that I paid is asked of me no more`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try OptionTests.option(&market, line)
        func dues(_ name: String) -> [Bool] {
            market.network[name].contracts.overview.dues.map(\.isOut)
        }
        #expect(dues("alice") == [true] && dues("bob") == [false])
        try market.act(
            "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("1")])
        // bob has not seen it yet: to him it is still to come.
        #expect(dues("alice").isEmpty && dues("bob") == [false])
        try market.act("bob", id, "pay_deny")
        #expect(dues("alice").isEmpty && dues("bob") == [false])
        try market.act("judge", id, "pay_rule", ["paid": .integer(1)])
        #expect(dues("alice").isEmpty && dues("bob").isEmpty)
    }
}

import Capacity
import Contracts
import Entries
import Identity
import NodeCore
import Simulation
import Testing

/// Honest people who ask for much, before witnesses.
@Suite struct ManyAskTests {
    /// What is delivered to one reads the main record, and leaves it as it was.
    @Test func `a joint purchase of eight is delivered to each before witnesses`() throws {
        let witnesses = ListedTests.witnesses
        let members = (1...7).map { "member\($0)" }
        var market = try Market(
            names: ["lead", "maker", "keeper", "judge"] + members + witnesses,
            only: "joint-purchase")
        for name in witnesses { try market.network.command(name) { $0.set(.witness, true) } }
        let line = try market.declare("maker", "sticker/set", 100)
        let one = Value.integer(1)
        let draft = Node.ProposalDraft(
            template: try market.template("joint-purchase").hash, currency: Market.cny,
            arguments: [
                "units": Market.units(80), "portions": .list((0...7).map { _ in one }),
                "threshold": Market.units(80), "price": Market.money(800),
                "remedy": Market.money(100), "deposit_by": .instant(market.at(days: 10)),
                "deliver_by": .instant(market.at(days: 40)),
            ],
            roles: [
                "lead": [market.did("lead")], "members": members.map(market.did),
                "supplier": [market.did("maker")], "custodian": [market.did("keeper")],
                "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1),
            witnesses: .init(identities: witnesses.map(market.did), threshold: 2))
        let id = try market.network.command("lead") { try $0.propose(draft) }
        market.settle()
        for name in members + ["maker", "keeper", "judge"] {
            try market.network.command(name) { try $0.accept(id) }
            market.settle()
        }
        let buyers = ["lead"] + members
        for _ in buyers { try market.act("maker", id, "bill") }
        for (index, name) in buyers.enumerated() {
            try market.pay(name, "keeper", id, record: Int64(index + 2))
        }
        try market.act("keeper", id, "decide")
        for index in buyers.indices {
            try market.act(
                "maker", id, "deliver", record: Int64(index + 2),
                ["evidence": StoryTests.evidence])
        }
        ListedTests.pass(&market, days: 0)
        for index in buyers.indices {
            #expect(
                try market.state("lead", id).record(Int64(index + 2))?.stateName == "stated",
                "\(index)")
        }
    }
}

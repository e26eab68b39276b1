import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Simulation
import Testing

/// A sequencer would take a step that witnesses hold back by changing its key.
@Suite struct TakenBackTests {
    /// What alice sees first.
    enum Order: String, CaseIterable, Sendable { case receipts, key, step }

    /// The market after it, the contract, bob's step 2, and the `continue` that he wrote in its place.
    static func play(_ order: Order) throws -> (Market, ContractID, step: Entry, goesOn: Entry) {
        var (market, id, request) = try RulingTests.play()
        let step = try RulingTests.admitting(market, id, request, at: market.network.now)
        let log = try market.held("alice", id).log
        let others = market.names.filter { !["alice", "bob", "carol"].contains($0) }
        if order != .receipts {
            for name in others { market.network.disconnect("alice", name) }
        }
        for name in others { market.push(step, from: "carol", to: name) }
        market.settle()
        for name in RulingTests.witnesses {
            let said = try #require(market.network[name].witnessing[log]).said
            #expect(said.receipts[step.id] != nil, "\(name)")
        }
        if order == .step {
            market.push(step, from: "carol", to: "alice")
            market.settle()
            #expect(try market.held("alice", id).fold?.head.id == step.id)
        }
        // Bob's own node never held that step, and goes on below it.
        let code = try #require(market.network.recoveryCode("bob"))
        try market.network.command("bob") { try $0.rotate(with: code) }
        let goesOn = try #require(market.network.stores["bob"]?.entries(of: log).last)
        #expect(goesOn.kind == .continue && goesOn.header.log?.sequence == 2)
        market.network.connect("bob", "carol")
        market.settle()
        market.push(goesOn, from: "carol", to: "alice")
        market.settle()
        if order != .receipts {
            #expect(try market.held("alice", id).fold?.head.id == goesOn.id)
            for name in others { market.network.connect("alice", name) }
            market.settle()
        }
        for name in others { market.push(goesOn, from: "carol", to: name) }
        market.settle()
        return (market, id, step, goesOn)
    }

    @Test(arguments: Order.allCases)
    func `what M witnesses hold is no less there after a change of key`(_ order: Order) throws {
        var (market, id, step, goesOn) = try Self.play(order)
        let log = try market.held("alice", id).log
        for name in ["alice", "judge"] {
            #expect(try market.held(name, id).fold?.halt == .forked(sequence: 2), "\(name)")
            #expect(market.network[name].ledgerFault == nil)
        }
        // No witness says two things of one place.
        for name in RulingTests.witnesses {
            let said = try #require(market.network[name].witnessing[log]).said
            #expect(said.receipts[goesOn.id] == nil, "\(name)")
        }
        for name in ["alice", "judge"] {
            market.restart(name)
            #expect(try market.held(name, id).fold?.halt == .forked(sequence: 2), "\(name)")
        }
        WitnessTests.pass(&market, days: 3)
        // A request from before the fork stands in a step that does not count: the arbiter goes on from it.
        try market.network.command("alice") {
            _ = try $0.act(
                Act(
                    transition: "pay_state", record: 1,
                    arguments: ["channel": .text("bank"), "reference": .text("once more")]), in: id)
        }
        market.settle()
        WitnessTests.pass(&market, days: 3)
        try market.network.command("judge") { try $0.takeOver(id) }
        market.settle()
        WitnessTests.pass(&market, days: 0)
        for name in ["alice", "judge"] {
            let fold = try #require(market.held(name, id).fold)
            #expect(fold.epoch == 1, "\(name)")
            #expect(fold.steps.contains { $0.id == step.id }, "\(name)")
            #expect(!fold.steps.contains { $0.id == goesOn.id }, "\(name)")
        }
        #expect(try market.digests(id, "alice", "judge").count == 1)
        for name in ["alice", "judge"] { market.restart(name) }
        #expect(try market.digests(id, "alice", "judge").count == 1)
        #expect(try market.held("alice", id).fold?.epoch == 1)
    }
}

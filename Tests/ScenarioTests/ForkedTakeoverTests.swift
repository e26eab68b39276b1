import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// A sequencer forks the log of a contract that has witnesses, and the arbiter takes over.
@Suite struct ForkedTakeoverTests {
    /// Bob signed two steps at one place. `left` is held by two witnesses, which is M, `right` by one.
    struct Play {
        var market: Market
        let id: ContractID
        let left: Entry
        let right: Entry

        init(right holders: Set<String>, isAliceAway: Bool = false) throws {
            var (market, id, first) = try RulingTests.play()
            // Of two that were receipted in one moment the arbiter may claim either.
            market.network.pass(milliseconds: 1_000)
            try market.act(
                "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("s")])
            let second = try #require(
                market.held("alice", id).requests.values.map(\.entry).first { $0.id != first.id })
            left = try RulingTests.admitting(market, id, first, at: market.network.now)
            right = try RulingTests.admitting(market, id, second, at: market.network.now)
            // Everybody hears carol alone, who is no party and passes on what bob gives her.
            let others = market.names.filter { $0 != "bob" && $0 != "carol" }
            for name in others {
                for other in others where other > name { market.network.disconnect(name, other) }
            }
            for name in others {
                market.push(holders.contains(name) ? right : left, from: "carol", to: name)
            }
            market.network.settle()
            for name in others where !(isAliceAway && name == "alice") {
                for other in others where other > name { market.network.connect(name, other) }
            }
            self.market = market
            self.id = id
            try settle()
        }

        /// Until nobody has anything to say, which must come soon.
        mutating func settle() throws {
            try #require(market.network.settle(limit: 20_000) < 20_000)
        }

        mutating func pass(days: Int64) throws {
            market.network.pass(milliseconds: days * 86_400_000)
            market.network.tick()
            try settle()
        }

        /// What every honest party must come to: the branch that M hold, in the arbiter's epoch.
        func check() throws {
            for name in ["alice", "judge"] {
                let fold = try #require(market.held(name, id).fold)
                #expect(market.network[name].forked(fold.log) == 2, "\(name)")
                #expect(fold.takeover?.basisStep == left.id, "\(name)")
                #expect(fold.epoch == 1, "\(name)")
                #expect(fold.halt == nil, "\(name)")
                #expect(fold.steps.contains { $0.id == left.id }, "\(name)")
                #expect(!fold.steps.contains { $0.id == right.id }, "\(name)")
                #expect(market.network[name].ledgerFault == nil)
            }
            #expect(try market.digests(id, "alice", "judge").count == 1)
        }
    }

    @Test(arguments: [["yan"], ["yan", "alice"], ["yan", "judge"], ["yan", "alice", "judge"]])
    func `whoever holds the other branch too goes on from the one that M witnesses receipted`(
        _ right: Set<String>
    ) throws {
        var play = try Play(right: right)
        let id = play.id
        for name in ["alice", "judge"] {
            #expect(try play.market.held(name, id).fold?.halt == .forked(sequence: 2), "\(name)")
        }
        try play.pass(days: 3)
        try play.market.network.command("judge") { try $0.takeOver(id) }
        try play.settle()
        try play.pass(days: 0)
        try play.check()
        for name in ["alice", "judge"] {
            play.market.restart(name)
            try play.check()
        }
        // The arbiter's epoch goes on: bob is silent about the payment, and that counts as receipt.
        try play.pass(days: 30)
        try play.market.network.command("alice") {
            try $0.act(Act(transition: "pay_silent", record: 1, arguments: [:]), in: id)
        }
        try play.settle()
        try play.pass(days: 0)
        try play.check()
        let steps = try #require(play.market.held("alice", id).fold?.steps)
        #expect(steps.last?.act.transition == "pay_silent")
        play.market.restart("alice")
        play.market.restart("judge")
        try play.check()
    }

    @Test func `where the log parts people still ask, and that is what the arbiter takes over for`()
        throws
    {
        var play = try Play(right: ["yan"])
        let id = play.id
        try play.pass(days: 1)
        let before = Set(try play.market.held("alice", id).requests.keys)
        try play.market.network.command("alice") {
            _ = try $0.act(
                Act(
                    transition: "pay_state", record: 1,
                    arguments: ["channel": .text("bank"), "reference": .text("once more")]), in: id)
        }
        try play.settle()
        let asked = try #require(
            Set(try play.market.held("alice", id).requests.keys).subtracting(before).first)
        try play.pass(days: 3)
        try play.market.network.command("judge") { try $0.takeOver(id) }
        try play.settle()
        try play.pass(days: 0)
        try play.check()
        #expect(try play.market.held("alice", id).fold?.takeover?.request == asked)
    }

    @Test
    func
        `who was away with the other branch, and knows of the fork alone, fetches the one that stands`()
        throws
    {
        var play = try Play(right: ["yan", "alice"], isAliceAway: true)
        let proof = ForkProof(
            Vouched(entry: play.left, chain: []), Vouched(entry: play.right, chain: []))
        play.market.network.inject(
            Message.proof(proof.wire).frame, from: "carol", to: "alice")
        try play.settle()
        #expect(try play.market.held("alice", play.id).fold?.halt == .forked(sequence: 2))
        try play.pass(days: 3)
        try play.market.network.command("judge") { try $0.takeOver(play.id) }
        try play.settle()
        try play.pass(days: 0)
        #expect(try play.market.held("alice", play.id).fold?.epoch == 0)
        for name in play.market.names where name != "alice" && name != "bob" && name != "carol" {
            play.market.network.connect("alice", name)
        }
        try play.settle()
        try play.pass(days: 0)
        try play.check()
        play.market.restart("alice")
        try play.check()
    }
}

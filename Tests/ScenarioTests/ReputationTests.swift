import Capacity
import Contracts
import Entries
import Identity
import Market
import NodeCore
import Simulation
import Testing

/// What a node's own contracts and lines say of somebody.
@Suite struct ReputationTests {
    @Test(arguments: [
        (10, 10, 0.7224672001371107), (98, 100, 0.9299882092714561), (9, 10, 0.5958499732047616),
        (0, 10, 0), (0, 0, 0),
    ])
    func `few trials do not look as good as many`(_ row: (Int, Int, Double)) {
        #expect(abs(Reputation.lowerBound(row.0, of: row.1) - row.2) < 1e-9)
    }

    /// Sequences of the steps behind a number.
    private static func steps(_ steps: SortedChunks<Reputation.Step>) -> [Int64] {
        steps.map(\.sequence)
    }

    private static func named(_ market: Market, _ id: ContractID, _ name: String) throws -> [Int64]
    {
        let steps = try #require(market.held("alice", id).fold?.steps)
        return steps.filter { $0.act.transition == name }.map(\.sequence)
    }

    /// The option exercised in full, and all of it stated as delivered.
    private static func delivered() throws -> (Market, ContractID, Int64) {
        var (market, id) = try SettlementTests.option(paid: true)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        let exercise = try market.record("bob", id, "exercise", "open")
        try market.act(
            "bob", id, "deliver", record: exercise,
            ["n": Market.units(40), "evidence": StoryTests.evidence])
        try market.act(
            "bob", id, "deliver", record: exercise,
            ["n": Market.units(60), "evidence": StoryTests.evidence])
        return (market, id, try market.record("alice", id, "delivery", "stated"))
    }

    @Test func `a trade kept on both sides counts every move that was due, once`() throws {
        var (market, id, _) = try Self.delivered()
        for record in try #require(market.held("alice", id).fold).state.records
        where record.family == "delivery" {
            try market.act("alice", id, "accept", record: record.number)
            try market.pay("alice", "bob", id, record: record.number)
        }
        let (alice, bob) = (market.did("alice"), market.did("bob"))
        for name in ["alice", "bob", "judge"] {
            let node = market.network[name]
            let issuer = node.reputation(of: bob)
            // Two deliveries of one exercise: what was due is done with the second.
            let done = try #require(try Self.named(market, id, "deliver").last)
            let moves = try Self.named(market, id, "pay_receive") + [done]
            #expect(Self.steps(issuer.inTime) == moves.sorted(), "\(name)")
            #expect(issuer.due == moves.count)
            #expect(issuer.completed.map(\.contract) == [id])
            let holder = node.reputation(of: alice)
            #expect(try Self.steps(holder.inTime) == Self.named(market, id, "pay_state"))
            #expect(holder.defaults.isEmpty && !holder.hasOversold)
            // Whoever rules gave and took nothing.
            #expect(node.reputation(of: market.did("judge")).completed.isEmpty)
        }
        let strange = market.network["carol"].reputation(of: bob)
        #expect(strange.completed.isEmpty && strange.due == 0 && strange.onTimeAtLeast == 0)
        #expect(market.network["carol"].counterparties == [bob])
    }

    @Test func `silence is a default where something was owed, and none where a right lapsed`()
        throws
    {
        // Never paid for.
        var (market, id) = try SettlementTests.option(paid: false)
        WitnessTests.pass(&market, days: 10)
        try market.act("bob", id, "pay_unpaid")
        var alice = market.network["bob"].reputation(of: market.did("alice"))
        let unpaid = try Self.named(market, id, "pay_unpaid")
        #expect(Self.steps(alice.defaults) == unpaid && Self.steps(alice.silent) == unpaid)
        // Paid for and not used.
        (market, id) = try SettlementTests.option(paid: true)
        WitnessTests.pass(&market, days: 41)
        try market.act("bob", id, "lapse")
        #expect(try market.held("bob", id).outcome == .lapsed)
        alice = market.network["bob"].reputation(of: market.did("alice"))
        #expect(alice.silent.isEmpty && alice.defaults.isEmpty && alice.completed.isEmpty)
        #expect(alice.due == 1)
        // Used and not delivered.
        (market, id) = try SettlementTests.option(paid: true)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        WitnessTests.pass(&market, days: 64)
        let exercise = try market.record("alice", id, "exercise", "open")
        try market.act("alice", id, "fail", record: exercise)
        let bob = market.network["alice"].reputation(of: market.did("bob"))
        #expect(try Self.steps(bob.defaults) == Self.named(market, id, "fail"))
        #expect(bob.silent == bob.defaults && bob.inTime.count == 1)
        #expect(bob.completed.isEmpty)
    }

    @Test func `a silent sequencer whom all others left out has defaulted`() throws {
        var (market, id) = try SettlementTests.option(paid: true)
        market.network.stop("bob")
        try SettlementTests.settle(
            &market, id, SettlementPlan(without: market.did("bob")), by: "alice", "judge")
        let bob = market.network["alice"].reputation(of: market.did("bob"))
        #expect(try Self.steps(bob.defaults) == Self.named(market, id, "settle"))
    }

    @Test(arguments: [(2_000, "bob"), (8_000, "alice"), (5_000, nil)])
    func `a verdict goes against whoever had less than half of it`(
        _ row: (ruling: Int64, loser: String?)
    ) throws {
        var (market, id, delivery) = try Self.delivered()
        try market.act(
            "alice", id, "dispute", record: delivery, ["evidence": StoryTests.evidence])
        try market.act(
            "judge", id, "rule", record: delivery, ["ruling": .integer(row.ruling)])
        for name in ["alice", "bob"] {
            let one = market.network["judge"].reputation(of: market.did(name))
            let ruled = try Self.named(market, id, "rule")
            #expect(Self.steps(one.ruled) == ruled)
            #expect(Self.steps(one.lost) == (row.loser == name ? ruled : []), "\(name)")
        }
        let judge = market.network["alice"].reputation(of: market.did("judge"))
        #expect(judge.inTime.count == 1 && judge.ruled.isEmpty)
    }

    @Test(arguments: [(1, "bob"), (0, "alice")])
    func `a denied payment is lost by whoever was wrong about it`(
        _ row: (paid: Int64, loser: String)
    ) throws {
        var (market, id) = try SettlementTests.option(paid: false)
        try market.act(
            "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("r")])
        try market.act("bob", id, "pay_deny")
        try market.act("judge", id, "pay_rule", ["paid": .integer(row.paid)])
        for name in ["alice", "bob"] {
            let one = market.network["judge"].reputation(of: market.did(name))
            #expect(one.lost.count == (row.loser == name ? 1 : 0), "\(name)")
            #expect(one.ruled.count == 1 && one.inTime.count == 1)
        }
    }

    @Test func `two histories of a line are an oversale, however often they are shown`() throws {
        var play = try ForkTests.Line()
        let bob = play.market.did("bob")
        #expect(!play.market.network["alice"].reputation(of: bob).hasOversold)
        let left = try ForkTests.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 1, after: play.trunk)
        let right = try ForkTests.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 2, after: play.trunk)
        play.split([left], to: "alice", [right], to: "carol")
        play.meet("alice", "carol")
        for name in ["alice", "carol"] {
            let shown = play.market.network[name].reputation(of: bob)
            #expect(shown.hasOversold)
            #expect(shown.oversales.map(\.log) == [play.log])
            #expect([left.id, right.id].contains(try #require(shown.oversales.first).entry))
        }
    }
}

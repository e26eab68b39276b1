import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What was signed just before a change of key, and comes after it.
@Suite struct RotationRaceTests {
    private static func rotate(_ market: inout Market, _ name: String) throws {
        let code = try #require(market.network.recoveryCode(name))
        try market.network.command(name) { try $0.rotate(with: code) }
        market.settle()
    }

    /// Parts `name` from all others while `body` runs.
    private static func alone(
        _ market: inout Market, _ name: String, _ body: (inout Market) throws -> Void
    ) throws {
        let others = market.names.filter { $0 != name }
        for other in others { market.network.disconnect(name, other) }
        try body(&market)
        for other in others { market.network.connect(name, other) }
        market.settle()
        market.network.pass(milliseconds: 11_000)
        market.network.tick()
        market.settle()
    }

    private static func proposed(by name: String) throws -> (Market, ContractID) {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let draft = try HubTests.draft(market, line)
        let id = try market.network.command(name) { try $0.propose(draft) }
        market.settle()
        return (market, id)
    }

    @Test(arguments: ["alice", "bob", "judge"])
    func `who accepted and then changed the key is bound as if not`(_ name: String) throws {
        let proposer = name == "alice" ? "bob" : "alice"
        var (market, id) = try Self.proposed(by: proposer)
        for other in market.names where other != name && other != proposer {
            try market.network.command(other) { try $0.accept(id) }
            market.settle()
        }
        try Self.alone(&market, name) { market in
            try market.network.command(name) { try $0.accept(id) }
            try Self.rotate(&market, name)
        }
        for other in market.names {
            #expect(try market.held(other, id).grade == .sequenced, "\(other)")
            #expect(market.network[other].outbox.isEmpty, "\(other)")
        }
        #expect(market.network.closed.isEmpty, "\(market.network.closed)")
    }

    @Test
    func `who proposed and changed the key before all heard of it is told, and proposes anew`()
        throws
    {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let draft = try HubTests.draft(market, line)
        var id = ContractID.zero
        try Self.alone(&market, "alice") { market in
            id = try market.network.command("alice") { try $0.propose(draft) }
            try Self.rotate(&market, "alice")
        }
        #expect(try market.held("alice", id).outcome == .cancelled)
        #expect(market.network["bob"].contracts.isEmpty)
        let again = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        for name in ["bob", "judge"] {
            try market.network.command(name) { try $0.accept(again) }
            market.settle()
        }
        #expect(try market.held("alice", again).grade == .sequenced)
    }

    @Test func `an acceptance that arrived before the change counts after it`() throws {
        var (market, id) = try Self.proposed(by: "alice")
        try market.network.command("judge") { try $0.accept(id) }
        market.settle()
        try Self.rotate(&market, "judge")
        try Self.rotate(&market, "alice")
        try market.network.command("bob") { try $0.accept(id) }
        market.settle()
        for name in market.names {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
    }

    /// Whoever sequences may hold what was said under both keys, and brings in the newer with another step.
    @Test func `a consent said again counts, whatever was said before`() throws {
        var market = try Market("alice", "bob", "carol", "judge", only: "mutual-assistance")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try market.agree(
            "alice", "mutual-assistance",
            [
                "trigger": Market.units(20), "cap": Market.units(100),
                "cap_call": Market.units(32), "cap_month": Market.units(80),
                "price": Market.money(60_000), "fee": Market.money(20_000),
                "remedy": Market.money(50_000), "ends": .instant(market.at(days: 60)),
            ],
            roles: ["user": "alice", "partner": "carol", "supplier": "bob", "arbiter": "judge"],
            lines: [line])
        try market.act("alice", id, "draw", ["sold": Market.units(50), "n": Market.units(10)])
        guard case .requested(let request) = try market.act("alice", id, "close") else { return }
        let held = try market.held("bob", id)
        for number: UInt8 in 0..<8 {
            let consent = try market.statement(
                by: "bob",
                Acceptance(
                    salt: SHA256.hash([number]), statement: request, releaseKey: nil), about: held)
            market.network.inject(consent, from: "bob", to: "carol")
        }
        market.settle()
        try Self.rotate(&market, "bob")
        try market.network.command("bob") { try $0.accept(id, request: request) }
        market.settle()
        // A step that brings in bob's key.
        try market.act("bob", id, "promise", record: 2)
        try market.network.command("carol") { try $0.accept(id, request: request) }
        market.settle()
        for name in market.names {
            #expect(try market.state(name, id).record(1)?.stateName == "closed", "\(name)")
            #expect(try market.held(name, id).refused.isEmpty, "\(name)")
        }
    }

    @Test func `an exercise in time counts although its author changed the key before it was read`()
        throws
    {
        var (market, id) = try WitnessTests.option(
            witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        WitnessTests.pass(&market, days: 38)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        WitnessTests.pass(&market, days: 1)
        try Self.rotate(&market, "alice")
        WitnessTests.pass(&market, days: 5)
        market.back("bob")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        for name in ["alice", "bob", "judge"] {
            let state = try market.state(name, id)
            #expect(state.records.contains { $0.family == "exercise" }, "\(name)")
        }
    }

    @Test func `an exercise in time counts although its author lost the home before it was read`()
        throws
    {
        var (market, id) = try WitnessTests.option(
            witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        WitnessTests.pass(&market, days: 38)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        WitnessTests.pass(&market, days: 1)
        try LostHomeTests.lose(&market, "alice", found: "judge")
        for name in ["judge", "wei", "xin", "yan"] { market.network.connect("alice", name) }
        WitnessTests.pass(&market, days: 10)
        market.back("bob")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        _ = try? market.act("bob", id, "lapse")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome != .lapsed, "\(name)")
            let state = try market.state(name, id)
            #expect(state.records.contains { $0.family == "exercise" }, "\(name)")
        }
    }

    @Test func `what witnesses had only after the change keeps no default out`() throws {
        var (market, id) = try WitnessTests.option(
            witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        // As the thief of alice's first key would ask, now that she has another.
        let others = market.names.filter { $0 != "alice" }
        for name in others { market.network.disconnect("alice", name) }
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        WitnessTests.pass(&market, days: 1)
        try Self.rotate(&market, "alice")
        WitnessTests.pass(&market, days: 1)
        for name in others { market.network.connect("alice", name) }
        market.settle()
        for _ in 0..<2 { WitnessTests.pass(&market, days: 0) }
        #expect(try market.held("bob", id).refused.count == 1)
        WitnessTests.pass(&market, days: 45)
        try market.act("bob", id, "lapse")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .lapsed, "\(name)")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }

    @Test
    func `who asks in time, and changes the key by a clock that is behind, has asked in time`()
        throws
    {
        var (market, id) = try WitnessTests.option(
            witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        WitnessTests.pass(&market, days: 38)
        market.network.clockError["alice"] = -8 * 60_000
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        market.network.pass(milliseconds: 60_000)
        market.network.tick()
        market.settle()
        try Self.rotate(&market, "alice")
        WitnessTests.pass(&market, days: 5)
        market.back("bob")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        for name in ["alice", "bob", "judge"] {
            let state = try market.state(name, id)
            #expect(state.records.contains { $0.family == "exercise" }, "\(name)")
        }
    }
}

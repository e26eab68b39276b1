import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// Contracts without witnesses: what a silent sequencer can hold up, and how the others end it.
@Suite struct SettlementTests {
    // MARK: - Tools

    static let parties = ["alice", "bob", "judge"]

    /// bob's line, alice's option on it; bob sequences, and nobody witnesses.
    static func option(paid: Bool) throws -> (Market, ContractID) {
        var market = try Market("alice", "bob", "carol", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try OptionTests.option(&market, line)
        if paid { try market.pay("alice", "bob", id) }
        return (market, id)
    }

    /// A milestone contract whose custodian, who sequences, has gone after the deposit and the first tranche.
    static func production() throws -> (Market, ContractID, LineTerms) {
        var market = try Market(names: ["buyer", "maker", "keeper", "judge"])
        let line = try market.declare("maker", "print/notebook/a5", 1_000)
        let id = try market.agree(
            "buyer", "milestone-production",
            [
                "units": Market.units(1_000), "minimum": Market.units(100),
                "total": Market.money(2_000_000),
                "dates": .list((1...4).map { .instant(market.at(days: 30 + $0)) }),
                "demand_by": .instant(market.at(days: 5)), "batch_max": Market.units(20),
                "batch_price": Market.money(2_500), "batches_end": .instant(market.at(days: 20)),
            ],
            roles: ["buyer": "buyer", "maker": "maker", "custodian": "keeper", "arbiter": "judge"],
            lines: [line])
        try market.act("buyer", id, "order", ["n": Market.units(1_000)])
        try market.pay("buyer", "keeper", id)
        try market.pay("keeper", "maker", id, record: market.record("maker", id, "tranche", "out"))
        try market.act("maker", id, "milestone", ["evidence": StoryTests.evidence])
        market.network.stop("keeper")
        return (market, id, line)
    }

    /// The option, and two steps 4 that bob signed.
    static func forked() throws -> (Market, ContractID) {
        var (market, id) = try Self.option(paid: true)
        let held = try market.held("bob", id)
        let kept = try #require(market.network.stores["bob"]?.entries(of: held.log))
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        let last = try #require(market.network.stores["bob"]?.entries(of: held.log).last)
        var other = try #require(held.fold).open(last)
        other.digest = .zero
        let rival = try market.step(by: "bob", other, in: id, after: kept)
        market.push(rival, from: "bob", to: "alice", "judge")
        market.settle()
        let halted = try #require(market.held("alice", id).fold)
        #expect(halted.halt == .forked(sequence: 4))
        return (market, id)
    }

    /// `name` asks for the end, the others sign; the request.
    @discardableResult
    static func settle(
        _ market: inout Market, _ id: ContractID, _ plan: SettlementPlan, by name: String,
        _ others: String...
    ) throws -> EntryID {
        let asked = try market.network.command(name) { try $0.settle(plan, in: id) }
        market.settle()
        guard case .requested(let request) = asked else { throw NodeRefusal.nothingToAccept(.zero) }
        for other in others {
            try market.network.command(other) { try $0.accept(id, request: request) }
            market.settle()
        }
        return request
    }

    /// A settlement on any basis, signed by hand by `names`, the first of whom asks and writes it.
    static func forged(
        _ market: Market, _ id: ContractID, _ plan: SettlementPlan, on basis: EntryID,
        by names: String...
    ) throws -> Entry {
        let held = try market.held(names[0], id)
        let act = SignedAct(
            transition: plan.act.transition, record: 1,
            arguments: [Argument](plan.act.arguments))
        let own = try #require(market.network.own(names[0]))
        let words = Request(salt: market.salt, act: act)
        // With witnesses only who has the contract's key reads what is asked.
        let request =
            held.isWitnessed
            ? try market.statement(
                by: names[0], .request,
                held.key.seal(
                    words, author: own.did, log: held.log,
                    nonce: Array(market.salt.bytes.prefix(24))), about: held, basis: basis)
            : try market.statement(by: names[0], words, about: held, basis: basis)
        let consents = try names.dropFirst().map {
            try market.statement(
                by: $0,
                Acceptance(salt: market.salt, statement: request.id, releaseKey: nil),
                about: held)
        }
        let log = try #require(held.fold?.settlementLog(of: own.did))
        let kept = market.network.stores[names[0]]?.entries(of: log) ?? []
        let place = Header.LogPlace(
            log: log, sequence: Int64(kept.count) + 1, previous: kept.last?.id)
        let body = try PrivateBody.seal(
            Settlement(request: request, consents: consents).wire,
            key: held.key.bodyKey(log: log, sequence: place.sequence),
            nonce: Array(market.salt.bytes.prefix(24)), author: own.did, place: place)
        return try market.entry(
            by: names[0], kind: Kind.settlement.rawValue, body: body, in: log,
            topic: held.key.topic)
    }

    static func step(_ market: Market, _ name: String, _ id: ContractID, _ sequence: Int64) throws
        -> EntryID
    {
        try #require(market.held(name, id).fold?.steps.first { $0.sequence == sequence }?.id)
    }

    // MARK: - The attack and the way out

    @Test func `a silent sequencer holds units and a contract for as long as it likes`() throws {
        var (market, id, line) = try Self.production()
        WitnessTests.pass(&market, days: 2)
        let confirmed = market.network.now
        let tranche = try market.record("buyer", id, "tranche", "stated")
        try market.act("buyer", id, "confirm", record: tranche)
        WitnessTests.pass(&market, days: 300)
        let log = LogID.line(author: market.did("maker"), line)
        for name in ["buyer", "maker", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced)
        }
        #expect(try market.held("buyer", id).silentSince == confirmed)
        #expect(market.network["maker"].lines[log]?.line.remaining == 0)
    }

    @Test func `all others end it, and it is over everywhere, also for whoever comes back`() throws
    {
        var (market, id, line) = try Self.production()
        let keeper = market.did("keeper")
        let before = market.network["maker"].ledger.held(by: keeper, for: id, Market.cny)
        #expect(before == 1_400_000)
        // Half of what was stated is accepted; the buyer owes for it.
        let goods = try #require(
            market.state("maker", id).pending.first { $0.kind == .capacity && $0.amount == 1_000 })
        let plan = SettlementPlan(
            posts: [.init(step: goods.cause.step, index: goods.cause.index, amount: 125)],
            debts: [
                .init(
                    from: market.did("buyer"), to: market.did("maker"),
                    money: try Money(minor: 175_000, Market.cny))
            ], without: keeper)
        try Self.settle(&market, id, plan, by: "maker", "judge", "buyer")
        for name in ["buyer", "maker", "judge"] {
            #expect(try market.held(name, id).grade == .settled, "\(name)")
            #expect(try market.held(name, id).outcome == .cancelled)
            #expect(try market.held(name, id).silentSince == nil)
            #expect(try market.state(name, id).pending.isEmpty)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
            // What the silent custodian holds it holds; nothing is said in its name.
            #expect(market.network[name].ledger.held(by: keeper, for: id, Market.cny) == before)
        }
        // The units that were not delivered go back once their time is over.
        WitnessTests.pass(&market, days: 100)
        let log = LogID.line(author: market.did("maker"), line)
        #expect(market.network["maker"].lines[log]?.line.remaining == 875)
        market.back("keeper")
        for name in market.names { market.restart(name) }
        #expect(try market.digests(id, "buyer", "maker", "keeper", "judge").count == 1)
        #expect(try market.held("keeper", id).grade == .settled)
        let dumps = Set(market.names.map { market.network[$0].ledger.dump() })
        #expect(dumps.count == 1)
    }

    @Test func `it ends only with everyone's signature`() throws {
        var (market, id, _) = try Self.production()
        let plan = SettlementPlan(without: market.did("keeper"))
        try Self.settle(&market, id, plan, by: "maker", "buyer")
        #expect(try market.held("maker", id).grade == .sequenced)
        // Written although one is missing, it is nothing.
        let basis = try #require(market.held("maker", id).fold?.head.id)
        let entry = try Self.forged(market, id, plan, on: basis, by: "maker", "buyer")
        market.push(entry, from: "maker", to: "buyer", "judge")
        market.settle()
        for name in ["buyer", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
        #expect(throws: NodeRefusal.self) {
            try market.network.command("buyer") {
                try $0.settle(SettlementPlan(without: $0.own.did), in: id)
            }
        }
    }

    // MARK: - What it cannot take

    @Test func `money due to the silent one is owed to it, and none is said to be paid`() throws {
        var (market, id) = try Self.option(paid: false)
        market.network.stop("bob")
        let premium = try #require(market.state("alice", id).pending.first { $0.kind == .payment })
        let paid = SettlementPlan(
            posts: [.init(step: premium.cause.step, index: premium.cause.index, amount: 1)],
            without: market.did("bob"))
        #expect(throws: NodeRefusal.self) {
            try market.network.command("alice") { try $0.settle(paid, in: id) }
        }
        try Self.settle(
            &market, id, SettlementPlan(without: market.did("bob")), by: "alice", "judge")
        let claims = try market.state("judge", id).claims
        #expect(claims.map(\.open) == [50_000])
        #expect(claims.map(\.transfer.to) == [market.did("bob")])
        market.back("bob")
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }

    @Test func `units reserved for the silent one are freed only when their line has freed them`()
        throws
    {
        var market = try Market("left", "right", "judge")
        let own = try market.declare("left", "print/notebook/a5", 50)
        let other = try market.declare("right", "sew/bag", 80)
        let id = try market.agree(
            "left", "capacity-swap",
            [
                "left_units": Market.units(50), "left_price": Market.money(1_200),
                "right_units": Market.units(80), "right_price": Market.money(900),
                "deliver_by": .instant(market.at(days: 30)),
            ], roles: ["left": "left", "right": "right", "arbiter": "judge"], lines: [own, other])
        market.network.stop("left")
        let plan = SettlementPlan(without: market.did("left"))
        let until = try #require(market.held("right", id).fold?.grants[1].until)
        let early = #expect(throws: NodeRefusal.self) {
            try market.network.command("right") { try $0.settle(plan, in: id) }
        }
        guard case .contract(.heldForSilent(_, 80, until)) = early else {
            Issue.record("\(String(describing: early))")
            return
        }
        WitnessTests.pass(
            &market, days: (until.milliseconds - market.network.now.milliseconds) / 86_400_000 + 1)
        try Self.settle(&market, id, plan, by: "right", "judge")
        #expect(try market.held("right", id).grade == .settled)
        // Whoever read the other's settlement first has started anew, and waits for answers.
        WitnessTests.pass(&market, days: 0)
        WitnessTests.pass(&market, days: 1)
        let log = LogID.line(author: market.did("right"), other)
        #expect(market.network["right"].lines[log]?.line.remaining == 80)
    }

    @Test func `nobody settles below a step that it went on from`() throws {
        var (market, id) = try Self.option(paid: false)
        let basis = try Self.step(market, "alice", id, 1)
        // The attack: alice has paid and exercised, bob has delivered; then she ends it where nothing was
        // due but the premium.
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        let entry = try Self.forged(
            market, id, SettlementPlan(without: market.did("bob")), on: basis, by: "alice", "judge")
        market.push(entry, from: "alice", to: "bob", "judge")
        market.settle()
        for name in ["bob", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
        market.restart("bob")
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(try #require(market.held("bob", id).fold).head.sequence == 4)
    }

    @Test func `a settlement that came first gives way to the steps that refute it`() throws {
        var (market, id) = try Self.option(paid: false)
        let basis = try Self.step(market, "alice", id, 1)
        for name in ["alice", "bob"] { market.network.disconnect(name, "judge") }
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        let entry = try Self.forged(
            market, id, SettlementPlan(without: market.did("bob")), on: basis, by: "alice", "judge")
        // carol, who is no party, brings it to judge, who has none of the later steps.
        market.push(entry, from: "carol", to: "judge")
        market.settle()
        #expect(try market.held("judge", id).grade == .settled)
        for name in ["alice", "bob"] { market.network.connect(name, "judge") }
        market.settle()
        for name in ["bob", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        market.restart("judge")
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        let dumps = Set(Self.parties.map { market.network[$0].ledger.dump() })
        #expect(dumps.count == 1)
    }

    // MARK: - A sequencer that wakes up

    @Test func `steps above the basis have no effect, whoever wrote them in good faith`() throws {
        var (market, id) = try Self.option(paid: true)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        for name in ["alice", "judge"] { market.network.disconnect("bob", name) }
        // bob goes on alone.
        try market.act(
            "bob", id, "deliver", record: market.record("bob", id, "exercise", "open"),
            ["n": Market.units(100), "evidence": StoryTests.evidence])
        let plan = SettlementPlan(without: market.did("bob"))
        try Self.settle(&market, id, plan, by: "alice", "judge")
        for name in ["alice", "judge"] { market.network.connect("bob", name) }
        market.settle()
        WitnessTests.pass(&market, days: 0)
        for name in Self.parties {
            #expect(try market.held(name, id).grade == .settled, "\(name)")
            #expect(try market.held(name, id).fold?.steps.last?.act.transition == "settle")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(Set(Self.parties.map { market.network[$0].ledger.dump() }).count == 1)
        #expect(throws: NodeRefusal.self) { try market.act("bob", id, "lapse") }
    }

    @Test func `of two settlements the one with the lower basis wins, in either order`() throws {
        var (market, id) = try Self.option(paid: false)
        try market.act(
            "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("r")])
        let plan = SettlementPlan(without: market.did("bob"))
        let low = try Self.forged(
            market, id, plan, on: Self.step(market, "alice", id, 1), by: "alice", "judge")
        let high = try Self.forged(
            market, id, plan, on: Self.step(market, "alice", id, 2), by: "judge", "alice")
        market.network.disconnect("alice", "judge")
        market.push(high, from: "judge", to: "bob")
        market.settle()
        #expect(try market.held("bob", id).fold?.head.sequence == 3)
        market.push(low, from: "alice", to: "bob")
        market.settle()
        #expect(try market.held("bob", id).fold?.head.sequence == 2)
        market.restart("bob")
        let fold = try #require(market.held("bob", id).fold)
        #expect(fold.settled == low.id)
        #expect(fold.state.isEnded)
    }

    @Test func `a contract whose sequencer signed two steps is ended below the fork`() throws {
        var (market, id) = try Self.forked()
        try Self.settle(
            &market, id, SettlementPlan(without: market.did("bob")), by: "alice", "judge")
        for name in Self.parties {
            let fold = try #require(market.held(name, id).fold)
            #expect(fold.state.isEnded, "\(name)")
            #expect(fold.halt == nil)
        }
        for name in market.names { market.restart(name) }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(try market.held("bob", id).grade == .settled)
    }

    // MARK: - With the sequencer

    @Test func `all together end it as a step, and a dispute with it`() throws {
        var (market, id) = try Self.option(paid: true)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        try market.act(
            "bob", id, "deliver", record: market.record("bob", id, "exercise", "open"),
            ["n": Market.units(100), "evidence": StoryTests.evidence])
        let delivery = try market.record("alice", id, "delivery", "stated")
        try market.act(
            "alice", id, "dispute", record: delivery, ["evidence": StoryTests.evidence])
        #expect(try market.held("alice", id).outcome == .disputed)
        let goods = try #require(market.state("alice", id).pending.first)
        let plan = SettlementPlan(
            posts: [.init(step: goods.cause.step, index: goods.cause.index, amount: 60)])
        try Self.settle(&market, id, plan, by: "alice", "judge")
        #expect(try market.held("alice", id).outcome == .disputed)
        let request = try #require(market.held("bob", id).requests.keys.first)
        try market.network.command("bob") { try $0.accept(id, request: request) }
        market.settle()
        for name in Self.parties {
            #expect(try market.held(name, id).outcome == .cancelled, "\(name)")
            let row = try #require(market.network[name].ledger.row(goods.cause))
            #expect(row.postedAmount == 60)
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Simulation
import Testing

/// Contracts with witnesses: what M of N say they held by when decides, whoever is off.
@Suite struct WitnessTests {
    /// alice's option on bob's line, witnessed by `witnesses`, premium 500.00 due. `standing`: they witness
    /// whatever they are asked.
    static func option(witnesses: [String], threshold: Int64, standing: Bool = true) throws -> (
        Market, ContractID
    ) {
        var market = try Market(names: ["alice", "bob", "judge"] + witnesses)
        if standing {
            for name in witnesses { try market.network.command(name) { $0.set(.witness, true) } }
        }
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try OptionTests.option(
            &market, line, witnesses: witnesses, threshold: threshold)
        return (market, id)
    }

    /// What alice exercised is delivered, accepted and paid.
    static func deliver(_ market: inout Market, _ id: ContractID) throws {
        let exercise = try market.record("bob", id, "exercise", "open")
        try market.act(
            "bob", id, "deliver", record: exercise,
            ["n": Market.units(100), "evidence": .hash(SHA256.hash([1]))])
        let delivery = try market.record("alice", id, "delivery", "stated")
        try market.act("alice", id, "accept", record: delivery)
        try market.pay("alice", "bob", id, record: delivery)
    }

    static func pass(_ market: inout Market, days: Int64) {
        market.network.pass(milliseconds: days * 86_400_000)
        market.network.tick()
        market.network.settle()
    }

    @Test(arguments: [(1, 1), (3, 2), (3, 3)])
    func `M receipts make a step witnessed, and the whole trade goes through`(
        count: Int, threshold: Int64
    ) throws {
        let witnesses = ["wei", "xin", "yan"].prefix(count).map(\.self)
        var (market, id) = try Self.option(witnesses: witnesses, threshold: threshold)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).grade == .witnessed, "\(name)")
        }
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        try Self.deliver(&market, id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).grade == .settled, "\(name)")
            #expect(try market.held(name, id).outcome == .fulfilled)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        for name in witnesses {
            #expect(market.network[name].contracts.isEmpty)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
    }

    @Test func `a witness that never agreed to is asked, and nothing is in force without it`()
        throws
    {
        var (market, id) = try Self.option(witnesses: ["wei"], threshold: 1, standing: false)
        #expect(try market.held("alice", id).grade == .proposed)
        let duty = try #require(market.network["wei"].witnessing.keys.first)
        try market.network.command("wei") { try $0.acceptDuty(duty) }
        market.network.settle()
        // It receipts the acceptances that it kept until then.
        market.network.tick()
        market.network.settle()
        #expect(try market.held("alice", id).grade == .witnessed)
    }

    @Test func `a witness learns neither terms nor key`() throws {
        let (market, id) = try Self.option(witnesses: ["wei"], threshold: 1)
        let held = try market.held("alice", id)
        let wei = market.network["wei"]
        #expect(wei.contracts.isEmpty)
        let duty = try #require(wei.witnessing[held.log])
        #expect(duty.proposal.body == nil)
        for (statement, _) in try #require(market.network.stores["wei"]).snapshot.statements {
            #expect(statement.header.author == wei.own.did || statement.entry.body == nil)
        }
    }

    @Test func `an exercise receipted in time counts although the sequencer is off`() throws {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        Self.pass(&market, days: 38)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        // The expiry passes while bob, who sequences, is away.
        Self.pass(&market, days: 5)
        #expect(throws: NodeRefusal.self) {
            try market.act("alice", id, "exercise", ["n": Market.units(10)])
        }
        market.back("bob")
        Self.pass(&market, days: 0)
        let exercise = try market.record("alice", id, "exercise", "open")
        #expect(exercise > 1)
        let steps = try #require(try market.held("alice", id).fold?.steps)
        #expect(try #require(steps.last).time < market.at(days: -4))
    }

    @Test func `a default takes effect on M closings, and never over a request that came in time`()
        throws
    {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        // alice exercises in time, but bob never hears of it: only witnesses and judge do.
        market.network.disconnect("alice", "bob")
        Self.pass(&market, days: 38)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        Self.pass(&market, days: 5)
        // bob asks for the lapse in his own favour, and sequences himself.
        try market.act("bob", id, "lapse")
        Self.pass(&market, days: 0)
        Self.pass(&market, days: 0)
        let state = try market.state("bob", id)
        #expect(state.records.contains { $0.family == "exercise" })
        #expect(try market.held("bob", id).outcome == .open)
        #expect(try market.digests(id, "bob", "judge").count == 1)
    }

    /// The request reached wei alone; what wei receipted went on to bob and judge, and then wei's disk is
    /// put back to a copy from before.
    @Test func `a witness with an old copy closes nothing until it holds again what it receipted`()
        throws
    {
        var (market, id) = try Self.option(witnesses: ["wei"], threshold: 1)
        try market.pay("alice", "bob", id)
        market.network.disconnect("alice", "bob")
        market.network.disconnect("alice", "judge")
        Self.pass(&market, days: 38)
        let copy = try #require(market.network.stores["wei"])
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        market.network.settle()
        market.network.stop("wei")
        market.network.restore("wei", copy)
        market.network.start("wei")
        for name in ["bob", "judge"] { market.network.connect("wei", name) }
        Self.pass(&market, days: 5)
        try market.act("bob", id, "lapse")
        for _ in 0..<3 { Self.pass(&market, days: 0) }
        #expect(try market.held("bob", id).outcome == .open)
        // alice says it again as soon as she meets it.
        market.network.connect("alice", "wei")
        for _ in 0..<3 { Self.pass(&market, days: 0) }
        #expect(try market.state("bob", id).records.contains { $0.family == "exercise" })
        let log = try #require(market.held("bob", id).witnessLogs[market.did("wei")])
        #expect(log.receiptedStatements.count == Set(log.receiptedStatements).count)
    }

    @Test func `with nobody's request in time the closings let the option lapse`() throws {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("yan")
        Self.pass(&market, days: 60)
        try market.act("bob", id, "lapse")
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .lapsed, "\(name)")
        }
        // The time of the default is the witnesses', after the deadline.
        let last = try #require(try market.held("alice", id).fold?.steps.last)
        #expect(last.time > market.at(days: -30))
    }

    @Test func `the arbiter takes over from a silent sequencer at the highest witnessed step`()
        throws
    {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        let early = #expect(throws: NodeRefusal.self) {
            try market.network.command("judge") { try $0.takeOver(id) }
        }
        guard case .notSilentYet = early else {
            Issue.record("\(String(describing: early))")
            return
        }
        Self.pass(&market, days: 3)
        try market.network.command("judge") { try $0.takeOver(id) }
        market.network.settle()
        Self.pass(&market, days: 0)
        for name in ["alice", "judge"] {
            let fold = try #require(try market.held(name, id).fold)
            #expect(fold.epoch == 1, "\(name)")
            #expect(fold.sequencer == market.did("judge"))
            #expect(fold.state.records.contains { $0.family == "exercise" }, "\(name)")
        }
        #expect(try market.held("alice", id).grade == .witnessed)
        // The old sequencer comes back, learns of it, and goes on as a party.
        market.back("bob")
        Self.pass(&market, days: 0)
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        try Self.deliver(&market, id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .fulfilled, "\(name)")
        }
        // All of it is there after a restart.
        for name in ["alice", "bob", "judge", "wei"] { market.restart(name) }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(try market.held("bob", id).fold?.epoch == 1)
    }

    @Test func `what an issuer wrote and did not sign holds up no step of the arbiter`() throws {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        for name in market.names where name != "bob" { market.network.disconnect("bob", name) }
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        // Just the entry that the step would embed, under another that vouches for it.
        let grant = try #require(market.held("judge", id).fold?.grants.first)
        let trunk = try #require(market.network.stores["bob"]?.entries(of: grant.line))
        let left = try #require(market.network["judge"].lines[grant.line]?.line.remaining)
        let firm = Firm(
            grant: grant.grant, units: 100, until: market.at(days: 300), remaining: left)
        let spoiled = try ForkTests.spoiled(
            market.entry(
                by: "bob", kind: Kind.firm.rawValue, body: firm.wire, in: grant.line,
                topic: ForkTests.alliance(market), after: trunk))
        let adjust = try market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 300, remaining: left, reason: "as it was").wire, in: grant.line,
            topic: ForkTests.alliance(market), after: trunk + [spoiled])
        market.answer([spoiled, adjust], from: "bob", to: "judge")
        #expect(market.network["judge"].lines[grant.line]?.fault == nil)

        Self.pass(&market, days: 3)
        try market.network.command("judge") { try $0.takeOver(id) }
        market.network.settle()
        for _ in 0..<3 { Self.pass(&market, days: 0) }
        for name in ["alice", "judge"] {
            let state = try market.state(name, id)
            #expect(state.records.contains { $0.family == "exercise" }, "\(name)")
        }
        #expect(try market.held("judge", id).refused.isEmpty)
    }

    @Test func `an arbiter that took over changes its key, and a restart forgets nothing`() throws {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        Self.pass(&market, days: 3)
        try market.network.command("judge") { try $0.takeOver(id) }
        market.network.settle()
        Self.pass(&market, days: 0)
        let code = try #require(market.network.recoveryCode("judge"))
        try market.network.command("judge") { try $0.rotate(with: code) }
        market.back("bob")
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] { market.restart(name) }
        Self.pass(&market, days: 0)
        try Self.deliver(&market, id)
        for name in ["alice", "bob", "judge"] { market.restart(name) }
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .fulfilled, "\(name)")
        }
    }

    // MARK: - Steps kept back

    /// Bob says that he delivered, has witnesses receipt that alone, and shows the step a week later, when
    /// the five days that alice has to look at it are over.
    static func keptBack() throws -> (Market, ContractID, record: Int64) {
        var (market, id) = try option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(10)])
        for name in market.names where name != "bob" { market.network.disconnect("bob", name) }
        let exercise = try market.record("bob", id, "exercise", "open")
        try market.act(
            "bob", id, "deliver", record: exercise,
            ["n": Market.units(10), "evidence": .hash(SHA256.hash([1]))])
        let said = try #require(
            market.held("bob", id).requests.values.map(\.entry).first)
        for name in ["wei", "xin", "yan"] {
            market.network.inject(said, from: "judge", to: name)
        }
        market.network.settle()
        pass(&market, days: 7)
        for name in market.names where name != "bob" { market.network.connect("bob", name) }
        market.network.settle()
        pass(&market, days: 0)
        let record = try market.record("alice", id, "delivery", "stated")
        let until = try #require(market.state("alice", id).record(record)?.until)
        #expect(until < market.network.now)
        return (market, id, record)
    }

    @Test func `silence does not count before M held the step for as long as there is to answer`()
        throws
    {
        var (market, id, record) = try Self.keptBack()
        try market.act("bob", id, "accept_silent", record: record)
        Self.pass(&market, days: 0)
        Self.pass(&market, days: 1)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.state(name, id).record(record)?.state == "stated", "\(name)")
        }
        // Five days after it was shown it does.
        Self.pass(&market, days: 5)
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.state(name, id).record(record)?.state == "due", "\(name)")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }

    @Test func `who learned of a step late still answers it, whatever its own time says`() throws {
        var (market, id, record) = try Self.keptBack()
        try market.act(
            "alice", id, "dispute", record: record, ["evidence": .hash(SHA256.hash([2]))])
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.state(name, id).record(record)?.state == "disputed", "\(name)")
        }
        for name in ["alice", "bob", "judge"] { market.restart(name) }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }

    @Test func `who keeps a step back has no more time for it itself`() throws {
        var (market, id) = try Self.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        for name in market.names where name != "bob" { market.network.disconnect("bob", name) }
        try market.act(
            "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("r")])
        // Bob, who is paid and sequences, hears of it after the two days that he has to deny it.
        Self.pass(&market, days: 3)
        for name in market.names where name != "bob" { market.network.connect("bob", name) }
        market.network.settle()
        Self.pass(&market, days: 0)
        #expect(try market.state("alice", id).record(1)?.state.hasSuffix("stated") == true)
        #expect(throws: NodeRefusal.self) {
            try market.act("bob", id, "pay_deny", ["reason": .text("nothing came")])
        }
        try market.act("alice", id, "pay_silent")
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.state(name, id).record(1)?.state == "open", "\(name)")
        }
    }

    // MARK: - Third parties

    /// Alice disputes what bob says he delivered, and judge is away.
    static func disputed() throws -> (Market, ContractID, record: Int64) {
        var (market, id) = try option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(10)])
        try market.act(
            "bob", id, "deliver", record: market.record("bob", id, "exercise", "open"),
            ["n": Market.units(10), "evidence": .hash(SHA256.hash([1]))])
        let record = try market.record("alice", id, "delivery", "stated")
        market.network.stop("judge")
        try market.act(
            "alice", id, "dispute", record: record, ["evidence": .hash(SHA256.hash([2]))])
        #expect(try market.state("bob", id).record(record)?.state == "disputed")
        return (market, id, record)
    }

    @Test func `an arbiter that is away stops the clock, and its word comes first`() throws {
        var (market, id, record) = try Self.disputed()
        Self.pass(&market, days: 6)
        // Five days are over; bob asks for what the template says where nobody rules.
        try market.act("bob", id, "rule_default", record: record)
        Self.pass(&market, days: 1)
        #expect(try market.state("bob", id).record(record)?.state == "disputed")
        market.back("judge")
        try market.act("judge", id, "rule", record: record, ["ruling": .integer(0)])
        Self.pass(&market, days: 0)
        for name in ["alice", "bob", "judge"] {
            let state = try market.state(name, id)
            #expect(state.record(record)?.state != "disputed", "\(name)")
        }
        let fold = try #require(market.held("alice", id).fold)
        #expect(fold.steps.contains { $0.act.transition == "rule" && $0.void == nil })
        Self.pass(&market, days: 5)
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(
            try #require(market.held("bob", id).fold).steps
                .allSatisfy { $0.act.transition != "rule_default" || $0.void != nil })
    }

    @Test func `its absence stops it so long and no longer, whoever asked too early`() throws {
        var (market, id, record) = try Self.disputed()
        Self.pass(&market, days: 6)
        try market.act("alice", id, "rule_default", record: record)
        #expect(try market.state("bob", id).record(record)?.state == "disputed")
        // Three days more are over: the request from before asks for the default, and does not bar it.
        Self.pass(&market, days: 3)
        Self.pass(&market, days: 0)
        for name in ["alice", "bob"] {
            #expect(try market.state(name, id).record(record)?.state != "disputed", "\(name)")
        }
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// Without witnesses the sequencer's clock decides; what that may and may not do to the others.
@Suite struct ClockTests {
    static let day: Int64 = 86_400_000

    /// Bob delivered ten of alice's by his own right, and alice heard it or did not.
    static func delivered(heard: Bool) throws -> (OptionStory, record: Int64) {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        if !heard { story.market.network.stop("alice") }
        try story.market.act(
            "bob", story.parent, "deliver",
            record: story.market.record("bob", story.parent, "exercise", "open"),
            ["n": Market.units(10), "evidence": StoryTests.evidence])
        let record = try story.market.record("bob", story.parent, "delivery", "stated")
        story.market.network.pass(milliseconds: 6 * day)
        return (story, record)
    }

    @Test func `silence counts against her only once she said that she knows`() throws {
        var (story, record) = try Self.delivered(heard: false)
        #expect {
            try story.market.act("bob", story.parent, "accept_silent", record: record)
        } throws: { error in
            guard case NodeRefusal.fold(.clockUnacknowledged) = error else { return false }
            return true
        }
        // He writes it all the same: no fold takes it.
        let fold = try #require(try story.market.held("bob", story.parent).fold)
        let act = SignedAct(transition: "accept_silent", record: record, arguments: [])
        let outcome = try fold.state.decide(
            Act(act), by: story.market.did("bob"), at: story.market.network.now,
            sequence: fold.head.sequence + 1)
        var next = fold.state
        next.apply(outcome)
        let changes = outcome.touched.compactMap { number in
            next.record(number).map {
                Step.RecordChange(
                    record: number, state: $0.state,
                    fields: [Argument](
                        Dictionary(
                            $0.fields.map { ($0.name, $0.value) },
                            uniquingKeysWith: { first, _ in first })))
            }
        }
        let step = try story.market.step(
            by: "bob", Step(act: act, request: nil, records: changes, digest: next.digest()),
            in: story.parent)
        story.market.push(step, from: "bob", to: "judge")
        story.market.network.settle()
        let outline = try #require(try story.market.held("judge", story.parent).fold?.steps.last)
        #expect(outline.id == step.id)
        guard case .clockUnacknowledged = outline.void else {
            Issue.record("\(String(describing: outline.void))")
            return
        }
        #expect(try story.market.state("judge", story.parent).record(record)?.state == "stated")
    }

    @Test func `with her acknowledgement the default stands`() throws {
        var (story, record) = try Self.delivered(heard: true)
        try story.market.act("bob", story.parent, "accept_silent", record: record)
        for name in ["alice", "bob", "judge"] {
            #expect(try story.market.state(name, story.parent).record(record)?.state == "due")
            // A clock that runs is spoken of until it stands still; all else was delivered.
            #expect(
                story.market.network[name].outbox.values.allSatisfy {
                    $0.statement.kind == .acknowledgement
                }, "\(name)")
        }
    }

    @Test func `her acknowledgement is not lost when other steps follow before it arrives`() throws
    {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(20)])
        story.market.network.stop("alice")
        let exercise = try story.market.record("bob", story.parent, "exercise", "open")
        for _ in 1...2 {
            try story.market.act(
                "bob", story.parent, "deliver", record: exercise,
                ["n": Market.units(10), "evidence": StoryTests.evidence])
        }
        // She hears both from judge, and bob from her only days later.
        story.market.network.start("alice")
        story.market.network.connect("alice", "judge")
        story.market.settle()
        story.market.restart("judge")
        story.market.network.stop("judge")
        story.market.network.pass(milliseconds: 6 * Self.day)
        story.market.network.connect("alice", "bob")
        story.market.settle()
        let deliveries = try story.market.state("bob", story.parent).records.filter {
            $0.family == "delivery"
        }
        #expect(deliveries.count == 2)
        for delivery in deliveries {
            try story.market.act("bob", story.parent, "accept_silent", record: delivery.number)
        }
        story.market.back("judge")
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
        for name in OptionStory.names {
            // A clock that runs is spoken of until it stands still; all else was delivered.
            #expect(
                story.market.network[name].outbox.values.allSatisfy {
                    $0.statement.kind == .acknowledgement
                }, "\(name)")
        }
    }

    @Test func `dressing his own act up as a request does not start her clock`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        story.market.network.stop("alice")
        let exercise = try story.market.record("bob", story.parent, "exercise", "open")
        let arguments: [String: Value] = [
            "n": Market.units(10), "evidence": StoryTests.evidence,
        ]
        let request = try story.market.request(
            by: "bob", "deliver", record: exercise, arguments, in: story.parent)
        let fold = try #require(try story.market.held("bob", story.parent).fold)
        let node = story.market.network["bob"]
        let keys = node.keyLogs
        let admission = try fold.decide(
            .init(time: story.market.network.now, act: nil, request: request),
            keys: { keys.key($0, $1) }, checker: node.checker)
        let step = try story.market.step(
            by: "bob",
            Step(
                act: nil, request: request, records: admission.changes, digest: admission.digest),
            in: story.parent)
        story.market.push(step, from: "bob", to: "judge")
        // His own node follows, as if it had written it.
        story.market.push(step, from: "judge", to: "bob")
        story.market.restart("bob")
        story.market.network.pass(milliseconds: 6 * Self.day)
        let record = try story.market.record("bob", story.parent, "delivery", "stated")
        #expect {
            try story.market.act("bob", story.parent, "accept_silent", record: record)
        } throws: { error in
            guard case NodeRefusal.fold(.clockUnacknowledged) = error else { return false }
            return true
        }
    }

    /// Bob signs a delivery five days after its own time, and everybody hears of it only then.
    static func backdated() throws -> (OptionStory, record: Int64) {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        let then = story.market.network.now
        story.market.network.pass(milliseconds: 5 * day + 1)
        story.market.network.tick()
        story.market.settle()
        let held = try story.market.held("bob", story.parent)
        let fold = try #require(held.fold)
        let act = SignedAct(
            transition: "deliver",
            record: try story.market.record("bob", story.parent, "exercise", "open"),
            arguments: [
                Argument(name: "evidence", value: StoryTests.evidence),
                Argument(name: "n", value: Market.units(10)),
            ])
        let keys = story.market.network["bob"].keyLogs
        let admission = try fold.decide(
            .init(time: then, act: act, request: nil), keys: { keys.key($0, $1) },
            checker: SignatureChecker())
        let step = try story.market.step(
            by: "bob",
            Step(act: act, request: nil, records: admission.changes, digest: admission.digest),
            in: story.parent, time: then)
        for name in ["alice", "judge"] { story.market.push(step, from: "bob", to: name) }
        story.market.push(step, from: "judge", to: "bob")
        story.market.settle()
        story.market.restart("bob")
        let record = try story.market.record("alice", story.parent, "delivery", "stated")
        return (story, record)
    }

    @Test func `a step that comes when her time is nearly over is not acknowledged by itself`()
        throws
    {
        var (story, record) = try Self.backdated()
        #expect {
            try story.market.act("bob", story.parent, "accept_silent", record: record)
        } throws: { error in
            guard case NodeRefusal.fold(.clockUnacknowledged) = error else { return false }
            return true
        }
        #expect(try story.market.state("judge", story.parent).record(record)?.state == "stated")
        // Nor at a start, nor when she is asked again.
        story.market.restart("alice")
        #expect(throws: NodeRefusal.self) {
            try story.market.act("bob", story.parent, "accept_silent", record: record)
        }
    }

    @Test func `whoever asks for the default against itself knows of the step`() throws {
        var (story, record) = try Self.backdated()
        try story.market.act("alice", story.parent, "accept_silent", record: record)
        for name in ["alice", "bob", "judge"] {
            #expect(
                try story.market.state(name, story.parent).record(record)?.state == "due", "\(name)"
            )
        }
    }

    @Test func `where two are awaited each one's asking counts for the other's`() throws {
        var market = try StoryTests.market()
        let line = try market.declare("jike", "sticker/set", 50)
        let id = try market.agree(
            "zhijian", "mutual-assistance",
            [
                "trigger": Market.units(100), "cap": Market.units(50),
                "cap_call": Market.units(50), "cap_month": Market.units(50),
                "price": Market.money(600), "fee": Market.money(200),
                "remedy": Market.money(5_000), "ends": .instant(market.at(days: 90)),
                "notice": .integer(3_600_000),
            ],
            roles: [
                "user": "zhijian", "partner": "shouzuo", "supplier": "jike",
                "arbiter": "zhongcai",
            ], lines: [line])
        // Who sequences ends it within the hour, while the two others are away.
        for name in ["zhijian", "jike"] { market.network.stop(name) }
        try market.act("shouzuo", id, "stop")
        market.network.pass(milliseconds: 2 * 3_600_000)
        for name in ["zhijian", "jike"] { market.restart(name) }
        market.settle()
        #expect {
            try market.act("shouzuo", id, "expire")
        } throws: { error in
            guard case NodeRefusal.fold(.clockUnacknowledged) = error else { return false }
            return true
        }
        try market.act("zhijian", id, "expire")
        #expect(try market.state("zhijian", id).record(1)?.state == "standing")
        try market.act("jike", id, "expire")
        for name in ["zhijian", "shouzuo", "jike", "zhongcai"] {
            #expect(try market.state(name, id).record(1)?.state == "closed", "\(name)")
        }
    }

    @Test(arguments: ["alice", "bob", "judge"])
    func `what was not used lapses at anyone's word, once its time is over`(_ name: String) throws {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(30)])
        #expect(throws: NodeRefusal.self) {
            try story.market.act(name, story.parent, "lapse")
        }
        story.market.network.pass(milliseconds: 41 * Self.day)
        #expect(throws: NodeRefusal.self) {
            try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        }
        try story.market.act(name, story.parent, "lapse")
        #expect(try story.market.state("alice", story.parent).record(1)?.state == "lapsed")
        // Thirty were exercised, and are not delivered.
        story.market.network.pass(milliseconds: 30 * Self.day)
        let exercise = try story.market.record("bob", story.parent, "exercise", "open")
        try story.market.act("alice", story.parent, "fail", record: exercise)
        #expect(try story.market.held("bob", story.parent).outcome == .defaulted)
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    // MARK: - Wrong clocks

    @Test func `an entry of a quarter of an hour ahead waits, and is taken in its time`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        market.network.clockError["bob"] = 11 * 60_000
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let log = LogID.line(author: market.did("bob"), line)
        #expect(market.network["alice"].lines[log] == nil)
        market.network.tick()
        market.network.settle()
        #expect(market.network["alice"].lines[log] == nil)
        #expect(market.network.closed.isEmpty)
        market.network.pass(milliseconds: 2 * 60_000)
        market.network.tick()
        market.network.settle()
        for name in ["alice", "carol", "judge"] {
            #expect(market.network[name].lines[log]?.line.remaining == 300, "\(name)")
        }
    }

    @Test func `a statement from ahead waits, and is taken in its time`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        market.network.clockError["alice"] = 11 * 60_000
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        #expect(market.network["bob"].contracts[id] == nil)
        market.network.pass(milliseconds: 2 * 60_000)
        market.network.tick()
        market.settle()
        #expect(market.network["bob"].contracts[id] != nil)
    }

    @Test(arguments: [-11, 11])
    func `a node whose clock is off most peers' signs nothing until it is set right`(
        _ minutes: Int64
    ) throws {
        var story = try OptionStory()
        try story.play(..<4)
        story.market.network.clockError["bob"] = minutes * 60_000
        story.market.network.stop("bob")
        story.market.back("bob")
        #expect {
            try story.market.declare("bob", "ink", 10)
        } throws: { error in
            guard case NodeRefusal.clockOff(peers: 3, _) = error else { return false }
            return true
        }
        // Nor by itself: a request waits until the clock is right.
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        story.market.network.tick()
        story.market.settle()
        let open = try story.market.held("alice", story.parent)
        #expect(open.requests.count == 1)
        #expect(open.refused.isEmpty)
        // Set right, it goes on by itself, over the connections that it has.
        story.market.network.clockError = [:]
        story.market.network.tick()
        story.market.settle()
        story.market.network.tick()
        story.market.settle()
        #expect(try story.market.held("alice", story.parent).requests.isEmpty)
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    /// Everyone signed what step 1 starts, and without witnesses nobody can tell when it was shown.
    @Test func `who was not shown step 1 owes nothing for the time that it was hidden`() throws {
        var market = try Market("alice", "bob", "judge", only: "flexible-volume")
        let line = try market.declare("bob", "print/notebook/a5", 1_000)
        let draft = Node.ProposalDraft(
            template: try market.template("flexible-volume").hash, currency: Market.cny,
            arguments: [
                "forecast": Market.units(100), "call_max": Market.units(50),
                "price": Market.money(2_000), "remedy": Market.money(300),
                "ends": .instant(market.at(days: 60)),
            ],
            roles: [
                "supplier": [market.did("bob")], "buyer": [market.did("alice")],
                "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        try market.network.command("judge") { try $0.accept(id) }
        market.settle()
        for name in ["alice", "judge"] { market.network.disconnect("bob", name) }
        try market.network.command("bob") { try $0.accept(id) }
        WitnessTests.pass(&market, days: 70)
        #expect(try market.held("alice", id).grade == .proposed)
        for name in ["alice", "judge"] { market.network.connect("bob", name) }
        market.settle()
        try market.act("bob", id, "close_year")
        let state = try market.state("alice", id)
        withKnownIssue { #expect(state.record(1)?.pay == nil) }
    }
}

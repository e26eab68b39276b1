import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What is said stays said, and what is put into a mouth was never said.
@Suite struct SaidOnceTests {
    @Test func `her acknowledgement counts after she changed her key`() throws {
        var (story, record) = try ClockTests.delivered(heard: true)
        let code = try #require(story.market.network.recoveryCode("alice"))
        try story.market.network.command("alice") { try $0.rotate(with: code) }
        story.market.settle()
        // Any step of hers brings her new key into the contract.
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        try story.market.act("bob", story.parent, "accept_silent", record: record)
        for name in ["alice", "bob", "judge"] {
            #expect(try story.market.state(name, story.parent).record(record)?.state == "due")
        }
    }

    /// bob's key, stolen: two deliveries while alice and judge do not talk to bob, the second with a word of
    /// hers that she never signed.
    @Test(arguments: [false, true])
    func `what a thief wrote is taken back, whatever he puts into others' mouths`(forges: Bool)
        throws
    {
        var story = try OptionStory()
        try story.play(..<4)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(20)])
        let exercise = try story.market.record("bob", story.parent, "exercise", "open")
        let before = story.market
        // The thief's copy of bob's home, by itself.
        var thief = before
        for name in ["alice", "judge", "carol"] { thief.network.stop(name) }
        try thief.act(
            "bob", story.parent, "deliver", record: exercise,
            ["n": Market.units(10), "evidence": StoryTests.evidence])
        let log = try thief.held("bob", story.parent).log
        let first = try #require(thief.network.stores["bob"]?.entries(of: log).last)
        let fold = try #require(try thief.held("bob", story.parent).fold)
        let act = SignedAct(
            transition: "deliver", record: exercise,
            arguments: [Argument]([
                "n": Market.units(10), "evidence": StoryTests.evidence,
            ]))
        let outcome = try fold.state.decide(
            Act(act), by: thief.did("bob"), at: thief.network.now, sequence: fold.head.sequence + 1)
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
        let held = try thief.held("bob", story.parent)
        let body = Acknowledgement(salt: thief.salt, entry: first.id, purpose: .delivered).wire
        let alice = try #require(thief.network.own("alice"))
        let forged = try ValidEntry(
            signing: Header(
                kind: Kind.acknowledgement.rawValue, author: alice.did, key: alice.keyEntry,
                topic: held.key.topic, time: thief.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(.init(expires: thief.at(days: 30), about: held.log))),
            body: body, by: try #require(thief.network.own("bob")).key
        ).entry
        let step = try thief.step(
            by: "bob",
            Step(
                act: act, request: nil, consents: forges ? [forged] : [], records: changes,
                digest: next.digest()), in: story.parent)
        // judge alone is shown both, while bob is not there; the judge acknowledges nothing.
        story.market.network.stop("alice")
        story.market.network.disconnect("bob", "judge")
        for entry in [first, step] { story.market.push(entry, from: "carol", to: "judge") }
        story.market.network.connect("carol", "judge")
        for entry in [first, step] {
            story.market.network.connect("bob", "judge")
            story.market.network.inject(Message.push(entry.wire).frame, from: "bob", to: "judge")
            story.market.network.disconnect("bob", "judge")
        }
        let seen = try #require(try story.market.held("judge", story.parent).fold)
        #expect(seen.head.id == step.id)
        #expect(seen.steps.last?.void == nil)
        let code = try #require(story.market.network.recoveryCode("bob"))
        try story.market.network.command("bob") { try $0.rotate(with: code) }
        story.market.network.connect("bob", "judge")
        story.market.settle()
        #expect(story.market.network["judge"].forked(log) == nil)
    }
}

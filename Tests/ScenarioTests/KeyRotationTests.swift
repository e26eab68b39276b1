import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Keys that change in the middle of a trade, and what a thief of the old one can still do.
@Suite struct KeyRotationTests {
    /// A node's key as a thief copied it.
    struct Thief {
        let own: Own

        init(_ market: Market, _ name: String) throws {
            own = try #require(market.network.own(name))
        }

        func entry(
            _ kind: Int64, _ body: [UInt8], in log: LogID, topic: TopicID, after: [Entry],
            at: Instant
        )
            throws -> Entry
        {
            try ValidEntry(
                signing: Header(
                    kind: kind, author: own.did, key: own.keyEntry, topic: topic, time: at,
                    bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .log(
                        .init(
                            log: log, sequence: Int64(after.count) + 1, previous: after.last?.id))),
                body: body, by: own.key
            ).entry
        }
    }

    private static func rotate(_ market: inout Market, _ name: String, _ reason: String = "") throws
    {
        let code = try #require(market.network.recoveryCode(name))
        try market.network.command(name) { try $0.rotate(with: code, reason: reason) }
        market.settle()
    }

    private static func kept(_ market: Market, _ name: String, _ log: LogID) -> [Entry] {
        market.network.stores[name]?.entries(of: log) ?? []
    }

    @Test(arguments: ["bob", "alice", "judge"])
    func `a trade goes on to its end whoever changes the key, and when`(_ name: String) throws {
        var calm = try OptionStory()
        try calm.play()
        for command in [2, 4, 7, 10] {
            var story = try OptionStory()
            try story.play(..<command)
            try Self.rotate(&story.market, name)
            for next in OptionStory.commands[command...] { try next(&story) }
            #expect(
                story.market.network[name].own.keyEntry
                    == story.market.network[name].keyLogs
                    .inForce(story.market.did(name))?.id)
            for other in OptionStory.names {
                let node = story.market.network[other]
                #expect(
                    node.contracts[story.parent]?.outcome == (other == "carol" ? nil : .fulfilled),
                    "\(other) \(command)")
                #expect(node.contracts[story.child]?.outcome == .fulfilled, "\(other) \(command)")
                #expect(node.keyLogs.entries(of: story.market.did(name)).count == 2)
                #expect(node.outbox.isEmpty, "\(other) \(command)")
                #expect(
                    node.ledger.netPaid(by: story.market.did(other)).first?.minor
                        == calm.market.network[other].ledger.netPaid(by: calm.market.did(other))
                        .first?.minor)
            }
            for other in OptionStory.names { story.market.restart(other) }
            #expect(try story.market.held("judge", story.child).outcome == .fulfilled)
            #expect(story.market.network.closed.isEmpty, "\(story.market.network.closed)")
        }
    }

    @Test func `the thief of a key file cannot change the key`() throws {
        var market = try Market("alice", "bob")
        let thief = try Thief(market, "bob")
        let bob = market.did("bob")
        let key = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: 5, count: 32))))
        // Through the node itself, and by hand: the key log commits to another key.
        #expect(throws: NodeRefusal.self) {
            try market.network.command("bob") { try $0.rotate(to: key, then: key.publicKey) }
        }
        let first = try #require(Self.kept(market, "bob", .key(author: bob)).last)
        for signer in [key, thief.own.key] {
            let body = KeyBody(publicKey: signer.publicKey, nextKeyHash: .nextKey(key.publicKey))
                .wire
            let forged = try ValidEntry(
                signing: Header(
                    kind: Kind.key.rawValue, author: bob, key: nil, topic: nil,
                    time: market.network.now,
                    bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .log(.init(log: .key(author: bob), sequence: 2, previous: first.id))),
                body: body, by: signer
            ).entry
            market.push(forged, from: "bob", to: "alice")
        }
        #expect(market.network["alice"].keyLogs.entries(of: bob).count == 1)
    }

    @Test func `what the thief writes after the change has no effect anywhere`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let thief = try Thief(market, "bob")
        let log = LogID.line(author: market.did("bob"), line)
        let before = Self.kept(market, "bob", log)
        let topic = market.network["bob"].alliance.topic
        try Self.rotate(&market, "bob", "stolen laptop")
        let trace = market.traces
        for at in [market.network.now, before[0].header.time] {
            let stolen = try thief.entry(
                Kind.adjust.rawValue, Adjust(total: 9, remaining: 9, reason: "thief").wire, in: log,
                topic: topic, after: before, at: at)
            market.push(stolen, from: "bob", to: "alice", "judge")
        }
        market.settle()
        #expect(market.traces == trace)
        for name in market.names {
            #expect(market.network[name].chains.chain(log)?.fork == nil)
            #expect(market.network[name].lines[log]?.line.total == 300)
        }
        let judge = market.network["judge"]
        let key = try #require(judge.keyLogs.inForce(market.did("bob")))
        #expect(judge.book[market.did("bob")]?.change(to: key.id)?.reason == "stolen laptop")
    }

    @Test func `what the thief wrote before the change was known is taken back`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let thief = try Thief(market, "bob")
        let log = LogID.line(author: market.did("bob"), line)
        let topic = market.network["bob"].alliance.topic
        let before = Self.kept(market, "bob", log)
        market.network.disconnect("alice", "bob")
        market.network.disconnect("judge", "bob")
        let stolen = try thief.entry(
            Kind.adjust.rawValue, Adjust(total: 9, remaining: 9, reason: "thief").wire, in: log,
            topic: topic, after: before, at: market.network.now)
        market.push(stolen, from: "judge", to: "alice")
        market.settle()
        #expect(market.network["alice"].lines[log]?.line.total == 9)
        try Self.rotate(&market, "bob")
        market.network.connect("bob", "alice")
        market.settle()
        market.network.connect("bob", "judge")
        market.settle()
        for name in market.names {
            #expect(market.network[name].lines[log]?.line.total == 300, "\(name)")
            #expect(market.network[name].chains.chain(log)?.fork == nil, "\(name)")
            #expect(market.network[name].chains.head(log) == 2, "\(name)")
            market.restart(name)
            #expect(market.network[name].lines[log]?.line.total == 300, "\(name)")
        }
    }

    /// Alice holds, in each of these lines of bob's, an entry of the thief where bob's `continue` stands. She knows
    /// of the new key, and of nothing that was written under it.
    private static func overwritten(_ count: Int) throws -> (Market, onward: [Entry]) {
        var market = try Market("alice", "bob", "judge")
        let logs = try (1...count).map { number in
            LogID.line(
                author: market.did("bob"),
                try market.declare("bob", "print/notebook/a\(number)", 300))
        }
        let thief = try Thief(market, "bob")
        let topic = market.network["bob"].alliance.topic
        market.network.disconnect("alice", "bob")
        market.network.disconnect("judge", "bob")
        for log in logs {
            let stolen = try thief.entry(
                Kind.adjust.rawValue, Adjust(total: 9, remaining: 9, reason: "thief").wire,
                in: log, topic: topic, after: kept(market, "bob", log), at: market.network.now)
            market.push(stolen, from: "judge", to: "alice")
        }
        market.settle()
        try rotate(&market, "bob")
        market.push(
            try #require(kept(market, "bob", .key(author: market.did("bob"))).last),
            from: "judge", to: "alice")
        market.settle()
        return (market, try logs.map { try #require(kept(market, "bob", $0).last) })
    }

    /// Alice as she is, hearing it from the judge within one turn.
    private static func hears(
        _ market: Market, _ entries: [Entry]
    ) throws -> (alice: Node, changes: [Change], readings: Int) {
        var alice = market.network["alice"]
        let judge = market.did("judge")
        let peer = try #require(alice.connections.first { $0.value.did == judge }?.key)
        alice.begin(at: market.network.now, seed: .zero)
        var readings = 0
        for entry in entries {
            alice.received(Message.push(entry.wire).frame, from: peer)
            readings += alice.takeDirectives().count {
                if case .reload = $0 { true } else { false }
            }
        }
        return (alice, alice.takeChanges(), readings)
    }

    @Test func `a continue that comes twice at once takes the place of what stood there once`()
        throws
    {
        var (market, onward) = try Self.overwritten(1)
        let (_, changes, _) = try Self.hears(market, [onward[0], onward[0]])
        let superseded = changes.count { if case .superseded = $0 { true } else { false } }
        #expect(superseded == 1)
        market.settle()
    }

    @Test func `who changes his key below what he wrote, log by log, stops nobody`() throws {
        var (market, onward) = try Self.overwritten(12)
        var (alice, changes, readings) = try Self.hears(market, onward)
        #expect(readings == 4)
        let superseded = changes.count { if case .superseded = $0 { true } else { false } }
        #expect(superseded == 4)
        // What waits is asked for again by itself.
        alice.begin(at: market.network.now.advanced(by: 10_000), seed: .zero)
        alice.tick()
        let asked = alice.takeDirectives().compactMap { directive -> LogID? in
            guard case .send(_, let frame) = directive,
                case .range(let request)? = try? Message(frame)
            else { return nil }
            return request.from == 2 ? request.log : nil
        }
        #expect(Set(asked) == Set(onward.dropFirst(4).compactMap { $0.header.log?.log }))
        market.settle()
    }

    @Test func `whoever was away learns the new key at the handshake`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        story.market.network.stop("alice")
        try Self.rotate(&story.market, "bob")
        try Self.rotate(&story.market, "bob")
        // Bob alone is there to tell her.
        story.market.network.stop("judge")
        story.market.network.stop("carol")
        story.market.back("alice")
        #expect(
            story.market.network["alice"].keyLogs.entries(of: story.market.did("bob")).count == 3)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(100)])
        #expect(try story.market.state("alice", story.parent).record(1)?.state == "used")
        #expect(story.market.network.closed.isEmpty, "\(story.market.network.closed)")
    }

    @Test func `who comes with a key that nobody brought in is turned away`() throws {
        var market = try Market("alice", "bob")
        let eve = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: 9, count: 32))))
        var alice = market.network["alice"]
        alice.begin(at: market.network.now, seed: .zero)
        alice.connected(
            PeerID(99), did: market.did("bob"), keyEntry: .zero, key: eve.publicKey,
            initiated: false)
        let hello = Message.Hello(
            versions: [ReplicationLimit.wireVersion], nonce: .zero, time: 1, agent: "")
        alice.received(Message.hello(hello).frame, from: PeerID(99))
        let mine = Self.kept(market, "bob", .key(author: market.did("bob"))).map(\.wire)
        alice.received(Message.keys(mine).frame, from: PeerID(99))
        let closes = alice.takeDirectives().contains { if case .close = $0 { true } else { false } }
        #expect(closes)
        market.settle()
    }

    @Test func `nobody is believed, or crowded out, under a name and a key that nobody knows`()
        throws
    {
        var market = try Market("alice", "bob")
        let eve = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: 9, count: 32))))
        func believed(_ key: PublicKey) throws -> Bool {
            var alice = market.network["alice"]
            alice.begin(at: market.network.now, seed: .zero)
            alice.connected(
                PeerID(99), did: market.did("bob"),
                keyEntry: key == eve.publicKey
                    ? .zero : try #require(market.network.own("bob")).keyEntry, key: key,
                initiated: false)
            return alice.takeDirectives().contains {
                if case .believe(PeerID(99)) = $0 { true } else { false }
            }
        }
        #expect(try !believed(eve.publicKey))
        #expect(try believed(try #require(market.network.own("bob")).key.publicKey))
        market.settle()
    }

    @Test func `a stranger proves its key by its key log, and nothing of that is kept`() throws {
        var market = try Market("alice", "bob")
        var stranger = try Market("a", "b", "carol")
        for _ in 0..<3 { try Self.rotate(&stranger, "carol") }
        let own = try #require(stranger.network.own("carol"))
        let keys = Self.kept(stranger, "carol", .key(author: own.did)).map(\.wire)
        var alice = market.network["alice"]
        alice.begin(at: stranger.network.now, seed: .zero)
        alice.connected(
            PeerID(99), did: own.did, keyEntry: own.keyEntry, key: own.key.publicKey,
            initiated: false)
        let hello = Message.Hello(
            versions: [ReplicationLimit.wireVersion], nonce: .zero, time: 1, agent: "")
        alice.received(Message.hello(hello).frame, from: PeerID(99))
        alice.received(Message.keys(keys).frame, from: PeerID(99))
        #expect(keys.count == 4)
        #expect(
            alice.takeDirectives().contains {
                if case .believe(PeerID(99)) = $0 { true } else { false }
            })
        #expect(alice.takeChanges().isEmpty)
        market.settle()
    }

    @Test func `a request under a replaced key is not admitted, and after the next step cannot be`()
        throws
    {
        var story = try OptionStory()
        try story.play(..<4)
        // Signed before the change, and kept back.
        let early = try story.market.request(
            by: "alice", "exercise", ["n": Market.units(50)], in: story.parent)
        try Self.rotate(&story.market, "alice")
        story.market.network.inject(early, from: "alice", to: "bob")
        story.market.settle()
        #expect(try story.market.state("bob", story.parent).record(1)?.state == "open")
        // The next step embeds the key entry; a sequencer that would still admit it cannot.
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(50)])
        let fold = try #require(try story.market.held("judge", story.parent).fold)
        #expect(fold.embeddedKeys.count == 1)
        let candidate = Fold.Candidate(
            time: story.market.network.now, act: nil,
            request: try story.market.request(
                by: "alice", "exercise", ["n": Market.units(50)], in: story.parent))
        let lookup = story.market.network["judge"].keyLogs
        let held = try story.market.held("alice", story.parent)
        let old = try Self.resigned(try #require(candidate.request), by: early, story, held)
        #expect(throws: FoldRefusal.keySuperseded(story.market.did("alice"))) {
            _ = try fold.decide(
                .init(time: candidate.time, act: nil, request: old),
                keys: { lookup.key($0, $1) }, checker: SignatureChecker())
        }
    }

    /// The same request as the thief of the first key would sign it now.
    private static func resigned(
        _ request: Entry, by early: Entry, _ story: OptionStory, _ held: HeldContract
    ) throws -> Entry {
        var header = request.header
        header.key = early.header.key
        // Whoever checks looks at the key first: no signature of hers is needed to be refused.
        return try Entry(
            headerBytes: header.wire, signature: request.signature, body: request.body)
    }

    @Test func `a sequencer cannot take a step back by changing its key`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        let held = try story.market.held("bob", story.parent)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        let log = held.log
        let kept = Self.kept(story.market, "alice", log)
        let bob = try #require(story.market.network.own("bob"))
        // Bob changes his key, and writes a `continue` where alice's exercise stands.
        story.market.network.disconnect("bob", "alice")
        story.market.network.disconnect("bob", "judge")
        try Self.rotate(&story.market, "bob")
        let now = try #require(story.market.network.own("bob"))
        let body = Continue(from: bob.keyEntry).wire
        let below = Array(kept.dropLast(2))
        let forged = try ValidEntry(
            signing: Header(
                kind: Kind.continue.rawValue, author: now.did, key: now.keyEntry,
                topic: held.key.topic, time: story.market.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .log(
                    .init(log: log, sequence: Int64(below.count) + 1, previous: below.last?.id))),
            body: body, by: now.key
        ).entry
        // The keys reach alice by carol; the second exercise names the first as its basis.
        story.market.push(forged, from: "carol", to: "alice")
        story.market.settle()
        #expect(
            try story.market.held("alice", story.parent).fold?.halt
                == .forked(sequence: Int64(below.count) + 1))
    }

    /// Bob's old laptop, which hears from alice that his new one changed the key; and of what it wrote in the
    /// place where the new one goes on.
    @Test(arguments: [false, true])
    func `a home whose key another one replaced signs nothing, and keeps what it signed`(
        _ hasWritten: Bool
    ) throws {
        var market = try Market("alice", "bob")
        let log = LogID.publicLog(
            author: market.did("bob"), alliance: market.network["bob"].alliance.topic)
        var new = market
        try Self.rotate(&new, "bob")
        let key = try #require(Self.kept(new, "alice", .key(author: market.did("bob"))).last)
        let onward = try #require(Self.kept(new, "alice", log).last)
        #expect(onward.kind == .continue)
        if hasWritten {
            market.network.disconnect("alice", "bob")
            try market.network.command("bob") { try $0.publish(Profile(name: "bob of old")) }
            market.network.connect("alice", "bob")
            // What alice gets of it she does not take yet.
            market.network.passing = { $0.from == "alice" ? $0.frame : nil }
            market.settle()
        }
        let before = Self.kept(market, "bob", log)
        market.push(key, from: "alice", to: "bob")
        market.push(onward, from: "alice", to: "bob")
        market.network.passing = nil
        market.settle()
        for _ in 0...1 {
            #expect(market.network["bob"].readOnly == .keyReplaced)
            #expect {
                try market.network.command("bob") { try $0.publish(Profile(name: "bob again")) }
            } throws: { error in
                guard case NodeRefusal.readOnly(.keyReplaced) = error else { return false }
                return true
            }
            // The database would refuse to make a rival of what we signed.
            #expect(Self.kept(market, "bob", log) == before + (hasWritten ? [] : [onward]))
            market.network.stop("bob")
            market.network.start("bob")
        }
    }
}

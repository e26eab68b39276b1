import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// A key file holds two secrets: a key, which its owner replaces once the file is stolen, and the node secret,
/// which stays. What a thief can do with the second alone.
@Suite struct StolenSecretTests {
    private static func rotate(_ market: inout Market, _ name: String) throws {
        let code = try #require(market.network.recoveryCode(name))
        try market.network.command(name) { try $0.rotate(with: code, reason: "stolen laptop") }
        market.settle()
    }

    /// A copy of `name`'s home on the thief's machine, which never goes on line.
    private static func copy(_ market: Market, _ name: String) throws -> Node {
        var copy = Node(
            own: try #require(market.network.own(name)),
            alliance: market.network[name].alliance,
            snapshot: try #require(market.network.stores[name]).snapshot)
        copy.begin(at: market.network.now, seed: SHA256.hash(Array("thief".utf8)))
        return copy
    }

    @Test
    func `an invitation that a thief of the key file makes is worth nothing after the change`()
        throws
    {
        var guild = try AllianceTests.Guild(["alice", "bob", "mallory"], .invitation)
        var copy = try Self.copy(guild.market, "alice")
        let code = try copy.invite(to: guild.topic, until: guild.market.at(days: 3))
        try Self.rotate(&guild.market, "alice")
        try guild.network.command("mallory") { try $0.join(code) }
        guild.market.settle()
        #expect(guild.standing(of: "mallory", at: "alice") == .outsider)
        // The owner's own code admits as before.
        let good = try guild.code(from: "alice")
        try guild.network.command("bob") { try $0.join(good) }
        guild.market.settle()
        #expect(guild.standing(of: "bob", at: "alice") == .member)
    }

    // MARK: - Snapshots

    private static let nobodysKey = SigningKey(
        seed: SecretBytes([UInt8](repeating: 9, count: 32)))!

    /// What `author` never signed, under the key of nobody.
    private static func unsigned<Body: EntryBody>(
        _ body: Body, by author: Own, like header: Header
    ) throws -> Entry {
        let bytes = body.wire
        guard let place = header.statement else { throw EntryRefusal.bodyMissing }
        return try ValidEntry(
            signing: Header(
                kind: Body.kind.rawValue, author: author.did, key: author.keyEntry,
                topic: header.topic, time: header.time, bodyHash: SHA256.hash(bytes),
                bodySize: Int64(bytes.count), place: .statement(place)), body: bytes,
            by: nobodysKey
        ).entry
    }

    /// A contract between alice, bob and judge that nobody ever signed, agreed to by all.
    private static func contract(_ market: Market, _ line: LineTerms) throws -> Keepsake.Contract {
        var shadow = market
        let draft = try HubTests.draft(shadow, line)
        let id = try shadow.network.command("alice") { try $0.propose(draft) }
        let held = try shadow.held("alice", id)
        func own(_ name: String) throws -> Own { try #require(shadow.network.own(name)) }
        let header = held.proposalEntry.header
        let proposal = try unsigned(held.proposal, by: own("alice"), like: header)
        let salt = SHA256.hash([1])
        var statements = [proposal]
        for name in ["bob", "judge"] {
            statements.append(
                try unsigned(
                    Acceptance(salt: salt, statement: proposal.id, releaseKey: nil),
                    by: own(name), like: header))
        }
        return .init(key: held.key.bytes, statements: statements)
    }

    /// A snapshot of bob's as whoever copied his key file can seal one.
    private static func forged(_ market: Market, _ keepsake: Keepsake) throws -> [UInt8] {
        let secret = try #require(market.network.recoveryCode("bob")).nodeSecret
        let key = HMAC256.authenticate(
            Array("talea.keepsakekey.v1".utf8), key: secret.exposed)
        let own = try #require(market.network.own("bob"))
        return try #require(
            keepsake.sealed(
                for: own.did, key: SecretBytes(key.bytes), nonce: [UInt8](repeating: 3, count: 24),
                signing: own.key, broughtInBy: own.keyEntry))
    }

    @Test func `a snapshot that a thief of the key file seals after the change means nothing`()
        throws
    {
        var market = try Market(
            names: ["alice", "bob", "judge", "mallory"], only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let log = LogID.line(author: market.did("bob"), line)
        let keepsake = Keepsake(
            time: market.network.now, heads: [.init(log: log, sequence: 9_000)],
            contracts: [try Self.contract(market, line)], peers: [], names: [])
        let sealed = try Self.forged(market, keepsake)
        try Self.rotate(&market, "bob")
        let trace = market.trace("bob")
        market.network.inject(Message.kept(sealed).frame, from: "mallory", to: "bob")
        market.settle()
        #expect(market.trace("bob") == trace)
        #expect(market.network["bob"].recovery.reason == nil)
        #expect(market.network["bob"].waitingLogsOfOurs.isEmpty)
    }

    @Test func `nobody is bound by what a snapshot says that he signed, if he did not`() throws {
        var market = try Market(
            names: ["alice", "bob", "judge", "mallory"], only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let log = LogID.line(author: market.did("bob"), line)
        let keepsake = Keepsake(
            time: market.network.now, heads: [], contracts: [try Self.contract(market, line)],
            peers: [], names: [])
        let sealed = try Self.forged(market, keepsake)
        market.network.inject(Message.kept(sealed).frame, from: "mallory", to: "bob")
        market.settle()
        for _ in 1...3 {
            market.network.pass(milliseconds: 61_000)
            market.network.tick()
            market.settle()
        }
        #expect(market.network["bob"].contracts.isEmpty)
        #expect(market.network["alice"].lines[log]?.line.remaining == 300)
    }

    // MARK: - Statements

    @Test func `a no that a thief of the key says after the change declines nothing`() throws {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let draft = try HubTests.draft(market, line)
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        let held = try market.held("bob", id)
        let no = try market.statement(
            by: "bob",
            Refusal(salt: market.salt, statement: held.proposalEntry.id, code: .declined),
            about: held)
        try Self.rotate(&market, "bob")
        for name in ["alice", "judge"] {
            market.network.inject(no, from: name == "judge" ? "alice" : "judge", to: name)
        }
        market.settle()
        for name in ["bob", "judge"] {
            try market.network.command(name) { try $0.accept(id) }
            market.settle()
        }
        for name in market.names {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
    }

    @Test func `a no that was said before the change counts after it`() throws {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let draft = try HubTests.draft(market, line)
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        for name in ["alice", "judge"] { market.network.disconnect("bob", name) }
        try market.network.command("bob") { try $0.decline(id) }
        try Self.rotate(&market, "bob")
        // The change is known before the word comes.
        market.network.connect("bob", "judge")
        market.network.connect("bob", "alice")
        market.settle()
        for name in market.names {
            #expect(try market.held(name, id).outcome == .declined, "\(name)")
            #expect(market.network[name].undelivered.isEmpty, "\(name)")
        }
    }

    /// Without witnesses silence counts against alice once she said that she knows of the step. She did not, for she
    /// was away; her key was stolen meanwhile, and she changed it.
    @Test func `a thief of the key says for nobody that he knows of a step`() throws {
        var (story, record) = try ClockTests.delivered(heard: false)
        let step = try #require(try story.market.held("bob", story.parent).fold?.head.id)
        let held = try story.market.held("bob", story.parent)
        let stolen = try story.market.statement(
            by: "alice", Acknowledgement(salt: story.market.salt, entry: step, purpose: .delivered),
            about: held)
        story.market.network.start("alice")
        story.market.network.connect("alice", "judge")
        story.market.settle()
        story.market.network.pass(milliseconds: 10_000)
        story.market.network.tick()
        story.market.settle()
        try Self.rotate(&story.market, "alice")
        #expect(
            story.market.network["bob"].keyLogs.entries(of: story.market.did("alice")).count == 2)
        story.market.network.inject(stolen, from: "carol", to: "bob")
        story.market.settle()
        #expect {
            try story.market.act("bob", story.parent, "accept_silent", record: record)
        } throws: { error in
            guard case NodeRefusal.fold(.clockUnacknowledged) = error else { return false }
            return true
        }
        for name in ["bob", "judge"] {
            #expect(
                try story.market.state(name, story.parent).record(record)?.state == "stated",
                "\(name)")
        }
    }
}

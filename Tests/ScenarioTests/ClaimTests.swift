import Capacity
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// After a start others say how far our own logs go. Names cost nothing, and so do words.
@Suite struct ClaimTests {
    private static func claim(
        _ market: inout Market, by liar: String, of log: LogID, at name: String
    ) {
        if !market.network.isConnected(name, liar) {
            market.network.connect(name, liar)
            market.network.settle()
        }
        let head = Message.Head(
            log: log, sequence: 1_000_000, id: EntryID([UInt8](repeating: 7, count: 32))!)
        market.network.inject(Message.answer([head]).frame, from: liar, to: name)
        market.network.settle()
    }

    private static func pass(_ market: inout Market, seconds: Int64) {
        market.network.pass(milliseconds: seconds * 1_000)
        market.network.tick()
        market.network.settle()
    }

    @Test func `ten liars in turn hold nobody up for longer than one`() throws {
        let liars = (0..<10).map { "liar\($0)" }
        var market = try Market(names: ["alice", "bob"] + liars, only: "capacity-option")
        market.network.stop("bob")
        market.network.start("bob")
        market.network.connect("bob", "alice")
        market.network.settle()
        let log = LogID.publicLog(
            author: market.did("bob"), alliance: market.network["bob"].alliance.topic)
        for liar in liars {
            Self.claim(&market, by: liar, of: log, at: "bob")
            Self.pass(&market, seconds: 100)
        }
        #expect(market.network["bob"].waiting(log) == nil)
        try market.network.command("bob") { try $0.publish(Profile(name: "bob again")) }
    }

    @Test func `who shares nothing that a log belongs to is not believed about it`() throws {
        var guild = try AllianceTests.Guild(["alice", "bob", "mallory"], .steward)
        try guild.join("bob")
        try guild.admit("bob")
        guild.network.stop("bob")
        guild.network.start("bob")
        let log = LogID.publicLog(author: guild.market.did("bob"), alliance: guild.topic)
        Self.claim(&guild.market, by: "mallory", of: log, at: "bob")
        guild.network.connect("bob", "alice")
        guild.market.settle()
        Self.pass(&guild.market, seconds: 11)
        #expect(guild.network["bob"].waiting(log) == nil)
    }

    /// Two who agree count as two, however often each says it.
    @Test func `one who is named twice in a quorum is one`() throws {
        var (market, id) = try WitnessTests.option(witnesses: ["wei", "xin", "yan"], threshold: 2)
        var copy = try #require(market.network.stores["bob"])
        try market.pay("alice", "bob", id)
        market.network.stop("bob")
        for name in ["xin", "yan"] { market.network.stop(name) }
        copy.mark(.sidecarAhead(sidecar: 9, database: 7))
        market.network.restore("bob", copy)
        market.network.start("bob")
        for name in ["alice", "judge", "wei", "wei"] { market.network.connect("bob", name) }
        market.network.settle()
        let log = try market.held("bob", id).log
        let waiting = try #require(market.network["bob"].waiting(log))
        #expect(Set(waiting.missing) == [market.did("xin"), market.did("yan")])
    }

    /// Of an old copy whoever is bound by a log is waited for; of anybody else words are shown within the time.
    @Test func `a stranger who claims that there is more keeps no old copy from signing for good`()
        throws
    {
        var market = try Market(names: ["alice", "bob", "liar"], only: "capacity-option")
        var copy = try #require(market.network.stores["bob"])
        try market.network.command("bob") { try $0.publish(Profile(name: "bob of today")) }
        market.settle()
        market.network.stop("bob")
        copy.mark(.sidecarAhead(sidecar: 9, database: 7))
        market.network.restore("bob", copy)
        market.network.start("bob")
        let key = LogID.key(author: market.did("bob"))
        Self.claim(&market, by: "liar", of: key, at: "bob")
        market.network.connect("bob", "alice")
        market.network.settle()
        market.network.disconnect("bob", "liar")
        for _ in 0..<30 { Self.pass(&market, seconds: 7_200) }
        #expect(market.network["bob"].waiting(key) == nil)
        let code = try #require(market.network.recoveryCode("bob"))
        try market.network.command("bob") { try $0.rotate(with: code) }
    }

    @Test func `of people whom nobody knows so many answers are remembered, and no more`() throws {
        var market = try Market(names: ["alice", "bob"], only: "capacity-option")
        var copy = try #require(market.network.stores["bob"])
        copy.mark(.sidecarAhead(sidecar: 9, database: 7))
        market.network.stop("bob")
        market.network.restore("bob", copy)
        market.network.start("bob")
        let log = LogID.key(author: market.did("bob"))
        let claim = Message.answer([
            .init(log: log, sequence: 1_000_000, id: EntryID([UInt8](repeating: 7, count: 32))!)
        ])
        var bob = market.network["bob"]
        bob.begin(at: market.network.now, seed: .zero)
        for number in 0..<1_200 {
            let seed = SHA256.hash(Array("nobody \(number)".utf8))
            let key = try #require(SigningKey(seed: SecretBytes(seed.bytes)))
            let peer = PeerID(UInt64(1_000 + number))
            bob.connected(
                peer, did: DID(key.publicKey), keyEntry: .zero, key: key.publicKey,
                initiated: false)
            let hello = Message.Hello(
                versions: [ReplicationLimit.wireVersion], nonce: .zero, time: 1, agent: "")
            bob.received(Message.hello(hello).frame, from: peer)
            bob.received(Message.topics([]).frame, from: peer)
            bob.received(claim.frame, from: peer)
            bob.disconnected(peer)
            _ = bob.takeDirectives()
        }
        let behind = try #require(bob.waiting(log)).behind.count
        #expect((1...1_024).contains(behind), "\(behind)")
    }
}

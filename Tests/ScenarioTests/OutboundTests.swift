import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Whom a node dials by itself: members say where they listen, and nobody types an address.
@Suite struct OutboundTests {
    /// Everybody knows every log. Then alice is cut off from all but `hub`, and nobody is dialed yet.
    static func market(
        _ hosts: KeyValuePairs<String, String>, alice: String = "", hub: String? = nil
    ) throws -> Market {
        var market = try Market(
            names: ["alice"] + hosts.map(\.key), only: "capacity-option")
        if !alice.isEmpty { try listen(&market, "alice", alice) }
        for (name, host) in hosts { try listen(&market, name, host) }
        for (name, _) in hosts where name != hub { market.network.disconnect("alice", name) }
        return market
    }

    static func listen(_ market: inout Market, _ name: String, _ host: String) throws {
        let text = "\(host):7001"
        market.network.listening[text] = name
        try market.network.command(name) { $0.listen(at: [text]) }
        market.settle()
    }

    static func pass(_ market: inout Market, seconds: Int64) {
        market.network.pass(milliseconds: seconds * 1_000)
        market.network.tick()
        market.settle()
    }

    @Test(arguments: [
        ("10.1.2.3", true, true), ("192.168.7.7", true, true), ("20.1.2.3", true, false),
        ("127.0.0.1", true, false), ("host.local", true, false), ("10.1.2.3", false, false),
    ])
    func `who announces itself in this network is dialed if its hints are a member's`(
        host: String, isTheirs: Bool, isDialed: Bool
    ) throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        market.network.disconnect("alice", "bob")
        market.network.listening["\(host):7001"] = "bob"
        let (salt, other) = ([UInt8](repeating: 1, count: 8), [UInt8](repeating: 2, count: 8))
        let hints = market.network["bob"].hints(isTheirs ? salt : other)
        // Neither the name nor the identity, and nothing that stays under another salt.
        #expect(hints.allSatisfy { $0.count == LanLimit.hintBytes })
        #expect(Set(hints).isDisjoint(with: market.network["bob"].hints([3] + salt.dropFirst())))
        let sighting = Sighting(host: host, port: 7001, salt: salt, hints: hints)
        try market.network.command("alice") { $0.sighted([sighting]) }
        Self.pass(&market, seconds: 1)
        #expect(market.network.isConnected("alice", "bob") == isDialed)
        // What is not announced any more is not dialed.
        market.network.disconnect("alice", "bob")
        try market.network.command("alice") { $0.sighted([]) }
        Self.pass(&market, seconds: 3_600)
        #expect(!market.network.isConnected("alice", "bob"))
        #expect(Self.wanted(market, "alice").isEmpty)
    }

    @Test func `whoever announces much in this network keeps no node from its work`() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        let topic = market.network["alice"].alliance.topic
        for number in 0..<400 {
            let seed = SHA256.hash(Array("member \(number)".utf8))
            let key = try #require(SigningKey(seed: SecretBytes(seed.bytes)))
            let did = DID(key.publicKey)
            var keys = LogWriter(
                author: did, key: key, keyEntry: nil, log: .key(author: did), topic: nil)
            keys.now = market.network.now
            let first = keys.append(
                KeyBody(publicKey: key.publicKey, nextKeyHash: .nextKey(key.publicKey)))
            var log = LogWriter(
                author: did, key: key, keyEntry: first.id,
                log: .publicLog(author: did, alliance: topic), topic: topic)
            log.now = market.network.now
            market.push(first.entry, from: "bob", to: "alice")
            market.push(log.append(Profile(name: "\(number)")).entry, from: "bob", to: "alice")
        }
        #expect(market.network["alice"].book.count > 400)
        // Thirty of strangers, then bob's.
        var all = (0..<30).map { number in
            Sighting(
                host: "192.168.1.\(number)", port: 7001, salt: [UInt8](repeating: 9, count: 8),
                hints: [[UInt8](repeating: UInt8(number), count: 8)])
        }
        let salt = [UInt8](repeating: 1, count: 8)
        all.append(
            Sighting(
                host: "192.168.1.99", port: 7001, salt: salt,
                hints: market.network["bob"].hints(salt)))
        func isFound() -> Bool {
            market.network["alice"].addressBook.new.contains { $0.host == "192.168.1.99" }
        }
        try market.network.command("alice") { $0.sighted(all) }
        #expect(!isFound(), "not all at once")
        Self.pass(&market, seconds: 3)
        #expect(isFound())
    }

    static func wanted(_ market: Market, _ name: String) -> [Dial] {
        var chance = Chance(seed: 1)
        return market.network[name].wantedConnections(using: &chance)
    }

    static func reached(_ market: Market) -> [Dial] {
        market.network["alice"].dials.values.filter(\.isUp)
    }

    @Test func `members who know one member come to know each other`() throws {
        var market = try Self.market(
            ["bob": "20.1.0.1", "carol": "20.2.0.1"], alice: "20.3.0.1", hub: "bob")
        #expect(!market.network.isConnected("alice", "carol"))
        Self.pass(&market, seconds: 1)
        #expect(market.network.isConnected("alice", "carol"))
        #expect(market.network["alice"].peers.isEmpty)
    }

    @Test func `people of contracts that we signed come first`() throws {
        var market = try Market("alice", "bob", "carol", "dave", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        var draft = try AttackTests.draft(market, line, units: 10)
        draft.roles["holder"] = [market.did("alice")]
        let proposed = draft
        try market.network.command("alice") { _ = try $0.propose(proposed) }
        market.settle()
        for (number, name) in ["bob", "carol", "dave", "judge"].enumerated() {
            try Self.listen(&market, name, "20.\(number).0.1")
        }
        for name in ["bob", "carol", "dave", "judge"] { market.network.disconnect("alice", name) }
        let wanted = Self.wanted(market, "alice")
        let partners = [market.did("bob"), market.did("judge")].sorted()
        #expect(wanted.prefix(2).map(\.address.did) == partners)
        #expect(
            wanted.map(\.purpose) == [.partner, .partner, .slot, .slot])

        // A proposal that bob never signed gives nobody a place with him.
        market.network.disconnect("bob", "judge")
        #expect(Self.wanted(market, "bob").map(\.purpose) == [.slot])
    }

    @Test(arguments: [
        ("", "20.1.0.1", true),
        ("", "print.example", true),
        ("", "127.0.0.1", false),
        ("", "localhost", false),
        ("", "192.168.0.7", false),
        ("", "224.0.0.1", false),
        ("", "127.1", false),
        ("20.9.0.1", "127.0.0.1", false),
        ("127.0.0.2", "127.0.0.1", true),
        ("127.0.0.2", "192.168.0.7", false),
        ("192.168.0.8", "192.168.0.7", true),
        ("192.168.0.8", "20.1.0.1", true),
    ])
    func `nobody sends a node into a network where it does not listen itself`(
        ours: String, theirs: String, isDialed: Bool
    ) throws {
        let market = try Self.market(["bob": theirs], alice: ours)
        #expect(Self.wanted(market, "alice").isEmpty == !isDialed)
    }

    @Test func `what the owner fixed is not dialed a second time`() throws {
        var market = try Self.market(["bob": "20.1.0.1"])
        #expect(Self.wanted(market, "alice").count == 1)
        try market.network.command("alice") {
            $0.addPeer(PeerAddress(host: "20.1.0.1", port: 7001, did: nil))
        }
        #expect(Self.wanted(market, "alice").isEmpty)
    }

    @Test func `whoever moves is found where it is now, and at no other place`() throws {
        var market = try Self.market(
            ["bob": "20.1.0.1", "carol": "20.2.0.1"], hub: "carol")
        Self.pass(&market, seconds: 1)
        #expect(Self.reached(market).map(\.address.host) == ["20.1.0.1"])
        try Self.listen(&market, "bob", "20.7.0.1")
        market.network.disconnect("alice", "bob")
        Self.pass(&market, seconds: 1)
        #expect(Self.reached(market).map(\.address.host) == ["20.7.0.1"])
    }

    @Test func `where nobody answers is asked ever more seldom`() throws {
        var market = try Self.market(["bob": "20.1.0.1"])
        market.network.stop("bob")
        var asked = 0
        for _ in 0..<600 {
            market.network.pass(milliseconds: 1_000)
            asked += try market.network.command("alice") { node in
                var chance = Chance(seed: 1)
                return node.wantedConnections(using: &chance).count
            }
            market.network.tick()
            market.settle()
        }
        // At once and after 20, 40, 80, 160 and 320 seconds at the earliest.
        #expect((2...6).contains(asked), "\(asked)")
        market.network.start("bob")
        for _ in 0..<400 { Self.pass(&market, seconds: 1) }
        #expect(Self.reached(market).map(\.address.did) == [market.did("bob")])
    }

    @Test
    func `eight are kept, others are felt for, and the oldest four are the first after a start`()
        throws
    {
        var market = try Self.market([
            "b": "20.1.0.1", "c": "20.2.0.1", "d": "20.3.0.1", "e": "20.4.0.1", "f": "20.5.0.1",
            "g": "20.6.0.1", "h": "20.7.0.1", "i": "20.8.0.1", "j": "20.9.0.1", "k": "20.10.0.1",
        ])
        for _ in 0..<10 { Self.pass(&market, seconds: OutboundLimit.feelerMilliseconds / 1_000) }
        #expect(Self.reached(market).count == OutboundLimit.slots)
        #expect(market.network["alice"].addressBook.tried.count == 10)
        let anchors = market.network["alice"].addressBook.anchors
        #expect(anchors.count == ReplicationLimit.anchors)
        market.network.stop("alice")
        market.network.start("alice")
        #expect(market.network["alice"].addressBook.tried.count == 10)
        #expect(Self.wanted(market, "alice").prefix(anchors.count).map(\.address) == anchors)
    }
}

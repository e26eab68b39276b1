import Entries
import Identity
import NodeCore
import Replication
import Simulation
import Testing

/// More logs than are told one by one.
@Suite struct ManyLinesTests {
    static func market() throws -> Market {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        market.network.stop("carol")
        for number in 0..<40 { _ = try market.declare("bob", "paper/\(number)", 100) }
        return market
    }

    /// What stands for the logs of the alliance on this node.
    static func items(_ market: Market, _ name: String) -> [Item] {
        let node = market.network[name]
        let tree = node.items(in: node.alliance.topic)
        return (0..<tree.count).map { tree.item(at: $0) }
    }

    static func types(_ market: Market, since mark: Int) -> [UInt8: Int] {
        market.network.recorded.dropFirst(mark)
            .reduce(into: [:]) { $0[$1.frame.type, default: 0] += 1 }
    }

    @Test func `who was away gets every line, and the next time only hears that nothing is new`()
        throws
    {
        var market = try Self.market()
        market.back("carol")
        #expect(market.network["carol"].lines.count == 40)
        #expect(Self.items(market, "carol") == Self.items(market, "bob"))

        market.network.disconnect("bob", "carol")
        let mark = market.network.recorded.count
        market.network.connect("bob", "carol")
        market.network.settle()
        let seen = Self.types(market, since: mark)
        // Neither heads nor questions nor ranges.
        #expect(seen[16] ?? 0 > 0)
        for type: UInt8 in [3, 7, 20, 21] { #expect(seen[type] == nil, "\(type)") }
        let bytes = market.network.recorded.dropFirst(mark)
            .filter { $0.frame.type == 16 }.reduce(0) { $0 + $1.frame.bytes.count }
        let heads = Self.items(market, "bob").count * 72
        #expect(bytes < heads)
    }

    @Test func `lines that both went on with are fetched both ways`() throws {
        var market = try Self.market()
        market.back("carol")
        market.network.disconnect("bob", "carol")
        market.network.stop("alice")
        _ = try market.declare("bob", "paper/40", 100)
        _ = try market.declare("carol", "press/1", 10)
        #expect(market.network["bob"].lines.count == 41)
        market.network.connect("bob", "carol")
        market.network.settle()
        for name in ["bob", "carol"] { #expect(market.network[name].lines.count == 42, "\(name)") }
        #expect(Self.items(market, "carol") == Self.items(market, "bob"))
    }

    @Test func `what stands above a gap is in no set`() throws {
        var market = try Self.market()
        let line = try #require(market.network["bob"].lines.keys.min())
        let held = try #require(market.network.stores["bob"]?.entries(of: line))
        let before = Self.items(market, "alice")
        #expect(before.contains { $0.id.bytes == held.last?.id.bytes })
        // The entry after the next, whole and signed.
        let topic = market.network["bob"].alliance.topic
        let own = try #require(market.network.own("carol"))
        var chain = held
        for number: UInt8 in 1...2 {
            chain.append(
                try market.entry(
                    by: "bob", kind: Kind.grant.rawValue,
                    body: Grant(
                        units: 1, until: market.at(days: 90), releaseKey: own.key.publicKey,
                        tag: SHA256.hash([number]), remaining: 100 - Int64(number)
                    ).wire, in: line, topic: topic, after: chain))
        }
        market.network.inject(
            Message.push(chain[chain.count - 1].wire).frame, from: "bob", to: "alice")
        #expect(Self.items(market, "alice") == before)
        // With what was missing both are taken, and the newest stands for the line.
        for entry in chain.suffix(2) {
            market.network.inject(Message.push(entry.wire).frame, from: "bob", to: "alice")
        }
        let after = Self.items(market, "alice")
        #expect(after.count == before.count)
        #expect(after.contains { $0.id.bytes == chain.last?.id.bytes })
        #expect(!after.contains { $0.id.bytes == held.last?.id.bytes })
    }

    @Test func `what a node tells of its logs is the same after a start, forks among them`() throws
    {
        var play = try ForkTests.Line()
        let left = try ForkTests.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 1, after: play.trunk)
        let right = try ForkTests.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 2, after: play.trunk)
        play.split([left], to: "alice", [right], to: "carol")
        play.meet("alice", "carol")
        for name in ["alice", "carol", "judge"] {
            let before = Self.items(play.market, name)
            #expect(before.contains { $0.timestamp == 0 } == (name != "judge"))
            play.market.network.stop(name)
            play.market.network.start(name)
            #expect(Self.items(play.market, name) == before, "\(name)")
        }
        // Whoever knows the fork and both branches tells the same.
        #expect(Self.items(play.market, "alice") != Self.items(play.market, "judge"))
    }
}

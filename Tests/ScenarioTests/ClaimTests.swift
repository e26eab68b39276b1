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
}

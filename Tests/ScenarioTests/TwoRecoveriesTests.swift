import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Simulation
import Testing

/// Two key entries from one code, where the second was signed before anybody told of the first: they are one.
@Suite struct TwoRecoveriesTests {
    static func recover(_ market: inout Market, _ name: String, found by: String) throws {
        let code = try #require(market.network.recoveryCode(name))
        market.network.stop(name)
        let peer = market.network[by]
        let did = try #require(peer.keyLogs.author(recoverable: code))
        let genesis = try Genesis(
            recovering: peer.keyLog(of: did), with: code, joining: peer.alliance)
        var store = MemoryStore()
        store.commit(genesis.entries.map { .entry($0, own: true) })
        store.commit([.recovery(.began(.homeLost, at: market.network.now))])
        for template in Market.templates.sorted(by: { $0.key < $1.key }).map(\.value) {
            store.add(template: template)
        }
        market.network.restore(name, store, own: genesis.own)
        market.network.start(name)
    }

    /// Snapshots are sent, once a minute.
    private static func idle(_ market: inout Market) {
        for _ in 1...3 {
            market.network.pass(milliseconds: 61_000)
            market.network.tick()
            market.settle()
        }
    }

    @Test func `a home that is lost twice comes back twice, whoever is asked`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        var market = story.market
        Self.idle(&market)
        for name in ["alice", "carol"] { market.network.disconnect(name, "judge") }
        try Self.recover(&market, "bob", found: "judge")
        market.network.connect("bob", "judge")
        market.network.settle()
        Self.idle(&market)
        // The judge sleeps, and this home is lost as well.
        try Self.recover(&market, "bob", found: "alice")
        for other in ["alice", "carol", "judge"] { market.network.connect("bob", other) }
        for other in ["alice", "carol"] { market.network.connect(other, "judge") }
        market.settle()
        Self.idle(&market)
        for name in market.names {
            let chains = market.network[name].chains
            #expect(chains.logs.allSatisfy { chains.chain($0)?.fork == nil }, "\(name)")
            #expect(chains.head(.key(author: market.did("bob"))) == 2, "\(name)")
        }
        #expect(market.network.closed.isEmpty, "\(market.network.closed)")
        #expect(market.network["bob"].waitingLogsOfOurs.isEmpty)
        story.market = market
        for next in OptionStory.commands[4...] { try next(&story) }
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    @Test func `who names several peers finds the first entry, and goes on from it`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        var market = story.market
        for name in ["alice", "carol"] { market.network.disconnect(name, "judge") }
        try Self.recover(&market, "bob", found: "judge")
        market.network.connect("bob", "judge")
        market.network.settle()
        try Self.recover(&market, "bob", found: "judge")
        for other in ["alice", "carol", "judge"] { market.network.connect("bob", other) }
        for other in ["alice", "carol"] { market.network.connect(other, "judge") }
        market.settle()
        let bob = market.did("bob")
        for name in market.names {
            #expect(market.network[name].keyLogs.entries(of: bob).count == 3, "\(name)")
            #expect(market.network[name].forked(.key(author: bob)) == nil, "\(name)")
        }
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// Everything that was ever said, said again.
@Suite struct ReplayTests {
    /// The option story to its end, with a fork of bob's line that comes out, and its cut.
    static func played() throws -> OptionStory {
        var story = try OptionStory()
        try story.play()
        let line = try #require(story.line)
        let log = LogID.line(author: story.market.did("bob"), line)
        let kept = try #require(story.market.network.stores["bob"]?.entries(of: log))
        let left = try #require(story.market.network["bob"].lines[log]?.line.remaining)
        let rival = try ForkTests.grant(
            story.market, log, units: 20, leaves: left - 20, tag: 1, after: kept)
        // Judge sleeps through it and hears of it later.
        for name in ["alice", "bob", "carol"] { story.market.network.disconnect(name, "judge") }
        story.market.network.disconnect("alice", "bob")
        try story.market.network.command("bob") {
            try $0.adjust(log, total: 310, reason: "more")
        }
        story.market.network.settle()
        story.market.push(rival, from: "bob", to: "carol")
        story.market.network.settle()
        story.market.network.connect("alice", "bob")
        story.market.network.settle()
        for name in ["alice", "bob", "carol"] { story.market.network.connect(name, "judge") }
        story.market.network.settle()
        try story.market.network.command("bob") { try $0.cut(log) }
        story.market.network.settle()
        for name in OptionStory.names {
            let node = story.market.network[name]
            #expect(node.forkStandings.first?.isRepaired == true, "\(name)")
            #expect(node.lines[log]?.line.grant(rival.id)?.units == 20, "\(name)")
        }
        return story
    }

    private static func hear(
        _ market: inout Market, _ frame: Frame, from: String, to: String
    ) {
        if !market.network.isConnected(from, to) { market.network.connect(from, to) }
        market.network.inject(frame, from: from, to: to)
        market.network.settle()
    }

    @Test func `every frame of a play with a fork and a cut, sent again to whoever runs`() throws {
        var story = try Self.played()
        let recorded = story.market.network.recorded
        let types = Set(recorded.map(\.frame.type))
        // Hello, topics, heads, range, entries, push, put, prove, proof, branch.
        #expect(types.isSuperset(of: [1, 2, 3, 7, 8, 9, 10, 13, 14, 15]), "\(types.sorted())")
        let before = story.market.traces
        for flight in recorded {
            Self.hear(&story.market, flight.frame, from: flight.from, to: flight.to)
        }
        #expect(story.market.traces == before)
        // To others than they were meant for, too: a relay may repeat what it overhears.
        for (index, flight) in recorded.enumerated() {
            let others = OptionStory.names.filter { $0 != flight.from && $0 != flight.to }
            Self.hear(
                &story.market, flight.frame, from: flight.from, to: others[index % others.count])
        }
        #expect(story.market.traces == before)
        for name in OptionStory.names { story.market.restart(name) }
        #expect(story.market.traces == before)
    }

    @Test func `a fresh node learns from them what is public, signs nothing and owes nobody`()
        throws
    {
        var story = try Self.played()
        let recorded = story.market.network.recorded
        // Dave hears all of it from eve, who has nothing else; erin joins honestly.
        for name in ["dave", "eve", "erin"] { try story.market.network.add(name) }
        let own = story.market.network.stores["dave"]?.snapshot.entries.count ?? 0
        let mine = story.market.did("dave")
        for _ in 1...2 {
            for flight in recorded {
                Self.hear(&story.market, flight.frame, from: "eve", to: "dave")
            }
        }
        let dave = story.market.network["dave"]
        let entries = story.market.network.stores["dave"]?.snapshot.entries ?? []
        #expect(entries.filter { $0.header.author == mine }.count == own)
        #expect(dave.contracts.isEmpty)
        #expect(dave.outbox.isEmpty)
        #expect(dave.ledger.rows.isEmpty)
        #expect(story.market.network.stores["dave"]?.snapshot.statements.isEmpty == true)
        // Then both meet alice, and hold the same.
        story.market.network.disconnect("dave", "eve")
        story.market.network.stop("eve")
        for name in ["dave", "erin"] { story.market.network.connect("alice", name) }
        story.market.network.settle()
        story.market.network.connect("dave", "erin")
        story.market.network.settle()
        #expect(story.market.trace("dave") == story.market.trace("erin"))
        let alice = story.market.network["alice"]
        for (log, line) in alice.lines {
            #expect(story.market.network["dave"].lines[log]?.line.remaining == line.line.remaining)
            #expect(story.market.network["dave"].lines[log]?.isOpen == line.isOpen)
        }
    }
}

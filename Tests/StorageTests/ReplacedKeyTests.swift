import Capacity
import Entries
import Fixtures
import Identity
import Logs
import NodeCore
import Replication
import Testing

@testable import Storage

/// What somebody writes around a change of his key, taken by a node and read again from its ledger.
@Suite struct ReplacedKeyTests {
    /// Alice's node, in an alliance where anyone may come in, which hears of bob by files.
    private struct Reader {
        let play: Play
        let topic: TopicID
        private(set) var node: Node
        private(set) var readings = 0

        init() throws {
            play = try Play()
            let (snapshot, alliance) = try play.database.load()
            topic = alliance.topic
            node = Node(own: play.alice.genesis.own, alliance: alliance, snapshot: snapshot)
            node.begin(at: .noon, seed: .zero)
            try hear([bob.keyEntry])
        }

        mutating func hear(_ runs: [ValidEntry]...) throws { try hear(runs) }

        /// Runs that come within one turn.
        mutating func hear(_ runs: [[ValidEntry]]) throws {
            for run in runs {
                let wires = run.map(\.entry.wire)
                try node.take(carried: Message.entries(wires, done: true).frame)
            }
            try keep()
        }

        /// Commits, and reads anew where that is asked for.
        private mutating func keep() throws {
            try play.database.commit(node.takeChanges())
            let isStale = node.takeDirectives().contains {
                if case .reload = $0 { true } else { false }
            }
            if isStale { try start() }
        }

        /// As after a restart, from what is on the disk alone.
        mutating func start() throws {
            let (snapshot, alliance) = try play.database.load()
            node = Node(own: play.alice.genesis.own, alliance: alliance, snapshot: snapshot)
            node.begin(at: .noon, seed: .zero)
            readings += 1
        }
    }

    /// Under the key that bob's first entry committed to.
    private static func rotated(_ writer: LogWriter) -> LogWriter {
        var next = writer
        (next.key, next.keyEntry) = (bob.keys[1], bob.rotation.id)
        return next
    }

    private static func say(_ count: Int, by writer: inout LogWriter) -> [ValidEntry] {
        (0..<count).map { writer.append(Profile(name: "bob \(writer.sequence) \($0)")) }
    }

    @Test func `who parts a log and then changes the key below ends nobody's node`() throws {
        var reader = try Reader()
        let log = LogID.publicLog(author: bob.did, alliance: reader.topic)
        var writer = bob.writer(log, topic: reader.topic)
        let below = Self.say(2, by: &writer)
        var owner = Self.rotated(writer)
        let above = Self.say(2, by: &writer)
        var twin = writer
        let held = writer.append(Profile(name: "one"))
        let rival = twin.append(Profile(name: "another"))
        try reader.hear(below + above + [held])
        try reader.hear([rival])
        #expect(reader.node.forked(log) == 5)
        try reader.start()
        #expect(reader.node.forked(log) == 5)
        // The `continue` stands below both branches, and puts them out of force.
        try reader.hear([bob.rotation], [owner.append(Continue(from: bob.keyEntry.id))])
        for head in Int64(4)...7 {
            try reader.hear(Self.say(1, by: &owner))
            try reader.start()
            #expect(reader.node.chains.head(log) == head)
        }
        reader.play.database.close()
    }

    @Test func `a continue that comes twice within a turn is kept once`() throws {
        var reader = try Reader()
        let log = LogID.publicLog(author: bob.did, alliance: reader.topic)
        var thief = bob.writer(log, topic: reader.topic)
        let below = Self.say(2, by: &thief)
        var owner = Self.rotated(thief)
        try reader.hear(below + Self.say(1, by: &thief))
        let onward = owner.append(Continue(from: bob.keyEntry.id))
        try reader.hear([bob.rotation])
        try reader.hear([onward], [onward])
        #expect(reader.node.chains.chain(log)?.id(at: 3) == onward.id)
        for head in Int64(4)...5 {
            try reader.hear(Self.say(1, by: &owner))
            try reader.start()
            #expect(reader.node.chains.head(log) == head)
            #expect(reader.node.chains.chain(log)?.id(at: 3) == onward.id)
        }
        reader.play.database.close()
    }

    @Test func `what M witnesses hold beside a continue is a fork after a start, too`() throws {
        var reader = try Reader()
        let log = LogID([UInt8](repeating: 5, count: 32))!
        var writer = bob.writer(log, topic: reader.topic)
        let first = writer.append(Profile(name: "one"))
        var owner = Self.rotated(writer)
        let step = writer.append(Profile(name: "two"))
        let onward = owner.append(Continue(from: bob.keyEntry.id))
        // As a node keeps it that heard of the change of key first, and then of the receipts.
        let fork = Chains.Fork(sequence: 2, held: onward.id, rival: step.id)
        try reader.play.database.commit([
            .entry(bob.rotation, own: false), .entry(first, own: false),
            .entry(onward, own: false), .rival(step), .fork(log, fork),
        ])
        for _ in 0..<2 {
            try reader.start()
            #expect(reader.node.forked(log) == 2)
        }
        reader.play.database.close()
    }

    @Test(arguments: 1...20)
    func `no order of forks and changes of key makes a ledger that a start refuses`(
        _ seed: UInt64
    ) throws {
        var chance = Seeded(seed)
        var reader = try Reader()
        let log = LogID.publicLog(author: bob.did, alliance: reader.topic)
        /// One of bob's histories.
        struct Path {
            var writer: LogWriter
            var entries: [ValidEntry] = []
        }
        var paths = [Path(writer: bob.writer(log, topic: reader.topic))]
        for step in 0..<40 {
            // The key entry is known from the beginning, or later.
            if step == Int(seed) { try reader.hear([bob.rotation]) }
            var path = paths[chance.below(paths.count)]
            let isOld = path.writer.keyEntry == bob.keyEntry.id
            if isOld, !path.entries.isEmpty, chance.below(4) == 0 {
                path.writer = Self.rotated(path.writer)
                path.entries.append(path.writer.append(Continue(from: bob.keyEntry.id)))
            } else {
                path.entries.append(path.writer.append(Profile(name: "bob \(step)")))
            }
            paths.append(path)
            // Its end, or all of it, and that of another, in one turn.
            var runs: [[ValidEntry]] = []
            for path in [path, paths[chance.below(paths.count)], path] where !path.entries.isEmpty {
                runs.append(path.entries.suffix(1 + chance.below(path.entries.count)))
            }
            try reader.hear(runs)
            try reader.start()
        }
        #expect(reader.node.chains.head(log) > 0)
        reader.play.database.close()
    }
}

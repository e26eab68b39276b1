import Entries
import Foundation
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Storage

/// A node that takes what others say: each entry by itself as it is said, or runs of a log that it missed.
enum Ingest {
    /// A node with a real ledger on a disk, connected to a member, and people who have entries for it.
    private struct Scene {
        var node: Node
        let peer: PeerID
        let people: [Author]

        var known: [Change] {
            people.flatMap { [$0.keyEntry, $0.publicEntries[0]] }.map { .entry($0, own: false) }
        }

        /// The people's keys and profiles are known; the rest of what they say is not.
        init(authors: Int, each: Int) throws {
            var network = Network(seed: 1, now: benchStart)
            try network.add("member")
            try network.add("node")
            people = try Author.many(
                authors, each: each + 1, in: network["member"].alliance,
                from: benchStart.advanced(by: -86_400_000))
            guard var store = network.stores["node"] else { throw BenchRefusal.setUp("store") }
            store.commit(
                people.flatMap { [$0.keyEntry, $0.publicEntries[0]] }
                    .map { .entry($0, own: false) })
            network.stop("node")
            network.restore("node", store)
            network.start("node")
            network.connect("member", "node")
            network.settle(limit: .max)
            guard let peer = network["node"].connections.keys.min() else {
                throw BenchRefusal.setUp("connection")
            }
            self.peer = peer
            node = network["node"]
        }

        var keys: [DID: PublicKey] {
            Dictionary(
                people.compactMap { author in
                    node.keyLogs.key(author.did, author.keyEntry.id).map { (author.did, $0) }
                },
                uniquingKeysWith: { first, _ in first })
        }

        /// In the order of time: the next of each author, then again.
        var asSaid: [ValidEntry] {
            guard let each = people.first?.publicEntries.count else { return [] }
            return (1..<each).flatMap { index in people.map { $0.publicEntries[index] } }
        }
    }

    /// So many frames at most are decided before one commit, as the node's loop does.
    private static let batchMax = 512

    /// Frames into the node, decided and durable, in seconds; how many entries each commit held. As in the
    /// node's loop, one batch is written while the next is decided and the one after that looked into.
    private static func take(_ frames: [Frame], _ scene: Scene, _ database: Database) async throws
        -> (seconds: Double, batches: [Int])
    {
        var node = scene.node
        var batches: [Int] = []
        var writing: Task<Void, any Error>?
        let begun = seconds()
        let checker = node.checker
        var verdicts = await checker.verdicts(on: claims(in: frames.prefix(batchMax), node, scene))
        for start in stride(from: 0, to: frames.count, by: batchMax) {
            let next = frames.dropFirst(start + batchMax).prefix(batchMax)
            let claimed = claims(in: next, node, scene)
            async let ahead = checker.verdicts(on: claimed)
            node.foresee(verdicts)
            var (changes, held): ([Change], Int) = ([], 0)
            func commit() async throws {
                guard !changes.isEmpty else { return }
                try await writing?.value
                if held > 0 { batches.append(held) }
                let written = changes
                writing = Task { try await aside { try database.commit(written) } }
                (changes, held) = ([], 0)
            }
            for frame in frames[start..<min(start + batchMax, frames.count)] {
                node.begin(at: benchStart, seed: .zero)
                node.received(frame, from: scene.peer)
                let came = node.takeChanges()
                _ = node.takeDirectives()
                held += came.count { if case .entry = $0 { true } else { false } }
                changes += came
                if held >= batchMax { try await commit() }
            }
            try await commit()
            verdicts = await ahead
        }
        try await writing?.value
        return (seconds() - begun, batches)
    }

    private static func claims(in frames: ArraySlice<Frame>, _ node: Node, _ scene: Scene)
        -> [SignatureClaim]
    { frames.compactMap { node.claim(in: $0, from: scene.peer) } }

    private static func insert(_ entries: [ValidEntry], _ batches: [Int], _ path: String) throws
        -> Double
    {
        let bare = try BareDatabase(path)
        let begun = seconds()
        var at = 0
        for batch in batches {
            try bare.run("BEGIN IMMEDIATE")
            for entry in entries[at..<min(at + batch, entries.count)] { try bare.insert(entry) }
            try bare.run("COMMIT")
            at += batch
        }
        return seconds() - begun
    }

    /// A ledger with the node's own schema, of whoever has `key`, that holds what `before` says.
    static func ledger(
        in folder: String, _ name: String, of key: SigningKey? = nil, before: [Change] = []
    ) throws -> String {
        let path = "\(folder)/\(name)"
        guard let key = key ?? SigningKey(seed: SecretBytes(SHA256.hash([1]).bytes)) else {
            throw BenchRefusal.setUp("key")
        }
        let genesis = try Genesis(
            key: key, nextKey: key.publicKey, nodeSecret: SecretBytes(SHA256.hash([2]).bytes),
            profile: Profile(name: "bench"), joining: nil, founding: "bench", at: benchStart,
            seed: .zero)
        try Database.create(at: path, genesis: genesis, templates: [])
        let database = try Database.open(at: path)
        try database.commit(before)
        database.close()
        return path
    }

    /// Entries that come one by one, each with a signature to check.
    static func live(authors: Int, each: Int) async throws -> [String: Double] {
        let scene = try Scene(authors: authors, each: each)
        let said = scene.asSaid
        let frames = said.map { Message.push($0.entry.wire).frame }
        return try await inFolder { folder in
            let database = try Database.open(
                at: try ledger(in: folder, "home", before: scene.known))
            let took = try await take(frames, scene, database)
            try require(said.count, took.batches)
            database.close()
            let bare = try insert(
                said, took.batches,
                try ledger(in: folder, "bare", before: scene.known) + "/ledger.sqlite")
            let entries = said.map(\.entry)
            let count = Double(said.count)
            return [
                "entries": count, "per_s": count / took.seconds, "insert_per_s": count / bare,
                "verify_1_per_s": try Bare.verifications(of: entries, by: scene.keys, threads: 1),
                "verify_2_per_s": try Bare.verifications(of: entries, by: scene.keys, threads: 2),
            ]
        }
    }

    /// Runs of a log, as a node gets them that was away: the newest entry's signature vouches for the run.
    static func runs(authors: Int, each: Int) async throws -> [String: Double] {
        let scene = try Scene(authors: authors, each: each)
        let runs = scene.people.map { Array($0.publicEntries.dropFirst()) }
        // The newest alone first: it makes the node ask for the rest.
        let frames = runs.flatMap { run in
            [
                Message.push(run[run.count - 1].entry.wire).frame,
                Message.entries(run.map(\.entry.wire), done: true).frame,
            ]
        }
        let wires = runs.map { $0.map(\.entry.wire) }
        let count = Double(authors * each)
        var chains = scene.node.chains
        let keys = scene.node.keyLogs
        let checker = scene.node.checker
        let begun = seconds()
        for run in wires {
            let entries = try run.map { try Entry(strict: $0) }
            guard
                case .extends(let valid) = try chains.decide(entries, keys: keys, checker: checker)
            else { throw BenchRefusal.setUp("run") }
            for entry in valid { chains.apply(entry) }
        }
        let verifying = seconds() - begun
        return try await inFolder { folder in
            let database = try Database.open(
                at: try ledger(in: folder, "home", before: scene.known))
            let took = try await take(frames, scene, database)
            try require(authors * each, took.batches)
            database.close()
            let all = runs.flatMap { $0 }
            let bare = try insert(
                all, took.batches,
                try ledger(in: folder, "bare", before: scene.known) + "/ledger.sqlite")
            let sample = all.prefix(2_000).map(\.entry)
            return [
                "entries": count, "verified_per_s": count / verifying,
                "per_s": count / took.seconds, "insert_per_s": count / bare,
                "verify_1_per_s": try Bare.verifications(of: sample, by: scene.keys, threads: 1),
            ]
        }
    }

    private static func require(_ count: Int, _ batches: [Int]) throws {
        let held = batches.reduce(0, +)
        guard held == count else { throw BenchRefusal.setUp("\(held) of \(count) entries taken") }
    }
}

import Capacity
import Contracts
import Entries
import Foundation
import Identity
import NodeCore
import Storage

/// Signed steps of contracts made durable: many to a commit, as when many ask at once, and one alone.
enum Commits {
    static func run(contracts: Int, each: Int, batch: Int) async throws -> [String: Double] {
        let (trade, made) = try Steps.contracts(contracts)
        let notice = Act(transition: "stop", record: 1, arguments: [:])
        var node = trade.network["partner"]
        guard let snapshot = trade.network.stores["partner"]?.snapshot else {
            throw BenchRefusal.setUp("store")
        }
        let me = node.own
        let logs = Set(made.compactMap { node.contracts[$0]?.log })
        let keys: [Change] = snapshot.contractKeys.compactMap { key in
            ContractKey(key).map { .contractKey($0.contract, key) }
        }
        // All that these contracts rest on.
        let before =
            keys + snapshot.statements.map { .statement($0.0, contract: $0.1) }
            + snapshot.entries.filter { logs.contains($0.header.log?.log ?? .zero) }.map {
                .entry($0, own: $0.header.author == me.did)
            }
        return try await inFolder { folder in
            func ledger(_ name: String) throws -> String {
                try Ingest.ledger(in: folder, name, of: me.key, before: before)
            }
            let database = try Database.open(at: try ledger("home"))
            var waiting: [Change] = []
            var entries: [ValidEntry] = []
            func step(_ number: Int) throws {
                node.begin(at: trade.network.now, seed: .zero)
                _ = try node.act(notice, in: made[number % made.count])
                let changes = node.takeChanges()
                for case .entry(let entry, own: true) in changes { entries.append(entry) }
                waiting += changes
                _ = node.takeDirectives()
            }
            let count = contracts * each
            let begun = seconds()
            for number in 0..<count {
                try step(number)
                if (number + 1) % batch == 0 || number + 1 == count {
                    try database.commit(waiting)
                    waiting = []
                }
            }
            let took = seconds() - begun
            guard entries.count == count else { throw BenchRefusal.setUp("\(entries.count) steps") }
            var bare = try BareDatabase(try ledger("bare") + "/ledger.sqlite")
            let inserting = seconds()
            for start in stride(from: 0, to: count, by: batch) {
                try bare.run("BEGIN IMMEDIATE")
                for entry in entries[start..<min(start + batch, count)] {
                    try bare.insert(entry, own: true)
                }
                try bare.run("COMMIT")
            }
            let batched = seconds() - inserting
            // One after another, in turn with what the disk does by itself.
            bare = try BareDatabase(try ledger("single") + "/ledger.sqlite")
            let sidecar = open("\(folder)/sidecar", O_RDWR | O_CREAT, 0o600)
            defer { close(sidecar) }
            let slot = [UInt8](repeating: 7, count: 4_096)
            _ = pwrite(sidecar, slot, slot.count, 0)
            var (lone, commits, syncs): ([Double], [Double], [Double]) = ([], [], [])
            for number in 0..<300 {
                var from = seconds()
                try bare.insert(entries[number], own: true)
                commits.append(seconds() - from)
                from = seconds()
                _ = pwrite(sidecar, slot, slot.count, 0)
                fdatasync(sidecar)
                syncs.append(seconds() - from)
                from = seconds()
                waiting = []
                try step(number)
                try database.commit(waiting)
                lone.append(seconds() - from)
            }
            database.close()
            let total = Double(count)
            return [
                "steps": total, "per_s": total / took, "insert_per_s": total / batched,
                "single_per_s": 1 / middle(commits), "lone_us": middle(lone) * 1e6,
                "commit_us": middle(commits) * 1e6, "sync_us": middle(syncs) * 1e6,
            ]
        }
    }

    private static func middle(_ all: [Double]) -> Double { all.sorted()[all.count / 2] }
}

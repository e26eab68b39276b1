import Capacity
import Entries
import Foundation
import Identity
import Logs
import NodeCore
import Replication
import Simulation

/// One node that holds public logs and one that joins: frames in memory, no disk and no TLS.
enum Sync {
    /// A network of two in which only the first knows what the authors said.
    private static func network(authors: Int, each: Int) throws -> Network {
        var network = Network(seed: 1, now: benchStart)
        try network.add("old")
        try network.add("new")
        let alliance = network["old"].alliance
        let people = try Author.many(
            authors, each: each, in: alliance, from: benchStart.advanced(by: -86_400_000))
        guard var store = network.stores["old"] else { throw BenchRefusal.setUp("store") }
        store.commit(people.flatMap(\.entries).map { .entry($0, own: false) })
        network.stop("old")
        network.restore("old", store)
        network.start("old")
        return network
    }

    static func run(authors: Int, each: Int) throws -> [String: Double] {
        var network = try network(authors: authors, each: each)
        let entries = Double(authors * (each + 1))
        let begun = cpu()
        network.connect("old", "new")
        network.settle(limit: .max)
        let took = cpu() - begun
        let held = network.stores["new"]?.snapshot.entries.count ?? 0
        guard held >= Int(entries) else { throw BenchRefusal.setUp("\(held) of \(entries)") }
        return ["entries": entries, "us_per_entry": took / entries * 1e6]
    }

    /// `logs`: half of them key logs, half public ones.
    static func memory(logs: Int) throws -> [String: Double] {
        var network: Network? = try network(authors: logs / 2, each: 1)
        guard let own = network?.own("old"), let alliance = network?["old"].alliance,
            let snapshot = network?.stores["old"]?.snapshot
        else { throw BenchRefusal.setUp("node") }
        network = nil
        let before = resident()
        let begun = cpu()
        let node = Node(own: own, alliance: alliance, snapshot: snapshot)
        let took = cpu() - begun
        let bytes = resident() - before
        guard node.chains.logs.count >= logs else { throw BenchRefusal.setUp("logs") }
        return ["logs": Double(logs), "bytes_per_log": bytes / Double(logs), "start_s": took]
    }
}

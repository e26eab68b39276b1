import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Ledger
import Logs
import NodeCore
import Simulation

/// A contract of one record, in which one party gives notice again and again.
enum Steps {
    static func contracts(_ contracts: Int) throws -> (Trade, [ContractID]) {
        var trade = try Trade(
            ["user", "partner", "supplier", "arbiter"], template: "mutual-assistance")
        let line = try trade.declare("supplier", total: Int64(contracts))
        var made: [ContractID] = []
        for _ in 0..<contracts {
            made.append(
                try trade.agree(
                    "user",
                    [
                        "trigger": try Trade.units(100), "cap": try Trade.units(1),
                        "cap_call": try Trade.units(1), "cap_month": try Trade.units(1),
                        "price": try Trade.money(600), "fee": try Trade.money(200),
                        "remedy": try Trade.money(5_000), "ends": .instant(trade.at(days: 90)),
                    ],
                    [
                        "user": "user", "partner": "partner", "supplier": "supplier",
                        "arbiter": "arbiter",
                    ], line))
        }
        return (trade, made)
    }

    static func run(contracts: Int, each: Int) throws -> [String: Double] {
        var (trade, made) = try Self.contracts(contracts)
        guard let first = trade.network["partner"].contracts[made[0]]?.fold,
            let own = trade.network.own("partner")
        else { throw BenchRefusal.setUp("fold") }
        var figures = try machine(first, own.did, trade.network.now)
        // The sequencer acts by its own right: no step embeds anything that somebody signed.
        let notice = Act(transition: "stop", record: 1, arguments: [:])
        for id in made {
            for _ in 0..<each {
                try trade.network.command("partner") { _ = try $0.act(notice, in: id) }
            }
        }
        let node = trade.network["partner"]
        guard let snapshot = trade.network.stores["partner"]?.snapshot else {
            throw BenchRefusal.setUp("store")
        }
        let logs = made.compactMap { node.contracts[$0]?.log }
        let entries = logs.map { log in
            snapshot.entries.filter { $0.header.log?.log == log }.map(\.entry)
        }
        let keyLogs = node.keyLogs
        let keys: KeyLookup = { keyLogs.key($0, $1) }
        let count = Double(contracts * each)
        var folded = 0
        let folding = median(of: 3) {
            folded = 0
            for (id, entries) in zip(made, entries) {
                guard let held = node.contracts[id], let template = held.fold?.template,
                    var fold = try? Fold(
                        proposal: held.proposalEntry, key: held.key, template: template)
                else { continue }
                for entry in entries {
                    _ = fold.fold(entry, keys: keys, checker: node.checker)
                }
                folded += fold.steps.count { $0.void == nil && $0.sequence > 1 }
            }
        }
        guard folded == contracts * each else { throw BenchRefusal.setUp("\(folded) folded") }
        figures["steps"] = count
        figures["fold_us"] = folding / count * 1e6
        let restoring = median(of: 3) {
            _ = Node(
                own: own, alliance: node.alliance, snapshot: snapshot, known: node.templates)
        }
        figures["restore_us"] = restoring / count * 1e6
        return figures
    }

    /// `decide`, `apply` and the digest of what results, nothing else.
    private static func machine(_ fold: Fold, _ actor: DID, _ now: Instant) throws
        -> [String: Double]
    {
        let act = Act(transition: "stop", record: 1, arguments: [:])
        let rounds = 20_000
        var digest = Hash32.zero
        let took = try median(of: 3) {
            var state = fold.state
            for round in 0..<rounds {
                let outcome = try state.decide(
                    act, by: actor, consents: [], at: now.advanced(by: Int64(round)),
                    sequence: Int64(round) + 2)
                state.apply(outcome)
                digest = state.digest()
            }
        }
        guard digest != .zero else { throw BenchRefusal.setUp("digest") }
        return ["machine_us": took / Double(rounds) * 1e6]
    }
}

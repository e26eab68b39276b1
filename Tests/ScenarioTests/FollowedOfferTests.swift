import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Ledger
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Plays the list of docs/followed-offer.md: every station named there, in that order.
@Suite struct FollowedOfferTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The stations of the list with their files.
    static func stations() throws -> [(name: String, file: String)] {
        let text = try String(
            contentsOf: root.appending(path: "docs/followed-offer.md"), encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("- **"), let file = line.split(separator: " · ").last else {
                return nil
            }
            let name = line.dropFirst(4).prefix { $0 != "*" }
            return (String(name), String(file))
        }
    }

    @Test func `an offer goes the way that the list says`() throws {
        var seen: [String] = []
        func see(_ station: String, _ holds: Bool) { if holds { seen.append(station) } }
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let bob = market.did("bob")
        let log = LogID.publicLog(author: bob, alliance: market.network["bob"].alliance.topic)
        func count(_ name: String) -> Int {
            market.network.stores[name]?.entries(of: log).count ?? 0
        }

        // Said
        let offer = Offer(
            template: try market.template("capacity-option").hash, line: .line(author: bob, line),
            arguments: [Argument](["strike": Market.money(1_800)]), maxUnits: 200, lot: 10,
            until: market.at(days: 5))
        let held = count("bob")
        var trial = market.network["bob"]
        trial.begin(at: market.network.now, seed: SHA256.hash([1]))
        let dry = try trial.publish(offer)
        let changes = trial.takeChanges()
        see("typed", trial.book.offer(dry) != nil)
        see("decided", market.network["bob"].book.offer(dry) == nil && count("bob") == held)
        guard case .entry(let valid, own: true) = changes.first else {
            Issue.record("no entry: \(changes)")
            return
        }
        see("signed", valid.ownSignatureChecked && valid.id == dry)
        see("appended", trial.chains.chain(log)?.ids.last == dry)
        // The same once more, for good.
        let id = try market.network.command("bob") { try $0.publish(offer) }
        see("committed", market.network.stores["bob"]?.entries(of: log).last?.id == id)
        let recorded = market.network.recorded.count
        see("announced", market.network["alice"].book.offer(id) == nil)

        // Heard
        market.network.settle()
        let frames = market.network.recorded.dropFirst(recorded)
        let entry = try #require(market.network.stores["alice"]?.entries(of: log).last)
        see(
            "received",
            frames.contains { flight in
                guard case .treePush(_, entry.wire) = try? Message(flight.frame) else {
                    return false
                }
                return flight.to == "alice"
            })
        let alice = market.network["alice"]
        let key = try #require(entry.header.key.flatMap { alice.keyLogs.key(bob, $0) })
        see("verified", (try? ValidEntry(entry, by: key, checker: alice.checker)) != nil)
        see("decided", alice.chains.chain(log)?.ids.last == id)
        see("committed", entry.id == id)
        see("matched", alice.book.standing(at: market.network.now).map(\.id) == [id])

        // Taken
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let contract = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        see(
            "proposed",
            try market.held("bob", contract).grade == .proposed
                && market.held("judge", contract).grade == .proposed)
        try market.network.command("judge") { try $0.accept(contract) }
        market.settle()
        let before = market.network.stores["bob"]?.snapshot.entries.count ?? 0
        try market.network.command("bob") { try $0.accept(contract) }
        see("agreed", try market.held("bob", contract).isAgreed)
        // Both are bob's, so both are one transaction, the grant first.
        let written = (market.network.stores["bob"]?.snapshot.entries ?? []).dropFirst(before)
        let kinds = written.compactMap(\.entry.kind)
        see("granted", kinds.first == .grant)
        see("sequenced", kinds == [.grant, .step])
        market.settle()
        let reserved = market.network["alice"].ledger.positions(of: market.did("alice"))
        see("posted", reserved.contains { $0.kind == .reserved })
        let words = try market.state("alice", contract).prose(.en)
        see(
            "shown",
            try market.held("alice", contract).grade == .sequenced && words.contains("100"))

        let stations = try Self.stations()
        #expect(seen == stations.map(\.name))
        for file in stations.map(\.file) {
            #expect(
                FileManager.default.fileExists(atPath: Self.root.appending(path: file).path),
                "\(file)")
        }
    }
}

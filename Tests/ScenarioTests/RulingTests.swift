import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Simulation
import Testing

/// An arbiter that would leave out a step that witnesses hold.
@Suite struct RulingTests {
    static let witnesses = ["wei", "xin", "yan"]

    /// alice's option; bob is cut off, and her word that she paid is receipted by all three witnesses.
    static func play() throws -> (Market, ContractID, Entry) {
        var market = try Market(names: ["alice", "bob", "carol", "judge"] + witnesses)
        for name in witnesses { try market.network.command(name) { $0.set(.witness, true) } }
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try OptionTests.option(&market, line, witnesses: witnesses, threshold: 2)
        for name in market.names where name != "bob" { market.network.disconnect("bob", name) }
        try market.act(
            "alice", id, "pay_state", ["channel": .text("bank"), "reference": .text("r")])
        let request = try #require(market.held("alice", id).requests.values.first?.entry)
        return (market, id, request)
    }

    /// The step that admits `request`, as bob's node would write it at `time`.
    static func admitting(_ market: Market, _ id: ContractID, _ request: Entry, at time: Instant)
        throws -> Entry
    {
        let held = try market.held("alice", id)
        let fold = try #require(held.fold)
        let receipts = witnesses.prefix(2).compactMap {
            held.witnessLogs[market.did($0)]?.receipts[request.id]
        }
        let keys = market.network["alice"].keyLogs
        let admission = try fold.decide(
            .init(time: time, act: nil, request: request, receipts: receipts),
            keys: { keys.key($0, $1) }, checker: market.network["alice"].checker)
        let step = Step(
            act: nil, request: request, receipts: receipts, records: admission.changes,
            digest: admission.digest)
        return try market.step(by: "bob", step, in: id, time: time)
    }

    @Test func `a ruling below a step that its own receipts name has no effect`() throws {
        var (market, id, request) = try Self.play()
        let step = try Self.admitting(market, id, request, at: market.network.now)
        market.push(step, from: "carol", to: "alice", "judge", "wei", "xin", "yan")
        market.settle()
        market.network.stop("judge")
        let held = try market.held("alice", id)
        let log = try #require(held.fold).takeoverLog
        WitnessTests.pass(&market, days: 3)
        let claim = try market.entry(
            by: "judge", kind: Kind.claim.rawValue,
            body: TakeoverClaim(epoch: 1, request: request.id).wire, in: log,
            topic: held.key.topic)
        market.push(claim, from: "carol", to: "alice", "wei", "xin", "yan")
        market.settle()
        let receipts = try Self.witnesses.compactMap {
            try market.held("alice", id).witnessLogs[market.did($0)]?.receipts[claim.id]
        }
        #expect(receipts.count == 3)
        let below = try SettlementTests.step(market, "alice", id, 1)
        let ruling = try market.entry(
            by: "judge", kind: Kind.ruling.rawValue,
            body: Ruling(epoch: 1, sequence: 1, step: below, receipts: receipts).wire, in: log,
            topic: held.key.topic, after: [claim])
        market.push(ruling, from: "carol", to: "alice")
        market.settle()
        let fold = try #require(market.held("alice", id).fold)
        #expect(fold.takeover?.ruling == nil)
        #expect(fold.epoch == 0)
        #expect(fold.head.id == step.id)
        #expect(fold.halt == nil)
    }
}

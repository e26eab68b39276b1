import Entries
import Identity
import NodeCore
import Replication
import Simulation
import Testing

/// Signatures that are looked into on other processors, before their entries' turn.
@Suite struct AheadTests {
    private let before: Node
    private let peer: PeerID
    /// What bob told alice meanwhile, as it came.
    private let frames: [Frame]

    init() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        before = market.network["alice"]
        peer = try #require(before.connections.keys.min())
        let told = market.network.recorded.count
        for number in 0..<5 {
            _ = try market.declare("bob", "print/letterpress/\(number)", 100)
        }
        frames = market.network.recorded[told...].filter { $0.to == "alice" }.map(\.frame)
    }

    /// What the node keeps and does about the frames, the claims looked into or not.
    private func take(_ frames: [Frame], foreseeing: Bool) async -> (Node, [Change], [Directive]) {
        var node = before
        let claims = frames.compactMap { node.claim(in: $0, from: peer) }
        if foreseeing { node.foresee(await node.checker.verdicts(on: claims)) }
        for frame in frames {
            node.begin(at: before.now, seed: .zero)
            node.received(frame, from: peer)
        }
        return (node, node.takeChanges(), node.takeDirectives())
    }

    @Test func `what was looked into ahead is kept as if it had not been`() async {
        let claims = frames.compactMap { before.claim(in: $0, from: peer) }
        #expect(!claims.isEmpty)
        let (_, changes, directives) = await take(frames, foreseeing: false)
        let (node, foreseen, done) = await take(frames, foreseeing: true)
        #expect(entries(foreseen) == entries(changes))
        #expect(entries(foreseen).count >= claims.count)
        #expect("\(done)" == "\(directives)")
        // What is held needs no second look.
        #expect(frames.allSatisfy { node.claim(in: $0, from: peer) == nil })
    }

    @Test func `a forged entry is refused, looked into ahead or not`() async throws {
        let frame = try #require(frames.first { before.claim(in: $0, from: peer) != nil })
        let wire =
            switch try Message(frame) {
            case .push(let wire), .treePush(_, let wire): wire
            default: [UInt8]()
            }
        let entry = try Entry(strict: wire)
        let signature = try #require(Signature(entry.signature.bytes.reversed()))
        let forged = try Entry(
            headerBytes: entry.headerBytes, signature: signature, body: entry.body)
        let push = Message.push(forged.wire).frame
        #expect(before.claim(in: push, from: peer) != nil)
        for foreseeing in [false, true] {
            let (_, changes, directives) = await take([push], foreseeing: foreseeing)
            #expect(entries(changes).isEmpty)
            #expect(
                directives.contains { if case .close(peer, _) = $0 { true } else { false } })
        }
    }

    @Test func `nobody unknown makes the node look into anything`() {
        #expect(frames.allSatisfy { before.claim(in: $0, from: PeerID(99)) == nil })
    }

    private func entries(_ changes: [Change]) -> [EntryID] {
        changes.compactMap { if case .entry(let valid, own: _) = $0 { valid.id } else { nil } }
    }
}

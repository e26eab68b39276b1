import Replication
import Testing

@testable import Transport

/// Who comes first where many wait: one node, and two who say much to it.
@Suite struct FairnessTests {
    let node: Peer
    let (anna, berta): (Peer, Peer)
    let (ofAnna, ofBerta): (ConnectionID, ConnectionID)

    init() async throws {
        node = try Peer(1)
        (anna, berta) = (try Peer(2), try Peer(3))
        let port = try await node.listen()
        anna.dial(port)
        ofAnna = try await node.connected().0
        berta.dial(port)
        ofBerta = try await node.connected().0
    }

    /// `count` frames of `peer` wait at the node.
    private func say(_ count: Int, _ peer: Peer, as id: ConnectionID) async throws {
        let to = try await peer.connected().0
        for _ in 0..<count { peer.transport.send(.sized(9), to: to) }
        while node.transport.queue.waiting(for: id).frames < count { await Task.yield() }
    }

    /// By whom the next frames came, `A` or `B`.
    private func taken(_ count: Int) async throws -> String {
        var names = ""
        for _ in 0..<count {
            let event = try await node.next()
            guard case .frame(let id, _) = event else { throw Peer.Unexpected(event: event) }
            names += id == ofAnna ? "A" : "B"
        }
        return names
    }

    private func end() async {
        for peer in [node, anna, berta] { await peer.transport.shutdown() }
    }

    @Test func `whoever says little does not wait for all that others said before`() async throws {
        try await say(30, anna, as: ofAnna)
        #expect(try await taken(10) == "AAAAAAAAAA")
        try await say(2, berta, as: ofBerta)
        let next = try await taken(5)
        #expect(next.count { $0 == "B" } == 2, "\(next)")
        #expect(try await taken(17) == String(repeating: "A", count: 17))
        await end()
    }

    @Test func `whoever cost much waits until others had as much`() async throws {
        try await say(10, anna, as: ofAnna)
        node.transport.charge(1_000_000_000, to: ofAnna)
        try await say(10, berta, as: ofBerta)
        #expect(try await taken(20) == "BBBBBBBBBBAAAAAAAAAA")
        await end()
    }

    @Test func `one who is answered for has the share of many strangers`() async throws {
        node.transport.favour(ofBerta, true)
        try await say(20, anna, as: ofAnna)
        try await say(20, berta, as: ofBerta)
        let first = try await taken(21)
        #expect(first.count { $0 == "B" } == 20, "\(first)")
        await end()
    }

    @Test func `a stranger beside one who is answered for still gets on`() async throws {
        node.transport.favour(ofBerta, true)
        try await say(10, anna, as: ofAnna)
        try await say(10, berta, as: ofBerta)
        // So much asked for that even a large share is used up.
        node.transport.charge(1_000_000_000, to: ofBerta)
        #expect(try await taken(9) == "AAAAAAAAA")
        await end()
    }
}

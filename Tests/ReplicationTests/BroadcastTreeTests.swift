import Replication
import Testing

/// Dialogues of one node's trees with its neighbours.
@Suite struct BroadcastTreeTests {
    typealias Tree = BroadcastTree<String>

    static let root = Root(7)
    static let id = ShortID(1)

    private func tree(_ peers: [String]) -> Tree {
        var tree = Tree(me: Root(1))
        for peer in peers { #expect(tree.linked(peer, cost: 10, now: 0) == []) }
        return tree
    }

    private func push(
        _ id: ShortID, distance: UInt16 = 10, urgent: Bool = false, root: Root = root
    ) -> PushedEntry {
        PushedEntry(id: id, root: root, seed: nil, distance: distance, isUrgent: urgent)
    }

    /// `a` is the parent, `b` announces only, `c` is fed from here.
    private func settled() -> Tree {
        var tree = tree(["a", "b", "c"])
        _ = tree.received(push(Self.id), from: "a", now: 0)
        _ = tree.received(push(Self.id, distance: 20), from: "b", now: 1)
        return tree
    }

    @Test func `the first entry of a tree goes to everyone but where it came from`() {
        var tree = tree(["a", "b", "c"])
        #expect(
            tree.received(push(Self.id), from: "a", now: 0) == [
                .push(push(Self.id, distance: 20), to: "b"),
                .push(push(Self.id, distance: 20), to: "c"),
            ])
    }

    @Test func `a second copy prunes its link, which then gets announcements`() {
        var tree = tree(["a", "b", "c"])
        _ = tree.received(push(Self.id), from: "a", now: 0)
        #expect(
            tree.received(push(Self.id, distance: 20), from: "b", now: 1)
                == [.send(.prune([Self.id]), to: "b")])
        let next = ShortID(2)
        #expect(
            tree.received(push(next), from: "a", now: 100)
                == [.push(push(next, distance: 20), to: "c")])
        #expect(tree.nextDue == 1_100)
        #expect(
            tree.due(now: 1_100) == [
                .send(
                    .announce([.init(id: next, distance: 20, root: nil)], urgent: false), to: "b")
            ])
    }

    @Test func `what is announced and does not come is asked for, of one after the other`() {
        var tree = settled()
        let next = ShortID(2)
        let told = GossipMessage.announce([.init(id: next, distance: 20, root: nil)], urgent: false)
        #expect(tree.received(told, from: "b", now: 100) == [])
        #expect(tree.received(told, from: "c", now: 110) == [])
        #expect(tree.received(told, from: "c", now: 110) == [])
        let due = tree.nextDue ?? 0
        #expect(tree.due(now: due) == [.send(.graft([next], wanted: true), to: "b")])
        let again = tree.nextDue ?? 0
        #expect(again > due)
        #expect(tree.due(now: again) == [.send(.graft([next], wanted: true), to: "c")])
        #expect(tree.due(now: tree.nextDue ?? 0) == [])
        #expect(tree.nextDue == nil)
    }

    @Test func `a shorter way takes the parent's place`() {
        var tree = settled()
        let next = ShortID(2)
        _ = tree.received(push(next, distance: 50), from: "a", now: 100)
        #expect(
            tree.received(
                .announce([.init(id: next, distance: 20, root: nil)], urgent: false), from: "b",
                now: 200) == [
                    .send(.graft([next], wanted: false), to: "b"),
                    .send(.prune([next]), to: "a"),
                ])
    }

    @Test func `a lost parent is replaced by who was nearer to the root, without waiting`() {
        var tree = tree(["a", "b", "c"])
        _ = tree.received(push(Self.id, distance: 40), from: "a", now: 0)
        _ = tree.received(push(Self.id, distance: 30), from: "b", now: 1)
        let next = ShortID(2)
        _ = tree.received(push(next, distance: 20), from: "a", now: 5_000)
        _ = tree.received(push(next, distance: 10), from: "b", now: 5_001)
        #expect(
            tree.unlinked("a", now: 20_000)
                == [.send(.adopt([.init(root: Self.root, distance: 30)]), to: "b")])
    }

    @Test func `with nobody nearer left the fed are told and others asked`() {
        var tree = settled()
        let directives = tree.unlinked("a", now: 20_000)
        let told = directives.contains { directive in
            if case .send(.decline(let ways), "c") = directive { return ways.count == 1 }
            return false
        }
        let asked = directives.filter { directive in
            if case .send(.adopt, _) = directive { return true }
            return false
        }
        #expect(told)
        #expect(asked.count == 2)
    }

    @Test func `who adopts pushes what is fresh, once`() {
        var tree = settled()
        let next = ShortID(2)
        _ = tree.received(push(next), from: "a", now: 100)
        let adopt = GossipMessage.adopt([.init(root: Self.root, distance: .max)])
        #expect(
            tree.received(adopt, from: "b", now: 150).contains(
                .push(push(next, distance: 20), to: "b")))
        #expect(tree.received(adopt, from: "b", now: 160) == [])
        #expect(tree.received(.graft([next], wanted: true), from: "b", now: 170) == [])
    }

    @Test func `who depends on the asker declines`() {
        var tree = settled()
        let adopt = GossipMessage.adopt([.init(root: Self.root, distance: .max)])
        #expect(
            tree.received(adopt, from: "a", now: 100)
                == [.send(.decline([.init(root: Self.root, distance: .max)]), to: "a")])
    }

    @Test func `own entries go to every neighbour`() {
        var tree = settled()
        let own = ShortID(9)
        let pushed = tree.publish(own, now: 100).map { directive in
            if case .push(let entry, let peer) = directive, entry.id == own { return peer }
            return "?"
        }
        #expect(pushed == ["a", "b", "c"])
        #expect(tree.publish(own, now: 101) == [])
    }

    @Test func `a new neighbour is told of what came lately`() {
        var tree = settled()
        #expect(
            tree.linked("d", cost: 10, now: 500) == [
                .send(
                    .announce([.init(id: Self.id, distance: 20, root: Self.root)], urgent: true),
                    to: "d")
            ])
        #expect(tree.linked("e", cost: 10, now: 50_000) == [])
    }

    @Test func `strangers are not heard, and announcements without end are bounded`() {
        var tree = settled()
        #expect(tree.received(.graft([Self.id], wanted: true), from: "x", now: 100) == [])
        for start in 0..<20 {
            let many = (0..<ReplicationLimit.announced).map { number in
                GossipMessage.Announced(
                    id: ShortID(UInt64(1_000 + start * ReplicationLimit.announced + number)),
                    distance: 1, root: nil)
            }
            _ = tree.received(.announce(many, urgent: false), from: "b", now: 100)
        }
        #expect(tree.due(now: 10_000).count == Int(ReplicationLimit.missingOfOne))
    }

    @Test func `who announces what does not exist leaves room for the others`() {
        var tree = settled()
        func announce(_ number: UInt64, from peer: String) {
            _ = tree.received(
                .announce([.init(id: ShortID(number), distance: 1, root: nil)], urgent: false),
                from: peer, now: 100)
        }
        for number in 0..<UInt64(ReplicationLimit.missingOfOne) + 1 {
            announce(1_000 + number, from: "b")
        }
        announce(5, from: "c")
        let asked = tree.due(now: 10_000)
        #expect(asked.contains(.send(.graft([ShortID(5)], wanted: true), to: "c")))
        // What never came is given up, and makes room again.
        #expect(tree.due(now: 20_000) == [])
        announce(6, from: "b")
        #expect(
            tree.due(now: 30_000) == [.send(.graft([ShortID(6)], wanted: true), to: "b")])
    }

    @Test func `what is held for long already goes no further`() {
        var tree = tree(["a", "b"])
        #expect(
            tree.repeated(push(Self.id), from: "a") == [.send(.prune([Self.id]), to: "a")])
        #expect(!tree.holds(Self.id))
    }
}

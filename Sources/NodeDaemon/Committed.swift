internal import NodeCore
internal import Synchronization

/// The node as of its last commit, for whoever reads: nobody who does waits for the turn that goes on.
///
/// Held only while somebody reads. As long as a copy is held, the loop copies what it changes.
final class Committed: Sendable {
    /// Ticks without a reader until the copy is let go.
    private static let ticksMax = 5

    private struct State {
        var node: Node?
        var ticksLeft = 0
        var isOver = false
    }

    private let state = Mutex(State())

    /// `nil` where none is held yet, or any more: then the loop itself is to be asked.
    func read() -> Node? {
        state.withLock { state in
            if !state.isOver { state.ticksLeft = Self.ticksMax }
            return state.node
        }
    }

    /// All that `node` holds is durable.
    func put(_ node: Node) {
        // What is dropped is dropped outside the lock.
        _ = state.withLock { state -> Node? in
            defer { state.node = state.ticksLeft > 0 ? node : nil }
            return state.node
        }
    }

    /// Whether somebody reads. A copy that nobody reads any more is let go of, before it is an old one.
    var isRead: Bool {
        state.withLock { state -> (Bool, Node?) in
            guard state.ticksLeft == 0 else { return (true, nil) }
            defer { state.node = nil }
            return (false, state.node)
        }.0
    }

    func tick() { state.withLock { $0.ticksLeft = max($0.ticksLeft - 1, 0) } }

    /// The loop has ended: what it held last is told to nobody.
    func end() { state.withLock { $0 = State(isOver: true) } }
}

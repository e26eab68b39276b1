internal import Dispatch
internal import Identity
internal import NodeCore
internal import Synchronization

/// What was decided together: it is written, and answered and said once it is.
struct Turn: Sendable {
    var changes: [Change] = []
    var directives: [Directive] = []
    var answers: [@Sendable (Result<Void, any Error>) -> Void] = []
    /// What deciding it took, and how many peers' frames were in it.
    var nanoseconds: UInt64 = 0
    var frames = 0

    var newKey: SigningKey? {
        for case .ownKey(let key) in changes.reversed() { return key }
        return nil
    }

    /// The first are taken over as they lie.
    mutating func add(_ more: [Change], _ said: [Directive]) {
        if changes.isEmpty { changes = more } else { changes += more }
        if directives.isEmpty { directives = said } else { directives += said }
    }

    /// Few changes are sooner written than handed over.
    static let asideMin = 64
    /// About what a commit takes.
    static let youngNanoseconds: UInt64 = 1_000_000

    var isEmpty: Bool { changes.isEmpty && directives.isEmpty && answers.isEmpty && frames == 0 }
    /// What comes next may still share its commit, and be done no later than with one of its own.
    var isYoung: Bool {
        (1..<Self.asideMin).contains(changes.count) && nanoseconds < Self.youngNanoseconds
    }
    var isFull: Bool { changes.count + directives.count >= Inbox.batchMax }
}

/// Writes one turn beside the loop, on a thread of its own: those that take turns at everything else are not
/// to wait for a disk.
final class Writer: Sendable {
    private struct State {
        var turn: Turn?
        /// The node as it was with this turn and nothing after, where somebody looks at it.
        var node: Node?
        var result: Result<Void, any Error>?
        var waiter: CheckedContinuation<Void, Never>?
    }

    typealias Written = (turn: Turn, node: Node?, result: Result<Void, any Error>)

    private let queue = DispatchQueue(label: "talea.commit")
    private let state = Mutex(State())

    var isBusy: Bool { state.withLock { $0.turn != nil } }

    /// Calls `done` once it is written, or not. One at a time.
    func begin(
        _ turn: Turn, showing node: Node?, _ write: @escaping @Sendable (Turn) throws -> Void,
        done: @escaping @Sendable () -> Void
    ) {
        state.withLock { $0 = State(turn: turn, node: node) }
        queue.async { [self] in
            let result = Result { try write(turn) }
            let waiter = state.withLock { state in
                state.result = result
                return state.waiter.take()
            }
            waiter?.resume()
            done()
        }
    }

    /// The turn that was written, once; `nil` while it is being written, and where there is none.
    func take() -> Written? {
        state.withLock { state in
            guard let turn = state.turn, let result = state.result else { return nil }
            defer { state = State() }
            return (turn, state.node, result)
        }
    }

    /// The same, waiting for it.
    func finish() async -> Written? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.turn != nil, state.result == nil else { return true }
                state.waiter = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
        return take()
    }
}

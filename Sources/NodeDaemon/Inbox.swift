internal import Dashboard
internal import Identity
internal import NodeCore
internal import Synchronization

/// What waits for the node, in order. Many may put in; one loop takes out, in bounded batches.
final class Inbox: Sendable {
    /// Runs on the node; what it returns is called once the batch is durable, or lost.
    typealias Input = @Sendable (inout Node) -> (@Sendable (Result<Void, any Error>) -> Void)?
    /// The signature that an input will look into.
    typealias Claim = @Sendable (borrowing Node) -> SignatureClaim?
    typealias Batch = [(input: Input, claim: Claim?)]

    static let batchMax = 512

    private let waiting = Mutex<(inputs: Batch, last: Node?)>(([], nil))
    /// Fires when something was put in; ends when closed.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init() {
        (signals, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func put(claiming claim: Claim? = nil, _ input: @escaping Input) {
        let last = waiting.withLock { waiting -> Node? in
            if waiting.last == nil { waiting.inputs.append((input, claim)) }
            return waiting.last
        }
        if let last { Self.turnAway(input, last) } else { signal.yield() }
    }

    /// The loop has ended with `node`: whoever waits, also in a batch that was taken and not begun, or comes
    /// later, is told so instead of waiting for ever, which would keep the door from closing.
    func end(with node: Node, alsoOf taken: Batch) {
        let left = waiting.withLock { waiting in
            defer { waiting = ([], node) }
            return taken + waiting.inputs
        }
        for (input, _) in left { Self.turnAway(input, node) }
    }

    private static func turnAway(_ input: Input, _ node: Node) {
        var scratch = node
        input(&scratch)?(.failure(DoorRefusal.stopping))
    }

    /// Makes the loop look, also where nothing was put in.
    func wake() { signal.yield() }

    func close() { signal.finish() }

    /// The next inputs; `nil` when none waits.
    func batch() -> Batch? {
        waiting.withLock { waiting in
            guard !waiting.inputs.isEmpty else { return nil }
            let batch = Array(waiting.inputs.prefix(Self.batchMax))
            waiting.inputs.removeFirst(batch.count)
            return batch
        }
    }
}

extension DoorRefusal {
    static var stopping: DoorRefusal {
        DoorRefusal(
            "stopping", en: "the node is stopping; start it again and ask again",
            zh: "节点正在停止；请重新启动后再试")
    }
}

/// Lets as many frames in as the node is through with in a moment; the next waits until one has left. What
/// is inside has its order, what waits outside comes by what its sender has cost. One waiter at a time.
final class Turnstile: Sendable {
    /// How long a turn may keep others waiting, less its commit.
    private static let turnNanoseconds: UInt64 = 20_000_000
    private static let least: UInt64 = 16
    /// A turn of as many frames weighs as much as all turns before it.
    private static let memory: UInt64 = 64

    private struct State {
        var limit = Inbox.batchMax
        var nanosecondsEach = turnNanoseconds / UInt64(Inbox.batchMax)
        var inside = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// What a turn took in which so many frames were. More or fewer are let in from now on; whoever is inside stays.
    func took(_ nanoseconds: UInt64, for count: Int) {
        guard count > 0 else { return }
        state.withLock { state in
            let each = state.nanosecondsEach * Self.memory + nanoseconds
            state.nanosecondsEach = max(each / (Self.memory + UInt64(count)), 1)
            let fitting = Self.turnNanoseconds / state.nanosecondsEach
            state.limit = Int(min(max(fitting, Self.least), UInt64(Inbox.batchMax)))
        }
    }

    func enter() async {
        await withCheckedContinuation { continuation in
            let enters = state.withLock { state in
                guard state.inside >= state.limit else {
                    state.inside += 1
                    return true
                }
                state.waiter = continuation
                return false
            }
            if enters { continuation.resume() }
        }
    }

    func leave() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.inside -= 1
            guard state.inside < state.limit, let waiter = state.waiter else { return nil }
            state.inside += 1
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }
}

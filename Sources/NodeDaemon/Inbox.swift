internal import NodeCore
internal import Synchronization

/// What waits for the node, in order. Many may put in; one loop takes out, in bounded batches.
final class Inbox: Sendable {
    /// Runs on the node; what it returns is called once the batch is durable, or lost.
    typealias Input = @Sendable (inout Node) -> (@Sendable (Result<Void, any Error>) -> Void)?

    static let batchMax = 512

    private let waiting = Mutex<[Input]>([])
    /// Fires when something was put in; ends when closed.
    let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init() {
        (signals, signal) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ input: @escaping Input) {
        waiting.withLock { $0.append(input) }
        signal.yield()
    }

    func close() { signal.finish() }

    /// The next inputs; `nil` when none waits.
    func batch() -> [Input]? {
        waiting.withLock { inputs in
            guard !inputs.isEmpty else { return nil }
            let batch = Array(inputs.prefix(Self.batchMax))
            inputs.removeFirst(batch.count)
            return batch
        }
    }
}

internal import NodeCore
internal import Synchronization

/// Questions that wait for the node to come to an answer.
final class Watches: Sendable {
    /// True once answered, or over.
    private typealias Watch = @Sendable (Node) -> Bool

    private struct State {
        var next = 0
        var open: [Int: Watch] = [:]
        var enders: [Int: @Sendable () -> Void] = [:]
        var isOver = false
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.open.isEmpty } }

    /// Asks every open question of `node`; by the loop, after what `node` holds is durable.
    func look(at node: Node) {
        let open = state.withLock { $0.open }
        guard !open.isEmpty else { return }
        for (number, watch) in open where watch(node) { forget(number) }
    }

    /// Nothing will be answered any more, nor what is asked later.
    func end() {
        let enders = state.withLock { state in
            state.isOver = true
            return Array(state.enders.values)
        }
        for end in enders { end() }
    }

    /// The first answer of `probe`; `nil` after `seconds`.
    func first<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?, wake: () -> Void
    ) async -> T? {
        let (answers, answer) = AsyncStream<T>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let number = state.withLock { state -> Int? in
            guard !state.isOver else { return nil }
            state.next += 1
            state.open[state.next] = { node in
                guard let value = probe(node) else { return false }
                answer.yield(value)
                answer.finish()
                return true
            }
            state.enders[state.next] = { answer.finish() }
            return state.next
        }
        guard let number else { return nil }
        // The answer may be there already.
        wake()
        let clock = Task {
            try? await Task.sleep(for: .seconds(seconds))
            answer.finish()
        }
        defer {
            clock.cancel()
            forget(number)
        }
        for await value in answers { return value }
        return nil
    }

    private func forget(_ number: Int) {
        state.withLock { state in
            state.open[number] = nil
            state.enders[number] = nil
        }
    }
}

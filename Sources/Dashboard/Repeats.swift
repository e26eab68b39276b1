import Synchronization

/// What was answered to requests that came with a key, so that the same one again does nothing again.
///
/// Kept as long as the node runs. After a restart a key is unknown; what it asked for stands in the signed
/// logs, which refuse most second acts by themselves, and forms of a page end with their session.
final class Repeats: Sendable {
    /// More than a day's acts of a busy studio; the oldest makes room.
    static let keysMax = 4096

    private struct State {
        var answers: [String: (request: CommandRequest, task: Task<Answer, Never>)] = [:]
        var order: [String] = []
    }

    typealias Answer = Result<JSON, DoorRefusal>

    private let state = Mutex(State())

    /// Runs `work` once for each key; whoever comes again, or meanwhile, gets the same answer. `nil`: the
    /// key stood for another request.
    func once(
        _ key: String, _ request: CommandRequest,
        _ work: @escaping @Sendable (CommandRequest) async -> Answer
    ) async -> (answer: Answer, isRepeat: Bool)? {
        let found = state.withLock { state -> (Task<Answer, Never>, Bool)? in
            if let known = state.answers[key] {
                return known.request == request ? (known.task, true) : nil
            }
            if state.order.count == Self.keysMax {
                state.answers[state.order.removeFirst()] = nil
            }
            // Not a child of the request: a browser that goes away does not undo what it asked for.
            let task = Task { await work(request) }
            state.answers[key] = (request, task)
            state.order.append(key)
            return (task, false)
        }
        guard let (task, isRepeat) = found else { return nil }
        return (await task.value, isRepeat)
    }
}

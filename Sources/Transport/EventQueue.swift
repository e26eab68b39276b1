internal import Replication
internal import Synchronization

/// Between the event loop and the one consumer. What may wait is bounded by places × (frames per
/// peer + two), because a peer without room is not read and a place is not given again before its
/// end was taken.
final class EventQueue: Sendable {
    private struct Account {
        var frames = 0
        var bytes = 0
        /// The peer is not being read; `resume` is owed.
        var stalled = false
        /// The consumer closed it: nothing but its end is delivered any more.
        var isMuted = false
        let resume: @Sendable () -> Void
    }

    private struct State {
        var events: [TransportEvent] = []
        var taken = 0
        var accounts: [ConnectionID: Account] = [:]
        var waiter: CheckedContinuation<TransportEvent?, Never>?
        var isFinished = false

        /// `resume` if it is owed and half the room is free.
        mutating func settle(
            _ frame: Frame, of id: ConnectionID, _ limits: TransportLimits
        ) -> (@Sendable () -> Void)? {
            guard var account = accounts[id] else { return nil }
            account.frames -= 1
            account.bytes -= frame.length
            let free =
                account.frames <= limits.queuedFrames / 2
                && account.bytes <= limits.queuedBytes / 2
            let owed = account.stalled && free
            if owed { account.stalled = false }
            accounts[id] = account
            return owed ? account.resume : nil
        }
    }

    private let limits: TransportLimits
    private let onClosedTaken: @Sendable (ConnectionID) -> Void
    private let state = Mutex(State())

    init(limits: TransportLimits, onClosedTaken: @escaping @Sendable (ConnectionID) -> Void) {
        self.limits = limits
        self.onClosedTaken = onClosedTaken
    }

    /// `resume` is called after `hasRoom` said no, once half the room is free again.
    func open(_ id: ConnectionID, resume: @escaping @Sendable () -> Void) {
        state.withLock { $0.accounts[id] = Account(resume: resume) }
    }

    func hasRoom(_ id: ConnectionID) -> Bool {
        state.withLock { state in
            guard let account = state.accounts[id] else { return false }
            let room = limits.hasRoom(frames: account.frames, bytes: account.bytes)
            if !room { state.accounts[id]?.stalled = true }
            return room
        }
    }

    func waiting(for id: ConnectionID) -> (frames: Int, bytes: Int) {
        state.withLock { ($0.accounts[id]?.frames ?? 0, $0.accounts[id]?.bytes ?? 0) }
    }

    func append(_ event: TransportEvent) {
        state.withLock { state in
            guard !state.isFinished else { return }
            if case .frame(let id, let frame) = event {
                guard state.accounts[id]?.isMuted != true else { return }
                state.accounts[id]?.frames += 1
                state.accounts[id]?.bytes += frame.length
            }
            state.events.append(event)
        }
        serve()
    }

    /// What the consumer has decided to hear no more of: from the return on no frame of it is delivered.
    func mute(_ id: ConnectionID) {
        state.withLock { state in
            state.events.removeFirst(state.taken)
            state.taken = 0
            state.events.removeAll { event in
                if case .frame(id, _) = event { true } else { false }
            }
            state.accounts[id]?.frames = 0
            state.accounts[id]?.bytes = 0
            state.accounts[id]?.isMuted = true
        }
    }

    /// After the events that wait, the end.
    func finish() {
        state.withLock { $0.isFinished = true }
        serve()
    }

    /// `nil` at the end, at once for a second caller, and when the caller is cancelled.
    func next() async -> TransportEvent? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isSecond = state.withLock { state in
                    guard state.waiter == nil else { return true }
                    state.waiter = continuation
                    return false
                }
                guard !isSecond else { return continuation.resume(returning: nil) }
                serve()
                if Task.isCancelled { wake() }
            }
        } onCancel: {
            wake()
        }
    }

    private func wake() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    private func serve() {
        var resume: (@Sendable () -> Void)?
        var closed: ConnectionID?
        let handover = state.withLock {
            state -> (CheckedContinuation<TransportEvent?, Never>, TransportEvent?)? in
            guard let waiter = state.waiter else { return nil }
            guard state.taken < state.events.count else {
                guard state.isFinished else { return nil }
                state.waiter = nil
                return (waiter, nil)
            }
            state.waiter = nil
            let event = state.events[state.taken]
            state.taken += 1
            if state.taken == state.events.count || state.taken >= 256 {
                state.events.removeFirst(state.taken)
                state.taken = 0
            }
            switch event {
            case .frame(let id, let frame): resume = state.settle(frame, of: id, limits)
            case .closed(let id, _):
                state.accounts[id] = nil
                closed = id
            case .connected, .dialFailed: break
            }
            return (waiter, event)
        }
        guard let (waiter, event) = handover else { return }
        if let closed { onClosedTaken(closed) }
        waiter.resume(returning: event)
        resume?()
    }
}

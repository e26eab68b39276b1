internal import HeapModule
internal import Replication
internal import Synchronization

/// Between the event loop and the one consumer. What may wait is bounded by places × (frames per
/// peer + two), because a peer without room is not read and a place is not given again before its
/// end was taken.
///
/// The events of a connection wait in its own lane, and lanes take turns by what they have cost:
/// start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996, §2), with nanoseconds of the
/// consumer's time as costs. Who asks for much waits; who asks for little, or weighs much, comes soon.
final class EventQueue: Sendable {
    private struct Lane {
        var events: [TransportEvent] = []
        var frames = 0
        var bytes = 0
        /// Where its next turn begins, in nanoseconds of cost over weight.
        var start: UInt64
        var weight: UInt64 = 1
        /// It has a turn in `State.turns`.
        var isWaiting = false
        /// The peer is not being read; `resume` is owed.
        var stalled = false
        /// The consumer closed it: nothing but its end is delivered any more.
        var isMuted = false
        let resume: @Sendable () -> Void
    }

    private struct Turn: Comparable {
        let start: UInt64
        let id: ConnectionID

        static func < (left: Self, right: Self) -> Bool {
            (left.start, left.id.number) < (right.start, right.id.number)
        }
    }

    private struct State {
        var lanes: [ConnectionID: Lane] = [:]
        var turns = Heap<Turn>()
        /// Where the last turn began: a lane that was empty begins here.
        var now: UInt64 = 0
        /// Of dials without a lane; they come first.
        var failures: [TransportEvent] = []
        var waiter: CheckedContinuation<TransportEvent?, Never>?
        var isFinished = false

        mutating func append(_ event: TransportEvent, to id: ConnectionID) {
            guard var lane = lanes.removeValue(forKey: id) else { return }
            defer { lanes[id] = lane }
            if case .frame(_, let frame) = event {
                guard !lane.isMuted else { return }
                lane.frames += 1
                lane.bytes += frame.length
            }
            lane.events.append(event)
            guard !lane.isWaiting else { return }
            lane.isWaiting = true
            lane.start = max(lane.start, now)
            turns.insert(Turn(start: lane.start, id: id))
        }

        /// The next event, of the lane whose turn it is.
        mutating func next() -> TransportEvent? {
            if !failures.isEmpty { return failures.removeFirst() }
            while let turn = turns.popMin() {
                guard var lane = lanes.removeValue(forKey: turn.id) else { continue }
                defer { lanes[turn.id] = lane }
                guard !lane.events.isEmpty else {
                    lane.isWaiting = false
                    continue
                }
                // Charged while it waited.
                guard lane.start <= turn.start else {
                    turns.insert(Turn(start: lane.start, id: turn.id))
                    continue
                }
                now = turn.start
                lane.start += TransportLimits.turnCost / lane.weight
                let event = lane.events.removeFirst()
                lane.isWaiting = !lane.events.isEmpty
                if lane.isWaiting { turns.insert(Turn(start: lane.start, id: turn.id)) }
                return event
            }
            return nil
        }

        /// `resume` if it is owed and half the room is free.
        mutating func settle(
            _ frame: Frame, of id: ConnectionID, _ limits: TransportLimits
        ) -> (@Sendable () -> Void)? {
            guard var lane = lanes.removeValue(forKey: id) else { return nil }
            defer { lanes[id] = lane }
            lane.frames -= 1
            lane.bytes -= frame.length
            let free =
                lane.frames <= limits.queuedFrames / 2 && lane.bytes <= limits.queuedBytes / 2
            guard lane.stalled, free else { return nil }
            lane.stalled = false
            return lane.resume
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
        state.withLock { $0.lanes[id] = Lane(start: $0.now, resume: resume) }
    }

    func hasRoom(_ id: ConnectionID) -> Bool {
        state.withLock { state in
            guard let lane = state.lanes[id] else { return false }
            let room = limits.hasRoom(frames: lane.frames, bytes: lane.bytes)
            if !room { state.lanes[id]?.stalled = true }
            return room
        }
    }

    func waiting(for id: ConnectionID) -> (frames: Int, bytes: Int) {
        state.withLock { ($0.lanes[id]?.frames ?? 0, $0.lanes[id]?.bytes ?? 0) }
    }

    func append(_ event: TransportEvent) {
        state.withLock { state in
            guard !state.isFinished else { return }
            switch event {
            case .connected(let id, _, _, _), .frame(let id, _), .closed(let id, _):
                state.append(event, to: id)
            case .dialFailed: state.failures.append(event)
            }
        }
        serve()
    }

    /// What the consumer spent on this connection's frames.
    func charge(_ nanoseconds: UInt64, to id: ConnectionID) {
        state.withLock { state in
            guard let lane = state.lanes[id] else { return }
            state.lanes[id]?.start += nanoseconds / lane.weight
        }
    }

    /// Whoever weighs more has as many times the share, from now on.
    func weigh(_ id: ConnectionID, _ weight: UInt64) {
        state.withLock { $0.lanes[id]?.weight = weight }
    }

    /// What the consumer has decided to hear no more of: from the return on no frame of it is delivered.
    func mute(_ id: ConnectionID) {
        state.withLock { state in
            guard var lane = state.lanes.removeValue(forKey: id) else { return }
            lane.events.removeAll { event in
                if case .frame = event { true } else { false }
            }
            lane.frames = 0
            lane.bytes = 0
            lane.isMuted = true
            state.lanes[id] = lane
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
            guard let event = state.next() else {
                guard state.isFinished else { return nil }
                state.waiter = nil
                return (waiter, nil)
            }
            state.waiter = nil
            switch event {
            case .frame(let id, let frame): resume = state.settle(frame, of: id, limits)
            case .closed(let id, _):
                state.lanes[id] = nil
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

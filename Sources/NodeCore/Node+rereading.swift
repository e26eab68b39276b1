internal import Capacity

// When the meaning of much that is held is another now: the value is dropped, and everything is read anew.

/// How often that was. It costs all connections and a look at every entry, and whoever signs ever lower forks, or
/// ever earlier openings, or changes his key below what he wrote, asks for it each time: then the next ones wait,
/// as if the news were still on its way.
struct Rereading: Sendable {
    /// So many are done at once within an hour.
    private static let atOnce = 4
    private static let hourMilliseconds: Int64 = 3_600_000
    private static let pauseMilliseconds: Int64 = 10_000

    private var done = 0
    private var last: Instant = .earliest
    private var repetition = Repetition(first: pauseMilliseconds)
    /// It waits.
    fileprivate(set) var isOwed = false

    fileprivate mutating func mayBegin(at now: Instant) -> Bool {
        if !(last...last.advanced(by: Self.hourMilliseconds)).contains(now) { self = Self() }
        isOwed = done >= Self.atOnce && !repetition.isDue(at: now)
        guard !isOwed else { return false }
        done += 1
        last = now
        if done >= Self.atOnce { repetition.wait(from: now) }
        return true
    }

    /// The same for what is not taken before. Otherwise when to come with it again.
    fileprivate mutating func mayBeginWithout(_ now: Instant) -> Instant? {
        let wasOwed = isOwed
        if mayBegin(at: now) { return nil }
        isOwed = wasOwed
        return repetition.next
    }
}

extension Node {
    /// What is held is to be read anew, now or soon.
    mutating func readAnew() {
        // Whatever else asks for it in this turn gets it with the first.
        guard !directives.contains(where: { if case .reload = $0 { true } else { false } }) else {
            return
        }
        if rereading.mayBegin(at: now) { directives.append(.reload) }
    }

    /// The same, for what cannot be taken before: `nil` where it may be now, else when to ask for it once more.
    mutating func readAnewAtOnce() -> Instant? {
        if directives.contains(where: { if case .reload = $0 { true } else { false } }) {
            return nil
        }
        let later = rereading.mayBeginWithout(now)
        if later == nil { directives.append(.reload) }
        return later
    }

    mutating func readAnewIfOwed() {
        if rereading.isOwed { readAnew() }
    }

    /// What stands in this value is not yet what is read from what it holds.
    public var isToBeReadAnew: Bool { rereading.isOwed }

    /// This value was read in the place of `before`.
    public mutating func follow(_ before: Node) {
        rereading = before.rereading
        rereading.isOwed = false
        // What is read anew is no news of who was here, nor of who claims what.
        guestsLeft = before.guestsLeft.filter { entrusted[$0.key] != nil }
        servesSince = before.servesSince
        recovery.nameless = before.recovery.nameless
    }
}

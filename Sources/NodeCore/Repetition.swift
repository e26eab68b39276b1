internal import Capacity

/// When to say again what nobody answered: after ever longer pauses. A clock that was set back delays
/// nothing for longer than the longest of them.
struct Repetition: Sendable {
    private static let pauseMax: Int64 = 5 * 60_000

    private var pause: Int64
    /// None: not before something happened.
    private var due: Instant? = .earliest

    init(first pause: Int64) { self.pause = pause }

    var rests: Bool { due == nil }
    var next: Instant { due ?? .latest }

    func isDue(at now: Instant) -> Bool {
        due.map { $0 <= now || now.advanced(by: Self.pauseMax) < $0 } ?? false
    }

    mutating func rest() { due = nil }

    mutating func wait(from now: Instant) {
        due = now.advanced(by: pause)
        pause = min(pause * 2, Self.pauseMax)
    }
}

extension Instant {
    /// Whether it is less than so long ago. What lies ahead, since the clock was set back, is not: to wait for it
    /// could take years.
    func isRecent(at now: Instant, _ milliseconds: Int64) -> Bool {
        (self..<advanced(by: milliseconds)).contains(now)
    }
}

public import Capacity
public import Entries
internal import Identity

/// From when on the entries of one public log may be taken, by the limits of its alliance. It is counted
/// in the log alone: every node comes to the same instants, and what is too much waits and is not lost.
public struct Pace: Sendable {
    private let rules: AllianceRules
    /// The instants of the entries that count, ascending.
    private var instants: [Instant] = []
    private var last: Instant = .earliest
    private var offers: [(id: EntryID, until: Instant)] = []

    private static let dayMilliseconds: Int64 = 86_400_000

    /// `nil` where the rules set no limit.
    public init?(_ rules: AllianceRules) {
        guard rules.entriesPerDay != nil || rules.openOffers != nil else { return nil }
        self.rules = rules
    }

    /// When the next entry may be taken. Admissions, expulsions, cuts and key changes wait for what is
    /// below them and for nothing else.
    public func due(_ entry: Entry) -> Instant {
        due(entry.kind, until: Self.until(entry), at: entry.header.time)
    }

    public func due(_ kind: Kind?, until: Instant?, at time: Instant) -> Instant {
        var due = last
        guard Self.counts(kind) else { return due }
        if let limit = rules.entriesPerDay.map(Int.init(clamping:)), instants.count >= limit {
            let earlier = instants[instants.count - limit]
            due = max(due, max(time, earlier.advanced(by: Self.dayMilliseconds)))
        }
        if until != nil, let limit = rules.openOffers.map(Int.init(clamping:)) {
            let standing = offers.map(\.until).filter { $0 >= max(due, time) }.sorted(by: >)
            if standing.count >= limit {
                due = max(due, standing[limit - 1].advanced(by: 1))
            }
        }
        return due
    }

    public mutating func fold(_ entry: Entry) {
        let due = due(entry)
        last = due
        guard Self.counts(entry.kind) else { return }
        instants.append(max(due, entry.header.time))
        if let limit = rules.entriesPerDay, Int64(instants.count) > limit {
            instants.removeFirst()
        }
        if let until = Self.until(entry) { offers.append((entry.id, until)) }
        if let withdrawal = try? entry.read(Withdrawal.self) {
            offers.removeAll { $0.id == withdrawal.offer }
        }
        offers.removeAll { $0.until < entry.header.time }
    }

    /// Of an offer or a wish.
    private static func until(_ entry: Entry) -> Instant? {
        switch entry.kind {
        case .offer: (try? entry.read(Offer.self))?.until
        case .wish: (try? entry.read(Wish.self))?.until
        default: nil
        }
    }

    private static func counts(_ kind: Kind?) -> Bool {
        switch kind {
        case .admit, .expel, .continue, .cut: false
        default: true
        }
    }
}

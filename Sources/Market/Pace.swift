public import Capacity
public import Entries
public import Identity

/// From when on the entries of one public log may be taken, by the limits of its alliance. It is counted
/// in the log alone: every node comes to the same instants, and what is too much waits and is not lost.
public struct Pace: Sendable {
    private let rules: AllianceRules
    private let author: DID
    /// When the author was let in: nobody was busy in an alliance before.
    private let since: Instant
    /// The instants of the entries that count, ascending.
    private var instants: [Instant] = []
    private var last: Instant = .earliest
    private var offers: [(id: EntryID, until: Instant)] = []
    /// Of the newest entry.
    private var key: EntryID?

    private static let dayMilliseconds: Int64 = 86_400_000

    /// `nil` where the rules set no limit.
    public init?(_ rules: AllianceRules, of author: DID, since: Instant = .earliest) {
        guard rules.entriesPerDay != nil || rules.openOffers != nil else { return nil }
        self.rules = rules
        self.author = author
        self.since = since
    }

    /// When the next entry may be taken. Admissions and expulsions of those who may, cuts and key changes
    /// wait for what is below them and for nothing else.
    public func due(_ entry: Entry) -> Instant {
        counts(entry)
            ? due(counted: Self.until(entry), at: entry.header.time) : last
    }

    /// The same of an entry of this kind that is not signed yet.
    public func due(_ kind: Kind?, until: Instant?, at time: Instant) -> Instant {
        counts(kind) ? due(counted: until, at: time) : last
    }

    private func due(counted until: Instant?, at time: Instant) -> Instant {
        var due = last
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
        let isCounted = counts(entry)
        last = due
        key = entry.header.key
        guard isCounted else { return }
        instants.append(max(due, entry.header.time, since))
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

    private func counts(_ entry: Entry) -> Bool {
        entry.kind == .continue ? entry.header.key == key : counts(entry.kind)
    }

    /// Whoever admits or expels though he may not says as much as with anything else.
    private func counts(_ kind: Kind?) -> Bool {
        let isSteward = rules.stewards.contains(author)
        return switch kind {
        case .admit: !isSteward && rules.admission != .invitation
        case .expel: !isSteward
        case .continue, .cut: false
        default: true
        }
    }
}

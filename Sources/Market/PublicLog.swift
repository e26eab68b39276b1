public import Capacity
public import Entries
public import Identity

/// The fold of one author's public log.
public struct PublicLog: Sendable {
    public let author: DID
    public private(set) var profile: Profile?
    public private(set) var openings: [Opening] = []
    public private(set) var offers: [StandingOffer] = []
    /// The first entry of a kind this program does not know; the fold went no further.
    public private(set) var newerAt: Int64?
    public private(set) var folded: Int64 = 0

    /// A line as its issuer opened it.
    public struct Opening: Hashable, Sendable {
        public let terms: LineTerms
        public let log: LogID
        public let source: LogID?
        /// The earlier line that it sells a second time; `nil` where it is valid.
        public let clashesWith: LogID?
    }

    public struct StandingOffer: Hashable, Sendable {
        public let id: EntryID
        public let author: DID
        public let offer: Offer
        public let time: Instant
        public internal(set) var withdrawn: Bool
    }

    public init(author: DID) { self.author = author }

    /// The earlier valid line that `terms` would sell a second time.
    public func clash(of terms: LineTerms, source: LogID?) -> LogID? {
        openings.first {
            $0.clashesWith == nil && $0.terms.overlaps(terms) && $0.log != source
                && !planted(.overlappingLines)
        }?.log
    }

    public func opening(of log: LogID) -> Opening? { openings.first { $0.log == log } }

    /// Folds the next entry. An unreadable body has no effect.
    public mutating func fold(_ entry: Entry) {
        folded += 1
        guard newerAt == nil else { return }
        switch entry.kind {
        case .profile:
            if let body = try? entry.read(Profile.self) { profile = body }
        case .lineOpening:
            guard let body = try? entry.read(LineOpening.self) else { return }
            let log = LogID.line(author: author, body.terms)
            guard opening(of: log) == nil else { return }
            openings.append(
                Opening(
                    terms: body.terms, log: log, source: body.source,
                    clashesWith: clash(of: body.terms, source: body.source)))
        case .offer:
            guard let body = try? entry.read(Offer.self) else { return }
            offers.append(
                StandingOffer(
                    id: entry.id, author: author, offer: body, time: entry.header.time,
                    withdrawn: false))
        case .withdrawal:
            guard let body = try? entry.read(Withdrawal.self),
                let index = offers.firstIndex(where: { $0.id == body.offer })
            else { return }
            offers[index].withdrawn = true
        case .founding, .continue, .cut: break
        default: newerAt = folded
        }
    }
}

/// Every public log of an alliance.
public struct Book: Sendable {
    private var logs: [DID: PublicLog] = [:]

    public init() {}

    public subscript(author: DID) -> PublicLog? { logs[author] }
    public var authors: [DID] { logs.keys.sorted() }

    public mutating func fold(_ entry: Entry) {
        logs[entry.header.author, default: PublicLog(author: entry.header.author)].fold(entry)
    }

    /// Offers that can still be taken at `now`, by author and age.
    public func standing(at now: Instant) -> [PublicLog.StandingOffer] {
        authors.flatMap { author in
            (logs[author]?.offers ?? []).filter { !$0.withdrawn && now <= $0.offer.until }
        }
    }

    public func offer(_ id: EntryID) -> PublicLog.StandingOffer? {
        for author in authors {
            if let found = logs[author]?.offers.first(where: { $0.id == id }) { return found }
        }
        return nil
    }

    /// The opening of a line log, with its issuer.
    public func opening(of log: LogID) -> (issuer: DID, opening: PublicLog.Opening)? {
        for author in authors {
            if let found = logs[author]?.opening(of: log) { return (author, found) }
        }
        return nil
    }
}

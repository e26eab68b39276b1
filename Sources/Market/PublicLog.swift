public import Capacity
public import Entries
internal import HashTreeCollections
public import Identity

/// The fold of one author's public log in one alliance.
public struct PublicLog: Sendable {
    public let author: DID
    public let alliance: TopicID
    public private(set) var profile: Profile?
    fileprivate private(set) var openings: [Opening] = []
    public private(set) var offers: [StandingOffer] = []
    private var placeOf: TreeDictionary<EntryID, Int> = [:]
    /// Those that were not withdrawn.
    fileprivate private(set) var wishes: TreeDictionary<EntryID, StandingWish> = [:]
    /// Newest last. Most people have none.
    fileprivate private(set) var keyChanges: [KeyChange] = []
    /// The first entry of a kind this program does not know; the fold went no further.
    public private(set) var newerAt: Int64?
    public private(set) var folded: Int64 = 0

    /// A change of its author's key, as he says in this log.
    public struct KeyChange: Hashable, Sendable {
        /// The key entry under which the log goes on.
        public let key: EntryID
        public let time: Instant
        public let reason: String
    }

    /// A line as its issuer opened it.
    public struct Opening: Hashable, Sendable {
        public let terms: LineTerms
        public let log: LogID
        public let source: LogID?
        /// The alliance it was opened in: entries of its log carry this topic.
        public let alliance: TopicID
        public let time: Instant
        /// The earlier line that it sells a second time; `nil` where it is valid.
        public fileprivate(set) var clashesWith: LogID?
    }

    public struct StandingOffer: Hashable, Sendable {
        public let id: EntryID
        public let author: DID
        public let alliance: TopicID
        public let offer: Offer
        public let time: Instant
        public internal(set) var withdrawn: Bool
    }

    public struct StandingWish: Hashable, Sendable {
        public let id: EntryID
        public let author: DID
        public let alliance: TopicID
        public let wish: Wish
        public let time: Instant
    }

    public init(author: DID, alliance: TopicID) {
        self.author = author
        self.alliance = alliance
    }

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
            guard !openings.contains(where: { $0.log == log }) else { return }
            openings.append(
                Opening(
                    terms: body.terms, log: log, source: body.source, alliance: alliance,
                    time: entry.header.time))
        case .offer:
            guard let body = try? entry.read(Offer.self) else { return }
            placeOf[entry.id] = offers.count
            offers.append(
                StandingOffer(
                    id: entry.id, author: author, alliance: alliance, offer: body,
                    time: entry.header.time, withdrawn: false))
        case .wish:
            guard let body = try? entry.read(Wish.self) else { return }
            wishes[entry.id] = StandingWish(
                id: entry.id, author: author, alliance: alliance, wish: body,
                time: entry.header.time)
        case .withdrawal:
            guard let body = try? entry.read(Withdrawal.self) else { return }
            wishes[body.offer] = nil
            if let place = placeOf[body.offer] { offers[place].withdrawn = true }
        case .continue:
            guard let key = entry.header.key, let body = try? entry.read(Continue.self) else {
                return
            }
            keyChanges.append(
                KeyChange(key: key, time: entry.header.time, reason: body.reason))
        case .founding, .admit, .expel, .cut: break
        default: newerAt = folded
        }
    }
}

extension PublicLog {
    public func offer(_ id: EntryID) -> StandingOffer? { placeOf[id].map { offers[$0] } }
    func wish(_ id: EntryID) -> StandingWish? { wishes[id] }
}

/// All that one author says in public, in every alliance that the reader sees.
public struct PublicWord: Sendable {
    /// By alliance. Most people speak in one.
    private var logs: [PublicLog] = []
    /// By time, then by alliance: of two lines that overlap the later is invalid, wherever it was opened.
    public private(set) var openings: [PublicLog.Opening] = []

    public subscript(alliance: TopicID) -> PublicLog? { logs.first { $0.alliance == alliance } }
    public var alliances: [TopicID] { logs.map(\.alliance) }

    public var profile: Profile? { logs.lazy.compactMap(\.profile).first }
    public var offers: [PublicLog.StandingOffer] { logs.flatMap(\.offers) }
    public var wishes: [PublicLog.StandingWish] {
        logs.flatMap(\.wishes.values).sorted { ($0.time, $0.id) < ($1.time, $1.id) }
    }
    public var newerAt: Int64? { logs.lazy.compactMap(\.newerAt).first }
    public var folded: Int64 { logs.reduce(0) { $0 + $1.folded } }

    /// When the key of this key entry first went on in public, and why.
    public func change(to key: EntryID) -> PublicLog.KeyChange? {
        logs.lazy.flatMap(\.keyChanges).filter { $0.key == key }.min { $0.time < $1.time }
    }

    /// The opening that counts: the first, though the line be opened in another alliance again.
    public func opening(of log: LogID) -> PublicLog.Opening? { openings.first { $0.log == log } }

    /// The earlier valid line that `terms` would sell a second time.
    public func clash(of terms: LineTerms, source: LogID?) -> LogID? {
        Self.clash(of: terms, source: source, after: openings[...])
    }

    private static func clash(
        of terms: LineTerms, source: LogID?, after earlier: ArraySlice<PublicLog.Opening>
    ) -> LogID? {
        earlier.first {
            $0.clashesWith == nil && $0.terms.overlaps(terms) && $0.log != source
                && !planted(.overlappingLines)
        }?.log
    }

    fileprivate mutating func fold(_ entry: Entry, _ alliance: TopicID) -> Range<Int> {
        let place = logs.firstIndex { $0.alliance >= alliance } ?? logs.endIndex
        if place == logs.endIndex || logs[place].alliance != alliance {
            logs.insert(PublicLog(author: entry.header.author, alliance: alliance), at: place)
        }
        let known = logs[place].openings.count
        // In its place: a copy for each entry would make a long log cost its square.
        logs[place].fold(entry)
        guard logs[place].openings.count > known, let opening = logs[place].openings.last else {
            return 0..<0
        }
        return insert(opening)
    }

    private mutating func insert(_ opening: PublicLog.Opening) -> Range<Int> {
        let place =
            openings.lastIndex {
                ($0.time, $0.alliance) <= (opening.time, opening.alliance)
            }.map { $0 + 1 } ?? 0
        openings.insert(opening, at: place)
        openings[place].clashesWith = clash(at: place)
        // An earlier one may undo a later one that undid a third. What none of these touches stays.
        var changed = [openings[place]]
        for index in place + 1..<openings.count {
            let one = openings[index]
            guard changed.contains(where: { $0.log == one.log || $0.terms.overlaps(one.terms) })
            else { continue }
            openings[index].clashesWith = clash(at: index)
            if openings[index] != one { changed.append(one) }
        }
        return place..<openings.count
    }

    private func clash(at index: Int) -> LogID? {
        let (one, earlier) = (openings[index], openings[..<index])
        if earlier.contains(where: { $0.log == one.log }) { return one.log }
        return Self.clash(of: one.terms, source: one.source, after: earlier)
    }
}

/// Every public log of the alliances that a node takes part in.
public struct Book: Sendable {
    private var words: TreeDictionary<DID, PublicWord> = [:]
    private var spokenIn: TreeDictionary<EntryID, Place> = [:]

    private struct Place: Sendable {
        let author: DID
        let alliance: TopicID
    }

    public init() {}

    public subscript(author: DID) -> PublicWord? { words[author] }
    public var authors: [DID] { words.keys.sorted() }
    /// How many they are.
    public var count: Int { words.count }

    /// Which openings of its author are new, or may count otherwise than before.
    @discardableResult
    public mutating func fold(_ entry: Entry) -> Range<Int> {
        guard let topic = entry.header.topic else { return 0..<0 }
        if [.offer, .wish].contains(entry.kind) {
            spokenIn[entry.id] = Place(author: entry.header.author, alliance: topic)
        }
        return words[entry.header.author, default: PublicWord()].fold(entry, topic)
    }

    /// Offers that can still be taken at `now`, by author and age.
    public func standing(at now: Instant) -> [PublicLog.StandingOffer] {
        authors.flatMap { author in
            (words[author]?.offers ?? []).filter { !$0.withdrawn && now <= $0.offer.until }
        }
    }

    public func offer(_ id: EntryID) -> PublicLog.StandingOffer? {
        spokenIn[id].flatMap { words[$0.author]?[$0.alliance]?.offer(id) }
    }

    /// `nil` where it was withdrawn.
    public func wish(_ id: EntryID) -> PublicLog.StandingWish? {
        spokenIn[id].flatMap { words[$0.author]?[$0.alliance]?.wish(id) }
    }

    /// The opening of a line log, with its issuer.
    public func opening(of log: LogID) -> (issuer: DID, opening: PublicLog.Opening)? {
        for author in authors {
            if let found = words[author]?.opening(of: log) { return (author, found) }
        }
        return nil
    }
}

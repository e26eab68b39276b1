public import Capacity
public import Identity
internal import HashTreeCollections

/// What an offer asks or a wish would pay, as far as it can be compared.
public struct Quote: Hashable, Comparable, Sendable {
    /// Minor units for one unit, all taken, the premium with it; the greatest where no price is named. Of
    /// a wish below zero, so that whoever would pay most comes first.
    public let allIn: Int64
    /// Of its currency: yen have none, and are not taken for hundredths.
    public let decimals: Int
    public let time: Instant
    /// The offer, or the wish.
    public let offer: EntryID
    public let author: DID
    public let alliance: TopicID
    /// What it is for, where it names a line.
    public let resource: Resource?
    /// Taken until then.
    public let until: Instant

    public init(
        allIn: Int64, decimals: Int = 2, time: Instant, offer: EntryID, author: DID,
        alliance: TopicID, resource: Resource?, until: Instant
    ) {
        self.allIn = allIn
        self.decimals = decimals
        self.time = time
        self.offer = offer
        self.author = author
        self.alliance = alliance
        self.resource = resource
        self.until = until
    }

    /// The number as people write it, in ten-thousandths: no currency has more decimals. What it is worth in
    /// another currency nobody here can say.
    private var written: Int128 {
        (min(decimals, 4)..<4).reduce(Int128(allIn)) { sum, _ in sum * 10 }
    }

    public static func < (left: Self, right: Self) -> Bool {
        if left.decimals == right.decimals {
            if left.allIn != right.allIn { return left.allIn < right.allIn }
        } else if left.written != right.written {
            return left.written < right.written
        }
        if left.time != right.time { return left.time < right.time }
        return left.offer < right.offer
    }
}

/// Offers that stand, or wishes, by resource, the best first: what a reader of the market asks for is found
/// without looking at the rest.
public struct OrderBook: Sendable {
    private var quotes: TreeDictionary<EntryID, Quote> = [:]
    /// Under each resource and each path above it; all of them under the empty one.
    private var shelves: TreeDictionary<String, SortedChunks<Quote>> = [:]
    private var ends = SortedChunks<End>()

    private struct End: Comparable, Sendable {
        let until: Instant
        let offer: EntryID

        static func < (left: Self, right: Self) -> Bool {
            left.until != right.until ? left.until < right.until : left.offer < right.offer
        }
    }

    public init() {}

    public var count: Int { quotes.count }
    public subscript(offer: EntryID) -> Quote? { quotes[offer] }

    /// Those for `resource` and what lies below it; all of them under the empty path.
    public func quotes(under resource: String) -> SortedChunks<Quote> {
        shelves[resource] ?? SortedChunks()
    }

    /// Every path that has quotes, the empty one left out.
    public var resources: [String] { shelves.keys.filter { !$0.isEmpty }.sorted() }

    /// Puts `quote` in the place of what its offer asked before.
    public mutating func list(_ quote: Quote) {
        remove(quote.offer)
        quotes[quote.offer] = quote
        for path in Self.paths(of: quote) {
            shelves[path, default: SortedChunks()].insert(quote)
        }
        ends.insert(End(until: quote.until, offer: quote.offer))
    }

    public mutating func remove(_ offer: EntryID) {
        guard let quote = quotes.removeValue(forKey: offer) else { return }
        for path in Self.paths(of: quote) {
            shelves[path]?.remove(quote)
            if shelves[path]?.isEmpty == true { shelves[path] = nil }
        }
        ends.remove(End(until: quote.until, offer: offer))
    }

    /// Leaves out what can no longer be taken.
    public mutating func drop(before now: Instant) {
        while let first = ends.first, first.until < now { remove(first.offer) }
    }

    private static func paths(of quote: Quote) -> [String] {
        guard let path = quote.resource?.path else { return [""] }
        return [""] + path.indices.filter { path[$0] == "/" }.map { String(path[..<$0]) } + [path]
    }
}

import Capacity
import Entries
import Identity
import Market
import Testing

/// The fold of public logs, entry by entry.
@Suite struct PublicLogTests {
    static let author = DID(key.publicKey)
    static let key = SigningKey(seed: SecretBytes([UInt8](repeating: 7, count: 32)))!
    static let topic = TopicID(SHA256.hash([1]))
    static let now = try! Instant(milliseconds: 1_795_000_000_000)

    struct Play {
        var book = Book()
        private var count: Int64 = 0
        private var last: EntryID?

        @discardableResult
        mutating func say(kind: Int64, _ body: [UInt8]) throws -> EntryID {
            count += 1
            let entry = try ValidEntry(
                signing: Header(
                    kind: kind, author: author, key: EntryID(SHA256.hash([2])), topic: topic,
                    time: now, bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .log(
                        .init(
                            log: .publicLog(author: author, alliance: topic), sequence: count,
                            previous: last))), body: body, by: key)
            last = entry.id
            book.fold(entry.entry)
            return entry.id
        }

        @discardableResult
        mutating func say<Body: EntryBody>(_ body: Body) throws -> EntryID {
            try say(kind: Body.kind.rawValue, body.wire)
        }

        @discardableResult
        mutating func open(
            _ resource: String, days: ClosedRange<Int64>, unit: String = "C62",
            source: LogID? = nil
        ) throws -> LogID {
            let terms = LineTerms(
                resource: try Resource(resource),
                window: try Window(
                    start: now.advanced(by: days.lowerBound * 86_400_000),
                    end: now.advanced(by: days.upperBound * 86_400_000), offsetMinutes: 480),
                unit: try UnitCode(unit))
            try say(LineOpening(terms: terms, source: source))
            return .line(author: author, terms)
        }

        func clash(_ log: LogID) -> LogID? { book[author]?.opening(of: log)?.clashesWith }
    }

    @Test func `of two lines that overlap the later is invalid`() throws {
        var play = Play()
        let first = try play.open("print/letterpress", days: 10...17)
        let beside = try play.open("print/offset", days: 10...17)
        let after = try play.open("print/letterpress", days: 17...24)
        let same = try play.open("print/letterpress", days: 12...13)
        let nested = try play.open("print/letterpress/a5", days: 16...20)
        let above = try play.open("print", days: 9...11)
        #expect(play.clash(first) == nil)
        #expect(play.clash(beside) == nil)
        #expect(play.clash(after) == nil)
        #expect(play.clash(same) == first)
        #expect(play.clash(nested) != nil)
        #expect(play.clash(above) == first)
    }

    @Test func `a line that names the line it is carved from is valid`() throws {
        var play = Play()
        let whole = try play.open("print/letterpress", days: 10...17)
        let part = try play.open("print/letterpress/a5", days: 10...17, source: whole)
        let stranger = try play.open(
            "print/letterpress/a4", days: 10...17, source: LogID(SHA256.hash([3])))
        #expect(play.clash(part) == nil)
        #expect(play.clash(stranger) == whole)
        #expect(play.book.opening(of: part)?.issuer == Self.author)
    }

    @Test func `an invalid line invalidates no later one, and a second opening is no second line`()
        throws
    {
        var play = Play()
        try play.open("print", days: 10...12)
        let bad = try play.open("print", days: 11...20)
        let good = try play.open("print", days: 15...18)
        #expect(play.clash(bad) != nil)
        #expect(play.clash(good) == nil)
        try play.open("print", days: 15...18)
        #expect(play.book[Self.author]?.openings.count == 3)
    }

    static func offer(until: Instant) -> Offer {
        Offer(
            template: SHA256.hash([4]), line: nil, arguments: [], maxUnits: 200, lot: 10,
            until: until)
    }

    @Test func `of two lines in two alliances the later is invalid, whichever is read first`()
        throws
    {
        let other = TopicID(SHA256.hash([6]))
        func opening(_ resource: String, in topic: TopicID, at hour: Int64) throws -> Entry {
            let body = LineOpening(
                terms: LineTerms(
                    resource: try Resource(resource),
                    window: try Window(
                        start: Self.now, end: Self.now.advanced(by: 86_400_000),
                        offsetMinutes: 0), unit: try UnitCode("C62"))
            ).wire
            return try ValidEntry(
                signing: Header(
                    kind: Kind.lineOpening.rawValue, author: Self.author,
                    key: EntryID(SHA256.hash([2])), topic: topic,
                    time: Self.now.advanced(by: hour * 3_600_000), bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .log(
                        .init(
                            log: .publicLog(author: Self.author, alliance: topic), sequence: 1,
                            previous: nil))), body: body, by: Self.key
            ).entry
        }
        func verdicts(_ entries: [Entry]) -> [String] {
            var book = Book()
            for entry in entries { book.fold(entry) }
            return book[Self.author]?.openings.map {
                "\($0.alliance == other) \($0.terms.resource.path) \($0.clashesWith == nil)"
            } ?? []
        }
        let wide = try opening("print", in: Self.topic, at: 1)
        for resource in ["print/offset", "print"] {
            let (before, after) = (
                try opening(resource, in: other, at: 0), try opening(resource, in: other, at: 2)
            )
            let first = ["true \(resource) true", "false print false"]
            #expect(verdicts([before, wide]) == first)
            #expect(verdicts([wide, before]) == first)
            let second = ["false print true", "true \(resource) false"]
            #expect(verdicts([after, wide]) == second)
            #expect(verdicts([wide, after]) == second)
        }
    }

    @Test func `an offer stands until it is withdrawn or its time is over`() throws {
        var play = Play()
        let end = Self.now.advanced(by: 1_000)
        let one = try play.say(Self.offer(until: end))
        let two = try play.say(Self.offer(until: end))
        #expect(play.book.standing(at: end).map(\.id) == [one, two])
        #expect(play.book.standing(at: end.advanced(by: 1)).isEmpty)
        try play.say(Withdrawal(offer: one))
        #expect(play.book.standing(at: end).map(\.id) == [two])
        #expect(play.book.offer(one)?.withdrawn == true)
        // What was never offered is not missed.
        try play.say(Withdrawal(offer: EntryID(SHA256.hash([5]))))
        #expect(play.book.standing(at: end).map(\.id) == [two])
    }

    @Test func `a kind of a newer program ends the fold and changes nothing before it`() throws {
        var play = Play()
        try play.say(Profile(name: "bob"))
        let one = try play.say(Self.offer(until: Self.now))
        try play.say(kind: 26, [1, 2, 3])
        try play.say(Profile(name: "mallory"))
        try play.say(Withdrawal(offer: one))
        #expect(play.book[Self.author]?.newerAt == 3)
        #expect(play.book[Self.author]?.folded == 5)
        #expect(play.book[Self.author]?.profile?.name == "bob")
        #expect(play.book.standing(at: Self.now).map(\.id) == [one])
    }

    @Test func `a body that does not read has no effect`() throws {
        var play = Play()
        try play.say(kind: Kind.profile.rawValue, [0xff])
        try play.say(kind: Kind.offer.rawValue, [0x08])
        try play.say(Profile(name: "bob"))
        #expect(play.book[Self.author]?.profile?.name == "bob")
        #expect(play.book[Self.author]?.offers.isEmpty == true)
        #expect(play.book[Self.author]?.newerAt == nil)
    }
}

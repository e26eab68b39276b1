import Capacity
import Identity
import Market
import Testing

@Suite struct OrderBookTests {
    private static let now = Instant.earliest.advanced(by: 1_795_222_800_000)

    private static func quote(
        _ number: Int, at price: Int64, for path: String? = nil, days: Int64 = 30
    ) throws -> Quote {
        Quote(
            allIn: price, time: now,
            offer: SHA256.hash([UInt8(number >> 8), UInt8(number & 255)]).of(),
            author: .zero, alliance: .zero, resource: try path.map { try Resource($0) },
            until: now.advanced(by: days * 86_400_000))
    }

    @Test func `the cheapest comes first, under its resource and every path above it`() throws {
        var book = OrderBook()
        let dear = try Self.quote(1, at: 900, for: "print/a5/duplex")
        let cheap = try Self.quote(2, at: 700, for: "print/a5")
        let other = try Self.quote(3, at: 800, for: "press")
        let bare = try Self.quote(4, at: .max)
        for quote in [dear, bare, other, cheap] { book.list(quote) }
        let table: [(String, [Quote])] = [
            ("", [cheap, other, dear, bare]), ("print", [cheap, dear]),
            ("print/a5", [cheap, dear]), ("print/a5/duplex", [dear]), ("press", [other]),
            ("pre", []), ("print/a", []),
        ]
        for (path, expected) in table {
            #expect(Array(book.quotes(under: path)) == expected, "under “\(path)”")
        }
        #expect(book.resources == ["press", "print", "print/a5", "print/a5/duplex"])
    }

    @Test func `an offer asks one price: the last one listed`() throws {
        var book = OrderBook()
        book.list(try Self.quote(1, at: 900, for: "print"))
        let better = try Self.quote(1, at: 700, for: "press")
        book.list(better)
        #expect(Array(book.quotes(under: "")) == [better])
        #expect(Array(book.quotes(under: "print")).isEmpty && book.resources == ["press"])
        book.remove(better.offer)
        #expect(book.count == 0 && book.resources.isEmpty)
    }

    @Test func `what can no longer be taken is dropped, and nothing else`() throws {
        var book = OrderBook()
        let short = try Self.quote(1, at: 1, days: 1)
        let long = try Self.quote(2, at: 2, days: 2)
        book.list(long)
        book.list(short)
        book.drop(before: short.until)
        #expect(Array(book.quotes(under: "")) == [short, long])
        book.drop(before: short.until.advanced(by: 1))
        #expect(Array(book.quotes(under: "")) == [long])
        #expect(book[short.offer] == nil)
    }

    @Test
    func `thousands that come and go stay in order, as a plain list that is sorted each time`()
        throws
    {
        var book = OrderBook()
        var plain: [EntryID: Quote] = [:]
        // A walk over prices that meets each of them often.
        for round in 0..<6_000 {
            let number = round * 7_919 % 2_003
            let quote = try Self.quote(number, at: Int64(round * 31 % 97))
            if round % 3 == 2 {
                book.remove(quote.offer)
                plain[quote.offer] = nil
            } else {
                book.list(quote)
                plain[quote.offer] = quote
            }
            if round % 500 == 499 {
                let all = Array(book.quotes(under: ""))
                #expect(all == plain.values.sorted())
                #expect(book.count == plain.count)
            }
        }
        #expect(book.count > 1_000)
    }
}

extension Hash32 {
    fileprivate func of<K>() -> Fixed32<K> { Fixed32<K>(bytes) ?? .zero }
}

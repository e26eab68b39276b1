import Capacity
import Foundation
import Identity
import Market

/// The order book of many offers, a thousand for each resource and each craft some resources, beside an
/// indexed table of a database.
enum Offers {
    private static func craft(_ path: String) -> String { String(path.prefix { $0 != "/" }) }

    static func run(_ count: Int) async throws -> [String: Double] {
        let paths = (0..<max(count / 1_000, 1)).map { "craft-\($0 / 10)/kind-\($0)" }
        let resources = try paths.map { try Resource($0) }
        var quotes: [Quote] = []
        quotes.reserveCapacity(count)
        for number in 0..<count {
            let seed = SHA256.hash(Array("\(number)".utf8))
            let dice = seed.bytes.prefix(4).reduce(0) { $0 << 8 | Int64($1) }
            guard let id = EntryID(seed.bytes) else { throw BenchRefusal.setUp("id") }
            quotes.append(
                Quote(
                    allIn: dice % 100_000, time: benchStart.advanced(by: Int64(number)), offer: id,
                    author: .zero, alliance: .zero,
                    resource: resources[Int(dice / 7) % paths.count],
                    until: benchStart.advanced(by: 86_400_000)))
        }
        var begun = seconds()
        var book = OrderBook()
        for quote in quotes { book.list(quote) }
        let listing = (seconds() - begun) / Double(count)
        return try await inFolder { folder in
            let bare = try BareDatabase("\(folder)/offers.sqlite")
            try bare.run(
                """
                CREATE TABLE offer (craft TEXT, resource TEXT, allIn INTEGER, time INTEGER, id BLOB,
                    until INTEGER, PRIMARY KEY (resource, allIn, time, id)) STRICT, WITHOUT ROWID;
                CREATE INDEX byCraft ON offer (craft, allIn, time, id, until);
                BEGIN
                """)
            for quote in quotes {
                try bare.run(
                    "INSERT INTO offer VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        .text(craft(quote.resource?.path ?? "")), .text(quote.resource?.path ?? ""),
                        .number(quote.allIn),
                        .number(quote.time.milliseconds), .bytes(quote.offer.bytes),
                        .number(quote.until.milliseconds),
                    ])
            }
            try bare.run("COMMIT")
            var times: [String: [Double]] = [:]
            func time(_ what: String, _ work: () throws -> Int) throws {
                begun = seconds()
                let found = try work()
                times[what, default: []].append(seconds() - begun)
                guard found == 20 else { throw BenchRefusal.setUp("\(found) found by \(what)") }
            }
            let now = benchStart
            for round in 0..<5_000 {
                let path = paths[round * 7_919 % paths.count]
                // The best twenty for a resource; for a craft, those at most so dear.
                try time("top") {
                    book.quotes(under: path).lazy.filter { $0.until >= now }.prefix(20)
                        .reduce(0) { sum, _ in sum + 1 }
                }
                try time("bare_top") {
                    try bare.rows(
                        "SELECT id, allIn FROM offer WHERE resource = ? AND until >= ? "
                            + "ORDER BY allIn, time, id LIMIT 20",
                        [.text(path), .number(now.milliseconds)])
                }
                try time("search") {
                    book.quotes(under: craft(path)).lazy
                        .filter { $0.allIn <= 50_000 && $0.until >= now }.prefix(20)
                        .reduce(0) { sum, _ in sum + 1 }
                }
                try time("bare_search") {
                    try bare.rows(
                        "SELECT id, allIn FROM offer WHERE craft = ? AND allIn <= 50000 "
                            + "AND until >= ? ORDER BY allIn, time, id LIMIT 20",
                        [.text(craft(path)), .number(now.milliseconds)])
                }
            }
            var figures = ["offers": Double(count), "list_us": listing * 1e6]
            for (what, all) in times {
                let sorted = all.sorted()
                figures["\(what)_p50_us"] = sorted[sorted.count / 2] * 1e6
                figures["\(what)_p99_us"] = sorted[sorted.count * 99 / 100] * 1e6
            }
            return figures
        }
    }
}

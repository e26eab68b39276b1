import Capacity
import Entries
import Foundation
import Identity
import Testing

extension ProcessTests {
    @Suite struct AnswerTests {
        @Test(.timeLimit(.minutes(3)))
        func `taking back, declining and denying answer with what became of it`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            let buy: KeyValuePairs = ["offer": trade.offer, "units": "100", "arbiter": "judge"]
            let declined = try await trade.maker("option buy", buy)["id"].text
            try await trade.press.reaches(declined, "proposed", "agreed")
            let no = try await trade.press(
                "contract decline", ["contract": declined, "reason": "a full week"])
            Self.expectContract(no, declined, outcome: "declined", role: "issuer")
            #expect(no["grade"].text == "proposed")

            let cancelled = try await trade.maker("option buy", buy)["id"].text
            let back = try await trade.maker("contract cancel", ["contract": cancelled])
            Self.expectContract(back, cancelled, outcome: "cancelled", role: "holder")

            trade.option = try await trade.maker("option buy", buy)["id"].text
            try await trade.agree(trade.option)
            let number: KeyValuePairs = ["contract": trade.option, "record": "1"]
            try await trade.maker(
                "pay state",
                [
                    "contract": trade.option, "record": "1", "channel": "bank",
                    "reference": "T1", "wait": "60",
                ])
            try await trade.press.record(trade.option, "main", "premium_due.stated")
            let denied = try await trade.press("pay deny", number)
            #expect(denied["asked"].text == "sequenced")
            #expect(denied["step"].number == 3)
            #expect(denied["request"] == .none && denied["child"] == .none)
            Self.expectContract(
                denied["contract"], trade.option, outcome: "disputed", role: "issuer")
            let again = try await trade.press.run("pay deny", number, ["--yes"])
            HomeTests.expectOneLine(again, "500.00 CNY", "record 1", "pay deny")

            let withdrawn = try await trade.press("offer withdraw", ["offer": trade.offer])
            #expect(withdrawn["id"].text == trade.offer)
            #expect(withdrawn["withdrawn"].isTrue && withdrawn["open"] == .truth(false))
            #expect(withdrawn["issuer"].text == trade.press.did)
            #expect(withdrawn["max_units"].number == 200 && withdrawn["lot"].number == 10)
            #expect(withdrawn["parameters"]["premium"]["value"].number == 50000)

            let less = try await trade.press.run(
                "line adjust", ["line": trade.line, "total": "90", "reason": "x"], ["--yes"])
            HomeTests.expectOneLine(less, "--total", "100", "90")
        }

        @Test(.timeLimit(.minutes(3)))
        func `the same request again says that the first still waits`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            trade.option = try await trade.maker(
                "option buy", ["offer": trade.offer, "units": "100", "arbiter": "judge"])["id"].text
            try await trade.agree(trade.option)
            #expect(try await trade.press.stop() == 0)
            let pay: KeyValuePairs = [
                "contract": trade.option, "record": "1", "channel": "bank", "reference": "T1",
            ]
            #expect(try await trade.maker("pay state", pay)["again"] == .none)
            let words = [
                ("en", "asked for the same", "at most one"), ("zh", "相同的请求", "至多一项"),
            ]
            for (lang, same, most) in words {
                for way in ["--dry-run", "--yes"] {
                    let said = try await trade.maker.run("pay state", pay, [way], lang: lang)
                    #expect(said.status == 0 && said.out.contains(same), "\(said)")
                    #expect(said.out.contains(most) && said.out.contains("press"), "\(said)")
                }
            }
            // Another one is another one.
            let other = try await trade.maker(
                "pay state",
                ["contract": trade.option, "record": "1", "channel": "bank", "reference": "T2"])
            #expect(other["again"] == .none)
        }

        static func expectContract(_ found: Found, _ id: String, outcome: String, role: String) {
            #expect(found["id"].text == id)
            #expect(found["outcome"].text == outcome, "\(found)")
            #expect(found["template"].text == "capacity-option")
            #expect(found["my_roles"].items == [.string(role)])
            #expect(found["roles"].fields.keys.sorted() == ["arbiter", "holder", "issuer"])
            #expect(found["waits_for_me"] == .truth(false))
            #expect(found["verbs"].items.isEmpty)
        }

        @Test func `an id's beginning that fits two is refused with both named`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let (one, other) = try Self.alike(studio.did)
            try await studio.start()
            for resource in [one.resource, other.resource] {
                try await studio(
                    "line declare",
                    [
                        "resource": resource, "start": Self.start, "end": Self.end, "total": "5",
                    ])
            }
            let prefix = String(one.id.prefix(6))
            for (lang, words) in [("en", "begins 2 ids"), ("zh", "2 个编号")] {
                let ended = try await studio.run(["line", "show", "--line", prefix], lang: lang)
                HomeTests.expectOneLine(
                    ended, "--line", "“\(prefix)”", words, String(one.id.prefix(12)),
                    String(other.id.prefix(12)))
            }
            let adjust = try await studio.run(
                "line adjust", ["line": prefix, "total": "6", "reason": "x"], ["--yes", "--json"])
            #expect(adjust.status == 2)
            #expect(try adjust.json["refusal"]["code"].text == "id_ambiguous")
            let clear = try await studio("line show", ["line": String(other.id.prefix(12))])
            #expect(clear["lines"].items.map { $0["id"].text } == [other.id])
            #expect(clear["lines"].items.map { $0["total"].number } == [5])
        }

        private static let start = "2030-01-01T00:00Z"
        private static let end = "2030-01-08T00:00Z"

        /// Two resources whose lines have ids that begin alike: a line's id follows from its terms.
        private static func alike(_ did: String) throws -> (
            (resource: String, id: String), (resource: String, id: String)
        ) {
            _ = Sodium.start()
            let author = try #require(DID(did: did))
            let begin = try #require(CivilTime.read(start)?.instant)
            let over = try #require(CivilTime.read(end)?.instant)
            let window = try Window(start: begin, end: over, offsetMinutes: 0)
            let piece = try UnitCode("C62")
            var seen: [String: (resource: String, id: String)] = [:]
            for number in 0..<200_000 {
                let name = "print/\(number)"
                let terms = LineTerms(resource: try Resource(name), window: window, unit: piece)
                let found = (resource: name, id: LogID.line(author: author, terms).hex)
                let prefix = String(found.id.prefix(6))
                if let other = seen.updateValue(found, forKey: prefix) { return (other, found) }
            }
            throw Broken("no two lines begin alike")
        }
    }
}

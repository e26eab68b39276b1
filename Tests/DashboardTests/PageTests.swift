import Capacity
import Contracts
import Foundation
import Identity
import Mustache
import Testing

@testable import Dashboard

/// The pages without a browser: files, words, figures, and who is shown what.
@Suite(.serialized) struct PageTests {
    private static let room = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "Sources/Dashboard")

    @Test func `the program carries exactly the files of the folder`() throws {
        let folder = Self.room.appending(path: "Page")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(names) == Set(PageFiles.all.keys), "run scripts/embed")
        for name in names {
            let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            #expect(PageFiles.all[name] == text, "\(name): run scripts/embed")
        }
    }

    @Test func `every word that a page uses stands in both languages, and no other`() throws {
        var used: Set<String> = []
        for (name, text) in PageFiles.all where name.hasSuffix(".mustache") {
            for match in text.matches(of: /\{\{[#\^]?w\.([A-Za-z_0-9]+)\}\}/) {
                used.insert(String(match.1))
            }
        }
        var stems: Set<String> = []
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.room.path)
        for file in files where file.hasSuffix(".swift") {
            if ["DeskWords.swift", "JSON.swift"].contains(file) { continue }
            let text = try String(contentsOf: Self.room.appending(path: file), encoding: .utf8)
            for match in text.matches(of: /"([A-Za-z_0-9]+)"/) { used.insert(String(match.1)) }
            for match in text.matches(of: /"([a-z]+_)("|\\)/) { stems.insert(String(match.1)) }
            for match in text.matches(of: /word\(\s*"([A-Za-z_0-9]+)"/) {
                let key = String(match.1)
                #expect(DeskWords.all[key] != nil || key.hasSuffix("_"), "\(file) says \(key)")
            }
        }
        for (name, text) in PageFiles.all where name.hasSuffix(".mustache") {
            for match in text.matches(of: /w\.([A-Za-z_0-9]+)/) {
                #expect(DeskWords.all[String(match.1)] != nil, "\(name) says \(match.1)")
            }
        }
        let keys = DeskWords.table.map(\.0)
        #expect(Set(keys).count == keys.count)
        for (key, en, zh) in DeskWords.table {
            #expect(!en.isEmpty && !zh.isEmpty)
            #expect(zh.unicodeScalars.contains { $0.value > 0x2E80 } || en == zh, "\(key): \(zh)")
            #expect(
                used.contains(key) || stems.contains { key.hasPrefix($0) }, "\(key) is not used")
        }
        // What is put together from a stem.
        for grade in ["proposed", "agreed", "sequenced", "witnessed", "settled"] {
            #expect(keys.contains("grade_" + grade))
        }
        for outcome in ContractOutcome.allCases {
            #expect(keys.contains("outcome_" + outcome.rawValue))
        }
    }

    @Test func `figures are written as their reader writes them`() throws {
        let now = try #require(CivilTime.read("2026-11-21T09:00+08:00")?.instant)
        let english = Figures(.en, now: now, zone: { _ in 480 })
        let chinese = Figures(.zh, now: now, zone: { _ in 480 })
        let yuan = try Currency("CNY")
        #expect(english.money(123_450, yuan) == "¥1,234.50")
        #expect(english.money(-1_900, yuan) == "−¥19.00")
        #expect(try chinese.money(5, Currency("USD")) == "USD 0.05")
        #expect(english.units(1_000, "C62") == "1,000 pcs")
        #expect(chinese.units(7, "HUR") == "7 小时")
        let later = now.advanced(by: 50 * 3_600_000)
        #expect(english.left(until: later) == "2 days left")
        #expect(chinese.left(until: later) == "还剩 2 天")
        #expect(english.left(until: now.advanced(by: -3 * 3_600_000)) == "3 hours overdue")
        #expect(english.moment(now) == "21 Nov 09:00")
        #expect(chinese.moment(now.advanced(by: 60 * 86_400_000)) == "2027年1月20日 09:00")
        // That Saturday lies in the week of the 16th.
        #expect(english.weekName(english.monday(of: now)) == "16 Nov – 22 Nov")
        #expect(
            chinese.local("单价 1,800.50 CNY，至 2026-11-22 01:30:00 +00:00。")
                == "单价 ¥1,800.50，至 11月22日 09:30。")
        #expect(english.local("(9.00 CNY) CNY and CNY 5") == "(¥9.00) CNY and CNY 5")
        #expect(
            chinese.local("我申报 pen 300 C62，自 2026-11-22T01:30:00Z 至 2026-11-22T01:30:00.000Z。")
                == "我申报 pen 300 件，自 11月22日 09:30 至 11月22日 09:30。")
        #expect(english.local("3500.00 CNY, 12.5 CNY") == "¥3,500.00, ¥12.5")
        #expect(english.local("C62 of T and Z, 7 HUR.") == "C62 of T and Z, 7 h.")
    }

    @Test func `a time is typed and read on the clock of its own day, in summer and in winter`()
        throws
    {
        func read(_ text: String) throws -> Instant {
            try #require(CivilTime.read(text)?.instant)
        }
        let (spring, autumn) = (try read("2027-03-28T01:00Z"), try read("2027-10-31T01:00Z"))
        let berlin = Figures(.en, now: try read("2026-11-21T09:00Z")) {
            $0 >= spring && $0 < autumn ? 120 : 60
        }
        let options = Desk.options(
            [("t.start", "2027-07-05T00:00"), ("t.end", "2027-12-05T00:00")], berlin)
        #expect(options["start"] == ["2027-07-05T00:00+02:00"])
        #expect(options["end"] == ["2027-12-05T00:00+01:00"])
        #expect(berlin.moment(try read("2027-07-04T22:00Z")) == "5 Jul 2027 00:00")
        // Every week begins on a Monday at midnight, also that in which the clock was changed.
        var monday = berlin.monday(of: try read("2027-03-10T12:00Z"))
        for _ in 0..<40 {
            let time = berlin.civil(monday)
            #expect(time.hour == 0 && time.minute == 0, "\(time)")
            let next = berlin.monday(1, after: monday)
            #expect(berlin.monday(of: next.advanced(by: -1)) == monday)
            monday = next
        }
    }

    @Test func `a price is read with its decimals or not at all`() {
        let cases: [(String, Int64?)] = [
            ("19.50", 1_950), ("20.5", 2_050), ("¥1,234", 123_400), ("0.95", 95), ("200 x", nil),
            ("1.234", nil), ("", nil), (".5", nil), ("-3", nil), ("1.", nil),
            (String(repeating: "9", count: 17), nil),
        ]
        for (text, minor) in cases { #expect(Desk.minor(text) == minor, "\(text)") }
        #expect(Desk.minor("500", decimals: 0) == 500)
        #expect(Desk.minor("1.234", decimals: 3) == 1_234)
        #expect(Desk.minor("5.0", decimals: 0) == nil)
    }

    @Test func `a refusal on a page speaks of fields, not of options and commands`() async throws {
        let (world, _) = try await offered()
        let door = Door(world: world, name: "alice")
        let cases = [
            ("--units “210”: wanted at most 200", "Quantity “210”: wanted at most 200"),
            ("--offer “a” was withdrawn; see: talea offer list", "Offer “a” was withdrawn"),
            ("missing: --premium, --max-units", "missing: premium, At most in all"),
            ("they declare one first (talea line declare).", "they declare one first."),
        ]
        let said = try await door.read { node in
            let rooms = Rooms(node, .en, now: World.clock)
            return cases.map { rooms.plain($0.0) }
        }
        #expect(said == cases.map(\.1))
    }

    @Test func `a form's fields become options, times with their zone and money without its sign`()
    {
        let options = Desk.options(
            [
                ("o.units", " 10 "), ("m.premium", "¥1,234.50"), ("t.until", "2026-11-21T09:00"),
                ("o.empty", ""), ("verb", "x"), ("o.line", "a"), ("o.line", "b"),
                ("i.dates", "2026-12-01T09:00"), ("i.dates", ""), ("i.dates", "2026-12-08T09:00"),
            ], Figures(.en, now: World.clock, zone: { _ in 480 }))
        #expect(
            options == [
                "units": ["10"], "premium": ["1234.50"], "until": ["2026-11-21T09:00+08:00"],
                "line": ["a", "b"],
                "dates": ["[2026-12-01T09:00+08:00, 2026-12-08T09:00+08:00]"],
            ])
        #expect(
            Desk.options(
                [("t.x", "2026-11-21T09:00")], Figures(.en, now: World.clock, zone: { _ in -210 }))[
                    "x"] == [
                    "2026-11-21T09:00-03:30"
                ])
        for path in ["//evil.example", "https://evil.example", "/\\evil", "", "/a\r\nb"] {
            #expect(Desk.local(path) == "/")
        }
        #expect(Desk.local("/contracts?which=all") == "/contracts?which=all")
    }

    @Test
    func `every room is served whole to its owner, to nobody else, and to a reader without a form`()
        async throws
    {
        try await APITests.serving { port, _ in
            let (cookie, _) = try await APITests.enter(port)
            let (reader, _) = try await APITests.enter(port, reader: true)
            let paths = Desk.rooms.map(\.path) + ["/market/propose?template=studio-hours"]
            for path in paths {
                for language in ["en", "zh-CN"] {
                    let page = try await APITests.ask(
                        port, "GET", path, ["Cookie: \(cookie)", "Accept-Language: \(language)"])
                    #expect(page.status == 200, "\(path)")
                    #expect(page.body.contains("<html lang=\"\(language)\">"))
                    #expect(page.body.hasSuffix("</html>\n"), "\(path) is written to its end")
                    #expect(!page.body.contains("{{"))
                    // From there on it listens; what happens while it is on its way is not lost.
                    #expect(page.body.contains(/data-seen="[0-9a-f]+\.[0-9]+"/))
                    for header in [
                        "content-security-policy: default-src 'none'", "x-frame-options: deny",
                        "cross-origin-resource-policy: same-origin", "cache-control: no-store",
                    ] {
                        #expect(page.headers.lowercased().contains(header))
                    }
                    #expect(!page.headers.lowercased().contains("access-control"))
                }
                let stranger = try await APITests.ask(port, "GET", path, [])
                #expect(stranger.status == 401)
                #expect(!stranger.body.contains("did:key"))
                let looks = try await APITests.ask(port, "GET", path, ["Cookie: \(reader)"])
                #expect(!looks.body.contains("action=\"/act\""), "\(path)")
            }
            #expect(
                try await APITests.ask(port, "GET", "/nowhere", ["Cookie: \(cookie)"]).status == 404
            )
        }
    }

    @Test func `a contract is a page to print, with who signed and a code, and no script`()
        async throws
    {
        let (world, contract) = try await inForce()
        let commands = world.commands("alice")
        for language in [Language.en, .zh] {
            let id = try #require(ContractID(hex: contract))
            let paper = try await commands.paper(of: id, language, static: nil)
            for text in [await world.did("alice").did, contract, "<style>", "class=\"qr\"", "2026"]
            {
                #expect(paper.contains(text), "\(text)")
            }
            #expect(!paper.contains("<script") && !paper.contains("{{"))
        }
    }

    @Test func `a form shows a preview first, signs with its key once, and needs its own token`()
        async throws
    {
        try await APITests.serving { port, _ in
            let (cookie, _) = try await APITests.enter(port)
            let page = try await APITests.ask(port, "GET", "/capacity", ["Cookie: \(cookie)"]).body
            let token = try #require(
                page.firstMatch(of: /name="form-token" value="([0-9a-f]+)"/)?.1)
            func post(_ extra: String, token: String, _ origin: String? = nil) async throws
                -> APITests.Reply
            {
                try await APITests.ask(
                    port, "POST", "/act",
                    body: "form-token=\(token)&verb=line+declare&back=%2Fcapacity"
                        + "&o.resource=work%2Fpage&t.start=%2B40d&t.end=%2B47d&o.total=7" + extra,
                    [
                        "Cookie: \(cookie)", "Origin: \(origin ?? "http://127.0.0.1:\(port)")",
                        "Content-Type: application/x-www-form-urlencoded",
                    ])
            }
            func lines() async throws -> Int {
                try await APITests.ask(port, "GET", "/api/v1/line/show").json["lines"]?.array.count
                    ?? 0
            }
            let preview = try await post("", token: String(token))
            #expect(preview.status == 200)
            #expect(preview.body.contains("I declare 7 pcs of work/page"))
            #expect(try await lines() == 1)
            #expect(try await post("&sign=yes", token: "0").status == 403)
            #expect(
                try await post("&sign=yes", token: String(token), "http://evil.example").status
                    == 403)
            #expect(try await lines() == 1)
            let key = try #require(preview.body.firstMatch(of: /name="key" value="([0-9a-f]+)"/)?.1)
            for _ in 0..<2 {
                let signed = try await post("&sign=yes&key=\(key)", token: String(token))
                #expect(signed.status == 303)
                #expect(signed.headers.lowercased().contains("location: /capacity"))
            }
            #expect(try await lines() == 2)
            let again = try await APITests.ask(port, "GET", "/capacity", ["Cookie: \(cookie)"]).body
            #expect(again.contains("Signed."))
            let refused = try await post("&sign=yes", token: String(token))
            #expect(refused.status == 422)
            #expect(refused.body.contains("Nothing was signed, and nothing is lost."))
        }
    }

    @Test func `what changed under an open preview is shown again before it is signed`()
        async throws
    {
        let (world, contract) = try await shownHours()
        try await APITests.serving((world, "bob")) { port, world in
            let (cookie, _) = try await APITests.enter(port)
            let page = try await APITests.ask(
                port, "GET", "/contracts/\(contract)", ["Cookie: \(cookie)"]
            ).body
            let token = try #require(
                page.firstMatch(of: /name="form-token" value="([0-9a-f]+)"/)?.1)
            func post(_ extra: String) async throws -> APITests.Reply {
                try await APITests.ask(
                    port, "POST", "/act",
                    body: "form-token=\(token)&verb=contract+request&back=%2Fcontracts"
                        + "&o.contract=\(contract)&o.record=1&o.transition=confirm" + extra,
                    [
                        "Cookie: \(cookie)", "Origin: http://127.0.0.1:\(port)",
                        "Content-Type: application/x-www-form-urlencoded", "Accept-Language: en",
                    ])
            }
            func sign(_ preview: String) async throws -> APITests.Reply {
                let found = preview.matches(of: /name="(key|basis)" value="([0-9a-f]+)"/)
                try #require(found.count == 2, "\(preview)")
                return try await post(
                    "&sign=yes" + found.map { "&\($0.1)=\($0.2)" }.joined())
            }
            let first = try await post("")
            _ = try await ask(
                world, "alice", "hours correct",
                ["contract": [contract], "evidence": [String(repeating: "b", count: 64)]]
            ).get()
            let second = try await sign(first.body)
            #expect(second.status == 200)
            #expect(second.body.contains("data-preview"))
            #expect(second.body.contains("changed while you read"), "\(second.body)")
            #expect(try await sign(second.body).status == 303)
        }
    }

    @Test(arguments: [
        "\u{600}<form action=/act>", "\"\u{301} autofocus", "<\u{338}b>", "'\u{20dd}",
    ])
    func `no name brings a mark of HTML along inside a larger character`(_ name: String) throws {
        let template = try MustacheTemplate(string: "{{name}}")
        let shown = template.render(JSON.object([.init("name", .string(name))]).mustache)
        for written in [shown, Picture.safe(name)] {
            #expect(!written.unicodeScalars.contains { "<>\"'".unicodeScalars.contains($0) })
        }
    }
}

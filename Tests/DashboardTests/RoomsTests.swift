import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore
import Testing

@testable import Dashboard

/// What rooms draw: weeks, what falls due, and names that are too long.
@Suite struct RoomsTests {
    private static func day(_ days: Int64, hours: Int64 = 0) -> Instant {
        // A Monday at midnight here.
        Figures(.en, now: World.clock).monday(of: World.clock)
            .advanced(by: days * 86_400_000 + hours * 3_600_000)
    }

    private static func titles(_ svg: String) -> [String] {
        svg.matches(of: /<title>([^<]*)<\/title>/).map { String($0.1) }
    }

    private static func column(_ svg: String, _ text: String) -> String? {
        svg.matches(of: /<text [^>]*x="([0-9]+)"[^>]*>([^<]*)<\/text>/)
            .first { $0.2 == text }.map { String($0.1) }
    }

    @Test(
        .enabled(if: shipped("capacity-option") != nil),
        arguments: [
            // Days after a Monday: a week of Saturdays stands where most of it lies.
            (12, 19, [2]), (7, 14, [1]), (7, 28, [1, 2, 3]),
            // Less than half a week, cut in two: in the first half.
            (13, 15, [1]), (13, 16, [2]), (8, 9, [1]),
        ]) func `calendar and order book have a window in the same weeks`(
            _ start: Int64, _ end: Int64, _ weeks: [Int64]
        ) async throws
    {
        let file = try #require(shipped("capacity-option"))
        let world = try World(["alice", "bob"], templates: [file])
        func text(_ days: Int64) -> String {
            let time = CivilTime(Self.day(days), offsetMinutes: 0)
            func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + "\(number)" }
            return "\(time.date)T\(two(time.hour)):\(two(time.minute))Z"
        }
        let line = try await ask(
            world, "alice", "line declare",
            [
                "resource": ["work/studio"], "start": [text(start)], "end": [text(end)],
                "unit": ["HUR"], "total": ["1999"],
            ]
        ).get()
        _ = try await ask(
            world, "alice", "offer publish",
            [
                "template": ["capacity-option"], "line": [line["id"]?.string ?? ""],
                "max-units": ["200"], "lot": ["10"], "until": ["+3d"], "premium": ["5.00"],
                "strike": ["18.00"], "remedy": ["9.00"], "expiry": ["+60d"],
                "deliver-by": ["+70d"],
            ]
        ).get()
        let (calendar, books) = try await world.read("alice") { node in
            let rooms = Rooms(node, .en, now: World.clock)
            return (
                rooms.capacity(after: 0)["map"]?.string ?? "",
                rooms.market(Rooms.MarketFilter())["books"]?.array ?? []
            )
        }
        let figures = Figures(.en, now: World.clock)
        let names = weeks.map { figures.weekName(Self.day($0 * 7)) }
        #expect(books.map { $0["title"]?.string ?? "" } == names.map { "work/studio · " + $0 })
        let drawn = Self.titles(calendar).filter { $0.contains(", ") }
        #expect(
            drawn == names.map { "work/studio, \($0): 1,999 h free / 1,999 h" })
        #expect(calendar.contains(">1.9k</text>"))
    }

    @Test(.enabled(if: shipped("capacity-option") != nil))
    func `a price is sought as it is written, in whichever currency`() async throws {
        let file = try #require(shipped("capacity-option"))
        let world = try World(["alice", "bob"], templates: [file])
        for (number, currency, strike) in [
            (1, "CNY", "50.00"), (2, "JPY", "5000"), (3, "KWD", "5.000"),
        ] {
            let line = try await ask(
                world, "alice", "line declare",
                [
                    "resource": ["print/number\(number)"], "start": ["2026-12-07T00:00+08:00"],
                    "end": ["2026-12-14T00:00+08:00"], "total": ["100"],
                ]
            ).get()
            _ = try await ask(
                world, "alice", "offer publish",
                [
                    "template": ["capacity-option"], "line": [line["id"]?.string ?? ""],
                    "max-units": ["100"], "lot": ["10"], "until": ["+3d"],
                    "currency": [currency], "premium": ["0"], "strike": [strike],
                    "remedy": [strike], "expiry": ["+60d"], "deliver-by": ["+70d"],
                ]
            ).get()
        }
        for (most, found) in [(nil, 3), (60_00, 2), (10_00, 1), (4_00, 0)] as [(Int64?, Int)] {
            let rows = try await world.read("alice") { node in
                var filter = Rooms.MarketFilter()
                filter.most = most
                return Rooms(node, .en, now: World.clock).market(filter)["rows"]?.array ?? []
            }
            #expect(rows.count == found, "\(most.map(String.init) ?? "any")")
        }
    }

    @Test func `what does not fit a cell is written short and never as more than there is`() {
        let cases: [(Int64, String)] = [
            (0, "0"), (999, "999"), (1_000, "1k"), (1_999, "1.9k"), (9_999, "9.9k"),
            (10_999, "10k"), (999_999, "999k"), (1_950_000, "1.9M"), (.max, "9223372036G"),
        ]
        for (count, text) in cases { #expect(Rooms.brief(count) == text) }
    }

    @Test func `a long name is cut before what stands beside it, and whole under the pointer`() {
        for name in ["print/notebook/a5", String(repeating: "m", count: 60)] {
            var picture = Picture(width: 200, height: 20, says: "")
            picture.text(name, x: 0, y: 10, within: 172)
            #expect(picture.svg.contains("<title>\(name)</title>"))
            #expect(picture.svg.contains("…</text>") == (name.count > 20))
            #expect(picture.svg.contains("</title>\(name)</text>") == (name.count <= 20))
        }
    }

    @Test func `what is overdue stands first and pushes nothing out; each currency by itself`()
        async throws
    {
        let (world, offer) = try await offered()
        _ = try await ask(
            world, "alice", "line declare",
            [
                "resource": ["work/other"], "start": ["+10d"], "end": ["+17d"], "unit": ["HUR"],
                "total": ["300"],
            ]
        ).get()
        let lines = try await ask(world, "alice", "line show", ["resource": ["work/other"]]).get()
        let dollars = try await ask(
            world, "alice", "offer publish",
            [
                "template": ["studio-hours"],
                "line": [lines["lines"]?.array.first?["id"]?.string ?? ""], "max-units": ["200"],
                "lot": ["10"], "until": ["+5d"], "premium": ["7.00"], "expiry": ["+60d"],
                "currency": ["USD"],
            ]
        ).get()["id"]?.string
        for (offer, currency) in [(offer, "CNY"), (dollars ?? "", "USD")] {
            let made = try await ask(
                world, "bob", "hours buy",
                [
                    "offer": [offer], "units": ["10"], "arbiter": ["carol"],
                    "currency": [currency],
                ]
            ).get()
            for who in ["alice", "carol"] {
                _ = try await ask(
                    world, who, "contract accept", ["contract": [made["id"]?.string ?? ""]]
                ).get()
            }
        }
        func pictures(after days: Int64) async throws -> [JSON] {
            try await world.read("bob") { node in
                let now = World.clock.advanced(by: days * 86_400_000)
                return Rooms(node, .en, now: now).ledger(after: 0)["due_pictures"]?.array ?? []
            }
        }
        let soon = try await pictures(after: 0)
        #expect(soon.map { $0["currency"]?.string } == ["CNY", "USD"])
        for (picture, label) in zip(soon, ["¥5", "7"]) {
            let svg = picture["svg"]?.string ?? ""
            #expect(Self.column(svg, label) != Self.column(svg, "overdue"), "\(svg)")
            #expect(Self.column(svg, label) != nil)
        }
        // A quarter of a year later nobody has paid, and the weeks begin at that day.
        for (picture, label) in zip(try await pictures(after: 90), ["¥5", "7"]) {
            let svg = picture["svg"]?.string ?? ""
            #expect(Self.column(svg, label) == Self.column(svg, "overdue"))
            let later = World.clock.advanced(by: 90 * 86_400_000)
            let figures = Figures(.en, now: later)
            #expect(Self.column(svg, figures.shortDate(figures.monday(of: later))) != nil)
        }
    }

    @Test func `the people whom one knows are the others`() async throws {
        let (world, _) = try await offered()
        let people = try await world.read("alice") { node in
            Rooms(node, .en, now: World.clock).nodeRoom(
                DoorStatus(listening: "", dataBytes: 0, started: World.clock), log: [])["people"]
        }
        #expect(people?.number == 2)
    }

    @Test func `the way to the other language keeps what was asked for, and stays here`() {
        let visit = Desk.Visit(
            session: Sessions.Session(id: .zero, isReader: false), language: .en, isPhone: false,
            path: "/market",
            query: [("place", "上海 & //x"), ("units", ""), ("a=b", "1\r\n")], seen: "")
        #expect(
            visit.address
                == "/market?place=%E4%B8%8A%E6%B5%B7%20%26%20%2F%2Fx&a%3Db=1%0D%0A")
        #expect(Desk.local(visit.address) == visit.address)
        #expect(FormData.read(Gate.split(visit.address).query)?.last?.1 == "1\r\n")
    }

    @Test func `whoever comes without a link is told of the menu and of the command`() {
        for (language, entry) in [(Language.en, "choose Talea in the menu"), (.zh, "“符契”")] {
            #expect(DeskWords.all["enter_says"]?[language].contains(entry) == true)
        }
    }

    @Test func `a contract that does not go on has its ways out on its page`() async throws {
        let (world, contract) = try await inForce()
        let id = try #require(ContractID(hex: contract))
        func ways(_ name: String, _ language: Language = .en) async throws -> [JSON] {
            try await world.read(name) { node in
                Rooms(node, language, now: World.clock).waysOut(try #require(node.contracts[id]))
            }
        }
        // Alice sequences: nobody ends it without her but the others.
        #expect(try await ways("alice").map { $0["says"]?.string } == ["End it together"])
        let both = try await ways("bob")
        #expect(
            both.map { $0["says"]?.string?.prefix(20) } == [
                "End it together", "End it without alice",
            ])
        #expect(try await ways("bob", .zh).last?["says"]?.string?.hasPrefix("不经 alice") == true)
        // Hours and premium may count between those who sign, and not for her who does not.
        #expect(both.map { $0["fields"]?.array.count } == [2, 0])
        let premium = try #require(
            both[0]["fields"]?.array.first { $0["label"]?.string?.contains("5.00") == true })
        let post = try #require(premium["options"]?.array.first?["value"]?.string)
        let form = [("o.contract", contract), ("o.post", ""), ("o.post", post)]
        let options = Desk.options(form, Figures(.en, now: World.clock))
        #expect(options["post"] == [post])
        let shown = try await ask(world, "bob", "contract settle", options, dryRun: true).get()
        let says = try #require(shown["says"]?["en"]?.string)
        #expect(says.contains("5.00") && says.contains(" → "), "\(says)")
        try await Door(world: world, name: "bob").read { node in
            let rooms = Rooms(node, .en, now: World.clock)
            #expect(rooms.again("contract settle", form, back: "/")["fields"]?.array.count == 2)
            let given = rooms.given("contract settle", [("o.post", post)] + form.prefix(1))
            #expect(given.map { $0["label"]?.string } == [premium["label"]?.string])
        }
        let asked = try await ask(world, "bob", "contract settle", options).get()
        let request = try #require(asked["request"]?.string)
        for name in ["carol", "alice"] {
            _ = try await ask(
                world, name, "contract accept", ["contract": [contract], "request": [request]]
            ).get()
        }
        #expect(try await ways("bob").isEmpty)
        let over = try await world.read("bob") { $0.contracts[id]?.isOver }
        #expect(over == true)
    }

    @Test func `a form that was refused asks for the same again, whatever stands there now`()
        async throws
    {
        let (world, contract) = try await inForce()
        let id = try #require(ContractID(hex: contract))
        try await Door(world: world, name: "bob").read { node in
            let rooms = Rooms(node, .en, now: World.clock)
            let held = try #require(node.contracts[id])
            let act = try #require(rooms.acts(held).first)
            func pairs(_ form: JSON, _ part: String) -> [String: String] {
                Dictionary(
                    (form[part]?.array ?? []).map {
                        ($0["name"]?.string ?? "", $0["value"]?.string ?? "")
                    }, uniquingKeysWith: { one, _ in one })
            }
            let hidden = pairs(act, "hidden")
            let typed = [("o.channel", "bank"), ("o.reference", "R1")]
            let form = hidden.map { ($0.key, $0.value) } + typed
            let same = rooms.again("contract request", form, back: "/")
            #expect(pairs(same, "hidden") == hidden)
            #expect(pairs(same, "fields")["o.reference"] == "R1")
            let channel = same["fields"]?.array.first { $0["name"]?.string == "o.channel" }
            #expect(channel?["is_choice"]?.bool == true && channel?["required"]?.bool == true)
            // Another record, move or sum than stands there now is not put in the place of what was asked for.
            for name in hidden.keys where name != "o.contract" {
                let other = form.map { $0.0 == name ? ($0.0, "7") : $0 }
                let again = rooms.again("contract request", other, back: "/")
                let asked = pairs(again, "hidden").merging(pairs(again, "fields")) { one, _ in one }
                #expect(asked[name] == "7", "\(name)")
                #expect(asked["o.reference"] == "R1")
            }
            let given = rooms.given("contract request", form).map { $0["value"]?.string }
            #expect(given.contains(rooms.word("channel_bank")) && given.contains("R1"), "\(given)")
        }
    }
}

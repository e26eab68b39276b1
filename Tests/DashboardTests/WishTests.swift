import Capacity
import Contracts
import FoundationEssentials
import Identity
import Testing

@testable import Dashboard

@Suite struct WishTests {
    private static func wish(
        _ world: World, _ who: String, _ resource: String, _ more: [String: [String]] = [:]
    ) async throws -> String {
        let given = [
            "resource": [resource], "start": ["+10d"], "end": ["+17d"], "units": ["80"],
            "until": ["+5d"],
        ]
        let told = try await ask(
            world, who, "wish publish", given.merging(more) { _, new in new }
        ).get()
        return try #require(told["id"]?.string)
    }

    private static func listed(
        _ world: World, _ who: String, _ options: [String: [String]] = [:]
    ) async throws -> [String] {
        let told = try await ask(world, who, "wish list", options).get()
        return told["wishes"]?.array.compactMap { $0["id"]?.string } ?? []
    }

    @Test func `what somebody looks for is read by all, whoever would pay most first`() async throws
    {
        let world = try World(["alice", "bob", "carol"], templates: [])
        let any = try await Self.wish(world, "alice", "print/notebook")
        let low = try await Self.wish(world, "bob", "print/notebook/a5", ["most": ["17.50"]])
        let high = try await Self.wish(world, "carol", "print/cards", ["most": ["30"]])
        #expect(try await Self.listed(world, "carol") == [high, low, any])
        #expect(
            try await Self.listed(world, "alice", ["resource": ["print/notebook"]]) == [low, any])
        #expect(try await Self.listed(world, "alice", ["by": ["bob"]]) == [low])
        let one = try await ask(world, "alice", "wish list", ["by": ["bob"]]).get()
        #expect(one["wishes"]?.array.first?["most"]?.string == "17.50 CNY")
        #expect(one["wishes"]?.array.first?["units"]?.number == 80)
    }

    @Test func `a wish stands until its time is over or its author withdraws it`() async throws {
        let world = try World(["alice", "bob"], templates: [])
        let short = try await Self.wish(world, "alice", "print", ["until": ["+1m"]])
        let long = try await Self.wish(world, "alice", "print")
        let stolen = await ask(world, "bob", "wish withdraw", ["wish": [long]])
        #expect(refusal(stolen)?.code == "not_your_offer")
        #expect(try await Self.listed(world, "bob") == [short, long])
        let later = Commands(door: Door(world: world, name: "bob")) {
            World.clock.advanced(by: 61_000)
        }
        let told = try await later.run(CommandRequest(verb: "wish list", options: [:])).get()
        #expect(told["wishes"]?.array.compactMap { $0["id"]?.string } == [long])
        _ = try await ask(world, "alice", "wish withdraw", ["wish": [String(long.prefix(8))]]).get()
        #expect(try await Self.listed(world, "bob") == [short])
        let again = await ask(world, "alice", "wish withdraw", ["wish": [long]])
        #expect(refusal(again)?.code == "wish_unknown")
    }

    @Test func `offers and wishes are found by the place that their authors name`() async throws {
        let (world, offer) = try await offered()
        let wish = try await Self.wish(world, "bob", "print")
        _ = try await ask(world, "alice", "profile set", ["place": ["Dongguan 东莞"]]).get()
        _ = try await ask(world, "bob", "profile set", ["place": ["上海"], "role": ["stationery"]])
            .get()
        for (place, expected) in [("东莞", true), ("dongguan", true), ("上海", false)] {
            let told = try await ask(world, "carol", "offer list", ["place": [place]]).get()
            let found = told["offers"]?.array.compactMap { $0["id"]?.string } ?? []
            #expect(found == (expected ? [offer] : []), "\(place)")
            let wishes = try await Self.listed(world, "carol", ["place": [place]])
            #expect(wishes == (expected ? [] : [wish]))
        }
        let me = try await ask(world, "bob", "id").get()
        #expect(me["place"]?.string == "上海")
        #expect(me["name"]?.string == "bob", "what was not given stays")
        let same = await ask(world, "bob", "profile set", ["place": ["上海"]])
        #expect(refusal(same)?.code == "profile_same")
        let long = await ask(
            world, "bob", "profile set", ["place": [String(repeating: "远", count: 22)]])
        #expect(refusal(long)?.field == "place")
        // Emptied on the page is emptied; what a form does not ask for is not.
        let form = [("e.place", " "), ("e.role", "paper"), ("o.name", ""), ("back", "/node")]
        let options = Desk.options(form, Figures(.en, now: World.clock, zone: { _ in 0 }))
        #expect(options == ["place": [""], "role": ["paper"]])
        _ = try await ask(world, "bob", "profile set", options).get()
        let emptied = try await ask(world, "bob", "id").get()
        #expect(emptied["place"]?.string ?? "" == "")
        #expect(emptied["name"]?.string == "bob")
        #expect(try await Self.listed(world, "carol", ["place": ["上海"]]) == [])
    }

    @Test(arguments: [
        ("units", "0"), ("until", "2020-01-01T00:00Z"), ("most", "0"), ("most", "-5"),
        ("most", "much"),
        ("end", "+9d"), ("unit", "box of ten"), ("resource", "No/Such Path"),
    ]) func `a wish that cannot be meant is refused at its option`(
        _ option: String, _ value: String
    )
        async throws
    {
        let world = try World(["alice"], templates: [])
        var given = [
            "resource": ["print"], "start": ["+10d"], "end": ["+17d"], "units": ["80"],
            "until": ["+5d"],
        ]
        given[option] = [value]
        let refused = await ask(world, "alice", "wish publish", given)
        #expect(refusal(refused)?.field == option)
        #expect(try await Self.listed(world, "alice").isEmpty)
    }
}

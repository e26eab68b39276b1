import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Market
import NodeCore
import Simulation
import Testing

/// What a reader of the market sees first.
@Suite struct OrderTests {
    private static func asked(_ market: Market, _ name: String, under path: String = "") -> [Int64]
    {
        market.network[name].quotes(under: path, at: market.network.now).map(\.allIn)
    }

    private static func publish(
        _ market: inout Market, _ line: LineTerms, _ strike: Int64, premium: Int64 = 1_001,
        units: Int64 = 10, days: Int64
    ) throws -> EntryID {
        let bob = market.did("bob")
        let offer = Offer(
            template: try market.template("capacity-option").hash,
            line: .line(author: bob, line),
            arguments: [Argument]([
                "strike": Market.money(strike), "premium": Market.money(premium),
            ]), maxUnits: units, lot: 1, until: market.at(days: days))
        let id = try market.network.command("bob") { try $0.publish(offer) }
        market.settle()
        return id
    }

    @Test func `offers stand by all-in price on every node until withdrawn or over`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let dear = try Self.publish(&market, line, 1_800, days: 5)
        _ = try Self.publish(&market, line, 1_500, days: 2)
        _ = try Self.publish(&market, line, 1_700, days: 5)
        // 1,001 for ten units is 100.1 each, and what is paid is rounded up.
        for name in ["alice", "bob"] {
            #expect(Self.asked(market, name) == [1_601, 1_801, 1_901], "\(name)")
            #expect(Self.asked(market, name, under: "print/notebook") == Self.asked(market, name))
            #expect(Self.asked(market, name, under: "press").isEmpty)
        }
        try market.network.command("bob") { try $0.withdraw(dear) }
        market.settle()
        #expect(Self.asked(market, "alice") == [1_601, 1_801])
        market.network.pass(milliseconds: 3 * 86_400_000)
        #expect(Self.asked(market, "alice") == [1_801])
        market.network.tick()
        #expect(market.network["alice"].market.count == 1)
        market.restart("alice")
        market.settle()
        #expect(Self.asked(market, "alice") == [1_801])
    }

    // contracts.json, B-cap-option-quote: 500.00 for 100 are 5.00 each.
    @Test func `the premium counts by the unit`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        _ = try Self.publish(&market, line, 1_800, premium: 50_000, units: 100, days: 5)
        #expect(Self.asked(market, "alice") == [1_800 + 500])
    }

    @Test func `an offer has no price until its template is here`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        _ = try Self.publish(&market, line, 1_800, days: 5)
        let bytes = try #require(market.network.stores["bob"]?.snapshot.templates.first)
        try market.network.add("late")
        market.network.connect("bob", "late")
        market.network.settle()
        #expect(Self.asked(market, "late") == [.max])
        try market.network.command("late") { try $0.add(template: bytes) }
        #expect(Self.asked(market, "late") == [1_901])
    }

    @Test func `a price that no contract takes stands behind all others`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        _ = try Self.publish(&market, line, -wholeNumberMax, days: 5)
        _ = try Self.publish(&market, line, 1_800, premium: -wholeNumberMax, units: 1, days: 5)
        _ = try Self.publish(&market, line, 1_800, days: 5)
        let dollars = try Money(minor: 1, Currency("USD"))
        let offer = Offer(
            template: try market.template("capacity-option").hash,
            line: .line(author: market.did("bob"), line),
            arguments: [Argument]([
                "strike": Market.money(1_800), "premium": .money(dollars),
            ]), maxUnits: 10, lot: 1, until: market.at(days: 5))
        try market.network.command("bob") { _ = try $0.publish(offer) }
        market.settle()
        #expect(Self.asked(market, "alice") == [1_901, .max, .max, .max])
    }

    @Test func `prices in other currencies stand as they are written, decimals or none`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        // 60.00, 5,000 and 7.000: by minor units the yen would come before the yuan.
        for (code, minor) in [("CNY", 6_000), ("JPY", 5_000), ("KWD", 7_000)] as [(String, Int64)] {
            let strike = try Money(minor: minor, Currency(code))
            let offer = Offer(
                template: try market.template("capacity-option").hash,
                line: .line(author: market.did("bob"), line),
                arguments: [Argument](["strike": .money(strike)]), maxUnits: 10, lot: 1,
                until: market.at(days: 5))
            try market.network.command("bob") { _ = try $0.publish(offer) }
        }
        market.settle()
        #expect(Self.asked(market, "alice") == [7_000, 6_000, 5_000])
    }
}

import Capacity
import Entries
import Identity
import Ledger
import Testing

@testable import Contracts

struct OtherTemplatesTests {
    let z = Who.zhijian
    let d = Who.dongguan

    @Test func `every template of the shelf is read, with words in both languages`() throws {
        for name in Shelf.names {
            let template = try template(name)
            #expect(template.name == name && template.verb != nil)
            #expect(template.role(template.sequencerRole) != nil)
            #expect(template.hash == SHA256.hash(template.bytes))
            for transition in template.transitions where !transition.isDefault {
                #expect(transition.verb.split(separator: " ").count == 2)
            }
        }
    }

    @Test func `a material call notes what it saved`() throws {
        var play = try Play(
            template("material-call"),
            terms(
                [
                    "units": pcs(100), "premium": fen(99_280), "strike": fen(8000),
                    "market": fen(9200), "remedy": fen(1000), "expiry": .instant(on(day: 30)),
                    "deliver_by": .instant(on(day: 60)),
                ],
                ["issuer": [d], "holder": [z], "arbiter": [Who.arbiter]]))
        try play.pay(1)
        #expect(play.state.notes(.en).isEmpty)
        try play.act("exercise", by: z, ["n": pcs(100)])
        #expect(play.state.notes(.en).first?.contains("1,200.00 CNY") == true)
        #expect(play.state.notes(.zh).last?.contains("207.20 CNY") == true)
        try play.act("deliver", 2, by: d, ["n": pcs(100), "evidence": proof])
        try play.act("accept", 3, by: z)
        try play.pay(3)
        #expect(play.state.outcome == .fulfilled)
        #expect(play.paid == [z: -899_280, d: 899_280])
    }

    /// Budget, strike, market and units of a call for 2 % of the budget, and what it saves in the end
    /// (contracts.json, B-ink-call: nothing at a budget of 60,000, nor at a rise of 12.41 %).
    static let calls: [(Int64, strike: Int64, market: Int64, units: Int64, net: String)] = [
        (4_964_000, 8000, 9200, 100, " 207.20 CNY"), (6_000_000, 8000, 9200, 100, " 0.00 CNY"),
        (6_000_050, 8000, 9200, 100, " -0.01 CNY"),
        (4_964_000, 800_000, 899_280, 1, " 0.00 CNY"),
        (4_964_000, 800_000, 899_279, 1, " -0.01 CNY"),
    ]

    @Test(arguments: calls.indices)
    func `a material call breaks even where the worked case has it`(_ index: Int) throws {
        let call = Self.calls[index]
        let premium = try #require(try Shares.split(call.0, [200, 9800]).first)
        var play = try Shelf.play(
            "material-call",
            [
                "units": pcs(call.units), "premium": fen(premium), "strike": fen(call.strike),
                "market": fen(call.market),
            ])
        try play.pay(1)
        try play.act("exercise", by: z, ["n": pcs(call.units)])
        let net = try #require(play.state.notes(.en).last)
        #expect(net.hasSuffix(call.net + "."), "\(net)")
    }

    func swap() throws -> Play {
        try Play(
            template("capacity-swap"),
            terms(
                [
                    "left_units": pcs(50), "left_price": fen(1200), "right_units": hrs(80),
                    "right_price": fen(900), "deliver_by": .instant(on(day: 30)),
                ],
                ["left": [z], "right": [d], "arbiter": [Who.arbiter]],
                lines: [lineTerms(), lineTerms(hours)], sequencer: z))
    }

    @Test func `a swap delivered in full costs the difference`() throws {
        var play = try swap()
        #expect(play.state.grants.map(\.units) == [50, 80])
        try play.act("deliver_left", by: z, ["n": pcs(50), "evidence": proof])
        #expect(play.refused("finish", by: z) != nil)
        try play.act("deliver_right", by: d, ["n": hrs(80), "evidence": proof])
        let accept = try play.act("accept_left", 2, by: d)
        #expect(accept.touched == [1, 2])
        #expect(play.state.touched(by: Act(transition: "accept_right", record: 3)) == [1, 3])
        #expect(play.refused("finish", by: z) != nil)
        try play.act("accept_right", 3, by: z)
        try play.act("finish", by: z)
        #expect(play.state.record(1)?.pay?.from == z)
        #expect(play.state.record(1)?.pay?.amount == 12_000)
        try play.pay(1)
        #expect(play.state.outcome == .fulfilled && play.unitsPosted == 130)
    }

    @Test func `who gave nothing in a swap owes the whole value of the other`() throws {
        var play = try swap()
        try play.act("deliver_left", by: z, ["n": pcs(50), "evidence": proof])
        try play.act("dispute_left", 2, by: d, ["evidence": proof])
        play.now = on(day: 50)
        #expect(
            play.refused("balance_late", by: z)?.words(.en).hasPrefix("1 deliveries still wait")
                == true)
        try play.silent(2)
        try play.silent(1)
        #expect(play.state.record(1)?.pay?.amount == 30_000)
        try play.silent(1)
        #expect(play.owed == [z: 30_000, d: -30_000])
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `closing a swap early needs both`() throws {
        var play = try swap()
        #expect(play.refused("close", by: z) == .consentMissing(transition: "close", d))
        #expect(
            play.state.consentsNeeded(for: Act(transition: "close", record: 1)).contains(d))
        try play.act("close", by: z, with: [d])
        #expect(play.state.outcome == .lapsed)
    }

    func assistance() throws -> Play {
        try Play(
            template("mutual-assistance"),
            terms(
                [
                    "trigger": pcs(100), "cap": pcs(100), "cap_call": pcs(32),
                    "cap_month": pcs(40),
                    "price": fen(60_000), "fee": fen(20_000), "remedy": fen(50_000),
                    "ends": .instant(on(day: 180)),
                ],
                [
                    "user": [z], "partner": [Who.partner], "supplier": [d],
                    "arbiter": [Who.arbiter],
                ]))
    }

    @Test func `a draw above the trigger pays supplier and partner`() throws {
        var play = try assistance()
        #expect(play.refused("draw", by: z, ["sold": pcs(100), "n": pcs(1)]) != nil)
        #expect(play.refused("draw", by: z, ["sold": pcs(132), "n": pcs(33)]) != nil)
        // Above the cap a call, below every other bound.
        #expect(play.refused("draw", by: z, ["sold": pcs(200), "n": pcs(33)]) != nil)
        #expect(play.refused("draw", by: z, ["sold": pcs(200), "n": pcs(32)]) == nil)
        try play.act("draw", by: z, ["sold": pcs(132), "n": pcs(32)])
        #expect(play.refused("draw", by: z, ["sold": pcs(200), "n": pcs(9)]) != nil)
        #expect(play.refused("draw", by: z, ["sold": pcs(200), "n": pcs(8)]) == nil)
        #expect(
            play.refused("draw", by: z, ["sold": pcs(200), "n": pcs(9)], at: on(day: 12)) == nil)
        try play.act("promise", 2, by: d)
        try play.act("deliver", 2, by: d, ["evidence": proof])
        try play.act("accept", 2, by: z)
        try play.pay(2)
        try play.pay(3)
        #expect(play.paid == [z: -2_560_000, d: 1_920_000, Who.partner: 640_000])
        let close = try play.act("close", by: z, with: [d, Who.partner])
        #expect(close.lines.map(\.units) == [68] && close.lines.first?.kind == .release)
        #expect(play.state.outcome == .fulfilled)
    }

    @Test func `a draw is answered within two hours, to the millisecond`() throws {
        var play = try assistance()
        try play.act("draw", by: z, ["sold": pcs(132), "n": pcs(32)], at: on(day: 3))
        let until = on(day: 3).advanced(by: 2 * 3_600_000)
        let late = until.advanced(by: 1)
        #expect(play.state.record(2)?.until == until)
        #expect(play.refused("promise", 2, by: d, at: until) == nil)
        #expect(
            play.refused("promise", 2, by: d, at: late)
                == .tooLate(transition: "promise", at: late, until: until))
        #expect(
            play.refused("no_answer", 2, by: z, at: until)
                == .tooEarly(transition: "no_answer", at: until, earliest: late))
        try play.act("no_answer", 2, by: z, at: late)
        #expect(play.path(2) == "unanswered" && play.owed == [z: 50_000, d: -50_000])
    }

    @Test func `no answer costs the remedy and notice shortens the end`() throws {
        var play = try assistance()
        try play.act("draw", by: z, ["sold": pcs(132), "n": pcs(32)])
        try play.silent(2)
        #expect(play.owed == [z: 50_000, d: -50_000])
        try play.act("stop", by: Who.partner)
        #expect(play.state.record(1)?.until == play.now.advanced(by: 14 * day))
        #expect(play.refused("close", by: z, with: [d]) != nil)
        try play.silent(1)
        #expect(play.state.isEnded && play.state.outcome == .defaulted)
    }
}

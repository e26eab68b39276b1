import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Testing

struct CapacityOptionTests {
    static let parameters: [String: Value] = [
        "units": pcs(100), "lot": pcs(10), "premium": fen(50_000), "strike": fen(1800),
        "remedy": fen(900), "expiry": .instant(on(day: 30)), "deliver_by": .instant(on(day: 60)),
    ]
    static let roles: [String: [DID]] = [
        "issuer": [Who.dongguan], "holder": [Who.zhijian], "arbiter": [Who.arbiter],
    ]
    let z = Who.zhijian
    let d = Who.dongguan

    func open(_ changes: [String: Value] = [:]) throws -> Play {
        var play = try Play(
            template("capacity-option"),
            terms(Self.parameters.merging(changes) { $1 }, Self.roles))
        if play.path(1) == "premium_due" { try play.pay(1) }
        return play
    }

    func refusal(_ changes: [String: Value], _ roles: [String: [DID]] = roles) throws
        -> ContractRefusal?
    {
        let template = try template("capacity-option")
        do {
            _ = try ContractState(
                template: template, terms: terms(Self.parameters.merging(changes) { $1 }, roles))
            return nil
        } catch {
            return error
        }
    }

    @Test func `exercised, delivered, passed on and paid, all sums close`() throws {
        var play = try Play(template("capacity-option"), terms(Self.parameters, Self.roles))
        #expect(play.state.grants.count == 1)
        #expect(play.state.grants.first?.units == 100)
        #expect(play.state.grants.first?.until == on(day: 36))
        #expect(play.path(1) == "premium_due")
        #expect(play.state.record(1)?.until == on(day: 3))
        try play.pay(1)
        #expect(play.path(1) == "open")
        let transfer = try play.act(
            "transfer", by: z,
            ["n": pcs(40), "newcomer": .identity(Who.studio), "asking": fen(24_000)])
        #expect(transfer.lines.map(\.kind) == [.split])
        let need = try #require(transfer.child)
        #expect(need.units == 40)
        #expect(need.roles["seller"] == [z] && need.roles["holder"] == [Who.studio])
        var child = try Play(
            template("capacity-option"),
            terms(need.parameters, need.roles, isChild: true))
        #expect(child.path(1) == "price_due")
        try child.pay(1)
        let exercise = try play.act("exercise", by: z, ["n": pcs(60)])
        #expect(play.path(1) == "used" && play.path(2) == "open")
        #expect(exercise.lines.first?.kind == .firm && exercise.lines.first?.units == 60)
        #expect(exercise.touched == [1, 2])
        try play.act("deliver", 2, by: d, ["n": pcs(60), "evidence": proof])
        try play.act("accept", 3, by: z)
        #expect(play.path(2) == "done" && play.path(3) == "due")
        try play.pay(3)
        #expect(play.state.isEnded && play.state.outcome == .fulfilled)
        try child.act("exercise", by: Who.studio, ["n": pcs(40)])
        try child.act("deliver", 2, by: d, ["n": pcs(40), "evidence": proof])
        try child.act("accept", 3, by: Who.studio)
        try child.pay(3)
        #expect(child.state.outcome == .fulfilled)
        let sums = play.paid.merging(child.paid, uniquingKeysWith: +)
        #expect(sums == [z: -134_000, Who.studio: -96_000, d: 230_000])
        #expect(play.unitsPosted + child.unitsPosted == 100)
    }

    @Test func `silence everywhere ends in claims that only creditors clear`() throws {
        var play = try Play(template("capacity-option"), terms(Self.parameters, Self.roles))
        try play.act("pay_state", by: z, ["channel": .text("bank"), "reference": .text("1")])
        try play.silent(1)
        #expect(play.path(1) == "open")
        try play.act("exercise", by: z, ["n": pcs(60)])
        try play.act("deliver", 2, by: d, ["n": pcs(30), "evidence": proof])
        try play.silent(3)
        #expect(play.path(3) == "due")
        try play.silent(3)
        try play.silent(1)
        try play.silent(2)
        #expect(play.state.isEnded && play.state.outcome == .defaulted)
        #expect(play.paid == [z: -50_000, d: 50_000])
        #expect(play.state.claims.map(\.open) == [54_000, 27_000])
        #expect(play.unitsPosted == 30)
        let claim = try #require(play.state.claims.first)
        let arguments: [String: Value] = [
            "step": .integer(claim.cause.step), "index": .integer(claim.cause.index),
            "amount": fen(54_000),
        ]
        #expect(play.refused("discharge", claim.record, by: z, arguments) != nil)
        try play.act("discharge", claim.record, by: d, arguments)
        #expect(play.state.claims.map(\.open) == [27_000])
        #expect(play.refused("discharge", claim.record, by: d, arguments) != nil)
        #expect(play.refused("deliver", 2, by: d) == .ended)
    }

    @Test func `a dispute without a word of the arbiter takes half`() throws {
        var play = try open()
        try play.act("exercise", by: z, ["n": pcs(60)])
        try play.act("deliver", 2, by: d, ["n": pcs(30), "evidence": proof])
        try play.act("dispute", 3, by: z, ["evidence": proof])
        #expect(play.state.outcome == .disputed)
        try play.silent(3)
        try play.pay(3)
        try play.silent(1)
        try play.silent(2)
        #expect(play.paid == [z: -77_000, d: 77_000])
        #expect(play.owed == [z: 40_500, d: -40_500])
        #expect(play.unitsPosted == 15)
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `a newcomer who never pays gives the right back`() throws {
        var parameters = Self.parameters
        parameters["units"] = pcs(40)
        parameters["price"] = fen(24_000)
        var roles = Self.roles
        roles["holder"] = [Who.studio]
        roles["seller"] = [z]
        var child = try Play(
            template("capacity-option"), terms(parameters, roles, isChild: true))
        #expect(child.state.pending.contains { $0.to == Who.studio && $0.amount == 40 })
        try child.silent(1)
        #expect(child.state.pending.map(\.to) == [z])
        #expect(child.refused("exercise", by: Who.studio, ["n": pcs(40)]) != nil)
        try child.act("exercise", by: z, ["n": pcs(40)])
        #expect(child.path(1) == "used")
        #expect(child.refused("transfer", by: z) != nil)
    }

    @Test func `a denied premium is ruled on, and counts as unpaid if nobody rules`() throws {
        for ruled in [true, false] {
            var play = try Play(template("capacity-option"), terms(Self.parameters, Self.roles))
            try play.act("pay_state", by: z, ["channel": .text("bank"), "reference": .text("1")])
            try play.act("pay_deny", by: d)
            #expect(play.path(1) == "premium_due.denied")
            #expect(play.state.outcome == .disputed)
            #expect(play.state.awaited(1) == [Who.arbiter])
            if ruled {
                #expect(play.refused("pay_rule", by: z, ["paid": .integer(1)]) != nil)
                try play.act("pay_rule", by: Who.arbiter, ["paid": .integer(1)])
                #expect(play.path(1) == "open")
            } else {
                try play.silent(1)
                #expect(play.path(1) == "lapsed" && play.state.outcome == .lapsed)
                #expect(play.voidReasons == ["pay_rule_default", "pay_rule_default"])
            }
        }
    }

    @Test func `both of a dispute may agree, nobody alone`() throws {
        var play = try open()
        try play.act("exercise", by: z, ["n": pcs(10)])
        try play.act("deliver", 2, by: d, ["n": pcs(10), "evidence": proof])
        try play.act("dispute", 3, by: z, ["evidence": proof])
        let ruling: [String: Value] = ["ruling": .integer(8000)]
        #expect(
            play.refused("agree", 3, by: z, ruling)
                == .consentMissing(transition: "agree", d))
        #expect(play.refused("rule", 3, by: d, ruling) != nil)
        try play.act("agree", 3, by: z, ruling, with: [d])
        #expect(play.state.record(3)?.pay?.amount == 14_400)
        #expect(play.owed == [z: 1800, d: -1800])
    }

    @Test func `one below and one above each bound`() throws {
        var play = try open()
        #expect(play.refused("exercise", by: z, ["n": pcs(9)]) != nil)
        #expect(play.refused("exercise", by: z, ["n": pcs(11)]) != nil)
        let above = play.refused("exercise", by: z, ["n": pcs(110)])
        #expect(above?.words(.en).contains("n = 110 pcs, held = 100 pcs") == true)
        #expect(play.refused("exercise", by: z, ["n": pcs(100)]) == nil)
        #expect(play.refused("exercise", by: d, ["n": pcs(10)]) != nil)
        #expect(play.refused("exercise", by: z, ["n": fen(10)]) != nil)
        #expect(play.refused("exercise", by: z) == .argumentMissing("n"))
        #expect(play.refused("exercise", 2, by: z) == .recordUnknown(2))
        #expect(
            play.refused("settle", by: z) == .consentMissing(transition: "settle", Who.dongguan))
        // The deadline itself is in time; the default only after it.
        #expect(play.refused("exercise", by: z, ["n": pcs(10)], at: on(day: 30)) == nil)
        let late = on(day: 30).advanced(by: 1)
        #expect(play.refused("exercise", by: z, ["n": pcs(10)], at: late) != nil)
        #expect(play.refused("lapse", by: d, at: on(day: 30)) != nil)
        #expect(play.refused("lapse", by: Who.stranger, at: late) != nil)
        #expect(play.refused("lapse", by: d, at: late) == nil)
    }

    @Test func `a stated payment is admitted late, until the default stands`() throws {
        var play = try Play(template("capacity-option"), terms(Self.parameters, Self.roles))
        let stated: [String: Value] = ["channel": .text("bank"), "reference": .text("1")]
        #expect(play.refused("pay_state", by: z, stated, at: on(day: 9)) == nil)
        try play.silent(1)
        #expect(play.refused("pay_state", by: z, stated) == .ended)
    }

    @Test func `a European option opens in its window`() throws {
        var play = try open(["style": .text("european")])
        #expect(play.refused("exercise", by: z, ["n": pcs(10)], at: on(day: 28)) != nil)
        #expect(play.refused("exercise", by: z, ["n": pcs(10)], at: on(day: 29)) == nil)
    }

    @Test func `a premium of zero is received at once`() throws {
        let play = try Play(
            template("capacity-option"),
            terms(Self.parameters.merging(["premium": fen(0)]) { $1 }, Self.roles))
        #expect(play.path(1) == "open")
        #expect(play.state.pending.count == 1)
    }

    @Test func `a proposal is held to bounds, checks and distinct identities`() throws {
        #expect(try refusal([:]) == nil)
        #expect(try refusal(["units": pcs(105)])?.words(.zh) == "数量 105 件 须为每批 10 件 的整数倍")
        #expect(try refusal(["units": pcs(0)]) != nil)
        #expect(
            try refusal(["units": hrs(100)]) == .parameterKind("units", wanted: .quantity(line: 0)))
        #expect(try refusal(["colour": pcs(1)]) == .parameterUnknown("colour"))
        #expect(try refusal(["price": fen(1)]) == .parameterUnknown("price"))
        #expect(try refusal(["expiry": .instant(on(day: 13))]) != nil)
        #expect(try refusal(["expiry": .instant(on(day: 13).advanced(by: 1))]) == nil)
        #expect(try refusal(["deliver_by": .instant(on(day: 30))]) != nil)
        #expect(try refusal(["fair": .integer(10_001)]) != nil)
        #expect(try refusal(["grace": .integer(59_999)]) != nil)
        var roles = Self.roles
        roles["arbiter"] = [d]
        #expect(try refusal([:], roles) == .rolesNotDistinct("issuer", "arbiter", d))
        roles["arbiter"] = nil
        #expect(try refusal([:], roles) == .roleMissing("arbiter"))
        roles = Self.roles
        roles["seller"] = [Who.studio]
        #expect(try refusal([:], roles) == .roleUnknown("seller"))
        let template = try template("capacity-option")
        #expect(throws: ContractRefusal.lineCount(found: 0, wanted: 1)) {
            try ContractState(
                template: template, terms: terms(Self.parameters, Self.roles, lines: []))
        }
    }

    @Test func `each sees what may be done now and nothing else`() throws {
        var play = try Play(template("capacity-option"), terms(Self.parameters, Self.roles))
        func names(_ did: DID, _ defaults: Bool = false) -> [String] {
            play.state.choices(for: did, at: play.now, includeDefaults: defaults)
                .map(\.act.transition)
        }
        #expect(names(z) == ["pay_state"])
        #expect(names(d).isEmpty && names(Who.stranger).isEmpty)
        try play.pay(1)
        #expect(names(z) == ["exercise", "transfer", "exchange"])
        let choice = play.state.choices(for: z, at: play.now, includeDefaults: false).first
        #expect(choice?.verb == "option exercise")
        #expect(
            choice.map { play.state.says($0.act, .en) }
                == "I take ‹n› of 100 pcs at 18.00 CNY each.")
        #expect(play.state.awaited(1) == [z])
        #expect(play.state.defaultAct(1)?.transition == "lapse")
        try play.act("exercise", by: z, ["n": pcs(60)])
        #expect(names(d) == ["deliver"])
        let act = Act(
            transition: "deliver", record: 2, arguments: ["n": pcs(60), "evidence": proof])
        #expect(play.state.says(act, .zh) == "已交付 60 件，见凭证。")
        #expect(play.state.touched(by: act) == [2])
        play.now = on(day: 31)
        #expect(names(d, true) == ["lapse", "deliver"])
        #expect(play.state.record(2)?.clock?.actor == z)
        #expect(play.state.prose(.en).contains("for a premium of 500.00 CNY"))
        #expect(play.state.worst(role: "holder", .en)?.contains("50 %") == true)
        #expect(play.state.worst(role: "seller", .en) == nil)
    }
}

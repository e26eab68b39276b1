import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Testing

struct MilestoneTests {
    let z = Who.zhijian
    let d = Who.dongguan
    let w = Who.custodian

    static func percent(_ shares: [Int64]) -> Value { .list(shares.map { .integer($0) }) }
    static func amounts(_ amounts: [Int64]) -> Value { .list(amounts.map { fen($0) }) }

    static func parameters(_ changes: [String: Value] = [:]) -> [String: Value] {
        let base: [String: Value] = [
            "units": pcs(1000), "minimum": pcs(500), "total": fen(2_000_000),
            "schedule": percent([3000, 1750, 1750, 1750, 1750]),
            "dates": .list([40, 50, 60, 70].map { .instant(on(day: $0)) }),
            "demand_by": .instant(on(day: 14)), "batch_max": pcs(20), "batch_price": fen(1500),
            "batches_end": .instant(on(day: 60)),
        ]
        return base.merging(changes) { $1 }
    }

    static let roles: [String: [DID]] = [
        "buyer": [Who.zhijian], "maker": [Who.dongguan], "custodian": [Who.custodian],
        "arbiter": [Who.arbiter],
    ]

    func open(_ changes: [String: Value] = [:]) throws -> Play {
        try Play(
            template("milestone-production"),
            terms(Self.parameters(changes), Self.roles, sequencer: w))
    }

    func refusal(_ changes: [String: Value]) throws -> ContractRefusal? {
        let template = try template("milestone-production")
        do {
            _ = try ContractState(
                template: template, terms: terms(Self.parameters(changes), Self.roles))
            return nil
        } catch {
            return error
        }
    }

    func funded(_ changes: [String: Value] = [:]) throws -> Play {
        var play = try open(changes)
        try play.act("order", by: z, ["n": pcs(1000)])
        try play.pay(1)
        return play
    }

    @Test func `five payments come out of the deposit and leave it empty`() throws {
        var play = try funded()
        #expect(play.path(1) == "making" && play.path(2) == "out")
        try play.pay(2)
        #expect(play.state.escrow == 1_400_000)
        for (milestone, rest) in [(3, 1_050_000), (4, 700_000), (5, 350_000), (6, 0)]
            as [(Int64, Int64)]
        {
            try play.act("milestone", by: d, ["evidence": proof])
            try play.act("confirm", milestone, by: z)
            try play.pay(milestone)
            #expect(play.state.escrow == rest)
        }
        #expect(play.path(1) == "made" && play.state.outcome == .fulfilled)
        #expect(play.paid == [z: -2_000_000, d: 2_000_000, w: 0])
        #expect(play.unitsPosted == 1000)
    }

    @Test func `the cumulative preset pays nothing for the first milestone`() throws {
        var play = try funded(["schedule": Self.percent([3000, 0, 2000, 2500, 2500])])
        try play.pay(2)
        try play.act("milestone", by: d, ["evidence": proof])
        try play.act("confirm", 3, by: z)
        #expect(play.path(3) == "paid")
        var amounts: [Int64] = []
        for record in [4, 5, 6] as [Int64] {
            try play.act("milestone", by: d, ["evidence": proof])
            try play.act("confirm", record, by: z)
            amounts.append(play.state.record(record)?.pay?.amount ?? 0)
            try play.pay(record)
        }
        #expect(amounts == [400_000, 500_000, 500_000])
        #expect(play.state.outcome == .fulfilled)
    }

    @Test func `one dispute and one missed milestone share the deposit exactly`() throws {
        var play = try funded()
        try play.pay(2)
        try play.act("milestone", by: d, ["evidence": proof])
        try play.silent(3)
        #expect(play.path(3) == "out")
        try play.pay(3)
        try play.act("milestone", by: d, ["evidence": proof])
        try play.act("dispute", 4, by: z, ["evidence": proof])
        try play.act("milestone", by: d, ["evidence": proof])
        try play.act("confirm", 5, by: z)
        try play.pay(5)
        try play.silent(4)
        #expect(play.state.record(4)?.pay?.amount == 175_000)
        try play.pay(4)
        try play.pay(6)
        try play.silent(1)
        #expect(play.path(1) == "stopped" && play.state.record(7)?.pay?.amount == 350_000)
        try play.pay(7)
        #expect(play.paid == [z: -1_475_000, d: 1_475_000, w: 0])
        #expect(play.unitsPosted == 0 && play.state.outcome == .defaulted)
    }

    @Test func `a silent custodian comes to owe what it holds`() throws {
        var play = try funded()
        try play.pay(2)
        try play.act("milestone", by: d, ["evidence": proof])
        try play.act("confirm", 3, by: z)
        try play.silent(3)
        try play.silent(1)
        try play.silent(4)
        #expect(play.state.isEnded && play.state.escrow == 0)
        #expect(play.owed == [w: -1_400_000, d: 350_000, z: 1_050_000])
        #expect(play.paid == [z: -2_000_000, w: 1_400_000, d: 600_000])
    }

    @Test func `below the minimum there are batches, paid one by one`() throws {
        let changes: [String: Value] = [
            "units": pcs(100), "minimum": pcs(100), "total": fen(120_000),
        ]
        var play = try open(changes)
        #expect(play.refused("order", by: z, ["n": pcs(99)]) != nil)
        #expect(play.refused("fall_back", by: z, ["n": pcs(100)]) != nil)
        let fall = try play.act("fall_back", by: z, ["n": pcs(76)])
        #expect(fall.lines.map(\.units) == [24] && fall.lines.first?.kind == .release)
        #expect(play.refused("call", by: z, ["n": pcs(21)]) != nil)
        for (units, record) in [(20, 2), (20, 3), (20, 4), (16, 5)] as [(Int64, Int64)] {
            try play.act("call", by: z, ["n": pcs(units)])
            try play.act("deliver", record, by: d, ["evidence": proof])
            try play.act("accept", record, by: z)
            try play.pay(record)
        }
        #expect(play.path(1) == "ended" && play.state.outcome == .fulfilled)
        #expect(play.paid == [z: -114_000, d: 114_000])
        #expect(play.unitsPosted == 76)
    }

    @Test func `a batch that is not made costs nothing, one disputed its share`() throws {
        var play = try open()
        try play.act("fall_back", by: z, ["n": pcs(40)])
        try play.act("call", by: z, ["n": pcs(20)])
        try play.act("call", by: z, ["n": pcs(11)])
        try play.silent(2)
        #expect(play.path(2) == "unmade")
        // The second ran out with it; a delivery after the deadline is refused.
        #expect(play.refused("deliver", 3, by: d, ["evidence": proof]) != nil)
        try play.silent(3)
        try play.act("call", by: z, ["n": pcs(3)])
        try play.act("deliver", 4, by: d, ["evidence": proof])
        try play.act("dispute_batch", 4, by: z, ["evidence": proof])
        try play.act("rule", 4, by: Who.arbiter, ["ruling": .integer(5000)])
        #expect(play.state.record(4)?.pay?.amount == 3000)
        try play.pay(4)
        try play.silent(1)
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `an order or a fall-back is made once`() throws {
        var play = try funded()
        #expect(play.refused("order", by: z, ["n": pcs(1000)]) != nil)
        #expect(play.refused("fall_back", by: z, ["n": pcs(1)]) != nil)
        var idle = try open()
        try idle.silent(1)
        #expect(idle.state.outcome == .lapsed && idle.paid.isEmpty)
    }

    /// total, schedule, whether it may be proposed
    static let caps: [(Int64, Value, Bool)] = [
        (2_000_000, amounts([800_000, 1_200_000]), true),
        (2_000_000, amounts([800_001, 1_199_999]), false),
        (2_000_000, percent([4000, 6000]), true),
        (2_000_000, percent([4001, 5999]), false),
        (2_000_000, percent([3000, 7000]), true),
        (7, percent([4000, 1500, 1500, 1500, 1500]), false),
        (10, percent([4000, 6000]), true),
    ]

    @Test(arguments: caps.indices)
    func `the first payment is at most 40 percent in money`(_ index: Int) throws {
        let (total, schedule, accepted) = Self.caps[index]
        guard case .list(let items) = schedule else { return }
        let dates = (1..<items.count).map { Value.instant(on(day: 30 + Int64($0) * 10)) }
        let refused = try refusal([
            "total": fen(total), "schedule": schedule, "dates": .list(dates),
        ])
        #expect((refused == nil) == accepted)
        if !accepted { #expect(refused?.words(.en).contains("is above 40 %") == true) }
    }

    @Test func `a schedule sums to its total and dates rise`() throws {
        // The source text's 30 + 25 + 50 + 75.
        let naive = try refusal(["schedule": Self.percent([3000, 2500, 5000, 7500])])
        #expect(naive == .scheduleSum("schedule", found: "180 %", wanted: "100 %"))
        #expect(try refusal(["schedule": Self.amounts([1, 1])]) != nil)
        #expect(
            try refusal(["dates": .list([.instant(on(day: 40))])])
                == .listCount("dates", found: 1, wanted: "4"))
        let flat = Value.list([40, 50, 50, 70].map { .instant(on(day: $0)) })
        #expect(try refusal(["dates": flat]) == .listOrder("dates", item: 2))
        #expect(try refusal(["demand_by": .instant(on(day: 30))]) != nil)
        var bare = Self.parameters()
        bare["schedule"] = nil
        let state = try ContractState(
            template: template("milestone-production"), terms: terms(bare, Self.roles))
        #expect(state.prose(.en).contains("[6,000.00 CNY, 3,500.00 CNY,"))
    }
}

import Capacity
import Contracts
import Entries
import Testing

struct PresaleCoverTests {
    let z = Who.zhijian
    let d = Who.dongguan
    let oracle = Who.studio

    func covered(_ changes: [String: Value] = [:]) throws -> Play {
        var play = try Shelf.play("presale-cover", changes)
        try play.pay(1)
        return play
    }

    @Test(arguments: [(150, 74_460), (300, 148_920)] as [(Int64, Int64)])
    func `the premium is a share of what is covered`(_ rate: Int64, _ premium: Int64) throws {
        let play = try Shelf.play("presale-cover", ["rate": .integer(rate)])
        #expect(play.state.record(1)?.pay?.amount == premium)
        #expect(try Shelf.refusal("presale-cover", ["rate": .integer(149)]) != nil)
        #expect(try Shelf.refusal("presale-cover", ["rate": .integer(301)]) != nil)
    }

    /// Price now against 8,000 before, and whether that is a swing.
    @Test(arguments: [(9600, false), (9601, true), (6400, false), (6399, true)] as [(Int64, Bool)])
    func `a swing pays above twenty percent and not at it`(_ now: Int64, _ pays: Bool) throws {
        var play = try covered()
        try play.act("report_swing", by: z, ["evidence": proof])
        let prices = ["before": fen(8000), "now": fen(now), "evidence": proof]
        #expect(play.refused("measure", 2, by: z, prices) != nil)
        try play.act("measure", 2, by: oracle, prices)
        try play.silent(2)
        #expect(play.path(2) == (pays ? "due" : "rejected"))
        if pays {
            #expect(play.state.record(2)?.pay?.amount == 992_800)
            try play.pay(2)
        }
        try play.silent(1)
        #expect(play.state.outcome == .fulfilled)
        #expect(play.paid[z] == (pays ? 893_520 : -99_280))
    }

    @Test func `all payouts together never exceed what is covered`() throws {
        var play = try covered()
        try play.act("report_block", by: z, ["evidence": proof])
        try play.act("report_supplier", by: z, ["evidence": proof])
        for record in [2, 3] as [Int64] {
            try play.act("attest", record, by: oracle, ["evidence": proof])
            try play.act("admit", record, by: d)
        }
        #expect(play.state.record(2)?.pay?.amount == 2_482_000)
        #expect(play.state.record(3)?.pay?.amount == 2_482_000)
        try play.pay(2)
        try play.silent(3)
        #expect(play.owed == [d: -2_482_000, z: 2_482_000])
        try play.act("report_block", by: z, ["evidence": proof])
        try play.act("attest", 4, by: oracle, ["evidence": proof])
        try play.act("admit", 4, by: d)
        #expect(play.path(4) == "paid")
        try play.silent(1)
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `the oracle's word counts where the arbiter is silent, half where both are`() throws
    {
        var play = try covered()
        for _ in 1...3 { try play.act("report_block", by: z, ["evidence": proof]) }
        try play.act("attest", 2, by: oracle, ["evidence": proof])
        try play.act("contest", 2, by: d, ["evidence": proof])
        try play.act("refuse", 3, by: oracle, ["evidence": proof])
        try play.act("appeal", 3, by: z, ["evidence": proof])
        for record in [2, 3] as [Int64] { try play.silent(record) }
        try play.silent(4)
        try play.silent(4)
        #expect(play.state.record(2)?.pay?.amount == 2_482_000)
        #expect(play.path(3) == "rejected")
        #expect(play.state.record(4)?.pay?.amount == 1_241_000)
    }

    @Test func `unpaid there is no cover, and none after its end`() throws {
        var unpaid = try Shelf.play("presale-cover")
        #expect(unpaid.refused("report_block", by: z, ["evidence": proof]) != nil)
        try unpaid.silent(1)
        #expect(unpaid.state.outcome == .lapsed && unpaid.owed.isEmpty)
        let play = try covered()
        var late = play
        let after = on(day: 60).advanced(by: 1)
        #expect(late.refused("report_block", by: z, ["evidence": proof], at: on(day: 60)) == nil)
        #expect(late.refused("report_block", by: z, ["evidence": proof], at: after) != nil)
    }

    @Test func `an oracle who does not answer on a swing leaves it to the arbiter`() throws {
        var play = try covered()
        try play.act("report_swing", by: z, ["evidence": proof])
        try play.silent(2)
        #expect(play.path(2) == "disputed")
        try play.act("rule", 2, by: Who.arbiter, ["ruling": .integer(0)])
        #expect(play.path(2) == "rejected")
    }
}

import Capacity
import Contracts
import Entries
import Testing

/// Goods that wait: vendor-managed and virtual stock.
struct StockTests {
    let z = Who.zhijian
    let d = Who.dongguan

    func shelved(_ units: Int64 = 300) throws -> Play {
        var play = try Shelf.play("vendor-managed-stock")
        try play.act("fill", by: d, ["n": pcs(units), "evidence": proof])
        try play.act("accept", 2, by: z)
        return play
    }

    @Test func `of a hundred unsold the supplier bears thirty percent`() throws {
        var play = try shelved()
        #expect(play.path(1) == "stocked" && play.unitsPosted == 300)
        #expect(play.refused("sell", 2, by: z, ["n": pcs(301), "evidence": proof]) != nil)
        try play.act("sell", 2, by: z, ["n": pcs(200), "evidence": proof])
        try play.pay(3)
        #expect(play.refused("report", 2, by: z, ["n": pcs(100), "evidence": proof]) != nil)
        try play.silent(2)
        #expect(play.refused("report", 2, by: z, ["n": pcs(101), "evidence": proof]) != nil)
        try play.act("report", 2, by: z, ["n": pcs(100), "evidence": proof])
        try play.act("agree_count", 2, by: d)
        #expect(play.state.record(2)?.pay?.amount == 140_000)
        try play.pay(2)
        #expect(play.paid == [z: -540_000, d: 540_000])
        #expect(play.state.outcome == .fulfilled)
    }

    @Test func `who does not count has sold all`() throws {
        var play = try shelved()
        try play.silent(2)
        try play.silent(2)
        #expect(play.state.record(2)?.pay?.amount == 600_000)
        try play.silent(2)
        #expect(play.owed == [z: -600_000, d: 600_000] && play.state.outcome == .defaulted)
    }

    @Test func `a count is disputed by its share and stands if nobody disputes`() throws {
        var play = try shelved(100)
        try play.silent(2)
        try play.act("report", 2, by: z, ["n": pcs(100), "evidence": proof])
        var stands = play
        try stands.silent(2)
        #expect(stands.state.record(2)?.pay?.amount == 140_000)
        try play.act("dispute_count", 2, by: d, ["evidence": proof])
        try play.silent(2)
        #expect(play.state.record(2)?.pay?.amount == 170_000)
    }

    @Test func `what was never stocked is owed for, what arrived in part counts in part`() throws {
        var play = try Shelf.play("vendor-managed-stock")
        try play.act("fill", by: d, ["n": pcs(100), "evidence": proof])
        try play.act("fill", by: d, ["n": pcs(100), "evidence": proof])
        try play.act("dispute", 2, by: z, ["evidence": proof])
        try play.act("rule", 2, by: Who.arbiter, ["ruling": .integer(6000)])
        try play.silent(3)
        #expect(play.unitsPosted == 160)
        try play.silent(1)
        #expect(play.owed == [d: -15_000, z: 15_000] && play.path(1) == "short")
        #expect(play.refused("sell", 2, by: z, ["n": pcs(61), "evidence": proof]) != nil)
        for (units, record) in [(60, 2), (100, 3)] as [(Int64, Int64)] {
            try play.act("sell", record, by: z, ["n": pcs(units), "evidence": proof])
        }
        try play.silent(4)
        try play.pay(5)
        #expect(play.state.outcome == .defaulted && play.paid[d] == 200_000)
    }

    func pooled() throws -> Play {
        var play = try Shelf.play("virtual-stock")
        try play.act("make_ready", by: d, ["n": pcs(200), "evidence": proof])
        try play.act("admit", 2, by: z)
        return play
    }

    @Test func `called in time is paid finished, the rest as it is`() throws {
        var play = try pooled()
        #expect(play.refused("call", 2, by: z, ["n": pcs(201)]) != nil)
        try play.act("call", 2, by: z, ["n": pcs(150)])
        #expect(play.state.record(3)?.until == play.now.advanced(by: day))
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("accept", 3, by: z)
        try play.pay(3)
        try play.silent(2)
        #expect(play.state.record(2)?.pay?.amount == 60_000)
        try play.pay(2)
        #expect(play.paid == [z: -315_000, d: 315_000])
        #expect(play.unitsPosted == 200 && play.state.outcome == .fulfilled)
    }

    @Test func `a minute after a day is too late`() throws {
        var play = try pooled()
        try play.act("call", 2, by: z, ["n": pcs(200)])
        let limit = play.now.advanced(by: day)
        #expect(play.refused("deliver", 3, by: d, ["evidence": proof], at: limit) == nil)
        let late = limit.advanced(by: 60_000)
        #expect(play.refused("deliver", 3, by: d, ["evidence": proof], at: late) != nil)
        try play.silent(3)
        #expect(play.owed == [d: -180_000, z: 180_000])
        #expect(play.state.outcome == .defaulted && play.unitsPosted == 0)
    }

    @Test func `silence takes what is ready and owes for it, a dispute cuts it`() throws {
        var play = try Shelf.play("virtual-stock")
        try play.act("make_ready", by: d, ["n": pcs(100), "evidence": proof])
        try play.act("make_ready", by: d, ["n": pcs(50), "evidence": proof])
        try play.act("dispute_pool", 3, by: z, ["evidence": proof])
        try play.silent(3)
        #expect(play.state.record(3)?.holds.first?.amount == 25)
        try play.silent(2)
        try play.silent(1)
        #expect(play.owed == [d: -45_000, z: 45_000] && play.path(1) == "short")
        for record in [2, 3, 2, 3] as [Int64] { try play.silent(record) }
        #expect(play.owed[d] == 105_000)
        #expect(play.unitsPosted == 125 && play.state.outcome == .defaulted)
    }

    @Test func `a disputed order pays and owes by its share`() throws {
        var play = try pooled()
        try play.act("call", 2, by: z, ["n": pcs(200)])
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("dispute", 3, by: z, ["evidence": proof])
        try play.act("agree", 3, by: z, ["ruling": .integer(7500)], with: [d])
        #expect(play.state.record(3)?.pay?.amount == 255_000 && play.owed[d] == -45_000)
    }
}

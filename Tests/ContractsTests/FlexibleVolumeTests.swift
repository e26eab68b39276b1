import Contracts
import Entries
import Testing

struct FlexibleVolumeTests {
    let z = Who.zhijian
    let d = Who.dongguan

    /// Calls, delivers, accepts and pays `units` as the draw with this record number.
    func serve(_ play: inout Play, _ units: Int64, _ record: Int64) throws {
        try play.act("call", by: z, ["n": pcs(units)])
        try play.act("deliver", record, by: d, ["evidence": proof])
        try play.act("accept", record, by: z)
        try play.pay(record)
    }

    @Test func `five hundred used of a thousand pay for seven hundred`() throws {
        var play = try Shelf.play("flexible-volume")
        #expect(play.state.grants.map(\.units) == [1300])
        try serve(&play, 500, 2)
        try play.silent(1)
        #expect(play.state.record(1)?.pay?.amount == 400_000)
        try play.pay(1)
        #expect(play.paid == [z: -1_400_000, d: 1_400_000])
        #expect(play.unitsPosted == 500 && play.state.outcome == .fulfilled)
    }

    @Test func `of fourteen hundred wanted one hundred spill`() throws {
        var play = try Shelf.play("flexible-volume")
        #expect(play.refused("call", by: z, ["n": pcs(501)]) != nil)
        try serve(&play, 500, 2)
        try serve(&play, 500, 3)
        try serve(&play, 400, 4)
        #expect(play.unitsPosted == 1300)
        #expect(play.state.record(1)?.fields.last?.value == pcs(100))
        #expect(play.state.notes(.en).first?.hasPrefix("100 pcs") == true)
        let full = play.refused("call", by: z, ["n": pcs(1)])
        #expect(full?.words(.en).hasPrefix("the ceiling 1300 pcs is reached") == true)
        try play.silent(1)
        #expect(play.state.outcome == .fulfilled && play.paid[d] == 2_600_000)
    }

    @Test(arguments: [(699, 2000), (700, 0), (701, 0)] as [(Int64, Int64)])
    func `the floor is due to the unit`(_ called: Int64, _ due: Int64) throws {
        var play = try Shelf.play("flexible-volume", ["call_max": pcs(2000)])
        try serve(&play, called, 2)
        try play.silent(1)
        #expect(play.state.record(1)?.pay?.amount ?? 0 == due)
        #expect(play.state.isEnded == (due == 0))
    }

    @Test func `what the supplier fails to deliver counts towards the floor`() throws {
        var play = try Shelf.play("flexible-volume")
        try play.act("call", by: z, ["n": pcs(400)])
        try play.silent(2)
        try play.act("call", by: z, ["n": pcs(300)])
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("dispute", 3, by: z, ["evidence": proof])
        try play.silent(3)
        try play.silent(3)
        try play.silent(1)
        // 550 not delivered at 300 each, against the 150 that count as delivered.
        let owed: Int64 = 150 * 2000 - 550 * 300
        #expect(play.owed == [z: -owed, d: owed])
        #expect(play.state.outcome == .defaulted && play.paid.isEmpty)
    }

    @Test func `an unpaid floor is owed, an end by both is not`() throws {
        var play = try Shelf.play("flexible-volume")
        #expect(play.refused("close", by: z) == .consentMissing(transition: "close", d))
        var closed = play
        let release = try closed.act("close", by: z, with: [d])
        #expect(release.lines.map(\.units) == [1300])
        #expect(closed.state.outcome == .fulfilled && closed.owed.isEmpty)
        try play.silent(1)
        try play.silent(1)
        #expect(play.owed == [z: -1_400_000, d: 1_400_000])
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `however many payments are due to who fell silent, the others end it`() throws {
        var play = try Shelf.play("flexible-volume")
        for record in 2...71 as ClosedRange<Int64> {
            try play.act("call", by: z, ["n": pcs(10)])
            try play.act("deliver", record, by: d, ["evidence": proof])
            try play.act("accept", record, by: z)
        }
        let plan = SettlementPlan(without: d)
        try play.act(
            "settle", by: z, plan.act.arguments, with: [Who.arbiter], at: play.now)
        #expect(play.state.isEnded)
        #expect(play.state.claims.count == 70)
        #expect(play.owed == [z: -1_400_000, d: 1_400_000])
    }
}

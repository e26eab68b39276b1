import Contracts
import Entries
import Testing

struct MaterialPutTests {
    let z = Who.zhijian
    let d = Who.dongguan

    func open(_ changes: [String: Value] = [:]) throws -> Play {
        var play = try Shelf.play("material-put", changes)
        try play.pay(1)
        return play
    }

    @Test func `a put gains what the market fell, less its premium`() throws {
        var play = try open()
        #expect(play.state.notes(.en).isEmpty)
        let exercise = try play.act("exercise", by: z, ["n": pcs(100)])
        // The seller keeps the goods aside: the line is hers, and firm is what she sold.
        #expect(exercise.lines.first?.kind == .firm && exercise.lines.first?.issuer == z)
        #expect(play.state.notes(.en).first?.contains("1,200.00 CNY") == true)
        #expect(play.state.notes(.zh).last?.contains("207.20 CNY") == true)
        try play.act("deliver", 2, by: z, ["n": pcs(100), "evidence": proof])
        try play.act("accept", 3, by: d)
        try play.pay(3)
        #expect(play.state.outcome == .fulfilled && play.unitsPosted == 100)
        #expect(play.paid == [z: 800_000 - 99_280, d: 99_280 - 800_000])
    }

    @Test func `it is a right: unused it lapses, unpaid it never begins`() throws {
        var play = try open()
        try play.silent(1)
        #expect(play.state.outcome == .lapsed && play.paid[z] == -99_280)
        var unpaid = try Shelf.play("material-put")
        try unpaid.silent(1)
        #expect(unpaid.state.outcome == .lapsed && unpaid.owed.isEmpty && unpaid.paid.isEmpty)
    }

    @Test func `sold and not delivered costs the remedy, delivered and not paid the price`() throws
    {
        var play = try open(["lot": pcs(10)])
        #expect(play.refused("exercise", by: d, ["n": pcs(10)]) != nil)
        #expect(play.refused("exercise", by: z, ["n": pcs(15)]) != nil)
        #expect(play.refused("exercise", by: z, ["n": pcs(110)]) != nil)
        try play.act("exercise", by: z, ["n": pcs(60)])
        try play.act("deliver", 2, by: z, ["n": pcs(40), "evidence": proof])
        try play.silent(3)
        try play.silent(3)
        #expect(play.owed == [d: -320_000, z: 320_000])
        try play.silent(1)
        try play.silent(2)
        #expect(play.owed == [d: -300_000, z: 300_000])
        #expect(play.unitsPosted == 40 && play.state.outcome == .defaulted)
    }

    @Test func `a dispute pays and owes by its share`() throws {
        var play = try open()
        try play.act("exercise", by: z, ["n": pcs(100)])
        try play.act("deliver", 2, by: z, ["n": pcs(100), "evidence": proof])
        try play.act("dispute", 3, by: d, ["evidence": proof])
        try play.silent(3)
        #expect(play.state.record(3)?.pay?.amount == 400_000)
        #expect(play.owed == [z: -50_000, d: 50_000] && play.unitsPosted == 50)
    }
}

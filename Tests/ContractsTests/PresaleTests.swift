import Contracts
import Entries
import Testing

struct PresaleTests {
    let z = Who.zhijian
    let w = Who.custodian

    func units(_ sold: [Int64]) -> [String: Value] {
        ["sold": .list(sold.map { .integer($0) }), "evidence": proof]
    }

    func tallied(_ sold: [Int64]) throws -> Play {
        var play = try Shelf.play("tiered-presale")
        try play.act("tally", by: w, units(sold), at: on(day: 30))
        return play
    }

    @Test func `132, 43 and 33 go: thirty percent first, the rest on delivery`() throws {
        var play = try tallied([132, 43, 33])
        try play.act("confirm_tally", by: z)
        #expect(play.state.record(1)?.pay?.amount == 1_661_520)
        try play.pay(1)
        try play.act("deliver", by: z, ["evidence": proof])
        try play.act("confirm", by: w)
        #expect(play.state.record(1)?.pay?.amount == 3_876_880)
        try play.pay(1)
        #expect(play.state.outcome == .fulfilled && play.paid[z] == 5_538_400)
    }

    /// Units of each tier, and whether the pre-sale goes.
    static let tiers: [([Int64], Bool)] = [
        ([70, 35, 21], true), ([69, 35, 21], false), ([70, 34, 21], false), ([70, 35, 20], false),
        ([100, 50, 30], true), ([0, 0, 0], false), ([9999, 9999, 20], false),
    ]

    @Test(arguments: tiers.indices)
    func `any tier below seventy percent cancels all`(_ index: Int) throws {
        let (sold, goes) = Self.tiers[index]
        var play = try tallied(sold)
        try play.silent(1)
        let empty = sold == [0, 0, 0]
        #expect(play.path(1) == (goes ? "first_due" : empty ? "refunded" : "refunding"))
        if !goes, !empty {
            try play.act("refund", by: w, ["evidence": proof])
            try play.act("refund_confirm", by: z)
        }
        #expect(play.state.isEnded != goes && play.paid.isEmpty && play.owed.isEmpty)
        if !goes { #expect(play.state.outcome == .cancelled) }
    }

    @Test func `a threshold that is no whole unit is rounded up`() throws {
        let changes: [String: Value] = ["targets": .list([33, 0, 0].map { .integer($0) })]
        for (sold, goes) in [(23, false), (24, true)] as [(Int64, Bool)] {
            var play = try Shelf.play("tiered-presale", changes)
            try play.act("tally", by: w, units([sold, 0, 0]), at: on(day: 31))
            try play.silent(1)
            #expect((play.path(1) == "first_due") == goes)
        }
    }

    @Test func `a refund that is not shown, or not whole, is owed by the custodian`() throws {
        var silent = try tallied([70, 34, 21])
        try silent.silent(1)
        try silent.silent(1)
        #expect(silent.owed == [w: -3_445_000, z: 3_445_000])
        #expect(silent.state.outcome == .defaulted)
        var partly = try tallied([70, 34, 21])
        try partly.silent(1)
        try partly.act("refund", by: w, ["evidence": proof])
        var believed = partly
        try believed.silent(1)
        #expect(believed.state.outcome == .cancelled && believed.owed.isEmpty)
        try partly.act("refund_dispute", by: z, ["evidence": proof])
        try partly.act("rule", by: Who.arbiter, ["ruling": .integer(9000)])
        #expect(partly.owed == [w: -344_500, z: 344_500])
        #expect(partly.state.outcome == .defaulted)
    }

    @Test func `a count that is objected to is one or the other`() throws {
        for (ruling, state, left) in [
            (5000, "refunding", 3_445_000), (4999, "first_due", 3_474_800),
        ] as [(Int64, String, Int64)] {
            var play = try tallied([70, 34, 21])
            #expect(play.refused("object", by: w, units([70, 35, 21])) != nil)
            try play.act("object", by: z, units([70, 35, 21]))
            try play.act("rule", by: Who.arbiter, ["ruling": .integer(ruling)])
            #expect(play.path(1) == state)
            #expect(play.state.record(1)?.fields.first { $0.name == "left" }?.value == fen(left))
        }
        var play = try tallied([70, 34, 21])
        try play.act("object", by: z, units([70, 35, 21]))
        try play.silent(1)
        #expect(play.path(1) == "refunding")
    }

    @Test func `a silent custodian leaves the tally to the creator, silence of both ends it`()
        throws
    {
        var play = try Shelf.play("tiered-presale")
        #expect(play.refused("tally", by: w, units([1, 1, 1])) != nil)
        play.now = on(day: 31)
        #expect(play.refused("tally", by: w, units([1, 1])) != nil)
        #expect(play.refused("tally", by: w, units([1, 1, -1])) != nil)
        #expect(play.refused("tally", by: z, units([1, 1, 1])) != nil)
        try play.silent(1)
        var nobody = play
        try nobody.silent(1)
        #expect(nobody.state.outcome == .lapsed)
        try play.act("tally_instead", by: z, units([100, 50, 30]))
        #expect(play.refused("object", by: z, units([1, 1, 1])) != nil)
        try play.silent(1)
        // The custodian who stays silent owes first 30 %, then, delivered, the rest.
        try play.silent(1)
        try play.act("deliver", by: z, ["evidence": proof])
        try play.silent(1)
        try play.silent(1)
        #expect(play.owed == [w: -4_964_000, z: 4_964_000])
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `what is not delivered, or disputed, goes back in part`() throws {
        var missed = try tallied([100, 50, 30])
        try missed.silent(1)
        try missed.pay(1)
        var disputed = missed
        try missed.silent(1)
        try missed.act("refund", by: w, ["evidence": proof])
        try missed.act("refund_confirm", by: z)
        #expect(missed.paid[z] == 1_489_200 && missed.state.outcome == .defaulted)
        try disputed.act("deliver", by: z, ["evidence": proof])
        try disputed.act("dispute", by: w, ["evidence": proof])
        try disputed.silent(1)
        #expect(disputed.state.record(1)?.pay?.amount == 1_737_400)
        try disputed.pay(1)
        #expect(disputed.path(1) == "refunding")
        try disputed.silent(1)
        #expect(disputed.owed == [w: -1_737_400, z: 1_737_400])
    }

    @Test func `at most forty percent are paid before delivery`() throws {
        #expect(try Shelf.refusal("tiered-presale", ["prepay": .integer(40)]) == nil)
        #expect(try Shelf.refusal("tiered-presale", ["prepay": .integer(41)]) != nil)
        let negative = Value.list([100, -1, 30].map { .integer($0) })
        #expect(try Shelf.refusal("tiered-presale", ["targets": negative]) != nil)
        #expect(
            try Shelf.refusal("tiered-presale", ["targets": .list([.integer(1)])])
                == .listCount("targets", found: 1, wanted: "3 … 3"))
        #expect(try Shelf.refusal("tiered-presale", ["deliver_by": .instant(on(day: 50))]) != nil)
    }
}

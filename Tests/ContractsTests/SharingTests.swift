import Contracts
import Entries
import Identity
import Testing

/// Several on one line: joint purchase and idle slots.
struct SharingTests {
    let z = Who.zhijian
    let d = Who.dongguan
    let w = Who.custodian

    /// All three are asked for their deposits; the first `paying` of them pay.
    func pool(paying: Int, _ changes: [String: Value] = [:]) throws -> Play {
        var play = try Shelf.play("joint-purchase", changes)
        for _ in 1...3 { try play.act("bill", by: d) }
        #expect(play.refused("bill", by: d) != nil)
        for record in 2..<Int64(2 + paying) { try play.pay(record) }
        return play
    }

    @Test func `portions of units and freight lose nothing, and each gets its own`() throws {
        var play = try pool(paying: 3)
        let amounts = [30_534, 29_733, 29_733] as [Int64]
        #expect(play.state.escrow == amounts.reduce(0, +) && play.state.escrow == 90_000)
        #expect(play.state.records.dropFirst().map { $0.holds[0].amount } == [34, 33, 33])
        #expect(play.refused("deliver", 2, by: d, ["evidence": proof]) != nil)
        try play.act("decide", by: Who.partner)
        for record in [2, 3, 4] as [Int64] {
            try play.act("deliver", record, by: d, ["evidence": proof])
            #expect(play.refused("accept", record, by: w) != nil)
            try play.silent(record)
            #expect(play.state.record(record)?.pay?.amount == amounts[Int(record) - 2])
            try play.pay(record)
        }
        #expect(play.state.outcome == .fulfilled && play.unitsPosted == 100)
        #expect(
            play.paid == [z: -30_534, Who.studio: -29_733, Who.partner: -29_733, d: 90_000, w: 0])
    }

    @Test func `two of three reach the threshold, one alone is paid back`() throws {
        var two = try pool(paying: 2)
        #expect(two.refused("decide", by: z) != nil)
        try two.silent(4)
        try two.silent(1)
        #expect(two.path(1) == "going" && two.path(4) == "dropped")
        var one = try pool(paying: 1)
        try one.silent(3)
        try one.silent(4)
        #expect(one.refused("take_back", 2, by: z) != nil)
        try one.silent(1)
        #expect(one.path(1) == "short")
        #expect(one.refused("deliver", 2, by: d, ["evidence": proof]) != nil)
        try one.act("take_back", 2, by: z)
        try one.pay(2)
        #expect(one.state.outcome == .cancelled && one.paid[z] == 0 && one.owed.isEmpty)
    }

    @Test(arguments: [(67, "going"), (68, "short")] as [(Int64, String)])
    func `the threshold counts units to the piece`(_ threshold: Int64, _ state: String) throws {
        var play = try pool(paying: 2, ["threshold": pcs(threshold)])
        try play.silent(4)
        try play.silent(1)
        #expect(play.path(1) == state)
    }

    @Test func `a deposit after the decision goes straight back`() throws {
        var play = try pool(paying: 1)
        try play.act(
            "pay_state", 3, by: Who.studio, ["channel": .text("bank"), "reference": .text("1")],
            at: on(day: 30))
        try play.silent(1)
        #expect(play.path(1) == "short")
        try play.act("pay_receive", 3, by: w)
        #expect(play.path(3) == "back" && play.state.record(3)?.holds[0].amount == 0)
        try play.pay(3)
        #expect(play.paid[Who.studio] == 0)
    }

    @Test func `the supplier who does not deliver owes, the custodian who does not pay too`() throws
    {
        var play = try pool(paying: 2)
        try play.silent(4)
        try play.silent(1)
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("dispute", 3, by: Who.studio, ["evidence": proof])
        try play.silent(3)
        #expect(play.state.record(3)?.pay?.amount == 14_867)
        try play.pay(3)
        try play.pay(5)
        try play.silent(2)
        #expect(play.owed == [d: -3400, z: 3400])
        try play.silent(2)
        #expect(play.owed == [d: -3400, z: 33_934, w: -30_534])
        #expect(play.state.outcome == .defaulted && play.paid[Who.studio] == -14_867)
    }

    @Test func `a pool that nobody asks for lapses, portions below zero are none`() throws {
        var play = try Shelf.play("joint-purchase")
        try play.silent(1)
        #expect(play.state.outcome == .lapsed)
        for portions in [[1, -1, 1], [0, 0, 0], [1, 1]] as [[Int64]] {
            let list = Value.list(portions.map { .integer($0) })
            #expect(try Shelf.refusal("joint-purchase", ["portions": list]) != nil)
        }
    }

    func slot(_ units: Int64 = 530) throws -> Play {
        var play = try Shelf.play("idle-slots")
        try play.act("open_slot", by: d, ["n": pcs(units), "starts": .instant(on(day: 10))])
        return play
    }

    @Test func `lots of fifty to five hundred are booked, made and paid`() throws {
        var play = try slot()
        for units in [49, 501, 531] as [Int64] {
            #expect(play.refused("book", 2, by: z, ["n": pcs(units)]) != nil)
        }
        #expect(play.refused("book", 2, by: z, ["n": pcs(50)]) == nil)
        try play.act("book", 2, by: z, ["n": pcs(500)])
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("accept", 3, by: z)
        try play.pay(3)
        try play.silent(2)
        try play.silent(1)
        #expect(play.paid == [z: -300_000, d: 300_000] && play.owed.isEmpty)
        #expect(play.unitsPosted == 500 && play.state.outcome == .fulfilled)
    }

    @Test func `an empty slot costs nothing, a lot not made its remedy`() throws {
        var play = try slot()
        try play.act("book", 2, by: z, ["n": pcs(50)])
        #expect(play.refused("withdraw", 2, by: z) != nil)
        try play.act("withdraw", 2, by: d)
        #expect(play.state.record(3)?.until == on(day: 17))
        try play.silent(3)
        #expect(play.owed == [d: -5000, z: 5000])
        try play.silent(1)
        #expect(play.state.outcome == .defaulted)
        var idle = try slot(1000)
        try idle.silent(2)
        #expect(idle.state.outcome == .lapsed && idle.owed.isEmpty)
    }

    @Test func `a slot opens ahead of its time and within the agreement`() throws {
        var play = try Shelf.play("idle-slots")
        let begins: [(Int64, Bool)] = [(0, false), (1, true), (90, true), (91, false)]
        for (begin, opens) in begins {
            let starts = Value.instant(on(day: begin))
            let refused = play.refused("open_slot", by: d, ["n": pcs(50), "starts": starts])
            #expect((refused == nil) == opens, "day \(begin)")
        }
        let starts = Value.instant(on(day: 5))
        #expect(play.refused("open_slot", by: d, ["n": pcs(49), "starts": starts]) != nil)
        #expect(play.refused("open_slot", by: z, ["n": pcs(50), "starts": starts]) != nil)
    }

    @Test func `a disputed lot pays and owes by its share`() throws {
        var play = try slot(500)
        try play.act("book", 2, by: z, ["n": pcs(500)])
        try play.act("deliver", 3, by: d, ["evidence": proof])
        try play.act("dispute", 3, by: z, ["evidence": proof])
        try play.silent(3)
        #expect(play.state.record(3)?.pay?.amount == 150_000 && play.owed[d] == -25_000)
        try play.silent(3)
        #expect(play.owed == [z: -125_000, d: 125_000])
    }
}

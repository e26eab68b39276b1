import Contracts
import Entries
import Identity
import Ledger
import Testing

/// Money only: receivable advance and revenue share.
struct AdvanceTests {
    let z = Who.zhijian
    let d = Who.dongguan
    let teller = Who.studio

    func advanced() throws -> Play {
        var play = try Shelf.play("receivable-advance")
        try play.act("pledge", by: z, ["evidence": proof])
        try play.pay(1)
        return play
    }

    func done(_ orders: Int64) -> [String: Value] {
        ["fulfilled_orders": .integer(orders), "evidence": proof]
    }

    @Test(arguments: [(163, 3_120_000), (162, 3_180_000)] as [(Int64, Int64)])
    func `the better rate holds above ninety percent`(_ orders: Int64, _ due: Int64) throws {
        var play = try advanced()
        try play.act("state_completion", by: teller, done(orders))
        try play.silent(1)
        #expect(play.state.record(1)?.pay?.amount == due)
        #expect(play.state.record(1)?.until == on(day: 90))
        try play.pay(1)
        #expect(play.paid == [z: 3_000_000 - due, d: due - 3_000_000])
        #expect(play.state.outcome == .fulfilled)
    }

    @Test func `nothing is paid out before the orders are shown`() throws {
        var play = try Shelf.play("receivable-advance")
        #expect(play.refused("pay_state", by: d) != nil)
        var unpaid = play
        try play.silent(1)
        #expect(play.state.outcome == .lapsed && play.paid.isEmpty)
        try unpaid.act("pledge", by: z, ["evidence": proof])
        try unpaid.silent(1)
        #expect(unpaid.state.outcome == .lapsed && unpaid.owed.isEmpty)
    }

    @Test func `silent teller and arbiter halve the discount, silent borrower owes`() throws {
        var play = try advanced()
        #expect(play.refused("state_completion", by: z, done(180)) != nil)
        #expect(play.refused("state_completion", by: teller, done(181)) != nil)
        try play.silent(1)
        #expect(play.path(1) == "disputed")
        try play.silent(1)
        #expect(play.state.record(1)?.pay?.amount == 3_150_000)
        try play.silent(1)
        #expect(play.owed == [z: -3_150_000, d: 3_150_000])
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `a contested count stands unless the arbiter rules`() throws {
        for (orders, due) in [(163, 3_120_000), (162, 3_180_000)] as [(Int64, Int64)] {
            var play = try advanced()
            try play.act("state_completion", by: teller, done(orders))
            try play.act("contest", by: orders == 163 ? d : z, ["evidence": proof])
            try play.silent(1)
            #expect(play.state.record(1)?.pay?.amount == due)
        }
    }

    @Test func `no more is advanced than the orders bring`() throws {
        let high = try Shelf.refusal(
            "receivable-advance", ["advance": fen(4_800_000), "rate": .integer(600)])
        #expect(high?.words(.en).contains("are above the orders pledged") == true)
        #expect(try Shelf.refusal("receivable-advance", ["better_rate": .integer(601)]) != nil)
        #expect(try Shelf.refusal("receivable-advance", ["repay_by": .instant(on(day: 76))]) != nil)
    }

    /// States an income in the first period and hands out every share.
    func shared(_ income: Int64, _ shares: [Int64], _ people: [DID]) throws -> Play {
        var terms = Shelf.terms(
            "revenue-share", ["shares": .list(shares.map { .integer($0) })])
        var roles = terms.roles
        roles["contributors"] = people
        terms = ContractsTests.terms(terms.parameters, roles, lines: [])
        var play = try Play(template("revenue-share"), terms)
        let stated: [String: Value] = ["earned": fen(income), "evidence": proof]
        #expect(play.refused("report", by: d, stated) != nil)
        try play.act("report", by: d, stated, at: on(day: 30))
        for _ in people { try play.act("share_out", 2, by: people[0]) }
        #expect(play.path(2) == "shared")
        return play
    }

    @Test func `29,800 at fifteen percent are 4,470 and 25,330, each payout with its proof`() throws
    {
        var play = try shared(29_800, [15, 85], [z])
        let told = play.state.says(Act(transition: "share_out", record: 2), .en)
        #expect(told.contains("253.30 CNY stay with the seller"), "\(told)")
        try play.act("accept", 3, by: z)
        #expect(play.state.record(3)?.pay?.amount == 4470)
        try play.act(
            "pay_state", 3, by: d,
            ["channel": .text("alipay"), "reference": .text("2026-12"), "evidence": proof])
        let received = try play.act("pay_receive", 3, by: z)
        guard case .post(_, 4470, signed: true)? = received.transfers.first else {
            Issue.record("the payout is not signed for")
            return
        }
        #expect(play.paid == [d: -4470, z: 4470])
    }

    @Test func `three equal shares of 10,000 lose nothing`() throws {
        let play = try shared(10_000, [1, 1, 1], [z, Who.studio])
        let amounts = play.state.records.dropFirst(2).map {
            $0.fields.first { $0.name == "amount" }
        }
        #expect(amounts.map { $0?.value } == [fen(3334), fen(3333)])
    }

    @Test func `a silent seller shares the minimum every period, and owes it`() throws {
        var play = try Shelf.play("revenue-share")
        try play.silent(1)
        try play.silent(1)
        #expect(play.path(1) == "over" && play.path(2) == "sharing" && play.path(3) == "sharing")
        for record in [2, 3, 4, 5, 4, 5] as [Int64] { try play.silent(record) }
        #expect(play.owed == [d: -3000, z: 3000])
        #expect(play.state.outcome == .defaulted)
    }

    @Test func `an income that is disputed moves the share by the ruling`() throws {
        var play = try shared(10_000, [15, 85], [z])
        #expect(play.refused("object", 3, by: z, ["earned": fen(9999), "evidence": proof]) != nil)
        try play.act("object", 3, by: z, ["earned": fen(30_000), "evidence": proof])
        var agreed = play
        try play.silent(3)
        #expect(play.state.record(3)?.pay?.amount == 3000)
        try agreed.act("agree", 3, by: d, ["ruling": .integer(10_000)], with: [z])
        #expect(agreed.state.record(3)?.pay?.amount == 4500)
    }

    @Test func `nobody states or asks for more than the most`() throws {
        let most = ["most": fen(20_000)]
        var play = try Shelf.play("revenue-share", most)
        let above: [String: Value] = ["earned": fen(20_001), "evidence": proof]
        let refusal = play.refused("report", by: d, above, at: on(day: 30))
        #expect(refusal?.words(.en).contains("200.00") == true)
        try play.act("report", by: d, ["earned": fen(20_000), "evidence": proof], at: on(day: 30))
        try play.act("share_out", 2, by: z)
        #expect(play.refused("object", 3, by: z, above) != nil)
        #expect(
            try Shelf.refusal("revenue-share", most.merging(["minimum": fen(20_001)]) { $1 }) != nil
        )
    }

    @Test func `shares below zero, or none, are no contract`() throws {
        for shares in [[0, 0], [-1, 2], [1]] as [[Int64]] {
            let list = Value.list(shares.map { .integer($0) })
            #expect(try Shelf.refusal("revenue-share", ["shares": list]) != nil)
        }
    }
}

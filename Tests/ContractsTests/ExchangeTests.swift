import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Testing

/// Two options change hands, both or neither.
struct ExchangeTests {
    let z = Who.zhijian
    let d = Who.dongguan
    let s = Who.studio
    let secret = Value.hash(SHA256.hash([7]))
    let lock = Value.hash(SHA256.hash(SHA256.hash([7]).bytes))

    /// The child of an exchange: `z` passes 40 to `s`, who may claim them for so many days.
    func child(days: Int64) throws -> Play {
        var parent = try Play(
            template("capacity-option"),
            terms(CapacityOptionTests.parameters, CapacityOptionTests.roles))
        try parent.pay(1)
        let exchange = try parent.act(
            "exchange", by: z,
            [
                "n": pcs(40), "newcomer": .identity(s), "secret_hash": lock,
                "within": .integer(days * day),
            ])
        #expect(exchange.lines.map(\.kind) == [.split] && exchange.lines.map(\.units) == [40])
        let need = try #require(exchange.child)
        return try Play(
            template("capacity-option"), terms(need.parameters, need.roles, isChild: true))
    }

    @Test func `an exchanged right waits for the secret, and only for its holder`() throws {
        var play = try child(days: 3)
        #expect(play.path(1) == "locked" && play.paid.isEmpty)
        #expect(play.refused("exercise", by: s, ["n": pcs(40)]) != nil)
        #expect(play.refused("claim", by: z, ["secret": secret]) != nil)
        let wrong = play.refused("claim", by: s, ["secret": lock])
        #expect(wrong?.words(.en).hasPrefix("this is not the secret of") == true)
        #expect(play.refused("claim", by: s, ["secret": secret], at: on(day: 3)) == nil)
        let late = on(day: 3).advanced(by: 1)
        #expect(play.refused("claim", by: s, ["secret": secret], at: late) != nil)
        let told = play.state.says(
            Act(transition: "claim", record: 1, arguments: ["secret": secret]), .en)
        #expect(told.contains("I claim 40 pcs"))
        try play.act("claim", by: s, ["secret": secret])
        try play.act("exercise", by: s, ["n": pcs(40)])
        #expect(play.path(1) == "used")
    }

    @Test func `an unclaimed right goes back`() throws {
        var play = try child(days: 1)
        try play.silent(1)
        #expect(play.path(1) == "open" && play.state.pending.map(\.to) == [z])
        #expect(play.refused("exercise", by: s, ["n": pcs(40)]) != nil)
        #expect(play.refused("claim", by: s, ["secret": secret]) != nil)
        #expect(play.refused("exercise", by: z, ["n": pcs(40)]) == nil)
    }

    @Test func `a claim must fit before expiry`() throws {
        #expect(throws: ContractRefusal.self) { try child(days: 27) }
        #expect(throws: Never.self) { try child(days: 26) }
    }
}

import Capacity
import Ledger
import Testing

@Suite struct BooksTests {
    @Test func `a payment is due at once and paid only when posted`() throws {
        try check(
            """
            reserve k/1/0 payment alice bob 50000 CNY -> ok
            balance alice bob CNY due                 -> debit 50000 credit 0
            balance bob alice CNY due                 -> debit 0 credit 50000
            balance alice bob CNY paid                -> debit 0 credit 0
            post k/1/0 50000 signed                   -> ok
            balance alice bob CNY due                 -> debit 0 credit 0
            balance alice bob CNY paid                -> debit 50000 credit 0
            position bob alice CNY paid               -> -50000
            post k/1/0 50000 signed                   -> alreadyResolved
            void k/1/0 late                           -> alreadyResolved
            """)
    }

    @Test func `a part is posted and the rest is voided`() throws {
        let books = try check(
            """
            reserve k/1/0 capacity bob alice 100 print/a5 -> ok
            position bob alice print/a5 reserved          -> 100
            post k/1/0 62 signed                          -> ok
            position bob alice print/a5 reserved          -> 0
            position bob alice print/a5 delivered         -> 62
            position alice bob print/a5 delivered         -> -62
            """)
        #expect(books.rows.map(\.state) == [.posted(amount: 62, signed: true)])
    }

    @Test func `what is voided leaves nothing but its reason`() throws {
        let books = try check(
            """
            reserve k/1/0 capacity bob alice 38 print/a5 -> ok
            void k/1/0 option lapsed                     -> ok
            position bob alice print/a5 reserved         -> 0
            """)
        #expect(books.rows.map(\.state) == [.voided(reason: "option lapsed")])
        #expect(books.balances().isEmpty)
    }

    @Test func `a claim is owed to its creditor until the creditor clears it`() throws {
        try check(
            """
            reserve k/1/0 claim bob alice 27000 CNY -> ok
            discharge k/1/0 1                       -> claimNotPosted
            post k/1/0 27000 signed                 -> ok
            position alice bob CNY owed             -> 27000
            discharge k/1/0 7000                    -> ok
            position alice bob CNY owed             -> 20000
            position bob alice CNY owed             -> -20000
            discharge k/1/0 20001                   -> aboveOwed
            discharge k/1/0 20000                   -> ok
            position alice bob CNY owed             -> 0
            paid alice                              -> nothing
            """)
    }

    @Test func `a custodian holds a deposit until it is paid out`() throws {
        try check(
            """
            reserve k/1/0 deposit alice wang 2000 CNY -> ok
            position alice wang CNY due               -> 2000
            held wang k                               -> 0
            post k/1/0 2000 signed                    -> ok
            position alice wang CNY paid              -> 2000
            position alice wang CNY escrow            -> 2000
            position wang alice CNY escrow            -> -2000
            reserve k/2/0 payout wang bob 600 CNY     -> ok
            post k/2/0 600 signed                     -> ok
            position wang bob CNY paid                -> 600
            position alice wang CNY escrow            -> 1400
            held wang k                               -> 1400
            reserve k/3/0 payout wang alice 1401 CNY  -> ok
            post k/3/0 1401 signed                    -> aboveHeld
            post k/3/0 1400 signed                    -> ok
            position alice wang CNY escrow            -> 0
            position alice wang CNY paid              -> 600
            paid alice                                -> CNY 600
            paid wang                                 -> nothing
            paid bob                                  -> CNY -600
            held wang k                               -> 0
            """)
    }

    // docs: milestone walk B, "the custodian falls silent after tranche.0".
    @Test func `what a custodian cannot pay becomes owed and is no longer held`() throws {
        try check(
            """
            reserve k/1/0 deposit alice wang 2000000 CNY -> ok
            post k/1/0 2000000 signed                    -> ok
            reserve k/2/0 payout wang bob 600000 CNY     -> ok
            post k/2/0 600000 signed                     -> ok
            reserve k/3/0 payout wang bob 350000 CNY     -> ok
            void k/3/0 unpaid                            -> ok
            reserve k/3/1 claim wang bob 350000 CNY      -> ok
            post k/3/1 350000                            -> ok
            position bob wang CNY owed                   -> 350000
            held wang k                                  -> 1050000
            reserve k/4/0 claim wang alice 1050000 CNY   -> ok
            post k/4/0 1050000                           -> ok
            position alice wang CNY owed                 -> 1050000
            position alice wang CNY escrow               -> 0
            held wang k                                  -> 0
            """)
    }

    @Test func `a refund returns the receiver's own deposit before another's`() throws {
        try check(
            """
            reserve k/1/0 deposit alice wang 10 CNY -> ok
            post k/1/0 10 signed                    -> ok
            reserve k/1/1 deposit bob wang 10 CNY   -> ok
            post k/1/1 10 signed                    -> ok
            reserve k/2/0 payout wang bob 12 CNY    -> ok
            post k/2/0 12 signed                    -> ok
            position bob wang CNY escrow            -> 0
            position alice wang CNY escrow          -> 8
            """)
    }

    @Test func `one contract's payout cannot take another's deposit`() throws {
        try check(
            """
            reserve k/1/0 deposit alice wang 10 CNY -> ok
            post k/1/0 10 signed                    -> ok
            reserve m/1/0 payout wang bob 1 CNY     -> ok
            post m/1/0 1 signed                     -> aboveHeld
            """)
    }

    @Test func `net paid counts only what both signed`() throws {
        try check(
            """
            reserve k/1/0 payment alice bob 500 CNY -> ok
            post k/1/0 500 signed                   -> ok
            reserve k/2/0 payment alice bob 300 CNY -> ok
            post k/2/0 300                          -> ok
            reserve k/3/0 payment bob alice 20 CNY  -> ok
            paid alice                              -> CNY 500
            post k/3/0 20 signed                    -> ok
            paid alice                              -> CNY 480
            paid bob                                -> CNY -480
            position alice bob CNY paid             -> 780
            """)
    }

    @Test func `every refusal`() throws {
        try check(
            """
            reserve k/1/0 payment alice bob 0 CNY                -> amountNotPositive
            reserve k/1/0 payment alice bob -5 CNY               -> amountNotPositive
            reserve k/1/0 payment alice bob 9007199254740992 CNY -> amountOutOfBounds
            reserve k/1/0 payment alice alice 5 CNY              -> sameParty
            reserve k/1/0 payment alice bob 5 print/a5           -> commodityUnfit
            reserve k/1/0 capacity alice bob 5 CNY               -> commodityUnfit
            reserve k/1/0 claim alice bob 5 print/a5             -> commodityUnfit
            post k/1/0 5                                         -> causeUnknown
            void k/1/0 x                                         -> causeUnknown
            discharge k/1/0 5                                    -> causeUnknown
            reserve k/1/0 payment alice bob 5 CNY                -> ok
            reserve k/1/0 payment alice bob 5 CNY                -> causeRepeated
            post k/1/0 0                                         -> amountNotPositive
            post k/1/0 6                                         -> abovePending
            post k/1/0 9223372036854775807                       -> amountOutOfBounds
            discharge k/1/0 5                                    -> notClaim
            void k/1/0 x                                         -> ok
            post k/1/0 5                                         -> alreadyResolved
            reserve k/1/0 payment alice bob 5 CNY                -> causeRepeated
            reserve k/1/1 claim alice bob 5 CNY                  -> ok
            discharge k/1/1 5                                    -> claimNotPosted
            post k/1/1 5                                         -> ok
            discharge k/1/1 0                                    -> amountNotPositive
            discharge k/1/1 6                                    -> aboveOwed
            reserve k/1/2 payout wang bob 5 CNY                  -> ok
            post k/1/2 5                                         -> aboveHeld
            """)
    }

    @Test func `sums beyond 64 bits are counted, neither wrapped nor refused`() throws {
        var books = Books()
        for index in 0..<1100 {
            let cause = "k/1/\(index)"
            books.apply(
                try Play.event("reserve \(cause) payment alice bob \(wholeNumberMax) CNY"))
            books.apply(try Play.event("post \(cause) \(wholeNumberMax) signed"))
        }
        let all = Int128(wholeNumberMax) * 1100
        #expect(all > Int128(Int64.max))
        #expect(books.positions(of: try Play.party("alice")).map(\.amount) == [all])
        #expect(books.netPaid(by: try Play.party("bob")).map(\.minor) == [-all])
    }

    // contracts.json, D-ledger: premium 100 × 5.00, exercise 62 × 18.00, 38 expire.
    @Test func `the life of an option`() throws {
        let books = try check(optionLife)
        let units = try #require(books.row(try Play.cause("k/3/0")))
        let lapsed = try #require(books.row(try Play.cause("k/3/1")))
        let premium = try #require(books.row(try Play.cause("k/1/1"))).postedAmount
        let promised = try #require(books.row(try Play.cause("k/1/0"))).transfer.amount
        #expect(units.postedAmount + lapsed.transfer.amount == promised)
        #expect(lapsed.postedAmount == 0)
        // The premium of each, by what became of it.
        #expect(units.postedAmount * premium / promised == 310_00)
        #expect(lapsed.transfer.amount * premium / promised == 190_00)
        #expect(5_000_000 - books.netPaid(by: try Play.party("alice"))[0].minor == 4_838_400)
    }
}

let optionLife = """
    reserve k/1/0 capacity bob alice 100 print/notebook/a5 -> ok
    reserve k/1/1 payment alice bob 50000 CNY              -> ok
    post k/1/1 50000 signed                                -> ok
    void k/1/0 carved for exercise                         -> ok
    reserve k/3/0 capacity bob alice 62 print/notebook/a5  -> ok
    reserve k/3/1 capacity bob alice 38 print/notebook/a5  -> ok
    position bob alice print/notebook/a5 reserved          -> 100
    post k/3/0 62 signed                                   -> ok
    reserve k/4/0 payment alice bob 111600 CNY             -> ok
    post k/4/0 111600 signed                               -> ok
    void k/3/1 lapsed                                      -> ok
    position alice bob CNY paid                            -> 161600
    position alice bob print/notebook/a5 delivered         -> -62
    position alice bob print/notebook/a5 reserved          -> 0
    position alice bob CNY due                             -> 0
    """

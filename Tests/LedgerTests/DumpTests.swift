import Ledger
import Testing

@Suite struct DumpTests {
    @Test func `a dump shows rows, balances and what is held, and no reason breaks its lines`()
        throws
    {
        var books = try check(
            """
            reserve k/1/0 deposit alice wang 10 CNY -> ok
            post k/1/0 10 signed                    -> ok
            reserve k/2/0 payout wang bob 4 CNY     -> ok
            post k/2/0 3                            -> ok
            reserve k/2/1 claim bob alice 9 CNY     -> ok
            """)
        books.apply(.void(try Play.cause("k/2/1"), reason: "no\nbalances \"x\""))
        let (alice, bob, wang) = (
            try Play.party("alice"), try Play.party("bob"), try Play.party("wang")
        )
        let contract = try Play.contract("k")
        #expect(
            books.dump() == """
                rows
                \(contract)/1/0 deposit \(alice) \(wang) CNY 10 posted 10 signed
                \(contract)/2/0 payout \(wang) \(bob) CNY 4 posted 3 unsigned released \(alice) 3
                \(contract)/2/1 claim \(bob) \(alice) CNY 9 voided "no\\u{a}balances \\"x\\""
                balances
                \(alice) \(wang) CNY escrow 10 3
                \(alice) \(wang) CNY paid 10 0
                \(bob) \(wang) CNY paid 0 3
                \(wang) \(alice) CNY escrow 3 10
                \(wang) \(alice) CNY paid 0 10
                \(wang) \(bob) CNY paid 3 0
                held
                \(contract) \(wang) CNY \(alice) 7

                """)
    }
}

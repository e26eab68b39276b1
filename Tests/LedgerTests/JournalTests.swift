import Capacity
import Identity
import Testing

@testable import Ledger

@Suite struct JournalTests {
    @Test(.enabled(if: Tools.hledger != nil || Tools.isCI, "\(Tools.hledgerMissing)"))
    func `hledger accepts the journal and finds our balances`() throws {
        let hledger = try #require(Tools.hledger, "\(Tools.hledgerMissing)")
        for (owner, journal) in try journals() {
            try Tools.withFile(journal.hledger(), "journal") { file in
                let check = try Tools.run(hledger, ["-f", file, "check", "--strict"])
                #expect(check.status == 0, "\(owner): \(check.output)\n\(journal.hledger())")
                let report = try Tools.run(
                    hledger,
                    [
                        "-f", file, "bal", "--flat", "-N", "--layout", "bare", "-O", "csv",
                        "Assets:Talea",
                    ])
                let found = report.output.split(separator: "\n").dropFirst()
                    .map { String($0).replacing("\"", with: "") }.filter { !$0.hasSuffix(",0") }
                #expect(Set(found) == journal.expected(unitAlways: false), "\(owner)")
                #expect(found.count == journal.balances.count)
            }
        }
    }

    @Test(.enabled(if: Tools.python != nil || Tools.isCI, "\(Tools.beancountMissing)"))
    func `beancount accepts the journal and finds our balances`() throws {
        let python = try #require(Tools.python, "\(Tools.beancountMissing)")
        let script = """
            import sys
            from collections import defaultdict
            from beancount import loader
            from beancount.core.data import Commodity, Transaction
            entries, errors, _ = loader.load_file(sys.argv[1])
            assert not errors, errors
            name, sums = {}, defaultdict(int)
            for e in entries:
                if isinstance(e, Commodity):
                    m = e.meta
                    name[e.currency] = f"{m['resource']} {m['unit']}" if 'unit' in m else e.currency
                if isinstance(e, Transaction):
                    for p in e.postings:
                        sums[p.account, p.units.currency] += p.units.number
            for (account, currency), number in sums.items():
                if account.startswith("Assets:Talea:") and number != 0:
                    print(f"{account},{name[currency]},{number}")
            """
        for (owner, journal) in try journals() {
            try Tools.withFile(journal.beancount(), "beancount") { file in
                let check = try Tools.run(python, ["-m", "beancount.scripts.check", file])
                #expect(check.status == 0, "\(owner): \(check.output)\n\(journal.beancount())")
                let report = try Tools.run(python, ["-c", script, file])
                let found = report.output.split(separator: "\n").map(String.init)
                #expect(Set(found) == journal.expected(unitAlways: true), "\(owner)")
                #expect(found.count == journal.balances.count)
            }
        }
    }

    // contracts.json, D-ledger: 50,000.00 in the bank before, 48,384.00 after.
    @Test(.enabled(if: Tools.hledger != nil || Tools.isCI, "\(Tools.hledgerMissing)"))
    func `the life of an option leaves the bank where the worked case has it`() throws {
        let hledger = try #require(Tools.hledger, "\(Tools.hledgerMissing)")
        let journal = Journal(
            of: try Play.party("alice"), in: try check(optionLife), names: \.short,
            dateOf: { _ in "2026-11-21" })
        let opening = """

            account Equity:Opening

            2026-11-01 * opening
                Assets:Outside  50000.00 CNY
                Equity:Opening  -50000.00 CNY

            """
        try Tools.withFile(journal.hledger() + opening, "journal") { file in
            let check = try Tools.run(hledger, ["-f", file, "check", "--strict"])
            #expect(check.status == 0, "\(check.output)")
            let bank = try Tools.run(hledger, ["-f", file, "bal", "-N", "Assets:Outside"])
            #expect(bank.output.split(separator: " ").first == "48384.00", "\(bank.output)")
        }
    }

    @Test func `a journal reads like this`() throws {
        let books = try check(
            """
            reserve k/1/0 payment alice bob 50000 CNY     -> ok
            post k/1/0 50000                              -> ok
            reserve k/1/1 capacity bob alice 100 print/a5 -> ok
            """)
        let journal = Journal(
            of: try Play.party("alice"), in: books, names: { _ in "印刷厂 (北)" },
            dateOf: { $0.index == 0 ? "2026-11-21" : "2026-11-22" })
        let alice = try Play.party("alice")
        let bob = "印刷厂-北-" + (try Play.party("bob")).did.suffix(8)
        let contract = try Play.contract("k")
        #expect(
            journal.hledger() == """
                ; Talea: the books of \(alice.did)
                decimal-mark .

                commodity 1000.00 CNY
                commodity 1000. "print/a5"
                account Assets:Outside
                account Assets:Talea:\(bob):Paid
                account Assets:Talea:\(bob):Reserved
                account Equity:Talea:Reserved

                2026-11-21 * payment to \(bob)
                    ; cause: \(contract)/1/0
                    ; signed: no
                    Assets:Talea:\(bob):Paid  500.00 CNY
                    Assets:Outside  -500.00 CNY

                2026-11-22 ! capacity from \(bob)
                    ; cause: \(contract)/1/1
                    Assets:Talea:\(bob):Reserved  -100 "print/a5"
                    Equity:Talea:Reserved  100 "print/a5"

                2026-11-22 * balances as Talea counts them
                    Assets:Talea:\(bob):Paid  0.00 CNY = 500.00 CNY
                    Assets:Talea:\(bob):Reserved  0 "print/a5" = -100 "print/a5"

                """)
    }

    @Test func `a table has one line per transfer and starts no formula`() throws {
        var books = try check(
            """
            reserve k/1/0 payment alice bob 5 CNY  -> ok
            reserve k/1/1 payment carol bob 5 CNY  -> ok
            reserve k/1/2 claim bob alice 1205 CNY -> ok
            post k/1/2 1200 signed                 -> ok
            discharge k/1/2 200                    -> ok
            """)
        books.apply(.void(try Play.cause("k/1/0"), reason: "=1+1, \"x\"\r\ny"))
        let (alice, bob) = (try Play.party("alice"), try Play.party("bob"))
        let journal = Journal(
            of: alice, in: books, names: { $0 == alice ? "Alice" : "Bob" },
            dateOf: { _ in "2026-11-21" })
        let contract = try Play.contract("k")
        // Without it, spreadsheets take Chinese names for another encoding.
        #expect(journal.csv().utf8.starts(with: [0xEF, 0xBB, 0xBF] + Array("date,".utf8)))
        #expect(
            journal.csv().split(separator: "\r\n").dropFirst().map(String.init) == [
                "2026-11-21,\(contract),1,0,payment,\(alice.did),Alice,\(bob.did),Bob,CNY,,0.05,"
                    + "voided,,,,\"'=1+1, \"\"x\"\"  y\"",
                "2026-11-21,\(contract),1,2,claim,\(bob.did),Bob,\(alice.did),Alice,CNY,,12.05,"
                    + "posted,12.00,yes,2.00,",
            ])
    }

    @Test(arguments: [
        ("CNY", -5, "-0.05"), ("CNY", 123_456, "1234.56"), ("CNY", 0, "0.00"), ("JPY", 7, "7"),
        ("KWD", 1, "0.001"), ("print/a5", -62, "-62"),
    ])
    func `amounts are written with the decimals of their currency`(
        name: String, amount: Int, text: String
    ) throws {
        #expect(try Play.commodity(name).text(Int128(amount)) == text)
    }

    @Test func `no two parties share an account name, whatever they are called`() throws {
        let parties = try Play.parties.map { try Play.party($0) }.sorted()
        let bob = parties[1]
        let names = [
            "印 厂", "印-厂", "印-厂-\(bob.did.suffix(8))", "\n\":;|", "",
        ]
        let chosen = AccountNames.unique(parties) { names[parties.firstIndex(of: $0) ?? 0] }
        #expect(Set(chosen.values).count == parties.count)
        #expect(AccountNames.component("alice's  shop (北京)") == "Alice-s-shop-北京")
    }

    /// Books made to be hard to write down, seen by each of their parties.
    private func journals() throws -> [(String, Journal)] {
        var lines = [
            "reserve k/1/0 deposit alice wang 200001 CNY", "post k/1/0 200001 signed",
            "reserve k/2/0 payout wang bob 60000 CNY", "post k/2/0 60000",
            "reserve k/2/1 payout wang bob 30000 CNY", "void k/2/1 unpaid",
            "reserve k/2/2 claim wang bob 30000 CNY", "post k/2/2 30000 signed",
            "discharge k/2/2 10001",
            "reserve m/1/0 payment bob alice 9007199254740991 CNY",
            "post m/1/0 9007199254740991 signed",
            "reserve m/1/1 payment bob carol 9007199254740991 CNY",
            "reserve m/1/2 payment alice bob 1500 JPY", "post m/1/2 1500 signed",
            "reserve m/1/3 payment alice bob 1500 KWD", "post m/1/3 1234 signed",
            "reserve m/1/4 payment alice bob 77 CNY",
        ]
        let resources = [
            "print/notebook/a5", "print/a5:HUR", "print/a5", "a/b", "a-b", "cny", "null", "true",
            "a", "3d/print", "-x-", "a-very/long/name-of-what/is-made/in-one-week",
            "x-1", "print/notebook/a5-and-some",
        ]
        for (index, resource) in resources.enumerated() {
            lines.append("reserve p/1/\(index) capacity bob alice \(index + 3) \(resource)")
            if index % 3 > 0 { lines.append("post p/1/\(index) \(index + 1) signed") }
        }
        var books = Books()
        for line in lines {
            let event = try Play.event(line)
            try books.decide(event)
            books.apply(event)
        }
        let evil = "date:x [2026-99-99]\n2026-01-01 * evil\u{2028}\u{85}; \"\\"
        books.apply(.void(try Play.cause("m/1/4"), reason: evil))
        let names = ["alice": "alice \"纸间时光\"; x", "bob": "印刷厂", "carol": "印刷厂", "wang": ""]
        let nameOf = try Dictionary(
            uniqueKeysWithValues: names.map { (try Play.party($0.key), $0.value) })
        let dates = ["2026-11-21", "2026-02-30", "9999-12-30", "287396-10-12", "", "2026-11-20"]
        return try names.keys.sorted().map { name in
            let journal = Journal(
                of: try Play.party(name), in: books, names: { nameOf[$0] ?? "?" },
                dateOf: { dates[Int($0.index) % dates.count] })
            #expect(!journal.balances.isEmpty)
            return (name, journal)
        }
    }
}

extension Journal {
    /// `account,commodity,amount` as the two reports print it.
    fileprivate func expected(unitAlways: Bool) -> Set<String> {
        let uses = Dictionary(grouping: commodities, by: \.name)
        return Set(
            balances.map { balance in
                let commodity = balance.position.commodity
                var name = commodity.name
                if case .capacity(_, let unit) = commodity,
                    unitAlways || (uses[name]?.count ?? 0) > 1
                {
                    name += " \(unit.code)"
                }
                return "\(balance.account),\(name),\(commodity.text(balance.position.amount))"
            })
    }
}

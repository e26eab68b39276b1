import Foundation
import Testing

extension ProcessTests {
    @Suite struct LedgerTests {
        /// SQL on a home's ledger as another program would write it, triggers and all.
        static func damage(_ home: String, _ sql: String) async throws {
            let done = try await Programs.python([
                "-c",
                """
                import sqlite3, sys
                base = sqlite3.connect(sys.argv[1])
                changed = base.execute(sys.argv[2]).rowcount
                base.commit()
                base.close()
                sys.exit(0 if changed == 1 else 9)
                """, home + "/ledger.sqlite", sql,
            ])
            guard done.status == 0 else { throw Broken("damage: \(done.error)") }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a damaged balance is named by the check and mended by rebuild`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let maker = trade.maker
            let right = try await maker("ledger balance")
            #expect(try await maker("ledger rebuild", [:], ["--check"])["equal"].isTrue)
            #expect(try await maker.stop() == 0)
            #expect(
                try await maker.run("ledger rebuild", [:], ["--check", "--offline"]).status == 0)
            try await Self.damage(
                maker.home,
                """
                UPDATE balance SET debitsLow = debitsLow + 1 WHERE debitsLow > 0 AND account IN (
                    SELECT number FROM account WHERE kind = 'paid')
                """)
            let check = try await maker.run(
                "ledger rebuild", [:], ["--check", "--offline", "--json"])
            #expect(check.status == 1)
            let differences = try check.json["differences"].items
            #expect(differences.count == 1)
            let name = differences.first?["name"].text ?? ""
            #expect(name.contains("account paid CNY"), "\(name)")
            #expect(name.contains(trade.press.did.suffix(8)), "\(name)")
            let human = try await maker.run("ledger rebuild", [:], ["--check", "--offline"])
            #expect(human.status == 1)
            #expect(human.out.contains("account paid CNY"), "\(human.out)")
            try await maker.start()
            #expect(
                try await maker.run("ledger rebuild", [:], ["--check", "--json"]).status == 1)
            #expect(try await maker.run("ledger rebuild").status == 0)
            #expect(try await maker("ledger rebuild", [:], ["--check"])["equal"].isTrue)
            #expect(try await maker("ledger balance") == right)
            #expect(try await maker.stop() == 0)
            #expect(
                try await maker.run("ledger rebuild", [:], ["--check", "--offline"]).status == 0)
        }

        /// Beancount's own loader and numbers: account, commodity and sum a line.
        static let beancount = """
            import sys
            from beancount import loader
            from beancount.core import data, inventory
            entries, errors, options = loader.load_file(sys.argv[1])
            if errors:
                sys.exit(str(errors))
            sums = {}
            for entry in entries:
                if isinstance(entry, data.Transaction):
                    for posting in entry.postings:
                        key = posting.account, posting.units.currency
                        sums[key] = sums.get(key, 0) + posting.units.number
            for (account, currency), number in sorted(sums.items()):
                if number:
                    print(account, currency, number, sep="\\t")
            """

        @Test(.timeLimit(.minutes(3)))
        func `hledger and beancount report our balances to the fen`() async throws {
            let python = try #require(Programs.python)
            let counts = try await Programs.run(python, ["-c", "import beancount"]).status == 0
            if Programs.isCI {
                try #require(Programs.hledger != nil, "apt-get install hledger")
                try #require(counts, "pip install beancount==3.2.3 and set TALEA_PYTHON")
            }
            guard Programs.hledger != nil || counts else { return }
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let delivery = try await trade.deliver(units: "30")
            try await trade.maker(
                "delivery confirm",
                ["contract": trade.option, "record": delivery, "evidence": trade.evidence])
            try await trade.pay(trade.maker, trade.press, record: delivery)
            for studio in [trade.maker, trade.press] {
                let balance = try await studio("ledger balance")
                #expect(
                    balance["net_paid"]["CNY"].number
                        == (studio === trade.maker ? 104_000 : -104_000))
                let human = try await studio.run(["ledger", "balance"])
                #expect(human.out.contains("¥1,040.00\n"), "\(human)")
                if let hledger = Programs.hledger {
                    let found = try await hledgerSums(hledger, studio)
                    try compare(found, studio, "hledger", balance)
                }
                if counts {
                    let found = try await beancountSums(python, studio)
                    try compare(found, studio, "beancount", balance)
                }
            }
        }

        /// `account commodity` to minor units.
        typealias Sums = [String: Int64]

        private func hledgerSums(_ hledger: String, _ studio: Studio) async throws -> Sums {
            let file = studio.home + ".journal"
            try await export(studio, "hledger", file)
            let done = try await Programs.run(
                hledger, ["-f", file, "bal", "--flat", "-N", "-O", "csv", "--layout", "bare"])
            try #require(done.status == 0, "\(done.error)")
            var sums: Sums = [:]
            for line in done.out.split(separator: "\n").dropFirst() {
                let cells = line.split(separator: ",").map {
                    $0.trimmingCharacters(in: .init(charactersIn: "\""))
                }
                try #require(cells.count == 3, "\(line)")
                sums["\(cells[0]) \(cells[1])"] = try Self.minor(cells[2])
            }
            return sums.filter { $0.value != 0 }
        }

        private func beancountSums(_ python: String, _ studio: Studio) async throws -> Sums {
            let file = studio.home + ".beancount"
            try await export(studio, "beancount", file)
            let done = try await Programs.run(python, ["-c", Self.beancount, file])
            try #require(done.status == 0, "\(done.error)")
            var sums: Sums = [:]
            for line in done.out.split(separator: "\n") {
                let cells = line.split(separator: "\t").map(String.init)
                try #require(cells.count == 3, "\(line)")
                sums["\(cells[0]) \(cells[1])"] = try Self.minor(cells[2])
            }
            return sums
        }

        private func export(_ studio: Studio, _ format: String, _ file: String) async throws {
            let done = try await studio.run(["ledger", "export", "--format", format, "-o", file])
            try #require(done.status == 0, "\(done.error)")
        }

        /// Digits without the point.
        private static func minor(_ text: String) throws -> Int64 {
            try #require(Int64(text.filter { $0 != "." }), "\(text)")
        }

        /// Position by position: of which kind, with whom, how much of what.
        private func compare(
            _ sums: Sums, _ studio: Studio, _ tool: String, _ balance: Found
        ) throws {
            let own = sums.filter { $0.key.hasPrefix("Assets:Talea:") }
            let ours = balance["positions"].items.filter { $0["amount"].number != 0 }
            #expect(own.count == ours.count)
            for position in ours {
                let name = position["counterparty_name"].text.prefix { $0 != " " }.capitalized
                let account = "Assets:Talea:\(name):\(position["kind"].text.capitalized)"
                let commodity = position["commodity"].text
                let named =
                    tool == "hledger" || !commodity.contains("/")
                    ? commodity
                    : commodity.uppercased().replacingOccurrences(of: "/", with: "-")
                #expect(
                    own["\(account) \(named)"] == position["amount"].number,
                    "\(tool) of \(studio.name): \(position), \(own)")
            }
        }
    }
}

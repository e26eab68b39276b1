import Foundation
import Testing

extension ProcessTests {
    @Suite struct BadInputTests {
        /// One mistake: the words typed, and what the one line must name: field, value, what is right.
        struct Row {
            let words: String
            let says: [String]

            init(_ words: String, _ says: String...) {
                self.words = words
                self.says = says
            }
        }

        static let declare = "line declare --resource print/x --start +1d --end +2d --total 5"
        static let production =
            "production propose --line ORDER --buyer me --maker press --custodian clerk "
            + "--arbiter judge --units 40 --minimum 10 --total 1000.00 --demand-by +5d "
            + "--dates [+31d] --batch-max 10 --batch-price 25.00 --batches-end +20d"

        /// `_` within a value stands for a blank. PRESS… is typed by the press, all else by the maker.
        static let rows = [
            Row("frobnicate all --yes", "frobnicate all", "--help", "option buy"),
            Row("frobnicate", "frobnicate", "--help", "option buy"),
            Row("lien show", "lien show", "line show", "--help"),
            Row("option exercice --contract OPTION", "option exercice", "option exercise"),
            Row("contract show it twice --yes", "contract show it twice", "--option"),
            Row("line declare --start +1d --end +2d --total 5 --yes", "--resource", "print/"),
            Row("line declare --resource a/b --start +1d --end +2d --yes", "--total", "number"),
            Row("\(declare)", "line declare", "--yes"),
            Row("\(declare) --yes --colour red", "--colour", "known", "--unit"),
            Row("\(declare) --yes --total 6", "--total", "2 times", "once"),
            Row("\(declare) --yes --lang fr", "--lang", "fr", "en or zh"),
            Row("\(declare) --yes --unit", "--unit", "VALUE"),
            Row("\(declare) --yes=1", "--yes=1", "no value"),
            Row("line adjust --line ORDER --total 50 --reason x --yes", "another's", "issuer"),
            Row("\(declare) --yes --unit x_y", "--unit", "x y", "C62"),
            Row(
                "line declare --resource Print//A --start +1d --end +2d --total 5 --yes",
                "--resource", "Print//A", "print/notebook/a5"),
            Row(
                "line declare --resource a/b --start yesterday --end +2d --total 5 --yes",
                "--start", "yesterday", "+5d"),
            Row(
                "line declare --resource a/b --start 2026-13-41T09:00+08:00 --end +2d --total 5 --yes",
                "--start", "2026-13-41T09:00+08:00", "2026-11-21T09:00+08:00"),
            Row(
                "line declare --resource a/b --start 2026-12-01T09:00 --end +20d --total 5 --yes",
                "--start", "2026-12-01T09:00", "+08:00"),
            Row(
                "line declare --resource a/b --start +3d --end +2d --total 5 --yes", "--end",
                "before"),
            Row(
                "line declare --resource a/b --start +1d --end +2d --total -5 --yes", "--total",
                "-5", "number from 0"),
            Row(
                "line declare --resource a/b --start +1d --end +2d --total 9007199254740992 --yes",
                "--total", "9007199254740992", "9007199254740991"),
            Row(
                "line declare --resource a/b --start +1d --end +2d --total 1.5 --yes", "--total",
                "1.5", "whole number"),
            Row("line show --issuer nobody", "--issuer", "nobody", "petname"),
            Row("line show --line 12345", "--line", "12345", "6"),
            Row("contract list --grade done", "--grade", "done", "settled"),
            Row("contract show --contract ffffffff", "--contract", "ffffffff", "contract list"),
            Row("contract accept --contract OPTION --request abcdef --yes", "--request", "abcdef"),
            Row("template show --template barter", "--template", "barter", "capacity-option"),
            Row("ledger export --format xml", "--format", "xml", "hledger"),
            Row("proof export --contract OPTION --step 99", "99"),
            Row("proof export --contract OPTION --step 0", "--step", "“0”", "from 1"),
            Row("peer add --address nowhere", "--address", "nowhere", "HOST:PORT"),
            Row("name --did judge --name me", "--name", "me", "64"),
            Row("option buy --offer OFFER --units 15 --arbiter judge --yes", "--units", "15", "10"),
            Row("option buy --offer OFFER --units 0 --arbiter judge --yes", "units", "0"),
            Row(
                "option buy --offer OFFER --units 210 --arbiter judge --yes", "--units", "210",
                "200"),
            Row(
                "option buy --offer OFFER --units 20 --arbiter press --yes", "--issuer",
                "--arbiter", "same identity", "press (…"),
            Row(
                "option buy --offer OFFER --units 20 --arbiter judge --premium 10.00 --yes",
                "--premium", "10.00 CNY", "the offer says 500.00 CNY"),
            Row(
                "option buy --offer OFFER --units 20 --arbiter judge --fair 0% --yes", "--fair",
                "0 %", "the offer says 50 %"),
            Row(
                "option buy --offer OFFER --units 20 --arbiter judge --pay-within 91d --yes",
                "--pay-within", "91d", "the offer says 3d"),
            Row(
                "option transfer --contract OPTION --units 10 --newcomer press --asking 5.00 --yes",
                "holder", "issuer", "same identity", "press (…"),
            Row("option buy --offer OFFER --units 20 --yes", "arbiter"),
            Row(
                "option buy --offer OFFER --units 20 --arbiter judge --currency yuan --yes",
                "--currency", "yuan", "CNY"),
            Row(
                "option transfer --contract OPTION --units 110 --newcomer clerk --asking 5.00 --yes",
                "110", "70"),
            Row("option exercise --contract OPTION --units 15 --yes", "15", "10"),
            Row("option exercise --contract OPTION --units 80 --yes", "80", "70"),
            Row("option exercise --contract OPTION --yes", "--units"),
            Row("option exercise --contract OPTION --units ten --yes", "--units", "ten"),
            Row("loan take --contract OPTION --yes", "loan take"),
            Row(
                "pay state --contract OPTION --channel bank --reference T9 --yes", "pay state",
                "nothing is due in this contract"),
            Row(
                "pay state --contract OPTION --record 1 --channel bank --reference T9 --yes",
                "pay state", "nothing is due in record 1"),
            Row("pay receive --contract OPTION --record 77 --yes", "77"),
            Row("pay receive --contract OPTION --record 1 --yes", "record 1"),
            Row(
                "delivery confirm --contract OPTION --evidence /none/photo.jpg --yes",
                "--evidence", "/none/photo.jpg", "SHA-256"),
            Row(
                "delivery confirm --contract OPTION --evidence OTHER --yes", "--evidence",
                "step", "not the same file"),
            Row(
                "\(production) --schedule [30_%,_69_%] --yes", "schedule", "99 %", "100 %"),
            Row(
                "\(production) --schedule [40.01_%,_59.99_%] --yes", "first payment", "400.10",
                "40"),
            Row("\(production) --schedule [half,_half] --yes", "--schedule", "half"),
        ]

        @Test(.timeLimit(.minutes(8)))
        func `bad input is one clear line, ends with 2 and writes nothing`() async throws {
            let trade = try await Trade.open()
            let clerk = Studio("clerk", in: trade.folder)
            try await clerk.make(joining: trade.press)
            try await clerk.start()
            try await Trade.connect(trade.all + [clerk])
            try await trade.publish()
            let order = try await trade.press(
                "line declare",
                ["resource": "print/set", "start": "+20d", "end": "+27d", "total": "40"])["id"].text
            try await until("the maker sees the second line") {
                try await trade.maker("line show")["lines"].items.count == 2
            }
            try await trade.buy()
            _ = try await trade.deliver(units: "30")
            let other = try trade.folder.write("other.jpg", "another photograph")
            let names = [
                ("ORDER", order), ("OPTION", trade.option), ("OFFER", trade.offer),
                ("OTHER", other),
            ]
            var lists = try await trade.maker.lists()
            try await until("nothing moves") {
                let before = lists
                lists = try await trade.maker.lists()
                return before == lists
            }
            let heads = try await trade.maker.heads()
            for row in Self.rows {
                var words = row.words
                for (name, value) in names { words.replace(name, with: value) }
                let line = words.split(separator: " ")
                    .map { String($0.replacing("_", with: " ")) }
                let ended = try await trade.maker.run(line)
                #expect(ended.status == 2, "\(row.words): \(ended)")
                #expect(ended.lines.count == 1, "\(row.words): \(ended)")
                #expect(ended.out.isEmpty, "\(row.words): \(ended)")
                for text in row.says {
                    #expect(ended.error.contains(text), "\(row.words): \(ended.error)")
                }
                let zh = try await trade.maker.run(line, lang: "zh")
                #expect(zh.status == 2, "\(row.words): \(zh)")
                #expect(zh.lines.count == 1, "\(row.words): \(zh)")
                // In no language that is known, a refusal is in the environment's.
                guard !row.words.contains("--lang") else { continue }
                #expect(zh.error.contains(/\p{Han}/), "\(row.words): \(zh.error)")
            }
            #expect(try await trade.maker.lists() == lists)
            #expect(try await trade.maker.heads() == heads)
        }

        @Test func `before a home exists bad input is put the same way`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            let rows = [
                Row("init", "--name"),
                Row("init --name anna --no-passphrase", "--invitation", "--alliance"),
                Row("init --name anna --invitation talea-invite:x --no-passphrase", "--invitation"),
                Row(
                    "init --name anna --alliance x --no-passphrase --contracts /none",
                    "--contracts", "/none"),
                Row("init --name anna --alliance= --no-passphrase", "--alliance"),
                Row(
                    "init --name anna --no-passphrase --alliance "
                        + String(repeating: "x", count: 65), "--alliance", "64"),
                Row("init --name anna --alliance x --colour red", "--colour"),
                Row("init --name anna --alliance x --passphrase-file /none", "/none"),
                Row("run --http door", "http", "door"),
                Row("verify", "--image"),
                Row("template check", "file"),
                Row("template check /none", "FILE", "/none"),
            ]
            for row in rows {
                let words = row.words.split(separator: " ").map(String.init)
                let en = try await studio.run(words)
                #expect(en.status == 2, "\(row.words): \(en)")
                #expect(en.lines.count == 1, "\(row.words): \(en)")
                for text in row.says {
                    #expect(en.error.contains(text), "\(row.words): \(en.error)")
                }
                let zh = try await studio.run(words, lang: "zh")
                #expect(zh.status == 2, "\(row.words): \(zh)")
                #expect(zh.error.contains(/\p{Han}/), "\(row.words): \(zh.error)")
            }
            #expect(!FileManager.default.fileExists(atPath: studio.home))
        }

        @Test func `Chinese is asked for in either form, and then all words are Chinese`()
            async throws
        {
            let folder = try Folder()
            let rows = [
                Row("status --home", "--home"), Row("status --json=yes", "--json"),
                Row("init", "--name"), Row("init --name a --nme b", "--nme"),
                Row("init --name a --alianse b", "--alianse", "--alliance"),
                Row("init --name a b", "b"), Row("init --name a b c", "b", "c"),
                Row("run --http door", "--http", "door"), Row("verify", "--image"),
                Row("verify /none", "/none"), Row("init -x --name a", "-x"),
                Row("frobnicate --home \(folder.path)", "frobnicate", "talea init"),
            ]
            for row in rows {
                let words = row.words.split(separator: " ").map(String.init)
                let spaced = try await Programs.run(
                    Programs.talea, ["--lang", "zh"] + words, in: folder.path)
                let equal = try await Programs.run(
                    Programs.talea, ["--lang=zh"] + words, in: folder.path)
                #expect(equal.error == spaced.error)
                HomeTests.expectOneLine(equal)
                for text in row.says { #expect(equal.error.contains(text), "\(equal.error)") }
                // What is typed stays: options, commands, and whatever is quoted.
                let said = equal.error.replacing(/“[^”]*”|--\S+|\/\S+|talea( [a-z]+)*:?/, with: "")
                #expect(!said.contains(/[A-Za-z]/), "\(equal.error)")
                #expect(said.contains(/\p{Han}/), "\(equal.error)")
            }
            let unreadable = try await Programs.run(Programs.talea, ["id", "--lang=fr"])
            HomeTests.expectOneLine(unreadable, "--lang", "fr", "en or zh")
            let help = try await Programs.run(Programs.talea, ["help", "--lang=zh"])
            #expect(help.status == 0 && help.out.contains("创建身份"))
        }
    }
}

import Foundation
import Testing

extension ProcessTests {
    @Suite struct PreviewTests {
        @Test(.timeLimit(.minutes(5)))
        func `a dry run says what would move and moves nothing`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            let declare: KeyValuePairs = [
                "resource": "pen", "start": "+1d", "end": "+2d", "total": "5",
            ]
            try await Self.changesNothing(trade.press, "line declare", declare) { preview, text in
                #expect(preview["would_move"].items.isEmpty)
                #expect(preview["says"]["en"].text.contains("I declare 5 C62 of pen"))
                #expect(text.contains("would move nothing"))
            }
            try await Self.changesNothing(
                trade.maker, "option buy",
                ["offer": trade.offer, "units": "100", "arbiter": "judge"]
            ) { preview, text in
                Self.expectMove(preview, text, "100 C62", shown: "100 pcs", "press", "maker")
                Self.expectMove(preview, text, "500.00 CNY", shown: "¥500.00", "maker", "press")
                Self.expectTerms(preview, text)
                #expect(text.contains("You may lose up to ¥500.00."), "\(text)")
            }
            trade.option = try await trade.maker(
                "option buy", ["offer": trade.offer, "units": "100", "arbiter": "judge"])["id"].text
            try await trade.press.reaches(trade.option, "proposed", "agreed")
            try await Self.changesNothing(
                trade.press, "contract accept", ["contract": trade.option]
            ) { preview, text in
                Self.expectTerms(preview, text)
                #expect(text.contains("premium (premium): ¥500.00\n"), "\(text)")
            }
            try await trade.agree(trade.option)
            let number: KeyValuePairs = [
                "contract": trade.option, "record": "1", "channel": "bank", "reference": "T1",
            ]
            try await trade.maker.record(trade.option, "main", "premium_due")
            try await Self.changesNothing(trade.maker, "pay state", number) { preview, text in
                #expect(preview["says"]["en"].text.contains("500.00"), "\(preview)")
                #expect(text.contains("500.00"), "\(text)")
            }
            try await trade.pay(trade.maker, trade.press, record: "1")
            try await Self.changesNothing(
                trade.maker, "option exercise", ["contract": trade.option, "units": "30"]
            ) { preview, text in
                #expect(preview["says"]["en"].text.contains("30"))
                #expect(text.contains("30"), "\(text)")
                #expect(!preview["worst"]["en"].text.isEmpty)
            }
        }

        /// Whoever signs has read who takes part, what nobody had to say, and whose clock counts.
        static func expectTerms(_ preview: Found, _ text: String) {
            let fair = preview["would"]["terms"].items.first { $0["name"].text == "fair" }
            #expect(fair?["text"]["en"].text == "50 %" && fair?["given"].isTrue == false)
            #expect(text.contains("fair (share if nobody rules): 50 % (default)"), "\(text)")
            #expect(text.contains("arbiter: judge"), "\(text)")
            #expect(text.contains("no witnesses: the sequencer's clock decides"), "\(text)")
        }

        static func expectMove(
            _ preview: Found, _ text: String, _ amount: String, shown: String, _ from: String,
            _ to: String
        ) {
            let found = preview["would_move"].items.contains {
                $0["text"].text == amount && $0["from_name"].text.hasPrefix(from)
                    && $0["to_name"].text.hasPrefix(to)
            }
            #expect(found, "\(amount): \(preview["would_move"])")
            #expect(text.contains(shown), "\(text)")
        }

        /// Twice, for programs and for people: lists and outbox are as before, and so is the number
        /// of rows in every table of the ledger.
        static func changesNothing(
            _ studio: Studio, _ verb: String, _ options: KeyValuePairs<String, String>,
            _ check: (Found, String) throws -> Void
        ) async throws {
            var lists = try await studio.lists()
            try await until("nothing moves") {
                let before = lists
                lists = try await studio.lists()
                return before == lists
            }
            let heads = try await studio.heads()
            let preview = try await studio(verb, options, ["--dry-run"])
            #expect(preview["dry_run"].isTrue)
            let human = try await studio.run(verb, options, ["--dry-run"])
            #expect(human.status == 0, "\(human)")
            try check(preview, human.out)
            #expect(try await studio.heads() == heads, "\(verb)")
            #expect(try await studio.lists() == lists, "\(verb)")
        }

        @Test func `every verb answers JSON when asked to, a refusal too`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            try await studio.start()
            let line = try await studio("line declare", HomeTests.window("print/a"))["id"].text
            let rows: [(verb: String, options: KeyValuePairs<String, String>)] = [
                ("id", [:]), ("status", [:]), ("peer add", ["address": "127.0.0.1:9"]),
                ("peer list", [:]), ("peer remove", ["address": "127.0.0.1:9"]),
                ("name", ["did": "me", "name": "I"]), ("name list", [:]), ("line show", [:]),
                ("line adjust", ["line": line, "total": "6", "reason": "one more"]),
                ("offer list", [:]), ("template list", [:]),
                ("template show", ["template": "capacity-option"]), ("contract list", [:]),
                ("ledger balance", [:]), ("ledger statement", [:]),
                ("ledger export", ["format": "csv"]), ("ledger rebuild", [:]),
            ]
            for row in rows {
                let answer = try await studio(row.verb, row.options)
                #expect(!answer.fields.isEmpty, "\(row.verb)")
            }
            let refusals = [
                "offer publish", "offer withdraw", "offer show", "contract propose",
                "contract accept", "contract decline", "contract cancel", "contract request",
                "contract show", "proof export", "option buy", "option exercise", "pay state",
                "pay receive", "pay deny", "delivery state", "milestone sign", "assist draw",
                "swap propose", "rule", "default",
            ]
            for verb in refusals {
                let ended = try await studio.run(verb, [:], ["--json", "--yes"])
                #expect(ended.status == 2, "\(verb)")
                #expect(!(try ended.json["refusal"]["code"].text.isEmpty), "\(verb)")
                #expect(ended.lines.count == 1, "\(verb): \(ended.error)")
            }
            let template = studio.home + "/contracts/capacity-option.yaml"
            let check = try await studio.run(["template", "check", template, "--json"])
            #expect(try check.json["valid"].isTrue)
            let junk = try await studio.run(["verify", template, "--json"])
            #expect(try junk.json["refusal"]["code"].text == "proof_unreadable")
        }

        @Test func `the version names the wire`() async throws {
            let ended = try await Programs.run(Programs.talea, ["--version"])
            #expect(ended.status == 0)
            #expect(ended.out.contains("wire version 1"))
            let help = try await Programs.run(Programs.talea, ["--help"])
            #expect(help.status == 0)
            for verb in ["offer publish", "ledger rebuild", "proof export", "verify [FILE]"] {
                #expect(help.out.contains("talea \(verb)"))
            }
        }
    }
}

extension Studio {
    /// How far every chain of this home goes, and what waits to be sent, as they lie in its database.
    func heads() async throws -> String {
        let done = try await Programs.python([
            "-c",
            """
            import sqlite3, sys
            base = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
            # A partner's snapshot may come in at any moment.
            names = [n for n, in base.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'keepsake'"
                " ORDER BY name")]
            for name in names:
                print(name, *base.execute(f'SELECT count(*) FROM "{name}"').fetchone())
            """, home + "/ledger.sqlite",
        ])
        guard done.status == 0 else { throw Broken(done.error) }
        return done.out
    }
}

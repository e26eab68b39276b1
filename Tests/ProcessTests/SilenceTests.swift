import Foundation
import Testing

extension ProcessTests {
    /// A sequencer that is killed and does not come back in time.
    @Suite struct SilenceTests {
        @Test func `without witnesses the others settle, and whoever comes back finds it so`()
            async throws
        {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            try await trade.press.stop(SIGKILL)
            let option: KeyValuePairs = ["contract": trade.option]
            try await trade.maker("option exercise", ["contract": trade.option, "units": "100"])
            let waiting = try await trade.maker.show(trade.option)
            #expect(!waiting["silent_since"].text.isEmpty)
            for (lang, word) in [("en", "silent since"), ("zh", "排序方失联")] {
                let shown = try await trade.maker.run("contract show", option, lang: lang)
                #expect(shown.out.contains(word), "\(shown.out)")
            }
            let held = try #require(waiting["pending"].items.first)
            let post = "\(held["step"].text)/\(held["index"].text),1"
            // Not in the name of the one who does not sign.
            let taken = try await trade.maker.run(
                "contract settle",
                ["contract": trade.option, "without-sequencer": "yes", "post": post], ["--yes"])
            #expect(taken.status == 2)
            #expect(taken.error.contains("between two who sign"), "\(taken.error)")
            let end: KeyValuePairs = ["contract": trade.option, "without-sequencer": "yes"]
            for (lang, word) in [("en", "who loses nothing by it"), ("zh", "也不因此受损")] {
                let preview = try await trade.maker.run(
                    "contract settle", end, ["--dry-run"], lang: lang)
                #expect(preview.status == 0)
                #expect(preview.out.contains(word), "\(preview.out)")
            }
            let asked = try await trade.maker("contract settle", end)
            let request = asked["request"].text
            try await until("judge may consent") {
                try await trade.judge.run(
                    "contract accept", ["contract": trade.option, "request": request], ["--yes"]
                ).status == 0
            }
            for studio in [trade.maker, trade.judge] {
                try await studio.reaches(trade.option, "settled")
            }
            try await trade.press.start()
            try await trade.press.reaches(trade.option, "settled")
            let digests = try await [
                trade.press.show(trade.option), trade.maker.show(trade.option),
            ].map { $0["state_digest"].text }
            #expect(digests[0] == digests[1])
            #expect(try await trade.press("ledger rebuild", [:], ["--check"])["equal"].isTrue)
        }

        /// The option's own template, but for a payee who has two seconds instead of two days: so long a
        /// sequencer may be silent.
        private static func hasty() throws -> String {
            try String(
                contentsOfFile: Programs.checkout + "/contracts/capacity-option.yaml",
                encoding: .utf8
            ).replacingOccurrences(of: "confirm: confirm_within", with: "confirm: 2s")
                .replacingOccurrences(of: "name: capacity-option", with: "name: hasty-option")
        }

        @Test func `with a witness the arbiter goes on from what it receipted`() async throws {
            let trade = try Trade()
            let witness = Studio("witness", in: trade.folder)
            let all = trade.all + [witness]
            let template = try Self.hasty()
            for studio in all {
                try await studio.make(joining: studio === trade.press ? nil : trade.press)
                let file = studio.home + "/contracts/hasty-option.yaml"
                try template.write(toFile: file, atomically: true, encoding: .utf8)
                try await studio.start()
                try await studio("template list")
            }
            try await Trade.connect(all)
            try await witness("witness on")
            try await trade.publish("hasty-option", premium: "0")
            trade.option = try await trade.maker(
                "option buy",
                [
                    "offer": trade.offer, "units": "100", "arbiter": "judge",
                    "witness": "witness", "threshold": "1",
                ])["id"].text
            for studio in [trade.press, trade.judge] {
                try await studio.reaches(trade.option, "proposed", "agreed")
                try await studio("contract accept", ["contract": trade.option])
            }
            for studio in trade.all { try await studio.reaches(trade.option, "witnessed") }
            try await trade.press.stop(SIGKILL)
            try await trade.maker("option exercise", ["contract": trade.option, "units": "100"])
            // Refused until the press had its time; then the witness's word counts, not the hour of the
            // step that at last admits it.
            let claim: KeyValuePairs = ["contract": trade.option]
            let early = try await trade.judge.run("contract takeover", claim, ["--yes"])
            #expect(early.status == 2)
            try await until("the arbiter may take over") {
                try await trade.judge.run("contract takeover", claim, ["--yes"]).status == 0
            }
            let claimed = Date.now
            for studio in [trade.maker, trade.judge] {
                try await studio.record(trade.option, "exercise", "open")
            }
            try await trade.maker.reaches(trade.option, "witnessed")
            let shown = try await trade.maker.show(trade.option)
            #expect(shown["sequencer"]["did"].text == trade.judge.did)
            let step = try #require(shown["steps"].items.last)
            let time = try Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                .parse(step["time"].text)
            #expect(claimed.timeIntervalSince(time) >= 2)
            try await trade.press.start()
            try await trade.press.record(trade.option, "exercise", "open")
            try await trade.press.reaches(trade.option, "witnessed")
        }
    }
}

import Foundation
import Testing

extension ProcessTests {
    /// Two alliances at once, as their members use them.
    @Suite struct AllianceTests {
        @Test func `a steward founds, a code admits once, both alliances trade, one expels`()
            async throws
        {
            let trade = try await Trade.open()
            let guild: KeyValuePairs = ["alliance": "guild"]
            let founded = try await trade.press(
                "alliance found", ["name": "guild", "admission": "steward"])
            #expect(founded["standing"].text == "steward")
            // The code names the press's own address: nobody has to type it.
            let code = try await trade.press("alliance invite", guild)["code"].text
            let joined = try await trade.maker("alliance join", ["code": code])
            #expect(joined["name"].text == "guild")
            try await until("the maker is let in") {
                try await Self.standing(of: trade.maker, at: trade.maker) == "member"
            }
            try await trade.judge("alliance join", ["code": code])
            let judge: KeyValuePairs = ["did": trade.judge.did, "alliance": "guild"]
            #expect(try await Self.standing(of: trade.judge, at: trade.judge) == "outsider")
            for (lang, word) in [("en", "you wait to be admitted"), ("zh", "您在等待接纳")] {
                let shown = try await trade.judge.run("alliance list", [:], lang: lang)
                #expect(shown.out.contains(word), "\(shown.out)")
            }
            try await trade.press("alliance admit", judge)
            try await until("the judge is let in") {
                try await Self.standing(of: trade.judge, at: trade.judge) == "member"
            }

            // A home that begins with a code is let in by it, with no address typed.
            let novice = Studio("novice", in: trade.folder)
            let ticket = try await trade.press("alliance invite", guild)["code"].text
            let made = try await novice.run([
                "init", "--name", "novice", "--invitation", ticket, "--no-passphrase", "--json",
            ])
            #expect(made.status == 0, "\(made.error)")
            try await novice.start()
            try await until("the novice is let in") {
                try await novice("alliance list")["alliances"].items.first?["standing"].text
                    == "member"
            }

            // The first alliance trades as ever; the other one beside it.
            try await trade.publish()
            try await trade.buy()
            let line = try await trade.press(
                "line declare",
                [
                    "resource": "sew/bag", "start": "+20d", "end": "+27d", "total": "40",
                    "alliance": "guild",
                ])["id"].text
            let twice = try await trade.press.run(
                "line declare",
                [
                    "resource": "sew/bag", "start": "+20d", "end": "+28d", "total": "40",
                    "alliance": try await trade.press("id")["alliance"].text,
                ], ["--yes"])
            #expect(twice.status == 2)
            #expect(twice.error.contains("twice"), "\(twice.error)")
            let offer = try await trade.press(
                "offer publish",
                [
                    "template": "capacity-option", "line": line, "max-units": "20", "lot": "10",
                    "until": "+10d", "premium": "50.00", "strike": "18.00", "remedy": "9.00",
                    "expiry": "+30d", "deliver-by": "+60d",
                ])
            #expect(offer["alliance"].text == "guild")
            try await until("the guild's offer is seen") {
                try await trade.maker("offer list", guild)["offers"].items
                    .contains { $0["id"].text == offer["id"].text }
            }
            let both = try await trade.maker.run("offer list", [:])
            #expect(both.out.contains("guild"), "\(both.out)")
            let other = try await trade.maker(
                "option buy", ["offer": offer["id"].text, "units": "20", "arbiter": "judge"])[
                    "id"
                ].text
            try await trade.agree(other)

            // Out of the guild, and still a party to its contracts.
            try await trade.press(
                "alliance expel", ["did": trade.maker.did, "alliance": "guild", "reason": "left"])
            try await until("the maker knows") {
                try await Self.standing(of: trade.maker, at: trade.maker) == "expelled"
            }
            let refused = try await trade.maker.run(
                "line declare",
                [
                    "resource": "bind", "start": "+20d", "end": "+27d", "total": "4",
                    "alliance": "guild",
                ], ["--yes"])
            #expect(refused.status == 2)
            #expect(refused.error.contains("expelled"), "\(refused.error)")
            trade.option = other
            try await trade.pay(trade.maker, trade.press, record: "1")

            // All of it is there after a start.
            try await trade.maker.stop()
            try await trade.maker.start()
            #expect(try await Self.standing(of: trade.maker, at: trade.maker) == "expelled")
            let alliances = try await trade.maker("alliance list")["alliances"].items
            #expect(alliances.count == 2)
        }

        private static func standing(of one: Studio, at reader: Studio) async throws -> String {
            let guild = try await reader("alliance list")["alliances"].items
                .first { $0["name"].text == "guild" }
            return guild?["people"].items.first { $0["did"].text == one.did }?["standing"].text
                ?? guild?["standing"].text ?? ""
        }
    }
}

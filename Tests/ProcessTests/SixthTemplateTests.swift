import Foundation
import Testing

extension ProcessTests {
    @Suite struct SixthTemplateTests {
        /// None of those that come with the program: two words of its own, and the payments that every contract has.
        static let loan = """
            talea: 1
            name: tool-loan
            title: {en: Tool loan, zh: 工具借用}
            verb: loan ask
            sequencer: lender
            roles:
              lender: {kind: party, title: {en: lender, zh: 出借方}}
              user: {kind: party, title: {en: user, zh: 借用方}}
              arbiter: {kind: third, title: {en: arbiter, zh: 仲裁方}}
            parameters:
              units: {type: quantity, min: 1, max: 1000, title: {en: units, zh: 数量}}
              rent: {type: money, min: 0, max: 1000000, title: {en: rent, zh: 租金}}
              ends: {type: instant, title: {en: end, zh: 结束}}
            terms: {pay_within: 3d, confirm_within: 2d, rule_within: 5d, grace: 3d}
            check:
              - {that: "grant_by + grace < ends", en: "too close to {ends}", zh: "离 {ends} 太近"}
            line: {issuer: lender, holder: user, units: units, until: ends + grace * 2}
            payments: {within: pay_within, confirm: confirm_within, denied: unpaid}
            disputes: {arbiter: arbiter, within: rule_within}
            records:
              main:
                shape:
                  holds: {held: {of: units, from: lender, to: user}}
                  final: {paid: fulfilled, owed: defaulted, lapsed: lapsed}
                states:
                  open: {until: ends, default: lapse}
                  due:
                    pay:
                      from: user
                      to: lender
                      amount: rent
                      paid: {to: paid}
                      unpaid: {to: owed, claim: true}
            start:
              first: {main: {state: open, held: units}}
            transitions:
              take:
                at: main.open
                by: user
                verb: loan take
                to: due
                do: [{post: held, of: held}]
                says: {en: "I take {held} for {rent}.", zh: "我借用 {held}，租金 {rent}。"}
              lapse:
                at: main.open
                by: default
                to: lapsed
                do: [{void: held}]
                says: {en: "{held} were not taken.", zh: "未借用 {held}。"}
            outcome:
              - {when: any(defaulted), is: defaulted}
              - {when: main.state == lapsed, is: lapsed}
              - {is: fulfilled}
            worst:
              user: {loses: rent, en: "You owe the rent {rent}.", zh: "最多欠租金 {rent}。"}
              lender: {loses: 0, en: The rent may stay unpaid as a claim., zh: 租金可能成为债权。}
            prose:
              en: "The {lender} lends {units} to the {user} until {ends} for {rent}."
              zh: "{lender}把 {units} 借给{user}至 {ends}，租金 {rent}。"

            """

        @Test(.timeLimit(.minutes(3)))
        func `a template that would get stuck is not taken, and the list says why`() async throws {
            let trade = try await Trade.open()
            let stuck = Self.loan.replacing(
                "    do: [{void: held}]\n    says: {en: \"{held} were",
                with: "    says: {en: \"{held} were")
            #expect(stuck != Self.loan)
            try stuck.write(
                toFile: trade.maker.home + "/contracts/tool-loan.yaml", atomically: true,
                encoding: .utf8)
            let listed = try await trade.maker("template list")
            #expect(!listed["templates"].items.contains { $0["name"].text == "tool-loan" })
            let refused = try #require(listed["refused"].items.first)
            #expect(refused["file"].text == "tool-loan.yaml")
            #expect(refused["message"]["en"].text.contains("main.open is stuck"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a template laid into running homes brings its own words`() async throws {
            let trade = try await Trade.open()
            let line = try await trade.press(
                "line declare",
                ["resource": "tool/press", "start": "+20d", "end": "+27d", "total": "4"])["id"].text
            let before = try await trade.maker.run(
                "loan ask", ["lender": "press", "user": "me", "arbiter": "judge"], ["--yes"])
            #expect(before.status == 2)
            #expect(before.error.contains("“loan ask” is no command"))
            for studio in trade.all {
                let shipped = try await studio("template list")["templates"].items.count
                try Self.loan.write(
                    toFile: studio.home + "/contracts/tool-loan.yaml", atomically: true,
                    encoding: .utf8)
                let templates = try await studio("template list")["templates"].items
                #expect(templates.count == shipped + 1)
                let loan = try #require(templates.first { $0["name"].text == "tool-loan" })
                #expect(loan["verb"].text == "loan ask")
                #expect(loan["verbs"].items.map(\.text) == ["loan take"])
            }
            try await until("the maker sees the line") {
                try await trade.maker("line show")["lines"].items.contains { $0["id"].text == line }
            }
            let made = try await trade.maker(
                "loan ask",
                [
                    "lender": "press", "user": "me", "arbiter": "judge", "units": "3",
                    "rent": "45.50", "ends": "+30d",
                ])["id"].text
            trade.option = made
            try await trade.agree(made)
            try await trade.maker("loan take", ["contract": made])
            try await trade.press.record(made, "main", "due")
            try await trade.pay(trade.maker, trade.press, record: "1")
            for studio in trade.all { try await studio.reaches(made, "settled") }
            for studio in trade.all {
                let shown = try await studio.show(made)
                #expect(shown["outcome"].text == "fulfilled")
                #expect(shown["template"].text == "tool-loan")
            }
            #expect(try await trade.maker("ledger balance")["net_paid"]["CNY"].number == 4_550)
            let digests = Set(
                try await trade.digests(of: made))
            #expect(digests.count == 1)
        }
    }
}

extension Trade {
    func digests(of contract: String) async throws -> [String] {
        var found: [String] = []
        for studio in all { found.append(try await studio.show(contract)["state_digest"].text) }
        return found
    }
}

import Contracts
import Testing

@testable import Dashboard
@testable import talea

@Suite struct PhrasesTests {
    @Test func `a terminal shows amounts as the pages do, and times whole with their zone`() {
        let (en, zh) = (Phrases(.en, zone: -210), Phrases(.zh, zone: 480))
        let said = "20 C62 at 18.00 CNY until 2026-12-10 22:05:11 +00:00"
        #expect(en.sentence(said) == "20 pcs at ¥18.00 until 2026-12-10 18:35:11 -03:30")
        #expect(zh.sentence(said).hasPrefix("20 件 at ¥18.00"))
        #expect(zh.sentence("2026-12-10T22:05:11.000Z") == "2026-12-11 06:05:11 +08:00")
        #expect(en.sentence("Team 4 HURRICANES, 4 HUR") == "Team 4 HURRICANES, 4 h")
        #expect(en.sentence("a\u{1b}[31mb\u{202e}c\n") == "a[31mbc\n")
        #expect(zh.readable(["a": ["5 HUR", 7]]) == ["a": ["5 小时", 7]])
    }

    @Test func `lists and contracts are told in the reader's words, for programs in code`()
        async throws
    {
        let (world, contract) = try await inForce()
        _ = try await ask(
            world, "bob", "pay state",
            ["contract": [contract], "channel": ["bank"], "reference": ["R1"]]
        ).get()
        _ = try await ask(world, "alice", "pay receive", ["contract": [contract]]).get()
        let code = [
            "sequenced", "outcome", "reserved", "capacity", "paid", "posted", "pending",
            "HUR", "steward", "bank", "issuer", "holder", "premium", "Z",
        ]
        for (verb, options, words) in [
            ("contract list", [:], ["工时", "已排定", "进行中", "持有方"]),
            ("ledger balance", [:], ["预留", "已付", "¥5.00", "小时"]),
            ("ledger statement", [:], ["产能", "付款", "双方已签", "待定"]),
            ("alliance list", [:], ["管理人"]),
            ("offer list", [:], ["权利金 ¥5.00", "到期 20"]),
            ("contract show", ["contract": [contract]], ["仲裁方", "银行转账", "已排定", "流水号 R1"]),
            ("line show", [:], ["小时"]),
        ] as [(String, [String: [String]], [String])] {
            let answer = try await ask(world, "bob", verb, options).get()
            let shown = Show.text(answer, verb: verb, .zh)
            for word in words { #expect(shown.contains(word), "\(verb): \(shown)") }
            // What a template calls its own stands beside its title in a contract alone.
            for word in code where verb != "contract show" {
                let isShown = shown.split { !$0.isASCII || !$0.isLetter }.contains { $0 == word }
                #expect(!isShown, "\(verb) says \(word): \(shown)")
            }
        }
        let english = Show.text(
            try await ask(world, "bob", "ledger balance").get(), verb: "ledger balance", .en)
        #expect(english.contains("100 h") && english.contains("¥5.00"), "\(english)")
        let listed = try await ask(world, "bob", "contract list").get()["contracts"]?.array.first
        #expect(listed?["grade"]?.string == "sequenced")
        #expect(listed?["role_titles"]?["holder"]?["zh"]?.string == "持有方")
    }
}

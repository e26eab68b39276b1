import Foundation
import Testing

extension ProcessTests {
    @Suite struct BundleTests {
        @Test(.timeLimit(.minutes(4)))
        func `any one's copy of a trade is verified in an empty folder, and tells the same`()
            async throws
        {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let delivery = try await trade.deliver(units: "100")
            try await trade.maker(
                "delivery confirm", ["contract": trade.option, "record": delivery])
            try await trade.pay(trade.maker, trade.press, record: delivery)
            for studio in trade.all { try await studio.reaches(trade.option, "settled") }
            let shown = try await trade.maker.show(trade.option)
            var files: [String] = []
            for studio in trade.all { files.append(try await Self.export(trade, studio, [])) }
            // One trade alone is in these books.
            var paid: [String: Found] = [:]
            for studio in trade.all {
                paid[studio.did] = try await studio("ledger balance")["net_paid"]
            }
            for studio in trade.all { try await studio.stop() }
            let empty = try Folder()
            var stories: [Found] = []
            for file in files {
                let ended = try await Programs.run(
                    Programs.talea, ["verify", file, "--json"], in: empty.path)
                #expect(ended.status == 0, "\(ended)")
                stories.append(try ended.json)
            }
            let story = try #require(stories.first)
            #expect(stories.allSatisfy { $0 == story })
            #expect(story["valid"].isTrue)
            for name in ["grade", "outcome", "state_digest", "template_hash"] {
                #expect(story[name].text == shown[name].text, "\(name)")
            }
            #expect(story["steps"].items.count == shown["steps"].items.count)
            // The sentences that were signed, as they stood then.
            let said = story["steps"].items.map { $0["says"]["en"].text }
            #expect(said.first == "In force: all have signed.")
            #expect(said.contains { $0.hasPrefix("I paid 500.00 CNY") }, "\(said)")
            #expect(story["balances"].items.count == paid.count)
            for balance in story["balances"].items {
                #expect(balance["net_paid"] == paid[balance["owner"].text])
            }
            let evidence = try #require(story["evidence"].items.first?["hash"].text)
            for (lang, words) in [
                ("en", ["VALID", "Settled", "deliver"]), ("zh", ["有效", "凭证", "已结清", "持有方"]),
            ] {
                let told = try await Programs.run(
                    Programs.talea, ["verify", files[0], "--lang", lang], in: empty.path)
                for word in words + [evidence, trade.press.did] {
                    #expect(told.out.contains(word), "\(word): \(told.out)")
                }
            }
            try await Self.flip(files[0], in: empty)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a disclosed step is read, and no term of the rest is in the file`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let steps = try await trade.maker.show(trade.option)["steps"].items
            let stated = try #require(steps.first { $0["transition"].text == "pay_state" })
            let number = stated["sequence"].text
            let file = try await Self.export(trade, trade.maker, ["--steps", number])
            let empty = try Folder()
            let ended = try await ProofTests.verify(file, in: empty)
            #expect(ended.status == 0, "\(ended)")
            #expect(ended.out.contains("pay_state") && ended.out.contains("bank"))
            #expect(ended.out.contains("(hidden)"))
            let json = try await Programs.run(Programs.talea, ["verify", file, "--json"]).json
            let told = json["steps"].items
            #expect(told.count == steps.count)
            #expect(told.filter { !$0["hidden"].isTrue }.map { $0["sequence"].text } == [number])
            #expect(told.map { $0["id"].text } == steps.map { $0["id"].text })
            let bundle = try JSONDecoder().decode(
                Found.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
            #expect(bundle["template"] == .none && bundle["contract_key"] == .none)
            let keys = bundle["entries"].items.filter { !$0["body_key"].text.isEmpty }
            #expect(keys.count == 1)
            let none = try await trade.maker.run(
                ["proof", "export", "--contract", trade.option, "--steps", "1,99"])
            #expect(none.status == 2)
        }

        private static func export(_ trade: Trade, _ studio: Studio, _ options: [String])
            async throws -> String
        {
            let file = "\(trade.folder.path)/\(studio.name).json"
            let ended = try await studio.run(
                ["proof", "export", "--contract", trade.option, "-o", file] + options)
            #expect(ended.status == 0, "\(ended)")
            return file
        }

        /// Everywhere in the file; `VerifyTests` does so more closely.
        private static func flip(_ file: String, in folder: Folder) async throws {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            let path = folder.path + "/flipped.json"
            for part in 0..<40 {
                var flipped = bytes
                flipped[(bytes.count - 2) * part / 40] ^= 1 << (part % 8)
                try flipped.write(to: URL(fileURLWithPath: path))
                let ended = try await ProofTests.verify(path, in: folder)
                #expect([1, 2].contains(ended.status), "\(part): \(ended)")
            }
        }
    }
}

import Foundation
import Testing

extension ProcessTests {
    @Suite struct ProofTests {
        @Test(.timeLimit(.minutes(3)))
        func `an exported step says who signed what, and no flipped bit passes`() async throws {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let delivery = try await trade.deliver(units: "30")
            let shown = try await trade.press.show(trade.option)
            let steps = shown["steps"].items
            let log = try #require(shown["log"].text.nonEmpty)
            let step = try #require(steps.first { $0["transition"].text == "deliver" })
            #expect(delivery != "1")
            let file = trade.folder.path + "/proof.json"
            let exported = try await trade.press.run(
                [
                    "proof", "export", "--contract", trade.option, "--step",
                    step["sequence"].text, "-o", file,
                ])
            #expect(exported.status == 0, "\(exported)")
            let empty = try Folder()
            let good = try await Self.verify(file, in: empty)
            #expect(good.status == 0, "\(good)")
            let hash = try #require(step["arguments"]["evidence"]["value"].text.nonEmpty)
            for text in [
                trade.press.did, log, String(step["time"].text.prefix(10)), "deliver",
                "30 pcs", hash, "VALID",
            ] { #expect(good.out.contains(text), "\(text): \(good.out)") }
            let json = try await Programs.run(Programs.talea, ["verify", file, "--json"])
            #expect(try json.json["valid"].isTrue)
            #expect(try json.json["signer"].text == trade.press.did)
            let zh = try await Programs.run(Programs.talea, ["verify", file, "--lang", "zh"])
            #expect(zh.out.contains("有效"))
            try await Self.flip(file, in: empty)
        }

        static func verify(_ file: String, in folder: Folder) async throws -> Ended {
            try await Programs.run(Programs.talea, ["verify", file], in: folder.path)
        }

        /// First, last and some bits between of every part of the proof.
        private static func flip(_ file: String, in folder: Folder) async throws {
            let honest = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: file)))
            let parts: [[String]] = [
                ["envelope", "payload"], ["envelope", "signatures", "sig"], ["body"], ["body_key"],
            ]
            for part in parts {
                for share in [0.0, 0.37, 0.71, 1.0] {
                    let flipped = try flipping(honest, part[...], share)
                    let path = folder.path + "/flipped.json"
                    try JSONSerialization.data(withJSONObject: flipped)
                        .write(to: URL(fileURLWithPath: path))
                    let ended = try await verify(path, in: folder)
                    #expect(ended.status == 1, "\(part) at \(share): \(ended)")
                    #expect(ended.out.contains("NOT VALID"))
                }
            }
        }

        private static func flipping(_ json: Any, _ path: ArraySlice<String>, _ share: Double)
            throws -> Any
        {
            if let list = json as? [Any] { return try list.map { try flipping($0, path, share) } }
            if let name = path.first, var fields = json as? [String: Any] {
                fields[name] = try flipping(try #require(fields[name]), path.dropFirst(), share)
                return fields
            }
            let text = try #require(json as? String)
            var bytes = [UInt8](try #require(Data(base64Encoded: text)))
            let bit = Int(share * Double(bytes.count * 8 - 1))
            bytes[bit / 8] ^= 1 << (bit % 8)
            return Data(bytes).base64EncodedString()
        }

        @Test func `what is no proof is refused in one line`() async throws {
            let folder = try Folder()
            let rows = [
                "", "{}", "nonsense", "[1, 2]", #"{"envelope": {}, "body": "", "body_key": null}"#,
                String(repeating: "[", count: 100_000),
            ]
            for (index, row) in rows.enumerated() {
                let file = try folder.write("junk\(index)", row)
                let ended = try await Self.verify(file, in: folder)
                HomeTests.expectOneLine(ended, file, "no proof", "talea proof export")
                #expect(ended.out.isEmpty)
            }
            let missing = try await Self.verify(folder.path + "/none", in: folder)
            HomeTests.expectOneLine(missing, "FILE", "/none")
        }

        @Test func `our templates pass the check, a broken one is told line and column`()
            async throws
        {
            let folder = try Folder()
            let contracts = Programs.checkout + "/contracts"
            let names = try FileManager.default.contentsOfDirectory(atPath: contracts)
                .filter { $0.hasSuffix(".yaml") }.sorted()
            #expect(names.count >= 5)
            // Each is explored, which `ExplorationTests` do for all.
            for name in ["material-call.yaml", "milestone-production.yaml"] {
                #expect(names.contains(name))
                let path = "\(contracts)/\(name)"
                let good = try await Programs.run(Programs.talea, ["template", "check", path])
                #expect(good.status == 0, "\(good)")
                #expect(good.out.contains(name.dropLast(5)))
                let text = try String(contentsOfFile: path, encoding: .utf8)
                let broken = text.replacing("disputes: {arbiter:", with: "disputes: {umpire:")
                #expect(broken != text)
                let line = text.split(separator: "\n", omittingEmptySubsequences: false)
                    .firstIndex { $0.hasPrefix("disputes:") }
                let copy = try folder.write(name, broken)
                for lang in ["en", "zh"] {
                    let bad = try await Programs.run(
                        Programs.talea, ["template", "check", copy, "--lang", lang])
                    HomeTests.expectOneLine(bad, status: 1, copy, "\((line ?? 0) + 1)")
                    #expect(bad.error.contains(/\d+:\d+|line \d+|第 ?\d+ ?行/), "\(bad.error)")
                }
                let json = try await Programs.run(
                    Programs.talea, ["template", "check", copy, "--json"]
                ).json
                #expect(json["line"].number == Int64((line ?? 0) + 1))
                #expect((json["column"].number ?? 0) > 0)
            }
        }
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

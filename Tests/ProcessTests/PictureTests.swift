import Entries
import Foundation
import Identity
import Testing

extension ProcessTests {
    @Suite struct PictureTests {
        @Test(.timeLimit(.minutes(4)))
        func `a step goes into a picture, and a photograph of it is checked with nothing else`()
            async throws
        {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            _ = try await trade.deliver(units: "30")
            let steps = try await trade.press.show(trade.option)["steps"].items
            let delivery = try #require(steps.first { $0["transition"].text == "deliver" })
            let step = ["--contract", trade.option, "--step", delivery["sequence"].text]
            let hash = delivery["arguments"]["evidence"]["value"].text
            let empty = try Folder()
            func proof(_ file: String, _ options: [String]) async throws -> String {
                let path = "\(trade.folder.path)/\(file)"
                let ended = try await trade.press.run(["proof"] + options + ["-o", path])
                #expect(ended.status == 0, "\(ended)")
                return path
            }
            func verify(_ options: [String]) async throws -> Ended {
                try await Programs.run(Programs.talea, ["verify"] + options, in: empty.path)
            }

            let text = try await proof("step.txt", step)
            let told = try await verify([text])
            #expect(told.status == 0, "\(told)")
            for part in [
                trade.press.did, hash, "deliver", trade.option, "VALID", "amount = ¥540.00",
            ] {
                #expect(told.out.contains(part), "\(part): \(told.out)")
            }
            #expect(try await verify([text, "--lang", "zh"]).out.contains("有效"))
            let line = try String(contentsOfFile: text, encoding: .utf8)
            #expect(line.utf8.count < 3_391)
            let given = try await verify(["--text", line, "--json"])
            #expect(try given.json["valid"].isTrue)
            // Any one letter changed.
            for share in [0.1, 0.5, 0.9] {
                var letters = Array(line)
                let place = 7 + Int(share * Double(letters.count - 8))
                letters[place] = letters[place] == "0" ? "1" : "0"
                let wrong = try await verify(["--text", String(letters)])
                #expect(wrong.status == 1 && wrong.out.contains("NOT VALID"), "\(wrong)")
            }

            // The press writes by its own right; what the maker stated, it asked for.
            let own = try await trade.press.run(["proof"] + step + ["--what", "request"])
            #expect(own.status == 2 && own.error.contains("own right"), "\(own)")
            let stated = try #require(steps.first { $0["transition"].text == "pay_state" })
            let asked = ["--contract", trade.option, "--step", stated["sequence"].text]
            let request = try await proof("request.txt", asked + ["--what", "request"])
            let shown = try await verify([request, "--json"]).json
            #expect(shown["valid"].isTrue && shown["records"].items.isEmpty)
            #expect(shown["actor"].text == trade.maker.did)

            // Through a picture, as another program sees it, with the address of a page before it.
            let svg = try String(contentsOfFile: try await proof("step.svg", step), encoding: .utf8)
            #expect(svg.hasPrefix("<svg ") && svg.contains("<path"))
            let picture = try await proof(
                "step.png", step + ["--page", "https://studio.example/verify.html"])
            let seen = try await verify(["--image", picture])
            if Programs.find("zbarimg") != nil {
                #expect(seen.status == 0 && seen.out.contains(hash), "\(seen)")
                let blank = try empty.write("blank.png", "no picture")
                let none = try await verify(["--image", blank])
                #expect(none.status == 2 && none.error.contains("blank.png"), "\(none)")
            } else {
                #expect(seen.status == 2 && seen.error.contains("zbar-tools"), "\(seen)")
            }

            let address = "https://studio.example/" + String(repeating: "x", count: 4_296)
            let full = try await trade.press.run(
                ["proof"] + step + ["--page", address, "-o", "\(trade.folder.path)/full.png"])
            #expect(full.status == 2 && full.error.contains("--at"), "\(full)")
            let first = ["--contract", trade.option, "--step", "1"]
            let file = try await proof("1.txt", first)
            #expect(try await verify([file]).status == 0)
            let place = try await trade.press.run(
                ["proof"] + first + ["--at", "https://studio.example/1.txt", "--json"])
            let code = try place.json["code"].text
            #expect(code.hasPrefix("TALEA1-AT:"))
            let alone = try await verify(["--text", code])
            #expect(alone.status == 2 && alone.error.contains("https://studio.example/1.txt"))
            #expect(try await verify([file, "--text", code]).status == 0)
            #expect(try await verify([text, "--text", code]).status == 2)
        }

        @Test(.timeLimit(.minutes(4)))
        func `a page for customers holds the chosen steps with their photos, and nothing else`()
            async throws
        {
            let trade = try await Trade.open()
            try await trade.publish()
            try await trade.buy()
            let photo: [UInt8] = [0xff, 0xd8, 0xff] + Array("a photograph of it".utf8)
            try Data(photo).write(to: URL(fileURLWithPath: trade.evidence))
            _ = try await trade.deliver(units: "30")
            try await trade.press(
                "attachment add", ["contract": trade.option, "file": trade.evidence])
            let steps = try await trade.press.show(trade.option)["steps"].items
            func number(_ transition: String) throws -> String {
                try #require(steps.first { $0["transition"].text == transition })["sequence"].text
            }
            func page(_ studio: Studio, _ options: [String]) async throws -> String {
                let path = "\(trade.folder.path)/page.html"
                let ended = try await studio.run(["proof", "page"] + options + ["-o", path])
                #expect(ended.status == 0, "\(ended)")
                return try String(contentsOfFile: path, encoding: .utf8)
            }
            let empty = try await page(trade.press, [])
            #expect(empty.contains("id=\"given\">null<"))
            let of = ["--contract", trade.option, "--title", "</script>How it was made", "--steps"]
            let made = try await page(
                trade.press, of + [try number("deliver"), "--what", "step"])
            #expect(made.contains(Data(photo).base64EncodedString()))
            #expect(!made.contains("</script>How") && made.contains("u003c/script>How"))

            let asked = try await page(trade.maker, of + [try number("pay_state")])
            let bundle = try await trade.maker("proof export", ["contract": trade.option])
            let key = try #require(Data(base64Encoded: bundle["contract_key"].text))
            for (html, hidden) in [(made, trade.maker), (asked, trade.judge)] {
                let proofs = html.matches(of: /"(TALEA1:[^"]+)"/).map { String($0.1) }
                #expect(proofs.count == 1)
                for text in proofs {
                    let plain = text.replacing("\\/", with: "/")
                    guard case .proof(let proof) = try ProofText(plain) else {
                        throw Broken("no proof in the page")
                    }
                    let wire = Data(proof.wire)
                    #expect(wire.range(of: key) == nil)
                    for secret in ["premium", "strike", trade.judge.name] {
                        #expect(wire.range(of: Data(secret.utf8)) == nil, "\(secret)")
                    }
                    let did = try #require(DID(did: hidden.did))
                    #expect(wire.range(of: Data(did.bytes)) == nil, "\(hidden.name)")
                }
                for name in [trade.maker.did, trade.judge.did, key.base64EncodedString()] {
                    #expect(!html.contains(name))
                }
            }
            let none = try await trade.press.run(
                ["proof", "page", "--contract", trade.option, "--steps", "1,99"])
            #expect(none.status == 2)
        }

        @Test func `what is no proof is refused in one line`() async throws {
            let folder = try Folder()
            for (options, words) in [
                (["--text", "HELLO"], "TALEA1"), (["--text", "A", "--image", "b"], "--image"),
                (["--text", "TALEA1:", "file"], "FILE"),
                (["--image", folder.path + "/none"], "32 MiB"),
                ([], "--image"),
            ] {
                let ended = try await Programs.run(Programs.talea, ["verify"] + options)
                HomeTests.expectOneLine(ended, words)
            }
        }
    }
}

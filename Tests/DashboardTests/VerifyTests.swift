import Capacity
import Contracts
@testable import Dashboard
import Entries
import FoundationEssentials
import Identity
import Ledger

import Testing
@testable import talea

@Suite struct VerifyTests {
    /// A step that Alice signed, as exported.
    static func proof(step: Int = 1) async throws -> JSON {
        let (world, contract) = try await inForce()
        return try await ask(
            world, "bob", "proof export", ["contract": [contract], "step": ["\(step)"]]
        ).get()
    }

    static func verify(_ json: JSON) throws -> Verify {
        try #require(Verify(Array(json.text().utf8)))
    }

    @Test func `an exported step is accepted and told in plain words`() async throws {
        let verify = try Self.verify(try await Self.proof())
        #expect(verify.passed, "\(verify.checks)")
        #expect(verify.act?.transition == "open")
        #expect(verify.text(.en).contains("did:key:z6Mk"))
        #expect(verify.text(.en).contains("VALID: every check passed."))
        #expect(verify.text(.zh).contains("有效"))
        #expect(verify.unchecked.count == 2)
        #expect(verify.json()["valid"]?.bool == true)
    }

    @Test func `sums have as many decimals where they are typed, shown, told and exported`() throws
    {
        let page = PageFiles.all["verify.html"] ?? ""
        let table = try #require(
            page.firstMatch(of: /id="decimals">([^<]+)</).flatMap {
                try? JSON(reading: Array($0.1.utf8))
            })
        let letters = (UInt8(ascii: "A")...UInt8(ascii: "Z")).map { String(UnicodeScalar($0)) }
        let premium = try #require(
            Template.read(Array(studioHours.utf8)).parameter("premium"))
        for code in letters.flatMap({ one in
            letters.flatMap { two in letters.map { one + two + $0 } }
        }) {
            let currency = try Currency(code)
            let digits = currency.fractionDigits
            #expect(Int(table[code]?.number ?? 2) == digits, "\(code)")
            let sum = digits == 0 ? "1234" : "1234." + String(repeating: "5", count: digits)
            let value = try premium.read(sum, currency: currency, unit: UnitCode("C62"))
            #expect(value.digits == "\(sum) \(code)")
        }
        #expect(
            Value.text("A”, amount = “9\n✓ received\u{202e}").digits
                == "“A\", amount = \"9 ✓ received”")
    }

    @Test func `no bit of header, signature, body or key can be flipped`() async throws {
        let proof = try await Self.proof()
        func bytes(_ json: JSON?) throws -> [UInt8] {
            [UInt8](try #require(Data(base64Encoded: json?.string ?? "")))
        }
        func base64(_ bytes: [UInt8]) -> JSON { .string(Data(bytes).base64EncodedString()) }
        let envelope = try #require(proof["envelope"])
        let signature = try #require(envelope["signatures"]?.array.first)
        let keyid = try #require(signature["keyid"]?.string)
        var parts = [
            try bytes(envelope["payload"]), try bytes(signature["sig"]), try bytes(proof["body"]),
            try bytes(proof["body_key"]), try #require(PublicKey(did: keyid)).bytes,
        ]
        func made() -> JSON {
            [
                "envelope": [
                    "payload": base64(parts[0]), "payloadType": .string(DSSE.payloadType),
                    "signatures": [
                        [
                            "keyid": .string(PublicKey(parts[4])?.did ?? ""),
                            "sig": base64(parts[1]),
                        ]
                    ],
                ],
                "body": base64(parts[2]), "body_key": base64(parts[3]),
            ]
        }
        #expect(try Self.verify(made()).passed)
        for part in parts.indices {
            let bits = parts[part].count * 8
            for bit in stride(from: 0, to: bits, by: max(1, bits / 97)) {
                parts[part][bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(!(try Self.verify(made()).passed), "part \(part), bit \(bit)")
                parts[part][bit / 8] ^= 1 << UInt8(bit % 8)
            }
        }
    }

    @Test func `the golden proofs are accepted in words, and none with one letter changed`() throws
    {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/proofs.json")
        let proofs = try JSON(reading: [UInt8](Data(contentsOf: file)))["proofs"]?.array ?? []
        #expect(proofs.count == 6)
        for text in proofs.compactMap(\.string) {
            for language in [Language.en, .zh] {
                let said = try VerifyProof(text).text(language)
                #expect(said.contains("did:key:z6Mk") && !said.contains("–"), "\(said)")
                #expect(said.contains(language == .en ? "VALID" : "有效"))
            }
            for place in stride(from: 7, to: text.utf8.count, by: 41) {
                var letters = Array(text.utf8)
                letters[place] = letters[place] == 48 ? 49 : 48
                let changed = try VerifyProof(String(decoding: letters, as: UTF8.self))
                #expect(!changed.passed, "letter \(place)")
            }
        }
        #expect(ProofWords.acts["milestone"]?.zh == "里程碑完成")
        for junk in ["", "TALEA2:00", "https://a.example/#x"] {
            #expect(throws: DoorRefusal.self) { try VerifyProof(junk) }
        }
    }

    @Test func `junk is no proof, whatever it is`() async throws {
        let good = try await Self.proof().text()
        for junk in [
            "", "{}", "[]", "null", "not json", good + "x",
            good.replacing("\"body\"", with: "\"extra\":1,\"body\""), String(good.dropLast()),
        ] {
            #expect(Verify(Array(junk.utf8)) == nil, "\(junk.prefix(40))")
        }
        let other = Verify(Array(good.replacing("vnd.talea", with: "vnd.other").utf8))
        #expect(other?.checks.contains { !$0.passed } == true)
    }

    /// A contract in force, as bob exported it.
    static func bundle(_ options: [String: [String]] = [:]) async throws -> JSON {
        let (world, contract) = try await inForce()
        return try await ask(
            world, "bob", "proof export", options.merging(["contract": [contract]]) { $1 }
        ).get()
    }

    @Test(arguments: [[:], ["steps": ["1"]]])
    func `no bit of an exported contract can be flipped`(_ options: [String: [String]]) async throws
    {
        let text = try await Self.bundle(options).text()
        var bytes = Array(text.utf8)
        #expect(VerifyBundle(bytes)?.passed == true)
        let bits = bytes.count * 8
        for bit in stride(from: 0, to: bits, by: bits / 397 | 1) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(VerifyBundle(bytes)?.passed != true, "bit \(bit)")
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test func `what has another shape is no bundle, and what is missing fails the check`()
        async throws
    {
        let bundle = try await Self.bundle()
        #expect(bundle.fields.count == 7)
        for field in bundle.fields {
            let rest = JSON.object(bundle.fields.filter { $0 != field })
            #expect(VerifyBundle(Array(rest.text().utf8)) == nil, "\(field.name)")
            guard case .array(let items) = field.value, !items.isEmpty else { continue }
            let without = bundle.merging([.init(field.name, .array(items.dropLast()))])
            let less = VerifyBundle(Array(without.text().utf8))
            // A log that ends earlier, or an answer that did not come, is a story too.
            let tells = ["entries", "statements"].contains(field.name)
            #expect(less?.passed == tells, "\(field.name)")
        }
        for language in [Language.en, .zh] {
            let broken = try #require(
                VerifyBundle(Array(bundle.merging([.init("keys", [])]).text().utf8)))
            #expect(broken.text(language).contains("did:key:"))
        }
    }

    @Test func `a reputation is a table of counts, and of one person the entries behind them`()
        async throws
    {
        let (world, contract) = try await inForce()
        let all = try await ask(world, "bob", "reputation show").get()
        #expect(all["people"]?.array.count == 2)
        for person in try #require(all["people"]?.array) {
            for field in try #require(person["entries"]?.fields) {
                #expect(person[field.name]?.number == Int64(field.value.array.count))
            }
        }
        let none = try await ask(world, "bob", "reputation show", ["at-least": ["1"]]).get()
        #expect(none["people"]?.array.isEmpty == true)
        _ = try await ask(
            world, "bob", "pay state",
            [
                "contract": [contract], "record": ["1"], "channel": ["bank"],
                "reference": ["r"],
            ]
        ).get()
        let own = try await ask(world, "alice", "reputation show", ["of": ["bob"]]).get()
        let bob = try #require(own["people"]?.array.first)
        #expect(bob["due"]?.number == 1 && bob["in_time"]?.number == 1)
        let link = try #require(bob["entries"]?["in_time"]?.array.first)
        #expect(link["contract"]?.string == contract && link["step"]?.number == 2)
        for (language, words) in [(Language.en, "in time"), (.zh, "按时")] {
            let text = Show.text(own, verb: "reputation show", language)
            #expect(text.contains(words))
            #expect(text.contains(try #require(link["entry"]?.string)))
        }
        #expect(bob["on_time"]?.string == "100.0 %")
        #expect(View.percent(98, of: 100) == "98.0 %" && View.percent(1999, of: 2000) == "99.9 %")
        #expect(View.percent(0, of: 0) == nil)
        #expect(View.millionths(0.722_467_2) == "0.722467")
        #expect(View.millionths(1) == "1.000000" && View.millionths(0.000_01) == "0.000010")
    }

    @Test func `the command ends with 2 on junk and on a file that is not there`() async {
        let path =
            FileManager.default.temporaryDirectory.path
            + "/talea-junk-\(UInt64.random(in: 0...UInt64.max))"
        try? Data("junk".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(await Main.run(["verify", path]) == 2)
        #expect(await Main.run(["verify", path + "-no"]) == 2)
        #expect(await Main.run(["template", "check", path]) == 1)
        #expect(await Main.run(["id", "--home", path]) == 3)
        #expect(await Main.run(["id", "--home"]) == 2)
        #expect(await Main.run(["--lang", "fr", "id"]) == 2)
        #expect(await Main.run(["--version"]) == 0)
    }

    @Test func `a command line comes apart into words, options and flags`() throws {
        let line = try Line([
            "--json", "option", "--home", "/h", "buy", "--line", "a", "--line=b", "--yes", "-o",
            "f",
        ])
        #expect(line.words == ["option", "buy"])
        #expect(line.options["line"] == ["a", "b"])
        #expect(line.options["out"] == ["f"])
        #expect(line.has("json") && line.has("yes") && !line.has("dry-run"))
        #expect(line.home == "/h")
    }
}

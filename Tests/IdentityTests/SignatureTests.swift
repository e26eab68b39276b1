import Fixtures
import Foundation
import Identity
import Testing

@Suite struct SignatureTests {
    private let checker = SignatureChecker()

    @Test func `the linked library checks without the cofactor`() {
        #expect(!checker.cofactored)
    }

    /// Made by Tests/Vectors/make_tricks.py with plain curve arithmetic.
    @Test func `every signature trick is refused and the honest signature accepted`() throws {
        let file = repository.appending(path: "Tests/Vectors/signature-tricks.json")
        let tricks = try JSONDecoder().decode([Trick].self, from: Data(contentsOf: file))
        #expect(tricks.count == 13)
        #expect(tricks.count(where: \.good) == 1)
        for trick in tricks {
            let accepted = accepts(key: trick.key, signature: trick.signature, trick.message)
            #expect(accepted == trick.good, "\(trick.name)")
        }
    }

    @Test(arguments: [0, 1, 63, 65, 128])
    func `a signature is sixty-four bytes`(count: Int) {
        #expect(Signature([UInt8](repeating: 1, count: count)) == nil)
    }

    @Test(arguments: [0, 31, 33, 64])
    func `a key and a seed are thirty-two bytes`(count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(PublicKey(bytes) == nil)
        #expect(SigningKey(seed: SecretBytes(bytes)) == nil)
    }

    @Test func `a verdict found ahead is of just that signature, message and key`() async throws {
        let message = Array("one tally, two halves".utf8)
        let signature = alice.key.sign(message)
        let key = alice.key.publicKey
        let wrong = try #require(Signature(signature.bytes.flipping(3)))
        var asked = checker
        asked.ahead = await checker.verdicts(on: [
            SignatureClaim(signature, of: message, byCheckedKey: key),
            SignatureClaim(wrong, of: message, byCheckedKey: key),
        ])
        #expect(asked.verifies(signature, of: message, by: key))
        #expect(!asked.verifies(wrong, of: message, by: key))
        #expect(!asked.verifies(signature, of: message.flipping(0), by: key))
        #expect(!asked.verifies(signature, of: message, by: bob.key.publicKey))
    }

    @Test func `no bit of signature, message or key can be turned`() throws {
        let message = Array("one tally, two halves".utf8)
        let signature = alice.key.sign(message)
        let key = alice.key.publicKey
        #expect(checker.verifies(signature, of: message, by: key))
        for bit in 0..<512 {
            let turned = try #require(Signature(signature.bytes.flipping(bit)))
            #expect(!checker.verifies(turned, of: message, by: key), "signature bit \(bit)")
        }
        for bit in 0..<message.count * 8 {
            #expect(!checker.verifies(signature, of: message.flipping(bit), by: key))
        }
        for bit in 0..<256 {
            let turned = try #require(PublicKey(key.bytes.flipping(bit)))
            #expect(!checker.verifies(signature, of: message, by: turned), "key bit \(bit)")
        }
    }

    @Test func `signing twice gives the same bytes`() {
        #expect(bob.key.sign([1, 2, 3]) == bob.key.sign([1, 2, 3]))
        #expect(bob.key.sign([1, 2, 3]) != carol.key.sign([1, 2, 3]))
    }

    @Test(.enabled(if: vectorsStand))
    func `Wycheproof is judged as Wycheproof says`() throws {
        let suite = try decode(Wycheproof.self, "wycheproof-ed25519.json")
        var accepted = 0
        var refused = 0
        for group in suite.testGroups {
            for test in group.tests {
                let verdict = accepts(key: group.publicKey.pk, signature: test.sig, test.msg)
                #expect(verdict == (test.result == "valid"), "case \(test.tcId)")
                if verdict { accepted += 1 } else { refused += 1 }
            }
        }
        #expect(accepted == 88)
        #expect(refused == 63)
    }

    @Test(.enabled(if: vectorsStand))
    func `of the torsion cases only the one without flags is accepted`() throws {
        let cases = try decode([Torsion].self, "cctv-ed25519.json")
        let accepted = cases.filter { torsion in
            let message = Array(torsion.msg.utf8).hex
            return accepts(key: torsion.key, signature: torsion.sig, message)
        }
        #expect(cases.count == 914)
        #expect(accepted.map(\.number) == [305])
        #expect(accepted.allSatisfy { ($0.flags ?? []).isEmpty })
    }

    @Test(.enabled(if: vectorsStand))
    func `all twelve speccheck cases are refused`() throws {
        let cases = try decode([Speccheck].self, "speccheck-ed25519.json")
        #expect(cases.count == 12)
        for (index, check) in cases.enumerated() {
            let verdict = accepts(key: check.pub_key, signature: check.signature, check.message)
            #expect(!verdict, "case \(index)")
        }
    }

    private func accepts(key: String, signature: String, _ message: String) -> Bool {
        guard let key = PublicKey(hex: key), let raw = [UInt8](hex: signature),
            let signature = Signature(raw), let message = [UInt8](hex: message)
        else { return false }
        return checker.verifies(signature, of: message, by: key)
    }

    private func decode<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
        try JSONDecoder().decode(T.self, from: Data(contentsOf: vectors.appending(path: name)))
    }
}

private struct Trick: Decodable {
    let name: String
    let good: Bool
    let key: String, message: String, signature: String
}

private struct Wycheproof: Decodable {
    struct Group: Decodable {
        struct Key: Decodable { let pk: String }
        struct Case: Decodable {
            let tcId: Int
            let msg: String, sig: String, result: String
        }
        let publicKey: Key
        let tests: [Case]
    }
    let testGroups: [Group]
}

private struct Torsion: Decodable {
    let number: Int
    let key: String, sig: String, msg: String
    let flags: [String]?
}

private struct Speccheck: Decodable {
    // Named as in the file.
    let message: String, pub_key: String, signature: String
}

private let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
/// Public vectors stand beside the checkout; see the README there.
private let vectors = repository.appending(path: "../shared/vectors").standardizedFileURL
private let vectorsStand = FileManager.default.fileExists(
    atPath: vectors.appending(path: "cctv-ed25519.json").path)

extension [UInt8] {
    fileprivate func flipping(_ bit: Int) -> [UInt8] {
        var copy = self
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
        return copy
    }
}

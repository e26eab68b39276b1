import Fixtures
import Identity
import Testing

@Suite struct RecoveryCodeTests {
    private let code = RecoveryCode(entropy: Array(0..<20))

    @Test func `a printed code brings the same keys back`() throws {
        let code = try #require(code)
        let typed = try #require(RecoveryCode(text: code.text))
        #expect(code.text.split(separator: "-").map(\.count) == Array(repeating: 4, count: 9))
        #expect(typed.text == code.text)
        #expect(typed.nextKey(index: 2).publicKey == code.nextKey(index: 2).publicKey)
        #expect(typed.nodeSecret.exposed == code.nodeSecret.exposed)
        #expect(code.nextKey(index: 2).publicKey != code.nextKey(index: 3).publicKey)
        #expect(code.nextKey(index: 2).seed.exposed != code.nodeSecret.exposed)
    }

    @Test func `case, blanks, hyphens and look-alike letters do not matter`() throws {
        // 0 and 1 stand often in this one.
        let entropy: [UInt8] = [0, 66, 16, 132, 33, 8, 66, 16] + Array(repeating: 0, count: 12)
        let text = try #require(RecoveryCode(entropy: entropy)).text
        #expect(text.contains("0") && text.contains("1"))
        let ways = [
            text.lowercased(), text.replacing("-", with: " "), text.replacing("-", with: ""),
            " \(text) ", text.replacing("0", with: "O"), text.replacing("0", with: "o"),
            text.replacing("1", with: "I"), text.replacing("1", with: "l"),
            text.replacing("1", with: "L").replacing("0", with: "o").lowercased(),
        ]
        for way in ways { #expect(RecoveryCode(text: way)?.text == text, "\(way)") }
    }

    @Test func `every one-letter error is noticed`() throws {
        let text = Array(try #require(code).text)
        for index in text.indices where text[index] != "-" {
            for letter in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" where letter != text[index] {
                var wrong = text
                wrong[index] = letter
                #expect(RecoveryCode(text: String(wrong)) == nil, "\(String(wrong))")
            }
        }
    }

    @Test func `neighbours swapped, letters lost or added are noticed`() throws {
        let text = Array(try #require(code).text.filter { $0 != "-" })
        for index in text.indices.dropLast() where text[index] != text[index + 1] {
            var wrong = text
            wrong.swapAt(index, index + 1)
            #expect(RecoveryCode(text: String(wrong)) == nil)
        }
        for index in text.indices {
            var short = text
            short.remove(at: index)
            #expect(RecoveryCode(text: String(short)) == nil)
        }
        for wrong in ["", String(text) + "0", String(text).replacing("0", with: "U"), "é"] {
            #expect(RecoveryCode(text: wrong) == nil)
        }
        #expect(RecoveryCode(entropy: [1, 2, 3]) == nil)
    }
}

@Suite struct KeyFileTests {
    private let file = KeyFile(
        key: alice.key, nodeSecret: SecretBytes([UInt8](repeating: 5, count: 32)))
    private let salt = [UInt8](repeating: 6, count: 16)
    private let nonce = [UInt8](repeating: 7, count: 24)

    @Test func `a key file without a passphrase opens with none`() throws {
        let text = try file.text(passphrase: nil, salt: salt, nonce: nonce)
        #expect(!KeyFile.needsPassphrase(text))
        let read = try KeyFile.read(text, passphrase: nil)
        #expect(read.key.publicKey == alice.key.publicKey)
        #expect(read.nodeSecret.exposed == file.nodeSecret.exposed)
    }

    @Test func `a passphrase closes the file to everyone without it`() throws {
        let text = try file.text(passphrase: "印刷 letterpress", salt: salt, nonce: nonce)
        #expect(KeyFile.needsPassphrase(text))
        #expect(!text.contains(alice.key.seed.exposed.hex))
        let read = try KeyFile.read(text, passphrase: "印刷 letterpress")
        #expect(read.key.publicKey == alice.key.publicKey)
        #expect(read.nodeSecret.exposed == file.nodeSecret.exposed)
        #expect(throws: KeyFile.Refusal.passphraseWrong) {
            try KeyFile.read(text, passphrase: "印刷 Letterpress")
        }
        #expect(throws: KeyFile.Refusal.passphraseWrong) { try KeyFile.read(text, passphrase: "") }
        #expect(throws: KeyFile.Refusal.passphraseNeeded) {
            try KeyFile.read(text, passphrase: nil)
        }
        let turned = text.replacing("nonce 07", with: "nonce 06")
        #expect(throws: KeyFile.Refusal.passphraseWrong) {
            try KeyFile.read(turned, passphrase: "印刷 letterpress")
        }
    }

    @Test func `no flipped bit makes a key file another identity's`() throws {
        let whole = Array(try file.text(passphrase: nil, salt: salt, nonce: nonce).utf8)
        var refused = 0
        for bit in 0..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let text = String(decoding: bytes, as: UTF8.self)
            guard let read = try? KeyFile.read(text, passphrase: nil) else {
                refused += 1
                continue
            }
            // A capital letter in hexadecimal, no more.
            #expect(read.key.publicKey == alice.key.publicKey)
            #expect(read.nodeSecret.exposed == file.nodeSecret.exposed)
        }
        #expect(refused > whole.count * 7)
    }

    @Test func `a key file of the first version, without its check, is read`() throws {
        let text = try file.text(passphrase: nil, salt: salt, nonce: nonce)
        let old = text.split(separator: "\n").prefix(3).joined(separator: "\n") + "\n"
        #expect(try KeyFile.read(old, passphrase: nil).key.publicKey == alice.key.publicKey)
    }

    @Test func `a damaged key file says which line is damaged`() throws {
        let text = try file.text(passphrase: nil, salt: salt, nonce: nonce)
        let rows: [(String, Int)] = [
            ("", 1), ("talea key file 2\n", 1), ("talea key file 1\nprotection none\n", 3),
            (text.replacing("secrets ", with: "secret "), 3), (String(text.dropLast(3)), 3),
        ]
        for (text, line) in rows {
            #expect(throws: KeyFile.Refusal.malformed(line: line)) {
                try KeyFile.read(text, passphrase: nil)
            }
        }
        #expect(throws: KeyFile.Refusal.malformed(line: 3)) {
            try KeyFile.read(
                "talea key file 1\nprotection argon2id xchacha20poly1305\n"
                    + "salt 00\nnonce 00\nsecrets 00\n", passphrase: "x")
        }
    }
}

@Suite struct CipherTests {
    @Test func `a sealed box opens for its key alone and unchanged`() throws {
        let letter = Array("for bob".utf8)
        let box = try #require(SealedBox.seal(letter, to: bob.key.publicKey))
        #expect(box.count == letter.count + 48)
        #expect(bob.key.open(box) == letter)
        #expect(eve.key.open(box) == nil)
        #expect(bob.key.open(Array(box.dropLast())) == nil)
        #expect(bob.key.open([1, 2, 3]) == nil)
        for index in box.indices {
            var turned = box
            turned[index] ^= 1
            #expect(bob.key.open(turned) == nil)
        }
        #expect(SealedBox.seal(letter, to: .zero) == nil)
    }

    @Test func `authenticated encryption notices any change`() {
        let key = [UInt8](repeating: 1, count: 32)
        let nonce = [UInt8](repeating: 2, count: 24)
        func open(_ sealed: [UInt8], nonce: [UInt8], key: [UInt8], _ data: [UInt8]) -> [UInt8]? {
            XChaCha20Poly1305.open(sealed, nonce: nonce, key: key, authenticating: data)
        }
        let sealed = XChaCha20Poly1305.seal([3, 4], nonce: nonce, key: key, authenticating: [5])
        #expect(sealed.count == 18)
        #expect(open(sealed, nonce: nonce, key: key, [5]) == [3, 4])
        #expect(open(sealed, nonce: nonce, key: key, [6]) == nil)
        #expect(open(sealed, nonce: nonce, key: nonce + [0, 0, 0, 0, 0, 0, 0, 0], [5]) == nil)
        #expect(open(sealed, nonce: [0] + nonce.dropFirst(), key: key, [5]) == nil)
        #expect(open(Array(sealed.dropFirst()), nonce: nonce, key: key, [5]) == nil)
        #expect(open([], nonce: nonce, key: key, [5]) == nil)
        #expect(open(sealed, nonce: Array(nonce.dropLast()), key: key, [5]) == nil)
    }
}

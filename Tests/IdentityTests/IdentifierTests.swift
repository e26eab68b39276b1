import Fixtures
import Identity
import Testing

@Suite struct IdentifierTests {
    /// w3c-ccg/did-method-key, test-vectors/ed25519-x25519.json.
    @Test(
        arguments: [
            (0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
            (1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG"),
            (2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf"),
            (3, "did:key:z6MkvqoYXQfDDJRv8L4wKzxYeuKyVZBfi9Qo6Ro8MiLH3kDQ"),
            (4, "did:key:z6MkwW6aqMnjgrhJXFUko3NnZPGzVpkNzhYK7yEhnsibmLwL"),
        ] as [(UInt8, String)])
    func `a seed has the did that the method's vectors give it`(last: UInt8, did: String) throws {
        let seed = [UInt8](repeating: 0, count: 31) + [last]
        let key = try #require(SigningKey(seed: SecretBytes(seed)))
        #expect(DID(key.publicKey).did == did)
        #expect(DID(did: did) == DID(key.publicKey))
        #expect(PublicKey(did: did) == key.publicKey)
    }

    @Test func `an identity is written in one way alone`() {
        let did = alice.did.did
        let body = String(did.dropFirst(9))
        let short = String(body.dropLast())
        let wrong: [String] = [
            "", "did:key:z", "did:key:\(body)", "did:key:z1\(body)", "did:key:z11\(body)",
            "did:key:Z\(body)", "did:web:z\(body)", "\(did)1", "\(did) ", " \(did)",
            "did:key:z\(short)", "did:key:z\(short)0", "did:key:z\(short)é", did.uppercased(),
            "did:key:z" + String(repeating: "z", count: 55),
        ]
        for text in wrong { #expect(DID(did: text) == nil, "\(text)") }
        #expect(DID(did: did) == alice.did)
        #expect(alice.did.shortDID == "…" + did.suffix(8))
    }

    @Test func `what is written as a did reads back, whatever the bytes`() {
        var random = Seeded(58)
        let edges = (0...32).flatMap { zeros -> [[UInt8]] in
            [0x00, 0x01, 0xff].map { rest in
                Array(repeating: 0, count: zeros) + Array(repeating: rest, count: 32 - zeros)
            }
        }
        for bytes in edges + (0..<500).map({ _ in random.bytes(32) }) {
            let did = DID(bytes)
            #expect(did.flatMap { DID(did: $0.did) } == did)
        }
    }

    @Test func `no letter of a did can be changed and still name the same identity`() {
        let letters = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
        let did = Array(bob.did.did)
        for index in 9..<did.count {
            for letter in letters where letter != did[index] {
                var turned = did
                turned[index] = letter
                #expect(DID(did: String(turned)) != bob.did)
            }
        }
    }

    @Test func `thirty-two bytes keep their order and their hexadecimal form`() throws {
        var random = Seeded(1)
        for _ in 0..<500 {
            let (one, other): (Hash32, Hash32) = (random.id(), random.id())
            #expect((one < other) == one.bytes.lexicographicallyPrecedes(other.bytes))
            #expect(Hash32(hex: one.hex) == one)
            #expect(Hash32(one.bytes) == one)
        }
        #expect(Hash32(hex: String(repeating: "0", count: 63)) == nil)
        #expect(Hash32(hex: String(repeating: "0", count: 66)) == nil)
        #expect(Hash32(hex: String(repeating: "g", count: 64)) == nil)
    }

    /// NIST FIPS 180-4 example; RFC 4231 test case 2.
    @Test func `hashes are the ones of the standards`() {
        #expect(
            SHA256.hash(Array("abc".utf8)).hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            HMAC256.authenticate(
                Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)
            )
            .hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test func `secrets never print`() {
        #expect("\(SecretBytes([1, 2, 3]))" == "SecretBytes(3)")
        #expect(!"\(alice.key)".contains(alice.key.seed.exposed.hex))
        #expect(!String(reflecting: alice.key.seed).contains("97"))
    }
}

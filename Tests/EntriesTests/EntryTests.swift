import Capacity
import Entries
import Fixtures
import Identity
import Testing

@Suite struct EntryTests {
    private let checker = SignatureChecker()

    /// secure-systems-lab/dsse, protocol.md.
    @Test func `what is signed is the encoding that DSSE prescribes`() {
        let encoded = DSSE.encode(
            Array("hello world".utf8), type: "http://example.com/HelloWorld")
        #expect(
            String(decoding: encoded, as: UTF8.self)
                == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
        #expect(DSSE.payloadType.utf8.count == 30)
        let entry = alice.keyEntry.entry
        let head = "DSSEv1 30 application/vnd.talea.entry.v1 \(entry.headerBytes.count) "
        #expect(entry.signedBytes == Array(head.utf8) + entry.headerBytes)
    }

    @Test func `no bit of header, signature or body can be turned`() throws {
        let valid = sample
        let (header, signature, body) = (
            valid.entry.headerBytes, valid.entry.signature.bytes, valid.entry.body ?? []
        )
        func accepted(_ header: [UInt8], _ signature: [UInt8], _ body: [UInt8]) -> Bool {
            guard let signature = Signature(signature),
                let entry = try? Entry(headerBytes: header, signature: signature, body: body)
            else { return false }
            return (try? ValidEntry(entry, by: alice.key.publicKey, checker: checker)) != nil
        }
        #expect(accepted(header, signature, body))
        for bit in 0..<header.count * 8 {
            #expect(!accepted(header.flipping(bit), signature, body), "header bit \(bit)")
        }
        for bit in 0..<signature.count * 8 {
            #expect(!accepted(header, signature.flipping(bit), body), "signature bit \(bit)")
        }
        for bit in 0..<body.count * 8 {
            #expect(!accepted(header, signature, body.flipping(bit)), "body bit \(bit)")
        }
    }

    @Test func `an entry crosses the wire whole, without its body too`() throws {
        let entry = sample.entry
        #expect(try Entry(strict: entry.wire) == entry)
        let held = try Entry(strict: entry.withoutBody.wire)
        #expect(held.body == nil)
        #expect(held.id == entry.id)
        #expect(throws: EntryRefusal.bodyMissing) { try held.read(Declare.self) }
        #expect(throws: EntryRefusal.kindMismatch(expected: .grant, found: 10)) {
            try entry.read(Grant.self)
        }
    }

    @Test func `a body of another size or hash is not this entry's`() {
        let entry = sample.entry
        func refused(_ body: [UInt8], _ refusal: EntryRefusal) {
            #expect(throws: refusal) {
                try Entry(headerBytes: entry.headerBytes, signature: entry.signature, body: body)
            }
        }
        let size = entry.body?.count ?? 0
        refused([], .bodySize(stated: Int64(size), found: 0))
        refused([UInt8](repeating: 0, count: size), .bodyHash)
    }

    @Test func `a header above four kibibytes is refused unread`() {
        #expect(throws: EntryRefusal.tooLarge(what: "header", bytes: 4097, limit: 4096)) {
            try Entry(
                headerBytes: [UInt8](repeating: 0xff, count: 4097),
                signature: alice.key.sign([]), body: nil)
        }
    }

    @Test func `another's key, and a key without prime order, sign nothing`() {
        #expect(throws: EntryRefusal.signatureWrong(sample.id)) {
            try ValidEntry(sample.entry, by: bob.key.publicKey, checker: checker)
        }
        #expect(throws: EntryRefusal.keyNotPrimeOrder) {
            try ValidEntry(sample.entry, by: .zero, checker: checker)
        }
    }

    @Test func `signing the same header twice gives the same entry`() {
        #expect(sample.id == sample.id)
    }

    @Test func `an entry with an empty body cannot be signed`() {
        var writer = alice.lineWriter()
        writer.append(Declare(total: 1, remaining: 1))
        let header = Header(
            kind: 10, author: alice.did, key: alice.keyEntry.id, topic: nil, time: .noon,
            bodyHash: SHA256.hash([]), bodySize: 0, place: .log(writer.place))
        #expect(throws: EntryRefusal.wireMissing(field: 8)) {
            try ValidEntry(signing: header, body: [], by: alice.key)
        }
    }

    @Test func `only the very predecessor is reached by a valid entry`() throws {
        var writer = alice.lineWriter()
        let first = writer.append(Declare(total: 5, remaining: 5))
        let second = writer.append(Adjust(total: 6, remaining: 6, reason: "more"))
        #expect(try ValidEntry(first.entry, reachedBy: second).entry == first.entry)
        func broken(_ change: (inout LogWriter) -> Void) {
            var other = alice.lineWriter()
            change(&other)
            let entry = other.append(Declare(total: 5, remaining: 5)).entry
            // The successor names it, and still something differs.
            var next = alice.lineWriter()
            next.sequence = 1
            next.previous = entry.id
            next.now = Instant.morning.minutes(1)
            let successor = next.append(Adjust(total: 6, remaining: 6, reason: "more"))
            #expect(throws: EntryRefusal.runBroken(at: entry.id)) {
                try ValidEntry(entry, reachedBy: successor)
            }
        }
        broken { $0.author = bob.did }
        broken { $0.log = .filled(3) }
        broken { $0.topic = nil }
        broken { $0.keyEntry = bob.keyEntry.id }
        broken { $0.now = Instant.morning.minutes(2) }
        broken { ($0.sequence, $0.previous) = (1, .filled(1)) }
        #expect(throws: EntryRefusal.runBroken(at: second.id)) {
            try ValidEntry(second.entry, reachedBy: first)
        }
    }

    private var sample: ValidEntry {
        var writer = alice.lineWriter()
        return writer.append(Declare(total: 300, remaining: 300))
    }
}

@Suite struct PrivateBodyTests {
    private let contract = ContractKey.repeating(0x2a)
    private let place = Header.LogPlace(log: .filled(2), sequence: 3, previous: .filled(4))
    private let nonce = [UInt8](repeating: 9, count: 24)

    @Test func `a body opens with the committed key alone`() throws {
        let key = contract.bodyKey(log: place.log, sequence: 3)
        let body = try seal([1, 2, 3], key)
        #expect(try open(body, key) == [1, 2, 3])
        #expect(throws: EntryRefusal.commitmentWrong) {
            try open(body, ContractKey.repeating(0x2b).bodyKey(log: place.log, sequence: 3))
        }
        for bit in 0..<body.count * 8 {
            #expect(throws: EntryRefusal.self, "bit \(bit)") {
                try open(body.flipping(bit), key)
            }
        }
        for count in [0, 1, 71, 72, 327] {
            #expect(throws: EntryRefusal.self) { try open(Array(body.prefix(count)), key) }
        }
    }

    @Test func `the key of one step opens that step alone`() throws {
        let keys =
            (Int64(1)...4).map { contract.bodyKey(log: place.log, sequence: $0) }
            + [contract.bodyKey(log: .filled(5), sequence: 3), contract.bytes]
        let body = try seal([7], keys[2])
        for (index, key) in keys.enumerated() {
            #expect(((try? open(body, key)) != nil) == (index == 2), "key \(index)")
        }
    }

    @Test func `a body moved to another place does not open`() throws {
        let key = contract.bodyKey(log: place.log, sequence: 3)
        let body = try seal([7], key)
        let moves: [(String, DID, Header.LogPlace)] = [
            ("author", bob.did, place),
            ("log", alice.did, .init(log: .filled(3), sequence: 3, previous: .filled(4))),
            ("sequence", alice.did, .init(log: .filled(2), sequence: 4, previous: .filled(4))),
            ("previous", alice.did, .init(log: .filled(2), sequence: 3, previous: .filled(5))),
            ("first", alice.did, .init(log: .filled(2), sequence: 3, previous: nil)),
        ]
        for (name, author, place) in moves {
            #expect(throws: EntryRefusal.privateBodyClosed, "\(name)") {
                try PrivateBody.open(body, key: key, author: author, place: place)
            }
        }
    }

    /// Tests/Vectors/two-prices.json: one ciphertext, authentic under two keys.
    @Test func `a ciphertext that reads as two prices is one price by its commitment`() throws {
        let made = try Vectors.json("two-prices.json", as: TwoPrices.self)
        let bytes = { (text: String) in [UInt8](hex: text) ?? [] }
        let keys = made.keys.map(bytes)
        let sealed = bytes(made.sealed)
        var readings: [[UInt8]] = []
        for key in keys {
            let reading = XChaCha20Poly1305.open(
                sealed, nonce: bytes(made.nonce), key: key,
                authenticating: bytes(made.associated))
            readings.append(try #require(reading, "the cipher alone takes both keys"))
        }
        #expect(readings == made.plaintexts.map(bytes))
        #expect(readings[0] != readings[1])
        let commitment = SHA256.hash(tag: "talea.body.v1", keys[0]).bytes
        let body = bytes(made.nonce) + commitment + sealed
        let author = DID.filled(1)
        let plaintext = try PrivateBody.open(body, key: keys[0], author: author, place: place)
        #expect(String(decoding: plaintext.prefix(16), as: UTF8.self) == "price: 1000 CNY ")
        #expect(throws: EntryRefusal.commitmentWrong) {
            try PrivateBody.open(body, key: keys[1], author: author, place: place)
        }
    }

    @Test(arguments: [
        (0, 256), (1, 256), (255, 256), (256, 512), (511, 512), (512, 1024), (5000, 8192),
        (65_535, 65_536),
    ])
    func `a body shows its size class and no more`(count: Int, padded: Int) throws {
        let key = contract.bodyKey(log: place.log, sequence: 3)
        for byte: UInt8 in [0, 1, 0x80] {
            let plaintext = [UInt8](repeating: byte, count: count)
            let body = try seal(plaintext, key)
            #expect(body.count == padded + 72)
            #expect(try open(body, key) == plaintext)
        }
    }

    @Test func `a plaintext above the largest class is refused`() {
        #expect(throws: EntryRefusal.self) {
            try seal([UInt8](repeating: 1, count: 65_536), contract.bytes)
        }
    }

    @Test func `padding that is not the shortest is refused`() throws {
        let key = contract.bodyKey(log: place.log, sequence: 3)
        let commitment = SHA256.hash(tag: "talea.body.v1", key).bytes
        var data = alice.did.bytes + place.log.bytes
        data.append(bigEndian: UInt64(3))
        data += EntryID.filled(4).bytes
        func body(_ padded: [UInt8]) -> [UInt8] {
            nonce + commitment
                + XChaCha20Poly1305.seal(padded, nonce: nonce, key: key, authenticating: data)
        }
        let zeros = { (count: Int) in [UInt8](repeating: 0, count: count) }
        #expect(try open(body([1, 0x80] + zeros(254)), key) == [1])
        let wrong = [
            [], [1, 0x80], [1, 0x80] + zeros(510), [1, 0x80] + zeros(253), zeros(256),
            [1, 0x81] + zeros(254),
        ]
        for padded in wrong {
            #expect(throws: EntryRefusal.privateBodyClosed) { try open(body(padded), key) }
        }
    }

    private func seal(_ plaintext: [UInt8], _ key: [UInt8]) throws -> [UInt8] {
        try PrivateBody.seal(plaintext, key: key, nonce: nonce, author: alice.did, place: place)
    }

    private func open(_ body: [UInt8], _ key: [UInt8]) throws -> [UInt8] {
        try PrivateBody.open(body, key: key, author: alice.did, place: place)
    }
}

private struct TwoPrices: Decodable {
    let keys: [String]
    let nonce: String, associated: String, sealed: String
    let plaintexts: [String]
}

extension [UInt8] {
    func flipping(_ bit: Int) -> [UInt8] {
        var copy = self
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
        return copy
    }
}

internal import Capacity
public import Identity

/// A contract's key and what derives from it. Whoever holds it reads every body of the contract.
public struct ContractKey: Sendable, Hashable {
    public let bytes: [UInt8]
    public let contract: ContractID
    public let topic: TopicID

    /// `nil` unless 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
        contract = ContractID(SHA256.hash(tag: "talea.contract.v1", bytes))
        topic = .contract(key: bytes)
    }

    /// The key of one body alone, so that one step can be shown and the rest stays hidden.
    public func bodyKey(log: LogID, sequence: Int64) -> [UInt8] {
        var message = Array("talea.bodykey.v1".utf8) + log.bytes
        message.append(bigEndian: UInt64(sequence))
        return HMAC256.authenticate(message, key: bytes).bytes
    }

    /// The key of one request's body, where witnesses keep requests: its nonce tells it apart.
    public func requestKey(author: DID, nonce: [UInt8]) -> [UInt8] {
        let message = Array("talea.requestkey.v1".utf8) + author.bytes + nonce
        return HMAC256.authenticate(message, key: bytes).bytes
    }

    /// A request's body for a contract with witnesses: they keep it, and cannot read it.
    public func seal(_ request: Request, author: DID, log: LogID, nonce: [UInt8])
        throws(EntryRefusal) -> [UInt8]
    {
        try PrivateBody.seal(
            request.wire, key: requestKey(author: author, nonce: nonce), nonce: nonce,
            authenticating: author.bytes + log.bytes)
    }

    /// The key that `entry`, a request sealed so, opens with; `nil` where its body is not here.
    public func requestKey(of entry: Entry) -> [UInt8]? {
        entry.body.map { requestKey(author: entry.header.author, nonce: Array($0.prefix(24))) }
    }

    /// The request in a body sealed so. Refused where it does not open, or is not strict.
    public func openRequest(_ entry: Entry) throws(EntryRefusal) -> Request {
        guard let key = requestKey(of: entry) else { throw .bodyMissing }
        return try Request(opening: entry, key: key)
    }
}

extension Request {
    /// A request sealed to a contract with witnesses, by the key of this one body.
    public init(opening entry: Entry, key: [UInt8]) throws(EntryRefusal) {
        guard let body = entry.body, let log = entry.header.statement?.about else {
            throw .bodyMissing
        }
        let plain = try PrivateBody.open(
            body, key: key, authenticating: entry.header.author.bytes + log.bytes)
        try self.init(strict: plain)
    }
}

/// `24 random ‖ SHA-256("talea.body.v1" ‖ body key) ‖ XChaCha20-Poly1305 ciphertext`.
///
/// The cipher does not commit to its key, so the body carries a commitment; without it one ciphertext
/// could be made to open as two prices.
public enum PrivateBody {
    static let overhead = 24 + 32 + 16

    /// `nonce` is 24 random bytes, never a counter.
    public static func seal(
        _ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], author: DID,
        place: Header.LogPlace
    ) throws(EntryRefusal) -> [UInt8] {
        try seal(
            plaintext, key: key, nonce: nonce,
            authenticating: associatedData(author: author, place))
    }

    static func seal(
        _ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], authenticating associated: [UInt8]
    ) throws(EntryRefusal) -> [UInt8] {
        let padded = try pad(plaintext)
        let commitment = SHA256.hash(tag: "talea.body.v1", key)
        return nonce + commitment.bytes
            + XChaCha20Poly1305.seal(
                padded, nonce: nonce, key: key, authenticating: associated)
    }

    /// Refused where the key is not the committed one, the ciphertext was changed or moved, or the
    /// padding is not the shortest of its size class.
    public static func open(
        _ body: [UInt8], key: [UInt8], author: DID, place: Header.LogPlace
    ) throws(EntryRefusal) -> [UInt8] {
        try open(body, key: key, authenticating: associatedData(author: author, place))
    }

    static func open(_ body: [UInt8], key: [UInt8], authenticating associated: [UInt8])
        throws(EntryRefusal) -> [UInt8]
    {
        guard body.count >= overhead else { throw .privateBodyClosed }
        guard
            Array(body[24..<56]) == SHA256.hash(tag: "talea.body.v1", key).bytes
                || planted(.bodyKeyUncommitted)
        else {
            throw .commitmentWrong
        }
        guard
            let padded = XChaCha20Poly1305.open(
                Array(body[56...]), nonce: Array(body[..<24]), key: key,
                authenticating: associated),
            let mark = padded.lastIndex(where: { $0 != 0 }), padded[mark] == 0x80
        else { throw .privateBodyClosed }
        let plaintext = Array(padded[..<mark])
        guard padded.count == sizeClass(plaintext.count) else { throw .privateBodyClosed }
        return plaintext
    }

    static func associatedData(author: DID, _ place: Header.LogPlace) -> [UInt8] {
        var data = author.bytes + place.log.bytes
        data.append(bigEndian: UInt64(place.sequence))
        return data + (place.previous ?? .zero).bytes
    }

    /// ISO 7816-4 (0x80, zeros) to the next power of two, at least 256.
    private static func pad(_ plaintext: [UInt8]) throws(EntryRefusal) -> [UInt8] {
        let size = sizeClass(plaintext.count)
        guard size + overhead <= EntryLimit.bodyBytes else {
            throw .tooLarge(
                what: "body", bytes: size + overhead, limit: EntryLimit.bodyBytes)
        }
        let zeros = [UInt8](repeating: 0, count: size - plaintext.count - 1)
        return plaintext + [0x80] + zeros
    }

    private static func sizeClass(_ count: Int) -> Int {
        var size = 256
        while size < count + 1 { size *= 2 }
        return size
    }
}

public import Capacity
public import Entries
public import Identity

/// Somebody with fixed keys: the seed of the first is a small letter thirty-two times, of the second
/// the capital, of the third the small letter with its top bit set.
public struct Person: Sendable {
    public let name: String
    /// First, second and third key; each key entry commits to the one after it.
    public let keys: [SigningKey]
    /// Key log entries 1 and 2, made at `Instant.morning`.
    public let keyEntries: [ValidEntry]

    public var did: DID { DID(keys[0].publicKey) }
    public var key: SigningKey { keys[0] }
    public var keyEntry: ValidEntry { keyEntries[0] }
    /// Key entry 2: the rotation that the first entry committed to.
    public var rotation: ValidEntry { keyEntries[1] }

    public init(_ name: String) {
        _ = Sodium.start()
        self.name = name
        let letter = name.utf8.first ?? 0
        keys = [letter, letter & 0xdf, letter | 0x80].map(SigningKey.repeating)
        let did = DID(keys[0].publicKey)
        var writer = LogWriter(
            author: did, key: keys[0], keyEntry: nil, log: .key(author: did), topic: nil)
        let first = writer.append(
            KeyBody(publicKey: keys[0].publicKey, nextKeyHash: .nextKey(keys[1].publicKey)))
        writer.key = keys[1]
        let second = writer.append(
            KeyBody(publicKey: keys[1].publicKey, nextKeyHash: .nextKey(keys[2].publicKey)))
        keyEntries = [first, second]
    }

    /// Writes in one of this person's logs under the first key.
    public func writer(_ log: LogID, topic: TopicID?) -> LogWriter {
        LogWriter(author: did, key: key, keyEntry: keyEntry.id, log: log, topic: topic)
    }

    /// Writes in the log of a line of this person's.
    public func lineWriter(_ terms: LineTerms = .pressWeek) -> LogWriter {
        writer(.line(author: did, terms), topic: .alliance)
    }

    /// Signs a statement under the first key.
    public func say(
        _ body: some EntryBody, at time: Instant = .noon, expires: Instant? = nil,
        topic: TopicID? = nil, about: LogID? = nil, basis: EntryID? = nil,
        versions: [RecordVersion] = []
    ) -> ValidEntry {
        say(
            kind: type(of: body).kind.rawValue, bytes: body.wire, at: time, expires: expires,
            topic: topic, about: about, basis: basis, versions: versions)
    }

    /// Signs any bytes as a statement of any kind.
    public func say(
        kind: Int64, bytes: [UInt8], at time: Instant = .noon, expires: Instant? = nil,
        topic: TopicID? = nil, about: LogID? = nil, basis: EntryID? = nil,
        versions: [RecordVersion] = []
    ) -> ValidEntry {
        let header = Header(
            kind: kind, author: did, key: keyEntry.id, topic: topic, time: time,
            bodyHash: SHA256.hash(bytes), bodySize: Int64(bytes.count),
            place: .statement(
                .init(
                    expires: expires ?? time.days(1), about: about, basis: basis,
                    versions: versions)))
        return must { try ValidEntry(signing: header, body: bytes, by: key) }
    }
}

public let alice = Person("alice")
public let bob = Person("bob")
public let carol = Person("carol")
public let dave = Person("dave")
public let eve = Person("eve")
/// The hub, when one is needed as witness.
public let hub = Person("hub")

extension SigningKey {
    /// Thirty-two times the same byte as seed.
    public static func repeating(_ byte: UInt8) -> SigningKey {
        guard let key = SigningKey(seed: SecretBytes([UInt8](repeating: byte, count: 32))) else {
            preconditionFailure("a seed of 32 bytes makes a key")
        }
        return key
    }
}

/// For what cannot fail in a fixture: the failure says what did.
public func must<T>(_ work: () throws -> T) -> T {
    do { return try work() } catch { preconditionFailure("fixture refused: \(error)") }
}

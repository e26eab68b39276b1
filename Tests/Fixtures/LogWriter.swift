public import Capacity
public import Entries
public import Identity

/// Keeps sequence and previous of one log, and signs what is appended. Set `key` and `keyEntry` to
/// sign on under another key, `now` to turn the clock; copy it to write a fork.
public struct LogWriter: Sendable {
    public var author: DID
    public var key: SigningKey
    public var keyEntry: EntryID?
    public var log: LogID
    public var topic: TopicID?
    public var sequence: Int64 = 0
    public var previous: EntryID?
    public var now: Instant = .morning

    public init(
        author: DID, key: SigningKey, keyEntry: EntryID?, log: LogID, topic: TopicID?
    ) {
        self.author = author
        self.key = key
        self.keyEntry = keyEntry
        self.log = log
        self.topic = topic
    }

    /// Where the next entry will stand.
    public var place: Header.LogPlace {
        .init(log: log, sequence: sequence + 1, previous: previous)
    }

    /// Signs `body` as the next entry.
    @discardableResult
    public mutating func append(_ body: some EntryBody) -> ValidEntry {
        append(kind: type(of: body).kind.rawValue, bytes: body.wire)
    }

    /// Signs any bytes under any kind.
    @discardableResult
    public mutating func append(kind: Int64, bytes: [UInt8]) -> ValidEntry {
        let header = header(kind: kind, bytes: bytes)
        let valid = must { try ValidEntry(signing: header, body: bytes, by: key) }
        advance(to: valid.id)
        return valid
    }

    /// Signs `body` sealed under the contract's key.
    @discardableResult
    public mutating func append(
        _ body: some EntryBody, sealedBy contract: ContractKey, nonce: UInt8 = 1
    ) -> ValidEntry {
        let sealed = must {
            try PrivateBody.seal(
                body.wire, key: contract.bodyKey(log: log, sequence: sequence + 1),
                nonce: [UInt8](repeating: nonce, count: 24), author: author, place: place)
        }
        return append(kind: type(of: body).kind.rawValue, bytes: sealed)
    }

    /// The next entry with a signature nobody made; the writer goes on from it.
    @discardableResult
    public mutating func appendGarbage(_ body: some EntryBody) -> Entry {
        let bytes = body.wire
        let header = header(kind: type(of: body).kind.rawValue, bytes: bytes)
        let noise = SHA256.hash(header.wire).bytes + SHA256.hash(bytes).bytes
        let entry = must {
            guard let signature = Signature(noise) else { throw EntryRefusal.wireTruncated }
            return try Entry(headerBytes: header.wire, signature: signature, body: bytes)
        }
        advance(to: entry.id)
        return entry
    }

    private func header(kind: Int64, bytes: [UInt8]) -> Header {
        Header(
            kind: kind, author: author, key: keyEntry, topic: topic, time: now,
            bodyHash: SHA256.hash(bytes), bodySize: Int64(bytes.count), place: .log(place))
    }

    private mutating func advance(to id: EntryID) {
        sequence += 1
        previous = id
        now = now.minutes(1)
    }
}

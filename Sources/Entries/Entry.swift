internal import Capacity
public import Identity

/// One signed thing, strictly decoded. Its signature is *not* known to be good: see `ValidEntry`.
public struct Entry: Hashable, Sendable {
    public let headerBytes: [UInt8]
    public let signature: Signature
    /// Absent where a body is withheld from the reader (a witness, a relay without the topic's key).
    public let body: [UInt8]?
    public let header: Header
    /// SHA-256(header bytes ‖ signature).
    public let id: EntryID

    /// Refused unless the header is strict and a present body has the stated size and hash.
    public init(headerBytes: [UInt8], signature: Signature, body: [UInt8]?) throws(EntryRefusal) {
        guard headerBytes.count <= EntryLimit.headerBytes else {
            throw .tooLarge(
                what: "header", bytes: headerBytes.count, limit: EntryLimit.headerBytes)
        }
        header = try Header(strict: headerBytes)
        if let body {
            guard Int64(body.count) == header.bodySize else {
                throw .bodySize(stated: header.bodySize, found: body.count)
            }
            guard SHA256.hash(body) == header.bodyHash || planted(.bodyUnhashed) else {
                throw .bodyHash
            }
        }
        self.headerBytes = headerBytes
        self.signature = signature
        self.body = body
        id = EntryID(SHA256.hash(headerBytes + signature.bytes))
    }

    /// DSSE v1 pre-authentication encoding: what the signature is over.
    public var signedBytes: [UInt8] { DSSE.encode(headerBytes) }

    /// The number of a kind this program knows, or `nil`.
    public var kind: Kind? { Kind(rawValue: header.kind) }

    /// Refused where the body is absent, of another kind, or not strict.
    public func read<Body: EntryBody>(_ type: Body.Type) throws(EntryRefusal) -> Body {
        guard header.kind == type.kind.rawValue else {
            throw .kindMismatch(expected: type.kind, found: header.kind)
        }
        guard let body else { throw .bodyMissing }
        return try Body(strict: body)
    }

    /// The same entry as a relay without the body sees it.
    public var withoutBody: Entry { Entry(self, body: nil) }

    private init(_ other: Entry, body: [UInt8]?) {
        headerBytes = other.headerBytes
        signature = other.signature
        self.body = body
        header = other.header
        id = other.id
    }
}

/// Entry { 1 header, 2 signature, 3 body }
extension Entry: WireMessage {
    public func write(to writer: inout WireWriter) {
        // Three tags and lengths of up to five bytes, and the signature.
        writer.reserve(headerBytes.count + 64 + (body?.count ?? 0) + 18)
        writer.bytes(1, headerBytes)
        writer.bytes(2, signature.bytes)
        writer.bytes(3, body)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        let header = try reader.bytes(1)
        let signature = try reader.signature(2)
        try self.init(
            headerBytes: header, signature: signature, body: try reader.optionalBytes(3))
    }
}

/// DSSE v1 (secure-systems-lab/dsse, protocol.md).
public enum DSSE {
    public static let payloadType = "application/vnd.talea.entry.v1"

    /// `DSSEv1 SP len(type) SP type SP len(payload) SP payload`
    public static func encode(_ payload: [UInt8], type: String = payloadType) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }
}

/// A body with a kind of its own.
public protocol EntryBody: WireMessage, Hashable {
    static var kind: Kind { get }
}

/// An entry that is valid: its own signature verifies, or a valid entry of the same log and key reaches
/// it through `previous`. There is no other way to make one.
public struct ValidEntry: Hashable, Sendable {
    public let entry: Entry
    /// Whether this entry's own signature was checked. Needed before one pays, receipts or exports on it.
    public let ownSignatureChecked: Bool

    public var header: Header { entry.header }
    public var id: EntryID { entry.id }

    /// Checks the entry's own signature by `key`, which the caller found in force for its author.
    public init(_ entry: Entry, by key: PublicKey, checker: SignatureChecker)
        throws(EntryRefusal)
    {
        guard key.isPrimeOrder else { throw .keyNotPrimeOrder }
        try self.init(entry, byCheckedKey: key, checker: checker)
    }

    /// The same by a key of which it is known that it is of prime order, as it is of every key that a
    /// key log took: to find that out costs as much as a signature.
    public init(_ entry: Entry, byCheckedKey key: PublicKey, checker: SignatureChecker)
        throws(EntryRefusal)
    {
        guard
            checker.verifies(entry.signature, of: entry.signedBytes, byCheckedKey: key)
                || planted(.skipSignature)
        else { throw .signatureWrong(entry.id) }
        self.entry = entry
        ownSignatureChecked = true
    }

    /// The run check: `entry` is named by `successor`'s `previous` and differs from it as one step
    /// earlier in the same log by the same key must.
    public init(_ entry: Entry, reachedBy successor: ValidEntry) throws(EntryRefusal) {
        guard let here = entry.header.log, let next = successor.header.log,
            next.previous == entry.id || planted(.runWithoutIDs), here.log == next.log,
            here.sequence + 1 == next.sequence,
            // Each key entry is signed by another key: none vouches for the one before it.
            entry.header.key != nil,
            entry.header.author == successor.header.author,
            entry.header.topic == successor.header.topic,
            entry.header.key == successor.header.key,
            entry.header.time <= successor.header.time
        else { throw .runBroken(at: entry.id) }
        self.entry = entry
        ownSignatureChecked = false
    }

    /// Signs a new entry. Deterministic: the same header and key give the same entry.
    public init(signing header: Header, body: [UInt8], by key: SigningKey) throws(EntryRefusal) {
        let bytes = header.wire
        let signature = key.sign(DSSE.encode(bytes))
        entry = try Entry(headerBytes: bytes, signature: signature, body: body)
        ownSignatureChecked = true
    }

    /// Stored by this node after one of the other ways held; storage hands back what it was given.
    public init(stored entry: Entry, ownSignatureChecked: Bool) {
        self.entry = entry
        self.ownSignatureChecked = ownSignatureChecked
    }
}

public import Identity

/// An entry with what vouches for it: nothing where its own signature verifies, else the shortest chain of
/// headers above it up to one whose own signature does.
public struct Vouched: Hashable, Sendable, WireMessage {
    /// Without its body, unless it is a key entry: a key stands in the body.
    public let entry: Entry
    /// Ascending, without bodies; each names the one before as `previous`.
    public let chain: [Entry]

    /// Headers above an entry at most: a run is 256 entries, and its newest is signed for itself.
    public static let chainMax = 255

    public init(entry: Entry, chain: [Entry]) {
        self.entry = entry.kind == .key ? entry : entry.withoutBody
        self.chain = chain.map(\.withoutBody)
    }

    /// For the first of `branch`, contiguous and ascending; `nil` where none of it is signed for
    /// itself within the bound.
    public init?(branch: [ValidEntry]) {
        guard let first = branch.first,
            let signed = branch.prefix(1 + Self.chainMax).firstIndex(where: \.ownSignatureChecked)
        else { return nil }
        self.init(
            entry: first.entry, chain: branch[branch.startIndex...signed].dropFirst().map(\.entry))
    }

    public func write(to writer: inout WireWriter) {
        writer.message(1, entry)
        writer.messages(2, chain)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        entry = try reader.message(1, Entry.self)
        chain = try reader.messages(2, Entry.self)
        guard chain.count <= Self.chainMax else {
            throw .wireTooMany(field: 2, limit: Self.chainMax)
        }
        guard (entry.body != nil) == (entry.kind == .key), chain.allSatisfy({ $0.body == nil })
        else { throw .proofShape("a body stands in key entries alone") }
    }
}

/// Two different entries of one author at one place of one log, each with its evidence. Whoever has the
/// author's key log can check it, whatever else is missing.
public struct ForkProof: Hashable, Sendable, WireMessage {
    /// By id, the lesser first: the same two entries give the same proof everywhere.
    public let one: Vouched
    public let two: Vouched

    /// What a frame carries, less some room.
    public static let bytesMax = 200 * 1024

    public init(_ left: Vouched, _ right: Vouched) {
        (one, two) = left.entry.id < right.entry.id ? (left, right) : (right, left)
    }

    public func write(to writer: inout WireWriter) {
        writer.message(1, one)
        writer.message(2, two)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        one = try reader.message(1, Vouched.self)
        two = try reader.message(2, Vouched.self)
        guard one.entry.id < two.entry.id else { throw .wireOrder(field: 2) }
        guard let place = one.entry.header.log, let other = two.entry.header.log else {
            throw .proofShape("statements stand in no log")
        }
        guard place.log == other.log, place.sequence == other.sequence,
            one.entry.header.author == two.entry.header.author
        else { throw .proofShape("two entries of one author at one place of one log") }
    }

    public var author: DID { one.entry.header.author }
    public var topic: TopicID? { one.entry.header.topic }
    public var log: LogID { one.entry.header.log?.log ?? .zero }
    public var sequence: Int64 { one.entry.header.log?.sequence ?? 0 }
    /// What peers compare to know whether they know of it.
    public var fork: EntryID { .fork(author: author, log: log, sequence: sequence) }
}

extension EntryID {
    /// Stands for a fork wherever an id is exchanged: any one proof of it is as good as another.
    public static func fork(author: DID, log: LogID, sequence: Int64) -> EntryID {
        var place: [UInt8] = []
        place.append(bigEndian: UInt64(max(sequence, 0)))
        return EntryID(SHA256.hash(tag: "talea.fork", author.bytes, log.bytes, place))
    }
}

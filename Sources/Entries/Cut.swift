public import Capacity
public import Identity

/// Closes a forked log of its author: that log ends at `sequence`, just below where it parts, and the log
/// that this is the first entry of goes on.
public struct Cut: EntryBody {
    public static let kind = Kind.cut
    public var log: LogID
    /// The last sequence that stands; 0 where the log parts at its first entry.
    public var sequence: Int64
    public var id: EntryID?
    /// Of a line: every grant that stands on any branch above, for it binds its issuer.
    public var grants: [Carried]
    /// Of a line: declared anew, and what of it is left.
    public var total: Int64
    public var remaining: Int64

    public struct Carried: Hashable, Sendable, WireMessage {
        public var grant: EntryID
        public var units: Int64
        public var until: Instant
        public var releaseKey: PublicKey
        public var tag: Hash32

        public init(
            grant: EntryID, units: Int64, until: Instant, releaseKey: PublicKey, tag: Hash32
        ) {
            self.grant = grant
            self.units = units
            self.until = until
            self.releaseKey = releaseKey
            self.tag = tag
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, grant)
            writer.number(2, units)
            writer.number(3, until.milliseconds)
            writer.id(4, releaseKey)
            writer.id(5, tag)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            grant = try reader.id(1)
            units = try reader.required(2)
            until = try reader.instant(3)
            releaseKey = try reader.id(4)
            tag = try reader.id(5)
        }
    }

    public init(
        log: LogID, sequence: Int64, id: EntryID?, grants: [Carried] = [], total: Int64 = 0,
        remaining: Int64 = 0
    ) {
        self.log = log
        self.sequence = sequence
        self.id = id
        self.grants = grants
        self.total = total
        self.remaining = remaining
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, log)
        writer.number(2, sequence)
        writer.id(3, id)
        writer.messages(4, grants)
        writer.number(5, total)
        writer.signed(6, remaining)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        log = try reader.id(1)
        sequence = try reader.number(2)
        id = try reader.optionalID(3)
        guard (id == nil) == (sequence == 0) else { throw .wireMissing(field: 3) }
        grants = try reader.messages(4, Carried.self)
        for (one, next) in zip(grants, grants.dropFirst()) where one.grant >= next.grant {
            throw .wireOrder(field: 4)
        }
        total = try reader.number(5)
        remaining = try reader.signed(6)
    }
}

extension LogID {
    /// The log that goes on where a cut of `author` ended another. Its first entry says so.
    public static func successor(of cut: Cut, author: DID) -> LogID {
        var input = author.bytes + cut.log.bytes
        input.append(bigEndian: UInt64(max(cut.sequence, 0)))
        return LogID(
            SHA256.hash(
                tag: "talea.log.successor.v1", input, (cut.id ?? .zero).bytes))
    }
}

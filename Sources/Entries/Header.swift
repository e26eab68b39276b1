public import Capacity
public import Identity

/// The signed part of an entry.
///
///     1 version · 2 kind · 3 author · 4 key · 5 topic · 6 time · 7 body hash · 8 body size
///     log entry   9 log · 10 sequence · 11 previous
///     statement  12 expires · 13 about · 14 basis · 15 versions {1 record, 2 version}
public struct Header: Hashable, Sendable, WireMessage {
    public static let version: Int64 = 1

    /// A `Kind` number, or one this program does not know.
    public var kind: Int64
    public var author: DID
    /// The key entry whose key signed; `nil` for key entries, which carry their key.
    public var key: EntryID?
    /// `nil` in key logs, which belong to no topic.
    public var topic: TopicID?
    public var time: Instant
    public var bodyHash: Hash32
    public var bodySize: Int64
    public var place: Place

    public enum Place: Hashable, Sendable {
        case log(LogPlace)
        case statement(StatementPlace)
    }

    /// Where in a chain: sequence from 1; `previous` is `nil` at 1 alone.
    public struct LogPlace: Hashable, Sendable {
        public var log: LogID
        public var sequence: Int64
        public var previous: EntryID?

        public init(log: LogID, sequence: Int64, previous: EntryID?) {
            self.log = log
            self.sequence = sequence
            self.previous = previous
        }
    }

    /// What a statement binds itself to. `expires` ends transport and admissibility, never its worth as
    /// evidence.
    public struct StatementPlace: Hashable, Sendable {
        public var expires: Instant
        public var about: LogID?
        public var basis: EntryID?
        public var versions: [RecordVersion]

        public init(
            expires: Instant, about: LogID? = nil, basis: EntryID? = nil,
            versions: [RecordVersion] = []
        ) {
            self.expires = expires
            self.about = about
            self.basis = basis
            self.versions = versions
        }
    }

    public init(
        kind: Int64, author: DID, key: EntryID?, topic: TopicID?, time: Instant, bodyHash: Hash32,
        bodySize: Int64, place: Place
    ) {
        self.kind = kind
        self.author = author
        self.key = key
        self.topic = topic
        self.time = time
        self.bodyHash = bodyHash
        self.bodySize = bodySize
        self.place = place
    }

    public var log: LogPlace? { if case .log(let place) = place { place } else { nil } }

    public var statement: StatementPlace? {
        if case .statement(let place) = place { place } else { nil }
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, Self.version)
        writer.number(2, kind)
        writer.id(3, author)
        writer.id(4, key)
        writer.id(5, topic)
        writer.number(6, time.milliseconds)
        writer.id(7, bodyHash)
        writer.number(8, bodySize)
        switch place {
        case .log(let place):
            writer.id(9, place.log)
            writer.number(10, place.sequence)
            writer.id(11, place.previous)
        case .statement(let place):
            writer.number(12, place.expires.milliseconds)
            writer.id(13, place.about)
            writer.id(14, place.basis)
            writer.messages(15, place.versions)
        }
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        let version = try reader.required(1)
        guard version == Self.version else { throw .newerVersion(version) }
        kind = try reader.required(2)
        author = try reader.id(3)
        key = try reader.optionalID(4)
        topic = try reader.optionalID(5)
        time = try reader.instant(6)
        bodyHash = try reader.id(7)
        bodySize = try reader.required(8)
        if let log: LogID = try reader.optionalID(9) {
            let sequence = try reader.required(10)
            let previous: EntryID? = try reader.optionalID(11)
            guard (previous == nil) == (sequence == 1) else {
                throw .headerShape("previous stands exactly where sequence is above 1")
            }
            place = .log(.init(log: log, sequence: sequence, previous: previous))
        } else {
            let expires = try reader.instant(12)
            place = .statement(
                .init(
                    expires: expires, about: try reader.optionalID(13),
                    basis: try reader.optionalID(14),
                    versions: try reader.messages(15, RecordVersion.self)))
        }
        try checkShape()
    }

    private func checkShape() throws(EntryRefusal) {
        let isKey = kind == Kind.key.rawValue
        guard (key == nil) == isKey else {
            throw .headerShape("key stands in all but key entries")
        }
        guard isKey ? topic == nil : true else {
            throw .headerShape("a key entry belongs to no topic")
        }
        guard bodySize <= Int64(EntryLimit.bodyBytes) else {
            throw .tooLarge(
                what: "body", bytes: Int(clamping: bodySize), limit: EntryLimit.bodyBytes)
        }
        guard (statement == nil) == (kind < 40) else {
            throw .headerShape("kinds below 40 stand in logs, the others are statements")
        }
        let versions = statement?.versions ?? []
        for (one, next) in zip(versions, versions.dropFirst()) where one.record >= next.record {
            throw .wireOrder(field: 15)
        }
    }
}

/// A record of a contract and the sequence of the step that last changed it.
public struct RecordVersion: Hashable, Sendable, WireMessage {
    public let record: Int64
    public let version: Int64

    public init(record: Int64, version: Int64) {
        self.record = record
        self.version = version
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, record)
        writer.number(2, version)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        record = try reader.required(1)
        version = try reader.required(2)
    }
}

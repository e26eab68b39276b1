public import Capacity
public import Identity

// The entries of a capacity line's log. Each states the `remaining` that it leaves.

public struct Declare: EntryBody {
    public static let kind = Kind.declare
    public var total: Int64
    public var remaining: Int64

    public init(total: Int64, remaining: Int64) {
        self.total = total
        self.remaining = remaining
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, total)
        writer.number(2, remaining)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        total = try reader.number(1)
        remaining = try reader.number(2)
    }
}

public struct Adjust: EntryBody {
    public static let kind = Kind.adjust
    public var total: Int64
    public var remaining: Int64
    public var reason: String

    public init(total: Int64, remaining: Int64, reason: String) {
        self.total = total
        self.remaining = remaining
        self.reason = reason
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, total)
        writer.number(2, remaining)
        writer.text(3, reason)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        total = try reader.number(1)
        remaining = try reader.number(2)
        reason = try reader.requiredText(3)
    }
}

/// Locks units for the holder of `releaseKey`; only participants can link `tag` to a contract.
public struct Grant: EntryBody {
    public static let kind = Kind.grant
    public var units: Int64
    public var until: Instant
    public var releaseKey: PublicKey
    public var tag: Hash32
    public var remaining: Int64
    /// The step that locked these units for the issuer, where it passes on what it holds; `nil` = own.
    public var title: EntryID?

    public init(
        units: Int64, until: Instant, releaseKey: PublicKey, tag: Hash32, remaining: Int64,
        title: EntryID? = nil
    ) {
        self.units = units
        self.until = until
        self.releaseKey = releaseKey
        self.tag = tag
        self.remaining = remaining
        self.title = title
    }

    public func write(to writer: inout WireWriter) {
        writer.number(1, units)
        writer.number(2, until.milliseconds)
        writer.id(3, releaseKey)
        writer.id(4, tag)
        writer.signed(5, remaining)
        writer.id(6, title)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        units = try reader.required(1)
        until = try reader.instant(2)
        releaseKey = try reader.id(3)
        tag = try reader.id(4)
        // Signed, so that an oversale can be written down, read and shown as what it is.
        remaining = try reader.signed(5)
        title = try reader.optionalID(6)
    }
}

/// Holds units of a grant longer: never free by time before `until`.
public struct Firm: EntryBody {
    public static let kind = Kind.firm
    public var grant: EntryID
    public var units: Int64
    public var until: Instant
    public var remaining: Int64

    public init(grant: EntryID, units: Int64, until: Instant, remaining: Int64) {
        self.grant = grant
        self.units = units
        self.until = until
        self.remaining = remaining
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, grant)
        writer.number(2, units)
        writer.number(3, until.milliseconds)
        writer.signed(4, remaining)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        grant = try reader.id(1)
        units = try reader.required(2)
        until = try reader.instant(3)
        remaining = try reader.signed(4)
    }
}

/// Moves units of a grant under a new holder's key; its entry id is a grant id from then on.
public struct Split: EntryBody {
    public static let kind = Kind.split
    public var grant: EntryID
    public var units: Int64
    public var releaseKey: PublicKey
    public var tag: Hash32
    public var holderSignature: Signature
    public var remaining: Int64

    public init(
        grant: EntryID, units: Int64, releaseKey: PublicKey, tag: Hash32,
        holderSignature: Signature, remaining: Int64
    ) {
        self.grant = grant
        self.units = units
        self.releaseKey = releaseKey
        self.tag = tag
        self.holderSignature = holderSignature
        self.remaining = remaining
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, grant)
        writer.number(2, units)
        writer.id(3, releaseKey)
        writer.id(4, tag)
        writer.bytes(5, holderSignature.bytes)
        writer.signed(6, remaining)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        grant = try reader.id(1)
        units = try reader.required(2)
        releaseKey = try reader.id(3)
        tag = try reader.id(4)
        holderSignature = try reader.signature(5)
        remaining = try reader.signed(6)
    }
}

/// Gives units back to the line: signed by the holder, or unsigned once time freed them.
public struct Release: EntryBody {
    public static let kind = Kind.release
    public var grant: EntryID
    public var units: Int64
    public var holderSignature: Signature?
    public var remaining: Int64

    public init(grant: EntryID, units: Int64, holderSignature: Signature?, remaining: Int64) {
        self.grant = grant
        self.units = units
        self.holderSignature = holderSignature
        self.remaining = remaining
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, grant)
        writer.number(2, units)
        writer.bytes(3, holderSignature?.bytes)
        writer.signed(4, remaining)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        grant = try reader.id(1)
        units = try reader.required(2)
        holderSignature = try reader.optionalSignature(3)
        remaining = try reader.signed(4)
    }
}

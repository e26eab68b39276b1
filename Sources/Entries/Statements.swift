public import Identity

// Statements bind their author and order nothing. Each starts with 32 random bytes, because its hash is
// in a header that others may see.

/// Consent to exactly one proposal, or to exactly one request that needs further consent.
public struct Acceptance: EntryBody {
    public static let kind = Kind.acceptance
    public var salt: Hash32
    public var statement: EntryID
    /// The author's one-time key for grants it will hold.
    public var releaseKey: PublicKey?
    public var witnessTermsHash: Hash32?

    public init(
        salt: Hash32, statement: EntryID, releaseKey: PublicKey?, witnessTermsHash: Hash32? = nil
    ) {
        self.salt = salt
        self.statement = statement
        self.releaseKey = releaseKey
        self.witnessTermsHash = witnessTermsHash
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.id(2, statement)
        writer.id(3, releaseKey)
        writer.id(4, witnessTermsHash)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        statement = try reader.id(2)
        releaseKey = try reader.optionalID(3)
        witnessTermsHash = try reader.optionalID(4)
    }
}

/// One transition on one record with its arguments: the words of a request, or of a step taken by the
/// sequencer's own right.
public struct SignedAct: Hashable, Sendable, WireMessage {
    public var transition: String
    /// Record number; main is 1. 0 asks for the opening.
    public var record: Int64
    public var arguments: [Argument]
    /// By the holder's release key, where the act splits or releases a grant.
    public var holderSignature: Signature?
    /// The child proposal that a transfer opens.
    public var child: EntryID?

    public init(
        transition: String, record: Int64, arguments: [Argument],
        holderSignature: Signature? = nil, child: EntryID? = nil
    ) {
        self.transition = transition
        self.record = record
        self.arguments = arguments
        self.holderSignature = holderSignature
        self.child = child
    }

    public func write(to writer: inout WireWriter) {
        writer.text(1, transition)
        writer.number(2, record)
        writer.messages(3, arguments)
        writer.bytes(4, holderSignature?.bytes)
        writer.id(5, child)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        transition = try reader.identifier(1)
        record = try reader.number(2)
        arguments = try reader.arguments(3)
        holderSignature = try reader.optionalSignature(4)
        child = try reader.optionalID(5)
    }
}

/// Asks the sequencer for one step. The header names basis and record versions.
public struct Request: EntryBody {
    public static let kind = Kind.request
    public var salt: Hash32
    public var act: SignedAct

    public init(salt: Hash32, act: SignedAct) {
        self.salt = salt
        self.act = act
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.message(2, act)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        act = try reader.message(2, SignedAct.self)
    }
}

/// A signed no to a proposal or a request.
public struct Refusal: EntryBody {
    public static let kind = Kind.refusal
    public var salt: Hash32
    public var statement: EntryID
    public var code: Code
    public var text: String

    /// A number other programs know; a reader that does not know it shows the text.
    public struct Code: Hashable, Sendable {
        public let number: Int64

        public init(number: Int64) { self.number = number }

        /// The author does not want this contract.
        public static let declined = Code(number: 1)
        /// The record changed since the request was signed.
        public static let stale = Code(number: 2)
        /// The contract's rules do not allow it now.
        public static let notAdmissible = Code(number: 3)
        /// The line has not enough left.
        public static let lineExceeded = Code(number: 4)
        /// The proposer took it back before it was agreed.
        public static let cancelled = Code(number: 5)
        /// It came after its deadline.
        public static let late = Code(number: 6)
    }

    public init(salt: Hash32, statement: EntryID, code: Code, text: String = "") {
        self.salt = salt
        self.statement = statement
        self.code = code
        self.text = text
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.id(2, statement)
        writer.number(3, code.number)
        writer.text(4, text)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        statement = try reader.id(2)
        code = Code(number: try reader.required(3))
        text = try reader.text(4)
    }
}

/// "I hold this", signed: for a delivered statement, or for a branch of a forked log.
public struct Acknowledgement: EntryBody {
    public static let kind = Kind.acknowledgement
    public var salt: Hash32
    public var entry: EntryID
    public var purpose: Purpose

    public enum Purpose: Int64, Hashable, Sendable {
        case delivered = 1
        case branch = 2
    }

    public init(salt: Hash32, entry: EntryID, purpose: Purpose) {
        self.salt = salt
        self.entry = entry
        self.purpose = purpose
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.id(2, entry)
        writer.number(3, purpose.rawValue)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        entry = try reader.id(2)
        let raw = try reader.required(3)
        guard let purpose = Purpose(rawValue: raw) else { throw .wireField(field: 3, after: 2) }
        self.purpose = purpose
    }
}

/// What travels inside a sealed box: a statement and, with a proposal, the contract's key.
public struct Sealed: Hashable, Sendable, WireMessage {
    public var statement: Entry
    public var contractKey: [UInt8]?
    public var witnessTerms: [UInt8]?

    public init(statement: Entry, contractKey: [UInt8]?, witnessTerms: [UInt8]? = nil) {
        self.statement = statement
        self.contractKey = contractKey
        self.witnessTerms = witnessTerms
    }

    public func write(to writer: inout WireWriter) {
        writer.message(1, statement)
        writer.bytes(2, contractKey)
        writer.bytes(3, witnessTerms)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        statement = try reader.message(1, Entry.self)
        contractKey = try reader.optionalBytes(2)
        witnessTerms = try reader.optionalBytes(3)
    }
}

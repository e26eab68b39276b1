public import Capacity
public import Identity

/// Makes `member` a member of the alliance in whose public log it stands, as far as the rules let its
/// author admit.
public struct Admit: EntryBody {
    public static let kind = Kind.admit
    public var member: DID
    /// The one-time key of the invitation that is spent with it.
    public var invitation: PublicKey?

    public init(member: DID, invitation: PublicKey? = nil) {
        self.member = member
        self.invitation = invitation
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, member)
        writer.id(2, invitation)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        member = try reader.id(1)
        invitation = try reader.optionalID(2)
    }
}

/// Ends `member`'s public log in this alliance at one of its entries: those above count for nothing.
public struct Expel: EntryBody {
    public static let kind = Kind.expel
    public var member: DID
    /// The public log that is cut: its first one in this alliance, or what goes on after its own cuts.
    public var log: LogID
    /// The last sequence of it that stands; 0: none.
    public var sequence: Int64
    public var reason: String

    public init(member: DID, log: LogID, sequence: Int64, reason: String = "") {
        self.member = member
        self.log = log
        self.sequence = sequence
        self.reason = reason
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, member)
        writer.id(2, log)
        writer.number(3, sequence)
        writer.text(4, reason)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        member = try reader.id(1)
        log = try reader.id(2)
        sequence = try reader.number(3)
        reason = try reader.text(4)
    }
}

/// A newcomer tells the inviter that it holds an invitation. Sealed to the inviter; it makes nobody a
/// member, the inviter's `Admit` does.
public struct Joining: EntryBody {
    public static let kind = Kind.joining
    public var salt: Hash32
    /// The newcomer's key log: nobody who is no member has his keys taken from elsewhere.
    public var keys: [Entry]
    public var invitation: Invitation.Terms
    /// By the invitation's key over `Invitation.message`.
    public var proof: Signature

    public init(salt: Hash32, keys: [Entry], invitation: Invitation.Terms, proof: Signature) {
        self.salt = salt
        self.keys = keys
        self.invitation = invitation
        self.proof = proof
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.messages(2, keys)
        writer.message(3, invitation)
        writer.bytes(4, proof.bytes)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        keys = try reader.messages(2, Entry.self)
        invitation = try reader.message(3, Invitation.Terms.self)
        proof = try reader.signature(4)
    }
}

/// What is handed to a newcomer, as text or picture: the alliance, and where its rules ask for one the
/// secret of a single admission and who gives it.
public struct Invitation: Hashable, Sendable, WireMessage {
    public var foundingBody: [UInt8]
    public var ticket: Ticket?
    /// Where to connect, as `host:port`; empty where it is not told.
    public var address: String

    public struct Ticket: Hashable, Sendable, WireMessage {
        public var inviter: DID
        public var terms: Terms
        /// The seed of the invitation's key.
        public var secret: Hash32

        public init(inviter: DID, terms: Terms, secret: Hash32) {
            self.inviter = inviter
            self.terms = terms
            self.secret = secret
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, inviter)
            writer.message(2, terms)
            writer.id(3, secret)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            inviter = try reader.id(1)
            terms = try reader.message(2, Terms.self)
            secret = try reader.id(3)
        }
    }

    /// What the inviter derives the invitation's key from, beside its own secret.
    public struct Terms: Hashable, Sendable, WireMessage {
        public var nonce: Hash32
        public var expires: Instant

        public init(nonce: Hash32, expires: Instant) {
            self.nonce = nonce
            self.expires = expires
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, nonce)
            writer.number(2, expires.milliseconds)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            nonce = try reader.id(1)
            expires = try reader.instant(2)
        }
    }

    public init(foundingBody: [UInt8], ticket: Ticket? = nil, address: String = "") {
        self.foundingBody = foundingBody
        self.ticket = ticket
        self.address = address
    }

    public func write(to writer: inout WireWriter) {
        writer.bytes(1, foundingBody)
        writer.message(2, ticket)
        writer.text(3, address)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        foundingBody = try reader.bytes(1)
        ticket = try reader.optionalMessage(2, Ticket.self)
        address = try reader.text(3)
    }

    /// What the invitation's key signs: that this newcomer holds it, for this alliance.
    public static func message(_ alliance: TopicID, newcomer: DID) -> [UInt8] {
        Array("talea.joining.v1".utf8) + alliance.bytes + newcomer.bytes
    }
}

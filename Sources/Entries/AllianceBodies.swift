public import Capacity
public import Identity

/// A key of its author. The first one is the identity itself; each commits to the next.
public struct KeyBody: EntryBody {
    public static let kind = Kind.key
    public var publicKey: PublicKey
    /// `Hash32.nextKey` of the key that the next key entry must reveal.
    public var nextKeyHash: Hash32
    /// `recovered`, or nothing. Earlier versions wrote here what `Continue` says now.
    public var reason: String

    /// The reason of an entry that was made from the recovery code and the entry before it alone, whose time it
    /// has: whoever makes it anew, having heard of no other, makes the same.
    public static let recovered = "talea.recovered.v1"

    public init(publicKey: PublicKey, nextKeyHash: Hash32, reason: String = "") {
        self.publicKey = publicKey
        self.nextKeyHash = nextKeyHash
        self.reason = reason
    }

    public var isRecovery: Bool { reason == Self.recovered }

    /// From when on the key before it is not heard any more. `time`: the entry's.
    public func replacesFrom(_ time: Instant) -> Instant { isRecovery ? .latest : time }

    public func write(to writer: inout WireWriter) {
        writer.id(1, publicKey)
        writer.id(2, nextKeyHash)
        writer.text(3, reason)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        publicKey = try reader.id(1)
        nextKeyHash = try reader.id(2)
        reason = try reader.text(3)
    }
}

/// A log goes on under a newer key. From here on other entries of this log under older keys count for
/// nothing: whoever stole one of those can neither go on nor back-date.
public struct Continue: EntryBody {
    public static let kind = Kind.continue
    /// The key entry that the entry before this one was signed under.
    public var from: EntryID
    /// Why the key was replaced, as its author says.
    public var reason: String

    public init(from: EntryID, reason: String = "") {
        self.from = from
        self.reason = reason
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, from)
        writer.text(2, reason)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        from = try reader.id(1)
        reason = try reader.text(2)
    }
}

/// An alliance: its topic derives from this body's hash, so the rules cannot change under its name.
public struct Founding: EntryBody {
    public static let kind = Kind.founding
    public var name: String
    public var stewards: [DID]
    /// Who admits members: a name of `AllianceRules.Admission`.
    public var admission: String
    public var limits: [Argument]
    public var nonce: Hash32

    public init(
        name: String, stewards: [DID], admission: String = "anyone", limits: [Argument] = [],
        nonce: Hash32
    ) {
        self.name = name
        self.stewards = stewards
        self.admission = admission
        self.limits = limits
        self.nonce = nonce
    }

    public func write(to writer: inout WireWriter) {
        writer.text(1, name)
        writer.ids(2, stewards)
        writer.text(3, admission)
        writer.messages(4, limits)
        writer.id(5, nonce)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        name = try reader.requiredText(1)
        stewards = try reader.ids(2)
        admission = try reader.identifier(3)
        limits = try reader.arguments(4)
        nonce = try reader.id(5)
    }
}

/// What an author says of itself. Names are petnames of the reader; this one is a suggestion.
public struct Profile: EntryBody {
    public static let kind = Kind.profile
    public var name: String
    public var role: String
    public var addresses: [String]
    public var terms: String
    /// Where the studio is, as people there write it.
    public var place: String

    public init(
        name: String, role: String = "", addresses: [String] = [], terms: String = "",
        place: String = ""
    ) {
        self.name = name
        self.role = role
        self.addresses = addresses
        self.terms = terms
        self.place = place
    }

    public func write(to writer: inout WireWriter) {
        writer.text(1, name)
        writer.text(2, role)
        writer.messages(3, addresses.map(TextWire.init))
        writer.text(4, terms)
        writer.text(5, place)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        name = try reader.requiredText(1)
        role = try reader.text(2)
        addresses = try reader.messages(3, TextWire.self).map(\.text)
        terms = try reader.text(4)
        place = try reader.text(5)
    }
}

private struct TextWire: WireMessage {
    let text: String

    init(_ text: String) { self.text = text }
    func write(to writer: inout WireWriter) { writer.text(1, text) }
    init(from reader: inout WireReader) throws(EntryRefusal) { text = try reader.requiredText(1) }
}

/// Opens a capacity line; stands in its issuer's public log. The line's log id derives from it.
public struct LineOpening: EntryBody {
    public static let kind = Kind.lineOpening
    public var terms: LineTerms
    /// The older line this one is carved from, where it would overlap it.
    public var source: LogID?

    public init(terms: LineTerms, source: LogID? = nil) {
        self.terms = terms
        self.source = source
    }

    public func write(to writer: inout WireWriter) {
        LineTermsWire(terms: terms).write(to: &writer)
        writer.id(6, source)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        terms = try LineTermsWire(from: &reader).terms
        source = try reader.optionalID(6)
    }
}

/// Terms on which the author will propose or accept; binds nobody until a contract is agreed.
public struct Offer: EntryBody {
    public static let kind = Kind.offer
    public var template: Hash32
    public var line: LogID?
    public var arguments: [Argument]
    public var maxUnits: Int64
    public var lot: Int64
    public var until: Instant

    public init(
        template: Hash32, line: LogID?, arguments: [Argument], maxUnits: Int64, lot: Int64,
        until: Instant
    ) {
        self.template = template
        self.line = line
        self.arguments = arguments
        self.maxUnits = maxUnits
        self.lot = lot
        self.until = until
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, template)
        writer.id(2, line)
        writer.messages(3, arguments)
        writer.number(4, maxUnits)
        writer.number(5, lot)
        writer.number(6, until.milliseconds)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        template = try reader.id(1)
        line = try reader.optionalID(2)
        arguments = try reader.arguments(3)
        maxUnits = try reader.required(4)
        lot = try reader.required(5)
        until = try reader.instant(6)
    }
}

/// What the author looks for; binds nobody.
public struct Wish: EntryBody {
    public static let kind = Kind.wish
    public var terms: LineTerms
    public var units: Int64
    /// For one unit, all with it.
    public var most: Money?
    public var until: Instant

    public init(terms: LineTerms, units: Int64, most: Money?, until: Instant) {
        self.terms = terms
        self.units = units
        self.most = most
        self.until = until
    }

    public func write(to writer: inout WireWriter) {
        LineTermsWire(terms: terms).write(to: &writer)
        writer.number(6, units)
        if let most { writer.message(7, MoneyWire(money: most)) }
        writer.number(8, until.milliseconds)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        terms = try LineTermsWire(from: &reader).terms
        units = try reader.required(6)
        most = try reader.optionalMessage(7, MoneyWire.self)?.money
        until = try reader.instant(8)
    }
}

/// Takes an offer or a wish of the author's back.
public struct Withdrawal: EntryBody {
    public static let kind = Kind.withdrawal
    public var offer: EntryID

    public init(offer: EntryID) { self.offer = offer }
    public func write(to writer: inout WireWriter) { writer.id(1, offer) }
    public init(from reader: inout WireReader) throws(EntryRefusal) { offer = try reader.id(1) }
}

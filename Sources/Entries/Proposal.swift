public import Capacity
public import Identity

/// Everything the named identities would be bound to. One statement; its entry id is what each accepts.
public struct Proposal: EntryBody {
    public static let kind = Kind.proposal
    /// 32 random bytes: the header shows this body's hash to others.
    public var salt: Hash32
    public var contract: ContractID
    public var template: Hash32
    public var currency: Currency
    public var arguments: [Argument]
    public var roles: [RoleHolders]
    public var sequencer: DID
    public var witnesses: Witnesses
    /// What each line rule of the template grants from, in the template's order.
    public var lines: [LineTerms]
    public var acceptBy: Instant
    public var grantBy: Instant
    /// The proposer's one-time key for grants it will hold.
    public var releaseKey: PublicKey?
    public var witnessTermsHash: Hash32?
    public var parent: Parent?

    /// A role and who holds it.
    public struct RoleHolders: Hashable, Sendable, WireMessage {
        public var role: String
        public var identities: [DID]

        public init(role: String, identities: [DID]) {
            self.role = role
            self.identities = identities
        }

        public func write(to writer: inout WireWriter) {
            writer.text(1, role)
            writer.ids(2, identities)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            role = try reader.identifier(1)
            identities = try reader.ids(2)
            guard !identities.isEmpty else { throw .wireMissing(field: 2) }
        }
    }

    /// N identities of which M must receipt. N = 0: the sequencer's clock decides.
    public struct Witnesses: Hashable, Sendable, WireMessage {
        public var identities: [DID]
        public var threshold: Int64

        public init(identities: [DID], threshold: Int64) {
            self.identities = identities
            self.threshold = threshold
        }

        public static let none = Witnesses(identities: [], threshold: 0)

        public func write(to writer: inout WireWriter) {
            writer.ids(1, identities)
            writer.number(2, threshold)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            identities = try reader.ids(1)
            threshold = try reader.required(2)
        }
    }

    /// Where a child's units come from: a grant of the parent contract.
    public struct Parent: Hashable, Sendable, WireMessage {
        public var contract: ContractID
        public var grant: EntryID
        public var units: Int64

        public init(contract: ContractID, grant: EntryID, units: Int64) {
            self.contract = contract
            self.grant = grant
            self.units = units
        }

        public func write(to writer: inout WireWriter) {
            writer.id(1, contract)
            writer.id(2, grant)
            writer.number(3, units)
        }

        public init(from reader: inout WireReader) throws(EntryRefusal) {
            contract = try reader.id(1)
            grant = try reader.id(2)
            units = try reader.required(3)
        }
    }

    public init(
        salt: Hash32, contract: ContractID, template: Hash32, currency: Currency,
        arguments: [Argument], roles: [RoleHolders], sequencer: DID,
        witnesses: Witnesses = .none, lines: [LineTerms], acceptBy: Instant, grantBy: Instant,
        releaseKey: PublicKey?, witnessTermsHash: Hash32? = nil, parent: Parent? = nil
    ) {
        self.salt = salt
        self.contract = contract
        self.template = template
        self.currency = currency
        self.arguments = arguments
        self.roles = roles
        self.sequencer = sequencer
        self.witnesses = witnesses
        self.lines = lines
        self.acceptBy = acceptBy
        self.grantBy = grantBy
        self.releaseKey = releaseKey
        self.witnessTermsHash = witnessTermsHash
        self.parent = parent
    }

    /// Every identity that must accept: all role holders and the sequencer, each once, sorted.
    public var participants: [DID] {
        Set(roles.flatMap(\.identities) + [sequencer]).sorted()
    }

    public func write(to writer: inout WireWriter) {
        writer.id(1, salt)
        writer.id(2, contract)
        writer.id(3, template)
        writer.text(4, currency.code)
        writer.messages(5, arguments)
        writer.messages(6, roles)
        writer.id(7, sequencer)
        writer.message(8, witnesses == .none ? nil : witnesses)
        writer.messages(9, lines.map(LineTermsWire.init(terms:)))
        writer.number(10, acceptBy.milliseconds)
        writer.number(11, grantBy.milliseconds)
        writer.id(12, releaseKey)
        writer.id(13, witnessTermsHash)
        writer.message(14, parent)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        salt = try reader.id(1)
        contract = try reader.id(2)
        template = try reader.id(3)
        let code = try reader.requiredText(4)
        do { currency = try Currency(code) } catch { throw .value(field: 4, error) }
        arguments = try reader.arguments(5)
        roles = try reader.messages(6, RoleHolders.self)
        for (one, next) in zip(roles, roles.dropFirst()) {
            guard one.role.utf8.lexicographicallyPrecedes(next.role.utf8) else {
                throw .wireOrder(field: 6)
            }
        }
        sequencer = try reader.id(7)
        witnesses = try reader.optionalMessage(8, Witnesses.self) ?? .none
        lines = try reader.messages(9, LineTermsWire.self).map(\.terms)
        acceptBy = try reader.instant(10)
        grantBy = try reader.instant(11)
        releaseKey = try reader.optionalID(12)
        witnessTermsHash = try reader.optionalID(13)
        parent = try reader.optionalMessage(14, Parent.self)
    }
}

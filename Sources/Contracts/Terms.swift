public import Capacity
public import Entries
public import Identity

/// What the parties agreed: the proposal, as the record machine reads it.
public struct Terms: Hashable, Sendable {
    public let contract: ContractID
    public let proposal: EntryID
    public let parameters: [String: Value]
    public let roles: [String: [DID]]
    public let sequencer: DID
    public let currency: Currency
    /// One for each line rule of the template, in its order.
    public let lines: [LineTerms]
    public let acceptBy: Instant
    public let grantBy: Instant
    /// N; 0 means that the sequencer's clock decides.
    public let witnesses: Int
    public let isChild: Bool
    /// How many identities each role has.
    let memberCounts: [String: Int]

    public init(
        contract: ContractID, proposal: EntryID, parameters: [String: Value],
        roles: [String: [DID]], sequencer: DID, currency: Currency, lines: [LineTerms],
        acceptBy: Instant, grantBy: Instant, witnesses: Int, isChild: Bool
    ) {
        self.contract = contract
        self.proposal = proposal
        self.parameters = parameters
        self.roles = roles
        self.sequencer = sequencer
        self.currency = currency
        self.lines = lines
        self.acceptBy = acceptBy
        self.grantBy = grantBy
        self.witnesses = witnesses
        self.isChild = isChild
        memberCounts = roles.mapValues(\.count)
    }

    var units: [UnitCode] { lines.map(\.unit) }
}

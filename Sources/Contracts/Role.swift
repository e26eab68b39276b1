/// Who takes part, by the part played.
public struct Role: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case party
        /// Custodian, arbiter, oracle.
        case third
    }

    public let name: String
    public let kind: Kind
    /// A list of identities; `nil` for exactly one.
    public let many: ClosedRange<Int>?
    /// Filled only in a child contract (the seller of a transferred right).
    public let onlyChild: Bool
    /// The parameter that says how long this one's downtime may stop the clock.
    public let stop: String?
    public let title: Localized
}

public import Capacity
public import Entries
public import Identity
public import Ledger

/// What one lawful move changes. Made by `decide` and `opening`; `apply` only writes it down.
public struct Outcome: Hashable, Sendable {
    /// The step it was decided for: the version of every record in `records`.
    public let sequence: Int64
    /// Records changed or made, whole, by number.
    public let records: [Record]
    public let transfers: [TransferEvent]
    /// What the step asks of capacity lines.
    public let lines: [LineNeed]
    public let child: ChildNeed?
    /// Every record is final after it.
    public let ends: Bool
    /// The contract's outcome after it.
    public let outcome: ContractOutcome
    /// All open claims after it, by cause.
    public let claims: [Claim]
    let deposits: [Deposit]

    /// Numbers of the records changed or made.
    public var touched: [Int64] { records.map(\.number) }
}

/// Something a step must hold or ask of a capacity line.
public struct LineNeed: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable { case grant, firm, split, release }

    /// Index into the terms' lines.
    public let line: Int
    public let kind: Kind
    public let issuer: DID
    public let holder: DID
    public let units: Int64
    /// Of a grant and a firm.
    public let until: Instant?
}

/// The child contract that a transfer opens: complete roles and parameters, equal to the parent's but
/// for what its template lists.
public struct ChildNeed: Hashable, Sendable {
    public let roles: [String: [DID]]
    public let parameters: [String: Value]
    /// Split off the line for it.
    public let units: Int64
}

/// What a custodian still holds of one payment into escrow.
public struct Deposit: Hashable, Sendable {
    public let custodian: DID
    public let depositor: DID
    /// Above zero, minor units.
    public internal(set) var amount: Int64
    /// The record on which it was paid in.
    let record: Int64
}

/// Money owed after it could not be paid. Only its creditor clears it.
public struct Claim: Hashable, Sendable {
    public let transfer: Transfer
    /// What of it is still owed, above zero.
    public let open: Int64
    /// The record that it arose in.
    public let record: Int64
    public var cause: Cause { transfer.cause }
}

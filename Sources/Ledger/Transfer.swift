public import Capacity
public import Identity

/// What moves: money of a currency, or units of a resource.
public enum Commodity: Hashable, Comparable, Sendable {
    case money(Currency)
    case capacity(Resource, UnitCode)

    /// `CNY`, or the resource path.
    public var name: String {
        switch self {
        case .money(let currency): currency.code
        case .capacity(let resource, _): resource.path
        }
    }
}

/// Which signed step moved it: contract, step sequence, index within the step (from 0, in the order
/// the template's effects run). Unique.
public struct Cause: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let contract: ContractID
    public let step: Int64
    public let index: Int64

    public init(contract: ContractID, step: Int64, index: Int64) {
        self.contract = contract
        self.step = step
        self.index = index
    }

    public static func < (left: Cause, right: Cause) -> Bool {
        (left.contract, left.step, left.index) < (right.contract, right.step, right.index)
    }

    public var description: String { "\(contract.short)/\(step)/\(index)" }
}

/// What a transfer is, which decides the accounts it touches.
public enum TransferKind: String, Hashable, Comparable, Sendable, CaseIterable {
    /// Money between parties, paid outside (bank, WeChat Pay, Alipay).
    case payment
    /// Money paid to a custodian for a third one's use.
    case deposit
    /// Money a custodian pays out of what it holds.
    case payout
    /// Units of capacity: pending while reserved, posted when delivered and accepted.
    case capacity
    /// A debt, `from` owes `to`, that only its creditor clears.
    case claim

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One movement between two parties, double entry by construction: debit the giver, credit the
/// taker.
public struct Transfer: Hashable, Sendable {
    public let cause: Cause
    public let kind: TransferKind
    public let from: DID
    public let to: DID
    public let commodity: Commodity
    /// Above zero, minor units or whole units.
    public let amount: Int64

    public init(
        cause: Cause, kind: TransferKind, from: DID, to: DID, commodity: Commodity, amount: Int64
    ) {
        self.cause = cause
        self.kind = kind
        self.from = from
        self.to = to
        self.commodity = commodity
        self.amount = amount
    }
}

/// What one effective step does to the books, in order.
///
///     reserve ──▶ pending ──post──▶ posted
///                     └──────void──▶ voided
///
/// A post takes up to the pending amount; the rest is voided.
public enum TransferEvent: Hashable, Sendable {
    case reserve(Transfer)
    /// `signed`: the taker signed for it; false where silence counted as receipt.
    case post(Cause, amount: Int64, signed: Bool)
    case void(Cause, reason: String)
    /// The creditor gives up `amount` of a posted claim.
    case discharge(Cause, amount: Int64)

    /// Of the one row that it touches.
    public var cause: Cause {
        switch self {
        case .reserve(let transfer): transfer.cause
        case .post(let cause, _, _), .void(let cause, _), .discharge(let cause, _): cause
        }
    }
}

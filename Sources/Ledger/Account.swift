public import Identity

/// What an account counts. Money is `due` until it is posted, units are `reserved`.
public enum AccountKind: String, Hashable, Comparable, Sendable, CaseIterable {
    /// Pending money.
    case due
    /// Posted money, paid outside (bank, WeChat Pay, Alipay).
    case paid
    /// Money a custodian holds for the one who deposited it.
    case escrow
    /// Posted claims, less what their creditor discharged.
    case owed
    /// Pending capacity.
    case reserved
    /// Posted capacity.
    case delivered

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What `owner` has with `counterparty` in one commodity. A debit raises it:
///
/// - `due`, `reserved`: owner is to give;
/// - `paid`, `delivered`: owner gave;
/// - `escrow`: counterparty holds it for owner;
/// - `owed`: counterparty owes it to owner.
///
/// Every debit here is a credit of `mirror`.
public struct Account: Hashable, Comparable, Sendable {
    public let owner: DID
    public let counterparty: DID
    public let commodity: Commodity
    public let kind: AccountKind

    public init(owner: DID, counterparty: DID, commodity: Commodity, kind: AccountKind) {
        self.owner = owner
        self.counterparty = counterparty
        self.commodity = commodity
        self.kind = kind
    }

    /// The same matter as the counterparty's books have it.
    public var mirror: Account {
        Account(owner: counterparty, counterparty: owner, commodity: commodity, kind: kind)
    }

    public static func < (left: Account, right: Account) -> Bool {
        // Told apart by people as a rule: nothing else is copied to compare them.
        if left.owner != right.owner { return left.owner < right.owner }
        if left.counterparty != right.counterparty {
            return left.counterparty < right.counterparty
        }
        return (left.commodity, left.kind) < (right.commodity, right.kind)
    }
}

/// Both columns of one account, minor or whole units, neither ever below zero. A resolved pending
/// amount leaves its column again, so the columns of `due` and `reserved` hold what is open now.
public struct Balance: Hashable, Sendable {
    public internal(set) var debits: Int128 = 0
    public internal(set) var credits: Int128 = 0

    public var net: Int128 { debits - credits }
}

/// The net of one account as its owner reads it, never zero. Above zero: the owner is to give,
/// gave, has it held by, or is owed by, the counterparty (see `Account`).
public struct Position: Hashable, Sendable {
    public let counterparty: DID
    public let commodity: Commodity
    public let kind: AccountKind
    public let amount: Int128
}

/// One debit and its credit: `amount` on `debit`, and the same on its mirror's other side.
public struct Posting: Hashable, Sendable {
    public let debit: Account
    /// Above zero.
    public let amount: Int64

    public var credit: Account { debit.mirror }

    init(
        _ owner: DID, _ counterparty: DID, _ commodity: Commodity, _ kind: AccountKind,
        _ amount: Int64
    ) {
        debit = Account(
            owner: owner, counterparty: counterparty, commodity: commodity, kind: kind)
        self.amount = amount
    }
}

internal import Identity
public import Ledger

/// One transfer as the ledger's tables have it.
public struct StoredTransfer: Hashable, Sendable {
    public let transfer: Transfer
    public let state: TransferRow.State
    /// How much of a posted claim its creditor gave up.
    public let dischargedAmount: Int64

    init(transfer: Transfer, state: TransferRow.State, dischargedAmount: Int64) {
        self.transfer = transfer
        self.state = state
        self.dischargedAmount = dischargedAmount
    }

    init(_ row: TransferRow) {
        self.init(
            transfer: row.transfer, state: row.state, dischargedAmount: row.dischargedAmount)
    }
}

/// Both columns of an account. Zero where the account does not stand.
public struct Columns: Hashable, Sendable, CustomStringConvertible {
    public var debits: Int128 = 0
    public var credits: Int128 = 0

    public var description: String { "debits \(debits), credits \(credits)" }
}

/// Where the stored ledger is not what the entries give.
public enum LedgerDifference: Hashable, Sendable, CustomStringConvertible {
    case transfer(Cause, stored: StoredTransfer?, rebuilt: StoredTransfer?)
    case account(Account, stored: Columns, rebuilt: Columns)
    /// Rows and balances agree, but another deposit is held: lines of `Books.dump()`.
    case order(stored: String, rebuilt: String)

    public var description: String {
        switch self {
        case .transfer(let cause, let stored, let rebuilt):
            "transfer \(cause): stored \(text(stored)), rebuilt \(text(rebuilt))"
        case .account(let account, let stored, let rebuilt):
            "account \(account.kind.rawValue) \(account.commodity.name) of "
                + "\(account.owner.shortDID) with \(account.counterparty.shortDID): "
                + "stored \(stored), rebuilt \(rebuilt)"
        case .order(let stored, let rebuilt): "order: stored \(stored), rebuilt \(rebuilt)"
        }
    }

    private func text(_ row: StoredTransfer?) -> String {
        guard let row else { return "nothing" }
        let transfer = row.transfer
        let cleared = row.dischargedAmount > 0 ? " discharged \(row.dischargedAmount)" : ""
        return "\(transfer.kind.rawValue) \(transfer.amount) \(transfer.commodity.name) from "
            + "\(transfer.from.shortDID) to \(transfer.to.shortDID) \(row.state)\(cleared)"
    }
}

/// One transfer and what became of it; the line of the books that its cause names.
public struct TransferRow: Hashable, Sendable {
    public let transfer: Transfer
    public internal(set) var state: State = .pending
    /// How much of a posted claim its creditor gave up.
    public internal(set) var dischargedAmount: Int64 = 0
    /// Whose deposits a payout was made of, or a custodian's claim took the place of. Empty
    /// otherwise.
    public internal(set) var released: [EscrowShare] = []

    public enum State: Hashable, Sendable {
        case pending
        /// Up to the amount of the transfer; the rest is voided. `signed`: the taker signed for it.
        case posted(amount: Int64, signed: Bool)
        case voided(reason: String)
    }

    init(_ transfer: Transfer) { self.transfer = transfer }

    /// Zero unless posted.
    public var postedAmount: Int64 {
        if case .posted(let amount, _) = state { amount } else { 0 }
    }

    public var isSigned: Bool {
        if case .posted(_, let signed) = state { signed } else { false }
    }

    /// All that this row does to the accounts, as it stands now. The books are the sum of these.
    public var postings: [Posting] {
        let (from, to, commodity) = (transfer.from, transfer.to, transfer.commodity)
        switch state {
        case .pending:
            return [Posting(from, to, commodity, transfer.kind.pendingAccount, transfer.amount)]
        case .voided:
            return []
        case .posted(let amount, _):
            // Held for the depositor until now: the custodian's debit ends it.
            let releases = released.map {
                Posting(from, $0.depositor, commodity, .escrow, $0.amount)
            }
            switch transfer.kind {
            case .payment:
                return [Posting(from, to, commodity, .paid, amount)]
            case .deposit:
                return [
                    Posting(from, to, commodity, .paid, amount),
                    Posting(from, to, commodity, .escrow, amount),
                ]
            case .payout:
                return [Posting(from, to, commodity, .paid, amount)] + releases
            case .capacity:
                return [Posting(from, to, commodity, .delivered, amount)]
            case .claim:
                let cleared = dischargedAmount
                return [Posting(to, from, commodity, .owed, amount)] + releases
                    + (cleared > 0 ? [Posting(from, to, commodity, .owed, cleared)] : [])
            }
        }
    }
}

extension TransferKind {
    /// Where a transfer of this kind waits.
    public var pendingAccount: AccountKind { self == .capacity ? .reserved : .due }

    /// Real money that one party pays another.
    public var isPaid: Bool {
        switch self {
        case .payment, .deposit, .payout: true
        case .capacity, .claim: false
        }
    }
}

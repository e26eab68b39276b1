internal import Capacity

/// One contract's transfers and what custodians hold for it: all that deciding about one of its events
/// needs. `Books` are these, contract by contract, and the balances that their rows post.
///
/// Events of other contracts are not told apart here: whoever has it hands in its own.
public struct ContractRows: Sendable {
    private var rowOf: [Cause: TransferRow] = [:]
    private(set) var escrow = Escrow()

    public init() {}

    /// What an event did to one row.
    public struct Change: Sendable {
        /// `nil`: the event reserved it.
        public let old: TransferRow?
        public let new: TransferRow
    }

    public func row(_ cause: Cause) -> TransferRow? { rowOf[cause] }

    /// Sorted by cause.
    public var sorted: [TransferRow] {
        rowOf.values.sorted { $0.transfer.cause < $1.transfer.cause }
    }

    /// In no order.
    var unsorted: some Collection<TransferRow> { rowOf.values }

    public func decide(_ event: TransferEvent) throws(LedgerRefusal) {
        try decide(event, on: row(event.cause))
    }

    private func decide(_ event: TransferEvent, on row: TransferRow?) throws(LedgerRefusal) {
        switch event {
        case .reserve(let transfer):
            try checkAmount(transfer.amount)
            guard transfer.from != transfer.to else { throw .sameParty(transfer.from) }
            guard transfer.isFit else {
                throw .commodityUnfit(transfer.kind, transfer.commodity)
            }
            guard row == nil else { throw .causeRepeated(transfer.cause) }
        case .post(let cause, let amount, _):
            try checkAmount(amount)
            let transfer = try pending(row, cause).transfer
            guard amount <= transfer.amount else {
                throw .abovePending(pending: transfer.amount, requested: amount)
            }
            guard transfer.kind == .payout else { break }
            let held = escrow.held(in: transfer.givingPurse)
            guard amount <= held else { throw .aboveHeld(held: held, requested: amount) }
        case .void(let cause, _):
            _ = try pending(row, cause)
        case .discharge(let cause, let amount):
            try checkAmount(amount)
            guard let row else { throw .causeUnknown(cause) }
            guard row.transfer.kind == .claim else { throw .notClaim(cause) }
            guard case .posted(let posted, _) = row.state else { throw .claimNotPosted(cause) }
            let owed = posted - row.dischargedAmount
            guard amount <= owed else { throw .aboveOwed(owed: owed, requested: amount) }
        }
    }

    /// Decides and applies. What is refused changes nothing.
    @discardableResult
    public mutating func take(_ event: TransferEvent) throws(LedgerRefusal) -> Change {
        let place = rowOf.index(forKey: event.cause)
        let old = place.map { rowOf.values[$0] }
        try decide(event, on: old)
        guard let place, let old else {
            guard case .reserve(let transfer) = event else { throw .causeUnknown(event.cause) }
            let row = TransferRow(transfer)
            rowOf[transfer.cause] = row
            return Change(old: nil, new: row)
        }
        var new = old
        switch event {
        case .reserve: break
        case .post(_, let amount, let signed):
            new.state = .posted(amount: amount, signed: signed)
            new.released = moveEscrow(old.transfer, amount)
        case .void(_, let reason): new.state = .voided(reason: reason)
        case .discharge(_, let amount): new.dischargedAmount += amount
        }
        rowOf.values[place] = new
        return Change(old: old, new: new)
    }

    private func pending(_ row: TransferRow?, _ cause: Cause) throws(LedgerRefusal) -> TransferRow {
        guard let row else { throw .causeUnknown(cause) }
        guard row.state == .pending else { throw .alreadyResolved(cause) }
        return row
    }

    private func checkAmount(_ amount: Int64) throws(LedgerRefusal) {
        guard amount > 0 else { throw .amountNotPositive(amount) }
        guard amount <= wholeNumberMax else { throw .amountOutOfBounds(amount) }
    }

    /// Puts a posted deposit into its purse; takes what a payout, or a claim on a custodian,
    /// releases.
    private mutating func moveEscrow(_ transfer: Transfer, _ amount: Int64) -> [EscrowShare] {
        switch transfer.kind {
        case .deposit:
            escrow.put(
                EscrowShare(depositor: transfer.from, amount: amount),
                into: transfer.takingPurse)
            return []
        case .payout, .claim:
            return escrow.take(amount, from: transfer.givingPurse, for: transfer.to)
        case .payment, .capacity:
            return []
        }
    }
}

extension Transfer {
    fileprivate var isFit: Bool {
        switch commodity {
        case .money: kind != .capacity
        case .capacity: kind == .capacity
        }
    }

    fileprivate var givingPurse: Escrow.Purse {
        .init(contract: cause.contract, custodian: from, commodity: commodity)
    }

    fileprivate var takingPurse: Escrow.Purse {
        .init(contract: cause.contract, custodian: to, commodity: commodity)
    }
}

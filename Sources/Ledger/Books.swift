internal import HashTreeCollections
public import Capacity
public import Identity

/// The books of all contracts a node knows: one row per cause, and the balances that follow from
/// them.
///
///     reserve ──▶ pending ──post──▶ posted ──discharge…──▶   (claims only)
///                     └──────void──▶ voided
///
/// `decide` may refuse, `apply` cannot fail. Events of one contract come in their order, contracts
/// in any.
///
/// A claim goes through the same two phases; `from` owes `to`. A claim on a custodian takes the
/// place of as much money as it still holds for that contract: that money is owed from then on, not
/// held.
public struct Books: Sendable {
    private var rowsOf: TreeDictionary<ContractID, [Cause: TransferRow]> = [:]
    private var balanceOf: TreeDictionary<Account, Balance> = [:]
    private var escrow = Escrow()
    /// Minor units paid less received, as `netPaid` counts them; zero ones left out.
    private var paidBy: TreeDictionary<DID, [Currency: Int128]> = [:]

    public init() {}

    public func decide(_ event: TransferEvent) throws(LedgerRefusal) {
        switch event {
        case .reserve(let transfer):
            try checkAmount(transfer.amount)
            guard transfer.from != transfer.to else { throw .sameParty(transfer.from) }
            guard transfer.isFit else {
                throw .commodityUnfit(transfer.kind, transfer.commodity)
            }
            guard row(transfer.cause) == nil else { throw .causeRepeated(transfer.cause) }
        case .post(let cause, let amount, _):
            try checkAmount(amount)
            let transfer = try pending(cause).transfer
            guard amount <= transfer.amount else {
                throw .abovePending(pending: transfer.amount, requested: amount)
            }
            guard transfer.kind == .payout else { break }
            let held = escrow.held(in: transfer.givingPurse)
            guard amount <= held else { throw .aboveHeld(held: held, requested: amount) }
        case .void(let cause, _):
            _ = try pending(cause)
        case .discharge(let cause, let amount):
            try checkAmount(amount)
            let row = try known(cause)
            guard row.transfer.kind == .claim else { throw .notClaim(cause) }
            guard case .posted(let posted, _) = row.state else { throw .claimNotPosted(cause) }
            let owed = posted - row.dischargedAmount
            guard amount <= owed else { throw .aboveOwed(owed: owed, requested: amount) }
        }
    }

    /// Applies a decided event. In a release build an event that `decide` refuses changes nothing.
    public mutating func apply(_ event: TransferEvent) {
        do {
            try decide(event)
        } catch {
            assertionFailure("applied without a decision: \(error)")
            return
        }
        switch event {
        case .reserve(let transfer):
            replace(nil, with: TransferRow(transfer))
        case .post(let cause, let amount, let signed):
            guard let row = row(cause) else { return }
            var posted = row
            posted.state = .posted(amount: amount, signed: signed)
            posted.released = moveEscrow(row.transfer, amount)
            replace(row, with: posted)
        case .void(let cause, let reason):
            guard let row = row(cause) else { return }
            var voided = row
            voided.state = .voided(reason: reason)
            replace(row, with: voided)
        case .discharge(let cause, let amount):
            guard let row = row(cause) else { return }
            var discharged = row
            discharged.dischargedAmount += amount
            replace(row, with: discharged)
        }
    }

    // MARK: Questions

    /// Sorted by cause.
    public var rows: [TransferRow] {
        rowsOf.values.flatMap(\.values).sorted { $0.transfer.cause < $1.transfer.cause }
    }

    public func row(_ cause: Cause) -> TransferRow? { rowsOf[cause.contract]?[cause] }

    /// Those of one contract, sorted by cause.
    public func rows(of contract: ContractID) -> [TransferRow] {
        (rowsOf[contract] ?? [:]).values.sorted { $0.transfer.cause < $1.transfer.cause }
    }

    /// Sorted by account. Accounts where nothing stands in either column are left out.
    public func balances() -> [(account: Account, balance: Balance)] {
        balanceOf.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    public func balance(of account: Account) -> Balance { balanceOf[account] ?? Balance() }

    /// Sorted by counterparty, commodity and kind; zero ones left out. A's position with B is B's
    /// with A, negated.
    public func positions(of owner: DID) -> [Position] {
        balanceOf.filter { $0.key.owner == owner && $0.value.net != 0 }.sorted { $0.key < $1.key }
            .map { account, balance in
                Position(
                    counterparty: account.counterparty, commodity: account.commodity,
                    kind: account.kind, amount: balance.net)
            }
    }

    /// Minor units `owner` paid less those it received, per currency, zero ones left out. Counts
    /// only what the taker signed for: silence moves money in the accounts, but not here.
    public func netPaid(by owner: DID) -> [(currency: Currency, minor: Int128)] {
        (paidBy[owner] ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// What `custodian` still holds for `contract`, minor units. Zero once a contract is settled.
    public func held(by custodian: DID, for contract: ContractID, _ currency: Currency) -> Int128 {
        escrow.held(
            in: .init(contract: contract, custodian: custodian, commodity: .money(currency)))
    }

    /// Commodities whose columns differ, sorted. Anything but empty is a defect of this room:
    /// whoever is about to commit asks, in release builds too, and stops.
    public func imbalance() -> [(commodity: Commodity, debits: Int128, credits: Int128)] {
        var sums: [Commodity: Balance] = [:]
        for (account, balance) in balanceOf {
            sums[account.commodity, default: Balance()].debits += balance.debits
            sums[account.commodity, default: Balance()].credits += balance.credits
        }
        return sums.filter { $0.value.net != 0 }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value.debits, $0.value.credits) }
    }

    /// What custodians hold, sorted by contract, custodian and commodity; for the dump.
    var purses: [(purse: Escrow.Purse, shares: [EscrowShare])] { escrow.purses }

    // MARK: Private

    private func known(_ cause: Cause) throws(LedgerRefusal) -> TransferRow {
        guard let row = row(cause) else { throw .causeUnknown(cause) }
        return row
    }

    private func pending(_ cause: Cause) throws(LedgerRefusal) -> TransferRow {
        let row = try known(cause)
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

    private mutating func replace(_ old: TransferRow?, with new: TransferRow) {
        for posting in old?.postings ?? [] { add(posting, times: -1) }
        for posting in new.postings { add(posting, times: 1) }
        if let old { pay(old, times: -1) }
        pay(new, times: 1)
        rowsOf[new.transfer.cause.contract, default: [:]][new.transfer.cause] = new
    }

    private mutating func pay(_ row: TransferRow, times sign: Int128) {
        guard row.isSigned, row.transfer.kind.isPaid,
            case .money(let currency) = row.transfer.commodity
        else { return }
        let amount = sign * Int128(row.postedAmount)
        for (party, more) in [(row.transfer.from, amount), (row.transfer.to, -amount)] {
            let sum = (paidBy[party]?[currency] ?? 0) + more
            paidBy[party, default: [:]][currency] = sum == 0 ? nil : sum
        }
    }

    private mutating func add(_ posting: Posting, times sign: Int128) {
        let amount = sign * Int128(posting.amount)
        var debited = balance(of: posting.debit)
        debited.debits += amount
        balanceOf[posting.debit] = debited == Balance() ? nil : debited
        var credited = balance(of: posting.credit)
        credited.credits +=
            planted(.oneSidedPosting) && sign > 0 && amount > 1 ? amount - 1 : amount
        balanceOf[posting.credit] = credited == Balance() ? nil : credited
        assert(debited.net == -credited.net)
        assert(debited.debits >= 0 && credited.credits >= 0)
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

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
    private var rowsOf: TreeDictionary<ContractID, ContractRows> = [:]
    private var balanceOf: TreeDictionary<Account, Balance> = [:]
    /// Minor units paid less received, as `netPaid` counts them; zero ones left out.
    private var paidBy: TreeDictionary<DID, [Currency: Int128]> = [:]

    public init() {}

    public func decide(_ event: TransferEvent) throws(LedgerRefusal) {
        try (rowsOf[event.cause.contract] ?? ContractRows()).decide(event)
    }

    /// Applies a decided event. In a release build an event that `decide` refuses changes nothing.
    public mutating func apply(_ event: TransferEvent) {
        do {
            add(try rowsOf[event.cause.contract, default: ContractRows()].take(event))
        } catch {
            assertionFailure("applied without a decision: \(error)")
        }
    }

    // MARK: Questions

    /// Sorted by cause.
    public var rows: [TransferRow] {
        rowsOf.values.flatMap(\.unsorted).sorted { $0.transfer.cause < $1.transfer.cause }
    }

    public func row(_ cause: Cause) -> TransferRow? { rowsOf[cause.contract]?.row(cause) }

    /// Those of one contract, sorted by cause.
    public func rows(of contract: ContractID) -> [TransferRow] { rowsOf[contract]?.sorted ?? [] }

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
        let purse = Escrow.Purse(
            contract: contract, custodian: custodian, commodity: .money(currency))
        return rowsOf[contract]?.escrow.held(in: purse) ?? 0
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
    var purses: [(purse: Escrow.Purse, shares: [EscrowShare])] {
        rowsOf.values.flatMap(\.escrow.purses).sorted { $0.purse < $1.purse }
    }

    // MARK: Private

    private mutating func add(_ change: ContractRows.Change) {
        for posting in change.old?.postings ?? [] { add(posting, times: -1) }
        for posting in change.new.postings { add(posting, times: 1) }
        if let old = change.old { pay(old, times: -1) }
        pay(change.new, times: 1)
    }

    private mutating func pay(_ row: TransferRow, times sign: Int128) {
        guard row.isSigned, row.transfer.kind.isPaid,
            case .money(let currency) = row.transfer.commodity
        else { return }
        let amount = sign * Int128(row.postedAmount)
        pay(row.transfer.from, currency, amount)
        pay(row.transfer.to, currency, -amount)
    }

    private mutating func pay(_ party: DID, _ currency: Currency, _ amount: Int128) {
        paidBy[party, default: [:]][currency, default: 0] += amount
        if paidBy[party]?[currency] == 0 { paidBy[party]?[currency] = nil }
    }

    private mutating func add(_ posting: Posting, times sign: Int128) {
        let amount = sign * Int128(posting.amount)
        let isShort = planted(.oneSidedPosting) && sign > 0 && amount > 1
        add(Balance(debits: amount), to: posting.debit)
        add(Balance(credits: isShort ? amount - 1 : amount), to: posting.credit)
        assert(balance(of: posting.debit).net == -balance(of: posting.credit).net)
        assert(balance(of: posting.debit).debits >= 0)
        assert(balance(of: posting.credit).credits >= 0)
    }

    private mutating func add(_ change: Balance, to account: Account) {
        guard balanceOf[account, default: Balance()].add(change) else { return }
        balanceOf[account] = nil
    }
}

extension Balance {
    /// Whether nothing stands in either column then.
    fileprivate mutating func add(_ other: Balance) -> Bool {
        debits += other.debits
        credits += other.credits
        return debits == 0 && credits == 0
    }
}

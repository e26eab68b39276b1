import Capacity
public import Identity

/// The books of one owner in the forms that accounting programs read. Text only; the edge writes
/// files.
///
/// Each of the owner's accounts appears as `Assets:Talea:<counterparty>:<Kind>` with our balance to
/// the minor unit, pending ones included, and each posting balances against `Assets:Outside` (money
/// really paid: the bank) or `Equity:Talea:<Kind>`. One transaction per row, as it stands now, on
/// the date of its cause; voided rows are comments. Each file ends by asserting our balances, so
/// the program that reads it checks us.
public struct Journal: Sendable {
    public let owner: DID
    /// What an accounting program must report, sorted by position.
    public let balances: [AccountBalance]

    let items: [Item]
    let partyNames: [DID: String]
    let commodities: [Commodity]

    public struct AccountBalance: Hashable, Sendable {
        public let account: String
        public let position: Position
    }

    /// One row that touches the owner, and what it does to the owner's accounts alone.
    struct Item: Sendable {
        let date: String
        let row: TransferRow
        let postings: [Entry]
    }

    struct Entry: Hashable, Sendable {
        let account: String
        let commodity: Commodity
        let amount: Int64
    }

    /// `names` gives a petname, whatever it holds; `dateOf` a `YYYY-MM-DD`. A date that is none, or
    /// that accounting programs cannot read, becomes 1970-01-01: timestamps are a peer's word.
    public init(
        of owner: DID, in books: Books, names: (DID) -> String, dateOf: (Cause) -> String
    ) {
        let rows = books.rows.filter { row in
            row.transfer.from == owner || row.transfer.to == owner
                || row.released.contains { $0.depositor == owner }
        }
        let parties = Set(rows.flatMap { [$0.transfer.from, $0.transfer.to] })
            .union(rows.flatMap { $0.released.map(\.depositor) })
        let partyNames = AccountNames.unique(parties.sorted(), names)
        let accountName = { (counterparty: DID, kind: AccountKind) in
            "Assets:Talea:\(partyNames[counterparty] ?? counterparty.hex):\(kind.title)"
        }
        self.owner = owner
        self.partyNames = partyNames
        commodities = Set(rows.map(\.transfer.commodity)).sorted()
        balances = books.positions(of: owner).map {
            AccountBalance(account: accountName($0.counterparty, $0.kind), position: $0)
        }
        items = rows.map { row in
            var entries: [Entry] = []
            for posting in row.postings {
                let (account, amount): (Account, Int64)
                if posting.debit.owner == owner {
                    (account, amount) = (posting.debit, posting.amount)
                } else if posting.credit.owner == owner {
                    (account, amount) = (posting.credit, -posting.amount)
                } else {
                    continue
                }
                entries.append(
                    Entry(
                        account: accountName(account.counterparty, account.kind),
                        commodity: account.commodity, amount: amount))
                entries.append(
                    Entry(
                        account: account.kind.contra, commodity: account.commodity,
                        amount: -amount))
            }
            let date = dateOf(row.transfer.cause)
            let isDate = CivilTime.read(date + "T12:00Z") != nil
            return Item(date: isDate ? date : "1970-01-01", row: row, postings: entries)
        }
        .sorted { ($0.date, $0.row.transfer.cause) < ($1.date, $1.row.transfer.cause) }
    }

    /// Every account that a posting names, sorted.
    var accounts: [String] { Set(items.flatMap { $0.postings.map(\.account) }).sorted() }

    /// `nil` at the end of year 9999.
    func dayAfter(_ date: String) -> String? {
        guard let noon = CivilTime.read(date + "T12:00Z") else { return nil }
        let next = CivilTime(noon.instant.advanced(by: 86_400_000), offsetMinutes: 0).date
        return next.utf8.count == 10 ? next : nil
    }

    func name(_ party: DID) -> String { partyNames[party] ?? party.hex }

    /// `payment to 印刷厂`, `capacity from Studio`, `payout Custodian to Printer`.
    func title(_ row: TransferRow) -> String {
        let transfer = row.transfer
        if transfer.from == owner { return "\(transfer.kind.rawValue) to \(name(transfer.to))" }
        if transfer.to == owner { return "\(transfer.kind.rawValue) from \(name(transfer.from))" }
        return "\(transfer.kind.rawValue) \(name(transfer.from)) to \(name(transfer.to))"
    }

    /// A voided row on one line, its reason made harmless.
    func voidedLine(_ item: Item, reason: String) -> String {
        let transfer = item.row.transfer
        return "; \(item.date) voided \(title(item.row)) "
            + "\(transfer.commodity.text(Int128(transfer.amount))) \(transfer.commodity.name) "
            + "\(transfer.cause.full): \(reason.onOneLine)"
    }
}

extension AccountKind {
    /// `Paid`: the last component of an account name.
    var title: String {
        switch self {
        case .due: "Due"
        case .paid: "Paid"
        case .escrow: "Escrow"
        case .owed: "Owed"
        case .reserved: "Reserved"
        case .delivered: "Delivered"
        }
    }

    /// The owner's own side. Only paid money has really left or entered a bank account.
    fileprivate var contra: String { self == .paid ? "Assets:Outside" : "Equity:Talea:\(title)" }
}

internal import Capacity
internal import Foundation
internal import GRDB
internal import Identity
public import Ledger

extension Database {
    /// Every transfer as its row has it, sorted by cause.
    public func transferRows() throws(StorageRefusal) -> [StoredTransfer] {
        try read { try $0.transfers().map(\.stored) }
    }

    /// Every account that stands, as its row has it; sorted.
    public func accounts() throws(StorageRefusal) -> [(account: Account, columns: Columns)] {
        try read { db in
            try db.accounts().sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }

    /// The books that the transfer rows give when `Ledger` goes over them again.
    public func storedBooks() throws(StorageRefusal) -> Books {
        try read { db in
            var books = Books()
            try books.replay(try db.transfers())
            return books
        }
    }

    /// Where the tables say something else than `rebuilt`, by cause, then by account.
    public func check(against rebuilt: Books) throws(StorageRefusal) -> [LedgerDifference] {
        try read { db in
            let transfers = try db.transfers()
            var differences = rows(transfers.map(\.stored), rebuilt)
            differences += balances(try db.accounts(), rebuilt)
            guard differences.isEmpty else { return differences }
            var books = Books()
            try books.replay(transfers)
            let (stored, expected) = (books.dump().lines, rebuilt.dump().lines)
            guard stored != expected else { return [] }
            let first = zip(stored, expected).first { $0 != $1 }
            return [.order(stored: first?.0 ?? "", rebuilt: first?.1 ?? "")]
        }
    }

    /// The same; with `repair` the tables say afterwards what `rebuilt` says. Entries that lose their effect
    /// take rows with them: a node that starts over has it done.
    public func compare(to rebuilt: Books, repair: Bool) throws(StorageRefusal)
        -> [LedgerDifference]
    {
        let found = try check(against: rebuilt)
        if repair, !found.isEmpty { try rewriteLedger(rebuilt) }
        return found
    }

    private func rows(_ stored: [StoredTransfer], _ rebuilt: Books) -> [LedgerDifference] {
        let found = Dictionary(
            stored.map { ($0.transfer.cause, $0) }, uniquingKeysWith: { first, _ in first })
        let expected = Dictionary(
            rebuilt.rows.map { ($0.transfer.cause, StoredTransfer($0)) },
            uniquingKeysWith: { first, _ in first })
        return Set(found.keys).union(expected.keys).sorted()
            .filter { found[$0] != expected[$0] }
            .map { .transfer($0, stored: found[$0], rebuilt: expected[$0]) }
    }

    private func balances(_ stored: [Account: Columns], _ rebuilt: Books) -> [LedgerDifference] {
        let expected = rebuilt.columns
        return Set(stored.keys).union(expected.keys).sorted()
            .filter { stored[$0] != expected[$0] }
            .map {
                .account($0, stored: stored[$0] ?? Columns(), rebuilt: expected[$0] ?? Columns())
            }
    }

    /// Puts `books` in the place of what the ledger's tables hold. The order of posting, which books do
    /// not tell, is kept where it is stored, else it is the order of causes; where that gives other
    /// books, the contract is named and nothing is written: `rewriteLedger(replaying:)` does it.
    public func rewriteLedger(_ books: Books) throws(StorageRefusal) {
        try write { db in
            let known = try db.orders()
            var newest: [ContractID: Int64] = [:]
            for (cause, order) in known {
                newest[cause.contract] = max(newest[cause.contract] ?? 0, order)
            }
            try db.execute(sql: "DELETE FROM transfer; DELETE FROM account")
            for row in books.rows {
                guard case .posted = row.state else {
                    try db.insert(StoredTransfer(row), order: nil)
                    continue
                }
                let cause = row.transfer.cause
                let order = known[cause] ?? (newest[cause.contract] ?? 0) + 1
                newest[cause.contract] = max(newest[cause.contract] ?? 0, order)
                try db.insert(StoredTransfer(row), order: order)
            }
            for (account, columns) in books.columns { try db.set(columns, at: account.key) }
            try requireSame(books, db)
        }
    }

    /// The same from the events themselves, in the order the entries gave them.
    public func rewriteLedger(replaying events: [TransferEvent]) throws(StorageRefusal) {
        try write { db in
            try db.execute(sql: "DELETE FROM transfer; DELETE FROM account")
            var books = Books()
            let orders = try books.take(events, after: [:])
            for row in books.rows {
                try db.insert(StoredTransfer(row), order: orders[row.transfer.cause])
            }
            for (account, columns) in books.columns { try db.set(columns, at: account.key) }
        }
    }

    private func requireSame(_ books: Books, _ db: GRDB.Database) throws {
        var stored = Books()
        do { try stored.replay(try db.transfers()) } catch is LedgerRefusal {
            let contract = books.rows.first?.transfer.cause.contract ?? .zero
            throw StorageRefusal.postingOrderUnknown(contract)
        }
        for row in books.rows where stored.row(row.transfer.cause) != row {
            throw StorageRefusal.postingOrderUnknown(row.transfer.cause.contract)
        }
        let held = zip(stored.dump().lines, books.dump().lines).first { $0 != $1 }
        guard let held else { return }
        let contract = held.0.split(separator: " ").first.flatMap { ContractID(hex: String($0)) }
        throw StorageRefusal.postingOrderUnknown(contract ?? .zero)
    }
}

extension String {
    fileprivate var lines: [String] { split(separator: "\n").map(String.init) }
}

extension Books {
    /// Goes over stored rows again: all reserved, then resolved in the order of posting. `Ledger` alone
    /// says what that does to the accounts.
    fileprivate mutating func replay(_ rows: [PlacedTransfer]) throws {
        for row in rows { try take(.reserve(row.stored.transfer)) }
        let posted = rows.filter { $0.order != nil }
            .sorted {
                ($0.stored.transfer.cause.contract, $0.order ?? 0)
                    < ($1.stored.transfer.cause.contract, $1.order ?? 0)
            }
        for row in posted {
            guard case .posted(let amount, let signed) = row.stored.state else { continue }
            try take(.post(row.stored.transfer.cause, amount: amount, signed: signed))
        }
        for row in rows {
            let cause = row.stored.transfer.cause
            if case .voided(let reason) = row.stored.state {
                try take(.void(cause, reason: reason))
            }
            if row.stored.dischargedAmount > 0 {
                try take(.discharge(cause, amount: row.stored.dischargedAmount))
            }
        }
    }

    fileprivate mutating func take(_ event: TransferEvent) throws(LedgerRefusal) {
        try decide(event)
        apply(event)
    }

    /// The place of what they post in the order of posting, which goes on in each contract `after` what
    /// it posted before.
    fileprivate mutating func take(_ events: [TransferEvent], after last: [ContractID: Int64])
        throws(LedgerRefusal) -> [Cause: Int64]
    {
        var last = last
        var orders: [Cause: Int64] = [:]
        for event in events {
            try take(event)
            if case .post(let cause, _, _) = event {
                last[cause.contract, default: 0] += 1
                orders[cause] = last[cause.contract]
            }
        }
        return orders
    }

    fileprivate var columns: [Account: Columns] {
        Dictionary(
            balances().map {
                ($0.account, Columns(debits: $0.balance.debits, credits: $0.balance.credits))
            }, uniquingKeysWith: { first, _ in first })
    }
}

/// A stored transfer with its place in the order of posting.
private struct PlacedTransfer {
    let stored: StoredTransfer
    let order: Int64?

    init(_ row: Row) throws {
        let cause = Cause(
            contract: try row.fixed("contract"), step: row["step"], index: row["idx"])
        let state: TransferRow.State
        switch row["state"] as String {
        case "posted": state = .posted(amount: row["posted"], signed: row["isSigned"])
        case "voided": state = .voided(reason: row["reason"])
        default: state = .pending
        }
        guard let kind = TransferKind(rawValue: row["kind"]) else {
            throw StorageRefusal.corrupt(detail: "the kind of transfer \(cause)")
        }
        stored = StoredTransfer(
            transfer: Transfer(
                cause: cause, kind: kind, from: try row.fixed("debit"),
                to: try row.fixed("credit"), commodity: try Commodity(row),
                amount: row["amount"]),
            state: state, dischargedAmount: row["discharged"])
        order = row["postedOrder"]
    }
}

extension [Account: Columns] {
    fileprivate mutating func add(_ posting: Posting, times sign: Int128) {
        let amount = sign * Int128(posting.amount)
        self[posting.debit, default: Columns()].debits += amount
        self[posting.credit, default: Columns()].credits += amount
    }
}

extension TransferEvent {
    fileprivate var cause: Cause {
        switch self {
        case .reserve(let transfer): transfer.cause
        case .post(let cause, _, _), .void(let cause, _), .discharge(let cause, _): cause
        }
    }

    fileprivate var reserved: Transfer? {
        if case .reserve(let transfer) = self { transfer } else { nil }
    }
}

extension GRDB.Database {
    /// Applies events to the books that the rows they touch give, and writes what changed: rows and, by
    /// what the changed rows post, accounts. Contracts do not touch each other's rows.
    func post(_ events: [TransferEvent]) throws {
        var before = Books()
        var last: [ContractID: Int64] = [:]
        let touched = Dictionary(grouping: events, by: \.cause.contract)
        for (contract, events) in touched.sorted(by: { $0.key < $1.key }) {
            let rows = try transfers(of: contract, touchedBy: events)
            last[contract] = rows.compactMap(\.order).max()
            try before.replay(try needed(of: rows, by: events, in: contract))
        }
        var after = before
        let orders = try after.take(events, after: last)
        var changes: [Account: Columns] = [:]
        for cause in Set(events.map(\.cause)).sorted() {
            guard let row = after.row(cause) else { continue }
            if let old = before.row(cause) {
                try update(StoredTransfer(row), order: orders[cause])
                for posting in old.postings { changes.add(posting, times: -1) }
            } else {
                try insert(StoredTransfer(row), order: orders[cause])
            }
            for posting in row.postings { changes.add(posting, times: 1) }
        }
        for account in changes.keys.sorted() {
            guard let change = changes[account], change != Columns() else { continue }
            let key = account.key
            var stored = try columns(at: key)
            stored.debits += change.debits
            stored.credits += change.credits
            try set(stored, at: key)
        }
    }

    /// Those that the events touch; all of the contract where a custodian gives out what it holds, which
    /// is what all others of them say.
    private func needed(
        of rows: [PlacedTransfer], by events: [TransferEvent], in contract: ContractID
    ) throws -> [PlacedTransfer] {
        let causes = Set(events.map(\.cause))
        let touched = rows.filter { causes.contains($0.stored.transfer.cause) }
        let transfers = touched.map(\.stored.transfer) + events.compactMap(\.reserved)
        let isOfCustodian = transfers.contains { $0.kind == .payout || $0.kind == .claim }
        return isOfCustodian ? try self.transfers(of: contract) : touched
    }

    /// From the first step that an event names, and whatever was posted last before it.
    private func transfers(of contract: ContractID, touchedBy events: [TransferEvent]) throws
        -> [PlacedTransfer]
    {
        try transfers(
            """
            WHERE contract = ?1 AND (step >= ?2 OR postedOrder =
                (SELECT max(postedOrder) FROM transfer WHERE contract = ?1))
            """, [contract.data, events.map(\.cause.step).min()])
    }

    private func columns(at key: StatementArguments) throws -> Columns {
        let statement = try cachedStatement(
            sql: """
                SELECT debits, credits FROM account WHERE owner = ? AND counterparty = ?
                    AND commodity = ? AND unit = ? AND kind = ?
                """)
        guard let row = try Row.fetchOne(statement, arguments: key) else {
            return Columns()
        }
        return try Columns(row)
    }

    fileprivate func set(_ columns: Columns, at key: StatementArguments) throws {
        guard columns != Columns() else {
            return try run(
                """
                DELETE FROM account WHERE owner = ? AND counterparty = ? AND commodity = ?
                    AND unit = ? AND kind = ?
                """, key)
        }
        try run(
            """
            INSERT INTO account (owner, counterparty, commodity, unit, kind, debits, credits)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (owner, counterparty, commodity, unit, kind) DO UPDATE
                SET debits = excluded.debits, credits = excluded.credits
            """, key + ["\(columns.debits)", "\(columns.credits)"])
    }

    fileprivate func insert(_ row: StoredTransfer, order: Int64?) throws {
        let transfer = row.transfer
        try run(
            """
            INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit, amount,
                state, posted, isSigned, reason, discharged, postedOrder)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            transfer.cause.key + [
                transfer.kind.rawValue, transfer.from.data, transfer.to.data,
                transfer.commodity.stored.name, transfer.commodity.stored.unit, transfer.amount,
            ] + row.resolution(order))
    }

    private func update(_ row: StoredTransfer, order: Int64?) throws {
        try run(
            """
            UPDATE transfer SET state = ?, posted = ?, isSigned = ?, reason = ?, discharged = ?,
                postedOrder = coalesce(?, postedOrder)
            WHERE contract = ? AND step = ? AND idx = ?
            """, row.resolution(order) + row.transfer.cause.key)
    }

    /// The order of posting, of whatever rows are readable at all.
    fileprivate func orders() throws -> [Cause: Int64] {
        let rows = try all(
            "SELECT contract, step, idx, postedOrder FROM transfer WHERE postedOrder IS NOT NULL"
        ) { row in
            let cause = Cause(
                contract: try row.fixed("contract"), step: row["step"], index: row["idx"])
            return (cause, row["postedOrder"] as Int64)
        }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    private func transfers(of contract: ContractID) throws -> [PlacedTransfer] {
        try transfers("WHERE contract = ?", [contract.data])
    }

    fileprivate func transfers(_ condition: String = "", _ arguments: StatementArguments = [])
        throws -> [PlacedTransfer]
    {
        let statement = try cachedStatement(
            sql: "SELECT * FROM transfer \(condition) ORDER BY contract, step, idx")
        let rows = try Row.fetchCursor(statement, arguments: arguments)
        var transfers: [PlacedTransfer] = []
        while let row = try rows.next() { transfers.append(try PlacedTransfer(row)) }
        return transfers
    }

    fileprivate func accounts() throws -> [Account: Columns] {
        var result: [Account: Columns] = [:]
        let rows = try Row.fetchCursor(self, sql: "SELECT * FROM account")
        while let row = try rows.next() {
            guard let kind = AccountKind(rawValue: row["kind"]) else {
                throw StorageRefusal.corrupt(detail: "the kind of an account")
            }
            let account = Account(
                owner: try row.fixed("owner"), counterparty: try row.fixed("counterparty"),
                commodity: try Commodity(row), kind: kind)
            result[account] = try Columns(row)
        }
        return result
    }
}

extension StoredTransfer {
    /// state, posted, isSigned, reason, discharged, postedOrder
    fileprivate func resolution(_ order: Int64?) -> StatementArguments {
        switch state {
        case .pending: ["pending", nil, nil, nil, dischargedAmount, nil]
        case .posted(let amount, let signed):
            ["posted", amount, signed, nil, dischargedAmount, order]
        case .voided(let reason): ["voided", nil, nil, reason, dischargedAmount, nil]
        }
    }
}

extension Cause {
    fileprivate var key: StatementArguments { [contract.data, step, index] }
}

extension Account {
    fileprivate var key: StatementArguments {
        [
            owner.data, counterparty.data, commodity.stored.name, commodity.stored.unit,
            kind.rawValue,
        ]
    }
}

extension Columns {
    fileprivate init(_ row: Row) throws {
        guard let debits = Int128(row["debits"] as String),
            let credits = Int128(row["credits"] as String)
        else { throw StorageRefusal.corrupt(detail: "a balance is no number") }
        self.init(debits: debits, credits: credits)
    }
}

extension Commodity {
    fileprivate var stored: (name: String, unit: String) {
        switch self {
        case .money(let currency): (currency.code, "")
        case .capacity(let resource, let unit): (resource.path, unit.code)
        }
    }

    fileprivate init(_ row: Row) throws {
        let (name, unit) = (row["commodity"] as String, row["unit"] as String)
        self =
            unit.isEmpty
            ? .money(try Currency(name)) : .capacity(try Resource(name), try UnitCode(unit))
    }
}

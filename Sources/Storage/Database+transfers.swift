internal import Capacity
internal import Foundation
internal import GRDB
internal import Identity
internal import Ledger

/// A stored transfer with its place in the order of posting.
struct PlacedTransfer {
    let stored: StoredTransfer
    let order: Int64?

    static let columns = """
        contract, step, idx, kind, debit, credit, commodity, unit, amount, state, posted, isSigned,
        reason, discharged, postedOrder
        """

    /// Of `columns`.
    init(_ row: Row) throws {
        let cause = Cause(
            contract: try row.fixed(at: 0), step: try row.number(at: 1),
            index: try row.number(at: 2))
        let state: TransferRow.State
        switch try row.text(at: 9) {
        case "posted":
            state = .posted(amount: try row.number(at: 10), signed: try row.number(at: 11) == 1)
        case "voided": state = .voided(reason: try row.text(at: 12))
        default: state = .pending
        }
        guard let kind = TransferKind(rawValue: try row.text(at: 3)) else {
            throw StorageRefusal.corrupt(detail: "the kind of transfer \(cause)")
        }
        stored = StoredTransfer(
            transfer: Transfer(
                cause: cause, kind: kind, from: try row.fixed(at: 4), to: try row.fixed(at: 5),
                commodity: try Commodity(name: row.text(at: 6), unit: row.text(at: 7)),
                amount: try row.number(at: 8)),
            state: state, dischargedAmount: try row.number(at: 13))
        if case .posted = state { order = try row.number(at: 14) } else { order = nil }
    }
}

extension [PlacedTransfer] {
    /// What gives these rows: all reserved, then resolved in the order of posting.
    var events: [TransferEvent] {
        var events: [TransferEvent] = map { .reserve($0.stored.transfer) }
        let posted = filter { $0.order != nil }
            .sorted {
                ($0.stored.transfer.cause.contract, $0.order ?? 0)
                    < ($1.stored.transfer.cause.contract, $1.order ?? 0)
            }
        for row in posted {
            guard case .posted(let amount, let signed) = row.stored.state else { continue }
            events.append(.post(row.stored.transfer.cause, amount: amount, signed: signed))
        }
        for row in self {
            let cause = row.stored.transfer.cause
            if case .voided(let reason) = row.stored.state {
                events.append(.void(cause, reason: reason))
            }
            if row.stored.dischargedAmount > 0 {
                events.append(.discharge(cause, amount: row.stored.dischargedAmount))
            }
        }
        return events
    }
}

extension ContractRows {
    /// The place of what they post in the order of posting. It goes on after what the contract posted
    /// last, which is asked for where anything is posted at all.
    mutating func take(_ events: [TransferEvent], after last: () throws -> Int64) throws
        -> [Cause: Int64]
    {
        var newest: Int64?
        var orders: [Cause: Int64] = [:]
        for event in events {
            try take(event)
            guard case .post(let cause, _, _) = event else { continue }
            let order = try newest ?? last() + 1
            orders[cause] = order
            newest = order + 1
        }
        return orders
    }
}

/// What each transfer needs, looked up once for many.
struct TransferStatements {
    fileprivate let insertion: Statement
    fileprivate let newest: Statement

    init(_ db: GRDB.Database) throws {
        insertion = try db.cachedStatement(
            sql: """
                INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit,
                    amount, state, posted, isSigned, reason, discharged, postedOrder)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (contract, step, idx) DO NOTHING
                """)
        newest = try db.cachedStatement(
            sql: "SELECT coalesce(max(postedOrder), 0) FROM transfer WHERE contract = ?")
    }
}

/// All transfers and accounts written anew, by cause.
struct NewLedger {
    private let db: GRDB.Database
    private let statements: TransferStatements
    private var numbers = AccountNumbers(isWhole: true)
    private var changes = AccountChanges()
    private let laws: [String]

    /// Empties the tables. A trigger that looks at all rows of a contract for each that comes is lifted
    /// until `finish`: what it holds is looked at once for all of them there.
    init(_ db: GRDB.Database) throws {
        self.db = db
        try db.execute(sql: "DELETE FROM transfer; DELETE FROM balance; DELETE FROM account")
        laws = try String.fetchAll(
            db, sql: "SELECT sql FROM sqlite_master WHERE name = 'transferPlaceIsFree'")
        guard laws.count == 1 else {
            throw StorageRefusal.corrupt(detail: "a law of the tables is gone")
        }
        try db.execute(sql: "DROP TRIGGER transferPlaceIsFree")
        statements = try TransferStatements(db)
    }

    mutating func insert(_ row: TransferRow, order: Int64?) throws {
        try db.insert(StoredTransfer(row), order: order, by: statements)
        for posting in row.postings {
            changes.add(posting, times: 1, try db.numbers(of: posting.debit, &numbers))
        }
    }

    consuming func finish() throws {
        try db.add(changes)
        for law in laws { try db.execute(sql: law) }
        let taken = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM transfer GROUP BY contract
                    HAVING count(DISTINCT postedOrder) < count(postedOrder))
                """)
        guard taken == false else {
            throw StorageRefusal.lawBroken(detail: "a place in the order of posting is taken")
        }
    }
}

extension GRDB.Database {
    /// Applies events to the rows they touch, and writes what changed: rows and, by what the changed rows
    /// post, balances. Contracts do not touch each other's rows.
    func post(_ events: [TransferEvent], _ numbers: inout AccountNumbers) throws {
        guard !events.isEmpty else { return }
        let statements = try TransferStatements(self)
        var changes = AccountChanges(events: events.count)
        let touched = Dictionary(grouping: events, by: \.cause.contract)
        for (contract, events) in touched.sorted(by: { $0.key < $1.key }) {
            try post(events, of: contract, by: statements, &changes, &numbers)
        }
        try add(changes)
    }

    private func post(
        _ events: [TransferEvent], of contract: ContractID, by statements: TransferStatements,
        _ changes: inout AccountChanges, _ numbers: inout AccountNumbers
    ) throws {
        let (causes, stored) = try touched(by: events, of: contract)
        var rows = ContractRows()
        for event in stored.events { try rows.take(event) }
        let before = rows
        let orders = try rows.take(events) { try lastOrder(in: contract, by: statements) }
        for cause in causes.sorted() {
            guard let row = rows.row(cause) else { continue }
            if !stored.isEmpty, let old = before.row(cause) {
                try update(StoredTransfer(row), order: orders[cause])
                for posting in old.postings {
                    changes.add(posting, times: -1, try self.numbers(of: posting.debit, &numbers))
                }
            } else {
                try insert(StoredTransfer(row), order: orders[cause], by: statements)
            }
            for posting in row.postings {
                changes.add(posting, times: 1, try self.numbers(of: posting.debit, &numbers))
            }
        }
    }

    /// What the events touch, and the rows that deciding needs: those that they resolve and did not
    /// reserve themselves; all of the contract where a custodian gives out what it holds, which is what
    /// all others of them say. Whether a cause that they reserve is there already, its insertion tells.
    private func touched(by events: [TransferEvent], of contract: ContractID) throws
        -> (causes: Set<Cause>, stored: [PlacedTransfer])
    {
        var isOfCustodian = false
        var causes: Set<Cause> = []
        var found: [PlacedTransfer] = []
        for event in events {
            let isFirst = causes.insert(event.cause).inserted
            if case .reserve(let transfer) = event {
                isOfCustodian = isOfCustodian || transfer.kind.isOfCustodian
            } else if isFirst, let row = try transfer(event.cause) {
                isOfCustodian = isOfCustodian || row.stored.transfer.kind.isOfCustodian
                found.append(row)
            }
        }
        return (causes, isOfCustodian ? try transfers(of: contract) : found)
    }

    private func lastOrder(in contract: ContractID, by statements: TransferStatements) throws
        -> Int64
    {
        var binding = Binding(statements.newest)
        try binding.add(contract)
        return try binding.number() ?? 0
    }

    /// A cause that is there already is refused in the words of `Ledger`.
    fileprivate func insert(
        _ row: StoredTransfer, order: Int64?, by statements: TransferStatements
    ) throws {
        let transfer = row.transfer
        var binding = Binding(statements.insertion)
        try binding.add(transfer.cause)
        try binding.add(transfer.kind.rawValue)
        try binding.add(transfer.from)
        try binding.add(transfer.to)
        try binding.add(transfer.commodity.stored.name)
        try binding.add(transfer.commodity.stored.unit)
        try binding.add(transfer.amount)
        try binding.add(row, order)
        try binding.execute()
        guard changesCount == 1 else { throw LedgerRefusal.causeRepeated(transfer.cause) }
    }

    private func update(_ row: StoredTransfer, order: Int64?) throws {
        var binding = try binding(
            """
            UPDATE transfer SET state = ?, posted = ?, isSigned = ?, reason = ?, discharged = ?,
                postedOrder = coalesce(?, postedOrder)
            WHERE contract = ? AND step = ? AND idx = ?
            """)
        try binding.add(row, order)
        try binding.add(row.transfer.cause)
        try binding.execute()
    }

    /// The order of posting, of whatever rows are readable at all.
    func orders() throws -> [Cause: Int64] {
        let rows = try all(
            "SELECT contract, step, idx, postedOrder FROM transfer WHERE postedOrder IS NOT NULL"
        ) { row in
            let cause = Cause(
                contract: try row.fixed(at: 0), step: try row.number(at: 1),
                index: try row.number(at: 2))
            return (cause, try row.number(at: 3))
        }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    private func transfer(_ cause: Cause) throws -> PlacedTransfer? {
        var binding = try binding(
            """
            SELECT \(PlacedTransfer.columns) FROM transfer
            WHERE contract = ? AND step = ? AND idx = ?
            """)
        try binding.add(cause)
        return try binding.row().map { try PlacedTransfer($0) }
    }

    private func transfers(of contract: ContractID) throws -> [PlacedTransfer] {
        var binding = try binding(
            """
            SELECT \(PlacedTransfer.columns) FROM transfer WHERE contract = ? ORDER BY step, idx
            """)
        try binding.add(contract)
        return try placed(try binding.rows())
    }

    /// All of them, by cause.
    func transfers() throws -> [PlacedTransfer] {
        let sql = """
            SELECT \(PlacedTransfer.columns) FROM transfer ORDER BY contract, step, idx
            """
        return try placed(try Row.fetchCursor(self, sql: sql))
    }

    private func placed(_ rows: RowCursor) throws -> [PlacedTransfer] {
        var transfers: [PlacedTransfer] = []
        while let row = try rows.next() { transfers.append(try PlacedTransfer(row)) }
        return transfers
    }
}

extension TransferKind {
    /// Whether it may give out what a custodian holds.
    fileprivate var isOfCustodian: Bool { self == .payout || self == .claim }
}

extension Binding {
    fileprivate mutating func add(_ cause: Cause) throws {
        try add(cause.contract)
        try add(cause.step)
        try add(cause.index)
    }

    /// state, posted, isSigned, reason, discharged, postedOrder
    fileprivate mutating func add(_ row: StoredTransfer, _ order: Int64?) throws {
        var (state, posted, signed, reason) = ("pending", Int64?.none, Bool?.none, String?.none)
        switch row.state {
        case .pending: break
        case .posted(let amount, let isSigned):
            (state, posted, signed) = ("posted", amount, isSigned)
        case .voided(let why): (state, reason) = ("voided", why)
        }
        try add(state)
        try add(posted)
        try add(signed)
        try add(reason)
        try add(row.dischargedAmount)
        try add(order)
    }
}

internal import GRDB
internal import Identity
public import Ledger
internal import Synchronization

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
        try rewrite { db in
            let known = try db.orders()
            var newest: [ContractID: Int64] = [:]
            for (cause, order) in known {
                newest[cause.contract] = max(newest[cause.contract] ?? 0, order)
            }
            var ledger = try NewLedger(db)
            for row in books.rows {
                guard case .posted = row.state else {
                    try ledger.insert(row, order: nil)
                    continue
                }
                let cause = row.transfer.cause
                let order = known[cause] ?? (newest[cause.contract] ?? 0) + 1
                newest[cause.contract] = max(newest[cause.contract] ?? 0, order)
                try ledger.insert(row, order: order)
            }
            try ledger.finish()
            try requireSame(books, db)
        }
    }

    /// The same from the events themselves, in the order the entries gave them.
    public func rewriteLedger(replaying events: [TransferEvent]) throws(StorageRefusal) {
        try rewrite { db in
            var ledger = try NewLedger(db)
            let places = Dictionary(grouping: events.indices) { events[$0].cause.contract }
            for (_, places) in places.sorted(by: { $0.key < $1.key }) {
                var rows = ContractRows()
                let orders = try rows.take(places.map { events[$0] }) { 0 }
                for row in rows.sorted {
                    try ledger.insert(row, order: orders[row.transfer.cause])
                }
            }
            try ledger.finish()
        }
    }

    /// Accounts get other numbers: none that was known is right afterwards.
    private func rewrite(_ body: (GRDB.Database) throws -> Void) throws(StorageRefusal) {
        try numbers.withLock { numbers throws(StorageRefusal) in
            numbers = AccountNumbers()
            try write(body)
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
    /// Goes over stored rows again. `Ledger` alone says what that does to the accounts.
    fileprivate mutating func replay(_ rows: [PlacedTransfer]) throws {
        for event in rows.events {
            try decide(event)
            apply(event)
        }
    }

    fileprivate var columns: [Account: Columns] {
        Dictionary(
            balances().map {
                ($0.account, Columns(debits: $0.balance.debits, credits: $0.balance.credits))
            }, uniquingKeysWith: { first, _ in first })
    }
}

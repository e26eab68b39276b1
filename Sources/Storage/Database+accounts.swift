internal import Capacity
internal import Foundation
internal import GRDB
internal import Identity
internal import Ledger

/// Sums by account number, as one transaction changes them.
struct AccountChanges {
    private(set) var sums: [Int64: Columns] = [:]

    /// Room for what so many events change as a rule.
    init(events count: Int = 0) { sums.reserveCapacity(min(count, 1_024)) }

    mutating func add(_ posting: Posting, times sign: Int128, _ pair: AccountNumbers.Pair) {
        let amount = sign * Int128(posting.amount)
        sums[pair.debit, default: Columns()].debits += amount
        sums[pair.credit, default: Columns()].credits += amount
    }
}

extension GRDB.Database {
    /// Adds to balances, which may go down again, and never below zero: SQLite refuses that.
    func add(_ changes: AccountChanges) throws {
        // What the lower halves add up to carries into the higher; >> is arithmetic. A higher half that
        // overflowed would be REAL, which a column of integers does not take.
        let statement = try cachedStatement(
            sql: """
                UPDATE balance SET
                    debitsHigh = debitsHigh + ?1 + ((debitsLow + ?2) >> 62),
                    debitsLow = (debitsLow + ?2) & 4611686018427387903,
                    creditsHigh = creditsHigh + ?3 + ((creditsLow + ?4) >> 62),
                    creditsLow = (creditsLow + ?4) & 4611686018427387903
                WHERE account = ?5
                """)
        for (number, change) in changes.sums.sorted(by: { $0.key < $1.key })
        where change != Columns() {
            let (debits, credits) = (try SplitSum(change.debits), try SplitSum(change.credits))
            var binding = Binding(statement)
            try binding.add(debits.high)
            try binding.add(debits.low)
            try binding.add(credits.high)
            try binding.add(credits.low)
            try binding.add(number)
            try binding.execute()
            guard changesCount == 1 else {
                throw StorageRefusal.corrupt(detail: "account \(number) has no balance")
            }
        }
    }

    /// The numbers of `account` and its mirror, which are made where they are missing.
    func numbers(of account: Account, _ known: inout AccountNumbers) throws -> AccountNumbers.Pair {
        if let pair = known[account] { return pair }
        let pair: AccountNumbers.Pair
        if let mirror = known[account.mirror] {
            pair = .init(debit: mirror.credit, credit: mirror.debit)
        } else {
            let isNew = known.isWhole
            pair = .init(
                debit: try number(of: account, isNew: isNew),
                credit: try number(of: account.mirror, isNew: isNew))
        }
        known.know(pair, for: account)
        return pair
    }

    private func number(of account: Account, isNew: Bool) throws -> Int64 {
        if !isNew {
            var binding = try binding(
                """
                SELECT number FROM account WHERE owner = ? AND counterparty = ? AND commodity = ?
                    AND unit = ? AND kind = ?
                """)
            try binding.add(account)
            if let number = try binding.number() { return number }
        }
        var binding = try binding(
            """
            INSERT INTO account (owner, counterparty, commodity, unit, kind)
            VALUES (?, ?, ?, ?, ?)
            """)
        try binding.add(account)
        try binding.execute()
        let number = lastInsertedRowID
        try run("INSERT INTO balance (account) VALUES (?)", [number])
        return number
    }

    /// Those that stand: an account whose transfers all came to nothing again says no more than none.
    func accounts() throws -> [Account: Columns] {
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT owner, counterparty, commodity, unit, kind,
                    debitsHigh, debitsLow, creditsHigh, creditsLow
                FROM account JOIN balance ON balance.account = account.number
                """)
        var result: [Account: Columns] = [:]
        while let row = try rows.next() {
            guard let kind = AccountKind(rawValue: try row.text(at: 4)) else {
                throw StorageRefusal.corrupt(detail: "the kind of an account")
            }
            let columns = Columns(
                debits: SplitSum(high: try row.number(at: 5), low: try row.number(at: 6)).sum,
                credits: SplitSum(high: try row.number(at: 7), low: try row.number(at: 8)).sum)
            guard columns != Columns() else { continue }
            let account = Account(
                owner: try row.fixed(at: 0), counterparty: try row.fixed(at: 1),
                commodity: try Commodity(name: row.text(at: 2), unit: row.text(at: 3)),
                kind: kind)
            result[account] = columns
        }
        return result
    }
}

extension Binding {
    fileprivate mutating func add(_ account: Account) throws {
        try add(account.owner)
        try add(account.counterparty)
        try add(account.commodity.stored.name)
        try add(account.commodity.stored.unit)
        try add(account.kind.rawValue)
    }
}

extension Commodity {
    var stored: (name: String, unit: String) {
        switch self {
        case .money(let currency): (currency.code, "")
        case .capacity(let resource, let unit): (resource.path, unit.code)
        }
    }

    init(name: String, unit: String) throws {
        self =
            unit.isEmpty
            ? .money(try Currency(name)) : .capacity(try Resource(name), try UnitCode(unit))
    }
}

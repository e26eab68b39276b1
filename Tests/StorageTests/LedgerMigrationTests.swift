import Capacity
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

/// Ledgers with rows in them, as each earlier version kept them: keys of accounts and sums as text.
@Suite struct LedgerMigrationTests {
    /// All of `LedgerTests`, and payments whose sum is beyond 63 bits.
    private static func events() throws -> [TransferEvent] {
        var events = try LedgerTests.events()
        for step in 1...1_100 {
            let transfer = try Money.transfer(
                7, Int64(step), 0, .payment, from: 1, to: 4, wholeNumberMax)
            events += [.reserve(transfer)]
            if step <= 1_050 {
                events.append(.post(transfer.cause, amount: wholeNumberMax, signed: true))
            }
        }
        return events
    }

    @Test(arguments: 1...7)
    func `a ledger of an earlier version keeps rows, order and sums, and goes on`(version: Int)
        throws
    {
        var events = try Self.events()
        var books = try Money.books(events)
        let folder = Folder()
        try Self.write(events, books, as: version, in: folder)

        let database = try Database.open(at: folder.path)
        #expect(try database.check(against: books) == [])
        #expect(try database.storedBooks().dump() == books.dump())
        let accounts = try database.accounts()
        #expect(accounts.map(\.account) == books.balances().map(\.account))
        #expect(accounts.map(\.columns.debits).max() == Int128(wholeNumberMax) * 1_050 + 9)
        let deposit = try Money.transfer(3, 6, 0, .deposit, from: 2, to: 9, 700)
        let more: [TransferEvent] = [
            .post(try Money.transfer(7, 1_100, 0).cause, amount: 1, signed: false),
            .void(try Money.transfer(7, 1_099, 0).cause, reason: "late"),
            .reserve(deposit), .post(deposit.cause, amount: 700, signed: true),
        ]
        try database.commit([.books(more)])
        events += more
        books = try Money.books(events)
        #expect(try database.check(against: books) == [])
        try database.rewriteLedger(books)
        #expect(try database.check(against: books) == [])
        database.close()

        let outsider = try folder.outsider()
        try outsider.read { db in
            #expect(try Schema.version(db) == 8)
            #expect(try String.fetchOne(db, sql: "PRAGMA integrity_check") == "ok")
            #expect(try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").isEmpty)
            let left = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_master WHERE name LIKE '%Before'")
            #expect(left == [])
            let laws = try String.fetchAll(
                db,
                sql: """
                    SELECT name FROM sqlite_master WHERE type = 'trigger'
                        AND tbl_name IN ('transfer', 'account') ORDER BY name
                    """)
            #expect(
                laws == [
                    "accountNeverChanges", "transferPlaceIsFree", "transferPlaceWasFree",
                    "transferResolvesOnce", "transferTermsStay",
                ])
        }
        try outsider.close()
    }

    @Test func `sums of an earlier version that no integer holds are taken over to the unit`()
        throws
    {
        for sum in [
            "4611686018427387903", "4611686018427387904", "9223372036854775808",
            "18446744073709551616", "170141183460469231731",
            "21267647932558653966460912964485513215",
        ] {
            let folder = Folder()
            try Self.write([], Books(), as: 7, in: folder)
            let old = try folder.outsider()
            try old.write { db in
                try db.execute(
                    sql: "INSERT INTO account VALUES (?, ?, 'CNY', '', 'paid', ?, '0')",
                    arguments: [try Money.party(1).data, try Money.party(2).data, sum])
            }
            try old.close()
            let database = try Database.open(at: folder.path)
            #expect(try database.accounts().map { "\($0.columns.debits)" } == [sum])
            database.close()
        }
    }

    /// What a program of that version left behind.
    private static func write(
        _ events: [TransferEvent], _ books: Books, as version: Int, in folder: Folder
    ) throws {
        try FileManager.default.createDirectory(
            atPath: folder.path, withIntermediateDirectories: false,
            attributes: [.posixPermissions: NSNumber(value: 0o700)])
        var orders: [Cause: Int64] = [:]
        var last: [ContractID: Int64] = [:]
        for case .post(let cause, _, _) in events {
            last[cause.contract, default: 0] += 1
            orders[cause] = last[cause.contract]
        }
        let old = try DatabaseQueue(path: folder.ledger)
        try Schema.migrator.migrate(old, upTo: "\(version)")
        try old.write { db in
            try db.execute(
                sql: "INSERT INTO node VALUES (1, zeroblob(32), ?, x'01')",
                arguments: [try Money.party(1).data])
            for row in books.rows { try insert(row, orders[row.transfer.cause], db) }
            for (account, balance) in books.balances() {
                let (name, unit) = account.commodity.stored
                try db.execute(
                    sql: "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?)",
                    arguments: [
                        account.owner.data, account.counterparty.data, name, unit,
                        account.kind.rawValue, "\(balance.debits)", "\(balance.credits)",
                    ])
            }
        }
        try old.close()
        chmod(folder.ledger, 0o600)
    }

    private static func insert(_ row: TransferRow, _ order: Int64?, _ db: GRDB.Database) throws {
        let (name, unit) = row.transfer.commodity.stored
        var arguments: StatementArguments = [
            row.transfer.cause.contract.data, row.transfer.cause.step, row.transfer.cause.index,
            row.transfer.kind.rawValue, row.transfer.from.data, row.transfer.to.data, name, unit,
            row.transfer.amount,
        ]
        switch row.state {
        case .pending: arguments += ["pending", nil, nil, nil]
        case .posted(let amount, let signed): arguments += ["posted", amount, signed, nil]
        case .voided(let reason): arguments += ["voided", nil, nil, reason]
        }
        try db.execute(
            sql: "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: arguments + [row.dischargedAmount, order])
    }
}

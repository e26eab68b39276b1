import Capacity
import Foundation
import Identity
import Ledger
import NodeCore
import Storage

/// The ledger: transfers made durable as they happen, and all of it built anew.
enum Moves {
    /// Payments of contracts with four each, promised and then paid.
    private static func events(_ count: Int) throws -> [TransferEvent] {
        let money = Commodity.money(try Currency("CNY"))
        var people: [DID] = []
        for number in 0..<100 {
            guard let key = SigningKey(seed: SecretBytes(SHA256.hash([3, UInt8(number)]).bytes))
            else { throw BenchRefusal.setUp("key") }
            people.append(DID(key.publicKey))
        }
        var all: [TransferEvent] = []
        all.reserveCapacity(2 * count)
        var contract = ContractID.zero
        for number in 0..<count {
            if number % 4 == 0 {
                let seed = SHA256.hash(Array("\(number)".utf8))
                guard let id = ContractID(seed.bytes) else { throw BenchRefusal.setUp("contract") }
                contract = id
            }
            let cause = Cause(contract: contract, step: Int64(number % 4), index: 0)
            let (from, to) = (people[number / 4 % 100], people[(number / 4 + 1 + number % 7) % 100])
            all.append(
                .reserve(
                    Transfer(
                        cause: cause, kind: .payment, from: from, to: to, commodity: money,
                        amount: Int64(number % 9_000) + 1_000)))
            all.append(.post(cause, amount: Int64(number % 9_000) + 1_000, signed: true))
        }
        return all
    }

    /// `count` transfers anew from the events that entries gave, over bare insertion of as many rows.
    static func rebuild(_ count: Int) async throws -> [String: Double] {
        let events = try events(count)
        return try await inFolder { folder in
            let database = try Database.open(at: try Ingest.ledger(in: folder, "home"))
            let begun = seconds()
            var books = Books()
            for event in events {
                try books.decide(event)
                books.apply(event)
            }
            let folded = seconds() - begun
            try database.rewriteLedger(replaying: events)
            let took = seconds() - begun
            guard try database.transferRows().count == count else {
                throw BenchRefusal.setUp("transfers")
            }
            database.close()
            let bare = try insert(events, try Ingest.ledger(in: folder, "bare") + "/ledger.sqlite")
            return [
                "transfers": Double(count), "s": took, "folding_s": folded, "bare_s": bare,
                "resident_mib": resident() / 1_048_576,
            ]
        }
    }

    private static func insert(_ events: [TransferEvent], _ path: String) throws -> Double {
        let bare = try BareDatabase(path)
        let begun = seconds()
        try bare.run("BEGIN IMMEDIATE")
        // Lifted while a ledger is written anew, there as here.
        try bare.run("DROP TRIGGER transferPlaceIsFree")
        for event in events {
            guard case .reserve(let transfer) = event else { continue }
            try bare.run(
                """
                INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit,
                    amount, state, posted, isSigned, reason, discharged, postedOrder)
                VALUES (?, ?, ?, 'payment', ?, ?, 'CNY', '', ?, 'posted', ?, 1, NULL, 0, ?)
                """,
                [
                    .bytes(transfer.cause.contract.bytes), .number(transfer.cause.step),
                    .number(0), .bytes(transfer.from.bytes), .bytes(transfer.to.bytes),
                    .number(transfer.amount), .number(transfer.amount),
                    .number(transfer.cause.step + 1),
                ])
        }
        try bare.run("COMMIT")
        return seconds() - begun
    }

    /// Durable transfers, `batch` to a commit, over five statements each: the transfer, two guarded
    /// balances, two postings.
    static func durable(_ count: Int, batch: Int) async throws -> [String: Double] {
        let events = try events(count)
        return try await inFolder { folder in
            let database = try Database.open(at: try Ingest.ledger(in: folder, "home"))
            let begun = seconds()
            for start in stride(from: 0, to: events.count, by: 2 * batch) {
                try database.commit([
                    .books(Array(events[start..<min(start + 2 * batch, events.count)]))
                ])
            }
            let took = seconds() - begun
            database.close()
            let bare = try fiveStatements(events, batch, "\(folder)/five.sqlite")
            return [
                "transfers": Double(count), "per_s": Double(count) / took,
                "bare_per_s": Double(count) / bare,
            ]
        }
    }

    private static func fiveStatements(_ events: [TransferEvent], _ batch: Int, _ path: String)
        throws -> Double
    {
        let bare = try BareDatabase(path)
        try bare.run(
            """
            CREATE TABLE transfer (id BLOB PRIMARY KEY, debit INTEGER, credit INTEGER,
                amount INTEGER) STRICT, WITHOUT ROWID;
            CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT;
            CREATE TABLE posting (id INTEGER PRIMARY KEY, transfer BLOB, account INTEGER,
                amount INTEGER) STRICT
            """)
        var accounts: [DID: Int64] = [:]
        for case .reserve(let transfer) in events {
            for did in [transfer.from, transfer.to] where accounts[did] == nil {
                let id = Int64(accounts.count)
                accounts[did] = id
                try bare.run("INSERT INTO account VALUES (?, 1000000000000)", [.number(id)])
            }
        }
        let begun = seconds()
        var inside = 0
        for case .reserve(let transfer) in events {
            if inside == 0 { try bare.run("BEGIN IMMEDIATE") }
            let id = transfer.cause.contract.bytes + [UInt8(transfer.cause.step)]
            let (debit, credit) = (accounts[transfer.from] ?? 0, accounts[transfer.to] ?? 0)
            let amount = transfer.amount
            try bare.run(
                "INSERT INTO transfer VALUES (?, ?, ?, ?)",
                [.bytes(id), .number(debit), .number(credit), .number(amount)])
            try bare.run(
                "UPDATE account SET balance = balance - ? WHERE id = ? AND balance >= ?",
                [.number(amount), .number(debit), .number(amount)])
            try bare.run(
                "UPDATE account SET balance = balance + ? WHERE id = ?",
                [.number(amount), .number(credit)])
            for (account, signed) in [(debit, -amount), (credit, amount)] {
                try bare.run(
                    "INSERT INTO posting (transfer, account, amount) VALUES (?, ?, ?)",
                    [.bytes(id), .number(account), .number(signed)])
            }
            inside += 1
            if inside == batch {
                try bare.run("COMMIT")
                inside = 0
            }
        }
        if inside > 0 { try bare.run("COMMIT") }
        return seconds() - begun
    }
}

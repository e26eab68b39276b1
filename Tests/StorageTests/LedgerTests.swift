import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

@Suite struct LedgerTests {
    /// Two depositors, paid in against the order of their causes; a payout, a payment and one more deposit
    /// after it, all the rest paid out; a claim half cleared, units.
    private static func events() throws -> [TransferEvent] {
        let first = try Money.transfer(3, 1, 0, .deposit, from: 1, to: 9, 40_000)
        let second = try Money.transfer(3, 1, 1, .deposit, from: 2, to: 9, 30_000)
        let payout = try Money.transfer(3, 2, 0, .payout, from: 9, to: 4, 35_000)
        let between = try Money.transfer(3, 3, 0, from: 1, to: 4, 9)
        let third = try Money.transfer(3, 4, 0, .deposit, from: 1, to: 9, 1_000)
        let rest = try Money.transfer(3, 5, 0, .payout, from: 9, to: 4, 36_000)
        let claim = try Money.transfer(5, 2, 1, .claim, from: 4, to: 1, 500)
        let units = try Money.transfer(5, 1, 0, .capacity, from: 4, to: 1, 80)
        let late = try Money.transfer(5, 1, 1, from: 1, to: 4, 7)
        return [
            .reserve(first), .reserve(second),
            .post(second.cause, amount: 30_000, signed: true),
            .post(first.cause, amount: 40_000, signed: false),
            .reserve(payout), .post(payout.cause, amount: 35_000, signed: true),
            .reserve(between), .post(between.cause, amount: 9, signed: true),
            .reserve(third), .post(third.cause, amount: 1_000, signed: true),
            .reserve(rest), .post(rest.cause, amount: 36_000, signed: true),
            .reserve(units), .reserve(late), .void(late.cause, reason: "late"),
            .reserve(claim), .post(claim.cause, amount: 500, signed: true),
            .discharge(claim.cause, amount: 200),
            .post(units.cause, amount: 60, signed: true),
        ]
    }

    @Test func `the tables keep the books, commit by commit`() throws {
        let play = try Play()
        var books = Books()
        for event in try Self.events() {
            books.apply(event)
            try play.database.commit([.books([event])])
            #expect(try play.database.storedBooks().dump() == books.dump())
            #expect(try play.database.check(against: books) == [])
        }
        #expect(
            try play.database.transferRows().map(\.transfer.cause)
                == books.rows.map(\.transfer.cause))
        #expect(try play.database.accounts().map(\.account) == books.balances().map(\.account))
        play.database.close()
    }

    @Test func `sums beyond sixty-three bits are kept`() throws {
        let play = try Play()
        var events: [TransferEvent] = []
        for step in 1...1_100 {
            let transfer = try Money.transfer(
                UInt8(1 + step % 7), Int64(step), 0, .payment, amountMax)
            events += [.reserve(transfer), .post(transfer.cause, amount: amountMax, signed: true)]
        }
        try play.database.commit([.books(events)])
        let debits = try play.database.accounts().map(\.columns.debits).max()
        #expect(debits == Int128(amountMax) * 1_100)
        #expect(try play.database.check(against: try Money.books(events)) == [])
        play.database.close()
    }

    @Test func `a damaged balance is named, and the ledger written anew`() throws {
        let play = try Play()
        let books = try Money.books(try Self.events())
        try play.database.commit([.books(try Self.events())])
        play.database.close()
        let outsider = try play.folder.outsider()
        try outsider.write { db in
            try db.execute(
                sql: """
                    UPDATE account SET debits = '1' WHERE kind = 'owed' AND debits = '500';
                    DELETE FROM transfer WHERE kind = 'capacity';
                    """)
        }
        try outsider.close()
        let again = try Database.open(at: play.folder.path)
        let account = Account(
            owner: try Money.party(1), counterparty: try Money.party(4),
            commodity: .money(try Currency("CNY")), kind: .owed)
        let row = try #require(books.rows.first { $0.transfer.kind == .capacity })
        let differences = try again.check(against: books)
        #expect(
            differences == [
                .transfer(row.transfer.cause, stored: nil, rebuilt: StoredTransfer(row)),
                .account(
                    account, stored: Columns(debits: 1, credits: 200),
                    rebuilt: Columns(debits: 500, credits: 200)),
            ])
        let text = differences.map(\.description).joined(separator: "\n")
        #expect(text.contains("owed CNY of"))
        #expect(text.contains("stored debits 1, credits 200, rebuilt debits 500, credits 200"))
        try again.rewriteLedger(books)
        #expect(try again.check(against: books) == [])
        #expect(try again.storedBooks().dump() == books.dump())
        again.close()
    }

    @Test func `where the order of posting is lost it is asked for, not guessed`() throws {
        let play = try Play()
        let events = try Self.events()
        let books = try Money.books(events)
        try #expect(
            refusal { try play.database.rewriteLedger(books) }
                == .postingOrderUnknown(ContractKey.of(3).contract))
        #expect(try play.database.transferRows().isEmpty)
        try play.database.rewriteLedger(replaying: events)
        #expect(try play.database.check(against: books) == [])
        try play.database.rewriteLedger(books)
        #expect(try play.database.check(against: books) == [])
        play.database.close()
    }

    @Test func `what the books refuse is not written`() throws {
        let play = try Play()
        let transfer = try Money.transfer(3, 1, 0)
        try play.database.commit([.books([.reserve(transfer)])])
        #expect(
            refusal {
                try play.database.commit([
                    .petname(play.alice.did, "me"),
                    .books([.post(transfer.cause, amount: 50_001, signed: true)]),
                ])
            } == .ledger(.abovePending(pending: 50_000, requested: 50_001)))
        #expect(try play.database.load().0.petnames.isEmpty)
        play.database.close()
    }

    private var amountMax: Int64 { wholeNumberMax }
}

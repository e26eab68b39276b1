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
    static func events() throws -> [TransferEvent] {
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

    @Test func `sums beyond sixty-three bits are kept, commit by commit and all at once`() throws {
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
        // Across 2^62, 2^63 and 2^64 in steps, from what is stored already.
        for step in 1_101...1_102 {
            for part in 0..<1_100 {
                let transfer = try Money.transfer(
                    UInt8(1 + step % 7), Int64(step), Int64(part), .payment, amountMax)
                let more: [TransferEvent] = [
                    .reserve(transfer), .post(transfer.cause, amount: amountMax, signed: true),
                ]
                events += more
                if part % 100 == 99 { try play.database.commit([.books(events.suffix(200))]) }
            }
        }
        #expect(
            try play.database.accounts().map(\.columns.debits).max()
                == Int128(amountMax) * 3_300)
        #expect(try play.database.check(against: try Money.books(events)) == [])
        play.database.close()
    }

    @Test func `a sum beyond sixty-three bits goes down again, at once and one by one`() throws {
        let play = try Play()
        let transfers = try (1...2_100).map {
            try Money.transfer(UInt8(1 + $0 % 7), Int64($0), 0, .payment, amountMax)
        }
        var events: [TransferEvent] = transfers.map { .reserve($0) }
        try play.database.commit([.books(events)])
        #expect(
            try play.database.accounts().map(\.columns.debits).max()
                == Int128(amountMax) * 2_100)
        // 1,060 together, a change of more than 63 bits; the others past 2^63 and 2^62 to nothing.
        let voids = transfers.map { TransferEvent.void($0.cause, reason: "late") }
        for part in [voids[..<1_060], voids[1_060..<1_061], voids[1_061..<2_099], voids[2_099...]] {
            try play.database.commit([.books(Array(part))])
            events += part
            #expect(try play.database.check(against: try Money.books(events)) == [])
        }
        #expect(try play.database.accounts().isEmpty)
        play.database.close()
    }

    @Test func `an account that came back to nothing does not stand, and counts again`() throws {
        let play = try Play()
        let (first, second) = (try Money.transfer(3, 1, 0), try Money.transfer(4, 1, 0))
        let events: [TransferEvent] = [
            .reserve(first), .void(first.cause, reason: "late"), .reserve(second),
        ]
        for (number, event) in events.enumerated() {
            try play.database.commit([.books([event])])
            let books = try Money.books(Array(events[...number]))
            #expect(try play.database.check(against: books) == [])
            #expect(try play.database.accounts().isEmpty == (number == 1))
        }
        play.database.close()
        let outsider = try play.folder.outsider()
        let numbers = try outsider.read {
            try Int.fetchOne($0, sql: "SELECT max(number) FROM account")
        }
        #expect(numbers == 2)
        try outsider.close()
    }

    @Test func `what a refused commit learned of accounts is forgotten with it`() throws {
        let play = try Play()
        let (first, second) = (try Money.transfer(3, 1, 0), try Money.transfer(4, 1, 0, from: 5))
        try play.database.commit([.books([.reserve(first)])])
        // Accounts of the first one are made before the second is refused.
        #expect(
            refusal {
                try play.database.commit([
                    .books([.reserve(try Money.transfer(3, 0, 0, from: 5)), .reserve(first)])
                ])
            } == .ledger(.causeRepeated(first.cause)))
        // Numbers that the refused one took belong to others now.
        let other = try Money.transfer(7, 1, 0, from: 8)
        try play.database.commit([.books([.reserve(other)])])
        try play.database.commit([.books([.reserve(second)])])
        let events: [TransferEvent] = [.reserve(first), .reserve(other), .reserve(second)]
        #expect(try play.database.check(against: try Money.books(events)) == [])
        // And after the ledger was written anew.
        let books = try Money.books(events)
        try play.database.rewriteLedger(books)
        let last = try Money.transfer(8, 1, 0, from: 5)
        try play.database.commit([.books([.reserve(last)])])
        #expect(
            try play.database.check(against: try Money.books(events + [.reserve(last)])) == [])
        play.database.close()
    }

    @Test func `an account whose balance is gone stops a commit and is named, and mended`() throws {
        let play = try Play()
        let (first, second) = (try Money.transfer(3, 1, 0), try Money.transfer(4, 1, 0))
        try play.database.commit([.books([.reserve(first)])])
        play.database.close()
        let outsider = try play.folder.outsider()
        try outsider.write { try $0.execute(sql: "DELETE FROM balance WHERE creditsLow = 0") }
        try outsider.close()
        let again = try Database.open(at: play.folder.path)
        #expect(
            refusal { try again.commit([.books([.reserve(second)])]) }
                == .corrupt(detail: "account 1 has no balance"))
        let books = try Money.books([.reserve(first)])
        #expect(try again.compare(to: books, repair: true).count == 1)
        try again.commit([.books([.reserve(second)])])
        #expect(
            try again.check(against: try Money.books([.reserve(first), .reserve(second)])) == [])
        again.close()
    }

    @Test func `the order of posting goes on where a later commit brings more of a contract`()
        throws
    {
        let play = try Play()
        var events: [TransferEvent] = []
        for step in 1...4 {
            let deposit = try Money.transfer(
                3, Int64(5 - step), 0, .deposit, from: UInt8(step), to: 9, 1_000)
            let more: [TransferEvent] = [
                .reserve(deposit), .post(deposit.cause, amount: 1_000, signed: true),
            ]
            events += more
            try play.database.commit([.books(more)])
        }
        // Of the depositor who paid in first, though his cause is the last.
        let payout = try Money.transfer(3, 9, 0, .payout, from: 9, to: 7, 1_500)
        let last: [TransferEvent] = [
            .reserve(payout), .post(payout.cause, amount: 1_500, signed: true),
        ]
        events += last
        try play.database.commit([.books(last)])
        let books = try Money.books(events)
        #expect(try play.database.check(against: books) == [])
        #expect(try play.database.storedBooks().dump() == books.dump())
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
                    UPDATE balance SET debitsLow = 1 WHERE debitsLow = 500 AND account IN (
                        SELECT number FROM account WHERE kind = 'owed');
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

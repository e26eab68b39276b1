import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

/// What must not be, tried past all code of ours: SQLite itself refuses.
@Suite struct LawTests {
    struct Law: CustomTestStringConvertible, Sendable {
        let name: String
        let sql: String
        let says: String

        init(_ name: String, _ sql: String, says: String) {
            self.name = name
            self.sql = sql
            self.says = says
        }

        var testDescription: String { name }
    }

    /// `held` is the newest of four own entries in its log, `other` a spare id.
    static let laws = [
        Law(
            "an entry changes", "UPDATE entry SET body = x'00'", says: "entries are append-only"),
        Law("an entry goes", "DELETE FROM entry", says: "entries are append-only"),
        Law(
            "an id comes twice",
            entry(id: "(SELECT id FROM entry WHERE position = 1)", log: "zeroblob(32)"),
            says: "entry.id"),
        Law(
            "an id is short", entry(id: "x'00'", log: "zeroblob(32)"), says: "length(id) = 32"),
        Law(
            "two entries at one place", entry(log: publicLog, sequence: 1), says: "entry.log"),
        Law(
            "two own entries at one place",
            entry(log: publicLog, sequence: 1, author: "(SELECT did FROM node)", own: "5"),
            says: "entry.log"),
        Law(
            "an entry above a gap", entry(log: publicLog, sequence: 9, previous: newest),
            says: "follows the one before"),
        Law(
            "an entry on another log's",
            entry(log: "zeroblob(32)", sequence: 2, previous: newest),
            says: "follows the one before"),
        Law(
            "an own entry without a number", entry(author: "(SELECT did FROM node)"),
            says: "numbered"),
        Law("another's entry with a number", entry(own: "5"), says: "numbered"),
        Law(
            "a number left out", entry(author: "(SELECT did FROM node)", own: "6"),
            says: "without gaps"),
        Law("a statement among entries", entry(kind: 40), says: "kind < 40"),
        Law(
            "a statement changes", "UPDATE statement SET body = x'00'",
            says: "statements are append-only"),
        Law("a statement goes", "DELETE FROM statement", says: "append-only"),
        Law(
            "a statement comes twice",
            """
            INSERT INTO statement (id, author, contract, header, signature, body)
            SELECT id, author, contract, header, signature, body FROM statement
            """, says: "statement.id"),
        Law(
            "a statement about no contract",
            """
            INSERT INTO statement (id, author, contract, header, signature)
            VALUES (randomblob(32), zeroblob(32), zeroblob(32), x'01', zeroblob(64))
            """, says: "FOREIGN KEY"),
        Law(
            "a fork of nothing",
            """
            INSERT INTO fork (log, sequence, held, rival)
            VALUES (zeroblob(32), 1, zeroblob(32), randomblob(32))
            """, says: "FOREIGN KEY"),
        Law(
            "one delivery twice",
            """
            INSERT INTO outbox (statement, recipient, expires)
            SELECT statement, recipient, expires FROM outbox
            """, says: "outbox.statement, outbox.recipient"),
        Law(
            "a delivery of nothing",
            "INSERT INTO outbox (statement, recipient, expires) "
                + "VALUES (zeroblob(32), zeroblob(32), 1)", says: "FOREIGN KEY"),
        Law(
            "a contract key of 31 bytes",
            "INSERT INTO contractKey (contract, key) VALUES (zeroblob(32), zeroblob(31))",
            says: "length(key) = 32"),
        Law(
            "a second key of one contract",
            "INSERT INTO contractKey (contract, key) "
                + "SELECT contract, randomblob(32) FROM contractKey", says: "contractKey.contract"),
        Law(
            "a line below zero", "UPDATE line SET remaining = -1", says: "0 <= remaining"),
        Law(
            "a line above its total", "UPDATE line SET remaining = total + 1",
            says: "remaining <= total"),
        Law(
            "one cause twice", transfer("contract, step, idx"),
            says: "transfer.contract, transfer.step, transfer.idx"),
        Law("a transfer of nothing", transfer(amount: "0"), says: "amount > 0"),
        Law("a transfer to oneself", transfer(credit: "debit"), says: "debit <> credit"),
        Law("a transfer in no state", transfer(state: "'gone'"), says: "state = 'pending'"),
        Law("a posted transfer with no amount", transfer(state: "'posted'"), says: "posted"),
        Law(
            "more posted than pending",
            "UPDATE transfer SET state = 'posted', posted = amount + 1, isSigned = 1, "
                + "postedOrder = 9 WHERE state = 'pending'", says: "posted <= amount"),
        Law(
            "a void without a reason",
            "UPDATE transfer SET state = 'voided' WHERE state = 'pending'", says: "reason"),
        Law(
            "a posted transfer voided",
            "UPDATE transfer SET state = 'voided', posted = NULL, isSigned = NULL, "
                + "postedOrder = NULL, reason = 'no' WHERE state = 'posted'", says: "final"),
        Law(
            "a posted amount changed",
            "UPDATE transfer SET posted = posted - 1 WHERE state = 'posted'", says: "final"),
        Law(
            "a voided transfer pending again",
            "UPDATE transfer SET state = 'pending', reason = NULL WHERE state = 'voided'",
            says: "final"),
        Law("a transfer raised", "UPDATE transfer SET amount = amount + 1", says: "never changes"),
        Law(
            "a discharge of what is no claim",
            "UPDATE transfer SET discharged = 1 WHERE state = 'posted'", says: "kind = 'claim'"),
        Law(
            "a place in the order of posting taken twice",
            """
            INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit, amount,
                state, posted, isSigned, postedOrder)
            SELECT contract, step, idx + 10, kind, debit, credit, commodity, unit, amount,
                state, posted, isSigned, postedOrder
            FROM transfer WHERE state = 'posted'
            """, says: "a place in the order of posting is taken"),
        Law(
            "a place in the order of posting taken by what was pending",
            "UPDATE transfer SET state = 'posted', posted = amount, isSigned = 1, "
                + "postedOrder = (SELECT max(postedOrder) FROM transfer) WHERE state = 'pending'",
            says: "a place in the order of posting is taken"),
        Law(
            "a balance below zero",
            "UPDATE balance SET debitsHigh = debitsHigh + ((debitsLow - 1) >> 62), "
                + "debitsLow = (debitsLow - 1) & 4611686018427387903 "
                + "WHERE debitsHigh = 0 AND debitsLow = 0", says: "debitsHigh >= 0"),
        Law(
            "a balance below zero on the other side",
            "UPDATE balance SET creditsHigh = -1", says: "creditsHigh >= 0"),
        Law(
            "a lower half below zero", "UPDATE balance SET debitsLow = -1",
            says: "debitsLow BETWEEN"),
        Law(
            "a lower half that was not carried",
            "UPDATE balance SET creditsLow = 4611686018427387904", says: "creditsLow BETWEEN"),
        Law(
            "a sum beyond the higher half",
            "UPDATE balance SET debitsHigh = 9223372036854775807 + (account > 0)",
            says: "cannot store REAL value in INTEGER column balance.debitsHigh"),
        Law(
            "a balance of no account", "INSERT INTO balance (account) VALUES (99)",
            says: "FOREIGN KEY"),
        Law("an account gone from its balance", "DELETE FROM account", says: "FOREIGN KEY"),
        Law(
            "a second balance", "INSERT INTO balance (account) SELECT account FROM balance",
            says: "balance.account"),
        Law(
            "an account twice",
            "INSERT INTO account (owner, counterparty, commodity, unit, kind) "
                + "SELECT owner, counterparty, commodity, unit, kind FROM account",
            says: "account.owner, account.counterparty"),
        Law(
            "an account that counts something else", "UPDATE account SET kind = 'owed'",
            says: "never changes"),
        Law(
            "an account of no kind",
            "INSERT INTO account (owner, counterparty, commodity, unit, kind) "
                + "VALUES (randomblob(32), randomblob(32), 'CNY', '', 'lent')", says: "kind IN"),
        Law(
            "a balance with oneself",
            "INSERT INTO account (owner, counterparty, commodity, unit, kind) "
                + "VALUES (zeroblob(32), zeroblob(32), 'CNY', '', 'due')",
            says: "owner <> counterparty"),
        Law(
            "a second name for one", "INSERT INTO petname SELECT did, 'other' FROM petname",
            says: "petname.did"),
        Law(
            "a peer twice", "INSERT INTO peer (host, port) SELECT host, port FROM peer",
            says: "peerOnce"),
        Law("a peer on no port", "UPDATE peer SET port = 0", says: "port BETWEEN"),
        Law(
            "a text where bytes belong", "UPDATE petname SET did = 'bob'",
            says: "cannot store TEXT value in BLOB column"),
        Law(
            "an alliance neither left nor not", "UPDATE alliance SET isLeft = 2", says: "isLeft IN"),
        Law(
            "a second node in one file",
            "INSERT INTO node SELECT 2, file, did, founding FROM node", says: "one = 1"),
    ]

    @Test(arguments: laws) func `SQLite itself refuses`(law: Law) throws {
        let play = try LawTests.filled()
        let outsider = try play.folder.outsider()
        let error = #expect(throws: DatabaseError.self) {
            try outsider.write { try $0.execute(sql: law.sql) }
        }
        #expect(error?.resultCode == .SQLITE_CONSTRAINT)
        #expect(error?.message?.contains(law.says) == true, "\(error?.message ?? "")")
        try outsider.close()
    }

    /// One of everything.
    private static func filled() throws -> Play {
        var play = try Play()
        let key = try ContractKey.of(3)
        let statement = try play.alice.say([5])
        let transfers = try (0..<3).map { try Money.transfer(3, 1, $0) }
        try play.database.commit([
            .entry(try play.alice.append([1]), own: true),
            .contractKey(key.contract, key.bytes),
            .statement(statement, contract: key.contract),
            .outbox(
                OutboxItem(
                    statement: statement.entry, recipient: play.alice.did, contractKey: nil,
                    expires: .latest)),
            .line(play.alice.publicLog, issuer: play.alice.did, total: 5, remaining: 5),
            .petname(play.alice.did, "me"), .alliance(foundingBody: [1], isLeft: false),
            .peer(PeerAddress(host: "h", port: 1, did: nil), added: true),
            .books(
                transfers.map { .reserve($0) } + [
                    .post(transfers[1].cause, amount: 50_000, signed: true),
                    .void(transfers[2].cause, reason: "late"),
                ]),
        ])
        play.database.close()
        return play
    }

    private static let publicLog = "(SELECT log FROM entry ORDER BY position DESC LIMIT 1)"
    private static let newest = "(SELECT id FROM entry ORDER BY position DESC LIMIT 1)"

    private static func entry(
        id: String = "randomblob(32)", log: String = "randomblob(32)", sequence: Int = 1,
        previous: String = "NULL", author: String = "zeroblob(32)", kind: Int = 4,
        own: String = "NULL"
    ) -> String {
        """
        INSERT INTO entry (id, log, sequence, previous, author, kind, header, signature, isRival,
            ownNumber)
        VALUES (\(id), \(log), \(sequence), \(previous), \(author), \(kind), x'01',
            zeroblob(64), 0, \(own))
        """
    }

    /// The pending transfer again, under another cause unless one is given.
    private static func transfer(
        _ cause: String = "contract, step, idx + 10", credit: String = "credit",
        amount: String = "amount", state: String = "state"
    ) -> String {
        """
        INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit, amount,
            state)
        SELECT \(cause), kind, debit, \(credit), commodity, unit, \(amount), \(state)
        FROM transfer WHERE state = 'pending'
        """
    }
}

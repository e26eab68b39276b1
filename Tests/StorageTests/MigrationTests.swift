import Entries
import Foundation
import GRDB
import Identity
import NodeCore
import Testing

@testable import Storage

/// Old files stay readable for ever. The schemas here are frozen copies: they never follow the code.
@Suite struct MigrationTests {
    @Test func `a file of version 1 opens with everything in it`() throws {
        var alice = try Player(97)
        let bob = try Player(98, joining: alice.genesis.alliance)
        let folder = Folder()
        try FileManager.default.createDirectory(
            atPath: folder.path, withIntermediateDirectories: false,
            attributes: [.posixPermissions: NSNumber(value: 0o700)])
        let file = Hash32([UInt8](repeating: 8, count: 32)) ?? .zero
        let own = alice.genesis.entries + [try alice.append([1])]
        let statement = try bob.say([2])
        let key = try ContractKey.of(3)
        let old = try DatabaseQueue(path: folder.ledger)
        try old.write { db in
            try db.execute(sql: Self.version1)
            try db.execute(
                sql: """
                    CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
                    INSERT INTO grdb_migrations VALUES ('1');
                    """)
            try db.execute(
                sql: "INSERT INTO node VALUES (1, ?, ?, ?)",
                arguments: [
                    Data(file.bytes), Data(alice.did.bytes),
                    Data(alice.genesis.alliance.foundingBody),
                ])
            for (number, valid) in own.enumerated() { try insert(valid, Int64(number + 1), db) }
            for valid in bob.genesis.entries { try insert(valid, nil, db) }
            try db.execute(
                sql: "INSERT INTO contractKey (contract, key) VALUES (?, ?)",
                arguments: [Data(key.contract.bytes), Data(key.bytes)])
            try db.execute(
                sql: "INSERT INTO statement VALUES (1, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    Data(statement.id.bytes), Data(bob.did.bytes), Data(key.contract.bytes),
                    Data(statement.entry.headerBytes), Data(statement.entry.signature.bytes),
                    statement.entry.body.map { Data($0) },
                ])
        }
        try old.close()
        chmod(folder.ledger, 0o600)
        var sidecar = Sidecar(path: folder.sidecar)
        try sidecar.write(
            HighWater(
                file: file, machine: Machine.hash(), count: 4, newest: try #require(own.last).id))
        sidecar.close()

        // A backup is taken of it as it is, before anything is brought up to date.
        let copy = folder.path + "/copy"
        try LedgerCopy.make(of: folder.path, to: copy)
        let copied = try LedgerCopy(reading: copy)
        #expect(copied.schema == 1 && copied.did == alice.did)
        #expect(copied.own.values.reduce(0) { $0 + $1.count } == own.count)

        let database = try Database.open(at: folder.path)
        let (snapshot, alliance) = try database.load()
        #expect(alliance == alice.genesis.alliance)
        #expect(snapshot.readOnly == nil)
        #expect(snapshot.entries.map(\.entry) == (own + bob.genesis.entries).map(\.entry))
        // Ours we signed; of others it was not kept, so it counts as not checked.
        #expect(
            snapshot.entries.map(\.ownSignatureChecked)
                == own.map { _ in true } + bob.genesis.entries.map { _ in false })
        #expect(snapshot.statements.map(\.0) == [statement])
        #expect(snapshot.contractKeys == [key.bytes])
        try database.commit([.entry(try alice.append([2]), own: true)])
        database.close()
        let again = try Database.open(at: folder.path)
        #expect(try again.load().0.entries.count == own.count + bob.genesis.entries.count + 1)
        again.close()
        let outsider = try folder.outsider()
        #expect(
            throws: DatabaseError.self, "the migration put the trigger back",
            performing: {
                try outsider.write { try $0.execute(sql: "UPDATE entry SET body = NULL") }
            })
        try outsider.close()
    }

    @Test func `a newer file is refused with both numbers`() throws {
        let play = try Play()
        play.database.close()
        let outsider = try play.folder.outsider()
        try outsider.write {
            try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9')")
        }
        try outsider.close()
        #expect(
            refusal { try Database.open(at: play.folder.path) }
                == .newerSchema(found: 9, known: 8))
    }

    private func insert(_ valid: ValidEntry, _ number: Int64?, _ db: GRDB.Database) throws {
        let place = try #require(valid.header.log)
        try db.execute(
            sql: "INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            arguments: [
                Data(valid.id.bytes), Data(place.log.bytes), place.sequence,
                place.previous.map { Data($0.bytes) }, Data(valid.header.author.bytes),
                valid.header.kind, Data(valid.entry.headerBytes),
                Data(valid.entry.signature.bytes), valid.entry.body.map { Data($0) }, number,
            ])
    }

    private static let version1 = """
        CREATE TABLE node (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            file BLOB NOT NULL CHECK (length(file) = 32),
            did BLOB NOT NULL CHECK (length(did) = 32),
            founding BLOB NOT NULL
        ) STRICT;

        CREATE TABLE entry (
            position INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
            log BLOB NOT NULL CHECK (length(log) = 32),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            previous BLOB CHECK ((previous IS NULL) = (sequence = 1)),
            author BLOB NOT NULL CHECK (length(author) = 32),
            kind INTEGER NOT NULL CHECK (kind < 40),
            header BLOB NOT NULL CHECK (length(header) BETWEEN 1 AND 4096),
            signature BLOB NOT NULL CHECK (length(signature) = 64),
            body BLOB,
            isRival INTEGER NOT NULL CHECK (isRival IN (0, 1)),
            ownNumber INTEGER UNIQUE
                CHECK (ownNumber IS NULL OR (ownNumber >= 1 AND isRival = 0))
        ) STRICT;
        CREATE UNIQUE INDEX entryPlace ON entry (log, sequence) WHERE isRival = 0;
        CREATE INDEX entryRival ON entry (log, sequence) WHERE isRival = 1;
        CREATE TRIGGER entryFollows BEFORE INSERT ON entry
        WHEN NEW.sequence > 1 AND NOT EXISTS (
            SELECT 1 FROM entry WHERE id = NEW.previous AND log = NEW.log
                AND sequence = NEW.sequence - 1 AND author = NEW.author)
        BEGIN SELECT RAISE(ABORT, 'an entry follows the one before it'); END;
        CREATE TRIGGER entryOwnCounts BEFORE INSERT ON entry
        WHEN (NEW.ownNumber IS NOT NULL)
            <> (NEW.isRival = 0 AND NEW.author = (SELECT did FROM node))
        BEGIN SELECT RAISE(ABORT, 'our own entries are numbered, and no others'); END;
        CREATE TRIGGER entryOwnNumber BEFORE INSERT ON entry
        WHEN NEW.ownNumber <> (SELECT coalesce(max(ownNumber), 0) + 1 FROM entry)
        BEGIN SELECT RAISE(ABORT, 'own entries are numbered without gaps'); END;
        CREATE TRIGGER entryNeverChanges BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
        CREATE TRIGGER entryNeverGoes BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

        CREATE TABLE fork (
            position INTEGER PRIMARY KEY,
            log BLOB NOT NULL CHECK (length(log) = 32),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            held BLOB NOT NULL REFERENCES entry (id),
            rival BLOB NOT NULL REFERENCES entry (id) CHECK (rival <> held),
            UNIQUE (log, held, rival)
        ) STRICT;
        CREATE TRIGGER forkNeverChanges BEFORE UPDATE ON fork
        BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;
        CREATE TRIGGER forkNeverGoes BEFORE DELETE ON fork
        BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;

        CREATE TABLE contractKey (
            position INTEGER PRIMARY KEY,
            contract BLOB NOT NULL UNIQUE CHECK (length(contract) = 32),
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32)
        ) STRICT;

        CREATE TABLE statement (
            position INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
            author BLOB NOT NULL CHECK (length(author) = 32),
            contract BLOB REFERENCES contractKey (contract),
            header BLOB NOT NULL CHECK (length(header) BETWEEN 1 AND 4096),
            signature BLOB NOT NULL CHECK (length(signature) = 64),
            body BLOB
        ) STRICT;
        CREATE TRIGGER statementNeverChanges BEFORE UPDATE ON statement
        BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
        CREATE TRIGGER statementNeverGoes BEFORE DELETE ON statement
        BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

        CREATE TABLE outbox (
            position INTEGER PRIMARY KEY,
            statement BLOB NOT NULL REFERENCES statement (id),
            recipient BLOB NOT NULL CHECK (length(recipient) = 32),
            contractKey BLOB CHECK (length(contractKey) = 32),
            expires INTEGER NOT NULL CHECK (expires BETWEEN 1 AND 9007199254740991),
            UNIQUE (statement, recipient)
        ) STRICT;

        CREATE TABLE line (
            log BLOB NOT NULL PRIMARY KEY CHECK (length(log) = 32),
            issuer BLOB NOT NULL CHECK (length(issuer) = 32),
            total INTEGER NOT NULL CHECK (total <= 9007199254740991),
            remaining INTEGER NOT NULL CHECK (0 <= remaining AND remaining <= total)
        ) STRICT;

        CREATE TABLE transfer (
            contract BLOB NOT NULL CHECK (length(contract) = 32),
            step INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            kind TEXT NOT NULL
                CHECK (kind IN ('payment', 'deposit', 'payout', 'capacity', 'claim')),
            debit BLOB NOT NULL CHECK (length(debit) = 32),
            credit BLOB NOT NULL CHECK (length(credit) = 32),
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL CHECK ((kind = 'capacity') = (unit <> '')),
            amount INTEGER NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
            state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
            posted INTEGER CHECK (posted > 0 AND posted <= amount)
                CHECK ((posted IS NOT NULL) = (state = 'posted')),
            isSigned INTEGER CHECK (isSigned IN (0, 1))
                CHECK ((isSigned IS NOT NULL) = (state = 'posted')),
            reason TEXT CHECK ((reason IS NOT NULL) = (state = 'voided')),
            discharged INTEGER NOT NULL DEFAULT 0
                CHECK (discharged >= 0 AND discharged <= coalesce(posted, 0))
                CHECK (discharged = 0 OR kind = 'claim'),
            postedOrder INTEGER CHECK ((postedOrder IS NOT NULL) = (state = 'posted')),
            PRIMARY KEY (contract, step, idx),
            UNIQUE (contract, postedOrder),
            CHECK (debit <> credit)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER transferTermsStay
        BEFORE UPDATE OF contract, step, idx, kind, debit, credit, commodity, unit, amount
        ON transfer
        BEGIN SELECT RAISE(ABORT, 'what a transfer moves never changes'); END;
        CREATE TRIGGER transferResolvesOnce BEFORE UPDATE ON transfer
        WHEN OLD.state <> 'pending' AND (
            NEW.state <> OLD.state OR NEW.posted IS NOT OLD.posted
            OR NEW.isSigned IS NOT OLD.isSigned OR NEW.reason IS NOT OLD.reason
            OR NEW.postedOrder IS NOT OLD.postedOrder OR NEW.discharged < OLD.discharged)
        BEGIN SELECT RAISE(ABORT, 'posted and voided are final'); END;

        CREATE TABLE account (
            owner BLOB NOT NULL CHECK (length(owner) = 32),
            counterparty BLOB NOT NULL CHECK (length(counterparty) = 32),
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (
                kind IN ('due', 'paid', 'escrow', 'owed', 'reserved', 'delivered')),
            debits TEXT NOT NULL CHECK (debits <> '' AND debits NOT GLOB '*[^0-9]*'),
            credits TEXT NOT NULL CHECK (credits <> '' AND credits NOT GLOB '*[^0-9]*'),
            PRIMARY KEY (owner, counterparty, commodity, unit, kind),
            CHECK (owner <> counterparty),
            CHECK (debits <> '0' OR credits <> '0')
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE template (
            position INTEGER PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
            bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 65536)
        ) STRICT;

        CREATE TABLE petname (
            did BLOB NOT NULL PRIMARY KEY CHECK (length(did) = 32),
            name TEXT NOT NULL CHECK (name <> '')
        ) STRICT;

        CREATE TABLE peer (
            position INTEGER PRIMARY KEY,
            host TEXT NOT NULL CHECK (host <> ''),
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
            did BLOB CHECK (length(did) = 32)
        ) STRICT;
        CREATE UNIQUE INDEX peerOnce ON peer (host, port, coalesce(did, x''));

        CREATE TABLE pendingChild (
            child BLOB NOT NULL PRIMARY KEY CHECK (length(child) = 32),
            parent BLOB NOT NULL REFERENCES contractKey (contract),
            act BLOB NOT NULL
        ) STRICT;
        """
}

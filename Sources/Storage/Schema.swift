internal import GRDB

/// The tables, and the laws that SQLite holds by itself: whoever gets past the code meets them here.
///
/// A version, once released, is never edited; a change is a further version.
enum Schema {
    /// The newest version this program writes and reads.
    static let known = 8

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: version1) }
        migrator.registerMigration("2") { try $0.execute(sql: version2) }
        migrator.registerMigration("3") { try $0.execute(sql: version3) }
        migrator.registerMigration("4") { try $0.execute(sql: version4) }
        migrator.registerMigration("5") { try $0.execute(sql: version5) }
        migrator.registerMigration("6") { try $0.execute(sql: version6) }
        migrator.registerMigration("7") { try $0.execute(sql: version7) }
        migrator.registerMigration("8") { try makeVersion8($0) }
        return migrator
    }

    /// Zero where the file holds no schema of ours.
    static func version(_ db: GRDB.Database) throws -> Int {
        try migrator.appliedIdentifiers(db).compactMap { Int($0) }.max() ?? 0
    }

    private static let version1 = """
        CREATE TABLE node (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            -- Drawn when this file was made; the sidecar names it.
            file BLOB NOT NULL CHECK (length(file) = 32),
            -- Whose node this is.
            did BLOB NOT NULL CHECK (length(did) = 32),
            -- The founding body of its alliance; the topic derives from it.
            founding BLOB NOT NULL
        ) STRICT;

        -- Log entries. Append-only.
        CREATE TABLE entry (
            -- Order of arrival.
            position INTEGER PRIMARY KEY,
            -- SHA-256(header ‖ signature).
            id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
            log BLOB NOT NULL CHECK (length(log) = 32),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            -- The entry before it in its log.
            previous BLOB CHECK ((previous IS NULL) = (sequence = 1)),
            author BLOB NOT NULL CHECK (length(author) = 32),
            -- Below 40: statements have a table of their own.
            kind INTEGER NOT NULL CHECK (kind < 40),
            -- The bytes that were signed.
            header BLOB NOT NULL CHECK (length(header) BETWEEN 1 AND 4096),
            signature BLOB NOT NULL CHECK (length(signature) = 64),
            -- NULL where it is withheld from this node.
            body BLOB,
            -- 1: stands beside one that is held; proof, never folded.
            isRival INTEGER NOT NULL CHECK (isRival IN (0, 1)),
            -- The how manieth of our own log entries; NULL for others'. The high-water mark.
            ownNumber INTEGER UNIQUE
                CHECK (ownNumber IS NULL OR (ownNumber >= 1 AND isRival = 0))
        ) STRICT;
        -- One entry at one place, ours or another's; only rivals share it.
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

        -- Two valid entries at one place. Never healed by time.
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
            -- SHA-256("talea.contract.v1" ‖ key).
            contract BLOB NOT NULL UNIQUE CHECK (length(contract) = 32),
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32)
        ) STRICT;

        -- Statements sent and received, once each. Append-only.
        CREATE TABLE statement (
            position INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
            author BLOB NOT NULL CHECK (length(author) = 32),
            -- The contract it is about.
            contract BLOB REFERENCES contractKey (contract),
            header BLOB NOT NULL CHECK (length(header) BETWEEN 1 AND 4096),
            signature BLOB NOT NULL CHECK (length(signature) = 64),
            body BLOB
        ) STRICT;
        CREATE TRIGGER statementNeverChanges BEFORE UPDATE ON statement
        BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;
        CREATE TRIGGER statementNeverGoes BEFORE DELETE ON statement
        BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

        -- Statements on their way, until the recipient is known to hold them.
        CREATE TABLE outbox (
            position INTEGER PRIMARY KEY,
            statement BLOB NOT NULL REFERENCES statement (id),
            recipient BLOB NOT NULL CHECK (length(recipient) = 32),
            -- Sent along with a proposal.
            contractKey BLOB CHECK (length(contractKey) = 32),
            -- Milliseconds since 1970 UTC.
            expires INTEGER NOT NULL CHECK (expires BETWEEN 1 AND 9007199254740991),
            UNIQUE (statement, recipient)
        ) STRICT;

        -- Capacity lines as they stand after the newest entry.
        CREATE TABLE line (
            log BLOB NOT NULL PRIMARY KEY CHECK (length(log) = 32),
            issuer BLOB NOT NULL CHECK (length(issuer) = 32),
            -- Whole units.
            total INTEGER NOT NULL CHECK (total <= 9007199254740991),
            remaining INTEGER NOT NULL CHECK (0 <= remaining AND remaining <= total)
        ) STRICT;

        -- The books: a projection, rebuilt from entries where in doubt. One row per cause: no step
        -- pays or moves anything twice.
        CREATE TABLE transfer (
            contract BLOB NOT NULL CHECK (length(contract) = 32),
            -- The step that caused it, and its place in that step's effects.
            step INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            kind TEXT NOT NULL
                CHECK (kind IN ('payment', 'deposit', 'payout', 'capacity', 'claim')),
            -- Who gives and who takes.
            debit BLOB NOT NULL CHECK (length(debit) = 32),
            credit BLOB NOT NULL CHECK (length(credit) = 32),
            -- Currency code, or resource path with its unit.
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL CHECK ((kind = 'capacity') = (unit <> '')),
            -- Minor or whole units.
            amount INTEGER NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
            state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
            posted INTEGER CHECK (posted > 0 AND posted <= amount)
                CHECK ((posted IS NOT NULL) = (state = 'posted')),
            -- 1: the taker signed for it; 0: silence counted as receipt.
            isSigned INTEGER CHECK (isSigned IN (0, 1))
                CHECK ((isSigned IS NOT NULL) = (state = 'posted')),
            -- Why it was voided.
            reason TEXT CHECK ((reason IS NOT NULL) = (state = 'voided')),
            -- How much of a posted claim its creditor gave up.
            discharged INTEGER NOT NULL DEFAULT 0
                CHECK (discharged >= 0 AND discharged <= coalesce(posted, 0))
                CHECK (discharged = 0 OR kind = 'claim'),
            -- The order of posting in its contract: which deposit a payout takes first.
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

        -- What the transfers add up to. Kept by the same transaction.
        CREATE TABLE account (
            owner BLOB NOT NULL CHECK (length(owner) = 32),
            counterparty BLOB NOT NULL CHECK (length(counterparty) = 32),
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (
                kind IN ('due', 'paid', 'escrow', 'owed', 'reserved', 'delivered')),
            -- Decimal digits: sums may exceed 63 bits.
            debits TEXT NOT NULL CHECK (debits <> '' AND debits NOT GLOB '*[^0-9]*'),
            credits TEXT NOT NULL CHECK (credits <> '' AND credits NOT GLOB '*[^0-9]*'),
            PRIMARY KEY (owner, counterparty, commodity, unit, kind),
            CHECK (owner <> counterparty),
            CHECK (debits <> '0' OR credits <> '0')
        ) STRICT, WITHOUT ROWID;

        -- Contract templates, by the hash of the file's bytes.
        CREATE TABLE template (
            position INTEGER PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
            bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 65536)
        ) STRICT;

        -- The reader's own names for others.
        CREATE TABLE petname (
            did BLOB NOT NULL PRIMARY KEY CHECK (length(did) = 32),
            name TEXT NOT NULL CHECK (name <> '')
        ) STRICT;

        CREATE TABLE peer (
            position INTEGER PRIMARY KEY,
            host TEXT NOT NULL CHECK (host <> ''),
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
            -- What it must prove to be, where that is known.
            did BLOB CHECK (length(did) = 32)
        ) STRICT;
        CREATE UNIQUE INDEX peerOnce ON peer (host, port, coalesce(did, x''));

        -- Child proposals and the act that their acceptances let this node request.
        CREATE TABLE pendingChild (
            child BLOB NOT NULL PRIMARY KEY CHECK (length(child) = 32),
            parent BLOB NOT NULL REFERENCES contractKey (contract),
            act BLOB NOT NULL
        ) STRICT;
        """

    /// Whether an entry's own signature was checked, or a later one of its run vouches for it. What is
    /// not known counts as not checked; our own we signed ourselves.
    private static let version2 = """
        ALTER TABLE entry ADD COLUMN ownSignatureChecked INTEGER NOT NULL DEFAULT 0
            CHECK (ownSignatureChecked IN (0, 1));
        ALTER TABLE statement ADD COLUMN ownSignatureChecked INTEGER NOT NULL DEFAULT 1
            CHECK (ownSignatureChecked = 1);
        DROP TRIGGER entryNeverChanges;
        UPDATE entry SET ownSignatureChecked = 1 WHERE ownNumber IS NOT NULL;
        CREATE TRIGGER entryNeverChanges BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
        """

    /// Contracts that this node witnesses, and what its owner told it once and for all.
    private static let version3 = """
        CREATE TABLE witnessTerms (
            log BLOB NOT NULL PRIMARY KEY CHECK (length(log) = 32),
            terms BLOB NOT NULL
        ) STRICT;
        CREATE TABLE standing (instruction TEXT NOT NULL PRIMARY KEY) STRICT;
        """

    /// One change of an entry is lawful: another's, once held, was superseded by a `continue` and is a
    /// rival from then on. And why our own logs may not be signed in, over a restart.
    private static let version4 = """
        DROP TRIGGER entryNeverChanges;
        CREATE TRIGGER entryNeverChanges BEFORE UPDATE ON entry
        WHEN OLD.ownNumber IS NOT NULL OR OLD.isRival <> 0 OR NEW.isRival <> 1
            OR NEW.position <> OLD.position OR NEW.id <> OLD.id OR NEW.log <> OLD.log
            OR NEW.sequence <> OLD.sequence OR NEW.previous IS NOT OLD.previous
            OR NEW.author <> OLD.author OR NEW.kind <> OLD.kind OR NEW.header <> OLD.header
            OR NEW.signature <> OLD.signature OR NEW.body IS NOT OLD.body
            OR NEW.ownNumber IS NOT NULL OR NEW.ownSignatureChecked <> OLD.ownSignatureChecked
        BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

        -- What is known of our logs after an old copy came back: which may be signed in again.
        CREATE TABLE recovery (
            -- All zero: the home as a whole.
            log BLOB NOT NULL PRIMARY KEY CHECK (length(log) = 32),
            -- Why, for the home as a whole; empty for a log that is whole again.
            reason TEXT NOT NULL,
            -- Milliseconds since 1970 UTC.
            since INTEGER NOT NULL CHECK (since BETWEEN 1 AND 9007199254740991)
        ) STRICT, WITHOUT ROWID;

        -- Sealed snapshots that we keep for others, one each, and none of our own.
        CREATE TABLE keepsake (
            author BLOB NOT NULL PRIMARY KEY CHECK (length(author) = 32),
            sealed BLOB NOT NULL CHECK (length(sealed) BETWEEN 1 AND 204800)
        ) STRICT;
        """

    /// Proofs of forks whose entries may not be held. Judged again whenever they are loaded.
    private static let version5 = """
        CREATE TABLE forkProof (
            position INTEGER PRIMARY KEY,
            log BLOB NOT NULL CHECK (length(log) = 32),
            sequence INTEGER NOT NULL CHECK (sequence >= 1),
            proof BLOB NOT NULL CHECK (length(proof) BETWEEN 1 AND 262144),
            UNIQUE (log, sequence)
        ) STRICT;
        CREATE TRIGGER forkProofNeverChanges BEFORE UPDATE ON forkProof
        BEGIN SELECT RAISE(ABORT, 'proofs are append-only'); END;
        CREATE TRIGGER forkProofNeverGoes BEFORE DELETE ON forkProof
        BEGIN SELECT RAISE(ABORT, 'proofs are append-only'); END;
        """

    /// What no hash covers stands twice, so that a check of the file finds a flipped bit in it. These
    /// indexes are for no query.
    private static let version6 = """
        CREATE INDEX nodeTwice ON node (one, file, did, founding);
        CREATE INDEX statementTwice ON statement (id, author, contract);
        CREATE INDEX outboxTwice ON outbox (statement, recipient, contractKey, expires);
        CREATE INDEX petnameTwice ON petname (did, name);
        CREATE INDEX pendingChildTwice ON pendingChild (child, parent, act);
        CREATE INDEX witnessTermsTwice ON witnessTerms (log, terms);
        CREATE INDEX recoveryTwice ON recovery (log, reason, since);
        """

    /// Alliances beside the one of table `node`, and whether any of them was left. Hubs of ours, and what we
    /// keep as a hub of others. Files of contracts. Addresses to dial.
    private static let version7 = """
        CREATE TABLE hub (did BLOB NOT NULL PRIMARY KEY CHECK (length(did) = 32)) STRICT;

        CREATE TABLE entrusted (
            member BLOB NOT NULL PRIMARY KEY CHECK (length(member) = 32),
            -- Topics, 32 bytes each, ascending.
            topics BLOB NOT NULL CHECK (length(topics) % 32 = 0)
        ) STRICT;

        -- Sealed statements that wait for their recipients.
        CREATE TABLE letter (
            number INTEGER PRIMARY KEY,
            recipient BLOB NOT NULL CHECK (length(recipient) = 32),
            sender BLOB NOT NULL CHECK (length(sender) = 32),
            -- The sender's name for it.
            tag BLOB NOT NULL CHECK (length(tag) = 32),
            expires INTEGER NOT NULL CHECK (expires BETWEEN 1 AND 9007199254740991),
            sealed BLOB NOT NULL CHECK (length(sealed) BETWEEN 1 AND 204800),
            UNIQUE (recipient, sender, tag)
        ) STRICT;

        -- Files of contracts, named by their SHA-256.
        CREATE TABLE attachment (
            -- Under which it is asked for.
            blob BLOB NOT NULL PRIMARY KEY CHECK (length(blob) = 32),
            contract BLOB NOT NULL REFERENCES contractKey (contract),
            file BLOB NOT NULL CHECK (length(file) = 32),
            size INTEGER NOT NULL CHECK (size BETWEEN 1 AND 8388608)
        ) STRICT;
        -- 64 KiB each, sealed, in order.
        CREATE TABLE chunk (
            blob BLOB NOT NULL REFERENCES attachment (blob) ON DELETE CASCADE,
            idx INTEGER NOT NULL CHECK (idx BETWEEN 0 AND 127),
            sealed BLOB NOT NULL CHECK (length(sealed) BETWEEN 17 AND 65552),
            PRIMARY KEY (blob, idx)
        ) STRICT;

        CREATE TABLE alliance (
            position INTEGER PRIMARY KEY,
            -- What derives from the founding body.
            topic BLOB NOT NULL UNIQUE CHECK (length(topic) = 32),
            founding BLOB NOT NULL,
            isLeft INTEGER NOT NULL CHECK (isLeft IN (0, 1))
        ) STRICT;
        CREATE INDEX allianceTwice ON alliance (topic, founding, isLeft);

        -- Where a member was reached: those of the address book that were tried.
        CREATE TABLE triedAddress (
            did BLOB NOT NULL CHECK (length(did) = 32),
            host TEXT NOT NULL CHECK (host <> ''),
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
            -- When last, milliseconds since 1970 UTC.
            good INTEGER NOT NULL CHECK (good BETWEEN 1 AND 9007199254740991),
            PRIMARY KEY (did, host, port)
        ) STRICT;
        CREATE INDEX triedAddressTwice ON triedAddress (did, host, port, good);
        -- Dialed first after a start, in this order.
        CREATE TABLE anchor (
            position INTEGER PRIMARY KEY,
            did BLOB NOT NULL CHECK (length(did) = 32),
            host TEXT NOT NULL CHECK (host <> ''),
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535)
        ) STRICT;
        CREATE INDEX anchorTwice ON anchor (position, did, host, port);
        """
}

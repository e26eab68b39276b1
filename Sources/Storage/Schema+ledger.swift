internal import GRDB

/// The ledger's tables as version 8 makes them anew: accounts by number, sums in integers, one B-tree
/// for transfers.
extension Schema {
    static func makeVersion8(_ db: GRDB.Database) throws {
        try db.execute(sql: version8)
        // Sums are beyond what SQL can compute with: decimal digits become two integers here.
        let rows = try Row.fetchCursor(
            db,
            sql: """
                SELECT number, debits, credits FROM account
                    JOIN accountBefore USING (owner, counterparty, commodity, unit, kind)
                ORDER BY number
                """)
        while let row = try rows.next() {
            guard let debits = Int128(try row.text("debits")),
                let credits = Int128(try row.text("credits"))
            else { throw StorageRefusal.corrupt(detail: "a balance is no number") }
            let (given, taken) = (try SplitSum(debits), try SplitSum(credits))
            try db.execute(
                sql: "INSERT INTO balance VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    try row.number("number"), given.high, given.low, taken.high, taken.low,
                ])
        }
        try db.execute(sql: "DROP TABLE accountBefore")
    }

    /// A list of more than two, as in `state IN (…)`, would be made a table of its own for each row that
    /// is checked, at the price of all other laws together.
    private static let version8 = """
        ALTER TABLE transfer RENAME TO transferBefore;
        CREATE TABLE transfer (
            contract BLOB NOT NULL CHECK (length(contract) = 32),
            -- The step that caused it, and its place in that step's effects.
            step INTEGER NOT NULL,
            idx INTEGER NOT NULL,
            -- The order of posting in its contract: which deposit a payout takes first. In front, for
            -- it is looked for in all rows of a contract.
            postedOrder INTEGER CHECK ((postedOrder IS NOT NULL) = (state = 'posted')),
            kind TEXT NOT NULL
                CHECK (kind = 'payment' OR kind = 'deposit' OR kind = 'payout'
                    OR kind = 'capacity' OR kind = 'claim'),
            -- Who gives and who takes.
            debit BLOB NOT NULL CHECK (length(debit) = 32),
            credit BLOB NOT NULL CHECK (length(credit) = 32),
            -- Currency code, or resource path with its unit.
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL CHECK ((kind = 'capacity') = (unit <> '')),
            -- Minor or whole units.
            amount INTEGER NOT NULL CHECK (amount > 0 AND amount <= 9007199254740991),
            state TEXT NOT NULL
                CHECK (state = 'pending' OR state = 'posted' OR state = 'voided'),
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
            PRIMARY KEY (contract, step, idx),
            CHECK (debit <> credit)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO transfer (contract, step, idx, kind, debit, credit, commodity, unit, amount,
            state, posted, isSigned, reason, discharged, postedOrder)
        SELECT contract, step, idx, kind, debit, credit, commodity, unit, amount,
            state, posted, isSigned, reason, discharged, postedOrder
        FROM transferBefore ORDER BY contract, step, idx;
        DROP TABLE transferBefore;
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
        -- In place of an index over all contracts: the rows of one lie side by side.
        CREATE TRIGGER transferPlaceIsFree AFTER INSERT ON transfer
        WHEN NEW.postedOrder IS NOT NULL AND EXISTS (SELECT 1 FROM transfer
            WHERE contract = NEW.contract AND postedOrder = NEW.postedOrder
                AND (step <> NEW.step OR idx <> NEW.idx))
        BEGIN SELECT RAISE(ABORT, 'a place in the order of posting is taken'); END;
        CREATE TRIGGER transferPlaceWasFree AFTER UPDATE OF postedOrder ON transfer
        WHEN NEW.postedOrder IS NOT OLD.postedOrder AND NEW.postedOrder IS NOT NULL
            AND EXISTS (SELECT 1 FROM transfer
                WHERE contract = NEW.contract AND postedOrder = NEW.postedOrder
                    AND (step <> NEW.step OR idx <> NEW.idx))
        BEGIN SELECT RAISE(ABORT, 'a place in the order of posting is taken'); END;

        ALTER TABLE account RENAME TO accountBefore;
        CREATE TABLE account (
            number INTEGER PRIMARY KEY,
            owner BLOB NOT NULL CHECK (length(owner) = 32),
            counterparty BLOB NOT NULL CHECK (length(counterparty) = 32),
            commodity TEXT NOT NULL,
            unit TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (
                kind IN ('due', 'paid', 'escrow', 'owed', 'reserved', 'delivered')),
            UNIQUE (owner, counterparty, commodity, unit, kind),
            CHECK (owner <> counterparty)
        ) STRICT;
        CREATE TRIGGER accountNeverChanges BEFORE UPDATE ON account
        BEGIN SELECT RAISE(ABORT, 'what an account counts never changes'); END;
        INSERT INTO account (owner, counterparty, commodity, unit, kind)
        SELECT owner, counterparty, commodity, unit, kind FROM accountBefore
        ORDER BY owner, counterparty, commodity, unit, kind;

        -- What the transfers add up to. Kept by the same transaction. Sums may exceed 63 bits: each
        -- is high * 2^62 + low. One of zeros says the same as none.
        CREATE TABLE balance (
            account INTEGER PRIMARY KEY REFERENCES account (number),
            debitsHigh INTEGER NOT NULL DEFAULT 0 CHECK (debitsHigh >= 0),
            debitsLow INTEGER NOT NULL DEFAULT 0
                CHECK (debitsLow BETWEEN 0 AND 4611686018427387903),
            creditsHigh INTEGER NOT NULL DEFAULT 0 CHECK (creditsHigh >= 0),
            creditsLow INTEGER NOT NULL DEFAULT 0
                CHECK (creditsLow BETWEEN 0 AND 4611686018427387903)
        ) STRICT;
        """
}

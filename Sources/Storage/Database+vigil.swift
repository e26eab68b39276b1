internal import GRDB
internal import Identity
internal import NodeCore
internal import Synchronization

extension Database {
    /// Compares what the sidecar knows with what the database holds; repairs a sidecar that a crash left
    /// behind, and answers why this node may sign nothing, if so.
    func inspectSidecar() throws(StorageRefusal) -> ReadOnlyReason? {
        try vigil.withLock { vigil throws(StorageRefusal) in
            vigil.withheld = try inspect(&vigil)
            return vigil.withheld
        }
    }

    private func inspect(_ vigil: inout Vigil) throws(StorageRefusal) -> ReadOnlyReason? {
        guard let mark = try vigil.sidecar.read() else { return .sidecarMissing }
        guard mark.file == file, mark.machine == machine else { return .sidecarForeign }
        let own = did
        let (held, there, said, last) = try read { db in
            (
                try db.ownMark(own, above: mark.statement), try db.ownEntry(number: mark.count),
                try db.statement(at: mark.statement), try db.lastStatement()
            )
        }
        let count = held?.count ?? 0
        guard mark.count <= count else {
            return .sidecarAhead(sidecar: mark.count, database: count)
        }
        guard there == mark.newest else { return .sidecarForeign }
        vigil.statement = (mark.statement, mark.newestStatement)
        if mark.statement > 0 {
            guard let said else {
                return .sidecarAhead(sidecar: mark.statement, database: last)
            }
            guard said == mark.newestStatement else { return .sidecarForeign }
        }
        if let held, mark.count < held.count || held.statement != nil {
            try vigil.write(highWater(held, vigil))
        }
        return nil
    }

    /// Takes the database as it stands for the truth: writes the sidecar anew and lets commits keep it
    /// again. For the shell alone, once peers have shown the newest entries and they are held, or when
    /// the owner takes the named risk.
    public func confirmHighWater() throws(StorageRefusal) {
        try vigil.withLock { vigil throws(StorageRefusal) in
            let own = did
            guard let held = try read({ try $0.ownMark(own, above: 0) }) else { return }
            vigil.statement = (0, .zero)
            // Both slots: an old one that knows more, or knows another file, must not win again.
            for _ in 0..<2 { try vigil.write(highWater(held, vigil)) }
            vigil.withheld = nil
        }
    }

    func highWater(_ held: GRDB.Database.OwnMark, _ vigil: Vigil) -> HighWater {
        var mark = HighWater(file: file, machine: machine, count: held.count, newest: held.newest)
        (mark.statement, mark.newestStatement) = held.statement ?? vigil.statement
        return mark
    }
}

extension Database.Vigil {
    mutating func write(_ mark: HighWater) throws(StorageRefusal) {
        try sidecar.write(mark)
        statement = (mark.statement, mark.newestStatement)
    }
}

extension GRDB.Database {
    struct OwnMark {
        /// How many own log entries there are, and the newest.
        let count: Int64
        let newest: EntryID
        /// The newest own statement above the place that was asked for, if there is one.
        var statement: (Int64, EntryID)?
    }

    /// What `own` signed so far. Statements are looked through from the end, down to `above`.
    func ownMark(_ own: DID, above: Int64) throws -> OwnMark? {
        let statement = try cachedStatement(
            sql: """
                SELECT ownNumber, id FROM entry WHERE ownNumber IS NOT NULL
                ORDER BY ownNumber DESC LIMIT 1
                """)
        guard let row = try Row.fetchOne(statement) else { return nil }
        var mark = OwnMark(count: row[0], newest: try row.fixed("id"), statement: nil)
        let said = try cachedStatement(
            sql: """
                SELECT position, id FROM statement WHERE position > ? AND author = ?
                ORDER BY position DESC LIMIT 1
                """)
        if let row = try Row.fetchOne(said, arguments: [above, own.data]) {
            mark.statement = (row[0], try row.fixed("id"))
        }
        return mark
    }

    func statement(at position: Int64) throws -> EntryID? {
        try Row.fetchOne(
            self, sql: "SELECT id FROM statement WHERE position = ?", arguments: [position]
        )?.fixed("id")
    }

    func lastStatement() throws -> Int64 {
        try Int64.fetchOne(self, sql: "SELECT max(position) FROM statement") ?? 0
    }

    func ownEntry(number: Int64) throws -> EntryID? {
        try Row.fetchOne(
            self, sql: "SELECT id FROM entry WHERE ownNumber = ?", arguments: [number]
        )?.fixed("id")
    }
}

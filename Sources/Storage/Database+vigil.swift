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
        let (held, there) = try read { db in
            (try db.ownMark(), try db.ownEntry(number: mark.count))
        }
        let count = held?.count ?? 0
        guard mark.count <= count else {
            return .sidecarAhead(sidecar: mark.count, database: count)
        }
        guard there == mark.newest else { return .sidecarForeign }
        if let held, mark.count < held.count { try vigil.sidecar.write(highWater(held)) }
        return nil
    }

    /// Takes the database as it stands for the truth: writes the sidecar anew and lets commits keep it
    /// again. For the shell alone, once peers have shown the newest entries and they are held, or when
    /// the owner takes the named risk.
    public func confirmHighWater() throws(StorageRefusal) {
        try vigil.withLock { vigil throws(StorageRefusal) in
            guard let held = try read({ try $0.ownMark() }) else { return }
            // Both slots: an old one that knows more, or knows another file, must not win again.
            for _ in 0..<2 { try vigil.sidecar.write(highWater(held)) }
            vigil.withheld = nil
        }
    }

    func highWater(_ held: (count: Int64, newest: EntryID)) -> HighWater {
        HighWater(file: file, machine: machine, count: held.count, newest: held.newest)
    }
}

extension GRDB.Database {
    /// How many own log entries there are, and the newest.
    func ownMark() throws -> (count: Int64, newest: EntryID)? {
        let statement = try cachedStatement(
            sql: """
                SELECT ownNumber, id FROM entry WHERE ownNumber IS NOT NULL
                ORDER BY ownNumber DESC LIMIT 1
                """)
        guard let row = try Row.fetchOne(statement) else { return nil }
        return (row[0], try row.fixed("id"))
    }

    func ownEntry(number: Int64) throws -> EntryID? {
        try Row.fetchOne(
            self, sql: "SELECT id FROM entry WHERE ownNumber = ?", arguments: [number]
        )?.fixed("id")
    }
}

public import Entries
internal import Foundation
internal import GRDB
public import Identity

extension Database {
    /// Entries of `log` from one sequence to another, both included, as many as fit into `maxBytes` on
    /// the wire; the first always, so that whoever asks gets on. Rivals are left out.
    public func entries(log: LogID, from: Int64, to: Int64, maxBytes: Int)
        throws(StorageRefusal) -> [Entry]
    {
        try run(of: log, from, to, maxBytes) { entry, _ in entry }
    }

    /// The same as they are sent, and the sequence of the last; 0 where there is none.
    public func wires(log: LogID, from: Int64, to: Int64, maxBytes: Int)
        throws(StorageRefusal) -> (wires: [[UInt8]], last: Int64)
    {
        var last: Int64 = 0
        let wires = try run(of: log, from, to, maxBytes) { entry, wire in
            if let place = entry.header.log { last = place.sequence }
            return wire
        }
        return (wires, last)
    }

    private func run<T>(
        of log: LogID, _ from: Int64, _ to: Int64, _ maxBytes: Int,
        _ make: (Entry, [UInt8]) -> T
    ) throws(StorageRefusal) -> [T] {
        try read { db in
            var made: [T] = []
            var bytes = 0
            let statement = try db.cachedStatement(
                sql: """
                    SELECT * FROM entry
                    WHERE log = ? AND sequence BETWEEN ? AND ? AND isRival = 0 ORDER BY sequence
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [log.data, from, to])
            while let row = try rows.next() {
                let entry = try Entry(stored: row)
                let wire = entry.wire
                bytes += wire.count
                if bytes > maxBytes, !made.isEmpty { break }
                made.append(make(entry, wire))
            }
            return made
        }
    }

    /// A log entry, rival or not, or a statement.
    public func entry(_ id: EntryID) throws(StorageRefusal) -> Entry? {
        try read { db in
            let key: StatementArguments = [id.data]
            if let row = try Row.fetchOne(
                db, sql: "SELECT * FROM entry WHERE id = ?", arguments: key)
            {
                return try Entry(stored: row)
            }
            return try Row.fetchOne(
                db, sql: "SELECT * FROM statement WHERE id = ?", arguments: key
            ).map { try Entry(storedStatement: $0) }
        }
    }

    /// The entry that stands there; never a rival.
    public func entry(log: LogID, sequence: Int64) throws(StorageRefusal) -> Entry? {
        try read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM entry WHERE log = ? AND sequence = ? AND isRival = 0",
                arguments: [log.data, sequence]
            ).map { try Entry(stored: $0) }
        }
    }

    /// Entries that stand beside one that is held, lowest first.
    public func rivals(log: LogID) throws(StorageRefusal) -> [Entry] {
        try read { db in
            try db.all(
                """
                SELECT * FROM entry WHERE log = ? AND isRival = 1 ORDER BY sequence, position
                """, [log.data]
            ) { try Entry(stored: $0) }
        }
    }
}

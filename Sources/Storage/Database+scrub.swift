internal import Entries
internal import Foundation
internal import GRDB
internal import Identity
internal import Logs
public import NodeCore

/// How far a scrub has come. A value: the scrub itself remembers nothing.
public struct ScrubMark: Hashable, Sendable {
    fileprivate var table = 0
    fileprivate var position: Int64 = 0
    /// Rows looked at so far.
    public fileprivate(set) var rows: Int64 = 0

    public init() {}
}

extension Database {
    private static let scrubbed = ["entry", "statement", "template", "contractKey"]

    /// Hashes the next `count` rows of what has a hash; after the last one, asks SQLite about all pages.
    /// `nil` instead of a mark: everything was seen. Reads on a connection for readers.
    public func scrub(after mark: ScrubMark, rows count: Int) throws(StorageRefusal)
        -> (next: ScrubMark?, damages: [StorageRefusal.Damage])
    {
        try read { db in
            var (mark, damages) = (mark, [StorageRefusal.Damage]())
            guard mark.table < Self.scrubbed.count else {
                let answers = try String.fetchAll(db, sql: "PRAGMA integrity_check")
                return (nil, answers.filter { $0 != "ok" }.map { .pages($0) })
            }
            let table = Self.scrubbed[mark.table]
            let rows = try Row.fetchCursor(
                db, sql: "SELECT * FROM \(table) WHERE position > ? ORDER BY position LIMIT ?",
                arguments: [mark.position, count])
            var seen = 0
            while let row = try rows.next() {
                let position = try row.number("position")
                do { try examine(row, of: table) } catch StorageRefusal.damaged(let damage) {
                    damages.append(damage)
                } catch is StorageRefusal {
                    damages.append(.row(table: table, number: position))
                }
                mark.position = position
                seen += 1
            }
            mark.rows += Int64(seen)
            if seen < count {
                mark.table += 1
                mark.position = 0
            }
            return (mark, damages)
        }
    }

    /// All of it at once. Names what is damaged.
    public func scrub() throws(StorageRefusal) -> [StorageRefusal.Damage] {
        var damages: [StorageRefusal.Damage] = []
        var mark: ScrubMark? = ScrubMark()
        while let now = mark {
            let found = try scrub(after: now, rows: 256)
            damages += found.damages
            mark = found.next
        }
        return damages
    }

    /// As `load`, and where others' public entries are damaged, they are let go of first and told.
    public func loadMending(_ told: (StorageRefusal.Damage) -> Void) throws(StorageRefusal)
        -> (Snapshot, Alliance)
    {
        // Each round lets go of a log's rest, so this ends.
        while true {
            do { return try load() } catch {
                guard case .damaged(let damage) = error else { throw error }
                try forget([damage])
                told(damage)
            }
        }
    }

    private func examine(_ row: Row, of table: String) throws {
        switch table {
        case "entry": _ = try Entry(stored: row)
        case "statement": _ = try Entry(storedStatement: row)
        case "template":
            let hash: Hash32 = try row.fixed("hash")
            guard SHA256.hash(try row.bytes("bytes")) == hash else {
                throw StorageRefusal.damaged(.template(hash))
            }
        default: _ = try row.contractKey()
        }
    }

    /// Lets go of others' public entries that are damaged, and of what follows them in their logs, so
    /// that peers send them again. Refused where anything else is damaged: what is ours or about a
    /// contract of ours is not thrown away.
    public func forget(_ damages: [StorageRefusal.Damage]) throws(StorageRefusal) {
        try write { db in
            for damage in damages { try db.forget(damage, ours: did) }
        }
    }
}

extension GRDB.Database {
    fileprivate func forget(_ damage: StorageRefusal.Damage, ours: DID) throws {
        guard case .entry(_, let log, let sequence) = damage else {
            throw StorageRefusal.damaged(damage)
        }
        let rows = try Row.fetchAll(
            self, sql: "SELECT * FROM entry WHERE log = ? AND sequence >= ?",
            arguments: [log.data, sequence])
        let forked = try Bool.fetchOne(
            self, sql: "SELECT EXISTS (SELECT 1 FROM fork WHERE log = ?)", arguments: [log.data])
        let own = rows.contains { !($0["ownNumber"] as DatabaseValue).isNull }
        guard try isPublic(log), forked == false, !own, !rows.isEmpty else {
            throw StorageRefusal.damaged(damage)
        }
        guard
            let law = try String.fetchOne(
                self, sql: "SELECT sql FROM sqlite_master WHERE name = 'entryNeverGoes'")
        else { throw StorageRefusal.corrupt(detail: "a law of the tables is gone") }
        // The one lawful deletion, in one transaction with the law's return.
        try execute(sql: "DROP TRIGGER entryNeverGoes")
        try execute(
            sql: "DELETE FROM entry WHERE log = ? AND sequence >= ?",
            arguments: [log.data, sequence])
        try execute(sql: law)
    }

    /// Whether `log` is somebody's key log, public log or line log: anybody of the alliance has those.
    private func isPublic(_ log: LogID) throws -> Bool {
        if try Bool.fetchOne(
            self, sql: "SELECT EXISTS (SELECT 1 FROM line WHERE log = ?)", arguments: [log.data])
            == true
        {
            return true
        }
        guard let founding = try Data.fetchOne(self, sql: "SELECT founding FROM node") else {
            return false
        }
        let topics = ([[UInt8](founding)] + (try alliances().map(\.foundingBody)))
            .map { TopicID.alliance(foundingBody: $0) }
        return try all("SELECT DISTINCT author FROM entry") { try $0.fixed("author") as DID }
            .contains { author in
                log == .key(author: author)
                    || topics.contains { log == .publicLog(author: author, alliance: $0) }
            }
    }
}

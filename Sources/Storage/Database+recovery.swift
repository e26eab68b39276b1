internal import Capacity
internal import Foundation
internal import GRDB
public import Identity
internal import NodeCore

// What an old copy has to remember over a restart, and the snapshots that are kept for others.

extension Database {
    /// The sealed snapshot of `author`, if one is kept.
    public func keepsake(of author: DID) throws(StorageRefusal) -> [UInt8]? {
        try read { db in
            try Data.fetchOne(
                db, sql: "SELECT sealed FROM keepsake WHERE author = ?", arguments: [author.data]
            ).map { [UInt8]($0) }
        }
    }
}

extension GRDB.Database {
    /// The row of the home as a whole.
    private static let home = Data(count: 32)

    func apply(_ change: RecoveryChange) throws {
        switch change {
        case .began(let reason, let since):
            try run("DELETE FROM recovery", [])
            try run(
                "INSERT INTO recovery (log, reason, since) VALUES (?, ?, ?)",
                [Self.home, reason.text, since.milliseconds])
        case .whole(let log, let since):
            try run(
                """
                INSERT INTO recovery (log, reason, since) VALUES (?, '', ?)
                ON CONFLICT (log) DO NOTHING
                """, [log.data, since.milliseconds])
        case .over: try run("DELETE FROM recovery", [])
        case .confirmed: break
        }
    }

    func recovery() throws -> (reason: ReadOnlyReason, since: Instant, whole: [LogID])? {
        let home = try Row.fetchOne(
            self, sql: "SELECT reason, since FROM recovery WHERE log = ?", arguments: [Self.home])
        guard let home else { return nil }
        guard let reason = ReadOnlyReason(text: home["reason"]) else {
            throw StorageRefusal.corrupt(detail: "why this home recovers is not told")
        }
        let whole = try all("SELECT log FROM recovery WHERE log <> ? ORDER BY log", [Self.home]) {
            try $0.fixed("log") as LogID
        }
        return (reason, try Instant(milliseconds: home["since"]), whole)
    }
}

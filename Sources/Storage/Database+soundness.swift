internal import Contracts
internal import Entries
internal import Foundation
internal import GRDB
internal import Identity
internal import Logs
internal import NodeCore

/// What is looked at before anything that was read is believed.
///
/// Entries, statements, templates and contract keys carry hashes of their own. Whatever no hash covers
/// stands in the file twice, in its table and in an index, and `integrity_check` compares the two.
extension GRDB.Database {
    /// Bytes up to which the whole file is checked at every opening; beyond, indexes are compared by the
    /// scrub in the background alone. 64 MiB take about half a second.
    static let wholeCheckBytesMax: Int64 = 64 << 20

    /// Asks SQLite about its own pages.
    func requireWholePages() throws {
        let pages = try Int64.fetchOne(self, sql: "PRAGMA page_count") ?? 0
        let size = try Int64.fetchOne(self, sql: "PRAGMA page_size") ?? 0
        let check = pages * size <= Self.wholeCheckBytesMax ? "integrity_check" : "quick_check"
        let answer = try String.fetchOne(self, sql: "PRAGMA \(check)(1)") ?? ""
        guard answer != "ok" else { return }
        // SQLite calls a page that it could not read damaged, and nothing stops an owner as that word does.
        guard try String.fetchOne(self, sql: "PRAGMA \(check)(1)") != "ok" else {
            throw DatabaseError(resultCode: .SQLITE_IOERR_READ, message: answer)
        }
        throw StorageRefusal.damaged(.pages(answer))
    }

    /// What the columns repeat must be what the signed bytes say, and nothing may have gone missing.
    func requireSound(_ snapshot: Snapshot, of did: DID, in alliance: Alliance) throws {
        var heads: [LogID: Int64] = [:]
        for entry in snapshot.entries {
            guard let place = entry.header.log else { continue }
            guard place.sequence == (heads[place.log] ?? 0) + 1 else {
                throw StorageRefusal.corrupt(
                    detail: "log \(place.log) has a gap before \(place.sequence)")
            }
            heads[place.log] = place.sequence
        }
        let home = LogID.publicLog(author: did, alliance: alliance.topic)
        // A home made anew from paper waits for its logs to come back from partners.
        guard snapshot.recovery?.reason != .homeLost else { return }
        guard heads[home] != nil, heads[.key(author: did)] != nil else {
            throw StorageRefusal.corrupt(detail: "the node's own logs are not there")
        }
    }

    func contractKeys() throws -> [[UInt8]] {
        try all("SELECT position, contract, key FROM contractKey ORDER BY position") { row in
            try row.contractKey()
        }
    }
}

/// Columns as they are, without trust: a page that lost a bit may hold anything anywhere.
extension Row {
    /// The key in a row of `contractKey`, whose name is its hash.
    func contractKey() throws -> [UInt8] {
        let key = try bytes("key")
        let contract: ContractID = try fixed("contract")
        guard ContractKey(key)?.contract == contract else {
            throw StorageRefusal.damaged(
                .row(table: "contractKey", number: try number("position")))
        }
        return key
    }

    func bytes(_ column: String) throws -> [UInt8] {
        guard let bytes = try bytesIfAny(column) else {
            throw StorageRefusal.corrupt(detail: "\(column) is no blob")
        }
        return bytes
    }

    func bytesIfAny(_ column: String) throws -> [UInt8]? {
        try withUnsafeData(named: column) { $0?.withUnsafeBytes { [UInt8]($0) } }
    }

    func number(_ column: String) throws -> Int64 {
        guard case .int64(let number) = (self[column] as DatabaseValue).storage else {
            throw StorageRefusal.corrupt(detail: "\(column) is no number")
        }
        return number
    }

    func text(_ column: String) throws -> String {
        guard case .string(let text) = (self[column] as DatabaseValue).storage else {
            throw StorageRefusal.corrupt(detail: "\(column) is no text")
        }
        return text
    }

    /// By place: names are looked up for each row.
    func number(at column: Int) throws -> Int64 {
        guard case .int64(let number) = (self[column] as DatabaseValue).storage else {
            throw StorageRefusal.corrupt(detail: "column \(column) is no number")
        }
        return number
    }

    func text(at column: Int) throws -> String {
        guard case .string(let text) = (self[column] as DatabaseValue).storage else {
            throw StorageRefusal.corrupt(detail: "column \(column) is no text")
        }
        return text
    }
}

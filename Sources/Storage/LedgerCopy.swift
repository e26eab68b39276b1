internal import Entries
internal import Foundation
internal import GRDB
public import Identity
internal import Logs

/// A ledger that lies outside of a home, read in full: what a backup takes, and what comes back from one.
public struct LedgerCopy: Hashable, Sendable {
    public let did: DID
    public let schema: Int
    /// Log entries and statements of everyone.
    public let entries: Int64
    /// Ids of our own logs, lowest first.
    public let own: [LogID: [EntryID]]

    /// Copies the ledger of `home` as it is committed, page by page, whether its node runs or not. A bit
    /// that turned over is copied too, and found by `init`; writing the rows anew would make it look whole.
    public static func make(of home: String, to path: String) throws(StorageRefusal) {
        let home = Home(path: home)
        guard Home.exists(home.ledger) else { throw .homeMissing(path: home.path) }
        do {
            let source = try queue(home.ledger)
            try Home.makePrivate(path)
            let copy = try queue(path)
            try source.backup(to: copy)
            try copy.close()
            try source.close()
        } catch {
            throw StorageRefusal(error)
        }
    }

    /// Reads the ledger at `path` and believes nothing: pages, the hash of every entry, the sequence of
    /// our own logs and the signatures that vouch for them.
    public init(reading path: String) throws(StorageRefusal) {
        // SQLite would make an empty one.
        guard Home.exists(path) else { throw .homeMissing(path: path) }
        do {
            let queue = try Self.queue(path)
            self = try queue.read { try LedgerCopy($0) }
            try queue.close()
        } catch {
            throw StorageRefusal(error)
        }
    }

    private init(_ db: GRDB.Database) throws {
        schema = try Schema.version(db)
        guard schema > 0 else { throw StorageRefusal.corrupt(detail: "no ledger of Talea") }
        guard schema <= Schema.known else {
            throw StorageRefusal.newerSchema(found: schema, known: Schema.known)
        }
        let answer = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? ""
        guard answer == "ok" else { throw StorageRefusal.damaged(.pages(answer)) }
        guard let node = try Row.fetchOne(db, sql: "SELECT did FROM node") else {
            throw StorageRefusal.corrupt(detail: "whose node this is, is not told")
        }
        did = try node.fixed("did")
        var count: Int64 = 0
        var chains: [LogID: [Entry]] = [:]
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM entry ORDER BY sequence, position")
        while let row = try rows.next() {
            let entry = try Entry(stored: row)
            count += 1
            guard row.hasColumn("ownNumber") else {
                throw StorageRefusal.corrupt(detail: "entries do not tell which are its own")
            }
            guard !(row["ownNumber"] as DatabaseValue).isNull, let place = entry.header.log else {
                continue
            }
            chains[place.log, default: []].append(entry)
        }
        let statements = try Row.fetchCursor(db, sql: "SELECT * FROM statement")
        while let row = try statements.next() {
            _ = try Entry(storedStatement: row)
            count += 1
        }
        entries = count
        own = try Self.checked(chains, of: did)
    }

    private static func checked(_ chains: [LogID: [Entry]], of did: DID) throws -> [LogID:
        [EntryID]]
    {
        let checker = SignatureChecker()
        var keys = KeyLogs()
        for entry in chains[.key(author: did)] ?? [] {
            do { keys.apply(try keys.decide(entry, checker: checker)) } catch {
                throw StorageRefusal.corrupt(detail: "our key log does not hold: \(error)")
            }
        }
        var ids: [LogID: [EntryID]] = [:]
        for (log, chain) in chains {
            var previous: EntryID?
            for (index, entry) in chain.enumerated() {
                guard let place = entry.header.log, place.sequence == Int64(index) + 1,
                    place.previous == previous, entry.header.author == did
                else {
                    throw StorageRefusal.corrupt(
                        detail: "log \(log) does not follow at \(index + 1)")
                }
                previous = entry.id
                ids[log, default: []].append(entry.id)
                // A run under one key is vouched for by its last signature; key entries were each checked.
                let next = index + 1 < chain.count ? chain[index + 1].header.key : nil
                guard let key = entry.header.key, key != next else { continue }
                guard let inForce = keys.key(did, key),
                    (try? ValidEntry(entry, byCheckedKey: inForce, checker: checker)) != nil
                else {
                    throw StorageRefusal.damaged(
                        .entry(entry.id, log: log, sequence: place.sequence))
                }
            }
        }
        return ids
    }

    /// A log of which `other` holds more than this, or something else, with both heights; the first by id.
    public func lacks(of other: [LogID: (sequence: Int64, id: EntryID)]) -> (
        log: LogID, here: Int64, there: Int64
    )? {
        for (log, head) in other.sorted(by: { $0.key < $1.key }) {
            let here = own[log] ?? []
            let holds =
                here.indices.contains(Int(head.sequence) - 1)
                && here[Int(head.sequence) - 1] == head.id
            if !holds { return (log, Int64(here.count), head.sequence) }
        }
        return nil
    }

    /// The newest of each of our own logs.
    public var heads: [LogID: (sequence: Int64, id: EntryID)] {
        own.compactMapValues { ids in ids.last.map { (Int64(ids.count), $0) } }
    }

    private static func queue(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
        return try DatabaseQueue(path: path, configuration: configuration)
    }
}

extension Database {
    /// Runs `body` while no node can use `home`; refused where one does. A folder that is no home is free.
    public static func whileUnused<T>(_ home: String, _ body: () throws -> T) throws -> T {
        let home = Home(path: home)
        guard Home.exists(home.path) else { return try body() }
        let lock = try HomeLock(home)
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }
}

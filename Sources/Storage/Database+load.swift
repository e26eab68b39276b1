internal import Capacity
internal import Entries
internal import Foundation
internal import GRDB
public import Identity
internal import Logs
public import NodeCore

extension Database {
    /// All that a node starts from, in the order it was kept. Every entry is hashed on the way.
    ///
    /// `Snapshot.readOnly` is set where the sidecar does not agree: an old copy was put back, or the
    /// home is another's. Refused where a stored thing is damaged, which is named.
    public func load() throws(StorageRefusal) -> (Snapshot, Alliance) {
        let readOnly = try inspectSidecar()
        return try read { db in
            var snapshot = Snapshot()
            snapshot.readOnly = readOnly
            snapshot.entries = try db.validEntries(where: "isRival = 0")
            snapshot.forks = try db.forks(among: snapshot.entries)
            snapshot.statements = try db.statements()
            snapshot.contractKeys = try db.all("SELECT key FROM contractKey ORDER BY position") {
                [UInt8]($0["key"] as Data)
            }
            snapshot.outbox = try db.outbox()
            snapshot.templates = try db.templates()
            snapshot.petnames = try db.all("SELECT did, name FROM petname ORDER BY did") {
                (try $0.fixed("did"), $0["name"])
            }
            snapshot.peers = try db.all("SELECT host, port, did FROM peer ORDER BY position") {
                PeerAddress(
                    host: $0["host"], port: $0["port"],
                    did: ($0["did"] as Data?).flatMap { DID($0) })
            }
            snapshot.transfers = try db.all(
                "SELECT child, parent, act FROM pendingChild ORDER BY child"
            ) {
                (
                    child: try $0.fixed("child"), parent: try $0.fixed("parent"),
                    act: try SignedAct(strict: $0["act"] as Data)
                )
            }
            guard let founding = try Data.fetchOne(db, sql: "SELECT founding FROM node") else {
                throw StorageRefusal.corrupt(detail: "the alliance is not told")
            }
            return (snapshot, try Alliance(foundingBody: [UInt8](founding)))
        }
    }

    /// The newest key entry of this node: what `Own` names beside the key itself.
    public func keyEntry() throws(StorageRefusal) -> EntryID {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT id FROM entry WHERE log = ? AND isRival = 0
                    ORDER BY sequence DESC LIMIT 1
                    """, arguments: [LogID.key(author: did).data])
            guard let row else { throw StorageRefusal.corrupt(detail: "no own key entry") }
            return try row.fixed("id")
        }
    }
}

extension GRDB.Database {
    func all<T>(_ sql: String, _ arguments: StatementArguments = [], _ make: (Row) throws -> T)
        throws -> [T]
    {
        var result: [T] = []
        let rows = try Row.fetchCursor(self, sql: sql, arguments: arguments)
        while let row = try rows.next() { result.append(try make(row)) }
        return result
    }

    fileprivate func validEntries(
        where condition: String, _ arguments: StatementArguments = []
    ) throws -> [ValidEntry] {
        try all(
            "SELECT * FROM entry WHERE \(condition) ORDER BY position", arguments
        ) { row in
            ValidEntry(
                stored: try Entry(stored: row), ownSignatureChecked: row["ownSignatureChecked"])
        }
    }

    fileprivate func statements() throws -> [(ValidEntry, ContractID?)] {
        try all("SELECT * FROM statement ORDER BY position") { row in
            (
                ValidEntry(
                    stored: try Entry(storedStatement: row),
                    ownSignatureChecked: row["ownSignatureChecked"]),
                (row["contract"] as Data?).flatMap { ContractID($0) }
            )
        }
    }

    fileprivate func outbox() throws -> [OutboxItem] {
        try all(
            """
            SELECT statement.*, outbox.recipient, outbox.contractKey, outbox.expires
            FROM outbox JOIN statement ON statement.id = outbox.statement
            ORDER BY outbox.position
            """
        ) { row in
            OutboxItem(
                statement: try Entry(storedStatement: row), recipient: try row.fixed("recipient"),
                contractKey: (row["contractKey"] as Data?).map { [UInt8]($0) },
                expires: try Instant(milliseconds: row["expires"]))
        }
    }

    fileprivate func templates() throws -> [[UInt8]] {
        try all("SELECT hash, bytes FROM template ORDER BY position") { row in
            let bytes = [UInt8](row["bytes"] as Data)
            let hash: Hash32 = try row.fixed("hash")
            guard SHA256.hash(bytes) == hash else { throw StorageRefusal.damaged(.template(hash)) }
            return bytes
        }
    }

    /// Forks are proven again from their entries: a row that says so is no evidence.
    fileprivate func forks(among entries: [ValidEntry]) throws -> [(LogID, Chains.Fork)] {
        let rows: [(log: LogID, sequence: Int64, rival: EntryID)] = try all(
            "SELECT log, sequence, rival FROM fork ORDER BY position"
        ) { (try $0.fixed("log"), $0["sequence"], try $0.fixed("rival")) }
        guard !rows.isEmpty else { return [] }
        var keys = KeyLogs()
        for entry in entries where entry.entry.kind == .key { keys.apply(entry) }
        let checker = SignatureChecker()
        return try rows.map { row in
            var chains = Chains()
            for entry in entries where entry.header.log?.log == row.log { chains.apply(entry) }
            let branch = try rivals(in: row.log, from: row.rival)
            guard
                case .forks(let fork, _) = try chains.decide(branch, keys: keys, checker: checker),
                fork.sequence == row.sequence
            else { throw StorageRefusal.corrupt(detail: "the fork of \(row.log) is not proven") }
            return (row.log, fork)
        }
    }

    /// The rival `first` and what follows it, up to the newest whose own signature was checked.
    private func rivals(in log: LogID, from first: EntryID) throws -> [Entry] {
        let all = try validEntries(where: "log = ? AND isRival = 1", [log.data])
        guard var next = all.first(where: { $0.id == first }) else { return [] }
        var branch = [next]
        while let following = all.first(where: { $0.header.log?.previous == next.id }) {
            branch.append(following)
            next = following
        }
        guard let checked = branch.lastIndex(where: \.ownSignatureChecked) else { return [] }
        return branch[...checked].map(\.entry)
    }
}

extension Entry {
    /// Refused where header, signature or body are not what their hashes say.
    init(stored row: Row) throws {
        let id: EntryID = try row.fixed("id")
        let log: LogID = try row.fixed("log")
        let sequence: Int64 = row["sequence"]
        guard let entry = Entry(bytesOf: row), entry.id == id, let place = entry.header.log,
            place.log == log, place.sequence == sequence
        else { throw StorageRefusal.damaged(.entry(id, log: log, sequence: sequence)) }
        self = entry
    }

    init(storedStatement row: Row) throws {
        let id: EntryID = try row.fixed("id")
        guard let entry = Entry(bytesOf: row), entry.id == id else {
            throw StorageRefusal.damaged(.statement(id))
        }
        self = entry
    }

    private init?(bytesOf row: Row) {
        guard let signature = Signature(row["signature"] as Data) else { return nil }
        try? self.init(
            headerBytes: [UInt8](row["header"] as Data), signature: signature,
            body: (row["body"] as Data?).map { [UInt8]($0) })
    }
}

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
            snapshot.recovery = try db.recovery()
            snapshot.entries = try db.validEntries(where: "isRival = 0")
            snapshot.rivals = try db.validEntries(where: "isRival = 1")
            let keys = KeyLogs(of: snapshot.entries)
            snapshot.forks = try db.forks(among: snapshot.entries, keys)
            snapshot.proofs = try db.proofs(keys)
            snapshot.statements = try db.statements()
            snapshot.contractKeys = try db.contractKeys()
            snapshot.outbox = try db.outbox()
            snapshot.templates = try db.templates()
            snapshot.petnames = try db.all("SELECT did, name FROM petname ORDER BY did") {
                (try $0.fixed("did"), try $0.text("name"))
            }
            snapshot.peers = try db.all("SELECT host, port, did FROM peer ORDER BY position") {
                PeerAddress(
                    host: try $0.text("host"), port: Int(try $0.number("port")),
                    did: try $0.fixedIfAny("did"))
            }
            snapshot.tried = try db.tried()
            snapshot.anchors = try db.anchors()
            snapshot.alliances = try db.alliances()
            snapshot.transfers = try db.all(
                "SELECT child, parent, act FROM pendingChild ORDER BY child"
            ) {
                (
                    child: try $0.fixed("child"), parent: try $0.fixed("parent"),
                    act: try SignedAct(strict: try $0.bytes("act"))
                )
            }
            snapshot.witnessTerms = try db.all("SELECT terms FROM witnessTerms ORDER BY rowid") {
                [UInt8]($0["terms"] as Data)
            }
            snapshot.standing = Set(
                try db.all("SELECT instruction FROM standing") {
                    StandingInstruction(rawValue: $0["instruction"])
                }.compactMap(\.self))
            snapshot.attachments = try db.attachments()
            snapshot.hubs = try db.all("SELECT did FROM hub ORDER BY did") { try $0.fixed("did") }
            snapshot.entrusted = try db.entrusted()
            snapshot.letters = try db.letters()
            guard let founding = try Data.fetchOne(db, sql: "SELECT founding FROM node") else {
                throw StorageRefusal.corrupt(detail: "the alliance is not told")
            }
            let alliance = try Alliance(foundingBody: [UInt8](founding))
            try db.requireSound(snapshot, of: did, in: alliance)
            return (snapshot, alliance)
        }
    }

    /// The newest key entry of this node: what `Own` names beside the key itself.
    public func keyEntry() throws(StorageRefusal) -> EntryID { try keyInForce().id }

    /// The key that our key log has in force: the one that the key file must hold.
    public func keyInForce() throws(StorageRefusal) -> (id: EntryID, key: PublicKey) {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT * FROM entry WHERE log = ? AND isRival = 0
                    ORDER BY sequence DESC LIMIT 1
                    """, arguments: [LogID.key(author: did).data])
            guard let row else { throw StorageRefusal.corrupt(detail: "no own key entry") }
            let entry = try Entry(stored: row)
            return (entry.id, try entry.read(KeyBody.self).publicKey)
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
                stored: try Entry(stored: row),
                ownSignatureChecked: try row.number("ownSignatureChecked") == 1)
        }
    }

    fileprivate func statements() throws -> [(ValidEntry, ContractID?)] {
        try all("SELECT * FROM statement ORDER BY position") { row in
            (
                ValidEntry(
                    stored: try Entry(storedStatement: row),
                    ownSignatureChecked: try row.number("ownSignatureChecked") == 1),
                try row.fixedIfAny("contract")
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
                contractKey: try row.bytesIfAny("contractKey"),
                expires: try Instant(milliseconds: try row.number("expires")))
        }
    }

    /// Founding bodies are what their topics say, or refused.
    func alliances() throws -> [(foundingBody: [UInt8], isLeft: Bool)] {
        try all("SELECT position, topic, founding, isLeft FROM alliance ORDER BY position") { row in
            let body = try row.bytes("founding")
            guard TopicID.alliance(foundingBody: body) == (try row.fixed("topic")) else {
                throw StorageRefusal.damaged(
                    .row(table: "alliance", number: try row.number("position")))
            }
            return (body, try row.number("isLeft") == 1)
        }
    }

    fileprivate func templates() throws -> [[UInt8]] {
        try all("SELECT hash, bytes FROM template ORDER BY position") { row in
            let bytes = try row.bytes("bytes")
            let hash: Hash32 = try row.fixed("hash")
            guard SHA256.hash(bytes) == hash else { throw StorageRefusal.damaged(.template(hash)) }
            return bytes
        }
    }

    /// Forks are proven again from their entries: a row that says so is no evidence.
    fileprivate func forks(among entries: [ValidEntry], _ keys: KeyLogs) throws
        -> [(LogID, Chains.Fork)]
    {
        let rows: [(log: LogID, sequence: Int64, held: EntryID, rival: EntryID)] = try all(
            "SELECT log, sequence, held, rival FROM fork ORDER BY position"
        ) {
            (
                try $0.fixed("log"), try $0.number("sequence"), try $0.fixed("held"),
                try $0.fixed("rival")
            )
        }
        guard !rows.isEmpty else { return [] }
        let checker = SignatureChecker()
        return try rows.compactMap { row in
            var chains = Chains()
            for entry in entries where entry.header.log?.log == row.log { chains.apply(entry) }
            // A later `continue`, there or below, put both branches out of force: what they stood on may be
            // held no more.
            if chains.chain(row.log)?.id(at: row.sequence) != row.held,
                try isRival(row.held, in: row.log)
            {
                return nil
            }
            let branch = try rivals(in: row.log, from: row.rival)
            if let entry = branch.first, entry.kind == .key,
                let held = chains.chain(row.log)?.id(at: row.sequence),
                (try? keys.decide(rival: entry, checker: checker)) != nil
            {
                return (row.log, .init(sequence: row.sequence, held: held, rival: entry.id))
            }
            // A `continue` that came too late to supersede was judged so when it came, and so was what M witnesses
            // hold beside one that came first.
            switch try chains.decide(
                branch, keys: keys, checker: checker, anchored: .max, witnessed: .max)
            {
            case .forks(let fork, _) where fork.sequence == row.sequence: return (row.log, fork)
            default:
                throw StorageRefusal.corrupt(detail: "the fork of \(row.log) is not proven")
            }
        }
    }

    private func isRival(_ entry: EntryID, in log: LogID) throws -> Bool {
        try Bool.fetchOne(
            self, sql: "SELECT isRival FROM entry WHERE id = ? AND log = ?",
            arguments: [entry.data, log.data]) == true
    }

    /// Proofs are judged again: a row that says so is no evidence.
    fileprivate func proofs(_ keys: KeyLogs) throws -> [ForkProof] {
        try all("SELECT log, proof FROM forkProof ORDER BY position") { row in
            let log: LogID = try row.fixed("log")
            let proof = try? ForkProof(strict: [UInt8](row["proof"] as Data))
            guard let proof, proof.log == log,
                (try? proof.check(keys: keys, checker: SignatureChecker())) != nil
            else { throw StorageRefusal.corrupt(detail: "the fork of \(log) is not proven") }
            return proof
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
        let sequence = try row.number("sequence")
        let author: DID = try row.fixed("author")
        guard let entry = try Entry(bytesOf: row), entry.id == id, let place = entry.header.log,
            place.log == log, place.sequence == sequence,
            place.previous == (try row.fixedIfAny("previous")), entry.header.author == author,
            Int64(entry.header.kind) == (try row.number("kind"))
        else { throw StorageRefusal.damaged(.entry(id, log: log, sequence: sequence)) }
        self = entry
    }

    init(storedStatement row: Row) throws {
        let id: EntryID = try row.fixed("id")
        let author: DID = try row.fixed("author")
        guard let entry = try Entry(bytesOf: row), entry.id == id, entry.header.author == author
        else {
            throw StorageRefusal.damaged(.statement(id))
        }
        self = entry
    }

    private init?(bytesOf row: Row) throws {
        guard let signature = Signature(try row.bytes("signature")) else { return nil }
        let (header, body) = (try row.bytes("header"), try row.bytesIfAny("body"))
        try? self.init(headerBytes: header, signature: signature, body: body)
    }
}

extension KeyLogs {
    /// Every key that ever was, whatever parted later.
    fileprivate init(of entries: [ValidEntry]) {
        self.init()
        for entry in entries where entry.entry.kind == .key { apply(entry) }
    }
}

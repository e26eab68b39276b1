internal import Capacity
internal import Entries
internal import Foundation
internal import GRDB
internal import Identity
internal import Ledger
internal import Logs
public import NodeCore
internal import Synchronization

extension Database {
    /// Makes `changes` durable, all or none. Returns once they are on the disk, and, where something of our
    /// own is among them, log entries or statements, once the sidecar says so.
    ///
    /// The only write there is. Handing in the same entries, statements and keys again changes nothing;
    /// repeated transfers are refused. After a refusal the caller drops its value and loads again: the
    /// outcome of a commit that failed late is unknown until then.
    public func commit(_ changes: [Change]) throws(StorageRefusal) {
        guard !changes.isEmpty else { return }
        try vigil.withLock { vigil throws(StorageRefusal) in
            let (own, said) = (did, vigil.statement.0)
            let held = try writeNumbering { db, numbers -> GRDB.Database.OwnMark? in
                try db.apply(changes, &numbers)
                guard changes.contains(where: { $0.isSigned(by: own) }) else { return nil }
                return try db.ownMark(own, above: said)
            }
            if let held, vigil.withheld == nil { try vigil.write(highWater(held, vigil)) }
        }
        if changes.contains(where: \.confirmsMark) { try confirmHighWater() }
    }

    /// A transaction that looks up accounts. What it learned of them is forgotten where it failed.
    private func writeNumbering<T: Sendable>(
        _ body: (GRDB.Database, inout AccountNumbers) throws -> T
    )
        throws(StorageRefusal) -> T
    {
        try numbers.withLock { numbers throws(StorageRefusal) in
            var known = numbers
            // Not held beside `known`, or each that is added would copy all.
            numbers = AccountNumbers()
            let result = try write { try body($0, &known) }
            numbers = known
            return result
        }
    }
}

extension Change {
    /// It moves the high-water mark.
    fileprivate func isSigned(by own: DID) -> Bool {
        switch self {
        case .entry(_, own: true): true
        case .statement(let entry, _): entry.header.author == own
        default: false
        }
    }

    fileprivate var confirmsMark: Bool {
        if case .recovery(.confirmed) = self { true } else { false }
    }
}

extension GRDB.Database {
    fileprivate func apply(_ changes: [Change], _ numbers: inout AccountNumbers) throws {
        // Events of one contract are applied together: what they touch is read once.
        var events: [TransferEvent] = []
        for change in changes {
            switch change {
            case .entry(let entry, let own): try insert(entry, own: own)
            case .ownKey: break
            case .recovery(let change): try apply(change)
            case .keepsake(let author, let sealed):
                try run(
                    """
                    INSERT INTO keepsake (author, sealed) VALUES (?, ?)
                    ON CONFLICT (author) DO UPDATE SET sealed = excluded.sealed
                    """, [author.data, Data(sealed)])
            case .superseded(let log, let sequence):
                try run(
                    "UPDATE entry SET isRival = 1 WHERE log = ? AND sequence >= ? AND isRival = 0",
                    [log.data, sequence])
            case .rival(let entry): try insert(entry, own: false, isRival: true)
            case .fork(let log, let fork): try insert(fork, in: log)
            case .proof(let proof):
                try run(
                    """
                    INSERT INTO forkProof (log, sequence, proof) VALUES (?, ?, ?)
                    ON CONFLICT (log, sequence) DO NOTHING
                    """, [proof.log.data, proof.sequence, Data(proof.wire)])
            case .statement(let entry, let contract): try insert(entry, about: contract)
            case .contractKey(let contract, let key): try insert(contractKey: key, of: contract)
            case .outbox(let item): try insert(item)
            case .delivered(let statement, let recipient):
                try run(
                    "DELETE FROM outbox WHERE statement = ? AND recipient = ?",
                    [statement.data, recipient.data])
            case .books(let more): events += more
            case .line(let log, let issuer, let total, let remaining):
                try run(
                    """
                    INSERT INTO line (log, issuer, total, remaining) VALUES (?, ?, ?, ?)
                    ON CONFLICT (log) DO UPDATE SET
                        total = excluded.total, remaining = excluded.remaining
                    """, [log.data, issuer.data, total, remaining])
            case .template(let hash, let bytes): try insert(template: hash, bytes)
            case .petname(let did, let name): try set(petname: name, of: did)
            case .alliance(let body, let isLeft):
                try run(
                    """
                    INSERT INTO alliance (topic, founding, isLeft) VALUES (?, ?, ?)
                    ON CONFLICT (topic) DO UPDATE SET isLeft = excluded.isLeft
                    """, [TopicID.alliance(foundingBody: body).data, Data(body), isLeft])
            case .peer(let address, let added): try set(address, added: added)
            case .tried(let address, let good): try set(address, good: good)
            case .anchors(let anchors): try set(anchors: anchors)
            case .transfer(let child, let parent, let act):
                try run(
                    """
                    INSERT INTO pendingChild (child, parent, act) VALUES (?, ?, ?)
                    ON CONFLICT (child) DO UPDATE SET parent = excluded.parent, act = excluded.act
                    """, [child.data, parent.data, Data(act.wire)])
            case .witnessTerms(let log, let terms):
                try run(
                    "INSERT INTO witnessTerms (log, terms) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [log.data, Data(terms)])
            case .standing(let instruction, true):
                try run(
                    "INSERT INTO standing (instruction) VALUES (?) ON CONFLICT DO NOTHING",
                    [instruction.rawValue])
            case .standing(let instruction, false):
                try run("DELETE FROM standing WHERE instruction = ?", [instruction.rawValue])
            case .chunk, .attachmentGone: try apply(attachment: change)
            case .hub, .entrusted, .letter, .letterGone: try apply(hub: change)
            case .transferDone(let child):
                try run("DELETE FROM pendingChild WHERE child = ?", [child.data])
            }
        }
        try post(events, &numbers)
    }

    func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// A log entry. One that is held byte for byte is passed over; its number is kept.
    func insert(_ valid: ValidEntry, own: Bool, isRival: Bool = false) throws {
        let entry = valid.entry
        guard let place = entry.header.log else {
            throw StorageRefusal.lawBroken(detail: "\(entry.id) is no log entry")
        }
        var row = try binding(own ? Self.ownEntry : Self.entry)
        try row.add(entry.id)
        try row.add(place.log)
        try row.add(place.sequence)
        try row.add(place.previous)
        try row.add(entry.header.author)
        try row.add(entry.header.kind)
        try row.add(entry.headerBytes)
        try row.add(entry.signature.bytes)
        try row.add(entry.body)
        try row.add(isRival)
        try row.add(valid.ownSignatureChecked)
        try row.execute()
        if changesCount == 0 { try requireSame(entry, in: "entry") }
    }

    private static let entry = insertion(number: "NULL")
    /// Numbered by SQLite itself: the newest own number is the end of an index.
    private static let ownEntry = insertion(
        number: "(SELECT coalesce(max(ownNumber), 0) + 1 FROM entry)")

    private static func insertion(number: String) -> String {
        """
        INSERT INTO entry (id, log, sequence, previous, author, kind, header, signature, body,
            isRival, ownNumber, ownSignatureChecked)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \(number), ?)
        ON CONFLICT (id) DO NOTHING
        """
    }

    private func insert(_ valid: ValidEntry, about contract: ContractID?) throws {
        let entry = valid.entry
        guard entry.header.statement != nil else {
            throw StorageRefusal.lawBroken(detail: "\(entry.id) is no statement")
        }
        try run(
            """
            INSERT INTO statement (id, author, contract, header, signature, body,
                ownSignatureChecked)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                entry.id.data, entry.header.author.data, contract?.data, Data(entry.headerBytes),
                Data(entry.signature.bytes), entry.body.map { Data($0) },
                valid.ownSignatureChecked,
            ])
        if changesCount == 0 { try requireSame(entry, in: "statement") }
    }

    /// The id covers header and signature; a body that differs from the held one is refused.
    private func requireSame(_ entry: Entry, in table: String) throws {
        let statement = try cachedStatement(sql: "SELECT body FROM \(table) WHERE id = ?")
        let row = try Row.fetchOne(statement, arguments: [entry.id.data])
        guard row.map({ ($0[0] as Data?).map { [UInt8]($0) } }) == entry.body else {
            throw StorageRefusal.lawBroken(detail: "\(entry.id) is held with another body")
        }
    }

    private func insert(_ fork: Chains.Fork, in log: LogID) throws {
        try run(
            """
            INSERT INTO fork (log, sequence, held, rival) VALUES (?, ?, ?, ?)
            ON CONFLICT (log, held, rival) DO NOTHING
            """, [log.data, fork.sequence, fork.held.data, fork.rival.data])
    }

    private func insert(contractKey key: [UInt8], of contract: ContractID) throws {
        guard ContractKey(key)?.contract == contract else {
            throw StorageRefusal.lawBroken(detail: "the key is not that of \(contract)")
        }
        try run(
            """
            INSERT INTO contractKey (contract, key) VALUES (?, ?) ON CONFLICT (contract) DO NOTHING
            """, [contract.data, Data(key)])
    }

    private func insert(_ item: OutboxItem) throws {
        try run(
            """
            INSERT INTO outbox (statement, recipient, contractKey, expires) VALUES (?, ?, ?, ?)
            ON CONFLICT (statement, recipient) DO NOTHING
            """,
            [
                item.statement.id.data, item.recipient.data, item.contractKey.map { Data($0) },
                item.expires.milliseconds,
            ])
    }

    func insert(template hash: Hash32, _ bytes: [UInt8]) throws {
        guard SHA256.hash(bytes) == hash else {
            throw StorageRefusal.lawBroken(detail: "the template is not \(hash)")
        }
        try run(
            "INSERT INTO template (hash, bytes) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
            [hash.data, Data(bytes)])
    }

    private func set(petname: String?, of did: DID) throws {
        guard let petname else { return try run("DELETE FROM petname WHERE did = ?", [did.data]) }
        try run(
            """
            INSERT INTO petname (did, name) VALUES (?, ?)
            ON CONFLICT (did) DO UPDATE SET name = excluded.name
            """, [did.data, petname])
    }

    private func set(_ address: PeerAddress, added: Bool) throws {
        let arguments: StatementArguments = [address.host, address.port, address.did?.data]
        if added {
            try run("INSERT OR IGNORE INTO peer (host, port, did) VALUES (?, ?, ?)", arguments)
        } else {
            try run("DELETE FROM peer WHERE host = ? AND port = ? AND did IS ?", arguments)
        }
    }
}

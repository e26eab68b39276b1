public import Capacity
public import Entries
internal import HashTreeCollections
public import Identity

/// The keys of every author this node knows, from their key logs.
///
/// A key log starts with the identity itself, signed by the key in its body; each later entry is signed
/// by the key that it reveals, which must match the commitment before it.
public struct KeyLogs: Sendable {
    private var logs: TreeDictionary<DID, [Held]> = [:]

    /// Keys of entries at and above the place where their key log parts.
    private var parted: TreeDictionary<EntryID, Parted> = [:]

    private struct Parted: Sendable {
        let author: DID
        let key: PublicKey
        let nextKeyHash: Hash32
        let wire: [UInt8]
    }

    public struct Held: Hashable, Sendable {
        public let id: EntryID
        public let key: PublicKey
        public let nextKeyHash: Hash32
        public let time: Instant
        /// From when on the key before it is not heard any more, as its author says. Who recovered a lost home
        /// could not say when that was: then it is heard as long as M witnesses take it.
        public let replacesFrom: Instant
        /// The key entry itself. Many are kept and few are asked for: bytes take half of what is read from them.
        public let wire: [UInt8]

        var entry: Entry? { try? Entry(strict: wire) }

        /// Whether the next entry may say so.
        func isFollowed(by body: KeyBody, at then: Instant) -> Bool {
            Hash32.nextKey(body.publicKey) == nextKeyHash
                && (body.isRecovery ? then == time : then >= time)
        }
    }

    public init() {}

    /// The key of `author` that key entry `id` brought in.
    public func key(_ author: DID, _ id: EntryID) -> PublicKey? {
        logs[author]?.first { $0.id == id }?.key
    }

    /// The same, also where the key log parts there or below: nobody goes on under such a key, and what was
    /// signed under it stays signed. Whoever could make it unsigned would take back all that he ever said.
    public func keyOfSigner(_ author: DID, _ id: EntryID) -> PublicKey? {
        key(author, id) ?? parted[id].flatMap { $0.author == author ? $0.key : nil }
    }

    /// The place of a key entry in its author's key log, from 1; `nil` where it is not known here.
    public func age(_ author: DID, _ id: EntryID) -> Int? {
        logs[author]?.firstIndex { $0.id == id }.map { $0 + 1 }
    }

    public var authors: [DID] { logs.keys.sorted() }

    /// The newest key entry of `author`.
    public func inForce(_ author: DID) -> Held? { logs[author]?.last }

    public func knows(_ author: DID) -> Bool { logs[author] != nil }

    public func contains(where isWanted: (DID) -> Bool) -> Bool {
        logs.keys.contains(where: isWanted)
    }

    public func entries(of author: DID) -> [Held] { logs[author] ?? [] }

    /// The key entries of `author` themselves, of which `isWanted` chooses by their ids.
    public func log(of author: DID, where isWanted: (EntryID) -> Bool = { _ in true }) -> [Entry] {
        entries(of: author).filter { isWanted($0.id) }.compactMap(\.entry)
    }

    /// One key entry of `author`, also where the key log parts there or below.
    public func entry(_ author: DID, _ id: EntryID) -> Entry? {
        if let held = entries(of: author).first(where: { $0.id == id }) { return held.entry }
        guard let parted = parted[id], parted.author == author else { return nil }
        return try? Entry(strict: parted.wire)
    }

    /// Checks the next key entry of its author. Key entries carry the key that signs them.
    public func decide(_ entry: Entry, checker: SignatureChecker) throws(LogRefusal) -> ValidEntry {
        let author = entry.header.author
        guard let place = entry.header.log, entry.kind == .key else {
            throw .notALogEntry(entry.id)
        }
        guard place.log == .key(author: author) else { throw .logIdWrong(place.log) }
        let held = logs[author] ?? []
        guard place.sequence == Int64(held.count) + 1, place.previous == held.last?.id else {
            throw .gap(log: place.log, held: Int64(held.count), offered: place.sequence)
        }
        do {
            let body = try entry.read(KeyBody.self)
            if let last = held.last {
                guard last.isFollowed(by: body, at: entry.header.time)
                else { throw LogRefusal.keyLogBroken(author: author, sequence: place.sequence) }
            } else {
                guard PublicKey(author) == body.publicKey else {
                    throw LogRefusal.keyLogBroken(author: author, sequence: 1)
                }
            }
            return try ValidEntry(entry, by: body.publicKey, checker: checker)
        } catch let refusal as LogRefusal {
            throw refusal
        } catch let refusal as EntryRefusal {
            throw .entry(refusal)
        } catch {
            throw .notALogEntry(entry.id)
        }
    }

    /// Remembers the key of an entry at or above the place where its key log parts. Nothing, where it is not
    /// the key that the entry below it, or the identity, committed to.
    public mutating func note(parted valid: ValidEntry) {
        let author = valid.header.author
        guard let place = valid.header.log, place.log == .key(author: author),
            key(author, valid.id) == nil, let body = try? valid.entry.read(KeyBody.self)
        else { return }
        let follows =
            place.previous.map { below in
                let committed =
                    entries(of: author).first { $0.id == below }?.nextKeyHash
                    ?? parted[below].flatMap { $0.author == author ? $0.nextKeyHash : nil }
                return committed == .nextKey(body.publicKey)
            } ?? (place.sequence == 1 && PublicKey(author) == body.publicKey)
        guard follows else { return }
        parted[valid.id] = Parted(
            author: author, key: body.publicKey, nextKeyHash: body.nextKeyHash,
            wire: valid.entry.wire)
    }

    /// Takes a decided key entry.
    public mutating func apply(_ valid: ValidEntry) {
        guard let body = try? valid.entry.read(KeyBody.self) else { return }
        logs[valid.header.author, default: []].append(
            Held(
                id: valid.id, key: body.publicKey, nextKeyHash: body.nextKeyHash,
                time: valid.header.time, replacesFrom: body.replacesFrom(valid.header.time),
                wire: valid.entry.wire))
    }
}

internal import Capacity
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import NodeCore

/// What a simulated node has on its disk: the database as committed, and the high-water sidecar beside
/// it, each as durable as its fault says. The checks at start are those of Storage.
struct Disk: Sendable {
    /// The key file: whose node this is, and the key that it signs with.
    private(set) var own: Own
    private(set) var store = MemoryStore()
    /// The stored books: what the committed transfers add up to. Never computed from entries.
    private(set) var books = Books()
    private(set) var booksFault: LedgerRefusal?
    /// Own log entries in the order they were kept.
    private var ownEntries: [EntryID] = []
    private var ownStatements: [EntryID] = []
    private var sidecar: Mark?
    /// The sidecar knows better than the database: it is not written any more.
    private var isWithheld = false
    /// All that a commit holds, by id.
    private(set) var committed: Set<EntryID> = []
    /// A stored entry whose bytes are no longer what was written.
    private(set) var damaged: EntryID?
    private var copies: [Copy] = []

    init(own: Own) { self.own = own }

    /// How many own log entries and statements there were, and the newest of each.
    private struct Mark: Sendable {
        let entries: Int
        let newest: EntryID
        let statements: Int
        let newestStatement: EntryID?
    }

    private struct Copy: Sendable {
        let own: Own
        let store: MemoryStore
        let books: Books
        let ownEntries: [EntryID]
        let ownStatements: [EntryID]
        let committed: Set<EntryID>
    }

    mutating func add(template bytes: [UInt8]) { store.add(template: bytes) }

    /// One transaction. The sidecar is written by `sync`.
    mutating func commit(_ changes: [Change], own: Own?) {
        if let own { self.own = own }
        store.commit(changes)
        for change in changes {
            switch change {
            case .entry(let valid, let own):
                committed.insert(valid.id)
                if own { ownEntries.append(valid.id) }
            case .statement(let valid, _):
                committed.insert(valid.id)
                if valid.header.author == self.own.did { ownStatements.append(valid.id) }
            case .witnessTerms(_, let bytes):
                if let kept = try? Sealed(strict: bytes) { committed.insert(kept.statement.id) }
            case .books(let events):
                for event in events where booksFault == nil {
                    do {
                        try books.decide(event)
                        books.apply(event)
                    } catch { booksFault = error }
                }
            default: break
            }
        }
    }

    /// Writes the stored books anew.
    mutating func repair(_ books: Books) {
        self.books = books
        booksFault = nil
    }

    mutating func sync() {
        guard !isWithheld, let newest = ownEntries.last else { return }
        sidecar = Mark(
            entries: ownEntries.count, newest: newest, statements: ownStatements.count,
            newestStatement: ownStatements.last)
    }

    /// Keeps the whole home as it is now, to be put back one day.
    mutating func copy() {
        guard copies.count < 4 else { return }
        copies.append(
            Copy(
                own: own, store: store, books: books, ownEntries: ownEntries,
                ownStatements: ownStatements, committed: committed))
    }

    /// Puts back the oldest copy that is kept; the sidecar stays.
    mutating func putBack() -> Bool {
        guard let copy = copies.first,
            copy.ownEntries.count < ownEntries.count
                || copy.ownStatements.count < ownStatements.count
        else { return false }
        own = copy.own
        store = copy.store
        books = copy.books
        ownEntries = copy.ownEntries
        ownStatements = copy.ownStatements
        committed = copy.committed
        copies = []
        return true
    }

    mutating func damage(_ entry: EntryID) { damaged = entry }
    var entries: [ValidEntry] { store.snapshot.entries }

    /// What a node starts from; `nil` where something stored is damaged, which hashing shows.
    mutating func load() -> Snapshot? {
        guard damaged == nil else { return nil }
        var snapshot = store.snapshot
        snapshot.readOnly = inspect()
        isWithheld = snapshot.readOnly != nil
        return snapshot
    }

    private mutating func inspect() -> ReadOnlyReason? {
        if planted(.sidecarIgnored) { return nil }
        guard let sidecar else { return .sidecarMissing }
        guard sidecar.entries <= ownEntries.count, sidecar.statements <= ownStatements.count else {
            return .sidecarAhead(
                sidecar: Int64(sidecar.entries + sidecar.statements),
                database: Int64(ownEntries.count + ownStatements.count))
        }
        guard ownEntries[sidecar.entries - 1] == sidecar.newest,
            sidecar.statements == 0
                || ownStatements[sidecar.statements - 1] == sidecar.newestStatement
        else { return .sidecarForeign }
        isWithheld = false
        sync()
        return nil
    }
}

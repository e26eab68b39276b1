internal import Capacity
package import Entries
package import Identity
package import Ledger
internal import Logs
package import NodeCore
package import Replication

/// What a simulated node has on its disk: the database as committed, and the high-water sidecar beside
/// it, each as durable as its fault says. The checks at start are those of Storage.
package struct ModelDisk: Disk, Sendable {
    package private(set) var own: Own
    private var store = MemoryStore()
    /// The stored books: what the committed transfers add up to. Never computed from entries.
    private var books = Books()
    private var booksFault: LedgerRefusal?
    package var isBookless: Bool { booksFault != nil }
    /// Own log entries in the order they were kept.
    private var ownEntries: [EntryID] = []
    private var ownStatements: [EntryID] = []
    private var sidecar: Mark?
    /// The sidecar knows better than the database: it is not written any more.
    private var isWithheld = false
    /// All that a commit holds, by id.
    private var committed: Set<EntryID> = []
    /// A stored entry whose bytes are no longer what was written.
    private var damaged: EntryID?
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

    package mutating func create(_ genesis: Genesis, templates: [[UInt8]]) {
        for bytes in templates { store.add(template: bytes) }
        commit(genesis.entries.map { Change.entry($0, own: true) }, own: nil)
        sync()
    }

    package mutating func commit(
        _ changes: [Change], own: Own?, under fault: DiskFault?
    ) -> CommitOutcome {
        switch fault {
        case .full, .fails(keeping: false): return .lost
        case .stops: commit(changes, own: own)
        case nil, .fails(keeping: true):
            commit(changes, own: own)
            sync()
        }
        return fault == nil ? .kept : .untold
    }

    /// One transaction. The sidecar is written by `sync`.
    private mutating func commit(_ changes: [Change], own: Own?) {
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

    package mutating func repair(_ books: Books) {
        self.books = books
        booksFault = nil
    }

    private mutating func sync() {
        guard !isWithheld, let newest = ownEntries.last else { return }
        sidecar = Mark(
            entries: ownEntries.count, newest: newest, statements: ownStatements.count,
            newestStatement: ownStatements.last)
    }

    package mutating func copy() {
        guard copies.count < 4 else { return }
        copies.append(
            Copy(
                own: own, store: store, books: books, ownEntries: ownEntries,
                ownStatements: ownStatements, committed: committed))
    }

    package mutating func putBack() -> Bool {
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

    package mutating func damage(_ entry: EntryID) { damaged = entry }

    package mutating func load(isFull: Bool) -> Loaded {
        guard damaged == nil else { return .damaged(unprovoked: nil) }
        var snapshot = store.snapshot
        snapshot.readOnly = inspect()
        isWithheld = snapshot.readOnly != nil
        return .whole(.init(snapshot: snapshot))
    }

    package func frames(for directive: Directive) -> [(peer: PeerID, frame: Frame)] {
        store.outgoing(directive)
    }

    // What is in memory is as it was committed, however the process ended.
    package func close() {}
    package func crash() {}
    package func heal() {}

    package func holds(_ id: EntryID) -> Bool { committed.contains(id) }
    package var entries: [ValidEntry] { store.snapshot.entries }
    package func entries(of log: LogID) -> [Entry] { store.entries(of: log) }
    package func entry(of log: LogID, at sequence: Int64) -> Entry? {
        let entries = store.entries(of: log)
        return entries.indices.contains(Int(sequence) - 1) ? entries[Int(sequence) - 1] : nil
    }
    package var snapshot: Snapshot? { store.snapshot }
    package func difference(to books: Books) -> String? {
        books.dump() == self.books.dump() ? nil : "dump"
    }
    package var befell: [String: Int] { [:] }
    package var print: UInt64 { 0 }

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

internal import Entries
internal import HashTreeCollections
public import Identity
public import Logs

/// The capacity lines that a node knows, and their entries that contracts may still have to embed.
///
/// To copy all is to copy two references, however many lines there are and however long: whatever a line is
/// asked for is tried on a copy of the node.
public struct Lines: Sequence, Sendable {
    private var all: TreeDictionary<LogID, LineLog> = [:]
    private var entriesOf: TreeDictionary<LogID, LineEntries> = [:]

    public internal(set) subscript(log: LogID) -> LineLog? {
        get { all[log] }
        set { all[log] = newValue }
    }

    public var keys: some Collection<LogID> { all.keys }
    public var values: some Collection<LineLog> { all.values }
    public var count: Int { all.count }

    public func makeIterator() -> some IteratorProtocol<(key: LogID, value: LineLog)> {
        all.makeIterator()
    }

    /// In their order, cuts included.
    func entries(of line: LogID) -> [Entry] { entriesOf[line]?.inOrder ?? [] }

    /// The entry that made a grant, and those that say more of it, in their order.
    func entries(of line: LogID, about grant: EntryID) -> [Entry] {
        entriesOf[line]?.about(grant) ?? []
    }

    func cuts(of line: LogID) -> [Entry] { entriesOf[line]?.cuts ?? [] }

    mutating func keep(_ entry: Entry, of line: LogID) {
        entriesOf[line, default: LineEntries()].append(entry)
    }

    mutating func keep(only entries: some Sequence<Entry>, of line: LogID) {
        var kept = LineEntries()
        for entry in entries { kept.append(entry) }
        entriesOf[line] = kept
    }
}

/// Entries of one line, found by the grant that they are about: a line that sells for years has a hundred
/// thousand, a grant some tens.
private struct LineEntries: Sendable {
    private var all: TreeDictionary<Int, Entry> = [:]
    private var placesOf: TreeDictionary<EntryID, [Int]> = [:]
    private var placesOfCuts: [Int] = []

    var inOrder: [Entry] { (0..<all.count).compactMap { all[$0] } }
    var cuts: [Entry] { placesOfCuts.compactMap { all[$0] } }

    func about(_ grant: EntryID) -> [Entry] { (placesOf[grant] ?? []).compactMap { all[$0] } }

    mutating func append(_ entry: Entry) {
        let place = all.count
        all[place] = entry
        if entry.kind == .cut { placesOfCuts.append(place) }
        for grant in entry.grants { placesOf[grant, default: []].append(place) }
    }
}

extension Entry {
    /// The grants of its line that it makes, carries over or says more of.
    fileprivate var grants: [EntryID] {
        switch kind {
        case .grant: [id]
        case .firm: (try? read(Firm.self)).map { [$0.grant] } ?? []
        case .split: [id] + ((try? read(Split.self)).map { [$0.grant] } ?? [])
        case .release: (try? read(Release.self)).map { [$0.grant] } ?? []
        default: []
        }
    }
}

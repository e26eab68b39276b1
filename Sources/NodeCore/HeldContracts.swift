internal import Capacity
internal import Contracts
internal import Entries
internal import HashTreeCollections
public import Identity
public import Ledger

/// The contracts of a node, by id, and which of them are awake: something may be due in them.
///
/// Whatever touches a contract wakes it. A tick looks at those that are awake, and lets rest what only
/// another input, or a later moment, can move: a second costs what is due, however many contracts are held.
/// To copy all is to copy one reference, whatever is held: commands work on a copy of the node, and pages read one.
public struct HeldContracts: Sequence, Sendable {
    private var all: TreeDictionary<ContractID, Cell> = [:]
    private(set) var awake: Set<ContractID> = []
    /// When those that rest wake by themselves; `next` is not after any of them.
    private var alarms: TreeDictionary<ContractID, Instant> = [:]
    private var next = Instant.latest
    /// The last moment that was asked about.
    private var seen = Instant.earliest
    private var offspring: TreeDictionary<ContractID, Set<ContractID>> = [:]
    /// Those that not all have signed.
    private(set) var proposed: TreeSet<ContractID> = []

    /// In how many contracts that we signed and that are not over each other person is named.
    private var tally: [DID: Int] = [:]
    private let own: DID
    /// As of the last input that is over.
    public private(set) var overview = Overview()
    /// What it shows of each, and which changed since.
    private var outlines: TreeDictionary<ContractID, ContractOutline> = [:]
    private var touched: Set<ContractID> = []

    /// One contract. Never written while two refer to it.
    private final class Cell: @unchecked Sendable {
        var held: HeldContract?
        /// Whom the tally counts for it.
        var partners: [DID] = []
        /// Whether it stands among `proposed`.
        var isProposed = false

        init(_ held: HeldContract?) { self.held = held }

        init(copying other: Cell) {
            (held, partners, isProposed) = (other.held, other.partners, other.isProposed)
        }
    }

    /// `own`: whose node holds them.
    public init(of own: DID) { self.own = own }

    public internal(set) subscript(id: ContractID) -> HeldContract? {
        _read {
            if let cell = all[id] { yield cell.held } else { yield nil }
        }
        _modify {
            awake.insert(id)
            touched.insert(id)
            let cell = unshared(id)
            let isNew = cell.held == nil
            defer { put(cell, id, isNew: isNew) }
            yield &cell.held
        }
    }

    /// The contract's place in the tree, made where there is none; a copy of all does not refer to it.
    private mutating func unshared(_ id: ContractID) -> Cell {
        func own(_ cell: inout Cell) -> Cell {
            if !isKnownUniquelyReferenced(&cell) { cell = Cell(copying: cell) }
            return cell
        }
        return own(&all[id, default: Cell(nil)])
    }

    private mutating func put(_ cell: Cell, _ id: ContractID, isNew: Bool) {
        if cell.held == nil { all[id] = nil }
        let isProposed = cell.held?.isProposed == true
        if isProposed != cell.isProposed {
            if isProposed { proposed.insert(id) } else { proposed.remove(id) }
            cell.isProposed = isProposed
        }
        count(cell)
        if isNew, let parent = cell.held?.proposal.parent?.contract {
            offspring[parent, default: []].insert(id)
        }
    }

    private mutating func count(_ cell: Cell) {
        let isOurs = cell.held.map { !$0.isOver && $0.hasAccepted(own) } ?? false
        // Who is named never changes: only whether they count does.
        guard isOurs == cell.partners.isEmpty else { return }
        for did in cell.partners { tally[did] = tally[did].flatMap { $0 > 1 ? $0 - 1 : nil } }
        cell.partners = isOurs ? cell.held?.named.filter { $0 != own } ?? [] : []
        for did in cell.partners { tally[did, default: 0] += 1 }
    }

    /// Once for each input: to outline a contract costs more than a touch.
    mutating func settle(_ books: Books) {
        for id in touched {
            let new = all[id]?.held.map { ContractOutline($0, books.rows(of: id), of: own) }
            overview.replace(outlines[id], with: new)
            outlines[id] = new
        }
        touched = []
    }

    /// The same, found by looking at all of them.
    public func overviewAnew(_ books: Books) -> Overview {
        var anew = HeldContracts(of: own)
        anew.all = all
        anew.touched = Set(all.keys)
        anew.settle(books)
        return anew.overview
    }

    /// Everyone else in the contracts that we signed and that are not over.
    public var partners: [DID] { tally.keys.sorted() }
    func isPartner(_ did: DID) -> Bool { tally[did] != nil }

    /// Contracts that are drawn under another, or pass on a part of it.
    public func children(of id: ContractID) -> [ContractID] { offspring[id]?.sorted() ?? [] }

    public var keys: some Collection<ContractID> { all.keys }
    public var values: some Collection<HeldContract> { all.lazy.compactMap(\.value.held) }
    public var count: Int { all.count }
    public var isEmpty: Bool { all.isEmpty }

    public func makeIterator() -> some IteratorProtocol<(key: ContractID, value: HeldContract)> {
        all.lazy.compactMap { id, cell in cell.held.map { (key: id, value: $0) } }.makeIterator()
    }

    mutating func wake(at now: Instant) {
        // What was let rest by a clock that was ahead may not rest by the right one.
        if now < seen { awake = Set(all.keys) }
        seen = now
        guard next < now else { return }
        next = .latest
        for (id, moment) in alarms {
            if moment < now {
                alarms[id] = nil
                awake.insert(id)
            } else {
                next = Swift.min(next, moment)
            }
        }
    }

    /// `alarm`: the moment after which it wakes by itself.
    mutating func letRest(_ id: ContractID, until alarm: Instant? = nil) {
        awake.remove(id)
        alarms[id] = alarm
        if let alarm { next = Swift.min(next, alarm) }
    }
}

extension HeldContract {
    /// Time alone makes nothing due in it. `isReleased`: it ended, and our lines got back what they had
    /// to.
    func rests(isReleased: Bool, at now: Instant) -> Bool {
        guard let fold else { return true }
        if planted(.heldUnitsReleased) || planted(.openedLate) { return false }
        if let takeover = fold.takeover, !takeover.isInForce { return false }
        guard fold.isSequenced else {
            return declined != nil || !isAgreed || proposal.grantBy < now
        }
        return isReleased || requests.isEmpty && !fold.state.isEnded
    }
}

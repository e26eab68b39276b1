internal import Capacity
public import Entries
public import Identity

extension LineLog {
    /// A line whose log parts. Nothing at or above the fork counts, but every grant binds its issuer, on
    /// whichever branch it was signed.
    public struct Parted: Hashable, Sendable {
        public let log: LogID
        /// The lowest sequence with two entries.
        public let sequence: Int64
        /// Units by the entry that grants them, over all branches.
        public internal(set) var grants: [EntryID: Int64] = [:]
        /// The largest total that any branch declares.
        public internal(set) var total: Int64
        /// What was split off, over all branches, and from which grant; as many as are kept of branches.
        var splits: [EntryID: EntryID] = [:]
        /// Grants that a cut carries over; `nil` while there is none.
        public internal(set) var cut: Set<EntryID>?

        /// Units granted on the branches and not carried over.
        public var granted: Int64 {
            grants.filter { cut?.contains($0.key) != true }.values.reduce(0) { saturating($0, $1) }
        }
    }

    /// Closed, where it parted, and nothing that is known here was left out: no grant of a branch, and nothing that
    /// was split off there, for which somebody may have paid.
    public var isClosed: Bool {
        guard let parted, let cut = parted.cut else { return false }
        // Of a grant that nobody knows there is nothing to split.
        func isKnown(_ grant: EntryID) -> Bool {
            var grant = grant
            while let whole = parted.splits[grant] { grant = whole }
            return line.grant(grant) != nil || parted.grants[grant] != nil
        }
        return parted.granted == 0
            && parted.splits.allSatisfy { cut.contains($0.key) || !isKnown($0.value) }
    }

    /// Units that holders can claim, over all branches.
    public var promised: Int64 {
        line.grants.reduce(parted?.granted ?? 0) { saturating($0, $1.units) }
    }

    /// What the issuer promised beyond what it ever declared. Above 0, the fork is a double sale; at 0 it
    /// looks like an old copy that was put back.
    public var oversold: Int64 {
        guard let parted else { return 0 }
        let total = parted.cut == nil ? parted.total : 0
        return max(0, promised - max(total, line.total ?? 0))
    }

    /// Nothing new is granted or bought where the line broke its law, parted, or goes on in a way that
    /// this program does not know.
    public var isOpen: Bool { fault == nil && newerAt == nil && (parted == nil || isClosed) }

    private static let splitsMax = 1_024

    /// Marks the lowest fork. What was folded must lie below it.
    public mutating func part(at sequence: Int64, in log: LogID) {
        let known = parted?.log == log ? parted : nil
        guard known.map({ $0.sequence > sequence }) ?? true else { return }
        parted = Parted(
            log: log, sequence: sequence, grants: known?.grants ?? [:],
            total: known?.total ?? line.total ?? 0, splits: known?.splits ?? [:])
    }

    /// Takes an entry at or above the fork, of any branch, in any order.
    public mutating func hold(_ entry: Entry) {
        guard var held = parted, entry.header.log?.log == held.log else { return }
        switch entry.kind {
        case .grant:
            guard let body = try? entry.read(Grant.self) else { return }
            held.grants[entry.id] = body.units
        case .split:
            guard held.splits.count < Self.splitsMax, let body = try? entry.read(Split.self),
                body.units > 0
            else { return }
            held.splits[entry.id] = body.grant
        case .declare:
            guard let body = try? entry.read(Declare.self) else { return }
            held.total = max(held.total, body.total)
        case .adjust:
            guard let body = try? entry.read(Adjust.self) else { return }
            held.total = max(held.total, body.total)
        default: return
        }
        parted = held
    }
}

private func saturating(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}

internal import HashTreeCollections
public import Entries
public import Identity

// What a change of its author's key does to a log.
//
//     old ─ old ─ old ─ continue ─ new ─ new        the key rises at a `continue` and never falls
//                  └─ old ─ old                     at or above it, under an older key: no effect, no fork

extension Chains.Chain {
    /// The key entry under which the entry at `sequence` was signed.
    public func key(at sequence: Int64) -> EntryID? {
        sequence <= head ? keys.last { $0.from <= sequence }?.key : nil
    }
}

extension Chains {
    /// Notes that `entry`, though it leaves a gap, stands under its author's key in force: what lies
    /// below may then be taken under older keys, for a `continue` is known to come.
    public mutating func note(above entry: Entry, keys: KeyLogs, checker: SignatureChecker) {
        guard let place = entry.header.log, let inForce = keys.inForce(entry.header.author),
            entry.header.key == inForce.id, place.sequence > continued[place.log] ?? 0,
            (try? ValidEntry(entry, by: inForce.key, checker: checker)) != nil
        else { return }
        continued[place.log] = place.sequence
    }

    /// The key never falls, and rises at a `continue` that names the key it rises from.
    func checkKeys(_ run: [ValidEntry], after held: EntryID?, keys: KeyLogs) throws(LogRefusal) {
        var before = held
        for valid in run {
            defer { before = valid.header.key }
            guard let key = valid.header.key, let last = before else { continue }
            let author = valid.header.author
            let isContinue = valid.entry.kind == .continue
            guard key != last else {
                // A second `continue` under one key would say nothing.
                guard !isContinue else { throw .keyRose(at: valid.id) }
                continue
            }
            guard keys.age(author, key) ?? 0 > keys.age(author, last) ?? 0 else {
                throw .keyFell(at: valid.id)
            }
            guard isContinue, (try? valid.entry.read(Continue.self))?.from == last else {
                throw .keyRose(at: valid.id)
            }
        }
        if held == nil, run.first?.entry.kind == .continue, let first = run.first,
            first.header.log?.sequence == 1
        {
            throw .keyRose(at: first.id)
        }
    }

    /// All of the run is under older keys than what is held at its beginning, or below.
    func isSuperseded(_ run: [ValidEntry], in chain: Chain?, keys: KeyLogs) -> Bool {
        guard let chain, let first = run.first?.header.log, let newest = run.last?.header,
            let key = newest.key, let held = chain.keys.last(where: { $0.from <= first.sequence })
        else { return false }
        return keys.age(newest.author, key) ?? 0 < keys.age(newest.author, held.key) ?? 0
    }

    /// The run starts with a `continue` under a newer key than anything held from there on.
    func supersedes(_ run: [ValidEntry], _ chain: Chain, keys: KeyLogs) -> Bool {
        guard let first = run.first, first.entry.kind == .continue, let key = first.header.key,
            let newest = chain.keys.last
        else { return false }
        let author = first.header.author
        return keys.age(author, key) ?? 0 > keys.age(author, newest.key) ?? 0
    }

    /// Under an older key than the one in force, and nothing under that one is known above it.
    func waits(_ newest: Entry, keys: KeyLogs) -> Bool {
        guard let key = newest.header.key, let place = newest.header.log,
            let inForce = keys.inForce(newest.header.author), key != inForce.id
        else { return false }
        return continued[place.log] ?? 0 <= place.sequence
    }
}

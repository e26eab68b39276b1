internal import HashTreeCollections
internal import Capacity
internal import Entries
public import Identity
internal import Logs
internal import Market

// A forked log is closed by a cut: this log ends here, that log goes on.

extension Node {
    /// The log that a line or an author's public log is named by, for a log that goes on after cuts of it.
    func base(of log: LogID) -> LogID { baseOf[log] ?? log }

    /// Where the newest entries of `base` are written: itself, or what goes on after its cuts.
    func current(_ base: LogID) -> LogID {
        var log = base
        while let next = successors[log] { log = next }
        return log
    }

    func isLine(_ log: LogID) -> Bool { lines[base(of: log)] != nil }

    /// The cut that `entry` is, where it closes what this node knows to part, just below where it does.
    func lawfulCut(_ entry: Entry) -> Cut? {
        guard entry.kind == .cut, let place = entry.header.log, place.sequence == 1,
            isAlliance(entry.header.topic), let cut = try? entry.read(Cut.self)
        else { return nil }
        let author = entry.header.author
        guard place.log == .successor(of: cut, author: author), contractOfLog[cut.log] == nil,
            belongs(cut.log, author: author, topic: entry.header.topic),
            forkedAt[cut.log] == cut.sequence + 1,
            chains.chain(cut.log)?.id(at: cut.sequence) == cut.id
        else { return nil }
        return cut
    }

    /// From here on the log goes on elsewhere.
    mutating func fold(cut entry: Entry) {
        guard let place = entry.header.log, let cut = lawfulCut(entry) else { return }
        let base = base(of: cut.log)
        successors[cut.log] = place.log
        baseOf[place.log] = base
        if let topic = entry.header.topic, isPublic(base, of: entry.header.author, topic) {
            let people = memberships[topic]?.goOn(place.log, after: cut) ?? []
            // What was read of it, or of those whom it let in, may count no more, or count now.
            if !people.isEmpty, !isRestoring { readAnew() }
        }
        guard lines[base] != nil else { return }
        lines[base]?.part(at: cut.sequence + 1, in: cut.log)
        for branch in branches[cut.log] ?? [] { lines[base]?.hold(branch) }
        lines[base]?.fold(cut: entry)
        lines.keep(entry, of: base)
    }

    /// Closes a log of ours that parts. What stands below the fork stands on; of a line, the grants of every
    /// branch known here are carried over, and the total is raised where they need more.
    @discardableResult
    public mutating func cut(_ log: LogID) throws(NodeRefusal) -> LogID {
        try checkMaySign()
        let log = current(base(of: log))
        guard let chain = chains.chain(log), chain.author == own.did, let forked = forkedAt[log],
            log != .key(author: own.did), contractOfLog[log] == nil
        else { throw .nothingToCut(log) }
        var cut = Cut(log: log, sequence: forked - 1, id: chain.id(at: forked - 1))
        if let line = lines[base(of: log)] {
            guard line.fault == nil, line.newerAt == nil else { throw .lineForked(log) }
            cut.grants = line.carried(by: branches[log] ?? [])
            let granted = (line.line.total ?? 0) - line.line.remaining
            // A thief of the key may have granted whatever he liked.
            let bound = cut.grants.reduce(Int128(granted)) { $0 + Int128($1.units) }
            guard bound <= wholeNumberMax, cut.grants.count <= EntryLimit.listItems else {
                throw .nothingToCut(log)
            }
            cut.total = max(line.parted?.total ?? line.line.total ?? 0, Int64(bound))
            cut.remaining = cut.total - Int64(bound)
        }
        let successor = LogID.successor(of: cut, author: own.did)
        // On a copy, as for every line entry: a cut that breaks the line is never kept.
        var trial = self
        try trial.append(cut, to: successor, topic: chain.topic)
        if let fault = trial.lines[base(of: log)]?.fault { throw .line(fault.reason) }
        self = trial
        return successor
    }

    /// Line entries as a step embeds them: with the cuts that lead to the logs they stand in.
    func withCuts(_ entries: [Entry]) -> [Entry] {
        let bases = Set(
            entries.compactMap { $0.header.log?.log }.filter { baseOf[$0] != nil }
                .map { base(of: $0) })
        let cuts = bases.sorted().flatMap(lines.cuts)
        return entries + cuts
    }
}

public import Capacity
public import Entries
internal import HashTreeCollections
public import Identity

/// Every log this node holds, as far as order goes: ids by sequence, newest time, forks.
///
/// Bulk sync checks one signature per contiguous run: newest first, then hashes back to what is held.
public struct Chains: Sendable {
    var chains: TreeDictionary<LogID, Chain> = [:]
    /// Logs in which an entry under its author's key in force was seen above what is held.
    var continued: TreeDictionary<LogID, Int64> = [:]

    public struct Chain: Sendable {
        public let author: DID
        public let topic: TopicID?
        /// It is its author's public log in its topic. The name is a hash, and would be made for each entry.
        public let isPublic: Bool
        /// Ids by sequence, from 1.
        public internal(set) var ids: [EntryID] = []
        public internal(set) var newestTime: Instant = .earliest
        public internal(set) var fork: Fork?
        /// From which sequence on which key entry signed; ascending. Empty for key logs.
        public internal(set) var keys: [Span] = []

        public struct Span: Hashable, Sendable {
            public let from: Int64
            public let key: EntryID
        }
        /// Entries of other branches that are held beside this one, once the log is known to part.
        public internal(set) var rivals: [EntryID: Rival] = [:]

        public var head: Int64 { Int64(ids.count) }

        fileprivate init(of first: ValidEntry, in log: LogID) {
            author = first.header.author
            topic = first.header.topic
            isPublic =
                first.header.topic.map {
                    log == .publicLog(author: first.header.author, alliance: $0)
                } ?? false
        }

        fileprivate mutating func append(_ valid: ValidEntry) {
            ids.append(valid.id)
            if let key = valid.header.key, keys.last?.key != key {
                keys.append(.init(from: head, key: key))
            }
            newestTime = valid.header.time
        }

        public func id(at sequence: Int64) -> EntryID? {
            sequence >= 1 && sequence <= head ? ids[Int(sequence) - 1] : nil
        }
    }

    /// Where an entry of another branch stands.
    public struct Rival: Hashable, Sendable {
        public let sequence: Int64
        public let previous: EntryID?
    }

    /// Two valid entries at one sequence of one log, both by its author. Never healed by time.
    public struct Fork: Hashable, Sendable {
        public let sequence: Int64
        /// The branch held first and its rival, each by its own signature or an evidence chain.
        public let held: EntryID
        public let rival: EntryID

        public init(sequence: Int64, held: EntryID, rival: EntryID) {
            self.sequence = sequence
            self.held = held
            self.rival = rival
        }
    }

    /// What an offered run of entries turns out to be.
    public enum Admission: Sendable {
        /// Extends the log; ascending, all new.
        case extends([ValidEntry])
        case known
        /// A valid entry beside one that is held.
        case forks(Fork, rival: [ValidEntry])
        /// Starts with a `continue` that takes the place of what is held from there on.
        case supersedes([ValidEntry])
        /// Under an older key, at or above a `continue` that is held: no effect, and no fork.
        case superseded
        /// Under an older key than its author's in force, and no `continue` is held yet.
        case waits
        /// Goes on from a rival that is held.
        case branches([ValidEntry])
    }

    public init() {}

    public func chain(_ log: LogID) -> Chain? { chains[log] }
    public func head(_ log: LogID) -> Int64 { chains[log]?.head ?? 0 }
    public var logs: [LogID] { chains.keys.sorted() }

    /// Decides a contiguous ascending run of one log that starts no later than just above what is held.
    /// Refused as a whole where its newest entry is not valid.
    ///
    /// `anchored` is the highest sequence that somebody else relied on: no `continue` takes its place or
    /// a lower one. `witnessed` is the highest sequence of `run` itself that enough witnesses receipted: up
    /// to there a `continue` that is held beside it does not make it void, but a fork. `adopting` our own log nothing waits: the `continue` is ours to write.
    public func decide(
        _ run: [Entry], keys: KeyLogs, checker: SignatureChecker, anchored: Int64 = 0,
        witnessed: Int64 = 0, adopting: Bool = false
    ) throws(LogRefusal) -> Admission {
        guard let newest = run.last, let first = run.first, let start = first.header.log else {
            throw .runUneven(at: 0)
        }
        try checkShape(run, start)
        let chain = chains[start.log]
        if let chain {
            guard chain.author == first.header.author, chain.topic == first.header.topic else {
                throw .foreign(first.id)
            }
        }
        let held = chain?.head ?? 0
        if let chain, !chain.rivals.isEmpty,
            let branch = try decideBranch(run, chain, keys: keys, checker: checker)
        {
            return branch
        }
        guard start.sequence <= held + 1 else {
            throw .gap(log: start.log, held: held, offered: start.sequence)
        }
        let fresh = run.drop { entry in
            guard let place = entry.header.log else { return false }
            return chain?.id(at: place.sequence) == entry.id
        }
        guard let firstFresh = fresh.first, let place = firstFresh.header.log else { return .known }
        let valid = try validate(Array(fresh), newest: newest, keys: keys, checker: checker)
        guard place.previous == chain?.id(at: place.sequence - 1) else {
            // It does not stand on what we hold: some earlier entry must differ too.
            throw .chainBroken(at: firstFresh.id)
        }
        if place.sequence > witnessed, isSuperseded(valid, in: chain, keys: keys) {
            return .superseded
        }
        try checkKeys(valid, after: chain?.key(at: place.sequence - 1), keys: keys)
        if place.sequence <= held, let mine = chain?.id(at: place.sequence) {
            if let chain, place.sequence > anchored, supersedes(valid, chain, keys: keys) {
                return .supersedes(valid)
            }
            return .forks(
                Fork(sequence: place.sequence, held: mine, rival: firstFresh.id), rival: valid)
        }
        if let chain, firstFresh.header.time < chain.newestTime {
            throw .timeFell(at: firstFresh.id)
        }
        return !adopting && waits(newest, keys: keys) ? .waits : .extends(valid)
    }

    /// Takes a decided, or freshly signed, entry at the end of its log.
    public mutating func apply(_ valid: ValidEntry) {
        guard let place = valid.header.log else { return }
        let isNext = place.sequence == head(place.log) + 1
        assert(isNext)
        guard isNext else { return }
        // In its place: a copy for each entry would make a long log cost its square.
        chains[place.log, default: Chain(of: valid, in: place.log)].append(valid)
    }

    /// Marks a decided fork; the lowest one counts.
    public mutating func apply(_ fork: Fork, in log: LogID) {
        guard let known = chains[log]?.fork, known.sequence <= fork.sequence else {
            chains[log]?.fork = fork
            return
        }
    }

    private func checkShape(_ run: [Entry], _ start: Header.LogPlace) throws(LogRefusal) {
        for (offset, entry) in run.enumerated() {
            guard let place = entry.header.log else { throw .notALogEntry(entry.id) }
            guard place.log == start.log, place.sequence == start.sequence + Int64(offset) else {
                throw .runUneven(at: place.sequence)
            }
            // Each of them: a key change inside the run must not bring in another author.
            guard entry.header.author == run[0].header.author,
                entry.header.topic == run[0].header.topic
            else { throw .foreign(entry.id) }
            guard offset == 0 || run[offset - 1].header.time <= entry.header.time else {
                throw .timeFell(at: entry.id)
            }
        }
    }

    /// Newest first: an own signature, then the run check until the key changes.
    func validate(
        _ run: [Entry], newest: Entry, keys: KeyLogs, checker: SignatureChecker
    ) throws(LogRefusal) -> [ValidEntry] {
        var valid: [ValidEntry] = []
        do {
            for entry in run.reversed() {
                if let successor = valid.last, successor.header.key == entry.header.key {
                    valid.append(try ValidEntry(entry, reachedBy: successor))
                } else {
                    guard let keyID = entry.header.key,
                        let key = keys.key(entry.header.author, keyID)
                    else {
                        throw LogRefusal.keyUnknown(
                            author: entry.header.author, key: entry.header.key ?? .zero)
                    }
                    if let successor = valid.last {
                        guard successor.header.log?.previous == entry.id else {
                            throw LogRefusal.chainBroken(at: entry.id)
                        }
                    }
                    valid.append(try ValidEntry(entry, byCheckedKey: key, checker: checker))
                }
            }
        } catch let refusal as LogRefusal {
            throw refusal
        } catch let refusal as EntryRefusal {
            throw .entry(refusal)
        } catch {
            throw .notALogEntry(newest.id)
        }
        return valid.reversed()
    }
}

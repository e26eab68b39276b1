internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
public import Replication

// Forks: how they become known, travel, and what follows from them here.

/// Entries of other branches kept of one line: whoever signs more has shown enough.
let branchEntriesMax = 1_024

/// How much of what is held of forks is shown over one connection within a tick: a part of what may wait for it, or
/// the connection would end, and the next one alike.
let shownBytesMax = 512 * 1024

/// A log that parts, on its way to a peer: the proof, then runs of its branches.
struct Showing: Sendable {
    let log: LogID
    var next = 0
    /// How many entries of branches there were.
    var held: Int?
}

extension Node {
    /// The lowest sequence at which `log` is known to part; `nil` where it does not.
    public func forked(_ log: LogID) -> Int64? { forkedAt[log] }

    /// The logs that part, each with its author.
    public var forks: [(log: LogID, author: DID, sequence: Int64)] {
        sorted(forkedAt).compactMap { log, sequence in
            guard let author = chains.chain(log)?.author ?? proofs[log]?.author else { return nil }
            return (log, author, sequence)
        }
    }

    /// Steps that were booked may have lost their effect: a process that ends between the commit that says
    /// so and its reload leaves their rows in the ledger. So may a home that lost its newest part, where pages
    /// of that part had come into the ledger's file already.
    public var mayHaveLostSteps: Bool {
        if !forkedAt.isEmpty || recovery.reason != nil { return true }
        return contracts.values.contains { held in
            guard let fold = held.fold else { return false }
            return fold.takeover?.ruling != nil || fold.settled != nil
                || chains.chain(held.log)?.rivals.isEmpty == false
        }
    }

    // MARK: - What sessions ask

    public func forks(in topic: TopicID) -> [Message.Head] {
        var heads: [Message.Head] = []
        for (log, proof) in sorted(proofs) where isItem(proof.topic, proof.author, in: topic) {
            heads.append(.init(log: log, sequence: 0, id: proof.fork))
            guard isLine(log), let chain = chains.chain(log) else { continue }
            heads += chain.tips.map { .init(log: log, sequence: 0, id: $0) }
        }
        return heads
    }

    public func knows(fork id: EntryID, of log: LogID) -> Bool {
        guard forkedAt[log] != nil else { return false }
        // The fork itself counts as known only with a proof to show.
        if let proof = proofs[log], proof.fork == id { return true }
        guard let chain = chains.chain(log) else { return false }
        return chain.rivals[id] != nil || chain.ids.contains(id)
    }

    /// The proof, then of a line all that is held of its branches, lowest first.
    mutating func prove(_ log: LogID, to peer: PeerID) {
        guard proofs[log] != nil, let showing = connections[peer]?.showing,
            !showing.contains(where: { $0.log == log })
        else { return }
        connections[peer]?.showing.append(Showing(log: log))
        goOnShowing(peer)
    }

    /// As much as there is room for until the next tick, then the next log's turn comes.
    mutating func goOnShowing(_ peer: PeerID) {
        func hasRoom() -> Bool { connections[peer]?.shownBytes ?? .max < shownBytesMax }
        while hasRoom(), var one = connections[peer]?.showing.first {
            connections[peer]?.showing.removeFirst()
            guard let proof = proofs[one.log] else { continue }
            let runs = branchRuns(of: one.log)
            // Another branch came: its place among the others is anywhere.
            if one.held != branches[one.log]?.count { one.next = 0 }
            one.held = branches[one.log]?.count
            while hasRoom(), one.next <= runs.count {
                let message: Message =
                    one.next == 0
                    ? .proof(proof.wire) : .branch(runs[one.next - 1].map(\.wire))
                let frame = message.frame
                connections[peer]?.shownBytes += frame.length
                directives.append(.send(peer, frame))
                one.next += 1
            }
            if one.next <= runs.count { connections[peer]?.showing.append(one) }
        }
    }

    /// What is held at or above the fork of a line: runs, each from the fork or from the end of an earlier
    /// one up to an entry that is signed for itself.
    func branchRuns(of log: LogID) -> [[Entry]] {
        let kept = branches[log] ?? []
        let byID = Dictionary(kept.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let below = Set(kept.compactMap { $0.header.log?.previous })
        var told: Set<EntryID> = []
        var runs: [[Entry]] = []
        for tip in kept.filter({ !below.contains($0.id) }).sorted(by: { $0.id < $1.id }) {
            var path: [Entry] = []
            var next: Entry? = tip
            while let entry = next, told.insert(entry.id).inserted {
                path.append(entry)
                next = entry.header.log?.previous.flatMap { byID[$0] }
            }
            var rest = Array(path.reversed())[...]
            while let signed = Self.fitting(rest).lastIndex(where: { !vouched.contains($0.id) }) {
                runs.append(Array(rest[...signed]))
                rest = rest[rest.index(after: signed)...]
            }
        }
        return runs
    }

    private static func fitting(_ run: ArraySlice<Entry>) -> ArraySlice<Entry> {
        var bytes = 0
        return run.prefix(Int(ReplicationLimit.rangeEntries)).prefix { entry in
            bytes += entry.wire.count
            return bytes <= ReplicationLimit.answerBytes
        }
    }

    // MARK: - Proofs from peers

    /// Checks a proof here before it counts. One that is false changes nothing and ends the connection; one
    /// that cannot be judged yet waits for what it needs.
    mutating func receive(proof wire: [UInt8], from peer: PeerID) {
        let proof: ForkProof
        do {
            guard wire.count <= ForkProof.bytesMax else {
                throw EntryRefusal.tooLarge(
                    what: "proof", bytes: wire.count, limit: ForkProof.bytesMax)
            }
            proof = try ForkProof(strict: wire)
        } catch {
            directives.append(.close(peer, "fork proof: \(error)"))
            return
        }
        // Any one proof of the lowest sequence is enough: it is not even checked again.
        if let known = forkedAt[proof.log], known <= proof.sequence, proofs[proof.log] != nil {
            connections[peer]?.session.told(of: proof.fork, in: proof.log)
            return
        }
        guard canJudge(proof) else { return wait(for: proof, from: peer) }
        do { try proof.check(keys: keyLogs, checker: checker) } catch {
            switch error {
            case .keyUnknown, .gap: return wait(for: proof, from: peer)
            case .forkElsewhere(let log, let sequence):
                // Of a key log: what lies below differs already.
                return converse(peer) { $0.missing(log, from: 1, to: UInt64(sequence)) }
            default:
                directives.append(.close(peer, "fork proof: \(error)"))
                return
            }
        }
        connections[peer]?.session.told(of: proof.fork, in: proof.log)
        changes.append(.proof(proof))
        learn(proof)
    }

    /// Whether the log is one that this node knows to be its author's.
    private func canJudge(_ proof: ForkProof) -> Bool {
        if proof.log == .key(author: proof.author) { return keyLogs.knows(proof.author) }
        return !isOutside(proof.author, proof.topic)
            && belongs(proof.log, author: proof.author, topic: proof.topic)
    }

    /// What an outsider signs in an alliance is nobody's business there.
    private func isOutside(_ author: DID, _ topic: TopicID?) -> Bool {
        topic.map { isAlliance($0) && !isKnown(author, in: $0) } ?? false
    }

    private mutating func wait(for proof: ForkProof, from peer: PeerID) {
        let waiting = WaitingProof(
            peer: peer, log: proof.log, author: proof.author, topic: proof.topic,
            key: proof.one.entry.header.key)
        guard !waitingProofs.contains(waiting) else { return }
        waitingProofs.append(waiting)
        guard waitingProofs.count > waitingMax else { return }
        waitingProofs.remove(at: heaviest(waitingProofs.map(\.peer)))
    }

    /// Asks again for proofs that can be judged by now.
    mutating func retryProofs() {
        guard !waitingProofs.isEmpty else { return }
        let all = waitingProofs
        waitingProofs = []
        for waiting in all {
            let topic = contractOfLog[waiting.log].flatMap { contracts[$0]?.key.topic }
            let judged =
                waiting.log == .key(author: waiting.author)
                || !isOutside(waiting.author, waiting.topic)
                    && belongs(
                        waiting.log, author: waiting.author, topic: topic ?? waiting.topic)
            let known = waiting.key.map { keyLogs.key(waiting.author, $0) != nil } ?? true
            guard judged, known, keyLogs.knows(waiting.author) else {
                waitingProofs.append(waiting)
                continue
            }
            converse(waiting.peer) { $0.askAgain(forProofOf: waiting.log) }
        }
    }

    // MARK: - Runs that do not fit

    /// Whether the peer named more above `run`, still to come. Where it did not, a last entry that nobody
    /// vouches for is its own fault.
    func isCutShort(_ run: [Entry], from peer: PeerID) -> Bool {
        guard let last = run.last?.header.log,
            let goal = connections[peer]?.session.goal(of: last.log)
        else { return false }
        return goal > UInt64(last.sequence)
    }

    /// The rival branch parts further down: asks for what lies below, and for as much of `run` as its first
    /// entry needs to be valid.
    mutating func stepDown(_ run: [Entry], _ place: Header.LogPlace, from peer: PeerID) {
        let signed = Int64(run.firstIndex(where: isSignedItself) ?? 0)
        let to = UInt64(place.sequence + signed)
        let below = max(1, place.sequence - 64)
        let from = max(UInt64(below), (to + 1) - min(to, ReplicationLimit.rangeEntries))
        guard from < UInt64(place.sequence) else {
            connections[peer]?.session.gaveUp(on: place.log)
            return
        }
        converse(peer) { $0.missing(place.log, from: from, to: to) }
    }

    // MARK: - A fork becomes known

    /// From here on the log parts at this proof's sequence, unless it does lower already. It is told on.
    private mutating func learn(_ proof: ForkProof) {
        let log = proof.log
        let refolds = chains.head(log) >= min(proof.sequence, forkedAt[log] ?? proof.sequence)
        note(proof)
        chains.apply(proof)
        retell(log)
        if lines[log] != nil, part(log) {
            spread(proof)
            retryWaiting()
        } else if refolds {
            readAnew(after: log)
        } else {
            notePartedKeys()
            resumeFolds()
            if let contract = contractOfLog[log] { stopWhereForked(contract) }
            spread(proof)
        }
    }

    private mutating func note(_ proof: ForkProof) {
        let known = forkedAt[proof.log] ?? .max
        forkedAt[proof.log] = min(known, proof.sequence)
        if planted(.proofUnkept) { return }
        if (proofs[proof.log]?.sequence ?? .max) > proof.sequence { proofs[proof.log] = proof }
    }

    /// Nobody but its own people can make a contract's log part.
    private mutating func readAnew(after log: LogID) {
        if contractOfLog[log] == nil { readAnew() } else { directives.append(.reload) }
    }

    /// Peers that share the topic hear of it once. After a reload, the next session says it.
    private mutating func spread(_ proof: ForkProof) {
        let wire = proof.wire
        for topic in proof.topic.map({ [$0] }) ?? topics(ofKeysOf: proof.author) {
            for id in connections.keys.sorted() {
                converse(id) { $0.learned(wire, of: proof.fork, in: topic) }
            }
        }
    }

    /// A rival run that a peer offered: kept as proof, and of a line whatever it promises.
    mutating func found(
        _ fork: Chains.Fork, _ rival: [ValidEntry], in log: LogID, from peer: PeerID?
    ) {
        let known = forkedAt[log]
        // Any one proof is enough, and the lowest sequence counts.
        guard known.map({ fork.sequence < $0 }) ?? true else {
            return hold(rival, in: log, from: peer)
        }
        let trunk = lines.entries(of: log)
        for entry in rival { changes.append(.rival(entry)) }
        changes.append(.fork(log, fork))
        forkedAt[log] = fork.sequence
        chains.apply(fork, in: log)
        for entry in rival { chains.apply(rival: entry) }
        // Once its proof is made, too.
        defer { retell(log) }
        guard lines[log] != nil, part(log) else { return readAnew(after: log) }
        for entry in rival {
            keepBranch(entry.entry, of: log)
            if !entry.ownSignatureChecked { vouched.insert(entry.id) }
        }
        let held = trunk.drop { ($0.header.log?.sequence ?? 0) < fork.sequence }
        let mine = held.map { entry in
            ValidEntry(stored: entry, ownSignatureChecked: !vouched.contains(entry.id))
        }
        if let proof = proof(of: Array(mine), rival) {
            changes.append(.proof(proof))
            note(proof)
            spread(proof)
        }
        tell(rival, from: peer)
    }

    /// A proof of two branches, each from the fork on; `nil` where keys differ or a chain is too long.
    private func proof(of one: [ValidEntry], _ two: [ValidEntry]) -> ForkProof? {
        guard let one = Vouched(branch: one), let two = Vouched(branch: two),
            one.entry.header.key == two.entry.header.key
        else { return nil }
        let proof = ForkProof(one, two)
        return proof.wire.count <= ForkProof.bytesMax ? proof : nil
    }

    /// More of a branch beside ours. It is kept where it binds, as in lines, or where a ruling goes on from it.
    mutating func hold(_ rival: [ValidEntry], in log: LogID, from peer: PeerID?) {
        guard let parted = forkedAt[log] else { return holdTakenBack(rival, in: log) }
        guard isLine(log) else { return holdRuled(rival, in: log, forkedAt: parted) }
        var kept: [ValidEntry] = []
        for valid in rival {
            guard let place = valid.header.log, place.sequence >= parted,
                let chain = chains.chain(log), chain.rivals[valid.id] == nil,
                chain.rivals.count < branchEntriesMax
            else { continue }
            changes.append(.rival(valid))
            chains.apply(rival: valid)
            keepBranch(valid.entry, of: log)
            if !valid.ownSignatureChecked { vouched.insert(valid.id) }
            kept.append(valid)
        }
        retell(log)
        tell(kept, from: peer)
    }

    /// A run beside what is held goes on to peers that share its topic.
    private mutating func tell(_ run: [ValidEntry], from source: PeerID?) {
        guard let topic = run.first?.header.topic else { return }
        let wires = run.map(\.entry.wire)
        for id in connections.keys.sorted() where id != source {
            converse(id) { $0.branched(wires, in: topic) }
        }
    }

    mutating func keepBranch(_ entry: Entry, of log: LogID) {
        lines[base(of: log)]?.hold(entry)
        branches[log, default: []].append(entry)
    }

    /// Folds a line again up to where it parts now. False where the entries are not at hand.
    private mutating func part(_ log: LogID) -> Bool {
        // One that a cut closed, or that goes on after a cut, is read again from the start.
        guard let line = lines[log], successors[log] == nil, let sequence = forkedAt[log] else {
            return false
        }
        let trunk = lines.entries(of: log)
        guard Int64(trunk.count) == line.folded else { return false }
        var fresh = LineLog(issuer: line.issuer, terms: line.terms)
        let below = trunk.prefix { ($0.header.log?.sequence ?? 0) < sequence }
        for entry in below { fresh.fold(entry, checker: checker) }
        fresh.part(at: sequence, in: log)
        lines[log] = fresh
        lines.keep(only: below, of: log)
        let above = Array(trunk.dropFirst(below.count)) + (branches[log] ?? [])
        branches[log] = []
        for entry in above { keepBranch(entry, of: log) }
        return true
    }

    // MARK: - Effects

    /// The fold of a contract ends below the fork, whether or not an entry above came.
    mutating func stopWhereForked(_ contract: ContractID) {
        guard let log = contracts[contract]?.log, let forked = forkedAt[log],
            contracts[contract]?.fold?.head.sequence == forked - 1,
            !isRuled(contract, forkedAt: forked)
        else { return }
        contracts[contract]?.fold?.stop(forkedAt: forked)
    }

    // MARK: - Start

    /// Before entries are folded: where logs part.
    mutating func restoreForks(_ snapshot: Snapshot) {
        for (log, fork) in snapshot.forks {
            forkedAt[log] = min(forkedAt[log] ?? fork.sequence, fork.sequence)
        }
        for proof in snapshot.proofs { note(proof) }
    }

    /// What was signed under keys of which others were brought in beside them, stays signed in contracts.
    mutating func notePartedKeys(beside rivals: [ValidEntry] = []) {
        let proven = sorted(proofs).flatMap { [$0.1.one.entry, $0.1.two.entry] }
            .filter { $0.kind == .key }
            .map { ValidEntry(stored: $0, ownSignatureChecked: true) }
        let kept = rivals.filter { $0.entry.kind == .key }
        for valid in (proven + kept).sorted(by: {
            ($0.header.log?.sequence ?? 0, $0.id) < ($1.header.log?.sequence ?? 0, $1.id)
        }) {
            keyLogs.note(parted: valid)
        }
    }

    /// After they are: the branches beside them, and proofs of the forks that this node saw by itself.
    mutating func restoreBranches(_ snapshot: Snapshot) {
        for (log, fork) in snapshot.forks { chains.apply(fork, in: log) }
        for proof in snapshot.proofs { chains.apply(proof) }
        for (log, sequence) in sorted(forkedAt) where successors[log] == nil {
            lines[base(of: log)]?.part(at: sequence, in: log)
        }
        for valid in snapshot.rivals {
            chains.apply(rival: valid)
            guard let log = valid.header.log?.log, isLine(log) else { continue }
            if !valid.ownSignatureChecked { vouched.insert(valid.id) }
            keepBranch(valid.entry, of: log)
        }
        for (log, fork) in snapshot.forks
        where (proofs[log]?.sequence ?? .max) > fork.sequence {
            let own = snapshot.entries.filter { $0.header.log?.log == log }
                .drop { $0.id != fork.held }
            var rival = snapshot.rivals.filter { $0.id == fork.rival }
            while let next = snapshot.rivals.first(where: {
                $0.header.log?.previous == rival.last?.id
            }) {
                rival.append(next)
            }
            if let proof = proof(of: Array(own), rival) { note(proof) }
        }
        for id in contracts.keys.sorted() { stopWhereForked(id) }
    }
}

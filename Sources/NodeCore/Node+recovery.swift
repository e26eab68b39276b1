internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
internal import Market
internal import Replication

// Whether an own log may be signed in. Whoever restores an old copy must not write a second history: before
// the first signature those are asked who would hold what this home has lost (design §7).

extension Node {
    /// Refused where this home may not hold the newest entry of `log`.
    func checkMaySign(in log: LogID) throws(NodeRefusal) {
        if let readOnly, !planted(.readOnlySigns) { throw .readOnly(readOnly) }
        if let waiting = waiting(log) { throw .recovering(waiting) }
    }

    func maySign(in log: LogID) -> Bool { readOnly == nil && !waits(log) }

    /// Whether everything that `held` may make this node write can be written: its log, where we sequence,
    /// and our lines.
    func mayWrite(for held: HeldContract) -> Bool {
        if held.sequencer == own.did, waits(held.fold?.writingLog ?? held.log) {
            return false
        }
        return held.proposal.lines.allSatisfy { terms in
            let log = LogID.line(author: own.did, terms)
            return lines[log] == nil || !waits(log)
        }
    }

    // MARK: - Who must answer

    /// Why `log` may not be signed in, and whom it waits for; `nil` where it may.
    public func waiting(_ log: LogID) -> Recovery.Waiting? { waiting(log, isNaming: true) }

    /// Whether it waits, which is asked each second of every log. To name whom costs a look at every member.
    private func waits(_ log: LogID) -> Bool { waiting(log, isNaming: false) != nil }

    private func waiting(_ log: LogID, isNaming: Bool) -> Recovery.Waiting? {
        guard recovery.isUnsure(log), !planted(.readOnlySigns) else { return nil }
        let recovers = recovery.isRecovering(log)
        let asked = counterparties(of: log)
        let bound = Set(asked)
        func answer(of did: DID) -> Int64? { self.answer(of: did, log, bound: bound) }
        let behind = recovery.answers.sorted { $0.key < $1.key }.compactMap { did, _ in
            answer(of: did).flatMap {
                $0 > chains.head(log) ? Recovery.Waiting.Ahead(did: did, sequence: $0) : nil
            }
        }
        let patience = recovery.firstAnswer?.advanced(
            by: recovers ? memberPatienceMilliseconds : patienceMilliseconds)
        let isPatienceOver = patience.map { $0 <= now } ?? false
        func waits(for missing: [DID], oneIsEnough: Bool) -> Recovery.Waiting {
            .init(
                log: log, reason: recovers ? recovery.reason : nil, missing: missing,
                behind: behind, oneIsEnough: oneIsEnough, patience: oneIsEnough ? patience : nil)
        }
        func silent(_ some: [DID]) -> [DID] { some.filter { answer(of: $0) == nil } }
        let missing = spared(silent(asked), of: log)
        // Of an old copy everyone bound by the log must be heard; else, in the end, one of them.
        if recovers, !missing.isEmpty { return waits(for: missing, oneIsEnough: false) }
        if !recovers, !asked.isEmpty {
            let isHubHeard = hubs.contains { answer(of: $0) != nil }
            let isHeard =
                missing.isEmpty
                || isPatienceOver && (missing.count < asked.count || isHubHeard)
            return isHeard && behind.isEmpty ? nil : waits(for: missing, oneIsEnough: true)
        }
        guard behind.isEmpty else { return waits(for: missing, oneIsEnough: false) }
        // A contract's log is nobody else's business. The others are every member's: an old copy may not
        // know any more to whom they bound it.
        if contractOfLog[log] != nil || witnessed[log] != nil { return nil }
        let topic = allianceTopic(of: log)
        func isOther(_ did: DID) -> Bool {
            did != own.did && (topic.map { takesPart(did, in: $0) } ?? true)
        }
        let heard = recovery.answers.keys.filter { answer(of: $0) != nil }
        let isOneHeard = heard.contains { keyLogs.knows($0) && isOther($0) }
        if isOneHeard, isPatienceOver { return nil }
        if keyLogs.contains(where: { answer(of: $0) == nil && isOther($0) }) {
            let rest = isNaming ? silent(keyLogs.authors).filter(isOther) : []
            return waits(for: rest, oneIsEnough: true)
        }
        // Alone in it, as far as is known. Whoever came in just now, or holds an old copy, does not know far
        // enough.
        let isSurelyAlone = !recovers && chains.head(log) > 0
        return isSurelyAlone || !heard.isEmpty ? nil : waits(for: [], oneIsEnough: true)
    }

    /// How far `did` said that `log` goes. Who says that there is more shows it; whoever does not could
    /// keep us from signing for as long as it likes. In an old copy who is bound by the log, or vouched for, is
    /// waited for anyway. `bound` are the counterparties of `log`.
    private func answer(of did: DID, _ log: LogID, bound: Set<DID>) -> Int64? {
        guard let answer = recovery.answers[did]?[log] else { return nil }
        guard answer > chains.head(log), let since = recovery.claims[did]?[log],
            recovery.reason == nil || !hasName(did) && !bound.contains(did)
        else { return answer }
        let isHere = connection(to: did) != nil
        let patience = isHere ? claimMilliseconds : claimOfGoneMilliseconds
        return since.advanced(by: patience) < now ? nil : answer
    }

    /// Of a contract's witnesses M are enough; of the logs that bind us in several contracts, M of each.
    private func spared(_ missing: [DID], of log: LogID) -> [DID] {
        func away(_ witnesses: Proposal.Witnesses) -> [DID] {
            let away = witnesses.identities.filter(missing.contains)
            let mayMiss = Int64(witnesses.identities.count) - witnesses.threshold
            return Int64(away.count) <= mayMiss ? [] : away
        }
        let only =
            contractOfLog[log].flatMap { contracts[$0]?.proposal.witnesses }
            ?? witnessed[log].flatMap { witnessing[$0]?.terms.witnesses }
        if let only {
            let needed = away(only)
            return missing.filter { !only.identities.contains($0) || needed.contains($0) }
        }
        var needed: Set<DID> = []
        for held in contracts.values where !held.isOver {
            needed.formUnion(held.participants)
            needed.formUnion(away(held.proposal.witnesses))
        }
        return missing.filter(needed.contains)
    }

    /// Those who would hold entries of `log`: of a contract its participants and witnesses; of the key,
    /// public and line logs those of every open contract.
    private func counterparties(of log: LogID) -> [DID] {
        if let duty = witnessed[log].flatMap({ witnessing[$0] }) {
            return Set(duty.terms.participants + duty.terms.witnesses.identities)
                .subtracting([own.did]).sorted()
        }
        let bound: [HeldContract]
        if let contract = contractOfLog[log], let held = contracts[contract] {
            bound = [held]
        } else {
            bound = contracts.values.filter { !$0.isOver }
        }
        let people = bound.flatMap { $0.participants + $0.witnesses }
        // Of an alliance's logs nobody else can hold anything.
        let topic = allianceTopic(of: log)
        return Set(people).subtracting([own.did]).sorted()
            .filter { did in topic.map { takesPart(did, in: $0) } ?? true }
    }

    /// Every log that this node writes or may have written.
    public var ownLogs: [LogID] {
        var logs = Set(chains.logs.filter { chains.chain($0)?.author == own.did })
        logs.insert(.key(author: own.did))
        for one in alliances + leftAlliances {
            logs.insert(.publicLog(author: own.did, alliance: one.topic))
        }
        for opening in book[own.did]?.openings ?? [] { logs.insert(opening.log) }
        for held in contracts.values {
            if held.proposal.sequencer == own.did { logs.insert(held.log) }
            if let fold = held.fold, fold.isWitnessed, fold.arbiter == own.did {
                logs.insert(fold.takeoverLog)
            }
            if let log = Fold.settlementLog(of: own.did, held.proposal) { logs.insert(log) }
        }
        for log in witnessing.keys { logs.insert(.witness(of: log, author: own.did)) }
        return logs.sorted()
    }

    public func ownLog(_ log: LogID) -> OwnLog? {
        if log == .key(author: own.did) { return .key }
        for one in alliances + leftAlliances
        where log == .publicLog(author: own.did, alliance: one.topic) {
            return .publicLog(one.founding.name)
        }
        if let contract = contractOfLog[log] { return .contract(contract) }
        if let duty = witnessed[log].flatMap({ witnessing[$0] }) {
            return .witness(duty.terms.contract)
        }
        if let line = book[own.did]?.opening(of: log) { return .line(line.terms.resource.path) }
        return nil
    }

    /// All that may not be signed in now.
    public var waitingLogsOfOurs: [Recovery.Waiting] { unsureLogs.compactMap { waiting($0) } }

    /// Own logs of which it is not sure that they are whole. An old copy may lack any that it writes.
    private var unsureLogs: [LogID] {
        recovery.reason == nil ? recovery.unsure.sorted() : ownLogs.filter(recovery.isUnsure)
    }

    // MARK: - Beginning

    /// After storage was replayed: what was there is unsure until somebody answered, and an old copy is
    /// known for one.
    mutating func beginUnsure(_ snapshot: Snapshot) {
        // Who never met anyone has nobody to ask, and nobody who could hold more.
        if keyLogs.authors.contains(where: { $0 != own.did }) { recovery.unsure = Set(ownLogs) }
        // What was joined and not spoken in yet waits for whoever may know better.
        for one in alliances.dropFirst() {
            let log = LogID.publicLog(author: own.did, alliance: one.topic)
            if chains.head(log) == 0 { recovery.unsure.insert(log) }
        }
        if let kept = snapshot.recovery {
            recovery.reason = kept.reason
            recovery.since = kept.since
            recovery.whole = Set(kept.whole)
        }
        guard let reason = snapshot.readOnly else { return }
        // What this copy once knew to be whole says nothing of the history it has lost since.
        recovery.reason = reason
        recovery.whole = []
        recovery.marksWrongly = true
    }

    /// A peer showed a valid entry of ours that is not here: the whole home is an old copy.
    mutating func noticeOldCopy(_ reason: ReadOnlyReason) {
        guard recovery.reason == nil else { return }
        recovery.reason = reason
        recovery.since = now
        recovery.whole = []
        // Whoever answered so far answered another question.
        recovery.firstAnswer = recovery.firstAnswer.map { _ in now }
        changes.append(.recovery(.began(reason, at: now)))
    }

    // MARK: - Asking and answering

    /// Asks a peer what it holds of those of our logs that are not sure.
    mutating func ask(_ id: PeerID) { ask(id, about: unsureLogs) }

    private mutating func ask(_ id: PeerID, about unsure: [LogID]) {
        guard let connection = connections[id], connection.stands else { return }
        let logs = unsure.filter { log in
            !connection.asked.contains(log) && mayName(log, to: connection)
        }
        connections[id]?.asked.formUnion(logs)
        for start in stride(from: 0, to: logs.count, by: ReplicationLimit.headsPerFrame) {
            let part = logs[start..<min(start + ReplicationLimit.headsPerFrame, logs.count)]
            directives.append(.send(id, Message.ask(Array(part)).frame))
        }
    }

    /// Tells a peer what is held here of its own logs, and of nobody else's.
    func answer(_ logs: [LogID], to id: PeerID) -> Message? {
        guard let connection = connections[id], connection.isProven else { return nil }
        return .answer(
            logs.map { log in
                guard chains.chain(log)?.author == connection.did, let head = head(of: log) else {
                    return .init(log: log, sequence: 0, id: .zero)
                }
                return head
            })
    }

    mutating func answered(_ heads: [Message.Head], by id: PeerID) {
        guard let did = connections[id]?.did, connections[id]?.isProven == true else { return }
        if recovery.firstAnswer == nil { recovery.firstAnswer = now }
        // Kept for sure logs too: should this turn out to be an old copy, they count. Who was not asked, as
        // one who shares nothing that the log belongs to, knows nothing of it.
        for head in heads
        where ownLog(head.log) != nil && connections[id]?.asked.contains(head.log) == true {
            let sequence = Int64(clamping: head.sequence)
            if mayRemember(did, head.log) {
                recovery.answers[did, default: [:]][head.log] = sequence
            }
            let held = chains.head(head.log)
            if sequence > held {
                if recovery.answers[did] != nil, recovery.claims[did]?[head.log] == nil {
                    recovery.claims[did, default: [:]][head.log] = claimBegins(did, head.log)
                }
                converse(id) {
                    $0.missing(head.log, from: UInt64(held) + 1, to: head.sequence)
                }
            } else if sequence > 0, chains.chain(head.log)?.id(at: sequence) != head.id {
                // Two histories already: the rival is fetched, as the proof that it is.
                converse(id) {
                    $0.missing(head.log, from: head.sequence, to: head.sequence)
                }
            }
        }
        settleRecovery()
    }

    /// Of those without a name so many are remembered, whatever they say; what they say that there is, is asked for
    /// all the same.
    private func mayRemember(_ did: DID, _ log: LogID) -> Bool {
        recovery.answers[did] != nil || recovery.answers.count < answersMax || keyLogs.knows(did)
            || isAwaited(did, log)
    }

    /// Whose word on `log` has a name behind it.
    private func isAwaited(_ did: DID, _ log: LogID) -> Bool {
        hasName(did) || counterparties(of: log).contains(did)
    }

    private func hasName(_ did: DID) -> Bool { isVouchedFor(did) || hubs.contains(did) }

    /// Names cost nothing: those that nobody vouches for have the time of one for all that they claim, or each
    /// could begin where the last one ended.
    private mutating func claimBegins(_ did: DID, _ log: LogID) -> Instant {
        guard !isAwaited(did, log) else { return now }
        let begun = recovery.nameless[log] ?? now
        recovery.nameless[log] = begun
        return begun
    }

    // MARK: - Ending

    /// Marks what may be signed in again, and does what waited for it.
    mutating func settleRecovery() {
        guard !recovery.unsure.isEmpty || recovery.reason != nil else { return }
        if let reason = recovery.reason, recovery.since == .earliest {
            recovery.since = now
            changes.append(.recovery(.began(reason, at: now)))
        }
        let unsure = unsureLogs
        for peer in connections.keys.sorted() { ask(peer, about: unsure) }
        let sure = unsure.filter { !waits($0) }
        for log in sure { trust(log) }
        confirmMark()
        // Whoever has not answered by then may hold what is not here as well as before.
        if recovery.reason != nil, !recovery.marksWrongly, unsureLogs.isEmpty, isTimeKnown,
            recovery.since.advanced(by: recoveryMilliseconds) < now
        {
            recovery.reason = nil
            recovery.whole = []
            changes.append(.recovery(.over))
        }
        guard !sure.isEmpty else { return }
        greet()
        goOnUnderNewKey()
        for id in contracts.awake.sorted() { advance(id) }
    }

    private mutating func trust(_ log: LogID) {
        recovery.unsure.remove(log)
        guard recovery.isRecovering(log) else { return }
        recovery.whole.insert(log)
        changes.append(.recovery(.whole(log, at: now)))
    }

    private mutating func confirmMark() {
        guard recovery.marksWrongly, unsureLogs.isEmpty else { return }
        recovery.marksWrongly = false
        changes.append(.recovery(.confirmed))
    }

    /// The owner takes the risk for one log, or for all: signing may write a second history, and whoever
    /// holds the first can prove it.
    public mutating func acceptRisk(_ log: LogID?) throws(NodeRefusal) {
        if let readOnly { throw .readOnly(readOnly) }
        let logs = ownLogs.filter { log == nil || $0 == log }
        guard !logs.isEmpty else { throw .logUnknown(log?.short ?? "") }
        for log in logs where recovery.isUnsure(log) { trust(log) }
        confirmMark()
        if log == nil, recovery.reason != nil {
            // For logs that are yet to be opened, too.
            recovery.reason = nil
            recovery.whole = []
            changes.append(.recovery(.over))
        }
        greet()
        goOnUnderNewKey()
        for id in contracts.awake.sorted() { advance(id) }
    }
}

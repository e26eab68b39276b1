internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
internal import Replication

// This node as a participant: what its witnesses say, what it asks of them, and the arbiter's takeover.

extension Node {
    /// What a recipient gets of a statement: a witness no terms and no key.
    func sealed(_ item: OutboxItem) -> Sealed {
        let statement = item.statement
        guard let about = statement.header.statement?.about, let id = contractOfLog[about],
            let held = contracts[id], held.witnesses.contains(item.recipient)
        else { return Sealed(statement: statement, contractKey: item.contractKey) }
        switch statement.kind {
        case .proposal:
            return Sealed(
                statement: statement.withoutBody,
                contractKey: planted(.witnessToldKey) ? item.contractKey : nil,
                witnessTerms: held.fold?.witnessTerms.wire)
        // Sealed to the contract's key, or meant for the witness.
        case .request, .closingRequest, .acknowledgement:
            return Sealed(statement: statement, contractKey: nil)
        default: return Sealed(statement: statement.withoutBody, contractKey: nil)
        }
    }

    /// A witness's entry: it answers what waits in the outbox, and may let a request go on.
    ///
    /// A step embeds it by itself. One that a later entry alone vouches for would spoil the step, and one
    /// witness could so keep out every request: it counts only where its own signature holds.
    mutating func foldTestimony(_ valid: ValidEntry, in id: ContractID) {
        let entry = valid.entry
        let witness = entry.header.author
        guard contracts[id]?.witnesses.contains(witness) == true,
            valid.ownSignatureChecked || isSignedItself(entry)
        else { return }
        contracts[id]?.witnessLogs[witness, default: WitnessLog()].fold(entry)
        if let receipt = try? entry.read(Receipt.self) {
            settle(OutboxKey(statement: receipt.subject, recipient: witness))
            if receipt.log != nil { lookForTakenBack(in: id) }
        }
    }

    func isSignedItself(_ entry: Entry) -> Bool {
        guard let keyID = entry.header.key, let key = keyLookup(entry.header.author, keyID) else {
            return false
        }
        return (try? ValidEntry(entry, byCheckedKey: key, checker: checker)) != nil
    }

    // MARK: - Showing it

    struct Testimony {
        var receipts: [Entry]
        /// Requests that closings list, and consents to them.
        var listed: [Entry] = []
        var time: Instant
    }

    /// What the step that admits `pending` has to embed; `nil` while too few witnesses spoke, or a listed
    /// request has not come.
    func testimony(for pending: HeldContract.PendingRequest, _ held: HeldContract, _ fold: Fold)
        throws(FoldRefusal) -> Testimony?
    {
        let needed = Int(clamping: fold.threshold)
        if let record = try fold.defaultRecord(of: pending.entry) {
            guard let closing = closing(of: record, held, fold) else { return nil }
            let closings = held.witnesses.compactMap { held.witnessLogs[$0]?.closings[closing] }
                .sorted { ($0.header.time, $0.id) < ($1.header.time, $1.id) }
            guard closings.count >= needed else { return nil }
            do {
                return try testimony(
                    Array(closings.prefix(needed)), of: record, pending, held, fold)
            } catch {
                // A request that some of M had in time may be known to all N as one that too few had.
                guard error.isOfListed else { throw error }
            }
            do { return try testimony(closings, of: record, pending, held, fold) } catch {
                guard error.isOfListed else { throw error }
                // What is missing will come: the witness that lists it sends it on; so may a closing.
                if case .listedMissing = error { return nil }
                guard closings.count == held.witnesses.count else { return nil }
                throw error
            }
        }
        var testimony = Testimony(receipts: held.receipts(of: pending.entry.id), time: now)
        guard testimony.receipts.count >= needed else { return nil }
        if let until = fold.state.record(pending.act.record)?.until,
            testimony.receipts.contains(where: { $0.header.time > until })
        {
            testimony.receipts += held.receipts(showing: pending.act.record)
        }
        testimony.time = try moment(of: testimony, pending, fold)
        return testimony
    }

    /// The same for a default, by these closings.
    private func testimony(
        _ closings: [Entry], of record: Int64, _ pending: HeldContract.PendingRequest,
        _ held: HeldContract, _ fold: Fold
    ) throws(FoldRefusal) -> Testimony {
        var testimony = Testimony(receipts: closings + held.receipts(showing: record), time: now)
        let ids = Set(closings.flatMap { (try? $0.read(Closed.self))?.requests ?? [] })
        for id in ids.sorted() {
            guard let entry = held.requestsSeen[id] else { continue }
            testimony.listed.append(entry)
            guard let act = try? fold.read(request: entry).act else { continue }
            testimony.listed += held.consents(
                held.requests[id]?.consents ?? held.earlyConsents[id] ?? [], to: act)
        }
        // When a request came is shown where it would else keep the default out.
        for _ in 0...ids.count {
            do {
                testimony.time = try moment(of: testimony, pending, fold)
                return testimony
            } catch {
                guard case .listedAdmissible(let id) = error else { throw error }
                let shown = Set(testimony.receipts.map(\.id))
                let receipts = closings.compactMap {
                    held.witnessLogs[$0.header.author]?.receipts[id]
                }.filter { !shown.contains($0.id) }
                guard !receipts.isEmpty else { throw error }
                testimony.receipts += receipts
            }
        }
        testimony.time = try moment(of: testimony, pending, fold)
        return testimony
    }

    private func moment(
        of testimony: Testimony, _ pending: HeldContract.PendingRequest, _ fold: Fold
    ) throws(FoldRefusal) -> Instant {
        try fold.moment(
            of: Fold.Candidate(
                time: now, act: nil, request: pending.entry,
                consents: pending.consents + testimony.listed, receipts: testimony.receipts,
                keys: keysToEmbed(fold)),
            keys: keyLookup, checker: checker)
    }

    /// What the witnesses would have to close for the default of `record`; `nil` while M of them are not
    /// known to hold the step that started its clock.
    private func closing(of record: Int64, _ held: HeldContract, _ fold: Fold)
        -> WitnessLog.Closing?
    {
        let deadline = fold.closingDeadline(
            of: record, shownBy: held.receipts(showing: record))
        guard let deadline, let version = fold.state.record(record)?.version else { return nil }
        return .init(record: record, version: version, deadline: deadline)
    }

    /// How long after its deadline `record` may still be answered; 0 but where witnesses came to hold the
    /// step that started its clock so late.
    public func lateness(of record: Int64, in contract: ContractID) -> Int64 {
        guard let held = contracts[contract], let fold = held.fold else { return 0 }
        return fold.lateness(of: record, shownBy: held.receipts(showing: record)) ?? 0
    }

    /// Asks the witnesses for what a default needs, once for each deadline. Who asks for the default and
    /// who writes it may know of different receipts, and so of different deadlines: both ask.
    mutating func askForClosing(_ pending: HeldContract.PendingRequest, in id: ContractID) {
        guard let held = contracts[id], let fold = held.fold, held.isWitnessed, maySign,
            pending.entry.header.author == own.did || held.sequencer == own.did,
            let record = try? fold.defaultRecord(of: pending.entry),
            let closing = closing(of: record, held, fold),
            !held.closingsAsked.contains(closing),
            held.witnesses.contains(where: { held.witnessLogs[$0]?.closings[closing] == nil })
        else { return }
        contracts[id]?.closingsAsked.insert(closing)
        _ = try? say(
            ClosingRequest(
                salt: dice.roll(), record: record, version: closing.version,
                deadline: closing.deadline),
            about: held, to: held.witnesses,
            expires: now.advanced(by: statementLifeMilliseconds))
        for witness in held.witnesses { remind(witness, of: held, isAll: true) }
    }

    /// Says again what a witness may have receipted and then lost with its disk: until it holds all of that
    /// it closes nothing.
    private mutating func remind(_ witness: DID, of held: HeldContract, isAll: Bool = false) {
        guard let peer = connection(to: witness) else { return }
        let asked = isAll ? Array(held.requestsSeen.values) : held.requests.values.map(\.entry)
        for statement in (held.acceptances.values + asked).sorted(by: { $0.id < $1.id }) {
            hand(
                OutboxItem(
                    statement: statement, recipient: witness, contractKey: nil, expires: .latest),
                to: peer)
        }
    }

    /// The witnesses among those who have just come.
    mutating func remindWitness(_ did: DID) {
        for id in contracts.awake.sorted() {
            guard let held = contracts[id], held.isWitnessed, held.witnesses.contains(did) else {
                continue
            }
            remind(did, of: held)
        }
    }

    /// A witness that takes no part in what it took upon itself has lost its home: it is told again what that is.
    mutating func remindOfDuty(_ peer: PeerID) {
        guard let connection = connections[peer], connection.stands else { return }
        for id in contracts.awake.sorted() {
            guard let held = contracts[id], held.isWitnessed,
                held.witnesses.contains(connection.did),
                !connection.session.shared.contains(held.key.topic)
            else { continue }
            hand(
                OutboxItem(
                    statement: held.proposalEntry, recipient: connection.did, contractKey: nil,
                    expires: .latest), to: peer)
            remind(connection.did, of: held, isAll: true)
        }
    }

    // MARK: - Takeover

    /// The arbiter claims the next epoch, because a receipted request went unanswered for longer than the
    /// response time. The ruling follows when M witnesses have receipted the claim.
    public mutating func takeOver(_ contract: ContractID) throws(NodeRefusal) {
        try checkMaySign()
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard let fold = held.fold, fold.isSequenced else { throw .contractNotSequenced(contract) }
        guard held.isWitnessed else { throw .noWitnesses(contract) }
        guard fold.arbiter == own.did else { throw .notTheArbiter(fold.arbiter) }
        guard fold.takeover == nil else { throw .takenOver(contract) }
        let asked = held.requestsSeen.values.compactMap { entry -> (Instant, EntryID)? in
            let receipts = held.receipts(of: entry.id)
            guard receipts.count >= Int(clamping: fold.threshold), let last = receipts.last,
                !fold.steps.contains(where: { $0.request == entry.id && $0.void == nil }),
                isOwed(entry, at: last.header.time, held, fold)
            else { return nil }
            return (last.header.time, entry.id)
        }
        guard let oldest = asked.min(by: { $0 < $1 }) else { throw .nothingUnanswered(contract) }
        let response = fold.witnessTerms.response
        let due = oldest.0.advanced(by: response)
        guard due <= now || planted(.claimEarly) else { throw .notSilentYet(until: due) }
        // The newest: where the log parts, a branch that is not folded may hold the answer to an older one.
        let cited = asked.filter { $0.0.advanced(by: response) <= now }.max { $0 < $1 } ?? oldest
        try append(
            TakeoverClaim(epoch: 1, request: cited.1), to: fold.takeoverLog,
            topic: held.key.topic)
        advance(contract)
    }

    /// Whether a request that M receipted at `time` can come to something as the contract stands: a sequencer
    /// who refused any other did what it should, and there is no second takeover. Above a fork nobody knows.
    private func isOwed(_ request: Entry, at time: Instant, _ held: HeldContract, _ fold: Fold)
        -> Bool
    {
        guard fold.halt == nil else { return true }
        guard let act = try? fold.checkFresh(request, at: time) else { return false }
        // A default counts from its closings on, which it may still wait for.
        guard fold.state.defaultAct(act.record)?.transition != act.transition else { return true }
        return
            (try? fold.state.decide(
                Act(act), by: request.header.author,
                consents: fold.state.consentsNeeded(for: Act(act)),
                at: time, sequence: fold.head.sequence + 1,
                late: lateness(of: act.record, in: held.id))) != nil
    }

    /// The ruling, once M witnesses have receipted our claim: from the highest step that they hold.
    mutating func rule(on id: ContractID) {
        guard maySign, let held = contracts[id], let fold = held.fold,
            let takeover = fold.takeover, takeover.ruling == nil,
            fold.arbiter == own.did
        else { return }
        let receipts = agreeing(
            held.witnesses.compactMap { held.witnessLogs[$0]?.receipts[takeover.claim] }, fold)
        let words = receipts.compactMap { try? $0.read(Receipt.self) }
        guard receipts.count >= Int(clamping: fold.threshold),
            let words = words.max(by: { $0.highest < $1.highest }), var step = words.highestStep
        else { return }
        var sequence = words.highest
        if planted(.rulingBelow), let below = chains.chain(held.log)?.id(at: sequence - 1) {
            (sequence, step) = (sequence - 1, below)
        }
        _ = try? append(
            Ruling(epoch: 1, sequence: sequence, step: step, receipts: receipts),
            to: fold.takeoverLog, topic: held.key.topic)
    }
}

extension FoldRefusal {
    /// A default that waits for a listed request, or comes after one.
    fileprivate var isOfListed: Bool {
        switch self {
        case .listedMissing, .listedAdmissible: true
        default: false
        }
    }
}

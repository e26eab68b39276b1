public import Capacity
public import Entries
public import Identity

// N witnesses of which M must say so. F = 2M − N − 1 of them may lie: any two sets of M share more than
// that, so of every request that M receipted in time, at least 2M − N of any M closings know, and one
// more of each closing beyond.

extension Fold {
    public var isWitnessed: Bool { proposal.witnesses != .none }
    public var threshold: Int64 {
        planted(.oneReceiptEnough) ? 1 : proposal.witnesses.threshold
    }

    /// What the witnesses are told of this contract.
    public var witnessTerms: WitnessTerms { Self.witnessTerms(proposal, state) }

    /// What the witnesses of a proposal would be told; its hash goes into the proposal.
    public static func witnessTerms(of proposal: Proposal, template: Template)
        throws(ContractRefusal) -> WitnessTerms
    {
        witnessTerms(
            proposal, try ContractState(template: template, terms: Terms(proposal, id: .zero)))
    }

    private static func witnessTerms(_ proposal: Proposal, _ state: ContractState) -> WitnessTerms {
        WitnessTerms(
            contract: proposal.contract, sequencer: proposal.sequencer,
            witnesses: proposal.witnesses, participants: proposal.participants,
            arbiter: state.identity(state.template.arbiterRole) ?? proposal.sequencer,
            response: state.response)
    }

    func checkWitnesses() throws(FoldRefusal) {
        let witnesses = proposal.witnesses
        guard isWitnessed else { return }
        let count = witnesses.identities.count
        let participants = Set(proposal.participants)
        guard count > 0, Set(witnesses.identities).count == count,
            witnesses.identities.allSatisfy({ !participants.contains($0) }),
            witnesses.threshold <= Int64(count), 2 * witnesses.threshold > Int64(count)
        else { throw .witnessesUnfit(count: count, threshold: witnesses.threshold) }
        guard proposal.witnessTermsHash == witnessTerms.hash else { throw .witnessTermsWrong }
    }

    /// Each witness took exactly these terms upon itself.
    func checkWitnessAcceptances(
        _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) {
        for witness in proposal.witnesses.identities {
            guard
                let acceptance = try acceptance(
                    of: proposalEntry.id, by: witness, in: candidate.consents,
                    at: candidate.time, keys: keys, checker: checker)
            else { throw .notAccepted(by: witness) }
            guard acceptance.body.witnessTermsHash == proposal.witnessTermsHash else {
                throw .witnessTermsWrong
            }
        }
    }

    // MARK: - Time

    /// When what `candidate` asks for counts as asked. Refused where receipts or closings are missing.
    public func moment(of candidate: Candidate, keys: KeyLookup, checker: SignatureChecker)
        throws(FoldRefusal) -> Instant
    {
        guard let entry = candidate.request else { return candidate.time }
        if let record = try defaultRecord(of: entry) {
            return try closingTime(of: record, candidate, keys: keys, checker: checker)
        }
        return try timeOf(
            entry, else: candidate.time, in: candidate.receipts, keys: keys, checker: checker)
    }

    /// When a statement counts as made: the M-th smallest time of its receipts; with no witnesses what
    /// its admission says, for an acceptance its author.
    func timeOf(
        _ statement: Entry, else own: Instant? = nil, in receipts: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> Instant {
        guard isWitnessed else { return own ?? statement.header.time }
        let times = try receiptTimes(of: statement.id, in: receipts, keys: keys, checker: checker)
        guard Int64(times.count) >= threshold else {
            throw .receiptsMissing(of: statement.id, found: times.count, needed: threshold)
        }
        return times.sorted()[Int(threshold) - 1]
    }

    private func receiptTimes(
        of subject: EntryID, by witnesses: [DID]? = nil, in receipts: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> [Instant] {
        var times: [Instant] = []
        for witness in witnesses ?? proposal.witnesses.identities {
            let its = LogID.witness(of: log, author: witness)
            for entry in receipts
            where entry.header.author == witness && entry.header.log?.log == its {
                guard let body = try? entry.read(Receipt.self), body.subject == subject else {
                    continue
                }
                try check(entry, keys: keys, checker: checker)
                times.append(entry.header.time)
                break
            }
        }
        return times
    }

    // MARK: - Defaults

    /// The record whose default this request asks for; `nil` for anything else, and without witnesses.
    public func defaultRecord(of request: Entry) throws(FoldRefusal) -> Int64? {
        guard isWitnessed else { return nil }
        let act = try read(request: request).act
        return state.defaultAct(act.record)?.transition == act.transition ? act.record : nil
    }

    /// M witnesses closed this version of the record, and no request that they list was admissible.
    func closingTime(
        of number: Int64, _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Instant {
        guard let record = state.record(number), let until = record.until else {
            throw .contract(.recordUnknown(number))
        }
        let late = try shownLate(number, candidate.receipts, keys: keys, checker: checker)
        let deadline = until.advanced(
            by: try stop(of: number, candidate, keys: keys, checker: checker)
        ).advanced(by: late)
        var times: [Instant] = []
        var closings: [(witness: DID, requests: Set<EntryID>)] = []
        for witness in proposal.witnesses.identities {
            let its = LogID.witness(of: log, author: witness)
            for entry in candidate.receipts
            where entry.header.author == witness && entry.header.log?.log == its {
                guard let body = try? entry.read(Closed.self), body.record == number,
                    body.version == record.version, body.deadline == deadline,
                    entry.header.time > deadline
                else { continue }
                try check(entry, keys: keys, checker: checker)
                times.append(entry.header.time)
                closings.append((witness, Set(body.requests)))
                break
            }
        }
        guard Int64(times.count) >= threshold else {
            throw .closingsMissing(record: number, found: times.count, needed: threshold)
        }
        let began = steps.first { $0.sequence == record.version }?.time ?? .earliest
        // Whoever has the key that somebody replaced could else keep the default out for ever.
        var informed = self
        informed.embed(candidate.keys)
        for id in Set(closings.flatMap(\.requests)).sorted() {
            let asked = try span(
                of: id, began...max(began, deadline), closings, candidate.receipts, keys: keys,
                checker: checker)
            guard let asked else { continue }
            // Without its body it says nothing, and whoever embeds it could leave that out.
            guard
                let listed = candidate.consents.first(where: { $0.id == id && $0.body != nil })
            else { throw .listedMissing(id) }
            if planted(.listedIgnored) { continue }
            // Too early at the one end and no more offered at the other: what lies between counts as well.
            let between = [listed.header.time, listed.header.statement?.expires].compactMap(\.self)
                .filter(asked.contains)
            for time in Set([asked.lowerBound, asked.upperBound] + between).sorted()
            where try informed.isAdmissible(
                listed, candidate, at: time, late: late, keys: keys, checker: checker)
            {
                throw .listedAdmissible(id)
            }
        }
        return times.sorted()[Int(threshold) - 1]
    }

    /// When a listed request counts as asked, as far as that is shown; `nil` where fewer than M can have
    /// had it by the deadline. Whoever lists it had it then, at the time of its receipt if that is
    /// embedded; whoever closed and does not list it had it later; of all others nothing is known.
    private func span(
        of request: EntryID, _ open: ClosedRange<Instant>,
        _ closings: [(witness: DID, requests: Set<EntryID>)], _ receipts: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> ClosedRange<Instant>? {
        let listing = closings.filter { $0.requests.contains(request) }
        let unknown = Int64(proposal.witnesses.identities.count - closings.count)
        let needed = Int(threshold - unknown)
        guard needed > 0, listing.count >= needed else { return nil }
        var first: [Instant] = []
        var last: [Instant] = []
        for (witness, _) in listing {
            let time = try receiptTimes(
                of: request, by: [witness], in: receipts, keys: keys, checker: checker
            ).first
            first.append(time ?? open.lowerBound)
            last.append(time ?? open.upperBound)
        }
        let earliest = first.sorted()[needed - 1]
        guard earliest <= open.upperBound else { return nil }
        let latest = last.count < Int(threshold) ? .latest : last.sorted()[Int(threshold) - 1]
        return earliest...max(earliest, min(latest, open.upperBound))
    }

    /// Whether a listed request, in time as it is, would have had effect. One whose body does not open
    /// would not: its author alone could have closed it. Nor would one that asks for the same default, or
    /// that opens a child: that needs what no witness receipts, and he who asks may still use his right.
    func isAdmissible(
        _ request: Entry, _ candidate: Candidate, at time: Instant, late: Int64,
        keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Bool {
        do {
            let act = try checkFresh(request, at: time)
            guard state.defaultAct(act.record)?.transition != act.transition else { return false }
            try check(request, at: time, keys: keys, checker: checker)
            var asking = candidate
            asking.request = request
            asking.time = time
            let consents = try consentsTo(asking, act, keys: keys, checker: checker)
            let outcome = try? state.decide(
                Act(act), by: request.header.author, consents: consents, at: time,
                sequence: head.sequence + 1, late: late)
            return outcome.map { $0.child == nil } ?? false
        } catch {
            // No verdict yet: who holds the key sees it otherwise.
            if case .keyUnknown = error { throw error }
            return false
        }
    }

    /// How far a third party's downtime moves the deadline: from the step that made the record wait for
    /// it until its next receipted statement, at most its role's stop. Unless such a statement is
    /// shown, all of the stop.
    private func stop(
        of number: Int64, _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Int64 {
        let longest = state.stop(of: number)
        guard longest > 0, let third = state.awaited(number).first,
            let clock = state.record(number)?.clock,
            let began = steps.first(where: { $0.sequence == clock.sequence })?.time
        else { return longest }
        for entry in candidate.consents
        where entry.header.author == third && entry.header.statement?.about == log {
            let times = try receiptTimes(
                of: entry.id, in: candidate.receipts, keys: keys, checker: checker)
            guard Int64(times.count) >= threshold else { continue }
            let back = times.sorted()[Int(threshold) - 1]
            guard back >= began else { continue }
            try check(entry, keys: keys, checker: checker)
            return min(longest, back.milliseconds - began.milliseconds)
        }
        return longest
    }

    // MARK: - Bodies

    /// The words of a request. With witnesses its body is sealed to the contract's key; a transfer's is
    /// not, for the child's fold must read it and has another key.
    public func read(request entry: Entry) throws(FoldRefusal) -> Request {
        do {
            guard isWitnessed else { return try entry.read(Request.self) }
            guard entry.kind == .request else {
                throw EntryRefusal.kindMismatch(expected: .request, found: entry.header.kind)
            }
            if let sealed = try? key.openRequest(entry) { return sealed }
            let plain = try entry.read(Request.self)
            guard plain.act.child != nil else { throw EntryRefusal.privateBodyClosed }
            return plain
        } catch let refusal as EntryRefusal {
            throw .entry(refusal)
        } catch {
            throw .notAboutThisContract
        }
    }
}

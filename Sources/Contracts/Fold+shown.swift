public import Capacity
public import Entries
public import Identity

// When a step was shown. With witnesses a clock starts at the receipts of the request that started it; the
// step that says so may be written, or shown, long after. Whoever is awaited must not lose that time: a
// sequencer could have a request receipted, keep the step back until the deadline is over, and have the
// other's silence for nothing. So the deadline moves by as much as M witnesses came to hold the step late.

extension Fold {
    /// A step that comes to the witnesses within this time of its request moves no deadline: as long as
    /// clocks may differ.
    public static let shownWithin: Int64 = 10 * 60_000

    /// The step that started the clock of `record`, and when that counts as started.
    private func clock(of record: Int64) -> (sequence: Int64, began: Instant)? {
        guard let clock = state.record(record)?.clock,
            let step = steps.first(where: { $0.sequence == clock.sequence })
        else { return nil }
        // Whatever step 1 starts, starts at `grant_by`.
        return (clock.sequence, clock.sequence == 1 ? proposal.grantBy : step.time)
    }

    /// The steps whose receipts say that the step which started the clock of `record` was held: it, and
    /// all that stand on it.
    public func showing(_ record: Int64) -> Set<EntryID> {
        guard let clock = clock(of: record) else { return [] }
        return Set(steps.drop { $0.sequence < clock.sequence }.map(\.id))
    }

    /// How much later than its clock began M witnesses held the step that started it. Refused while fewer
    /// than M are shown to. Whoever wrote it knew of it, and gains nothing by keeping it back.
    func shownLate(
        _ record: Int64, _ receipts: [Entry], keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Int64 {
        try shownLate(record, receipts) { entry throws(FoldRefusal) in
            try check(entry, keys: keys, checker: checker)
        }
    }

    private func shownLate(
        _ record: Int64, _ receipts: [Entry], check: (Entry) throws(FoldRefusal) -> Void
    ) throws(FoldRefusal) -> Int64 {
        guard isWitnessed, let clock = clock(of: record) else { return 0 }
        let writer = step(clock.sequence)?.log == takeoverLog ? arbiter : proposal.sequencer
        guard state.awaited(record) != [writer] else { return 0 }
        let showing = showing(record)
        var times: [Instant] = []
        for witness in proposal.witnesses.identities {
            let its = LogID.witness(of: log, author: witness)
            let own = receipts.filter { entry in
                entry.header.author == witness && entry.header.log?.log == its
                    && (try? entry.read(Receipt.self)).map { showing.contains($0.subject) } == true
            }
            guard let first = own.min(by: { $0.header.time < $1.header.time }) else { continue }
            try check(first)
            times.append(first.header.time)
        }
        guard Int64(times.count) >= threshold else {
            let step = step(clock.sequence)?.id ?? .zero
            throw .receiptsMissing(of: step, found: times.count, needed: threshold)
        }
        let late = times.sorted()[Int(threshold) - 1].milliseconds - clock.began.milliseconds
        return late > Self.shownWithin ? late : 0
    }

    /// How long after the deadline of the record that it touches `act` still is in time; 0 where that is
    /// not shown.
    func lateness(
        of act: SignedAct, _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Int64 {
        guard isWitnessed, let until = state.record(act.record)?.until, candidate.time > until
        else { return 0 }
        do {
            return try shownLate(act.record, candidate.receipts, keys: keys, checker: checker)
        } catch {
            if case .receiptsMissing = error { return 0 }
            throw error
        }
    }

    /// The same for receipts whose own signatures hold, as the caller has seen; the deadline of a record
    /// that waits moves by it.
    public func lateness(of record: Int64, shownBy receipts: [Entry]) -> Int64? {
        try? shownLate(record, receipts) { _ throws(FoldRefusal) in }
    }

    /// The deadline a closing must name: the record's own, the longest stop of a third party it waits for,
    /// unless that one is shown to have been there, and the time by which its step was shown late. `nil`
    /// while M are not known to hold that step. As for `lateness`, the caller has seen the signatures.
    public func closingDeadline(of number: Int64, shownBy receipts: [Entry]) -> Instant? {
        guard let until = state.record(number)?.until,
            let late = lateness(of: number, shownBy: receipts)
        else { return nil }
        return until.advanced(by: state.stop(of: number)).advanced(by: late)
    }
}

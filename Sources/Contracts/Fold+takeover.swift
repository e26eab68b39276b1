internal import Capacity
public import Entries
public import Identity

// Takeover: the arbiter claims the next epoch, M witnesses say how far the last one came and receipt no
// more of it, and a ruling that carries their words goes on from the highest step. There is one: the
// arbiter's own epoch ends with the contract.

extension Fold {
    public struct Takeover: Hashable, Sendable {
        public let claim: EntryID
        public let request: EntryID
        public internal(set) var ruling: EntryID?
        /// The last step of the first epoch that stands.
        public internal(set) var basis: Int64 = 0
        public internal(set) var basisStep: EntryID?
        /// The new epoch writes: the basis is folded.
        public internal(set) var isInForce = false
        /// The newest entry of the arbiter's log up to the ruling, and its sequence: an arbiter may change
        /// its key before M witnesses have spoken.
        var newest: EntryID
        public internal(set) var length: Int64 = 1

        mutating func goOn(_ entry: Entry) {
            newest = entry.id
            length += 1
        }
    }

    public var epoch: Int64 { takeover?.isInForce == true ? 1 : 0 }
    /// Whoever writes steps now.
    public var sequencer: DID { epoch == 0 ? proposal.sequencer : arbiter }
    public var writingLog: LogID { epoch == 0 ? log : takeoverLog }

    /// Claim and ruling come first in the arbiter's log.
    var nextLogSequence: Int64 {
        guard epoch > 0, let takeover else { return head.sequence + 1 }
        return head.sequence - takeover.basis + takeover.length + 1
    }

    /// Of the arbiter's log what comes before its steps.
    func isBeforeSteps(_ entry: Entry, _ place: Header.LogPlace) -> Bool {
        guard place.log == takeoverLog else { return false }
        switch entry.kind {
        case .claim, .ruling: return true
        case .continue:
            return takeover.map { $0.ruling == nil && place.sequence == $0.length + 1 } ?? false
        default: return false
        }
    }

    /// A step that a ruling or a settlement leaves behind was folded before that came: this value cannot
    /// take it back, and is to be folded anew.
    public var isOvertaken: Bool {
        if isOutrun { return true }
        guard let takeover, takeover.ruling != nil, !takeover.isInForce else { return false }
        // What all settled stands where the ruling goes on from its basis, or from above.
        let last = settled == nil ? steps.last : steps.dropLast().last
        guard let last else { return false }
        return last.sequence > takeover.basis
            || (last.sequence == takeover.basis && last.id != takeover.basisStep)
    }

    /// Whether a ruling goes on from another entry than `entry` at its place.
    func isOfOtherBranch(_ entry: Entry, _ place: Header.LogPlace) -> Bool {
        guard let takeover, takeover.ruling != nil, place.log == log else { return false }
        return place.sequence == takeover.basis && entry.id != takeover.basisStep
    }

    /// A claim or ruling of the arbiter, or its change of key between them. What does not hold changes
    /// nothing.
    mutating func take(_ entry: Entry, keys: KeyLookup, checker: SignatureChecker) {
        guard isWitnessed, entry.header.author == arbiter else { return }
        switch entry.kind {
        case .claim:
            guard takeover == nil, entry.header.log?.sequence == 1,
                let body = try? entry.read(TakeoverClaim.self), body.epoch == 1
            else { return }
            takeover = Takeover(claim: entry.id, request: body.request, newest: entry.id)
        case .continue: takeover?.goOn(entry)
        case .ruling:
            let body: Ruling
            do { body = try decide(ruling: entry, keys: keys, checker: checker) } catch {
                // No verdict yet: it is judged again when keys come.
                if case .keyUnknown = error { awaitKey(entry) }
                return
            }
            takeover?.ruling = entry.id
            takeover?.goOn(entry)
            takeover?.basis = body.sequence
            takeover?.basisStep = body.step
            if case .forked = halt { halt = nil }
            beginEpochIfReached()
        default: break
        }
    }

    /// Whether a ruling holds: on a known claim, with M receipts of it, from the highest step they name.
    public func decide(ruling entry: Entry, keys: KeyLookup, checker: SignatureChecker)
        throws(FoldRefusal) -> Ruling
    {
        guard let takeover, takeover.ruling == nil, let place = entry.header.log,
            place.log == takeoverLog, place.sequence == takeover.length + 1,
            place.previous == takeover.newest
        else { throw .claimMissing }
        let body: Ruling
        do { body = try entry.read(Ruling.self) } catch { throw .entry(error) }
        var found: [Receipt] = []
        for witness in proposal.witnesses.identities {
            let its = LogID.witness(of: log, author: witness)
            for receipt in body.receipts
            where receipt.header.author == witness && receipt.header.log?.log == its {
                guard let words = try? receipt.read(Receipt.self),
                    words.subject == takeover.claim, words.log == takeoverLog
                else { continue }
                try check(receipt, keys: keys, checker: checker)
                found.append(words)
                break
            }
        }
        guard Int64(found.count) >= threshold else {
            throw .receiptsMissing(of: takeover.claim, found: found.count, needed: threshold)
        }
        let highest = found.map(\.highest).max() ?? 0
        if planted(.rulingBelow) { return body }
        // Two steps at one height are two branches: words of both say nothing of either.
        guard highest > 0, body.epoch == 1, body.sequence == highest,
            found.contains(where: { $0.highest == highest && $0.highestStep == body.step }),
            Set(found.filter { $0.highest == highest }.map(\.highestStep)).count == 1
        else { throw .rulingBelow(stated: body.sequence, highest: highest) }
        return body
    }

    /// Once the basis is folded, and the request that went unanswered is not among what it holds, the
    /// arbiter writes.
    mutating func beginEpochIfReached() {
        guard let takeover, takeover.ruling != nil, !takeover.isInForce,
            head.sequence == takeover.basis, head.id == takeover.basisStep,
            !steps.contains(where: { $0.request == takeover.request && $0.void == nil })
        else { return }
        self.takeover?.isInForce = true
    }
}

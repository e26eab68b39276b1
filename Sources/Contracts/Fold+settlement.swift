public import Capacity
public import Entries
public import Identity
public import Ledger

// Settlement without the sequencer, where no witness could tell the arbiter to go on, and without the
// witnesses, where they are gone. All others sign a request to end the contract above its basis; any of
// them puts it, with all consents, into a log of its own. It ends the fold at that basis. Of two the one
// with the lower basis is reached first.

extension Fold {
    /// A settlement that came and may yet take effect.
    public struct Agreed: Hashable, Sendable {
        public let entry: EntryID
        let place: Header.LogPlace
        let time: Instant
        public let body: Settlement
        let basis: EntryID
        /// The key of somebody who signed has not come yet.
        var waitsForKey = false
        /// Steps that it leaves behind, once its basis was seen.
        var above: Set<EntryID>?
        /// Somebody who signed it went on from a step that it leaves behind.
        var isRefuted = false

        func precedes(_ other: Agreed) -> Bool {
            (body.request.id, entry) < (other.body.request.id, other.entry)
        }
    }

    /// Where `author` may end the contract without its sequencer, or without its witnesses.
    public func settlementLog(of author: DID) -> LogID? {
        guard let log = Self.settlementLog(of: author, proposal) else { return nil }
        // With witnesses that is where it would take over.
        return isWitnessed && log == takeoverLog ? nil : log
    }

    /// The same as far as it is known without the template: the arbiter is not left out.
    public static func settlementLog(of author: DID, _ proposal: Proposal) -> LogID? {
        guard author != proposal.sequencer, proposal.participants.contains(author) else {
            return nil
        }
        return .contract(proposal.contract, author: author, epoch: 1)
    }

    /// When the units that each line locked for this contract fall free.
    public var freeTimes: [Instant?] { grants.map(\.until) }

    /// Whether `body`, written now, would end the contract.
    public func decide(
        _ body: Settlement, at time: Instant, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Admission {
        guard isSequenced, settled == nil else { throw .notAboutThisContract }
        let candidate = Candidate(
            time: time, act: nil, request: body.request, consents: body.consents)
        let act = try checkFresh(body.request, at: time)
        // One with the sequencer is a step. With witnesses all sign: no step comes without them.
        guard Act(act).isSettlement, (Act(act).without == nil) == isWitnessed else {
            throw .openingMissing
        }
        try check(body.request, keys: keys, checker: checker)
        let consents = try consentsTo(candidate, act, keys: keys, checker: checker)
        let author = body.request.header.author
        let outcome: Outcome
        do {
            outcome = try state.decide(
                Act(act), by: author, consents: consents, at: time, sequence: head.sequence + 1,
                free: freeTimes)
        } catch {
            throw .contract(error)
        }
        try checkBooks(outcome)
        return admission(act, author, time, outcome, grants, usedLines)
    }

    /// A settlement came. Whoever has not all signatures to show is not listened to.
    mutating func take(settlement entry: Entry, keys: KeyLookup, checker: SignatureChecker) {
        guard let place = entry.header.log, place.log == settlementLog(of: entry.header.author),
            !agreed.contains(where: { $0.entry == entry.id }), let plain = try? plaintext(entry),
            let body = try? Settlement(strict: plain),
            let basis = body.request.header.statement?.basis
        else { return }
        var came = Agreed(
            entry: entry.id, place: place, time: entry.header.time, body: body, basis: basis)
        let named = Set(participants).subtracting(isWitnessed ? [] : [proposal.sequencer])
        let signed = Set(([body.request] + body.consents).map(\.header.author))
        guard signed.isSuperset(of: named) else { return }
        for statement in [body.request] + body.consents {
            switch verifies(statement, keys: keys, checker: checker) {
            case true?: break
            case false?: return
            case nil: came.waitsForKey = true
            }
        }
        agreed.append(came)
    }

    /// A settlement came that may end it.
    public var mayBeSettled: Bool { settled == nil && !agreed.isEmpty }

    /// Ends the contract where an agreed settlement stands on the newest step. `nil` where none does.
    public mutating func settle(keys: KeyLookup, checker: SignatureChecker) -> [TransferEvent]? {
        // Whoever took over has its own epoch, which ends with witnesses alone.
        guard settled == nil, let head = head.id, steps.last?.log == log else { return nil }
        let here = agreed.filter { $0.basis == head && !$0.isRefuted }
        for one in here.sorted(by: { $0.precedes($1) }) {
            let admission: Admission
            do {
                admission = try decide(one.body, at: one.time, keys: keys, checker: checker)
            } catch {
                guard let place = agreed.firstIndex(of: one) else { continue }
                if case .keyUnknown = error {
                    agreed[place].waitsForKey = true
                } else {
                    agreed.remove(at: place)
                }
                continue
            }
            let marks = state.marks(
                Act(admission.act), by: admission.actor, at: one.time, admission.outcome)
            state = admission.state
            steps.append(
                StepOutline(
                    sequence: self.head.sequence + 1, id: one.entry, log: one.place.log,
                    logSequence: one.place.sequence, time: one.time, act: admission.act,
                    actor: admission.actor, request: one.body.request.id, void: nil,
                    changed: admission.outcome.touched, marks: marks))
            settled = one.entry
            halt = nil
            if let place = agreed.firstIndex(of: one), agreed[place].above == nil {
                agreed[place].above = []
            }
            return admission.outcome.transfers
        }
        return nil
    }

    /// Looks at an entry of the sequencer's log for what it says of the settlements that it stands above.
    /// One that somebody who signed it went on beyond, in a request or an acknowledgement, never was an
    /// end: else a party could undo what it had built on.
    public mutating func weigh(_ entry: Entry, keys: KeyLookup, checker: SignatureChecker) {
        guard !agreed.isEmpty, entry.header.log?.log == log else { return }
        for index in agreed.indices {
            if entry.id == agreed[index].basis { agreed[index].above = agreed[index].above ?? [] }
            guard entry.id != agreed[index].basis, agreed[index].above?.insert(entry.id) != nil,
                let above = agreed[index].above, let step = try? open(entry)
            else { continue }
            let statements = [step.request].compactMap(\.self) + step.consents
            for statement in statements {
                guard statement.header.author != proposal.sequencer,
                    participants.contains(statement.header.author)
                else { continue }
                let named =
                    (try? statement.read(Acknowledgement.self))?.entry
                    ?? statement.header.statement?.basis
                guard named.map(above.contains) == true else { continue }
                switch verifies(statement, keys: keys, checker: checker) {
                case true?: agreed[index].isRefuted = true
                case false?: break
                // No verdict yet: it is looked at again when keys come.
                case nil: awaitKey(entry)
                }
            }
        }
    }

    /// What settles, or no longer does, lies below where this value has come: it is to be folded anew.
    var isOutrun: Bool {
        let ended = agreed.first { $0.entry == settled }
        if ended?.isRefuted == true { return true }
        return agreed.contains { one in
            guard !one.isRefuted, !one.waitsForKey, one.entry != settled else { return false }
            if one.basis == ended?.basis { return ended.map(one.precedes) ?? false }
            return one.basis != head.id
                && steps.contains { $0.id == one.basis && $0.log == log }
        }
    }

    mutating func keysCame() {
        for index in agreed.indices { agreed[index].waitsForKey = false }
    }

    /// `nil` where the key is not known here.
    private func verifies(_ entry: Entry, keys: KeyLookup, checker: SignatureChecker) -> Bool? {
        guard let keyID = entry.header.key, let key = keys(entry.header.author, keyID) else {
            return nil
        }
        return (try? ValidEntry(entry, byCheckedKey: key, checker: checker)) != nil
    }
}

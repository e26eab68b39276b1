public import Capacity
public import Entries
internal import Identity

// What a step after the first has to show: who asks, who consents, which line entries it rests on.

extension Fold {
    /// Who asks for what, and when that counts as asked: an admissible request, or the sequencer's own
    /// act, which with witnesses is a request too.
    func asked(_ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker)
        throws(FoldRefusal) -> (SignedAct, DID, Instant)
    {
        guard let entry = candidate.request else {
            guard let act = candidate.act, !isWitnessed else { throw .openingMissing }
            return (act, proposal.sequencer, candidate.time)
        }
        let time = try moment(of: candidate, keys: keys, checker: checker)
        let act = try checkFresh(entry, at: time)
        try check(entry, at: time, keys: keys, checker: checker)
        return (act, entry.header.author, time)
    }

    /// The act of a request that is about this contract, in time, new, and signed on the records as they
    /// stand. Its signature is not checked here.
    @discardableResult
    public func checkFresh(_ entry: Entry, at time: Instant) throws(FoldRefusal) -> SignedAct {
        guard let place = entry.header.statement, place.about == log,
            entry.header.topic == key.topic
        else { throw .notAboutThisContract }
        let request = try read(request: entry)
        guard time <= place.expires else { throw .late(deadline: place.expires, time: time) }
        guard !steps.contains(where: { $0.request == entry.id && $0.void == nil }) else {
            throw .alreadyAdmitted(entry.id)
        }
        guard let basis = place.basis, steps.contains(where: { $0.id == basis }) else {
            throw .basisUnknown
        }
        // It speaks of everything that is pending, so it stands on the newest step or not at all.
        guard !Act(request.act).isSettlement || basis == head.id else { throw .basisUnknown }
        for number in state.touched(by: Act(request.act)) {
            let current = state.record(number)?.version ?? 0
            let named = place.versions.first { $0.record == number }?.version ?? 0
            guard current == named || planted(.staleVersions) else {
                throw .stale(record: number, named: named, current: current)
            }
        }
        return request.act
    }

    func consentsTo(
        _ candidate: Candidate, _ act: SignedAct, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Set<DID> {
        guard let request = candidate.request else { return [] }
        var consents: Set<DID> = []
        // Others may say what they like: it changes nothing.
        for did in state.consentsNeeded(for: Act(act)).sorted()
        where try acceptance(
            of: request.id, by: did, in: candidate.consents, at: candidate.time, keys: keys,
            checker: checker) != nil
        {
            consents.insert(did)
        }
        return consents
    }

    /// With no witnesses, a default against someone needs that one's signed acknowledgement of the step
    /// that started the clock, where the sequencer alone started it (design §4, N = 0). Whoever asks for
    /// the default itself knows of that step.
    func checkClock(
        of record: Int64, _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) {
        guard !isWitnessed, let clock = state.record(record)?.clock, clock.sequence > 1,
            let step = steps.first(where: { $0.sequence == clock.sequence }),
            // By its own right or by a request of its own: both are its own word.
            step.actor == proposal.sequencer
        else { return }
        let asker = candidate.request?.header.author
        for silent in state.awaited(record).sorted()
        where silent != proposal.sequencer && silent != asker {
            let said = candidate.consents.filter { entry in
                guard entry.header.author == silent,
                    let body = try? entry.read(Acknowledgement.self)
                else { return false }
                return body.entry == step.id && body.purpose == .delivered
            }
            // Once said it stays said, under whatever key its author goes on.
            if words.contains(Word(step: step.id, by: silent, isDelivered: true)) { continue }
            guard try firstSound(said, keys: keys, checker: checker) != nil else {
                throw .clockUnacknowledged(step: step.id, by: silent)
            }
        }
    }

    func checkLines(
        _ needs: [LineNeed], _ act: SignedAct, _ lines: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> (grants: [HeldGrant], used: Set<EntryID>) {
        var used = usedLines
        var held = grants
        for need in needs where need.units > 0 {
            guard held.indices.contains(need.line) else { throw .lineMissing(need.kind) }
            let grant = held[need.line]
            var found = false
            for entry in lines
            where !found && !used.contains(entry.id) {
                let stands = try stands(
                    entry, in: grant.line, of: grant.issuer, among: lines, keys: keys,
                    checker: checker)
                guard stands else { continue }
                switch need.kind {
                case .grant: continue
                case .firm:
                    guard let body = try? entry.read(Firm.self), body.grant == grant.grant,
                        body.units == need.units, body.until >= (need.until ?? .earliest)
                    else { continue }
                    held[need.line].until = held[need.line].until.map { max($0, body.until) }
                case .split:
                    guard let body = try? entry.read(Split.self), body.grant == grant.grant,
                        body.units == need.units, body.holderSignature == act.holderSignature
                    else { continue }
                    let message = HolderMessage.split(
                        line: grant.line, grant: grant.grant, units: body.units,
                        releaseKey: body.releaseKey, tag: body.tag)
                    guard
                        checker.verifies(body.holderSignature, of: message, by: grant.releaseKey)
                    else { throw .holderSignatureWrong }
                case .release:
                    guard let body = try? entry.read(Release.self), body.grant == grant.grant,
                        body.units == need.units, let signature = body.holderSignature
                    else { continue }
                    let message = HolderMessage.release(
                        line: grant.line, grant: grant.grant, units: body.units,
                        runningTotal: grant.released + body.units)
                    guard checker.verifies(signature, of: message, by: grant.releaseKey) else {
                        throw .holderSignatureWrong
                    }
                    held[need.line].released += body.units
                }
                try check(entry, keys: keys, checker: checker)
                used.insert(entry.id)
                found = true
            }
            // An issuer whose log was taken over cannot hold up a right by not writing: the grant itself
            // lasts as long as the contract may need it.
            guard found || (epoch > 0 && need.kind != .split) else { throw .lineMissing(need.kind) }
        }
        return (held, used)
    }

    func admission(
        _ act: SignedAct, _ actor: DID, _ time: Instant, _ outcome: Outcome,
        _ grants: [HeldGrant], _ used: Set<EntryID>
    ) -> Admission {
        var next = state
        next.apply(outcome)
        return Admission(
            act: act, actor: actor, time: time, outcome: outcome, state: next, grants: grants,
            usedLines: used, digest: next.digest())
    }

    /// `entry`'s own signature, by the key its author had; `time`: of a request, when it counts as made.
    func check(
        _ entry: Entry, at time: Instant? = nil, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) {
        guard let keyID = entry.header.key, let key = keys(entry.header.author, keyID) else {
            throw .keyUnknown(entry.header.author)
        }
        guard entry.header.statement == nil || !isSuperseded(keyID, at: time) else {
            throw .keySuperseded(entry.header.author)
        }
        do { _ = try ValidEntry(entry, byCheckedKey: key, checker: checker) } catch {
            throw .entry(error)
        }
    }

    func acceptance(
        of statement: EntryID, by did: DID, in entries: [Entry], at time: Instant,
        keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> (body: Acceptance, entry: Entry)? {
        var found: [Entry] = []
        for entry in entries where entry.header.author == did && entry.kind == .acceptance {
            guard let body = try? entry.read(Acceptance.self), body.statement == statement,
                let expires = entry.header.statement?.expires,
                time <= expires || planted(.openedLate)
            else { continue }
            found.append(entry)
        }
        var refusal: FoldRefusal?
        guard
            let entry = try firstSound(
                found, keys: keys, checker: checker, refused: { refusal = refusal ?? $0 })
        else {
            if let refusal { throw refusal }
            return nil
        }
        do { return (try entry.read(Acceptance.self), entry) } catch { throw .entry(error) }
    }

    /// The first whose own signature holds: a forged one before it takes nothing from it. Where a key is
    /// not known here there is no verdict, unless another holds.
    private func firstSound(
        _ entries: [Entry], keys: KeyLookup, checker: SignatureChecker,
        refused: (FoldRefusal) -> Void = { _ in }
    ) throws(FoldRefusal) -> Entry? {
        var unknown: FoldRefusal?
        for entry in entries {
            do {
                try check(entry, keys: keys, checker: checker)
                return entry
            } catch {
                if case .keyUnknown = error { unknown = unknown ?? error }
                refused(error)
            }
        }
        if let unknown { throw unknown }
        return nil
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs

extension Node {
    var keyLookup: KeyLookup {
        let keyLogs = keyLogs
        return { keyLogs.keyOfSigner($0, $1) }
    }

    // MARK: - Folding

    /// Builds the fold of a contract anew, as soon as its template is here.
    mutating func refold(_ id: ContractID) {
        guard var held = contracts[id], held.fold == nil,
            let template = templates[held.proposal.template]
        else { return }
        do {
            held.fold = try Fold(
                proposal: held.proposalEntry, key: held.key, template: template)
            held.foldRefusal = nil
            if let fold = held.fold, fold.isWitnessed { contractOfLog[fold.takeoverLog] = id }
        } catch {
            held.foldRefusal = error
        }
        let entries = held.unfolded
        held.unfolded = []
        contracts[id] = held
        for entry in entries { foldStep(entry, in: id) }
        stopWhereForked(id)
    }

    /// Folds one entry of a contract's log and does what follows from an effective step.
    mutating func foldStep(_ entry: Entry, in id: ContractID) {
        guard let before = contracts[id]?.fold?.head.sequence else {
            contracts[id]?.unfolded.append(entry)
            return
        }
        if planted(.openingPassedOver), before == 0, contracts[id]?.fold?.arbiter == own.did {
            return
        }
        var events: [TransferEvent] = []
        if let drafted, drafted.contract == id {
            let words = try? contracts[id]?.fold?.words(
                in: drafted.step, keys: keyLookup, checker: checker)
            contracts[id]?.fold?.apply(
                drafted.admission, of: drafted.step, entry: entry, words ?? [])
            events = drafted.admission.outcome.transfers
        } else {
            let (keys, checker) = (keyLookup, checker)
            events = contracts[id]?.fold?.fold(entry, keys: keys, checker: checker) ?? []
        }
        guard let fold = contracts[id]?.fold else { return }
        if case .keyUnknown = fold.halt {
            contracts[id]?.unfolded.append(entry)
            return
        }
        // What lay above a fork when it came was passed over, and may stand by the ruling.
        let isBehind =
            fold.takeover?.ruling == entry.id && fold.epoch == 0
            && chains.head(fold.log) > fold.head.sequence
        if fold.isOvertaken || isBehind, !isRestoring { directives.append(.reload) }
        if entry.kind == .settlement { return foldSettlement(in: id) }
        guard fold.head.sequence > before else {
            if let place = entry.header.log, place.log == fold.takeoverLog,
                [.step, .continue].contains(entry.kind), place.sequence > fold.takeover?.length ?? 0
            {
                contracts[id]?.ahead.append(entry)
            } else {
                foldAhead(in: id)
            }
            return
        }
        post(events)
        stepTaken(in: id)
        // Before the arbiter's steps: what all settled below them stands, whichever came first.
        foldSettlement(in: id)
        foldAhead(in: id)
    }

    /// Entries of the arbiter's epoch that waited for its basis.
    private mutating func foldAhead(in id: ContractID) {
        guard let ahead = contracts[id]?.ahead, !ahead.isEmpty,
            contracts[id]?.fold?.epoch ?? 0 > 0
        else { return }
        contracts[id]?.ahead = []
        for entry in ahead { foldStep(entry, in: id) }
    }

    /// Folds what waited for a key.
    mutating func resumeFolds() {
        for id in contracts.keys.sorted() {
            guard let fold = contracts[id]?.fold else { continue }
            contracts[id]?.fold?.resume()
            let (keys, checker) = (keyLookup, checker)
            for entry in fold.awaitingKey {
                contracts[id]?.fold?.weigh(entry, keys: keys, checker: checker)
                foldStep(entry, in: id)
            }
            foldSettlement(in: id)
            guard case .keyUnknown = fold.halt else { continue }
            let entries = contracts[id]?.unfolded ?? []
            contracts[id]?.unfolded = []
            for entry in entries { foldStep(entry, in: id) }
            advance(id)
        }
    }

    mutating func post(_ events: [TransferEvent]) {
        guard ledgerFault == nil else { return }
        for event in events {
            do {
                try ledger.decide(event)
                ledger.apply(event)
            } catch {
                ledgerFault = error
                return
            }
        }
        if !events.isEmpty { changes.append(.books(events)) }
        if !events.isEmpty, planted(.postedTwice) { changes.append(.books(events)) }
    }

    mutating func stepTaken(in id: ContractID) {
        guard let held = contracts[id], let step = held.fold?.steps.last else { return }
        if let request = step.request {
            contracts[id]?.requests[request] = nil
            settle(request)
        }
        if step.sequence == 1, step.void == nil {
            // Step 1 holds the proposal and all acceptances: nobody need be sent them again.
            settle(held.proposalEntry.id)
            for acceptance in held.acceptances.values.sorted(by: { $0.id < $1.id }) {
                settle(acceptance.id)
            }
        }
        for key in outbox.keys.sorted() {
            guard let item = outbox[key], item.statement.header.statement?.about == held.log,
                let body = try? item.statement.read(Acknowledgement.self), let fold = held.fold
            else { continue }
            // As long as the clock it speaks of runs, the sequencer may still need it.
            let runs = fold.state.records.contains { record in
                fold.steps.contains {
                    $0.id == body.entry && $0.sequence == record.clock?.sequence
                }
            }
            if !runs || fold.state.isEnded { settle(key) }
        }
        acknowledgeClock(in: id, step)
    }

    /// With no witnesses, a clock that the sequencer alone started counts against this node only once it
    /// has said that it knows (design §4, N = 0). By itself it says so while at least half of the time to
    /// answer is left: else whoever signs a step long after the time it names would have its silence for
    /// nothing. Later only the owner's own word counts: an answer, or asking for the default.
    private mutating func acknowledgeClock(in id: ContractID, _ step: Fold.StepOutline) {
        guard !isRestoring, step.void == nil, let held = contracts[id], let fold = held.fold,
            maySign
        else { return }
        let isInTime = step.changed.contains { number in
            guard isCounted(step, number, held, fold), let until = fold.state.record(number)?.until
            else { return false }
            return now.milliseconds - step.time.milliseconds
                <= until.milliseconds - now.milliseconds
        }
        if isInTime { acknowledge(clock: step, held) }
    }

    /// Whoever asks for a default knows of the step that started its clock. Where others are awaited as
    /// well, each of them must have said so: two who each ask would else wait for one another for ever.
    mutating func acknowledgeClock(of act: SignedAct, in id: ContractID) {
        guard let held = contracts[id], let fold = held.fold,
            fold.state.defaultAct(act.record)?.transition == act.transition,
            let clock = fold.state.record(act.record)?.clock,
            let step = fold.steps.first(where: { $0.sequence == clock.sequence }),
            isCounted(step, act.record, held, fold),
            !outbox.values.contains(where: {
                $0.statement.kind == .acknowledgement
                    && (try? $0.statement.read(Acknowledgement.self))?.entry == step.id
            })
        else { return }
        acknowledge(clock: step, held)
    }

    /// Whether the sequencer alone started the clock of a record that waits for this node.
    private func isCounted(
        _ step: Fold.StepOutline, _ record: Int64, _ held: HeldContract, _ fold: Fold
    ) -> Bool {
        !held.isWitnessed && step.sequence > 1 && step.actor == held.proposal.sequencer
            && step.actor != own.did && fold.state.record(record)?.clock?.sequence == step.sequence
            && fold.state.awaited(record).contains(own.did)
    }

    private mutating func acknowledge(clock step: Fold.StepOutline, _ held: HeldContract) {
        let body = Acknowledgement(salt: dice.roll(), entry: step.id, purpose: .delivered)
        _ = try? say(
            body, about: held, to: [held.proposal.sequencer],
            expires: now.advanced(by: statementLifeMilliseconds))
    }

    // MARK: - Going on by itself

    /// Does whatever this node already agreed to and can do now: grants, step 1, line entries for
    /// requests, admissions, child requests. Asks nobody anything.
    mutating func advance(_ id: ContractID) {
        rule(on: id)
        settle(id)
        guard maySign, ledgerFault == nil, let held = contracts[id], let fold = held.fold,
            fold.halt == nil, mayWrite(for: held)
        else { return }
        if !fold.isSequenced {
            // Once sequenced, a refusal of the proposal comes too late to stop anything.
            guard held.declined == nil, held.isAgreed,
                now <= held.proposal.grantBy || planted(.openedLate)
            else { return }
            if held.proposal.parent == nil {
                writeGrants(id)
                open(id)
            }
            advanceTransfer(id)
            return
        }
        for (id, request) in sorted(held.requests) where Act(request.act).without == nil {
            advance(id, in: held.id)
        }
    }

    /// The grants that this node owes an agreed contract.
    private mutating func writeGrants(_ id: ContractID) {
        guard let held = contracts[id], let fold = held.fold else { return }
        for need in fold.state.grants where need.issuer == own.did && need.units > 0 {
            guard held.proposal.lines.indices.contains(need.line) else { return }
            let log = LogID.line(author: own.did, held.proposal.lines[need.line])
            guard let releaseKey = releaseKey(of: need.holder, in: held) else { return }
            let tag = Hash32.grantTag(
                contractKey: held.key.bytes, line: log, releaseKey: releaseKey)
            if lines[log]?.grant(tag: tag) != nil, !planted(.grantTwice) { continue }
            do {
                let title = try title(for: need.units, on: log)
                try appendLine(log) { remaining in
                    Grant(
                        units: need.units, until: need.until ?? held.proposal.grantBy,
                        releaseKey: releaseKey, tag: tag, remaining: remaining - need.units,
                        title: title)
                }
            } catch {
                refuseProposal(id, error)
                return
            }
        }
    }

    /// Step 1, by the sequencer, once every grant is here.
    private mutating func open(_ id: ContractID) {
        guard let held = contracts[id], let fold = held.fold,
            held.proposal.sequencer == own.did, let receipts = held.acceptanceReceipts
        else { return }
        var grants: [Entry] = []
        for need in fold.state.grants where need.units > 0 {
            guard held.proposal.lines.indices.contains(need.line),
                let releaseKey = releaseKey(of: need.holder, in: held)
            else { return }
            let log = LogID.line(author: need.issuer, held.proposal.lines[need.line])
            let tag = Hash32.grantTag(
                contractKey: held.key.bytes, line: log, releaseKey: releaseKey)
            guard let grant = lines[log]?.grant(tag: tag),
                let entry = lines.entries(of: log, about: grant).first(where: { $0.id == grant })
            else { return }
            grants.append(entry)
        }
        _ = try? writeStep(
            in: id, act: SignedAct(transition: Fold.opening, record: 0, arguments: []),
            request: nil, consents: sortedAcceptances(held), lines: withCuts(grants),
            receipts: receipts)
    }

    /// One pending request: write the line entries it needs from us, admit it if we sequence.
    private mutating func advance(_ request: EntryID, in id: ContractID) {
        guard let held = contracts[id], let fold = held.fold,
            let pending = held.requests[request]
        else { return }
        askForClosing(pending, in: id)
        // On a copy: a request gets all that follows from it, or nothing.
        var trial = self
        do {
            guard try trial.admit(pending, held, fold) else { return }
            self = trial
        } catch {
            if held.sequencer == own.did { refuse(request, in: id, error) }
        }
    }

    /// True where something was written for the request, false where it waits for others.
    private mutating func admit(
        _ pending: HeldContract.PendingRequest, _ held: HeldContract, _ fold: Fold
    ) throws(FoldRefusal) -> Bool {
        let given = held.consents(pending.consents, to: pending.act)
        var consents = given + acknowledgements(for: pending.act, held)
        var receipts: [Entry] = []
        var time = now
        if held.isWitnessed {
            guard let testimony = try testimony(for: pending, held, fold) else { return false }
            consents += testimony.listed
            receipts = testimony.receipts
            time = testimony.time
        }
        // A stale or late request is refused as what it is, and gets no line entry either.
        try fold.checkFresh(pending.entry, at: time)
        if isOutOfForce(pending.entry, at: held.isWitnessed ? time : nil), !planted(.oldKeyAdmitted)
        {
            throw .keySuperseded(pending.entry.header.author)
        }
        var child: HeldContract?
        if let proposed = pending.act.child {
            guard let found = contract(proposed: proposed, by: held.id), found.isAgreed,
                found.acceptanceReceipts != nil
            else { return false }
            guard now <= found.proposal.grantBy else {
                throw .late(deadline: found.proposal.grantBy, time: now)
            }
            child = found
            consents += sortedAcceptances(found)
        }
        let act = Act(pending.act)
        let signers = Set(given.map(\.header.author))
        let needed = fold.state.consentsNeeded(for: act)
        let missing = needed.subtracting(signers).subtracting([pending.entry.header.author])
        guard missing.isEmpty || planted(.moveWithoutConsent) else { return false }
        let outcome: Outcome
        do {
            outcome = try fold.state.decide(
                act, by: pending.entry.header.author, consents: signers, at: time,
                sequence: fold.head.sequence + 1, late: lateness(of: act.record, in: held.id))
        } catch {
            throw .contract(error)
        }
        let sequences = held.sequencer == own.did
        let before = changes.count
        var entries: [Entry] = []
        for need in outcome.lines where need.units > 0 && (sequences || need.issuer == own.did) {
            guard let entry = try lineEntry(for: need, pending.act, fold) else {
                // After a takeover an issuer's silence holds up nothing but a transfer.
                if fold.epoch > 0, need.kind != .split { continue }
                return false
            }
            entries.append(entry)
        }
        guard sequences else { return changes.count > before }
        entries = withCuts(entries)
        do {
            try writeStep(
                in: held.id, act: nil, request: pending.entry, consents: consents, lines: entries,
                receipts: receipts)
            if let child {
                try writeStep(
                    in: child.id,
                    act: SignedAct(transition: Fold.opening, record: 0, arguments: []),
                    request: nil, consents: sortedAcceptances(child) + [pending.entry],
                    lines: entries, receipts: child.acceptanceReceipts ?? [])
            }
        } catch {
            if case .fold(let refusal) = error { throw refusal }
            throw .notAboutThisContract
        }
        return true
    }

    // MARK: - Steps

    /// Decides, signs and keeps the next step of a contract that this node sequences.
    @discardableResult
    mutating func writeStep(
        in id: ContractID, act: SignedAct?, request: Entry?, consents: [Entry], lines: [Entry],
        receipts: [Entry] = []
    ) throws(NodeRefusal) -> Fold.Admission {
        guard let held = contracts[id], let fold = held.fold else {
            throw .contractUnknown(id.short)
        }
        let log = fold.writingLog
        let time = max(now, chains.chain(log)?.newestTime ?? .earliest)
        let keys = keysToEmbed(fold)
        // Everyone waits for the key of whoever says that he knows of a step: one that is no more, as of a log
        // that parted, would be waited for for ever.
        let consents =
            (consents
            + words(of: Set(keys.map(\.header.author)), held, beside: consents)).filter { entry in
                entry.kind != .acknowledgement
                    || entry.header.key.map { keyLogs.key(entry.header.author, $0) != nil } == true
            }
        let candidate = Fold.Candidate(
            time: time, act: act, request: request, consents: consents, lines: lines,
            receipts: receipts, keys: keys)
        let admission: Fold.Admission
        do {
            admission = try fold.decide(candidate, keys: keyLookup, checker: checker)
        } catch {
            throw .fold(error)
        }
        let step = Step(
            act: act, request: request, consents: consents, lines: lines, receipts: receipts,
            keys: keys, records: admission.changes, digest: admission.digest,
            epoch: fold.epoch,
            proposal: fold.head.sequence == 0 ? held.proposalEntry : nil)
        let nonce = Array(dice.roll().bytes.prefix(24))
        let (key, author) = (held.key, own.did)
        drafted = DraftedStep(contract: id, admission: admission, step: step)
        defer { drafted = nil }
        try append(
            .step,
            body: { place throws(EntryRefusal) in
                try PrivateBody.seal(
                    step.wire, key: key.bodyKey(log: log, sequence: place.sequence),
                    nonce: nonce, author: author, place: place)
            }, to: log, topic: held.key.topic)
        return admission
    }

    // MARK: - Refusals

    mutating func refuse(_ request: EntryID, in id: ContractID, _ reason: FoldRefusal) {
        guard let held = contracts[id], let pending = held.requests[request] else { return }
        let code: Refusal.Code =
            switch reason {
            case .stale, .basisUnknown: .stale
            case .late, .contract(.tooLate): .late
            case .lineMissing: .lineExceeded
            default: .notAdmissible
            }
        let author = pending.entry.header.author
        contracts[id]?.requests[request] = nil
        contracts[id]?.refused.append(
            .init(request: request, act: pending.act, code: code, text: "\(reason)"))
        _ = try? say(
            Refusal(
                salt: dice.roll(), statement: request, code: code,
                text: String("\(reason)".prefix(500))),
            about: held, to: [author], expires: now.advanced(by: statementLifeMilliseconds))
    }

    private mutating func refuseProposal(_ id: ContractID, _ reason: NodeRefusal) {
        guard let held = contracts[id], held.declined == nil else { return }
        let (code, text) = (Refusal.Code.lineExceeded, String("\(reason)".prefix(500)))
        let entry = try? say(
            Refusal(
                salt: dice.roll(), statement: held.proposalEntry.id, code: code, text: text),
            about: held, to: held.participants,
            expires: now.advanced(by: statementLifeMilliseconds))
        if let entry { contracts[id]?.declined = (own.did, code, text, entry) }
    }
}

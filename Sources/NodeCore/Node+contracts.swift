internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs

extension Node {
    var keyLookup: KeyLookup {
        let keyLogs = keyLogs
        return { keyLogs.key($0, $1) }
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
        } catch {
            held.foldRefusal = error
        }
        let entries = held.unfolded
        held.unfolded = []
        contracts[id] = held
        for entry in entries { foldStep(entry, in: id) }
    }

    /// Folds one entry of a contract's log and does what follows from an effective step.
    mutating func foldStep(_ entry: Entry, in id: ContractID) {
        guard contracts[id]?.fold != nil else {
            contracts[id]?.unfolded.append(entry)
            return
        }
        // Moved out and back, so that the records are not copied.
        guard var fold = contracts[id]?.fold else { return }
        contracts[id]?.fold = nil
        let before = fold.head.sequence
        let events = fold.fold(entry, keys: keyLookup, checker: checker)
        contracts[id]?.fold = fold
        if case .keyUnknown = fold.halt {
            contracts[id]?.unfolded.append(entry)
            return
        }
        guard fold.head.sequence > before else { return }
        post(events)
        stepTaken(in: id)
    }

    /// Folds what waited for a key.
    mutating func resumeFolds() {
        for id in contracts.keys.sorted() {
            guard case .keyUnknown = contracts[id]?.fold?.halt else { continue }
            contracts[id]?.fold?.resume()
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
    }

    private mutating func stepTaken(in id: ContractID) {
        guard var held = contracts[id], let step = held.fold?.steps.last else { return }
        if let request = step.request {
            held.requests[request] = nil
            settle(request)
        }
        if step.sequence == 1, step.void == nil {
            // Step 1 holds the proposal and all acceptances: nobody need be sent them again.
            settle(held.proposalEntry.id)
            for acceptance in held.acceptances.values.sorted(by: { $0.id < $1.id }) {
                settle(acceptance.id)
            }
        }
        contracts[id] = held
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
    /// has said that it knows (design §4, N = 0).
    private mutating func acknowledgeClock(in id: ContractID, _ step: Fold.StepOutline) {
        guard !isRestoring, maySign, let held = contracts[id], let fold = held.fold,
            step.void == nil, step.actor == held.proposal.sequencer, step.sequence > 1,
            held.proposal.sequencer != own.did
        else { return }
        let awaited = step.changed.contains { number in
            fold.state.record(number)?.clock?.sequence == step.sequence
                && fold.state.awaited(number).contains(own.did)
        }
        guard awaited else { return }
        let body = Acknowledgement(salt: dice.roll(), entry: step.id, purpose: .delivered)
        _ = try? say(
            body, about: held, to: [held.proposal.sequencer],
            expires: now.advanced(by: statementLifeMilliseconds))
    }

    // MARK: - Going on by itself

    /// Does whatever this node already agreed to and can do now: grants, step 1, line entries for
    /// requests, admissions, child requests. Asks nobody anything.
    mutating func advance(_ id: ContractID) {
        guard maySign, ledgerFault == nil, let held = contracts[id], let fold = held.fold,
            fold.halt == nil
        else { return }
        if !fold.isSequenced {
            // Once sequenced, a refusal of the proposal comes too late to stop anything.
            guard held.declined == nil, held.isAgreed, now <= held.proposal.grantBy else { return }
            if held.proposal.parent == nil {
                writeGrants(id)
                open(id)
            }
            advanceTransfer(id)
            return
        }
        for request in held.requests.keys.sorted() { advance(request, in: id) }
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
            if lines[log]?.grant(tag: tag) != nil { continue }
            do {
                try appendLine(log) { remaining in
                    Grant(
                        units: need.units, until: need.until ?? held.proposal.grantBy,
                        releaseKey: releaseKey, tag: tag, remaining: remaining - need.units)
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
            held.proposal.sequencer == own.did
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
                let entry = lineEntries[log]?.first(where: { $0.id == grant })
            else { return }
            grants.append(entry)
        }
        _ = try? writeStep(
            in: id, act: SignedAct(transition: Fold.opening, record: 0, arguments: []),
            request: nil, consents: sortedAcceptances(held), lines: grants)
    }

    /// One pending request: write the line entries it needs from us, admit it if we sequence.
    private mutating func advance(_ request: EntryID, in id: ContractID) {
        guard let held = contracts[id], let fold = held.fold,
            let pending = held.requests[request]
        else { return }
        // On a copy: a request gets all that follows from it, or nothing.
        var trial = self
        do {
            guard try trial.admit(pending, held, fold) else { return }
            self = trial
        } catch {
            if held.proposal.sequencer == own.did { refuse(request, in: id, error) }
        }
    }

    /// True where something was written for the request, false where it waits for others.
    private mutating func admit(
        _ pending: HeldContract.PendingRequest, _ held: HeldContract, _ fold: Fold
    ) throws(FoldRefusal) -> Bool {
        // A stale or late request is refused as what it is, and gets no line entry either.
        try fold.checkFresh(pending.entry, at: now)
        var consents = pending.consents + acknowledgements(for: pending.act, held)
        var child: HeldContract?
        if let proposed = pending.act.child {
            guard let found = contract(proposed: proposed), found.isAgreed else { return false }
            guard now <= found.proposal.grantBy else {
                throw .late(deadline: found.proposal.grantBy, time: now)
            }
            child = found
            consents += sortedAcceptances(found)
        }
        let act = Act(pending.act)
        let given = Set(pending.consents.map(\.header.author))
        let needed = fold.state.consentsNeeded(for: act)
        guard needed.subtracting(given).subtracting([pending.entry.header.author]).isEmpty else {
            return false
        }
        let outcome: Outcome
        do {
            outcome = try fold.state.decide(
                act, by: pending.entry.header.author, consents: given, at: now,
                sequence: fold.head.sequence + 1)
        } catch {
            throw .contract(error)
        }
        let sequences = held.proposal.sequencer == own.did
        let before = changes.count
        var entries: [Entry] = []
        for need in outcome.lines where need.units > 0 && (sequences || need.issuer == own.did) {
            guard let entry = try lineEntry(for: need, pending.act, fold) else { return false }
            entries.append(entry)
        }
        guard sequences else { return changes.count > before }
        do {
            try writeStep(
                in: held.id, act: nil, request: pending.entry, consents: consents, lines: entries)
            if let child {
                try writeStep(
                    in: child.id,
                    act: SignedAct(transition: Fold.opening, record: 0, arguments: []),
                    request: nil, consents: sortedAcceptances(child) + [pending.entry],
                    lines: entries)
            }
        } catch {
            if case .fold(let refusal) = error { throw refusal }
            throw .notAboutThisContract
        }
        return true
    }

    // MARK: - Line entries

    /// The entry of its issuer's line that `need` asks for: written now if the issuer is us, found if it
    /// came from another, `nil` while it has not.
    private mutating func lineEntry(for need: LineNeed, _ act: SignedAct, _ fold: Fold)
        throws(FoldRefusal) -> Entry?
    {
        guard fold.grants.indices.contains(need.line) else { throw .lineMissing(need.kind) }
        let grant = fold.grants[need.line]
        if let found = lineEntries[grant.line]?.first(where: {
            !fold.usedLines.contains($0.id) && answers($0, need, act, grant)
        }) {
            return found
        }
        guard need.issuer == own.did else { return nil }
        do {
            switch need.kind {
            case .grant: throw FoldRefusal.lineMissing(.grant)
            case .firm:
                let until = max(
                    need.until ?? .earliest,
                    lines[grant.line]?.line.grants[grant.grant]?.until ?? .earliest)
                return try appendLine(grant.line) { remaining in
                    Firm(
                        grant: grant.grant, units: need.units, until: until, remaining: remaining)
                }
            case .split:
                guard let child = act.child.flatMap({ contract(proposed: $0) }),
                    let releaseKey = childHolderKey(child), let signature = act.holderSignature
                else { throw FoldRefusal.childMissing }
                let tag = Hash32.grantTag(
                    contractKey: child.key.bytes, line: grant.line, releaseKey: releaseKey)
                return try appendLine(grant.line) { remaining in
                    Split(
                        grant: grant.grant, units: need.units, releaseKey: releaseKey, tag: tag,
                        holderSignature: signature, remaining: remaining)
                }
            case .release:
                guard let signature = act.holderSignature else {
                    throw FoldRefusal.holderSignatureWrong
                }
                return try appendLine(grant.line) { remaining in
                    Release(
                        grant: grant.grant, units: need.units, holderSignature: signature,
                        remaining: remaining + need.units)
                }
            }
        } catch let refusal as FoldRefusal {
            throw refusal
        } catch {
            throw .lineMissing(need.kind)
        }
    }

    private func answers(
        _ entry: Entry, _ need: LineNeed, _ act: SignedAct, _ grant: Fold.HeldGrant
    ) -> Bool {
        switch need.kind {
        case .grant: false
        case .firm:
            (try? entry.read(Firm.self)).map {
                $0.grant == grant.grant && $0.units == need.units
                    && $0.until >= (need.until ?? .earliest)
            } ?? false
        case .split:
            (try? entry.read(Split.self)).map {
                $0.grant == grant.grant && $0.units == need.units
                    && $0.holderSignature == act.holderSignature
            } ?? false
        case .release:
            (try? entry.read(Release.self)).map {
                $0.grant == grant.grant && $0.units == need.units
                    && $0.holderSignature == act.holderSignature
            } ?? false
        }
    }

    /// Writes the next entry of one of our lines, after the line itself agreed to it.
    @discardableResult
    mutating func appendLine<Body: EntryBody>(_ log: LogID, _ make: (Int64) -> Body)
        throws(NodeRefusal) -> Entry
    {
        guard let line = lines[log], line.issuer == own.did else {
            throw .lineUnknown(log.short)
        }
        guard line.fault == nil, chains.chain(log)?.fork == nil else { throw .lineForked(log) }
        let body = make(line.line.remaining)
        // The line judges the signed entry itself, on a copy: what it refuses is never kept.
        var trial = self
        let valid = try trial.append(body, to: log)
        if let fault = trial.lines[log]?.fault { throw .line(fault.reason) }
        self = trial
        return valid.entry
    }

    /// Units of our lines that a finished contract did not use go back once their time is over. What was
    /// delivered is used up and never returns.
    mutating func releaseLapsed() {
        guard maySign else { return }
        for id in contracts.keys.sorted() where !released.contains(id) {
            guard let fold = contracts[id]?.fold, fold.isSequenced, fold.state.isEnded else {
                continue
            }
            var waits = false
            for (index, grant) in fold.grants.enumerated() where grant.issuer == own.did {
                guard let held = lines[grant.line]?.line.grants[grant.grant], held.units > 0 else {
                    continue
                }
                guard held.until < now else {
                    waits = true
                    continue
                }
                let resource = fold.proposal.lines[index].resource
                let delivered = ledger.rows.reduce(Int64(0)) { sum, row in
                    guard row.transfer.cause.contract == id, row.transfer.kind == .capacity,
                        row.transfer.from == own.did,
                        case .capacity(resource, _) = row.transfer.commodity
                    else { return sum }
                    return sum + row.postedAmount
                }
                let units = min(held.units - delivered, held.looseUnits)
                guard units > 0 else { continue }
                _ = try? appendLine(grant.line) { remaining in
                    Release(
                        grant: grant.grant, units: units, holderSignature: nil,
                        remaining: remaining + units)
                }
            }
            if !waits { released.insert(id) }
        }
    }

    // MARK: - Steps

    /// Decides, signs and keeps the next step of a contract that this node sequences.
    @discardableResult
    mutating func writeStep(
        in id: ContractID, act: SignedAct?, request: Entry?, consents: [Entry], lines: [Entry]
    ) throws(NodeRefusal) -> Fold.Admission {
        guard let held = contracts[id], let fold = held.fold else {
            throw .contractUnknown(id.short)
        }
        let log = held.log
        let time = max(now, chains.chain(log)?.newestTime ?? .earliest)
        let candidate = Fold.Candidate(
            time: time, act: act, request: request, consents: consents, lines: lines)
        let admission: Fold.Admission
        do {
            admission = try fold.decide(candidate, keys: keyLookup, checker: checker)
        } catch {
            throw .fold(error)
        }
        let step = Step(
            act: act, request: request, consents: consents, lines: lines,
            records: admission.changes, digest: admission.digest,
            proposal: fold.head.sequence == 0 ? held.proposalEntry : nil)
        let nonce = Array(dice.roll().bytes.prefix(24))
        let (key, author) = (held.key, own.did)
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
        let code = Refusal.Code.lineExceeded
        contracts[id]?.declined = (own.did, code, "\(reason)")
        _ = try? say(
            Refusal(
                salt: dice.roll(), statement: held.proposalEntry.id, code: code,
                text: String("\(reason)".prefix(500))),
            about: held, to: held.proposal.participants,
            expires: now.advanced(by: statementLifeMilliseconds))
    }

    // MARK: - Children

    /// Issuer and third parties accept a child by themselves iff only what the template lists differs.
    mutating func acceptChild(_ id: ContractID) {
        guard maySign, let child = contracts[id], let parentTerms = child.proposal.parent,
            let parent = contracts[parentTerms.contract], let fold = parent.fold,
            fold.isSequenced, parent.proposal.participants.contains(own.did),
            child.fold != nil,
            differsAsListed(
                child.proposal, by: child.proposalEntry.header.author, from: parent, fold)
        else { return }
        let newcomerRoles = fold.template.childVaries.roles
        let ours = child.proposal.roles.filter { $0.identities.contains(own.did) }.map(\.role)
        guard child.proposalEntry.header.author != own.did,
            child.proposal.sequencer == own.did
                || ours.contains(where: { !newcomerRoles.contains($0) })
        else { return }
        _ = try? accept(child, now: now)
        advance(id)
    }

    private func differsAsListed(
        _ child: Proposal, by holder: DID, from parent: HeldContract, _ fold: Fold
    ) -> Bool {
        let varies = fold.template.childVaries
        func fixed(_ proposal: Proposal) -> [Argument] {
            proposal.arguments.filter { !varies.parameters.contains($0.name) }
        }
        func fixedRoles(_ proposal: Proposal) -> [Proposal.RoleHolders] {
            proposal.roles.filter { !varies.roles.contains($0.role) }
        }
        return child.template == parent.proposal.template
            && child.currency == parent.proposal.currency
            && child.sequencer == parent.proposal.sequencer
            && child.witnesses == parent.proposal.witnesses
            && child.lines == parent.proposal.lines && fixed(child) == fixed(parent.proposal)
            && fixedRoles(child) == fixedRoles(parent.proposal)
            && fold.grants.contains { $0.grant == child.parent?.grant && $0.holder == holder }
    }

    /// Ours: the child is accepted by all, so the transfer can be asked for.
    private mutating func advanceTransfer(_ id: ContractID) {
        guard let child = contracts[id], let transfer = transfers[child.proposalEntry.id],
            let parent = contracts[transfer.parent], let fold = parent.fold
        else { return }
        transfers[child.proposalEntry.id] = nil
        changes.append(.transferDone(child: child.proposalEntry.id))
        guard let parentTerms = child.proposal.parent, let releaseKey = childHolderKey(child),
            let grant = fold.grants.first(where: { $0.grant == parentTerms.grant })
        else { return }
        let tag = Hash32.grantTag(
            contractKey: child.key.bytes, line: grant.line, releaseKey: releaseKey)
        var act = transfer.act
        act.child = child.proposalEntry.id
        act.holderSignature = own.releaseKey(parent.id).sign(
            HolderMessage.split(
                line: grant.line, grant: grant.grant, units: parentTerms.units,
                releaseKey: releaseKey, tag: tag))
        _ = try? request(act, in: transfer.parent)
    }

    func contract(proposed: EntryID) -> HeldContract? {
        contracts.values.first { $0.proposalEntry.id == proposed }
    }

    /// The one-time key of whoever holds the child's grant.
    private func childHolderKey(_ child: HeldContract) -> PublicKey? {
        guard let need = child.fold?.state.grants.first else { return nil }
        return releaseKey(of: need.holder, in: child)
    }

    private func releaseKey(of holder: DID, in held: HeldContract) -> PublicKey? {
        if holder == held.proposalEntry.header.author { return held.proposal.releaseKey }
        return (try? held.acceptances[holder]?.read(Acceptance.self))?.releaseKey
    }

    private func sortedAcceptances(_ held: HeldContract) -> [Entry] {
        sorted(held.acceptances).map(\.1)
    }

    /// Acknowledgements of the step that started the clock of a default.
    func acknowledgements(for act: SignedAct, _ held: HeldContract) -> [Entry] {
        guard let fold = held.fold, let clock = fold.state.record(act.record)?.clock,
            fold.state.defaultAct(act.record)?.transition == act.transition,
            let step = fold.steps.first(where: { $0.sequence == clock.sequence })
        else { return [] }
        return held.acknowledgements.filter {
            (try? $0.read(Acknowledgement.self))?.entry == step.id
        }
    }
}

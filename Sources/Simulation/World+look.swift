internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import Market
internal import NodeCore

// The whole, looked at now and then: laws that no single change can show.

extension World {
    func look() {
        agenda.put(.look, at: now + Self.lookMilliseconds * (isHealed ? 12 : 1))
        lookAtAll()
    }

    func lookAtAll() {
        for index in machines.indices where machines[index].isHonest {
            guard machines[index].node != nil, !machines[index].flushIsDue else { continue }
            lookAtLines(index)
            lookAtContracts(index)
            lookAtSize(index)
            if oracle.violation != nil { return }
        }
        // One of them anew from its disk: the same value, the same books.
        let index = weather.below(machines.count)
        if machines[index].isHonest, !machines[index].isOld, !machines[index].flushIsDue,
            machines[index].node != nil
        {
            rebuild(index)
        }
        if setting.isCanary, now > 3_600_000 { fail(.canary, 0, "deliberate", found: 1, wanted: 0) }
    }

    private func rebuild(_ index: Int) {
        guard let node = machines[index].node, let alliance else { return }
        if !node.ledger.imbalance().isEmpty { fail(.imbalance, index, "columns") }
        if node.ledgerFault != nil { fail(.imbalance, index, "\(node.ledgerFault!)") }
        compareBooks(index)
        if node.contracts.overview != node.contracts.overviewAnew(node.ledger) {
            fail(.restartDiffers, index, "overview")
        }
        guard node.readOnly == nil, !node.isToBeReadAnew,
            let snapshot = machines[index].disk.snapshot
        else { return }
        let again = Node(
            own: machines[index].own, alliance: alliance, snapshot: snapshot, agent: "simulation",
            checker: checker, known: shelf.byHash)
        let (before, after) = (node.portrait, again.portrait)
        guard before != after else { return }
        let (left, right) = zip(before + [""], after + [""]).first { $0 != $1 } ?? ("", "")
        fail(.restartDiffers, index, "\(left) | \(right)")
    }

    private func lookAtSize(_ index: Int) {
        for (name, count, limit) in machines[index].node?.footprint ?? [] where count > limit {
            fail(.unbounded, index, name, found: Int64(count), wanted: Int64(limit))
        }
    }

    // MARK: - Lines

    private func lookAtLines(_ index: Int) {
        guard let node = machines[index].node else { return }
        for (log, line) in node.lines.sorted(by: { $0.key < $1.key }) where line.fault == nil {
            if oracle.honest.contains(line.issuer),
                Set(line.holders.map(\.value.tag)).count != line.holders.count
            {
                fail(.overGranted, index, "\(log.short) one tag twice")
            }
            let granted = line.line.grants.reduce(Int64(0)) { $0 + $1.units }
            guard let total = line.line.total else { continue }
            if line.line.remaining < 0 || line.line.remaining + granted != total {
                fail(
                    .overGranted, index, log.short, found: line.line.remaining + granted,
                    wanted: total)
            }
        }
        for (log, line) in node.lines where line.issuer == node.own.did && line.fault != nil {
            fail(.overGranted, index, log.short, found: line.fault?.sequence ?? 0)
        }
        let valid = node.book[node.own.did]?.openings.filter { $0.clashesWith == nil } ?? []
        for (place, one) in valid.enumerated() {
            for other in valid[(place + 1)...] where one.terms.overlaps(other.terms) {
                fail(.overlap, index, other.log.short)
            }
        }
        // An old copy may have lost grants of contracts that it got back from others.
        if !machines[index].isOld { lookAtSold(index) }
    }

    /// Of an own line, what contracts hold or were given is never more than what is granted of it.
    private func lookAtSold(_ index: Int) {
        guard let node = machines[index].node else { return }
        var sold: [LogID: Int64] = [:]
        for row in node.ledger.rows where row.transfer.kind == .capacity {
            guard row.transfer.from == node.own.did,
                let held = node.contracts[row.transfer.cause.contract]
            else { continue }
            let units =
                switch row.state {
                case .pending: row.transfer.amount
                case .posted(let amount, _): amount
                case .voided: Int64(0)
                }
            guard case .capacity(let resource, _) = row.transfer.commodity,
                let terms = held.proposal.lines.first(where: { $0.resource == resource })
            else { continue }
            sold[LogID.line(author: node.own.did, terms), default: 0] += units
        }
        for (log, units) in sold.sorted(by: { $0.key < $1.key }) {
            guard let line = node.lines[log]?.line, let total = line.total else { continue }
            // What its holder signed away stands in the line before the step that admits it.
            let ahead = node.contracts.values.compactMap(\.fold).flatMap(\.grants)
                .filter { $0.line == log }
                .reduce(Int64(0)) { sum, grant in
                    sum + (line.grant(grant.grant)?.releasedBySignature ?? 0) - grant.released
                }
            let granted = total - line.remaining + ahead
            if units > granted {
                fail(.oversold, index, log.short, found: units, wanted: granted)
            }
        }
    }

    // MARK: - Contracts

    private func lookAtContracts(_ index: Int) {
        guard let node = machines[index].node else { return }
        for (id, held) in node.contracts.sorted(by: { $0.key < $1.key }) {
            guard let fold = held.fold, fold.isSequenced else { continue }
            compareState(id, fold, index)
            lookAtTakeover(held, fold, index)
            guard let head = fold.head.id, !oracle.examined[index].contains(head) else { continue }
            var before: EntryID?
            for step in fold.steps {
                defer { before = step.id }
                guard !oracle.examined[index].contains(step.id),
                    let entry = machines[index].disk.entry(of: step.log, at: step.logSequence)
                else { continue }
                oracle.examined[index].insert(step.id)
                examine(step, entry, after: before, held, fold, index)
            }
            if fold.state.isEnded, oracle.settled.insert(id).inserted {
                tally.settled += 1
                if fold.settled != nil { tally.took("settlement") }
                tally.ended("\(fold.state.outcome)")
            }
        }
    }

    private func compareState(_ id: ContractID, _ fold: Fold, _ index: Int) {
        let sequence = fold.head.sequence
        guard fold.halt == nil, let head = fold.head.id else { return }
        if let known = oracle.states[head] {
            if known.digest() != fold.state.digest() {
                fail(.statesDiffer, index, id.short, found: sequence)
            }
        } else {
            oracle.states[head] = fold.state
            if sequence == 1 { tally.opened(fold.template.name) }
        }
        if fold.state.isEnded, !fold.state.pending.isEmpty || fold.state.escrow != 0 {
            fail(.imbalance, index, id.short, found: fold.state.escrow)
        }
    }

    /// Keeps the state after a step, so that the next one can be judged by what it was decided on.
    func keepState(_ log: LogID, at index: Int) {
        guard let id = oracle.contractOf[log], machines[index].isHonest,
            let held = machines[index].node?.contracts[id], let fold = held.fold,
            fold.halt == nil,
            let head = fold.head.id, oracle.states[head] == nil, fold.isSequenced
        else { return }
        if fold.head.sequence == 1 {
            tally.opened(fold.template.name)
            // At once: whoever tells it to one and something else to others forks, and then it counts no more.
            if let opening = fold.steps.first { lookAtOpening(opening, held, index) }
        }
        oracle.states[head] = fold.state
    }

    private func lookAtOpening(_ step: Fold.StepOutline, _ held: HeldContract, _ index: Int) {
        guard step.time > held.proposal.grantBy else { return }
        fail(.early, index, "\(held.id.short) opened late", found: 1)
    }

    /// Judges an effective step by another way than the fold's: whose signatures it carries, what its
    /// asker could choose, and when.
    private func examine(
        _ outline: Fold.StepOutline, _ entry: Entry, after last: EntryID?, _ held: HeldContract,
        _ fold: Fold, _ index: Int
    ) {
        let sequencer = entry.header.author
        guard outline.void == nil else {
            if oracle.honest.contains(sequencer) {
                fail(
                    .voidStep, index, "\(held.id.short) \(outline.act.transition) \(outline.void!)",
                    found: outline.sequence)
            }
            return
        }
        guard let step = try? fold.open(entry) else { return }
        let key = held.key.bodyKey(log: outline.log, sequence: outline.logSequence)
        if entry.body.map({
            $0[24..<56].elementsEqual(SHA256.hash(tag: "talea.body.v1", key).bytes)
        })
            != true
        {
            fail(.altered, index, "\(held.id.short) commitment", found: outline.sequence)
        }
        if index == (oracle.machineOf[sequencer] ?? 0) || !oracle.honest.contains(sequencer) {
            tally.steps += 1
            tally.took(outline.act.transition)
        }
        var signers: Set<DID> = [entry.header.author]
        for embedded in step.consents + step.lines
            + [step.request, step.proposal].compactMap(\.self)
        {
            let author = embedded.header.author
            signers.insert(author)
            if oracle.honest.contains(author), !oracle.signed.contains(embedded.id) {
                fail(
                    .forged, index, "\(held.id.short) \(embedded.id.short)",
                    found: embedded.header.kind)
            }
        }
        if let state = oracle.states[outline.id], state.digest() != step.digest {
            fail(.statesDiffer, index, held.id.short, found: outline.sequence)
        }
        if outline.sequence == 1 {
            lookAtOpening(outline, held, index)
            for did in held.proposal.participants + held.witnesses where !signers.contains(did) {
                fail(.consentMissing, index, "\(held.id.short) \(did.short)", found: 1)
            }
            for consent in step.consents where consent.kind == .acceptance {
                guard held.proposal.parent == nil else { continue }
                let author = consent.header.author
                var time: Instant? = consent.header.time
                if held.isWitnessed {
                    guard author != held.proposalEntry.header.author,
                        held.proposal.participants.contains(author)
                    else { continue }
                    time = moment(of: consent.id, in: step.receipts, held)
                }
                guard let time else {
                    fail(.unreceipted, index, "\(held.id.short) acceptance", found: 1)
                    continue
                }
                if time > held.proposal.acceptBy {
                    fail(.early, index, "\(held.id.short) acceptance", found: 1)
                }
            }
            return
        }
        guard let before = last.flatMap({ oracle.states[$0] }) else { return }
        let act = Act(outline.act)
        if held.isWitnessed { examineTestimony(outline, step, before, held, fold, index) }
        let isDefault = before.defaultAct(act.record)?.transition == act.transition
        if isDefault, let until = before.record(act.record)?.until, outline.time <= until {
            fail(.early, index, "\(held.id.short) \(act.transition)", found: outline.sequence)
        }
        if let versions = step.request?.header.statement?.versions {
            for touched in before.touched(by: act) {
                let named = versions.first { $0.record == touched }?.version ?? 0
                let current = before.record(touched)?.version ?? 0
                if named != current {
                    fail(.stale, index, held.id.short, found: named, wanted: current)
                }
            }
        }
        let late = shownLate(act.record, before, step.receipts, held, fold)
        let choices = before.choices(
            for: outline.actor, at: outline.time, includeDefaults: true,
            late: { $0 == act.record ? late : 0 })
        // To end it anyone may ask, who is named.
        let isChoice =
            act.isSettlement
            ? held.proposal.participants.contains(outline.actor)
            : choices.contains {
                $0.act.transition == act.transition && $0.act.record == act.record
            }
        if !isChoice {
            fail(
                .consentMissing, index,
                "\(held.id.short) \(act.transition) by \(outline.actor.short)",
                found: outline.sequence)
        }
        for did in before.consentsNeeded(for: act) where !signers.contains(did) {
            fail(
                .consentMissing, index, "\(held.id.short) \(act.transition) without \(did.short)",
                found: outline.sequence)
        }
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs

// Line entries that contracts need of this node's own lines, and what goes back to them.

extension Node {
    /// The entry of its issuer's line that `need` asks for: written now if the issuer is us, found if it
    /// came from another, `nil` while it has not.
    mutating func lineEntry(for need: LineNeed, _ act: SignedAct, _ fold: Fold)
        throws(FoldRefusal) -> Entry?
    {
        guard fold.grants.indices.contains(need.line) else { throw .lineMissing(need.kind) }
        let grant = fold.grants[need.line]
        let found = lines.entries(of: grant.line, about: grant.grant).first {
            !fold.usedLines.contains($0.id) && answers($0, need, act, grant)
                // The step embeds it without what vouches for it, and would not hold.
                && (!vouched.contains($0.id) || isSignedItself($0))
        }
        if let found {
            return found
        }
        guard need.issuer == own.did else { return nil }
        do {
            switch need.kind {
            case .grant: throw FoldRefusal.lineMissing(.grant)
            case .firm:
                let until = max(
                    need.until ?? .earliest,
                    lines[grant.line]?.line.grant(grant.grant)?.until ?? .earliest)
                return try appendLine(grant.line) { remaining in
                    Firm(
                        grant: grant.grant, units: need.units, until: until, remaining: remaining)
                }
            case .split:
                guard
                    let child = act.child.flatMap({
                        contract(proposed: $0, by: fold.proposal.contract)
                    }),
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
        guard line.isOpen, forkedAt[current(log)] == nil else {
            throw .lineForked(log)
        }
        let body = make(line.line.remaining)
        // The line judges the signed entry itself, on a copy: what it refuses is never kept.
        var trial = self
        guard let topic = openedIn(log, of: own.did) else { throw .lineUnknown(log.short) }
        let valid = try trial.append(body, to: current(log), topic: topic)
        if let fault = trial.lines[log]?.fault { throw .line(fault.reason) }
        self = trial
        return valid.entry
    }

    /// Units of our lines that a finished contract did not use go back once their time is over. What was
    /// delivered is used up and never returns.
    mutating func releaseLapsed() {
        guard maySign else { return }
        for id in contracts.awake.sorted() where !released.contains(id) {
            guard let fold = contracts[id]?.fold else { continue }
            guard fold.isSequenced else {
                releaseUnbegun(id, fold)
                continue
            }
            guard fold.state.isEnded || planted(.heldUnitsReleased) else { continue }
            var waits = false
            var until = Instant.latest
            for (index, grant) in fold.grants.enumerated() where grant.issuer == own.did {
                guard let held = lines[grant.line]?.line.grant(grant.grant), held.units > 0 else {
                    continue
                }
                guard held.until < now || planted(.heldUnitsReleased) else {
                    until = min(until, held.until)
                    continue
                }
                let resource = fold.proposal.lines[index].resource
                let delivered = ledger.rows(of: id).reduce(Int64(0)) { sum, row in
                    guard row.transfer.kind == .capacity,
                        row.transfer.from == own.did,
                        case .capacity(resource, _) = row.transfer.commodity
                    else { return sum }
                    return sum + row.postedAmount
                }
                let used = planted(.deliveredUnitsReturn) ? 0 : delivered
                let units = min(
                    held.units - used, planted(.firmFalls) ? held.units : held.looseUnits)
                guard units > 0, maySign(in: grant.line) else {
                    waits = waits || units > 0
                    continue
                }
                _ = try? appendLine(grant.line) { remaining in
                    Release(
                        grant: grant.grant, units: units, holderSignature: nil,
                        remaining: remaining + units)
                }
            }
            guard !waits else { continue }
            if until == .latest {
                released.insert(id)
            } else if contracts[id]?.requests.isEmpty == true, fold.takeover?.isInForce ?? true {
                contracts.letRest(id, until: until)
            }
        }
    }

    /// Units that we granted for a contract which never began: the sequencer kept step 1 to itself, or another
    /// did not grant. No step will ever free them, and their time does.
    private mutating func releaseUnbegun(_ id: ContractID, _ fold: Fold) {
        guard let held = contracts[id], held.isAgreed, held.proposal.parent == nil,
            held.declined != nil || held.proposal.grantBy < now
        else { return }
        var until = Instant.latest
        for need in fold.state.grants where need.issuer == own.did {
            guard held.proposal.lines.indices.contains(need.line),
                let releaseKey = releaseKey(of: need.holder, in: held)
            else { continue }
            let log = LogID.line(author: own.did, held.proposal.lines[need.line])
            let tag = Hash32.grantTag(
                contractKey: held.key.bytes, line: log, releaseKey: releaseKey)
            guard let grant = lines[log]?.grant(tag: tag),
                let kept = lines[log]?.line.grant(grant), kept.looseUnits > 0
            else { continue }
            guard kept.until < now, maySign(in: log) else {
                until = min(until, kept.until)
                continue
            }
            _ = try? appendLine(log) { remaining in
                Release(
                    grant: grant, units: kept.looseUnits, holderSignature: nil,
                    remaining: remaining + kept.looseUnits)
            }
        }
        if until < .latest { contracts.letRest(id, until: until) }
    }
}

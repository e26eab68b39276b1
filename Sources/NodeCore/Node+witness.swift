internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs

// This node as a witness: it checks, keeps, and then says when, all in one transaction.

extension Node {
    public mutating func set(_ instruction: StandingInstruction, _ isOn: Bool) {
        guard standing.contains(instruction) != isOn else { return }
        if isOn { standing.insert(instruction) } else { standing.remove(instruction) }
        changes.append(.standing(instruction, isOn))
    }

    // MARK: - Taking it on

    mutating func receiveWitnessTerms(_ bytes: [UInt8], of valid: ValidEntry) {
        let proposal = valid.entry.withoutBody
        guard proposal.kind == .proposal, let terms = try? WitnessTerms(strict: bytes),
            terms.witnesses.identities.contains(own.did), !terms.participants.contains(own.did),
            terms.participants.contains(proposal.header.author), proposal.header.topic != nil,
            proposal.header.statement?.about == terms.log, contractOfLog[terms.log] == nil,
            witnessing[terms.log] == nil, witnessing.count < witnessingMax
        else { return }
        // Not acknowledged it stays in its author's outbox, and comes again.
        guard openDuties(of: proposal.header.author) < proposalsMax else {
            unkept = valid.id
            return
        }
        let kept = Sealed(statement: proposal, contractKey: nil, witnessTerms: bytes).wire
        changes.append(.witnessTerms(terms.log, kept))
        statementsSeen.insert(proposal.id)
        keepWitnessTerms(kept)
        // So late it is told again: what this node wrote about it before its home was lost, others hold.
        if now > proposal.header.statement?.expires ?? now {
            recovery.unsure.insert(.witness(of: terms.log, author: own.did))
        }
        acknowledge(proposal, to: proposal.header.author)
        topicsChanged()
        if standing.contains(.witness) { try? acceptDuty(terms.log) }
        retryStatements()
    }

    /// What one author would like to have witnessed, and nobody wrote a step of.
    private func openDuties(of author: DID) -> Int {
        witnessing.values.count { duty in
            duty.proposal.header.author == author && chains.head(duty.terms.log) == 0
                && now
                    <= (duty.proposal.header.statement?.expires ?? .earliest)
                    .advanced(by: proposalMemoryMilliseconds)
        }
    }

    mutating func keepWitnessTerms(_ bytes: [UInt8]) {
        guard let kept = try? Sealed(strict: bytes), let wire = kept.witnessTerms,
            let terms = try? WitnessTerms(strict: wire), let topic = kept.statement.header.topic
        else { return }
        let duty = Witnessing(terms: terms, proposal: kept.statement, topic: topic)
        witnessing[terms.log] = duty
        let named = terms.participants + terms.witnesses.identities
        namedIn[topic] = named
        retellKeys(of: named, in: topic)
        statementsSeen.insert(kept.statement.id)
        for log in [terms.log, duty.takeoverLog] { witnessed[log] = terms.log }
        for witness in terms.witnesses.identities {
            witnessed[.witness(of: terms.log, author: witness)] = terms.log
        }
    }

    /// Consents to witness a contract on the terms that came with its proposal.
    public mutating func acceptDuty(_ log: LogID) throws(NodeRefusal) {
        try checkMaySign()
        guard let duty = witnessing[log] else { throw .contractUnknown(log.short) }
        guard !duty.isAccepted else { throw .alreadyAccepted }
        let expires = duty.proposal.header.statement?.expires ?? now
        guard now <= expires else { throw .acceptanceLate(deadline: expires) }
        let acceptance = Acceptance(
            salt: dice.roll(), statement: duty.proposal.id, releaseKey: nil,
            witnessTermsHash: duty.terms.hash)
        let entry = try sign(
            acceptance, topic: duty.topic, place: .init(expires: expires, about: log))
        // Of no contract that this node holds: it has no key to it.
        changes.append(.statement(entry, contract: nil))
        keepAsWitness(entry.entry)
        for participant in duty.terms.participants {
            send(entry.entry, to: participant, contractKey: nil)
        }
    }

    // MARK: - Statements

    /// Puts a statement about a witnessed contract where it belongs; at arrival and at start.
    mutating func keepAsWitness(_ entry: Entry) {
        guard let log = entry.header.statement?.about, witnessing[log] != nil else { return }
        statementsSeen.insert(entry.id)
        if entry.header.author != own.did {
            witnessing[log]?.heard[entry.header.author, default: 0] += 1
        }
        switch entry.kind {
        case .acceptance where entry.header.author == own.did: witnessing[log]?.isAccepted = true
        case .request: witnessing[log]?.requests.append(entry)
        default: break
        }
    }

    mutating func receiveAsWitness(_ valid: ValidEntry, _ sealed: Sealed, from bearer: DID?) {
        let (entry, author) = (valid.entry, valid.header.author)
        guard let log = entry.header.statement?.about, let duty = witnessing[log],
            entry.header.topic == duty.topic, duty.terms.participants.contains(author)
        else { return }
        switch entry.kind {
        case .acknowledgement:
            guard let body = try? entry.read(Acknowledgement.self) else { return }
            settle(OutboxKey(statement: body.entry, recipient: author))
        case .request, .acceptance:
            // Whoever writes a default has to show it whole.
            guard entry.kind != .request || entry.body != nil else { return }
            // Whoever still signs so may have stolen the home, and of a recovery no time tells when: a receipt
            // would make it count.
            guard entry.kind != .request || !isOutOfForce(entry) || isOutOfForce(entry, at: now)
            else { return }
            guard isReady(entry, for: duty) else { return wait(for: sealed, from: bearer) }
            changes.append(.statement(valid, contract: nil))
            keepAsWitness(entry)
            if !isReceipted(entry, duty) { append(Receipt(subject: entry.id), in: duty) }
            acknowledge(entry, to: author)
        case .closingRequest:
            guard let body = try? entry.read(ClosingRequest.self) else { return }
            guard isReady(entry, for: duty) else { return wait(for: sealed, from: bearer) }
            close(body, for: author, duty)
            statementsSeen.insert(entry.id)
            acknowledge(entry, to: author)
        default: break
        }
    }

    /// Whether a statement can be answered now.
    func isReady(_ entry: Entry, for duty: Witnessing) -> Bool {
        guard serves(duty) else { return false }
        let author = entry.header.author
        let most = statementsMax(steps: chains.head(duty.terms.log))
        switch entry.kind {
        case .request, .acceptance:
            return isReceipted(entry, duty)
                || now <= entry.header.statement?.expires ?? .earliest
                    && isWithinDay(duty, author) && duty.heard[author] ?? 0 < most
                    && (entry.kind != .request || duty.hasRoom(for: entry))
        case .closingRequest:
            guard let ask = try? entry.read(ClosingRequest.self) else { return true }
            // Of a version that is not here, what came in time for it is not known to be all.
            return now > ask.deadline && ask.version <= stepsHeld(duty)
                && duty.closingsAsked[author] ?? 0 < most
                && duty.said.receiptedStatements.allSatisfy(statementsSeen.contains)
        default: return true
        }
    }

    /// An old copy may have lost what its log, which others held, says was receipted. Until it holds all of
    /// that again it closes nothing.
    private func isReceipted(_ entry: Entry, _ duty: Witnessing) -> Bool {
        duty.said.receipts[entry.id] != nil
    }

    /// How many steps of the contract are here, whoever wrote them.
    private func stepsHeld(_ duty: Witnessing) -> Int64 {
        chains.head(duty.terms.log) + max(0, chains.head(duty.takeoverLog) - 2)
    }

    private func isWithinDay(_ duty: Witnessing, _ author: DID) -> Bool {
        let day = now.milliseconds / dayMilliseconds
        let today = duty.requests.reversed().prefix {
            (duty.said.receipts[$0.id]?.header.time.milliseconds ?? 0) / dayMilliseconds == day
        }
        return today.count { $0.header.author == author } < receiptsPerDay
    }

    private mutating func close(_ ask: ClosingRequest, for asker: DID, _ duty: Witnessing) {
        let closing = WitnessLog.Closing(
            record: ask.record, version: ask.version, deadline: ask.deadline)
        guard duty.said.closings[closing] == nil else { return }
        witnessing[duty.terms.log]?.closingsAsked[asker, default: 0] += 1
        let inTime = duty.requests(on: ask.record, version: ask.version, by: ask.deadline)
        let listed = planted(.closingLeavesOut) ? Array(inTime.dropFirst()) : inTime
        append(
            Closed(
                record: ask.record, version: ask.version, deadline: ask.deadline,
                requests: listed), in: duty)
        // Whoever writes the default has to show what is listed.
        for request in duty.requests where listed.contains(request.id) {
            for reader in Set([asker, duty.terms.sequencer, duty.terms.arbiter]).sorted()
            where reader != request.header.author {
                send(
                    request, to: reader, contractKey: nil,
                    expires: now.advanced(by: statementLifeMilliseconds))
            }
        }
    }

    /// Took it on, and may sign what it says of it.
    private func serves(_ duty: Witnessing) -> Bool {
        duty.isAccepted && maySign && maySign(in: ownLog(of: duty))
    }

    private func ownLog(of duty: Witnessing) -> LogID {
        .witness(of: duty.terms.log, author: own.did)
    }

    private mutating func append<Body: EntryBody>(_ body: Body, in duty: Witnessing) {
        _ = try? append(body, to: ownLog(of: duty), topic: duty.topic)
        if body is Receipt, planted(.receiptTwice) {
            _ = try? append(body, to: ownLog(of: duty), topic: duty.topic)
        }
    }

    // MARK: - Steps and claims

    mutating func foldAsWitness(_ entry: Entry, of log: LogID) {
        guard let duty = witnessing[log], let place = entry.header.log else { return }
        if place.log == ownLog(of: duty) {
            witnessing[log]?.said.fold(entry)
            // Where a lost home took the word that it did.
            witnessing[log]?.isAccepted = true
        } else if place.log == duty.takeoverLog, place.sequence == 1, entry.kind == .claim {
            witnessing[log]?.claim = entry
        }
    }

    /// Receipts the newest step of each log of a witnessed contract, and a claim that is due. Chains hold
    /// one entry at each sequence: of a fork only what came first is ever receipted. A receipted claim
    /// ends receipting in the epoch before.
    mutating func receiptSteps(of log: LogID) {
        guard !isRestoring, let duty = witnessing[log], serves(duty) else { return }
        let isClaimed = duty.claim.map { duty.said.receipts[$0.id] != nil } ?? false
        if !isClaimed || planted(.receiptAfterClaim) {
            receiptHead(of: log, in: duty)
            receiptClaim(in: duty)
        } else if chains.head(duty.takeoverLog) > 1 {
            receiptHead(of: duty.takeoverLog, in: duty)
        }
    }

    private mutating func receiptHead(of log: LogID, in duty: Witnessing) {
        guard let chain = chains.chain(log), chain.fork == nil, let head = chain.id(at: chain.head),
            duty.said.receipts[head] == nil
        else { return }
        append(Receipt(subject: head, log: log, sequence: chain.head), in: duty)
    }

    private mutating func receiptClaim(in duty: Witnessing) {
        guard let claim = duty.claim, let body = try? claim.read(TakeoverClaim.self),
            body.epoch == 1, let asked = duty.said.receipts[body.request],
            asked.header.time.advanced(by: duty.terms.response) <= now || planted(.claimEarly),
            duty.requests.contains(where: { $0.id == body.request })
        else { return }
        let chain = chains.chain(duty.terms.log)
        append(
            Receipt(
                subject: claim.id, log: duty.takeoverLog, sequence: 1,
                highest: chain?.head ?? 0, highestStep: chain.flatMap { $0.id(at: $0.head) }),
            in: duty)
    }
}

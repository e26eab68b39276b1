internal import HashTreeCollections
internal import Capacity
public import Contracts
internal import Entries
public import Identity
internal import Ledger

// The end of a contract among its parties: by all as a step, or without a sequencer, or witnesses, that
// fell silent.

extension Node {
    /// Asks all who have to sign to end the contract as `plan` says.
    public mutating func settle(_ plan: SettlementPlan, in contract: ContractID)
        throws(NodeRefusal) -> Asked
    {
        guard plan.without != nil else { return try act(plan.act, in: contract) }
        try checkMaySign()
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard let fold = held.fold, fold.isSequenced else {
            throw .contractNotSequenced(contract)
        }
        guard !held.isWitnessed else { throw .hasWitnesses(contract) }
        let act = SignedAct(
            transition: plan.act.transition, record: plan.act.record,
            arguments: [Argument](plan.act.arguments))
        try checkSettles(act, by: own.did, held)
        let entry = try say(
            Request(salt: dice.roll(), act: act), about: held, to: settlers(of: held),
            expires: now.advanced(by: statementLifeMilliseconds), basis: fold.head.id)
        contracts[contract]?.requests[entry.id] = .init(entry: entry, act: act)
        advance(contract)
        return .requested(entry.id)
    }

    /// Everyone but the sequencer, who is not asked.
    func settlers(of held: HeldContract) -> [DID] {
        held.participants.filter { $0 != held.proposal.sequencer }
    }

    /// The own node refuses first; the others' consent is taken as given.
    func checkSettles(_ act: SignedAct, by author: DID, _ held: HeldContract) throws(NodeRefusal) {
        guard let fold = held.fold, settlers(of: held).contains(own.did) else {
            throw .nothingToDo(transition: act.transition)
        }
        do {
            _ = try fold.state.decide(
                Act(act), by: author, consents: fold.state.consentsNeeded(for: Act(act)), at: now,
                sequence: fold.head.sequence + 1, free: fold.freeTimes)
        } catch {
            throw .contract(error)
        }
    }

    /// Writes the settlement that all others have signed, whoever asked for it: one of them may go away.
    /// Witnesses have the response time first, for with them it is a step.
    mutating func settle(_ id: ContractID) {
        guard maySign, let held = contracts[id], let fold = held.fold, fold.settled == nil,
            let log = fold.settlementLog(of: own.did)
        else { return }
        for (_, pending) in sorted(held.requests) where Act(pending.act).isSettlement {
            let response = fold.isWitnessed ? fold.witnessTerms.response : 0
            guard pending.entry.header.time.advanced(by: response) <= now else { continue }
            let consents = held.consents(pending.consents, to: pending.act)
            let body = Settlement(request: pending.entry, consents: consents)
            guard (try? fold.decide(body, at: now, keys: keyLookup, checker: checker)) != nil else {
                continue
            }
            let (key, author) = (held.key, own.did)
            let nonce = Array(dice.roll().bytes.prefix(24))
            _ = try? append(
                .settlement,
                body: { place throws(EntryRefusal) in
                    try PrivateBody.seal(
                        body.wire, key: key.bodyKey(log: log, sequence: place.sequence),
                        nonce: nonce, author: author, place: place)
                }, to: log, topic: held.key.topic)
            return
        }
    }

    /// Ends the contract where a settlement stands on what was folded last.
    mutating func foldSettlement(in id: ContractID) {
        guard contracts[id]?.fold?.mayBeSettled == true else { return }
        let (keys, checker) = (keyLookup, checker)
        guard let events = contracts[id]?.fold?.settle(keys: keys, checker: checker) else { return }
        post(events)
        stepTaken(in: id)
    }

    /// The arbiter's log of a contract, or a party's that ends it.
    func isOfParty(_ entry: Entry) -> Bool {
        guard let log = entry.header.log?.log,
            let held = contractOfLog[log].flatMap({ contracts[$0] })
        else { return false }
        return log == held.fold?.takeoverLog
            || log == Fold.settlementLog(of: entry.header.author, held.proposal)
    }
}

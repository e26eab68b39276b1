internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs

// Child contracts: what a transfer opens.

/// So many of them fit into a step beside all else.
private let wordsMax = 64

extension Node {
    /// Issuer and third parties accept a child by themselves iff only what the template lists differs.
    mutating func acceptChild(_ id: ContractID) {
        guard maySign, let child = contracts[id], let parentTerms = child.proposal.parent,
            let parent = contracts[parentTerms.contract], let fold = parent.fold,
            fold.isSequenced, parent.participants.contains(own.did),
            child.fold != nil, exposure(to: child.participants) == nil,
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
    mutating func advanceTransfer(_ id: ContractID) {
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

    /// The child that was proposed so, among the parent's alone: who asks for transfers to children that are
    /// nowhere would else have all contracts looked at for each of them, at every tick.
    func contract(proposed: EntryID, by parent: ContractID) -> HeldContract? {
        contracts.children(of: parent).lazy.compactMap { contracts[$0] }
            .first { $0.proposalEntry.id == proposed }
    }

    /// The one-time key of whoever holds the child's grant.
    func childHolderKey(_ child: HeldContract) -> PublicKey? {
        guard let need = child.fold?.state.grants.first else { return nil }
        return releaseKey(of: need.holder, in: child)
    }

    func releaseKey(of holder: DID, in held: HeldContract) -> PublicKey? {
        if holder == held.proposalEntry.header.author { return held.proposal.releaseKey }
        return (try? held.acceptances[holder]?.read(Acceptance.self))?.releaseKey
    }

    func sortedAcceptances(_ held: HeldContract) -> [Entry] {
        sorted(held.acceptances).map(\.1)
    }

    /// What these said of clocks that run, before a step brings in their next keys: said under the old ones
    /// it would count for nothing afterwards.
    func words(of some: Set<DID>, _ held: HeldContract, beside others: [Entry]) -> [Entry] {
        guard !some.isEmpty, let fold = held.fold, !held.isWitnessed else { return [] }
        let clocks = Set(fold.state.records.compactMap { $0.clock?.sequence })
        let running = Set(fold.steps.filter { clocks.contains($0.sequence) }.map(\.id))
        let known = Set(others.map(\.id))
        return held.acknowledgements.filter { entry in
            guard some.contains(entry.header.author), !known.contains(entry.id),
                let body = try? entry.read(Acknowledgement.self)
            else { return false }
            return running.contains(body.entry)
        }.suffix(wordsMax)
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

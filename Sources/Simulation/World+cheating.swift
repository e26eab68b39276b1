internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import NodeCore
internal import Replication

// The counterparty that gets one field wrong: whose, about what, when, how much, signed by whom.

extension World {
    func cheat(_ index: Int) {
        if malice.below(2) == 0 { writeLyingStep(index) }
        for _ in 0..<1 + malice.below(3) {
            switch malice.below(10) {
            case 0, 1: askForWhatIsNotMine(index)
            case 2: askInAnothersName(index)
            case 3: acceptInAnothersName(index)
            case 4: proposeNonsense(index)
            case 5: writeInAnothersLog(index)
            case 6: breakOwnLine(index)
            case 7, 8: useStolenKey(index)
            default: hideBehindNext(index)
            }
        }
    }

    private func someAct(_ held: HeldContract, _ fold: Fold) -> Act {
        let names =
            fold.template.transitions.map(\.name) + [
                "pay_state", "pay_receive", "pay_deny", "pay_rule", "pay_unpaid", "pay_silent",
                "rule", "agree", "rule_default", "discharge",
            ]
        // What someone else could do now is what is most worth stealing.
        let others = held.proposal.participants.flatMap {
            fold.state.choices(for: $0, at: moment(now), includeDefaults: true)
        }
        var act = Act(
            transition: malice.pick(names) ?? "open",
            record: malice.within(1...Int64(max(fold.state.records.count, 1))))
        var parameters = fold.template.transition(act.transition)?.arguments ?? []
        if malice.below(3) > 0, let choice = malice.pick(others) {
            act = choice.act
            parameters = choice.arguments
        } else if malice.below(2) == 0, let due = fold.state.defaultAct(act.record) {
            act = due
            parameters = []
        }
        let unit = held.proposal.lines.first?.unit
        for parameter in parameters where act.arguments[parameter.name] == nil {
            switch parameter.kind {
            case .quantity:
                let units = Int64(malice.pick([1, 10, 20, 60, 100, 99_999]) ?? 1)
                act.arguments[parameter.name] = unit.flatMap {
                    try? Quantity(units: units, $0)
                }.map { .quantity($0) }
            case .money, .price:
                act.arguments[parameter.name] =
                    (try? Money(minor: malice.within(0...99), held.proposal.currency))
                    .map { .money($0) }
            case .bp, .int: act.arguments[parameter.name] = .integer(malice.within(0...1))
            case .hash: act.arguments[parameter.name] = .hash(malice.hash())
            case .text: act.arguments[parameter.name] = .text("y")
            default: break
            }
        }
        return act
    }

    private func askForWhatIsNotMine(_ index: Int) {
        guard let held = someContract(index), let fold = held.fold else { return }
        ask(someAct(held, fold), held, index)
    }

    func victim(_ held: HeldContract, _ index: Int) -> Int? {
        malice.pick(
            held.proposal.participants.compactMap { oracle.machineOf[$0] }.filter { $0 != index })
    }

    private func askInAnothersName(_ index: Int) {
        guard let held = someContract(index), let fold = held.fold,
            let victim = victim(held, index)
        else { return }
        let did = machines[victim].did
        let choices = fold.state.choices(for: did, at: moment(now), includeDefaults: true)
        let act = malice.pick(choices.filter(\.arguments.isEmpty))?.act ?? someAct(held, fold)
        ask(act, held, index, inNameOf: victim)
    }

    /// With the key that somebody has replaced: who knows of the change must not listen.
    private func useStolenKey(_ index: Int) {
        let contracts =
            machines[index].node?.contracts.sorted { $0.key < $1.key }.map(\.value) ?? []
        let chosen = contracts.filter { held in
            !held.isOver
                && held.proposal.participants.contains {
                    oracle.machineOf[$0].map { machines[$0].stolen != nil } == true
                }
        }
        guard let held = malice.pick(chosen),
            let victim = malice.pick(
                held.proposal.participants.compactMap { oracle.machineOf[$0] }
                    .filter { machines[$0].stolen != nil }),
            let stolen = machines[victim].stolen
        else { return }
        var entry: Entry?
        if let fold = held.fold, fold.isSequenced, let head = fold.head.id,
            fold.head.sequence % 4 == 3
        {
            let knows = Acknowledgement(salt: malice.hash(), entry: head, purpose: .delivered)
            entry = statement(knows, about: held, by: index, under: stolen)
        } else if let fold = held.fold, fold.isSequenced {
            let choices = fold.state.choices(
                for: stolen.did, at: clock(index), includeDefaults: true)
            guard let act = malice.pick(choices.filter(\.arguments.isEmpty))?.act else { return }
            entry = request(act, held, fold, by: index, under: stolen)
        } else if held.id.bytes[0] % 2 == 0 {
            let no = Refusal(
                salt: malice.hash(), statement: held.proposalEntry.id, code: .declined)
            entry = statement(no, about: held, by: index, under: stolen)
        } else {
            let acceptance = Acceptance(
                salt: malice.hash(), statement: held.proposalEntry.id,
                releaseKey: machines[index].own.releaseKey(held.id).publicKey)
            entry = statement(acceptance, about: held, by: index, under: stolen)
        }
        // Whoever has not heard of the change cannot tell it from the owner's.
        if let entry { oracle.signed.insert(entry.id) }
        hand(entry, from: index, to: held.proposal.participants)
    }

    /// Two own entries, the first told to nobody: whoever asks for it is served something else (`said`).
    private func hideBehindNext(_ index: Int) {
        for isMute in [true, false] {
            machines[index].isMute = isMute
            let profile = Profile(name: "h\(malice.below(99))")
            command(index) { try $0.publish(profile) }
        }
        machines[index].isMute = false
    }

    private func acceptInAnothersName(_ index: Int) {
        let all = machines[index].node?.contracts.sorted { $0.key < $1.key }.map(\.value) ?? []
        guard let held = malice.pick(all.filter { !$0.isOver }), let victim = victim(held, index)
        else { return }
        let target = malice.pick(held.requests.keys.sorted()) ?? held.proposalEntry.id
        let acceptance = Acceptance(
            salt: malice.hash(), statement: target,
            releaseKey: machines[index].own.releaseKey(held.id).publicKey)
        hand(
            statement(acceptance, about: held, by: index, inNameOf: victim), from: index,
            to: held.proposal.participants)
    }

    /// Own key for both parties, roles exchanged, a key of another contract, a deadline before another.
    private func proposeNonsense(_ index: Int) {
        guard let key = ContractKey(malice.bytes(32)),
            let old = malice.pick(
                machines[index].node?.contracts.sorted { $0.key < $1.key }.map(\.value) ?? [])
        else { return }
        var proposal = old.proposal
        proposal.contract = key.contract
        proposal.salt = malice.hash()
        proposal.acceptBy = clock(index).advanced(by: 3_600_000)
        proposal.grantBy = proposal.acceptBy.advanced(by: 600_000)
        proposal.releaseKey = machines[index].own.releaseKey(key.contract).publicKey
        switch malice.below(7) {
        case 0:
            proposal.roles = proposal.roles.map {
                .init(role: $0.role, identities: [machines[index].did])
            }
        case 1:
            let people = proposal.roles.map(\.identities).shuffled(using: &malice)
            proposal.roles = zip(proposal.roles, people).map {
                .init(role: $0.role, identities: $1)
            }
        case 2: proposal.contract = ContractID(malice.hash())
        case 3: proposal.grantBy = proposal.acceptBy.advanced(by: -600_000)
        case 4: proposal.lines = []
        case 5: proposal.template = malice.hash()
        default: proposal.sequencer = machines[index].did
        }
        let entry = hand(
            Kind.proposal.rawValue, proposal.wire,
            .statement(
                .init(
                    expires: proposal.grantBy,
                    about: .contract(proposal.contract, author: proposal.sequencer))),
            topic: key.topic, by: index)
        // Whoever takes it in knows the contract by what it says of itself.
        oracle.participants[proposal.contract] = Set(proposal.participants)
        oracle.audience[proposal.contract] = Set(
            proposal.participants + proposal.witnesses.identities)
        oracle.contractOf[.contract(proposal.contract, author: proposal.sequencer)] =
            proposal.contract
        hand(entry, key: key.bytes, from: index, to: proposal.participants)
    }

    /// The next entry of someone else's log, outwardly right but for the signature.
    private func writeInAnothersLog(_ index: Int) {
        guard let node = machines[index].node, let other = malice.pick(neighbours(index)) else {
            return
        }
        let did = machines[other].did
        let logs = node.chains.logs.filter {
            node.chains.chain($0)?.author == did && $0 != .key(author: did)
        }
        guard let log = malice.pick(logs), let chain = node.chains.chain(log) else { return }
        let isLine = node.lines[log] != nil
        let body: [UInt8] =
            isLine
            ? Adjust(total: 9_999, remaining: 9_999, reason: "more").wire
            : Profile(name: "not me").wire
        let entry = hand(
            isLine ? Kind.adjust.rawValue : Kind.profile.rawValue, body,
            .log(.init(log: log, sequence: chain.head + 1, previous: chain.id(at: chain.head))),
            topic: chain.topic, by: index, inNameOf: other,
            time: max(clock(index), chain.newestTime))
        push(entry, from: index, to: neighbours(index).filter { $0 != other })
    }

    /// More than there is, what was firm, what another holds.
    private func breakOwnLine(_ index: Int) {
        guard let node = machines[index].node else { return }
        let mine = node.lines.filter { $0.value.issuer == node.own.did }.sorted { $0.key < $1.key }
        guard let (log, line) = malice.pick(mine), let chain = node.chains.chain(log) else {
            return
        }
        let remaining = line.line.remaining
        let grant = malice.pick(line.holders.map(\.key).sorted())
        let key = machines[index].own.releaseKey(ContractID(malice.hash())).publicKey
        let body: (kind: Kind, wire: [UInt8])
        switch (malice.below(3), grant) {
        case (0, let grant?):
            body = (
                .release,
                Release(grant: grant, units: 1, holderSignature: nil, remaining: remaining + 1).wire
            )
        case (1, let grant?):
            let signature = machines[index].own.key.sign([1])
            body = (
                .split,
                Split(
                    grant: grant, units: 1, releaseKey: key, tag: malice.hash(),
                    holderSignature: signature, remaining: remaining
                ).wire
            )
        default:
            body = (
                .grant,
                Grant(
                    units: remaining + 1, until: clock(index).advanced(by: 86_400_000),
                    releaseKey: key, tag: malice.hash(), remaining: -1
                ).wire
            )
        }
        let entry = hand(
            body.kind.rawValue, body.wire,
            .log(.init(log: log, sequence: chain.head + 1, previous: chain.id(at: chain.head))),
            topic: chain.topic, by: index, time: max(clock(index), chain.newestTime))
        push(entry, from: index, to: neighbours(index))
    }
}

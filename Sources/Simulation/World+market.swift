internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import Market
internal import NodeCore

// What people do: declare, offer, propose, accept, decline, and whatever a contract lets them choose.

extension World {
    /// One thing that the owner of a node decides to do.
    enum Deed {
        case declare(LineTerms, Int64)
        case adjust(LogID, Int64)
        case publish(Offer)
        case withdraw(EntryID)
        case propose(Node.ProposalDraft)
        case accept(ContractID)
        case consent(ContractID, EntryID)
        case decline(ContractID)
        case act(Act, ContractID)
        case settle(SettlementPlan, ContractID)
        case name(DID)
        case witness(LogID)
        case takeOver(ContractID)
    }

    /// Contracts of one node that are under way at once.
    private static let openMax = 8

    func doTrade(_ index: Int) {
        // Whoever cheats in trade trades more than others.
        let isEager = machines[index].trick == .badCounterparty
        let pause = isHealed ? 1_800_000 : isEager ? patience / 4 : patience
        agenda.put(.trade(index), at: now + trade.within(pause / 4...pause * 7 / 4))
        guard machines[index].node != nil, machines[index].pausedUntil <= now else { return }
        // Healed, everyone does what is due; else one thing at a time.
        for _ in 0..<(isHealed ? 6 : 1 + trade.below(2)) {
            guard let node = machines[index].node, let deed = decide(node, index) else { return }
            perform(deed, index)
            if oracle.violation != nil { return }
        }
    }

    private func perform(_ deed: Deed, _ index: Int) {
        switch deed {
        case .declare(let terms, let total):
            command(index) { node in
                let all = node.alliances
                let topic = all[Int(total % Int64(all.count))].topic
                return try node.declare(terms, total: total, in: topic)
            }
        case .adjust(let log, let total):
            command(index) { try $0.adjust(log, total: total, reason: "recount") }
        case .publish(let offer): command(index) { try $0.publish(offer) }
        case .withdraw(let offer): command(index) { try $0.withdraw(offer) }
        case .propose(let draft): command(index) { try $0.propose(draft) }
        case .accept(let id): command(index) { try $0.accept(id) }
        case .consent(let id, let request): command(index) { try $0.accept(id, request: request) }
        case .decline(let id): command(index) { try $0.decline(id) }
        case .act(let act, let id): command(index) { try $0.act(act, in: id) }
        case .settle(let plan, let id): command(index) { try $0.settle(plan, in: id) }
        case .name(let did): command(index) { $0.name(did, "someone") }
        case .witness(let log): command(index) { try $0.acceptDuty(log) }
        case .takeOver(let id): command(index) { try $0.takeOver(id) }
        }
    }

    private func decide(_ node: Node, _ index: Int) -> Deed? {
        let clock = clock(index)
        var live: [(key: ContractID, value: HeldContract)] = []
        for id in node.contracts.keys.filter({ !machines[index].over.contains($0) }).sorted() {
            guard let held = node.contracts[id] else { continue }
            if held.isOver {
                machines[index].over.insert(id)
            } else {
                live.append((id, held))
            }
        }
        if let deed = answer(node, live, clock) { return deed }
        if let deed = serve(node, live, clock) { return deed }
        let open = live.filter { $0.value.fold?.isSequenced == true }
        // What can be done in contracts comes before new ones, mostly.
        if !open.isEmpty, isHealed || trade.below(4) > 0,
            let deed = move(node, open, clock)
        {
            return deed
        }
        guard !isHealed else { return nil }
        return open.count < Self.openMax ? begin(node, clock) : nil
    }

    // MARK: - Answers

    private func answer(
        _ node: Node, _ contracts: [(key: ContractID, value: HeldContract)], _ clock: Instant
    ) -> Deed? {
        let me = node.own.did
        for (id, held) in contracts {
            if held.fold?.isSequenced != true {
                guard held.fold != nil, clock <= held.proposal.acceptBy, !held.hasAccepted(me)
                else {
                    if held.proposalEntry.header.author == me, trade.below(400) == 0 {
                        return .decline(id)
                    }
                    continue
                }
                switch trade.below(20) {
                case 0 where !isHealed: return .decline(id)
                case 1, 2: continue
                default: return .accept(id)
                }
            }
            guard let state = held.fold?.state else { continue }
            for (request, pending) in held.requests.sorted(by: { $0.key < $1.key })
            where state.consentsNeeded(for: Act(pending.act)).contains(me)
                && pending.entry.header.author != me
                && !pending.consents.contains(where: { $0.header.author == me })
            {
                if trade.below(4) > 0 { return .consent(id, request) }
            }
        }
        return nil
    }

    /// What third parties owe: a witness its consent, the arbiter a contract whose sequencer is silent.
    private func serve(
        _ node: Node, _ contracts: [(key: ContractID, value: HeldContract)], _ clock: Instant
    ) -> Deed? {
        for (log, duty) in node.witnessing.sorted(by: { $0.key < $1.key })
        where !duty.isAccepted && clock <= duty.proposal.header.statement?.expires ?? clock {
            return .witness(log)
        }
        for (id, held) in contracts where held.isWitnessed {
            guard let fold = held.fold, fold.isSequenced, fold.arbiter == node.own.did,
                fold.takeover == nil
            else { continue }
            var trial = node
            if (try? trial.takeOver(id)) != nil { return .takeOver(id) }
        }
        return nil
    }

    // MARK: - Moves

    private func move(
        _ node: Node, _ open: [(key: ContractID, value: HeldContract)], _ clock: Instant
    ) -> Deed? {
        let me = node.own.did
        for _ in 0..<min(4, open.count) {
            guard let (id, held) = trade.pick(open), let state = held.fold?.state,
                held.fold?.halt == nil
            else { continue }
            // What was asked for is waited for, a while.
            let asked = held.requests.values.contains {
                $0.entry.header.author == me
                    && $0.entry.header.time.advanced(by: 600_000) > clock
            }
            if asked, trade.below(10) > 0 { continue }
            if !isHealed, whims.below(25) == 0 { return .settle(ending(held, state, me), id) }
            // Nor is the same asked again on the same record as it was then.
            let choices = state.choices(for: me, at: clock, includeDefaults: true).filter {
                !isAsked($0.act, by: me, held, state)
            }
            guard let choice = choose(choices) else { continue }
            if let act = fill(choice, state, me, node, held, clock) { return .act(act, id) }
        }
        return nil
    }

    /// To end it as things are, with the sequencer or without.
    private func ending(_ held: HeldContract, _ state: ContractState, _ me: DID) -> SettlementPlan {
        let posts = state.pending.filter { _ in whims.below(3) == 0 }.map {
            SettlementPlan.Post(
                step: $0.cause.step, index: $0.cause.index,
                amount: whims.below(3) > 0 ? $0.amount : max($0.amount / 2, 1))
        }
        let isWithout =
            !held.isWitnessed && me != held.proposal.sequencer && whims.below(2) == 0
        return SettlementPlan(posts: posts, without: isWithout ? held.proposal.sequencer : nil)
    }

    private func isAsked(
        _ act: Act, by me: DID, _ held: HeldContract, _ state: ContractState
    ) -> Bool {
        held.requests.values.contains { pending in
            pending.entry.header.author == me && pending.act.transition == act.transition
                && pending.act.record == act.record
                && pending.entry.header.statement?.versions.contains {
                    $0.record == act.record && $0.version == state.record(act.record)?.version
                } == true
        }
    }

    /// Any of them; healed, defaults first, for nobody else may be awake.
    private func choose(_ choices: [Choice]) -> Choice? {
        if isHealed, let due = choices.first(where: \.isDefault) { return due }
        return trade.pick(choices)
    }

    func fill(
        _ choice: Choice, _ state: ContractState, _ me: DID, _ node: Node?, _ held: HeldContract,
        _ clock: Instant
    ) -> Act? {
        guard let node else { return nil }
        for _ in 0..<6 {
            var act = choice.act
            for parameter in choice.arguments where act.arguments[parameter.name] == nil {
                if parameter.optional, trade.below(2) == 0 { continue }
                act.arguments[parameter.name] = value(
                    parameter.kind, act.record, state, node, held, clock)
            }
            let needed = state.consentsNeeded(for: act).subtracting([me])
            let outcome = try? state.decide(
                act, by: me, consents: needed, at: clock,
                sequence: (held.fold?.head.sequence ?? 0) + 1)
            // Now and then it is tried all the same: a refusal must leave nothing behind.
            if outcome != nil || trade.below(40) == 0 { return act }
        }
        return nil
    }

    private func value(
        _ kind: ValueKind, _ number: Int64, _ state: ContractState, _ node: Node,
        _ held: HeldContract, _ clock: Instant
    ) -> Value? {
        switch kind {
        case .quantity(let index):
            guard held.proposal.lines.indices.contains(index) else { return nil }
            let holds = [state.record(number), state.record(1)].compactMap(\.self)
                .flatMap { $0.holds.map(\.amount) }
            let known: [Int64] = [1, 5, 10, 20, 30, 60, 100, 160, 400]
            let units = trade.pick(trade.below(3) > 0 && !holds.isEmpty ? holds : known) ?? 1
            return (try? Quantity(units: units, held.proposal.lines[index].unit))
                .map { .quantity($0) }
        case .money, .price:
            let minor = Int64([0, 700, 24_000][trade.below(3)])
            return (try? Money(minor: minor, held.proposal.currency)).map { .money($0) }
        case .bp: return .integer(Int64([0, 3_333, 10_000][trade.below(3)]))
        case .hash:
            // Few secrets, so that one is found now and then by whom a hash of it locks out.
            let secret = SHA256.hash([UInt8(trade.below(2))])
            return .hash(trade.pick([trade.hash(), secret, SHA256.hash(secret.bytes)]) ?? secret)
        case .party:
            let others = machines.map(\.did).filter {
                $0 != node.own.did && !held.proposal.participants.contains($0)
            }
            return trade.pick(others).map { .identity($0) }
        case .int, .literal, .truth: return .integer(trade.within(0...1))
        case .text: return .text("x")
        case .instant: return .instant(clock.advanced(by: beat * trade.within(1...20)))
        case .duration:
            return .integer(trade.within(1...3) * (trade.pick([beat, 3_600_000]) ?? beat))
        case .list(let item):
            // As long as a list that was agreed on.
            let agreed = state.template.parameters.compactMap { parameter -> Int? in
                guard case .list(let items)? = state.terms.parameters[parameter.name] else {
                    return nil
                }
                return items.count
            }
            var items: [Value] = []
            for _ in 0..<(trade.pick(agreed) ?? 3) {
                guard let one = value(item, number, state, node, held, clock) else { return nil }
                items.append(one)
            }
            return .list(items)
        default: return nil
        }
    }

    // MARK: - Beginnings

    private func begin(_ node: Node, _ clock: Instant) -> Deed? {
        let mine = node.lines.filter { $0.value.issuer == node.own.did && $0.value.fault == nil }
            .sorted { $0.key < $1.key }
        if mine.count < 2, trade.below(2) == 0 { return declaration(clock) }
        switch trade.below(24) {
        case 0: return declaration(clock)
        case 1:
            guard let (log, line) = trade.pick(mine) else { return nil }
            return .adjust(log, (line.line.total ?? 0) + trade.within(-50...200))
        case 2, 3:
            guard let template = trade.pick(shelf.templates) else { return nil }
            return .publish(
                Offer(
                    template: template.hash, line: trade.pick(mine)?.key, arguments: [],
                    maxUnits: 100, lot: 10, until: clock.advanced(by: 6 * 3_600_000)))
        case 4:
            let own = node.book[node.own.did]?.offers.filter { !$0.withdrawn } ?? []
            return trade.pick(own).map { .withdraw($0.id) }
        case 5: return trade.pick(machines).map { .name($0.did) }
        default: return proposal(node, clock)
        }
    }

    private func declaration(_ clock: Instant) -> Deed? {
        let made = ["print/a5", "print/letterpress", "ink/special", "bake/cake", "sew"]
        guard let path = trade.pick(made), let resource = try? Resource(path),
            let unit = try? UnitCode(trade.below(4) == 0 ? "HUR" : "C62"),
            let window = try? Window(
                start: clock.advanced(by: trade.within(1...20) * 86_400_000),
                end: clock.advanced(by: 40 * 86_400_000 + trade.within(0...9)), offsetMinutes: 480)
        else { return nil }
        return .declare(
            LineTerms(resource: resource, window: window, unit: unit), trade.within(50...600))
    }

    private func proposal(_ node: Node, _ clock: Instant) -> Deed? {
        let known = machines.map(\.did).filter { node.keyLogs.knows($0) }
        func neighbour(_ did: DID) -> Shelf.Neighbour {
            var lines: [(terms: LineTerms, remaining: Int64)] = []
            for (log, line) in node.lines.sorted(by: { $0.key < $1.key })
            where line.issuer == did && line.fault == nil && line.line.remaining > 0 {
                if node.chains.chain(log)?.fork == nil {
                    lines.append((line.terms, line.line.remaining))
                }
            }
            return Shelf.Neighbour(did: did, lines: lines)
        }
        let others = known.filter { $0 != node.own.did }.map(neighbour)
        return shelf.draft(
            by: neighbour(node.own.did), among: others, at: clock, beat: beat, &trade
        ).map { .propose($0) }
    }
}

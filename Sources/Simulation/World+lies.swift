internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import NodeCore
internal import Replication

// Steps of a sequencer that lies in one thing and is right in all others: whoever checks all but that
// one takes them for good.

extension World {
    private enum Lie: CaseIterable {
        /// A default before its deadline; an act after it.
        case early, late
        /// What needs somebody else's consent; what somebody else may do.
        case alone, another
        /// A request with a signature that is not its author's.
        case forged
    }

    func writeLyingStep(_ index: Int) {
        guard let node = machines[index].node else { return }
        let mine = node.contracts.sorted { $0.key < $1.key }.map(\.value).filter { held in
            guard let fold = held.fold, held.proposal.sequencer == node.own.did else {
                return false
            }
            return fold.isSequenced && !held.isWitnessed && !fold.state.isEnded && fold.halt == nil
                && fold.takeover == nil
        }
        // There is nearly always a default to come too early; the others need a moment that fits.
        var lies = Lie.allCases.filter { $0 != .early }.shuffled(using: &malice)
        lies.insert(.early, at: malice.below(4) == 0 ? 0 : lies.count)
        let contracts = mine.shuffled(using: &malice)
        for lie in lies {
            for held in contracts {
                if let fold = held.fold, tell(lie, held, fold, index) { return }
            }
        }
    }

    /// What is asked, by whom, and when it would be lawful.
    private struct Pretence {
        let act: Act
        let actor: DID
        let time: Instant
    }

    private func tell(_ lie: Lie, _ held: HeldContract, _ fold: Fold, _ index: Int) -> Bool {
        guard let chain = machines[index].node?.chains.chain(held.log),
            let pretence = pretend(lie, held, fold, index)
        else { return false }
        let time = max(clock(index), chain.newestTime)
        let consents = Set(held.proposal.participants)
        guard
            let outcome = try? fold.state.decide(
                pretence.act, by: pretence.actor, consents: consents, at: pretence.time,
                sequence: fold.head.sequence + 1),
            outcome.lines.allSatisfy({ $0.units == 0 })
        else { return false }
        var next = fold.state
        next.apply(outcome)
        let changes = outcome.touched.compactMap { number in
            next.record(number).map { record in
                Step.RecordChange(
                    record: number, state: record.state,
                    fields: [Argument](
                        Dictionary(
                            record.fields.map { ($0.name, $0.value) },
                            uniquingKeysWith: { first, _ in first })))
            }
        }
        var request: Entry?
        if lie == .forged {
            request = self.request(
                pretence.act, held, fold, by: index, inNameOf: oracle.machineOf[pretence.actor])
        }
        let signed = SignedAct(
            transition: pretence.act.transition, record: pretence.act.record,
            arguments: [Argument](pretence.act.arguments))
        let step = Step(
            act: request == nil ? signed : nil, request: request, records: changes,
            digest: next.digest())
        let place = Header.LogPlace(
            log: held.log, sequence: chain.head + 1, previous: chain.id(at: chain.head))
        guard let entry = sealed(step, held, place, by: index, at: time) else { return false }
        push(
            entry, from: index,
            to: neighbours(index).filter { held.proposal.participants.contains(machines[$0].did) })
        return true
    }

    private func pretend(_ lie: Lie, _ held: HeldContract, _ fold: Fold, _ index: Int) -> Pretence?
    {
        let (me, now) = (machines[index].did, clock(index))
        let state = fold.state
        func choices(of did: DID, at time: Instant) -> [Act] {
            state.choices(for: did, at: time, includeDefaults: false).compactMap { choice in
                choice.arguments.isEmpty
                    ? choice.act : fill(choice, state, did, machines[index].node, held, time)
            }
        }
        func needsOthers(_ act: Act, by did: DID) -> Bool {
            !state.consentsNeeded(for: act).subtracting([did]).isEmpty
        }
        switch lie {
        case .early:
            let waiting = state.records.filter { ($0.until ?? .earliest) >= now }
            guard let record = malice.pick(waiting), let until = record.until,
                let act = state.defaultAct(record.number)
            else { return nil }
            return Pretence(
                act: act, actor: me,
                time: until.advanced(by: state.stop(of: record.number) + 1))
        case .late:
            for record in state.records.shuffled(using: &malice) {
                guard let until = record.until, now > until else { continue }
                let acts = choices(of: me, at: until).filter { $0.record == record.number }
                if let act = malice.pick(acts.filter { !needsOthers($0, by: me) }) {
                    return Pretence(act: act, actor: me, time: until)
                }
            }
            return nil
        case .alone:
            let acts = choices(of: me, at: now).filter { needsOthers($0, by: me) }
            return malice.pick(acts).map { Pretence(act: $0, actor: me, time: now) }
        case .another, .forged:
            guard let victim = victim(held, index) else { return nil }
            let did = machines[victim].did
            let acts = choices(of: did, at: now).filter { !needsOthers($0, by: did) }
            return malice.pick(acts).map { Pretence(act: $0, actor: did, time: now) }
        }
    }

    private func sealed(
        _ step: Step, _ held: HeldContract, _ place: Header.LogPlace, by index: Int,
        at time: Instant, isSpoilt: Bool = false
    ) -> Entry? {
        guard
            var body = try? PrivateBody.seal(
                step.wire, key: held.key.bodyKey(log: held.log, sequence: place.sequence),
                nonce: malice.bytes(24), author: machines[index].did, place: place)
        else { return nil }
        // It does not commit to the key that opens it.
        if isSpoilt { body[24 + malice.below(32)] ^= 1 }
        return hand(
            Kind.step.rawValue, body, .log(place), topic: held.key.topic, by: index, time: time)
    }

    // MARK: - What its node wrote, and it changes on the way out

    /// A step or ruling of its own in a frame that pushes it: to everyone the same other one, or as it is.
    /// An arbiter rules when everyone else is whole again, too.
    func misquoted(_ frame: Frame, by index: Int) -> Frame {
        func other(_ wire: [UInt8]) -> [UInt8] {
            guard let entry = try? Entry(strict: wire),
                entry.header.author == machines[index].did,
                entry.kind == .ruling
                    || entry.kind == .step && machines[index].trick == .badCounterparty
                        && !isHealed
            else { return wire }
            if let told = machines[index].misquotes[entry.id] { return told.wire }
            var other: Entry?
            if entry.kind == .ruling {
                if malice.below(2) == 0 { other = misruled(entry, by: index) }
            } else {
                other = misquote(entry, by: index)
            }
            machines[index].misquotes[entry.id] = other ?? entry
            return (other ?? entry).wire
        }
        switch try? Message(frame) {
        case .push(let wire): return Message.push(other(wire)).frame
        case .treePush(let push, let wire): return Message.treePush(push, other(wire)).frame
        default: return frame
        }
    }

    /// Another state than follows, other fields, a body that does not commit to its key, or an opening
    /// after the grants were due.
    private func misquote(_ entry: Entry, by index: Int) -> Entry? {
        guard let place = entry.header.log, let id = oracle.contractOf[place.log],
            let held = machines[index].node?.contracts[id], place.log == held.log,
            var step = try? held.fold?.open(entry)
        else { return nil }
        let late = held.proposal.grantBy.advanced(by: 1)
        // Told too early it would wait until its time has come, and what is right would come before.
        let isOpening = place.sequence == 1 && late < clock(index).advanced(by: 9 * 60_000)
        guard isOpening || malice.below(2) == 0 else { return nil }
        // Of each two of the others one is about the key.
        let lie = isOpening ? 3 : min(malice.below(4), 2)
        if lie == 0 { step.digest = malice.hash() }
        if lie == 1 {
            guard let last = step.records.indices.last else { return nil }
            step.records[last].state = "elsewhere"
        }
        let time = lie == 3 ? max(late, entry.header.time) : entry.header.time
        return sealed(step, held, place, by: index, at: time, isSpoilt: lie == 2)
    }

    /// A ruling that goes on from one step earlier than the witnesses hold, which the last step then harms.
    private func misruled(_ entry: Entry, by index: Int) -> Entry? {
        guard let topic = entry.header.topic, let place = entry.header.log,
            let held = machines[index].node?.contracts.values.first(where: {
                $0.key.topic == topic
            }),
            let ruling = try? entry.read(Ruling.self),
            let step = machines[index].node?.chains.chain(held.log)?.id(at: ruling.sequence - 1)
        else { return nil }
        let lower = Ruling(
            epoch: ruling.epoch, sequence: ruling.sequence - 1, step: step,
            receipts: ruling.receipts)
        return hand(
            entry.header.kind, lower.wire, .log(place), topic: topic, by: index,
            time: entry.header.time)
    }
}

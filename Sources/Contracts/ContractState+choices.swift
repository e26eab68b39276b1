public import Capacity
internal import Entries
public import Identity
internal import Ledger

extension ContractState {
    /// Whose move a record waits for, defaults aside. Empty in a final state.
    public func awaited(_ number: Int64) -> Set<DID> {
        guard let record = record(number), !isEnded else { return [] }
        switch waiting(record) {
        case .until:
            let environment = environment(record)
            var found: Set<DID> = []
            for move in template.transitions
            where !move.isDefault && move.state == record.state && move.family == record.family {
                found.formUnion(identities(move.who, environment))
            }
            return found
        case .pay:
            guard let pay = record.pay else { return [] }
            switch record.phase {
            case "": return [pay.from]
            case "stated": return [pay.to]
            default: return Set([identity(template.arbiterRole)].compactMap(\.self))
            }
        case .dispute: return Set([identity(template.arbiterRole)].compactMap(\.self))
        case nil: return []
        }
    }

    /// What happens to a record if nobody moves until its deadline has passed.
    public func defaultAct(_ number: Int64) -> Act? {
        guard let record = record(number), !isEnded else { return nil }
        switch waiting(record) {
        case .until(_, let name): return Act(transition: name, record: number)
        case .pay:
            let builtIn: BuiltIn =
                switch record.phase {
                case "": .payUnpaid
                case "stated": .paySilent
                default: .payRuleDefault
                }
            return Act(transition: builtIn.rawValue, record: number)
        case .dispute: return Act(transition: BuiltIn.ruleDefault.rawValue, record: number)
        case nil: return nil
        }
    }

    /// Further consents that an act needs, besides its author's. For an act that several may ask for,
    /// all are listed; the author's own is not counted against her.
    public func consentsNeeded(for act: Act) -> Set<DID> {
        if act.isSettlement {
            return Set(participants + [terms.sequencer]).subtracting(
                [act.without].compactMap(\.self))
        }
        guard let record = record(act.record) else { return [] }
        if let transition = template.transition(act.transition) {
            return Set(identities(transition.with, environment(record)))
        }
        guard act.transition == BuiltIn.agree.rawValue,
            case .dispute(let rule) = waiting(record)
        else { return [] }
        return Set(identities(rule.between, environment(record)))
    }

    /// Exactly what this identity may do now. A condition that reads an argument is left to `decide`.
    /// `late`: how long after its deadline a record may still be answered, as for `decide`.
    public func choices(
        for did: DID, at time: Instant, includeDefaults: Bool, late: (Int64) -> Int64 = { _ in 0 }
    ) -> [Choice] {
        var choices: [Choice] = []
        for record in records where !isEnded {
            guard let deadline = record.until else { continue }
            let until = deadline.advanced(by: stop(of: record.number))
                .advanced(by: deadline < time ? late(record.number) : 0)
            if time > until, includeDefaults, let act = defaultAct(record.number),
                did == terms.sequencer || participants.contains(did)
            {
                if let transition = template.transition(act.transition) {
                    if isOpen(transition, record, time) {
                        choices.append(
                            Choice(act: act, verb: "default", arguments: [], isDefault: true))
                    }
                } else {
                    choices.append(
                        Choice(act: act, verb: "default", arguments: [], isDefault: true))
                }
            }
            choices += time <= until ? timely(record, did, time) : belated(record, did, time)
        }
        for claim in claims where claim.transfer.to == did {
            var arguments: [String: Value] = [
                "step": .integer(claim.cause.step), "index": .integer(claim.cause.index),
            ]
            if let money = try? Money(minor: claim.open, terms.currency) {
                arguments["amount"] = .money(money)
            }
            let act = Act(
                transition: BuiltIn.discharge.rawValue, record: claim.record, arguments: arguments)
            choices.append(
                Choice(
                    act: act, verb: BuiltIn.discharge.verb, arguments: BuiltIn.discharge.arguments,
                    isDefault: false))
        }
        return choices
    }

    private func moves(_ record: Record) -> [Transition] {
        template.transitions.filter {
            $0.family == record.family && $0.state == record.state
        }
    }

    private func timely(_ record: Record, _ did: DID, _ time: Instant) -> [Choice] {
        switch waiting(record) {
        case .until:
            return moves(record).compactMap { transition in
                guard !transition.isDefault, isOpen(transition, record, time),
                    identities(transition.who, environment(record)).contains(did)
                else { return nil }
                let act = Act(transition: transition.name, record: record.number)
                return Choice(
                    act: act, verb: transition.verb, arguments: transition.arguments,
                    isDefault: false)
            }
        case .pay:
            guard let pay = record.pay else { return [] }
            switch record.phase {
            case "": return pay.from == did ? [builtIn(.payState, record)] : []
            case "stated":
                return pay.to == did
                    ? [builtIn(.payReceive, record), builtIn(.payDeny, record)] : []
            default:
                return identity(template.arbiterRole) == did ? [builtIn(.payRule, record)] : []
            }
        case .dispute(let rule):
            if identity(template.arbiterRole) == did { return [builtIn(.rule, record)] }
            return identities(rule.between, environment(record)).contains(did)
                ? [builtIn(.agree, record)] : []
        case nil: return []
        }
    }

    private func belated(_ record: Record, _ did: DID, _ time: Instant) -> [Choice] {
        if record.phase.isEmpty, record.pay?.from == did { return [builtIn(.payState, record)] }
        return moves(record).compactMap { transition in
            guard transition.late, !transition.isDefault, isOpen(transition, record, time),
                identities(transition.who, environment(record)).contains(did)
            else { return nil }
            let act = Act(transition: transition.name, record: record.number)
            return Choice(
                act: act, verb: transition.verb, arguments: transition.arguments, isDefault: false)
        }
    }

    /// Its `after` has come, and every condition that reads no argument holds.
    private func isOpen(_ transition: Transition, _ record: Record, _ time: Instant) -> Bool {
        let environment = environment(record, time: time)
        if let after = transition.after {
            guard let earliest = try? after.number(in: environment, as: .instant),
                time.milliseconds >= earliest
            else { return false }
        }
        return transition.require.allSatisfy { rule in
            rule.that.node.readsArguments || (try? rule.that.truth(in: environment)) == true
        }
    }

    private func builtIn(_ builtIn: BuiltIn, _ record: Record) -> Choice {
        Choice(
            act: Act(transition: builtIn.rawValue, record: record.number), verb: builtIn.verb,
            arguments: builtIn.arguments, isDefault: false)
    }
}

internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

extension StepRun {
    // MARK: Formulas

    func environment(_ number: Int64?) -> Environment {
        ContractState.environment(
            number.flatMap { record($0) }, main: records.first, state.values, state.terms, time)
    }

    func whole(
        _ rule: Expression, _ kind: ValueKind, _ environment: Environment
    ) throws(ContractRefusal) -> Int64 {
        try guarded(rule.text) { () throws(EvaluationFault) in
            try rule.number(in: environment, as: kind)
        }
    }

    func stored(
        _ rule: Expression, _ kind: ValueKind, _ environment: Environment
    ) throws(ContractRefusal) -> Datum {
        try guarded(rule.text) { () throws(EvaluationFault) in
            let datum = try rule.evaluate(in: environment)
            if let number = datum.number, !kind.admits(number) {
                throw .outOfBounds(number, kind)
            }
            return datum
        }
    }

    func value(
        _ datum: Datum, _ kind: ValueKind, _ name: String
    ) throws(ContractRefusal) -> Value {
        let value = datum.value(kind, currency: state.terms.currency, units: state.terms.units)
        guard let value else {
            throw .arithmetic(rule: name, .outOfBounds(datum.number ?? 0, kind))
        }
        return value
    }

    func person(
        _ rule: Expression, _ environment: Environment
    ) throws(ContractRefusal) -> (role: String, did: DID) {
        let role = try guarded(rule.text) { () throws(EvaluationFault) in
            try rule.name(in: environment)
        }
        guard let did = state.identity(role) else { throw .roleMissing(role) }
        return (role, did)
    }

    func instant(_ number: Int64, _ rule: String) throws(ContractRefusal) -> Instant {
        guard let instant = try? Instant(milliseconds: number) else {
            throw .arithmetic(rule: rule, .outOfBounds(number, .instant))
        }
        return instant
    }

    func after(
        _ rule: Expression, _ environment: Environment
    ) throws(ContractRefusal) -> Instant {
        time.advanced(by: try whole(rule, .duration, environment))
    }

    func childNeed(
        _ rule: Transition.ChildRule, _ transition: Transition, _ environment: Environment
    ) throws(ContractRefusal) -> ChildNeed {
        let terms = state.terms
        var roles = terms.roles
        for (name, formula) in rule.roles.sorted(by: { $0.key < $1.key }) {
            let datum = try guarded(formula.text) { () throws(EvaluationFault) in
                try formula.evaluate(in: environment)
            }
            if case .identity(let did) = datum {
                roles[name] = [did]
            } else {
                roles[name] = [try person(formula, environment).did]
            }
        }
        var seen: [DID: String] = [:]
        for name in roles.keys.sorted() {
            for did in roles[name] ?? [] {
                if let other = seen.updateValue(name, forKey: did) {
                    throw .childRolesNotDistinct(other, name, did)
                }
            }
        }
        var parameters: [String: Value] = [:]
        for (parameter, datum) in zip(state.template.values, state.values) {
            if let formula = rule.parameters[parameter.name] {
                let datum = try stored(formula, parameter.kind.seen, environment)
                parameters[parameter.name] = try value(datum, parameter.kind, parameter.name)
            } else if let datum, !parameter.onlyChild {
                parameters[parameter.name] = try value(datum, parameter.kind, parameter.name)
            }
        }
        var units: Int64 = 0
        for effect in transition.lines where effect.kind == .split {
            units += try whole(effect.units, .quantity(line: effect.line), environment)
        }
        return ChildNeed(roles: roles, parameters: parameters, units: units)
    }

    // MARK: Closing

    func finish() throws(ContractRefusal) -> Outcome {
        let template = state.template
        var outcomes: Set<ContractOutcome> = []
        var ends = true
        for record in records {
            if let outcome = template.family(record.family)?.final(record.state) {
                outcomes.insert(outcome)
            } else {
                ends = false
            }
        }
        var outcome = ContractOutcome.open
        if ends {
            let pending = records.reduce(0) { count, record in
                count + record.holds.filter { $0.transfer != nil }.count
                    + (record.pay == nil ? 0 : 1)
            }
            guard pending == 0 else { throw .pendingAtEnd(count: pending) }
            var environment = environment(nil)
            environment.outcomes = outcomes
            environment.familyCounts = template.families.map { family in
                records.filter { $0.family == family.name }.count
            }
            for rule in template.outcomes {
                let holds = try rule.when.map { when throws(ContractRefusal) in
                    try guarded(when.text) { () throws(EvaluationFault) in
                        try when.truth(in: environment)
                    }
                }
                if holds ?? true {
                    outcome = rule.outcome
                    break
                }
            }
        }
        return Outcome(
            sequence: sequence, records: records.filter { changed.contains($0.number) },
            transfers: transfers, lines: lines, child: child, ends: ends, outcome: outcome,
            claims: claims, deposits: deposits)
    }
}

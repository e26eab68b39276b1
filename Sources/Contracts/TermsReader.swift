internal import Capacity
internal import Entries
internal import Identity

/// Reads a proposal's parameters and roles against its template.
struct TermsReader {
    let template: Template
    let terms: Terms

    /// Which bounds and checks hold before the first that does not, and which values this one reads.
    /// `nil`: all hold.
    func firstFault() -> (passed: Int, blamed: Set<Int>)? {
        var values: [Datum?] = []
        var passed = 0
        for (index, parameter) in template.values.enumerated() {
            if parameter.onlyChild, !terms.isChild {
                values.append(nil)
            } else if let value = try? value(parameter) {
                values.append(value)
            } else {
                return (passed, [index])
            }
        }
        do { try fillSchedules(&values) } catch {
            let schedules = template.values.indices.filter {
                if case .schedule = template.values[$0].kind { true } else { false }
            }
            return (passed, Set(schedules))
        }
        let environment = ContractState.environment(nil, main: nil, values, terms, nil)
        for (index, parameter) in template.values.enumerated() {
            guard let value = values[index] else { continue }
            passed += 1
            do { try check(parameter, value, environment) } catch {
                let rules = [parameter.minimum, parameter.maximum, parameter.countRule]
                let read = rules.compactMap(\.self).flatMap(\.node.parameters)
                return (passed, Set(read).union([index]))
            }
        }
        for check in template.checks where terms.isChild || !check.onlyChild {
            passed += 1
            if (try? check.that.truth(in: environment)) != true {
                return (passed, check.that.node.parameters)
            }
        }
        return nil
    }

    func read() throws(ContractRefusal) -> [Datum?] {
        guard !terms.isChild || template.startChild != nil else { throw .notAChild }
        guard terms.lines.count == template.lines.count else {
            throw .lineCount(found: terms.lines.count, wanted: template.lines.count)
        }
        try checkRoles()
        var values: [Datum?] = []
        for name in terms.parameters.keys.sorted() where template.parameter(name) == nil {
            throw .parameterUnknown(name)
        }
        for parameter in template.values {
            guard !parameter.onlyChild || terms.isChild else {
                guard terms.parameters[parameter.name] == nil else {
                    throw .parameterUnknown(parameter.name)
                }
                values.append(nil)
                continue
            }
            values.append(try value(parameter))
        }
        try fillSchedules(&values)
        let environment = ContractState.environment(nil, main: nil, values, terms, nil)
        for (parameter, value) in zip(template.values, values) {
            guard let value else { continue }
            try check(parameter, value, environment)
        }
        for check in template.checks where terms.isChild || !check.onlyChild {
            if try !guarded(
                check.that.text,
                { () throws(EvaluationFault) in
                    try check.that.truth(in: environment)
                })
            {
                throw .check(
                    Localized(
                        en: display(.en).fill(check.message, environment),
                        zh: display(.zh).fill(check.message, environment)))
            }
        }
        return values
    }

    private func display(_ language: Language) -> Display {
        Display(
            template: template, currency: terms.currency, units: terms.units, language: language)
    }

    private func checkRoles() throws(ContractRefusal) {
        for name in terms.roles.keys.sorted() where template.role(name) == nil {
            throw .roleUnknown(name)
        }
        var seen: [DID: String] = [:]
        for role in template.roles {
            let identities = terms.roles[role.name] ?? []
            if role.onlyChild, !terms.isChild {
                guard identities.isEmpty else { throw .roleUnknown(role.name) }
                continue
            }
            guard !identities.isEmpty else { throw .roleMissing(role.name) }
            let wanted = role.many ?? 1...1
            guard wanted.contains(identities.count) else {
                throw .roleCount(
                    role.name, found: identities.count,
                    wanted: wanted.count == 1
                        ? "1" : "\(wanted.lowerBound) … \(wanted.upperBound)")
            }
            for identity in identities {
                if let other = seen.updateValue(role.name, forKey: identity) {
                    throw .rolesNotDistinct(other, role.name, identity)
                }
            }
        }
    }

    private func value(_ parameter: Parameter) throws(ContractRefusal) -> Datum {
        guard let given = terms.parameters[parameter.name] else {
            guard let fallback = parameter.fallback else { throw .parameterMissing(parameter.name) }
            if case .schedule = parameter.kind { return .list([.list(fallback.items)]) }
            return fallback
        }
        if case .schedule = parameter.kind { return try scheduled(parameter, given) }
        guard
            let datum = Datum(
                given, kind: parameter.kind, currency: terms.currency, units: terms.units)
        else { throw .parameterKind(parameter.name, wanted: parameter.kind) }
        return datum
    }

    /// Shares are kept one list deeper until the total is known.
    private func scheduled(
        _ parameter: Parameter, _ value: Value
    ) throws(ContractRefusal) -> Datum {
        guard case .list(let items) = value, items.count <= 64 else {
            throw .parameterKind(parameter.name, wanted: parameter.kind)
        }
        func all(_ kind: ValueKind) -> Datum? {
            Datum(value, kind: .list(kind), currency: terms.currency, units: terms.units)
        }
        if let shares = all(.bp) { return .list([shares]) }
        if let amounts = all(.money) { return amounts }
        throw .parameterKind(parameter.name, wanted: parameter.kind)
    }

    private func fillSchedules(_ values: inout [Datum?]) throws(ContractRefusal) {
        for (index, parameter) in template.values.enumerated() {
            guard case .schedule(let of) = parameter.kind, let value = values[index],
                let totalIndex = template.values.firstIndex(where: { $0.name == of }),
                let total = values[totalIndex]?.number
            else { continue }
            if case .list(let inner)? = value.items.first {
                let shares = inner.compactMap(\.number)
                var sum: Int64 = 0
                for share in shares {
                    guard (0...10_000).contains(share) else {
                        throw .parameterKind(parameter.name, wanted: .bp)
                    }
                    sum += share
                }
                let display = display(.en)
                guard sum == 10_000 else {
                    throw .scheduleSum(
                        parameter.name, found: display.text(.number(sum), .bp), wanted: "100 %")
                }
                values[index] = try guarded(parameter.name) { () throws(EvaluationFault) in
                    .list(try Shares.split(total, shares).map { .number($0) })
                }
            } else {
                var sum: Int64 = 0
                for amount in value.items.compactMap(\.number) {
                    guard amount >= 0, sum <= wholeNumberMax - amount else {
                        throw .parameterKind(parameter.name, wanted: .money)
                    }
                    sum += amount
                }
                guard sum == total else {
                    throw .scheduleSum(
                        parameter.name, found: Display.decimal(sum),
                        wanted: Display.decimal(total))
                }
            }
        }
    }

    private func check(
        _ parameter: Parameter, _ value: Datum, _ environment: Environment
    ) throws(ContractRefusal) {
        if case .role = parameter.kind, let name = value.name, terms.roles[name] == nil {
            throw .roleUnknown(name)
        }
        if let number = value.number {
            let low = try parameter.minimum.map { rule throws(ContractRefusal) in
                try bound(rule, environment)
            }
            let high = try parameter.maximum.map { rule throws(ContractRefusal) in
                try bound(rule, environment)
            }
            guard parameter.kind.admits(number), number >= low ?? .min, number <= high ?? .max
            else {
                let display = display(.en)
                throw .parameterBounds(
                    parameter.name, value: display.text(value, parameter.kind),
                    minimum: low.map { display.text(.number($0), parameter.kind) },
                    maximum: high.map { display.text(.number($0), parameter.kind) })
            }
        }
        guard case .list(let items) = value else { return }
        if let count = parameter.count, !count.contains(items.count) {
            throw .listCount(
                parameter.name, found: items.count,
                wanted: "\(count.lowerBound) … \(count.upperBound)")
        }
        if let rule = parameter.countRule {
            let wanted = try bound(rule, environment)
            guard Int64(items.count) == wanted else {
                throw .listCount(parameter.name, found: items.count, wanted: "\(wanted)")
            }
        }
        guard items.count <= 64 else {
            throw .listCount(parameter.name, found: items.count, wanted: "0 … 64")
        }
        if case .list(let kind) = parameter.kind {
            for number in items.compactMap(\.number) where !kind.admits(number) {
                throw .parameterKind(parameter.name, wanted: kind)
            }
        }
        if parameter.rising {
            let numbers = items.compactMap(\.number)
            for (index, pair) in zip(numbers, numbers.dropFirst()).enumerated()
            where pair.0 >= pair.1 {
                throw .listOrder(parameter.name, item: index + 1)
            }
        }
    }

    private func bound(
        _ rule: Expression, _ environment: Environment
    ) throws(ContractRefusal) -> Int64 {
        try guarded(rule.text) { () throws(EvaluationFault) in
            try environment.number(rule.node)
        }
    }
}

/// A fault in a formula, as a refusal that names the formula.
func guarded<T>(
    _ rule: String, _ body: () throws(EvaluationFault) -> T
) throws(ContractRefusal) -> T {
    do {
        return try body()
    } catch {
        throw ContractRefusal.arithmetic(rule: rule, error)
    }
}

public import Capacity
internal import Entries
public import Identity
internal import Ledger

extension ContractState {
    /// What a move would change, if it is lawful now. `consents` are those of other identities. A
    /// default may be asked for by anyone named in the contract, strictly after the deadline; anything
    /// else is in time up to and including it, a stated payment even later, until a default stands.
    /// `free`: when the units that each line locked for this contract fall free, where that is known.
    /// `late`: how many milliseconds after the deadline still are in time, because the step that started
    /// the clock was shown so late.
    public func decide(
        _ act: Act, by actor: DID, consents: Set<DID> = [], at time: Instant, sequence: Int64,
        free: [Instant?] = [], late: Int64 = 0
    ) throws(ContractRefusal) -> Outcome {
        guard !records.isEmpty else { throw .notOpened }
        if act.transition == BuiltIn.discharge.rawValue {
            return try discharge(act, by: actor, at: time, sequence: sequence)
        }
        guard !isEnded else { throw .ended }
        if act.isSettlement {
            return try settle(
                act, by: actor, consents: consents, at: time, sequence: sequence, free: free)
        }
        guard let record = record(act.record) else { throw .recordUnknown(act.record) }
        if let transition = template.transition(act.transition) {
            let arguments = try check(
                transition, record, act, by: actor, consents: consents, at: time, late: late)
            let needed = Set(consentsNeeded(transition, record, by: actor))
            var step = step(
                transition.name, isDefault: transition.isDefault, actor, needed, time, sequence)
            return try step.run(transition, on: act.record, arguments)
        }
        guard let builtIn = BuiltIn(rawValue: act.transition) else {
            throw .transitionUnknown(act.transition)
        }
        return try decide(
            builtIn, record, act, by: actor, consents: consents, at: time, sequence: sequence,
            late: late)
    }

    private func step(
        _ name: String, isDefault: Bool, _ actor: DID, _ consents: Set<DID>, _ time: Instant,
        _ sequence: Int64
    ) -> StepRun {
        StepRun(
            state: self, time: time, sequence: sequence, actor: isDefault ? nil : actor,
            signers: isDefault ? [] : consents.union([actor]), reason: name)
    }

    // MARK: The template's moves

    private func check(
        _ transition: Transition, _ record: Record, _ act: Act, by actor: DID,
        consents: Set<DID>, at time: Instant, late: Int64
    ) throws(ContractRefusal) -> [Datum?] {
        guard record.family == transition.family, record.state == transition.state else {
            throw .wrongState(
                record: record.number, state: record.state, transition: transition.name)
        }
        let arguments = try arguments(transition.arguments, act.arguments)
        var environment = environment(record, time: time)
        environment.arguments = arguments
        try checkTime(
            transition.name, record, isDefault: transition.isDefault,
            late: transition.late ? nil : late, time)
        if transition.isDefault {
            try checkNamed(actor, transition.name)
        } else {
            guard
                identities(transition.who, environment).contains(actor) || planted(.actorUnchecked)
            else {
                throw .notYours(transition: transition.name, awaited: transition.by)
            }
        }
        if let after = transition.after {
            let earliest = try guarded(after.text) { () throws(EvaluationFault) in
                try after.number(in: environment, as: .instant)
            }
            guard time.milliseconds >= earliest else {
                throw .tooEarly(
                    transition: transition.name, at: time,
                    earliest: (try? Instant(milliseconds: earliest)) ?? .earliest)
            }
        }
        try checkBounds(transition.arguments, arguments, environment)
        for rule in transition.require {
            let holds = try guarded(rule.that.text) { () throws(EvaluationFault) in
                try rule.that.truth(in: environment)
            }
            guard holds else { throw notMet(transition, rule, record, environment) }
        }
        for needed in consentsNeeded(transition, record, by: actor)
        where !consents.contains(needed) && !planted(.moveWithoutConsent) {
            throw .consentMissing(transition: transition.name, needed)
        }
        return arguments
    }

    /// `late`: how long after the deadline still is in time; `nil` for ever.
    private func checkTime(
        _ name: String, _ record: Record, isDefault: Bool, late: Int64?, _ time: Instant
    ) throws(ContractRefusal) {
        guard let until = record.until else {
            throw .wrongState(record: record.number, state: record.state, transition: name)
        }
        if isDefault {
            guard time > until || planted(.defaultEarly) else {
                throw .tooEarly(transition: name, at: time, earliest: until.advanced(by: 1))
            }
            return
        }
        guard let late, time > until else { return }
        let last = until.advanced(by: stop(of: record.number)).advanced(by: late)
        if time > last, !planted(.lateActTaken) {
            throw .tooLate(transition: name, at: time, until: last)
        }
    }

    private func checkNamed(_ actor: DID, _ name: String) throws(ContractRefusal) {
        guard actor == terms.sequencer || terms.roles.values.contains(where: { $0.contains(actor) })
        else { throw .notYours(transition: name, awaited: template.roles.map(\.name)) }
    }

    private func arguments(
        _ parameters: [Parameter], _ given: [String: Value]
    ) throws(ContractRefusal) -> [Datum?] {
        for name in given.keys.sorted() where !parameters.contains(where: { $0.name == name }) {
            throw .argumentUnknown(name)
        }
        var data: [Datum?] = []
        for parameter in parameters {
            guard let value = given[parameter.name] else {
                guard parameter.optional else { throw .argumentMissing(parameter.name) }
                data.append(nil)
                continue
            }
            guard
                let datum = Datum(
                    value, kind: parameter.kind, currency: terms.currency, units: terms.units),
                datum.number.map({ parameter.kind.admits($0) }) ?? true,
                datum.items.count <= 64, (datum.name?.utf8.count ?? 0) <= 1024
            else { throw .argumentKind(parameter.name, wanted: parameter.kind) }
            data.append(datum)
        }
        return data
    }

    private func checkBounds(
        _ parameters: [Parameter], _ data: [Datum?], _ environment: Environment
    ) throws(ContractRefusal) {
        for (parameter, datum) in zip(parameters, data) {
            guard let number = datum?.number else { continue }
            var ends: [Int64?] = []
            for rule in [parameter.minimum, parameter.maximum] {
                ends.append(
                    try rule.map { rule throws(ContractRefusal) in
                        try guarded(rule.text) { () throws(EvaluationFault) in
                            try environment.number(rule.node)
                        }
                    })
            }
            let low = ends.first ?? nil
            let high = ends.last ?? nil
            guard number >= low ?? .min, number <= high ?? .max else {
                let display = display(.en)
                throw .parameterBounds(
                    parameter.name, value: display.text(.number(number), parameter.kind),
                    minimum: low.map { display.text(.number($0), parameter.kind) },
                    maximum: high.map { display.text(.number($0), parameter.kind) })
            }
        }
    }

    func consentsNeeded(_ transition: Transition, _ record: Record, by actor: DID) -> [DID] {
        identities(transition.with, environment(record)).filter { $0 != actor }
    }

    private func notMet(
        _ transition: Transition, _ rule: Transition.Requirement, _ record: Record,
        _ environment: Environment
    ) -> ContractRefusal {
        if let message = rule.message {
            return .check(
                Localized(
                    en: display(.en).fill(message, environment),
                    zh: display(.zh).fill(message, environment)))
        }
        let values = Language.allCases.map { language in
            leaves(rule.that, transition, record).map { name, leaf in
                let text = (try? leaf.evaluate(in: environment))
                    .map { display(language).text($0, leaf.kind) }
                return "\(name) = \(text ?? "?")"
            }.joined(separator: ", ")
        }
        return .notMet(
            transition: transition.name, rule: rule.that.text,
            values: Localized(en: values.first ?? "", zh: values.last ?? ""))
    }

    /// The names that a formula reads, each once, in the order of reading.
    private func leaves(
        _ expression: Expression, _ transition: Transition, _ record: Record
    ) -> [(String, Expression)] {
        var found: [(String, Expression)] = []
        func add(_ name: String?, _ kind: ValueKind?, _ node: Expression.Node) {
            guard let name, let kind, !found.contains(where: { $0.0 == name }) else { return }
            found.append((name, Expression(text: name, kind: kind, node: node)))
        }
        let main = records.first
        expression.node.visit { node in
            switch node {
            case .parameter(let index):
                let parameter = template.values[safe: index]
                add(parameter?.name, parameter?.kind, node)
            case .argument(let index):
                let parameter = transition.arguments[safe: index]
                add(parameter?.name, parameter?.kind, node)
            case .field(let index):
                let field = record.fields[safe: index]
                add(field?.name, field?.kind, node)
            case .hold(let index):
                let hold = record.holds[safe: index]
                add(hold?.name, hold.map { .quantity(line: $0.line) }, node)
            case .mainField(let index):
                let field = main?.fields[safe: index]
                add(field.map { "main." + $0.name }, field?.kind, node)
            case .mainHold(let index):
                let hold = main?.holds[safe: index]
                add(hold.map { "main." + $0.name }, hold.map { .quantity(line: $0.line) }, node)
            case .time: add("time", .instant, node)
            default: break
            }
        }
        return found
    }

    func display(_ language: Language) -> Display {
        Display(
            template: template, currency: terms.currency, units: terms.units, language: language)
    }

    // MARK: Payments and disputes

    private func decide(
        _ builtIn: BuiltIn, _ record: Record, _ act: Act, by actor: DID, consents: Set<DID>,
        at time: Instant, sequence: Int64, late: Int64
    ) throws(ContractRefusal) -> Outcome {
        let name = builtIn.rawValue
        let wrong = ContractRefusal.wrongState(
            record: record.number, state: record.state, transition: name)
        let arguments = try arguments(builtIn.arguments, act.arguments)
        let arbiter = identity(template.arbiterRole)
        func mine(_ wanted: DID?, _ role: String) throws(ContractRefusal) {
            guard actor == wanted else { throw .notYours(transition: name, awaited: [role]) }
        }
        var step = step(name, isDefault: builtIn.isDefault, actor, [], time, sequence)
        switch (waiting(record), builtIn) {
        case (.pay(let rule), _):
            guard let pay = record.pay else { throw wrong }
            let phase = record.phase
            let asked = (builtIn, phase)
            switch asked {
            case (.payState, ""):
                try mine(pay.from, pay.fromRole)
                let until = time.advanced(by: try span(template.confirm))
                return try step.wait(
                    on: record.number, phase: "stated", until: until,
                    reference: arguments[safe: 1]??.name ?? "")
            case (.payReceive, "stated"), (.payDeny, "stated"):
                try mine(pay.to, pay.toRole)
                try checkTime(name, record, isDefault: false, late: late, time)
                if builtIn == .payReceive {
                    return try step.settle(rule, on: record.number, paid: true)
                }
                let until = time.advanced(by: try span(template.ruleWithin))
                return try step.wait(
                    on: record.number, phase: "denied", until: until, reference: nil)
            case (.payRule, "denied"):
                try mine(arbiter, template.arbiterRole)
                try checkTime(name, record, isDefault: false, late: late, time)
                guard let paid = arguments.first??.number, paid == 0 || paid == 1 else {
                    throw .argumentKind("paid", wanted: .choice(["1", "0"]))
                }
                return try step.settle(rule, on: record.number, paid: paid == 1)
            case (.payUnpaid, ""), (.paySilent, "stated"), (.payRuleDefault, "denied"):
                try checkNamed(actor, name)
                try checkTime(name, record, isDefault: true, late: 0, time)
                let paid =
                    builtIn == .paySilent
                    || (builtIn == .payRuleDefault && template.deniedIsPaid)
                return try step.settle(rule, on: record.number, paid: paid)
            default: throw wrong
            }
        case (.dispute(let rule), .rule), (.dispute(let rule), .agree):
            try checkTime(name, record, isDefault: false, late: late, time)
            guard let ruling = arguments.first??.number else { throw .argumentMissing("ruling") }
            if builtIn == .rule {
                try mine(arbiter, template.arbiterRole)
                return try step.rule(rule, on: record.number, ruling: ruling)
            }
            let between = identities(rule.between, environment(record))
            guard between.contains(actor) else {
                throw .notYours(transition: name, awaited: rule.between.map(\.text))
            }
            for other in between
            where other != actor && !consents.contains(other)
                && !planted(.moveWithoutConsent)
            {
                throw .consentMissing(transition: name, other)
            }
            var agreed = self.step(
                name, isDefault: false, actor, Set(between), time, sequence)
            return try agreed.rule(rule, on: record.number, ruling: ruling)
        case (.dispute(let rule), .ruleDefault):
            try checkNamed(actor, name)
            try checkTime(name, record, isDefault: true, late: 0, time)
            let ruling = try guarded(rule.fallback.text) { () throws(EvaluationFault) in
                try rule.fallback.number(in: environment(record, time: time), as: .bp)
            }
            return try step.rule(rule, on: record.number, ruling: ruling)
        default: throw wrong
        }
    }

    private func span(_ rule: Expression) throws(ContractRefusal) -> Int64 {
        try guarded(rule.text) { () throws(EvaluationFault) in
            try rule.number(in: environment(nil), as: .duration)
        }
    }

    private func discharge(
        _ act: Act, by actor: DID, at time: Instant, sequence: Int64
    ) throws(ContractRefusal) -> Outcome {
        let arguments = try arguments(BuiltIn.discharge.arguments, act.arguments)
        guard let at = arguments[safe: 0]??.number, let index = arguments[safe: 1]??.number,
            let amount = arguments[safe: 2]??.number
        else { throw .argumentMissing("amount") }
        guard let claim = claims.first(where: { $0.cause.step == at && $0.cause.index == index })
        else { throw .claimUnknown(step: at, index: index) }
        guard claim.transfer.to == actor else {
            throw .notYours(transition: act.transition, awaited: [claim.transfer.to.shortDID])
        }
        guard amount > 0, amount <= claim.open else {
            throw .claimExceeded(open: claim.open, asked: amount)
        }
        var step = step(act.transition, isDefault: false, actor, [], time, sequence)
        return try step.discharge(claim, amount: amount)
    }
}

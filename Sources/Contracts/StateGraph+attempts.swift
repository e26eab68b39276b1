internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

/// What is tried on a record: each move of each role with a few arguments, each ruling, and the default.
extension StateGraph {
    private static let combinationsMax = 64

    func attempts(_ record: Record, _ state: ContractState) -> [Attempt] {
        guard let until = record.until, let rule = state.waiting(record) else { return [] }
        var attempts: [Attempt] = []
        func add(
            _ builtIn: BuiltIn, by actor: DID?, hostile: Bool = false,
            _ arguments: [String: Value] = [:]
        ) {
            attempts.append(
                Attempt(
                    act: Act(
                        transition: builtIn.rawValue, record: record.number, arguments: arguments),
                    actors: actor.map { [$0] } ?? [], consents: [],
                    time: actor == nil ? until.advanced(by: 1) : until,
                    isHostile: hostile, mustWork: true))
        }
        let arbiter = state.identity(template.arbiterRole)
        switch rule {
        case .until:
            for transition in template.transitions
            where transition.family == record.family && transition.state == record.state {
                attempts += self.attempts(transition, record, state, until)
            }
        case .pay:
            guard let pay = record.pay else { return [] }
            switch record.phase {
            case "":
                add(
                    .payState, by: pay.from, ["channel": .text("bank"), "reference": .text("1")])
                add(.payUnpaid, by: nil)
            case "stated":
                add(.payReceive, by: pay.to)
                add(.payDeny, by: pay.to, hostile: true)
                add(.paySilent, by: nil)
            default:
                add(.payRule, by: arbiter, hostile: true, ["paid": .integer(1)])
                add(.payRule, by: arbiter, hostile: true, ["paid": .integer(0)])
                add(.payRuleDefault, by: nil, hostile: true)
            }
        case .dispute:
            for ruling in breadth == .wide ? [0, 3333, 10_000] : [0, 10_000] as [Int64] {
                add(.rule, by: arbiter, hostile: true, ["ruling": .integer(ruling)])
            }
            add(.ruleDefault, by: nil)
        }
        return attempts
    }

    private func attempts(
        _ transition: Transition, _ record: Record, _ state: ContractState, _ until: Instant
    ) -> [Attempt] {
        if transition.isDefault {
            return [
                Attempt(
                    act: Act(transition: transition.name, record: record.number), actors: [],
                    consents: [], time: until.advanced(by: 1), isHostile: false, mustWork: true)
            ]
        }
        if makesTooMany(transition, state) { return [] }
        let environment = state.environment(record)
        let isShut = transition.require.contains { rule in
            !rule.that.node.readsArguments && !rule.that.node.readsTime
                && (try? rule.that.truth(in: environment)) != true
        }
        let who = state.identities(transition.who, environment)
        if isShut || who.isEmpty { return [] }
        // Only the key of whoever holds a grant frees or splits it.
        for effect in transition.lines where effect.kind == .release || effect.kind == .split {
            let holder = template.lines[safe: effect.line].map { state.identity($0.holder) }
            guard who.allSatisfy({ $0 == holder }) else { return [] }
        }
        let disputes = transition.to.node.outcomes.contains { name in
            guard case .dispute? = template.family(record.family)?.rule(name)?.waits else {
                return false
            }
            return true
        }
        let readsTime = transition.expressions.contains(where: \.node.readsTime)
        let times = readsTime ? [until, until.advanced(by: -40 * 86_400_000)] : [until]
        var attempts: [Attempt] = []
        for arguments in combinations(transition, record, state) {
            for time in times {
                let act = Act(
                    transition: transition.name, record: record.number, arguments: arguments)
                attempts.append(
                    Attempt(
                        act: act, actors: who, consents: state.consentsNeeded(for: act),
                        time: time, isHostile: disputes, mustWork: false))
            }
        }
        return attempts
    }

    /// Long families are not filled here; `Exploration` fills them once, cut short.
    private func makesTooMany(_ transition: Transition, _ state: ContractState) -> Bool {
        transition.effects.contains { effect in
            guard case .make(let index, _, _) = effect else { return false }
            let family = template.families[index]
            let count = state.records.count { $0.family == family.name }
            let most =
                limits.records - (breadth == .wide ? 0 : 1) - (isIsolated(family) ? 0 : 1)
            return count >= most && state.limit(of: family) > Int64(limits.few)
        }
    }

    private func combinations(
        _ transition: Transition, _ record: Record, _ state: ContractState
    ) -> [[String: Value]] {
        var all: [[String: Value]] = [[:]]
        for parameter in transition.arguments {
            var options = options(parameter.kind, record, state)
            if let most = bound(parameter, record, state), !options.contains(most) {
                options.append(most)
            }
            var next: [[String: Value]] = []
            for chosen in all {
                for option in options where next.count < Self.combinationsMax {
                    var more = chosen
                    more[parameter.name] = option
                    next.append(more)
                }
            }
            all = next
        }
        return all
    }

    private func bound(
        _ parameter: Parameter, _ record: Record, _ state: ContractState
    ) -> Value? {
        guard let rule = parameter.maximum,
            let most = try? rule.number(in: state.environment(record), as: parameter.kind)
        else { return nil }
        return Datum.number(most).value(
            parameter.kind, currency: state.terms.currency, units: state.terms.units)
    }

    private func options(
        _ kind: ValueKind, _ record: Record, _ state: ContractState
    ) -> [Value] {
        func values(_ numbers: [Int64], most: Int) -> [Value] {
            var seen: Set<Int64> = []
            let distinct = numbers.filter { kind.admits($0) && seen.insert($0).inserted }
            return distinct.prefix(most).compactMap {
                Datum.number($0).value(
                    kind, currency: state.terms.currency, units: state.terms.units)
            }
        }
        let main = state.records.first
        func given(_ wanted: (ValueKind) -> Bool) -> [Int64] {
            let parameters = zip(template.values, state.values).compactMap { parameter, datum in
                wanted(parameter.kind) ? datum?.number : nil
            }
            let fields = (record.fields + (main?.fields ?? [])).compactMap { field in
                wanted(field.kind) ? field.datum.number : nil
            }
            return parameters + fields
        }
        switch kind {
        case .quantity(let line):
            let holds = (record.holds + (main?.holds ?? [])).filter { $0.line == line }
                .map(\.amount)
            let known = given { $0 == kind }
            if setting.isExtreme {
                return values(holds.prefix(1) + [known.max() ?? 1], most: 2)
            }
            if breadth == .least { return values([1] + holds, most: 2) }
            return values(
                [1] + holds + holds.map { $0 - 1 } + known + known.map { $0 - 1 } + [2, 0]
                    + known.map { $0 * 2 }, most: breadth == .wide ? 8 : 5)
        case .money, .price:
            let known = given { $0 == kind }
            return values([0, 7] + known, most: setting.isExtreme || breadth == .least ? 2 : 5)
        case .bp: return values([0, 5000, 10_000], most: 3)
        case .int, .literal: return values([1, 0, 2], most: 3)
        case .instant:
            return values(
                [record.until?.milliseconds ?? 1] + given { $0 == .instant }, most: 3)
        case .duration: return values([86_400_000], most: 1)
        case .choice(let names): return names.map { .text($0) }
        case .role: return template.roles.map { .text($0.name) }
        case .party: return Setting.newcomer.map { [.identity($0)] } ?? []
        case .hash: return [.hash(Setting.proof)]
        case .list(let item): return lists(item, state)
        default: return [.text("x")]
        }
    }

    /// The template's own lists of this kind; seven tenths of them, one less, none.
    private func lists(_ item: ValueKind, _ state: ContractState) -> [Value] {
        var found: [Value] = []
        for (parameter, datum) in zip(template.values, state.values) {
            guard case .list(let kind) = parameter.kind.seen, kind == item || item == .int,
                let items = datum?.items.compactMap(\.number)
            else { continue }
            let versions: [[Int64]] = [
                items, items.map { ($0 * 7 + 9) / 10 }, items.map { max(($0 * 7 + 9) / 10 - 1, 0) },
                items.map { _ in 0 }, items.map { $0 + 1 },
            ]
            for version in versions {
                let value = Datum.list(version.map { .number($0) }).value(
                    .list(item), currency: state.terms.currency, units: state.terms.units)
                if let value, !found.contains(value) { found.append(value) }
            }
        }
        return found.isEmpty ? [.list([])] : Array(found.prefix(breadth == .wide ? 5 : 3))
    }
}

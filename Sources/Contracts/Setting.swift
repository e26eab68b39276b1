internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

/// One set of parameters under which a template is explored.
struct Setting {
    let terms: Terms
    /// Bounds themselves instead of small numbers: only a few arguments are then tried.
    let isExtreme: Bool
    let state: ContractState

    static let grantBy = Instant.earliest.advanced(by: 1_795_219_200_000)
    static let currency = try? Currency("CNY")
    static let unit = try? UnitCode("C62")
    static let newcomer = DID([UInt8](repeating: 0x7f, count: 32))
    static let proof = SHA256.hash([])

    init?(_ template: Template, terms: Terms, isExtreme: Bool) {
        guard let state = try? ContractState(template: template, terms: terms) else { return nil }
        self.terms = terms
        self.isExtreme = isExtreme
        self.state = state
    }

    /// As a person would type them.
    var texts: [String] {
        let display = Display(
            template: state.template, currency: terms.currency, units: terms.units, language: .en)
        return zip(state.template.values, state.values).compactMap { parameter, datum in
            datum.map { "\(parameter.name) \(display.text($0, parameter.kind))" }
        }
    }
}

/// Looks for parameters that meet a template's bounds and checks: small ones first, money in distinct
/// primes (sums that close by accident then do not), then one parameter after another changed.
struct SettingSearch {
    let template: Template
    let isChild: Bool
    let limit: Int
    /// Identities in a role that is a list, where its bounds allow.
    let listed: Int

    /// Sets looked at so far: a file must not make the search long.
    private var tries = 0

    private static let triesMax = 50_000
    private static let day: Int64 = 86_400_000
    private static let primes: [Int64] = [5, 7, 11, 13, 17, 19, 23, 29, 31, 37]

    /// The same with lists of roles as short as they may be; `nil` where they are already.
    var shorter: SettingSearch? {
        guard listed > 1, template.roles.contains(where: { ($0.many?.lowerBound ?? 2) < 2 }) else {
            return nil
        }
        return SettingSearch(template: template, isChild: isChild, limit: limit, listed: 1)
    }

    init(template: Template, isChild: Bool, limit: Int, listed: Int = 2) {
        self.template = template
        self.isChild = isChild
        self.limit = limit
        self.listed = listed
    }

    mutating func settings() -> [Setting] {
        let options = template.values.indices.map(candidates)
        guard options.allSatisfy({ !$0.isEmpty }),
            let base = repair(options.map { _ in 0 }, options, fixed: nil)
        else { return [] }
        var vectors = [base]
        var most = options.map { _ in 0 }
        for (index, parameter) in template.values.enumerated() where parameter.kind.isNumber {
            if case .number? = parameter.maximum?.node { most[index] = options[index].count - 1 }
        }
        let extreme = repair(most, options, fixed: nil)
        var rounds = 1
        while vectors.count < limit, rounds < options.map(\.count).max() ?? 0 {
            for index in options.indices where rounds < options[index].count {
                var vector = base
                vector[index] = (base[index] + rounds) % options[index].count
                guard vectors.count < limit, let found = repair(vector, options, fixed: index),
                    !vectors.contains(found)
                else { continue }
                vectors.append(found)
            }
            rounds += 1
        }
        var settings = vectors.compactMap { vector in
            terms(vector, options).flatMap {
                Setting(template, terms: $0, isExtreme: vector == extreme && vector != base)
            }
        }
        if let extreme, !vectors.contains(extreme), let terms = terms(extreme, options),
            let setting = Setting(template, terms: terms, isExtreme: true)
        {
            settings.insert(setting, at: min(1, settings.count))
        }
        return settings
    }

    /// Changes one or two of the values that the first fault reads, as long as that helps.
    private mutating func repair(_ start: [Int], _ options: [[Value]], fixed: Int?) -> [Int]? {
        var vector = start
        for _ in 0..<64 {
            guard let fault = fault(vector, options) else { return vector }
            let free = fault.blamed.subtracting(fixed.map { [$0] } ?? []).sorted()
            guard let better = step(vector, options, free, beyond: fault.passed) else { return nil }
            vector = better
        }
        return nil
    }

    private mutating func step(
        _ vector: [Int], _ options: [[Value]], _ free: [Int], beyond passed: Int
    ) -> [Int]? {
        for index in free {
            for choice in options[index].indices {
                var next = vector
                next[index] = choice
                if passes(next, options, beyond: passed) { return next }
            }
        }
        for (position, first) in free.enumerated() {
            for second in free.dropFirst(position + 1) {
                for one in options[first].indices {
                    for two in options[second].indices {
                        var next = vector
                        next[first] = one
                        next[second] = two
                        if passes(next, options, beyond: passed) { return next }
                    }
                }
            }
        }
        return nil
    }

    private mutating func passes(
        _ vector: [Int], _ options: [[Value]], beyond passed: Int
    ) -> Bool {
        guard let fault = fault(vector, options) else { return true }
        return fault.passed > passed
    }

    private mutating func fault(
        _ vector: [Int], _ options: [[Value]]
    ) -> (passed: Int, blamed: Set<Int>)? {
        tries += 1
        guard tries <= Self.triesMax else { return (0, []) }
        guard let terms = terms(vector, options) else { return (0, []) }
        return TermsReader(template: template, terms: terms).firstFault()
    }

    private func terms(_ vector: [Int], _ options: [[Value]]) -> Terms? {
        guard let currency = Setting.currency, let unit = Setting.unit else { return nil }
        var parameters: [String: Value] = [:]
        for (index, parameter) in template.values.enumerated()
        where !parameter.onlyChild || isChild {
            parameters[parameter.name] = options[index][vector[index]]
        }
        var roles: [String: [DID]] = [:]
        var next: UInt8 = 1
        for role in template.roles where !role.onlyChild || isChild {
            let count = role.many.map { min(max($0.lowerBound, listed), $0.upperBound) } ?? 1
            for _ in 0..<count {
                guard let did = DID([UInt8](repeating: next, count: 32)) else { return nil }
                roles[role.name, default: []].append(did)
                next += 1
            }
        }
        var lines: [LineTerms] = []
        for index in template.lines.indices {
            let end = Setting.grantBy.advanced(by: 4000 * Self.day)
            guard let resource = try? Resource("line/\(index)"),
                let window = try? Window(start: Setting.grantBy, end: end, offsetMinutes: 0)
            else { return nil }
            lines.append(LineTerms(resource: resource, window: window, unit: unit))
        }
        guard let sequencer = roles[template.sequencerRole]?.first else { return nil }
        return Terms(
            contract: .zero, proposal: .zero, parameters: parameters, roles: roles,
            sequencer: sequencer, currency: currency, lines: lines,
            acceptBy: Setting.grantBy.advanced(by: -Self.day), grantBy: Setting.grantBy,
            witnesses: 1, isChild: isChild)
    }

    // MARK: Values to try

    private func candidates(_ index: Int) -> [Value] {
        let parameter = template.values[index]
        if case .list(let item) = parameter.kind { return lists(parameter, item, index) }
        if case .schedule = parameter.kind { return schedules() }
        if !parameter.kind.isNumber {
            switch parameter.kind {
            case .choice(let names):
                var all = names
                if let first = parameter.fallback?.name, let at = all.firstIndex(of: first) {
                    all.swapAt(0, at)
                }
                return all.map { .text($0) }
            case .role:
                return template.roles.filter { $0.many == nil && !$0.onlyChild }.map {
                    .text($0.name)
                }
            case .party: return Setting.newcomer.map { [.identity($0)] } ?? []
            case .hash:
                // The evidence that is tried is the key to the first.
                let given = parameter.fallback.flatMap { datum -> Value? in
                    if case .hash(let hash) = datum { .hash(hash) } else { nil }
                }
                return [.hash(SHA256.hash(Setting.proof.bytes))] + [given].compactMap(\.self)
            default: return [.text("x")]
            }
        }
        let low = bound(parameter.minimum)
        let high = bound(parameter.maximum)
        var numbers = numbers(parameter, index, low ?? 0)
        if let fallback = parameter.fallback?.number {
            // Of quantities a small one comes first: a lot of 1 lets 3 units go in several.
            if case .quantity = parameter.kind {
                numbers = [1] + numbers + [fallback]
            } else {
                numbers.insert(fallback, at: 0)
            }
        }
        numbers = numbers.filter { $0 >= low ?? .min && $0 <= high ?? .max }
        if let low, parameter.kind.admits(low) { numbers.append(low) }
        if let high, parameter.kind.admits(high) { numbers.append(high) }
        var seen: Set<Int64> = []
        return numbers.filter { seen.insert($0).inserted }.compactMap { value($0, parameter.kind) }
    }

    private func numbers(_ parameter: Parameter, _ index: Int, _ low: Int64) -> [Int64] {
        switch parameter.kind {
        case .quantity: [3, 4, 2, 1, 6] + (low > 4 ? [low, 2 * low, 3 * low] : [0])
        case .money: [Self.primes[index % 10], 100, 0] + (low > 100 ? [low, 2 * low] : [])
        case .price: [[3, 2, 1][index % 3], 19, 0]
        case .bp: [5000, 10_000, 0, 3333, 1500, 9000]
        case .instant:
            (0..<12).map { Setting.grantBy.milliseconds + (rank(index) + $0) * 90 * Self.day }
        case .duration: [Self.day, Self.day / 24, 7 * Self.day, 30 * Self.day]
        default: [1, 0, 2, 3]
        }
    }

    /// The how many-th instant of the template: instants mostly stand in the order in which they come.
    private func rank(_ index: Int) -> Int64 {
        let before = template.values.prefix(index).filter { parameter in
            switch parameter.kind {
            case .instant, .list(.instant): true
            default: false
            }
        }
        return Int64(before.count) + 1
    }

    private func lists(_ parameter: Parameter, _ item: ValueKind, _ index: Int) -> [Value] {
        let allowed = parameter.count ?? 1...4
        let counts = (allowed.lowerBound...min(allowed.upperBound, allowed.lowerBound + 3))
            .filter { $0 <= 8 }
        var found: [Value] = []
        for count in counts {
            for stretch in [1, 2, 10] as [Int64] {
                let items = (0..<count).compactMap { position -> Value? in
                    let place = Int64(position)
                    switch item {
                    case .instant:
                        let days = (rank(index) * 90 + place * 20) * stretch
                        return value(Setting.grantBy.milliseconds + days * Self.day, item)
                    case .money, .price: return value(stretch * (place + 2), item)
                    case .bp: return value(Int64(10_000 / max(count, 1)), item)
                    case .quantity: return value(stretch * (place + 1), item)
                    default: return item.isNumber ? value(place + 1, item) : nil
                    }
                }
                if items.count == count { found.append(.list(items)) }
            }
        }
        return found
    }

    /// 30 % first, the rest in equal parts; then equal parts alone.
    private func schedules() -> [Value] {
        (1...6).flatMap { count -> [Value] in
            guard count > 1 else { return [.list([.integer(10_000)])] }
            return [3000, 10_000 / Int64(count)].compactMap { first in
                let rest = Int64(count) - 1
                let each = (10_000 - first) / rest
                let last = 10_000 - first - each * (rest - 1)
                return .list(
                    ([first] + Array(repeating: each, count: count - 2) + [last]).map {
                        .integer($0)
                    })
            }
        }
    }

    private func bound(_ rule: Expression?) -> Int64? {
        rule.flatMap { rule -> Int64? in
            guard rule.node.parameters.isEmpty else { return nil }
            return try? rule.number(in: Environment(), as: .int)
        }
    }

    private func value(_ number: Int64, _ kind: ValueKind) -> Value? {
        guard let currency = Setting.currency, let unit = Setting.unit else { return nil }
        return Datum.number(number).value(
            kind, currency: currency,
            units: template.lines.isEmpty ? [unit] : template.lines.map { _ in unit })
    }
}

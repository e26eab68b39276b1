internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import NodeCore

/// The templates of a world, and proposals drawn at random from what each of them asks for. It knows
/// none by name: what a template accepts is found by trying.
struct Shelf {
    let templates: [Template]
    let byHash: [Hash32: Template]

    init(_ files: [[UInt8]]) {
        templates = files.compactMap { try? Template.read($0) }.sorted { $0.name < $1.name }
        byHash = Dictionary(
            templates.map { ($0.hash, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// One who could be asked, and the lines he has room on.
    struct Neighbour {
        let did: DID
        let lines: [(terms: LineTerms, remaining: Int64)]
    }

    /// How often parameters are drawn anew before a proposal is given up.
    private static let trials = 40

    /// A proposal of `me`, whom the template gives some role; `nil` where none came out.
    func draft(
        by me: Neighbour, among others: [Neighbour], at now: Instant, beat: Int64,
        _ chance: inout Chance
    ) -> Node.ProposalDraft? {
        guard let template = chance.pick(templates),
            let currency = try? Currency("CNY"),
            let (roles, lines, rest) = cast(template, me, others, &chance)
        else { return nil }
        let witnesses = chance.below(3) == 0 ? witnesses(among: rest, &chance) : .none
        // Some leave little time to accept, and next to none to open.
        let isHurried = chance.below(5) == 0
        let acceptBy = now.advanced(
            by: isHurried ? chance.within(beat / 8...beat) : chance.within(beat...beat * 4))
        let grantBy = acceptBy.advanced(
            by: isHurried ? chance.within(1...10_000) : chance.within(beat / 2...beat * 2))
        // Some are soon over; some leave time to pass a right on, which takes a day.
        let start = chance.below(6) == 0 ? grantBy.advanced(by: 26 * 3_600_000) : grantBy
        // What a refusal tells is heeded the next time: how long a list must be, that hours are too short.
        var counts: [String: Int] = [:]
        var days: Set<String> = []
        for _ in 0..<Self.trials {
            var arguments: [String: Value] = [:]
            for parameter in template.parameters + template.terms where !parameter.onlyChild {
                let isTerm = template.terms.contains(parameter)
                // A period of weeks, which some defaults are, would outlast the world.
                if parameter.defaultText != nil, !isTerm, parameter.kind != .duration,
                    chance.below(2) == 0
                {
                    continue
                }
                if days.contains(parameter.name) {
                    arguments[parameter.name] = .integer(86_400_000)
                    continue
                }
                arguments[parameter.name] = value(
                    parameter.kind, lines, currency, from: start, beat: beat,
                    count: counts[parameter.name] ?? 1 + chance.below(5), &chance)
            }
            guard let sequencer = roles[template.sequencerRole]?.first else { return nil }
            let terms = Terms(
                contract: .zero, proposal: .zero, parameters: arguments, roles: roles,
                sequencer: sequencer, currency: currency, lines: lines.map(\.terms),
                acceptBy: acceptBy, grantBy: grantBy, witnesses: witnesses.identities.count,
                isChild: false)
            do {
                _ = try ContractState(template: template, terms: terms)
            } catch {
                switch error {
                case .listCount(let name, _, let wanted):
                    counts[name] = Int(wanted.prefix { $0.isWholeNumber })
                case .parameterBounds(let name, _, _, _):
                    // Contracts of days make a world last for days: only some are wanted.
                    if template.parameter(name)?.kind == .duration, days.insert(name).inserted,
                        chance.below(4) > 0
                    {
                        return nil
                    }
                default: break
                }
                continue
            }
            return Node.ProposalDraft(
                template: template.hash, currency: currency, arguments: arguments, roles: roles,
                lines: lines.map(\.terms), acceptBy: acceptBy, grantBy: grantBy,
                witnesses: witnesses)
        }
        return nil
    }

    /// One to three of those who have no part in it, and how many of them must say so.
    private func witnesses(among rest: [DID], _ chance: inout Chance) -> Proposal.Witnesses {
        let count = min(rest.count, 1 + chance.below(3))
        guard count > 0 else { return .none }
        return Proposal.Witnesses(
            identities: Array(rest.prefix(count)),
            threshold: chance.within(Int64(count / 2 + 1)...Int64(count)))
    }

    /// Who plays which role, each of them once, the lines that are granted from, and who is left.
    private func cast(
        _ template: Template, _ me: Neighbour, _ others: [Neighbour], _ chance: inout Chance
    ) -> (
        roles: [String: [DID]], lines: [(terms: LineTerms, remaining: Int64)], rest: [DID]
    )? {
        var free = [me] + others.shuffled(using: &chance)
        var roles: [String: [DID]] = [:]
        var lines: [(terms: LineTerms, remaining: Int64)] = []
        for rule in template.lines {
            guard roles[rule.issuer] == nil,
                let index = free.firstIndex(where: {
                    !$0.lines.isEmpty && ($0.did != me.did || chance.below(2) == 0)
                })
            else { return nil }
            let issuer = free.remove(at: index)
            guard let line = chance.pick(issuer.lines) else { return nil }
            roles[rule.issuer] = [issuer.did]
            lines.append(line)
        }
        // The proposer has a role in any case.
        if let index = free.firstIndex(where: { $0.did == me.did }) {
            free.swapAt(0, index)
        }
        for role in template.roles.filter({ !$0.onlyChild }).shuffled(using: &chance)
        where roles[role.name] == nil {
            var count = role.many?.lowerBound ?? 1
            // Of a role that is a list, now and then one more.
            if let most = role.many?.upperBound, count < most, chance.below(2) == 0 { count += 1 }
            guard free.count >= count else { return nil }
            roles[role.name] = free.prefix(count).map(\.did)
            free.removeFirst(count)
        }
        guard roles.values.contains(where: { $0.contains(me.did) }) else { return nil }
        return (roles, lines, free.map(\.did))
    }

    private func value(
        _ kind: ValueKind, _ lines: [(terms: LineTerms, remaining: Int64)], _ currency: Currency,
        from start: Instant, beat: Int64, count: Int, _ chance: inout Chance
    ) -> Value? {
        switch kind {
        case .quantity(let index):
            guard lines.indices.contains(index) else { return nil }
            let most = max(lines[index].remaining, 1)
            let units = min([1, 5, 10, 20, 30, 60, 100][chance.below(7)], most)
            return (try? Quantity(units: units, lines[index].terms.unit)).map { .quantity($0) }
        case .money, .price:
            let minor = [0, 1, 333, 1_800, 50_000, 99_999][chance.below(6)]
            return (try? Money(minor: Int64(minor), currency)).map { .money($0) }
        case .bp: return .integer(Int64([0, 3_333, 5_000, 10_000][chance.below(4)]))
        case .instant: return .instant(start.advanced(by: beat * chance.within(2...60)))
        case .duration: return .integer(beat * chance.within(1...3))
        case .choice(let options): return chance.pick(options).map { .text($0) }
        case .int, .literal, .truth: return .integer(chance.within(0...3))
        case .list(.instant):
            var times: [Instant] = []
            for _ in 0..<count { times.append(start.advanced(by: beat * chance.within(10...120))) }
            return .list(times.sorted().map { .instant($0) })
        case .list(let item):
            var items: [Value] = []
            for _ in 0..<count {
                let one = value(
                    item, lines, currency, from: start, beat: beat, count: count, &chance)
                guard let one else { return nil }
                items.append(one)
            }
            return .list(items)
        case .schedule: return nil
        case .text: return .text("x")
        case .hash: return .hash(chance.hash())
        default: return nil
        }
    }
}

/// What can be known of a template before it runs: every waiting state has its default, everything is
/// reached, and what only a child knows is read only there.
struct TemplateChecks {
    let template: Template
    let start: Place

    func run() throws(TemplateRefusal) {
        try checkDefaults()
        let first = reached(from: template.startFirst)
        var all = first
        if let child = template.startChild { all.formUnion(reached(from: child)) }
        try checkReached(all)
        try checkOnlyChild(first)
    }

    private struct Spot: Hashable {
        let family: String
        let state: String
    }

    private func checkDefaults() throws(TemplateRefusal) {
        var used: Set<String> = []
        for family in template.families {
            for state in family.states {
                guard case .until(_, let name) = state.waits else { continue }
                let path = "\(family.name).\(state.name)"
                let place = state.defaultPlace ?? state.place
                let known = Set(
                    moves(Spot(family: family.name, state: state.name))
                        .filter(\.isDefault).map(\.name))
                guard let transition = template.transition(name), transition.isDefault else {
                    throw TemplateRefusal(
                        place, .defaultUnknown(name, state: path, known: known))
                }
                guard transition.family == family.name, transition.state == state.name else {
                    throw TemplateRefusal(
                        place, .defaultElsewhere(name, state: path, known: known))
                }
                used.insert(name)
            }
        }
        for transition in template.transitions
        where transition.isDefault && !used.contains(transition.name) {
            throw TemplateRefusal(transition.place, .defaultIdle(transition.name))
        }
    }

    private func reached(from start: Template.Start) -> Set<Spot> {
        var found: Set<Spot> = []
        var open = [Spot(family: "main", state: start.state)]
        func follow(_ family: String, _ to: Expression, _ effects: [Effect]) {
            for state in to.node.outcomes { open.append(Spot(family: family, state: state)) }
            for effect in effects {
                if case .make(let made, let state, _) = effect {
                    open.append(Spot(family: template.families[made].name, state: state))
                }
            }
        }
        while let spot = open.popLast() {
            guard found.insert(spot).inserted,
                let rule = template.family(spot.family)?.rule(spot.state)
            else { continue }
            switch rule.waits {
            case .until:
                for move in moves(spot) { follow(spot.family, move.to, move.effects) }
            case .pay(let pay):
                follow(spot.family, pay.paid.to, pay.paid.effects)
                follow(spot.family, pay.unpaid.to, pay.unpaid.effects)
            case .dispute(let dispute):
                follow(spot.family, dispute.ruled.to, dispute.ruled.effects)
            }
        }
        return found
    }

    private func moves(_ spot: Spot) -> [Transition] {
        template.transitions.filter { $0.family == spot.family && $0.state == spot.state }
    }

    private func checkReached(_ reached: Set<Spot>) throws(TemplateRefusal) {
        for family in template.families {
            for state in family.states
            where !reached.contains(Spot(family: family.name, state: state.name)) {
                throw TemplateRefusal(
                    state.place, .unreachable(family: family.name, state: state.name))
            }
            for final in family.finals
            where !reached.contains(Spot(family: family.name, state: final.state)) {
                throw TemplateRefusal(
                    final.place, .unreachable(family: family.name, state: final.state))
            }
        }
    }

    /// A first contract has no seller and no price: what it reaches must not read them.
    private func checkOnlyChild(_ first: Set<Spot>) throws(TemplateRefusal) {
        let values = Set(template.values.enumerated().filter(\.element.onlyChild).map(\.offset))
        let roles = Set(template.roles.filter(\.onlyChild).map(\.name))
        guard !values.isEmpty || !roles.isEmpty else { return }
        func check(_ expressions: [Expression], _ place: Place) throws(TemplateRefusal) {
            for expression in expressions {
                if let index = expression.node.parameters.intersection(values).min() {
                    throw TemplateRefusal(place, .onlyChild(template.values[index].name))
                }
                if let role = expression.node.names.intersection(roles).min() {
                    throw TemplateRefusal(place, .onlyChild(role))
                }
            }
        }
        let begin = template.startFirst
        try check(begin.fields.sorted { $0.key < $1.key }.map(\.value), start)
        try check(begin.holds.sorted { $0.key < $1.key }.map(\.value), start)
        try check(template.lines.flatMap { [$0.units, $0.until] }, start)
        for family in template.families {
            for state in family.states
            where first.contains(Spot(family: family.name, state: state.name)) {
                switch state.waits {
                case .until(let until, _):
                    try check([until], state.place)
                    for move in moves(Spot(family: family.name, state: state.name)) {
                        // What a child is to be made of may well name what only a child has.
                        try check(move.expressions + move.says.expressions, move.place)
                    }
                case .pay(let pay):
                    try check(
                        [pay.from, pay.to, pay.amount] + (pay.by.map { [$0] } ?? [])
                            + pay.paid.expressions + pay.unpaid.expressions, state.place)
                case .dispute(let dispute):
                    try check(
                        dispute.between + [dispute.fallback] + dispute.ruled.expressions,
                        state.place)
                }
            }
        }
    }
}

extension Exit {
    var expressions: [Expression] {
        [to] + effects.flatMap(\.expressions)
            + lines.flatMap { [$0.units] + ($0.until.map { [$0] } ?? []) }
    }

    /// Whether the exit writes or reads main from another record.
    var touchesMain: Bool {
        effects.contains { if case .set(_, true, _) = $0 { true } else { false } }
            || expressions.contains { $0.node.readsMain }
    }
}

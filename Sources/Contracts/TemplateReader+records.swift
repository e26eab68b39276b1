extension TemplateReader {
    /// Names first: families, fields, holds and states, so that states may refer to each other.
    mutating func readFamilies(_ source: Source) throws(TemplateRefusal) {
        let pairs = try source.pairs("records", max: Self.familiesMax)
        guard let main = pairs.first, main.key == "main" else {
            throw TemplateRefusal(source.place, .expected("`main` as the first record"))
        }
        for pair in pairs {
            try checkName(pair.key, pair.place)
            if pair.key != "main", let first = globals[pair.key] {
                throw nameTwice(pair.key, pair.place, first, globals)
            }
            var keys = try Keys(pair.value)
            let shape = try keys.need("shape")
            let statesSource = try keys.need("states")
            try keys.finish()
            var scope = base
            var names = globals
            func claimed(_ name: String, _ place: Place) throws(TemplateRefusal) {
                guard Literal.isName(name) else { throw TemplateRefusal(place, .badName(name)) }
                guard !Self.reserved.contains(name) else {
                    throw TemplateRefusal(place, .nameReserved(name))
                }
                if let first = names.updateValue(place, forKey: name) {
                    throw nameTwice(name, place, first, names)
                }
            }
            var shapeKeys = try Keys(shape)
            var limit = Expression(text: "1", kind: .int, node: .number(1))
            if let source = shapeKeys.take("max") {
                limit = try formula(source, base, [.int])
                if case .number(let number) = limit.node {
                    guard number <= Self.recordsMax else {
                        throw TemplateRefusal(
                            source.place,
                            .tooMany(
                                "records", count: Int(clamping: number),
                                limit: Int(Self.recordsMax)))
                    }
                }
            }
            var fields: [Family.Field] = []
            for field in try shapeKeys.take("fields")?.pairs("fields") ?? [] {
                try claimed(field.key, field.place)
                let kind = try kindOf(field.value)
                switch kind {
                case .choice, .party, .text, .list, .schedule:
                    throw TemplateRefusal(
                        field.value.place, .expected("a number, instant, role or hash"))
                default: break
                }
                if case .map = field.value {
                    var keys = try Keys(field.value)
                    _ = keys.take("type")
                    if case .quantity = kind { _ = keys.take("line") }
                    try keys.finish()
                }
                scope.fields[field.key] = (fields.count, kind)
                fields.append(Family.Field(name: field.key, kind: kind))
            }
            var custody: [Family.Custody] = []
            for pair in try shapeKeys.take("custody")?.pairs("fields") ?? [] {
                guard let field = scope.fields[pair.key] else {
                    throw TemplateRefusal(
                        pair.place, .unknownName(pair.key, known: Set(scope.fields.keys)))
                }
                guard field.kind == .money else {
                    throw TemplateRefusal(
                        pair.place, .wrongKind(found: field.kind, wanted: [.money]))
                }
                custody.append(
                    Family.Custody(field: field.index, by: try formula(pair.value, scope, [.role])))
            }
            let holdPairs = try shapeKeys.take("holds")?.pairs("holds", max: 8) ?? []
            var finals: [Family.Final] = []
            for final in try shapeKeys.need("final").pairs("final states") {
                try claimed(final.key, final.place)
                finals.append(
                    Family.Final(
                        state: final.key, outcome: try outcome(final.value), place: final.place))
            }
            guard !finals.isEmpty else {
                throw TemplateRefusal(shape.place, .missingKey("final"))
            }
            try shapeKeys.finish()
            var holds: [Family.HoldRule] = []
            for hold in holdPairs {
                try claimed(hold.key, hold.place)
                var holdKeys = try Keys(hold.value)
                let ofSource = try holdKeys.need("of")
                let of = try formula(ofSource, base, [])
                guard case .quantity(let line) = of.kind else {
                    throw TemplateRefusal(
                        ofSource.place, .wrongKind(found: of.kind, wanted: [.quantity(line: 0)]))
                }
                holds.append(
                    Family.HoldRule(
                        name: hold.key, line: line, of: of,
                        from: try formula(try holdKeys.need("from"), scope, [.role]),
                        to: try formula(try holdKeys.need("to"), scope, [.role])))
                try holdKeys.finish()
                scope.holds[hold.key] = (holds.count - 1, .quantity(line: line))
            }
            let statePairs = try statesSource.pairs("states", max: Self.statesMax)
            for state in statePairs { try claimed(state.key, state.place) }
            scope.states = Set(statePairs.map(\.key)).union(finals.map(\.state))
            scope.family = pair.key
            scope.hasTime = true
            families.append(
                Family(
                    name: pair.key, max: limit, fields: fields, custody: custody, holds: holds,
                    finals: finals,
                    states: []))
            if pair.key != "main", let main = scopes.first {
                scope.readsMain = true
                scope.mainFields = main.fields
                scope.mainHolds = main.holds
            }
            scopes.append(scope)
            taken.append(names)
        }
    }

    mutating func readStates(_ source: Source) throws(TemplateRefusal) {
        for (index, pair) in try source.pairs("records", max: Self.familiesMax).enumerated() {
            var keys = try Keys(pair.value)
            let states = try keys.need("states")
            var rules: [StateRule] = []
            for state in try states.pairs("states", max: Self.statesMax) {
                rules.append(
                    StateRule(
                        name: state.key, place: state.place,
                        defaultPlace: state.value.value("default")?.place,
                        waits: try waiting(state, index)))
            }
            families[index].states = rules
        }
    }

    private func waiting(
        _ state: Source.Pair, _ family: Int
    ) throws(TemplateRefusal) -> StateRule.Waiting {
        let scope = scopes[family]
        var keys = try Keys(state.value)
        if let pay = keys.take("pay") {
            try keys.finish()
            var payKeys = try Keys(pay)
            var route = PayRule.Route.direct
            for (key, value) in [("into", PayRule.Route.intoEscrow), ("out_of", .outOfEscrow)] {
                guard let source = payKeys.take(key) else { continue }
                guard try source.text() == "escrow", route == .direct else {
                    throw TemplateRefusal(source.place, .expected("escrow, once"))
                }
                route = value
            }
            let by = try payKeys.take("by").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.instant])
            }
            let from = try formula(try payKeys.need("from"), scope, [.role])
            let to = try formula(try payKeys.need("to"), scope, [.role])
            let amount = try formula(try payKeys.need("amount"), scope, [.money])
            let paid = try exit(try payKeys.need("paid"), family, scope, claims: false)
            let unpaid = try exit(try payKeys.need("unpaid"), family, scope, claims: true)
            try payKeys.finish()
            return .pay(
                PayRule(
                    from: from, to: to, amount: amount, by: by, route: route, paid: paid.exit,
                    unpaid: unpaid.exit, claims: unpaid.claims))
        }
        if let dispute = keys.take("dispute") {
            try keys.finish()
            var disputeKeys = try Keys(dispute)
            let betweenSource = try disputeKeys.need("between")
            var between: [Expression] = []
            for item in try betweenSource.list("roles", max: 2) {
                between.append(try formula(item, scope, [.role]))
            }
            guard between.count == 2 else {
                throw TemplateRefusal(betweenSource.place, .expected("two roles"))
            }
            let fallback = try formula(try disputeKeys.need("default"), scope, [.bp])
            var ruled = scope
            ruled.hasRuling = true
            let exit = try exit(try disputeKeys.need("ruled"), family, ruled, claims: false).exit
            try disputeKeys.finish()
            return .dispute(DisputeRule(between: between, fallback: fallback, ruled: exit))
        }
        guard let until = keys.take("until"), let fallback = keys.take("default") else {
            throw TemplateRefusal(state.place, .defaultMissing(state: state.key))
        }
        try keys.finish()
        return .until(try formula(until, scope, [.instant]), default: try fallback.text())
    }

    private func exit(
        _ source: Source, _ family: Int, _ scope: Scope, claims mayClaim: Bool
    ) throws(TemplateRefusal) -> (exit: Exit, claims: Bool) {
        var keys = try Keys(source)
        let to = try formula(try keys.need("to"), scope, [.state])
        let effects = try effects(keys.take("do"), family, scope)
        var claims = false
        if mayClaim, let source = keys.take("claim") { claims = try source.flag() }
        try keys.finish()
        // No `line`: nobody whose line or grant it is signs a payment, its deadline or a ruling.
        return (Exit(to: to, effects: effects, lines: []), claims)
    }

    func effects(
        _ source: Source?, _ family: Int, _ scope: Scope
    ) throws(TemplateRefusal) -> [Effect] {
        var effects: [Effect] = []
        var made: Set<String> = []
        for item in try source?.list("effects", max: Self.effectsMax) ?? [] {
            effects.append(try effect(item, family, scope, &made))
        }
        return effects
    }

    private func effect(
        _ source: Source, _ family: Int, _ scope: Scope, _ made: inout Set<String>
    ) throws(TemplateRefusal) -> Effect {
        var keys = try Keys(source, "an effect")
        func hold(_ source: Source) throws(TemplateRefusal) -> (Int, ValueKind) {
            let name = try source.text()
            guard let found = scope.holds[name] else {
                throw TemplateRefusal(
                    source.place, .unknownName(name, known: Set(scope.holds.keys)))
            }
            return (found.index, found.kind)
        }
        if let set = keys.take("set") {
            let name = try set.text()
            let value = try keys.need("to")
            try keys.finish()
            if name.hasPrefix("main."), family != 0 {
                guard let field = scope.mainFields[String(name.dropFirst(5))] else {
                    throw TemplateRefusal(
                        set.place, .unknownName(name, known: settable(scope, family)))
                }
                return .set(
                    field: field.index, ofMain: true, to: try formula(value, scope, [field.kind]))
            }
            guard let field = scope.fields[name] else {
                throw TemplateRefusal(
                    set.place, .unknownName(name, known: settable(scope, family)))
            }
            return .set(
                field: field.index, ofMain: false, to: try formula(value, scope, [field.kind]))
        }
        if let make = keys.take("make") {
            let name = try make.text()
            let stateSource = try keys.need("state")
            let state = try stateSource.text()
            let with = keys.take("with")
            try keys.finish()
            guard let target = families.firstIndex(where: { $0.name == name }), target > 0 else {
                throw TemplateRefusal(
                    make.place, .unknownFamily(name, known: Set(families.dropFirst().map(\.name))))
            }
            guard made.insert(name).inserted else {
                throw TemplateRefusal(make.place, .madeTwice(name))
            }
            guard scopes[target].states.contains(state) else {
                throw TemplateRefusal(
                    stateSource.place,
                    .unknownState(state, family: name, known: Set(scopes[target].states)))
            }
            var values: [Int: Expression] = [:]
            for pair in try with?.pairs("fields") ?? [] {
                guard let field = scopes[target].fields[pair.key] else {
                    throw TemplateRefusal(
                        pair.place,
                        .unknownName(pair.key, known: Set(scopes[target].fields.keys)))
                }
                values[field.index] = try formula(pair.value, scope, [field.kind])
            }
            try checkComplete(target, values, make.place)
            return .make(family: target, state: state, with: values)
        }
        if let carve = keys.take("carve") {
            let (from, kind) = try hold(try keys.need("of"))
            let into = try keys.need("into")
            try keys.finish()
            let text = try into.text()
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
            let known = Set(
                zip(families, scopes).filter { made.contains($0.0.name) }
                    .flatMap { family, scope in scope.holds.keys.map { "\(family.name).\($0)" } })
            guard parts.count == 2, made.contains(parts[0]),
                let target = families.firstIndex(where: { $0.name == parts[0] })
            else { throw TemplateRefusal(into.place, .notMade(text, known: known)) }
            guard let found = scopes[target].holds[parts[1]] else {
                throw TemplateRefusal(into.place, .unknownName(text, known: known))
            }
            guard found.kind == kind else {
                throw TemplateRefusal(into.place, .wrongKind(found: found.kind, wanted: [kind]))
            }
            return .carve(
                try formula(carve, scope, [kind]), of: from, family: target, hold: found.index)
        }
        if let cut = keys.take("cut") {
            let (from, kind) = try hold(try keys.need("of"))
            try keys.finish()
            return .cut(try formula(cut, scope, [kind]), of: from)
        }
        if let post = keys.take("post") {
            let (from, kind) = try hold(try keys.need("of"))
            try keys.finish()
            return .post(try formula(post, scope, [kind]), of: from)
        }
        if let void = keys.take("void") {
            try keys.finish()
            return .void(try hold(void).0)
        }
        if let claim = keys.take("claim") {
            let from = try formula(try keys.need("from"), scope, [.role])
            let to = try formula(try keys.need("to"), scope, [.role])
            try keys.finish()
            return .claim(try formula(claim, scope, [.money]), from: from, to: to)
        }
        throw TemplateRefusal(
            source.place, .expected("set, make, carve, cut, post, void or claim"))
    }

    private func settable(_ scope: Scope, _ family: Int) -> Set<String> {
        let main = family == 0 ? [] : scope.mainFields.keys.map { "main.\($0)" }
        return Set(scope.fields.keys).union(main)
    }

    /// A role, hash or instant has no zero: a new record must be given it.
    func checkComplete(
        _ family: Int, _ values: [Int: Expression], _ place: Place
    ) throws(TemplateRefusal) {
        for (index, field) in families[family].fields.enumerated() where values[index] == nil {
            switch field.kind {
            case .role, .hash, .instant:
                throw TemplateRefusal(
                    place, .fieldMissing(field.name, family: families[family].name))
            default: break
            }
        }
    }

    func lineEffects(
        _ source: Source?, _ scope: Scope
    ) throws(TemplateRefusal) -> [LineEffect] {
        var effects: [LineEffect] = []
        for item in try source?.list("line effects", max: 8) ?? [] {
            var keys = try Keys(item)
            var line = 0
            if let source = keys.take("line") {
                guard let number = Literal.whole(try source.text()), number < 8 else {
                    throw TemplateRefusal(source.place, .expected("the index of a line"))
                }
                line = Int(number)
            }
            var found: (LineNeed.Kind, Source)?
            for kind in [LineNeed.Kind.firm, .split, .release] where found == nil {
                if let source = keys.take(kind.rawValue) { found = (kind, source) }
            }
            guard let (kind, units) = found else {
                throw TemplateRefusal(item.place, .expected("firm, split or release"))
            }
            var until: Expression?
            if kind == .firm { until = try formula(try keys.need("until"), scope, [.instant]) }
            try keys.finish()
            effects.append(
                LineEffect(
                    kind: kind, units: try formula(units, scope, [.quantity(line: line)]),
                    until: until, line: line))
        }
        return effects
    }

    func readStart(
        _ source: Source
    ) throws(TemplateRefusal) -> (Template.Start, Template.Start?) {
        var keys = try Keys(source)
        let first = try start(try keys.need("first"))
        let child = try keys.take("child").map { source throws(TemplateRefusal) in
            try start(source)
        }
        try keys.finish()
        return (first, child)
    }

    private func start(_ source: Source) throws(TemplateRefusal) -> Template.Start {
        var outer = try Keys(source)
        let main = try outer.need("main")
        try outer.finish()
        var state = ""
        var fields: [Int: Expression] = [:]
        var holds: [Int: Expression] = [:]
        for pair in try main.pairs("fields") {
            if pair.key == "state" {
                state = try pair.value.text()
                guard scopes[0].states.contains(state) else {
                    throw TemplateRefusal(
                        pair.value.place,
                        .unknownState(state, family: "main", known: Set(scopes[0].states)))
                }
            } else if let field = scopes[0].fields[pair.key] {
                fields[field.index] = try formula(pair.value, base, [field.kind])
            } else if let hold = scopes[0].holds[pair.key] {
                holds[hold.index] = try formula(pair.value, base, [hold.kind])
            } else {
                let known = Set(scopes[0].fields.keys).union(scopes[0].holds.keys).union(["state"])
                throw TemplateRefusal(pair.place, .unknownName(pair.key, known: known))
            }
        }
        guard !state.isEmpty else { throw TemplateRefusal(main.place, .missingKey("state")) }
        try checkComplete(0, fields, main.place)
        return Template.Start(state: state, fields: fields, holds: holds)
    }
}

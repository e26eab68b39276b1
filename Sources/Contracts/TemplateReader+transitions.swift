extension TemplateReader {
    mutating func readTransitions(_ source: Source) throws(TemplateRefusal) -> [Transition] {
        var transitions: [Transition] = []
        var seen: [String: Place] = [:]
        for pair in try source.pairs("transitions", max: Self.transitionsMax) {
            guard BuiltIn(rawValue: pair.key) == nil else {
                throw TemplateRefusal(pair.place, .nameReserved(pair.key))
            }
            try checkName(pair.key, pair.place)
            let transition = try transition(pair)
            if !transition.isDefault {
                let key =
                    [transition.verb, transition.family, transition.by.joined(separator: "+")]
                    .joined(separator: "/") + "/" + transition.state
                guard seen.updateValue(pair.place, forKey: key) == nil else {
                    throw TemplateRefusal(pair.place, .verbTwice(transition.verb))
                }
            }
            transitions.append(transition)
        }
        return transitions
    }

    private func transition(_ pair: Source.Pair) throws(TemplateRefusal) -> Transition {
        var keys = try Keys(pair.value, "a transition")
        let at = try keys.need("at")
        let parts = try at.text().split(separator: ".", omittingEmptySubsequences: false)
            .map(String.init)
        guard parts.count == 2 else {
            throw TemplateRefusal(at.place, .expected("a record and its state, like main.open"))
        }
        guard let family = families.firstIndex(where: { $0.name == parts[0] }) else {
            throw TemplateRefusal(
                at.place, .unknownFamily(parts[0], known: Set(families.map(\.name))))
        }
        guard let rule = families[family].rule(parts[1]) else {
            let known = families[family].states.filter {
                if case .until = $0.waits { true } else { false }
            }
            throw TemplateRefusal(
                at.place,
                .unknownState(parts[1], family: parts[0], known: Set(known.map(\.name))))
        }
        guard case .until = rule.waits else {
            throw TemplateRefusal(
                at.place,
                .expected("a state with `until`; payments and disputes move by themselves"))
        }
        var scope = scopes[family]
        var arguments: [Parameter] = []
        var hashes = 0
        for argument in try keys.take("args")?.pairs("arguments", max: 16) ?? [] {
            try checkName(argument.key, argument.place)
            guard !Self.reserved.contains(argument.key) else {
                throw TemplateRefusal(argument.place, .nameReserved(argument.key))
            }
            if let first = taken[family][argument.key] {
                throw nameTwice(argument.key, argument.place, first, taken[family])
            }
            let read = try parameter(argument, base)
            if read.kind == .hash { hashes += 1 }
            guard hashes <= 1 else {
                throw TemplateRefusal(
                    argument.place, .tooMany("arguments of type hash", count: 2, limit: 1))
            }
            scope.arguments[argument.key] = (arguments.count, read.kind)
            arguments.append(read)
        }
        let (isDefault, who) = try readBy(try keys.need("by"), scope)
        var with: [Expression] = []
        if let source = keys.take("with") { with = try people(source, scope) }
        let after = try keys.take("after").map { source throws(TemplateRefusal) in
            try formula(source, scope, [.instant])
        }
        let require = try requirements(keys.take("require"), scope)
        let to = try formula(try keys.need("to"), scope, [.state])
        let effects = try effects(keys.take("do"), family, scope)
        let lines = try lineEffects(keys.take("line"), scope)
        let child = try keys.take("child").map { source throws(TemplateRefusal) in
            try readChild(source, scope)
        }
        let says = try phrase(try keys.need("says"), scope)
        let late = try keys.take("late")?.flag() ?? false
        let verb = try keys.take("verb")?.text()
        try keys.finish()
        if isDefault, !arguments.isEmpty || !with.isEmpty || !lines.isEmpty {
            throw TemplateRefusal(
                pair.place,
                .expected("a default without `args`, `with` and `line`: nobody signs it"))
        }
        return Transition(
            name: pair.key, family: parts[0], state: parts[1],
            verb: isDefault ? "default" : verb ?? "\(templateName) \(pair.key)",
            arguments: arguments, isDefault: isDefault, who: who, with: with, after: after,
            require: require, to: to, effects: effects, lines: lines, child: child, says: says,
            late: late, place: pair.place)
    }

    private func readBy(
        _ source: Source, _ scope: Scope
    ) throws(TemplateRefusal) -> (Bool, [Expression]) {
        if case .text("default", _) = source { return (true, []) }
        return (false, try people(source, scope))
    }

    private func people(_ source: Source, _ scope: Scope) throws(TemplateRefusal) -> [Expression] {
        var people: [Expression] = []
        let items: [Source]
        if case .list = source {
            items = try source.list("roles", max: 8)
        } else {
            items = [source]
        }
        for item in items { people.append(try formula(item, scope, [.role, .list(.role)])) }
        guard !people.isEmpty else { throw TemplateRefusal(source.place, .expected("a role")) }
        return people
    }

    private func requirements(
        _ source: Source?, _ scope: Scope
    ) throws(TemplateRefusal) -> [Transition.Requirement] {
        var requirements: [Transition.Requirement] = []
        for item in try source?.list("conditions", max: 16) ?? [] {
            if case .map = item {
                var keys = try Keys(item)
                let that = try formula(try keys.need("that"), scope, [.truth])
                let message = Phrase(
                    en: try parts(try keys.need("en"), scope),
                    zh: try parts(try keys.need("zh"), scope))
                try keys.finish()
                requirements.append(.init(that: that, message: message))
            } else {
                requirements.append(
                    .init(that: try formula(item, scope, [.truth]), message: nil))
            }
        }
        return requirements
    }

    private func readChild(
        _ source: Source, _ scope: Scope
    ) throws(TemplateRefusal) -> Transition.ChildRule {
        var keys = try Keys(source)
        var childRoles: [String: Expression] = [:]
        for pair in try keys.take("roles")?.pairs("roles") ?? [] {
            guard roles.contains(where: { $0.name == pair.key && $0.many == nil }) else {
                throw TemplateRefusal(
                    pair.place, .unknownName(pair.key, known: roleNames { $0.many == nil }))
            }
            childRoles[pair.key] = try formula(pair.value, scope, [.role, .party])
        }
        var childParameters: [String: Expression] = [:]
        for pair in try keys.take("parameters")?.pairs("parameters") ?? [] {
            guard let found = base.parameters[pair.key] else {
                throw TemplateRefusal(
                    pair.place, .unknownName(pair.key, known: Set(base.parameters.keys)))
            }
            childParameters[pair.key] = try formula(pair.value, scope, [found.kind])
        }
        try keys.finish()
        return Transition.ChildRule(roles: childRoles, parameters: childParameters)
    }
}

extension TemplateReader {
    // MARK: Words

    func readOutcomes(_ source: Source) throws(TemplateRefusal) -> [Template.OutcomeRule] {
        var scope = base
        scope.readsAcross = true
        scope.families = Dictionary(
            uniqueKeysWithValues: families.enumerated().map { ($0.element.name, $0.offset) })
        if let main = scopes.first {
            scope.mainFields = main.fields
            scope.mainHolds = main.holds
            scope.mainStates = main.states
            scope.family = "main"
        }
        var rules: [Template.OutcomeRule] = []
        let items = try source.list("outcomes", max: 16)
        for item in items {
            var keys = try Keys(item)
            let when = try keys.take("when").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.truth])
            }
            let outcome = try keys.need("is")
            rules.append(Template.OutcomeRule(when: when, outcome: try self.outcome(outcome)))
            try keys.finish()
        }
        guard let last = rules.last, last.when == nil else {
            throw TemplateRefusal(
                items.last?.place ?? source.place, .expected("a last line without `when`"))
        }
        return rules
    }

    func outcome(_ source: Source) throws(TemplateRefusal) -> ContractOutcome {
        guard let outcome = ContractOutcome(rawValue: try source.text()),
            ContractOutcome.final.contains(outcome)
        else {
            throw TemplateRefusal(
                source.place, .expected("fulfilled, lapsed, cancelled or defaulted"))
        }
        return outcome
    }

    func readWorst(_ source: Source?) throws(TemplateRefusal) -> [String: Template.Worst] {
        var worst: [String: Template.Worst] = [:]
        for pair in try source?.pairs("roles") ?? [] {
            guard let role = roles.first(where: { $0.name == pair.key }) else {
                throw TemplateRefusal(
                    pair.place, .unknownName(pair.key, known: roleNames { _ in true }))
            }
            var scope = base
            scope.hasMember = role.many != nil
            var keys = try Keys(pair.value)
            let loses = try keys.take("loses").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.money])
            }
            let child = try keys.take("child").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.money])
            }
            let says = Phrase(
                en: try parts(try keys.need("en"), scope), zh: try parts(try keys.need("zh"), scope)
            )
            try keys.finish()
            worst[pair.key] = Template.Worst(
                says: says, loses: loses, child: child, place: pair.place)
        }
        return worst
    }

    func readNotes(_ source: Source?) throws(TemplateRefusal) -> [Template.Note] {
        var scope = scopes.first ?? base
        scope.hasTime = false
        var notes: [Template.Note] = []
        for item in try source?.list("notes", max: 16) ?? [] {
            var keys = try Keys(item)
            let when = try keys.take("when").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.truth])
            }
            let says = Phrase(
                en: try parts(try keys.need("en"), scope),
                zh: try parts(try keys.need("zh"), scope))
            try keys.finish()
            notes.append(Template.Note(when: when, says: says))
        }
        return notes
    }
}

internal import Identity

/// Builds a template from its source, in the order of the file; each part sees only what stands before.
struct TemplateReader {
    static let parametersMax = 64
    static let familiesMax = 16
    static let statesMax = 64
    static let transitionsMax = 96
    static let effectsMax = 16
    static let recordsMax: Int64 = 1024

    /// Words of the language itself.
    static let reserved: Set<String> = [
        "if", "then", "else", "and", "or", "not", "time", "ruling", "main", "grant_by", "accept_by",
        "state", "default", "party", "member",
    ]

    var base = Scope()
    /// Where each name got its meaning.
    var globals: [String: Place] = [:]
    var roles: [Role] = []
    var parameters: [Parameter] = []
    var terms: [Parameter] = []
    var families: [Family] = []
    /// Where each family's states stand, for messages.
    var scopes: [Scope] = []
    var taken: [[String: Place]] = []
    /// Which term a role's clock stops for, and where that is written.
    var stops: [(term: String, place: Place)] = []
    var templateName = ""
    var templateVerb: String?

    mutating func template(
        _ source: Source, bytes: [UInt8]
    ) throws(TemplateRefusal) -> Template {
        var keys = try Keys(source, "a template")
        let version = try keys.need("talea")
        guard try version.text() == "1" else {
            throw TemplateRefusal(version.place, .version(try version.text()))
        }
        templateName = try readTemplateName(try keys.need("name"))
        let title = try keys.need("title").localized()
        templateVerb = try keys.take("verb").map { source throws(TemplateRefusal) in
            try source.text()
        }
        let sequencer = try keys.need("sequencer")
        try readRoles(try keys.need("roles"))
        let sequencerRole = try sequencer.text()
        guard let writer = roles.first(where: { $0.name == sequencerRole }), writer.many == nil,
            !writer.onlyChild
        else {
            throw TemplateRefusal(
                sequencer.place,
                .unknownName(
                    sequencerRole, known: roleNames { $0.many == nil && !$0.onlyChild }))
        }
        try readParameters(try keys.need("parameters"), terms: try keys.need("terms"))
        try checkStops()
        let checks = try readChecks(keys.take("check"))
        let lines = try readLines(try keys.need("line"))
        var payments = try Keys(try keys.need("payments"))
        let within = try formula(try payments.need("within"), base, [.duration])
        let confirm = try formula(try payments.need("confirm"), base, [.duration])
        let denied = try payments.need("denied")
        guard ["paid", "unpaid"].contains(try denied.text()) else {
            throw TemplateRefusal(denied.place, .expected("paid or unpaid"))
        }
        try payments.finish()
        var disputes = try Keys(try keys.need("disputes"))
        let arbiter = try disputes.need("arbiter")
        let arbiterRole = try arbiter.text()
        guard let role = roles.first(where: { $0.name == arbiterRole }), role.kind == .third,
            role.many == nil, !role.onlyChild
        else { throw TemplateRefusal(arbiter.place, .noArbiter) }
        let ruleWithin = try formula(try disputes.need("within"), base, [.duration])
        try disputes.finish()
        let records = try keys.need("records")
        try readFamilies(records)
        try readStates(records)
        let start = try keys.need("start")
        let (first, child) = try readStart(start)
        let transitionsSource = try keys.need("transitions")
        let transitions = try readTransitions(transitionsSource)
        let outcomes = try readOutcomes(try keys.need("outcome"))
        let worst = try readWorst(keys.take("worst"))
        let notes = try readNotes(keys.take("notes"))
        let prose = try phrase(try keys.need("prose"), base)
        try keys.finish()
        let template = Template(
            bytes: bytes, hash: SHA256.hash(bytes), name: templateName, title: title,
            sequencerRole: sequencerRole, verb: templateVerb, roles: roles, parameters: parameters,
            terms: terms, lines: lines, transitions: transitions, arbiterRole: arbiterRole,
            checks: checks, within: within, confirm: confirm,
            deniedIsPaid: try denied.text() == "paid", ruleWithin: ruleWithin, families: families,
            startFirst: first, startChild: child, outcomes: outcomes, worst: worst, prose: prose,
            notes: notes)
        try TemplateChecks(template: template, start: start.place).run()
        return template
    }

    func readTemplateName(_ source: Source) throws(TemplateRefusal) -> String {
        let name = try source.text()
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard name.utf8.count <= 64, parts.allSatisfy({ Literal.isName(String($0)) }) else {
            throw TemplateRefusal(source.place, .badName(name))
        }
        return name
    }

    // MARK: Names

    /// No name is used twice in what one formula can see.
    mutating func claim(_ name: String, _ place: Place) throws(TemplateRefusal) {
        guard !Self.reserved.contains(name) else {
            throw TemplateRefusal(place, .nameReserved(name))
        }
        if let first = globals.updateValue(place, forKey: name) {
            throw nameTwice(name, place, first, globals)
        }
    }

    func nameTwice(
        _ name: String, _ place: Place, _ first: Place, _ taken: [String: Place]
    ) -> TemplateRefusal {
        var number = 2
        var free = "\(name)_2"
        while taken[free] != nil {
            number += 1
            free = "\(name)_\(number)"
        }
        return TemplateRefusal(place, .nameTwice(name, first: first.line, free: free))
    }

    func roleNames(_ fits: (Role) -> Bool) -> Set<String> {
        Set(roles.filter(fits).map(\.name))
    }

    func checkName(_ name: String, _ place: Place) throws(TemplateRefusal) {
        guard Literal.isName(name) else { throw TemplateRefusal(place, .badName(name)) }
    }

    func formula(
        _ source: Source, _ scope: Scope, _ wanted: [ValueKind]
    ) throws(TemplateRefusal) -> Expression {
        try ExpressionReader.read(try source.text(), at: source.place, in: scope, wanted: wanted)
    }

    /// A sentence with `{formulas}` in both languages.
    func phrase(_ source: Source, _ scope: Scope) throws(TemplateRefusal) -> Phrase {
        var keys = try Keys(source, "{en: …, zh: …}")
        let result = Phrase(
            en: try parts(try keys.need("en"), scope), zh: try parts(try keys.need("zh"), scope))
        try keys.finish()
        return result
    }

    func parts(_ source: Source, _ scope: Scope) throws(TemplateRefusal) -> [Phrase.Part] {
        let text = Array(try source.text().unicodeScalars)
        var parts: [Phrase.Part] = []
        var run = String.UnicodeScalarView()
        var index = 0
        while index < text.count {
            guard text[index] == "{" else {
                run.append(text[index])
                index += 1
                continue
            }
            guard let end = text[index...].firstIndex(of: "}") else {
                throw TemplateRefusal(source.place.shifted(index), .expected("a closing }"))
            }
            if !run.isEmpty { parts.append(.text(String(run))) }
            run = String.UnicodeScalarView()
            var inner = String.UnicodeScalarView()
            inner.append(contentsOf: text[(index + 1)..<end])
            parts.append(
                .value(
                    try ExpressionReader.read(
                        String(inner), at: source.place.shifted(index + 1), in: scope)))
            index = end + 1
        }
        if !run.isEmpty { parts.append(.text(String(run))) }
        return parts
    }

    // MARK: Checks and lines

    func readChecks(_ source: Source?) throws(TemplateRefusal) -> [Template.Check] {
        var checks: [Template.Check] = []
        let childOnly = Set(
            (parameters + terms).enumerated().filter(\.element.onlyChild).map(\.offset))
        for item in try source?.list("checks") ?? [] {
            var keys = try Keys(item)
            let that = try formula(try keys.need("that"), base, [.truth])
            let message = Phrase(
                en: try parts(try keys.need("en"), base), zh: try parts(try keys.need("zh"), base))
            try keys.finish()
            checks.append(
                Template.Check(
                    that: that, message: message,
                    onlyChild: !that.node.parameters.isDisjoint(with: childOnly)))
        }
        return checks
    }

    func readLines(_ source: Source) throws(TemplateRefusal) -> [LineRule] {
        let items: [Source]
        if case .list = source {
            items = try source.list("lines", max: 8)
        } else {
            items = [source]
        }
        var rules: [LineRule] = []
        for (index, item) in items.enumerated() {
            var keys = try Keys(item)
            let issuer = try singleRole(try keys.need("issuer"))
            let holder = try singleRole(try keys.need("holder"))
            let worth = try keys.take("worth").map { source throws(TemplateRefusal) in
                try formula(source, base, [.money])
            }
            rules.append(
                LineRule(
                    issuer: issuer, holder: holder,
                    units: try formula(try keys.need("units"), base, [.quantity(line: index)]),
                    until: try formula(try keys.need("until"), base, [.instant]), worth: worth))
            try keys.finish()
        }
        return rules
    }

    func singleRole(_ source: Source) throws(TemplateRefusal) -> String {
        let name = try source.text()
        guard let role = roles.first(where: { $0.name == name }), role.many == nil,
            role.kind == .party, !role.onlyChild
        else {
            throw TemplateRefusal(
                source.place,
                .unknownName(
                    name,
                    known: roleNames { $0.many == nil && $0.kind == .party && !$0.onlyChild }))
        }
        return name
    }
}

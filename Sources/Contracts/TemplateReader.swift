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
        "state", "default", "party",
    ]

    var base = Scope()
    var globals: Set<String> = []
    var roles: [Role] = []
    var parameters: [Parameter] = []
    var terms: [Parameter] = []
    var families: [Family] = []
    /// Where each family's states stand, for messages.
    var scopes: [Scope] = []
    var taken: [Set<String>] = []
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
        else { throw TemplateRefusal(sequencer.place, .unknownName(sequencerRole)) }
        try readParameters(try keys.need("parameters"), terms: try keys.need("terms"))
        try checkStops(source)
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

    private func readTemplateName(_ source: Source) throws(TemplateRefusal) -> String {
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
        guard globals.insert(name).inserted else { throw TemplateRefusal(place, .nameTwice(name)) }
    }

    func checkName(_ name: String, _ place: Place) throws(TemplateRefusal) {
        guard Literal.isName(name) else { throw TemplateRefusal(place, .badName(name)) }
    }

    func formula(
        _ source: Source, _ scope: Scope, _ wanted: [Kind]
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

    // MARK: Roles and parameters

    private mutating func readRoles(_ source: Source) throws(TemplateRefusal) {
        for pair in try source.pairs("roles", max: 16) {
            try checkName(pair.key, pair.place)
            try claim(pair.key, pair.place)
            var keys = try Keys(pair.value)
            let kindSource = try keys.need("kind")
            guard let kind = Role.Kind(rawValue: try kindSource.text()) else {
                throw TemplateRefusal(kindSource.place, .expected("party or third"))
            }
            var many: ClosedRange<Int>?
            if let source = keys.take("many") {
                many = try range(source, limit: 8)
            }
            let onlyChild = try readOnly(keys.take("only"))
            let stop = try keys.take("stop")?.text()
            let title = try keys.take("title")?.localized()
            try keys.finish()
            base.roles[pair.key] = many != nil
            roles.append(
                Role(
                    name: pair.key, kind: kind, many: many, onlyChild: onlyChild, stop: stop,
                    title: title ?? Localized(en: pair.key, zh: pair.key)))
        }
    }

    private func checkStops(_ source: Source) throws(TemplateRefusal) {
        for role in roles {
            guard let stop = role.stop else { continue }
            guard base.parameters[stop]?.kind == .duration else {
                throw TemplateRefusal(source.place, .unknownName(stop))
            }
        }
    }

    private func readOnly(_ source: Source?) throws(TemplateRefusal) -> Bool {
        guard let source else { return false }
        guard try source.text() == "child" else {
            throw TemplateRefusal(source.place, .expected("child"))
        }
        return true
    }

    private func range(_ source: Source, limit: Int) throws(TemplateRefusal) -> ClosedRange<Int> {
        let text = try source.text()
        let ends = text.split(separator: ".", omittingEmptySubsequences: true)
        guard ends.count == 2, text.contains(".."), let low = Literal.whole(ends[0]),
            let high = Literal.whole(ends[1]), low >= 1, low <= high, high <= Int64(limit)
        else { throw TemplateRefusal(source.place, .expected("a range like 2..\(limit)")) }
        return Int(low)...Int(high)
    }

    private mutating func readParameters(
        _ source: Source, terms termsSource: Source
    ) throws(TemplateRefusal) {
        let pairs = try source.pairs("parameters", max: Self.parametersMax)
        let termPairs = try termsSource.pairs("terms", max: Self.parametersMax - pairs.count)
        for (index, pair) in (pairs + termPairs).enumerated() {
            try checkName(pair.key, pair.place)
            try claim(pair.key, pair.place)
            let kind: Kind = index < pairs.count ? try kindOf(pair.value) : .duration
            if case .choice(let options) = kind {
                for option in options {
                    try claim(option, pair.value.place)
                    base.options[option] = kind
                }
            }
            base.parameters[pair.key] = (index, kind)
        }
        for pair in pairs { parameters.append(try parameter(pair, base)) }
        for pair in termPairs {
            let text = try pair.value.text()
            guard let span = Literal.duration(text), span >= 60_000, span <= 90 * 86_400_000 else {
                throw TemplateRefusal(pair.value.place, .badLiteral(text, .duration))
            }
            terms.append(
                Parameter(
                    name: pair.key, kind: .duration, defaultText: text,
                    minimum: Expression(
                        text: "1m", kind: .duration, node: .number(60_000)),
                    maximum: Expression(
                        text: "90d", kind: .duration, node: .number(90 * 86_400_000)),
                    fallback: .number(span)))
        }
    }

    /// `quantity`, or `{type: quantity, line: 1, …}`.
    func kindOf(_ source: Source) throws(TemplateRefusal) -> Kind {
        if case .text(let text, let place) = source { return try simple(text, place) }
        guard case .map(let pairs, let place) = source else {
            throw TemplateRefusal(source.place, .expected("a type"))
        }
        func value(_ key: String) -> Source? { pairs.first { $0.key == key }?.value }
        guard let type = value("type") else { throw TemplateRefusal(place, .missingKey("type")) }
        let of = value("of")
        switch try type.text() {
        case "quantity":
            guard let line = value("line") else { return .quantity(line: 0) }
            guard let number = Literal.whole(try line.text()), number < 8 else {
                throw TemplateRefusal(line.place, .expected("the index of a line"))
            }
            return .quantity(line: Int(number))
        case "choice":
            guard let of else { throw TemplateRefusal(place, .missingKey("of")) }
            var options: [String] = []
            for option in try of.list("names", max: 16) { options.append(try option.name()) }
            return .choice(options)
        case "list":
            guard let of else { throw TemplateRefusal(place, .missingKey("of")) }
            let item = try simple(try of.text(), of.place)
            guard item.isNumber || item == .bp || item == .hash else {
                throw TemplateRefusal(of.place, .expected("a number, instant or hash"))
            }
            return .list(item)
        case "schedule":
            guard let of else { throw TemplateRefusal(place, .missingKey("of")) }
            let total = try of.text()
            guard base.parameters[total]?.kind == .money else {
                throw TemplateRefusal(of.place, .unknownName(total))
            }
            return .schedule(of: total)
        default:
            return try simple(try type.text(), type.place)
        }
    }

    private func simple(_ text: String, _ place: Place) throws(TemplateRefusal) -> Kind {
        switch text {
        case "int": return .int
        case "quantity": return .quantity(line: 0)
        case "money": return .money
        case "price": return .price
        case "bp": return .bp
        case "instant": return .instant
        case "duration": return .duration
        case "role": return .role
        case "party": return .party
        case "hash": return .hash
        case "text": return .text
        default:
            throw TemplateRefusal(
                place,
                .expected(
                    "int, quantity, money, price, bp, instant, duration, choice, role, party, "
                        + "hash, text, list or schedule"))
        }
    }

    func parameter(_ pair: Source.Pair, _ scope: Scope) throws(TemplateRefusal) -> Parameter {
        let kind = try kindOf(pair.value)
        if case .text = pair.value { return Parameter(name: pair.key, kind: kind) }
        var keys = try Keys(pair.value)
        _ = keys.take("type")
        if case .choice = kind { _ = keys.take("of") }
        if case .list = kind { _ = keys.take("of") }
        if case .schedule = kind { _ = keys.take("of") }
        if case .quantity = kind { _ = keys.take("line") }
        var minimum: Expression?
        var maximum: Expression?
        if kind.isNumber || kind == .bp {
            if let source = keys.take("min") { minimum = try formula(source, scope, [kind]) }
            if let source = keys.take("max") { maximum = try formula(source, scope, [kind]) }
        }
        var count: ClosedRange<Int>?
        var countRule: Expression?
        var rising = false
        if case .list = kind.seen, let source = keys.take("count") {
            if try source.text().contains("..") {
                count = try range(source, limit: 64)
            } else {
                countRule = try formula(source, scope, [.int])
            }
        }
        if case .list = kind, let source = keys.take("order") {
            guard try source.text() == "rising" else {
                throw TemplateRefusal(source.place, .expected("rising"))
            }
            rising = true
        }
        var fallback: Datum?
        var defaultText: String?
        if let source = keys.take("default") {
            (fallback, defaultText) = try literal(source, kind)
        }
        let onlyChild = try readOnly(keys.take("only"))
        let title = try keys.take("title")?.localized()
        try keys.finish()
        return Parameter(
            name: pair.key, kind: kind, title: title, defaultText: defaultText,
            onlyChild: onlyChild, minimum: minimum, maximum: maximum, fallback: fallback,
            count: count, countRule: countRule, rising: rising)
    }

    /// A default: the value, and how a person would type it.
    private func literal(
        _ source: Source, _ kind: Kind
    ) throws(TemplateRefusal) -> (Datum, String) {
        if case .list(let items, _) = source {
            let item: Kind
            switch kind {
            case .list(let inner): item = inner
            case .schedule: item = .bp
            default: throw TemplateRefusal(source.place, .badLiteral("[…]", kind))
            }
            var data: [Datum] = []
            var texts: [String] = []
            for one in items {
                let (datum, text) = try literal(one, item)
                data.append(datum)
                texts.append(text)
            }
            return (.list(data), "[" + texts.joined(separator: ", ") + "]")
        }
        let text = try source.text()
        let number: Int64?
        switch kind {
        case .duration: number = Literal.duration(text)
        case .bp: number = Literal.share(text) ?? Literal.whole(text)
        case .int: number = Literal.signed(text)
        case .quantity, .money, .price: number = Literal.whole(text)
        case .choice(let options):
            guard options.contains(text) else {
                throw TemplateRefusal(source.place, .badLiteral(text, kind))
            }
            return (.name(text), text)
        default: number = nil
        }
        guard let number, kind.admits(number) else {
            throw TemplateRefusal(source.place, .badLiteral(text, kind))
        }
        let typed = kind == .money || kind == .price ? Display.decimal(number, grouped: false) : text
        return (.number(number), typed)
    }

    // MARK: Checks and lines

    private func readChecks(_ source: Source?) throws(TemplateRefusal) -> [Template.Check] {
        var checks: [Template.Check] = []
        let childOnly = Set((parameters + terms).enumerated().filter(\.element.onlyChild).map(\.offset))
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

    private func readLines(_ source: Source) throws(TemplateRefusal) -> [LineRule] {
        let items: [Source]
        if case .list = source { items = try source.list("lines", max: 8) } else { items = [source] }
        var rules: [LineRule] = []
        for (index, item) in items.enumerated() {
            var keys = try Keys(item)
            let issuer = try singleRole(try keys.need("issuer"))
            let holder = try singleRole(try keys.need("holder"))
            rules.append(
                LineRule(
                    issuer: issuer, holder: holder,
                    units: try formula(try keys.need("units"), base, [.quantity(line: index)]),
                    until: try formula(try keys.need("until"), base, [.instant])))
            try keys.finish()
        }
        return rules
    }

    private func singleRole(_ source: Source) throws(TemplateRefusal) -> String {
        let name = try source.text()
        guard let role = roles.first(where: { $0.name == name }), role.many == nil,
            role.kind == .party, !role.onlyChild
        else { throw TemplateRefusal(source.place, .unknownName(name)) }
        return name
    }

    // MARK: Words

    private func readOutcomes(_ source: Source) throws(TemplateRefusal) -> [Template.OutcomeRule] {
        var scope = base
        scope.readsAcross = true
        scope.families = Dictionary(
            uniqueKeysWithValues: families.enumerated().map { ($0.element.name, $0.offset) })
        if let main = scopes.first {
            scope.mainFields = main.fields
            scope.mainHolds = main.holds
            scope.mainStates = main.states
        }
        var rules: [Template.OutcomeRule] = []
        for item in try source.list("outcomes", max: 16) {
            var keys = try Keys(item)
            let when = try keys.take("when").map { source throws(TemplateRefusal) in
                try formula(source, scope, [.truth])
            }
            let outcome = try keys.need("is")
            rules.append(Template.OutcomeRule(when: when, outcome: try self.outcome(outcome)))
            try keys.finish()
        }
        guard let last = rules.last, last.when == nil else {
            throw TemplateRefusal(source.place, .expected("a last line without `when`"))
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

    private func readWorst(_ source: Source?) throws(TemplateRefusal) -> [String: Phrase] {
        var worst: [String: Phrase] = [:]
        for pair in try source?.pairs("roles") ?? [] {
            guard roles.contains(where: { $0.name == pair.key }) else {
                throw TemplateRefusal(pair.place, .unknownName(pair.key))
            }
            worst[pair.key] = try phrase(pair.value, base)
        }
        return worst
    }

    private func readNotes(_ source: Source?) throws(TemplateRefusal) -> [Template.Note] {
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

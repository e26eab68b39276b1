internal import Capacity
internal import Identity

extension TemplateReader {
    // MARK: Roles and parameters

    mutating func readRoles(_ source: Source) throws(TemplateRefusal) {
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
            let stopSource = keys.take("stop")
            let stop = try stopSource?.text()
            if let stop, let place = stopSource?.place { stops.append((stop, place)) }
            let title = try keys.take("title")?.localized()
            try keys.finish()
            base.roles[pair.key] = many != nil
            roles.append(
                Role(
                    name: pair.key, kind: kind, many: many, onlyChild: onlyChild, stop: stop,
                    title: title ?? Localized(en: pair.key, zh: pair.key)))
        }
    }

    func checkStops() throws(TemplateRefusal) {
        for (term, place) in stops where base.parameters[term]?.kind != .duration {
            throw TemplateRefusal(
                place, .unknownName(term, known: parameterNames { $0 == .duration }))
        }
    }

    func parameterNames(_ fits: (ValueKind) -> Bool) -> Set<String> {
        Set(base.parameters.filter { fits($0.value.kind) }.keys)
    }

    func readOnly(_ source: Source?) throws(TemplateRefusal) -> Bool {
        guard let source else { return false }
        guard try source.text() == "child" else {
            throw TemplateRefusal(source.place, .expected("child"))
        }
        return true
    }

    func range(_ source: Source, limit: Int) throws(TemplateRefusal) -> ClosedRange<Int> {
        let text = try source.text()
        let ends = text.split(separator: ".", omittingEmptySubsequences: false)
        guard ends.count == 3, ends[1].isEmpty, let low = Literal.whole(ends[0]),
            let high = Literal.whole(ends[2]), low >= 1, low <= high, high <= Int64(limit)
        else { throw TemplateRefusal(source.place, .expected("a range like 2..\(limit)")) }
        return Int(low)...Int(high)
    }

    mutating func readParameters(
        _ source: Source, terms termsSource: Source
    ) throws(TemplateRefusal) {
        let pairs = try source.pairs("parameters", max: Self.parametersMax)
        let termPairs = try termsSource.pairs("terms", max: Self.parametersMax - pairs.count)
        for (index, pair) in (pairs + termPairs).enumerated() {
            try checkName(pair.key, pair.place)
            try claim(pair.key, pair.place)
            let kind: ValueKind = index < pairs.count ? try kindOf(pair.value) : .duration
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
                throw TemplateRefusal(
                    pair.value.place, .termOutside(text, least: "1m", most: "90d"))
            }
            terms.append(
                Parameter(
                    name: pair.key, kind: .duration, title: Self.title(ofTerm: pair.key),
                    defaultText: text,
                    minimum: Expression(
                        text: "1m", kind: .duration, node: .number(60_000)),
                    maximum: Expression(
                        text: "90d", kind: .duration, node: .number(90 * 86_400_000)),
                    fallback: .number(span)))
        }
    }

    /// Terms have no titles of their own: they are called alike everywhere.
    private static func title(ofTerm name: String) -> Localized {
        switch name {
        case "pay_within": Localized(en: "time to pay", zh: "付款时限")
        case "confirm_within": Localized(en: "time to confirm a payment", zh: "收款确认时限")
        case "inspect_within": Localized(en: "time to inspect", zh: "验收时限")
        case "rule_within": Localized(en: "time to rule", zh: "裁定时限")
        case "grace": Localized(en: "time for a third party who is away", zh: "第三方离线宽限")
        case "tally_within": Localized(en: "time to count", zh: "清点时限")
        case "refund_within": Localized(en: "time to refund", zh: "退款时限")
        case "pledge_within": Localized(en: "time to pledge", zh: "质押时限")
        default:
            Localized(
                en: String(name.map { $0 == "_" ? " " : $0 }),
                zh: String(name.map { $0 == "_" ? " " : $0 }))
        }
    }

    /// `quantity`, or `{type: quantity, line: 1, …}`.
    func kindOf(_ source: Source) throws(TemplateRefusal) -> ValueKind {
        if case .text(let text, let place) = source { return try simple(text, place) }
        guard case .map(_, let place) = source else {
            throw TemplateRefusal(source.place, .expected("a type"))
        }
        guard let type = source.value("type") else {
            throw TemplateRefusal(place, .missingKey("type"))
        }
        let of = source.value("of")
        switch try type.text() {
        case "quantity":
            guard let line = source.value("line") else { return .quantity(line: 0) }
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
                throw TemplateRefusal(
                    of.place, .unknownName(total, known: parameterNames { $0 == .money }))
            }
            return .schedule(of: total)
        default:
            return try simple(try type.text(), type.place)
        }
    }

    func simple(_ text: String, _ place: Place) throws(TemplateRefusal) -> ValueKind {
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
    func literal(
        _ source: Source, _ kind: ValueKind
    ) throws(TemplateRefusal) -> (Datum, String) {
        if case .list(let items, _) = source {
            let item: ValueKind
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
        case .hash:
            guard let hash = Hash32(hex: text) else {
                throw TemplateRefusal(source.place, .badLiteral(text, kind))
            }
            return (.hash(hash), text)
        default: number = nil
        }
        guard let number, kind.admits(number) else {
            throw TemplateRefusal(source.place, .badLiteral(text, kind))
        }
        let typed =
            kind == .money || kind == .price ? Display.decimal(number, grouped: false) : text
        return (.number(number), typed)
    }
}

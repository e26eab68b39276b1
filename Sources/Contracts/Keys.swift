/// The keys of one mapping, each taken once; what is left over is refused with what is known here.
struct Keys {
    let place: Place
    private var pairs: [Source.Pair]
    private var known: [String] = []

    init(_ source: Source, _ what: String = "a mapping {key: value}") throws(TemplateRefusal) {
        guard case .map(let pairs, let place) = source else {
            throw TemplateRefusal(source.place, .expected(what))
        }
        var seen: [String: Place] = [:]
        for pair in pairs {
            if let first = seen.updateValue(pair.place, forKey: pair.key) {
                throw TemplateRefusal(pair.place, .duplicateKey(pair.key, first: first.line))
            }
        }
        self.place = place
        self.pairs = pairs
    }

    mutating func take(_ key: String) -> Source? {
        known.append(key)
        guard let index = pairs.firstIndex(where: { $0.key == key }) else { return nil }
        return pairs.remove(at: index).value
    }

    mutating func need(_ key: String) throws(TemplateRefusal) -> Source {
        guard let value = take(key) else { throw TemplateRefusal(place, .missingKey(key)) }
        return value
    }

    func finish() throws(TemplateRefusal) {
        if let pair = pairs.first {
            throw TemplateRefusal(pair.place, .unknownKey(pair.key, known: known))
        }
    }
}

extension Source {
    func text() throws(TemplateRefusal) -> String {
        guard case .text(let text, _) = self else {
            throw TemplateRefusal(place, .expected("a text"))
        }
        return text
    }

    func value(_ key: String) -> Source? {
        guard case .map(let pairs, _) = self else { return nil }
        return pairs.first { $0.key == key }?.value
    }

    func name() throws(TemplateRefusal) -> String {
        let text = try text()
        guard Literal.isName(text) else { throw TemplateRefusal(place, .badName(text)) }
        return text
    }

    func list(_ what: String, max: Int = 64) throws(TemplateRefusal) -> [Source] {
        guard case .list(let items, _) = self else {
            throw TemplateRefusal(place, .expected("a list of \(what)"))
        }
        guard items.count <= max else {
            throw TemplateRefusal(place, .tooMany(what, count: items.count, limit: max))
        }
        return items
    }

    /// Pairs in the file's order.
    func pairs(_ what: String, max: Int = 64) throws(TemplateRefusal) -> [Source.Pair] {
        guard case .map(let pairs, _) = self else {
            throw TemplateRefusal(place, .expected("a mapping of \(what)"))
        }
        guard pairs.count <= max else {
            throw TemplateRefusal(place, .tooMany(what, count: pairs.count, limit: max))
        }
        return pairs
    }

    func flag() throws(TemplateRefusal) -> Bool {
        switch try text() {
        case "true": return true
        case "false": return false
        default: throw TemplateRefusal(place, .expected("true or false"))
        }
    }

    func localized() throws(TemplateRefusal) -> Localized {
        var keys = try Keys(self, "{en: …, zh: …}")
        let result = Localized(en: try keys.need("en").text(), zh: try keys.need("zh").text())
        try keys.finish()
        return result
    }
}

internal import Yams

/// The file as places and texts: what YAML gives once everything that templates do not use is refused.
indirect enum Source: Sendable {
    case text(String, Place)
    case list([Source], Place)
    case map([Pair], Place)

    struct Pair: Sendable {
        let key: String
        let place: Place
        let value: Source
    }

    static let bytesMax = 64 * 1024
    static let depthMax = 32

    var place: Place {
        switch self {
        case .text(_, let place), .list(_, let place), .map(_, let place): place
        }
    }

    static func read(_ bytes: [UInt8]) throws(TemplateRefusal) -> Source {
        let start = Place(line: 1, column: 1)
        guard bytes.count <= bytesMax else {
            throw TemplateRefusal(start, .tooLarge(bytes: bytes.count, limit: bytesMax))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TemplateRefusal(start, .notUTF8)
        }
        var guarding = SourceGuard()
        try guarding.check(text)
        let root: Node?
        do {
            root = try Yams.compose(yaml: text, .basic)
        } catch let error as YamlError {
            throw refusal(error, guarding)
        } catch {
            throw TemplateRefusal(start, .notYAML("\(error)"))
        }
        guard let root else { throw TemplateRefusal(start, .expected("a template")) }
        return try from(root, depth: 0, last: start)
    }

    private static func refusal(_ error: YamlError, _ guarding: SourceGuard) -> TemplateRefusal {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return TemplateRefusal(
                Place(line: mark.line, column: mark.column), .notYAML(problem))
        case .duplicatedKeysInMapping(let keys, let context):
            // The mark is that of the first.
            let first = Place(line: context.mark.line, column: context.mark.column)
            return TemplateRefusal(
                guarding.second(of: first) ?? first,
                .duplicateKey(keys.first ?? "", first: first.line))
        case .reader(let problem, _, _, _):
            return TemplateRefusal(Place(line: 1, column: 1), .notYAML(problem))
        default:
            return TemplateRefusal(Place(line: 1, column: 1), .notYAML("unreadable"))
        }
    }

    private static func from(
        _ node: Node, depth: Int, last: Place
    ) throws(TemplateRefusal) -> Source {
        let place = node.mark.map { Place(line: $0.line, column: $0.column) } ?? last
        guard depth <= depthMax else { throw TemplateRefusal(place, .tooDeep(limit: depthMax)) }
        switch node {
        case .scalar(let scalar):
            let quoted = scalar.style == .singleQuoted || scalar.style == .doubleQuoted
            return .text(scalar.string, quoted ? place.shifted(1) : place)
        case .sequence(let sequence):
            var items: [Source] = []
            for item in sequence {
                items.append(try from(item, depth: depth + 1, last: place))
            }
            return .list(items, place)
        case .mapping(let mapping):
            var pairs: [Pair] = []
            for pair in mapping {
                let key = try from(pair.key, depth: depth + 1, last: place)
                guard case .text(let name, let where_) = key else {
                    throw TemplateRefusal(key.place, .expected("a name as key"))
                }
                let value = try from(pair.value, depth: depth + 1, last: where_)
                pairs.append(Pair(key: name, place: where_, value: value))
            }
            return .map(pairs, place)
        case .alias:
            throw TemplateRefusal(place, .forbidden("an alias"))
        }
    }
}

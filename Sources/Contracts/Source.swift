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
            throw refusal(error)
        } catch {
            throw TemplateRefusal(start, .notYAML("\(error)"))
        }
        guard let root else { throw TemplateRefusal(start, .expected("a template")) }
        return try from(root, depth: 0, last: start)
    }

    private static func refusal(_ error: YamlError) -> TemplateRefusal {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            TemplateRefusal(Place(line: mark.line, column: mark.column), .notYAML(problem))
        case .duplicatedKeysInMapping(let keys, let context):
            TemplateRefusal(
                Place(line: context.mark.line, column: context.mark.column),
                .duplicateKey(keys.sorted().joined(separator: ", ")))
        case .reader(let problem, _, _, _):
            TemplateRefusal(Place(line: 1, column: 1), .notYAML(problem))
        default:
            TemplateRefusal(Place(line: 1, column: 1), .notYAML("unreadable"))
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

/// Reads a text before anything recursive does, and bounds how deep it can nest. It follows YAML's own
/// rules for quotes and comments; where these could be read in two ways it refuses, so that its count of
/// open brackets is never below the parser's.
struct SourceGuard {
    private var depth = 0
    private var line = 1
    private var column = 0
    /// A plain text ended the line before: a quote now could continue it.
    private var plainBefore = false

    mutating func check(_ text: String) throws(TemplateRefusal) {
        let scalars = Array(text.unicodeScalars)
        var index = 0
        var lineStart = true
        while index < scalars.count {
            let scalar = scalars[index]
            column += 1
            let next = index + 1 < scalars.count ? scalars[index + 1] : "\n"
            switch scalar {
            case "\n":
                newLine()
                lineStart = true
            case " ":
                guard !lineStart || column <= 48 else {
                    throw refusal(.tooDeep(limit: Source.depthMax))
                }
            case "#":
                while index + 1 < scalars.count, scalars[index + 1] != "\n" { index += 1 }
            case "[", "{":
                lineStart = false
                plainBefore = false
                depth += 1
                guard depth <= Source.depthMax else {
                    throw refusal(.tooDeep(limit: Source.depthMax))
                }
            case "]", "}":
                lineStart = false
                plainBefore = false
                depth -= 1
                guard depth >= 0 else { throw refusal(.syntax("\(scalar)", wanted: "text")) }
            case ",", ":":
                lineStart = false
                plainBefore = false
            case "\"", "'":
                guard !plainBefore else { throw refusal(.forbidden("a quote inside plain text")) }
                lineStart = false
                index = try skipQuoted(scalars, from: index, quote: scalar)
            case "&", "*", "!", "|", ">", "%", "@", "`":
                throw refusal(.forbidden("“\(scalar)” at the start of a text"))
            case "?" where next == " " || next == "\n":
                throw refusal(.forbidden("“?”"))
            case "-" where next == " " || next == "\n":
                // One dash a line opens a list; `- - -` would nest without brackets.
                guard lineStart else { throw refusal(.forbidden("“- ” after other text")) }
                lineStart = false
            case "-" where column == 1 && next == "-", "." where column == 1 && next == ".":
                throw refusal(.forbidden("a document mark"))
            default:
                guard isLawful(scalar) else {
                    throw refusal(.forbidden("the character U+" + hex(scalar)))
                }
                lineStart = false
                index = try skipPlain(scalars, from: index)
            }
            index += 1
        }
    }

    private mutating func newLine() {
        line += 1
        column = 0
    }

    private func isLawful(_ scalar: Unicode.Scalar) -> Bool {
        // Line marks other than \n would move libyaml's lines against ours.
        let value = scalar.value
        return value >= 0x20 && value != 0x7f && !(0x80...0x9f).contains(value)
            && value != 0x2028 && value != 0x2029 && value != 0xfeff
    }

    private mutating func skipQuoted(
        _ scalars: [Unicode.Scalar], from start: Int, quote: Unicode.Scalar
    ) throws(TemplateRefusal) -> Int {
        var index = start + 1
        while index < scalars.count {
            let scalar = scalars[index]
            column += 1
            if scalar == quote {
                guard quote == "'", index + 1 < scalars.count, scalars[index + 1] == "'" else {
                    return index
                }
                index += 1
                column += 1
            } else if scalar == "\\", quote == "\"" {
                index += 1
                column += 1
                guard index < scalars.count, scalars[index] == "\"" || scalars[index] == "\\"
                else { throw refusal(.forbidden("an escape other than \\\" and \\\\")) }
            } else {
                guard isLawful(scalar) else {
                    throw refusal(.forbidden("a quoted text over several lines"))
                }
            }
            index += 1
        }
        throw refusal(.syntax("end of file", wanted: "\(quote)"))
    }

    /// To the last scalar of a plain text: it ends before `: `, ` #`, a line's end and, within
    /// brackets, before `, [ ] { }`.
    private mutating func skipPlain(
        _ scalars: [Unicode.Scalar], from start: Int
    ) throws(TemplateRefusal) -> Int {
        var index = start
        while index + 1 < scalars.count {
            let next = scalars[index + 1]
            let after = index + 2 < scalars.count ? scalars[index + 2] : "\n"
            if next == "\n" { break }
            if next == ":", after == " " || after == "\n" || ",[]{}".unicodeScalars.contains(after) {
                plainBefore = false
                return index
            }
            if next == " ", after == "#" { break }
            if ",[]{}".unicodeScalars.contains(next) { break }
            if next == "\"" || next == "'" {
                column += 1
                throw refusal(.forbidden("a quote inside plain text"))
            }
            guard isLawful(next) else {
                throw refusal(.forbidden("the character U+" + hex(next)))
            }
            index += 1
            column += 1
        }
        plainBefore = true
        return index
    }

    private func hex(_ scalar: Unicode.Scalar) -> String { String(scalar.value, radix: 16) }

    private func refusal(_ what: TemplateRefusal.Fault) -> TemplateRefusal {
        TemplateRefusal(line: line, column: max(column, 1), what: what)
    }
}

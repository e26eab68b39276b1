/// Reads a text before anything recursive does, and bounds how deep it can nest. It follows YAML's own
/// rules for quotes and comments; where these could be read in two ways it refuses, so that its count of
/// open brackets is never below the parser's.
struct SourceGuard {
    private var depth = 0
    private var line = 1
    private var column = 0
    /// A plain text ended the line before: a quote now could continue it.
    private var plainBefore = false
    /// Keys and dashes in the order of the text.
    private var marks: [Mark] = []
    /// The brackets that are open, each by its number.
    private var openers: [Int] = []
    private var opened = 0

    private struct Mark {
        /// `nil`: a dash.
        let key: String?
        let place: Place
        /// The bracket that it stands in; 0 in none.
        let opener: Int
    }

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
                opened += 1
                openers.append(opened)
                guard depth <= Source.depthMax else {
                    throw refusal(.tooDeep(limit: Source.depthMax))
                }
            case "]", "}":
                lineStart = false
                plainBefore = false
                depth -= 1
                _ = openers.popLast()
                guard depth >= 0 else { throw refusal(.syntax("\(scalar)", wanted: "text")) }
            case ",", ":":
                lineStart = false
                plainBefore = false
            case "\"", "'":
                guard !plainBefore else { throw refusal(.forbidden("a quote inside plain text")) }
                lineStart = false
                let here = Place(line: line, column: column)
                let start = index + 1
                index = try skipQuoted(scalars, from: index, quote: scalar)
                note(scalars, start..<index, followedBy: index + 1, at: here)
            case "&", "*", "!", "|", ">", "%", "@", "`":
                throw refusal(.forbidden("“\(scalar)” at the start of a text"))
            case "?" where next == " " || next == "\n":
                throw refusal(.forbidden("“?”"))
            case "-" where next == " " || next == "\n":
                marks.append(
                    Mark(
                        key: nil, place: Place(line: line, column: column),
                        opener: openers.last ?? 0))
                // One dash a line opens a list; `- - -` would nest without brackets.
                guard lineStart else { throw refusal(.forbidden("“- ” after other text")) }
                lineStart = false
                plainBefore = false
            case "-" where column == 1 && next == "-", "." where column == 1 && next == ".":
                throw refusal(.forbidden("a document mark"))
            default:
                guard isLawful(scalar) else {
                    throw refusal(.forbidden("the character U+" + hex(scalar)))
                }
                lineStart = false
                let here = Place(line: line, column: column)
                let start = index
                index = try skipPlain(scalars, from: index)
                note(scalars, start..<(index + 1), followedBy: index + 1, at: here)
            }
            index += 1
        }
    }

    /// Where the key that stands at `first` stands again in the same mapping.
    func second(of first: Place) -> Place? {
        guard let index = marks.firstIndex(where: { $0.place == first && $0.key != nil }) else {
            return nil
        }
        let found = marks[index]
        for mark in marks[(index + 1)...] where mark.opener == found.opener {
            // Outside of brackets a mapping is what stands in one column, until something stands before it.
            if found.opener == 0, mark.place.column < found.place.column { return nil }
            if mark.key == found.key, found.opener != 0 || mark.place.column == found.place.column {
                return mark.place
            }
        }
        return nil
    }

    private mutating func note(
        _ scalars: [Unicode.Scalar], _ text: Range<Int>, followedBy next: Int, at place: Place
    ) {
        guard next < scalars.count, scalars[next] == ":" else { return }
        var key = String.UnicodeScalarView()
        key.append(contentsOf: scalars[text])
        marks.append(Mark(key: String(key), place: place, opener: openers.last ?? 0))
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
            if next == ":", after == " " || after == "\n" || ",[]{}".unicodeScalars.contains(after)
            {
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

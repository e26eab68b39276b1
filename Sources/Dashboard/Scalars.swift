extension StringProtocol {
    /// Each of these scalars as `table` has it. By scalars, for a combining mark behind a quotation mark, or
    /// certain letters before one, make a single character of both, and no reader of HTML or JSON sees it so.
    public func writing(_ table: [Unicode.Scalar: String]) -> String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if let other = table[scalar] {
                text.append(contentsOf: other.unicodeScalars)
            } else {
                text.append(scalar)
            }
        }
        return String(text)
    }
}

extension String {
    static let markup: [Unicode.Scalar: String] = [
        "<": "&lt;", ">": "&gt;", "&": "&amp;", "\"": "&quot;", "'": "&#39;",
    ]

    /// Without what turns the words beside it, however far (embeddings, overrides and marks of direction: UAX #9,
    /// §2; isolates end where they should, or with their paragraph), and without controls but new lines.
    var straight: String {
        func isOdd(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x0a: false
            case 0..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x200e...0x200f, 0x61c: true
            default: false
            }
        }
        guard unicodeScalars.contains(where: isOdd) else { return self }
        var text = UnicodeScalarView()
        text.append(contentsOf: unicodeScalars.lazy.filter { !isOdd($0) })
        return String(text)
    }

    /// On one line, whatever breaks lines in it, and `straight`.
    public var oneLine: String {
        split(whereSeparator: \.isNewline).joined(separator: " ").straight
    }

    /// With no mark of HTML inside a larger character: the template library escapes characters whole, and
    /// would not see it there; and with nothing that turns the line.
    var parted: String {
        guard !utf8.allSatisfy({ $0 < 128 }) else { return self }
        if straight != self { return straight.parted }
        var text = ""
        text.reserveCapacity(utf8.count)
        for character in self {
            let scalars = character.unicodeScalars
            if scalars.count > 1, scalars.contains(where: { Self.markup[$0] != nil }) {
                let safe = scalars.map { Self.markup[$0] == nil ? $0 : "\u{fffd}" }
                text.unicodeScalars.append(contentsOf: safe)
            } else {
                text.append(character)
            }
        }
        return text
    }
}

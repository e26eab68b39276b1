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

    /// With no mark of HTML inside a larger character: the template library escapes characters whole, and
    /// would not see it there.
    var parted: String {
        guard !utf8.allSatisfy({ $0 < 128 }) else { return self }
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

/// A picture in SVG, made of marks with classes that the style sheet colours. It says in words what it
/// shows; the table beside it says the rest.
struct Picture: Sendable {
    private var marks = ""
    private let width: Int
    private let height: Int
    private let says: String

    init(width: Int, height: Int, says: String) {
        self.width = width
        self.height = height
        self.says = says
    }

    var svg: String {
        "<svg class=\"picture\" viewBox=\"0 0 \(width) \(height)\" role=\"img\" aria-label=\"\(Self.safe(says))\">"
            + marks + "</svg>"
    }

    mutating func box(
        _ style: String, x: Int, y: Int, width: Int, height: Int, tip: String = "", round: Int = 2
    ) {
        guard width > 0, height > 0 else { return }
        marks +=
            "<rect class=\"\(style)\" x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" rx=\"\(round)\">"
            + (tip.isEmpty ? "" : "<title>\(Self.safe(tip))</title>") + "</rect>"
    }

    mutating func text(
        _ text: String, x: Int, y: Int, _ style: String = "", anchor: String = "start"
    ) {
        marks +=
            "<text class=\"\(style)\" x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\">\(Self.safe(text))</text>"
    }

    /// Cut where it would run on into what stands beside it; the whole is under the pointer.
    mutating func text(_ text: String, x: Int, y: Int, within width: Int) {
        var left = width
        let end = text.unicodeScalars.firstIndex { letter in
            left -= Self.wide(letter)
            return left < 0
        }
        // Room for the ellipsis: one letter less, and it is narrower than that.
        let shown = end.map { String(text.unicodeScalars[..<$0].dropLast(2)) + "…" } ?? text
        marks +=
            "<text x=\"\(x)\" y=\"\(y)\"><title>\(Self.safe(text))</title>\(Self.safe(shown))</text>"
    }

    /// About so wide a letter is drawn, rather more: fonts differ.
    private static func wide(_ letter: Unicode.Scalar) -> Int {
        if letter.value > 0x2E80 { return 14 }
        return "mwMW@".unicodeScalars.contains(letter)
            ? 12 : "ijlt/.-: ".unicodeScalars.contains(letter) ? 5 : 8
    }

    mutating func line(_ style: String, _ x1: Int, _ y1: Int, _ x2: Int, _ y2: Int) {
        marks += "<line class=\"\(style)\" x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\"/>"
    }

    mutating func dot(_ style: String, x: Int, y: Int, radius: Int, tip: String) {
        marks +=
            "<circle class=\"\(style)\" cx=\"\(x)\" cy=\"\(y)\" r=\"\(radius)\"><title>\(Self.safe(tip))</title></circle>"
    }

    static func safe(_ text: String) -> String { text.writing(String.markup) }
}

import Entries
import Testing

@Suite struct LegibleTests {
    @Test(arguments: [
        ("Inkwell", "Inkwell"), ("知笺 stationery", "知笺 stationery"), ("é e\u{301}", "é e\u{301}"),
        ("a\u{202e}b\u{200f}c", "abc"), ("a\u{2066}b\u{2069}", "ab"),
        ("a\nb\tc\u{1b}[1m", "abc[1m"),
        ("\u{200b}\u{2800}\u{3164}\u{ad}", ""), ("\u{3000}a \u{3000}b\u{2003}", "a b"),
        ("👩\u{200d}🎨 ✂️", "👩\u{200d}🎨 ✂️"), ("a\u{200d}b", "ab"),
        ("ශ්\u{200d}රී", "ශ්\u{200d}රී"), ("🏳️\u{200d}🌈 1\u{200d}", "🏳️\u{200d}🌈 1"), ("   ", ""),
        ("אבג 12", "\u{2068}אבג 12\u{2069}"), ("\u{e000}\u{fffff}x", "x"),
    ])
    func `a name is shown without what hides or turns its neighbours`(name: String, shown: String) {
        #expect(Array(name.legible.unicodeScalars) == Array(shown.unicodeScalars))
    }
}

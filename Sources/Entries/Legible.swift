extension String {
    /// As one name among other words: nothing in it is unseen, or turns what stands beside it (UAX #9, UTR #36).
    /// Empty where nothing of it can be seen.
    public var legible: String {
        if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return self }
        var text = UnicodeScalarView()
        var runsLeft = false
        for scalar in unicodeScalars {
            // What makes one picture of several stays.
            let joins = ["\u{200d}", "\u{fe0f}"].contains(scalar)
            if scalar.isHidden, !joins || text.last?.properties.isEmoji != true { continue }
            runsLeft = runsLeft || scalar.runsLeft
            text.append(scalar)
        }
        let words = String(text).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        // Its own direction ends with it: first strong isolate … pop directional isolate.
        return runsLeft ? "\u{2068}\(words)\u{2069}" : words
    }

    /// Shown as it stands.
    public var isLegible: Bool {
        let shown = legible.unicodeScalars.filter { !["\u{2068}", "\u{2069}"].contains($0) }
        return shown.elementsEqual(unicodeScalars)
    }
}

extension Unicode.Scalar {
    /// Shows nothing, or changes how others are shown. A Braille cell without dots is no blank to Unicode.
    public var isHidden: Bool {
        if properties.isDefaultIgnorableCodePoint || self == "\u{2800}" { return true }
        return switch properties.generalCategory {
        case .format, .control, .surrogate, .privateUse, .unassigned: true
        case .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// Of a script written from right to left: Hebrew to Arabic extended, their presentation forms, and the
    /// planes beyond.
    fileprivate var runsLeft: Bool {
        switch value {
        case 0x590...0x8ff, 0xfb1d...0xfdff, 0xfe70...0xfefe, 0x10800...0x10fff, 0x1e800...0x1efff:
            true
        default: false
        }
    }
}

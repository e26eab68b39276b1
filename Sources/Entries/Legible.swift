extension String {
    /// As one name among other words: nothing in it is unseen, or turns what stands beside it (UAX #9, UTR #36).
    /// Empty where nothing of it can be seen.
    public var legible: String {
        var text = UnicodeScalarView()
        var runsLeft = false
        for scalar in unicodeScalars where !scalar.isHidden || scalar.joins(text.last) {
            runsLeft = runsLeft || scalar.runsLeft
            text.append(scalar)
        }
        let words = String(text).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        // Its own direction ends with it: first strong isolate … pop directional isolate.
        return runsLeft ? "\u{2068}\(words)\u{2069}" : words
    }

    /// Shown as it stands, but for its blanks.
    public var isLegible: Bool {
        let blanks = split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let shown = legible.unicodeScalars.filter { !["\u{2068}", "\u{2069}"].contains($0) }
        return !shown.isEmpty && shown.elementsEqual(blanks.unicodeScalars)
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

    /// Makes one picture of several, or one letter in scripts that join theirs: seen by what it does to `before`.
    fileprivate func joins(_ before: Unicode.Scalar?) -> Bool {
        guard let before else { return false }
        return switch self {
        case "\u{fe0f}": before.properties.isEmoji
        case "\u{200d}", "\u{200c}":
            before == "\u{fe0f}" || before.properties.isEmoji && before.value > 0x7f
                || before.runsLeft || before.properties.canonicalCombiningClass == .virama
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

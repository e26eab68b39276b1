internal import Capacity

/// Values as texts: `3d`, `17.5 %`, `500.00`.
enum Literal {
    /// One unit only; a day is 24 hours. `nil` where it is no duration or above 2^53−1 ms.
    static func duration(_ text: String) -> Int64? {
        let unit: Int64
        switch text.last {
        case "d": unit = 86_400_000
        case "h": unit = 3_600_000
        case "m": unit = 60_000
        case "s": unit = 1000
        default: return nil
        }
        guard let number = whole(text.dropLast()) else { return nil }
        let (span, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow || span > wholeNumberMax ? nil : span
    }

    /// Digits alone, at most 2^53−1.
    static func whole(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.count <= 16,
            text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int64(text), number <= wholeNumberMax
        else { return nil }
        return number
    }

    /// With sign.
    static func signed(_ text: String) -> Int64? {
        text.hasPrefix("-") ? whole(text.dropFirst()).map { -$0 } : whole(text)
    }

    /// `500`, `500.5`, `1,200.00`, to `decimals` places; minor units.
    static func decimal(_ text: some StringProtocol, decimals: Int) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2 else { return nil }
        let groups = first.split(separator: ",", omittingEmptySubsequences: false)
        guard groups.count == 1 || groups.dropFirst().allSatisfy({ $0.utf8.count == 3 }),
            let head = whole(groups.joined())
        else { return nil }
        var fraction = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || (1...max(decimals, 1)).contains(fraction.utf8.count),
            fraction.isEmpty || decimals > 0
        else { return nil }
        while fraction.utf8.count < decimals { fraction += "0" }
        guard let tail = fraction.isEmpty ? 0 : whole(fraction) else { return nil }
        var scale: Int64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let (product, overflow) = head.multipliedReportingOverflow(by: scale)
        guard !overflow, product <= wholeNumberMax - tail else { return nil }
        return product + tail
    }

    /// `17.5 %` as basis points.
    static func share(_ text: some StringProtocol) -> Int64? {
        var digits = Substring(text)
        guard digits.last == "%" else { return nil }
        digits = digits.dropLast()
        while digits.last == " " { digits = digits.dropLast() }
        return decimal(digits, decimals: 2)
    }

    static func items(_ text: String) -> [String]? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        return text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
            .map { trimmed($0) }
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        var rest = Substring(text)
        while rest.first == " " { rest = rest.dropFirst() }
        while rest.last == " " { rest = rest.dropLast() }
        return String(rest)
    }

    static func isName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, (97...122).contains(first), bytes.count <= 32 else {
            return false
        }
        return bytes.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || $0 == 95
        }
    }
}

internal import Capacity
internal import Identity
internal import Ledger

/// Values as people read them. Nothing is ever decided on these texts.
struct Display {
    let template: Template
    let currency: Currency
    let units: [UnitCode]
    let language: Language

    /// Two decimals, groups of three: `1,200.00`.
    static func decimal(_ minor: Int64, grouped: Bool = true) -> String {
        decimal(minor, decimals: 2, grouped: grouped)
    }

    static func decimal(_ minor: Int64, decimals: Int, grouped: Bool) -> String {
        var scale: UInt64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let whole = minor.magnitude / scale
        var digits = String(whole)
        if grouped {
            var parts: [Substring] = []
            var rest = Substring(digits)
            while rest.count > 3 {
                parts.insert(rest.suffix(3), at: 0)
                rest = rest.dropLast(3)
            }
            parts.insert(rest, at: 0)
            digits = parts.joined(separator: ",")
        }
        if decimals > 0 {
            let tail = String(minor.magnitude % scale)
            digits += "." + String(repeating: "0", count: decimals - tail.count) + tail
        }
        return minor < 0 ? "-" + digits : digits
    }

    func text(_ datum: Datum, _ kind: ValueKind) -> String {
        switch (kind, datum) {
        case (.money, .number(let number)), (.price, .number(let number)):
            let decimals = currency.fractionDigits
            return Self.decimal(number, decimals: decimals, grouped: true) + " " + currency.code
        case (.quantity(let line), .number(let number)):
            return "\(number) " + unit(line)
        case (.bp, .number(let number)):
            let tail = number % 100
            let digits = tail % 10 == 0 ? "\(tail / 10)" : tail < 10 ? "0\(tail)" : "\(tail)"
            return tail == 0 ? "\(number / 100) %" : "\(number / 100).\(digits) %"
        case (.instant, .number(let number)):
            return (try? Instant(milliseconds: number))?.description ?? "\(number)"
        case (.duration, .number(let number)): return span(number)
        case (.role, .name(let name)):
            let base = name.split(separator: ".").first.map(String.init) ?? name
            return template.role(base)?.title[language] ?? name
        case (.list(.role), .list(let items)):
            // All of one list are called alike.
            return items.map { text($0, .role) }.reduce(into: [String]()) { titles, title in
                if !titles.contains(title) { titles.append(title) }
            }.joined(separator: language == .en ? ", " : "、")
        case (.list(let item), .list(let items)):
            return "[" + items.map { text($0, item) }.joined(separator: ", ") + "]"
        case (.schedule, .list(let items)):
            return "[" + items.map { text($0, .money) }.joined(separator: ", ") + "]"
        case (_, .number(let number)): return "\(number)"
        case (_, .truth(let truth)): return truth ? "true" : "false"
        case (_, .name(let name)): return name
        case (_, .hash(let hash)): return hash.short
        case (_, .identity(let did)): return did.shortDID
        case (_, .list(let items)): return "[\(items.count)]"
        }
    }

    private func unit(_ line: Int) -> String {
        guard units.indices.contains(line) else { return "" }
        switch (units[line].code, language) {
        case ("C62", .en): return "pcs"
        case ("C62", .zh): return "件"
        case ("HUR", .en): return "h"
        case ("HUR", .zh): return "小时"
        case ("KGM", .en): return "kg"
        case ("KGM", .zh): return "公斤"
        case (let code, _): return code
        }
    }

    private func span(_ milliseconds: Int64) -> String {
        let units: [(Int64, String, String)] = [
            (86_400_000, "d", "天"), (3_600_000, "h", "小时"), (60_000, "min", "分钟"),
            (1000, "s", "秒"),
        ]
        for (size, en, zh) in units where milliseconds % size == 0 && milliseconds != 0 {
            return "\(milliseconds / size) " + (language == .en ? en : zh)
        }
        return "\(milliseconds) ms"
    }

    /// A sentence with its formulas filled in; what has no value yet stands as it is written.
    func fill(_ phrase: Phrase, _ environment: Environment) -> String {
        phrase[language].map { part in
            switch part {
            case .text(let text): return text
            case .value(let expression):
                guard let datum = try? expression.evaluate(in: environment) else {
                    return "‹\(expression.text)›"
                }
                return text(datum, expression.kind)
            }
        }.joined()
    }
}

/// An instant as people write it: date, clock and offset (ISO 8601). Display and input only; nothing
/// is ever decided on it. Day counting after Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days` and `days_from_civil`.
public struct CivilTime: Hashable, Sendable, CustomStringConvertible {
    public let year: Int64, month: Int64, day: Int64
    public let hour: Int64, minute: Int64, second: Int64, millisecond: Int64
    public let offsetMinutes: Int64

    public init(_ instant: Instant, offsetMinutes: Int) {
        self.offsetMinutes = Int64(offsetMinutes)
        let local = instant.milliseconds + Int64(offsetMinutes) * 60_000
        let days = local >= 0 ? local / 86_400_000 : (local - 86_399_999) / 86_400_000
        let rest = local - days * 86_400_000
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600_000
        minute = rest / 60_000 % 60
        second = rest / 1000 % 60
        millisecond = rest % 1000
    }

    /// Reads `2026-11-21T09:00+08:00`, seconds and fractions of three digits optional, `Z` for +00:00.
    /// `nil` where the text is no such time.
    public static func read(_ text: String) -> (instant: Instant, offsetMinutes: Int)? {
        var rest = Substring(text)
        func number(_ digits: Int) -> Int64? {
            let head = rest.prefix(digits)
            guard head.utf8.count == digits, head.utf8.allSatisfy({ (48...57).contains($0) }),
                let value = Int64(head)
            else { return nil }
            rest = rest.dropFirst(digits)
            return value
        }
        func mark(_ character: Character) -> Bool {
            guard rest.first == character else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), year >= 1970, mark("-"), let month = number(2), mark("-"),
            let day = number(2), mark("T"), let hour = number(2), mark(":"), let minute = number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60
        else { return nil }
        var second: Int64 = 0
        var millisecond: Int64 = 0
        if mark(":") {
            guard let read = number(2), read < 60 else { return nil }
            second = read
            if mark(".") {
                guard let read = number(3) else { return nil }
                millisecond = read
            }
        }
        var offset: Int64 = 0
        if !mark("Z") {
            let sign: Int64
            if mark("+") { sign = 1 } else if mark("-") { sign = -1 } else { return nil }
            guard let hours = number(2), mark(":"), let minutes = number(2), hours <= 18,
                minutes < 60
            else { return nil }
            offset = sign * (hours * 60 + minutes)
        }
        guard rest.isEmpty else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let clock = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
        guard let instant = try? Instant(milliseconds: days * 86_400_000 + clock - offset * 60_000)
        else { return nil }
        // February 30 would silently become March: refuse what does not read back.
        let back = CivilTime(instant, offsetMinutes: Int(offset))
        return back.day == day && back.month == month ? (instant, Int(offset)) : nil
    }

    /// `2026-11-21 09:00:00 +08:00`
    public var description: String {
        let sign = offsetMinutes < 0 ? "-" : "+"
        let zone = offsetMinutes.magnitude
        return "\(year)-\(two(month))-\(two(day)) \(two(hour)):\(two(minute)):\(two(second)) "
            + "\(sign)\(two(Int64(zone / 60))):\(two(Int64(zone % 60)))"
    }

    /// `2026-11-21`, the form accounting programs read.
    public var date: String { "\(year)-\(two(month))-\(two(day))" }

    private func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

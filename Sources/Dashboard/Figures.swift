import Capacity
import Contracts
import Entries
import Glibc
import Ledger

/// Numbers, money and time as a reader on a page has them, in her language and her zone. For the eye alone.
struct Figures: Sendable {
    let language: Language
    let now: Instant
    /// Minutes east of Greenwich, at this time: it may differ in summer and winter.
    let zone: @Sendable (Instant) -> Int
    /// What is printed is read in other years too.
    var isPrinted = false
    /// Where no page says whose clock it is, each time shows where that stood.
    var showsZone = false

    init(
        _ language: Language, now: Instant,
        zone: @escaping @Sendable (Instant) -> Int = { Figures.local(at: $0) }
    ) {
        self.language = language
        self.now = now
        self.zone = zone
    }

    /// As this machine has it.
    static func local(at instant: Instant) -> Int {
        var seconds = time_t(instant.milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        return local.tm_gmtoff / 60
    }

    private var isChinese: Bool { language == .zh }

    func pick(_ en: String, _ zh: String) -> String { isChinese ? zh : en }

    // MARK: Amounts

    func grouped(_ number: Int128) -> String {
        var digits = Substring(String(number.magnitude))
        var parts: [Substring] = []
        while digits.count > 3 {
            parts.insert(digits.suffix(3), at: 0)
            digits = digits.dropLast(3)
        }
        parts.insert(digits, at: 0)
        return (number < 0 ? "−" : "") + parts.joined(separator: ",")
    }

    /// `¥1,234.50`; other currencies by their code.
    func money(_ minor: Int128, _ currency: Currency) -> String {
        // The number with its decimals, as the ledger writes it, less the sign.
        let plain = Commodity.money(currency).text(Int128(minor.magnitude))
        let halves = plain.split(separator: ".", maxSplits: 1)
        let whole = Int128(halves.first.map { $0.filter(\.isNumber) } ?? "0") ?? 0
        let tail = halves.count > 1 ? "." + halves[1] : ""
        let mark = currency.code == "CNY" ? "¥" : currency.code + " "
        return (minor < 0 ? "−" : "") + mark + grouped(whole) + tail
    }

    private static let unitWords: [String: (en: String, zh: String)] = [
        "C62": ("pcs", "件"), "HUR": ("h", "小时"), "KGM": ("kg", "公斤"),
    ]

    func units(_ count: Int128, _ code: String) -> String {
        grouped(count) + " " + (Self.unitWords[code].map { pick($0.en, $0.zh) } ?? code)
    }

    func amount(_ amount: Int128, _ commodity: Commodity) -> String {
        switch commodity {
        case .money(let currency): money(amount, currency)
        case .capacity(_, let unit): units(amount, unit.code)
        }
    }

    /// A readable value of a contract.
    func value(_ value: Value, _ kind: ValueKind?, _ view: View) -> String {
        switch value {
        case .money(let amount): return money(Int128(amount.minor), amount.currency)
        case .quantity(let quantity): return units(Int128(quantity.units), quantity.unit.code)
        case .instant(let instant): return moment(instant)
        case .integer(let number):
            if case .duration = kind { return span(number) }
            return view.text(value, kind)
        case .list(let items):
            var inner: ValueKind?
            if case .list(let item) = kind { inner = item }
            if case .schedule = kind { inner = .bp }
            return items.map { self.value($0, inner, view) }.joined(separator: pick(", ", "、"))
        default: return view.text(value, kind)
        }
    }

    /// A sentence with its money, units and times as this reader writes them.
    func local(_ sentence: String) -> String {
        var words = sentence.split(separator: " ", omittingEmptySubsequences: false).map(
            String.init)
        for index in words.indices { replaceISO(&words[index]) }
        var index = 0
        while index + 1 < words.count {
            // A code, not the beginning of a word.
            let next = words[index + 1].dropFirst(3).first
            let isCode = next.map { !$0.isASCII || !$0.isLetter && !$0.isNumber } ?? true
            let code = isCode ? String(words[index + 1].prefix(3)) : ""
            if let unit = Self.unitWords[code], Self.numberStart(words[index]) != nil {
                words[index + 1] = pick(unit.en, unit.zh) + words[index + 1].dropFirst(3)
            } else if code == "CNY", let start = Self.numberStart(words[index]) {
                let tail = words[index + 1].dropFirst(3)
                let number = words[index][start...]
                let whole = number.prefix { $0 != "." }
                let read = Int128(whole).map(grouped) ?? String(whole)
                words[index].replaceSubrange(
                    start..., with: "¥" + read + number.dropFirst(whole.count))
                words[index] += tail
                words.remove(at: index + 1)
            } else if index + 2 < words.count {
                replaceMoment(&words, at: index)
            }
            index += 1
        }
        return words.joined(separator: " ")
    }

    /// Where the number begins that ends this word; `nil` where none does.
    private static func numberStart(_ word: String) -> String.Index? {
        var start = word.endIndex
        while start > word.startIndex {
            let before = word.index(before: start)
            guard word[before].isASCII, word[before].isNumber || ",.".contains(word[before]) else {
                break
            }
            start = before
        }
        return start == word.endIndex ? nil : start
    }

    /// `2026-11-21T09:00:00Z`, whatever stands before or behind it without a space.
    private func replaceISO(_ word: inout String) {
        guard let middle = word.firstIndex(of: "T"),
            let start = word.index(middle, offsetBy: -10, limitedBy: word.startIndex),
            let end = word[middle...].firstIndex(of: "Z"),
            let read = CivilTime.read(String(word[start...end]))
        else { return }
        word.replaceSubrange(start...end, with: moment(read.instant))
    }

    /// `2026-11-21 09:00:00 +00:00`, whatever stands before or behind it without a space.
    private func replaceMoment(_ words: inout [String], at index: Int) {
        let (date, zone) = (words[index].suffix(10), words[index + 2].prefix(6))
        guard date.count == 10, zone.count == 6,
            let read = CivilTime.read("\(date)T\(words[index + 1])\(zone)")
        else { return }
        words[index] =
            words[index].dropLast(10) + moment(read.instant) + words[index + 2].dropFirst(6)
        words.removeSubrange(index + 1...index + 2)
    }

    // MARK: Time

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    func civil(_ instant: Instant) -> CivilTime {
        CivilTime(instant, offsetMinutes: zone(instant))
    }

    /// `2027-07-05T00:00` on this reader's clock, with the zone of that day: `…+02:00`.
    func zoned(_ local: String) -> String {
        guard let read = CivilTime.read(local + "Z")?.instant else { return local }
        // Where the clock stands then, looked up about then.
        let near = read.advanced(by: -Int64(zone(read)) * 60_000)
        return local + Self.text(zone: zone(near))
    }

    /// `21 Nov 2026`, `2026年11月21日`; the year only where it is another.
    func date(_ instant: Instant) -> String {
        let time = civil(instant)
        let sameYear = !isPrinted && time.year == civil(now).year
        let month = Self.months[min(max(Int(time.month) - 1, 0), 11)]
        return pick(
            "\(time.day) \(month)" + (sameYear ? "" : " \(time.year)"),
            (sameYear ? "" : "\(time.year)年") + "\(time.month)月\(time.day)日")
    }

    /// `Nov`, `11月`.
    func month(_ instant: Instant) -> String {
        let month = civil(instant).month
        return pick(Self.months[min(max(Int(month) - 1, 0), 11)], "\(month)月")
    }

    /// For the foot of a column: `21 Nov`, `11/21`.
    func shortDate(_ instant: Instant) -> String {
        let time = civil(instant)
        return pick("\(time.day) \(month(instant))", "\(time.month)/\(time.day)")
    }

    func moment(_ instant: Instant) -> String {
        let time = civil(instant)
        let clock = Self.two(time.hour) + ":" + Self.two(time.minute)
        guard showsZone else { return date(instant) + " " + clock }
        let seconds = Self.two((instant.milliseconds / 1000 % 60 + 60) % 60)
        return "\(time.date) \(clock):\(seconds) \(Self.text(zone: zone(instant)))"
    }

    private static func two(_ number: some BinaryInteger) -> String {
        (number < 10 ? "0" : "") + "\(number)"
    }

    /// `+08:00`
    private static func text(zone: Int) -> String {
        (zone < 0 ? "-" : "+") + two(abs(zone) / 60) + ":" + two(abs(zone) % 60)
    }

    /// In the one unit that says most.
    func span(_ milliseconds: Int64) -> String {
        let minutes = milliseconds / 60_000
        switch minutes {
        case (48 * 60)...: return pick("\(minutes / 1440) days", "\(minutes / 1440) 天")
        case 120...: return pick("\(minutes / 60) hours", "\(minutes / 60) 小时")
        case 2...: return pick("\(minutes) minutes", "\(minutes) 分钟")
        default: return pick("a minute", "1 分钟")
        }
    }

    func left(until: Instant) -> String {
        let rest = until.milliseconds - now.milliseconds
        return rest >= 0
            ? pick("\(span(rest)) left", "还剩 \(span(rest))")
            : pick("\(span(-rest)) overdue", "已超期 \(span(-rest))")
    }

    func ago(_ instant: Instant) -> String {
        let past = now.milliseconds - instant.milliseconds
        return past < 60_000 ? pick("just now", "刚刚") : pick("\(span(past)) ago", "\(span(past))前")
    }

    func size(_ bytes: Int64) -> String {
        bytes < 1 << 20 ? "\(max(bytes >> 10, 1)) KiB" : "\(bytes >> 20) MiB"
    }

    // MARK: Weeks

    static let week: Int64 = 7 * 86_400_000

    /// The Monday, at midnight here, of the week in which `instant` lies.
    func monday(of instant: Instant) -> Instant {
        let shift = Int64(zone(instant)) * 60_000
        let local = instant.milliseconds + shift
        // The first of January 1970 was a Thursday.
        let days = local / 86_400_000 + 3
        let start = (days / 7 * 7 - 3) * 86_400_000 - shift
        guard let monday = try? Instant(milliseconds: start) else { return instant }
        // The clock may have been changed in between.
        return monday.advanced(by: shift - Int64(zone(monday)) * 60_000)
    }

    /// The Monday so many weeks after this one, at midnight here.
    func monday(_ weeks: Int, after monday: Instant) -> Instant {
        self.monday(of: monday.advanced(by: Int64(weeks) * Self.week + Self.week / 2))
    }

    /// Whole weeks of the calendar between a Monday and what lies later, at most 10,000.
    func weeks(from monday: Instant, to instant: Instant) -> Int {
        let apart = self.monday(of: instant).milliseconds - monday.milliseconds
        return Int(min((apart + Self.week / 2) / Self.week, 10_000))
    }

    func weekName(_ monday: Instant) -> String {
        let last = monday.advanced(by: Self.week - 86_400_000)
        return pick("\(date(monday)) – \(date(last))", "\(date(monday))–\(date(last))")
    }
}

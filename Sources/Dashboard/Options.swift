import Capacity
import Contracts
import Entries
import Identity
import Market
import NodeCore

/// The options of one command. Each is taken once; `finish` refuses what nobody took, so that a typing
/// error is never a silent default.
struct Options: Sendable {
    private var given: [String: [String]]
    private var known: [String] = []
    /// The moment that `+5d` counts from.
    let now: Instant
    /// Nothing is kept: the owner wants to see what it would do.
    var isTrial: Bool

    init(_ given: [String: [String]], now: Instant, isTrial: Bool = false) {
        var all: [String: [String]] = [:]
        for (name, values) in given { all[Self.plain(name), default: []] += values }
        self.given = all
        self.now = now
        self.isTrial = isTrial
    }

    /// `deliver_by` and `deliver-by` are one option.
    static func plain(_ name: String) -> String {
        String(name.map { $0 == "_" ? "-" : $0 })
    }

    /// A template's name for a value as it is typed: `--deliver-by`; `n`, in every template, is `--units`.
    static func typed(_ name: String) -> String { "--" + (name == "n" ? "units" : plain(name)) }

    func has(_ name: String) -> Bool { given[Self.plain(name)] != nil }

    func count(_ name: String) -> Int { given[Self.plain(name)]?.count ?? 0 }

    /// In the place of whatever was given.
    mutating func give(_ name: String, _ value: String) { given[Self.plain(name)] = [value] }

    // MARK: Taking

    mutating func all(_ name: String) -> [String] {
        let name = Self.plain(name)
        known.append(name)
        return given.removeValue(forKey: name) ?? []
    }

    mutating func one(_ name: String) throws(DoorRefusal) -> String? {
        let values = all(name)
        guard values.count <= 1 else {
            throw DoorRefusal(
                "option_repeated", field: name, value: values.joined(separator: ", "),
                en: "--\(name) stands \(values.count) times; give it once",
                zh: "--\(name) 出现 \(values.count) 次；只需一次")
        }
        return values.first
    }

    mutating func need(_ name: String, _ wanted: Localized) throws(DoorRefusal) -> String {
        guard let value = try one(name), !value.isEmpty else {
            throw DoorRefusal(
                "option_missing", field: name, en: "--\(name) is missing: \(wanted.en)",
                zh: "缺少 --\(name)：\(wanted.zh)")
        }
        return value
    }

    func finish() throws(DoorRefusal) {
        guard let name = given.keys.sorted().first else { return }
        let list = Set(known).sorted().map { "--" + $0 }.joined(separator: ", ")
        throw DoorRefusal(
            "option_unknown", field: name, value: given[name]?.joined(separator: ", ") ?? "",
            en: "--\(name) is not known here; known: \(list.isEmpty ? "none" : list)",
            zh: "此处没有 --\(name)；可用：\(list.isEmpty ? "无" : list)")
    }

    // MARK: Reading

    static func wrong(_ field: String, _ value: String, _ en: String, _ zh: String) -> DoorRefusal {
        DoorRefusal(
            "value_unreadable", field: field, value: value,
            en: "--\(field) “\(value)”: wanted \(en)",
            zh: "--\(field) “\(value)”：应为\(zh.first?.isASCII == true ? " " : "")\(zh)")
    }

    mutating func number(_ name: String, atLeast minimum: Int64 = 0) throws(DoorRefusal) -> Int64? {
        guard let text = try one(name) else { return nil }
        return try Self.number(text, name, atLeast: minimum)
    }

    mutating func needNumber(
        _ name: String, atLeast minimum: Int64 = 0
    ) throws(DoorRefusal) -> Int64 {
        let text = try need(name, Localized(en: "a whole number", zh: "整数"))
        return try Self.number(text, name, atLeast: minimum)
    }

    static func number(_ text: String, _ name: String, atLeast minimum: Int64) throws(DoorRefusal)
        -> Int64
    {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int64(text), number >= minimum, number <= wholeNumberMax
        else {
            throw wrong(
                name, text, "a whole number from \(minimum) to \(wholeNumberMax)",
                "\(minimum) 至 \(wholeNumberMax) 的整数")
        }
        return number
    }

    mutating func instant(_ name: String) throws(DoorRefusal) -> (Instant, offsetMinutes: Int)? {
        guard let text = try one(name) else { return nil }
        return try moment(text, name)
    }

    mutating func needInstant(_ name: String) throws(DoorRefusal) -> (Instant, offsetMinutes: Int) {
        try moment(try need(name, Self.instantWords), name)
    }

    static let instantWords = Localized(
        en: "an instant: 2026-11-21T09:00+08:00, or +5d, +2h, +30m, +90s from now",
        zh: "时刻：2026-11-21T09:00+08:00，或从现在起 +5d、+2h、+30m、+90s")

    func moment(_ text: String, _ name: String) throws(DoorRefusal) -> (Instant, offsetMinutes: Int)
    {
        if let span = Self.span(text) { return (now.advanced(by: span), 0) }
        guard let read = CivilTime.read(text) else {
            throw Self.wrong(name, text, Self.instantWords.en, Self.instantWords.zh)
        }
        return read
    }

    /// `+5d` in milliseconds.
    static func span(_ text: String) -> Int64? {
        guard text.hasPrefix("+"), let unit = text.last,
            let count = Int64(text.dropFirst().dropLast()),
            (0...wholeNumberMax / 86_400_000).contains(count)
        else { return nil }
        switch unit {
        case "d": return count * 86_400_000
        case "h": return count * 3_600_000
        case "m": return count * 60_000
        case "s": return count * 1000
        default: return nil
        }
    }

    /// `[+1d, +2d]` and `+1d` as the instants that `Parameter.read` knows.
    func absolute(_ text: String) -> String {
        func one(_ part: Substring) -> String {
            let blank = part.prefix { $0 == " " }
            let rest = part.dropFirst(blank.count)
            guard let span = Self.span(String(rest)) else { return String(part) }
            return blank + now.advanced(by: span).iso
        }
        guard text.hasPrefix("["), text.hasSuffix("]") else { return one(text[...]) }
        let parts = text.dropFirst().dropLast().split(
            separator: ",", omittingEmptySubsequences: false)
        return "[" + parts.map(one).joined(separator: ",") + "]"
    }

    /// A typed value of a template's parameter; instants may be relative.
    func value(
        _ parameter: Parameter, _ text: String, currency: Currency, units: [UnitCode],
        field: String? = nil
    ) throws(DoorRefusal) -> Value {
        var text = text
        var unit = Self.piece
        switch parameter.kind {
        case .instant, .list(.instant): text = absolute(text)
        case .quantity(let line), .list(.quantity(let line)):
            if units.indices.contains(line) { unit = units[line] }
        default: break
        }
        let field = Self.plain(field ?? parameter.name)
        guard let unit else { throw Self.wrong(field, text, "a unit", "单位") }
        do {
            return try parameter.read(text, currency: currency, unit: unit)
        } catch {
            throw Self.wrong(field, text, error.kind.words(.en), error.kind.words(.zh))
        }
    }

    private static let piece = try? UnitCode("C62")
}

// MARK: - Names and ids

extension Node {
    /// The one id that `text` begins, at least six digits of it.
    static func unique<K>(
        _ text: String, among ids: some Sequence<Fixed32<K>>, field: String, _ what: Localized,
        see: String
    ) throws(DoorRefusal) -> Fixed32<K> {
        let wanted = text.lowercased()
        guard wanted.utf8.count >= 6, wanted.utf8.count <= 64,
            wanted.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else {
            throw Options.wrong(
                field, text, "the \(what.en)'s id, at least 6 of its hexadecimal digits",
                "\(what.zh)的编号，至少前 6 位十六进制数字")
        }
        let whole = Fixed32<K>(hex: wanted)
        let found = ids.filter { id in
            whole.map { $0 == id } ?? id.hex.hasPrefix(wanted)
        }.sorted()
        if found.count > 1 {
            // Six digits more tell any two apart that chance made.
            let list = found.prefix(8).map { String($0.hex.prefix(wanted.utf8.count + 6)) }
            throw DoorRefusal(
                "id_ambiguous", field: field, value: text,
                en: "--\(field) “\(text)” begins \(found.count) ids; give more digits: "
                    + list.joined(separator: ", "),
                zh: "--\(field) “\(text)”对应 \(found.count) 个编号；请多给几位："
                    + list.joined(separator: "、"))
        }
        guard let id = found.first else {
            throw DoorRefusal(
                "\(field)_unknown", field: field, value: text,
                en: "--\(field) “\(text)”: no such \(what.en) here; see: \(see)",
                zh: "--\(field) “\(text)”：此处没有这样的\(what.zh)；请看 \(see)")
        }
        return id
    }

    func contractID(_ text: String) throws(DoorRefusal) -> ContractID {
        if let whole = ContractID(hex: text), contracts[whole] != nil { return whole }
        return try Self.unique(
            text, among: contracts.keys, field: "contract",
            Localized(en: "contract", zh: "合同"), see: "talea contract list")
    }

    func lineID(_ text: String) throws(DoorRefusal) -> LogID {
        try Self.unique(
            text, among: lines.keys, field: "line",
            Localized(en: "capacity line", zh: "产能线"), see: "talea line show")
    }

    func offerID(_ text: String) throws(DoorRefusal) -> EntryID {
        if let whole = EntryID(hex: text), book.offer(whole) != nil { return whole }
        let all = book.authors.flatMap { book[$0]?.offers ?? [] }.map(\.id)
        return try Self.unique(
            text, among: all, field: "offer", Localized(en: "offer", zh: "报价"),
            see: "talea offer list")
    }

    /// `me`, a did, a petname, a profile's name, or the short did.
    func party(_ text: String, field: String) throws(DoorRefusal) -> DID {
        if text == "me" { return own.did }
        if let did = DID(did: text) { return did }
        let petnamed = petnames.filter { $0.value == text }.keys.sorted()
        let everyone = Set(book.authors + petnames.keys.sorted())
        let profiled = everyone.filter { book[$0]?.profile?.name == text }.sorted()
        let short = everyone.filter { $0.shortDID == text || $0.shortDID == "…" + text }
        // Anybody may call himself like the end of another's did.
        let named = Set(profiled).union(short).sorted()
        for found in [petnamed, named] where !found.isEmpty {
            guard found.count == 1, let did = found.first else {
                let list = found.map(\.shortDID).joined(separator: ", ")
                throw DoorRefusal(
                    "name_ambiguous", field: field, value: text,
                    en:
                        "--\(field) “\(text)”: \(found.count) people bear this name (\(list)); give a "
                        + "petname with talea name, or the did",
                    zh:
                        "--\(field) “\(text)”：有 \(found.count) 人叫此名（\(list)）；请用 talea name 起备注名，或给 did"
                )
            }
            return did
        }
        throw DoorRefusal(
            "name_unknown", field: field, value: text,
            en:
                "--\(field) “\(text)”: nobody is known by this name; wanted a petname (talea name list), "
                + "a profile name or a did",
            zh: "--\(field) “\(text)”：没有叫此名的人；应为备注名（talea name list）、档案名或 did")
    }

    /// By name, or by the beginning of its hash.
    func template(_ text: String) throws(DoorRefusal) -> Template {
        let all = templates.values.sorted { $0.hash < $1.hash }
        let named = all.filter { $0.name == text }
        let found =
            named.isEmpty && text.utf8.count >= 6
            ? all.filter { $0.hash.hex.hasPrefix(text.lowercased()) } : named
        guard let template = found.first else {
            let list = Set(all.map(\.name)).sorted().joined(separator: ", ")
            throw DoorRefusal(
                "template_unknown", field: "template", value: text,
                en: "--template “\(text)” is not here; here are: \(list)",
                zh: "--template “\(text)”不在此处；现有：\(list)")
        }
        guard found.count == 1 else {
            let list = found.map(\.hash.short).joined(separator: ", ")
            throw DoorRefusal(
                "template_ambiguous", field: "template", value: text,
                en: "\(found.count) files are called “\(text)”; give the hash: \(list)",
                zh: "有 \(found.count) 个文件名为“\(text)”；请给哈希：\(list)")
        }
        return template
    }
}

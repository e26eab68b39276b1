public import Capacity
public import Entries
internal import Identity
internal import Ledger

/// One value that a proposal, or a step, must carry: name, kind, bounds.
public struct Parameter: Hashable, Sendable {
    public let name: String
    public let kind: ValueKind
    /// For people; the name where the template gives none.
    public let title: Localized
    /// As a person would type it (`Parameter.read` takes it back); `nil`: must be given.
    public let defaultText: String?
    public let onlyChild: Bool
    /// The value may be missing (the evidence of a payment).
    public let optional: Bool
    let minimum: Expression?
    let maximum: Expression?
    let fallback: Datum?
    let count: ClosedRange<Int>?
    let countRule: Expression?
    let rising: Bool

    init(
        name: String, kind: ValueKind, title: Localized? = nil, defaultText: String? = nil,
        onlyChild: Bool = false, optional: Bool = false, minimum: Expression? = nil,
        maximum: Expression? = nil, fallback: Datum? = nil, count: ClosedRange<Int>? = nil,
        countRule: Expression? = nil, rising: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.title = title ?? Localized(en: name, zh: name)
        self.defaultText = defaultText
        self.onlyChild = onlyChild
        self.optional = optional
        self.minimum = minimum
        self.maximum = maximum
        self.fallback = fallback
        self.count = count
        self.countRule = countRule
        self.rising = rising
    }

    /// A text as a person types it, as the value that is signed: money `500.00`, shares `17.5 %`,
    /// durations `3d`, instants ISO 8601, lists `[30 %, 17.5 %]`. `unit` is the unit of the line that
    /// the quantity counts.
    public func read(
        _ text: String, currency: Currency, unit: UnitCode
    ) throws(ParameterRefusal) -> Value {
        guard let value = Self.value(text, kind, currency, unit) else {
            throw ParameterRefusal(name: name, text: text, kind: kind)
        }
        return value
    }

    private static func value(
        _ text: String, _ kind: ValueKind, _ currency: Currency, _ unit: UnitCode
    ) -> Value? {
        let text = Literal.trimmed(text)
        switch kind {
        case .int, .literal, .truth: return Literal.signed(text).map { .integer($0) }
        case .quantity:
            guard let units = Literal.whole(text),
                let quantity = try? Quantity(units: units, unit)
            else { return nil }
            return .quantity(quantity)
        case .money, .price:
            // A comma in front was meant for a point.
            let minor =
                text.hasPrefix(",")
                ? nil : Literal.decimal(text, decimals: currency.fractionDigits)
            guard let minor, let money = try? Money(minor: minor, currency) else { return nil }
            return .money(money)
        case .bp:
            guard let share = Literal.share(text) ?? Self.points(text), share <= 10_000 else {
                return nil
            }
            return .integer(share)
        case .instant: return CivilTime.read(text).map { .instant($0.instant) }
        case .duration: return Literal.duration(text).map { .integer($0) }
        case .choice(let options): return options.contains(text) ? .text(text) : nil
        case .role: return Literal.isName(text) ? .text(text) : nil
        case .state, .text: return .text(text)
        case .party: return DID(did: text).map { .identity($0) }
        case .hash: return Hash32(hex: text).map { .hash($0) }
        case .list(let item):
            guard let items = Literal.items(text) else { return nil }
            var values: [Value] = []
            for part in items {
                guard let one = value(part, item, currency, unit) else { return nil }
                values.append(one)
            }
            return .list(values)
        case .schedule:
            guard let items = Literal.items(text) else { return nil }
            let item: ValueKind = items.allSatisfy { $0.hasSuffix("%") } ? .bp : .money
            return value(text, .list(item), currency, unit)
        }
    }
}

extension Parameter {
    /// Basis points without a sign. Whoever types a bare 50 means the half and would give half a percent: up
    /// to 100 it has to be said.
    private static func points(_ text: String) -> Int64? {
        Literal.whole(text).flatMap { (1...100).contains($0) ? nil : $0 }
    }
}

/// A text that is no value of a parameter's kind.
public struct ParameterRefusal: Error, Hashable, Sendable {
    public let name: String
    public let text: String
    public let kind: ValueKind

    public func words(_ language: Language) -> String {
        switch language {
        case .en: "\(name): “\(text)” is not \(kind.words(.en))"
        case .zh: "\(name)：“\(text)” 不是\(kind.words(.zh))"
        }
    }
}

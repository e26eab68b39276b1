internal import Capacity
internal import Entries
internal import Identity

/// The type of a value in a template. Every expression has one before it is ever run.
public indirect enum ValueKind: Hashable, Sendable {
    case int
    /// Units of the line with this index; quantities of two lines never mix.
    case quantity(line: Int)
    case money
    /// Money for one unit.
    case price
    /// Basis points, 0 … 10000.
    case bp
    case instant
    case duration
    case choice([String])
    /// One of the contract's roles, by name.
    case role
    /// An identity that fills a role of a child.
    case party
    case hash
    case text
    case list(ValueKind)
    /// A list of money that sums to the parameter named; shares are turned into amounts.
    case schedule(of: String)
    /// A whole number as written: fits int, quantity, money, price and bp.
    case literal
    case truth
    case state

    /// The type that an expression sees: a schedule is its amounts.
    var seen: ValueKind {
        if case .schedule = self { .list(.money) } else { self }
    }

    var isNumber: Bool {
        switch self {
        case .int, .quantity, .money, .price, .bp, .literal, .duration, .instant: true
        default: false
        }
    }

    /// Whether a literal whole number can stand for it.
    var takesLiteral: Bool {
        switch self {
        case .int, .quantity, .money, .price, .bp, .literal: true
        default: false
        }
    }

    /// The kind that both sides of a sum or a comparison share; `nil` where they do not mix.
    static func shared(_ left: ValueKind, _ right: ValueKind) -> ValueKind? {
        if left == right { return left }
        if left == .literal, right.takesLiteral { return right }
        if right == .literal, left.takesLiteral { return left }
        return nil
    }

    /// Whether a value of this kind may be stored where `wanted` is asked for.
    func fits(_ wanted: ValueKind) -> Bool {
        self == wanted.seen || (self == .literal && wanted.takesLiteral)
    }

    /// The bounds of a stored value: nothing owed or held is ever below zero.
    func admits(_ number: Int64) -> Bool {
        switch self {
        case .money, .price, .quantity: (0...wholeNumberMax).contains(number)
        case .bp: (0...10_000).contains(number)
        case .instant: (1...wholeNumberMax).contains(number)
        default: number.magnitude <= wholeNumberMax.magnitude
        }
    }

    /// Tag in the state digest (see `ContractState.digest`).
    var tag: UInt8 {
        switch self {
        case .int, .literal, .truth: 1
        case .quantity: 2
        case .money: 3
        case .price: 4
        case .bp: 5
        case .instant: 6
        case .duration: 7
        case .choice, .role, .state, .text: 8
        case .hash, .party: 9
        case .list, .schedule: 10
        }
    }

    public func words(_ language: Language) -> String {
        switch (self, language) {
        case (.int, .en), (.literal, .en): "a whole number"
        case (.int, .zh), (.literal, .zh): "整数"
        case (.quantity(let line), .en): line == 0 ? "a quantity" : "a quantity of line \(line)"
        case (.quantity(let line), .zh): line == 0 ? "数量" : "第 \(line) 条产能线的数量"
        case (.money, .en): "an amount of money"
        case (.money, .zh): "金额"
        case (.price, .en): "a price"
        case (.price, .zh): "单价"
        case (.bp, .en): "a share (0 % to 100 %)"
        case (.bp, .zh): "比例（0 % 至 100 %）"
        case (.instant, .en): "an instant (2026-11-21T09:00+08:00)"
        case (.instant, .zh): "时刻（2026-11-21T09:00+08:00）"
        case (.duration, .en): "a duration (3d, 2h, 30m, 90s)"
        case (.duration, .zh): "时长（3d、2h、30m、90s）"
        case (.choice(let options), .en): "one of " + options.joined(separator: ", ")
        case (.choice(let options), .zh): "以下之一：" + options.joined(separator: "、")
        case (.role, .en): "a role"
        case (.role, .zh): "角色"
        case (.party, .en): "an identity"
        case (.party, .zh): "身份"
        case (.hash, .en): "a hash (64 hexadecimal digits)"
        case (.hash, .zh): "哈希（64 位十六进制）"
        case (.text, .en): "a text"
        case (.text, .zh): "文字"
        case (.list(let item), .en): "a list, each \(item.words(.en))"
        case (.list(let item), .zh): "列表，每项为\(item.words(.zh))"
        case (.schedule(let total), .en):
            "shares that sum to 100 %, or amounts that sum to \(total)"
        case (.schedule(let total), .zh): "合计 100 % 的比例，或合计等于 \(total) 的金额"
        case (.truth, .en): "true or false"
        case (.truth, .zh): "真或假"
        case (.state, .en): "a state"
        case (.state, .zh): "状态"
        }
    }
}

/// A value inside the interpreter. Its kind is known statically, so numbers are bare.
enum Datum: Hashable, Sendable {
    case number(Int64)
    case truth(Bool)
    /// A choice, role, state or text.
    case name(String)
    case hash(Hash32)
    case identity(DID)
    case list([Datum])
}

extension Datum {
    /// A signed value as the interpreter sees it; `nil` where type, currency or unit are not the asked.
    init?(_ value: Value, kind: ValueKind, currency: Currency, units: [UnitCode]) {
        switch (kind, value) {
        case (.int, .integer(let number)), (.duration, .integer(let number)),
            (.bp, .integer(let number)):
            self = .number(number)
        case (.quantity(let line), .quantity(let quantity)):
            guard units.indices.contains(line), units[line] == quantity.unit else { return nil }
            self = .number(quantity.units)
        case (.money, .money(let money)), (.price, .money(let money)):
            guard money.currency == currency else { return nil }
            self = .number(money.minor)
        case (.instant, .instant(let instant)): self = .number(instant.milliseconds)
        case (.choice(let options), .text(let text)):
            guard options.contains(text) else { return nil }
            self = .name(text)
        case (.role, .text(let text)), (.text, .text(let text)): self = .name(text)
        case (.party, .identity(let identity)): self = .identity(identity)
        case (.hash, .hash(let hash)): self = .hash(hash)
        case (.list(let item), .list(let values)):
            var items: [Datum] = []
            for value in values {
                guard let datum = Datum(value, kind: item, currency: currency, units: units) else {
                    return nil
                }
                items.append(datum)
            }
            self = .list(items)
        default: return nil
        }
    }

    /// As it stands in proposals and records. `nil` only where a number lies out of its bounds.
    func value(_ kind: ValueKind, currency: Currency, units: [UnitCode]) -> Value? {
        switch (kind, self) {
        case (.quantity(let line), .number(let number)):
            guard units.indices.contains(line),
                let quantity = try? Quantity(units: number, units[line])
            else { return nil }
            return .quantity(quantity)
        case (.money, .number(let number)), (.price, .number(let number)):
            return (try? Money(minor: number, currency)).map { .money($0) }
        case (.instant, .number(let number)):
            return (try? Instant(milliseconds: number)).map { .instant($0) }
        case (_, .number(let number)): return .integer(number)
        case (_, .truth(let truth)): return .integer(truth ? 1 : 0)
        case (_, .name(let name)): return .text(name)
        case (_, .hash(let hash)): return .hash(hash)
        case (_, .identity(let identity)): return .identity(identity)
        case (_, .list(let items)):
            let item: ValueKind
            if case .list(let inner) = kind.seen { item = inner } else { item = .int }
            return .list(
                items.compactMap { $0.value(item, currency: currency, units: units) })
        }
    }

    var number: Int64? { if case .number(let number) = self { number } else { nil } }
    var name: String? { if case .name(let name) = self { name } else { nil } }
    var items: [Datum] { if case .list(let items) = self { items } else { [] } }
}

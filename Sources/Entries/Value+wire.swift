internal import Capacity
internal import Identity

// Value { 1 integer sint64 · 2 money · 3 quantity · 4 instant · 5 hash · 6 text · 7 identity · 8 list }
// Exactly one is present. An integer zero and an empty text are the one case where "absent" would be
// ambiguous, so field 9 (`zero`) names them: 1 integer 0, 2 empty text, 3 empty list.
extension Value: WireMessage {
    public func write(to writer: inout WireWriter) {
        switch self {
        case .integer(0): writer.number(9, 1)
        case .integer(let value): writer.signed(1, value)
        case .money(let money): writer.message(2, MoneyWire(money: money))
        case .quantity(let quantity): writer.message(3, QuantityWire(quantity: quantity))
        case .instant(let instant): writer.number(4, instant.milliseconds)
        case .hash(let hash): writer.id(5, hash)
        case .text(""): writer.number(9, 2)
        case .text(let text): writer.text(6, text)
        case .identity(let did): writer.id(7, did)
        case .list(let items) where items.isEmpty: writer.number(9, 3)
        case .list(let items): writer.message(8, ListWire(items: items))
        }
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        guard reader.depth <= EntryLimit.valueDepth + 8 else {
            throw .tooLarge(what: "nesting", bytes: reader.depth, limit: EntryLimit.valueDepth + 8)
        }
        switch try reader.nextField() {
        case 1: self = .integer(try reader.signed(1))
        case 2: self = .money(try reader.message(2, MoneyWire.self).money)
        case 3: self = .quantity(try reader.message(3, QuantityWire.self).quantity)
        case 4: self = .instant(try reader.instant(4))
        case 5: self = .hash(try reader.id(5))
        case 6: self = .text(try reader.requiredText(6))
        case 7: self = .identity(try reader.id(7))
        case 8: self = .list(try reader.message(8, ListWire.self).items)
        case 9:
            switch try reader.required(9) {
            case 1: self = .integer(0)
            case 2: self = .text("")
            case 3: self = .list([])
            default: throw .wireField(field: 9, after: 8)
            }
        case let other: throw .wireMissing(field: other ?? 1)
        }
    }
}

extension Argument: WireMessage {
    public func write(to writer: inout WireWriter) {
        writer.text(1, name)
        writer.message(2, value)
    }

    public init(from reader: inout WireReader) throws(EntryRefusal) {
        name = try reader.identifier(1)
        value = try reader.message(2, Value.self)
    }
}

extension WireReader {
    /// A name that is compared: ASCII letters, digits, `_`, `-`, `.`, at most 64. Two texts that look
    /// alike cannot both be one.
    mutating func identifier(_ field: Int) throws(EntryRefusal) -> String {
        let name = try requiredText(field)
        let lawful = name.utf8.allSatisfy {
            (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0)
                || $0 == 95 || $0 == 45 || $0 == 46
        }
        guard lawful, name.utf8.count <= 64 else { throw .wireText(field: field) }
        return name
    }

    /// Sorted by name, each once.
    mutating func arguments(_ field: Int) throws(EntryRefusal) -> [Argument] {
        let all = try messages(field, Argument.self)
        for (one, next) in zip(all, all.dropFirst()) {
            guard one.name.utf8.lexicographicallyPrecedes(next.name.utf8) else {
                throw .wireOrder(field: field)
            }
        }
        return all
    }
}

/// Money { 1 minor sint64, 2 currency }
struct MoneyWire: WireMessage {
    let money: Money

    init(money: Money) { self.money = money }

    func write(to writer: inout WireWriter) {
        writer.signed(1, money.minor)
        writer.text(2, money.currency.code)
    }

    init(from reader: inout WireReader) throws(EntryRefusal) {
        let minor = try reader.signed(1)
        let code = try reader.requiredText(2)
        do { money = try Money(minor: minor, Currency(code)) } catch {
            throw .value(field: 2, error)
        }
    }
}

/// Quantity { 1 units, 2 unit }
struct QuantityWire: WireMessage {
    let quantity: Quantity

    init(quantity: Quantity) { self.quantity = quantity }

    func write(to writer: inout WireWriter) {
        writer.number(1, quantity.units)
        writer.text(2, quantity.unit.code)
    }

    init(from reader: inout WireReader) throws(EntryRefusal) {
        let units = try reader.number(1)
        let code = try reader.requiredText(2)
        do { quantity = try Quantity(units: units, UnitCode(code)) } catch {
            throw .value(field: 2, error)
        }
    }
}

private struct ListWire: WireMessage {
    let items: [Value]

    init(items: [Value]) { self.items = items }

    func write(to writer: inout WireWriter) { writer.messages(1, items) }

    init(from reader: inout WireReader) throws(EntryRefusal) {
        items = try reader.messages(1, Value.self)
        guard !items.isEmpty else { throw .wireDefaultSpelledOut(field: 8) }
    }
}

/// LineTerms { 1 resource, 2 start, 3 end, 4 offset sint32, 5 unit }
struct LineTermsWire: WireMessage {
    let terms: LineTerms

    init(terms: LineTerms) { self.terms = terms }

    func write(to writer: inout WireWriter) {
        writer.text(1, terms.resource.path)
        writer.number(2, terms.window.start.milliseconds)
        writer.number(3, terms.window.end.milliseconds)
        writer.signed(4, Int64(terms.window.offsetMinutes))
        writer.text(5, terms.unit.code)
    }

    init(from reader: inout WireReader) throws(EntryRefusal) {
        let path = try reader.requiredText(1)
        let start = try reader.instant(2)
        let end = try reader.instant(3)
        let offset = try reader.signed(4)
        let unit = try reader.requiredText(5)
        do {
            terms = LineTerms(
                resource: try Resource(path),
                window: try Window(start: start, end: end, offsetMinutes: Int(offset)),
                unit: try UnitCode(unit))
        } catch {
            throw .value(field: 1, error)
        }
    }
}

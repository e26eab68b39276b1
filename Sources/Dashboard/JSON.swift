/// A JSON value (RFC 8259), its numbers whole: nothing here ever carries a fraction.
///
/// Reading is strict: one value, no duplicate keys, at most 32 levels. Writing keeps the order in which
/// an object was made, so that people find the same field in the same place.
public enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Int64)
    case string(String)
    case array([JSON])
    case object([Field])

    public struct Field: Hashable, Sendable {
        public let name: String
        public let value: JSON

        public init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    public subscript(name: String) -> JSON? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    /// These fields in the place of its own of the same name.
    func merging(_ fields: [Field]) -> JSON {
        .object(
            self.fields.map { field in fields.first { $0.name == field.name } ?? field }
                + fields.filter { self[$0.name] == nil })
    }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var number: Int64? { if case .number(let number) = self { number } else { nil } }
    public var bool: Bool? { if case .bool(let truth) = self { truth } else { nil } }
    public var array: [JSON] { if case .array(let items) = self { items } else { [] } }
    public var fields: [Field] { if case .object(let fields) = self { fields } else { [] } }

    public struct Malformed: Error, Hashable, Sendable {
        public let offset: Int
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(nilLiteral: ()) { self = .null }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Field($0.0, $0.1) })
    }

    /// `null` where there is nothing to say.
    static func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
    static func number(_ number: Int64?) -> JSON { number.map { .number($0) } ?? .null }
    static func number(_ number: Int) -> JSON { .number(Int64(number)) }
}

// MARK: - Writing

extension JSON {
    /// On one line, or indented by two.
    public func text(pretty: Bool = false) -> String {
        String(decoding: bytes(pretty: pretty), as: UTF8.self)
    }

    /// The same in UTF-8.
    public func bytes(pretty: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes, indent: pretty ? 0 : nil)
        return bytes
    }

    private func write(to bytes: inout [UInt8], indent: Int?) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let truth): bytes += (truth ? "true" : "false").utf8
        case .number(let number): bytes += "\(number)".utf8
        case .string(let string): Self.quote(string, to: &bytes)
        case .array(let items):
            Self.list(items, "[", "]", to: &bytes, indent) { item, bytes, inner in
                item.write(to: &bytes, indent: inner)
            }
        case .object(let fields):
            Self.list(fields, "{", "}", to: &bytes, indent) { field, bytes, inner in
                Self.quote(field.name, to: &bytes)
                bytes += (inner == nil ? ":" : ": ").utf8
                field.value.write(to: &bytes, indent: inner)
            }
        }
    }

    private static func list<Item>(
        _ items: [Item], _ open: Unicode.Scalar, _ close: Unicode.Scalar, to bytes: inout [UInt8],
        _ indent: Int?, _ each: (Item, inout [UInt8], Int?) -> Void
    ) {
        func newLine(_ count: Int) {
            bytes.append(UInt8(ascii: "\n"))
            bytes += repeatElement(UInt8(ascii: " "), count: count)
        }
        bytes.append(UInt8(ascii: open))
        let inner = indent.map { $0 + 2 }
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            if let inner { newLine(inner) }
            each(item, &bytes, inner)
        }
        if let indent, !items.isEmpty { newLine(indent) }
        bytes.append(UInt8(ascii: close))
    }

    /// Control characters are escaped, those of Latin-1 (C2 80 to C2 9F) too: nothing of a peer's moves
    /// a reader's cursor.
    private static func quote(_ string: String, to bytes: inout [UInt8]) {
        func escape(_ byte: UInt8) {
            bytes += "\\u00".utf8
            for digit in [byte >> 4, byte & 15] {
                bytes.append(digit < 10 ? 48 + digit : 87 + digit)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { utf8 in
            var skips = false
            for (index, byte) in utf8.enumerated() where !skips || byte < 0x80 || byte > 0x9F {
                skips = false
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case UInt8(ascii: "\n"): bytes += "\\n".utf8
                case UInt8(ascii: "\r"): bytes += "\\r".utf8
                case UInt8(ascii: "\t"): bytes += "\\t".utf8
                case ..<32, 127: escape(byte)
                case 0xC2 where utf8[index + 1] < 0xA0:
                    escape(utf8[index + 1])
                    skips = true
                default: bytes.append(byte)
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

// MARK: - Reading

extension JSON {
    public init(reading bytes: some Collection<UInt8>) throws(Malformed) {
        var reader = Reader(bytes: Array(bytes))
        self = try reader.value(depth: 0)
        reader.skipBlank()
        guard reader.isAtEnd else { throw Malformed(offset: reader.offset) }
    }

    private struct Reader {
        let bytes: [UInt8]
        var offset = 0

        var isAtEnd: Bool { offset == bytes.count }
        var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }
        var malformed: Malformed { Malformed(offset: offset) }

        mutating func skipBlank() {
            while let byte = next, byte == 32 || byte == 10 || byte == 13 || byte == 9 {
                offset += 1
            }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipBlank()
            guard next == UInt8(ascii: character) else { return false }
            offset += 1
            return true
        }

        mutating func word(_ text: String, _ value: JSON) throws(Malformed) -> JSON {
            guard bytes[offset...].starts(with: Array(text.utf8)) else { throw malformed }
            offset += text.utf8.count
            return value
        }

        mutating func value(depth: Int) throws(Malformed) -> JSON {
            skipBlank()
            guard depth < 32, let byte = next else { throw malformed }
            switch byte {
            case UInt8(ascii: "n"): return try word("null", .null)
            case UInt8(ascii: "t"): return try word("true", .bool(true))
            case UInt8(ascii: "f"): return try word("false", .bool(false))
            case UInt8(ascii: "\""): return .string(try string())
            case UInt8(ascii: "["):
                offset += 1
                var items: [JSON] = []
                if take("]") { return .array(items) }
                repeat { items.append(try value(depth: depth + 1)) } while take(",")
                guard take("]") else { throw malformed }
                return .array(items)
            case UInt8(ascii: "{"):
                offset += 1
                var fields: [Field] = []
                var names: Set<String> = []
                if take("}") { return .object(fields) }
                repeat {
                    skipBlank()
                    guard next == UInt8(ascii: "\"") else { throw malformed }
                    let name = try string()
                    guard names.insert(name).inserted, take(":") else { throw malformed }
                    fields.append(Field(name, try value(depth: depth + 1)))
                } while take(",")
                guard take("}") else { throw malformed }
                return .object(fields)
            default: return .number(try number())
            }
        }

        mutating func number() throws(Malformed) -> Int64 {
            let start = offset
            while let byte = next, byte == UInt8(ascii: "-") || (48...57).contains(byte) {
                offset += 1
            }
            let text = String(decoding: bytes[start..<offset], as: UTF8.self)
            let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
            guard let number = Int64(text), digits == "0" || !digits.hasPrefix("0") else {
                throw malformed
            }
            return number
        }

        mutating func string() throws(Malformed) -> String {
            offset += 1
            var units: [UInt8] = []
            while let byte = next {
                offset += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let text = String(validating: units, as: UTF8.self) else {
                        throw malformed
                    }
                    return text
                case UInt8(ascii: "\\"): units += try escape()
                case 0..<32: throw malformed
                default: units.append(byte)
                }
            }
            throw malformed
        }

        mutating func escape() throws(Malformed) -> [UInt8] {
            guard let byte = next else { throw malformed }
            offset += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
            case UInt8(ascii: "b"): return [8]
            case UInt8(ascii: "f"): return [12]
            case UInt8(ascii: "n"): return [10]
            case UInt8(ascii: "r"): return [13]
            case UInt8(ascii: "t"): return [9]
            case UInt8(ascii: "u"):
                var code = try hex()
                if (0xD800..<0xDC00).contains(code) {
                    guard next == UInt8(ascii: "\\") else { throw malformed }
                    offset += 1
                    guard next == UInt8(ascii: "u") else { throw malformed }
                    offset += 1
                    let low = try hex()
                    guard (0xDC00..<0xE000).contains(low) else { throw malformed }
                    code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                }
                guard let scalar = Unicode.Scalar(code) else { throw malformed }
                return Array(String(Character(scalar)).utf8)
            default: throw malformed
            }
        }

        mutating func hex() throws(Malformed) -> UInt32 {
            guard offset + 4 <= bytes.count,
                let code = UInt32(
                    String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16),
                bytes[offset..<offset + 4].allSatisfy({ $0 != 43 && $0 != 45 })
            else { throw malformed }
            offset += 4
            return code
        }
    }
}

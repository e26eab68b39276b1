public import Capacity
public import Identity

/// Sizes beyond which bytes are refused unread.
public enum EntryLimit {
    public static let headerBytes = 4 * 1024
    public static let bodyBytes = 64 * 1024 + 72
    /// Items in any repeated field.
    public static let listItems = 1024
    /// UTF-8 bytes of any text field.
    public static let textBytes = 8 * 1024
    /// Lists inside lists: a schedule in an argument needs one.
    public static let valueDepth = 4
}

/// What can stand on the wire. The `.proto` file says the same; a test holds both together.
public protocol WireMessage: Sendable {
    init(from reader: inout WireReader) throws(EntryRefusal)
    func write(to writer: inout WireWriter)
}

extension WireMessage {
    /// Reads all of `bytes`; anything beyond the known fields is refused.
    public init(strict bytes: some Collection<UInt8>) throws(EntryRefusal) {
        var reader = WireReader(Array(bytes)[...])
        try self.init(from: &reader)
        try reader.end()
    }

    public var wire: [UInt8] {
        var writer = WireWriter()
        write(to: &writer)
        return writer.bytes
    }
}

/// Writes protobuf in the one form we accept: fields ascending, shortest varints, no defaults.
/// The caller writes fields in ascending order.
public struct WireWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func number(_ field: Int, _ value: Int64) {
        guard value != 0 else { return }
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: value))
    }

    /// ZigZag (`sint64`).
    public mutating func signed(_ field: Int, _ value: Int64) {
        guard value != 0 else { return }
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    public mutating func bytes(_ field: Int, _ value: [UInt8]?) {
        guard let value, !value.isEmpty else { return }
        always(field, value)
    }

    /// Room for so many bytes more: what is kept for long keeps nothing empty.
    mutating func reserve(_ count: Int) { bytes.reserveCapacity(bytes.count + count) }

    public mutating func text(_ field: Int, _ value: String) {
        bytes(field, Array(value.utf8))
    }

    public mutating func id<K>(_ field: Int, _ value: Fixed32<K>?) {
        guard let value else { return }
        always(field, value.bytes)
    }

    public mutating func message(_ field: Int, _ value: (any WireMessage)?) {
        guard let value else { return }
        always(field, value.wire)
    }

    public mutating func messages(_ field: Int, _ values: [some WireMessage]) {
        for value in values { always(field, value.wire) }
    }

    public mutating func ids<K>(_ field: Int, _ values: [Fixed32<K>]) {
        for value in values { always(field, value.bytes) }
    }

    mutating func always(_ field: Int, _ value: [UInt8]) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}

/// Reads fields in ascending order, each call one field. What was not asked for, came twice, came late
/// or spells out a default is still there at `end()`, and refused.
public struct WireReader {
    private var rest: ArraySlice<UInt8>
    private var last = 0
    public var depth = 0

    public init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    public mutating func end() throws(EntryRefusal) {
        guard let (field, _, _) = try peek() else { return }
        throw .wireField(field: field, after: last)
    }

    /// Zero when absent; 0 … 2^53−1.
    public mutating func number(_ field: Int) throws(EntryRefusal) -> Int64 {
        guard let raw = try varintField(field) else { return 0 }
        guard raw <= UInt64(wholeNumberMax) else {
            throw .value(field: field, .numberOutOfBounds(Int64(clamping: raw)))
        }
        return Int64(raw)
    }

    /// As `number`, but must be there.
    public mutating func required(_ field: Int) throws(EntryRefusal) -> Int64 {
        let value = try number(field)
        guard value != 0 else { throw .wireMissing(field: field) }
        return value
    }

    public mutating func signed(_ field: Int) throws(EntryRefusal) -> Int64 {
        guard let raw = try varintField(field) else { return 0 }
        let value = Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
        guard value.magnitude <= UInt64(wholeNumberMax) else {
            throw .value(field: field, .numberOutOfBounds(value))
        }
        return value
    }

    public mutating func instant(_ field: Int) throws(EntryRefusal) -> Instant {
        let value = try required(field)
        do { return try Instant(milliseconds: value) } catch { throw .value(field: field, error) }
    }

    public mutating func optionalBytes(_ field: Int) throws(EntryRefusal) -> [UInt8]? {
        guard let slice = try lengthField(field) else { return nil }
        guard !slice.isEmpty else { throw .wireDefaultSpelledOut(field: field) }
        return Array(slice)
    }

    public mutating func bytes(_ field: Int) throws(EntryRefusal) -> [UInt8] {
        guard let value = try optionalBytes(field) else { throw .wireMissing(field: field) }
        return value
    }

    /// Empty when absent.
    public mutating func text(_ field: Int) throws(EntryRefusal) -> String {
        guard let raw = try optionalBytes(field) else { return "" }
        guard raw.count <= EntryLimit.textBytes else {
            throw .tooLarge(what: "text", bytes: raw.count, limit: EntryLimit.textBytes)
        }
        guard let text = String(validating: raw, as: UTF8.self), !text.utf8.contains(0) else {
            throw .wireText(field: field)
        }
        return text
    }

    public mutating func requiredText(_ field: Int) throws(EntryRefusal) -> String {
        let value = try text(field)
        guard !value.isEmpty else { throw .wireMissing(field: field) }
        return value
    }

    public mutating func optionalID<K>(_ field: Int) throws(EntryRefusal) -> Fixed32<K>? {
        guard let slice = try lengthField(field) else { return nil }
        guard let value = Fixed32<K>(slice) else {
            throw .wireLength(field: field, bytes: slice.count)
        }
        return value
    }

    public mutating func id<K>(_ field: Int) throws(EntryRefusal) -> Fixed32<K> {
        guard let value: Fixed32<K> = try optionalID(field) else {
            throw .wireMissing(field: field)
        }
        return value
    }

    public mutating func ids<K>(_ field: Int) throws(EntryRefusal) -> [Fixed32<K>] {
        var values: [Fixed32<K>] = []
        while let (found, _, _) = try peek(), found == field {
            last = 0
            values.append(try id(field))
            try checkCount(field, values.count)
        }
        return values
    }

    public mutating func signature(_ field: Int) throws(EntryRefusal) -> Signature {
        let raw = try bytes(field)
        guard let value = Signature(raw) else {
            throw .wireLength(field: field, bytes: raw.count)
        }
        return value
    }

    public mutating func optionalSignature(_ field: Int) throws(EntryRefusal) -> Signature? {
        guard let raw = try optionalBytes(field) else { return nil }
        guard let value = Signature(raw) else {
            throw .wireLength(field: field, bytes: raw.count)
        }
        return value
    }

    public mutating func optionalMessage<M: WireMessage>(_ field: Int, _ type: M.Type)
        throws(EntryRefusal) -> M?
    {
        guard let slice = try lengthField(field) else { return nil }
        var inner = WireReader(slice)
        inner.depth = depth + 1
        let value = try M(from: &inner)
        try inner.end()
        return value
    }

    public mutating func message<M: WireMessage>(_ field: Int, _ type: M.Type)
        throws(EntryRefusal) -> M
    {
        guard let value = try optionalMessage(field, type) else {
            throw .wireMissing(field: field)
        }
        return value
    }

    public mutating func messages<M: WireMessage>(_ field: Int, _ type: M.Type)
        throws(EntryRefusal) -> [M]
    {
        var values: [M] = []
        while let (found, _, _) = try peek(), found == field {
            last = 0
            values.append(try message(field, type))
            try checkCount(field, values.count)
        }
        return values
    }

    /// The number of the next field, for `oneof`.
    public func nextField() throws(EntryRefusal) -> Int? { try peek()?.field }

    private func checkCount(_ field: Int, _ count: Int) throws(EntryRefusal) {
        guard count <= EntryLimit.listItems else {
            throw .wireTooMany(field: field, limit: EntryLimit.listItems)
        }
    }

    private func peek() throws(EntryRefusal) -> (field: Int, type: UInt8, length: Int)? {
        guard !rest.isEmpty else { return nil }
        var copy = rest
        let tag = try Self.varint(&copy)
        guard tag >> 3 <= 1000, tag >> 3 > 0 else { throw .wireField(field: 0, after: last) }
        return (Int(tag >> 3), UInt8(tag & 7), rest.count - copy.count)
    }

    /// Consumes the tag if the next field is `field`.
    private mutating func take(_ field: Int, type: UInt8) throws(EntryRefusal) -> Bool {
        guard let (found, foundType, length) = try peek(), found == field else { return false }
        guard field > last else { throw .wireField(field: field, after: last) }
        guard foundType == type else { throw .wireType(field: field) }
        rest = rest.dropFirst(length)
        last = field
        return true
    }

    private mutating func varintField(_ field: Int) throws(EntryRefusal) -> UInt64? {
        guard try take(field, type: 0) else { return nil }
        let value = try Self.varint(&rest)
        guard value != 0 else { throw .wireDefaultSpelledOut(field: field) }
        return value
    }

    private mutating func lengthField(_ field: Int) throws(EntryRefusal) -> ArraySlice<UInt8>? {
        guard try take(field, type: 2) else { return nil }
        let length = try Self.varint(&rest)
        guard length <= UInt64(rest.count) else { throw .wireTruncated }
        let slice = rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length))
        return slice
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) throws(EntryRefusal) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard let byte = bytes.popFirst() else { throw .wireTruncated }
            guard shift < 63 || byte <= 1 else { throw .wireVarint }
            value |= UInt64(byte & 127) << shift
            if byte & 128 == 0 {
                guard byte != 0 || shift == 0 else { throw .wireVarint }
                return value
            }
            shift += 7
        }
    }
}

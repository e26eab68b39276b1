/// Thirty-two bytes with a meaning. `Kind` is never made; it only keeps an entry id from being handed in
/// where a log id is meant. Ordered as bytes.
public struct Fixed32<Kind>: Hashable, Comparable, Sendable, CustomStringConvertible {
    @usableFromInline let a: UInt64
    @usableFromInline let b: UInt64
    @usableFromInline let c: UInt64
    @usableFromInline let d: UInt64

    /// `nil` unless exactly 32 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        let whole = bytes.withContiguousStorageIfAvailable { Self(UnsafeRawBufferPointer($0)) }
        self = whole ?? Array(bytes).withUnsafeBytes { Self($0) }
    }

    /// The same for bytes that lie together.
    public init?(raw: UnsafeRawBufferPointer) {
        guard raw.count == 32 else { return nil }
        self.init(raw)
    }

    /// Of 32 bytes that lie together.
    private init(_ raw: UnsafeRawBufferPointer) {
        a = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        b = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        c = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        d = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// The bytes as four big-endian numbers, for whoever counts in thousands of them.
    @inlinable public var words: (UInt64, UInt64, UInt64, UInt64) { (a, b, c, d) }

    @inlinable public init(words: (UInt64, UInt64, UInt64, UInt64)) { (a, b, c, d) = words }

    /// The same bytes with another meaning: a hash that *is* the id.
    public init<Other>(_ other: Fixed32<Other>) {
        (a, b, c, d) = (other.a, other.b, other.c, other.d)
    }

    /// `nil` unless 64 hexadecimal digits.
    public init?(hex: String) {
        guard let bytes = [UInt8](hex: hex) else { return nil }
        self.init(bytes)
    }

    private init() { (a, b, c, d) = (0, 0, 0, 0) }

    public static var zero: Self { Self() }

    public var bytes: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(32)
        for word in [a, b, c, d] { result.append(bigEndian: word) }
        return result
    }

    public var hex: String { bytes.hex }

    /// The first eight hexadecimal digits, for people.
    public var short: String { String(hex.prefix(8)) }

    public var description: String { hex }

    @inlinable public static func < (left: Self, right: Self) -> Bool {
        if left.a != right.a { return left.a < right.a }
        return (left.b, left.c, left.d) < (right.b, right.c, right.d)
    }

    @inlinable public static func == (left: Self, right: Self) -> Bool {
        left.a == right.a && left.b == right.b && left.c == right.c && left.d == right.d
    }
}

public enum HashKind {}
public enum EntryKind32 {}
public enum LogKind {}
public enum TopicKind {}
public enum ContractKind {}
public enum IdentityKind {}
public enum PublicKeyKind {}

/// A SHA-256 digest of anything.
public typealias Hash32 = Fixed32<HashKind>
/// SHA-256(header bytes ‖ signature).
public typealias EntryID = Fixed32<EntryKind32>
public typealias LogID = Fixed32<LogKind>
public typealias TopicID = Fixed32<TopicKind>
/// SHA-256("talea.contract.v1" ‖ contract key).
public typealias ContractID = Fixed32<ContractKind>
/// An identity: its first Ed25519 public key.
public typealias DID = Fixed32<IdentityKind>
/// An Ed25519 public key in some role: signing key of the moment, release key of one grant.
public typealias PublicKey = Fixed32<PublicKeyKind>

extension [UInt8] {
    public mutating func append(bigEndian value: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    public mutating func append(bigEndian value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }

    /// Length as four bytes, then the bytes: `s(x)` in docs/PROTOCOL.md.
    public mutating func append(counted bytes: some Collection<UInt8>) {
        append(bigEndian: UInt32(bytes.count))
        append(contentsOf: bytes)
    }

    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` unless an even number of hexadecimal digits.
    public init?(hex: String) {
        func digit(_ character: UInt8) -> UInt8? {
            switch character {
            case 48...57: character - 48
            case 97...102: character - 87
            case 65...70: character - 55
            default: nil
            }
        }
        let text = Array<UInt8>(hex.utf8)
        guard text.count % 2 == 0 else { return nil }
        self.init()
        reserveCapacity(text.count / 2)
        for index in stride(from: 0, to: text.count, by: 2) {
            guard let high = digit(text[index]), let low = digit(text[index + 1]) else {
                return nil
            }
            append(high << 4 | low)
        }
    }
}

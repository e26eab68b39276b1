/// Twenty random bytes that bring an identity back: printed once, typed in once. The next signing key
/// and the node secret derive from it; the key file never holds it.
public struct RecoveryCode: Sendable {
    private let entropy: SecretBytes

    public static let entropyBytes = 20

    /// `nil` unless 20 bytes.
    public init?(entropy: [UInt8]) {
        guard entropy.count == Self.entropyBytes else { return nil }
        self.entropy = SecretBytes(entropy)
    }

    /// Reads what a person typed: case, blanks and hyphens do not matter, O is 0, I and L are 1
    /// (Crockford, "Base 32"). `nil` if the checksum does not hold.
    public init?(text: String) {
        var bits: [Bool] = []
        for letter in Self.canonical(text).utf8 {
            guard let value = Self.alphabet.firstIndex(of: letter) else { return nil }
            for shift in (0..<5).reversed() { bits.append(value >> shift & 1 == 1) }
        }
        guard bits.count == Self.entropyBytes * 8 + Self.checksumBits else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: Self.entropyBytes * 8, by: 8) {
            bytes.append(bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) })
        }
        guard Array(bits.suffix(Self.checksumBits)) == Self.checksum(bytes) else { return nil }
        entropy = SecretBytes(bytes)
    }

    /// What a person typed, as it is printed, without hyphens.
    public static func canonical(_ text: String) -> String {
        String(
            text.uppercased().filter { $0 != " " && $0 != "-" }.map { letter in
                switch letter {
                case "O": "0"
                case "I", "L": "1"
                default: letter
                }
            })
    }

    /// Nine groups of four letters, the last one the checksum.
    public var text: String {
        let bytes = entropy.exposed
        var bits: [Bool] = []
        for byte in bytes {
            for shift in (0..<8).reversed() { bits.append(byte >> UInt8(shift) & 1 == 1) }
        }
        bits += Self.checksum(bytes)
        var letters: [UInt8] = []
        for start in stride(from: 0, to: bits.count, by: 5) {
            if start > 0, start % 20 == 0 { letters.append(45) }
            letters.append(
                Self.alphabet[bits[start..<start + 5].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }])
        }
        return String(decoding: letters, as: UTF8.self)
    }

    /// The key that key entry `index` (2 for the first rotation) reveals.
    public func nextKey(index: UInt32) -> SigningKey {
        var message = Array("talea.recovery.key.v1".utf8)
        message.append(bigEndian: index)
        let seed = HMAC256.authenticate(message, key: entropy.exposed)
        return SigningKey(seed: SecretBytes(seed.bytes))!
    }

    /// What one-time release keys derive from.
    public var nodeSecret: SecretBytes {
        SecretBytes(
            HMAC256.authenticate(Array("talea.recovery.node.v1".utf8), key: entropy.exposed).bytes)
    }

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let checksumBits = 20

    private static func checksum(_ bytes: [UInt8]) -> [Bool] {
        let digest = SHA256.hash(tag: "talea.recovery.check.v1", bytes).bytes
        return (0..<checksumBits).map { digest[$0 / 8] >> UInt8(7 - $0 % 8) & 1 == 1 }
    }
}

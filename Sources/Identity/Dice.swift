internal import CSodium

/// Randomness handed in from outside: a stream of bytes that one 32-byte seed fixes
/// (libsodium's `randombytes_buf_deterministic`, ChaCha20). The shell draws a fresh seed per input; a
/// simulation draws it from its own seed, so that a run replays.
public struct Dice: RandomNumberGenerator, Sendable {
    private let seed: [UInt8]
    private var rolls: UInt64 = 0

    public init(seed: Hash32) { self.seed = seed.bytes }

    /// Thirty-two fresh bytes.
    public mutating func roll() -> Hash32 {
        var counter: [UInt8] = []
        counter.append(bigEndian: rolls)
        rolls += 1
        let key = HMAC256.authenticate(counter, key: seed).bytes
        var bytes = [UInt8](repeating: 0, count: 32)
        randombytes_buf_deterministic(&bytes, 32, key)
        return Hash32(bytes) ?? .zero
    }

    public mutating func next() -> UInt64 { roll().words.0 }
}

/// The operating system's randomness. For the shell alone.
public enum Entropy {
    public static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        randombytes_buf(&bytes, count)
        return bytes
    }

    public static func seed() -> Hash32 { Hash32(bytes(32)) ?? .zero }
}

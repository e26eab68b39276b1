public import Identity

/// A seeded stream of chances (xoshiro256**, Blackman and Vigna). Everything that a simulated world
/// leaves to chance is drawn from one of these; `Dice` would hash for every frame.
public struct Chance: RandomNumberGenerator, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    public init(seed: UInt64) {
        var state = seed
        func split() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
        words = (split(), split(), split(), split())
    }

    public mutating func next() -> UInt64 {
        func turned(_ word: UInt64, _ count: UInt64) -> UInt64 {
            (word << count) | (word >> (64 - count))
        }
        let result = turned(words.1 &* 5, 7) &* 9
        let shifted = words.1 << 17
        words.2 ^= words.0
        words.3 ^= words.1
        words.1 ^= words.2
        words.0 ^= words.3
        words.2 ^= shifted
        words.3 = turned(words.3, 45)
        return result
    }

    /// A whole number from 0 up to and not including `count`.
    public mutating func below(_ count: Int) -> Int {
        count > 1 ? Int(truncatingIfNeeded: next() >> 1) % count : 0
    }

    public mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
        let span = UInt64(bitPattern: range.upperBound &- range.lowerBound)
        return span == .max
            ? Int64(bitPattern: next())
            : range.lowerBound &+ Int64(truncatingIfNeeded: next() % (span + 1))
    }

    /// True `perMillion` times in a million.
    public mutating func happens(_ perMillion: Int) -> Bool {
        perMillion > 0 && below(1_000_000) < perMillion
    }

    public mutating func pick<T>(_ items: [T]) -> T? {
        items.isEmpty ? nil : items[below(items.count)]
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { bytes.append(bigEndian: next()) }
        return Array(bytes.prefix(count))
    }

    public mutating func hash() -> Hash32 { Hash32(bytes(32)) ?? .zero }
}

/// A running hash of everything that happened: equal for equal runs, in any process (FNV-1a, by words).
struct Trace: Sendable {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01b3
        value ^= value >> 29
    }

    static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { raw in
            var value: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(raw.count)
            var place = 0
            while place + 8 <= raw.count {
                let word = raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
                value ^= value >> 32
                place += 8
            }
            while place < raw.count {
                value = (value ^ UInt64(raw[place])) &* 0x0000_0100_0000_01b3
                place += 1
            }
            return value
        }
    }
}

public import Capacity
public import Entries
public import Identity

extension Instant {
    /// 2026-11-21 09:00 +08:00, when most plays begin.
    public static let morning = must { try Instant(milliseconds: 1_795_222_800_000) }
    public static let noon = morning.hours(3)

    public func minutes(_ count: Int64) -> Instant { advanced(by: count * 60_000) }
    public func hours(_ count: Int64) -> Instant { advanced(by: count * 3_600_000) }
    public func days(_ count: Int64) -> Instant { advanced(by: count * 86_400_000) }
}

/// A clock that moves when it is turned.
public struct HandClock: Sendable {
    public private(set) var now: Instant

    public init(_ now: Instant = .morning) { self.now = now }

    public mutating func turn(minutes: Int64 = 0, hours: Int64 = 0, days: Int64 = 0) {
        now = now.minutes(minutes).hours(hours).days(days)
    }
}

extension LineTerms {
    /// A week of a letterpress in pieces.
    public static let pressWeek = line("print/letterpress/a5", "C62")
    /// The same week of a kitchen in hours.
    public static let kitchenWeek = line("food/pastry", "HUR")

    public static func line(_ resource: String, _ unit: String) -> LineTerms {
        must {
            LineTerms(
                resource: try Resource(resource),
                window: try Window(
                    start: Instant.morning.days(10), end: Instant.morning.days(17),
                    offsetMinutes: 480),
                unit: try UnitCode(unit))
        }
    }
}

extension Founding {
    public static let sample = Founding(
        name: "Letterpress Row", stewards: [hub.did], nonce: .filled(0x0f))
}

extension TopicID {
    /// The topic of `Founding.sample`.
    public static let alliance = TopicID.alliance(foundingBody: Founding.sample.wire)
}

extension ContractKey {
    /// Thirty-two times the same byte.
    public static func repeating(_ byte: UInt8) -> ContractKey {
        guard let key = ContractKey([UInt8](repeating: byte, count: 32)) else {
            preconditionFailure("32 bytes make a contract key")
        }
        return key
    }
}

extension Fixed32 {
    /// Thirty-two times the same byte.
    public static func filled(_ byte: UInt8) -> Self {
        Self([UInt8](repeating: byte, count: 32)) ?? .zero
    }
}

extension Currency {
    public static let cny = must { try Currency("CNY") }
}

/// SplitMix64 (Steele, Lea, Flood): the same seed gives the same numbers on every machine.
public struct Seeded: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(_ seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    public mutating func id<Kind>() -> Fixed32<Kind> { Fixed32(bytes(32)) ?? .zero }

    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

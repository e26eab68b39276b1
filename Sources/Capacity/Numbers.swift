/// The largest magnitude any stored number may have: what every JSON reader still holds exactly.
public let wholeNumberMax: Int64 = (1 << 53) - 1

/// Why a number, name or window was refused.
public indirect enum CapacityRefusal: Error, Hashable, Sendable {
    case numberOutOfBounds(Int64)
    case overflow
    case currencyMalformed(String)
    case unitMalformed(String)
    case resourceMalformed(String)
    case windowEmpty(start: Instant, end: Instant)
    case windowOffset(minutes: Int)
    case unitsMixed(String, String)
    case lineNotDeclared
    case lineAlreadyDeclared(total: Int64)
    case unitsNotPositive(Int64)
    case lineExceeded(remaining: Int64, requested: Int64)
    case totalBelowGranted(granted: Int64, total: Int64)
    case grantUnknown
    case grantRepeated
    case grantExceeded(held: Int64, requested: Int64)
    case firmShortened(until: Instant, requested: Instant)
    case releaseTooEarly(until: Instant, now: Instant)
    case remainingMisstated(stated: Int64, computed: Int64)
}

/// A moment in milliseconds since 1970 UTC, 1 … 2^53−1.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let milliseconds: Int64

    public init(milliseconds: Int64) throws(CapacityRefusal) {
        guard (1...wholeNumberMax).contains(milliseconds) else {
            throw .numberOutOfBounds(milliseconds)
        }
        self.milliseconds = milliseconds
    }

    /// The instant `span` milliseconds away, held inside the bounds.
    public func advanced(by span: Int64) -> Instant {
        let (sum, overflow) = milliseconds.addingReportingOverflow(span)
        let clamped = overflow ? (span > 0 ? wholeNumberMax : 1) : sum
        return Instant(unchecked: min(max(clamped, 1), wholeNumberMax))
    }

    private init(unchecked: Int64) { milliseconds = unchecked }

    public static let earliest = Instant(unchecked: 1)
    public static let latest = Instant(unchecked: wholeNumberMax)

    public static func < (left: Instant, right: Instant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    public var description: String { CivilTime(self, offsetMinutes: 0).description }
}

/// An ISO 4217 currency code: three upper-case letters.
public struct Currency: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) throws(CapacityRefusal) {
        guard code.utf8.count == 3, code.utf8.allSatisfy({ (65...90).contains($0) }) else {
            throw .currencyMalformed(code)
        }
        self.code = code
    }

    public static func < (left: Currency, right: Currency) -> Bool { left.code < right.code }
    public var description: String { code }
}

/// Money in whole minor units (fen, cents). May be negative only as a balance.
public struct Money: Hashable, Sendable {
    public let minor: Int64
    public let currency: Currency

    public init(minor: Int64, _ currency: Currency) throws(CapacityRefusal) {
        guard minor.magnitude <= wholeNumberMax.magnitude else {
            throw .numberOutOfBounds(minor)
        }
        self.minor = minor
        self.currency = currency
    }
}

/// A UN/CEFACT Recommendation 20 unit code: `C62` piece, `HUR` hour, `KGM` kilogram.
public struct UnitCode: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let code: String

    public init(_ code: String) throws(CapacityRefusal) {
        let lawful = code.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
        guard (1...3).contains(code.utf8.count), lawful else { throw .unitMalformed(code) }
        self.code = code
    }

    public static func < (left: UnitCode, right: UnitCode) -> Bool { left.code < right.code }
    public var description: String { code }
}

/// A whole, non-negative number of a unit.
public struct Quantity: Hashable, Sendable {
    public let units: Int64
    public let unit: UnitCode

    public init(units: Int64, _ unit: UnitCode) throws(CapacityRefusal) {
        guard (0...wholeNumberMax).contains(units) else { throw .numberOutOfBounds(units) }
        self.units = units
        self.unit = unit
    }
}

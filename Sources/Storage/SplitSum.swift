/// A sum as table `balance` has it: `high` × 2⁶² + `low`, `low` never below zero. Two lows add up
/// within 63 bits, so SQLite carries from one to the other without ever overflowing.
struct SplitSum: Hashable, Sendable {
    let high: Int64
    let low: Int64

    private static let bits = 62

    /// Refused beyond what 2⁶³ rows could add up to.
    init(_ sum: Int128) throws(StorageRefusal) {
        guard let high = Int64(exactly: sum >> Self.bits) else {
            throw .lawBroken(detail: "a sum of more than 125 bits")
        }
        self.high = high
        low = Int64(truncatingIfNeeded: sum & (1 << Self.bits - 1))
    }

    init(high: Int64, low: Int64) {
        self.high = high
        self.low = low
    }

    var sum: Int128 { Int128(high) << Self.bits + Int128(low) }
}

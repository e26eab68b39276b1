/// The links of a `BroadcastTree`, each at a place of its own.
typealias Mask = UInt64

/// The places in a mask, ascending.
struct Places: Sequence, IteratorProtocol {
    private var left: Mask

    init(_ mask: Mask) { left = mask }

    mutating func next() -> Int? {
        guard left != 0 else { return nil }
        defer { left &= left - 1 }
        return left.trailingZeroBitCount
    }
}

public import Identity

/// Never made: it keeps an item's id apart from the ids of what it stands for.
public enum ItemKind {}
public typealias ItemID = Fixed32<ItemKind>

/// What stands for one thing that both peers may hold. Ordered by time, then id.
public struct Item: Hashable, Comparable, Sendable {
    public let timestamp: UInt64
    public let id: ItemID

    public init(timestamp: UInt64, id: ItemID) {
        self.timestamp = timestamp
        self.id = id
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.timestamp == right.timestamp
            ? left.id < right.id : left.timestamp < right.timestamp
    }

    /// No item has this time: it is the end of every set.
    public static let endOfTime = UInt64.max
}

/// A sum of ids modulo 2^256, each read as a little-endian number.
public struct IDSum: Hashable, Sendable {
    private(set) var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init() {}

    public static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    mutating func add(_ id: ItemID) { add(Self.number(id)) }

    mutating func add(_ other: Self) { add(other.words) }

    mutating func subtract(_ id: ItemID) {
        let number = Self.number(id)
        // −x = ~x + 1
        add((~number.0, ~number.1, ~number.2, ~number.3))
        add((1, 0, 0, 0))
    }

    private static func number(_ id: ItemID) -> (UInt64, UInt64, UInt64, UInt64) {
        let words = id.words
        return (
            words.0.byteSwapped, words.1.byteSwapped, words.2.byteSwapped, words.3.byteSwapped
        )
    }

    private mutating func add(_ other: (UInt64, UInt64, UInt64, UInt64)) {
        var carry: UInt64 = 0
        func next(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let (partial, first) = left.addingReportingOverflow(right)
            let (whole, second) = partial.addingReportingOverflow(carry)
            carry = first || second ? 1 : 0
            return whole
        }
        words.0 = next(words.0, other.0)
        words.1 = next(words.1, other.1)
        words.2 = next(words.2, other.2)
        words.3 = next(words.3, other.3)
    }
}

/// A set of items in order, asked by position.
public protocol ItemStorage: Sendable {
    var count: Int { get }
    func item(at index: Int) -> Item
    func sum(_ range: Range<Int>) -> IDSum
    /// The position of the first item from `lower` on that is not below `bound`, and the sum of those
    /// between.
    func sum(from lower: Int, upTo bound: Item) -> (upper: Int, sum: IDSum)
    /// Hands out the items of `range` in order, until `body` answers false.
    func visit(_ range: Range<Int>, _ body: (Item) -> Bool)
}

public indirect enum ItemRefusal: Error, Hashable, Sendable {
    case twice(Item)
    /// The time that stands for the end of every set.
    case endOfTime(ItemID)
}

/// Items in one sorted array; each sum is a walk. Good for a set that is made once and asked a few times.
public struct SortedItems: ItemStorage {
    private let items: ContiguousArray<Item>

    public init(_ items: some Sequence<Item>) throws(ItemRefusal) {
        var items = ContiguousArray(items)
        items.sort()
        for index in items.indices {
            if index > 0, items[index - 1] == items[index] { throw .twice(items[index]) }
            if items[index].timestamp == Item.endOfTime { throw .endOfTime(items[index].id) }
        }
        self.items = items
    }

    public var count: Int { items.count }

    public func item(at index: Int) -> Item { items[index] }

    public func sum(_ range: Range<Int>) -> IDSum { items.sum(range) }

    public func sum(from lower: Int, upTo bound: Item) -> (upper: Int, sum: IDSum) {
        let upper = max(lower, items.lowerBound(bound))
        return (upper, items.sum(lower..<upper))
    }

    public func visit(_ range: Range<Int>, _ body: (Item) -> Bool) {
        for index in range where !body(items[index]) { return }
    }
}

extension ContiguousArray<Item> {
    func lowerBound(_ item: Item) -> Int {
        withUnsafeBufferPointer { items in
            var (low, high) = (0, items.count)
            while low < high {
                let middle = (low + high) / 2
                if items[middle] < item { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    func sum(_ range: Range<Int>) -> IDSum {
        withUnsafeBufferPointer { items in
            var sum = IDSum()
            for index in range { sum.add(items[index].id) }
            return sum
        }
    }
}

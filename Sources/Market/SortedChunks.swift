/// Elements in order, each once, in pieces of bounded length: to add or remove one moves few others.
public struct SortedChunks<Element: Comparable & Sendable>: Sendable {
    private var chunks: [[Element]] = []
    public private(set) var count = 0
    private static var chunkMax: Int { 256 }

    public init() {}

    public var isEmpty: Bool { count == 0 }
    public var first: Element? { chunks.first?.first }

    /// Adds `element` where it is not there yet.
    public mutating func insert(_ element: Element) {
        guard !chunks.isEmpty else {
            chunks = [[element]]
            count = 1
            return
        }
        let chunk = Swift.max(Self.place(of: element, in: chunks) { $0[0] } - 1, 0)
        let index = Self.place(of: element, in: chunks[chunk]) { $0 }
        if index > 0, chunks[chunk][index - 1] == element { return }
        chunks[chunk].insert(element, at: index)
        count += 1
        guard chunks[chunk].count > Self.chunkMax else { return }
        let half = chunks[chunk].count / 2
        let upper = Array(chunks[chunk][half...])
        chunks[chunk].removeSubrange(half...)
        chunks.insert(upper, at: chunk + 1)
    }

    public mutating func remove(_ element: Element) {
        let chunk = Self.place(of: element, in: chunks) { $0[0] } - 1
        guard chunk >= 0 else { return }
        let index = Self.place(of: element, in: chunks[chunk]) { $0 } - 1
        guard index >= 0, chunks[chunk][index] == element else { return }
        chunks[chunk].remove(at: index)
        count -= 1
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
    }

    /// How many elements are at or below `element`: where it stands, counted from 1, if it is there.
    public func rank(of element: Element) -> Int {
        let chunk = Self.place(of: element, in: chunks) { $0[0] } - 1
        guard chunk >= 0 else { return 0 }
        return chunks[..<chunk].reduce(0) { $0 + $1.count }
            + Self.place(of: element, in: chunks[chunk]) { $0 }
    }

    /// The first place whose element is above `element`.
    private static func place<Item>(
        of element: Element, in items: [Item], _ key: (Item) -> Element
    ) -> Int {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if key(items[middle]) > element { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension SortedChunks: Sequence {
    public struct Iterator: IteratorProtocol {
        private let chunks: [[Element]]
        private var chunk: Int
        private var index: Int

        fileprivate init(_ chunks: [[Element]], from place: Int) {
            self.chunks = chunks
            (chunk, index) = (0, place)
            while chunk < chunks.count, index >= chunks[chunk].count {
                index -= chunks[chunk].count
                chunk += 1
            }
        }

        public mutating func next() -> Element? {
            guard chunk < chunks.count else { return nil }
            defer {
                index += 1
                if index == chunks[chunk].count { (chunk, index) = (chunk + 1, 0) }
            }
            return chunks[chunk][index]
        }
    }

    public func makeIterator() -> Iterator { Iterator(chunks, from: 0) }

    /// From the element at `place` on, counted from 0.
    public func elements(from place: Int) -> IteratorSequence<Iterator> {
        IteratorSequence(Iterator(chunks, from: place))
    }
}

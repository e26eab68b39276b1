/// Elements in order, each once, in pieces of bounded length: to add or remove one moves few others.
public struct SortedChunks<Element: Comparable & Sendable>: Sendable {
    private var chunks: [[Element]] = []
    public private(set) var count = 0
    private static var chunkMax: Int { 256 }

    public init() {}

    /// Adds `element` where it is not there yet.
    public mutating func insert(_ element: Element) {
        guard !chunks.isEmpty else {
            chunks = [[element]]
            count = 1
            return
        }
        let chunk = Swift.max(Self.place(in: chunks) { $0[0] > element } - 1, 0)
        let index = Self.place(in: chunks[chunk]) { $0 > element }
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
        let chunk = Self.place(in: chunks) { $0[0] > element } - 1
        guard chunk >= 0 else { return }
        let index = Self.place(in: chunks[chunk]) { $0 > element } - 1
        guard index >= 0, chunks[chunk][index] == element else { return }
        chunks[chunk].remove(at: index)
        count -= 1
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
    }

    /// Puts `new` in the place of `old`. What both begin with is not looked for.
    public mutating func replace(_ old: [Element], with new: [Element]) {
        let same = zip(old, new).prefix { $0 == $1 }.count
        for element in old.dropFirst(same) { remove(element) }
        for element in new.dropFirst(same) { insert(element) }
    }

    /// The place of the first element that `isAbove`, counted from 0; whatever follows it is too.
    public func place(where isAbove: (Element) -> Bool) -> Int {
        let chunk = Self.place(in: chunks) { isAbove($0[0]) } - 1
        guard chunk >= 0 else { return 0 }
        return chunks[..<chunk].reduce(0) { $0 + $1.count }
            + Self.place(in: chunks[chunk], where: isAbove)
    }

    private static func place<Item>(in items: [Item], where isAbove: (Item) -> Bool) -> Int {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if isAbove(items[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension SortedChunks: Equatable {
    public static func == (left: Self, right: Self) -> Bool { left.elementsEqual(right) }
}

/// Indices are places counted from 0; to find one counts chunks, of which there are few.
extension SortedChunks: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    public subscript(place: Int) -> Element {
        var index = place
        for chunk in chunks {
            if index < chunk.count { return chunk[index] }
            index -= chunk.count
        }
        preconditionFailure("place \(place) of \(count)")
    }

    /// From chunk to chunk, so that to walk over all finds no place.
    public struct Iterator: IteratorProtocol {
        private let chunks: [[Element]]
        private var chunk = 0
        private var index = 0

        fileprivate init(_ chunks: [[Element]]) { self.chunks = chunks }

        public mutating func next() -> Element? {
            guard chunk < chunks.count else { return nil }
            defer {
                index += 1
                if index == chunks[chunk].count { (chunk, index) = (chunk + 1, 0) }
            }
            return chunks[chunk][index]
        }
    }

    public func makeIterator() -> Iterator { Iterator(chunks) }
}

internal import Identity

/// Items in a tree whose branches know how many items hang on them and the sum of their ids: adding one,
/// and any sum, costs a walk from the root. A copy is a frozen snapshot and costs nothing; what is changed
/// afterwards is copied node by node.
public struct ItemTree: ItemStorage {
    private var root = Branch(items: [])

    /// 40 bytes an item: a leaf is a little more than half a page.
    private static let leafMax = 64
    private static let branchesMax = 32

    public init() {}

    public var count: Int { root.count }

    /// False where it is there already, or at the end of time.
    @discardableResult
    public mutating func insert(_ item: Item) -> Bool {
        guard item.timestamp != Item.endOfTime else { return false }
        var split: Branch?
        guard root.insert(item, isLast: true, split: &split) else { return false }
        if let split { root = Branch(branches: [root, split]) }
        return true
    }

    /// False where it is not there.
    @discardableResult
    public mutating func remove(_ item: Item) -> Bool {
        guard root.remove(item) else { return false }
        while root.branches.count == 1 { root = root.branches[0] }
        return true
    }

    public func item(at index: Int) -> Item {
        precondition(index >= 0 && index < count)
        return withUnsafePointer(to: root) { Branch.item(at: index, in: $0) }
    }

    public func sum(_ range: Range<Int>) -> IDSum {
        var sum = IDSum()
        withUnsafePointer(to: root) { Branch.sum(range, in: $0, into: &sum) }
        return sum
    }

    public func sum(from lower: Int, upTo bound: Item) -> (upper: Int, sum: IDSum) {
        var sum = IDSum()
        let upper = withUnsafePointer(to: root) {
            Branch.sum(from: lower, upTo: bound, in: $0, into: &sum)
        }
        return (upper, sum)
    }

    public func visit(_ range: Range<Int>, _ body: (Item) -> Bool) {
        guard !range.isEmpty else { return }
        withUnsafePointer(to: root) { _ = Branch.visit(range, in: $0, body) }
    }

    /// A leaf has items, any other branch has branches.
    private struct Branch: Sendable {
        var items: ContiguousArray<Item> = []
        var branches: ContiguousArray<Branch> = []
        var count: Int
        var sum = IDSum()
        var first: Item

        init(items: ContiguousArray<Item>) {
            self.items = items
            count = 0
            first = Item(timestamp: 0, id: .zero)
            recount()
        }

        init(branches: ContiguousArray<Branch>) {
            self.branches = branches
            count = 0
            first = branches[0].first
            recount()
        }

        var isLeaf: Bool { branches.isEmpty }

        private mutating func recount() {
            if isLeaf {
                count = items.count
                sum = items.sum(0..<count)
                if let least = items.first { first = least }
            } else {
                count = 0
                sum = IDSum()
                for branch in branches {
                    count += branch.count
                    sum.add(branch.sum)
                }
                first = branches[0].first
            }
        }

        /// The branch in which `item` is, if it is anywhere.
        private static func place(
            of item: Item, among branches: UnsafeBufferPointer<Branch>
        ) -> Int {
            var (low, high) = (1, branches.count)
            while low < high {
                let middle = (low + high) / 2
                if branches[middle].first <= item { low = middle + 1 } else { high = middle }
            }
            return low - 1
        }

        private func place(of item: Item) -> Int {
            branches.withUnsafeBufferPointer { Self.place(of: item, among: $0) }
        }

        // MARK: - Changes

        /// `isLast`: nothing stands to the right of this branch, and what is added at its end may be the
        /// first of many: full branches then stay full.
        mutating func insert(_ item: Item, isLast: Bool, split: inout Branch?) -> Bool {
            if isLeaf {
                let place = items.lowerBound(item)
                if place < items.count, items[place] == item { return false }
                guard items.count < leafMax else {
                    var right = cut(at: isLast && place == leafMax ? leafMax : leafMax / 2)
                    var none: Branch?
                    if place < items.count || right.count > 0 && item < right.first {
                        _ = insert(item, isLast: false, split: &none)
                    } else {
                        _ = right.insert(item, isLast: false, split: &none)
                    }
                    split = right
                    return true
                }
                items.reserveCapacity(leafMax)
                items.insert(item, at: place)
            } else {
                let place = place(of: item)
                let isEnd = place == branches.count - 1
                var fresh: Branch?
                guard branches[place].insert(item, isLast: isLast && isEnd, split: &fresh) else {
                    return false
                }
                if let fresh {
                    branches.reserveCapacity(branchesMax + 1)
                    branches.insert(fresh, at: place + 1)
                    if branches.count > branchesMax {
                        let kept = isLast && isEnd ? branchesMax : branchesMax / 2
                        split = cut(at: kept)
                        return true
                    }
                }
            }
            count += 1
            sum.add(item.id)
            if item < first || count == 1 { first = item }
            return true
        }

        /// Keeps what stands below `place`, and returns the rest.
        private mutating func cut(at place: Int) -> Branch {
            let right: Branch
            if isLeaf {
                var rest = ContiguousArray<Item>()
                rest.reserveCapacity(leafMax)
                rest.append(contentsOf: items[place...])
                items.removeSubrange(place...)
                right = Branch(items: rest)
            } else {
                right = Branch(branches: ContiguousArray(branches[place...]))
                branches.removeSubrange(place...)
            }
            recount()
            return right
        }

        mutating func remove(_ item: Item) -> Bool {
            if isLeaf {
                let place = items.lowerBound(item)
                guard place < items.count, items[place] == item else { return false }
                items.remove(at: place)
            } else {
                let place = place(of: item)
                guard branches[place].remove(item) else { return false }
                if branches[place].count == 0 {
                    branches.remove(at: place)
                } else {
                    joinSmall(place)
                }
            }
            count -= 1
            sum.subtract(item.id)
            if isLeaf {
                if let least = items.first { first = least }
            } else if let least = branches.first {
                first = least.first
            }
            return true
        }

        /// Neighbours that fit into three quarters of one branch become one, lest a set that moves on in
        /// time leave a trail of almost empty leaves.
        private mutating func joinSmall(_ place: Int) {
            for left in [place - 1, place] where left >= 0 && left + 1 < branches.count {
                if branches[left].isLeaf {
                    guard branches[left].count + branches[left + 1].count <= leafMax * 3 / 4 else {
                        continue
                    }
                    branches[left].items.reserveCapacity(leafMax)
                    branches[left].items.append(contentsOf: branches[left + 1].items)
                } else {
                    let together =
                        branches[left].branches.count + branches[left + 1].branches.count
                    guard together <= branchesMax * 3 / 4 else { continue }
                    branches[left].branches.append(contentsOf: branches[left + 1].branches)
                }
                branches.remove(at: left + 1)
                branches[left].recount()
                return
            }
        }

        // MARK: - Questions

        // Of a pointer to a branch: read through a copy, each level would count references up and down.

        static func item(at index: Int, in branch: UnsafePointer<Branch>) -> Item {
            if branch.pointee.isLeaf { return branch.pointee.items[index] }
            return branch.pointee.branches.withUnsafeBufferPointer { branches in
                var rest = index
                var next = 0
                while rest >= branches[next].count {
                    rest -= branches[next].count
                    next += 1
                }
                return item(at: rest, in: pointer(branches, next))
            }
        }

        static func sum(
            from lower: Int, upTo bound: Item, in branch: UnsafePointer<Branch>,
            into total: inout IDSum
        ) -> Int {
            if branch.pointee.isLeaf {
                // One by one: what is summed is fetched anyway, and searching would fetch more.
                return branch.pointee.items.withUnsafeBufferPointer { items in
                    var upper = lower
                    while upper < items.count, items[upper] < bound {
                        total.add(items[upper].id)
                        upper += 1
                    }
                    return upper
                }
            }
            return branch.pointee.branches.withUnsafeBufferPointer { branches in
                let end = place(of: bound, among: branches)
                var start = 0
                var next = 0
                while next < end, start + branches[next].count <= lower {
                    start += branches[next].count
                    next += 1
                }
                var from = lower - start
                while next < end {
                    let count = branches[next].count
                    sum(from..<count, in: pointer(branches, next), into: &total)
                    start += count
                    from = 0
                    next += 1
                }
                // What ends here may begin further on.
                guard from <= branches[end].count else { return lower }
                return start
                    + sum(from: from, upTo: bound, in: pointer(branches, end), into: &total)
            }
        }

        static func sum(
            _ range: Range<Int>, in branch: UnsafePointer<Branch>, into total: inout IDSum
        ) {
            if range.isEmpty { return }
            if range.lowerBound == 0, range.upperBound == branch.pointee.count {
                return total.add(branch.pointee.sum)
            }
            if branch.pointee.isLeaf { return total.add(branch.pointee.items.sum(range)) }
            branch.pointee.branches.withUnsafeBufferPointer { branches in
                var start = 0
                var next = 0
                while start + branches[next].count <= range.lowerBound {
                    start += branches[next].count
                    next += 1
                }
                while start < range.upperBound {
                    let count = branches[next].count
                    let part = range.clamped(to: start..<start + count)
                    sum(
                        part.lowerBound - start..<part.upperBound - start,
                        in: pointer(branches, next), into: &total)
                    start += count
                    next += 1
                }
            }
        }

        /// Whether to go on.
        static func visit(
            _ range: Range<Int>, in branch: UnsafePointer<Branch>, _ body: (Item) -> Bool
        ) -> Bool {
            if branch.pointee.isLeaf {
                return branch.pointee.items.withUnsafeBufferPointer { items in
                    for index in range where !body(items[index]) { return false }
                    return true
                }
            }
            return branch.pointee.branches.withUnsafeBufferPointer { branches in
                var start = 0
                var next = 0
                while start < range.upperBound {
                    let count = branches[next].count
                    let part = range.clamped(to: start..<start + count)
                    if !part.isEmpty {
                        let below = part.lowerBound - start..<part.upperBound - start
                        guard visit(below, in: pointer(branches, next), body) else { return false }
                    }
                    start += count
                    next += 1
                }
                return true
            }
        }

        /// Of an element that is there.
        private static func pointer(
            _ branches: UnsafeBufferPointer<Branch>, _ index: Int
        ) -> UnsafePointer<Branch> {
            branches.baseAddress.unsafelyUnwrapped + index
        }
    }
}

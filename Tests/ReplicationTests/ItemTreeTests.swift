import Identity
import Replication
import Testing

/// The tree answers as the array does, whatever came and went.
@Suite struct ItemTreeTests {
    static func item(_ number: UInt64) -> Item {
        Item(
            timestamp: number % 500,
            id: ItemID(words: (number &* 0x9e37_79b9_7f4a_7c15, number, ~number, number << 50)))
    }

    @Test(arguments: 1...6)
    func `a tree that changes at random answers as an array of the same items`(_ seed: UInt64)
        throws
    {
        var chance = Chance(seed)
        var tree = ItemTree()
        var held: Set<Item> = []
        for turn in 1...6 {
            // It grows for a while, then shrinks, in the end to nothing.
            for _ in 0..<1_500 {
                let item = Self.item(chance.next() % 3_000)
                if chance.below(10) < (turn < 4 ? 7 : 3) {
                    let isNew = tree.insert(item)
                    #expect(isNew == held.insert(item).inserted)
                } else {
                    let wasThere = tree.remove(item)
                    #expect(wasThere == (held.remove(item) != nil))
                }
            }
            if turn == 6 {
                for item in held.sorted() { tree.remove(item) }
                held = []
            }
            let array = try SortedItems(held)
            #expect(tree.count == array.count)
            for index in 0..<array.count { #expect(tree.item(at: index) == array.item(at: index)) }
            for _ in 0..<200 {
                let one = chance.below(held.count + 1)
                let two = chance.below(held.count + 1)
                let range = min(one, two)..<max(one, two)
                #expect(tree.sum(range) == array.sum(range))
                let bound = Self.item(chance.next() % 3_000)
                let (mine, other) = (
                    tree.sum(from: one, upTo: bound), array.sum(from: one, upTo: bound)
                )
                #expect(mine.upper == other.upper)
                #expect(mine.sum == other.sum)
                var seen: [[Item]] = [[], []]
                let most = chance.below(300)
                for (number, storage) in [tree as any ItemStorage, array].enumerated() {
                    storage.visit(range) {
                        seen[number].append($0)
                        return seen[number].count < most
                    }
                }
                #expect(seen[0] == seen[1])
            }
        }
    }

    @Test func `a copy stays as it was`() {
        var tree = ItemTree()
        for number in 0..<2_000 as Range<UInt64> { tree.insert(Self.item(number)) }
        let copy = tree
        let sum = copy.sum(0..<copy.count)
        for number in 500..<3_000 as Range<UInt64> {
            if number < 1_000 {
                tree.remove(Self.item(number))
            } else {
                tree.insert(Self.item(number))
            }
        }
        #expect(copy.count == 2_000)
        #expect(copy.sum(0..<copy.count) == sum)
        #expect(tree.count == 2_500)
    }

    @Test func `no set holds an item twice, or the end of time`() {
        let one = Self.item(1)
        let end = Item(timestamp: Item.endOfTime, id: .zero)
        #expect(throws: ItemRefusal.twice(one)) { try SortedItems([one, Self.item(2), one]) }
        #expect(throws: ItemRefusal.endOfTime(.zero)) { try SortedItems([end]) }
        var tree = ItemTree()
        let answers = [
            tree.insert(one), tree.insert(one), tree.insert(end), tree.remove(Self.item(2)),
        ]
        #expect(answers == [true, false, false, false])
        #expect(tree.count == 1)
    }
}

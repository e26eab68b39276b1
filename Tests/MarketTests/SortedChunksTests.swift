import Market
import Testing

@Suite struct SortedChunksTests {
    /// Numbers from a walk that meets each of them often; more than fit into one chunk.
    private static func walk(_ rounds: Int, _ body: (Int, SortedChunks<Int>, Set<Int>) -> Void) {
        var chunks = SortedChunks<Int>()
        var plain: Set<Int> = []
        for round in 0..<rounds {
            let number = round * 7_919 % 2_003
            if round % 3 == 2 {
                chunks.remove(number)
                plain.remove(number)
            } else {
                chunks.insert(number)
                plain.insert(number)
            }
            body(round, chunks, plain)
        }
    }

    @Test func `every place has what a plain sorted list has there`() {
        Self.walk(3_000) { round, chunks, numbers in
            guard round % 600 == 599 else { return }
            let plain = numbers.sorted()
            #expect(Array(chunks) == plain && chunks.count == plain.count)
            #expect(plain.indices.allSatisfy { chunks[$0] == plain[$0] })
            #expect(Array(chunks.dropFirst(300).prefix(50)) == Array(plain[300..<350]))
            #expect(Array(chunks.suffix(12)) == Array(plain.suffix(12)))
            for bound in [-1, 0, 700, 1_999, 5_000] {
                #expect(chunks.place { $0 >= bound } == plain.count { $0 < bound })
            }
        }
    }

    @Test func `the same elements are the same, however they came to be there`() {
        var straight = SortedChunks<Int>()
        var last = SortedChunks<Int>()
        Self.walk(3_000) { round, chunks, plain in
            guard round == 2_999 else { return }
            for number in plain.sorted() { straight.insert(number) }
            #expect(straight == chunks)
            last = chunks
        }
        straight.remove(last[0])
        #expect(straight != last)
    }

    @Test func `what is replaced goes, what takes its place comes, and the rest stays`() {
        var chunks = SortedChunks<Int>()
        for number in [1, 2, 3, 4, 9] { chunks.insert(number) }
        chunks.replace([1, 3, 4], with: [1, 5, 4])
        #expect(Array(chunks) == [1, 2, 4, 5, 9])
        chunks.replace([], with: [7])
        chunks.replace([2], with: [])
        #expect(Array(chunks) == [1, 4, 5, 7, 9])
    }
}

import Foundation
import Identity
import Replication

/// `bench <items> <differences> <samples>`: one JSON object of figures for Benchmarks/reconcile.
enum Bench {
    static func run(_ arguments: [String]) throws {
        let numbers = arguments.compactMap { Int($0) }
        guard numbers.count == 3, numbers.allSatisfy({ $0 > 0 }), numbers[1] < numbers[0] else {
            throw HarnessRefusal.line("bench <items> <differences> <samples>")
        }
        let (count, differences, samples) = (numbers[0], numbers[1], numbers[2])
        var chance = Chance(state: 1)
        let all = (0..<UInt64(count + differences / 2)).map { index in
            // About one entry in half a minute.
            Item(
                timestamp: 1_700_000_000_000 + index * 31_000 + chance.next() % 31_000,
                id: chance.id())
        }
        let gaps = all.indices.shuffled(using: &chance).prefix(differences).sorted()
        var (left, right) = (all, all)
        for (number, index) in gaps.enumerated().reversed() {
            if number % 2 == 0 { left.remove(at: index) } else { right.remove(at: index) }
        }

        var figures: [String: Any] = ["items": count, "differences": differences]
        var trees: [ItemTree] = []
        for (name, items) in [("random", left.shuffled(using: &chance)), ("ascending", right)] {
            let before = residentBytes()
            let begun = cpu()
            var tree = ItemTree()
            for item in items { tree.insert(item) }
            figures["insert_\(name)_us"] = (cpu() - begun) / Double(items.count) * 1e6
            figures["bytes_per_item_\(name)"] =
                Double(residentBytes() - before) / Double(items.count)
            trees.append(tree)
        }
        let arrays = [try SortedItems(left), try SortedItems(right)]

        // A live set that moves on: each log's item makes place for a newer one.
        var moving = trees[0]
        let begun = cpu()
        let replaced = min(count, 100_000)
        for index in 0..<replaced {
            let old = left[index * (left.count / replaced)]
            moving.remove(old)
            moving.insert(Item(timestamp: old.timestamp + 40_000_000_000_000, id: old.id))
        }
        figures["replace_us"] = (cpu() - begun) / Double(replaced) * 1e6
        moving = ItemTree()

        var initiating: [Double] = []
        for _ in 0..<samples {
            let begun = cpu()
            _ = try Reconciliation(of: trees[0], asInitiator: true, policy: .compact).initiate()
            initiating.append(cpu() - begun)
        }
        figures["initiate_ms"] = median(initiating) * 1e3

        for limit in [0, 65_536] {
            for (one, two) in [
                (SplitPolicy.reference, SplitPolicy.reference), (.compact, .compact),
                (.compact, .reference), (.reference, .compact),
            ] {
                var (array, tree): ([Double], [Double]) = ([], [])
                var play = Play()
                for _ in 0..<samples {
                    array.append(try Play(arrays[0], arrays[1], one, two, limit).seconds)
                    play = try Play(trees[0], trees[1], one, two, limit)
                    tree.append(play.seconds)
                }
                guard play.found == differences else { throw HarnessRefusal.line("lost some") }
                figures["\(one)_\(two)_\(limit)"] = [
                    "rounds": play.rounds, "bytes": play.bytes, "array_ms": median(array) * 1e3,
                    "tree_ms": median(tree) * 1e3,
                    "ratio": median(zip(tree, array).map { $0 / $1 }),
                ]
            }
        }
        let data = try JSONSerialization.data(
            withJSONObject: figures, options: [.sortedKeys, .prettyPrinted])
        print(String(decoding: data, as: UTF8.self))
    }

    private struct Play {
        var (rounds, bytes, found, seconds) = (0, 0, 0, 0.0)

        init() {}

        init(
            _ left: any ItemStorage, _ right: any ItemStorage, _ one: SplitPolicy,
            _ two: SplitPolicy,
            _ limit: Int
        ) throws {
            let begun = cpu()
            var initiator = try Reconciliation(
                of: left, asInitiator: true, policy: one, frameLimit: limit)
            var responder = try Reconciliation(
                of: right, asInitiator: false, policy: two, frameLimit: limit)
            var next: [UInt8]? = initiator.initiate()
            while let message = next {
                let answer = try responder.answer(message)
                rounds += 1
                bytes += message.count + answer.count
                let finding = try initiator.advance(answer)
                found += finding.have.count + finding.need.count
                next = finding.message
            }
            seconds = cpu() - begun
        }
    }

    /// SplitMix64.
    private struct Chance: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }

        mutating func id() -> ItemID { ItemID(words: (next(), next(), next(), next())) }
    }

    private static func median(_ samples: [Double]) -> Double {
        samples.sorted()[samples.count / 2]
    }

    /// Seconds of processor time of this process.
    private static func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func residentBytes() -> Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

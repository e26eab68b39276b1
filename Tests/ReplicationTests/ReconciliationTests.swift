import Foundation
import Identity
import Replication
import Testing

/// Two sides, and one side with whoever means no good.
@Suite struct ReconciliationTests {
    struct Case: Codable {
        let left: [Int]
        let right: [Int]
        let limits: [Int]
        var trace: [String] = []
        var have: [String] = []
        var need: [String] = []
    }

    /// As in Tests/Vectors/negentropy.py.
    static func item(_ number: Int) -> Item {
        Item(
            timestamp: UInt64(number / 3),
            id: ItemID(SHA256.hash(Array("item\(number)".utf8))))
    }

    enum Kind: CaseIterable { case array, tree }

    static func storage(_ numbers: some Sequence<Int>, _ kind: Kind) throws -> any ItemStorage {
        let items = numbers.map(item)
        if kind == .array { return try SortedItems(items) }
        var tree = ItemTree()
        for item in items { tree.insert(item) }
        return tree
    }

    struct Play {
        var trace: [String] = []
        var have: [ItemID] = []
        var need: [ItemID] = []
        var rounds: Int { trace.count / 2 }
        var bytes: Int { trace.reduce(0) { $0 + $1.count / 2 } }

        init(
            _ left: any ItemStorage, _ right: any ItemStorage,
            _ policies: (SplitPolicy, SplitPolicy) = (.reference, .reference),
            limits: [Int] = [0, 0], roundsMax: Int = .max
        ) throws {
            var initiator = try Reconciliation(
                of: left, asInitiator: true, policy: policies.0, frameLimit: limits[0],
                roundsMax: roundsMax)
            var responder = try Reconciliation(
                of: right, asInitiator: false, policy: policies.1, frameLimit: limits[1],
                roundsMax: roundsMax)
            var next: [UInt8]? = initiator.initiate()
            while let message = next {
                let answer = try responder.answer(message)
                trace += [message.hex, answer.hex]
                let finding = try initiator.advance(answer)
                have += finding.have
                need += finding.need
                next = finding.message
            }
        }
    }

    /// Sets that share most, of any size and spread.
    static func sets(_ chance: inout Chance, upTo most: Int) -> (left: [Int], right: [Int]) {
        let count = chance.below(most)
        let loss = chance.below(8) + 1
        let (one, two) = (chance.below(2) == 0, chance.below(2) == 0)
        var (left, right): ([Int], [Int]) = ([], [])
        for number in 0..<count {
            let miss = chance.below(100)
            if !(one && miss < loss) { left.append(number) }
            if !(two && miss >= loss && miss < 2 * loss) { right.append(number) }
        }
        return (left, right)
    }

    // MARK: - The reference policy

    static func vectors(_ name: String) -> URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors/\(name)")
    }

    @Test func `the golden traces are made byte for byte, over an array and over a tree`() throws {
        let data = try Data(contentsOf: Self.vectors("negentropy.json"))
        let cases = try JSONDecoder().decode([Case].self, from: data)
        #expect(cases.count > 2)
        for one in cases { try Self.check(one) }
    }

    @Test func `another implementation makes the same traces of random sets and frame limits`()
        throws
    {
        var chance = Chance(1)
        let limits = [0, 4_096, 5_000, 20_000]
        let asked = (0..<60).map { number in
            let sets = Self.sets(&chance, upTo: number < 50 ? 900 : 6_000)
            return Case(
                left: sets.left, right: sets.right,
                limits: [limits[chance.below(4)], limits[chance.below(4)]])
        }
        let answered = try Self.python(asked)
        #expect(answered.count == asked.count)
        for one in answered { try Self.check(one) }
    }

    private static func check(_ one: Case) throws {
        for (left, right) in [(Kind.array, Kind.array), (.tree, .array), (.array, .tree)] {
            let play = try Play(
                storage(one.left, left), storage(one.right, right), limits: one.limits)
            #expect(play.trace == one.trace)
            #expect(play.have.map(\.hex) == one.have)
            #expect(play.need.map(\.hex) == one.need)
        }
    }

    private static func python(_ cases: [Case]) throws -> [Case] {
        let folder = FileManager.default.temporaryDirectory
        let (question, answer) = (
            folder.appending(path: "negentropy-\(UUID().uuidString).json"),
            folder.appending(path: "negentropy-\(UUID().uuidString).json")
        )
        defer {
            try? FileManager.default.removeItem(at: question)
            try? FileManager.default.removeItem(at: answer)
        }
        try JSONEncoder().encode(cases).write(to: question)
        try Data().write(to: answer)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let python = ProcessInfo.processInfo.environment["TALEA_PYTHON"] ?? "python3"
        process.arguments = [python, vectors("negentropy.py").path]
        process.standardInput = try FileHandle(forReadingFrom: question)
        process.standardOutput = try FileHandle(forWritingTo: answer)
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return try JSONDecoder().decode([Case].self, from: Data(contentsOf: answer))
    }

    // MARK: - Any policy

    static let policies: [(SplitPolicy, SplitPolicy)] = SplitPolicy.allCases.flatMap { one in
        SplitPolicy.allCases.map { (one, $0) }
    }

    @Test(arguments: 1...40)
    func `whatever differs is found, whoever splits how, in frames of whatever size`(_ seed: UInt64)
        throws
    {
        var chance = Chance(seed)
        let sets = Self.sets(&chance, upTo: seed < 35 ? 1_500 : 20_000)
        let limit = [0, 4_096, 9_000, 65_536]
        for policies in Self.policies {
            let play = try Play(
                Self.storage(sets.left, .array), Self.storage(sets.right, .tree), policies,
                limits: [limit[chance.below(4)], limit[chance.below(4)]])
            let (left, right) = (Set(sets.left), Set(sets.right))
            #expect(Set(play.have) == Set(left.subtracting(right).map { Self.item($0).id }))
            #expect(Set(play.need) == Set(right.subtracting(left).map { Self.item($0).id }))
        }
    }

    @Test(arguments: [(50_000, 10), (50_000, 500), (20_000, 100)])
    func `the compact policy takes no more rounds, and fewer bytes`(
        _ count: Int, _ differences: Int
    ) throws {
        var chance = Chance(7)
        let missing = Set((0..<differences).map { _ in chance.below(count) })
        let left = try Self.storage(0..<count, .tree)
        let right = try Self.storage((0..<count).filter { !missing.contains($0) }, .tree)
        // The second cuts messages of the larger sets.
        for limit in [0, 16_384] {
            let limits = [limit, limit]
            let reference = try Play(left, right, limits: limits)
            let compact = try Play(left, right, (.compact, .compact), limits: limits)
            #expect(compact.rounds <= reference.rounds)
            #expect(compact.bytes < reference.bytes)
            // A peer that knows nothing of it makes it no worse than the reference.
            for policies in Self.policies where policies.0 != policies.1 {
                let mixed = try Play(left, right, policies, limits: limits)
                #expect(mixed.bytes <= reference.bytes)
                #expect(limit == 0 || mixed.rounds <= reference.rounds)
            }
        }
    }

    @Test func `a small set costs its ids, and two equal ones one exchange`() throws {
        for policies in Self.policies {
            for count in [0, 1, 5] {
                let both = try Self.storage(0..<count, .array)
                let play = try Play(both, both, policies)
                #expect(play.rounds == 1)
                #expect(play.bytes <= 2 * (32 * count + 5) || count > 1 && play.bytes < 150)
            }
        }
    }

    @Test func `a set that changes meanwhile gives answers that were never true, a snapshot none`()
        throws
    {
        /// Every question finds one more item.
        final class Moving: ItemStorage, @unchecked Sendable {
            var tree: ItemTree
            var next = 1_000_000
            init(_ tree: ItemTree) { self.tree = tree }
            var count: Int { tree.count }
            func item(at index: Int) -> Item { tree.item(at: index) }
            func sum(_ range: Range<Int>) -> IDSum { tree.sum(range) }
            func sum(from lower: Int, upTo bound: Item) -> (upper: Int, sum: IDSum) {
                next += 1
                let taken = tree.item(at: next % tree.count)
                tree.remove(taken)
                tree.insert(Item(timestamp: 400_000, id: ReconciliationTests.item(next).id))
                return tree.sum(from: min(lower, tree.count), upTo: bound)
            }
            func visit(_ range: Range<Int>, _ body: (Item) -> Bool) { tree.visit(range, body) }
        }
        var tree = ItemTree()
        for number in 0..<3_000 { tree.insert(Self.item(number)) }
        let other = try Self.storage((0..<3_000).filter { $0 != 1_500 }, .array)
        let still = try Play(tree, other)
        #expect(still.have == [Self.item(1_500).id])
        #expect(still.need == [])
        // The same set, asked while it moves.
        let moving = Moving(tree)
        let moved = try? Play(moving, other, roundsMax: 32)
        #expect(moved?.have != still.have || moved?.need != still.need)
        // The snapshot stayed what it was.
        #expect(try Play(tree, other).trace == still.trace)
    }

    // MARK: - Hostile counterparts

    static func side(_ count: Int, asInitiator: Bool) throws -> Reconciliation {
        try Reconciliation(
            of: storage(0..<count, .tree), asInitiator: asInitiator, policy: .compact,
            frameLimit: 4_096, roundsMax: 32)
    }

    /// Message, what is wrong with it.
    static let refused: [(String, String, ReconciliationRefusal)] = [
        ("", "nothing at all", .malformed(at: 0)),
        ("6100", "a bound cut short", .malformed(at: 2)),
        ("610000", "no mode", .malformed(at: 3)),
        ("61000003", "a mode that is none", .malformed(at: 1)),
        ("61002101", "a prefix of 33 bytes", .malformed(at: 3)),
        ("6100000100", "a fingerprint cut short", .malformed(at: 4)),
        ("6100000201", "one id counted, none there", .malformed(at: 1)),
        ("61000002ffffffffffffffff7f", "ids without end", .malformed(at: 1)),
        ("6181808080808080808080800000", "a number of more than 64 bits", .malformed(at: 1)),
        ("618005000000", "a number with a leading zero", .malformed(at: 1)),
        ("6105000001000200", "a range that goes nowhere", .notAscending(at: 4)),
        ("610000020000000200", "a range after the end", .notAscending(at: 5)),
    ]

    @Test(arguments: refused)
    func `what is no message is refused, by both sides`(
        _ hex: String, _ why: String, _ refusal: ReconciliationRefusal
    ) throws {
        let message = try #require([UInt8](hex: hex))
        for count in [0, 3, 500] {
            var responder = try Self.side(count, asInitiator: false)
            #expect(throws: refusal, "\(why)") { try responder.answer(message) }
            var initiator = try Self.side(count, asInitiator: true)
            #expect(throws: refusal, "\(why)") { try initiator.advance(message) }
        }
    }

    @Test func `another version is answered with ours, and ends an initiator`() throws {
        var responder = try Self.side(3, asInitiator: false)
        let answer = try responder.answer([0x62, 0xaa, 0xbb])
        #expect(answer == [0x61])
        #expect(throws: ReconciliationRefusal.malformed(at: 0)) { try responder.answer([0x51]) }
        var initiator = try Self.side(3, asInitiator: true)
        #expect(throws: ReconciliationRefusal.version(0x60)) { try initiator.advance([0x60]) }
    }

    @Test func `who asks the same again and again is refused in the second round`() throws {
        for asInitiator in [false, true] {
            // A fingerprint of everything that never agrees.
            let again = [0x61, 0, 0, 1] + [UInt8](repeating: 7, count: 16)
            var side = try Self.side(500, asInitiator: asInitiator)
            func read() throws {
                if asInitiator { _ = try side.advance(again) } else { _ = try side.answer(again) }
            }
            try read()
            #expect(throws: ReconciliationRefusal.noProgress(round: 2)) { try read() }
        }
    }

    @Test func `who never comes to an end is left after 32 rounds`() throws {
        var responder = try Self.side(500, asInitiator: false)
        for round in 1...32 {
            // Each range begins a little later.
            let time = UInt8(round + 1)
            let message =
                [0x61, time, 0, 0, 0, 0, 1] + [UInt8](repeating: 7, count: 16)
            let answer = try responder.answer(message)
            #expect(answer.count <= 4_096)
        }
        #expect(throws: ReconciliationRefusal.tooManyRounds(limit: 32)) {
            try responder.answer([0x61, 100, 0, 0, 0, 0, 1] + [UInt8](repeating: 7, count: 16))
        }
    }

    @Test func `too large a set and too small a frame are refused at the start`() throws {
        let items = try Self.storage(0..<11, .array)
        #expect(throws: ReconciliationRefusal.tooManyItems(count: 11, limit: 10)) {
            try Reconciliation(of: items, asInitiator: true, policy: .compact, itemsMax: 10)
        }
        #expect(throws: ReconciliationRefusal.frameLimit(4_095)) {
            try Reconciliation(of: items, asInitiator: true, policy: .compact, frameLimit: 4_095)
        }
    }

    @Test(arguments: 1...300)
    func `garbage and twisted messages are refused or answered within the frame, and trap nothing`(
        _ seed: UInt64
    ) throws {
        var chance = Chance(seed)
        let sets = Self.sets(&chance, upTo: 2_000)
        let policies = Self.policies[chance.below(4)]
        let (left, right) = try (Self.storage(sets.left, .tree), Self.storage(sets.right, .array))
        var initiator = try Reconciliation(
            of: left, asInitiator: true, policy: policies.0, frameLimit: 4_096, roundsMax: 32)
        var responder = try Reconciliation(
            of: right, asInitiator: false, policy: policies.1, frameLimit: 4_096, roundsMax: 32)
        var message = initiator.initiate()
        do {
            while true {
                chance.twist(&message)
                message = try responder.answer(message)
                #expect(message.count <= 4_096)
                chance.twist(&message)
                let finding = try initiator.advance(message)
                #expect(finding.have.count <= sets.left.count)
                guard let next = finding.message else { return }
                #expect(next.count <= 4_096)
                message = next
            }
        } catch {
            // Refused, with a reason: the only kind of error there is.
            return
        }
    }
}

/// Repeatable chance.
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    /// Now and then another byte, a byte less or more, or nothing but noise.
    mutating func twist(_ message: inout [UInt8]) {
        guard !message.isEmpty else { return }
        switch below(10) {
        case 0: message[below(message.count)] = UInt8(truncatingIfNeeded: next())
        case 1: message.removeLast(below(message.count))
        case 2: message.insert(UInt8(truncatingIfNeeded: next()), at: below(message.count))
        case 3: message = [0x61] + (0..<below(60)).map { _ in UInt8(truncatingIfNeeded: next()) }
        case 4: message = [0x61] + (0..<below(60)).map { _ in UInt8(below(4)) }
        default: break
        }
    }
}

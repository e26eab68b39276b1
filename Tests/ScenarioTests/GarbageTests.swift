import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// Whatever comes over a connection: no trap, and nothing changes that was not signed.
@Suite struct GarbageTests {
    /// A seeded source of noise.
    struct Noise: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }

        mutating func bytes(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
        }
    }

    static func played() throws -> OptionStory {
        var story = try OptionStory()
        try story.play()
        return story
    }

    /// A peer that sends `frame` again, and whatever follows from it.
    private static func hear(
        _ story: inout OptionStory, _ frame: Frame, from: String, to: String
    ) {
        if !story.market.network.isConnected(from, to) { story.market.network.connect(from, to) }
        story.market.network.inject(frame, from: from, to: to)
        story.market.network.settle()
    }

    @Test func `every frame of the story, sent again, changes nothing`() throws {
        var story = try Self.played()
        let before = story.market.traces
        let recorded = story.market.network.recorded
        #expect(recorded.count > 200)
        for flight in recorded {
            Self.hear(&story, flight.frame, from: flight.from, to: flight.to)
        }
        #expect(story.market.traces == before)
        for name in OptionStory.names { story.market.restart(name) }
        var noise = Noise(state: 5)
        for flight in recorded.shuffled(using: &noise) {
            Self.hear(&story, flight.frame, from: flight.from, to: flight.to)
        }
        #expect(story.market.traces == before)
    }

    @Test func `a frame with one bit flipped, or without its end, changes nothing`() throws {
        var story = try Self.played()
        let before = story.market.traces
        let recorded = story.market.network.recorded
        var noise = Noise(state: 3)
        for _ in 1...1_500 {
            guard let flight = recorded.randomElement(using: &noise) else { break }
            var payload = flight.frame.payload
            guard !payload.isEmpty else { continue }
            if Bool.random(using: &noise) {
                payload[Int.random(in: payload.indices, using: &noise)] ^=
                    1 << UInt8.random(in: 0...7, using: &noise)
            } else {
                payload.removeLast(Int.random(in: 1...payload.count, using: &noise))
            }
            Self.hear(
                &story, Frame(type: flight.frame.type, payload: payload), from: flight.from,
                to: flight.to)
        }
        #expect(story.market.traces == before)
    }

    @Test func `noise of every type changes nothing`() throws {
        var story = try Self.played()
        let before = story.market.traces
        var noise = Noise(state: 4)
        for number in 0..<2_500 {
            let count = Int.random(in: 0...(number % 3 == 0 ? 400 : 80), using: &noise)
            let frame = Frame(type: UInt8(number % 22), payload: noise.bytes(count))
            Self.hear(&story, frame, from: "carol", to: "alice")
        }
        #expect(story.market.traces == before)
    }

    // MARK: - Reconciliations, mail, attachments

    private static let newer: [UInt8] = [16, 20, 21, 32, 33, 34, 35, 36, 37, 40, 41]

    /// Frames with a few bytes changed for those that break arithmetic, cut, prolonged, or put together
    /// from two.
    private static func mutated(
        _ frame: Frame, _ other: Frame, _ noise: inout Noise
    ) -> Frame {
        var payload = frame.payload
        for _ in 0...Int.random(in: 0...2, using: &noise) {
            let at = payload.isEmpty ? 0 : Int.random(in: payload.indices, using: &noise)
            switch Int.random(in: 0...5, using: &noise) {
            case 0 where !payload.isEmpty:
                payload[at] ^= 1 << UInt8.random(in: 0...7, using: &noise)
            case 1:
                // Whole numbers at their ends.
                let byte: UInt8 = [0x00, 0x7f, 0x80, 0xff].randomElement(using: &noise) ?? 0
                for index in at..<min(at + 8, payload.count) { payload[index] = byte }
            case 2: payload = Array(payload.prefix(at))
            case 3: payload += noise.bytes(Int.random(in: 1...72, using: &noise))
            case 4: payload = Array(payload.prefix(at) + other.payload.dropFirst(at))
            default: break
            }
        }
        return Frame(type: frame.type, payload: payload)
    }

    @Test func `whatever comes in the middle of a real session, nobody stops and nothing grows`()
        throws
    {
        var (market, line) = try HubTests.market()
        let contract = try HubTests.trade(&market, line)
        for name in HubTests.people { market.back(name) }
        let names = HubTests.people + ["eve", "relay"]
        market.network.stop("eve")
        for number in 0..<40 { _ = try market.declare("bob", "paper/\(number)", 100) }
        market.back("eve")
        try AttachmentTests.add(&market, "bob", contract, AttachmentTests.photo)
        try AttachmentTests.fetch(&market, "alice", contract)
        market.network.settle()
        let digests = try market.digests(contract, "alice", "bob", "judge")
        var seeds: [UInt8: [Frame]] = [:]
        for flight in market.network.recorded where Self.newer.contains(flight.frame.type) {
            seeds[flight.frame.type, default: []].append(flight.frame)
        }
        for type in Self.newer { #expect(seeds[type]?.isEmpty == false, "\(type)") }

        let carried = market.network.recorded.map(\.frame).filter { [8, 34].contains($0.type) }

        var noise = Noise(state: 11)
        for number in 0..<3_300 {
            let type = Self.newer[number % Self.newer.count]
            let two = (0..<2).compactMap { _ in seeds[type]?.randomElement(using: &noise) }
            let ends = names.shuffled(using: &noise)
            if !market.network.isConnected(ends[0], ends[1]) {
                market.network.connect(ends[0], ends[1])
                // Mostly not to the end.
                market.network.settle(limit: Int.random(in: 2...20, using: &noise))
            }
            if number % 300 == 0 { try AttachmentTests.fetch(&market, "judge", contract) }
            market.network.inject(
                Self.mutated(two[0], two[1], &noise), from: ends[0], to: ends[1])
            // And from a file that somebody left.
            if let one = carried.randomElement(using: &noise),
                let two = carried.randomElement(using: &noise)
            {
                let frame = Self.mutated(one, two, &noise)
                _ = try market.network.command(ends[1]) { try? $0.take(carried: frame) }
            }
            if number % 50 == 0 { market.network.tick() }
        }
        market.network.settle()
        for name in names {
            for (what, count, limit) in market.network[name].footprint {
                #expect(count <= limit, "\(name): \(what)")
            }
        }
        #expect(try market.digests(contract, "alice", "bob", "judge") == digests)
        for name in names { market.restart(name) }
        try AttachmentTests.fetch(&market, "judge", contract)
        market.network.settle()
        #expect(try AttachmentTests.file(market, "judge", contract) == AttachmentTests.photo)
    }
}

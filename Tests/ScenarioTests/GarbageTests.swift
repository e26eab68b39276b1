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
}

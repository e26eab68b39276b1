/// What live push came to in one world: figures of entries in a stable network, of the first entry after a
/// crash, and of the same entries by flooding.
public struct GossipReport: Hashable, Sendable {
    /// Means over entries, in thousandths; the least where it says so.
    public struct Figures: Hashable, Sendable {
        public internal(set) var entries = 0
        /// Of those alive, the least of all entries.
        public internal(set) var delivered = 1_000
        /// Link delays until the last one had it.
        public internal(set) var lastHop = 0
        /// Payloads per delivery, less one.
        public internal(set) var redundancy = 0
        /// Bytes per node and entry, announcements and all.
        public internal(set) var bytes = 0
        public internal(set) var floodDelivered = 1_000
        public internal(set) var floodLastHop = 0
        public internal(set) var floodRedundancy = 0

        mutating func end() {
            guard entries > 0 else { return }
            lastHop /= entries
            redundancy /= entries
            bytes /= entries
            floodLastHop /= entries
            floodRedundancy /= entries
        }
    }

    public let seed: UInt64
    public let setting: GossipWorld.Setting
    public let failPercent: Int
    /// Entries of sources that published before.
    public private(set) var stable = Figures()
    /// The first entry that a source ever publishes.
    public private(set) var cold = Figures()
    /// The first entry after the crash, published in the same moment, each in a world of its own.
    public private(set) var crashed = Figures()
    /// The second and third ones.
    public private(set) var later = Figures()
    /// From the crash until the last one alive had the first entry: the slowest.
    public private(set) var healMilliseconds: Int64 = 0
    /// The parts of the overlay after it, the greatest first; one where it is whole.
    public private(set) var parts: [Int] = []
    public private(set) var events = 0
    public private(set) var trace: UInt64 = 0

    /// Sources whose first entry after the crash is measured.
    private static let crashes = 4

    /// Plays the whole story: join, shuffle, warm, measure, crash, measure.
    public init(seed: UInt64, _ setting: GossipWorld.Setting, failPercent: Int) {
        self.seed = seed
        self.setting = setting
        self.failPercent = failPercent
        var world = GossipWorld(seed: seed, setting)
        world.gather()
        var sources: [Int32] = []
        for _ in 0..<setting.sources { sources.append(world.source()) }
        for _ in 0..<setting.warmings {
            for source in sources { world.publish(source, for: 3_000) }
        }
        for source in sources { Self.measure(source, in: &world, &stable) }
        let before = world
        for _ in 0..<Self.crashes {
            let source = world.source()
            Self.measure(source, in: &world, &cold)
        }
        if failPercent > 0 {
            for source in sources.prefix(Self.crashes) {
                var crash = before
                crash.crash(percent: failPercent, sparing: [source])
                let first = Self.measure(source, in: &crash, &crashed, for: 10_000)
                healMilliseconds = max(healMilliseconds, first.last - first.start)
                for _ in 0..<2 { Self.measure(source, in: &crash, &later, for: 4_000) }
                let now = crash.parts()
                if parts.isEmpty || now.count > parts.count { parts = now }
                events += crash.events - before.events
                trace = trace &* 31 ^ crash.trace.value
            }
        } else {
            parts = world.parts()
        }
        stable.end()
        cold.end()
        crashed.end()
        later.end()
        events += world.events
        trace = trace &* 31 ^ world.trace.value
    }

    @discardableResult
    private static func measure(
        _ source: Int32, in world: inout GossipWorld, _ figures: inout Figures,
        for milliseconds: Int64 = 3_000
    ) -> GossipWorld.Delivery {
        var flooded = world
        let flood = flooded.flood(source, for: milliseconds)
        let bytes = world.bytes
        let push = world.publish(source, for: milliseconds)
        let alive = world.alive.count
        let hop = world.setting.delayMilliseconds
        figures.entries += 1
        figures.delivered = min(figures.delivered, push.reached * 1_000 / alive)
        figures.lastHop += Int((push.last - push.start) * 1_000 / hop)
        figures.redundancy += Self.redundancy(push)
        figures.bytes += (world.bytes - bytes) * 1_000 / alive
        figures.floodDelivered = min(figures.floodDelivered, flood.reached * 1_000 / alive)
        figures.floodLastHop += Int((flood.last - flood.start) * 1_000 / hop)
        figures.floodRedundancy += Self.redundancy(flood)
        return push
    }

    private static func redundancy(_ delivery: GossipWorld.Delivery) -> Int {
        delivery.payloads * 1_000 / max(delivery.reached - 1, 1) - 1_000
    }
}

internal import Replication

/// Live push at size: thousands of nodes that run `Overlay` and `BroadcastTree` and nothing else, links
/// with delays, a crash of many at once. One seed, one run.
///
/// What it assumes: a message over an open connection takes its link's delay; a first message to somebody
/// else takes four more (TCP and TLS 1.3 are two round trips). A dead process's connections break one
/// delay after the crash, and dialing it fails after a round trip.
public struct GossipWorld {
    public struct Setting: Hashable, Sendable {
        public var nodes = 1_000
        /// Of link delays all equal, or drawn from half to one and a half of this.
        public var delayMilliseconds: Int64 = 50
        public var drawsDelays = false
        /// A lost neighbour is noticed one delay after the crash, else only by the next message to it.
        public var noticesLoss = true
        public var shuffles = 30
        public var sources = 10
        public var warmings = 8
        public var entryBytes = 400

        public init() {}
    }

    enum Event {
        case overlay(Overlay<Int32>.Message, from: Int32, to: Int32)
        case push(PushedEntry, from: Int32, to: Int32)
        case gossip(GossipMessage, from: Int32, to: Int32)
        case lost(Int32, by: Int32)
        case shuffle(Int32)
        case due(Int32)
        /// One entry by flooding, for comparison: the entry itself, "I have it", "give it to me".
        case flood(from: Int32, to: Int32)
        case flooded(from: Int32, to: Int32)
        case wanted(from: Int32, to: Int32)
    }

    struct Node {
        var overlay: Overlay<Int32>
        var tree: BroadcastTree<Int32>
        var isAlive = true
        var wakes: Int64 = .max
    }

    /// What one entry came to.
    struct Delivery {
        var start: Int64 = 0
        var reached = 0
        var last: Int64 = 0
        var payloads = 0
        var bytes = 0
    }

    let setting: Setting
    private var chance: Chance
    private var nodes: [Node] = []
    private var agenda = Wheel<Event>()
    private(set) var now: Int64 = 0
    /// Entries by number, from 1: an entry's short id is a hash of its number.
    private var deliveries: [ShortID: Delivery] = [:]
    private var entries: UInt64 = 0
    private(set) var bytes = 0
    private var shufflesUntil: Int64 = .min
    /// Under way: nodes that have the flooded entry.
    private var floodHeld: [Bool] = []
    private var flood = Delivery()
    private(set) var events = 0
    private(set) var trace = Trace()

    public init(seed: UInt64, _ setting: Setting) {
        self.setting = setting
        chance = Chance(seed: seed)
        for index in 0..<Int32(setting.nodes) {
            nodes.append(
                Node(
                    overlay: Overlay(me: index),
                    tree: BroadcastTree(me: root(of: index))))
        }
    }

    private func root(of index: Int32) -> Root { Root(Self.mix(UInt64(index) + 1)) }

    private static func mix(_ number: UInt64) -> UInt64 {
        var word = number &* 0x9e37_79b9_7f4a_7c15
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    // MARK: - Chapters

    /// All join, each by somebody who is in, and shuffle for a while.
    mutating func gather() {
        for index in 1..<Int32(setting.nodes) {
            perform(nodes[Int(index)].overlay.join(Int32(chance.below(Int(index)))), by: index)
            run(until: now + 10)
        }
        run(until: now + 5_000)
        let every: Int64 = 10_000
        shufflesUntil = now + every * Int64(setting.shuffles)
        for index in 0..<Int32(setting.nodes) {
            agenda.put(.shuffle(index), at: now + Int64(chance.below(Int(every))))
        }
        run(until: shufflesUntil + 5_000)
    }

    /// One entry of `source`, until nothing moves any more or `milliseconds` are over.
    @discardableResult
    mutating func publish(_ source: Int32, for milliseconds: Int64 = 20_000) -> Delivery {
        let id = start(source)
        run(until: now + milliseconds)
        return deliveries[id] ?? Delivery()
    }

    mutating func start(_ source: Int32) -> ShortID {
        entries += 1
        let id = ShortID(Self.mix(entries &+ 1 << 40))
        deliveries[id] = Delivery(start: now, reached: 1, last: now)
        perform(nodes[Int(source)].tree.publish(id, now: now), by: source)
        return id
    }

    /// A share of all nodes ends at once.
    mutating func crash(percent: Int, sparing: [Int32]) {
        var order = Array(0..<Int32(setting.nodes))
        for place in stride(from: order.count - 1, to: 0, by: -1) {
            order.swapAt(place, chance.below(place + 1))
        }
        let dead = order.filter { !sparing.contains($0) }.prefix(setting.nodes * percent / 100)
        for index in dead { nodes[Int(index)].isAlive = false }
        guard setting.noticesLoss else { return }
        for index in dead {
            for other in nodes[Int(index)].overlay.neighbours where nodes[Int(other)].isAlive {
                agenda.put(.lost(index, by: other), at: now + delay(index, other))
            }
        }
    }

    /// The same entry by flooding over the same overlay while it mends in the same way.
    mutating func flood(_ source: Int32, for milliseconds: Int64 = 20_000) -> Delivery {
        floodHeld = Array(repeating: false, count: nodes.count)
        flood = Delivery(start: now, reached: 0, last: now)
        takeFlood(source, from: nil)
        run(until: now + milliseconds)
        floodHeld = []
        return flood
    }

    var alive: [Int32] { (0..<Int32(nodes.count)).filter { nodes[Int($0)].isAlive } }

    /// The sizes of the overlay's parts, greatest first, among those alive.
    func parts() -> [Int] {
        var seen = nodes.map { !$0.isAlive }
        var sizes: [Int] = []
        for first in alive where !seen[Int(first)] {
            var queue = [first]
            seen[Int(first)] = true
            var next = 0
            while next < queue.count {
                for other in nodes[Int(queue[next])].overlay.neighbours where !seen[Int(other)] {
                    seen[Int(other)] = true
                    queue.append(other)
                }
                next += 1
            }
            sizes.append(queue.count)
        }
        return sizes.sorted(by: >)
    }

    var links: Int { nodes.reduce(0) { $0 + ($1.isAlive ? $1.overlay.neighbours.count : 0) } }

    mutating func source() -> Int32 {
        let living = alive
        return living[chance.below(living.count)]
    }

    mutating func rest(_ milliseconds: Int64) { run(until: now + milliseconds) }

    // MARK: - Running

    private mutating func run(until end: Int64) {
        while let next = agenda.take(until: end) {
            now = next.time
            events += 1
            perform(next.event)
        }
        now = end
    }

    private func delay(_ one: Int32, _ other: Int32) -> Int64 {
        guard setting.drawsDelays else { return setting.delayMilliseconds }
        let pair = UInt64(min(one, other)) << 32 | UInt64(max(one, other))
        let half = setting.delayMilliseconds / 2
        return half + Int64(Self.mix(pair) % UInt64(2 * half + 1))
    }

    private func cost(_ one: Int32, _ other: Int32) -> UInt16 {
        UInt16(delay(one, other))
    }

    private mutating func perform(_ event: Event) {
        switch event {
        case .overlay(let message, let from, let to):
            guard nodes[Int(to)].isAlive else { return unreachable(to, by: from) }
            perform(nodes[Int(to)].overlay.received(message, from: from, using: &chance), by: to)
        case .push(let entry, let from, let to):
            guard nodes[Int(to)].isAlive else { return unreachable(to, by: from) }
            let isNew = !nodes[Int(to)].tree.holds(entry.id)
            let directives = nodes[Int(to)].tree.received(entry, from: from, now: now)
            count(entry, at: to, isNew: isNew)
            perform(directives, by: to)
        case .gossip(let message, let from, let to):
            guard nodes[Int(to)].isAlive else { return unreachable(to, by: from) }
            perform(nodes[Int(to)].tree.received(message, from: from, now: now), by: to)
        case .lost(let peer, let by):
            guard nodes[Int(by)].isAlive else { return }
            perform(nodes[Int(by)].overlay.lost(peer, using: &chance), by: by)
        case .shuffle(let index):
            guard nodes[Int(index)].isAlive else { return }
            perform(nodes[Int(index)].overlay.shuffleDue(using: &chance), by: index)
            if now + 10_000 < shufflesUntil { agenda.put(.shuffle(index), at: now + 10_000) }
        case .due(let index):
            guard nodes[Int(index)].isAlive else { return }
            nodes[Int(index)].wakes = .max
            perform(nodes[Int(index)].tree.due(now: now), by: index)
        case .flood(let from, let to):
            guard nodes[Int(to)].isAlive else { return unreachable(to, by: from) }
            flood.payloads += 1
            takeFlood(to, from: from)
        case .flooded(let from, let to):
            guard nodes[Int(to)].isAlive, !floodHeld[Int(to)] else { return }
            agenda.put(.wanted(from: to, to: from), at: now + delay(to, from))
        case .wanted(let from, let to):
            guard nodes[Int(to)].isAlive else { return }
            agenda.put(.flood(from: to, to: from), at: now + delay(to, from))
        }
    }

    /// The sender learns that nobody is there when the answer would have come.
    private mutating func unreachable(_ peer: Int32, by: Int32) {
        agenda.put(.lost(peer, by: by), at: now + delay(peer, by))
    }

    private mutating func perform(_ directives: [Overlay<Int32>.Directive], by index: Int32) {
        for directive in directives {
            switch directive {
            case .send(let message, let peer):
                let isOpen = nodes[Int(index)].overlay.neighbours.contains(peer) || isReply(message)
                agenda.put(
                    .overlay(message, from: index, to: peer),
                    at: now + delay(index, peer) * (isOpen ? 1 : nodes[Int(peer)].isAlive ? 5 : 1))
            case .linked(let peer):
                perform(
                    nodes[Int(index)].tree.linked(peer, cost: cost(index, peer), now: now),
                    by: index)
                if !floodHeld.isEmpty, floodHeld[Int(index)] {
                    agenda.put(.flooded(from: index, to: peer), at: now + delay(index, peer))
                }
            case .unlinked(let peer):
                perform(nodes[Int(index)].tree.unlinked(peer, now: now), by: index)
            }
        }
    }

    private func isReply(_ message: Overlay<Int32>.Message) -> Bool {
        switch message {
        case .answer, .disconnect: true
        default: false
        }
    }

    private mutating func perform(
        _ directives: [BroadcastTree<Int32>.Directive], by index: Int32
    ) {
        for directive in directives {
            switch directive {
            case .push(let entry, let peer):
                bytes += entry.frameBytes(entry: setting.entryBytes)
                agenda.put(.push(entry, from: index, to: peer), at: now + delay(index, peer))
            case .send(let message, let peer):
                bytes += message.frameBytes
                agenda.put(.gossip(message, from: index, to: peer), at: now + delay(index, peer))
            }
        }
        if let due = nodes[Int(index)].tree.nextDue, due < nodes[Int(index)].wakes {
            nodes[Int(index)].wakes = due
            agenda.put(.due(index), at: max(due, now))
        }
    }

    private mutating func count(_ entry: PushedEntry, at index: Int32, isNew: Bool) {
        deliveries[entry.id]?.payloads += 1
        if isNew {
            deliveries[entry.id]?.reached += 1
            deliveries[entry.id]?.last = now
        }
        trace.add(entry.id.word ^ UInt64(now) << 32 ^ UInt64(index))
    }

    private mutating func takeFlood(_ index: Int32, from: Int32?) {
        guard !floodHeld[Int(index)] else { return }
        floodHeld[Int(index)] = true
        flood.reached += 1
        flood.last = now
        for peer in nodes[Int(index)].overlay.neighbours where peer != from {
            agenda.put(.flood(from: index, to: peer), at: now + delay(index, peer))
        }
    }
}

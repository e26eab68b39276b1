import Identity
import Replication
import Testing

/// Every frame comes back as it was, and nothing else is a frame.
@Suite struct MessageTests {
    static func hash<K>(_ seed: UInt8) -> Fixed32<K> { Fixed32(SHA256.hash([seed])) }

    static let all: [Message] = [
        .hello(.init(versions: [2], nonce: hash(1), time: 1_795_000_000_000, agent: "talea")),
        .hello(.init(versions: [1, 2, 9], nonce: hash(1), time: 0, agent: "")),
        .topics([]), .topics([hash(1), hash(2)]), .moreTopics([hash(3)]),
        .heads([]),
        .heads([.init(log: hash(1), sequence: 7, id: hash(2))]),
        .ask([]), .ask([hash(1), hash(2)]), .answer([.init(log: hash(1), sequence: 0, id: .zero)]),
        .keys([[1, 2], [3]]), .keep([1]), .kept([2, 3]),
        .range(.init(log: hash(1), from: 1, to: 1)),
        .range(.init(log: hash(1), from: 3, to: .max)),
        .entries([], done: true),
        .entries([[1, 2], [], [3]], done: false),
        .push([1]), .put([2]), .prove(hash(4)), .proof([3]),
        .mail(.serving), .mail(.entrust([])),
        .mail(.entrust([hash(1), hash(2)])),
        .mail(.deposit(recipient: hash(1), tag: hash(2), expires: 5, sealed: [1])),
        .mail(.deposited(tag: hash(2), .full)), .mail(.letter(number: 7, sealed: [1, 2])),
        .mail(.collected(number: 7, isKept: true)), .fetch(blob: hash(1), index: 3),
        .chunk(blob: hash(1), index: 3, size: 9, sealed: [1]),
        .chunk(blob: hash(1), index: 3, size: 0, sealed: []),
        .reconcile(.init(number: 3, opening: nil, bytes: [])),
        .reconcile(
            .init(
                number: 1, opening: .init(topic: hash(1), horizon: 7, isRehashed: true),
                bytes: [0x61, 0])),
        .resolve(1, [hash(1), hash(2)]),
        .resolved(1, [.init(log: hash(1), sequence: 7, id: hash(2))]),
        .branch([]), .branch([[1], [2, 3]]), .ping(time: 7), .pong(time: .max),
        .goodbye(code: 1, text: "符契"),
    ]

    static let gossip: [Message] = [
        .treePush(
            PushedEntry(id: ShortID(0), root: Root(7), seed: nil, distance: 50, isUrgent: false),
            [1]),
        .treePush(
            PushedEntry(
                id: ShortID(0), root: Root(.max), seed: Root(1), distance: .max, isUrgent: true),
            [1, 2]),
        .gossip(
            .announce([.init(id: ShortID(1), distance: 50, root: nil)], urgent: false), topic: nil),
        .gossip(
            .announce([.init(id: ShortID(1), distance: 0, root: Root(2))], urgent: true), topic: 9),
        .gossip(.graft([ShortID(1), ShortID(2)], wanted: true), topic: nil),
        .gossip(.graft([ShortID(1)], wanted: false), topic: .max),
        .gossip(.prune([ShortID(1)]), topic: nil), .gossip(.prune([ShortID(1)]), topic: 0),
        .gossip(.adopt([.init(root: Root(1), distance: .max)]), topic: nil),
        .gossip(.decline([.init(root: Root(1), distance: 3)]), topic: 1),
    ]

    @Test(arguments: all + gossip)
    func `a message comes back from its frame`(_ message: Message) throws {
        #expect(try Message(message.frame) == message)
    }

    @Test(arguments: all + gossip)
    func `no frame that lost its end, or got one more byte, traps`(_ message: Message) {
        let frame = message.frame
        for count in 0..<frame.payload.count {
            let cut = Frame(type: frame.type, payload: Array(frame.payload.prefix(count)))
            // What still reads is another message, and says so when written again.
            if let other = try? Message(cut) { #expect(other.frame == cut) }
        }
        if let longer = try? Message(Frame(type: frame.type, payload: frame.payload + [0])) {
            #expect(longer != message)
        }
    }

    @Test(arguments: gossip)
    func `a frame of live push is as long as the simulator counts`(_ message: Message) {
        switch message {
        case .treePush(let push, let entry):
            #expect(message.frame.bytes.count == push.frameBytes(entry: entry.count))
        case .gossip(let gossip, let topic):
            #expect(message.frame.bytes.count == gossip.frameBytes + (topic == nil ? 0 : 8))
        default: Issue.record("\(message) is none")
        }
    }

    /// What a table row says: type, payload, why.
    static let refused: [(UInt8, [UInt8], String)] = [
        (50, [UInt8](repeating: 0, count: 11), "a push of nothing"),
        (50, [4] + [UInt8](repeating: 0, count: 30), "a push with a flag of its own"),
        (50, [2] + [UInt8](repeating: 0, count: 17), "a seed cut short"),
        (51, [0], "an announcement of nothing"),
        (51, [0] + [UInt8](repeating: 0, count: 11), "an announcement cut short"),
        (51, [0] + [UInt8](repeating: 0, count: 10 * 513), "announcements without end"),
        (51, [4] + [UInt8](repeating: 0, count: 10), "an announcement with a flag of its own"),
        (52, [2, 0, 0, 0], "a topic cut short"),
        (52, [0] + [UInt8](repeating: 0, count: 8 * 513), "too many asked for"),
        (53, [1] + [UInt8](repeating: 0, count: 8), "a prune that wants something"),
        (53, [0] + [UInt8](repeating: 0, count: 9), "an id cut short"),
        (54, [0] + [UInt8](repeating: 0, count: 10 * 1_025), "too many ways"),
        (55, [], "no flags"),
        (1, [], "no versions counted"),
        (1, [0] + [UInt8](repeating: 0, count: 40), "no version at all"),
        (1, [1, 1] + [UInt8](repeating: 0, count: 39), "a nonce cut short"),
        (1, [1, 1] + [UInt8](repeating: 0, count: 40) + [0xff], "an agent that is no text"),
        (
            1, [1, 1] + [UInt8](repeating: 0, count: 40) + [UInt8](repeating: 65, count: 65),
            "an agent too long"
        ),
        (2, [UInt8](repeating: 0, count: 33), "a name cut short"),
        (2, [UInt8](repeating: 0, count: 32 * 8_001), "topics without end"),
        (3, [UInt8](repeating: 0, count: 71), "a head cut short"),
        (3, [UInt8](repeating: 0, count: 72 * 2_001), "too many heads"),
        (4, [UInt8](repeating: 0, count: 33), "a log cut short"),
        (16, [0, 0, 0, 1], "a turn that is none"),
        (16, [0, 0, 0, 1, 3], "an opening of no kind"),
        (16, [0, 0, 0, 1, 1] + [UInt8](repeating: 0, count: 39), "an opening cut short"),
        (16, [UInt8](repeating: 0, count: 5 + 65_537), "a turn too long"),
        (20, [0, 0, 0, 1, 0], "an item cut short"),
        (20, [UInt8](repeating: 0, count: 4 + 32 * 901), "too many items"),
        (21, [0, 0, 0, 1, 0], "a head cut short"),
        (21, [UInt8](repeating: 0, count: 4 + 72 * 901), "too many heads"),
        (5, [UInt8](repeating: 0, count: 73), "an answer cut short"),
        (6, [0, 0, 0, 2, 1], "a key entry cut short"),
        (11, [], "an empty snapshot"), (12, [], "an empty snapshot back"),
        (11, [UInt8](repeating: 0, count: 200 * 1024 + 1), "a snapshot too large"),
        (7, [UInt8](repeating: 0, count: 48), "a range from 0"),
        (7, [UInt8](repeating: 0, count: 47), "a range cut short"),
        (
            7, [UInt8](repeating: 0, count: 39) + [2] + [UInt8](repeating: 0, count: 7) + [1],
            "a range that ends before it starts"
        ),
        (8, [], "no flag"),
        (8, [2], "a flag of 2"),
        (8, [1, 0, 0, 0, 2, 9], "an entry cut short"),
        (8, [1] + [UInt8](repeating: 0, count: 4 * 257), "more entries than a range has"),
        (8, [1] + entries(of: 100 * 1024, 100 * 1024 + 1), "more bytes than an answer has"),
        (15, entries(of: 1, 200 * 1024), "more bytes than a branch has"),
        (13, [UInt8](repeating: 0, count: 31), "a log cut short"),
        (13, [UInt8](repeating: 0, count: 33), "a log and more"),
        (17, [], "no code"),
        (17, [1, 0xff], "a text that is none"),
        (32, [0], "an offer to serve with a body"),
        (33, [UInt8](repeating: 0, count: 31), "a topic cut short"),
        (33, [UInt8](repeating: 0, count: 32 * 4_097), "too many topics"),
        (34, [UInt8](repeating: 0, count: 72), "a letter of nothing"),
        (34, [UInt8](repeating: 0, count: 72 + 200 * 1024 + 1), "a letter too large"),
        (35, [UInt8](repeating: 0, count: 32), "no outcome"),
        (35, [UInt8](repeating: 4, count: 33), "an outcome that is none"),
        (36, [UInt8](repeating: 0, count: 8), "an empty letter"),
        (37, [UInt8](repeating: 2, count: 9), "a letter kept twice over"),
        (40, [UInt8](repeating: 0, count: 37), "a question and more"),
        (41, [UInt8](repeating: 0, count: 41), "a chunk of nothing"),
        (41, [UInt8](repeating: 1, count: 40), "no chunk of something"),
        (41, [UInt8](repeating: 1, count: 40 + 65_553), "a chunk too large"),
        (18, [0], "a ping with no whole time"),
        (19, [UInt8](repeating: 0, count: 9), "a pong with more than a time"),
    ]

    static func entries(of sizes: Int...) -> [UInt8] {
        sizes.flatMap { size in
            var bytes: [UInt8] = []
            bytes.append(bigEndian: UInt32(size))
            return bytes + [UInt8](repeating: 7, count: size)
        }
    }

    @Test func `an answer holds as many bytes as it may, or one entry of any size`() throws {
        for sizes in [[100 * 1024, 100 * 1024], [200 * 1024 + 1]] {
            let wires = sizes.map { [UInt8](repeating: 7, count: $0) }
            let frame = Message.entries(wires, done: true).frame
            guard case .entries(wires, true) = try Message(frame) else {
                Issue.record("\(sizes)")
                continue
            }
        }
    }

    @Test func `what is not strict is malformed`() {
        for (type, payload, why) in Self.refused {
            #expect(throws: MessageRefusal.malformed(type: type), "\(why)") {
                try Message(Frame(type: type, payload: payload))
            }
        }
        for type: UInt8 in [0, 23, 255] {
            #expect(throws: MessageRefusal.unknownType(type)) {
                try Message(Frame(type: type, payload: []))
            }
        }
    }

    @Test func `a long name is cut between characters`() throws {
        let hello = Message.Hello(
            versions: [2], nonce: Self.hash(1), time: 1, agent: String(repeating: "契", count: 30))
        guard case .hello(let read) = try Message(Message.hello(hello).frame) else { return }
        #expect(read.agent == String(repeating: "契", count: 21))
        let goodbye = Message.goodbye(code: 1, text: String(repeating: "契", count: 200))
        guard case .goodbye(_, let text) = try Message(goodbye.frame) else { return }
        #expect(text.count == 170)
    }
}

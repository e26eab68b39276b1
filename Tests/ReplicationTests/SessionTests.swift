import Foundation
import Identity
import Replication
import Testing

/// Dialogues of two sessions, and of one session with whoever knows no manners.
@Suite struct SessionTests {
    static func hash<K>(_ seed: UInt8) -> Fixed32<K> { Fixed32(SHA256.hash([seed])) }
    static let alliance: TopicID = hash(100)
    static let contract: TopicID = hash(101)
    static let secret: TopicID = hash(102)
    static let left: DID = hash(201)
    static let right: DID = hash(202)

    static func dialing(now: Int64 = 0, rehashes: Bool = false) -> Session {
        Session(
            me: left, peer: right, isInitiator: true, nonce: hash(1), now: now,
            rehashes: rehashes)
    }
    static func dialed(now: Int64 = 0) -> Session {
        Session(me: right, peer: left, isInitiator: false, nonce: hash(2), now: now)
    }

    /// Ids by sequence, of logs by topic.
    struct Shelf: Catalogue {
        var topics: [TopicID] = [alliance]
        var logs: [LogID: (topic: TopicID, ids: [EntryID])] = [:]
        /// The same by topic, where there are too many to look at each.
        var logsOf: [TopicID: [LogID]] = [:]

        func heads(in topic: TopicID) -> [Message.Head] {
            (logsOf[topic] ?? logs.keys.filter { logs[$0]?.topic == topic }).sorted()
                .compactMap(head)
        }
        func head(of log: LogID) -> Message.Head? {
            logs[log].flatMap { held in
                held.ids.last.map { .init(log: log, sequence: UInt64(held.ids.count), id: $0) }
            }
        }
        func id(in log: LogID, at sequence: UInt64) -> EntryID? {
            guard let ids = logs[log]?.ids, sequence >= 1, sequence <= UInt64(ids.count) else {
                return nil
            }
            return ids[Int(sequence) - 1]
        }
        /// Forks by log.
        var forked: [LogID: EntryID] = [:]
        /// Whether forks stand in no set.
        var hidesForks = false

        func forks(in topic: TopicID) -> [Message.Head] {
            forked.filter { contains($0.key, in: topic) }.sorted { $0.key < $1.key }
                .map { .init(log: $0.key, sequence: 0, id: $0.value) }
        }
        func knows(fork id: EntryID, of log: LogID) -> Bool {
            forked[log] == id || logs[log]?.ids.contains(id) == true
        }
        /// Of each log one item, at the time of its length; of a fork one at no time.
        func items(in topic: TopicID) -> ItemTree {
            var tree = ItemTree()
            for head in heads(in: topic) {
                tree.insert(Item(timestamp: head.sequence, id: ItemID(head.id)))
            }
            for fork in hidesForks ? [] : forks(in: topic) {
                tree.insert(Item(timestamp: 0, id: ItemID(fork.id)))
            }
            return tree
        }
        func heads(of items: [ItemID], in topic: TopicID) -> [Message.Head] {
            let wanted = Set(items)
            return (heads(in: topic) + forks(in: topic)).filter { wanted.contains(ItemID($0.id)) }
        }
        /// Whether there is room to hash ids for one connection.
        var hasRoom = true
        func mayHash(_ items: Int) -> Bool { hasRoom }
        func contains(_ log: LogID, in topic: TopicID) -> Bool { logs[log]?.topic == topic }
        func topic(of log: LogID) -> TopicID? { logs[log]?.topic }
    }

    /// Two sessions that exchanged hellos and topics.
    static func pair(_ left: Shelf, _ right: Shelf) -> (Session, Session, [[Session.Directive]]) {
        var one = dialing()
        var two = dialed()
        var heard: [[Session.Directive]] = [[], []]
        var air: [(Bool, Message)] = []
        func sort(_ orders: [Session.Directive], from first: Bool) {
            for case .send(let message) in orders { air.append((!first, message)) }
            heard[first ? 0 : 1] += orders
        }
        sort(one.begin(now: 0, agent: "one"), from: true)
        sort(two.begin(now: 0, agent: "two"), from: false)
        while !air.isEmpty {
            let (first, message) = air.removeFirst()
            if case .range = message { continue }
            sort(
                first
                    ? one.received(message.frame, now: 0, left)
                    : two.received(message.frame, now: 0, right), from: first)
        }
        return (one, two, heard)
    }

    static let hello = Message.hello(
        .init(versions: [ReplicationLimit.wireVersion], nonce: hash(2), time: 0, agent: ""))

    static func ranges(_ orders: [Session.Directive]) -> [Message.RangeRequest] {
        orders.compactMap { if case .send(.range(let request)) = $0 { request } else { nil } }
    }

    // MARK: - Hello

    @Test func `a peer of other versions is told so and left`() {
        var session = Self.dialing()
        let hello = Message.Hello(versions: [3, 4], nonce: Self.hash(2), time: 0, agent: "newer")
        let orders = session.received(Message.hello(hello).frame, now: 0, Shelf())
        #expect(
            orders == [
                .send(.goodbye(code: 1, text: "wire version")),
                .close(.newerPeer(versions: [3, 4])),
            ])
        #expect(!session.isEstablished)
    }

    @Test func `a peer that also speaks our version is welcome`() {
        var session = Self.dialing()
        let hello = Message.Hello(versions: [2, 3], nonce: Self.hash(2), time: 5, agent: "newer")
        let orders = session.received(Message.hello(hello).frame, now: 0, Shelf())
        #expect(orders.first == .established(agent: "newer", time: 5))
    }

    @Test func `nothing goes before the hello, and no second hello after it`() {
        for message in MessageTests.all {
            var session = Self.dialing()
            let orders = session.received(message.frame, now: 0, Shelf())
            switch message {
            case .hello: #expect(session.isEstablished)
            case .goodbye(let code, let text):
                #expect(orders == [.close(.goodbye(code: code, text: text))])
            default:
                #expect(orders == [.close(.outOfOrder(type: message.frame.type))])
            }
        }
        var (session, _, _) = Self.pair(Shelf(), Shelf())
        let again = session.received(MessageTests.all[0].frame, now: 0, Shelf())
        #expect(again == [.close(.outOfOrder(type: 1))])
    }

    @Test func `a frame of a newer program is skipped after the hello and refused before`() {
        let frame = Frame(type: 99, payload: [1])
        var session = Self.dialing()
        #expect(
            session.received(frame, now: 0, Shelf()) == [.close(.malformed(.unknownType(99)))])
        (session, _, _) = Self.pair(Shelf(), Shelf())
        #expect(session.received(frame, now: 0, Shelf()) == [])
    }

    @Test func `a frame that does not read ends the conversation`() {
        var (session, _, _) = Self.pair(Shelf(), Shelf())
        let orders = session.received(Frame(type: 8, payload: [2]), now: 0, Shelf())
        #expect(orders == [.close(.malformed(.malformed(type: 8)))])
    }

    // MARK: - Topics

    @Test func `topics are named so that only who knows them recognises them`() {
        var left = Shelf()
        left.topics += [Self.contract, Self.secret]
        var right = Shelf()
        right.topics.append(Self.contract)
        let (one, two, heard) = Self.pair(left, right)
        #expect(one.shared == [Self.alliance, Self.contract])
        #expect(two.shared == [Self.alliance, Self.contract])
        // Neither the topic itself nor the same hash twice is ever on the wire.
        var seen: [Hash32] = []
        for case .send(.topics(let names)) in heard.joined() { seen += names }
        #expect(Set(seen).count == 5)
        #expect(Set(seen).isDisjoint(with: left.topics.map(Hash32.init)))
    }

    @Test func `a new topic is named alone, and all are named again where one went`() {
        var left = Shelf()
        left.topics.append(Self.contract)
        var right = Shelf()
        var (one, two, _) = Self.pair(left, right)
        left.topics.append(Self.secret)
        right.topics.append(Self.secret)
        _ = two.topicsChanged(right)
        let name = one.name(of: Self.secret, by: Self.left)
        let orders = one.topicsChanged(left)
        #expect(orders == [.send(.moreTopics([name]))])
        #expect(one.topicsChanged(left) == [])
        _ = two.received(Message.moreTopics([name]).frame, now: 0, right)
        #expect(two.shared == [Self.alliance, Self.secret])
        left.topics.removeAll { $0 == Self.secret }
        let all = left.topics.map { one.name(of: $0, by: Self.left) }
        #expect(one.topicsChanged(left) == [.send(.topics(all))])
        _ = two.received(Message.topics(all).frame, now: 0, right)
        #expect(two.shared == [Self.alliance])
    }

    /// Topics of no alliance.
    static func many(_ numbers: Range<Int>) -> [TopicID] {
        numbers.map { TopicID(SHA256.hash([UInt8($0 >> 8), UInt8($0 & 255)])) }
    }

    @Test func `one topic that came is told by one name`() {
        var left = Shelf()
        var right = Shelf()
        var (one, two, _) = Self.pair(left, right)
        left.topics += [Self.secret]
        let orders = one.added(topic: Self.secret, left)
        let name = one.name(of: Self.secret, by: Self.left)
        #expect(orders == [.send(.moreTopics([name]))])
        #expect(one.added(topic: Self.secret, left).isEmpty)
        // Whoever hears a name before it has the topic knows it when the topic comes.
        #expect(two.received(Message.moreTopics([name]).frame, now: 0, right).isEmpty)
        #expect(two.shared == [Self.alliance])
        right.topics += [Self.secret]
        let log: LogID = Self.hash(77)
        right.logs[log] = (Self.secret, [Self.hash(78)])
        let answer = two.added(topic: Self.secret, right)
        #expect(two.shared == [Self.alliance, Self.secret])
        #expect(
            answer == [
                .send(.moreTopics([two.name(of: Self.secret, by: Self.right)])),
                .send(.heads([.init(log: log, sequence: 1, id: Self.hash(78))])),
            ])
    }

    @Test func `more topics than one frame holds are told in several, and no end of them in none`()
    {
        var shelf = Shelf()
        shelf.topics += Self.many(0..<ReplicationLimit.topicsPerFrame)
        let (one, second, heard) = Self.pair(shelf, shelf)
        var two = second
        #expect(one.shared == Set(shelf.topics))
        #expect(two.shared == Set(shelf.topics))
        let more = heard.joined().filter { if case .send(.moreTopics) = $0 { true } else { false } }
        #expect(more.count == 2)
        let full = ReplicationLimit.topicsPerFrame
        let rounds = ReplicationLimit.topicsNamed / full
        for round in 1..<rounds {
            let frame = Message.moreTopics(
                Self.many(round * full..<(round + 1) * full).map(Hash32.init))
            // One more than all is named: the alliance.
            let isTooMuch = round == rounds - 1
            #expect(
                two.received(frame.frame, now: 0, shelf)
                    == (isTooMuch ? [.close(.outOfOrder(type: 22))] : []))
        }
    }

    @Test(arguments: [true, false])
    func `a topic is named as the golden file says`(isInitiator: Bool) throws {
        let data = try Data(contentsOf: ReconciliationTests.vectors("session.json"))
        let file = try JSONDecoder().decode([String: [[String: String]]].self, from: data)
        let row = try #require(file["derivations"]?.first)
        func read<K>(_ name: String) throws -> Fixed32<K> {
            try #require(row[name].flatMap { Fixed32(hex: $0) })
        }
        let (sender, receiver): (DID, DID) = (try read("sender"), try read("receiver"))
        let ends = isInitiator ? (sender, receiver) : (receiver, sender)
        let nonces: [Hash32] = [try read("initiator_nonce"), try read("responder_nonce")]
        let (own, theirs) = isInitiator ? (nonces[0], nonces[1]) : (nonces[1], nonces[0])
        var session = Session(
            me: ends.0, peer: ends.1, isInitiator: isInitiator, nonce: own, now: 0)
        let hello = Message.Hello(
            versions: [ReplicationLimit.wireVersion], nonce: theirs, time: 0, agent: "")
        _ = session.received(Message.hello(hello).frame, now: 0, Shelf())
        #expect(session.name(of: try read("topic"), by: sender) == (try read("value")))
    }

    @Test func `what one side says cannot be said back to it`() {
        var left = Shelf()
        left.topics.append(Self.contract)
        var one = Self.dialing()
        let orders = one.received(Self.hello.frame, now: 0, left)
        for case .send(let message) in orders {
            _ = one.received(message.frame, now: 0, left)
        }
        #expect(one.isEstablished && one.shared.isEmpty)
    }

    @Test func `who stands between two that share a topic says for neither what the other knows`() {
        // mallory is dialed by the one and dials the other, with the nonces that they chose.
        let mallory: DID = Self.hash(203)
        var one = Session(
            me: Self.left, peer: mallory, isInitiator: true, nonce: Self.hash(1), now: 0)
        var two = Session(
            me: Self.right, peer: mallory, isInitiator: false, nonce: Self.hash(2), now: 0)
        let said = (one.begin(now: 0, agent: ""), two.begin(now: 0, agent: ""))
        var (toTwo, toOne) = (said.0, said.1)
        while !(toOne + toTwo).isEmpty {
            let (first, second) = (toOne, toTwo)
            (toOne, toTwo) = ([], [])
            for case .send(let message) in first {
                toTwo += one.received(message.frame, now: 0, Shelf())
            }
            for case .send(let message) in second {
                toOne += two.received(message.frame, now: 0, Shelf())
            }
        }
        #expect(one.isEstablished && one.shared.isEmpty)
        #expect(two.isEstablished && two.shared.isEmpty)
    }

    @Test func `a stranger is told what is here by no answer, and no question`() {
        let shelf = ManyLogsTests.shelf(0..<2)
        var silent = Self.dialing()
        _ = silent.received(Self.hello.frame, now: 0, shelf)
        let held: LogID = ManyLogsTests.wide(0)
        let head = Message.Head(log: held, sequence: 9, id: Self.hash(9))
        let asked: [Message] = [
            .heads([head]), .heads([.init(log: held, sequence: 0, id: Self.hash(9))]),
            .push([1]), .proof([1]), .branch([[1]]), .prove(held),
            .topics([Hash32(Self.alliance), silent.name(of: Self.alliance, by: Self.left)]),
        ]
        for message in asked {
            #expect(silent.received(message.frame, now: 0, shelf) == [], "\(message)")
        }
        let range = Message.range(.init(log: held, from: 1, to: 1))
        #expect(
            silent.received(range.frame, now: 0, shelf) == [.send(.entries([], done: true))])
    }

    @Test func `a topic that comes later is matched later`() {
        var (one, two, _) = Self.pair(Shelf(), Shelf())
        var left = Shelf()
        left.topics.append(Self.contract)
        left.logs[Self.hash(1)] = (Self.contract, [Self.hash(11)])
        for case .send(let message) in one.topicsChanged(left) {
            #expect(two.received(message.frame, now: 0, left).isEmpty)
        }
        let heads = Message.heads(left.heads(in: Self.contract))
        let told = two.topicsChanged(left)
        #expect(told.contains(.send(heads)))
        for case .send(let message) in told where message != heads {
            #expect(one.received(message.frame, now: 0, left) == [.send(heads)])
        }
        #expect(one.shared.contains(Self.contract))
        #expect(two.shared.contains(Self.contract))
    }

    // MARK: - Heads and ranges

    @Test func `who holds less asks for the rest, and for nothing else`() {
        var left = Shelf()
        left.logs[Self.hash(1)] = (Self.alliance, [Self.hash(11), Self.hash(12), Self.hash(13)])
        left.logs[Self.hash(2)] = (Self.alliance, [Self.hash(21)])
        left.logs[Self.hash(3)] = (Self.secret, [Self.hash(31)])
        var right = Shelf()
        right.logs[Self.hash(1)] = (Self.alliance, [Self.hash(11)])
        right.logs[Self.hash(2)] = (Self.alliance, [Self.hash(21)])
        let (_, _, heard) = Self.pair(left, right)
        #expect(Self.ranges(heard[0]) == [])
        #expect(Self.ranges(heard[1]) == [.init(log: Self.hash(1), from: 2, to: 3)])
    }

    @Test(arguments: [1, 3])
    func `who holds another branch asks for it, however long its own is`(_ length: Int) {
        var left = Shelf()
        left.logs[Self.hash(1)] = (Self.alliance, [Self.hash(11), Self.hash(12)])
        var right = Shelf()
        right.logs[Self.hash(1)] = (
            Self.alliance, [Self.hash(11)] + (0..<length).map { Self.hash(UInt8(50 + $0)) }
        )
        let (_, _, heard) = Self.pair(left, right)
        #expect(Self.ranges(heard[1]) == [.init(log: Self.hash(1), from: 2, to: 2)])
        #expect(Self.ranges(heard[0]).count == 1)
    }

    @Test func `a range is served in shared topics alone`() {
        var left = Shelf()
        left.topics.append(Self.secret)
        left.logs[Self.hash(1)] = (Self.alliance, [Self.hash(11)])
        left.logs[Self.hash(3)] = (Self.secret, [Self.hash(31)])
        var (one, _, _) = Self.pair(left, Shelf())
        let open = Message.RangeRequest(log: Self.hash(1), from: 1, to: 1)
        let closed = Message.RangeRequest(log: Self.hash(3), from: 1, to: 1)
        #expect(one.received(Message.range(open).frame, now: 0, left) == [.serve(open)])
        #expect(
            one.received(Message.range(closed).frame, now: 0, left)
                == [.send(.entries([], done: true))])
    }

    @Test func `what was not asked for is not taken`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        let orders = one.received(Message.entries([[1]], done: true).frame, now: 0, Shelf())
        #expect(orders == [.close(.outOfOrder(type: 8))])
    }

    @Test func `32 ranges are in the air, each of 256 entries at most`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        let heads = (1...40).map {
            Message.Head(log: Self.hash($0), sequence: 1_000, id: Self.hash($0))
        }
        let first = Self.ranges(one.received(Message.heads(heads).frame, now: 0, Shelf()))
        #expect(first.count == ReplicationLimit.rangesOpen)
        #expect(first.allSatisfy { $0.from == 1 && $0.to == 256 })
        let next = one.received(Message.entries([], done: true).frame, now: 0, Shelf())
        #expect(Self.ranges(next).count == 1)
        // What came is reported, and the rest of that log is asked for.
        _ = one.received(Message.entries([[1]], done: true).frame, now: 0, Shelf())
        for number: UInt8 in 3...40 {
            _ = one.received(Message.entries([], done: true).frame, now: 0, Shelf())
            _ = one.took(Self.hash(number), head: 1_000)
        }
        #expect(
            Self.ranges(one.took(Self.hash(1), head: 256))
                == [.init(log: Self.hash(1), from: 257, to: 512)])
    }

    @Test func `heads without end fill no memory and trap nothing`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        let far = [Message.Head(log: Self.hash(1), sequence: .max, id: Self.hash(1))]
        var asked = Self.ranges(one.received(Message.heads(far).frame, now: 0, Shelf()))
        #expect(asked.map(\.to) == [256])
        for seed: UInt8 in 0..<8 {
            let heads = (0..<1_000).map { number in
                let id = SHA256.hash([seed, UInt8(number >> 8), UInt8(number & 255)])
                return Message.Head(log: LogID(id), sequence: 1, id: EntryID(id))
            }
            asked += Self.ranges(one.received(Message.heads(heads).frame, now: 0, Shelf()))
        }
        #expect(asked.count == ReplicationLimit.rangesOpen)
        #expect(one.took(Self.hash(1), head: .max) == [])
    }

    @Test func `the last number there is can be asked for, and answered, without a trap`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        let far = [Message.Head(log: Self.hash(1), sequence: .max, id: Self.hash(1))]
        _ = one.received(Message.heads(far).frame, now: 0, Shelf())
        _ = one.received(Message.entries([], done: true).frame, now: 0, Shelf())
        let last = Message.RangeRequest(log: Self.hash(1), from: .max, to: .max)
        #expect(Self.ranges(one.wantNewest(Self.hash(1))) == [last])
        #expect(last.toAtOnce == .max)
        for from: UInt64 in [1, .max - 256, .max - 255] {
            let request = Message.RangeRequest(log: Self.hash(1), from: from, to: .max)
            #expect(request.toAtOnce == from + 255)
        }
    }

    // MARK: - Pushes

    @Test func `a new entry is pushed to who shares its topic, once`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        let head = Message.Head(log: Self.hash(1), sequence: 1, id: Self.hash(11))
        #expect(one.added([1], head, in: [Self.secret]) == [])
        #expect(one.added([1], head, in: [Self.alliance]) == [.send(.push([1]))])
        #expect(one.added([1], head, in: [Self.alliance]) == [])
        // What the peer named as its own head is not pushed to it.
        let theirs = Message.Head(log: Self.hash(2), sequence: 5, id: Self.hash(25))
        _ = one.received(Message.heads([theirs]).frame, now: 0, Shelf())
        let old = Message.Head(log: Self.hash(2), sequence: 5, id: Self.hash(25))
        #expect(one.added([2], old, in: [Self.alliance]) == [])
    }

    @Test func `a push is handed on as it is, and clocks are compared once a minute`() {
        var (one, _, _) = Self.pair(Shelf(), Shelf())
        #expect(
            one.received(Message.push([1, 2]).frame, now: 5, Shelf())
                == [.ingest([[1, 2]], run: false)])
        #expect(one.received(Message.put([3]).frame, now: 5, Shelf()) == [.open(sealed: [3])])
        let every = ReplicationLimit.pingEveryMilliseconds
        #expect(
            one.received(Message.ping(time: 9).frame, now: 5, Shelf())
                == [.clock(9), .send(.pong(time: 5))])
        #expect(one.tick(now: every + 5, Shelf()) == [])
        #expect(one.tick(now: every + 6, Shelf()) == [.send(.ping(time: UInt64(every + 6)))])
        #expect(
            one.received(Message.pong(time: 8).frame, now: every + 7, Shelf()) == [.clock(8)])
        #expect(one.tick(now: every + 8, Shelf()) == [])
        // Its own clock went back.
        #expect(one.tick(now: 20, Shelf()) == [.send(.ping(time: 20))])
    }

    // MARK: - Forks

    @Test func `a fork that one side knows is asked for once and sent to whoever shares its topic`()
    {
        let log: LogID = Self.hash(1)
        var knowing = Shelf()
        knowing.logs[log] = (Self.alliance, [Self.hash(2)])
        var ignorant = knowing
        knowing.forked[log] = Self.hash(9)
        var (one, two, heard) = Self.pair(knowing, ignorant)
        #expect(heard[1].contains(.send(.prove(log))))
        #expect(heard[0].contains(.prove(log)))
        // The same head again is not asked for again.
        let head = Message.heads([.init(log: log, sequence: 0, id: Self.hash(9))]).frame
        #expect(two.received(head, now: 0, ignorant).isEmpty)
        // Who named it is not told of it; who did not, once.
        #expect(two.learned([1], of: Self.hash(9), in: Self.alliance).isEmpty)
        #expect(one.learned([1], of: Self.hash(8), in: Self.alliance) == [.send(.proof([1]))])
        #expect(one.learned([1], of: Self.hash(8), in: Self.alliance).isEmpty)
        #expect(one.learned([1], of: Self.hash(7), in: Self.secret).isEmpty)
        #expect(one.branched([[1]], in: Self.secret).isEmpty)
        // A log whose topic is not shared is not proven.
        ignorant.logs[Self.hash(5)] = (Self.secret, [Self.hash(6)])
        #expect(
            two.received(Message.prove(Self.hash(5)).frame, now: 0, ignorant).isEmpty)
    }

    @Test func `however many logs parted before it, a fork is asked for once the others came`() {
        var here = Shelf()
        var (_, session, _) = Self.pair(here, here)
        func named(_ number: Int) -> (LogID, EntryID, Frame) {
            let bytes = [UInt8(number & 255), UInt8(number >> 8)]
            let log = LogID(SHA256.hash([1] + bytes).bytes)!
            let fork = EntryID(SHA256.hash([2] + bytes).bytes)!
            return (log, fork, Message.heads([.init(log: log, sequence: 0, id: fork)]).frame)
        }
        var asked = 0
        for number in 0..<2_000 {
            let (log, fork, frame) = named(number)
            guard session.received(frame, now: 0, here) == [.send(.prove(log))] else { continue }
            asked += 1
            // Its proof came, and holds.
            session.told(of: fork, in: log)
            here.forked[log] = fork
        }
        #expect(asked == 2_000)
        // Who names forks and shows none is asked for so many at once.
        let unproven = (2_000..<5_000).count { number in
            let (log, _, frame) = named(number)
            return session.received(frame, now: 0, here) == [.send(.prove(log))]
        }
        #expect(unproven == ReplicationLimit.proofsAsked)
    }
}

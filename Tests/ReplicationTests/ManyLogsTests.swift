import Identity
import Replication
import Testing

/// Two sessions over a topic of many logs.
@Suite struct ManyLogsTests {
    typealias Shelf = SessionTests.Shelf

    static func wide<K>(_ number: Int) -> Fixed32<K> {
        Fixed32(SHA256.hash(Array("\(number)".utf8)))
    }

    /// Logs of the alliance, each with one entry.
    static func shelf(_ numbers: some Sequence<Int>) -> Shelf {
        var shelf = Shelf()
        for number in numbers {
            shelf.logs[wide(number)] = (SessionTests.alliance, [wide(1_000_000 + number)])
        }
        return shelf
    }

    /// Everything that two sides said to each other, from the first hello until both are silent.
    struct Meeting {
        var one: Session
        var two: Session
        var said: [[Message]] = [[], []]
        var orders: [[Session.Directive]] = [[], []]

        init(
            _ left: Shelf, _ right: Shelf, rehashes: Bool = false, now: Int64 = 1_000
        ) {
            one = SessionTests.dialing(now: now, rehashes: rehashes)
            two = SessionTests.dialed(now: now)
            var air: [(toOne: Bool, frame: Frame)] = []
            func hear(_ heard: [Session.Directive], _ side: Int) {
                orders[side] += heard
                for case .send(let message) in heard {
                    said[side].append(message)
                    air.append((side == 1, message.frame))
                }
            }
            hear(one.begin(now: now, agent: ""), 0)
            hear(two.begin(now: now, agent: ""), 1)
            for _ in 0..<100_000 {
                guard !air.isEmpty else {
                    // Silence: the clock ticks, and whoever hashes goes on.
                    let before = said[0].count + said[1].count
                    for _ in 0..<4 {
                        hear(one.tick(now: now, left), 0)
                        hear(two.tick(now: now, right), 1)
                    }
                    if said[0].count + said[1].count == before { return }
                    continue
                }
                let (toOne, frame) = air.removeFirst()
                if case .range = try? Message(frame) { continue }
                hear(
                    toOne
                        ? one.received(frame, now: now, left)
                        : two.received(frame, now: now, right), toOne ? 0 : 1)
            }
            Issue.record("they never fall silent")
        }

        /// Logs that each side asks for.
        var ranges: [Set<LogID>] { orders.map { Set(SessionTests.ranges($0).map(\.log)) } }
        var bytes: Int { said.joined().reduce(0) { $0 + $1.frame.bytes.count } }

        func count(_ type: UInt8) -> Int { said.joined().count { $0.frame.type == type } }
    }

    @Test func `of few logs the heads are told, and not a byte more`() {
        let meeting = Meeting(Self.shelf(0..<32), Self.shelf(0..<32))
        #expect(meeting.count(3) == 2)
        #expect(meeting.count(16) + meeting.count(20) + meeting.count(21) == 0)
    }

    @Test(arguments: [false, true])
    func `of many logs only what differs is told`(_ rehashes: Bool) {
        let left = Self.shelf((0..<5_000).filter { $0 % 1_000 != 0 })
        let right = Self.shelf((0..<5_000).filter { $0 % 1_000 != 1 })
        let meeting = Meeting(left, right, rehashes: rehashes)
        #expect(meeting.ranges[0] == Set((0..<5).map { Self.wide($0 * 1_000) }))
        #expect(meeting.ranges[1] == Set((0..<5).map { Self.wide($0 * 1_000 + 1) }))
        #expect(meeting.bytes * 20 < 2 * 72 * 5_000)
        let none = Meeting(left, left, rehashes: rehashes)
        #expect(none.ranges == [[], []])
        #expect(none.bytes < 2_000)
    }

    @Test(arguments: [(0, 3_000), (3_000, 0), (5, 3_000), (3_000, 5), (40, 41), (33, 32)])
    func `whoever has many finds who has few, whoever dialed`(_ one: Int, _ two: Int) {
        let meeting = Meeting(Self.shelf(0..<one), Self.shelf(0..<two))
        // 32 ranges are in the air at once.
        let most = ReplicationLimit.rangesOpen
        #expect(meeting.ranges[0].count == min(max(two - one, 0), most))
        #expect(meeting.ranges[1].count == min(max(one - two, 0), most))
        #expect(meeting.count(16) > 0)
    }

    @Test func `a fork that one side knows is found among many logs, and lost without its item`() {
        let ignorant = Self.shelf(0..<200)
        var knowing = ignorant
        knowing.forked[Self.wide(7)] = SessionTests.hash(9)
        for (left, right, side) in [(knowing, ignorant, 1), (ignorant, knowing, 0)] {
            let meeting = Meeting(left, right)
            #expect(meeting.orders[side].contains(.send(.prove(Self.wide(7)))))
        }
        // Heads alone are the same on both sides.
        knowing.hidesForks = true
        #expect(Meeting(knowing, ignorant).count(13) == 0)
    }

    @Test func `ids made to add up alike hide a log, and keyed hashes of them do not`() throws {
        var left = Self.shelf(0..<200)
        var right = left
        // Neighbours: their counts and sums are alike.
        let ids: [[EntryID]] = try [[1, 5], [2, 4]].map { side in
            try side.map { try #require(EntryID([UInt8](repeating: 128, count: 31) + [$0])) }
        }
        for number in 0..<2 {
            left.logs[Self.wide(900 + number)] = (SessionTests.alliance, [ids[0][number]])
            right.logs[Self.wide(900 + number)] = (SessionTests.alliance, [ids[1][number]])
        }
        #expect(Meeting(left, right).ranges == [[], []])
        let keyed = Meeting(left, right, rehashes: true)
        #expect(keyed.ranges[0] == [Self.wide(900), Self.wide(901)])
        #expect(keyed.ranges[1] == [Self.wide(900), Self.wide(901)])
    }

    @Test func `what is newer than the horizon stands in no set, and is told before`() throws {
        var left = Self.shelf(0..<200)
        let right = left
        // In these shelves a log's time is its length.
        let ids = (0..<20).map { Self.wide(5_000 + $0) as EntryID }
        left.logs[Self.wide(7)] = (SessionTests.alliance, ids)
        let head = Message.heads([.init(log: Self.wide(7), sequence: 20, id: ids[19])])
        for (now, isBefore) in [(19 as Int64, true), (20, false)] {
            let meeting = Meeting(left, right, now: now)
            let told = try #require(meeting.said[0].firstIndex(of: head))
            let begun = try #require(meeting.said[0].firstIndex { $0.frame.type == 16 })
            #expect((told < begun) == isBefore)
            #expect(meeting.ranges[1] == [Self.wide(7)])
        }
    }

    // MARK: - Hostile peers

    /// A session that shares the alliance's topic, and holds so many logs of it.
    static func session(_ count: Int, isInitiator: Bool) -> (Session, Shelf) {
        let shelf = shelf(0..<count)
        var session = Session(
            me: SessionTests.left, peer: SessionTests.right, isInitiator: isInitiator,
            nonce: SessionTests.hash(1), now: 9)
        _ = session.received(SessionTests.hello.frame, now: 9, shelf)
        let topics = Message.topics([theirs(SessionTests.alliance, session)])
        _ = session.received(topics.frame, now: 9, shelf)
        return (session, shelf)
    }

    /// As the other side names it.
    static func theirs(_ topic: TopicID, _ session: Session) -> Hash32 {
        session.name(of: topic, by: SessionTests.right)
    }

    static func opening(
        _ number: UInt32, _ session: Session, rehashed: Bool = false
    ) -> Frame {
        let opening = Message.Opening(
            topic: theirs(SessionTests.alliance, session), horizon: 9, isRehashed: rehashed)
        // A fingerprint of everything that never agrees.
        let bytes = [0x61, 0, 0, 1] + [UInt8](repeating: 7, count: 16)
        return Message.reconcile(.init(number: number, opening: opening, bytes: bytes)).frame
    }

    static func closes(_ orders: [Session.Directive]) -> Bool {
        orders.contains { if case .close = $0 { true } else { false } }
    }

    @Test func `one reconciliation at a time, counted upwards, begun by who dialed`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        let over = Message.reconcile(.init(number: 1, opening: nil, bytes: [])).frame
        var orders = session.received(Self.opening(1, session), now: 9, shelf)
        #expect(!Self.closes(orders))
        #expect(Self.closes(session.received(Self.opening(2, session), now: 9, shelf)))
        (session, shelf) = Self.session(100, isInitiator: false)
        for frame in [Self.opening(1, session), over, Self.opening(2, session)] {
            orders = session.received(frame, now: 9, shelf)
            #expect(!Self.closes(orders))
        }
        let again = Message.reconcile(.init(number: 2, opening: nil, bytes: [])).frame
        _ = session.received(again, now: 9, shelf)
        #expect(Self.closes(session.received(Self.opening(2, session), now: 9, shelf)))
        (session, shelf) = Self.session(100, isInitiator: true)
        #expect(Self.closes(session.received(Self.opening(1, session), now: 9, shelf)))
    }

    @Test func `hashing is work that a peer gets once for each topic`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        let over = Message.reconcile(.init(number: 1, opening: nil, bytes: [])).frame
        for frame in [Self.opening(1, session, rehashed: true), over] {
            let orders = session.received(frame, now: 9, shelf)
            #expect(!Self.closes(orders))
        }
        #expect(
            Self.closes(session.received(Self.opening(2, session, rehashed: true), now: 9, shelf)))
    }

    @Test func `whoever has ids hashed and falls silent does not keep them for ever`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        var orders = session.received(Self.opening(1, session, rehashed: true), now: 9, shelf)
        #expect(session.hashedItems == 100)
        // Other frames, pings say, are no word in it.
        let late = 9 + ReplicationLimit.talkMilliseconds
        orders = session.received(Message.ping(time: 9).frame, now: late, shelf)
        orders += session.tick(now: late, shelf)
        #expect(session.hashedItems == 100)
        orders = session.tick(now: late + 1, shelf)
        #expect(session.hashedItems == 0)
        let over = Message.reconcile(.init(number: 1, opening: nil, bytes: []))
        #expect(orders.contains(.send(over)))
    }

    @Test func `where many peers have ids hashed the next one waits its turn`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        shelf.hasRoom = false
        var orders = session.received(Self.opening(1, session, rehashed: true), now: 9, shelf)
        orders += session.tick(now: 10, shelf)
        #expect(session.hashedItems == 0)
        #expect(!Self.turns(orders))
        shelf.hasRoom = true
        orders = session.tick(now: 11, shelf)
        #expect(session.hashedItems == 100)
        #expect(Self.turns(orders))
    }

    private static func turns(_ orders: [Session.Directive]) -> Bool {
        orders.contains { if case .send(.reconcile) = $0 { true } else { false } }
    }

    @Test func `a turn that gets nowhere ends the connection, answers to no question too`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        _ = session.received(Self.opening(1, session), now: 9, shelf)
        let same = Message.reconcile(
            .init(
                number: 1, opening: nil,
                bytes: [0x61, 0, 0, 1] + [UInt8](repeating: 7, count: 16)))
        #expect(
            session.received(same.frame, now: 9, shelf) == [
                .close(.reconciliation(.noProgress(round: 2)))
            ])
        (session, shelf) = Self.session(100, isInitiator: true)
        let answer = Message.resolved(1, [])
        #expect(session.received(answer.frame, now: 9, shelf) == [.close(.outOfOrder(type: 21))])
    }

    @Test func `a topic that is not shared is not compared, and its items stand for nothing`() {
        var (session, shelf) = Self.session(100, isInitiator: false)
        shelf.logs[Self.wide(700)] = (SessionTests.secret, [Self.wide(701)])
        let opening = Message.Opening(
            topic: Self.theirs(SessionTests.secret, session), horizon: 9, isRehashed: false)
        let turn = Message.Turn(number: 1, opening: opening, bytes: [0x61, 0, 0, 2, 0])
        #expect(
            session.received(Message.reconcile(turn).frame, now: 9, shelf) == [
                .send(.reconcile(.init(number: 1, opening: nil, bytes: [])))
            ])
        _ = session.received(Self.opening(2, session), now: 9, shelf)
        let question = Message.resolve(2, [Self.wide(701), Self.wide(1_000_001)])
        #expect(
            session.received(question.frame, now: 9, shelf) == [
                .send(
                    .resolved(2, [.init(log: Self.wide(1), sequence: 1, id: Self.wide(1_000_001))]))
            ])
    }

    @Test(arguments: 1...100)
    func `no reconciliation with noise traps or says more than its frames hold`(_ seed: UInt64) {
        var chance = Chance(seed)
        var (session, shelf) = Self.session(100, isInitiator: seed % 2 == 0)
        for number in 1...30 {
            var bytes: [UInt8] = [0x61, 0, 0, 1] + [UInt8](repeating: 7, count: 16)
            chance.twist(&bytes)
            let opening = Message.Opening(
                topic: Self.theirs(SessionTests.alliance, session), horizon: chance.next(),
                isRehashed: chance.below(4) == 0)
            let message: Message =
                switch chance.below(4) {
                case 0: .resolve(UInt32(number), [Self.wide(1_000_000 + chance.below(200))])
                case 1: .reconcile(.init(number: UInt32(number), opening: opening, bytes: bytes))
                default:
                    .reconcile(.init(number: UInt32(chance.below(3)), opening: nil, bytes: bytes))
                }
            let orders = session.received(message.frame, now: 9, shelf)
            for case .send(let answer) in orders {
                #expect(answer.frame.length <= ReplicationLimit.turnBytes + 64)
            }
            if Self.closes(orders) { return }
        }
    }

    @Test func `more topics than fit are named in part, the other side's first`() {
        let topics: [TopicID] = (0..<ReplicationLimit.topicsNamed + 60).map(Self.wide).sorted()
        var (left, right) = (Shelf(), Shelf())
        left.topics = topics
        // None of them would be among those that fit.
        right.topics = Array(topics.suffix(50))
        let meeting = Meeting(left, right)
        for session in [meeting.one, meeting.two] {
            #expect(session.shared == Set(right.topics))
        }
        for case .close(let reason) in meeting.orders.joined() { Issue.record("\(reason)") }
        #expect(meeting.count(2) == 3)
    }

    @Test func `a horizon at the beginning of time is no way to be told every head`() throws {
        let shelf = Self.shelf(0..<2_000)
        var meeting = Meeting(shelf, shelf)
        let name = meeting.two.name(of: SessionTests.alliance, by: SessionTests.left)
        let opening = Message.Opening(
            topic: name, horizon: 0, isRehashed: false)
        let turn = Message.Turn(number: 99, opening: opening, bytes: [Reconciliation.version])
        let orders = meeting.two.received(Message.reconcile(turn).frame, now: 1_000, shelf)
        #expect(orders.count == 1)
        for case .send(.heads(let heads)) in orders { Issue.record("\(heads.count) heads") }
    }

    // MARK: - More than fits

    private static func heads(_ orders: [Session.Directive]) -> Int {
        orders.reduce(0) { sum, order in
            if case .send(.heads(let heads)) = order { sum + heads.count } else { sum }
        }
    }

    /// Whether a comparison begins here, or is asked for.
    private static func compares(_ orders: [Session.Directive]) -> Bool {
        orders.contains { order in
            if case .send(.reconcile(let turn)) = order { turn.opening != nil } else { false }
        }
    }

    @Test func `a newcomer is told of no more logs than it can ask for, and later of the rest`() {
        let left = Self.shelf(0..<6_000)
        var meeting = Meeting(left, Self.shelf([]))
        let told = meeting.said[0].compactMap { message -> [Message.Head]? in
            if case .heads(let heads) = message { heads } else { nil }
        }.joined()
        #expect(told.count == ReplicationLimit.headsTold)
        // The first ones, as the catalogue has them: each needs those before it.
        #expect(Array(told) == Array(left.heads(in: SessionTests.alliance).prefix(told.count)))
        let soon = meeting.one.tick(now: 30_000, left)
        #expect(!Self.compares(soon))
        let later = meeting.one.tick(now: 1_000 + ReplicationLimit.compareMilliseconds + 1, left)
        #expect(Self.compares(later))
    }

    @Test func `who was named more than it can ask for asks to compare again`() {
        var (session, shelf) = Self.session(0, isInitiator: false)
        for start in stride(from: 0, to: 6_000, by: 2_000) {
            let heads = (start..<start + 2_000).map { number in
                Message.Head(log: Self.wide(number), sequence: 1, id: Self.wide(9_000 + number))
            }
            _ = session.received(Message.heads(heads).frame, now: 9, shelf)
        }
        let later = session.tick(now: 10 + 2 * ReplicationLimit.compareMilliseconds, shelf)
        #expect(Self.compares(later))
    }

    @Test func `of very many topics some tell their heads at once, and others a minute later`() {
        var shelf = Shelf()
        shelf.topics = (0..<700).map(Self.wide)
        for (number, topic) in shelf.topics.enumerated() {
            let logs: [LogID] = (0..<32).map { Self.wide(1_000 + 32 * number + $0) }
            for log in logs { shelf.logs[log] = (topic, [Self.wide(7)]) }
            shelf.logsOf[topic] = logs
        }
        var session = SessionTests.dialing(now: 9)
        _ = session.received(SessionTests.hello.frame, now: 9, shelf)
        let names = shelf.topics.map { session.name(of: $0, by: SessionTests.right) }
        let orders = session.received(Message.topics(names).frame, now: 9, shelf)
        #expect(Self.heads(orders) <= ReplicationLimit.headsShared)
        #expect(Self.heads(orders) > ReplicationLimit.headsShared - 64)
        let later = session.tick(now: 10 + ReplicationLimit.compareMilliseconds, shelf)
        #expect(Self.compares(later))
    }

    @Test func `who names a topic and takes it back, again and again, makes nothing grow`() {
        let shelf = Self.shelf(0..<40)
        var session = SessionTests.dialing(now: 1_000)
        _ = session.begin(now: 1_000, agent: "")
        _ = session.received(SessionTests.hello.frame, now: 1_000, shelf)
        let name = session.name(of: SessionTests.alliance, by: SessionTests.right)
        func comparisons(_ orders: [Session.Directive]) -> [UInt32] {
            orders.compactMap {
                if case .send(.reconcile(let turn)) = $0, turn.opening != nil {
                    turn.number
                } else {
                    nil
                }
            }
        }
        let named = Message.topics([name]).frame
        let none = Message.topics([]).frame
        // The first is never answered.
        let first = comparisons(session.received(named, now: 1_000, shelf))
        #expect(first == [1])
        for _ in 0..<30_000 {
            _ = session.received(none, now: 1_000, shelf)
            #expect(session.received(named, now: 1_000, shelf) == [])
        }
        _ = session.received(none, now: 1_000, shelf)
        func end(_ number: UInt32) -> [Session.Directive] {
            session.received(
                Message.reconcile(.init(number: number, opening: nil, bytes: [])).frame, now: 1_000,
                shelf)
        }
        // And now it is, when nothing is shared any more.
        #expect(comparisons(end(1)) == [])
        // Shared again it is compared again, as ever.
        #expect(comparisons(session.received(named, now: 1_000, shelf)) == [2])
    }
}

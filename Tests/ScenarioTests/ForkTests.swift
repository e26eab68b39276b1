import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// Two histories of one log: how it comes out, and what follows. First the attack, then the rule.
@Suite struct ForkTests {
    // MARK: - Tools of an equivocator

    static func alliance(_ market: Market) -> TopicID {
        market.network["alice"].alliance.topic
    }

    /// A grant of bob's that his own node never wrote.
    static func grant(
        _ market: Market, _ log: LogID, units: Int64, leaves remaining: Int64, tag: UInt8,
        after kept: [Entry]
    ) throws -> Entry {
        let own = try #require(market.network.own("bob"))
        return try market.entry(
            by: "bob", kind: Kind.grant.rawValue,
            body: Grant(
                units: units, until: market.at(days: 90), releaseKey: own.key.publicKey,
                tag: SHA256.hash([tag]), remaining: remaining
            ).wire, in: log, topic: alliance(market), after: kept)
    }

    /// The same entry under a signature that nobody made.
    static func spoiled(_ entry: Entry) throws -> Entry {
        let noise = SHA256.hash(entry.headerBytes).bytes + SHA256.hash([1]).bytes
        return try Entry(
            headerBytes: entry.headerBytes, signature: try #require(Signature(noise)),
            body: entry.body)
    }

    /// Bob's line of 300, of which 100 are granted, and where it stands.
    struct Line {
        var market: Market
        let log: LogID
        let terms: LineTerms
        /// Declare and the first grant.
        let trunk: [Entry]

        init() throws {
            var story = try AttackTests.story(2)
            terms = try #require(story.line)
            log = LogID.line(author: story.market.did("bob"), terms)
            trunk = try #require(story.market.network.stores["bob"]?.entries(of: log))
            story.market.settle()
            market = story.market
        }

        /// Each of two readers is shown another branch, and they do not talk. Then bob is gone.
        mutating func split(_ left: [Entry], to one: String, _ right: [Entry], to two: String) {
            for name in market.names where name != "bob" {
                for other in market.names where other != "bob" && other > name {
                    market.network.disconnect(name, other)
                }
            }
            show(left, to: one)
            show(right, to: two)
            market.network.stop("bob")
        }

        /// A run, as it comes in answer to a head.
        mutating func show(_ run: [Entry], to name: String) {
            guard let newest = run.last, let place = newest.header.log else { return }
            let head = Message.Head(
                log: log, sequence: UInt64(place.sequence), id: newest.id)
            market.network.inject(Message.heads([head]).frame, from: "bob", to: name)
            market.network.inject(
                Message.entries(run.map(\.wire), done: true).frame, from: "bob", to: name)
        }

        mutating func meet(_ left: String, _ right: String) {
            market.network.connect(left, right)
            market.network.settle()
        }
    }

    // MARK: - Travel

    @Test func `who holds one branch alone hears of the other through a third`() throws {
        var play = try Line()
        let left = try Self.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 1, after: play.trunk)
        let right = try Self.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 2, after: play.trunk)
        play.split([left], to: "alice", [right], to: "carol")
        // The attack: each of the two believes that it holds the last 200.
        for name in ["alice", "carol"] {
            #expect(play.market.network[name].lines[play.log]?.line.remaining == 0)
            #expect(play.market.network[name].forked(play.log) == nil)
        }
        // Alice and carol meet; judge, who holds neither, meets alice alone.
        play.meet("alice", "carol")
        play.market.network.disconnect("alice", "carol")
        play.meet("alice", "judge")
        for name in ["alice", "carol", "judge"] {
            let node = play.market.network[name]
            #expect(node.forked(play.log) == 3, "\(name)")
            let line = try #require(node.lines[play.log])
            #expect(line.parted?.grants == [left.id: 200, right.id: 200], "\(name)")
            #expect(line.promised == 500)
            #expect(line.oversold == 200)
            #expect(!line.isOpen)
            #expect(line.line.remaining == 200)
        }
        // It is known after a restart too, and meeting again is quiet.
        for name in ["alice", "carol", "judge"] {
            play.market.network.stop(name)
            play.market.network.start(name)
            #expect(play.market.network[name].forked(play.log) == 3)
            #expect(play.market.network[name].lines[play.log]?.oversold == 200, "\(name)")
        }
        let kept = play.market.network.stores.mapValues { $0.snapshot.proofs.count }
        play.meet("alice", "carol")
        play.meet("judge", "carol")
        #expect(play.market.network.settle() == 0)
        #expect(play.market.network.stores.mapValues { $0.snapshot.proofs.count } == kept)
        #expect(play.market.network.closed.isEmpty)
    }

    enum Kept: String, CaseIterable, Sendable { case line, publicLog, contract }

    /// Judge hears everything from alice, over one connection, and holds the branch that alice holds.
    @Test(arguments: Kept.allCases)
    func `whoever holds the same branch is told of the other too`(_ kept: Kept) throws {
        let story = try AttackTests.story(4)
        var market = story.market
        let log: LogID
        let branches: [Entry]
        switch kept {
        case .line:
            log = LogID.line(author: market.did("bob"), try #require(story.line))
            let trunk = try #require(market.network.stores["bob"]?.entries(of: log))
            branches = try [UInt8(1), 2].map {
                try Self.grant(market, log, units: 200, leaves: 0, tag: $0, after: trunk)
            }
        case .publicLog:
            log = .publicLog(author: market.did("bob"), alliance: Self.alliance(market))
            branches = try ["bob", "bobby"].map {
                try market.entry(
                    by: "bob", kind: Kind.profile.rawValue, body: Profile(name: $0).wire, in: log,
                    topic: Self.alliance(market))
            }
        case .contract:
            // Carol, who carries the second one, takes no part: bob shows it to alice himself.
            log = try market.held("bob", story.parent).log
            let act = SignedAct(transition: "exercise", record: 1, arguments: [])
            branches = try [UInt8(1), 2].map {
                try market.step(
                    by: "bob", Step(act: act, request: nil, records: [], digest: SHA256.hash([$0])),
                    in: story.parent)
            }
        }
        for name in ["bob", "carol"] { market.network.disconnect(name, "judge") }
        market.network.disconnect("alice", "carol")
        market.push(branches[0], from: "bob", to: "alice")
        market.network.settle()
        #expect(
            market.network["judge"].chains.head(log) == market.network["alice"].chains.head(log))
        #expect(market.network["judge"].forked(log) == nil)
        market.push(branches[1], from: "bob", to: "alice")
        market.network.settle()
        for name in ["alice", "judge"] {
            #expect(
                market.network[name].forked(log) == branches[0].header.log?.sequence, "\(name)")
            // At its next start its ledger is compared with what still stands.
            #expect(market.network[name].mayHaveLostSteps)
        }
    }

    @Test(arguments: [1, 9])
    func `a double sale hidden behind a garbage signature comes out`(_ behind: Int) throws {
        var play = try Line()
        let honest = try Self.grant(
            play.market, play.log, units: 200, leaves: 0, tag: 1, after: play.trunk)
        // The second sale bears a signature that nobody made; entries above it vouch for it.
        let sold = try Self.spoiled(
            Self.grant(play.market, play.log, units: 200, leaves: 0, tag: 2, after: play.trunk))
        var hidden = play.trunk + [sold]
        for total in 1...behind {
            let next = try play.market.entry(
                by: "bob", kind: Kind.adjust.rawValue,
                body: Adjust(total: 300, remaining: 0, reason: "\(total)").wire, in: play.log,
                topic: Self.alliance(play.market), after: hidden)
            hidden.append(total == behind ? next : try Self.spoiled(next))
        }
        // Alone it is refused, and says nothing against bob.
        let before = play.market.trace("carol")
        play.market.push(sold, from: "bob", to: "carol")
        play.market.network.settle()
        #expect(play.market.trace("carol") == before)
        #expect(play.market.network.closed.last?.by == "carol")
        play.market.network.connect("bob", "carol")
        play.market.network.settle()
        // Below a valid one it is what carol buys on.
        play.split([honest], to: "alice", Array(hidden.dropFirst(2)), to: "carol")
        #expect(play.market.network["carol"].chains.head(play.log) == Int64(hidden.count))
        #expect(play.market.network["carol"].lines[play.log]?.fault == nil)

        play.meet("alice", "carol")
        play.market.network.disconnect("alice", "carol")
        play.meet("carol", "judge")
        for name in ["alice", "carol", "judge"] {
            let node = play.market.network[name]
            #expect(node.forked(play.log) == 3, "\(name)")
            #expect(node.lines[play.log]?.oversold == 200, "\(name)")
        }
        // The proof carries the headers that lead to a signature, and not one more.
        let proof = try #require(play.market.network.stores["judge"]?.snapshot.proofs.first)
        let chains = [proof.one, proof.two].map { ($0.entry.id, $0.chain.count) }
        #expect(chains.first { $0.0 == sold.id }?.1 == behind)
        #expect(chains.first { $0.0 == honest.id }?.1 == 0)
    }

    /// `busy`: who passes it on answers each question with one entry, as under load.
    @Test(arguments: [false, true])
    func `an entry that only the next one vouches for parts nobody`(_ busy: Bool) throws {
        var play = try Line()
        // All know judge, and bob knows alice alone.
        for name in ["carol", "judge"] { play.market.network.disconnect("bob", name) }
        play.market.network.disconnect("alice", "carol")
        let sold = try Self.spoiled(
            Self.grant(play.market, play.log, units: 200, leaves: 0, tag: 2, after: play.trunk))
        let next = try play.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 300, remaining: 0, reason: "as it was").wire, in: play.log,
            topic: Self.alliance(play.market), after: play.trunk + [sold])
        if busy {
            play.market.network.passing = { flight in
                guard flight.from == "alice", let message = try? Message(flight.frame),
                    case .entries(let wires, _) = message
                else { return flight.frame }
                return Message.entries(Array(wires.prefix(1)), done: false).frame
            }
        }
        play.market.answer([sold, next], from: "bob", to: "alice")
        if busy {
            #expect(play.market.network["judge"].chains.head(play.log) == 2)
            play.market.network.passing = nil
            play.market.network.pass(milliseconds: 61_000)
            play.market.network.tick()
            play.market.network.settle()
        }
        for name in ["alice", "judge", "carol"] {
            #expect(
                play.market.network[name].chains.head(play.log) == next.header.log?.sequence,
                "\(name)")
        }
        #expect(play.market.network.closed.isEmpty)
    }

    @Test func `the lowest fork counts, whichever proof comes first`() throws {
        for order in [[0, 1], [1, 0]] {
            var play = try Line()
            // Bob's branches part at 3 and, on another, at 2.
            let low = try play.market.entry(
                by: "bob", kind: Kind.adjust.rawValue,
                body: Adjust(total: 400, remaining: 400, reason: "more").wire, in: play.log,
                topic: Self.alliance(play.market), after: Array(play.trunk.prefix(1)))
            let high = try [UInt8(1), 2].map {
                try Self.grant(
                    play.market, play.log, units: 200, leaves: 0, tag: $0, after: play.trunk)
            }
            let proofs = [
                ForkProof(
                    Vouched(entry: play.trunk[1], chain: []), Vouched(entry: low, chain: [])),
                ForkProof(
                    Vouched(entry: high[0], chain: []), Vouched(entry: high[1], chain: [])),
            ]
            for index in order {
                play.market.network.inject(
                    Message.proof(proofs[index].wire).frame, from: "carol", to: "alice")
                play.market.network.settle()
            }
            for name in ["alice", "carol", "judge"] {
                let node = play.market.network[name]
                #expect(node.forked(play.log) == 2, "\(name)")
                #expect(node.lines[play.log]?.line.remaining == 300, "\(name)")
                #expect(node.lines[play.log]?.line.total == 300, "\(name)")
            }
        }
    }

    @Test func `a proof waits for the log it is about, and then counts`() throws {
        var play = try Line()
        let fork = try [UInt8(1), 2].map {
            try Self.grant(
                play.market, play.log, units: 200, leaves: 0, tag: $0, after: play.trunk)
        }
        play.market.network.stop("judge")
        let proof = ForkProof(
            Vouched(entry: fork[0], chain: []), Vouched(entry: fork[1], chain: []))
        play.market.network.inject(
            Message.proof(proof.wire).frame, from: "carol", to: "alice")
        play.market.network.settle()
        #expect(play.market.network["alice"].forked(play.log) == 3)
        // Dave is new: he hears the fork before he has any of bob's logs.
        try play.market.network.add("dave")
        play.market.network.connect("alice", "dave")
        play.market.network.settle()
        #expect(play.market.network["dave"].forked(play.log) == 3)
        #expect(play.market.network["dave"].chains.chain(play.log)?.fork?.sequence == 3)
        #expect(play.market.network["dave"].lines[play.log]?.line.remaining == 200)
        // A proof of a log that nobody opened is no reason to close, and changes nothing.
        var other = play.trunk[1].header
        other.place = .log(.init(log: LogID(SHA256.hash([9])), sequence: 1, previous: nil))
        let bob = try #require(play.market.network.own("bob"))
        var pair: [Vouched] = []
        for time: Int64 in [0, 1] {
            other.time = other.time.advanced(by: time)
            pair.append(
                Vouched(
                    entry: try ValidEntry(
                        signing: other, body: play.trunk[1].body ?? [], by: bob.key
                    ).entry, chain: []))
        }
        let before = play.market.trace("dave")
        let closed = play.market.network.closed.count
        play.market.network.inject(
            Message.proof(ForkProof(pair[0], pair[1]).wire).frame, from: "alice", to: "dave")
        play.market.network.settle()
        #expect(play.market.trace("dave") == before)
        #expect(play.market.network.closed.count == closed)
    }

    @Test func `who hears of others by a file alone hears of their forks, and of all branches`()
        throws
    {
        var play = try Line()
        let pair = try [UInt8(1), 2].map {
            try Self.grant(
                play.market, play.log, units: 200, leaves: 0, tag: $0, after: play.trunk)
        }
        play.market.network.stop("judge")
        play.market.push(pair[0], from: "bob", to: "alice")
        play.market.push(pair[1], from: "bob", to: "alice")
        play.market.settle()
        let alice = play.market.network["alice"]
        #expect(alice.forked(play.log) == 3)
        let store = try #require(play.market.network.stores["alice"])
        let frames = alice.cargo(for: []).flatMap { cargo -> [Frame] in
            switch cargo.content {
            case .log(let log):
                [Message.entries(store.entries(of: log).map(\.wire), done: true).frame]
            case .proof(let log): alice.proof(carried: log)
            case .letter: []
            }
        }
        play.market.network.start("judge")
        for _ in 0..<2 {
            for frame in frames {
                try play.market.network.command("judge") { _ = try $0.take(carried: frame) }
            }
        }
        let judge = play.market.network["judge"]
        #expect(judge.forked(play.log) == 3)
        #expect(judge.lines[play.log]?.line.remaining == alice.lines[play.log]?.line.remaining)
        #expect(judge.lines[play.log]?.parted == alice.lines[play.log]?.parted)
        #expect(judge.forks.map(\.log) == alice.forks.map(\.log))
    }

    // MARK: - Forged proofs

    /// What is wrong with it, and how it is made of bob's trunk and two honest-looking branches.
    struct Forgery: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let make: @Sendable (Market, [Entry], LogID) throws -> [UInt8]

        init(
            _ words: String,
            _ make: @escaping @Sendable (Market, [Entry], LogID) throws -> [UInt8]
        ) {
            testDescription = words
            self.make = make
        }
    }

    private static func signed(_ header: Header, _ body: [UInt8], by name: String, _ market: Market)
        throws -> Entry
    {
        let own = try #require(market.network.own(name))
        return try ValidEntry(signing: header, body: body, by: own.key).entry
    }

    private static func raw(_ one: Vouched, _ two: Vouched) -> [UInt8] {
        var writer = WireWriter()
        writer.message(1, one)
        writer.message(2, two)
        return writer.bytes
    }

    private static func alone(_ entry: Entry) -> Vouched { Vouched(entry: entry, chain: []) }

    static let forgeries = [
        Forgery("one entry twice") { _, trunk, _ in raw(alone(trunk[1]), alone(trunk[1])) },
        Forgery("two places") { _, trunk, _ in
            ForkProof(alone(trunk[0]), alone(trunk[1])).wire
        },
        Forgery("another's signature on bob's name") { market, trunk, _ in
            var header = trunk[1].header
            header.time = header.time.advanced(by: 1)
            let forged = try signed(header, trunk[1].body ?? [], by: "carol", market)
            return ForkProof(alone(trunk[1]), alone(forged)).wire
        },
        Forgery("another author at bob's place") { market, trunk, _ in
            var header = trunk[1].header
            let carol = try #require(market.network.own("carol"))
            header.author = carol.did
            header.key = carol.keyEntry
            let forged = try signed(header, trunk[1].body ?? [], by: "carol", market)
            return ForkProof(alone(trunk[1]), alone(forged)).wire
        },
        Forgery("a garbage signature with nothing above it") { market, trunk, log in
            let grant = try grant(market, log, units: 200, leaves: 0, tag: 2, after: [trunk[0]])
            return ForkProof(alone(trunk[1]), alone(try spoiled(grant))).wire
        },
        Forgery("a garbage signature under a header that names another") { market, trunk, log in
            let grant = try spoiled(
                grant(market, log, units: 200, leaves: 0, tag: 2, after: [trunk[0]]))
            let above = try market.entry(
                by: "bob", kind: Kind.adjust.rawValue,
                body: Adjust(total: 300, remaining: 0, reason: "x").wire, in: log,
                topic: alliance(market), after: trunk)
            return ForkProof(alone(trunk[1]), Vouched(entry: grant, chain: [above])).wire
        },
        Forgery("a chain that jumps") { market, trunk, log in
            let grant = try spoiled(
                grant(market, log, units: 200, leaves: 0, tag: 2, after: [trunk[0]]))
            var above = trunk[1].header
            above.place = .log(.init(log: log, sequence: 4, previous: grant.id))
            let forged = try signed(above, trunk[1].body ?? [], by: "bob", market)
            return ForkProof(alone(trunk[1]), Vouched(entry: grant, chain: [forged])).wire
        },
        Forgery("a body that need not be there") { _, trunk, _ in
            var inner = WireWriter()
            inner.message(1, trunk[1])
            var writer = WireWriter()
            writer.bytes(1, inner.bytes)
            writer.bytes(2, inner.bytes)
            return writer.bytes
        },
        Forgery("the greater first") { market, trunk, log in
            let grant = try grant(market, log, units: 200, leaves: 0, tag: 2, after: [trunk[0]])
            let pair = [alone(trunk[1]), alone(grant)].sorted { $0.entry.id > $1.entry.id }
            return raw(pair[0], pair[1])
        },
        Forgery("two topics") { market, trunk, _ in
            var header = trunk[1].header
            header.topic = TopicID(SHA256.hash([3]))
            let forged = try signed(header, trunk[1].body ?? [], by: "bob", market)
            let both = [alone(trunk[1]), alone(forged)].sorted { $0.entry.id < $1.entry.id }
            // Judged under the topic of the first: only where that one is the alliance's.
            return both[0].entry.header.topic == header.topic ? [0] : raw(both[0], both[1])
        },
        Forgery("nothing") { _, _, _ in [] },
        Forgery("noise") { _, _, _ in (0..<200).map { UInt8($0) } },
    ]

    @Test(arguments: forgeries)
    func `a forged proof changes nothing and costs its sender the connection`(
        _ forgery: Forgery
    ) throws {
        var play = try Line()
        let before = play.market.trace("alice")
        let proof = try forgery.make(play.market, play.trunk, play.log)
        play.market.network.inject(Message.proof(proof).frame, from: "carol", to: "alice")
        play.market.network.settle()
        #expect(play.market.trace("alice") == before)
        #expect(play.market.network["alice"].forks.isEmpty)
        #expect(play.market.network.stores["alice"]?.snapshot.proofs.isEmpty == true)
        #expect(play.market.network.closed.last?.by == "alice")
        #expect(!play.market.network.isConnected("alice", "carol"))
        #expect(play.market.network.isConnected("alice", "bob"))
    }

    /// A connection on which more than 2 MiB wait ends, however fast it is read.
    @Test func `the branches of a line come to a newcomer a part at a time, however large`() throws
    {
        var play = try Line()
        let alliance = Self.alliance(play.market)
        for number in 1...400 {
            let reason = String(repeating: "x", count: 8_000)
            try play.market.network.command("bob") {
                try $0.adjust(play.log, total: 300 + Int64(number), reason: reason)
            }
            play.market.network.settle()
        }
        let rival = try play.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 310, remaining: 210, reason: "found a box").wire, in: play.log,
            topic: alliance, after: play.trunk)
        play.market.push(rival, from: "bob", to: "alice")
        play.market.network.settle()
        play.market.network.stop("bob")
        #expect(play.market.network["alice"].forked(play.log) == 3)
        try play.market.network.add("dave")
        play.market.network.connect("alice", "dave")
        let mark = play.market.network.recorded.count
        func shown() -> Int {
            play.market.network.recorded.dropFirst(mark)
                .filter {
                    $0.from == "alice" && $0.to == "dave" && [14, 15].contains($0.frame.type)
                }
                .reduce(0) { $0 + $1.frame.length }
        }
        var before = 0
        for _ in 0..<20 {
            play.market.network.settle()
            #expect(shown() - before <= 1024 * 1024)
            before = shown()
            play.market.network.pass(milliseconds: 1_000)
            play.market.network.tick()
        }
        #expect(before > 3_000_000)
        let (alice, dave) = (play.market.network["alice"], play.market.network["dave"])
        #expect(dave.forked(play.log) == 3)
        #expect(dave.lines[play.log]?.parted?.total == 700)
        #expect(dave.lines[play.log]?.parted == alice.lines[play.log]?.parted)
    }
}

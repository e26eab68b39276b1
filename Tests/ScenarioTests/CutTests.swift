import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// What a fork does to trade, and how its author closes it.
@Suite struct CutTests {
    static let readers = ["alice", "carol", "judge"]

    /// Bob's line of 300 with 100 granted. Alice was given a grant of 50 by a node of bob's that was then
    /// put back to an old copy: his own goes on with another entry at the same place.
    static func accident(granting units: Int64 = 50) throws -> (ForkTests.Line, lost: Entry) {
        var play = try ForkTests.Line()
        let lost = try ForkTests.grant(
            play.market, play.log, units: units, leaves: 200 - units, tag: 1, after: play.trunk)
        play.market.network.disconnect("alice", "bob")
        play.market.network.disconnect("alice", "carol")
        play.market.network.disconnect("alice", "judge")
        try play.market.network.command("bob") {
            try $0.adjust(play.log, total: 310, reason: "found a box")
        }
        play.market.network.settle()
        // Alice hears what bob forgot, and then meets him.
        play.market.network.connect("alice", "carol")
        play.market.network.settle()
        play.market.network.disconnect("alice", "carol")
        play.market.network.stop("alice")
        play.market.network.start("alice")
        return (play, lost)
    }

    private static func meet(_ play: inout ForkTests.Line, with lost: Entry) {
        for name in readers {
            if !play.market.network.isConnected("bob", name) {
                play.market.network.connect("bob", name)
            }
        }
        play.market.network.settle()
        play.market.push(lost, from: "bob", to: "alice")
        play.market.push(lost, from: "alice", to: "bob")
        play.market.network.settle()
    }

    @Test func `an old copy that was put back is told from a double sale`() throws {
        for (units, oversold) in [(50, 0), (300, 90)] as [(Int64, Int64)] {
            var (play, lost) = try Self.accident(granting: units)
            Self.meet(&play, with: lost)
            for name in Self.readers + ["bob"] {
                let node = play.market.network[name]
                let fork = try #require(node.forkStandings.first, "\(name)")
                #expect(fork.author == play.market.did("bob"))
                #expect(fork.sequence == 3)
                #expect(fork.looksLikeRestore == (oversold == 0), "\(name)")
                #expect(fork.kind == (oversold == 0 ? .line : .doubleSale(units: oversold)))
                #expect(node.lines[play.log]?.oversold == oversold)
            }
        }
    }

    @Test func `nobody takes on more with who signed two histories, unless the user insists`()
        throws
    {
        var (play, lost) = try Self.accident()
        // Before anyone knows, carol proposes to bob; he has not answered yet.
        let draft = try AttackTests.draft(play.market, play.terms, units: 10)
        let open = try play.market.network.command("carol") { try $0.propose(draft) }
        play.market.network.settle()
        Self.meet(&play, with: lost)
        let paper = try play.market.declare("carol", "paper", 100)
        var fresh = try AttackTests.draft(play.market, paper, units: 10)
        fresh.roles = [
            "issuer": [play.market.did("carol")], "holder": [play.market.did("alice")],
            "arbiter": [play.market.did("bob")],
        ]
        let before = play.market.trace("alice")
        // Neither a proposal that names him nor an acceptance of one that waits.
        #expect {
            try play.market.network.command("alice") { try $0.propose(fresh) }
        } throws: { error in
            guard case NodeRefusal.authorForked(let did, let log, let sequence) = error else {
                return false
            }
            return did == play.market.did("bob") && log == play.log && sequence == 3
        }
        #expect(play.market.trace("alice") == before)
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("judge") { try $0.accept(open) }
        }
        // Those affected see which contracts of theirs he is named in.
        let touched = try #require(play.market.network["carol"].forkStandings.first?.contracts)
        #expect(touched == [open])
        let alices = play.market.network["alice"].forkStandings.first?.contracts
        #expect(alices == Array(play.market.network["alice"].contracts.keys))
        play.market.network.connect("alice", "carol")
        play.market.network.settle()
        // What is agreed goes on, history is served, and who insists may trade.
        fresh.insists = true
        let insisted = fresh
        let id = try play.market.network.command("alice") { try $0.propose(insisted) }
        play.market.network.settle()
        #expect(play.market.network["carol"].contracts[id] != nil)
        try play.market.network.add("dave")
        play.market.network.connect("alice", "dave")
        play.market.network.settle()
        #expect(play.market.network["dave"].lines[play.log]?.line.remaining == 200)
    }

    @Test func `a cut closes a line that parted by accident, and every promise goes on`() throws {
        var (play, lost) = try Self.accident()
        Self.meet(&play, with: lost)
        // The attack: a line that bob forked is dead; his own node grants nothing on it either.
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("bob") {
                try $0.adjust(play.log, total: 400, reason: "x")
            }
        }
        let successor = try play.market.network.command("bob") { try $0.cut(play.log) }
        play.market.network.settle()
        for name in Self.readers + ["bob"] {
            let node = play.market.network[name]
            let line = try #require(node.lines[play.log])
            #expect(line.isOpen, "\(name)")
            #expect(line.fault == nil)
            #expect(line.line.total == 310)
            #expect(line.line.remaining == 160, "\(name)")
            #expect(line.line.grant(lost.id)?.units == 50)
            #expect(line.oversold == 0)
            let fork = try #require(node.forkStandings.first)
            #expect(fork.successor == successor)
            #expect(fork.isRepaired)
        }
        // Trade goes on: a new option on the line, and the old one is paid and exercised.
        let id = try play.market.agree(
            "carol", "capacity-option",
            AttackTests.draft(play.market, play.terms, units: 10).arguments,
            roles: ["issuer": "bob", "holder": "carol", "arbiter": "judge"], lines: [play.terms])
        #expect(try play.market.held("carol", id).grade == .sequenced)
        try play.market.pay("carol", "bob", id)
        let old = try #require(play.market.network["alice"].contracts.keys.first { $0 != id })
        try play.market.pay("alice", "bob", old)
        try play.market.act("alice", old, "exercise", ["n": Market.units(100)])
        #expect(try play.market.state("alice", old).record(1)?.state == "used")
        #expect(try play.market.digests(old, "alice", "bob", "judge").count == 1)
        #expect(try play.market.digests(id, "carol", "bob", "judge").count == 1)
        // It stays so after a restart, and for one who comes later.
        try play.market.network.add("dave")
        play.market.network.connect("alice", "dave")
        play.market.network.settle()
        for name in Self.readers + ["bob", "dave"] {
            play.market.network.stop(name)
            play.market.network.start(name)
            let line = try #require(play.market.network[name].lines[play.log])
            #expect(line.isOpen, "\(name)")
            #expect(line.line.remaining == 150, "\(name)")
        }
        #expect(play.market.network.closed.isEmpty)
    }

    @Test func `a cut carries over what was split off above the fork`() throws {
        var story = try OptionStory()
        try story.play(..<8)
        let log = LogID.line(author: story.market.did("bob"), try #require(story.line))
        let kept = try #require(story.market.network.stores["bob"]?.entries(of: log))
        let rival = try story.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 310, remaining: 210, reason: "found a box").wire, in: log,
            topic: ForkTests.alliance(story.market), after: Array(kept.prefix(2)))
        for name in ["alice", "carol", "judge"] {
            story.market.push(rival, from: "bob", to: name)
        }
        story.market.push(rival, from: "alice", to: "bob")
        story.market.settle()
        for name in OptionStory.names {
            #expect(story.market.network[name].forked(log) == 3, "\(name)")
        }
        try story.market.network.command("bob") { try $0.cut(log) }
        story.market.settle()
        for name in OptionStory.names {
            let line = try #require(story.market.network[name].lines[log])
            #expect(line.isOpen, "\(name)")
            #expect(line.line.remaining == 170, "\(name)")
        }
        // Carol bought 40 of alice's 100, paid for them, and takes them.
        for (name, id, units) in [
            ("carol", story.child, Int64(40)), ("alice", story.parent, 60),
        ] {
            try story.market.act(name, id, "exercise", ["n": Market.units(units)])
            let state = try story.market.state(name, id)
            #expect(state.records.contains { $0.family == "exercise" }, "\(name)")
        }
    }

    @Test func `a cut that leaves out what was split off on a branch closes nothing`() throws {
        var story = try OptionStory()
        try story.play(..<8)
        let log = LogID.line(author: story.market.did("bob"), try #require(story.line))
        let kept = try #require(story.market.network.stores["bob"]?.entries(of: log))
        let rival = try story.market.entry(
            by: "bob", kind: Kind.adjust.rawValue,
            body: Adjust(total: 310, remaining: 210, reason: "found a box").wire, in: log,
            topic: ForkTests.alliance(story.market), after: Array(kept.prefix(2)))
        for name in ["alice", "carol", "judge"] {
            story.market.push(rival, from: "bob", to: name)
        }
        story.market.settle()
        // Carol bought 40 of alice's 100, and paid for them.
        let cut = Cut(log: log, sequence: 2, id: kept[1].id, total: 310, remaining: 210)
        let entry = try story.market.entry(
            by: "bob", kind: Kind.cut.rawValue, body: cut.wire,
            in: .successor(of: cut, author: story.market.did("bob")),
            topic: ForkTests.alliance(story.market), after: [])
        for name in ["alice", "carol", "judge"] {
            story.market.push(entry, from: "bob", to: name)
        }
        story.market.settle()
        for name in ["alice", "carol", "judge"] {
            let node = story.market.network[name]
            #expect(node.lines[log]?.isOpen == false, "\(name)")
            #expect(node.forkStandings.first?.isRepaired == false, "\(name)")
        }
    }

    @Test func `a cut that leaves out a grant of a branch closes nothing`() throws {
        var (play, lost) = try Self.accident()
        Self.meet(&play, with: lost)
        let cut = Cut(
            log: play.log, sequence: 2, id: play.trunk[1].id, total: 310, remaining: 210)
        let entry = try play.market.entry(
            by: "bob", kind: Kind.cut.rawValue, body: cut.wire,
            in: .successor(of: cut, author: play.market.did("bob")),
            topic: ForkTests.alliance(play.market), after: [])
        play.market.push(entry, from: "bob", to: "carol")
        play.market.network.settle()
        for name in Self.readers {
            let line = try #require(play.market.network[name].lines[play.log])
            #expect(!line.isOpen, "\(name)")
            #expect(line.promised == 150)
            #expect(play.market.network[name].forkStandings.first?.isRepaired == false)
        }
        // One that misstates what is left is a fault that all see.
        var other = try Self.accident()
        Self.meet(&other.0, with: other.lost)
        let wrong = Cut(
            log: other.0.log, sequence: 2, id: other.0.trunk[1].id, total: 310, remaining: 211)
        let misstated = try other.0.market.entry(
            by: "bob", kind: Kind.cut.rawValue, body: wrong.wire,
            in: .successor(of: wrong, author: other.0.market.did("bob")),
            topic: ForkTests.alliance(other.0.market), after: [])
        other.0.market.push(misstated, from: "bob", to: "carol")
        other.0.market.network.settle()
        for name in Self.readers {
            let line = try #require(other.0.market.network[name].lines[other.0.log])
            #expect(
                line.fault?.reason
                    == .capacity(.remainingMisstated(stated: 211, computed: 210)), "\(name)")
        }
    }

    @Test func `a log that does not part is closed by nobody`() throws {
        var play = try ForkTests.Line()
        let bob = play.market.did("bob")
        let cuts = [
            // An issuer who wants to be rid of the grant at 2.
            Cut(log: play.log, sequence: 1, id: play.trunk[0].id, total: 300, remaining: 300),
            Cut(log: play.log, sequence: 2, id: play.trunk[1].id, total: 300, remaining: 200),
            Cut(log: .key(author: bob), sequence: 0, id: nil),
        ]
        for (index, cut) in cuts.enumerated() {
            for (name, author) in [("bob", bob), ("carol", play.market.did("carol"))] {
                let entry = try play.market.entry(
                    by: name, kind: Kind.cut.rawValue, body: cut.wire,
                    in: .successor(of: cut, author: author),
                    topic: ForkTests.alliance(play.market), after: [])
                let before = play.market.trace("alice")
                play.market.push(entry, from: "carol", to: "alice")
                play.market.network.settle()
                #expect(play.market.trace("alice") == before, "\(index) by \(name)")
            }
        }
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("bob") { try $0.cut(play.log) }
        }
        #expect(play.market.network["alice"].lines[play.log]?.line.remaining == 200)
    }

    @Test func `a cut of the public log keeps what stands below, and lines opened above come back`()
        throws
    {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let kept = try market.declare("bob", "print/notebook/a5", 300)
        let log = LogID.publicLog(
            author: market.did("bob"), alliance: market.network["bob"].alliance.topic)
        let trunk = try #require(market.network.stores["bob"]?.entries(of: log))
        let above = try market.declare("bob", "paper", 100)
        let rival = try market.entry(
            by: "bob", kind: Kind.profile.rawValue, body: Profile(name: "Bobby").wire, in: log,
            topic: market.network["bob"].alliance.topic, after: trunk)
        market.push(rival, from: "bob", to: "alice")
        market.network.settle()
        let bob = market.did("bob")
        for name in OptionStory.names {
            let node = market.network[name]
            #expect(node.forked(log) == Int64(trunk.count) + 1, "\(name)")
            #expect(node.book[bob]?.openings.map(\.terms) == [kept], "\(name)")
            #expect(node.book[bob]?.profile?.name == "bob")
            #expect(node.lines[.line(author: bob, above)] == nil)
        }
        #expect(throws: NodeRefusal.self) {
            try market.network.command("bob") { try $0.declare(above, total: 100) }
        }
        try market.network.command("bob") { try $0.cut(log) }
        // Opened once more, the line is what its own log says.
        try market.network.command("bob") { try $0.declare(above, total: 100) }
        market.network.settle()
        for name in OptionStory.names {
            let node = market.network[name]
            #expect(node.book[bob]?.openings.map(\.terms) == [kept, above], "\(name)")
            #expect(node.lines[.line(author: bob, above)]?.line.total == 100, "\(name)")
            #expect(node.lines[.line(author: bob, kept)]?.line.remaining == 300)
            #expect(node.forkStandings.first?.isRepaired == true, "\(name)")
        }
        for name in OptionStory.names {
            market.network.stop(name)
            market.network.start(name)
            let node = market.network[name]
            #expect(node.book[bob]?.openings.count == 2, "\(name)")
            #expect(node.lines[.line(author: bob, above)]?.line.total == 100, "\(name)")
        }
        // And he is traded with again.
        market.network.connectAll()
        market.network.settle()
        let id = try market.agree(
            "carol", "capacity-option", AttackTests.draft(market, above, units: 10).arguments,
            roles: ["issuer": "bob", "holder": "carol", "arbiter": "judge"], lines: [above])
        #expect(try market.held("carol", id).grade == .sequenced)
    }

    @Test func `who signs ever lower forks does not make everybody read all anew each time`()
        throws
    {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        for number in 0..<12 { try market.declare("bob", "paper/\(number)", 10) }
        let alliance = market.network["bob"].alliance.topic
        let log = LogID.publicLog(author: market.did("bob"), alliance: alliance)
        let trunk = try #require(market.network.stores["bob"]?.entries(of: log))
        let mark = market.network.recorded.count
        for kept in (1..<trunk.count).reversed() {
            let rival = try market.entry(
                by: "bob", kind: Kind.profile.rawValue, body: Profile(name: "B\(kept)").wire,
                in: log, topic: alliance, after: Array(trunk.prefix(kept)))
            market.push(rival, from: "bob", to: "alice")
            LivePushTests.rest(&market, seconds: 1)
        }
        // Every reading ends and begins all connections.
        let hellos = market.network.recorded.dropFirst(mark).count {
            $0.from == "alice" && $0.frame.type == 1
        }
        #expect(hellos <= 24)
        LivePushTests.rest(&market, seconds: 400)
        for name in ["alice", "carol"] {
            let node = market.network[name]
            #expect(node.forked(log) == 2, "\(name)")
            #expect(node.book[market.did("bob")]?.openings.isEmpty == true, "\(name)")
            #expect(!node.isToBeReadAnew)
        }
    }

    @Test func `a key log that parts is seen as what it is`() throws {
        var play = try ForkTests.Line()
        let bob = try #require(play.market.network.own("bob"))
        let log = LogID.key(author: bob.did)
        let first = try #require(play.market.network.stores["bob"]?.entries(of: log).first)
        // Whoever has his first key says that it commits to another next one.
        let body = KeyBody(
            publicKey: bob.key.publicKey,
            nextKeyHash: .nextKey(try #require(play.market.network.own("carol")).key.publicKey)
        ).wire
        var header = first.header
        header.bodyHash = SHA256.hash(body)
        header.bodySize = Int64(body.count)
        let rival = try ValidEntry(signing: header, body: body, by: bob.key).entry
        play.market.network.disconnect("alice", "judge")
        play.market.push(rival, from: "carol", to: "alice")
        play.market.network.settle()
        for name in Self.readers {
            let node = play.market.network[name]
            #expect(node.forked(log) == 1, "\(name)")
            #expect(node.forkStandings.first { $0.log == log }?.kind == .key, "\(name)")
            #expect(node.keyLogs.inForce(bob.did)?.id != rival.id)
        }
        // Nothing more is agreed with him, and a restart does not forget it.
        let draft = try AttackTests.draft(play.market, play.terms, units: 10)
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("carol") { try $0.propose(draft) }
        }
        play.market.network.stop("judge")
        play.market.network.start("judge")
        #expect(play.market.network["judge"].forked(log) == 1)
    }

    @Test func `a key log that parts lower than one side holds comes out, and they fall quiet`()
        throws
    {
        var play = try ForkTests.Line()
        let bob = try #require(play.market.network.own("bob"))
        let code = try #require(play.market.network.recoveryCode("bob"))
        let log = LogID.key(author: bob.did)
        let first = try #require(play.market.network.stores["bob"]?.entries(of: log).first)
        func next(_ index: UInt32, after: Entry, _ reason: String) throws -> Entry {
            let key = code.nextKey(index: index)
            let body = KeyBody(
                publicKey: key.publicKey,
                nextKeyHash: .nextKey(code.nextKey(index: index + 1).publicKey),
                reason: reason
            ).wire
            var header = after.header
            header.bodyHash = SHA256.hash(body)
            header.bodySize = Int64(body.count)
            header.place = .log(
                .init(log: log, sequence: Int64(index), previous: after.id))
            return try ValidEntry(signing: header, body: body, by: key).entry
        }
        let one = try next(2, after: first, "one")
        let higher = try next(3, after: one, "one")
        let other = try next(2, after: first, "other")
        for name in ["alice", "carol", "judge"] { play.market.network.disconnect("bob", name) }
        play.market.network.disconnect("alice", "carol")
        play.market.network.disconnect("alice", "judge")
        for (entries, name) in [([one, higher], "alice"), ([other], "carol")] {
            play.market.network.connect("bob", name)
            play.market.network.settle()
            for entry in entries { play.market.push(entry, from: "bob", to: name) }
            play.market.network.disconnect("bob", name)
            play.market.network.settle()
        }
        #expect(play.market.network["alice"].keyLogs.inForce(bob.did)?.id == higher.id)
        #expect(play.market.network["carol"].keyLogs.inForce(bob.did)?.id == other.id)
        play.market.network.connect("alice", "carol")
        #expect(play.market.network.settle(limit: 1_000) < 1_000)
        for name in ["alice", "carol"] {
            #expect(play.market.network[name].forked(log) == 2, "\(name)")
        }
        #expect(play.market.network.closed.isEmpty)
    }

    @Test func `an unknown kind in a line's log halts it as newer, and no fault is seen`() throws {
        var play = try ForkTests.Line()
        let newer = try play.market.entry(
            by: "bob", kind: 9, body: [1, 2, 3], in: play.log,
            topic: ForkTests.alliance(play.market), after: play.trunk)
        play.market.push(newer, from: "bob", to: "carol")
        play.market.network.settle()
        for name in Self.readers {
            let line = try #require(play.market.network[name].lines[play.log])
            #expect(play.market.network.stores[name]?.entries(of: play.log).last == newer)
            #expect(line.newerAt == 3, "\(name)")
            #expect(line.fault == nil)
            #expect(!line.isOpen)
            #expect(line.line.remaining == 200)
        }
        let draft = try AttackTests.draft(play.market, play.terms, units: 10)
        #expect(throws: NodeRefusal.self) {
            try play.market.network.command("carol") { try $0.propose(draft) }
        }
    }
}

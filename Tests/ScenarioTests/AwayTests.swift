import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// Nodes that are off, crash, join late, or hear things in another order.
@Suite struct AwayTests {
    // MARK: - The outbox

    /// Sealed boxes delivered from one to another so far.
    private static func boxes(_ market: Market, _ from: String, _ to: String) -> Int {
        market.network.recorded.count { $0.from == from && $0.to == to && $0.frame.type == 10 }
    }

    @Test func `who is off gets the proposal later, and nothing is said twice`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        market.network.stop("bob")
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        #expect(market.network["alice"].outbox.values.map(\.recipient) == [market.did("bob")])
        try market.network.command("judge") { try $0.accept(id) }
        market.settle()
        // Alice's process ends as well; what she said is not lost.
        market.restart("alice")
        market.back("bob")
        #expect(try market.held("bob", id).grade == .proposed)
        // Judge's yes may have come before the proposal; it counts all the same.
        #expect(try market.held("bob", id).hasAccepted(market.did("judge")))
        try market.network.command("bob") { try $0.accept(id) }
        market.settle()
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
        let said = Self.boxes(market, "alice", "bob")
        for name in market.names { market.restart(name) }
        #expect(Self.boxes(market, "alice", "bob") == said)
    }

    /// What alice proposes while she has two connections to bob, of which one is over unnoticed.
    private static func propose(whileOver which: (inout Network) -> Void) throws -> (
        Market, ContractID
    ) {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        which(&market.network)
        market.settle()
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        return (market, id)
    }

    @Test func `what is said goes over the newest connection, for an older one may be over`() throws
    {
        let (market, id) = try Self.propose { network in
            network.cut("alice", "bob")
            network.connect("alice", "bob")
        }
        #expect(market.network["bob"].contracts[id] != nil)
    }

    @Test func `what went into a connection that was over goes over the one that is left`() throws {
        var (market, id) = try Self.propose { network in
            network.connect("alice", "bob")
            network.cut("alice", "bob")
        }
        #expect(market.network["bob"].contracts[id] == nil)
        market.network.notice()
        market.network.tick()
        market.settle()
        #expect(market.network["bob"].contracts[id] != nil)
        #expect(market.network["alice"].undelivered.isEmpty)
    }

    @Test func `what nobody answers is said again over the same connection, less and less often`()
        throws
    {
        var (market, _) = try Self.propose { network in network.cut("alice", "bob") }
        // Bob's answers are lost as well: alice knows of a connection, and of nothing that arrives.
        let before = market.network["alice"].connections.count
        var said: [Int64] = []
        for second in 0..<900 {
            market.network.pass(milliseconds: 1_000)
            let deliveries = try market.network.command("alice") { alice in
                alice.tick()
                let directives = alice.takeDirectives()
                return directives.count { if case .deliver = $0 { true } else { false } }
            }
            if deliveries > 0 { said.append(Int64(second + 1)) }
        }
        #expect(market.network["alice"].connections.count == before)
        #expect(said == [10, 30, 70, 150, 310, 610])
    }

    @Test(arguments: ["alice", "judge"])
    func `an acceptance waits for whoever is off`(_ off: String) throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        market.network.stop("bob")
        try market.network.command("judge") { try $0.accept(id) }
        market.settle()
        market.network.stop(off)
        market.back("bob")
        try market.network.command("bob") { try $0.accept(id) }
        market.settle()
        #expect(try market.held("bob", id).grade == (off == "judge" ? .proposed : .sequenced))
        market.back(off)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
    }

    @Test func `a request and its refusal wait for whoever is off`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        story.market.network.stop("bob")
        // Both are lawful when she signs them; the first uses the right up.
        for _ in 1...2 {
            try story.market.act("alice", story.parent, "exercise", ["n": Market.units(100)])
        }
        #expect(try story.market.held("alice", story.parent).requests.count == 2)
        story.market.network.stop("judge")
        story.market.back("bob")
        #expect(try story.market.state("bob", story.parent).record(1)?.state == "used")
        story.market.back("judge")
        let refused = try story.market.held("alice", story.parent).refused
        #expect(refused.map(\.code) == [.stale])
        for name in OptionStory.names {
            #expect(story.market.network[name].outbox.isEmpty, "\(name)")
            #expect(story.market.network[name].contracts[story.parent]?.requests.isEmpty != false)
        }
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    @Test func `a no to a proposal is delivered and acknowledged`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        var draft = try AttackTests.draft(market, line, units: 100)
        draft.roles["holder"] = [market.did("alice")]
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        market.network.stop("judge")
        try market.network.command("bob") { try $0.decline(id, text: "no") }
        market.settle()
        #expect(market.network["bob"].outbox.count == 1)
        market.back("judge")
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).outcome == .declined)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
        #expect(throws: NodeRefusal.self) {
            try market.network.command("judge") { try $0.accept(id) }
        }
    }

    @Test func `a consent that overtakes its request counts`() throws {
        var market = try Market("zhijian", "shouzuo", "jike", "zhongcai", only: "mutual-assistance")
        let line = try market.declare("jike", "sticker/set", 50)
        let id = try market.agree(
            "zhijian", "mutual-assistance",
            [
                "trigger": Market.units(100), "cap": Market.units(50),
                "cap_call": Market.units(50), "cap_month": Market.units(50),
                "price": Market.money(600),
                "fee": Market.money(200), "remedy": Market.money(5_000),
                "ends": .instant(market.at(days: 90)),
            ],
            roles: [
                "user": "zhijian", "partner": "shouzuo", "supplier": "jike",
                "arbiter": "zhongcai",
            ], lines: [line])
        let sequencer = try #require(
            market.names.first {
                (try? market.held("zhijian", id).proposal.sequencer) == market.did($0)
            })
        let asker = sequencer == "zhijian" ? "jike" : "zhijian"
        market.network.disconnect(asker, sequencer)
        guard case .requested(let close) = try market.act(asker, id, "close") else {
            Issue.record("closing was not asked for")
            return
        }
        for name in ["zhijian", "shouzuo", "jike"] where name != asker && name != sequencer {
            try market.network.command(name) { try $0.accept(id, request: close) }
        }
        market.settle()
        market.network.connect(asker, sequencer)
        market.settle()
        try market.network.command(sequencer) { try $0.accept(id, request: close) }
        market.settle()
        #expect(try market.held(asker, id).grade == .settled)
        for name in market.names { #expect(market.network[name].outbox.isEmpty, "\(name)") }
    }

    // MARK: - Crashes

    @Test(arguments: OptionStory.names)
    func `a node may end between any two commands`(_ name: String) throws {
        var calm = try OptionStory()
        try calm.play()
        var story = try OptionStory()
        story.market.crash = (name, .max)
        try story.play()
        #expect(try story.result() == calm.result())
    }

    @Test(arguments: [0, 1, 2, 3, 5, 8, 13])
    func `a node may end while anything is in the air`(_ frames: Int) throws {
        var calm = try OptionStory()
        try calm.play()
        for name in ["alice", "bob"] {
            var story = try OptionStory(seed: UInt64(frames) + 2)
            story.market.crash = (name, frames)
            try story.play()
            #expect(try story.result() == calm.result(), "\(name)")
        }
    }

    @Test func `a start says nothing by itself that was said before`() throws {
        var story = try OptionStory()
        try story.play(..<6)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        try story.market.act(
            "bob", story.parent, "deliver",
            record: story.market.record("bob", story.parent, "exercise", "open"),
            ["n": Market.units(10), "evidence": StoryTests.evidence])
        let waiting = story.market.network["alice"].outbox
        let said = story.market.network.now
        for _ in 1...3 { story.market.restart("alice") }
        #expect(story.market.network["alice"].outbox == waiting)
        #expect(
            story.market.network["alice"].outbox.values.allSatisfy {
                $0.statement.header.time == said
            })
    }

    // MARK: - Order

    @Test(arguments: 1...4)
    func `the order in which frames arrive changes nothing`(_ seed: UInt64) throws {
        var calm = try OptionStory()
        try calm.play()
        var story = try OptionStory(seed: seed)
        story.market.shuffles = true
        try story.play()
        #expect(try story.result() == calm.result())
        // Those who hold the same contracts hold the same books.
        #expect(
            story.market.network["bob"].ledger.dump()
                == story.market.network["judge"].ledger.dump())
        #expect(
            story.market.network["bob"].ledger.dump()
                == story.market.network["alice"].ledger.dump())
    }

    @Test func `a chain of links is as good as a full mesh`() throws {
        var story = try OptionStory()
        try story.play(..<2)
        // Alice hears bob's steps from judge alone; statements find their own way later.
        story.market.network.disconnect("alice", "bob")
        try story.market.act(
            "alice", story.parent, "pay_state",
            ["channel": .text("bank"), "reference": .text("r")])
        #expect(try story.market.state("bob", story.parent).record(1)?.state == "premium_due")
        story.market.network.connect("alice", "bob")
        story.market.settle()
        story.market.network.disconnect("alice", "bob")
        try story.market.act("bob", story.parent, "pay_receive")
        #expect(try story.market.state("alice", story.parent).record(1)?.state == "open")
        // Her word that she knows of the payment's admission waits for its own way.
        #expect(
            story.market.network["alice"].outbox.values.allSatisfy {
                $0.statement.kind == .acknowledgement
            })
    }

    @Test func `who joins late holds what is public and no contract`() throws {
        var story = try OptionStory()
        try story.play()
        try story.market.network.add("dora", templates: [])
        story.market.network.connect("dora", "carol")
        story.market.settle()
        let dora = story.market.network["dora"]
        let bob = story.market.network["bob"]
        let line = try #require(Array(dora.lines).first)
        #expect(dora.lines.count == 1)
        #expect(bob.lines[line.key]?.line.remaining == line.value.line.remaining)
        let held = bob.lines[line.key]
        #expect(held?.holders.count == line.value.holders.count)
        #expect(line.value.holders.allSatisfy { held?.holder(of: $0.key) == $0.value })
        #expect(dora.book.authors.count == 5)
        #expect(dora.contracts.isEmpty)
        // Every log reaches exactly those who take part in its topic.
        for name in OptionStory.names + ["dora"] {
            let node = story.market.network[name]
            for log in node.chains.logs {
                let topic = node.chains.chain(log)?.topic
                let named = node.contracts.values.contains {
                    $0.log == log && $0.proposal.participants.contains(node.own.did)
                }
                #expect(topic == nil || topic == node.alliance.topic || named, "\(name)")
            }
            let steps = [story.parent, story.child].filter { node.contracts[$0] != nil }
            #expect(steps.count == ["alice": 2, "bob": 2, "judge": 2, "carol": 1, "dora": 0][name])
        }
    }

    @Test func `a step that comes before its signers' keys waits and is no less true`() throws {
        var story = try OptionStory()
        story.market.crash = nil
        try story.play(..<2)
        // A second disk of judge's, empty but for the proposal: its first peer says the contract first.
        let held = try story.market.held("judge", story.parent)
        let steps = try #require(story.market.network.stores["judge"]?.entries(of: held.log))
        var snapshot = try #require(story.market.network.stores["judge"]?.snapshot)
        let keyless = story.market.did("alice")
        snapshot.entries.removeAll { $0.header.author == keyless || $0.header.log?.log == held.log }
        let own = try #require(story.market.network.own("judge"))
        var node = Node(
            own: own, alliance: story.market.network["judge"].alliance, snapshot: snapshot)
        node.begin(at: story.market.network.now, seed: SHA256.hash([1]))
        let bob = try #require(story.market.network.own("bob"))
        let peer = PeerID(7)
        node.connected(
            peer, did: bob.did, keyEntry: bob.keyEntry, key: bob.key.publicKey, initiated: false)
        // bob names what both take part in: of a stranger nothing is taken.
        let time = story.market.network.now.milliseconds
        var session = Session(
            me: bob.did, peer: own.did, isInitiator: true, nonce: SHA256.hash([2]), now: time)
        for case .send(let message) in session.begin(now: time, agent: "t") {
            node.received(message.frame, from: peer)
        }
        for case .send(_, let frame) in node.takeDirectives() {
            for case .send(let message) in session.received(
                frame, now: time, story.market.network["bob"])
            {
                node.received(message.frame, from: peer)
            }
        }
        for step in steps { node.received(Message.push(step.wire).frame, from: peer) }
        #expect(node.contracts[story.parent]?.fold?.isSequenced == false)
        let key = try #require(
            story.market.network.stores["judge"]?.entries(of: .key(author: keyless)).first)
        node.received(Message.push(key.wire).frame, from: peer)
        #expect(node.contracts[story.parent]?.fold?.isSequenced == true)
        #expect(node.contracts[story.parent]?.fold?.state.digest() == held.fold?.state.digest())
    }

    @Test func `a lot that waits for one who comes back is said in portions`() throws {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/letterpress", 1_000)
        market.network.stop("bob")
        var draft = try AttackTests.draft(market, line, units: 10)
        draft.roles["holder"] = [market.did("alice")]
        for _ in 0..<700 { try market.network.command("alice") { _ = try $0.propose(draft) } }
        let bob = market.did("bob")
        #expect(market.network["alice"].outbox.keys.count { $0.recipient == bob } == 700)
        let mark = market.network.recorded.count
        market.network.start("bob")
        market.network.connect("alice", "bob")
        market.network.settle()
        func told() -> Int {
            market.network.recorded.dropFirst(mark).filter { flight in
                flight.from == "alice" && flight.to == "bob" && flight.frame.type == 10
            }.reduce(0) { $0 + $1.frame.bytes.count }
        }
        #expect(told() > 100_000)
        #expect(told() <= 540 * 1024)
        LivePushTests.rest(&market, seconds: 2)
        // Of one author so many proposals are taken.
        #expect(market.network["bob"].contracts.count == 256)
        #expect(told() > 540 * 1024, "the rest was offered, too")
    }
}

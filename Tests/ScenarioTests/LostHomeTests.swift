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

/// A laptop is lost with all that was on it. Paper with a recovery code, one partner's address, and the same
/// identity goes on with the same contracts.
@Suite struct LostHomeTests {
    /// The home of `name` made anew: its key log from a peer, the next key from the code, nothing else.
    static func lose(_ market: inout Market, _ name: String, found by: String) throws {
        let code = try #require(market.network.recoveryCode(name))
        market.network.stop(name)
        let peer = market.network[by]
        let did = try #require(peer.keyLogs.author(recoverable: code))
        #expect(did == market.did(name))
        let genesis = try Genesis(
            recovering: peer.keyLog(of: did), with: code, joining: peer.alliance)
        var store = MemoryStore()
        store.commit(genesis.entries.map { .entry($0, own: true) })
        store.commit([.recovery(.began(.homeLost, at: market.network.now))])
        for template in Market.templates.sorted(by: { $0.key < $1.key }).map(\.value) {
            store.add(template: template)
        }
        market.network.restore(name, store, own: genesis.own)
        market.network.start(name)
    }

    /// Time for snapshots to be sent.
    static func idle(_ market: inout Market) {
        for _ in 1...3 {
            market.network.pass(milliseconds: 61_000)
            market.network.tick()
            market.network.settle()
        }
    }

    @Test(arguments: ["bob", "alice"], [4, 9])
    func `recovery code and one partner bring identity and contracts back`(
        _ name: String, _ command: Int
    ) throws {
        var story = try OptionStory()
        try story.play(..<command)
        Self.idle(&story.market)
        let before = story.market.network[name]
        try Self.lose(&story.market, name, found: "judge")
        // One partner first; she gives back what was sealed for him.
        story.market.network.connect(name, "judge")
        story.market.settle()
        #expect(story.market.network[name].contracts.count == before.contracts.count)
        #expect(try story.market.digests(story.parent, name, "judge").count == 1)
        #expect(story.market.network[name].book[story.market.did(name)]?.profile?.name == name)
        // Whoever else is bound by a contract has to be heard before it goes on.
        let log = try story.market.held(name, story.parent).log
        if name == "bob" { #expect(story.market.network[name].waiting(log) != nil) }
        for other in story.market.names where other != name && other != "judge" {
            story.market.network.connect(name, other)
        }
        story.market.settle()
        #expect(story.market.network[name].waitingLogsOfOurs.isEmpty)
        for next in OptionStory.commands[command...] { try next(&story) }
        for other in OptionStory.names {
            let node = story.market.network[other]
            #expect(node.contracts[story.child]?.outcome == .fulfilled, "\(other)")
            #expect(node.chains.logs.allSatisfy { node.chains.chain($0)?.fork == nil }, "\(other)")
            let did = story.market.did(name)
            let key = try #require(node.keyLogs.inForce(did))
            #expect(node.book[did]?.change(to: key.id) != nil, "\(other)")
        }
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    @Test func `nobody but the author opens a snapshot, and a stranger's is not kept`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        Self.idle(&story.market)
        let kept = try #require(
            story.market.network.stores["judge"]?.keepsakes[story.market.did("bob")])
        #expect(kept.count == 24 + 4096 + 16)
        let alice = try #require(story.market.network.recoveryCode("alice"))
        let bob = story.market.did("bob")
        #expect(Keepsake.Opened(opening: kept, of: bob, key: alice.nodeSecret) == nil)
        // Carol is in no contract with the judge.
        #expect(story.market.network.stores["carol"]?.keepsakes.isEmpty == true)
        #expect(story.market.network.stores["judge"]?.keepsakes.count == 2)
    }

    @Test func `a snapshot tells an old copy that it is one`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        let copy = try #require(story.market.network.stores["bob"])
        Self.idle(&story.market)
        try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        Self.idle(&story.market)
        story.market.network.stop("bob")
        story.market.network.restore("bob", copy)
        story.market.network.start("bob")
        story.market.network.connect("bob", "judge")
        story.market.network.settle()
        #expect(story.market.network["bob"].recovery.reason != nil)
        #expect(try story.market.digests(story.parent, "alice", "bob", "judge").count == 1)
    }

    @Test func `an address that its owner removed does not come back with an old snapshot`() throws
    {
        var story = try OptionStory()
        try story.play(..<4)
        let address = PeerAddress(host: "20.1.0.1", port: 7001, did: nil)
        try story.market.network.command("bob") { $0.addPeer(address) }
        Self.idle(&story.market)
        let kept = try #require(
            story.market.network.stores["judge"]?.keepsakes[story.market.did("bob")])
        // While the judge is away.
        story.market.network.stop("judge")
        try story.market.network.command("bob") { $0.removePeer(address) }
        story.market.network.inject(Message.kept(kept).frame, from: "alice", to: "bob")
        #expect(!story.market.network["bob"].peers.contains(address))
        #expect(story.market.network["bob"].recovery.reason == nil)
        // To whom has lost it with his home it comes.
        story.market.network.start("judge")
        try Self.lose(&story.market, "bob", found: "judge")
        story.market.network.connect("bob", "judge")
        story.market.settle()
        #expect(story.market.network["bob"].peers.contains(address))
    }

    /// Of what a partner gives back a part waits for a key that has not come, and the process ends meanwhile.
    @Test(arguments: [false, true])
    func `what a snapshot says comes back whole`(_ endsBetween: Bool) throws {
        var market = try Market(names: ["alice", "bob"], only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let files = Market.templates.filter { $0.key == "capacity-option" }.map(\.value)
        try market.network.add("judge", templates: files)
        // What came to pass before bob lost his home.
        var past = market
        for name in ["alice", "bob"] { past.network.connect(name, "judge") }
        past.settle()
        let draft = try HubTests.draft(past, line)
        let id = try past.network.command("alice") { try $0.propose(draft) }
        past.settle()
        try past.network.command("judge") { try $0.accept(id) }
        past.settle()
        Self.idle(&past)
        let kept = try #require(past.network.stores["alice"]?.keepsakes[past.did("bob")])
        // He holds nothing of it, nor the judge's key.
        market.network.inject(Message.kept(kept).frame, from: "alice", to: "bob")
        #expect(try !market.held("bob", id).hasAccepted(market.did("judge")))
        if endsBetween {
            market.restart("bob")
            market.network.inject(Message.kept(kept).frame, from: "alice", to: "bob")
        }
        market.network.connect("bob", "judge")
        market.settle()
        Self.idle(&market)
        #expect(try market.held("bob", id).hasAccepted(market.did("judge")))
    }

    /// What alice alone holds, for as long as she is away.
    @Test(arguments: [1, 33])
    func `a lost home waits for whoever may hold its newest step, however long that takes`(
        _ days: Int
    ) throws {
        var story = try OptionStory()
        try story.play(..<4)
        var market = story.market
        Self.idle(&market)
        for name in ["carol", "judge"] { market.network.stop(name) }
        try market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        let log = try market.held("bob", story.parent).log
        let newest = market.network["bob"].chains.head(log)
        market.network.stop("alice")
        market.network.start("judge")
        try Self.lose(&market, "bob", found: "judge")
        market.network.connect("bob", "judge")
        market.settle()
        for _ in 1...days {
            market.network.pass(milliseconds: 86_400_000)
            market.network.tick()
            market.settle()
        }
        let bob = market.network["bob"]
        #expect(bob.contracts[story.parent] != nil)
        #expect(bob.chains.head(log) == newest - 1)
        #expect(bob.waiting(log)?.missing == [market.did("alice")])
        market.network.start("alice")
        for name in ["bob", "judge"] { market.network.connect("alice", name) }
        market.settle()
        #expect(market.network["bob"].waitingLogsOfOurs.isEmpty)
        #expect(try market.digests(story.parent, "alice", "bob", "judge").count == 1)
        #expect(market.network["alice"].chains.chain(log)?.rivals.isEmpty == true)
    }
}

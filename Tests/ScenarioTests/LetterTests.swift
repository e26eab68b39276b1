import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What becomes of letters whose recipient changes his key or his hub, or is drowned in them.
@Suite struct LetterTests {
    /// Half an hour, a minute at a time.
    private static func wait(_ market: inout Market) {
        for _ in 0..<30 {
            market.network.pass(milliseconds: 60_000)
            market.network.tick()
            market.network.settle()
        }
    }

    /// Alice left a proposal for bob and judge at the hub, and stays connected to it.
    private static func proposed() throws -> (Market, ContractID) {
        var (market, line) = try HubTests.market()
        for name in ["bob", "judge"] { try HubTests.visit(&market, name) }
        market.network.start("alice")
        market.network.connect("alice", "relay")
        wait(&market)
        let draft = try HubTests.draft(market, line)
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.network.settle()
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.count == 1)
        return (market, id)
    }

    @Test func `a letter reaches who changed his key while it waited for him`() throws {
        var (market, id) = try Self.proposed()
        // Bob changes it in judge's company, far from the hub.
        for name in ["bob", "judge"] { market.network.start(name) }
        market.network.connect("bob", "judge")
        Self.wait(&market)
        let code = try #require(market.network.recoveryCode("bob"))
        try market.network.command("bob") { try $0.rotate(with: code) }
        market.network.settle()
        market.network.stop("judge")
        market.network.connect("bob", "relay")
        Self.wait(&market)
        #expect(market.network["bob"].contracts[id] != nil)
        #expect(market.network.closed.isEmpty, "\(market.network.closed)")
        let bob = market.did("bob")
        #expect(!market.network["alice"].undelivered.contains { $0.recipient == bob })
    }

    @Test(arguments: [true, false])
    func `a letter reaches who left the hub where it waits`(isThere: Bool) throws {
        var (market, id) = try Self.proposed()
        let relay = market.did("relay")
        market.network.start("bob")
        // He is told of no hub before he decides, or meets it as ever.
        if !isThere { try market.network.command("bob") { try $0.leave(hub: relay) } }
        market.network.connect("bob", "relay")
        if isThere { try market.network.command("bob") { try $0.leave(hub: relay) } }
        Self.wait(&market)
        #expect(market.network["bob"].contracts[id] != nil)
        #expect(market.network["relay"].mailboxes[market.did("bob")]?.isEmpty == true)
    }

    // MARK: - Full mailboxes

    private static let crowd = ["carol", "dave", "eve", "frank"]

    /// Bob is away; four strangers left all that each may leave for him.
    private static func drowned(bytes: Int = 100, each: Int = 256) throws -> Market {
        let names = ["relay", "alice", "bob"] + crowd
        var market = try Market(names: names, only: "capacity-option")
        try market.network.command("relay") { $0.set(.hub, true) }
        let relay = market.did("relay")
        for name in names where name != "relay" {
            try market.network.command(name) { try $0.use(hub: relay) }
            market.network.disconnect(name, "relay")
            market.network.connect(name, "relay")
        }
        market.settle()
        market.network.stop("bob")
        for name in crowd {
            for number in 0..<each {
                HubTests.deposit(
                    &market, from: name, to: market.did("bob"), number: number, bytes: bytes)
            }
        }
        return market
    }

    @Test(arguments: [(100, 256), (200 * 1024, 5)])
    func `however many letters others leave, there is room for who leaves one`(
        bytes: Int, each: Int
    ) throws {
        var market = try Self.drowned(bytes: bytes, each: each)
        let bob = market.did("bob")
        let before = try #require(market.network["relay"].mailboxes[bob]?.count)
        for number in 0..<3 {
            HubTests.deposit(&market, from: "alice", to: bob, number: number, bytes: bytes)
        }
        #expect(HubTests.outcomes(market, to: "alice") == [.kept, .kept, .kept])
        let box = try #require(market.network["relay"].mailboxes[bob])
        #expect(box.count { $0.sender == market.did("alice") } == 3)
        #expect(box.count <= max(before, 3 * each + 3))
        #expect(box.count <= 1_024)
        #expect(box.reduce(0) { $0 + $1.size } <= 4 * 1024 * 1024)
        #expect(market.network.stores["relay"]?.letters.count == box.count)
        // Whose letters made room is told, and comes no more while it is so.
        let told = Self.crowd.flatMap { HubTests.outcomes(market, to: $0) }
        #expect(told.count { $0 == .full } > 0)
        for name in Self.crowd {
            HubTests.deposit(&market, from: name, to: bob, number: 999, bytes: bytes)
        }
        let after = try #require(market.network["relay"].mailboxes[bob])
        #expect(after.count { $0.sender == market.did("alice") } == 3)
        market.restart("relay")
        #expect(market.network["relay"].mailboxes[bob]?.count == after.count)
    }

    @Test func `what those left whom somebody answers for gives way to no stranger`() throws {
        var market = try Self.drowned(each: 255)
        let (bob, carol) = (market.did("bob"), market.did("carol"))
        try market.network.command("relay") {
            $0.addPeer(PeerAddress(host: "10.1.2.3", port: 7_001, did: carol))
        }
        // She left most of all, and the mailbox is full.
        HubTests.deposit(&market, from: "carol", to: bob, number: 255)
        for number in 0..<10 { HubTests.deposit(&market, from: "alice", to: bob, number: number) }
        let box = try #require(market.network["relay"].mailboxes[bob])
        #expect(box.count == 1_024)
        #expect(box.count { $0.sender == carol } == 256)
        #expect(box.count { $0.sender == market.did("alice") } == 10)
    }

    // MARK: - Full shares

    /// Alice has two contracts kept. Whoever shares one of them writes there whatever he likes; the hub cannot tell.
    @Test func `what a partner writes in one contract takes no room from the others`() throws {
        var market = try Self.drowned(each: 0)
        let (one, other) = (TopicID(SHA256.hash([1])), TopicID(SHA256.hash([2])))
        market.network.inject(
            Message.mail(.entrust([one, other])).frame, from: "alice", to: "relay")
        market.settle()
        func entry(_ name: String, _ topic: TopicID, _ sequence: Int64, after last: Entry?) throws
            -> Entry
        {
            let own = try #require(market.network.own(name))
            let body = [UInt8](repeating: UInt8(sequence % 251), count: 64 * 1024)
            let log = LogID(SHA256.hash(topic.bytes + own.did.bytes))
            return try ValidEntry(
                signing: Header(
                    kind: Kind.lineOpening.rawValue, author: own.did, key: own.keyEntry,
                    topic: topic, time: market.network.now, bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .log(.init(log: log, sequence: sequence, previous: last?.id))),
                body: body, by: own.key
            ).entry
        }
        var last: Entry?
        for sequence in Int64(1)...1_040 {
            let next = try entry("eve", one, sequence, after: last)
            market.push(next, from: "eve", to: "relay")
            last = next
        }
        let step = try entry("alice", other, 1, after: nil)
        market.push(step, from: "alice", to: "relay")
        let log = try #require(step.header.log?.log)
        #expect(market.network["relay"].chains.head(log) == 1)
    }
}

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

/// A laptop whose clock is wrong for a while, as after its battery was empty: nothing is lost by that once it is
/// set right.
@Suite struct WrongClockTests {
    static let day: Int64 = 86_400_000

    /// Bob's line, and a draft in which alice takes some of it.
    private static func market() throws -> (Market, Node.ProposalDraft) {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        return (market, try HubTests.draft(market, line))
    }

    /// What `name` lives through while its clock is off by so many days.
    private static func astray(
        _ market: inout Market, _ name: String, days: Int64, _ body: (inout Market) throws -> Void
    ) rethrows {
        market.network.clockError[name] = days * day
        try body(&market)
        market.network.clockError = [:]
        market.network.tick()
        market.settle()
    }

    @Test func `what waits for somebody outlives a start at which the clock is a year ahead`()
        throws
    {
        var (market, draft) = try Self.market()
        market.network.stop("bob")
        market.network.stop("judge")
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.network.stop("alice")
        Self.astray(&market, "alice", days: 365) { market in
            market.network.start("alice")
            market.network.tick()
        }
        #expect(market.network["alice"].outbox.count == 2)
        market.restart("alice")
        for name in ["bob", "judge"] { market.back(name) }
        for name in ["bob", "judge"] {
            #expect(market.network[name].contracts[id] != nil, "\(name)")
        }
    }

    @Test
    func `what waits for somebody outlives a clock that jumps a year ahead while others are here`()
        throws
    {
        var (market, draft) = try Self.market()
        market.network.stop("bob")
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        market.network.tick()
        market.settle()
        Self.astray(&market, "alice", days: 365) { market in
            for _ in 1...3 {
                market.network.pass(milliseconds: 1_000)
                market.network.tick()
                market.settle()
            }
        }
        market.back("bob")
        #expect(market.network["bob"].contracts[id] != nil)
    }

    @Test func `a hub whose clock is a year ahead at its start throws no letter away`() throws {
        var (market, line) = try HubTests.market()
        for name in ["bob", "judge"] { try HubTests.visit(&market, name) }
        try HubTests.visit(&market, "alice") { market in
            let draft = try HubTests.draft(market, line)
            _ = try market.network.command("alice") { try $0.propose(draft) }
        }
        let letters = market.network.stores["relay"]?.letters.count
        market.network.stop("relay")
        Self.astray(&market, "relay", days: 365) { market in
            market.network.start("relay")
            market.network.tick()
        }
        #expect(letters == 2)
        #expect(market.network.stores["relay"]?.letters.count == letters)
    }

    @Test func `offers stand in the market again once a clock that ran ahead is set right`() throws
    {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let terms = try market.declare("bob", "print/notebook/a5", 300)
        let offer = Offer(
            template: try market.template("capacity-option").hash,
            line: .line(author: market.did("bob"), terms),
            arguments: [Argument](["strike": Market.money(1_800)]), maxUnits: 10, lot: 1,
            until: market.at(days: 5))
        _ = try market.network.command("bob") { try $0.publish(offer) }
        market.settle()
        func quotes() -> Int {
            Array(market.network["alice"].quotes(under: "", at: market.network.now)).count
        }
        #expect(quotes() == 1)
        market.network.tick()
        Self.astray(&market, "alice", days: 365) { market in
            for _ in 1...3 {
                market.network.pass(milliseconds: 1_000)
                market.network.tick()
                market.settle()
            }
        }
        #expect(quotes() == 1)
    }

    @Test(arguments: ["bob", "judge"])
    func `snapshots come and go again once a clock that ran ahead is set right`(_ name: String)
        throws
    {
        var story = try OptionStory()
        try story.play(..<4)
        var market = story.market
        Self.astray(&market, name, days: 365) { market in
            for _ in 1...3 {
                market.network.pass(milliseconds: 61_000)
                market.network.tick()
                market.settle()
            }
        }
        let bob = market.did("bob")
        let early = market.network.stores["judge"]?.keepsakes[bob]
        #expect(early != nil)
        try market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        LostHomeTests.idle(&market)
        #expect(market.network.stores["judge"]?.keepsakes[bob] != early)
    }

    @Test func `a clock that was set back keeps no node from dialing`() throws {
        var market = try OutboundTests.market(["bob": "20.1.0.1"], alice: "20.3.0.1")
        // Nobody answers there while alice's clock is wrong.
        market.network.listening = [:]
        Self.astray(&market, "alice", days: 365) { market in
            for _ in 1...3 { OutboundTests.pass(&market, seconds: 120) }
        }
        market.network.listening["20.1.0.1:7001"] = "bob"
        for _ in 1...20 { OutboundTests.pass(&market, seconds: 120) }
        #expect(market.network.isConnected("alice", "bob"))
    }
}

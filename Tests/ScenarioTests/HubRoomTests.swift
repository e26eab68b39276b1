import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// One of a contract's people, of ill will, and the room that a hub has for the others.
@Suite struct HubRoomTests {
    @Test func `whoever writes logs without end under a contract's topic keeps nobody else's out`()
        throws
    {
        var (market, line) = try HubTests.market()
        try HubTests.round(&market)
        var id: ContractID?
        try HubTests.visit(&market, "alice") { market in
            let draft = try HubTests.draft(market, line)
            id = try market.network.command("alice") { try $0.propose(draft) }
        }
        let contract = try #require(id)
        try HubTests.visit(&market, "judge") { market in
            try market.network.command("judge") { try $0.accept(contract) }
            market.network.settle()
            let topic = try market.held("judge", contract).key.topic
            for number: UInt8 in 0..<100 {
                let log = LogID(SHA256.hash([number]).bytes)!
                let junk = try market.entry(
                    by: "judge", kind: Kind.step.rawValue, body: [number], in: log, topic: topic,
                    after: [])
                market.push(junk, from: "judge", to: "relay")
            }
        }
        try HubTests.visit(&market, "bob") { market in
            try market.network.command("bob") { try $0.accept(contract) }
        }
        for _ in 0..<3 { try HubTests.round(&market) }
        market.network.start("alice")
        #expect(try market.held("alice", contract).grade == .sequenced)
    }

    @Test func `whoever shows us a word again and again fills nobody's mailbox with our answers`()
        throws
    {
        var (market, line) = try HubTests.market()
        try HubTests.round(&market)
        var id: ContractID?
        try HubTests.visit(&market, "alice") { market in
            let draft = try HubTests.draft(market, line)
            id = try market.network.command("alice") { try $0.propose(draft) }
        }
        let contract = try #require(id)
        try HubTests.visit(&market, "judge")
        // Bob and the judge are on, and alice is not.
        for name in ["bob", "judge"] {
            market.network.start(name)
            market.network.connect(name, "relay")
        }
        market.network.connect("bob", "judge")
        market.network.settle()
        let held = try market.held("judge", contract)
        for _ in 0..<400 {
            market.network.inject(
                held.proposalEntry, key: held.key.bytes, from: "judge", to: "bob")
            market.network.settle()
        }
        #expect(market.network["bob"].footprint.allSatisfy { $0.count <= $0.limit })
        try market.network.command("bob") { try $0.accept(contract) }
        market.network.settle()
        let keys = market.network["bob"].outbox.keys.filter { $0.recipient == market.did("alice") }
        #expect(!keys.isEmpty)
        for key in keys {
            #expect(market.network["bob"].hubs(holding: key) == [market.did("relay")])
        }
        let box = market.network["relay"].mailboxes[market.did("alice")] ?? []
        #expect(box.count { $0.sender == market.did("bob") } <= 3)
    }
}

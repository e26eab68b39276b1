import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What was signed just before a change of key, and comes after it.
@Suite struct RotationRaceTests {
    private static func rotate(_ market: inout Market, _ name: String) throws {
        let code = try #require(market.network.recoveryCode(name))
        try market.network.command(name) { try $0.rotate(with: code) }
        market.settle()
    }

    /// Parts `name` from all others while `body` runs.
    private static func alone(
        _ market: inout Market, _ name: String, _ body: (inout Market) throws -> Void
    ) throws {
        let others = market.names.filter { $0 != name }
        for other in others { market.network.disconnect(name, other) }
        try body(&market)
        for other in others { market.network.connect(name, other) }
        market.settle()
        market.network.pass(milliseconds: 11_000)
        market.network.tick()
        market.settle()
    }

    private static func proposed(by name: String) throws -> (Market, ContractID) {
        var market = try Market("alice", "bob", "judge", only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let draft = try HubTests.draft(market, line)
        let id = try market.network.command(name) { try $0.propose(draft) }
        market.settle()
        return (market, id)
    }

    @Test(arguments: ["alice", "bob", "judge"])
    func `who accepted and then changed the key is bound as if not`(_ name: String) throws {
        let proposer = name == "alice" ? "bob" : "alice"
        var (market, id) = try Self.proposed(by: proposer)
        for other in market.names where other != name && other != proposer {
            try market.network.command(other) { try $0.accept(id) }
            market.settle()
        }
        try Self.alone(&market, name) { market in
            try market.network.command(name) { try $0.accept(id) }
            try Self.rotate(&market, name)
        }
        for other in market.names {
            #expect(try market.held(other, id).grade == .sequenced, "\(other)")
            #expect(market.network[other].outbox.isEmpty, "\(other)")
        }
        #expect(market.network.closed.isEmpty, "\(market.network.closed)")
    }

    @Test func `an acceptance that arrived before the change counts after it`() throws {
        var (market, id) = try Self.proposed(by: "alice")
        try market.network.command("judge") { try $0.accept(id) }
        market.settle()
        try Self.rotate(&market, "judge")
        try Self.rotate(&market, "alice")
        try market.network.command("bob") { try $0.accept(id) }
        market.settle()
        for name in market.names {
            #expect(try market.held(name, id).grade == .sequenced, "\(name)")
        }
    }
}

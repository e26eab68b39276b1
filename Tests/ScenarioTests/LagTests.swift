import Entries
import Identity
import Logs
import Market
import NodeCore
import Simulation
import Testing

/// How far a node knows to be behind its peers.
@Suite struct LagTests {
    @Test func `what two peers named and is not here counts once, until it is here`() throws {
        var market = try Market("alice", "bob", "carol", only: "capacity-option")
        market.network.disconnect("alice", "bob")
        market.network.disconnect("carol", "bob")
        for number in 0..<6 { try market.declare("alice", "print/offset/\(number)", 100) }
        let alliance = market.network["alice"].alliance.topic
        let log = LogID.publicLog(author: market.did("alice"), alliance: alliance)
        let missing =
            market.network["alice"].chains.head(log) - market.network["bob"].chains.head(log)
        #expect(market.network["bob"].lag().isEmpty)
        market.network.connect("alice", "bob")
        market.network.connect("carol", "bob")
        var most: [Lag] = []
        while market.network.settle(limit: 1) > 0 {
            let lag = market.network["bob"].lag()
            if (lag.first?.entries ?? 0) > (most.first?.entries ?? 0) { most = lag }
        }
        #expect(most.map(\.topic) == [alliance])
        // The public log, then six lines of one entry each.
        #expect(most.first?.logs == 7)
        #expect(most.first?.entries == UInt64(missing) + 6)
        #expect(market.network["bob"].lag().isEmpty)
    }
}

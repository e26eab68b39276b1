import Capacity
import Contracts
import Entries
import Identity
import Market
import NodeCore
import Simulation
import Testing

/// What an expulsion must not take from those who dealt with whom it meets.
@Suite struct ExpulsionTests {
    @Test
    func `what was sold on a line that the expelling steward had not heard of is still delivered`()
        throws
    {
        var guild = try AllianceTests.Guild(["alice", "bob", "carol", "judge"], .steward)
        for name in ["bob", "carol", "judge"] {
            try guild.join(name)
            try guild.admit(name)
        }
        for name in ["bob", "carol", "judge"] { guild.network.disconnect("alice", name) }
        let terms = try guild.declare("bob", "print/letterpress")
        var market = guild.market
        let id = try market.agree(
            "carol", "capacity-option",
            AttackTests.draft(market, terms, units: 10).arguments,
            roles: ["issuer": "bob", "holder": "carol", "arbiter": "judge"], lines: [terms])
        try market.pay("carol", "bob", id)
        guild.market = market
        try guild.expel("bob")
        for name in ["bob", "carol", "judge"] { guild.network.connect("alice", name) }
        guild.market.settle()
        for name in ["bob", "carol"] { guild.market.restart(name) }
        try guild.market.act("carol", id, "exercise", ["n": ScenarioTests.Market.units(10)])
        #expect(try guild.market.held("bob", id).refused.isEmpty)
        let state = try guild.market.state("carol", id)
        #expect(state.records.contains { $0.family == "exercise" })
        // Others see of him what the steward saw.
        #expect(guild.lines(of: "bob", at: "alice").isEmpty)
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Logs
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

    /// bob's public log in the guild, as his own store holds it.
    private static func kept(_ guild: AllianceTests.Guild) -> (LogID, [Entry]) {
        let log = LogID.publicLog(author: guild.market.did("bob"), alliance: guild.topic)
        return (log, guild.network.stores["bob"]?.entries(of: log) ?? [])
    }

    /// bob makes his public log part at `sequence` and cuts it below: the log that goes on, with `bodies` in it.
    private static func partAndCut(
        _ guild: inout AllianceTests.Guild, at sequence: Int64, _ bodies: [(Kind, [UInt8])]
    ) throws -> [Entry] {
        let (log, kept) = kept(guild)
        let below = Array(kept.prefix(Int(sequence) - 1))
        let rival = try guild.market.entry(
            by: "bob", kind: Kind.profile.rawValue, body: Profile(name: "bob again").wire, in: log,
            topic: guild.topic, after: below)
        let cut = Cut(log: log, sequence: sequence - 1, id: below.last?.id)
        let next = LogID.successor(of: cut, author: guild.market.did("bob"))
        var run: [Entry] = []
        for (kind, body) in [(Kind.cut, cut.wire)] + bodies {
            run.append(
                try guild.market.entry(
                    by: "bob", kind: kind.rawValue, body: body, in: next, topic: guild.topic,
                    after: run))
        }
        for reader in ["alice", "carol"] {
            for entry in [rival] + run {
                guild.market.push(entry, from: "bob", to: reader)
                guild.market.settle()
            }
        }
        // Whoever read all anew asks others again how far its own logs go.
        for _ in 0..<2 {
            guild.network.pass(milliseconds: 10_000)
            guild.network.tick()
            guild.market.settle()
        }
        return run
    }

    private static func guild() throws -> AllianceTests.Guild {
        var guild = try AllianceTests.Guild(["alice", "bob", "carol", "dave", "eve"], .invitation)
        for name in ["bob", "carol"] {
            try guild.join(name)
            try guild.admit(name)
        }
        for number in 1...4 { try guild.declare("bob", "print/number\(number)") }
        return guild
    }

    @Test func `who was expelled lets nobody in by parting his log below`() throws {
        var guild = try Self.guild()
        try guild.expel("bob")
        _ = try Self.partAndCut(
            &guild, at: 3, [(.admit, Admit(member: guild.market.did("dave")).wire)])
        for reader in ["alice", "carol"] {
            #expect(guild.standing(of: "dave", at: reader) == .outsider, "\(reader)")
        }
        for name in ["alice", "carol"] { guild.market.restart(name) }
        for reader in ["alice", "carol"] {
            #expect(guild.standing(of: "dave", at: reader) == .outsider, "\(reader)")
        }
    }

    @Test func `who was expelled where his log went on is not let back by parting it further down`()
        throws
    {
        var guild = try Self.guild()
        // A restore, as it seems: his log parts, he cuts it and goes on.
        let first = try Self.partAndCut(&guild, at: 4, [(.profile, Profile(name: "bob").wire)])
        #expect(guild.network["alice"].chains.head(try #require(first[0].header.log?.log)) == 2)
        try guild.expel("bob")
        _ = try Self.partAndCut(
            &guild, at: 3, [(.admit, Admit(member: guild.market.did("dave")).wire)])
        for name in ["alice", "carol"] { guild.market.restart(name) }
        for reader in ["alice", "carol"] {
            #expect(guild.standing(of: "dave", at: reader) == .outsider, "\(reader)")
        }
    }
}

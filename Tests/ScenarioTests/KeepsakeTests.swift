import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// What others may do to the snapshots by which a lost home comes back.
@Suite struct KeepsakeTests {
    /// Bob's snapshot as alice keeps it.
    private static func snapshot(_ market: Market) throws -> Keepsake {
        let kept = try #require(
            market.network.stores["alice"]?.keepsakes[market.did("bob")])
        let secret = try #require(market.network.recoveryCode("bob")).nodeSecret
        let key = HMAC256.authenticate(
            Array("talea.keepsakekey.v1".utf8), key: secret.exposed)
        return try #require(
            Keepsake.Opened(
                opening: kept, of: market.did("bob"), key: SecretBytes(key.bytes))
        ).keepsake
    }

    /// Contracts of which the snapshot holds key and proposal.
    private static func contracts(_ keepsake: Keepsake) -> Set<ContractID> {
        Set(
            keepsake.contracts.compactMap { contract in
                let proposal = try? contract.statements.first?.read(Proposal.self)
                let id = ContractKey(contract.key)?.contract
                return proposal?.contract == id ? id : nil
            })
    }

    /// Bob's line, and options on it that alice has.
    private static func market(_ count: Int) throws -> (Market, LineTerms, Set<ContractID>) {
        var market = try Market(
            names: ["alice", "bob", "judge", "mallory", "sybil"], only: "capacity-option")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        var ids: Set<ContractID> = []
        for _ in 0..<count {
            ids.insert(
                try market.agree(
                    "alice", "capacity-option",
                    AttackTests.draft(market, line, units: 10).arguments,
                    roles: ["issuer": "bob", "holder": "alice", "arbiter": "judge"],
                    lines: [line]))
        }
        return (market, line, ids)
    }

    @Test func `whoever proposes without end leaves in our snapshot what we have signed`() throws {
        var (market, line, ids) = try Self.market(6)
        var draft = try AttackTests.draft(market, line, units: 10)
        draft.roles["holder"] = [market.did("mallory")]
        for _ in 0..<200 {
            try market.network.command("mallory") { _ = try $0.propose(draft) }
            market.settle()
        }
        #expect(market.network["bob"].contracts.count == 206)
        LostHomeTests.idle(&market)
        let found = Self.contracts(try Self.snapshot(market))
        #expect(found.count < 206)
        #expect(ids.isSubset(of: found))
    }

    @Test func `a partner who asks for much in one contract leaves the others in our snapshot`()
        throws
    {
        var (market, _, ids) = try Self.market(4)
        let paper = try market.declare("mallory", "paper", 100)
        let large = try market.agree(
            "bob", "capacity-option", AttackTests.draft(market, paper, units: 10).arguments,
            roles: ["issuer": "mallory", "holder": "bob", "arbiter": "judge"], lines: [paper])
        for _ in 0..<40 {
            let asked = try market.request(
                by: "mallory", "pay_state",
                [
                    "channel": .text("bank"),
                    "reference": .text(String(repeating: "x", count: 8_000)),
                ], in: large)
            market.network.inject(asked, from: "mallory", to: "bob")
            market.network.pass(milliseconds: 1)
        }
        #expect(try market.held("bob", large).requests.count > 20)
        LostHomeTests.idle(&market)
        #expect(ids.union([large]).isSubset(of: Self.contracts(try Self.snapshot(market))))
    }

    @Test func `nobody's snapshots are kept because somebody named him in what we did not sign`()
        throws
    {
        var (market, line, _) = try Self.market(0)
        var draft = try AttackTests.draft(market, line, units: 10)
        draft.roles["holder"] = [market.did("mallory")]
        draft.roles["arbiter"] = [market.did("sybil")]
        let id = try market.network.command("mallory") { try $0.propose(draft) }
        market.settle()
        let large = Message.keep([UInt8](repeating: 7, count: 200 * 1024)).frame
        func kept(_ name: String) -> Bool {
            market.network.inject(large, from: name, to: "bob")
            return market.network.stores["bob"]?.keepsakes[market.did(name)] != nil
        }
        #expect(!kept("sybil"))
        // Who proposed has bound himself, and may have to find it again.
        #expect(kept("mallory"))
        try market.network.command("bob") { try $0.accept(id) }
        market.settle()
        #expect(kept("sybil"))
    }
}

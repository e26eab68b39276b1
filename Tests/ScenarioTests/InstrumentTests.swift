import Capacity
import Contracts
import Entries
import Identity
import NodeCore
import Simulation
import Testing

/// What the first five templates did not have, through whole nodes: a contract without a line, a party
/// who holds units of a grant that another signed for.
@Suite struct InstrumentTests {
    static let evidence = Value.hash(SHA256.hash([1]))

    @Test func `a cover moves money alone`() throws {
        var market = try Market("zhijian", "insurer", "oracle", "zhongcai", only: "presale-cover")
        let id = try market.agree(
            "zhijian", "presale-cover",
            ["covered": Market.money(4_964_000), "ends": .instant(market.at(days: 60))],
            roles: [
                "insured": "zhijian", "insurer": "insurer", "oracle": "oracle",
                "arbiter": "zhongcai",
            ], lines: [])
        try market.pay("zhijian", "insurer", id)
        try market.act("zhijian", id, "report_swing", ["evidence": Self.evidence])
        let loss = try market.record("oracle", id, "loss", "reported_swing")
        try market.act(
            "oracle", id, "measure", record: loss,
            ["before": Market.money(8000), "now": Market.money(9700), "evidence": Self.evidence])
        try market.act("insurer", id, "admit", record: loss)
        try market.pay("insurer", "zhijian", id, record: loss)
        #expect(try market.record("zhijian", id, "loss", "paid") == loss)
        #expect(try market.digests(id, "zhijian", "insurer", "oracle", "zhongcai").count == 1)
    }

    @Test func `a joint purchase delivers to each`() throws {
        var market = try Market(
            "zhijian", "shouzuo", "jike", "wenchuang", "zhongcai", only: "joint-purchase")
        let line = try market.declare("jike", "sticker/set", 100)
        let id = try market.agree(
            "zhijian", "joint-purchase",
            [
                "units": Market.units(100), "portions": .list([.integer(2), .integer(1)]),
                "threshold": Market.units(100), "price": Market.money(800),
                "freight": Market.money(10_000), "remedy": Market.money(100),
                "deposit_by": .instant(market.at(days: 10)),
                "deliver_by": .instant(market.at(days: 40)),
            ],
            roles: [
                "lead": "zhijian", "members": "shouzuo", "supplier": "jike",
                "custodian": "wenchuang", "arbiter": "zhongcai",
            ], lines: [line])
        try market.act("jike", id, "bill")
        try market.act("shouzuo", id, "bill")
        for (name, record) in [("zhijian", 2), ("shouzuo", 3)] as [(String, Int64)] {
            try market.pay(name, "wenchuang", id, record: record)
        }
        try market.act("wenchuang", id, "decide")
        for (name, record) in [("zhijian", 2), ("shouzuo", 3)] as [(String, Int64)] {
            try market.act("jike", id, "deliver", record: record, ["evidence": Self.evidence])
            try market.act(name, id, "accept", record: record)
            try market.pay("wenchuang", "jike", id, record: record)
        }
        for name in market.names {
            #expect(try market.held(name, id).grade == .settled, "\(name)")
            #expect(try market.held(name, id).outcome == .fulfilled, "\(name)")
        }
        #expect(try market.digests(id, "zhijian", "shouzuo", "jike", "wenchuang").count == 1)
    }

    /// Two holders, each of whom wants the other's option.
    private struct Swap {
        var market: Market
        let hers: ContractID
        let his: ContractID
        let secret = SHA256.hash([7])

        init() throws {
            market = try Market(
                "alice", "bob", "carol", "dave", "judge", only: "capacity-option")
            let notebooks = try market.declare("bob", "print/notebook/a5", 100)
            let cakes = try market.declare("dave", "bake/cake", 100)
            func option(
                _ holder: String, _ issuer: String, _ line: LineTerms, _ market: inout Market
            ) throws -> ContractID {
                let id = try market.agree(
                    holder, "capacity-option",
                    [
                        "units": Market.units(50), "premium": Market.money(50_000),
                        "strike": Market.money(1_800), "remedy": Market.money(900),
                        "expiry": .instant(market.at(days: 40)),
                        "deliver_by": .instant(market.at(days: 60)),
                    ], roles: ["issuer": issuer, "holder": holder, "arbiter": "judge"],
                    lines: [line])
                try market.pay(holder, issuer, id)
                return id
            }
            hers = try option("alice", "bob", notebooks, &market)
            his = try option("carol", "dave", cakes, &market)
        }

        mutating func exchange(
            _ holder: String, _ contract: ContractID, _ newcomer: String, days: Int64
        ) throws -> ContractID {
            let asked = try market.act(
                holder, contract, "exchange",
                [
                    "n": Market.units(50), "newcomer": .identity(market.did(newcomer)),
                    "secret_hash": .hash(SHA256.hash(secret.bytes)),
                    "within": .integer(days * 86_400_000),
                ])
            guard case .transferProposed(let child) = asked else {
                throw NodeRefusal.contractUnknown("\(asked)")
            }
            try market.network.command(newcomer) { try $0.accept(child) }
            market.settle()
            return child
        }

        mutating func exercise(_ name: String, _ child: ContractID) throws {
            #expect(try market.state(name, child).record(1)?.state == "open")
            try market.act(name, child, "exercise", ["n": Market.units(50)])
        }
    }

    @Test func `two options change hands by one secret`() throws {
        var swap = try Swap()
        let toCarol = try swap.exchange("alice", swap.hers, "carol", days: 3)
        let toAlice = try swap.exchange("carol", swap.his, "alice", days: 1)
        #expect(throws: NodeRefusal.self) {
            try swap.market.act("carol", toCarol, "claim", ["secret": .hash(.zero)])
        }
        try swap.market.act("alice", toAlice, "claim", ["secret": .hash(swap.secret)])
        // What she claimed with stands in a log that he reads.
        let fold = try #require(try swap.market.held("carol", toAlice).fold)
        let told = try #require(fold.steps.last?.act.arguments.first { $0.name == "secret" })
        try swap.market.act("carol", toCarol, "claim", ["secret": told.value])
        try swap.exercise("alice", toAlice)
        try swap.exercise("carol", toCarol)
    }

    @Test func `where nobody claims, both have their options back`() throws {
        var swap = try Swap()
        let toCarol = try swap.exchange("alice", swap.hers, "carol", days: 3)
        let toAlice = try swap.exchange("carol", swap.his, "alice", days: 1)
        // Until then neither the one nor the other may use it.
        for name in ["alice", "carol"] {
            #expect(throws: NodeRefusal.self) {
                try swap.market.act(name, toCarol, "exercise", ["n": Market.units(50)])
            }
        }
        swap.market.network.pass(milliseconds: 5 * 86_400_000)
        swap.market.settle()
        for (owner, child) in [("alice", toCarol), ("carol", toAlice)] {
            if try swap.market.state(owner, child).record(1)?.state == "locked" {
                try swap.market.act(owner, child, "give_back")
            }
            try swap.exercise(owner, child)
        }
        #expect(throws: NodeRefusal.self) {
            try swap.market.act("alice", toAlice, "claim", ["secret": .hash(swap.secret)])
        }
    }
}

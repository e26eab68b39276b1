import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// The journal story of eight studios, as `scripts/demo` plays it with processes, here in memory.
@Suite struct StoryTests {
    static let names = [
        "zhijian", "dongguan", "jike", "zhebi", "weicai", "shouzuo", "wenchuang", "zhongcai",
    ]

    static func market() throws -> Market {
        try Market(
            names[0], names[1], names[2], names[3], names[4], names[5], names[6], names[7])
    }

    static let evidence: Value = .hash(SHA256.hash(Array("a photo".utf8)))

    @Test func `a call on ink is bought, exercised in full, delivered and paid`() throws {
        var market = try Self.market()
        let line = try market.declare("weicai", "ink/special", 100)
        let id = try Self.inkCall(&market, line)
        #expect(try market.held("zhijian", id).grade == .settled)
        let notes = try market.state("zhijian", id).notes(.en).joined(separator: " ")
        #expect(notes.contains("1,200.00") || notes.contains("1200.00"), "\(notes)")
        #expect(notes.contains("207.20"), "\(notes)")
        try Self.check(market, ["zhijian": 899_280, "weicai": -899_280])
    }

    @Test func `production is paid by milestones out of a deposit`() throws {
        var market = try Self.market()
        let line = try market.declare("dongguan", "print/journal-set", 1_000)
        let id = try Self.production(&market, line)
        #expect(try market.held("dongguan", id).grade == .settled)
        #expect(try market.held("dongguan", id).outcome == .fulfilled)
        try Self.check(
            market, ["zhijian": 2_000_000, "dongguan": -2_000_000, "wenchuang": 0])
    }

    @Test func `demand below the minimum falls back to batches before any money moved`() throws {
        var market = try Self.market()
        let line = try market.declare("zhebi", "pen", 100)
        let id = try Self.batches(&market, line)
        #expect(try market.held("zhijian", id).grade == .settled)
        #expect(market.network["zhijian"].lines.values.first?.line.remaining == 24)
        try Self.check(market, ["zhijian": 114_000, "zhebi": -114_000, "wenchuang": 0])
    }

    @Test func `an oversold tier is drawn from a partner's supplier and the agreement closed`()
        throws
    {
        var market = try Self.market()
        let line = try market.declare("jike", "sticker/set", 50)
        let id = try Self.assistance(&market, line)
        #expect(try market.held("jike", id).grade == .settled)
        #expect(try market.held("jike", id).outcome == .fulfilled)
        try Self.check(market, ["zhijian": 25_600, "shouzuo": -6_400, "jike": -19_200])
    }

    @Test func `two capacities are swapped and the difference paid`() throws {
        var market = try Self.market()
        let left = try market.declare("zhijian", "engraving/pen", 50)
        let right = try market.declare("shouzuo", "packaging", 80)
        let id = try Self.swap(&market, left, right)
        #expect(try market.held("shouzuo", id).grade == .settled)
        try Self.check(market, ["zhijian": 12_000, "shouzuo": -12_000])
    }

    @Test func `a first payment above 40 % is refused by the proposer's own node`() throws {
        var market = try Self.market()
        let line = try market.declare("dongguan", "print/journal-set", 1_000)
        #expect(throws: NodeRefusal.self) {
            _ = try Self.production(
                &market, line,
                schedule: [800_001, 399_999, 400_000, 400_000])
        }
        #expect(market.network["zhijian"].contracts.isEmpty)
    }

    // MARK: - The parts of the story

    static func inkCall(_ market: inout Market, _ line: LineTerms) throws -> ContractID {
        let id = try market.agree(
            "zhijian", "material-call",
            [
                "units": Market.units(100), "premium": Market.money(99_280),
                "strike": Market.money(8_000), "market": Market.money(9_200),
                "remedy": Market.money(1_200), "expiry": .instant(market.at(days: 40)),
                "deliver_by": .instant(market.at(days: 60)),
            ], roles: ["issuer": "weicai", "holder": "zhijian", "arbiter": "zhongcai"],
            lines: [line])
        try market.pay("zhijian", "weicai", id)
        try market.act("zhijian", id, "exercise", ["n": Market.units(100)])
        try market.act(
            "weicai", id, "deliver", record: market.record("weicai", id, "exercise", "open"),
            ["n": Market.units(100), "evidence": evidence])
        let delivery = try market.record("zhijian", id, "delivery", "stated")
        try market.act("zhijian", id, "accept", record: delivery)
        try market.pay("zhijian", "weicai", id, record: delivery)
        return id
    }

    static func production(
        _ market: inout Market, _ line: LineTerms,
        schedule: [Int64] = [600_000, 350_000, 350_000, 350_000, 350_000]
    ) throws -> ContractID {
        let dates = (1..<schedule.count).map { Value.instant(market.at(days: 30 + Int64($0))) }
        let id = try market.agree(
            "zhijian", "milestone-production",
            [
                "units": Market.units(1_000), "minimum": Market.units(100),
                "total": Market.money(2_000_000),
                "schedule": .list(schedule.map(Market.money)), "dates": .list(dates),
                "demand_by": .instant(market.at(days: 5)), "batch_max": Market.units(20),
                "batch_price": Market.money(2_500), "batches_end": .instant(market.at(days: 20)),
            ],
            roles: [
                "buyer": "zhijian", "maker": "dongguan", "custodian": "wenchuang",
                "arbiter": "zhongcai",
            ], lines: [line])
        try market.act("zhijian", id, "order", ["n": Market.units(1_000)])
        try market.pay("zhijian", "wenchuang", id)
        try market.pay(
            "wenchuang", "dongguan", id,
            record: market.record("dongguan", id, "tranche", "out"))
        for _ in 1..<schedule.count {
            try market.act("dongguan", id, "milestone", ["evidence": evidence])
            let tranche = try market.record("zhijian", id, "tranche", "stated")
            try market.act("zhijian", id, "confirm", record: tranche)
            try market.pay("wenchuang", "dongguan", id, record: tranche)
        }
        return id
    }

    static func batches(_ market: inout Market, _ line: LineTerms) throws -> ContractID {
        let id = try market.agree(
            "zhijian", "milestone-production",
            [
                "units": Market.units(100), "minimum": Market.units(100),
                "total": Market.money(120_000), "demand_by": .instant(market.at(days: 5)),
                "dates": .list((1...4).map { .instant(market.at(days: 30 + $0)) }),
                "batch_max": Market.units(20), "batch_price": Market.money(1_500),
                "batches_end": .instant(market.at(days: 20)),
            ],
            roles: [
                "buyer": "zhijian", "maker": "zhebi", "custodian": "wenchuang",
                "arbiter": "zhongcai",
            ], lines: [line])
        try market.act("zhijian", id, "fall_back", ["n": Market.units(76)])
        for units: Int64 in [20, 20, 20, 16] {
            try market.act("zhijian", id, "call", ["n": Market.units(units)])
            let batch = try market.record("zhebi", id, "batch", "called")
            try market.act("zhebi", id, "deliver", record: batch, ["evidence": evidence])
            try market.act("zhijian", id, "accept", record: batch)
            try market.pay("zhijian", "zhebi", id, record: batch)
        }
        return id
    }

    static func assistance(_ market: inout Market, _ line: LineTerms) throws -> ContractID {
        let id = try market.agree(
            "zhijian", "mutual-assistance",
            [
                "trigger": Market.units(100), "cap": Market.units(50),
                "cap_call": Market.units(50), "cap_month": Market.units(50),
                "price": Market.money(600),
                "fee": Market.money(200), "remedy": Market.money(5_000),
                "ends": .instant(market.at(days: 90)),
            ],
            roles: [
                "user": "zhijian", "partner": "shouzuo", "supplier": "jike",
                "arbiter": "zhongcai",
            ], lines: [line])
        try market.act(
            "zhijian", id, "draw", ["sold": Market.units(132), "n": Market.units(32)])
        let draw = try market.record("jike", id, "draw", "asked")
        try market.act("jike", id, "promise", record: draw)
        try market.act("jike", id, "deliver", record: draw, ["evidence": evidence])
        try market.act("zhijian", id, "accept", record: draw)
        try market.pay("zhijian", "jike", id, record: draw)
        try market.pay(
            "zhijian", "shouzuo", id,
            record: market.record("zhijian", id, "coordination", "fee_due"))
        guard case .requested(let close) = try market.act("zhijian", id, "close") else {
            Issue.record("closing was not asked for")
            return id
        }
        for name in ["shouzuo", "jike"] {
            try market.network.command(name) { try $0.accept(id, request: close) }
            market.network.settle()
        }
        return id
    }

    static func swap(_ market: inout Market, _ left: LineTerms, _ right: LineTerms) throws
        -> ContractID
    {
        let id = try market.agree(
            "zhijian", "capacity-swap",
            [
                "left_units": Market.units(50), "left_price": Market.money(1_200),
                "right_units": Market.units(80), "right_price": Market.money(900),
                "deliver_by": .instant(market.at(days: 30)),
            ], roles: ["left": "zhijian", "right": "shouzuo", "arbiter": "zhongcai"],
            lines: [left, right])
        try market.act(
            "zhijian", id, "deliver_left", ["n": Market.units(50), "evidence": evidence])
        try market.act(
            "shouzuo", id, "accept_left",
            record: market.record("shouzuo", id, "left_leg", "stated"))
        try market.act(
            "shouzuo", id, "deliver_right", ["n": Market.units(80), "evidence": evidence])
        try market.act(
            "zhijian", id, "accept_right",
            record: market.record("zhijian", id, "right_leg", "stated"))
        if try market.state("zhijian", id).record(1)?.stateName == "open" {
            try market.act("zhijian", id, "finish")
        }
        try market.pay("zhijian", "shouzuo", id)
        return id
    }

    /// Net paid by each in fen, equal digests, nothing pending, nothing left to deliver.
    static func check(_ market: Market, _ paid: [String: Int64]) throws {
        for (name, minor) in paid {
            let net = market.network[name].ledger.netPaid(by: market.did(name)).first?.minor ?? 0
            #expect(net == Int128(minor), "\(name)")
        }
        for name in names {
            let node = market.network[name]
            #expect(node.ledgerFault == nil)
            #expect(node.outbox.isEmpty, "\(name) still has \(node.outbox.count) to deliver")
            #expect(node.ledger.imbalance().isEmpty)
            let open = node.ledger.positions(of: node.own.did).filter {
                $0.kind == .due || $0.kind == .reserved || $0.kind == .escrow
            }
            #expect(open.isEmpty, "\(name): \(open)")
            for contract in node.contracts.values {
                let digests = try Set(
                    contract.proposal.participants.compactMap { did in
                        try names.first { market.did($0) == did }.map {
                            try market.state($0, contract.id).digest()
                        }
                    })
                #expect(digests.count == 1)
            }
        }
    }
}

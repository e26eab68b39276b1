import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

/// The walkthrough's trade: 100 bought, 40 passed on, all exercised, delivered and paid.
@Suite struct OptionTests {
    static func option(
        _ market: inout Market, _ line: LineTerms, witnesses: [String] = [], threshold: Int64 = 0
    ) throws -> ContractID {
        try market.agree(
            "alice", "capacity-option",
            [
                "style": .text("american"), "units": Market.units(100), "lot": Market.units(10),
                "premium": Market.money(50_000), "strike": Market.money(1_800),
                "remedy": Market.money(900), "expiry": .instant(market.at(days: 40)),
                "deliver_by": .instant(market.at(days: 60)),
            ], roles: ["issuer": "bob", "holder": "alice", "arbiter": "judge"], lines: [line],
            witnesses: witnesses, threshold: threshold)
    }

    @Test func `an option is bought, passed on in part, exercised, delivered and paid`() throws {
        var market = try Market("alice", "bob", "carol", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let parent = try Self.option(&market, line)
        #expect(try market.held("alice", parent).grade == .sequenced)
        #expect(try market.held("judge", parent).grade == .sequenced)
        try market.pay("alice", "bob", parent)

        let asked = try market.act(
            "alice", parent, "transfer",
            [
                "n": Market.units(40), "newcomer": .identity(market.did("carol")),
                "asking": Market.money(24_000),
            ])
        guard case .transferProposed(let child) = asked else {
            Issue.record("no child: \(asked)")
            return
        }
        try market.network.command("carol") { try $0.accept(child) }
        market.network.settle()
        #expect(try market.held("carol", child).grade == .sequenced)
        try market.pay("carol", "alice", child)

        for (name, contract, units) in [("alice", parent, 60), ("carol", child, 40)] {
            try market.act(name, contract, "exercise", ["n": Market.units(Int64(units))])
            let exercise = try market.record("bob", contract, "exercise", "open")
            try market.act(
                "bob", contract, "deliver", record: exercise,
                ["n": Market.units(Int64(units)), "evidence": .hash(SHA256.hash([1]))])
            let delivery = try market.record(name, contract, "delivery", "stated")
            try market.act(name, contract, "accept", record: delivery)
            try market.pay(name, "bob", contract, record: delivery)
        }
        for contract in [parent, child] {
            #expect(try market.held("bob", contract).grade == .settled)
            #expect(try market.held("bob", contract).outcome == .fulfilled)
        }
        #expect(try market.digests(parent, "alice", "bob", "judge").count == 1)
        #expect(try market.digests(child, "alice", "bob", "carol", "judge").count == 1)
        let paid = ["alice", "bob", "carol"].map {
            market.network[$0].ledger.netPaid(by: market.did($0)).first?.minor
        }
        #expect(paid == [134_000, -230_000, 96_000])
        for name in ["alice", "bob", "carol", "judge"] {
            #expect(market.network[name].ledgerFault == nil)
            #expect(market.network[name].outbox.isEmpty, "\(name)")
        }
    }

    @Test func `units of a lapsed option go back to the line once their time is over`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let option = try Self.option(&market, line)
        let log = LogID.line(author: market.did("bob"), line)
        market.network.pass(milliseconds: 9 * 86_400_000)
        try market.act("bob", option, "pay_unpaid")
        #expect(try market.held("alice", option).outcome == .lapsed)
        market.network.tick()
        #expect(market.network["bob"].lines[log]?.line.remaining == 200)
        market.network.pass(milliseconds: 60 * 86_400_000)
        market.network.tick()
        market.network.tick()
        market.network.settle()
        for name in ["alice", "bob", "judge"] {
            #expect(market.network[name].lines[log]?.line.remaining == 300, "\(name)")
        }
    }

    @Test func `a certificate that names another's identity with its own key is turned away`()
        throws
    {
        let market = try Market("alice", "bob", "judge")
        let eve = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: 9, count: 32))))
        let alice = market.did("alice")
        var bob = market.network["bob"]
        for keyEntry in [EntryID.zero, try #require(bob.keyLogs.inForce(alice)?.id)] {
            bob.begin(at: market.network.now, seed: .zero)
            bob.connected(
                PeerID(99), did: alice, keyEntry: keyEntry, key: eve.publicKey, initiated: false)
            // A key entry that is news may still come; until then nothing else is heard.
            if keyEntry == .zero {
                let hello = Message.Hello(
                    versions: [ReplicationLimit.wireVersion], nonce: .zero, time: 1, agent: "")
                bob.received(Message.hello(hello).frame, from: PeerID(99))
                #expect(
                    bob.takeDirectives().contains { if case .send = $0 { true } else { false } })
                bob.received(Message.topics([]).frame, from: PeerID(99))
            }
            let closes = bob.takeDirectives().contains {
                if case .close(PeerID(99), _) = $0 { true } else { false }
            }
            #expect(closes)
            bob.disconnected(PeerID(99))
        }
    }

    @Test func `units granted for a contract that never began go back once their time is over`()
        throws
    {
        var market = try Market(names: ["buyer", "maker", "keeper", "judge"])
        let line = try market.declare("maker", "print/notebook/a5", 1_000)
        let hash = try market.template("milestone-production").hash
        let draft = Node.ProposalDraft(
            template: hash, currency: Market.cny,
            arguments: [
                "units": Market.units(1_000), "minimum": Market.units(100),
                "total": Market.money(2_000_000),
                "dates": .list((1...4).map { .instant(market.at(days: 30 + $0)) }),
                "demand_by": .instant(market.at(days: 5)), "batch_max": Market.units(20),
                "batch_price": Market.money(2_500), "batches_end": .instant(market.at(days: 20)),
            ],
            roles: [
                "buyer": [market.did("buyer")], "maker": [market.did("maker")],
                "custodian": [market.did("keeper")], "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
        let id = try market.network.command("buyer") { try $0.propose(draft) }
        market.settle()
        for name in ["keeper", "judge", "maker"] {
            if name == "maker" { market.network.stop("keeper") }
            try market.network.command(name) { try $0.accept(id) }
            if name != "maker" { market.settle() }
        }
        market.settle()
        let log = LogID.line(author: market.did("maker"), line)
        #expect(market.network["maker"].lines[log]?.line.remaining == 0)
        #expect(try market.held("maker", id).grade == .agreed)
        WitnessTests.pass(&market, days: 200)
        for _ in 0..<3 { WitnessTests.pass(&market, days: 1) }
        #expect(market.network["maker"].lines[log]?.line.remaining == 1_000)
    }

    @Test func `what was given up of a claim, and nobody answered, is not given up twice`() throws {
        var market = try Market("alice", "bob", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try Self.option(&market, line)
        try market.pay("alice", "bob", id)
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        market.network.pass(milliseconds: 64 * 86_400_000)
        try market.act("alice", id, "fail", record: market.record("alice", id, "exercise", "open"))
        let claim = try #require(try market.state("alice", id).claims.first)
        #expect(claim.open == 90_000)
        func open() throws -> [Int64] { try market.state("alice", id).claims.map(\.open) }
        let part = Act(
            transition: "discharge", record: claim.record,
            arguments: [
                "step": .integer(claim.cause.step), "index": .integer(claim.cause.index),
                "amount": Market.money(30_000),
            ])
        // bob, who sequences, is off; she hears nothing, and types it again.
        market.network.stop("bob")
        let asked = try market.network.command("alice") { try $0.act(part, in: id) }
        guard case .requested(let request) = asked else {
            Issue.record("\(asked)")
            return
        }
        let refusal = #expect(throws: NodeRefusal.self) {
            _ = try market.network.command("alice") { try $0.act(part, in: id) }
        }
        guard case .alreadyAsked(request)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        market.back("bob")
        #expect(try open() == [60_000])
        // Answered, the same may be asked for once more.
        try market.act("alice", id, "discharge", record: claim.record, part.arguments)
        #expect(try open() == [30_000])
    }

    @Test func `what was passed on, and nobody answered, is not passed on twice`() throws {
        var market = try Market("alice", "bob", "carol", "judge")
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let id = try Self.option(&market, line)
        try market.pay("alice", "bob", id)
        let secret = SHA256.hash([1])
        let away = Act(
            transition: "exchange", record: 1,
            arguments: [
                "n": Market.units(40), "newcomer": .identity(market.did("carol")),
                "secret_hash": .hash(SHA256.hash(secret.bytes)), "within": .integer(86_400_000),
            ])
        func exchange() throws -> ContractID {
            let asked = try market.network.command("alice") { try $0.act(away, in: id) }
            guard case .transferProposed(let child) = asked else {
                throw NodeRefusal.contractUnknown("\(asked)")
            }
            return child
        }
        func isAsked() -> Bool {
            do {
                _ = try exchange()
                return false
            } catch NodeRefusal.alreadyAsked { return true } catch { return false }
        }
        let first = try exchange()
        market.settle()
        // carol waits; alice thinks that nothing came of it. One secret would claim both.
        #expect(isAsked())
        try market.network.command("carol") { try $0.decline(first) }
        market.settle()
        let second = try exchange()
        // bob, who sequences, is off: her request waits for him.
        market.settle()
        market.network.stop("bob")
        try market.network.command("carol") { try $0.accept(second) }
        market.settle()
        #expect(isAsked())
        market.back("bob")
        #expect(try market.held("carol", second).grade == .sequenced)
        #expect(try market.state("alice", id).records.first?.holds.first?.amount == 60)
        // Answered, the same may be asked for once more.
        #expect(!isAsked())
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// A contract taken out of one node and folded again by a node of nobody.
@Suite struct BundleTests {
    /// Markets in which contracts came to different ends.
    static let plays: [(name: String, play: @Sendable () throws -> Market)] = [
        (
            "bought, passed on and paid under a changed key",
            {
                var story = try OptionStory()
                try story.play(..<7)
                let code = try #require(story.market.network.recoveryCode("bob"))
                try story.market.network.command("bob") { try $0.rotate(with: code, reason: "") }
                story.market.settle()
                for next in OptionStory.commands[7...] { try next(&story) }
                return story.market
            }
        ),
        (
            "production",
            {
                var market = try StoryTests.market()
                let line = try market.declare("dongguan", "print/journal-set", 1_000)
                _ = try StoryTests.production(&market, line)
                return market
            }
        ),
        (
            "taken over",
            {
                var (market, id) = try witnessed()
                market.network.stop("bob")
                try market.act("alice", id, "exercise", ["n": Market.units(100)])
                WitnessTests.pass(&market, days: 3)
                try market.network.command("judge") { try $0.takeOver(id) }
                market.network.settle()
                WitnessTests.pass(&market, days: 0)
                #expect(try market.held("alice", id).fold?.epoch == 1)
                market.back("bob")
                WitnessTests.pass(&market, days: 0)
                return market
            }
        ),
        (
            "settled below a fork",
            {
                var (market, id) = try SettlementTests.forked()
                try SettlementTests.settle(
                    &market, id, SettlementPlan(without: market.did("bob")), by: "alice", "judge")
                #expect(try market.held("bob", id).grade == .settled)
                return market
            }
        ),
        ("forked", { try SettlementTests.forked().0 }),
        (
            "declined",
            {
                var (market, id) = try WitnessTests.option(
                    witnesses: ["wei"], threshold: 1, standing: false)
                try market.network.command("bob") { try $0.decline(id, text: "no") }
                market.settle()
                #expect(try market.held("alice", id).outcome == .declined)
                return market
            }
        ),
    ]

    static func witnessed() throws -> (Market, ContractID) {
        var (market, id) = try WitnessTests.option(
            witnesses: ["wei", "xin", "yan"], threshold: 2)
        try market.pay("alice", "bob", id)
        return (market, id)
    }

    @Test(arguments: plays.indices)
    func `every participant's copy alone tells the same as its node`(_ index: Int) throws {
        let (play, market) = (Self.plays[index].name, try Self.plays[index].play())
        var count = 0
        for name in market.names {
            guard let node = market.network.nodes[name] else { continue }
            for (id, held) in node.contracts {
                let again = try Node(folding: market.bundle(name, id))
                let folded = try #require(again.contracts[id], "\(play) \(name)")
                #expect(folded.grade == held.grade, "\(play) \(name)")
                #expect(folded.outcome == held.outcome, "\(play) \(name)")
                #expect(folded.fold?.steps == held.fold?.steps, "\(play) \(name)")
                #expect(folded.fold?.halt == held.fold?.halt, "\(play) \(name)")
                #expect(folded.fold?.state.digest() == held.fold?.state.digest())
                let rows = node.ledger.rows.filter { $0.transfer.cause.contract == id }
                #expect(again.ledger.rows == rows, "\(play) \(name)")
                #expect(again.ledgerFault == nil)
                count += 1
            }
        }
        #expect(count >= 2)
    }

    @Test func `what is missing or does not belong is refused`() throws {
        var (market, id) = try Self.witnessed()
        let whole = try market.bundle("alice", id)
        let other = try OptionTests.option(
            &market, try market.declare("bob", "print/notebook/a6", 300))
        let strange = try market.bundle("alice", other)
        let log = try market.held("alice", id).log
        let rows: [(String, (inout Bundle) throws -> Void)] = [
            ("no keys", { $0.keys = [] }),
            ("another's key log is missing", { $0.keys.removeFirst() }),
            ("another contract's key", { $0.key = strange.key }),
            ("no proposal", { $0.statements.removeFirst() }),
            ("another contract's proposal", { $0.statements = strange.statements }),
            ("a stray acceptance", { $0.statements.append(strange.statements[1]) }),
            ("another template", { $0.template += Array("# \n".utf8) }),
            ("no template", { $0.template = [] }),
            ("a hole", { $0.entries.remove(at: 1) }),
            ("the first step left out", { $0.entries.removeFirst() }),
            ("a step twice", { $0.entries.insert($0.entries[0], at: 0) }),
            ("a stray log", { $0.entries += strange.entries }),
            ("a body withheld", { $0.entries[1] = $0.entries[1].withoutBody }),
        ]
        #expect(whole.entries[1].header.log?.log == log)
        _ = try Node(folding: whole)
        for (name, change) in rows {
            var bundle = whole
            try change(&bundle)
            #expect(throws: BundleRefusal.self, "\(name)") { try Node(folding: bundle) }
        }
    }

    @Test func `steps are shown one by one, and the rest stays hidden`() throws {
        let (market, id) = try Self.witnessed()
        let node = market.network["alice"]
        let held = try market.held("alice", id)
        let entries = market.entries("alice", id)
        let disclosure = try node.disclosure(of: held, steps: [2], entries: entries)
        let opened = try disclosure.opened()
        #expect(opened.map { $0.entry.header.log?.sequence } == [1, 2, 3])
        #expect(opened.map(\.isHidden) == [true, false, true])
        #expect(opened[1].act?.transition == "pay_state")
        #expect(opened[1].actor == market.did("alice"))
        #expect(opened[0].act == nil)
        #expect(throws: BundleRefusal.self) {
            try node.disclosure(of: held, steps: [9], entries: entries)
        }
        let key = held.key.bodyKey(log: held.log, sequence: 3)
        let rows: [(String, (inout Disclosure) -> Void)] = [
            ("another contract", { $0.contract = .zero }),
            ("no keys", { $0.keys = [] }),
            ("a step left out", { $0.parts.remove(at: 1) }),
            ("another step's key", { $0.parts[1].bodyKey = key }),
            ("no key", { $0.parts[1].bodyKey = nil }),
            ("no body", { $0.parts[1].entry = $0.parts[1].entry.withoutBody }),
            ("a key for what is hidden", { $0.parts[2].bodyKey = key }),
            ("another request's key", { $0.parts[1].requestKey = key }),
        ]
        for (name, change) in rows {
            var changed = disclosure
            change(&changed)
            #expect(throws: BundleRefusal.self, "\(name)") { try changed.opened() }
        }
    }
}

extension Market {
    /// What the node of `name` stored of a contract.
    func entries(_ name: String, _ id: ContractID) -> [Entry] {
        network[name].logs(of: id).flatMap { network.stores[name]?.entries(of: $0.log) ?? [] }
    }

    func bundle(_ name: String, _ id: ContractID) throws -> Bundle {
        try network[name].bundle(of: held(name, id), entries: entries(name, id))
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// Whatever people choose, in whatever order, with whatever pauses.
@Suite struct RandomMarketTests {
    static func value(_ parameter: Parameter, _ market: Market, _ noise: inout GarbageTests.Noise)
        -> Value
    {
        switch parameter.kind {
        case .quantity: Market.units([10, 20, 30, 50, 100].randomElement(using: &noise) ?? 10)
        case .money: Market.money(Int64.random(in: 0...2, using: &noise) * 700)
        case .bp: .integer([0, 3_333, 10_000].randomElement(using: &noise) ?? 0)
        case .hash: StoryTests.evidence
        case .party: .identity(market.did("carol"))
        case .int: .integer(Int64.random(in: 0...1, using: &noise))
        default: .text("x")
        }
    }

    /// One round: somebody does something that is open to him, or time goes by.
    static func round(_ market: inout Market, _ noise: inout GarbageTests.Noise) throws {
        if Int.random(in: 0..<5, using: &noise) == 0 {
            let days = Int64.random(in: 0...4, using: &noise)
            market.network.pass(milliseconds: days * 86_400_000 + 1_000)
        }
        guard let name = market.names.randomElement(using: &noise) else { return }
        let node = market.network[name]
        for (id, held) in node.contracts.sorted(by: { $0.key < $1.key })
        where held.grade == .proposed && !held.hasAccepted(node.own.did) {
            _ = try? market.network.command(name) { try $0.accept(id) }
            market.settle()
        }
        let open = node.contracts.values.filter { $0.fold?.isSequenced == true }
            .sorted { $0.id < $1.id }
        guard let held = open.randomElement(using: &noise), let state = held.fold?.state else {
            return
        }
        let choices = state.choices(
            for: node.own.did, at: market.network.now, includeDefaults: true)
        guard let choice = choices.randomElement(using: &noise) else { return }
        var act = choice.act
        for parameter in choice.arguments where act.arguments[parameter.name] == nil {
            act.arguments[parameter.name] = value(parameter, market, &noise)
        }
        let word = act
        _ = try? market.network.command(name) { try $0.act(word, in: held.id) }
        market.settle()
    }

    static func check(_ market: Market, _ seed: UInt64) throws {
        var contracts: [ContractID: Set<Hash32>] = [:]
        for name in market.names {
            let node = market.network[name]
            #expect(node.ledgerFault == nil, "seed \(seed)")
            #expect(node.ledger.imbalance().isEmpty, "seed \(seed)")
            // What is kept along the way is what one finds by looking at all.
            let anew = node.contracts.overviewAnew(node.ledger)
            #expect(node.contracts.overview == anew, "seed \(seed)")
            let partners = node.contracts.values.filter {
                !$0.isOver && $0.hasAccepted(node.own.did)
            }.flatMap { $0.proposal.participants + $0.witnesses }
            #expect(node.contracts.partners == Set(partners).subtracting([node.own.did]).sorted())
            for (id, held) in node.contracts {
                guard let fold = held.fold, fold.isSequenced else { continue }
                contracts[id, default: []].insert(fold.state.digest())
                #expect(fold.halt == nil && fold.steps.allSatisfy { $0.void == nil }, "\(seed)")
                if fold.state.isEnded {
                    #expect(fold.state.pending.isEmpty && fold.state.escrow == 0, "seed \(seed)")
                }
            }
            for line in node.lines.values {
                let granted = line.line.grants.reduce(0) { $0 + $1.units }
                #expect(line.fault == nil, "seed \(seed)")
                #expect(line.line.remaining + granted == line.line.total, "seed \(seed)")
            }
        }
        for digests in contracts.values { #expect(digests.count == 1, "seed \(seed)") }
    }

    @Test(arguments: 0..<10)
    func `two hundred random markets keep every invariant`(_ group: UInt64) throws {
        let fresh = try Market(names: OptionStory.names, only: "capacity-option")
        var settled = 0
        for seed in group * 20..<group * 20 + 20 {
            var noise = GarbageTests.Noise(state: seed)
            var market = fresh
            market.shuffles = seed % 2 == 1
            let line = try market.declare("bob", "print/notebook/a5", 300)
            // Each market has dice of its own from here on.
            for _ in 0..<seed { market.network.tick() }
            _ = try OptionTests.option(&market, line)
            for _ in 0..<30 { try Self.round(&market, &noise) }
            market.network.tick()
            market.settle()
            try Self.check(market, seed)
            settled += market.network["bob"].contracts.values.count { $0.grade == .settled }
        }
        #expect(settled > 0)
    }
}

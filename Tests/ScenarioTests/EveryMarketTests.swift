import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// Every template played by whole nodes with real signatures: people choose by chance, two at once now and
/// then; nodes go away and come back; entries arrive in any order. In the end all is healed.
@Suite struct EveryMarketTests {
    /// Plays of each template. Debug builds sign and verify too slowly for all of them.
    static let plays: UInt64 = {
        let asked = ProcessInfo.processInfo.environment["TALEA_MARKETS"].flatMap { UInt64($0) }
        #if DEBUG
            return asked ?? 8
        #else
            return asked ?? 100
        #endif
    }()

    static let names = ["alice", "bob", "carol", "dave", "judge"]

    /// The worked example, near enough, and who plays whom; capacity is bob's, and of a second line alice's.
    static func example(_ template: String, _ market: Market) -> (
        arguments: [String: Value], roles: [String: String]
    ) {
        func day(_ number: Int64) -> Value { .instant(market.at(days: number + 1)) }
        func list(_ numbers: [Int64]) -> Value { .list(numbers.map { .integer($0) }) }
        let (units, money) = (Market.units, Market.money)
        switch template {
        case "capacity-option":
            return (
                [
                    "units": units(100), "lot": units(10), "premium": money(50_000),
                    "strike": money(1_800), "remedy": money(900), "expiry": day(30),
                    "deliver_by": day(60),
                ], ["issuer": "bob", "holder": "alice"]
            )
        case "capacity-swap":
            return (
                [
                    "left_units": units(50), "left_price": money(1_200),
                    "right_units": units(100), "right_price": money(900), "deliver_by": day(30),
                ], ["left": "bob", "right": "alice"]
            )
        case "flexible-volume":
            return (
                [
                    "forecast": units(100), "call_max": units(50), "price": money(2_000),
                    "remedy": money(300), "ends": day(60),
                ], ["supplier": "bob", "buyer": "alice"]
            )
        case "idle-slots":
            return (
                [
                    "units": units(100), "lot_min": units(10), "price": money(600),
                    "remedy": money(100), "ends": day(60),
                ], ["host": "bob", "guest": "alice"]
            )
        case "joint-purchase":
            return (
                [
                    "units": units(100), "portions": list([2, 1]), "threshold": units(60),
                    "price": money(800), "freight": money(10_000), "remedy": money(100),
                    "deposit_by": day(10), "deliver_by": day(40),
                ], ["lead": "alice", "members": "carol", "supplier": "bob", "custodian": "dave"]
            )
        case "material-call", "material-put":
            return (
                [
                    "units": units(100), "premium": money(99_280), "strike": money(8_000),
                    "market": money(9_200), "remedy": money(1_000), "expiry": day(30),
                    "deliver_by": day(60),
                ],
                template == "material-call"
                    ? ["issuer": "bob", "holder": "alice"] : ["seller": "bob", "buyer": "alice"]
            )
        case "milestone-production":
            return (
                [
                    "units": units(100), "minimum": units(50), "total": money(2_000_000),
                    "schedule": list([4_000, 3_000, 3_000]), "dates": .list([day(30), day(40)]),
                    "demand_by": day(8), "batch_max": units(20), "batch_price": money(1_500),
                    "batches_end": day(30),
                ], ["buyer": "alice", "maker": "bob", "custodian": "dave"]
            )
        case "mutual-assistance":
            return (
                [
                    "trigger": units(20), "cap": units(100), "cap_call": units(32),
                    "cap_month": units(80), "price": money(60_000), "fee": money(20_000),
                    "remedy": money(50_000), "ends": day(60),
                ], ["user": "alice", "partner": "carol", "supplier": "bob"]
            )
        case "presale-cover":
            return (
                ["covered": money(4_964_000), "ends": day(60)],
                ["insured": "alice", "insurer": "bob", "oracle": "carol"]
            )
        case "receivable-advance":
            return (
                [
                    "receivable": money(4_964_000), "orders": .integer(180),
                    "advance": money(3_000_000), "rate": .integer(600),
                    "better_rate": .integer(400), "count_by": day(60), "repay_by": day(90),
                ], ["borrower": "alice", "lender": "bob", "teller": "carol"]
            )
        case "revenue-share":
            return (
                [
                    "shares": list([15, 85]), "periods": .integer(2),
                    "period": .integer(86_400_000), "minimum": money(10_000),
                ],
                ["seller": "bob", "contributors": "alice"]
            )
        case "tiered-presale":
            return (
                [
                    "prices": .list([money(19_800), money(29_800), money(49_800)]),
                    "targets": list([100, 50, 30]), "close_at": day(2), "deliver_by": day(60),
                ], ["creator": "alice", "custodian": "dave"]
            )
        case "vendor-managed-stock":
            return (
                [
                    "units": units(100), "cost": money(2_000), "remedy": money(150),
                    "stock_by": day(20), "ends": day(60),
                ], ["supplier": "bob", "creator": "alice"]
            )
        default:
            return (
                [
                    "units": units(100), "base": money(1_200), "finish": money(500),
                    "remedy": money(900), "ready_by": day(20), "ends": day(60),
                ], ["supplier": "bob", "creator": "alice"]
            )
        }
    }

    /// Five nodes and one contract under way.
    static func opened(_ template: String) throws -> (Market, ContractID) {
        var market = try Market(names: names, only: template)
        let (arguments, played) = example(template, market)
        var roles = played
        roles["arbiter"] = "judge"
        var lines: [LineTerms] = []
        for rule in try market.template(template).lines {
            let issuer = try #require(roles[rule.issuer])
            lines.append(try market.declare(issuer, "print/\(issuer)", 300))
        }
        let id = try market.agree("alice", template, arguments, roles: roles, lines: lines)
        for name in Set(roles.values) {
            #expect(try market.held(name, id).fold?.isSequenced == true, "\(template), \(name)")
        }
        return (market, id)
    }

    static func value(
        _ kind: ValueKind, _ held: Int64, _ market: Market, _ noise: inout GarbageTests.Noise
    ) -> Value {
        switch kind {
        case .quantity:
            Market.units(max([1, 10, 20, 50, held, held].randomElement(using: &noise) ?? 1, 1))
        case .money, .price:
            Market.money([0, 700, 9_700, 20_000].randomElement(using: &noise) ?? 0)
        case .bp: .integer([0, 3_333, 10_000].randomElement(using: &noise) ?? 0)
        case .hash: StoryTests.evidence
        case .party: .identity(market.did("carol"))
        case .int: .integer([0, 1, 170].randomElement(using: &noise) ?? 0)
        case .instant: .instant(market.at(days: Int64.random(in: 1...20, using: &noise)))
        case .duration: .integer(Int64.random(in: 1...48, using: &noise) * 3_600_000)
        case .list:
            .list(
                (0..<3).map { _ in .integer([0, 34, 70, 132].randomElement(using: &noise) ?? 0) })
        default: .text("x")
        }
    }

    /// Something that `name` may do in a contract, filled in so that it is lawful where it can be.
    static func act(
        _ name: String, _ held: HeldContract, _ market: Market, _ noise: inout GarbageTests.Noise
    ) -> Act? {
        guard let state = held.fold?.state else { return nil }
        let did = market.did(name)
        let choices = state.choices(for: did, at: market.network.now, includeDefaults: true)
        guard let choice = choices.randomElement(using: &noise) else { return nil }
        var act = choice.act
        for _ in 0..<6 {
            act = choice.act
            let holds = state.record(act.record)?.holds.first?.amount ?? 0
            for parameter in choice.arguments where act.arguments[parameter.name] == nil {
                act.arguments[parameter.name] = value(parameter.kind, holds, market, &noise)
            }
            let outcome = try? state.decide(
                act, by: did, consents: state.consentsNeeded(for: act), at: market.network.now,
                sequence: (held.fold?.head.sequence ?? 0) + 1)
            if outcome != nil { break }
        }
        return act
    }

    /// Agrees to whatever others ask for.
    static func answer(_ name: String, _ market: inout Market) {
        let node = market.network[name]
        for (id, held) in node.contracts.sorted(by: { $0.key < $1.key }) {
            if held.grade == .proposed, !held.hasAccepted(node.own.did) {
                _ = try? market.network.command(name) { try $0.accept(id) }
            }
            for request in held.requests.keys.sorted() {
                _ = try? market.network.command(name) { try $0.accept(id, request: request) }
            }
        }
        market.settle()
    }

    static func isOn(_ name: String, _ market: Market) -> Bool { market.network.nodes[name] != nil }

    /// Somebody acts, or two at once on what both still see; or time goes by; or a node goes or comes.
    /// Gives how many signed a second time on what had moved.
    static func round(_ market: inout Market, _ noise: inout GarbageTests.Noise) throws -> Int {
        switch Int.random(in: 0..<12, using: &noise) {
        case 0, 1:
            let days = Int64.random(in: 0...4, using: &noise)
            market.network.pass(milliseconds: days * 86_400_000 + 1_000)
            market.network.tick()
        case 2:
            guard let name = market.names.randomElement(using: &noise) else { return 0 }
            let off = market.names.filter { !isOn($0, market) }
            if let back = off.first {
                market.back(back)
            } else {
                market.network.stop(name)
            }
        default: break
        }
        let awake = market.names.filter { isOn($0, market) }.shuffled(using: &noise)
        let contracts = market.network[awake[0]].contracts.values.filter {
            $0.fold?.isSequenced == true
        }.sorted { $0.id < $1.id }
        guard let id = contracts.randomElement(using: &noise)?.id else { return 0 }
        var rivals: [(by: String, act: Act, entry: Entry)] = []
        // Nothing settles in between: all sign on the same versions.
        for name in awake.prefix(Int.random(in: 1...5, using: &noise)) {
            guard let held = market.network[name].contracts[id],
                let word = act(name, held, market, &noise)
            else { continue }
            let rival = try market.request(
                by: name, word.transition, record: word.record, word.arguments, in: id)
            _ = try? market.network.command(name) { try $0.act(word, in: id) }
            rivals.append((name, word, rival))
        }
        // Some contracts let nobody do anything before a date.
        if rivals.isEmpty { market.network.pass(milliseconds: 86_400_000) }
        market.settle()
        for name in awake where isOn(name, market) { answer(name, &market) }
        var refused = 0
        for rival in rivals {
            guard let held = market.network[rival.by].contracts[id], let fold = held.fold,
                let writer = market.names.first(where: {
                    market.did($0) == held.proposal.sequencer
                }), writer != rival.by, isOn(writer, market),
                let named = rival.entry.header.statement?.versions.first(where: {
                    $0.record == rival.act.record
                }), fold.state.record(named.record)?.version != named.version
            else { continue }
            // The record has moved since: the same once more, signed on what it was.
            market.network.inject(rival.entry, from: rival.by, to: writer)
            market.settle()
            let after = try #require(market.network[writer].contracts[id]?.fold)
            #expect(after.steps.allSatisfy { $0.request != rival.entry.id }, "two successors")
            refused += 1
        }
        return refused
    }

    /// Everyone is there again, and whoever may asks for what is due, until all has ended.
    static func heal(_ market: inout Market) {
        for name in market.names where !isOn(name, market) { market.back(name) }
        for _ in 0..<120 {
            for name in market.names { answer(name, &market) }
            let open = market.names.flatMap { market.network[$0].contracts.values }.filter {
                $0.fold?.isSequenced == true && $0.fold?.state.isEnded == false
            }
            guard !open.isEmpty else { break }
            let deadlines = open.flatMap { held -> [Instant] in
                held.fold?.state.records.compactMap(\.until) ?? []
            }
            if let next = deadlines.min(), next >= market.network.now {
                market.network.pass(
                    milliseconds: next.milliseconds - market.network.now.milliseconds + 1)
            }
            market.network.tick()
            market.settle()
            for name in market.names {
                for held in open where market.network[name].contracts[held.id] != nil {
                    let fold = market.network[name].contracts[held.id]?.fold
                    let choices = fold?.state.choices(
                        for: market.did(name), at: market.network.now, includeDefaults: true)
                    for choice in choices ?? [] where choice.isDefault {
                        _ = try? market.network.command(name) {
                            try $0.act(choice.act, in: held.id)
                        }
                    }
                }
            }
            market.settle()
        }
        market.network.tick()
        market.settle()
    }

    /// The versions that each effective step was signed on: no record has two successors.
    static func checkSuccessors(_ market: Market, _ name: String, _ held: HeldContract) throws {
        var used: Set<[Int64]> = []
        var versions: [Int64: Int64] = [:]
        let fold = try #require(held.fold)
        for entry in market.network.stores[name]?.entries(of: held.log) ?? [] {
            guard entry.kind == .step, let place = entry.header.log, let body = entry.body else {
                continue
            }
            let plain = try PrivateBody.open(
                body, key: held.key.bodyKey(log: held.log, sequence: place.sequence),
                author: entry.header.author, place: place)
            let step = try Step(strict: plain)
            let outline = try #require(fold.step(place.sequence))
            guard outline.void == nil else { continue }
            if let signed = step.request?.header.statement?.versions {
                for one in signed {
                    #expect(one.version == versions[one.record], "a stale request had effect")
                }
                if let own = signed.first(where: { $0.record == outline.act.record }) {
                    #expect(used.insert([own.record, own.version]).inserted, "two successors")
                }
            }
            for change in step.records { versions[change.record] = place.sequence }
        }
    }

    static func check(_ market: Market, _ text: String) throws {
        var digests: [ContractID: Set<Hash32>] = [:]
        for name in market.names {
            let node = market.network[name]
            for (id, held) in node.contracts {
                guard let fold = held.fold, fold.isSequenced else { continue }
                digests[id, default: []].insert(fold.state.digest())
                #expect(fold.state.isEnded, "\(text), \(name): stuck")
                #expect(fold.state.pending.isEmpty && fold.state.escrow == 0, "\(text)")
                try checkSuccessors(market, name, held)
                for did in Set(fold.terms.roles.values.joined()) {
                    #expect(node.ledger.held(by: did, for: id, Market.cny) == 0, "\(text)")
                }
                let rows = node.ledger.rows(of: id)
                #expect(rows.allSatisfy { $0.state != .pending }, "\(text)")
                // What was granted and not passed on was posted, or given up.
                for grant in fold.state.grants {
                    let line = fold.terms.lines[grant.line]
                    let posted = rows.filter {
                        $0.transfer.commodity == .capacity(line.resource, line.unit)
                    }.reduce(0) { $0 + $1.postedAmount }
                    #expect(posted <= grant.units, "\(text): more delivered than granted")
                }
            }
        }
        #expect(!digests.isEmpty)
        for found in digests.values { #expect(found.count == 1, "\(text): states differ") }
        try RandomMarketTests.check(market, 0)
    }

    @Test(arguments: Market.templates.keys.sorted())
    func `a market in any template comes to one end for all, whatever arrives when`(
        _ template: String
    ) throws {
        let (fresh, id) = try Self.opened(template)
        var outcomes: Set<ContractOutcome> = []
        var steps = 0
        var refused = 0
        for seed in 1...Self.plays {
            var noise = GarbageTests.Noise(state: seed)
            var market = fresh
            market.network.reseed(seed)
            market.shuffles = true
            for _ in 0..<12 { refused += try Self.round(&market, &noise) }
            // One who was away for all of it hears of it in two other orders. Whoever sequences may then
            // take another of two requests first; the same steps come to the same end.
            let text = "\(template), seed \(seed)"
            var ends: [[EntryID]: Set<Hash32>] = [:]
            for order in UInt64(1)...2 {
                var copy = market
                copy.network.reseed(order << 32 | seed)
                for name in copy.names where !Self.isOn(name, copy) { copy.back(name) }
                copy.restart("judge")
                copy.settle()
                let held = copy.names.compactMap { copy.network[$0].contracts[id] }
                let folds = try held.map { one in try #require(one.fold) }
                #expect(
                    Set(folds.map { $0.state.digest() }).count == 1, "\(text): states differ")
                for fold in folds {
                    ends[fold.steps.map(\.id), default: []].insert(fold.state.digest())
                }
            }
            #expect(
                ends.values.allSatisfy { $0.count == 1 }, "\(text): the order of arrival matters")
            Self.heal(&market)
            try Self.check(market, text)
            outcomes.insert(try market.state("alice", id).outcome)
            steps += Int(try market.held("alice", id).fold?.head.sequence ?? 0)
        }
        #expect(steps > 2 * Int(Self.plays) && refused > 0, "\(steps) steps, \(refused) refused")
        #expect(!outcomes.contains(.open))
    }
}

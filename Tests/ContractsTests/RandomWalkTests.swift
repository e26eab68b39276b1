import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Testing

/// Whatever the parties do, and whoever falls silent, every contract comes to an end with nothing
/// pending and an empty escrow. `Play` and its `Sums` check these after every step.
struct RandomWalkTests {
    struct Dice {
        var state: UInt64
        mutating func roll(_ sides: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(sides, 1)))
        }
    }

    /// `held`: what the record holds, so that a walk comes to the end of it now and then.
    func value(_ parameter: Parameter, held: Int64, _ dice: inout Dice) -> Value {
        switch parameter.kind {
        case .quantity(let line):
            let units = [1, 10, 20, 30, 50, 60, 80, 100, 500, 1000, held, held][dice.roll(12)]
            return line == 1 ? hrs(units) : pcs(units)
        case .money: return fen(Int64(dice.roll(3)) * 7)
        case .price: return fen([8000, 9600, 9601][dice.roll(3)])
        case .bp: return .integer(Int64([0, 3333, 5000, 10_000][dice.roll(4)]))
        // One is what the other is the secret of.
        case .hash: return [proof, .hash(SHA256.hash(SHA256.hash([1]).bytes))][dice.roll(2)]
        case .duration: return .integer(Int64(1 + dice.roll(3)) * day)
        case .party: return .identity(Who.studio)
        case .int: return .integer([0, 1, 162, 163][dice.roll(4)])
        case .instant: return .instant(on(day: Int64(1 + dice.roll(100))))
        case .list:
            return .list((0..<3).map { _ in .integer([0, 34, 35, 70, 132][dice.roll(5)]) })
        default: return .text("x")
        }
    }

    /// Plays of each template; TALEA_PLAYS asks for more.
    let plays = max(number(in: "TALEA_PLAYS") ?? 300, 1)
    /// From so many on all that a template can come to must have been seen.
    let enough = 300

    @Test(arguments: Shelf.names)
    func `every walk ends with nothing pending, and every move is made in some`(
        _ name: String
    ) throws {
        let template = try template(name)
        let setting = Shelf.terms(name)
        var outcomes: Set<ContractOutcome> = []
        var seen = Coverage(template)
        for seed in 1...plays {
            var dice = Dice(state: UInt64(seed))
            var play = try Play(template, setting)
            // Half of the walks go where chance leads, half rather where none has been.
            let isCurious = seed % 2 == 0
            let children = try walk(&play, &dice, &seen, isCurious: isCurious)
            for need in children {
                let passed = terms(need.parameters, need.roles, isChild: true)
                var child = try Play(template, passed)
                #expect(child.state.grants.map(\.units) == [need.units])
                _ = try walk(&child, &dice, &seen, isCurious: isCurious)
                #expect(child.state.isEnded, "seed \(seed), child")
            }
            let passedOn = play.sums.units.values.reduce(0) { $0 + $1.passedOn }
            #expect(passedOn == children.reduce(0) { $0 + $1.units }, "seed \(seed)")
            #expect(play.state.isEnded, "seed \(seed)")
            if seed % 8 == 0 { try discharge(&play, &seen) }
            outcomes.insert(play.state.outcome)
        }
        #expect(outcomes.count >= 2)
        guard plays >= enough else { return }
        let missing = seen.missing.joined(separator: "\n  ")
        #expect(missing.isEmpty, "\(name) was never seen to come to\n  \(missing)")
    }

    /// Plays to the end; gives the rights that were passed on.
    func walk(
        _ play: inout Play, _ dice: inout Dice, _ seen: inout Coverage, isCurious: Bool
    ) throws -> [ChildNeed] {
        var children: [ChildNeed] = []
        var steps = 0
        let diligence = 2 + dice.roll(12)
        seen.open(play.state)
        seen.plan()
        while !play.state.isEnded, steps < 400 {
            steps += 1
            let chosen: (act: Act, by: DID)?
            if steps > 80 {
                chosen = silence(&play)
            } else if isCurious, dice.roll(8) == 0, let until = next(play)?.until {
                // Some moves open late, in the last days before a deadline.
                play.now = max(play.now, until.advanced(by: -day * Int64(dice.roll(3))))
                continue
            } else if isCurious, dice.roll(4) > 0 {
                chosen = curious(&play, &dice, seen)
            } else if dice.roll(diligence) == 0 {
                // Once in a while nobody moves until the earliest deadline has passed.
                chosen = silence(&play)
            } else {
                chosen = anything(play, &dice)
            }
            guard let (act, did) = chosen else { continue }
            let before = play.state
            do {
                let outcome = try play.act(
                    act.transition, act.record, by: did, act.arguments,
                    with: before.consentsNeeded(for: act))
                seen.take(act, on: before, to: outcome)
                if let need = outcome.child { children.append(need) }
            } catch let refusal as ContractRefusal {
                #expect(!refusal.words(.en).isEmpty && !refusal.words(.zh).isEmpty)
            }
        }
        return children
    }

    /// Every creditor has his money in the end, in two parts.
    private func discharge(_ play: inout Play, _ seen: inout Coverage) throws {
        while let claim = play.state.claims.first {
            let before = play.state
            var act = Act(transition: "discharge", record: claim.record)
            act.arguments = [
                "step": .integer(claim.cause.step), "index": .integer(claim.cause.index),
                "amount": fen((claim.open + 1) / 2),
            ]
            let outcome = try play.act(
                act.transition, act.record, by: claim.transfer.to, act.arguments)
            seen.take(act, on: before, to: outcome)
        }
    }

    private func next(_ play: Play) -> Record? {
        play.state.records.filter { $0.until != nil }
            .min { ($0.until ?? .latest, $0.number) < ($1.until ?? .latest, $1.number) }
    }

    /// The earliest deadline passes.
    private func silence(_ play: inout Play) -> (act: Act, by: DID)? {
        next(play).flatMap { silence(&play, of: $0) }
    }

    /// The deadline of `record` passes, and a stranger to the default asks for it.
    private func silence(_ play: inout Play, of record: Record) -> (act: Act, by: DID)? {
        guard let until = record.until, let act = play.state.defaultAct(record.number),
            let did = play.state.participants.first
        else { return nil }
        play.now = max(play.now, until.advanced(by: 1))
        return (act, did)
    }

    /// Somebody does something that is open to him.
    private func anything(_ play: Play, _ dice: inout Dice) -> (act: Act, by: DID)? {
        let people = play.state.participants
        let did = people[dice.roll(people.count)]
        let choices = play.state.choices(for: did, at: play.now, includeDefaults: false)
        guard !choices.isEmpty else { return nil }
        return (filled(choices[dice.roll(choices.count)], play, &dice), did)
    }

    /// Rather what was never done, or seldom, with this template.
    private func curious(
        _ play: inout Play, _ dice: inout Dice, _ seen: Coverage
    ) -> (act: Act, by: DID)? {
        var open: [(record: Record, move: Coverage.Move, weight: Int)] = []
        for record in play.state.records where record.until != nil {
            for move in seen.moves(of: record) {
                open.append((record, move, seen.worth[move] ?? 1))
            }
        }
        var place = dice.roll(open.reduce(0) { $0 + $1.weight })
        for (record, move, weight) in open {
            place -= weight
            guard place < 0 else { continue }
            if play.state.defaultAct(record.number)?.transition == move.act {
                return silence(&play, of: record)
            }
            for did in play.state.participants {
                let choices = play.state.choices(
                    for: did, at: play.now, includeDefaults: false)
                guard
                    let choice = choices.first(where: {
                        $0.act.record == record.number && $0.act.transition == move.act
                    })
                else { continue }
                // Most refuse most of what chance fills in.
                for _ in 0..<12 {
                    var act = filled(choice, play, &dice)
                    if let isPaid = move.isPaid {
                        act.arguments["paid"] = .integer(isPaid ? 1 : 0)
                    }
                    let consents = play.state.consentsNeeded(for: act)
                    let outcome = try? play.state.decide(
                        act, by: did, consents: consents, at: play.now,
                        sequence: play.sequence + 1)
                    if outcome != nil { return (act, did) }
                }
            }
            return nil
        }
        return nil
    }

    private func filled(_ choice: Choice, _ play: Play, _ dice: inout Dice) -> Act {
        var act = choice.act
        let held = play.state.record(act.record)?.holds.first?.amount ?? 0
        for parameter in choice.arguments where act.arguments[parameter.name] == nil {
            act.arguments[parameter.name] = value(parameter, held: held, &dice)
        }
        return act
    }
}

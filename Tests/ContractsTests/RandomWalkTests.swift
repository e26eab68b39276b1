import Capacity
import Contracts
import Entries
import Identity
import Testing

/// Whatever the parties do, and whoever falls silent, every contract comes to an end with nothing
/// pending and an empty escrow. `Play` checks these after every step.
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

    @Test(arguments: Shelf.names)
    func `every walk ends with nothing pending`(_ name: String) throws {
        let template = try template(name)
        let setting = Shelf.terms(name)
        var outcomes: Set<ContractOutcome> = []
        for seed in 1...plays {
            var dice = Dice(state: UInt64(seed))
            var play = try Play(template, setting)
            for need in try walk(&play, &dice) {
                let passed = terms(need.parameters, need.roles, isChild: true)
                var child = try Play(template, passed)
                _ = try walk(&child, &dice)
                #expect(child.state.isEnded, "seed \(seed), child")
            }
            #expect(play.state.isEnded, "seed \(seed)")
            outcomes.insert(play.state.outcome)
        }
        #expect(outcomes.count >= 2)
    }

    /// Plays to the end; gives the rights that were passed on.
    func walk(_ play: inout Play, _ dice: inout Dice) throws -> [ChildNeed] {
        var children: [ChildNeed] = []
        var steps = 0
        let diligence = 2 + dice.roll(12)
        while !play.state.isEnded, steps < 400 {
            steps += 1
            // Once in a while nobody moves until the earliest deadline has passed.
            if dice.roll(diligence) == 0 || steps > 80 {
                let next = play.state.records.filter { $0.until != nil }
                    .min { ($0.until ?? .latest, $0.number) < ($1.until ?? .latest, $1.number) }
                let number = try #require(next?.number)
                try play.silent(number)
                continue
            }
            let people = play.state.participants
            let did = people[dice.roll(people.count)]
            let choices = play.state.choices(for: did, at: play.now, includeDefaults: false)
            guard !choices.isEmpty else { continue }
            let choice = choices[dice.roll(choices.count)]
            guard choice.act.transition != "discharge" else { continue }
            var act = choice.act
            let held = play.state.record(act.record)?.holds.first?.amount ?? 0
            for parameter in choice.arguments {
                act.arguments[parameter.name] = value(parameter, held: held, &dice)
            }
            let consents = play.state.consentsNeeded(for: act)
            do {
                let outcome = try play.act(
                    act.transition, act.record, by: did, act.arguments, with: consents)
                if let need = outcome.child { children.append(need) }
            } catch let refusal as ContractRefusal {
                #expect(!refusal.words(.en).isEmpty && !refusal.words(.zh).isEmpty)
            }
        }
        return children
    }
}

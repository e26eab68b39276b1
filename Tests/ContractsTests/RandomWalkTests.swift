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

    static let names = [
        "capacity-option", "material-call", "milestone-production", "capacity-swap",
        "mutual-assistance",
    ]

    static func setting(_ name: String) -> Terms {
        switch name {
        case "capacity-option":
            terms(CapacityOptionTests.parameters, CapacityOptionTests.roles)
        case "material-call":
            terms(
                [
                    "units": pcs(100), "premium": fen(99_280), "strike": fen(8000),
                    "remedy": fen(1000), "expiry": .instant(on(day: 30)),
                    "deliver_by": .instant(on(day: 60)),
                ],
                [
                    "issuer": [Who.dongguan], "holder": [Who.zhijian],
                    "arbiter": [Who.arbiter],
                ])
        case "milestone-production":
            terms(
                MilestoneTests.parameters(), MilestoneTests.roles, sequencer: Who.custodian)
        case "capacity-swap":
            terms(
                [
                    "left_units": pcs(50), "left_price": fen(1200), "right_units": hrs(80),
                    "right_price": fen(900), "deliver_by": .instant(on(day: 30)),
                ],
                [
                    "left": [Who.zhijian], "right": [Who.dongguan], "arbiter": [Who.arbiter],
                ], lines: [lineTerms(), lineTerms(hours)], sequencer: Who.zhijian)
        default:
            terms(
                [
                    "trigger": pcs(0), "cap": pcs(100), "cap_month": pcs(40),
                    "price": fen(60_000), "fee": fen(20_000), "remedy": fen(50_000),
                    "ends": .instant(on(day: 90)),
                ],
                [
                    "user": [Who.zhijian], "partner": [Who.partner],
                    "supplier": [Who.dongguan], "arbiter": [Who.arbiter],
                ])
        }
    }

    func value(_ parameter: Parameter, _ dice: inout Dice) -> Value {
        switch parameter.kind {
        case .quantity(let line):
            let units = Int64([1, 10, 20, 30, 50, 60, 80, 100, 500, 1000][dice.roll(10)])
            return line == 1 ? hrs(units) : pcs(units)
        case .money: return fen(Int64(dice.roll(3)) * 7)
        case .bp: return .integer(Int64([0, 3333, 5000, 10_000][dice.roll(4)]))
        case .hash: return proof
        case .party: return .identity(Who.studio)
        case .int: return .integer(Int64(dice.roll(2)))
        default: return .text("x")
        }
    }

    @Test(arguments: names)
    func `every walk ends with nothing pending`(_ name: String) throws {
        let template = try template(name)
        let setting = Self.setting(name)
        var outcomes: Set<ContractOutcome> = []
        for seed in 1...120 {
            var dice = Dice(state: UInt64(seed))
            var play = try Play(template, setting)
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
                for parameter in choice.arguments {
                    act.arguments[parameter.name] = value(parameter, &dice)
                }
                let consents = play.state.consentsNeeded(for: act)
                let refused = play.refused(
                    act.transition, act.record, by: did, act.arguments, with: consents)
                if refused != nil { continue }
                try play.act(act.transition, act.record, by: did, act.arguments, with: consents)
            }
            #expect(play.state.isEnded, "seed \(seed)")
            outcomes.insert(play.state.outcome)
        }
        #expect(outcomes.count >= 2)
    }
}

import Entries
import Identity

@testable import Contracts

/// Everything that can become of a template, and how often it did: each transition, each way in and out of a
/// payment, each end of a dispute, each state, each outcome it names.
struct Coverage {
    /// A move as a record sees it: its own state, and what leads out of it.
    struct Move: Hashable, Comparable, CustomStringConvertible {
        let family: String
        let state: String
        let act: String
        /// The arbiter's word on a payment.
        var isPaid: Bool?

        var description: String {
            "\(family).\(state) \(act)" + (isPaid.map { $0 ? " paid" : " unpaid" } ?? "")
        }
        static func < (left: Self, right: Self) -> Bool { left.description < right.description }
    }

    /// By family and state.
    let moves: [String: [Move]]
    private let all: [Move]
    private(set) var taken: [Move: Int] = [:]
    /// Where moves were seen to lead, the records that they make included.
    private var leads: [Move: Set<String>] = [:]
    /// What a move is worth to who looks for what was never seen: more where less is known behind it.
    private(set) var worth: [Move: Int] = [:]
    private var missingPlaces: Set<String>
    private let hasClaims: Bool
    private(set) var discharges = 0

    init(_ template: Template) {
        var found: [Move] = []
        var places: Set<String> = []
        for move in template.transitions {
            found.append(Move(family: move.family, state: move.state, act: move.name))
        }
        for family in template.families {
            for final in family.finals { places.insert("\(family.name).\(final.state)") }
            for rule in family.states {
                func add(_ act: BuiltIn, _ phase: String = "", isPaid: Bool? = nil) {
                    found.append(
                        Move(
                            family: family.name, state: rule.name + phase, act: act.rawValue,
                            isPaid: isPaid))
                }
                places.insert("\(family.name).\(rule.name)")
                switch rule.waits {
                case .until: break
                case .pay:
                    add(.payState)
                    add(.payUnpaid)
                    add(.payReceive, ".stated")
                    add(.paySilent, ".stated")
                    add(.payDeny, ".stated")
                    add(.payRule, ".denied", isPaid: true)
                    add(.payRule, ".denied", isPaid: false)
                    add(.payRuleDefault, ".denied")
                case .dispute:
                    add(.rule)
                    add(.agree)
                    add(.ruleDefault)
                }
            }
        }
        all = found.sorted()
        moves = Dictionary(grouping: found) { "\($0.family).\($0.state)" }
        missingPlaces = places
        let effects =
            template.transitions.flatMap(\.effects)
            + template.families.flatMap(\.states).flatMap { rule -> [Effect] in
                switch rule.waits {
                case .until: []
                case .pay(let pay): pay.paid.effects + pay.unpaid.effects
                case .dispute(let dispute): dispute.ruled.effects
                }
            }
        hasClaims =
            effects.contains { if case .claim = $0 { true } else { false } }
            || template.families.flatMap(\.states).contains {
                if case .pay(let pay) = $0.waits { pay.claims } else { false }
            }
    }

    /// What was never seen, one to a line.
    var missing: [String] {
        all.filter { taken[$0] == nil }.map(\.description)
            + missingPlaces.sorted().map { "\($0) entered" }
            + (hasClaims && discharges == 0 ? ["a claim discharged"] : [])
    }

    /// What can lead out of a record where it stands.
    func moves(of record: Record) -> [Move] { moves["\(record.family).\(record.state)"] ?? [] }

    mutating func open(_ state: ContractState) {
        for record in state.records { missingPlaces.remove("\(record.family).\(record.stateName)") }
    }

    mutating func take(_ act: Act, on state: ContractState, to outcome: Outcome) {
        for record in outcome.records {
            missingPlaces.remove("\(record.family).\(record.stateName)")
        }
        guard act.transition != BuiltIn.discharge.rawValue else { return discharges += 1 }
        guard let record = state.record(act.record) else { return }
        var isPaid: Bool?
        if act.transition == BuiltIn.payRule.rawValue {
            isPaid = act.arguments["paid"] == .integer(1)
        }
        let move = Move(
            family: record.family, state: record.state, act: act.transition, isPaid: isPaid)
        leads[move, default: []].formUnion(outcome.records.map { "\($0.family).\($0.state)" })
        taken[move, default: 0] += 1
        if taken[move] == 1 { plan() }
    }

    /// Anew from what was seen so far; nine moves ahead.
    mutating func plan() {
        for move in all { worth[move] = max(1_000 / (1 + (taken[move] ?? 0)), 1) }
        for _ in 0..<9 {
            for move in all where taken[move] != nil {
                let behind =
                    (leads[move] ?? []).flatMap { moves[$0] ?? [] }
                    .map { worth[$0] ?? 0 }.max() ?? 0
                worth[move] = max(worth[move] ?? 1, behind * 4 / 5)
            }
        }
    }
}

internal import Capacity
internal import Entries
public import Identity
internal import Ledger

/// What a step tells of somebody: a move that was due came or did not, or a verdict was about them.
///
/// A move is due where silence goes against whoever is awaited: in a payment or a dispute, and wherever
/// the default claims from them or ends the record as defaulted. To let a right lapse is no fault.
public struct Mark: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case inTime, late, silent
        /// Silent where something was owed.
        case defaulted
        /// One of the two sides of a dispute that an arbiter decided.
        case ruled
        case lost
    }

    public let who: DID
    public let kind: Kind
}

extension ContractState {
    /// Of a step that was decided on this very state. A record's wait counts once, when it is over.
    func marks(_ act: Act, by actor: DID, at time: Instant, _ outcome: Outcome) -> [Mark] {
        if let silent = act.without {
            return [Mark(who: silent, kind: .silent), Mark(who: silent, kind: .defaulted)]
        }
        guard let before = record(act.record), let until = before.until,
            let after = outcome.records.first(where: { $0.number == act.record }),
            after.state != before.state, let fallback = defaultAct(act.record)
        else { return [] }
        let isDefault = act.transition == fallback.transition
        let silence =
            isDefault
            ? outcome
            : try? decide(
                fallback, by: terms.sequencer, at: until.advanced(by: 1),
                sequence: outcome.sequence)
        var marks: [Mark] = []
        for who in awaited(act.record).sorted() where isDue(from: who, before, silence) {
            if isDefault {
                marks.append(Mark(who: who, kind: .silent))
                // A payee who says nothing is taken to be paid and owes nobody anything.
                if act.transition != BuiltIn.paySilent.rawValue {
                    marks.append(Mark(who: who, kind: .defaulted))
                }
            } else if who == actor {
                marks.append(Mark(who: who, kind: time <= until ? .inTime : .late))
            }
        }
        return marks + verdict(act, before, after, outcome)
    }

    private func isDue(from who: DID, _ record: Record, _ silence: Outcome?) -> Bool {
        guard case .until = waiting(record) else { return true }
        guard let silence else { return false }
        return claims(from: who, in: silence)
            || silence.records.contains {
                $0.number == record.number
                    && template.family($0.family)?.final($0.stateName) == .defaulted
            }
    }

    private func claims(from who: DID, in outcome: Outcome) -> Bool {
        outcome.transfers.contains {
            guard case .reserve(let transfer) = $0 else { return false }
            return transfer.kind == .claim && transfer.from == who
        }
    }

    /// Lost: a denied payment by whoever was wrong about it; goods by the giver where less than half of
    /// them stands, by the taker where more does; anything else by whoever owes for it. Of other
    /// verdicts only the template's words say whom they favour.
    private func verdict(_ act: Act, _ before: Record, _ after: Record, _ outcome: Outcome)
        -> [Mark]
    {
        let sides: [DID]
        var lost: [DID] = []
        switch (BuiltIn(rawValue: act.transition), waiting(before)) {
        case (.payRule, .pay):
            guard let pay = before.pay else { return [] }
            sides = [pay.from, pay.to]
            lost = [act.arguments["paid"] == .integer(1) ? pay.to : pay.from]
        case (.rule, .dispute(let rule)):
            sides = identities(rule.between, environment(before))
            let goods = before.holds.compactMap(\.transfer)
            let all = goods.reduce(0) { $0 + $1.amount }
            if let one = goods.first {
                let stands = posted(goods, outcome) + after.holds.reduce(0) { $0 + $1.amount }
                if stands < all - stands { lost = [one.from] }
                if stands > all - stands { lost = [one.to] }
            } else {
                lost = sides.filter { claims(from: $0, in: outcome) }
            }
        default: return []
        }
        return sides.map { Mark(who: $0, kind: .ruled) } + lost.map { Mark(who: $0, kind: .lost) }
    }

    private func posted(_ goods: [Transfer], _ outcome: Outcome) -> Int64 {
        outcome.transfers.reduce(0) { sum, event in
            guard case .post(let cause, let amount, _) = event,
                goods.contains(where: { $0.cause == cause })
            else { return sum }
            return sum + amount
        }
    }
}

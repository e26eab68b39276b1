/// The shape of one family of records: `main`, a tranche, a delivery, a draw.
struct Family: Hashable, Sendable {
    let name: String
    /// How many records may be made, over the parameters.
    var max: Expression
    let fields: [Field]
    let custody: [Custody]
    let holds: [HoldRule]
    let finals: [Final]
    var states: [StateRule]

    struct Field: Hashable, Sendable {
        let name: String
        let kind: ValueKind
    }

    /// Money of people who are not in the contract, which somebody in it holds: the field says how much. For
    /// the check alone.
    struct Custody: Hashable, Sendable {
        let field: Int
        let by: Expression
    }

    /// A named pending transfer of units, read as a quantity.
    struct HoldRule: Hashable, Sendable {
        let name: String
        let line: Int
        /// What it can never exceed; names the line by its kind.
        let of: Expression
        let from: Expression
        let to: Expression
    }

    struct Final: Hashable, Sendable {
        let state: String
        let outcome: ContractOutcome
        let place: Place
    }

    func rule(_ state: String) -> StateRule? { states.first { $0.name == state } }
    func final(_ state: String) -> ContractOutcome? {
        finals.first { $0.state == state }?.outcome
    }
    func has(_ state: String) -> Bool { rule(state) != nil || final(state) != nil }
}

/// A state that waits: each has one deadline and one default.
struct StateRule: Hashable, Sendable {
    let name: String
    let place: Place
    /// Where its default is named.
    let defaultPlace: Place?
    let waits: Waiting

    indirect enum Waiting: Hashable, Sendable {
        case until(Expression, default: String)
        case pay(PayRule)
        case dispute(DisputeRule)
    }
}

/// Money from one to another, outside; built in, so that nobody writes a one-sided one.
struct PayRule: Hashable, Sendable {
    enum Route: String, Hashable, Sendable {
        case direct
        case intoEscrow
        case outOfEscrow
    }

    let from: Expression
    let to: Expression
    let amount: Expression
    /// `nil`: entry + `payments.within`.
    let by: Expression?
    let route: Route
    let paid: Exit
    let unpaid: Exit
    /// Unpaid becomes owed.
    let claims: Bool
}

struct DisputeRule: Hashable, Sendable {
    let between: [Expression]
    let fallback: Expression
    let ruled: Exit
}

/// Where a payment or dispute leads.
struct Exit: Hashable, Sendable {
    let to: Expression
    let effects: [Effect]
    let lines: [LineEffect]
}

/// What a step does, besides entering a state. All formulas are read on the old state.
enum Effect: Hashable, Sendable {
    case set(field: Int, ofMain: Bool, to: Expression)
    case make(family: Int, state: String, with: [Int: Expression])
    case carve(Expression, of: HoldRef, family: Int, hold: Int)
    case cut(Expression, of: HoldRef)
    case post(Expression, of: HoldRef)
    case void(HoldRef)
    case claim(Expression, from: Expression, to: Expression)

    /// A hold of the step's own record.
    typealias HoldRef = Int
}

struct LineEffect: Hashable, Sendable {
    let kind: LineNeed.Kind
    let units: Expression
    let until: Expression?
    let line: Int
}

/// What the template asks of a capacity line in step 1.
public struct LineRule: Hashable, Sendable {
    public let issuer: String
    public let holder: String
    public let units: Expression
    public let until: Expression
    /// Money for all of its units, where they have a price; only for stating what may be lost.
    let worth: Expression?
}

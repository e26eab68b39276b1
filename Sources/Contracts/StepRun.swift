internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

/// One step being worked out on a copy: all formulas of an exit on the old state, then its effects in
/// file order, then the states that are entered, then the closing. Thrown away if anything refuses.
struct StepRun {
    static let transfersMax = 64
    /// Payments of zero that may follow each other.
    static let chainMax = 4

    let state: ContractState
    let time: Instant
    let sequence: Int64
    /// `nil` where nobody moved: opening and defaults.
    let actor: DID?
    /// Whose signatures the step carries, consents included.
    let signers: Set<DID>
    /// The transition's name, which voided transfers keep.
    let reason: String

    var records: [Record]
    var changed: Set<Int64> = []
    var transfers: [TransferEvent] = []
    var lines: [LineNeed] = []
    var child: ChildNeed?
    var claims: [Claim]
    var deposits: [Deposit]
    var index: Int64 = 0
    /// An end resolves whatever is pending, however much that is; nobody could go on instead.
    var isSettling = false

    init(
        state: ContractState, time: Instant, sequence: Int64, actor: DID?, signers: Set<DID>,
        reason: String
    ) {
        self.state = state
        self.time = time
        self.sequence = sequence
        self.actor = actor
        self.signers = signers
        self.reason = reason
        records = state.records
        claims = state.claims
        deposits = state.deposits
    }

    // MARK: The moves

    mutating func open(_ start: Template.Start) throws(ContractRefusal) -> Outcome {
        guard let family = state.template.families.first else { throw .notOpened }
        let environment = environment(nil)
        var fields: [Int: Datum] = [:]
        for (index, rule) in start.fields.sorted(by: { $0.key < $1.key }) {
            fields[index] = try stored(rule, family.fields[index].kind, environment)
        }
        let number = try make(0, fields)
        for (index, rule) in start.holds.sorted(by: { $0.key < $1.key }) {
            let kind = ValueKind.quantity(line: family.holds[index].line)
            let units = try whole(rule, kind, environment)
            let most = try whole(family.holds[index].of, kind, environment)
            guard units <= most else {
                throw .holdExceeded(hold: family.holds[index].name, held: most, asked: units)
            }
            try reserve(units, number, index)
        }
        try enter(number, start.state, chain: 0)
        return try finish()
    }

    mutating func run(
        _ transition: Transition, on number: Int64, _ arguments: [Datum?]
    ) throws(ContractRefusal) -> Outcome {
        var environment = environment(number)
        environment.arguments = arguments
        let child = try transition.child.map { rule throws(ContractRefusal) in
            try childNeed(rule, transition, environment)
        }
        try perform(
            Exit(to: transition.to, effects: transition.effects, lines: transition.lines),
            on: number, environment, chain: 0)
        self.child = child
        return try finish()
    }

    mutating func rule(
        _ rule: DisputeRule, on number: Int64, ruling: Int64
    ) throws(ContractRefusal) -> Outcome {
        var environment = environment(number)
        environment.ruling = ruling
        try perform(rule.ruled, on: number, environment, chain: 0)
        return try finish()
    }

    /// The payer stated it, or the payee denied it: the payment waits on, for another.
    mutating func wait(
        on number: Int64, phase: String, until: Instant, reference: String?
    ) throws(ContractRefusal) -> Outcome {
        edit(number) { record in
            record.state = record.stateName + "." + phase
            record.until = until
            if let reference { record.pay?.reference = reference }
        }
        startClock(number)
        return try finish()
    }

    mutating func settle(
        _ rule: PayRule, on number: Int64, paid: Bool
    ) throws(ContractRefusal) -> Outcome {
        guard let pay = record(number)?.pay else { throw .recordUnknown(number) }
        edit(number) { $0.pay = nil }
        if paid {
            transfers.append(
                .post(
                    pay.transfer.cause, amount: pay.amount, signed: signers.contains(pay.to)))
        } else {
            transfers.append(.void(pay.transfer.cause, reason: reason))
            if rule.claims { try claim(pay.amount, pay.from, pay.to, number) }
        }
        switch rule.route {
        case .direct: break
        case .intoEscrow:
            if paid {
                deposits.append(
                    Deposit(
                        custodian: pay.to, depositor: pay.from, amount: pay.amount, record: number))
            }
        case .outOfEscrow:
            if paid { takeEscrow(pay.amount, from: pay.from, for: pay.to, number) }
        }
        try perform(paid ? rule.paid : rule.unpaid, on: number, environment(number), chain: 0)
        return try finish()
    }

    mutating func discharge(_ claim: Claim, amount: Int64) throws(ContractRefusal) -> Outcome {
        transfers.append(.discharge(claim.cause, amount: amount))
        claims = claims.compactMap { one in
            guard one.cause == claim.cause else { return one }
            let open = one.open - amount
            return open > 0 ? Claim(transfer: one.transfer, open: open, record: one.record) : nil
        }
        return try finish()
    }

    // MARK: An exit

    enum Resolved {
        case set(field: Int, ofMain: Bool, Datum)
        case make(family: Int, state: String, [Int: Datum])
        case carve(Int64, hold: Int, family: Int, into: Int)
        case cut(Int64, hold: Int)
        case post(Int64, hold: Int)
        case void(hold: Int)
        case claim(Int64, DID, DID)
    }

    mutating func perform(
        _ exit: Exit, on number: Int64, _ environment: Environment, chain: Int
    ) throws(ContractRefusal) {
        var resolved: [Resolved] = []
        for effect in exit.effects {
            resolved.append(try resolve(effect, number, environment))
        }
        let to = try guarded(exit.to.text) { () throws(EvaluationFault) in
            try exit.to.name(in: environment)
        }
        for effect in exit.lines { try need(effect, environment) }
        var made: [Int: (number: Int64, state: String)] = [:]
        var order: [Int] = []
        for effect in resolved {
            switch effect {
            case .set(let field, let ofMain, let value):
                try set(field, ofMain ? 1 : number, value)
            case .make(let family, let state, let fields):
                made[family] = (try make(family, fields), state)
                order.append(family)
            case .carve(let units, let hold, let family, let into):
                guard let target = made[family] else { throw .recordUnknown(0) }
                try take(units, number, hold) { step, rest throws(ContractRefusal) in
                    try step.reserve(units, target.number, into)
                    try step.reserve(rest, number, hold)
                }
            case .cut(let units, let hold):
                try take(units, number, hold) { step, rest throws(ContractRefusal) in
                    try step.reserve(rest, number, hold)
                }
            case .post(let units, let hold): try post(units, number, hold)
            case .void(let hold): void(number, hold)
            case .claim(let amount, let from, let to): try claim(amount, from, to, number)
            }
        }
        try enter(number, to, chain: chain)
        for family in order {
            guard let one = made[family] else { continue }
            try enter(one.number, one.state, chain: chain)
        }
    }

    func resolve(
        _ effect: Effect, _ number: Int64, _ environment: Environment
    ) throws(ContractRefusal) -> Resolved {
        let family = record(number).flatMap { state.template.family($0.family) }
        let main = state.template.families.first
        func line(_ hold: Int) -> ValueKind {
            .quantity(line: family?.holds[safe: hold]?.line ?? 0)
        }
        switch effect {
        case .set(let field, let ofMain, let rule):
            let kind = (ofMain ? main : family)?.fields[safe: field]?.kind ?? .int
            return .set(field: field, ofMain: ofMain, try stored(rule, kind, environment))
        case .make(let target, let state, let with):
            var fields: [Int: Datum] = [:]
            let rules = self.state.template.families[safe: target]?.fields ?? []
            for (index, rule) in with.sorted(by: { $0.key < $1.key }) {
                fields[index] = try stored(rule, rules[safe: index]?.kind ?? .int, environment)
            }
            return .make(family: target, state: state, fields)
        case .carve(let units, let hold, let target, let into):
            return .carve(
                try whole(units, line(hold), environment), hold: hold, family: target, into: into)
        case .cut(let units, let hold):
            return .cut(try whole(units, line(hold), environment), hold: hold)
        case .post(let units, let hold):
            return .post(try whole(units, line(hold), environment), hold: hold)
        case .void(let hold): return .void(hold: hold)
        case .claim(let amount, let from, let to):
            return .claim(
                try whole(amount, .money, environment), try person(from, environment).did,
                try person(to, environment).did)
        }
    }

    mutating func need(
        _ effect: LineEffect, _ environment: Environment
    ) throws(ContractRefusal) {
        let units = try whole(effect.units, .quantity(line: effect.line), environment)
        guard units > 0, let rule = state.template.lines[safe: effect.line] else { return }
        guard let issuer = state.identity(rule.issuer), let holder = state.identity(rule.holder)
        else { throw .roleMissing(rule.issuer) }
        var until: Instant?
        if let rule = effect.until {
            until = try instant(try whole(rule, .instant, environment), rule.text)
        }
        lines.append(
            LineNeed(
                line: effect.line, kind: effect.kind, issuer: issuer, holder: holder, units: units,
                until: until))
    }

    // MARK: Records

    mutating func make(
        _ index: Int, _ fields: [Int: Datum]
    ) throws(ContractRefusal) -> Int64 {
        guard let family = state.template.families[safe: index] else { throw .recordUnknown(0) }
        let count = Int64(records.filter { $0.family == family.name }.count)
        let limit = min(
            try whole(family.max, .int, environment(nil)), TemplateReader.recordsMax)
        guard count < limit, Int64(records.count) < TemplateReader.recordsMax else {
            throw .recordsFull(family: family.name, limit: limit)
        }
        let number = Int64(records.count) + 1
        var made: [Record.Field] = []
        for (index, field) in family.fields.enumerated() {
            let datum = fields[index] ?? .number(0)
            made.append(
                Record.Field(
                    name: field.name, value: try value(datum, field.kind, field.name),
                    kind: field.kind, datum: datum))
        }
        let holds = family.holds.map { Record.Hold(name: $0.name, transfer: nil, line: $0.line) }
        records.append(
            Record(
                number: number, family: family.name, index: count, state: "", version: sequence,
                until: nil, fields: made, holds: holds, pay: nil, clock: nil))
        changed.insert(number)
        return number
    }

    mutating func set(
        _ field: Int, _ number: Int64, _ datum: Datum
    ) throws(ContractRefusal) {
        guard let old = record(number), let current = old.fields[safe: field] else {
            throw .recordUnknown(number)
        }
        let value = try value(datum, current.kind, current.name)
        edit(number) { record in
            guard record.fields.indices.contains(field) else { return }
            record.fields[field].datum = datum
            record.fields[field].value = value
        }
        let rules = state.template.family(old.family)?.holds ?? []
        for (index, rule) in rules.enumerated() {
            guard let transfer = record(number)?.holds[safe: index]?.transfer,
                rule.from.node.fields.union(rule.to.node.fields).contains(field)
            else { continue }
            let environment = environment(number)
            let from = try person(rule.from, environment).did
            let to = try person(rule.to, environment).did
            if from != transfer.from || to != transfer.to {
                void(number, index)
                try reserve(transfer.amount, number, index)
            }
        }
    }

    /// Enters a state: reads its deadline and payment from the new state. A payment of zero is received
    /// at once.
    mutating func enter(
        _ number: Int64, _ name: String, chain: Int
    ) throws(ContractRefusal) {
        guard chain <= Self.chainMax else { throw .chainTooLong(limit: Self.chainMax) }
        guard let family = record(number).flatMap({ state.template.family($0.family) }),
            family.has(name)
        else { throw .recordUnknown(number) }
        edit(number) { record in
            record.state = name
            record.until = nil
            record.pay = nil
            record.clock = nil
        }
        guard let rule = family.rule(name) else { return }
        let environment = environment(number)
        let until: Instant
        switch rule.waits {
        case .until(let formula, _):
            until = try instant(try whole(formula, .instant, environment), formula.text)
        case .dispute:
            until = try after(state.template.ruleWithin, environment)
        case .pay(let pay):
            let amount = try whole(pay.amount, .money, environment)
            if amount == 0 {
                try perform(pay.paid, on: number, environment, chain: chain + 1)
                return
            }
            let from = try person(pay.from, environment)
            let to = try person(pay.to, environment)
            let kind: TransferKind =
                switch pay.route {
                case .direct: .payment
                case .intoEscrow: .deposit
                case .outOfEscrow: .payout
                }
            let transfer = try reserve(
                kind, from.did, to.did, .money(state.terms.currency), amount)
            edit(number) { record in
                record.pay = Record.Pay(
                    from: from.did, to: to.did, amount: amount, transfer: transfer, reference: nil,
                    fromRole: from.role, toRole: to.role)
            }
            if let by = pay.by {
                until = try instant(try whole(by, .instant, environment), by.text)
            } else {
                until = try after(state.template.within, environment)
            }
        }
        edit(number) { $0.until = until }
        startClock(number)
    }

    mutating func startClock(_ number: Int64) {
        let clock = Record.Clock(sequence: sequence, actor: actor)
        edit(number) { $0.clock = clock }
    }

    mutating func edit(_ number: Int64, _ change: (inout Record) -> Void) {
        let position = Int(number) - 1
        guard records.indices.contains(position) else { return }
        change(&records[position])
        records[position].version = sequence
        changed.insert(number)
    }

    func record(_ number: Int64) -> Record? { records[safe: Int(number) - 1] }
}

extension Array {
    subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}

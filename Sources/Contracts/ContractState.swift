public import Capacity
internal import Entries
public import Identity
public import Ledger

/// The record machine: one contract under one template, as a value. `decide` may refuse, `apply` cannot
/// fail, and time alone changes nothing.
///
///     init(terms) ──opening──▶ records ──decide, apply──▶ … ──▶ every record final: ended
///
/// The drawing of each record is in the template; payments and disputes are the same everywhere:
///
///     due ──pay_state──▶ due.stated ──pay_receive / pay_silent──▶ exit `paid`
///      │                     └─pay_deny─▶ due.denied ──pay_rule / pay_rule_default──▶ paid | unpaid
///      └──pay_unpaid──▶ exit `unpaid`
///     disputed ──rule / agree / rule_default──▶ exit `ruled`
public struct ContractState: Sendable {
    private let basis: Basis
    public private(set) var records: [Record] = []
    /// Posted claims that are not cleared, by cause.
    public private(set) var claims: [Claim] = []
    /// What custodians hold by payments into escrow, oldest first, less what they paid out or came to owe.
    public private(set) var deposits: [Deposit] = []
    public private(set) var isEnded = false
    private var closing = ContractOutcome.open

    /// What never changes, behind one reference: states are copied often.
    private final class Basis: Sendable {
        let template: Template
        let terms: Terms
        let values: [Datum?]

        init(_ template: Template, _ terms: Terms) throws(ContractRefusal) {
            self.template = template
            self.terms = terms
            values = try TermsReader(template: template, terms: terms).read()
        }
    }

    public var template: Template { _read { yield basis.template } }
    public var terms: Terms { _read { yield basis.terms } }
    /// Parameters, then terms, in the template's order; `nil` where only a child has one.
    var values: [Datum?] { basis.values }

    /// Refused unless the parameters have the kinds and bounds of the template, each role is filled,
    /// all identities are distinct, and every `check` holds. What is not given takes its default.
    public init(template: Template, terms: Terms) throws(ContractRefusal) {
        basis = try Basis(template, terms)
        // A grant whose units or deadline cannot be computed would silently hold nothing.
        let grants = grants
        guard grants.count == template.lines.count else {
            throw .lineCount(found: grants.count, wanted: template.lines.count)
        }
    }

    /// What step 1 must hold, one for each of the template's lines.
    public var grants: [LineNeed] {
        let environment = environment(nil, time: terms.grantBy)
        return template.lines.enumerated().compactMap { index, rule in
            guard let units = try? rule.units.number(in: environment, as: .quantity(line: index)),
                let until = try? rule.until.number(in: environment, as: .instant),
                let instant = try? Instant(milliseconds: until),
                let issuer = identity(rule.issuer), let holder = identity(rule.holder)
            else { return nil }
            return LineNeed(
                line: index, kind: .grant, issuer: issuer, holder: holder, units: units,
                until: instant)
        }
    }

    /// Step 1. First deadlines count from `grantBy`, whenever the step is written.
    public func opening(
        at time: Instant, sequence: Int64 = 1
    ) throws(ContractRefusal) -> Outcome {
        guard records.isEmpty else { throw .opened }
        guard let start = terms.isChild ? template.startChild : template.startFirst else {
            throw .notAChild
        }
        var step = StepRun(
            state: self, time: terms.grantBy, sequence: sequence, actor: nil, signers: [],
            reason: "opening")
        return try step.open(start)
    }

    /// Writes down what was decided on this very state.
    public mutating func apply(_ outcome: Outcome) {
        for record in outcome.records {
            let position = Int(record.number) - 1
            if records.indices.contains(position) {
                records[position] = record
            } else {
                records.append(record)
            }
        }
        claims = outcome.claims
        deposits = outcome.deposits
        isEnded = outcome.ends
        closing = outcome.outcome
        assert(!isEnded || pending.isEmpty)
    }

    // MARK: Questions

    public var escrow: Int64 { deposits.reduce(0) { $0 + $1.amount } }

    /// How far a third party that `record` waits for may stop its clock, milliseconds. Without witnesses
    /// nobody could say since when it was away, and no clock stops.
    public func stop(of record: Int64) -> Int64 {
        guard terms.witnesses > 0 else { return 0 }
        let awaited = awaited(record)
        for role in template.roles where role.kind == .third {
            guard let stop = role.stop, awaited.count == 1, let one = awaited.first,
                terms.roles[role.name]?.contains(one) == true
            else { continue }
            return template.values.firstIndex { $0.name == stop }
                .flatMap { values[safe: $0]??.number } ?? 0
        }
        return 0
    }

    /// How long a receipted request may stay unanswered before the arbiter may take over: as long as a
    /// payee has to confirm.
    public var response: Int64 {
        (try? template.confirm.number(in: environment(nil), as: .duration)) ?? 0
    }

    /// `open` until every record is final; `disputed` while one waits for a ruling.
    public var outcome: ContractOutcome {
        if isEnded { return closing }
        let disputed = records.contains { record in
            if record.phase == "denied" { return true }
            guard case .dispute = waiting(record) else { return false }
            return true
        }
        return disputed ? .disputed : .open
    }

    /// Reserved and neither posted nor voided, by cause.
    public var pending: [Transfer] {
        records.flatMap { $0.holds.compactMap(\.transfer) + ($0.pay.map { [$0.transfer] } ?? []) }
            .sorted { $0.cause < $1.cause }
    }

    public func record(_ number: Int64) -> Record? {
        guard let position = Int(exactly: number), position >= 1, position <= records.count else {
            return nil
        }
        return records[position - 1]
    }

    /// Records whose versions a request must name: its own, and main where the step reads or writes it.
    /// A discharge names none, nor does a settlement, which hangs on its basis; neither are records counted that the step makes.
    public func touched(by act: Act) -> [Int64] {
        guard act.transition != BuiltIn.discharge.rawValue, !act.isSettlement,
            let record = record(act.record)
        else { return [] }
        var main = false
        if let transition = template.transition(act.transition) {
            main = transition.touchesMain
        } else if let builtIn = BuiltIn(rawValue: act.transition) {
            switch (builtIn, waiting(record)) {
            case (.rule, .dispute(let rule)), (.agree, .dispute(let rule)),
                (.ruleDefault, .dispute(let rule)):
                main = rule.ruled.touchesMain
            case (.payReceive, .pay(let rule)), (.paySilent, .pay(let rule)):
                main = rule.paid.touchesMain
            case (.payUnpaid, .pay(let rule)): main = rule.unpaid.touchesMain
            case (.payRule, .pay(let rule)), (.payRuleDefault, .pay(let rule)):
                main = rule.paid.touchesMain || rule.unpaid.touchesMain
            default: break
            }
        }
        return main && act.record != 1 ? [1, act.record] : [act.record]
    }

    /// All identities named in a role, sorted.
    public var participants: [DID] { Set(terms.roles.values.joined()).sorted() }

    func waiting(_ record: Record) -> StateRule.Waiting? {
        template.family(record.family)?.rule(record.stateName)?.waits
    }

    // MARK: What formulas read

    /// `issuer`, or `makers.1` of a role that is a list.
    func identity(_ role: String) -> DID? {
        if let identities = terms.roles[role] { return identities.first }
        let parts = role.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, let identities = terms.roles[String(parts[0])],
            let index = Int(parts[1]), identities.indices.contains(index)
        else { return nil }
        return identities[index]
    }

    /// The identities that a list of role formulas comes out as, in order.
    func identities(_ people: [Expression], _ environment: Environment) -> [DID] {
        var found: [DID] = []
        for person in people {
            guard let datum = try? person.evaluate(in: environment) else { continue }
            let names = datum.name.map { [$0] } ?? datum.items.compactMap(\.name)
            for did in names.compactMap({ identity($0) }) where !found.contains(did) {
                found.append(did)
            }
        }
        return found
    }

    func environment(_ record: Record?, time: Instant? = nil) -> Environment {
        Self.environment(record, main: records.first, values, terms, time)
    }

    static func environment(
        _ record: Record?, main: Record?, _ values: [Datum?], _ terms: Terms, _ time: Instant?
    ) -> Environment {
        var environment = Environment()
        environment.parameters = values
        environment.grantBy = terms.grantBy.milliseconds
        environment.acceptBy = terms.acceptBy.milliseconds
        environment.time = time?.milliseconds
        environment.memberCounts = terms.memberCounts
        if let record {
            environment.fields = record.fields.map(\.datum)
            environment.holds = record.holds.map(\.amount)
        }
        if let main {
            environment.mainFields = main.fields.map(\.datum)
            environment.mainHolds = main.holds.map(\.amount)
            environment.mainState = main.stateName
        }
        return environment
    }
}

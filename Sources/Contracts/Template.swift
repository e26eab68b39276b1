public import Identity

/// A kind of contract, as data: who, what, until when, what if not. Immutable; two templates are the
/// same exactly if their bytes are.
public struct Template: Sendable {
    public let bytes: [UInt8]
    /// SHA-256 of `bytes`: the template's address.
    public let hash: Hash32
    public let name: String
    public let title: Localized
    /// The role whose identity writes the contract's log unless the proposal says otherwise.
    public let sequencerRole: String
    /// The command line's word for proposing: `option buy`.
    public let verb: String?
    public let roles: [Role]
    public let parameters: [Parameter]
    /// Durations a person need not know; each has a default and may be set like a parameter.
    public let terms: [Parameter]
    /// One for each issuer whose capacity the contract holds.
    public let lines: [LineRule]
    /// The template's own moves, defaults among them, in the file's order.
    public let transitions: [Transition]
    /// Who rules on disputes and denied payments.
    public let arbiterRole: String

    let checks: [Check]
    let within: Expression
    let confirm: Expression
    let deniedIsPaid: Bool
    let ruleWithin: Expression
    var families: [Family]
    let startFirst: Start
    let startChild: Start?
    let outcomes: [OutcomeRule]
    let worst: [String: Worst]
    let prose: Phrase
    let notes: [Note]

    struct Check: Hashable, Sendable {
        let that: Expression
        let message: Phrase
        let onlyChild: Bool
    }

    struct Start: Hashable, Sendable {
        let state: String
        let fields: [Int: Expression]
        let holds: [Int: Expression]
    }

    struct OutcomeRule: Hashable, Sendable {
        let when: Expression?
        let outcome: ContractOutcome
    }

    /// The worst that a role may come to while the others fall silent and do not lie.
    struct Worst: Hashable, Sendable {
        let says: Phrase
        /// What it then loses in money, goods counted at their worth. In a child: `child`.
        let loses: Expression?
        let child: Expression?
        let place: Place
    }

    struct Note: Hashable, Sendable {
        let when: Expression?
        let says: Phrase
    }

    /// Parameters, then terms: the order in which formulas count them.
    var values: [Parameter] { parameters + terms }

    /// Loads a file. Whatever is wrong with it is refused here, with its line; what passes runs to an
    /// end on any input.
    public static func read(_ bytes: [UInt8]) throws(TemplateRefusal) -> Template {
        let source = try Source.read(bytes)
        var reader = TemplateReader()
        return try reader.template(source, bytes: bytes)
    }

    public func role(_ name: String) -> Role? { roles.first { $0.name == name } }
    public func parameter(_ name: String) -> Parameter? { values.first { $0.name == name } }
    public func transition(_ name: String) -> Transition? {
        transitions.first { $0.name == name }
    }

    /// Verbs of every contract, whatever its template, and what they ask for.
    public static let everywhere = BuiltIn.allCases.filter { !$0.isDefault && $0 != .settle }
        .map { (verb: $0.verb, arguments: $0.arguments) }

    func family(_ name: String) -> Family? { families.first { $0.name == name } }
}

/// Names that templates cannot define.
enum BuiltIn: String, CaseIterable, Sendable {
    case payState = "pay_state"
    case payReceive = "pay_receive"
    case payDeny = "pay_deny"
    case payRule = "pay_rule"
    case payUnpaid = "pay_unpaid"
    case paySilent = "pay_silent"
    case payRuleDefault = "pay_rule_default"
    case rule
    case agree
    case ruleDefault = "rule_default"
    case discharge
    /// A final distribution, signed by all, or by all but a silent sequencer.
    case settle

    var isDefault: Bool {
        switch self {
        case .payUnpaid, .paySilent, .payRuleDefault, .ruleDefault: true
        case .payState, .payReceive, .payDeny, .payRule, .rule, .agree, .discharge, .settle: false
        }
    }

    var verb: String {
        switch self {
        case .payState: "pay state"
        case .payReceive: "pay receive"
        case .payDeny: "pay deny"
        case .payRule, .rule: "rule"
        case .agree: "agree"
        case .discharge: "discharge"
        case .settle: "settle"
        case .payUnpaid, .paySilent, .payRuleDefault, .ruleDefault: "default"
        }
    }

    var arguments: [Parameter] {
        switch self {
        case .payState:
            [
                Parameter(
                    name: "channel", kind: .text, title: Localized(en: "channel", zh: "付款渠道")),
                Parameter(
                    name: "reference", kind: .text, title: Localized(en: "reference", zh: "流水号")),
                Parameter(
                    name: "evidence", kind: .hash, title: Localized(en: "evidence", zh: "凭证"),
                    optional: true),
            ]
        case .payDeny:
            [
                Parameter(
                    name: "reason", kind: .text, title: Localized(en: "reason", zh: "理由"),
                    optional: true)
            ]
        case .payRule:
            [
                Parameter(
                    name: "paid", kind: .int,
                    title: Localized(en: "1 paid, 0 not paid", zh: "1 已付，0 未付"))
            ]
        case .rule, .agree:
            [Parameter(name: "ruling", kind: .bp, title: Localized(en: "ruling", zh: "裁定比例"))]
        case .discharge:
            [
                Parameter(name: "step", kind: .int), Parameter(name: "index", kind: .int),
                Parameter(name: "amount", kind: .money),
            ]
        // What a settlement says is lists; `SettlementPlan` reads them.
        case .payReceive, .payUnpaid, .paySilent, .payRuleDefault, .ruleDefault, .settle: []
        }
    }
}

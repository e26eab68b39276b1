/// One move of the template: who may make it, on what, and what it does.
public struct Transition: Hashable, Sendable {
    public let name: String
    public let family: String
    public let state: String
    /// The command line's word for it; template and transition name where the file gives none.
    public let verb: String
    public let arguments: [Parameter]
    /// Asked for by any party once the deadline has passed, with nobody's consent.
    public let isDefault: Bool
    /// As written: a role, a field of the record that names one, or a list.
    public var by: [String] { who.map(\.text) }
    /// The argument of type hash, if there is one.
    public var evidence: String? { arguments.first { $0.kind == .hash }?.name }

    let who: [Expression]
    let with: [Expression]
    let after: Expression?
    let require: [Requirement]
    let to: Expression
    let effects: [Effect]
    let lines: [LineEffect]
    let child: ChildRule?
    let says: Phrase
    let late: Bool
    let place: Place

    struct Requirement: Hashable, Sendable {
        let that: Expression
        let message: Phrase?
    }

    struct ChildRule: Hashable, Sendable {
        let roles: [String: Expression]
        let parameters: [String: Expression]
    }

    /// Whether main's version must be current too: the step writes or reads it.
    var touchesMain: Bool {
        let writes = effects.contains {
            if case .set(_, true, _) = $0 { true } else { false }
        }
        return writes || expressions.contains { $0.node.readsMain }
    }

    var expressions: [Expression] {
        var all = who + with + require.map(\.that) + [to]
        if let after { all.append(after) }
        all += effects.flatMap(\.expressions)
        all += lines.flatMap { [$0.units] + ($0.until.map { [$0] } ?? []) }
        if let child {
            all += child.roles.values.sorted { $0.text < $1.text }
            all += child.parameters.values.sorted { $0.text < $1.text }
        }
        return all
    }
}

extension Effect {
    var expressions: [Expression] {
        switch self {
        case .set(_, _, let value): [value]
        case .make(_, _, let fields): fields.sorted { $0.key < $1.key }.map(\.value)
        case .carve(let units, _, _, _), .cut(let units, _), .post(let units, _): [units]
        case .void: []
        case .claim(let amount, let from, let to): [amount, from, to]
        }
    }
}

/// A sentence with `{formulas}` in both languages.
struct Phrase: Hashable, Sendable {
    let en: [Part]
    let zh: [Part]

    enum Part: Hashable, Sendable {
        case text(String)
        case value(Expression)
    }

    subscript(_ language: Language) -> [Part] {
        switch language {
        case .en: en
        case .zh: zh
        }
    }

    var expressions: [Expression] {
        (en + zh).compactMap { if case .value(let expression) = $0 { expression } else { nil } }
    }
}

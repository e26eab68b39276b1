/// A formula of a template, typed when the file is read. It cannot loop, and what it reads is fixed by
/// its place: parameters, a record's fields and holds, a step's arguments, the time of the step.
public struct Expression: Hashable, Sendable {
    /// As it stands in the file.
    public let text: String
    public let kind: ValueKind
    let node: Node

    indirect enum Node: Hashable, Sendable {
        case number(Int64)
        /// A choice, role or state by its own name.
        case name(String)
        /// The members of a role that is a list.
        case members(String)
        case parameter(Int)
        case field(Int)
        case hold(Int)
        case argument(Int)
        case mainField(Int)
        case mainHold(Int)
        case mainState
        case time, grantBy, acceptBy, ruling
        /// In `worst` of a list of roles: the place of whoever reads, from 0.
        case member
        case not(Node)
        case both(Node, Node)
        case either(Node, Node)
        case sum(Node, Node)
        case difference(Node, Node)
        case product(Node, Node)
        case quotient(Node, Node)
        case compare(Comparison, Node, Node)
        case choose(Node, then: Node, otherwise: Node)
        case call(Function, [Node])
        case anyOutcome(ContractOutcome)
        case count(family: Int)
    }

    enum Comparison: String, Hashable, Sendable {
        case equal = "=="
        case unequal = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
    }

    enum Function: String, Hashable, Sendable, CaseIterable {
        case at, count, last, min, max, abs, multiple, part, share, month, sha
    }

    static func name(_ name: String, _ kind: ValueKind) -> Expression {
        Expression(text: name, kind: kind, node: .name(name))
    }
}

extension Expression.Node {
    /// This node and all below it. Depth is bounded by the reader.
    func visit(_ look: (Expression.Node) -> Void) {
        look(self)
        switch self {
        case .not(let one): one.visit(look)
        case .both(let left, let right), .either(let left, let right), .sum(let left, let right),
            .difference(let left, let right), .product(let left, let right),
            .quotient(let left, let right), .compare(_, let left, let right):
            left.visit(look)
            right.visit(look)
        case .choose(let condition, let then, let otherwise):
            condition.visit(look)
            then.visit(look)
            otherwise.visit(look)
        case .call(_, let arguments):
            for argument in arguments { argument.visit(look) }
        case .number, .name, .members, .parameter, .field, .hold, .argument, .mainField, .mainHold,
            .mainState, .time, .grantBy, .acceptBy, .ruling, .member, .anyOutcome, .count:
            break
        }
    }

    /// The names that this may come out as: for a state, where a step can lead.
    var outcomes: [String] {
        switch self {
        case .name(let name): [name]
        case .choose(_, let then, let otherwise): then.outcomes + otherwise.outcomes
        default: []
        }
    }

    var readsMain: Bool {
        var found = false
        visit {
            switch $0 {
            case .mainField, .mainHold, .mainState: found = true
            default: break
            }
        }
        return found
    }

    var readsArguments: Bool {
        var found = false
        visit { if case .argument = $0 { found = true } }
        return found
    }

    var readsTime: Bool {
        var found = false
        visit { if case .time = $0 { found = true } }
        return found
    }

    var parameters: Set<Int> {
        var found: Set<Int> = []
        visit { if case .parameter(let index) = $0 { found.insert(index) } }
        return found
    }

    var fields: Set<Int> {
        var found: Set<Int> = []
        visit { if case .field(let index) = $0 { found.insert(index) } }
        return found
    }

    var names: Set<String> {
        var found: Set<String> = []
        visit {
            if case .name(let name) = $0 { found.insert(name) }
            if case .members(let name) = $0 { found.insert(name) }
        }
        return found
    }
}

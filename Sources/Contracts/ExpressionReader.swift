/// What names mean at one place of a template.
struct Scope: Sendable {
    var roles: [String: Bool] = [:]  // name → is a list
    var options: [String: ValueKind] = [:]
    var parameters: [String: (index: Int, kind: ValueKind)] = [:]
    var fields: [String: (index: Int, kind: ValueKind)] = [:]
    var holds: [String: (index: Int, kind: ValueKind)] = [:]
    var states: Set<String> = []
    /// Whose states they are, for messages.
    var family = ""
    var arguments: [String: (index: Int, kind: ValueKind)] = [:]
    var mainFields: [String: (index: Int, kind: ValueKind)] = [:]
    var mainHolds: [String: (index: Int, kind: ValueKind)] = [:]
    var mainStates: Set<String> = []
    var families: [String: Int] = [:]
    var readsMain = false
    /// Only `outcome` looks across records.
    var readsAcross = false
    var hasTime = false
    var hasRuling = false
    var hasMember = false
}

extension Scope {
    /// Names that mean something here; of the kinds wanted, where those can only be named.
    func names(fitting wanted: [ValueKind]) -> Set<String> {
        let onlyNamed = !wanted.isEmpty && wanted.allSatisfy(\.isNamed)
        func fits(_ kind: ValueKind) -> Bool {
            !onlyNamed || wanted.contains { kind.fits($0) }
        }
        var known: Set<String> = []
        for names in [arguments, fields, holds, parameters] {
            known.formUnion(names.filter { fits($0.value.kind.seen) }.keys)
        }
        known.formUnion(roles.filter { fits($0.value ? .list(.role) : .role) }.keys)
        guard !onlyNamed else { return known.union(options.filter { fits($0.value) }.keys) }
        known.formUnion(["grant_by", "accept_by"])
        if hasTime { known.insert("time") }
        if hasRuling { known.insert("ruling") }
        if hasMember { known.insert("member") }
        return readsMain || readsAcross ? known.union(mainNames) : known
    }

    var mainNames: Set<String> {
        Set((["state"] + mainFields.keys + mainHolds.keys).map { "main.\($0)" })
    }
}

extension ValueKind {
    /// Values that are never computed, only named.
    var isNamed: Bool {
        switch self {
        case .role, .party, .hash, .choice, .list(.role): true
        default: false
        }
    }
}

/// Reads one formula and gives every part its kind on the way: a name that means nothing here, or two
/// kinds that do not mix, is refused where it stands.
struct ExpressionReader {
    static let tokensMax = 256
    static let depthMax = 12

    private enum Token: Equatable {
        case number(Int64)
        case duration(Int64)
        case name(String)
        case mark(String)
        case end
    }

    private typealias Typed = (node: Expression.Node, kind: ValueKind)

    private let scope: Scope
    private var tokens: [(token: Token, text: String, place: Place)] = []
    private var position = 0
    private var depth = 0
    /// What a name standing alone here should be; empty where anything may do.
    private var wants: [ValueKind] = []

    static func read(
        _ text: String, at place: Place, in scope: Scope, wanted: [ValueKind] = []
    ) throws(TemplateRefusal) -> Expression {
        var reader = try ExpressionReader(text, at: place, in: scope)
        reader.wants = wanted
        let result = try reader.expression()
        guard reader.current.token == .end else {
            throw reader.syntax("an operator or the end")
        }
        if !wanted.isEmpty, !wanted.contains(where: { result.kind.fits($0) }) {
            throw TemplateRefusal(place, .wrongKind(found: result.kind, wanted: wanted))
        }
        return Expression(text: text, kind: result.kind, node: result.node)
    }

    private init(_ text: String, at place: Place, in scope: Scope) throws(TemplateRefusal) {
        self.scope = scope
        let scalars = Array(text.unicodeScalars)
        var index = 0
        func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
        func isLetter(_ scalar: Unicode.Scalar) -> Bool {
            ("a"..."z").contains(scalar) || scalar == "_"
        }
        while index < scalars.count {
            let scalar = scalars[index]
            let here = place.shifted(index)
            if scalar == " " {
                index += 1
                continue
            }
            guard tokens.count < Self.tokensMax else {
                throw TemplateRefusal(
                    here, .expressionTooLong(tokens: tokens.count + 1, limit: Self.tokensMax))
            }
            var word = ""
            if isDigit(scalar) {
                while index < scalars.count, isDigit(scalars[index]) || isLetter(scalars[index]) {
                    word.unicodeScalars.append(scalars[index])
                    index += 1
                }
                if let number = Int64(word) {
                    tokens.append((.number(number), word, here))
                } else if let span = Literal.duration(word) {
                    tokens.append((.duration(span), word, here))
                } else {
                    throw TemplateRefusal(here, .badLiteral(word, .duration))
                }
            } else if isLetter(scalar) {
                while index < scalars.count, isDigit(scalars[index]) || isLetter(scalars[index]) {
                    word.unicodeScalars.append(scalars[index])
                    index += 1
                }
                tokens.append((.name(word), word, here))
            } else {
                word = String(scalar)
                let next = index + 1 < scalars.count ? scalars[index + 1] : " "
                if next == "=", "=!<>".unicodeScalars.contains(scalar) { word += "=" }
                guard
                    ["+", "-", "*", "/", "(", ")", ",", ".", "<", ">", "==", "!=", "<=", ">="]
                        .contains(word)
                else { throw TemplateRefusal(here, .syntax(word, wanted: "a formula")) }
                index += word.unicodeScalars.count
                tokens.append((.mark(word), word, here))
            }
        }
        tokens.append((.end, "end", place.shifted(scalars.count)))
    }

    // MARK: Grammar, one function a level

    private mutating func expression() throws(TemplateRefusal) -> Typed {
        guard take(word: "if") else { return try disjunction() }
        try enter()
        defer { depth -= 1 }
        let place = current.place
        let wanted = wants
        wants = []
        let condition = try disjunction()
        wants = wanted
        try demand(condition, .truth, at: place)
        guard take(word: "then") else { throw syntax("then") }
        let then = try expression()
        guard take(word: "else") else { throw syntax("else") }
        let elsePlace = current.place
        let otherwise = try expression()
        guard let kind = ValueKind.shared(then.kind, otherwise.kind) else {
            throw TemplateRefusal(
                elsePlace, .wrongKind(found: otherwise.kind, wanted: [then.kind]))
        }
        return (.choose(condition.node, then: then.node, otherwise: otherwise.node), kind)
    }

    private mutating func disjunction() throws(TemplateRefusal) -> Typed {
        var left = try conjunction()
        while isWord("or") {
            try demand(left, .truth, at: current.place)
            position += 1
            let place = current.place
            let right = try conjunction()
            try demand(right, .truth, at: place)
            left = (.either(left.node, right.node), .truth)
        }
        return left
    }

    private mutating func conjunction() throws(TemplateRefusal) -> Typed {
        var left = try negation()
        while isWord("and") {
            try demand(left, .truth, at: current.place)
            position += 1
            let place = current.place
            let right = try negation()
            try demand(right, .truth, at: place)
            left = (.both(left.node, right.node), .truth)
        }
        return left
    }

    private mutating func negation() throws(TemplateRefusal) -> Typed {
        guard take(word: "not") else { return try comparison() }
        let place = current.place
        let one = try comparison()
        try demand(one, .truth, at: place)
        return (.not(one.node), .truth)
    }

    private mutating func comparison() throws(TemplateRefusal) -> Typed {
        let left = try sum()
        guard case .mark(let mark) = current.token,
            let comparison = Expression.Comparison(rawValue: mark)
        else { return left }
        position += 1
        let place = current.place
        let wanted = wants
        wants = [left.kind]
        let right = try sum()
        wants = wanted
        let ordered = comparison != .equal && comparison != .unequal
        guard let kind = ValueKind.shared(left.kind, right.kind),
            !ordered || kind.isNumber || kind == .bp
        else {
            throw TemplateRefusal(place, .wrongKind(found: right.kind, wanted: [left.kind]))
        }
        return (.compare(comparison, left.node, right.node), .truth)
    }

    private mutating func sum() throws(TemplateRefusal) -> Typed {
        var left = try term()
        while case .mark(let mark) = current.token, mark == "+" || mark == "-" {
            position += 1
            let place = current.place
            let right = try term()
            guard let kind = Self.sum(left.kind, right.kind, minus: mark == "-") else {
                throw TemplateRefusal(place, .wrongKind(found: right.kind, wanted: [left.kind]))
            }
            left =
                mark == "+"
                ? (.sum(left.node, right.node), kind) : (.difference(left.node, right.node), kind)
        }
        return left
    }

    private static func sum(_ left: ValueKind, _ right: ValueKind, minus: Bool) -> ValueKind? {
        switch (left, right) {
        case (.instant, .duration): return .instant
        case (.duration, .instant): return minus ? nil : .instant
        case (.instant, .instant): return minus ? .duration : nil
        default:
            guard let kind = ValueKind.shared(left, right), kind.isNumber || kind == .bp else {
                return nil
            }
            return kind
        }
    }

    private mutating func term() throws(TemplateRefusal) -> Typed {
        var left = try fact()
        while case .mark(let mark) = current.token, mark == "*" || mark == "/" {
            position += 1
            let place = current.place
            let right = try fact()
            if mark == "/" {
                guard left.kind.isNumber || left.kind == .bp, left.kind != .instant,
                    right.kind == .int || right.kind == .literal
                else { throw TemplateRefusal(place, .wrongKind(found: right.kind, wanted: [.int])) }
                left = (.quotient(left.node, right.node), left.kind)
            } else {
                guard let kind = Self.product(left.kind, right.kind) else {
                    throw TemplateRefusal(place, .wrongKind(found: right.kind, wanted: [.int]))
                }
                left = (.product(left.node, right.node), kind)
            }
        }
        return left
    }

    private static func product(_ left: ValueKind, _ right: ValueKind) -> ValueKind? {
        func scales(_ kind: ValueKind) -> Bool { kind == .int || kind == .literal }
        func scaled(_ kind: ValueKind) -> Bool {
            kind != .instant && (kind.isNumber || kind == .bp)
        }
        switch (left, right) {
        case (.price, .quantity), (.quantity, .price): return .money
        case (.literal, let kind) where scaled(kind): return kind
        case (let kind, let other) where scales(other) && scaled(kind): return kind
        case (.int, let kind) where scaled(kind): return kind
        default: return nil
        }
    }

    private mutating func fact() throws(TemplateRefusal) -> Typed {
        let place = current.place
        switch current.token {
        case .number(let number):
            position += 1
            return (.number(number), .literal)
        case .duration(let span):
            position += 1
            return (.number(span), .duration)
        case .mark("("):
            position += 1
            try enter()
            defer { depth -= 1 }
            let inner = try expression()
            guard take(mark: ")") else { throw syntax(")") }
            return inner
        case .name(let name):
            position += 1
            if take(mark: "(") {
                try enter()
                defer { depth -= 1 }
                return try call(name, at: place)
            }
            if take(mark: ".") {
                guard case .name(let member) = current.token else { throw syntax("a name") }
                position += 1
                return try main(name, member, at: place)
            }
            return try resolve(name, at: place)
        case .mark, .end:
            throw syntax("a number, name or (")
        }
    }

    // MARK: Names

    private func resolve(_ name: String, at place: Place) throws(TemplateRefusal) -> Typed {
        if let found = scope.arguments[name] { return (.argument(found.index), found.kind.seen) }
        if let found = scope.fields[name] { return (.field(found.index), found.kind.seen) }
        if let found = scope.holds[name] { return (.hold(found.index), found.kind) }
        if let found = scope.parameters[name] { return (.parameter(found.index), found.kind.seen) }
        switch name {
        case "time" where scope.hasTime: return (.time, .instant)
        case "ruling" where scope.hasRuling: return (.ruling, .bp)
        case "member" where scope.hasMember: return (.member, .int)
        case "grant_by": return (.grantBy, .instant)
        case "accept_by": return (.acceptBy, .instant)
        default: break
        }
        if let many = scope.roles[name] {
            return many ? (.members(name), .list(.role)) : (.name(name), .role)
        }
        if scope.states.contains(name) || (scope.readsAcross && scope.mainStates.contains(name)) {
            return (.name(name), .state)
        }
        if let kind = scope.options[name] { return (.name(name), kind) }
        if wants == [.state] {
            let known = scope.states.union(scope.readsAcross ? scope.mainStates : [])
            throw TemplateRefusal(
                place, .unknownState(name, family: scope.family, known: known))
        }
        throw TemplateRefusal(place, .unknownName(name, known: scope.names(fitting: wants)))
    }

    private func main(
        _ name: String, _ member: String, at place: Place
    ) throws(TemplateRefusal) -> Typed {
        let text = "\(name).\(member)"
        guard name == "main", scope.readsMain || scope.readsAcross else {
            throw TemplateRefusal(place, .unknownName(text, known: scope.names(fitting: wants)))
        }
        if member == "state" { return (.mainState, .state) }
        if let found = scope.mainFields[member] { return (.mainField(found.index), found.kind) }
        if let found = scope.mainHolds[member] { return (.mainHold(found.index), found.kind) }
        throw TemplateRefusal(place, .unknownName(text, known: scope.mainNames))
    }

    private mutating func call(_ name: String, at place: Place) throws(TemplateRefusal) -> Typed {
        if scope.readsAcross, name == "any" || name == "count",
            case .name(let member) = current.token
        {
            let memberPlace = current.place
            if name == "any" {
                guard let outcome = ContractOutcome(rawValue: member),
                    ContractOutcome.final.contains(outcome)
                else {
                    throw TemplateRefusal(
                        memberPlace, .expected("fulfilled, lapsed, cancelled or defaulted"))
                }
                position += 1
                guard take(mark: ")") else { throw syntax(")") }
                return (.anyOutcome(outcome), .truth)
            }
            if let family = scope.families[member] {
                position += 1
                guard take(mark: ")") else { throw syntax(")") }
                return (.count(family: family), .int)
            }
            if name == "count", !scope.names(fitting: []).contains(member) {
                throw TemplateRefusal(
                    memberPlace, .unknownFamily(member, known: Set(scope.families.keys)))
            }
        }
        guard let function = Expression.Function(rawValue: name) else {
            let known = Set(Expression.Function.allCases.map(\.rawValue))
            throw TemplateRefusal(
                place,
                .unknownFunction(name, known: scope.readsAcross ? known.union(["any"]) : known))
        }
        let wanted = wants
        wants = []
        defer { wants = wanted }
        var arguments: [Typed] = []
        var places: [Place] = []
        if !take(mark: ")") {
            repeat {
                places.append(current.place)
                arguments.append(try expression())
            } while take(mark: ",")
            guard take(mark: ")") else { throw syntax(", or )") }
        }
        let kind = try check(function, arguments, places, at: place)
        return (.call(function, arguments.map(\.node)), kind)
    }

    private func check(
        _ function: Expression.Function, _ arguments: [Typed], _ places: [Place], at place: Place
    ) throws(TemplateRefusal) -> ValueKind {
        let wanted: ClosedRange<Int> =
            switch function {
            case .count, .last, .abs, .sha: 1...1
            case .min, .max: 2...8
            case .at, .multiple, .part, .share, .month: 2...2
            }
        guard wanted.contains(arguments.count), let first = arguments.first else {
            let text = wanted.count == 1 ? "\(wanted.lowerBound)" : "2 to 8"
            throw TemplateRefusal(
                place,
                .argumentCount(function.rawValue, found: arguments.count, wanted: text))
        }
        func refuse(_ index: Int, _ kinds: [ValueKind]) -> TemplateRefusal {
            TemplateRefusal(
                places.indices.contains(index) ? places[index] : place,
                .wrongKind(
                    found: arguments.indices.contains(index) ? arguments[index].kind : first.kind,
                    wanted: kinds))
        }
        let second = arguments.count > 1 ? arguments[1].kind : first.kind
        switch function {
        case .at, .last, .count:
            guard case .list(let item) = first.kind else { throw refuse(0, [.list(.int)]) }
            if function == .at, second != .int, second != .literal { throw refuse(1, [.int]) }
            return function == .count ? .int : item
        case .min, .max, .abs:
            var kind = first.kind
            for (index, argument) in arguments.enumerated() {
                guard argument.kind.isNumber || argument.kind == .bp,
                    let shared = ValueKind.shared(kind, argument.kind)
                else { throw refuse(index, [kind]) }
                kind = shared
            }
            return kind
        case .multiple:
            guard first.kind.isNumber, ValueKind.shared(first.kind, second) != nil else {
                throw refuse(1, [first.kind])
            }
            return .truth
        case .part, .share:
            switch first.kind {
            case .money, .quantity, .int, .price, .literal: break
            default: throw refuse(0, [.money, .quantity(line: 0)])
            }
            if function == .part {
                guard second == .bp || second == .literal else { throw refuse(1, [.bp]) }
                return first.kind
            }
            guard case .list(let item) = second, item.isNumber || item == .bp else {
                throw refuse(1, [.list(.int)])
            }
            return .list(first.kind)
        case .sha:
            guard first.kind == .hash else { throw refuse(0, [.hash]) }
            return .hash
        case .month:
            guard first.kind == .instant else { throw refuse(0, [.instant]) }
            guard second == .int || second == .literal else { throw refuse(1, [.int]) }
            return .int
        }
    }

    // MARK: Tokens

    private var current: (token: Token, text: String, place: Place) {
        tokens.indices.contains(position)
            ? tokens[position] : (.end, "end", Place(line: 1, column: 1))
    }

    private func isWord(_ word: String) -> Bool { current.token == .name(word) }

    private mutating func take(word: String) -> Bool {
        guard isWord(word) else { return false }
        position += 1
        return true
    }

    private mutating func take(mark: String) -> Bool {
        guard current.token == .mark(mark) else { return false }
        position += 1
        return true
    }

    private mutating func enter() throws(TemplateRefusal) {
        depth += 1
        guard depth <= Self.depthMax else {
            throw TemplateRefusal(current.place, .expressionTooDeep(limit: Self.depthMax))
        }
    }

    private func demand(_ typed: Typed, _ kind: ValueKind, at place: Place) throws(TemplateRefusal)
    {
        guard typed.kind == kind else {
            throw TemplateRefusal(place, .wrongKind(found: typed.kind, wanted: [kind]))
        }
    }

    private func syntax(_ wanted: String) -> TemplateRefusal {
        TemplateRefusal(current.place, .syntax(current.text, wanted: wanted))
    }
}

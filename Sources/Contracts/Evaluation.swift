internal import Capacity
internal import Identity

/// Why a formula has no value on these numbers. It refuses the step and consumes nothing.
public indirect enum EvaluationFault: Error, Hashable, Sendable {
    case overflow
    case divisionByZero
    case index(Int64, count: Int)
    case outOfBounds(Int64, ValueKind)
    case absent(String)

    public func words(_ language: Language) -> String {
        switch (self, language) {
        case (.overflow, .en): "a number grew beyond 64 bit"
        case (.overflow, .zh): "数值超出 64 位"
        case (.divisionByZero, .en): "a division by zero"
        case (.divisionByZero, .zh): "除数为零"
        case (.index(let index, let count), .en): "item \(index) of a list of \(count)"
        case (.index(let index, let count), .zh): "列表共 \(count) 项，却要第 \(index) 项"
        case (.outOfBounds(let number, let kind), .en): "\(number) cannot be \(kind.words(.en))"
        case (.outOfBounds(let number, let kind), .zh): "\(number) 不能作为\(kind.words(.zh))"
        case (.absent(let name), .en): "\(name) has no value here"
        case (.absent(let name), .zh): "\(name) 在此没有值"
        }
    }
}

/// All that a formula may read. Numbers are bare, their kinds were checked at load.
struct Environment: Sendable {
    var parameters: [Datum?] = []
    var fields: [Datum] = []
    var holds: [Int64] = []
    var arguments: [Datum?] = []
    var mainFields: [Datum] = []
    var mainHolds: [Int64] = []
    var mainState = ""
    var time: Int64?
    var grantBy: Int64 = 0
    var acceptBy: Int64 = 0
    var ruling: Int64?
    var member: Int64?
    var memberCounts: [String: Int] = [:]
    var outcomes: Set<ContractOutcome> = []
    var familyCounts: [Int] = []
}

extension Expression {
    func evaluate(in environment: Environment) throws(EvaluationFault) -> Datum {
        try environment.evaluate(node)
    }

    /// The number, within the bounds of what may be stored as `kind`.
    func number(in environment: Environment, as kind: ValueKind) throws(EvaluationFault) -> Int64 {
        let number = try environment.number(node)
        guard kind.admits(number) else { throw .outOfBounds(number, kind) }
        return number
    }

    func truth(in environment: Environment) throws(EvaluationFault) -> Bool {
        try environment.truth(node)
    }

    func name(in environment: Environment) throws(EvaluationFault) -> String {
        guard let name = try environment.evaluate(node).name else { throw .absent(text) }
        return name
    }
}

extension Environment {
    func evaluate(_ node: Expression.Node) throws(EvaluationFault) -> Datum {
        switch node {
        case .number(let number): return .number(number)
        case .name(let name): return .name(name)
        case .members(let role):
            return .list((0..<(memberCounts[role] ?? 0)).map { .name("\(role).\($0)") })
        case .parameter(let index): return try given(parameters, index, "parameter")
        case .argument(let index): return try given(arguments, index, "argument")
        case .field(let index): return try item(fields, Int64(index))
        case .mainField(let index): return try item(mainFields, Int64(index))
        case .hold(let index): return .number(try item(holds, Int64(index)))
        case .mainHold(let index): return .number(try item(mainHolds, Int64(index)))
        case .mainState: return .name(mainState)
        case .time:
            guard let time else { throw .absent("time") }
            return .number(time)
        case .grantBy: return .number(grantBy)
        case .acceptBy: return .number(acceptBy)
        case .ruling:
            guard let ruling else { throw .absent("ruling") }
            return .number(ruling)
        case .member:
            guard let member else { throw .absent("member") }
            return .number(member)
        case .not(let one): return .truth(!(try truth(one)))
        case .both(let left, let right):
            guard try truth(left) else { return .truth(false) }
            return .truth(try truth(right))
        case .either(let left, let right):
            if try truth(left) { return .truth(true) }
            return .truth(try truth(right))
        case .sum(let left, let right):
            return try checked(try number(left).addingReportingOverflow(try number(right)))
        case .difference(let left, let right):
            return try checked(try number(left).subtractingReportingOverflow(try number(right)))
        case .product(let left, let right):
            return try checked(try number(left).multipliedReportingOverflow(by: try number(right)))
        case .quotient(let left, let right):
            let divisor = try number(right)
            guard divisor != 0 else { throw .divisionByZero }
            return try checked(try number(left).dividedReportingOverflow(by: divisor))
        case .compare(let comparison, let left, let right):
            return .truth(try compare(comparison, try evaluate(left), try evaluate(right)))
        case .choose(let condition, let then, let otherwise):
            return try evaluate(try truth(condition) ? then : otherwise)
        case .call(let function, let arguments): return try call(function, arguments)
        case .anyOutcome(let outcome): return .truth(outcomes.contains(outcome))
        case .count(let family): return .number(Int64(try item(familyCounts, Int64(family))))
        }
    }

    func number(_ node: Expression.Node) throws(EvaluationFault) -> Int64 {
        guard let number = try evaluate(node).number else { throw .absent("number") }
        return number
    }

    func truth(_ node: Expression.Node) throws(EvaluationFault) -> Bool {
        guard case .truth(let truth) = try evaluate(node) else { throw .absent("condition") }
        return truth
    }

    private func given(
        _ values: [Datum?], _ index: Int, _ name: String
    ) throws(EvaluationFault) -> Datum {
        guard values.indices.contains(index), let value = values[index] else {
            throw .absent(name)
        }
        return value
    }

    private func item<T>(_ values: [T], _ index: Int64) throws(EvaluationFault) -> T {
        guard let position = Int(exactly: index), values.indices.contains(position) else {
            throw .index(index, count: values.count)
        }
        return values[position]
    }

    private func checked(
        _ result: (partialValue: Int64, overflow: Bool)
    ) throws(EvaluationFault) -> Datum {
        guard !result.overflow else { throw .overflow }
        return .number(result.partialValue)
    }

    private func compare(
        _ comparison: Expression.Comparison, _ left: Datum, _ right: Datum
    ) throws(EvaluationFault) -> Bool {
        switch comparison {
        case .equal: return left == right
        case .unequal: return left != right
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let left = left.number, let right = right.number else { throw .absent("number") }
            return switch comparison {
            case .less: left < right
            case .lessOrEqual: left <= right
            case .greater: left > right
            case .greaterOrEqual, .equal, .unequal: left >= right
            }
        }
    }

    private func call(
        _ function: Expression.Function, _ nodes: [Expression.Node]
    ) throws(EvaluationFault) -> Datum {
        func argument(_ index: Int) throws(EvaluationFault) -> Datum {
            guard nodes.indices.contains(index) else { throw .absent(function.rawValue) }
            return try evaluate(nodes[index])
        }
        func whole(_ index: Int) throws(EvaluationFault) -> Int64 {
            guard let number = try argument(index).number else { throw .absent("number") }
            return number
        }
        switch function {
        case .at: return try item(try argument(0).items, try whole(1))
        case .count: return .number(Int64(try argument(0).items.count))
        case .last:
            let items = try argument(0).items
            return try item(items, Int64(items.count) - 1)
        case .min, .max:
            var best = try whole(0)
            for index in nodes.indices.dropFirst() {
                let next = try whole(index)
                best = function == .min ? Swift.min(best, next) : Swift.max(best, next)
            }
            return .number(best)
        case .abs:
            let number = try whole(0)
            guard number != .min else { throw .overflow }
            return .number(Swift.abs(number))
        case .multiple:
            let lot = try whole(1)
            guard lot != 0 else { throw .divisionByZero }
            // The least number by −1 has no quotient, and still nothing remains.
            let rest = try whole(0).remainderReportingOverflow(dividingBy: lot)
            return .truth(rest.partialValue == 0)
        case .part:
            let share = try whole(1)
            let (rest, isOver) = Int64(10_000).subtractingReportingOverflow(share)
            guard !isOver else { throw .overflow }
            let parts = try Shares.split(try whole(0), [share, rest])
            return .number(try item(parts, 0))
        case .share:
            let weights = try argument(1).items.compactMap(\.number)
            return .list(try Shares.split(try whole(0), weights).map { .number($0) })
        case .sha:
            guard case .hash(let hash) = try argument(0) else { throw .absent("hash") }
            return .hash(SHA256.hash(hash.bytes))
        case .month:
            let offset = try whole(1)
            guard offset.magnitude <= 1080, let instant = try? Instant(milliseconds: try whole(0))
            else { throw .outOfBounds(offset, .int) }
            let civil = CivilTime(instant, offsetMinutes: Int(offset))
            return .number(civil.year * 12 + civil.month - 1)
        }
    }
}

/// Splitting an amount so that nothing is lost and both sides compute the same.
public enum Shares {
    /// Floors, then one unit each to the largest remainders, ties to the lower index. Computed in 128
    /// bit. Refused for a negative amount or weight, or weights that sum to zero.
    public static func split(
        _ amount: Int64, _ weights: [Int64]
    ) throws(EvaluationFault) -> [Int64] {
        guard amount >= 0 else { throw .outOfBounds(amount, .money) }
        var total: Int128 = 0
        for weight in weights {
            guard weight >= 0 else { throw .outOfBounds(weight, .bp) }
            total += Int128(weight)
        }
        guard total > 0 else { throw .divisionByZero }
        var parts: [Int64] = []
        var remainders: [(index: Int, rest: Int128)] = []
        var left = amount
        for (index, weight) in weights.enumerated() {
            let product = Int128(amount) * Int128(weight)
            // At most `amount`, as no weight is above their sum.
            let floor = Int64(truncatingIfNeeded: product / total)
            parts.append(floor)
            left -= floor
            remainders.append((index, product % total))
        }
        remainders.sort { ($1.rest, $0.index) < ($0.rest, $1.index) }
        for entry in remainders where left > 0 {
            parts[entry.index] += 1
            left -= 1
        }
        return parts
    }
}

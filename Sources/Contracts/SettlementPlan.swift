public import Capacity
internal import Entries
public import Identity

/// What a settlement says: which of the pending transfers are posted, who owes whom besides, and whether it
/// does without the sequencer. Everything else that is pending falls back to its giver.
public struct SettlementPlan: Hashable, Sendable {
    /// So much of the transfer that step and index name; ascending, each once.
    public var posts: [Post]
    /// New debts, out of what was pending or in escrow from those who owe.
    public var debts: [Debt]
    /// The silent sequencer; `nil` where all sign.
    public var without: DID?

    public struct Post: Hashable, Comparable, Sendable {
        public let step: Int64
        public let index: Int64
        public let amount: Int64

        public init(step: Int64, index: Int64, amount: Int64) {
            self.step = step
            self.index = index
            self.amount = amount
        }

        public static func < (left: Self, right: Self) -> Bool {
            (left.step, left.index) < (right.step, right.index)
        }
    }

    public struct Debt: Hashable, Sendable {
        public let from: DID
        public let to: DID
        public let money: Money

        public init(from: DID, to: DID, money: Money) {
            self.from = from
            self.to = to
            self.money = money
        }
    }

    /// How an amount of money in it is typed.
    public static let money = Parameter(name: "money", kind: .money)

    public init(posts: [Post] = [], debts: [Debt] = [], without: DID? = nil) {
        self.posts = posts.sorted()
        self.debts = debts
        self.without = without
    }

    /// As its author signs it. The record is main; versions do not matter, the basis does.
    public var act: Act {
        var arguments: [String: Value] = [:]
        if !posts.isEmpty {
            arguments["post"] = .list(
                posts.map {
                    .list([.integer($0.step), .integer($0.index), .integer($0.amount)])
                })
        }
        if !debts.isEmpty {
            arguments["owe"] = .list(
                debts.map { .list([.identity($0.from), .identity($0.to), .money($0.money)]) })
        }
        arguments["without"] = without.map(Value.identity)
        return Act(transition: BuiltIn.settle.rawValue, record: 1, arguments: arguments)
    }

    /// Refused unless `act` says it in exactly this way.
    init(_ act: Act) throws(ContractRefusal) {
        posts = try Self.items(act, "post").map { item throws(ContractRefusal) in
            guard item.count == 3, case .integer(let step) = item[0],
                case .integer(let index) = item[1], case .integer(let amount) = item[2]
            else { throw .argumentKind("post", wanted: .list(.int)) }
            return Post(step: step, index: index, amount: amount)
        }
        debts = try Self.items(act, "owe").map { item throws(ContractRefusal) in
            guard item.count == 3, case .identity(let from) = item[0],
                case .identity(let to) = item[1], case .money(let money) = item[2]
            else { throw .argumentKind("owe", wanted: .list(.money)) }
            return Debt(from: from, to: to, money: money)
        }
        without = act.without
        // One spelling: nothing twice, nothing out of order, nothing besides.
        guard self.act == act, zip(posts, posts.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .argumentUnknown(act.arguments.keys.sorted().first ?? "settle")
        }
    }

    private static func items(_ act: Act, _ name: String) throws(ContractRefusal) -> [[Value]] {
        guard let value = act.arguments[name] else { return [] }
        guard case .list(let list) = value else { throw .argumentKind(name, wanted: .list(.int)) }
        var items: [[Value]] = []
        for one in list {
            guard case .list(let parts) = one else {
                throw .argumentKind(name, wanted: .list(.int))
            }
            items.append(parts)
        }
        return items
    }
}

extension Act {
    public var isSettlement: Bool { transition == BuiltIn.settle.rawValue }

    /// Whom a settlement does without.
    public var without: DID? {
        guard isSettlement, case .identity(let did)? = arguments["without"] else { return nil }
        return did
    }
}

internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
public import Market

/// What the contracts and lines that this node holds say of somebody. Each number is the count of a list
/// of entries. Nothing of it comes from others' words, and no two nodes need have the same.
public struct Reputation: Sendable {
    public let who: DID
    let steps: [Kind: SortedChunks<Step>]
    /// Of each line of theirs that is broken or forked, one entry that shows it.
    public internal(set) var oversales: [Link] = []

    /// Fulfilled and settled contracts in which they gave or took something.
    public var completed: SortedChunks<Step> { steps(.completed) }
    /// Moves that were due from them.
    public var inTime: SortedChunks<Step> { steps(.inTime) }
    public var late: SortedChunks<Step> { steps(.late) }
    public var silent: SortedChunks<Step> { steps(.silent) }
    public var defaults: SortedChunks<Step> { steps(.defaulted) }
    public var ruled: SortedChunks<Step> { steps(.ruled) }
    public var lost: SortedChunks<Step> { steps(.lost) }

    private func steps(_ kind: Kind) -> SortedChunks<Step> { steps[kind] ?? SortedChunks() }

    enum Kind: Hashable, Sendable {
        case completed, inTime, late, silent, defaulted, ruled, lost

        init(_ kind: Mark.Kind) {
            switch kind {
            case .inTime: self = .inTime
            case .late: self = .late
            case .silent: self = .silent
            case .defaulted: self = .defaulted
            case .ruled: self = .ruled
            case .lost: self = .lost
            }
        }
    }

    /// A step that shows something, by its contract.
    public struct Step: Hashable, Comparable, Sendable {
        public let contract: ContractID
        public let sequence: Int64

        public static func < (left: Self, right: Self) -> Bool {
            (left.contract, left.sequence) < (right.contract, right.sequence)
        }
    }

    /// The entry behind it.
    public struct Link: Hashable, Sendable {
        public let log: LogID
        public let entry: EntryID
        public let contract: ContractID?
        public let step: Int64?
    }

    public var due: Int { inTime.count + late.count + silent.count }
    public var hasOversold: Bool { !oversales.isEmpty }
    public var onTimeAtLeast: Double { Self.lowerBound(inTime.count, of: due) }

    /// Wilson's lower bound of a share, so that few trials never look as good as many: with 95 %
    /// between both bounds.
    public static func lowerBound(_ successes: Int, of trials: Int) -> Double {
        guard trials > 0 else { return 0 }
        let (z, n) = (1.959963984540054, Double(trials))
        let share = Double(successes) / n
        let spread = z * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
        return (share + z * z / (2 * n) - spread) / (1 + z * z / n)
    }
}

extension Node {
    /// Everyone else whom the contracts here name or a line here belongs to, sorted.
    public var counterparties: [DID] {
        var found = Set(contracts.overview.people)
        found.formUnion(lines.values.map(\.issuer))
        return found.subtracting([own.did]).sorted()
    }

    public func reputation(of who: DID) -> Reputation {
        var reputation = Reputation(who: who, steps: contracts.overview.steps(of: who))
        for (log, line) in sorted(lines) where line.issuer == who {
            let shown = line.fault?.entry ?? proofs[log]?.one.entry.id
            if let shown, line.fault != nil || forkedAt[log] != nil {
                reputation.oversales.append(
                    .init(log: log, entry: shown, contract: nil, step: nil))
            }
        }
        return reputation
    }

    public func link(to step: Reputation.Step) -> Reputation.Link? {
        contracts[step.contract]?.fold?.step(step.sequence).map {
            .init(log: $0.log, entry: $0.id, contract: step.contract, step: step.sequence)
        }
    }
}

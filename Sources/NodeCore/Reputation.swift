internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs

/// What the contracts and lines that this node holds say of somebody. Each number is the count of a list
/// of entries. Nothing of it comes from others' words, and no two nodes need have the same.
public struct Reputation: Hashable, Sendable {
    public let who: DID
    /// Fulfilled and settled contracts in which they gave or took something.
    public internal(set) var completed: [Link] = []
    /// Moves that were due from them.
    public internal(set) var inTime: [Link] = []
    public internal(set) var late: [Link] = []
    public internal(set) var silent: [Link] = []
    public internal(set) var defaults: [Link] = []
    public internal(set) var ruled: [Link] = []
    public internal(set) var lost: [Link] = []
    /// Of each line of theirs that is broken or forked, one entry that shows it.
    public internal(set) var oversales: [Link] = []

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
        var found = Set(contracts.values.flatMap(\.proposal.participants))
        found.formUnion(lines.values.map(\.issuer))
        return found.subtracting([own.did]).sorted()
    }

    public func reputation(of who: DID) -> Reputation {
        var reputation = Reputation(who: who)
        for (_, held) in sorted(contracts) where held.proposal.participants.contains(who) {
            add(held, to: &reputation)
        }
        for (log, line) in sorted(lines) where line.issuer == who {
            let shown = line.fault?.entry ?? proofs[log]?.one.entry.id
            if let shown, line.fault != nil || forkedAt[log] != nil {
                reputation.oversales.append(
                    .init(log: log, entry: shown, contract: nil, step: nil))
            }
        }
        return reputation
    }

    private func add(_ held: HeldContract, to reputation: inout Reputation) {
        guard let fold = held.fold else { return }
        for step in fold.steps {
            let link = Reputation.Link(
                log: step.log, entry: step.id, contract: held.id, step: step.sequence)
            for mark in step.marks where mark.who == reputation.who {
                switch mark.kind {
                case .inTime: reputation.inTime.append(link)
                case .late: reputation.late.append(link)
                case .silent: reputation.silent.append(link)
                case .defaulted: reputation.defaults.append(link)
                case .ruled: reputation.ruled.append(link)
                case .lost: reputation.lost.append(link)
                }
            }
        }
        let parties = fold.template.roles.filter { $0.kind == .party }.map(\.name)
        let isParty = held.proposal.roles.contains {
            parties.contains($0.role) && $0.identities.contains(reputation.who)
        }
        if isParty, held.grade == .settled, held.outcome == .fulfilled, let last = fold.steps.last {
            reputation.completed.append(
                .init(log: last.log, entry: last.id, contract: held.id, step: last.sequence))
        }
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs

// What a fork means for this node's own trade. Local policy: others decide for themselves.

extension Node {
    /// One log that parts, as its reader is told.
    public struct ForkStanding: Sendable {
        public let log: LogID
        public let author: DID
        public let sequence: Int64
        public let kind: Kind
        /// The log that goes on instead, where its author closed the forked one.
        public let successor: LogID?
        /// Contracts of ours that name the author, or whose own log it is.
        public let contracts: [ContractID]

        public enum Kind: Hashable, Sendable {
            case key
            case publicLog
            /// A line of which more was promised than ever declared.
            case doubleSale(units: Int64)
            /// A line whose branches together promise no more than there is: as after an old copy.
            case line
            case contract
        }

        /// Nothing was sold twice: it looks like an old copy that was put back.
        public var looksLikeRestore: Bool {
            switch kind {
            case .publicLog, .line: true
            case .key, .doubleSale, .contract: false
            }
        }

        /// Closed, and harmless: no reason to keep away.
        public var isRepaired: Bool { successor != nil && looksLikeRestore }
    }

    /// Every fork this node knows of, by log.
    public var forkStandings: [ForkStanding] {
        forks.map { log, author, sequence in
            let kind: ForkStanding.Kind
            if log == .key(author: author) {
                kind = .key
            } else if contractOfLog[log] != nil {
                kind = .contract
            } else if let line = lines[base(of: log)] {
                kind = line.oversold > 0 ? .doubleSale(units: line.oversold) : .line
            } else {
                kind = .publicLog
            }
            let touched = contracts.values.filter {
                $0.log == log || $0.participants.contains(author)
            }
            // A cut that leaves out a grant closes nothing.
            let broken = lines[base(of: log)]?.isOpen == false
            return ForkStanding(
                log: log, author: author, sequence: sequence, kind: kind,
                successor: broken ? nil : successors[log],
                contracts: touched.map(\.id).sorted())
        }
    }

    /// The first fork that keeps this node from new exposure to any of `people`.
    func exposure(to people: [DID]) -> ForkStanding? {
        guard !forkedAt.isEmpty else { return nil }
        let others = Set(people).subtracting([own.did])
        return forkStandings.first { others.contains($0.author) && !$0.isRepaired }
    }

    /// Nobody whom a contract names is known to have signed two histories, or the user knows and insists.
    func checkExposure(to people: [DID], insists: Bool) throws(NodeRefusal) {
        guard !insists, let fork = exposure(to: people) else { return }
        throw .authorForked(fork.author, log: fork.log, sequence: fork.sequence)
    }
}

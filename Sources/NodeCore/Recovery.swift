public import Capacity
public import Identity

/// What is known of our own logs since the start: whether this home holds the newest of each.
///
///     start ──▶ unsure ──one answer──▶ sure                         every start
///     old copy noticed ──▶ recovering ──all answers──▶ whole         until all are, and 30 days are over
///
/// A log is signed in only while it is neither unsure nor recovering. The owner may take the risk instead.
public struct Recovery: Hashable, Sendable {
    /// Why this home is taken for an old copy; `nil` after an ordinary start.
    public internal(set) var reason: ReadOnlyReason?
    public internal(set) var since: Instant = .earliest
    /// Logs of an old copy that everyone who could know better has answered for, or the owner has.
    public internal(set) var whole: Set<LogID> = []
    /// Logs that were here at the start and have not been confirmed since.
    var unsure: Set<LogID> = []
    /// What others said they hold of our logs, since this start: no older answer counts.
    var answers: [DID: [LogID: Int64]] = [:]
    /// Since when somebody says that there is more of a log than what is here, and has not shown it.
    var claims: [DID: [LogID: Instant]] = [:]
    /// The same of the first of those that nobody vouches for.
    var nameless: [LogID: Instant] = [:]
    var firstAnswer: Instant?
    /// The mark outside the database is wrong and must be written anew once all is whole.
    var marksWrongly = false

    /// A log that must not be signed in yet.
    public struct Waiting: Hashable, Sendable {
        public let log: LogID
        public let reason: ReadOnlyReason?
        /// Who has not answered. Empty and `oneIsEnough`: anyone of the alliance.
        public let missing: [DID]
        /// Who says that there is more than what is here, and up to where.
        public let behind: [Ahead]
        /// One answer would do; the others are waited for until `patience` ends.
        public let oneIsEnough: Bool
        public let patience: Instant?

        public struct Ahead: Hashable, Sendable {
            public let did: DID
            public let sequence: Int64
        }

        public init(
            log: LogID, reason: ReadOnlyReason?, missing: [DID], behind: [Ahead],
            oneIsEnough: Bool, patience: Instant?
        ) {
            self.log = log
            self.reason = reason
            self.missing = missing
            self.behind = behind
            self.oneIsEnough = oneIsEnough
            self.patience = patience
        }
    }

    public init() {}

    func isUnsure(_ log: LogID) -> Bool { unsure.contains(log) || isRecovering(log) }
    func isRecovering(_ log: LogID) -> Bool { reason != nil && !whole.contains(log) }
}

/// What of it must last over a restart.
public enum RecoveryChange: Hashable, Sendable {
    case began(ReadOnlyReason, at: Instant)
    case whole(LogID, at: Instant)
    case over
    /// The high-water mark may be written anew: nothing is missing any more, or the owner says so.
    case confirmed
}

/// One of our own logs, as people know it.
public enum OwnLog: Hashable, Sendable {
    case key
    /// In the alliance of that name.
    case publicLog(String)
    case line(String)
    case contract(ContractID)
    /// What we say as a witness of it.
    case witness(ContractID)
}

/// How long an old copy is remembered: as long as what was said before it was noticed may be under way.
let recoveryMilliseconds: Int64 = statementLifeMilliseconds
/// How long all counterparties are waited for, from the first answer after an ordinary start on, before
/// one of them is enough: whoever is there has answered by then.
let patienceMilliseconds: Int64 = 10_000
/// How long after an ordinary start somebody's word that there is more is believed: whoever is connected
/// shows an entry of it within that time, or it counts as no answer.
let claimMilliseconds: Int64 = 300_000
/// The same for whoever said so and went.
let claimOfGoneMilliseconds: Int64 = 86_400_000
/// How many people's answers are remembered before those count whom this node knows alone.
let answersMax = 1_024
/// How long an old copy waits for members that no contract it knows binds to it: a day, in which most
/// nodes are on once.
let memberPatienceMilliseconds: Int64 = 86_400_000

extension ReadOnlyReason {
    /// As storage keeps it.
    public var text: String {
        switch self {
        case .sidecarAhead(let sidecar, let database): "ahead \(sidecar) \(database)"
        case .sidecarMissing: "missing"
        case .sidecarForeign: "foreign"
        case .peerAhead(let log, let sequence): "peer \(log.hex) \(sequence)"
        case .homeLost: "lost"
        case .keyReplaced: "key"
        }
    }

    public init?(text: String) {
        let words = text.split(separator: " ").map(String.init)
        func number(_ index: Int) -> Int64? {
            words.indices.contains(index) ? Int64(words[index]) : nil
        }
        switch (words.first, words.count) {
        case ("ahead", 3):
            guard let sidecar = number(1), let database = number(2) else { return nil }
            self = .sidecarAhead(sidecar: sidecar, database: database)
        case ("missing", 1): self = .sidecarMissing
        case ("foreign", 1): self = .sidecarForeign
        case ("peer", 3):
            guard let log = LogID(hex: words[1]), let sequence = number(2) else { return nil }
            self = .peerAhead(log, sequence: sequence)
        case ("lost", 1): self = .homeLost
        // Earlier versions added a time.
        case ("key", 1...2): self = .keyReplaced
        default: return nil
        }
    }
}

public import Capacity
public import Contracts
public import Entries
public import Identity

/// A contract this node takes part in: its proposal, what was said about it, and its fold.
public struct HeldContract: Sendable {
    private let origin: Origin
    /// `nil` until the template is here.
    public internal(set) var fold: Fold?
    public internal(set) var foldRefusal: FoldRefusal?
    /// Acceptances of the proposal, one per identity.
    public internal(set) var acceptances: [DID: Entry] = [:]
    /// A signed no to the proposal.
    public internal(set) var declined: (by: DID, code: Refusal.Code, text: String, entry: Entry)?
    /// Requests not yet admitted or refused.
    public internal(set) var requests: [EntryID: PendingRequest] = [:]
    public internal(set) var refused: [RefusedRequest] = []
    /// Consents to requests that have not come yet.
    var earlyConsents: [EntryID: [Entry]] = [:]
    /// How many statements each identity made about it that are kept.
    var statementCounts: [DID: Int] = [:]
    /// Acknowledgements of steps, for defaults.
    var acknowledgements: [Entry] = []
    /// Log entries held while the fold is missing.
    var unfolded: [Entry] = []
    /// What each witness said.
    public internal(set) var witnessLogs: [DID: WitnessLog] = [:]
    /// Every request that came, with witnesses alone: closings may list any of them.
    var requestsSeen: [EntryID: Entry] = [:]
    /// What this node asked its witnesses to close since its start.
    var closingsAsked: Set<WitnessLog.Closing> = []
    /// Steps of the arbiter's epoch that came before the basis was folded.
    var ahead: [Entry] = []

    /// What never changes, behind one reference: contracts are copied often.
    private final class Origin: Sendable {
        let key: ContractKey
        let entry: Entry
        let proposal: Proposal
        let participants: [DID]
        let log: LogID

        init(_ key: ContractKey, _ entry: Entry, _ proposal: Proposal) {
            self.key = key
            self.entry = entry
            self.proposal = proposal
            participants = proposal.participants
            log = .contract(proposal.contract, author: proposal.sequencer)
        }
    }

    init(key: ContractKey, proposalEntry: Entry, proposal: Proposal) {
        origin = Origin(key, proposalEntry, proposal)
    }

    public var key: ContractKey { _read { yield origin.key } }
    public var proposalEntry: Entry { _read { yield origin.entry } }
    public var proposal: Proposal { _read { yield origin.proposal } }
    /// Every identity that has to accept, sorted.
    public var participants: [DID] { origin.participants }

    public struct PendingRequest: Sendable {
        public let entry: Entry
        public let act: SignedAct
        /// Consents given to it by others.
        public internal(set) var consents: [Entry] = []
    }

    public struct RefusedRequest: Sendable {
        public let request: EntryID
        public let act: SignedAct?
        public let code: Refusal.Code
        public let text: String
    }

    public var id: ContractID { key.contract }
    public var isWitnessed: Bool { proposal.witnesses != .none }
    public var witnesses: [DID] { proposal.witnesses.identities }
    /// Whoever writes steps now.
    public var sequencer: DID { fold?.sequencer ?? proposal.sequencer }
    /// The log by which all call the contract, whoever writes.
    public var log: LogID { origin.log }
    /// Participants and witnesses, each once.
    var named: [DID] { participants + witnesses.filter { !participants.contains($0) } }

    /// Whether one more statement of `author` is kept. Whoever sequences answers all, and may say as much
    /// as all.
    func mayHear(_ author: DID) -> Bool {
        let steps = fold?.head.sequence ?? 0
        let answers = author == proposal.sequencer || author == sequencer || author == fold?.arbiter
        let each = statementsMax(steps: steps)
        let most = answers ? each * (participants.count + 1) : each
        return statementCounts[author] ?? 0 < most
    }

    public func hasAccepted(_ did: DID) -> Bool {
        did == proposalEntry.header.author || acceptances[did] != nil
    }

    /// Every named identity accepted exactly this proposal.
    public var isAgreed: Bool {
        participants.allSatisfy(hasAccepted) && witnesses.allSatisfy(hasAccepted)
            || planted(.consentSkipped)
    }

    /// Not all have signed.
    var isProposed: Bool { fold?.isSequenced != true && !isAgreed }

    /// The five grades of design §4, shown exactly so.
    public enum Grade: String, Sendable, CaseIterable, Comparable {
        case proposed, agreed, sequenced, witnessed, settled

        public static func < (left: Self, right: Self) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    public var grade: Grade {
        if let fold, fold.isSequenced {
            // Until M hold it, a takeover could still leave the newest step behind.
            guard !isWitnessed || isHeadWitnessed else { return .sequenced }
            return fold.state.isEnded ? .settled : isWitnessed ? .witnessed : .sequenced
        }
        return isAgreed ? .agreed : .proposed
    }

    public var outcome: ContractOutcome {
        if let fold, fold.isSequenced { return fold.state.outcome }
        switch declined?.code {
        case .some(.cancelled): return .cancelled
        case .some: return .declined
        case nil: return .open
        }
    }

    /// M witnesses hold the newest step.
    public var isHeadWitnessed: Bool {
        guard let head = fold?.head.id else { return false }
        return receipts(of: head).count >= Int(proposal.witnesses.threshold)
    }

    /// The highest sequence of `log` that M witnesses receipted, each at it or above, of the entries for
    /// which `holds` is true; 0 where there are not so many.
    func witnessedHeight(of log: LogID, where holds: (WitnessLog.Place) -> Bool) -> Int64 {
        let threshold = Int(clamping: proposal.witnesses.threshold)
        let heights = witnesses.map { witnessLogs[$0]?.highest(in: log, where: holds) ?? 0 }
            .sorted(by: >)
        return threshold > 0 && heights.count >= threshold ? heights[threshold - 1] : 0
    }

    /// The earliest M receipts of a statement or step, fewer where fewer came.
    func receipts(of subject: EntryID) -> [Entry] {
        let all = witnesses.compactMap { witnessLogs[$0]?.receipts[subject] }
        return Array(
            all.sorted { ($0.header.time, $0.id) < ($1.header.time, $1.id) }
                .prefix(Int(clamping: proposal.witnesses.threshold)))
    }

    /// The earliest M receipts by which witnesses say that they hold the step which started the clock of
    /// `record`; fewer where fewer came.
    func receipts(showing record: Int64) -> [Entry] {
        guard isWitnessed, let showing = fold?.showing(record) else { return [] }
        let all = witnesses.compactMap { witness in
            showing.lazy.compactMap { witnessLogs[witness]?.receipts[$0] }
                .min { ($0.header.time, $0.id) < ($1.header.time, $1.id) }
        }
        return Array(
            all.sorted { ($0.header.time, $0.id) < ($1.header.time, $1.id) }
                .prefix(Int(clamping: proposal.witnesses.threshold)))
    }

    /// Receipts of every participant's acceptance; `nil` while one lacks M.
    var acceptanceReceipts: [Entry]? {
        guard isWitnessed else { return [] }
        var found: [Entry] = []
        for did in participants {
            guard let acceptance = acceptances[did] else { continue }
            let receipts = receipts(of: acceptance.id)
            guard receipts.count >= Int(proposal.witnesses.threshold) else { return nil }
            found += receipts
        }
        return found
    }

    /// Since when a request that lacks nothing waits for a step or a refusal.
    public var silentSince: Instant? {
        guard let fold, !fold.state.isEnded else { return nil }
        return requests.values.filter { request in
            let act = Act(request.act)
            let signed = Set((request.consents + [request.entry]).map(\.header.author))
            return act.without == nil
                && fold.state.consentsNeeded(for: act).isSubset(of: signed)
        }.map(\.entry.header.time).min()
    }

    /// Whether a request can come to something: also where the sequencer's log parts, for with witnesses it
    /// is what the arbiter takes over for.
    public var mayBeAsked: Bool {
        guard let fold, fold.isSequenced else { return false }
        switch fold.halt {
        case nil: return true
        case .forked: return isWitnessed && fold.epoch == 0
        default: return false
        }
    }

    /// No further step will come: it ended, or never began.
    public var isOver: Bool {
        if let fold, fold.isSequenced { return fold.state.isEnded }
        return declined != nil
    }
}

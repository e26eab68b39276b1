public import Contracts
public import Entries
public import Identity

/// A contract this node takes part in: its proposal, what was said about it, and its fold.
public struct HeldContract: Sendable {
    public let key: ContractKey
    public let proposalEntry: Entry
    public let proposal: Proposal
    /// `nil` until the template is here.
    public internal(set) var fold: Fold?
    public internal(set) var foldRefusal: FoldRefusal?
    /// Acceptances of the proposal, one per identity.
    public internal(set) var acceptances: [DID: Entry] = [:]
    /// A signed no to the proposal.
    public internal(set) var declined: (by: DID, code: Refusal.Code, text: String)?
    /// Requests not yet admitted or refused.
    public internal(set) var requests: [EntryID: PendingRequest] = [:]
    public internal(set) var refused: [RefusedRequest] = []
    /// Consents to requests that have not come yet.
    var earlyConsents: [EntryID: [Entry]] = [:]
    /// Acknowledgements of steps, for defaults.
    var acknowledgements: [Entry] = []
    /// Log entries held while the fold is missing.
    var unfolded: [Entry] = []

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
    public var log: LogID { .contract(proposal.contract, author: proposal.sequencer) }

    public func hasAccepted(_ did: DID) -> Bool {
        did == proposalEntry.header.author || acceptances[did] != nil
    }

    /// Every named identity accepted exactly this proposal.
    public var isAgreed: Bool { proposal.participants.allSatisfy(hasAccepted) }

    /// The five grades of design §4, shown exactly so.
    public enum Grade: String, Sendable, CaseIterable, Comparable {
        case proposed, agreed, sequenced, witnessed, settled

        public static func < (left: Self, right: Self) -> Bool {
            (allCases.firstIndex(of: left) ?? 0) < (allCases.firstIndex(of: right) ?? 0)
        }
    }

    public var grade: Grade {
        if let fold, fold.isSequenced { return fold.state.isEnded ? .settled : .sequenced }
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

    /// No further step will come: it ended, or never began.
    public var isOver: Bool {
        if let fold, fold.isSequenced { return fold.state.isEnded }
        return declined != nil
    }
}

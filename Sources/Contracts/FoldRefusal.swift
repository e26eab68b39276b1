public import Capacity
public import Entries
public import Identity

/// Why a step would have, or had, no effect.
public enum FoldRefusal: Error, Hashable, Sendable {
    case entry(EntryRefusal)
    case contract(ContractRefusal)
    case contractKeyWrong
    case templateWrong(Hash32)
    case notAboutThisContract
    /// Witnesses, receipts and takeovers are written by a newer program.
    case witnessesNewer
    case deadlinesCrossed
    case notNamed(DID)
    case openingMissing
    case proposalMisplaced
    case late(deadline: Instant, time: Instant)
    case notAccepted(by: DID)
    case keyUnknown(DID)
    case releaseKeyMissing(DID)
    case lineMissing(LineNeed.Kind)
    case holderSignatureWrong
    case parentRequestMissing
    case childMissing
    case childNotAccepted(EntryID, by: DID)
    case basisUnknown
    case alreadyAdmitted(EntryID)
    /// The record moved on after the request was signed.
    case stale(record: Int64, named: Int64, current: Int64)
    case clockUnacknowledged(step: EntryID, by: DID)
    case digestWrong(stated: Hash32, computed: Hash32)
}

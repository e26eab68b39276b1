public import Capacity
public import Entries
public import Identity

/// Why a step would have, or had, no effect.
public indirect enum FoldRefusal: Error, Hashable, Sendable {
    case entry(EntryRefusal)
    case contract(ContractRefusal)
    case contractKeyWrong
    case templateWrong(Hash32)
    case notAboutThisContract
    /// Witnesses must be distinct, none of them a participant, and M above half of N.
    case witnessesUnfit(count: Int, threshold: Int64)
    case witnessTermsWrong
    case receiptsMissing(of: EntryID, found: Int, needed: Int64)
    case closingsMissing(record: Int64, found: Int, needed: Int64)
    /// A closing lists a request that the default step does not hold.
    case listedMissing(EntryID)
    /// A listed request was in time and allowed: it comes first.
    case listedAdmissible(EntryID)
    /// The ruling does not go on from the highest step that its witnesses hold.
    case rulingBelow(stated: Int64, highest: Int64)
    case claimMissing
    case deadlinesCrossed
    case notNamed(DID)
    case openingMissing
    case proposalMisplaced
    case late(deadline: Instant, time: Instant)
    case notAccepted(by: DID)
    case keyUnknown(DID)
    /// Signed under a key that an embedded key entry has put out of force.
    case keySuperseded(DID)
    /// A step embeds a key entry that is not the next one of a participant.
    case keyEntryMisplaced(EntryID)
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

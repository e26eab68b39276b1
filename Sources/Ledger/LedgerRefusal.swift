public import Identity

/// Every lawful no of the books. Where several apply, the earliest in this list is given.
public indirect enum LedgerRefusal: Error, Hashable, Sendable {
    case amountNotPositive(Int64)
    /// Above 2^53−1, which no stored number may be.
    case amountOutOfBounds(Int64)
    /// Giver and taker are one.
    case sameParty(DID)
    /// Only `capacity` moves units, and it moves nothing else.
    case commodityUnfit(TransferKind, Commodity)
    case causeRepeated(Cause)
    case causeUnknown(Cause)
    /// Posted and voided are final.
    case alreadyResolved(Cause)
    case abovePending(pending: Int64, requested: Int64)
    /// A custodian pays out of what it holds for this contract, not of its own.
    case aboveHeld(held: Int128, requested: Int64)
    /// Only claims are discharged.
    case notClaim(Cause)
    /// A claim is owed once it is posted.
    case claimNotPosted(Cause)
    case aboveOwed(owed: Int64, requested: Int64)
}

public import Capacity
public import Identity

/// Every lawful no of this room, in the order the checks run.
public indirect enum EntryRefusal: Error, Hashable, Sendable {
    case tooLarge(what: String, bytes: Int, limit: Int)
    case wireTruncated
    case wireVarint
    case wireType(field: Int)
    /// Unknown, repeated or out of order.
    case wireField(field: Int, after: Int)
    case wireDefaultSpelledOut(field: Int)
    case wireMissing(field: Int)
    case wireText(field: Int)
    case wireLength(field: Int, bytes: Int)
    case wireOrder(field: Int)
    case wireTooMany(field: Int, limit: Int)
    case value(field: Int, CapacityRefusal)
    /// Signed under a version this program does not know: the peer is newer.
    case newerVersion(Int64)
    case headerShape(String)
    case bodySize(stated: Int64, found: Int)
    case bodyHash
    case bodyMissing
    case kindMismatch(expected: Kind, found: Int64)
    case keyNotPrimeOrder
    case signatureWrong(EntryID)
    case runBroken(at: EntryID)
    case proofShape(String)
    case privateBodyClosed
    case commitmentWrong
}

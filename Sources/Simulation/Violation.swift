/// What must hold in every simulated world, asserted while it runs. The names are those of
/// docs/RELIABILITY.md.
public enum Check: String, CaseIterable, Sendable, Hashable {
    /// S6: a frame that reveals a signature leaves after the commit that holds it.
    case sentBeforeCommitted = "sent-before-committed"
    /// S6: what was acknowledged is there after a crash.
    case acknowledgedLost = "acknowledged-lost"
    /// S7: an own place in a log is used for one entry, for ever.
    case secondHistory = "second-history"
    /// S3, S5: whatever stands in an honest name was signed by it.
    case forged
    /// What is kept is what was signed: header, signature and body belong together.
    case altered
    /// S5: a fork is shown only of someone who forked.
    case forkOfHonest = "fork-of-honest"
    /// S5: of whoever forked there is proof that a stranger can check.
    case unproven
    /// S1: a line gives away no more than was declared.
    case overGranted = "over-granted"
    /// S1: valid lines of one issuer do not overlap.
    case overlap
    /// S1: what contracts hold of a line is no more than was declared.
    case oversold
    /// S2, S3: a step stands on the consent of whoever it needs.
    case consentMissing = "consent-missing"
    /// A default stands only after its deadline.
    case early
    /// What an honest witness holds it receipts once, and nothing of an epoch whose end it receipted.
    case secondReceipt = "second-receipt"
    /// A closing lists every request that its witness receipted in time, and no other.
    case unlisted
    /// With witnesses nothing counts that fewer than M of them receipted or closed.
    case unreceipted
    /// No default stands over a request that was in time by M receipts and admissible.
    case passedOver = "passed-over"
    /// No ruling stands below a step that M witnesses hold.
    case belowWitnessed = "below-witnessed"
    /// Times never fall within a log.
    case timeFell = "time-fell"
    /// What was signed under a key known to be replaced binds nobody any more.
    case oldKey = "old-key"
    /// A request is admitted on the versions that it names.
    case stale
    /// S4: debits equal credits; the books break no law of their own.
    case imbalance
    /// S4: the stored books are those that the entries give.
    case booksDiffer = "books-differ"
    /// S8: the same entries give the same state.
    case statesDiffer = "states-differ"
    /// The laws of the tables let in whatever an honest node decides.
    case refused
    /// What storage gives back is the value that ran.
    case restartDiffers = "restart-differs"
    /// A contract's entries reach its participants alone.
    case privacy
    /// Whatever peers make a node hold is bounded.
    case unbounded
    /// Doing it again changes nothing.
    case repeated
    /// An old copy of a home is noticed when it starts.
    case unnoticed
    /// Nothing but an old copy is taken for one.
    case mistaken
    /// A read-only node signs nothing.
    case signedReadOnly = "signed-read-only"
    /// An honest step has effect on every honest node.
    case voidStep = "void-step"
    /// Healed, honest nodes come to hold the same.
    case diverged
    /// Healed, no contract of honest nodes waits for ever.
    case stuck
    /// Healed, what must reach someone has.
    case undelivered
    /// The deliberate one, of `canary`.
    case canary
}

/// One broken invariant, with its numbers. Words are put to it at the edge.
public struct Violation: Error, Hashable, Sendable {
    public let check: Check
    /// Milliseconds since the world began.
    public let time: Int64
    public let node: String
    /// What it is about: an id in short, a field.
    public let about: String
    public let found: Int64
    public let wanted: Int64
}

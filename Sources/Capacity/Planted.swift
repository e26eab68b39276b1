/// Bugs put in on purpose, one at a time, to test what should find them (docs/RELIABILITY.md). They exist
/// only in a build with `TALEA_PLANTED=1`; in any other `planted` is false and leaves nothing behind.
public enum Planted: String, CaseIterable, Sendable {
    /// A signature is not checked.
    case skipSignature = "skip-signature"
    /// A run of entries is believed without comparing ids.
    case runWithoutIDs = "run-without-ids"
    /// A body need not have the hash that its header states.
    case bodyUnhashed = "body-unhashed"
    /// A line grants more than remains.
    case grantBeyondRemaining = "grant-beyond-remaining"
    /// Units of a contract under way go back to their line.
    case heldUnitsReleased = "held-units-released"
    /// Firm units go back to their line when the others' time is over.
    case firmFalls = "firm-falls"
    /// Units that were delivered go back to their line.
    case deliveredUnitsReturn = "delivered-units-return"
    /// Two lines may overlap.
    case overlappingLines = "overlapping-lines"
    /// The same contract is granted again at every turn.
    case grantTwice = "grant-twice"
    /// A contract is opened though somebody has not accepted.
    case consentSkipped = "consent-skipped"
    /// Anyone may make a move.
    case actorUnchecked = "actor-unchecked"
    /// A default is admitted before its deadline.
    case defaultEarly = "default-early"
    /// A move is admitted after its deadline.
    case lateActTaken = "late-act-taken"
    /// A move that needs two is made by one.
    case moveWithoutConsent = "move-without-consent"
    /// A request signed on old versions is admitted.
    case staleVersions = "stale-versions"
    /// The digest that a step states is not compared.
    case digestIgnored = "digest-ignored"
    /// A contract is opened after its grants were due.
    case openedLate = "opened-late"
    /// An acceptance counts although it came too late.
    case acceptedLate = "accepted-late"
    /// A payment is posted twice.
    case postedTwice = "posted-twice"
    /// One column of the books gets one unit less.
    case oneSidedPosting = "one-sided-posting"
    /// What is replayed at start is written again.
    case restoreSpeaks = "restore-speaks"
    /// Frames leave before the commit.
    case announceBeforeCommit = "announce-before-commit"
    /// A statement is acknowledged and not kept.
    case acknowledgeUnkept = "acknowledge-unkept"
    /// An own statement is sent and not kept.
    case statementUnkept = "statement-unkept"
    /// What is to be sent is not kept.
    case outboxUnkept = "outbox-unkept"
    /// What was delivered is not noted.
    case deliveryUnkept = "delivery-unkept"
    /// What waits in the outbox is not offered to a new connection.
    case outboxNotResent = "outbox-not-resent"
    /// A contract's entries go to everyone.
    case topicLeak = "topic-leak"
    /// A node signs where it may only read, or has to ask others first.
    case readOnlySigns = "read-only-signs"
    /// An old copy of the database is not noticed.
    case sidecarIgnored = "sidecar-ignored"
    /// What waits has no bound.
    case waitingUnbounded = "waiting-unbounded"
    /// A new connection is not told what there is.
    case headsUntold = "heads-untold"
    /// An entry ahead of the clock is dropped, not deferred.
    case aheadDropped = "ahead-dropped"
    /// Units go back to their line without their holder's signature, before their time.
    case releaseUnsigned = "release-unsigned"
    /// A body may be sealed under another key than it commits to.
    case bodyKeyUncommitted = "body-key-uncommitted"
    /// A witness receipts everything twice.
    case receiptTwice = "receipt-twice"
    /// A witness goes on receipting an epoch whose end it receipted.
    case receiptAfterClaim = "receipt-after-claim"
    /// A closing leaves out the first request that came in time.
    case closingLeavesOut = "closing-leaves-out"
    /// One witness is enough, however many were agreed upon.
    case oneReceiptEnough = "one-receipt-enough"
    /// A default stands over requests that closings list.
    case listedIgnored = "listed-ignored"
    /// A claim is written and receipted before the sequencer was silent for long enough.
    case claimEarly = "claim-early"
    /// A ruling goes on from below the highest step that witnesses name.
    case rulingBelow = "ruling-below"
    /// An entry bears its author's clock, though the one before it was later.
    case timeFalls = "time-falls"
    /// A witness is sent the contract's key.
    case witnessToldKey = "witness-told-key"
    /// A request under a key that was replaced is admitted.
    case oldKeyAdmitted = "old-key-admitted"
    /// Proposals and acceptances under a key that was replaced are taken.
    case oldKeyTaken = "old-key-taken"
    /// No `continue` is written before the first entry under a new key.
    case continueForgotten = "continue-forgotten"
    /// An arbiter passes over the first step of a contract.
    case openingPassedOver = "opening-passed-over"
    /// Of a fork no proof is kept.
    case proofUnkept = "proof-unkept"

    #if PLANTED
        /// Set once, before anything runs.
        nonisolated(unsafe) public static var chosen: Planted?
    #endif
}

/// Whether this bug was asked for.
@inlinable
public func planted(_ bug: Planted) -> Bool {
    #if PLANTED
        Planted.chosen == bug
    #else
        false
    #endif
}

public import Capacity
public import Contracts
public import Entries
public import Identity
public import Logs
public import Market

/// Why a command was refused. Nothing was signed and nothing written.
public indirect enum NodeRefusal: Error, Sendable {
    case readOnly(ReadOnlyReason)
    /// This home may not hold the newest entries of this log.
    case recovering(Recovery.Waiting)
    case logUnknown(String)
    /// The recovery code is not the one that our key log, so many rotations long, commits to.
    case recoveryCodeWrong(rotations: Int)
    case clockOff(peers: Int, milliseconds: Int64)
    case capacity(field: String, CapacityRefusal)
    case entry(EntryRefusal)
    case line(LineLog.Reason)
    case fold(FoldRefusal)
    case contract(ContractRefusal)
    case template(TemplateRefusal)
    case rules(AllianceRules.Refusal)
    case allianceUnknown(String)
    case allianceAmbiguous(String)
    case alreadyJoined(TopicID)
    /// A node is in one alliance at least.
    case onlyAlliance(TopicID)
    /// A running contract rests on a line that was opened in it.
    case allianceInUse(TopicID, ContractID)
    /// The rules let others admit, or nobody.
    case mayNotAdmit(TopicID)
    case alreadyMember(DID)
    case notASteward(TopicID)
    case stewardsStay(DID)
    case notAMember(DID)
    /// Our own log in this alliance ends there.
    case expelled(TopicID, upTo: Int64)
    /// The alliance's limits: one more may be said from then on.
    case tooMuch(TopicID, until: Instant)
    case invitationOver(Instant)
    /// The line was opened in another alliance.
    case lineElsewhere(LogID, alliance: TopicID)
    /// Who is to order the contract does not see the line's alliance, and so no grant of it.
    case sequencerOutside(DID, TopicID)
    case lineUnknown(String)
    case notYourLine(LogID)
    case lineClash(with: LogID)
    case lineForked(LogID)
    /// Someone whom the contract names signed two histories: no new exposure unless the user insists.
    case authorForked(DID, log: LogID, sequence: Int64)
    /// One of our own logs parts: it has to be closed by a cut before more is signed in it.
    case ownLogForked(LogID, sequence: Int64)
    /// Not ours, not forked, or of a kind that no cut closes.
    case nothingToCut(LogID)
    /// The line passes on what a contract locks, and none locks so much for us any more.
    case titleMissing(source: LogID, free: Int64, needed: Int64)
    /// The line named as source is not known here, or is another capacity.
    case sourceWrong(LogID)
    case offerUnknown(EntryID)
    case notYourOffer(EntryID)
    case templateUnknown(String)
    case parameterMissing(String)
    case parameterUnknown(String)
    case valueUnreadable(field: String, value: String, expected: String)
    case roleMissing(String)
    case roleUnknown(String)
    case nameUnknown(String)
    case contractUnknown(String)
    case contractNotSequenced(ContractID)
    case contractOver(ContractID)
    case contractHalted(ContractID)
    case alreadyAccepted
    case acceptanceLate(deadline: Instant)
    case notYourProposal
    case nothingToAccept(EntryID)
    /// The same request of ours still waits, and both would count.
    case alreadyAsked(EntryID)
    case transitionUnknown(String)
    case recordUnknown(Int64)
    case recordAmbiguous([Int64])
    case nothingToDo(transition: String)
    case stepUnknown(Int64)
    case keyOfPeerUnknown(DID)
    case noWitnesses(ContractID)
    /// Its arbiter goes on where the sequencer fell silent.
    case hasWitnesses(ContractID)
    case notTheArbiter(DID)
    case takenOver(ContractID)
    case nothingUnanswered(ContractID)
    /// We said so much about it that the others keep no more until a step stands.
    case tooManyStatements(ContractID, Int)
    case notSilentYet(until: Instant)
    /// A node is no hub to itself.
    case ownHub
    case hubUnknown(String)
    case fileUnreadable
    case attachmentTooLarge(bytes: Int, limit: Int)
    /// A chunk of another size or place; `next` is the one that is missing.
    case attachmentOutOfOrder(next: Int)
    case tooManyAttachments(Int)
}

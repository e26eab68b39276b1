public import Capacity
public import Contracts
public import Entries
public import Identity
public import Logs

/// Why a command was refused. Nothing was signed and nothing written.
public enum NodeRefusal: Error, Sendable {
    case readOnly(ReadOnlyReason)
    case clockOff(peers: Int, milliseconds: Int64)
    case capacity(field: String, CapacityRefusal)
    case entry(EntryRefusal)
    case line(LineLog.Reason)
    case fold(FoldRefusal)
    case contract(ContractRefusal)
    case template(TemplateRefusal)
    case lineUnknown(String)
    case lineClash(with: LogID)
    case lineForked(LogID)
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
    case transitionUnknown(String)
    case recordUnknown(Int64)
    case recordAmbiguous([Int64])
    case nothingToDo(transition: String)
    case stepUnknown(Int64)
    case keyOfPeerUnknown(DID)
}

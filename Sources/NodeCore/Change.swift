public import Capacity
public import Entries
public import Identity
public import Ledger
public import Logs
public import Replication

/// What one transaction must make durable, in order.
public enum Change: Sendable {
    /// A log entry; `own` counts for the high-water mark.
    case entry(ValidEntry, own: Bool)
    /// An entry beside one that is held: kept as proof, never folded.
    case rival(ValidEntry)
    case fork(LogID, Chains.Fork)
    /// A statement sent or received, once each.
    case statement(ValidEntry, contract: ContractID?)
    case contractKey(ContractID, [UInt8])
    case outbox(OutboxItem)
    case delivered(EntryID, to: DID)
    case books([TransferEvent])
    case line(LogID, issuer: DID, total: Int64, remaining: Int64)
    case template(Hash32, [UInt8])
    case petname(DID, String?)
    case peer(PeerAddress, added: Bool)
    /// A child proposal and the act its acceptances will let this node request.
    case transfer(child: EntryID, parent: ContractID, act: SignedAct)
    case transferDone(child: EntryID)
}

/// One statement on its way to one recipient.
public struct OutboxItem: Hashable, Sendable {
    public let statement: Entry
    public let recipient: DID
    /// With a proposal.
    public let contractKey: [UInt8]?
    public let expires: Instant

    public init(statement: Entry, recipient: DID, contractKey: [UInt8]?, expires: Instant) {
        self.statement = statement
        self.recipient = recipient
        self.contractKey = contractKey
        self.expires = expires
    }
}

/// Where a peer listens. The identity, where given, is what it must prove.
public struct PeerAddress: Hashable, Sendable {
    public let host: String
    public let port: Int
    public let did: DID?

    public init(host: String, port: Int, did: DID?) {
        self.host = host
        self.port = port
        self.did = did
    }
}

/// One connection. Numbers are the shell's.
public struct PeerID: Hashable, Comparable, Sendable {
    public let number: UInt64

    public init(_ number: UInt64) { self.number = number }
    public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}

/// What the shell is to do after the commit.
public enum Directive: Sendable {
    case send(PeerID, Frame)
    /// The hello is in.
    case raiseFrameLimit(PeerID)
    case close(PeerID, String)
    /// Fetch these entries from storage and send them.
    case serve(PeerID, Message.RangeRequest)
    /// Seal to `key` and send as `put`.
    case deliver(PeerID, Sealed, key: PublicKey)
    /// A fork changed what stands: drop this value and load it again.
    case reload
}

/// What storage gives back at start, in the order it was kept.
public struct Snapshot: Sendable {
    public var entries: [ValidEntry] = []
    public var forks: [(LogID, Chains.Fork)] = []
    public var statements: [(ValidEntry, ContractID?)] = []
    public var contractKeys: [[UInt8]] = []
    public var outbox: [OutboxItem] = []
    public var templates: [[UInt8]] = []
    public var petnames: [(DID, String)] = []
    public var peers: [PeerAddress] = []
    public var transfers: [(child: EntryID, parent: ContractID, act: SignedAct)] = []
    public var readOnly: ReadOnlyReason?

    public init() {}
}

/// Why a node signs nothing.
public enum ReadOnlyReason: Hashable, Sendable {
    /// The high-water mark outside the database knows more own entries than the database holds: an old
    /// copy was put back.
    case sidecarAhead(sidecar: Int64, database: Int64)
    case sidecarMissing
    case sidecarForeign
    /// A peer holds own entries that this node does not.
    case peerAhead(LogID, sequence: Int64)
}

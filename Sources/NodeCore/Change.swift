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
    /// Our key from now on. The shell makes its file durable before the commit, and puts it in the place
    /// of the old one after it.
    case ownKey(SigningKey)
    /// What is held of a log from a sequence on was superseded by the `continue` that follows: it stays
    /// as proof and counts for nothing.
    case superseded(LogID, from: Int64)
    case recovery(RecoveryChange)
    /// A partner's sealed snapshot, in place of its older one.
    case keepsake(of: DID, [UInt8])
    /// An entry beside one that is held: kept as proof, never folded.
    case rival(ValidEntry)
    case fork(LogID, Chains.Fork)
    /// A proof of a fork, checked: kept even where neither entry can be.
    case proof(ForkProof)
    /// A statement sent or received, once each.
    case statement(ValidEntry, contract: ContractID?)
    case contractKey(ContractID, [UInt8])
    case outbox(OutboxItem)
    case delivered(EntryID, to: DID)
    case books([TransferEvent])
    case line(LogID, issuer: DID, total: Int64, remaining: Int64)
    case template(Hash32, [UInt8])
    case petname(DID, String?)
    /// An alliance that the node takes part in from now on, or no more.
    case alliance(foundingBody: [UInt8], isLeft: Bool)
    case peer(PeerAddress, added: Bool)
    /// An address of the book where somebody was reached last at that time; `nil` takes it out.
    case tried(AddressBook.Address, good: Int64?)
    /// All of them.
    case anchors([AddressBook.Address])
    /// A child proposal and the act its acceptances will let this node request.
    case transfer(child: EntryID, parent: ContractID, act: SignedAct)
    case transferDone(child: EntryID)
    /// What this node was asked to witness.
    case witnessTerms(LogID, [UInt8])
    case standing(StandingInstruction, Bool)
    /// One more chunk of a file, sealed.
    case chunk(Attachment, index: Int, sealed: [UInt8])
    case attachmentGone(Hash32)
    /// A hub of ours, or no longer.
    case hub(DID, Bool)
    /// As a hub: what a member wants kept, whole, or `nil` where it is a guest no more; and its mail.
    case entrusted(by: DID, [TopicID]?)
    case letter(Letter, sealed: [UInt8])
    case letterGone(UInt64)
}

/// What the owner tells the node to do without being asked each time.
public enum StandingInstruction: String, Hashable, Sendable, CaseIterable {
    /// Witness contracts of members of the alliance.
    case witness
    /// Keep mail and contract topics for members of the alliance.
    case hub
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

/// A sealed statement in a hub's mailbox, without its bytes.
public struct Letter: Hashable, Sendable {
    public let number: UInt64
    public let recipient: DID
    public let sender: DID
    public let tag: Hash32
    public let expires: Instant
    public let size: Int

    /// What it takes of a mailbox, where places are as few as bytes.
    var weight: Int { max(size, Self.leastWeight) }
    static let leastWeight = HubLimit.bytesPerMailbox / HubLimit.lettersPerMailbox

    public init(
        number: UInt64, recipient: DID, sender: DID, tag: Hash32, expires: Instant, size: Int
    ) {
        self.number = number
        self.recipient = recipient
        self.sender = sender
        self.tag = tag
        self.expires = expires
        self.size = size
    }
}

/// What a hub reads of a letter.
public struct Letterhead: Hashable, Sendable {
    public let recipient: DID
    public let tag: Hash32
    public let expires: Instant

    /// The frame with what was sealed.
    public func deposit(_ sealed: [UInt8]) -> Frame {
        Message.mail(
            .deposit(
                recipient: recipient, tag: tag, expires: UInt64(max(expires.milliseconds, 0)),
                sealed: sealed)
        ).frame
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
    /// It is who its certificate says; until now anybody could have come under that name.
    case believe(PeerID)
    case close(PeerID, String)
    /// Once; whoever is expected connects, or `dialFailed` says otherwise.
    case dial(PeerAddress)
    /// Fetch these entries from storage and send them.
    case serve(PeerID, Message.RangeRequest)
    /// Fetch the one entry of this range from storage and push it along its tree.
    case push(PeerID, Message.RangeRequest, PushedEntry)
    /// Seal to `key` and send as `put`.
    case deliver(PeerID, Sealed, key: PublicKey)
    /// Fetch this chunk from storage and send it.
    case sendChunk(PeerID, Attachment, Int)
    /// Seal to `key` and leave at this hub for a recipient who is away.
    case deposit(PeerID, Letterhead, Sealed, key: PublicKey)
    /// Send these letters of its mailbox.
    case letters(PeerID, [UInt64])
    /// Send the peer its own snapshot, where one is kept.
    case giveBack(PeerID, DID)
    /// A fork changed what stands: drop this value and load it again.
    case reload
}

/// What storage gives back at start, in the order it was kept.
public struct Snapshot: Sendable {
    public var entries: [ValidEntry] = []
    public var forks: [(LogID, Chains.Fork)] = []
    public var rivals: [ValidEntry] = []
    public var proofs: [ForkProof] = []
    public var statements: [(ValidEntry, ContractID?)] = []
    public var contractKeys: [[UInt8]] = []
    public var outbox: [OutboxItem] = []
    public var templates: [[UInt8]] = []
    public var petnames: [(DID, String)] = []
    public var peers: [PeerAddress] = []
    public var tried: [(address: AddressBook.Address, good: Int64)] = []
    public var anchors: [AddressBook.Address] = []
    /// What was joined and left beside the first alliance, or whether that was left; one of a topic.
    public var alliances: [(foundingBody: [UInt8], isLeft: Bool)] = []
    public var transfers: [(child: EntryID, parent: ContractID, act: SignedAct)] = []
    public var witnessTerms: [[UInt8]] = []
    public var standing: Set<StandingInstruction> = []
    public var attachments: [Attachment] = []
    public var hubs: [DID] = []
    public var entrusted: [(member: DID, topics: [TopicID])] = []
    public var letters: [Letter] = []
    /// What the mark outside the database says against it.
    public var readOnly: ReadOnlyReason?
    /// An old copy that was noticed before this start.
    public var recovery: (reason: ReadOnlyReason, since: Instant, whole: [LogID])?

    public init() {}
}

/// Why a node signs nothing, or not in every log.
public enum ReadOnlyReason: Hashable, Sendable {
    /// The high-water mark outside the database knows more own entries than the database holds: an old
    /// copy was put back.
    case sidecarAhead(sidecar: Int64, database: Int64)
    case sidecarMissing
    case sidecarForeign
    /// A peer holds own entries that this node does not.
    case peerAhead(LogID, sequence: Int64)
    /// Brought back with the recovery code alone.
    case homeLost
    /// Our key log went on without us: the key of this home is no longer in force.
    case keyReplaced
}

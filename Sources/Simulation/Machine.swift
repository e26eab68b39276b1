internal import Capacity
internal import Entries
internal import Identity
internal import NodeCore
internal import Replication

/// One simulated computer: a node, while its process runs, and the disk under it.
struct Machine {
    let name: String
    /// Brings in the next key, and the one after it.
    let code: RecoveryCode
    /// What it does beside trading, if it is no honest one.
    let trick: FaultFamily?
    /// `nil` while the process does not run.
    var node: Node?
    var disk: any Disk
    /// By how much its clock is off, milliseconds.
    var clockError: Int64 = 0
    var pausedUntil: Int64 = 0
    var diskFullUntil: Int64 = 0
    /// Commits that failed, one after the other.
    var failures = 0
    /// It never starts again: its disk is lost or damaged.
    var isGone = false
    /// An old copy was put back: it may read, and sign nothing.
    var isOld = false
    /// It has not started since.
    var isUnnoticed = false
    /// Inputs were taken whose commit is still to come.
    var flushIsDue = false
    /// How often the process was started, so that nothing outlives it.
    var life = 0
    /// Contracts in which nothing is left to do, as its owner sees it.
    var over: Set<ContractID> = []
    /// An adversary that tells nobody of what it writes just now.
    var isMute = false
    /// What an adversary tells in the place of a step that its node wrote.
    var misquotes: [EntryID: Entry] = [:]
    /// The key that it replaced last, which a thief has.
    var stolen: Own?
    /// Frames it received, for one that plays them again.
    var recorded: [(print: UInt64, frame: Frame)] = []

    var isHonest: Bool { trick == nil }
    var own: Own { disk.own }
    var did: DID { own.did }
}

/// One connection between two machines. Numbers of peers tell connection and side.
struct Link {
    let left: Int
    let right: Int
    var isOpen = true
    /// When the newest frame in each direction arrives: what was sent later comes later.
    var arrivals: (toLeft: Int64, toRight: Int64) = (0, 0)

    static func peer(_ link: Int, isLeft: Bool) -> PeerID {
        PeerID(UInt64(link) * 2 + (isLeft ? 1 : 2))
    }

    static func of(_ peer: PeerID) -> (link: Int, isLeft: Bool) {
        (Int((peer.number - 1) / 2), (peer.number - 1) % 2 == 0)
    }
}

/// A frame on its way.
struct Parcel {
    let link: Int
    let toLeft: Bool
    let frame: Frame
    /// What the trace says of it: sealed boxes are sealed with chance of their own.
    let print: UInt64
}

/// What a world's agenda holds.
enum Event {
    case frame(Parcel)
    case tick(Int, life: Int)
    case trade(Int)
    case dial(Int, Int)
    /// One side learns that its connection ended.
    case ended(Int, PeerID, life: Int)
    case wake(Int)
    case flush(Int, life: Int)
    case strike(FaultFamily)
    case trick(Int)
    case look
}

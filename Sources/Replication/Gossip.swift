/// Eight bytes that stand for something longer between neighbours. Whoever makes two things with one
/// short name makes live push miss one of them; the next reconciliation finds it.
public struct Short<Kind>: Hashable, Comparable, Sendable {
    public let word: UInt64

    public init(_ word: UInt64) { self.word = word }

    public static func < (left: Self, right: Self) -> Bool { left.word < right.word }
}

public enum ShortEntryKind {}
public enum ShortRootKind {}

/// The first eight bytes of an entry's id.
public typealias ShortID = Short<ShortEntryKind>
/// The first eight bytes of the identity at the root of a tree.
public typealias Root = Short<ShortRootKind>

/// What goes along with an entry that is pushed.
public struct PushedEntry: Hashable, Sendable {
    public var id: ShortID
    /// The tree it goes along.
    public var root: Root
    /// Where the receiver does not know this tree yet: begin it as a copy of this one.
    public var seed: Root?
    /// From the root to the sender.
    public var distance: UInt16
    /// Neighbours were lost near here: whoever gets this announces at once.
    public var isUrgent: Bool

    public init(id: ShortID, root: Root, seed: Root?, distance: UInt16, isUrgent: Bool) {
        self.id = id
        self.root = root
        self.seed = seed
        self.distance = distance
        self.isUrgent = isUrgent
    }
}

/// What neighbours say of entries, beside the entries themselves.
public enum GossipMessage: Hashable, Sendable {
    /// "I hold these, at this distance from their roots."
    case announce([Announced], urgent: Bool)
    /// "Push to me what comes by the trees of these entries", and the entries themselves where wanted.
    case graft([ShortID], wanted: Bool)
    /// "I had these already: announce, do not push, what comes by their trees."
    case prune([ShortID])
    /// "My way to these roots, this far, is lost: push to me what comes by their trees."
    case adopt([Way])
    /// "I am no nearer to these roots than you were", or have no way myself.
    case decline([Way])

    public struct Way: Hashable, Sendable {
        public var root: Root
        public var distance: UInt16

        public init(root: Root, distance: UInt16) {
            self.root = root
            self.distance = distance
        }
    }

    public struct Announced: Hashable, Sendable {
        public var id: ShortID
        public var distance: UInt16
        /// Named where urgent.
        public var root: Root?

        public init(id: ShortID, distance: UInt16, root: Root?) {
            self.id = id
            self.distance = distance
            self.root = root
        }
    }
}

// MARK: - Sizes

extension PushedEntry {
    /// u8 flags ‖ u64 root ‖ u64 seed where flagged ‖ u16 distance, and the entry to the end.
    public func frameBytes(entry: Int) -> Int {
        FrameLimit.headerBytes + 1 + 8 + (seed == nil ? 0 : 8) + 2 + entry
    }
}

extension GossipMessage {
    public var frameBytes: Int {
        switch self {
        case .announce(let announced, let urgent):
            FrameLimit.headerBytes + 1 + announced.count * (urgent ? 18 : 10)
        case .graft(let ids, _): FrameLimit.headerBytes + 1 + ids.count * 8
        case .prune(let ids): FrameLimit.headerBytes + ids.count * 8
        case .adopt(let ways), .decline(let ways): FrameLimit.headerBytes + ways.count * 10
        }
    }
}

internal import Identity

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

// MARK: - Frames

extension PushedEntry {
    static let type: UInt8 = 50

    public func frameBytes(entry: Int) -> Int {
        FrameLimit.headerBytes + 1 + 8 + (seed == nil ? 0 : 8) + 2 + entry
    }

    func frame(entry: [UInt8]) -> Frame {
        var out: [UInt8] = [(isUrgent ? 1 : 0) | (seed == nil ? 0 : 2)]
        out.append(bigEndian: root.word)
        if let seed { out.append(bigEndian: seed.word) }
        out.append(distance)
        return Frame(type: Self.type, payload: out + entry)
    }

    static func read(_ frame: Frame) -> (PushedEntry, [UInt8])? {
        var rest = Rest(frame.payload)
        guard let flags = rest.number(1), flags <= 3, let root = rest.number(8) else { return nil }
        var seed: Root?
        if flags & 2 != 0 {
            guard let word = rest.number(8) else { return nil }
            seed = Root(word)
        }
        guard let distance = rest.number(2), !rest.bytes.isEmpty else { return nil }
        let push = PushedEntry(
            id: ShortID(0), root: Root(root), seed: seed, distance: UInt16(distance),
            isUrgent: flags & 1 != 0)
        return (push, Array(rest.bytes))
    }
}

extension GossipMessage {
    static let types: ClosedRange<UInt8> = 51...55

    /// Where the topic need not be named.
    public var frameBytes: Int {
        switch self {
        case .announce(let announced, let urgent):
            FrameLimit.headerBytes + 1 + announced.count * (urgent ? 18 : 10)
        case .graft(let ids, _), .prune(let ids): FrameLimit.headerBytes + 1 + ids.count * 8
        case .adopt(let ways), .decline(let ways): FrameLimit.headerBytes + 1 + ways.count * 10
        }
    }

    func frame(topic: UInt64?) -> Frame {
        var flags: UInt8 = topic == nil ? 0 : 2
        switch self {
        case .announce(_, true), .graft(_, true): flags |= 1
        default: break
        }
        var out = [flags]
        if let topic { out.append(bigEndian: topic) }
        switch self {
        case .announce(let announced, let urgent):
            for one in announced {
                out.append(bigEndian: one.id.word)
                out.append(one.distance)
                if urgent { out.append(bigEndian: one.root?.word ?? 0) }
            }
            return Frame(type: 51, payload: out)
        case .graft(let ids, _), .prune(let ids):
            for id in ids { out.append(bigEndian: id.word) }
            if case .graft = self { return Frame(type: 52, payload: out) }
            return Frame(type: 53, payload: out)
        case .adopt(let ways), .decline(let ways):
            for way in ways {
                out.append(bigEndian: way.root.word)
                out.append(way.distance)
            }
            if case .adopt = self { return Frame(type: 54, payload: out) }
            return Frame(type: 55, payload: out)
        }
    }

    /// `nil` where a byte is too many, too few or wrong.
    static func read(_ frame: Frame) -> (GossipMessage, topic: UInt64?)? {
        var rest = Rest(frame.payload)
        guard let flags = rest.number(1), flags & ~(frame.type < 53 ? 3 : 2) == 0 else {
            return nil
        }
        let isFlagged = flags & 1 != 0
        var topic: UInt64?
        if flags & 2 != 0 {
            topic = rest.number(8)
            guard topic != nil else { return nil }
        }
        let size = frame.type == 51 ? (isFlagged ? 18 : 10) : frame.type < 54 ? 8 : 10
        let count = rest.bytes.count / size
        guard rest.bytes.count % size == 0, count > 0,
            count <= (frame.type < 54 ? ReplicationLimit.announced : ReplicationLimit.trees)
        else { return nil }
        var announced: [Announced] = []
        var ids: [ShortID] = []
        var ways: [Way] = []
        while let word = rest.number(8) {
            if size == 8 {
                ids.append(ShortID(word))
                continue
            }
            let distance = UInt16(rest.number(2) ?? 0)
            if frame.type == 51 {
                let root = isFlagged ? rest.number(8).map { Root($0) } : nil
                announced.append(Announced(id: ShortID(word), distance: distance, root: root))
            } else {
                ways.append(Way(root: Root(word), distance: distance))
            }
        }
        switch frame.type {
        case 51: return (.announce(announced, urgent: isFlagged), topic)
        case 52: return (.graft(ids, wanted: isFlagged), topic)
        case 53: return (.prune(ids), topic)
        case 54: return (.adopt(ways), topic)
        case 55: return (.decline(ways), topic)
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ distance: UInt16) {
        self += [UInt8(distance >> 8), UInt8(distance & 0xff)]
    }
}

/// What is not read yet.
private struct Rest {
    private(set) var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    /// Big-endian; `nil` where so many octets are not left.
    mutating func number(_ octets: Int) -> UInt64? {
        guard bytes.count >= octets else { return nil }
        defer { bytes = bytes.dropFirst(octets) }
        return bytes.prefix(octets).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

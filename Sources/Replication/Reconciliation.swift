public import Identity

public indirect enum ReconciliationRefusal: Error, Hashable, Sendable {
    /// At this byte no range reads on.
    case malformed(at: Int)
    /// The responder speaks another version.
    case version(UInt8)
    /// A range ends where it begins, or before.
    case notAscending(at: Int)
    /// What is left is no less than a round ago.
    case noProgress(round: Int)
    case tooManyRounds(limit: Int)
    case tooManyItems(count: Int, limit: Int)
    case frameLimit(Int)
}

/// One side of a set reconciliation in the negentropy protocol, version 1: ranges that differ are told
/// apart by fingerprints until they are small enough to list. It never asks for what both hold.
///
/// The items must not change meanwhile: hand in a snapshot.
public struct Reconciliation: Sendable {
    public static let version: UInt8 = 0x61
    /// Frame limits below this could not carry one split.
    public static let frameLimitMin = 4_096

    private let items: any ItemStorage
    private let policy: SplitPolicy
    private let frameLimit: Int
    private let roundsMax: Int
    private let isInitiator: Bool
    private let roundsPlanned: Int
    /// Messages of the other side that were read.
    public private(set) var rounds = 0
    /// Where the first range stood that the other side still worked on.
    private var front: Front?

    private struct Front {
        let lower: Item
        let upper: Item
        let isList: Bool
    }

    /// What the initiator learned from one message. Where a frame limit cut in, it may learn a thing twice.
    public struct Finding: Hashable, Sendable {
        /// The answer; `nil`: done.
        public var message: [UInt8]?
        /// Ids that the other side lacks, in order of their items.
        public var have: [ItemID] = []
        /// Ids that we lack, ascending within a list.
        public var need: [ItemID] = []
    }

    /// `frameLimit`: bytes of a message, or 0 for none.
    public init(
        of items: any ItemStorage, asInitiator: Bool, policy: SplitPolicy, frameLimit: Int = 0,
        roundsMax: Int = .max, itemsMax: Int = .max
    ) throws(ReconciliationRefusal) {
        guard frameLimit == 0 || frameLimit >= Self.frameLimitMin else {
            throw .frameLimit(frameLimit)
        }
        guard items.count <= itemsMax else {
            throw .tooManyItems(count: items.count, limit: itemsMax)
        }
        self.items = items
        self.policy = policy
        self.frameLimit = frameLimit
        self.roundsMax = roundsMax
        isInitiator = asInitiator
        roundsPlanned = SplitPolicy.rounds(over: items.count)
    }

    /// The initiator's first message. It is not cut, and has no need to be.
    public func initiate() -> [UInt8] {
        var writer = RangeWriter([Self.version])
        split(
            0..<items.count, upTo: .end, moment(differing: 1, equal: 0, open: items.count),
            into: &writer)
        return writer.bytes
    }

    /// The initiator reads an answer.
    public mutating func advance(_ message: [UInt8]) throws(ReconciliationRefusal) -> Finding {
        guard let first = message.first else { throw .malformed(at: 0) }
        guard first == Self.version else { throw .version(first) }
        var finding = Finding()
        let answer = try reply(to: message, &finding)
        if answer.count > 1 { finding.message = answer }
        return finding
    }

    /// The responder answers. Another version of the protocol is answered with ours alone.
    public mutating func answer(_ message: [UInt8]) throws(ReconciliationRefusal) -> [UInt8] {
        guard let first = message.first, first & 0xf0 == Self.version & 0xf0 else {
            throw .malformed(at: 0)
        }
        guard first == Self.version else { return [Self.version] }
        var none = Finding()
        return try reply(to: message, &none)
    }

    // MARK: - One message

    /// One range of a message, by position in our items.
    private struct Part {
        let bound: RangeBound
        let range: Range<Int>
        let content: Content

        enum Content {
            case skip
            case differs
            case list([ItemID])
        }

        /// Items that may have to be told.
        var open: Int { if case .differs = content { range.count } else { 0 } }
    }

    private mutating func reply(
        to message: [UInt8], _ finding: inout Finding
    ) throws(ReconciliationRefusal) -> [UInt8] {
        rounds += 1
        guard rounds <= roundsMax else { throw .tooManyRounds(limit: roundsMax) }
        var differing = 0
        var equal = 0
        let parts = try read(message, &differing, &equal)
        let moment = moment(
            differing: differing, equal: equal, open: parts.reduce(0) { $0 + $1.open })

        var writer = RangeWriter([Self.version])
        var before = RangeBound(item: Item(timestamp: 0, id: .zero), prefix: 0)
        // Neighbours that need no word are one, and told of only where something follows.
        var isSkipping = false
        for part in parts {
            let kept = writer.bytes.count
            var upper = part.range.upperBound
            var isCut = false
            switch part.content {
            case .skip: isSkipping = true
            case .list(let theirs) where isInitiator:
                compare(theirs, part.range, &finding)
                isSkipping = true
            case .differs:
                skip(before, &isSkipping, into: &writer)
                split(part.range, upTo: part.bound, moment, into: &writer)
                isCut = exceeds(writer.bytes.count)
                if isCut { writer.bytes.removeSubrange(kept...) }
            case .list:
                // The skip is not counted yet while the list grows.
                let fits = fitting(part.range, after: kept)
                skip(before, &isSkipping, into: &writer)
                list(part, upTo: fits, into: &writer)
                upper = fits
                isCut = exceeds(writer.bytes.count)
            }
            if isCut {
                // Whatever else differs is found again from here.
                writer.write(.end)
                writer.write(varint: RangeMode.fingerprint)
                writer.write(fingerprint(upper..<items.count))
                break
            }
            before = part.bound
        }
        return writer.bytes
    }

    /// Reads the whole message, and judges it, before anything is answered.
    private mutating func read(
        _ message: [UInt8], _ differing: inout Int, _ equal: inout Int
    ) throws(ReconciliationRefusal) -> [Part] {
        var reader = RangeReader(message, from: 1)
        var parts: [Part] = []
        var lower = 0
        var before = Item(timestamp: 0, id: .zero)
        var isFront = true
        while !reader.isAtEnd {
            let at = message.count - reader.rest
            let bound = try reader.bound()
            guard before < bound.item else { throw .notAscending(at: at) }
            let mode = try reader.varint()
            let (upper, sum) = items.sum(from: lower, upTo: bound.item)
            let content: Part.Content
            switch mode {
            case RangeMode.skip: content = .skip
            case RangeMode.fingerprint:
                if try reader.fingerprint() == Fingerprint(sum, count: upper - lower) {
                    content = .skip
                    equal += 1
                } else {
                    content = .differs
                    differing += 1
                }
            case RangeMode.list:
                let count = try reader.varint()
                guard count <= UInt64(reader.rest / 32) else { throw .malformed(at: at) }
                var ids: [ItemID] = []
                ids.reserveCapacity(Int(count))
                for _ in 0..<count { ids.append(try reader.id()) }
                content = .list(ids)
            default: throw .malformed(at: at)
            }
            if isFront, mode != RangeMode.skip {
                isFront = false
                try advance(
                    to: Front(lower: before, upper: bound.item, isList: mode == RangeMode.list))
            }
            parts.append(Part(bound: bound, range: lower..<upper, content: content))
            lower = upper
            before = bound.item
        }
        return parts
    }

    /// Each round the first open range begins later, ends sooner, or is listed where it was fingerprinted:
    /// otherwise they would never end.
    private mutating func advance(to next: Front) throws(ReconciliationRefusal) {
        if let front {
            let isSame = front.lower == next.lower && front.upper == next.upper
            guard
                front.lower < next.lower || front.lower == next.lower && next.upper < front.upper
                    || isSame && !front.isList && next.isList
            else { throw .noProgress(round: rounds) }
        }
        front = next
    }

    // MARK: - Ranges

    /// `open`: our items in the ranges that differ.
    private func moment(differing: Int, equal: Int, open: Int) -> SplitMoment {
        // Counted over both sides; ours is the next. The last is the responder's.
        let number = isInitiator ? 2 * rounds + 1 : 2 * rounds
        let left = max(2 * roundsPlanned - number, isInitiator ? 1 : 0)
        return SplitMoment(
            isInitiator: isInitiator, splitsLeft: left, differing: differing, equal: equal,
            listsFit: !exceeds(open * SplitPolicy.idBytes))
    }

    private func exceeds(_ bytes: Int) -> Bool { frameLimit > 0 && bytes > frameLimit - 200 }

    private func fingerprint(_ range: Range<Int>) -> Fingerprint {
        Fingerprint(items.sum(range), count: range.count)
    }

    private func skip(
        _ before: RangeBound, _ isSkipping: inout Bool, into writer: inout RangeWriter
    ) {
        guard isSkipping else { return }
        isSkipping = false
        writer.write(before)
        writer.write(varint: RangeMode.skip)
    }

    private func split(
        _ range: Range<Int>, upTo bound: RangeBound, _ moment: SplitMoment,
        into writer: inout RangeWriter
    ) {
        let parts = policy.parts(of: range.count, moment)
        guard parts > 1 else {
            return list(
                Part(bound: bound, range: range, content: .skip), upTo: range.upperBound,
                into: &writer)
        }
        let (size, longer) = range.count.quotientAndRemainder(dividingBy: parts)
        guard size > 64 else {
            return split(range, upTo: bound, size: size, longer: longer, into: &writer)
        }
        var lower = range.lowerBound
        for part in 0..<parts {
            let upper = lower + size + (part < longer ? 1 : 0)
            if upper == range.upperBound {
                writer.write(bound)
            } else {
                writer.write(
                    RangeBound(between: items.item(at: upper - 1), and: items.item(at: upper)))
            }
            writer.write(varint: RangeMode.fingerprint)
            writer.write(fingerprint(lower..<upper))
            lower = upper
        }
    }

    /// The same by one walk: small parts are met sooner on the way than looked up.
    private func split(
        _ range: Range<Int>, upTo bound: RangeBound, size: Int, longer: Int,
        into writer: inout RangeWriter
    ) {
        var sum = IDSum()
        var count = 0
        var part = 0
        var before = Item(timestamp: 0, id: .zero)
        items.visit(range) { item in
            if count == size + (part < longer ? 1 : 0) {
                writer.write(RangeBound(between: before, and: item))
                writer.write(varint: RangeMode.fingerprint)
                writer.write(Fingerprint(sum, count: count))
                (sum, count, part) = (IDSum(), 0, part + 1)
            }
            sum.add(item.id)
            count += 1
            before = item
            return true
        }
        writer.write(bound)
        writer.write(varint: RangeMode.fingerprint)
        writer.write(Fingerprint(sum, count: count))
    }

    /// The position up to which the ids of `range` fit into a message that holds `bytes`.
    private func fitting(_ range: Range<Int>, after bytes: Int) -> Int {
        guard frameLimit > 0 else { return range.upperBound }
        let room = max(frameLimit - 200 - bytes, -1)
        // The first that comes when the limit is passed already is not taken.
        return min(range.upperBound, range.lowerBound + (room < 0 ? 0 : room / 32 + 1))
    }

    private func list(_ part: Part, upTo upper: Int, into writer: inout RangeWriter) {
        let isWhole = upper == part.range.upperBound
        writer.write(isWhole ? part.bound : RangeBound(item: items.item(at: upper), prefix: 32))
        writer.write(varint: RangeMode.list)
        let range = part.range.lowerBound..<upper
        writer.write(varint: UInt64(range.count))
        items.visit(range) { item in
            writer.write(item.id)
            return true
        }
    }

    private func compare(_ theirs: [ItemID], _ range: Range<Int>, _ finding: inout Finding) {
        let theirs = theirs.sorted()
        var isHeld = [Bool](repeating: false, count: theirs.count)
        items.visit(range) { item in
            var (low, high) = (0, theirs.count)
            while low < high {
                let middle = (low + high) / 2
                if theirs[middle] < item.id { low = middle + 1 } else { high = middle }
            }
            if low < theirs.count, theirs[low] == item.id {
                isHeld[low] = true
            } else {
                finding.have.append(item.id)
            }
            return true
        }
        for index in theirs.indices where !isHeld[index] {
            // Said twice is needed once.
            if index > 0, theirs[index] == theirs[index - 1] { continue }
            finding.need.append(theirs[index])
        }
    }
}

internal import Identity

/// The end of a range, exclusive: an item, of whose id only a prefix travels; the rest is zeros.
struct RangeBound: Hashable, Sendable {
    let item: Item
    let prefix: Int

    static let end = Self(item: Item(timestamp: Item.endOfTime, id: .zero), prefix: 0)

    init(item: Item, prefix: Int) {
        self.item = item
        self.prefix = prefix
    }

    /// The shortest that parts two neighbours.
    init(between lower: Item, and upper: Item) {
        guard lower.timestamp == upper.timestamp else {
            self.init(item: Item(timestamp: upper.timestamp, id: .zero), prefix: 0)
            return
        }
        let (one, two) = (lower.id.words, upper.id.words)
        let differing = [one.0 ^ two.0, one.1 ^ two.1, one.2 ^ two.2, one.3 ^ two.3]
        let word = differing.firstIndex { $0 != 0 } ?? 3
        let prefix = min(word * 8 + differing[word].leadingZeroBitCount / 8 + 1, 32)
        let all = [two.0, two.1, two.2, two.3]
        var cut: [UInt64] = [0, 0, 0, 0]
        for index in 0...word { cut[index] = all[index] }
        if prefix % 8 != 0 { cut[word] &= ~(UInt64.max >> UInt64(prefix % 8 * 8)) }
        let id = ItemID(words: (cut[0], cut[1], cut[2], cut[3]))
        self.init(item: Item(timestamp: upper.timestamp, id: id), prefix: prefix)
    }
}

/// The first 16 bytes of SHA-256(sum of ids, little-endian ‖ varint count).
struct Fingerprint: Hashable, Sendable {
    static let bytes = 16
    let words: (UInt64, UInt64)

    init(words: (UInt64, UInt64)) { self.words = words }

    init(_ sum: IDSum, count: Int) {
        let words = sum.words
        // 32 bytes of sum and at most ten of count.
        var room: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (
            words.0.littleEndian, words.1.littleEndian, words.2.littleEndian,
            words.3.littleEndian, 0, 0
        )
        let hash = withUnsafeMutableBytes(of: &room) { room in
            var groups = 1
            while groups < 10, UInt64(count) >> UInt64(groups * 7) != 0 { groups += 1 }
            for group in 0..<groups {
                let bits = UInt8(
                    truncatingIfNeeded: UInt64(count) >> UInt64((groups - 1 - group) * 7) & 127)
                room[32 + group] = group == groups - 1 ? bits : bits | 128
            }
            return SHA256.hash(UnsafeRawBufferPointer(rebasing: room[..<(32 + groups)]))
        }
        self.words = (hash.words.0, hash.words.1)
    }

    static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

enum RangeMode {
    static let skip: UInt64 = 0
    static let fingerprint: UInt64 = 1
    static let list: UInt64 = 2
}

/// Writes ranges one after the other. Times are told as steps from the one before.
struct RangeWriter {
    var bytes: [UInt8]
    private var lastTime: UInt64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func write(_ bound: RangeBound) {
        if bound.item.timestamp == Item.endOfTime {
            lastTime = Item.endOfTime
            write(varint: 0)
        } else {
            let step = bound.item.timestamp - lastTime
            lastTime = bound.item.timestamp
            write(varint: step + 1)
        }
        write(varint: UInt64(bound.prefix))
        write(bound.item.id, bytes: bound.prefix)
    }

    mutating func write(_ fingerprint: Fingerprint) {
        write(word: fingerprint.words.0)
        write(word: fingerprint.words.1)
    }

    mutating func write(_ id: ItemID, bytes count: Int = 32) {
        var words = id.words
        words = (
            words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian
        )
        withUnsafeBytes(of: &words) { bytes.append(contentsOf: $0[..<count]) }
    }

    private mutating func write(word: UInt64) {
        withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(varint value: UInt64) {
        var shift: UInt64 = 0
        while shift < 63, value >> (shift + 7) != 0 { shift += 7 }
        while true {
            let group = UInt8(truncatingIfNeeded: value >> shift & 127)
            bytes.append(shift == 0 ? group : group | 128)
            if shift == 0 { return }
            shift -= 7
        }
    }
}

/// Reads them, strictly: what is not the one spelling of a range is refused.
struct RangeReader {
    private let bytes: [UInt8]
    private var at: Int
    private var lastTime: UInt64 = 0

    /// From the byte at `start` on.
    init(_ bytes: [UInt8], from start: Int) {
        self.bytes = bytes
        at = start
    }

    var isAtEnd: Bool { at >= bytes.count }
    var rest: Int { bytes.count - at }

    mutating func bound() throws(ReconciliationRefusal) -> RangeBound {
        let step = try varint()
        if step == 0 {
            lastTime = Item.endOfTime
        } else {
            let (time, isOver) = lastTime.addingReportingOverflow(step - 1)
            lastTime = isOver ? Item.endOfTime : time
        }
        let prefix = try varint()
        guard prefix <= 32 else { throw .malformed(at: at) }
        let words = try words(Int(prefix))
        return RangeBound(
            item: Item(timestamp: lastTime, id: ItemID(words: words)), prefix: Int(prefix))
    }

    mutating func fingerprint() throws(ReconciliationRefusal) -> Fingerprint {
        let words = try words(Fingerprint.bytes)
        return Fingerprint(words: (words.0, words.1))
    }

    mutating func id() throws(ReconciliationRefusal) -> ItemID {
        ItemID(words: try words(32))
    }

    mutating func varint() throws(ReconciliationRefusal) -> UInt64 {
        var value: UInt64 = 0
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            guard value >> 57 == 0, at - start > 1 || byte != 128 else { break }
            value = value << 7 | UInt64(byte & 127)
            if byte < 128 { return value }
        }
        throw .malformed(at: start)
    }

    /// `count` bytes, and zeros up to 32.
    private mutating func words(
        _ count: Int
    ) throws(ReconciliationRefusal) -> (UInt64, UInt64, UInt64, UInt64) {
        guard rest >= count else { throw .malformed(at: at) }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { room in
            bytes.withUnsafeBytes { bytes in
                room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
            }
        }
        at += count
        return (
            UInt64(bigEndian: words.0), UInt64(bigEndian: words.1),
            UInt64(bigEndian: words.2), UInt64(bigEndian: words.3)
        )
    }
}

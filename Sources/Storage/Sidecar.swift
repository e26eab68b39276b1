internal import Foundation
internal import Identity
internal import NodeCore

/// How far this node has signed, as it is known outside the database.
struct HighWater: Hashable, Sendable {
    /// Drawn when the database was made, and in it too.
    let file: Hash32
    /// Hash of the machine's id, zero where it has none: a home that was copied elsewhere is noticed.
    let machine: Hash32
    /// Own log entries.
    let count: Int64
    /// The newest of them.
    let newest: EntryID
    /// Where the newest statement of our own stands among all statements, and which it is; 0 for none. An
    /// old copy may lack nothing else.
    var statement: Int64 = 0
    var newestStatement: EntryID = .zero
}

/// The file `high-water`: two slots, written in turn, each in a block of its own.
///
/// *Why two*: a write that is torn by a power cut leaves its slot with a wrong checksum. With one slot
/// that could not be told from a lost or foreign file, and an honest node would sign nothing after a
/// power cut. With two, the other slot still says what stood before; that is behind the database, which
/// was committed first, and behind is repaired. No slot ever says more than the database holds.
///
///     magic 8 · version 4 · file 32 · machine 32 · count 8 · newest 32 · SHA-256 of these 32
///
/// That is version 1, of whoever said nothing yet. In version 2 `statement` 8 and `newestStatement` 32 stand
/// before the hash.
struct Sidecar: Sendable {
    let path: String
    private let disk: RawDisk
    private var file: Int32?
    private var nextSlot: Int64 = 0

    /// One disk block, so that writing one slot cannot damage the other.
    static let slotBytes: Int64 = 4096
    private static let recordBytes: [UInt8: Int] = [1: 148, 2: 188]
    private static let recordBytesMax = 188
    private static let magic = Array("taleaHW\n".utf8)

    init(path: String, disk: RawDisk = .system) {
        self.path = path
        self.disk = disk
    }

    /// The slot that knows more; `nil` where no file or no whole slot is.
    mutating func read() throws(StorageRefusal) -> HighWater? {
        if file == nil {
            let opened = Glibc.open(path, O_RDWR | O_CLOEXEC)
            guard opened >= 0 else {
                guard errno == ENOENT else { throw StorageRefusal(errno: errno, path) }
                return nil
            }
            file = opened
            try Home.checkPrivate(path)
        }
        var best: HighWater?
        for slot in [Int64(0), 1] {
            guard let found = try read(slot: slot) else { continue }
            if best.map({ ($0.count, $0.statement) < (found.count, found.statement) }) ?? true {
                best = found
                nextSlot = 1 - slot
            }
        }
        return best
    }

    /// Returns once the slot is on the disk.
    mutating func write(_ mark: HighWater) throws(StorageRefusal) {
        if file == nil {
            let made = Glibc.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
            guard made >= 0 else { throw StorageRefusal(errno: errno, path) }
            file = made
        }
        guard let file else { return }
        let record = Sidecar.encode(mark)
        let offset = nextSlot * Sidecar.slotBytes
        guard disk.write(path, file, record, Int(offset)) == record.count,
            disk.sync(path, file) == 0
        else { throw StorageRefusal(errno: errno, path) }
        nextSlot = 1 - nextSlot
    }

    mutating func close() {
        if let file { Glibc.close(file) }
        file = nil
    }

    private func read(slot: Int64) throws(StorageRefusal) -> HighWater? {
        guard let file else { return nil }
        var bytes = [UInt8](repeating: 0, count: Sidecar.recordBytesMax)
        let count = pread(file, &bytes, bytes.count, Int(slot * Sidecar.slotBytes))
        guard count >= 0 else { throw StorageRefusal(errno: errno, path) }
        guard count > 12, let size = Sidecar.recordBytes[bytes[11]], count >= size else {
            return nil
        }
        return Sidecar.decode(Array(bytes.prefix(size)))
    }

    static func encode(_ mark: HighWater) -> [UInt8] {
        var bytes = magic
        bytes.append(bigEndian: UInt32(mark.statement > 0 ? 2 : 1))
        bytes += mark.file.bytes + mark.machine.bytes
        bytes.append(bigEndian: UInt64(mark.count))
        bytes += mark.newest.bytes
        if mark.statement > 0 {
            bytes.append(bigEndian: UInt64(mark.statement))
            bytes += mark.newestStatement.bytes
        }
        return bytes + SHA256.hash(bytes).bytes
    }

    static func decode(_ bytes: [UInt8]) -> HighWater? {
        guard bytes.count >= 12, Array(bytes.prefix(8)) == magic,
            bytes[8..<11].elementsEqual([0, 0, 0]), recordBytes[bytes[11]] == bytes.count,
            SHA256.hash(Array(bytes.dropLast(32))).bytes == Array(bytes.suffix(32)),
            let file = Hash32(bytes[12..<44]), let machine = Hash32(bytes[44..<76]),
            let newest = EntryID(bytes[84..<116])
        else { return nil }
        func number(_ range: Range<Int>) -> Int64 {
            bytes[range].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        }
        var mark = HighWater(
            file: file, machine: machine, count: number(76..<84), newest: newest)
        if bytes[11] == 2 {
            mark.statement = number(116..<124)
            // One spelling: who said nothing has a mark of version 1.
            guard mark.statement > 0, let said = EntryID(bytes[124..<156]) else { return nil }
            mark.newestStatement = said
        }
        return mark
    }
}

/// Which machine this is.
enum Machine {
    static func hash() -> Hash32 {
        guard let text = try? String(contentsOfFile: "/etc/machine-id", encoding: .utf8) else {
            return .zero
        }
        return SHA256.hash(tag: "talea.machine.v1", Array(text.utf8))
    }
}

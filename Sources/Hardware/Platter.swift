internal import CFaultDisk
internal import Foundation
internal import Identity
internal import Simulation
internal import Storage

/// The folder of one home, and the file system under it that remembers what was synced.
final class Platter {
    enum Refusal: Error {
        /// The file system could not be put under SQLite: its code.
        case notInstalled(Int32)
        case folder(String, errno: Int32)
    }

    private(set) var path: String
    private var disk: OpaquePointer
    /// Calls of folders that are no more.
    private var movesBefore: Int64 = 0
    /// Syncs of files whose name holds this keep nothing.
    var lie: String? { didSet { fault_disk_lie(disk, lie) } }

    init() throws {
        let code = fault_disk_install()
        guard code == 0 else { throw Refusal.notInstalled(code) }
        path = try Self.folder()
        disk = fault_disk_watch(path)
    }

    deinit {
        fault_disk_release(disk)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// In memory where there is such a place: the file system decides what is durable, and syncs cost nothing.
    private static func folder() throws -> String {
        let memory = "/dev/shm"
        let place =
            FileManager.default.isWritableFile(atPath: memory)
            ? memory : FileManager.default.temporaryDirectory.path
        let path = "\(place)/talea-disk-\(getpid())-\(UUID().uuidString)"
        guard mkdir(path, 0o700) == 0 else { throw Refusal.folder(path, errno: errno) }
        return path
    }

    /// Where files that are not SQLite's are written.
    var raw: RawDisk {
        nonisolated(unsafe) let disk = disk
        return RawDisk(
            write: { path, file, bytes, offset in
                Int(fault_disk_pwrite(disk, path, file, bytes, bytes.count, Int64(offset)))
            }, sync: { path, file in fault_disk_fdatasync(disk, path, file) })
    }

    // MARK: - Faults

    /// Calls that change something, until now.
    var moves: Int64 { movesBefore + fault_disk_moves(disk) }

    /// The `number`-th call of `kind` from now fails, and with `stays` every later one.
    func fail(_ kind: fault_kind, at number: Int64, _ error: fault_error, stays: Bool) {
        fault_disk_fail(disk, kind, number, error, stays ? 1 : 0)
    }

    /// Nothing fails any more. Whether a call did since `fail`.
    @discardableResult
    func heal() -> Bool {
        fault_disk_heal(disk)
        return fault_disk_failed(disk) > 0
    }

    /// The process ends before the `number`-th call from now that changes something.
    func stop(at number: Int64) { fault_disk_stop(disk, number) }
    /// Another process.
    func resume() { fault_disk_stop(disk, 0) }

    /// The power goes, and with it some of what was not synced. Nobody has the files open.
    func cut(_ mode: fault_image_mode, seed: UInt64) throws {
        let left = try Self.folder()
        guard fault_disk_image(disk, mode, seed, left) == 0 else {
            throw Refusal.folder(left, errno: errno)
        }
        try? FileManager.default.removeItem(atPath: path)
        path = left
        watchAnew()
    }

    /// What lies in the folder now is on the disk.
    func watchAnew() {
        movesBefore = moves
        fault_disk_release(disk)
        disk = fault_disk_watch(path)
        fault_disk_lie(disk, lie)
    }

    // MARK: - Files

    private static let ledger = "ledger.sqlite"
    static let log = "ledger.sqlite-wal"
    private static let sidecar = "high-water"

    /// The ledger and its log as they are; the sidecar stays where it is.
    func copy() -> [String: Data] {
        var files: [String: Data] = [:]
        for name in [Self.ledger, Self.log] {
            files[name] = FileManager.default.contents(atPath: path + "/" + name)
        }
        return files
    }

    /// Puts a ledger and its log in the place of what is there. Nobody has the files open.
    func put(_ files: [String: Data]) {
        for name in [Self.ledger, Self.log, Self.ledger + "-shm"] {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
        for (name, bytes) in files { write(bytes, name) }
        watchAnew()
    }

    /// Turns one bit over, somewhere in the files of the home: in which. Nobody has them open.
    func turnBit(_ chance: inout Chance) -> String? {
        let names = [Self.ledger, Self.ledger, Self.log, Self.log, Self.sidecar]
        guard let name = chance.pick(names),
            var bytes = FileManager.default.contents(atPath: path + "/" + name), !bytes.isEmpty
        else { return nil }
        let place = chance.below(bytes.count)
        bytes[place] ^= 1 << UInt8(chance.below(8))
        write(bytes, name)
        watchAnew()
        return name
    }

    private func write(_ bytes: Data, _ name: String) {
        _ = FileManager.default.createFile(
            atPath: path + "/" + name, contents: bytes, attributes: [.posixPermissions: 0o600])
    }
}

internal import Foundation

/// The calls on files that are not SQLite's, apart so that a failing disk can be put below them.
package struct RawDisk: Sendable {
    /// Path, file, bytes, offset → bytes written, or -1 and `errno`.
    var write: @Sendable (String, Int32, [UInt8], Int) -> Int
    /// Path, file → 0, or -1 and `errno`.
    var sync: @Sendable (String, Int32) -> Int32

    package init(
        write: @escaping @Sendable (String, Int32, [UInt8], Int) -> Int,
        sync: @escaping @Sendable (String, Int32) -> Int32
    ) {
        self.write = write
        self.sync = sync
    }

    package static let system = RawDisk(
        write: { _, file, bytes, offset in pwrite(file, bytes, bytes.count, offset) },
        sync: { _, file in fdatasync(file) })

    private static let blockBytes = 1 << 20

    /// Writes the file's own bytes over itself and syncs them. Nothing where no file is.
    ///
    /// *Why*: after a sync that failed the kernel shows bytes that are not on the disk, to this process
    /// and to the next, and no later sync writes them. SQLite would take a commit that it called failed
    /// for kept, and put acknowledged ones behind it, where no recovery after a power cut reaches.
    func settle(_ path: String) throws(StorageRefusal) {
        let file = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else {
            guard errno == ENOENT else { throw StorageRefusal(errno: errno, path) }
            return
        }
        defer { Glibc.close(file) }
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        var offset = 0
        while true {
            let count = pread(file, &block, block.count, offset)
            guard count >= 0 else { throw StorageRefusal(errno: errno, path) }
            if count == 0 { break }
            guard write(path, file, Array(block.prefix(count)), offset) == count else {
                throw StorageRefusal(errno: errno, path)
            }
            offset += count
        }
        guard offset == 0 || sync(path, file) == 0 else { throw StorageRefusal(errno: errno, path) }
    }
}

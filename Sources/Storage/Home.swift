internal import Foundation

/// The folder of one node, and the files of this room in it.
struct Home: Sendable {
    let path: String

    var ledger: String { path + "/ledger.sqlite" }
    /// A ledger under creation; it takes its name once it is whole.
    var unfinishedLedger: String { path + "/ledger.sqlite.new" }
    var sidecar: String { path + "/high-water" }
    var lock: String { path + "/lock" }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Makes the folder where it is missing, and closes it to others either way.
    func make() throws(StorageRefusal) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw StorageRefusal(errno: errno, path) }
        guard chmod(path, 0o700) == 0 else { throw StorageRefusal(errno: errno, path) }
    }

    /// Refused where others than the owner have any right to `path`.
    static func checkPrivate(_ path: String) throws(StorageRefusal) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw StorageRefusal(errno: errno, path) }
        let bits = status.st_mode & 0o7777
        guard bits & 0o077 == 0 else { throw .modeTooWide(path: path, found: UInt32(bits)) }
    }

    /// An empty file for its owner alone. SQLite gives its `-wal` and `-shm` the same mode.
    static func makePrivate(_ path: String) throws(StorageRefusal) {
        let file = Glibc.open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StorageRefusal(errno: errno, path) }
        Glibc.close(file)
    }

    static func remove(_ path: String) throws(StorageRefusal) {
        if unlink(path) != 0, errno != ENOENT { throw StorageRefusal(errno: errno, path) }
    }

    /// Makes names durable: files made, renamed or removed in the folder.
    func syncNames() throws(StorageRefusal) {
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw StorageRefusal(errno: errno, path) }
        defer { Glibc.close(folder) }
        guard fsync(folder) == 0 else { throw StorageRefusal(errno: errno, path) }
    }
}

/// One writer per identity: a lock on a file of the home, held until it is let go. The kernel lets it
/// go when the process ends, however it ends, so there is nothing stale to clean up.
final class HomeLock: Sendable {
    private let file: Int32

    init(_ home: Home) throws(StorageRefusal) {
        let file = Glibc.open(home.lock, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StorageRefusal(errno: errno, home.lock) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            defer { Glibc.close(file) }
            guard code == EWOULDBLOCK else { throw StorageRefusal(errno: code, home.lock) }
            throw .homeLocked(path: home.path, pid: HomeLock.pid(file))
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(file, 0) == 0, pwrite(file, text, text.count, 0) == text.count else {
            let code = errno
            Glibc.close(file)
            throw StorageRefusal(errno: code, home.lock)
        }
        self.file = file
    }

    deinit {
        // Said, not only closed: a child between its fork and its exec holds the file too.
        flock(file, LOCK_UN)
        Glibc.close(file)
    }

    private static func pid(_ file: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes.prefix(count).prefix { $0 != 10 }, as: UTF8.self))
    }
}

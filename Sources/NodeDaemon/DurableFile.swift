internal import Foundation
internal import Glibc

/// Small files of a home that must outlast a power cut once they are named.
enum DurableFile {
    /// Returns once `bytes` and the file's name are on the disk. What stands there is replaced by the
    /// whole, never by a part.
    static func write(_ bytes: [UInt8], to path: String) throws(Home.Refusal) {
        try write([Data(bytes)], to: path)
    }

    /// The parts one after another; by way of `draft`, which nobody else may call his own.
    static func write(_ parts: [Data], to path: String, by draft: String? = nil)
        throws(Home.Refusal)
    {
        let draft = draft ?? path + ".draft"
        unlink(draft)
        let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .unwritable(path) }
        defer { close(file) }
        guard parts.allSatisfy({ put($0, into: file) }), fsync(file) == 0 else {
            unlink(draft)
            throw .unwritable(path)
        }
        try rename(draft, to: path)
    }

    private static func put(_ part: Data, into file: Int32) -> Bool {
        part.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(
                    file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }

    /// Returns once the new name is on the disk.
    static func rename(_ path: String, to name: String) throws(Home.Refusal) {
        guard Glibc.rename(path, name) == 0 else { throw .unwritable(name) }
        try syncNames(of: folder(of: name))
    }

    private typealias Renameat2 =
        @convention(c) (
            Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32
        ) -> Int32

    /// What is added to a name for a moment.
    static let between = ".old"

    /// Two folders beside each other take each other's names at once, so that there is none without. Where the
    /// file system cannot, one after the other: then a process that is killed in between leaves both names to
    /// be given again.
    static func exchange(_ path: String, with other: String) throws(Home.Refusal) {
        // <linux/fs.h> calls it RENAME_EXCHANGE.
        let flag: UInt32 = 1 << 1
        // glibc declares it for programs in C alone.
        let call = dlsym(nil, "renameat2").map { unsafeBitCast($0, to: Renameat2.self) }
        if call.map({ $0(AT_FDCWD, path, AT_FDCWD, other, flag) }) != 0 {
            guard call == nil || [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) else {
                throw .unwritable(other)
            }
            let between = path + Self.between
            guard Glibc.rename(other, between) == 0, Glibc.rename(path, other) == 0,
                Glibc.rename(between, path) == 0
            else { throw .unwritable(other) }
        }
        try syncNames(of: folder(of: other))
    }

    static func syncNames(of folder: String) throws(Home.Refusal) {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .unwritable(folder) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .unwritable(folder) }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

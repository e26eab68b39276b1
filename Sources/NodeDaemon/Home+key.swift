internal import Foundation
internal import Glibc
internal import Identity

// The key file when the key changes.
//
//     key.next on the disk ──▶ the key entry committed ──▶ key.next takes the place of key, which is erased
//
// A process that ends between two arrows leaves both files; the key log says which one counts.

extension Home {
    private var nextKeyFile: String { keyFile + ".next" }

    /// Makes the next key durable beside the one in force.
    func prepare(_ file: KeyFile) throws {
        let text = Array(file.text(nonce: Entropy.bytes(XChaCha20Poly1305.nonceBytes)).utf8)
        let descriptor = Glibc.open(
            nextKeyFile, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.unwritable(nextKeyFile) }
        defer { Glibc.close(descriptor) }
        guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
            throw Refusal.unwritable(nextKeyFile)
        }
        try syncNames()
    }

    /// The prepared key takes the place of the old one, which is overwritten then: at no moment is there a
    /// key file that does not open, so that whoever asks for its passphrase can be answered.
    func adoptPreparedKey() throws {
        let old = Glibc.open(keyFile, O_WRONLY | O_CLOEXEC)
        defer { if old >= 0 { Glibc.close(old) } }
        guard rename(nextKeyFile, keyFile) == 0 else { throw Refusal.unwritable(keyFile) }
        try syncNames()
        if old >= 0 { erase(old) }
    }

    /// The secrets of this home, whichever file holds the key in force. A rotation that a crash cut short
    /// is finished or forgotten here.
    func unlock(passphrase: String?, inForce: PublicKey) throws -> KeyFile {
        if FileManager.default.fileExists(atPath: nextKeyFile) {
            let next = try? KeyFile.read(
                try privateText(nextKeyFile), passphrase: passphrase)
            if let next, next.key.publicKey == inForce {
                try adoptPreparedKey()
                return next
            }
            let current = try unlock(passphrase: passphrase)
            // Only now: a passphrase mistyped above must not cost the key.
            guard current.key.publicKey == inForce else { throw Refusal.keyNotInForce(path) }
            let forgotten = Glibc.open(nextKeyFile, O_WRONLY | O_CLOEXEC)
            if forgotten >= 0 {
                erase(forgotten)
                Glibc.close(forgotten)
            }
            unlink(nextKeyFile)
            return current
        }
        let current = try unlock(passphrase: passphrase)
        guard current.key.publicKey == inForce else { throw Refusal.keyNotInForce(path) }
        return current
    }

    /// What is overwritten may survive in a copy of the disk; the rotation is what ends its worth.
    private func erase(_ descriptor: Int32) {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { return }
        let zeros = [UInt8](repeating: 0, count: Int(found.st_size))
        _ = pwrite(descriptor, zeros, zeros.count, 0)
        _ = fsync(descriptor)
    }

    private func syncNames() throws {
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Refusal.unwritable(path) }
        defer { Glibc.close(folder) }
        guard fsync(folder) == 0 else { throw Refusal.unwritable(path) }
    }
}

/// The signing seed and the node secret as they lie on disk: XChaCha20-Poly1305 under an Argon2id key,
/// or in clear where the owner chose to have no passphrase. Text, one field a line.
public struct KeyFile: Sendable {
    public let key: SigningKey
    public let nodeSecret: SecretBytes

    /// What the file was opened with, so that the next key goes behind the same passphrase.
    private var wrapping: Wrapping?

    private struct Wrapping: Sendable {
        let salt: [UInt8]
        let key: SecretBytes
    }

    public init(key: SigningKey, nodeSecret: SecretBytes) {
        self.key = key
        self.nodeSecret = nodeSecret
    }

    /// The same file with another key in it, under the passphrase that opened this one.
    public func holding(_ next: SigningKey) -> KeyFile {
        var file = KeyFile(key: next, nodeSecret: nodeSecret)
        file.wrapping = wrapping
        return file
    }

    /// As it lies on disk, under the passphrase it was opened with. `nonce`: 24 fresh random bytes.
    public func text(nonce: [UInt8]) -> String {
        guard let wrapping else { return clearText }
        return sealedText(salt: wrapping.salt, nonce: nonce, key: wrapping.key)
    }

    public indirect enum Refusal: Error, Hashable, Sendable {
        case malformed(line: Int)
        case passphraseNeeded
        case passphraseWrong
        case memoryShort
    }

    /// `salt` is 16 fresh random bytes, `nonce` 24; both unused where `passphrase` is nil.
    public func text(passphrase: String?, salt: [UInt8], nonce: [UInt8]) throws(Refusal) -> String {
        guard let passphrase else { return clearText }
        guard let wrapping = Argon2id.key(passphrase: passphrase, salt: salt) else {
            throw .memoryShort
        }
        return sealedText(salt: salt, nonce: nonce, key: wrapping)
    }

    private var clearText: String {
        let secrets = key.seed.exposed + nodeSecret.exposed
        return "\(Self.title)\nprotection none\nsecrets \(secrets.hex)\n"
            + "check \(Self.check(secrets).hex)\n"
    }

    private func sealedText(salt: [UInt8], nonce: [UInt8], key wrapping: SecretBytes) -> String {
        let sealed = XChaCha20Poly1305.seal(
            key.seed.exposed + nodeSecret.exposed, nonce: nonce, key: wrapping.exposed,
            authenticating: Array(Self.title.utf8))
        return """
            \(Self.title)
            protection argon2id xchacha20poly1305
            salt \(salt.hex)
            nonce \(nonce.hex)
            secrets \(sealed.hex)

            """
    }

    public static func needsPassphrase(_ text: String) -> Bool {
        !text.contains("\nprotection none\n")
    }

    public static func read(_ text: String, passphrase: String?) throws(Refusal) -> KeyFile {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
        guard lines.first == title else { throw .malformed(line: 1) }
        func field(_ index: Int, _ name: String) throws(Refusal) -> [UInt8] {
            guard lines.indices.contains(index), lines[index].hasPrefix(name + " "),
                let bytes = [UInt8](hex: String(lines[index].dropFirst(name.utf8.count + 1)))
            else { throw .malformed(line: index + 1) }
            return bytes
        }
        let secrets: [UInt8]
        var opened: Wrapping?
        if !needsPassphrase(text) {
            secrets = try field(2, "secrets")
            // Files of the first version have none. One flipped bit would be another identity's key.
            if lines.count > 3, try field(3, "check") != Self.check(secrets) {
                throw .malformed(line: 3)
            }
        } else {
            let (salt, nonce, sealed) =
                (try field(2, "salt"), try field(3, "nonce"), try field(4, "secrets"))
            guard let passphrase else { throw .passphraseNeeded }
            guard salt.count == Argon2id.saltBytes else { throw .malformed(line: 3) }
            guard let wrapping = Argon2id.key(passphrase: passphrase, salt: salt) else {
                throw .memoryShort
            }
            guard
                let plain = XChaCha20Poly1305.open(
                    sealed, nonce: nonce, key: wrapping.exposed, authenticating: Array(title.utf8))
            else { throw .passphraseWrong }
            secrets = plain
            opened = Wrapping(salt: salt, key: wrapping)
        }
        guard secrets.count == 64,
            let key = SigningKey(seed: SecretBytes(Array(secrets.prefix(32))))
        else { throw .malformed(line: lines.count) }
        var file = KeyFile(key: key, nodeSecret: SecretBytes(Array(secrets.suffix(32))))
        file.wrapping = opened
        return file
    }

    private static func check(_ secrets: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(tag: "talea.keyfile.v1", secrets).bytes.prefix(8))
    }

    private static let title = "talea key file 1"
}

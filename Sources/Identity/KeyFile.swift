/// The signing seed and the node secret as they lie on disk: XChaCha20-Poly1305 under an Argon2id key,
/// or in clear where the owner chose to have no passphrase. Text, one field a line.
public struct KeyFile: Sendable {
    public let key: SigningKey
    public let nodeSecret: SecretBytes

    public init(key: SigningKey, nodeSecret: SecretBytes) {
        self.key = key
        self.nodeSecret = nodeSecret
    }

    public enum Refusal: Error, Hashable, Sendable {
        case malformed(line: Int)
        case passphraseNeeded
        case passphraseWrong
        case memoryShort
    }

    /// `salt` is 16 fresh random bytes, `nonce` 24; both unused where `passphrase` is nil.
    public func text(passphrase: String?, salt: [UInt8], nonce: [UInt8]) throws(Refusal) -> String {
        let secrets = key.seed.exposed + nodeSecret.exposed
        guard let passphrase else {
            return "\(Self.title)\nprotection none\nsecrets \(secrets.hex)\n"
        }
        guard let wrapping = Argon2id.key(passphrase: passphrase, salt: salt) else {
            throw .memoryShort
        }
        let sealed = XChaCha20Poly1305.seal(
            secrets, nonce: nonce, key: wrapping.exposed, authenticating: Array(Self.title.utf8))
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
        if !needsPassphrase(text) {
            secrets = try field(2, "secrets")
        } else {
            let (salt, nonce, sealed) =
                (try field(2, "salt"), try field(3, "nonce"), try field(4, "secrets"))
            guard let passphrase else { throw .passphraseNeeded }
            guard salt.count == Argon2id.saltBytes else { throw .malformed(line: 3) }
            guard let wrapping = Argon2id.key(passphrase: passphrase, salt: salt) else {
                throw .memoryShort
            }
            guard
                let opened = XChaCha20Poly1305.open(
                    sealed, nonce: nonce, key: wrapping.exposed, authenticating: Array(title.utf8))
            else { throw .passphraseWrong }
            secrets = opened
        }
        guard secrets.count == 64,
            let key = SigningKey(seed: SecretBytes(Array(secrets.prefix(32))))
        else { throw .malformed(line: lines.count) }
        return KeyFile(key: key, nodeSecret: SecretBytes(Array(secrets.suffix(32))))
    }

    private static let title = "talea key file 1"
}

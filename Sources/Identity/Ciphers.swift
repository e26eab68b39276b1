internal import CSodium

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), by libsodium. It does not commit to its key; where two
/// keys must not open one ciphertext, carry a commitment beside it (`PrivateBody`).
public enum XChaCha20Poly1305 {
    public static let nonceBytes = 24
    public static let tagBytes = 16

    /// `nonce` is 24 random bytes and `key` 32; ciphertext ‖ tag.
    public static func seal(
        _ plaintext: [UInt8], nonce: [UInt8], key: [UInt8], authenticating data: [UInt8]
    ) -> [UInt8] {
        precondition(nonce.count == nonceBytes && key.count == 32)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + tagBytes)
        var length: UInt64 = 0
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            &sealed, &length, plaintext, UInt64(plaintext.count), data, UInt64(data.count), nil,
            nonce, key)
        return sealed
    }

    /// `nil` if anything differs from what was sealed.
    public static func open(
        _ sealed: [UInt8], nonce: [UInt8], key: [UInt8], authenticating data: [UInt8]
    ) -> [UInt8]? {
        guard sealed.count >= tagBytes, nonce.count == nonceBytes, key.count == 32 else {
            return nil
        }
        var plaintext = [UInt8](repeating: 0, count: sealed.count - tagBytes)
        var length: UInt64 = 0
        let outcome = crypto_aead_xchacha20poly1305_ietf_decrypt(
            &plaintext, &length, nil, sealed, UInt64(sealed.count), data, UInt64(data.count),
            nonce, key)
        return outcome == 0 ? plaintext : nil
    }
}

/// `crypto_box_seal` to the X25519 form of an Ed25519 key: 48 bytes more than what it holds. The
/// ephemeral key is libsodium's own; sealing is done by the shell.
public enum SealedBox {
    public static func seal(_ plaintext: [UInt8], to key: PublicKey) -> [UInt8]? {
        var curve = [UInt8](repeating: 0, count: 32)
        guard crypto_sign_ed25519_pk_to_curve25519(&curve, key.bytes) == 0 else { return nil }
        var sealed = [UInt8](repeating: 0, count: plaintext.count + Int(crypto_box_sealbytes()))
        let outcome = crypto_box_seal(&sealed, plaintext, UInt64(plaintext.count), curve)
        return outcome == 0 ? sealed : nil
    }

    static func open(_ sealed: [UInt8], with secret: SecretBytes) -> [UInt8]? {
        let overhead = Int(crypto_box_sealbytes())
        guard sealed.count >= overhead else { return nil }
        let ed25519 = secret.exposed
        var curveSecret = [UInt8](repeating: 0, count: 32)
        defer { sodium_memzero(&curveSecret, 32) }
        var curvePublic = [UInt8](repeating: 0, count: 32)
        guard crypto_sign_ed25519_sk_to_curve25519(&curveSecret, ed25519) == 0,
            crypto_sign_ed25519_pk_to_curve25519(&curvePublic, Array(ed25519.suffix(32))) == 0
        else { return nil }
        var plaintext = [UInt8](repeating: 0, count: sealed.count - overhead)
        let outcome = crypto_box_seal_open(
            &plaintext, sealed, UInt64(sealed.count), curvePublic, curveSecret)
        return outcome == 0 ? plaintext : nil
    }
}

/// Argon2id (RFC 9106) at libsodium's interactive setting: 64 MiB, two passes.
public enum Argon2id {
    public static let saltBytes = 16

    /// A 32-byte key; `nil` where memory is short or the salt is not 16 bytes.
    public static func key(passphrase: String, salt: [UInt8]) -> SecretBytes? {
        guard salt.count == saltBytes else { return nil }
        var key = [UInt8](repeating: 0, count: 32)
        defer { sodium_memzero(&key, 32) }
        let text = passphrase.utf8.map { CChar(bitPattern: $0) }
        let outcome = crypto_pwhash(
            &key, 32, text, UInt64(text.count), salt,
            UInt64(crypto_pwhash_opslimit_interactive()), crypto_pwhash_memlimit_interactive(),
            crypto_pwhash_alg_argon2id13())
        return outcome == 0 ? SecretBytes(key) : nil
    }
}

/// Must run once before any other call; safe to repeat.
public enum Sodium {
    public static func start() -> Bool { sodium_init() >= 0 }
}

internal import CSodium

/// A detached Ed25519 signature.
public struct Signature: Hashable, Sendable {
    public let bytes: [UInt8]

    /// `nil` unless exactly 64 bytes: libsodium's API cannot see a wrong length.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 64 else { return nil }
        self.bytes = Array(bytes)
    }
}

/// An Ed25519 key pair (RFC 8032). The secret half is zeroed with its last holder.
public struct SigningKey: Sendable, CustomStringConvertible {
    public let publicKey: PublicKey
    private let secret: SecretBytes
    /// The 32-byte seed, for the encrypted key file alone.
    public let seed: SecretBytes

    /// `nil` unless the seed is 32 bytes.
    public init?(seed: SecretBytes) {
        guard seed.count == 32 else { return nil }
        var publicBytes = [UInt8](repeating: 0, count: 32)
        var secretBytes = [UInt8](repeating: 0, count: 64)
        crypto_sign_seed_keypair(&publicBytes, &secretBytes, seed.exposed)
        secret = SecretBytes(secretBytes)
        sodium_memzero(&secretBytes, secretBytes.count)
        guard let key = PublicKey(publicBytes) else { return nil }
        publicKey = key
        self.seed = seed
    }

    /// Deterministic: the same bytes under the same key give the same signature.
    public func sign(_ message: [UInt8]) -> Signature {
        var signature = [UInt8](repeating: 0, count: 64)
        crypto_sign_detached(
            &signature, nil, message, UInt64(message.count), secret.exposed)
        return Signature(signature)!
    }

    /// Opens a box sealed to this key's X25519 form.
    public func open(_ sealed: [UInt8]) -> [UInt8]? { SealedBox.open(sealed, with: secret) }

    public var description: String { "SigningKey(\(publicKey.short)…)" }
}

extension PublicKey {
    /// A point of prime order in canonical form. Any other key could make one signature valid for two
    /// messages, or valid on one node and not on another.
    public var isPrimeOrder: Bool { Point.isPrimeOrder(bytes) }
}

private enum Point {
    static func isPrimeOrder(_ bytes: [UInt8]) -> Bool {
        crypto_core_ed25519_is_valid_point(bytes) == 1 && (!libraryTakesMixed || returns(bytes))
    }

    /// libsodium before 1.0.21 takes an honest point plus the point of order two for valid, unless its
    /// distribution has mended that (CVE-2025-69277). A node there must judge keys as all others do.
    private static let libraryTakesMixed: Bool = {
        guard let mixed = mixed(nonce: [1] + [UInt8](repeating: 0, count: 31)) else { return true }
        return crypto_core_ed25519_is_valid_point(mixed) == 1
    }()

    /// Whether the group's order plus one, times the point, is the point again.
    private static func returns(_ bytes: [UInt8]) -> Bool {
        // 2^252 + 27742317777372353535851937790883648494.
        let orderAndOne: [UInt8] = [
            0xee, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde,
            0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ]
        var product = [UInt8](repeating: 0, count: 32)
        return crypto_scalarmult_ed25519_noclamp(&product, orderAndOne, bytes) == 0
            && product == bytes
    }

    /// The base point times `nonce`, plus the point of order two, (0, −1).
    static func mixed(nonce: [UInt8]) -> [UInt8]? {
        var torsion = [UInt8](repeating: 255, count: 32)
        torsion[0] = 236
        torsion[31] = 127
        var honest = [UInt8](repeating: 0, count: 32)
        var mixed = honest
        guard crypto_scalarmult_ed25519_base_noclamp(&honest, nonce) == 0,
            crypto_core_ed25519_add(&mixed, honest, torsion) == 0
        else { return nil }
        return mixed
    }
}

/// Checks signatures the one way every node must: canonical, cofactorless, under prime-order keys only.
///
/// libsodium 1.0.18 … 1.0.22 verify without the cofactor and refuse small-order and non-canonical
/// points; with a prime-order key that refuses a mixed-order R too. A library that verifies *with*
/// the cofactor is told by `cofactored`, and R is then checked as well, so that all nodes agree.
public struct SignatureChecker: Sendable {
    /// Whether the linked library accepts a signature only the cofactored equation accepts.
    public let cofactored: Bool
    /// Verdicts that are at hand; whoever asks for one of them need not compute it again.
    public var ahead = SignatureVerdicts()

    public init() { cofactored = SignatureChecker.libraryIsCofactored() }

    public func verifies(_ signature: Signature, of message: [UInt8], by key: PublicKey) -> Bool {
        key.isPrimeOrder && verifies(signature, of: message, byCheckedKey: key)
    }

    /// As `verifies`, for a key whose `isPrimeOrder` the caller has already seen hold.
    public func verifies(
        _ signature: Signature, of message: [UInt8], byCheckedKey key: PublicKey
    ) -> Bool {
        if let known = ahead.holds(signature, of: message, by: key) { return known }
        if cofactored {
            let r = Array(signature.bytes.prefix(32))
            guard Point.isPrimeOrder(r) else { return false }
        }
        return crypto_sign_verify_detached(
            signature.bytes, message, UInt64(message.count), key.bytes) == 0
    }

    /// Builds a signature whose R carries a torsion component: S·B = R' + k·A holds only after both
    /// sides are multiplied by eight. A cofactorless verifier refuses it.
    private static func libraryIsCofactored() -> Bool {
        var publicKey = [UInt8](repeating: 0, count: 32)
        var expanded = [UInt8](repeating: 0, count: 64)
        crypto_sign_seed_keypair(&publicKey, &expanded, [UInt8](repeating: 7, count: 32))
        var hash = [UInt8](repeating: 0, count: 64)
        crypto_hash_sha512(&hash, Array(expanded.prefix(32)), 32)
        var scalar = Array(hash.prefix(32))
        scalar[0] &= 248
        scalar[31] = scalar[31] & 127 | 64
        var nonce = [UInt8](repeating: 9, count: 32)
        nonce[31] = 0
        guard let mixed = Point.mixed(nonce: nonce) else { return false }
        let message: [UInt8] = [1]
        var challengeHash = [UInt8](repeating: 0, count: 64)
        let input = mixed + publicKey + message
        crypto_hash_sha512(&challengeHash, input, UInt64(input.count))
        var challenge = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_reduce(&challenge, challengeHash)
        var reducedScalar = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_reduce(
            &reducedScalar, scalar + [UInt8](repeating: 0, count: 32))
        var product = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_mul(&product, challenge, reducedScalar)
        var sum = [UInt8](repeating: 0, count: 32)
        crypto_core_ed25519_scalar_add(&sum, product, nonce)
        return crypto_sign_verify_detached(mixed + sum, message, 1, publicKey) == 0
    }
}

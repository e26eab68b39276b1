internal import FoundationEssentials
public import Identity
internal import SwiftASN1
internal import X509

/// Who is at the other end, as its certificate proves: whoever holds `key` signed this TLS key for
/// `did`.
public struct PeerCertificate: Hashable, Sendable {
    public let did: DID
    /// The entry of the identity's key log that put `key` in force.
    public let keyEntry: EntryID
    /// Of prime order.
    public let key: PublicKey

    /// An identity is its first key, so under that key nothing is left to prove here. Otherwise the
    /// room that knows key logs must say whether `key` is in force, before anything else is done.
    /// (A first key that has been rotated away is also that room's to refuse.)
    public var keyIsFirst: Bool { key.bytes == did.bytes }
}

/// Why a certificate was not believed, in order of precedence.
public indirect enum CertificateRefusal: Error, Hashable, Sendable {
    /// Exactly one certificate, no chain.
    case chain(count: Int)
    case malformed
    /// Only P-256, which every node makes.
    case keyKind
    case selfSignature
    case notYetValid
    case expired
    /// Longer than 366 days from first to last instant.
    case lifetime
    case extensionMissing
    /// A critical extension we do not know, or ours not marked critical.
    case extensionCriticality
    case extensionMalformed
    case keyOrder
    case identitySignature
    /// Our own certificate, or another node of the same identity.
    case ourselves
    case wrongIdentity(expected: DID, found: DID)
}

extension PeerCertificate {
    /// Judges everything but whether the key is in force. TLS has checked already, or will, that
    /// the peer holds the certificate's private key.
    init(
        verifying chain: [[UInt8]], at now: Date, by checker: SignatureChecker, ourselves: DID,
        expecting expected: DID?
    ) throws(CertificateRefusal) {
        guard chain.count == 1, let der = chain.first else { throw .chain(count: chain.count) }
        guard let certificate = try? Certificate(derEncoded: der) else { throw .malformed }
        guard certificate.signatureAlgorithm == .ecdsaWithSHA256,
            certificate.publicKey.isP256
        else { throw .keyKind }
        guard certificate.publicKey.isValidSignature(certificate.signature, for: certificate)
        else { throw .selfSignature }
        guard certificate.notValidBefore <= now else { throw .notYetValid }
        guard now <= certificate.notValidAfter else { throw .expired }
        guard
            certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore)
                <= CertificateLifetime.wholeSeconds
        else { throw .lifetime }
        let ours = certificate.extensions.filter { $0.oid == CertificateExtension.oid }
        guard ours.count == 1, let found = ours.first else { throw .extensionMissing }
        guard certificate.extensions.allSatisfy({ $0.critical == ($0.oid == found.oid) })
        else { throw .extensionCriticality }
        guard let proof = CertificateExtension(der: found.value) else { throw .extensionMalformed }
        guard proof.key.isPrimeOrder else { throw .keyOrder }
        guard let info = certificate.publicKey.infoBytes else { throw .malformed }
        let message = CertificateExtension.message(
            did: proof.did, keyEntry: proof.keyEntry, subjectPublicKeyInfo: info)
        guard checker.verifies(proof.signature, of: message, byCheckedKey: proof.key)
        else { throw .identitySignature }
        guard proof.did != ourselves else { throw .ourselves }
        if let expected, expected != proof.did {
            throw .wrongIdentity(expected: expected, found: proof.did)
        }
        self.init(did: proof.did, keyEntry: proof.keyEntry, key: proof.key)
    }
}

/// How long a certificate holds. It starts a day early for peers whose clock is behind.
enum CertificateLifetime {
    static let daySeconds = 86_400.0
    static let earlySeconds = daySeconds
    static let lateSeconds = 365 * daySeconds
    static let wholeSeconds = earlySeconds + lateSeconds
    /// A new one is made after this, so that a node that runs for years is never refused.
    static let renewalSeconds = 30 * daySeconds
}

extension Certificate.PublicKey {
    var isP256: Bool { P256Key(self) != nil }

    /// SubjectPublicKeyInfo in DER.
    var infoBytes: [UInt8]? {
        var serializer = DER.Serializer()
        do { try serializer.serialize(self) } catch { return nil }
        return serializer.serializedBytes
    }
}

internal import Crypto
internal import FoundationEssentials
public import Identity
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import X509

typealias P256Key = P256.Signing.PublicKey

/// Who we are on the wire: the identity, and the key in force with the entry that put it there.
public struct TransportIdentity: Sendable {
    public let did: DID
    public let keyEntry: EntryID
    public let key: SigningKey

    public init(did: DID, keyEntry: EntryID, key: SigningKey) {
        self.did = did
        self.keyEntry = keyEntry
        self.key = key
    }
}

/// A fresh TLS key and its certificate, ready to be shown in both roles. The key lives in memory
/// only.
struct Credentials: Sendable {
    let server: NIOSSLContext
    let client: NIOSSLContext
    let madeAt: Date

    init(_ identity: TransportIdentity, at now: Date) throws {
        let key = P256.Signing.PrivateKey()
        let certificate = try Self.certificate(for: identity, over: key, at: now)
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        let chain = [
            NIOSSLCertificateSource.certificate(
                try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der))
        ]
        let secret = NIOSSLPrivateKeySource.privateKey(
            try NIOSSLPrivateKey(bytes: Array(key.pemRepresentation.utf8), format: .pem))
        server = try NIOSSLContext(
            configuration: Self.bounded(
                .makeServerConfiguration(certificateChain: chain, privateKey: secret)))
        var dialing = TLSConfiguration.makeClientConfiguration()
        dialing.certificateChain = chain
        dialing.privateKey = secret
        client = try NIOSSLContext(configuration: Self.bounded(dialing))
        madeAt = now
    }

    /// TLS 1.3 alone knows neither renegotiation nor compression; early data is off in NIOSSL. A
    /// session ticket it may hand out is worth nothing: a resumed session shows no certificate, and
    /// is refused.
    private static func bounded(_ original: TLSConfiguration) -> TLSConfiguration {
        var configuration = original
        configuration.minimumTLSVersion = .tlsv13
        configuration.maximumTLSVersion = .tlsv13
        // What requests and requires the peer's certificate; our callback replaces the chain
        // checks.
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.renegotiationSupport = .none
        configuration.signingSignatureAlgorithms = [.ecdsaSecp256R1Sha256]
        configuration.verifySignatureAlgorithms = [.ecdsaSecp256R1Sha256]
        configuration.shutdownTimeout = .seconds(1)
        return configuration
    }

    private static func certificate(
        for identity: TransportIdentity, over key: P256.Signing.PrivateKey, at now: Date
    ) throws -> Certificate {
        let publicKey = Certificate.PublicKey(key.publicKey)
        guard let info = publicKey.infoBytes else { throw TransportRefusal.certificateNotMade }
        let proof = CertificateExtension(
            did: identity.did, keyEntry: identity.keyEntry, key: identity.key.publicKey,
            signature: identity.key.sign(
                CertificateExtension.message(
                    did: identity.did, keyEntry: identity.keyEntry, subjectPublicKeyInfo: info)))
        // The name says nothing: who it is stands in the extension.
        let name = try DistinguishedName { CommonName("talea") }
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: now.addingTimeInterval(-CertificateLifetime.earlySeconds),
            notValidAfter: now.addingTimeInterval(CertificateLifetime.lateSeconds),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions([
                Certificate.Extension(
                    oid: CertificateExtension.oid, critical: true, value: proof.der[...])
            ]),
            issuerPrivateKey: Certificate.PrivateKey(key))
    }
}

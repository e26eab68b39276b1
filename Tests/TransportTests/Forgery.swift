import Crypto
import FoundationEssentials
import Identity
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import Testing
import X509

@testable import Transport

/// A certificate with exactly one thing wrong, or none.
enum Flaw: String, CaseIterable, Sendable {
    case none, noExtension, corruptSignature, signatureOverAnotherKey, expired, notYetValid
    case tooLong, chainOfTwo, notCritical, shortExtension, smallOrderKey, anotherCritical
    case notSelfSigned, otherCurve

    var refusal: CertificateRefusal? {
        switch self {
        case .none: nil
        case .noExtension: .extensionMissing
        case .corruptSignature, .signatureOverAnotherKey: .identitySignature
        case .expired: .expired
        case .notYetValid: .notYetValid
        case .tooLong: .lifetime
        case .chainOfTwo: .chain(count: 2)
        case .notCritical, .anotherCritical: .extensionCriticality
        case .shortExtension: .extensionMalformed
        case .smallOrderKey: .keyOrder
        case .notSelfSigned: .selfSignature
        case .otherCurve: .keyKind
        }
    }
}

struct Forgery {
    let chain: [[UInt8]]
    let pem: String
    let did: DID

    init(_ flaw: Flaw, by key: SigningKey) throws {
        let did = DID(key.publicKey)
        let (issuer, stranger) = (P256.Signing.PrivateKey(), P256.Signing.PrivateKey())
        let other = P384.Signing.PrivateKey()
        let publicKey =
            flaw == .otherCurve
            ? Certificate.PublicKey(other.publicKey) : Certificate.PublicKey(issuer.publicKey)
        let signed =
            flaw == .signatureOverAnotherKey
            ? Certificate.PublicKey(stranger.publicKey) : publicKey
        let message = CertificateExtension.message(
            did: did, keyEntry: .zero, subjectPublicKeyInfo: try #require(signed.infoBytes))
        var signature = key.sign(message).bytes
        if flaw == .corruptSignature { signature[10] ^= 1 }
        // The point of order four, (√−1, 0).
        let smallOrder = PublicKey([UInt8](repeating: 0, count: 32))
        var value = CertificateExtension(
            did: did, keyEntry: .zero,
            key: flaw == .smallOrderKey ? try #require(smallOrder) : key.publicKey,
            signature: try #require(Signature(signature))
        ).der
        if flaw == .shortExtension { value.removeLast() }
        var extensions: [Certificate.Extension] = []
        if flaw != .noExtension {
            extensions.append(
                Certificate.Extension(
                    oid: CertificateExtension.oid, critical: flaw != .notCritical,
                    value: value[...]))
        }
        if flaw == .anotherCritical {
            extensions.append(
                Certificate.Extension(oid: [1, 2, 3, 4], critical: true, value: [5, 0]))
        }
        let day = 86_400.0
        let (begins, ends) =
            switch flaw {
            case .expired: (-30 * day, -1 * day)
            case .notYetValid: (1 * day, 30 * day)
            case .tooLong: (-2 * day, 365 * day)
            default: (-1 * day, 30 * day)
            }
        let name = try DistinguishedName { CommonName("raw") }
        let privateKey =
            switch flaw {
            case .otherCurve: Certificate.PrivateKey(other)
            case .notSelfSigned: Certificate.PrivateKey(stranger)
            default: Certificate.PrivateKey(issuer)
            }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: Date().addingTimeInterval(begins),
            notValidAfter: Date().addingTimeInterval(ends), issuer: name, subject: name,
            signatureAlgorithm: flaw == .otherCurve ? .ecdsaWithSHA384 : .ecdsaWithSHA256,
            extensions: try Certificate.Extensions(extensions), issuerPrivateKey: privateKey)
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        let der = serializer.serializedBytes
        chain = flaw == .chainOfTwo ? [der, der] : [der]
        pem = flaw == .otherCurve ? other.pemRepresentation : issuer.pemRepresentation
        self.did = did
    }

    var sources: [NIOSSLCertificateSource] {
        get throws {
            try chain.map { .certificate(try NIOSSLCertificate(bytes: $0, format: .der)) }
        }
    }

    var privateKey: NIOSSLPrivateKeySource {
        get throws { .privateKey(try NIOSSLPrivateKey(bytes: Array(pem.utf8), format: .pem)) }
    }
}

/// A client or server that speaks TLS and nothing else, and believes everybody.
enum Raw {
    static let trusting:
        @Sendable (
            [NIOSSLCertificate], EventLoopPromise<NIOSSLVerificationResult>
        ) -> Void = { _, promise in
            promise.succeed(.certificateVerified)
        }

    static func dial(
        _ port: Int, showing forgery: Forgery?, tls version: TLSVersion = .tlsv13,
        reading: Bool = true
    ) async throws -> any Channel {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.maximumTLSVersion = version
        configuration.trustRoots = .certificates([])
        configuration.certificateVerification = .noHostnameVerification
        if let forgery {
            configuration.certificateChain = try forgery.sources
            configuration.privateKey = try forgery.privateKey
        }
        let context = try NIOSSLContext(configuration: configuration)
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(
                            context: context, serverHostname: nil,
                            customVerificationCallback: trusting))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    static func listen(showing forgery: Forgery) async throws -> any Channel {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try forgery.sources, privateKey: try forgery.privateKey)
        configuration.trustRoots = .certificates([])
        let context = try NIOSSLContext(configuration: configuration)
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLServerHandler(context: context))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// Accepts and says nothing.
    static func listenSilently() async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
    }

    static func dialSilently(_ port: Int) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
    }
}

extension Channel {
    func say(_ bytes: [UInt8]) async throws {
        try await writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Past TLS, straight onto the wire.
    func sayUnencrypted(_ bytes: [UInt8]) async throws {
        let channel: any Channel = self
        try await eventLoop.submit {
            let tls = try channel.pipeline.syncOperations.context(
                handlerType: NIOSSLHandler.self)
            tls.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
        }.get()
    }
}

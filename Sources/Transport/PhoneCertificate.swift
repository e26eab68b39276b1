internal import Crypto
internal import FoundationEssentials
internal import SwiftASN1
internal import X509

/// What the owner's phone is shown over TLS: an address of this computer, signed by nothing but its own fresh
/// key. It says nothing about the identity, and no peer takes it.
public struct PhoneCertificate: Sendable {
    public let der: [UInt8]
    /// PKCS #8 in PEM.
    public let key: [UInt8]

    /// Browsers refuse what is valid for longer than 398 days. A door that stays open for longer has to be
    /// closed once and opened anew.
    private static let days: TimeInterval = 396

    /// `host`: an IPv4 address.
    public init(for host: String) throws(TransportRefusal) {
        let octets = host.split(separator: ".").compactMap { UInt8($0) }
        guard octets.count == 4, let made = try? Self.make(octets, at: Date()) else {
            throw .certificateNotMade
        }
        (der, key) = made
    }

    private static func make(_ octets: [UInt8], at now: Date) throws -> ([UInt8], [UInt8]) {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("talea") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PublicKey(key.publicKey),
            notValidBefore: now.addingTimeInterval(-86_400),
            notValidAfter: now.addingTimeInterval(Self.days * 86_400),
            issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames([.ipAddress(ASN1OctetString(contentBytes: octets[...]))])
            },
            issuerPrivateKey: Certificate.PrivateKey(key))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return (serializer.serializedBytes, Array(key.pemRepresentation.utf8))
    }
}

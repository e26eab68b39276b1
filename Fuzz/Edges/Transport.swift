@testable import Transport

import Crypto
import FoundationEssentials
import Fixtures
import Fuzzing
import Identity
import SwiftASN1
import X509

// What a stranger says before it is known, and what anybody in the network announces.

let transport: [FuzzTarget] = [certificate, certificateExtension, announcement]

private let day = 86_400.0
private let now = Date(timeIntervalSince1970: 1_795_000_000)
private let tlsKey: P256.Signing.PrivateKey = {
    guard
        let key = try? P256.Signing.PrivateKey(rawRepresentation: [UInt8](repeating: 7, count: 32))
    else { preconditionFailure("32 bytes below the order make a key") }
    return key
}()

/// What a node of `key`'s would show, with these bytes as its proof.
private func shown(_ proof: [UInt8], critical: Bool = true) -> [UInt8] {
    must {
        let name = try DistinguishedName { CommonName("raw") }
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(bytes: [1, 2, 3]),
            publicKey: Certificate.PublicKey(tlsKey.publicKey),
            notValidBefore: now.addingTimeInterval(-day),
            notValidAfter: now.addingTimeInterval(30 * day), issuer: name, subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions([
                Certificate.Extension(
                    oid: CertificateExtension.oid, critical: critical, value: proof[...])
            ]), issuerPrivateKey: Certificate.PrivateKey(tlsKey))
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return serializer.serializedBytes
    }
}

private func proof(by key: SigningKey, for did: DID) -> CertificateExtension {
    let info = Certificate.PublicKey(tlsKey.publicKey).infoBytes ?? []
    return CertificateExtension(
        did: did, keyEntry: .filled(4), key: key.publicKey,
        signature: key.sign(
            CertificateExtension.message(did: did, keyEntry: .filled(4), subjectPublicKeyInfo: info)
        ))
}

private func judge(_ chain: [[UInt8]]) -> PeerCertificate? {
    try? PeerCertificate(
        verifying: chain, at: now, by: SignatureChecker(), ourselves: bob.did, expecting: nil)
}

private let certificate = FuzzTarget(
    "certificate",
    law:
        "who passes has signed: only alice's key proves alice, in exactly one certificate, whatever its bytes",
    bytesMax: 1024,
    seeds: {
        let honest = shown(proof(by: alice.key, for: alice.did).der)
        let ours = shown(proof(by: bob.key, for: bob.did).der)
        return [
            honest, ours, shown([4, 1, 0]), shown([], critical: false), honest + [0], [0x30, 0x80],
        ]
    }
) { input in
    guard let peer = judge([input]) else { return }
    // One TLS key and one signer were ever known: nobody else can pass.
    law(peer.did == alice.did && peer.key == alice.key.publicKey, "\(peer.did.did) passed")
    law(judge([input, input]) == nil && judge([]) == nil, "a chain passed")
}

private let certificateExtension = FuzzTarget(
    "certificate-extension",
    law:
        "one spelling; inside a certificate that is otherwise right it passes exactly where its key signed",
    bytesMax: 256,
    seeds: {
        [
            proof(by: alice.key, for: alice.did).der, proof(by: carol.key, for: alice.did).der,
            proof(by: bob.key, for: bob.did).der,
        ]
    }
) { input in
    if let read = CertificateExtension(der: input) { law(read.der == input, "two spellings") }
    guard input.count == CertificateExtension.derBytes else { return }
    guard let peer = judge([shown(input)]) else { return }
    guard let read = CertificateExtension(der: input) else { return law(false, "passed unread") }
    law(peer.did == read.did && peer.key == read.key && peer.keyEntry == read.keyEntry, "another")
    let message = CertificateExtension.message(
        did: read.did, keyEntry: read.keyEntry,
        subjectPublicKeyInfo: Certificate.PublicKey(tlsKey.publicKey).infoBytes ?? [])
    law(SignatureChecker().verifies(read.signature, of: message, by: read.key), "not signed")
    law(read.did != bob.did, "we are not our own peer")
}

private let announcement = FuzzTarget(
    "announcement",
    law:
        "a line is read as a port that exists and a host that is not the link's own, or not at all",
    bytesMax: 512,
    seeds: {
        [
            "=;eth0;IPv4;talea\\032a;_talea._tcp;local;a.local;192.168.1.2;7001;\"v=1\" \"s=00\" \"h=11\"",
            "+;eth0;IPv6;talea;_talea._tcp;local", "-;eth0;IPv4;talea;_talea._tcp;local",
            "=;lo;IPv6;x;_talea._tcp;local;a;fe80::1;9;",
        ].map { Array($0.utf8) }
    }
) { input in
    guard let line = String(validating: input, as: UTF8.self) else { return }
    let change = Announcement.read(line)
    law(change == Announcement.read(line), "two readings")
    guard case .came(let one) = change else { return }
    law((1...65_535).contains(one.port), "port \(one.port)")
    law(!one.host.lowercased().hasPrefix("fe80"), "host \(one.host)")
    law(one.texts.allSatisfy { !$0.contains("\"") }, "a quote in \(one.texts)")
}

internal import Identity
internal import SwiftASN1

/// What ties a TLS key to an identity: SEQUENCE { identity, key entry id, key in force, signature
/// }, four OCTET STRINGs of 32, 32, 32 and 64 bytes. DER has one spelling for it, always 171 bytes,
/// so it is compared in place and needs no parser.
struct CertificateExtension: Hashable, Sendable {
    let did: DID
    let keyEntry: EntryID
    let key: PublicKey
    let signature: Signature

    static let oid: ASN1ObjectIdentifier = [1, 3, 6, 1, 4, 1, 53594, 1, 1]
    static let derBytes = 171

    init(did: DID, keyEntry: EntryID, key: PublicKey, signature: Signature) {
        self.did = did
        self.keyEntry = keyEntry
        self.key = key
        self.signature = signature
    }

    /// `nil` unless exactly the bytes `der` would give.
    init?(der: some Collection<UInt8>) {
        guard der.count == Self.derBytes else { return nil }
        let bytes = Array(der)
        guard let did = DID(bytes[5..<37]), let keyEntry = EntryID(bytes[39..<71]),
            let key = PublicKey(bytes[73..<105]), let signature = Signature(bytes[107...])
        else { return nil }
        self.init(did: did, keyEntry: keyEntry, key: key, signature: signature)
        guard self.der == bytes else { return nil }
    }

    var der: [UInt8] {
        [0x30, 0x81, 168] + [0x04, 32] + did.bytes + [0x04, 32] + keyEntry.bytes
            + [0x04, 32] + key.bytes + [0x04, 64] + signature.bytes
    }

    /// What `signature` is over; `subjectPublicKeyInfo` is the DER of the certificate's own key.
    static func message(
        did: DID, keyEntry: EntryID, subjectPublicKeyInfo: [UInt8]
    ) -> [UInt8] {
        Array("talea.tls.v1".utf8) + did.bytes + keyEntry.bytes
            + SHA256.hash(subjectPublicKeyInfo).bytes
    }
}

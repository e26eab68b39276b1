extension Fixed32 where Kind == IdentityKind {
    /// `did:key:z6Mk…`: multibase base58btc over the multicodec prefix 0xed01 and the key
    /// (W3C CCG, "The did:key Method", §3.1).
    public var did: String { DIDKey.text(bytes) }

    public init?(did: String) {
        guard let bytes = DIDKey.keyBytes(did) else { return nil }
        self.init(bytes)
    }

    /// What lists show: the last eight characters tell keys apart, the first ones are the same in all.
    public var shortDID: String { "…" + did.suffix(8) }
}

extension Fixed32 where Kind == PublicKeyKind {
    /// `did:key` of this key alone, whoever's it is; DSSE's `keyid`.
    public var did: String { DIDKey.text(bytes) }

    public init?(did: String) {
        guard let bytes = DIDKey.keyBytes(did) else { return nil }
        self.init(bytes)
    }
}

private enum DIDKey {
    static let alphabet = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    static func text(_ key: [UInt8]) -> String {
        var digits: [UInt8] = []
        for byte in [0xed, 0x01] + key {
            var carry = Int(byte)
            for index in digits.indices {
                carry += Int(digits[index]) << 8
                digits[index] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                digits.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        let letters = digits.reversed().map { alphabet[Int($0)] }
        return "did:key:z" + String(decoding: letters, as: UTF8.self)
    }

    static func keyBytes(_ text: String) -> [UInt8]? {
        // A leading `1` is a zero byte that the prefix does not have; it would be a second spelling.
        guard text.hasPrefix("did:key:z"), !text.hasPrefix("did:key:z1"), text.utf8.count <= 64
        else { return nil }
        var bytes: [UInt8] = []
        for letter in text.utf8.dropFirst(9) {
            guard let digit = alphabet.firstIndex(of: letter) else { return nil }
            var carry = digit
            for index in bytes.indices {
                carry += Int(bytes[index]) * 58
                bytes[index] = UInt8(carry & 255)
                carry >>= 8
            }
            while carry > 0 {
                bytes.append(UInt8(carry & 255))
                carry >>= 8
            }
        }
        bytes.reverse()
        guard bytes.count == 34, bytes[0] == 0xed, bytes[1] == 0x01 else { return nil }
        return Array(bytes.dropFirst(2))
    }
}

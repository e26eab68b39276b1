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

    /// Five letters at a time: names are written many times to each page.
    private static let group: UInt64 = 58 * 58 * 58 * 58 * 58

    static func text(_ key: [UInt8]) -> String {
        // The lowest group first; the prefix is not zero, thus no letter is lost.
        var groups: [UInt64] = [0xed01]
        groups.reserveCapacity(10)
        for start in stride(from: 0, to: key.count, by: 4) {
            var carry = key[start..<start + 4].reduce(0) { $0 << 8 | UInt64($1) }
            for index in groups.indices {
                carry += groups[index] << 32
                groups[index] = carry % group
                carry /= group
            }
            while carry > 0 {
                groups.append(carry % group)
                carry /= group
            }
        }
        var letters: [UInt8] = []
        letters.reserveCapacity(5 * groups.count)
        for var rest in groups {
            for _ in 0..<5 {
                letters.append(alphabet[Int(rest % 58)])
                rest /= 58
            }
        }
        while letters.last == alphabet[0] { letters.removeLast() }
        return "did:key:z" + String(decoding: letters.reversed(), as: UTF8.self)
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

internal import CSodium

/// FIPS 180-4, by libsodium.
public enum SHA256 {
    public static func hash(_ bytes: [UInt8]) -> Hash32 { bytes.withUnsafeBytes { hash($0) } }

    /// Of bytes that lie together, whatever holds them.
    public static func hash(_ bytes: UnsafeRawBufferPointer) -> Hash32 {
        var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &digest) { room in
            guard let start = room.baseAddress else { return }
            crypto_hash_sha256(
                start.assumingMemoryBound(to: UInt8.self),
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
        }
        return Hash32(
            words: (
                UInt64(bigEndian: digest.0), UInt64(bigEndian: digest.1),
                UInt64(bigEndian: digest.2), UInt64(bigEndian: digest.3)
            ))
    }

    /// A digest over `tag` (ASCII, no terminator) and what follows it. Every input has a fixed length or
    /// carries its length, so two meanings never share bytes.
    public static func hash(tag: String, _ parts: [UInt8]...) -> Hash32 {
        var input = Array(tag.utf8)
        for part in parts { input += part }
        return hash(input)
    }
}

/// HMAC-SHA-256 (RFC 2104), by libsodium: key derivation and keyed tags.
public enum HMAC256 {
    public static func authenticate(_ message: [UInt8], key: [UInt8]) -> Hash32 {
        var state = crypto_auth_hmacsha256_state()
        var digest = [UInt8](repeating: 0, count: 32)
        crypto_auth_hmacsha256_init(&state, key, key.count)
        crypto_auth_hmacsha256_update(&state, message, UInt64(message.count))
        crypto_auth_hmacsha256_final(&state, &digest)
        return Hash32(digest) ?? .zero
    }
}

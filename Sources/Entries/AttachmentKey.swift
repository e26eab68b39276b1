public import Identity

/// A file that belongs to a contract, on its way between those who hold the contract's key: chunks of 64 KiB,
/// each sealed by itself. The file is named by its SHA-256, which steps state as evidence.
public struct AttachmentKey: Sendable, Hashable {
    /// Under which it is asked for. Tells a stranger nothing, not even that two contracts hold one file.
    public let blob: Hash32
    private let key: [UInt8]

    public static let chunkBytes = 64 * 1024
    public static let bytesMax = 8 * 1024 * 1024

    /// How many chunks `size` bytes are.
    public static func chunks(of size: Int) -> Int { (size + chunkBytes - 1) / chunkBytes }

    init(_ contract: ContractKey, file: Hash32) {
        blob = HMAC256.authenticate(
            Array("talea.attachment.v1".utf8) + file.bytes, key: contract.bytes)
        key =
            HMAC256.authenticate(
                Array("talea.attachmentkey.v1".utf8) + file.bytes, key: contract.bytes
            ).bytes
    }

    /// One key seals one file, so a chunk's place is nonce enough.
    public func seal(_ chunk: [UInt8], at index: Int, of size: Int) -> [UInt8] {
        XChaCha20Poly1305.seal(
            chunk, nonce: nonce(index), key: key, authenticating: place(index, size))
    }

    /// `nil` unless it is this chunk of this file, as somebody with the contract's key sealed it.
    public func open(_ sealed: [UInt8], at index: Int, of size: Int) -> [UInt8]? {
        XChaCha20Poly1305.open(
            sealed, nonce: nonce(index), key: key, authenticating: place(index, size))
    }

    private func nonce(_ index: Int) -> [UInt8] {
        var nonce: [UInt8] = []
        nonce.append(bigEndian: UInt64(index))
        return nonce + [UInt8](repeating: 0, count: XChaCha20Poly1305.nonceBytes - 8)
    }

    private func place(_ index: Int, _ size: Int) -> [UInt8] {
        var data: [UInt8] = []
        data.append(bigEndian: UInt32(index))
        data.append(bigEndian: UInt32(size))
        return data
    }
}

extension ContractKey {
    public func attachment(_ file: Hash32) -> AttachmentKey { AttachmentKey(self, file: file) }
}

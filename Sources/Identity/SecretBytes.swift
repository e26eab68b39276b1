internal import CSodium

/// Bytes that must not leak: never printed, overwritten when the last holder lets go.
public final class SecretBytes: Sendable, CustomStringConvertible {
    // Written in init and deinit only; shared reads in between.
    nonisolated(unsafe) private let storage: UnsafeMutableBufferPointer<UInt8>

    public init(_ bytes: [UInt8]) {
        storage = .allocate(capacity: bytes.count)
        _ = storage.initialize(from: bytes)
    }

    deinit {
        sodium_memzero(storage.baseAddress, storage.count)
        storage.deallocate()
    }

    public var count: Int { storage.count }

    /// A copy; keep it short-lived.
    public var exposed: [UInt8] { Array(storage) }

    public var description: String { "SecretBytes(\(count))" }
}

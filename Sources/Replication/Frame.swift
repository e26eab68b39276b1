internal import Identity

/// What two peers say to each other, one at a time: u32be length ‖ u8 type ‖ payload. The length
/// counts type and payload, so the shortest lawful frame has length 1.
public struct Frame: Hashable, Sendable {
    public let type: UInt8
    public let payload: [UInt8]

    public init(type: UInt8, payload: [UInt8]) {
        self.type = type
        self.payload = payload
    }

    /// What the length field says.
    public var length: Int { payload.count + 1 }
}

/// The greatest length field a peer may send.
public enum FrameLimit {
    /// A hello fits many times over, and a stranger cannot make us hold more.
    public static let beforeHello = 4 * 1024
    /// Four entries of the greatest size, or one attachment chunk with room to spare.
    public static let afterHello = 256 * 1024
    /// Length field and type.
    public static let headerBytes = 5
}

extension Frame {
    /// As it goes over the wire.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 + length)
        append(to: &bytes)
        return bytes
    }

    /// `bytes`, without the copy in between.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: length))
        bytes.append(type)
        bytes.append(contentsOf: payload)
    }
}

public indirect enum FrameRefusal: Error, Hashable, Sendable {
    /// Length 0: there is no type.
    case empty
    case tooLarge(length: Int, limit: Int)
}

/// Cuts a byte stream into frames, whatever pieces it arrives in. It holds what was fed and not yet
/// taken, never more: a length is judged before anything is set aside for it.
public struct FrameReader: Sendable {
    /// The greatest length field accepted; may be raised between frames.
    public var limit: Int
    private var buffer: [UInt8] = []
    private var taken = 0

    public init(limit: Int = FrameLimit.beforeHello) { self.limit = limit }

    public mutating func feed(_ bytes: [UInt8]) {
        if taken > 0 {
            buffer.removeFirst(taken)
            taken = 0
        }
        if buffer.isEmpty { buffer = bytes } else { buffer.append(contentsOf: bytes) }
    }

    /// The next whole frame, or `nil` until more is fed. A refusal takes nothing: asked again, it
    /// answers the same unless `limit` was raised.
    public mutating func next() throws(FrameRefusal) -> Frame? {
        guard waitingBytes >= 4 else { return nil }
        let length = buffer[taken..<taken + 4].reduce(0) { $0 << 8 | Int($1) }
        guard length > 0 else { throw .empty }
        guard length <= limit else { throw .tooLarge(length: length, limit: limit) }
        guard waitingBytes >= 4 + length else { return nil }
        let type = buffer[taken + 4]
        let payload = Array(buffer[taken + FrameLimit.headerBytes..<taken + 4 + length])
        taken += 4 + length
        // An idle peer costs no buffer.
        if taken == buffer.count {
            buffer = []
            taken = 0
        }
        return Frame(type: type, payload: payload)
    }

    /// Bytes fed and not yet taken. Once `next` has answered `nil`: those of a frame that has
    /// begun.
    public var waitingBytes: Int { buffer.count - taken }
}

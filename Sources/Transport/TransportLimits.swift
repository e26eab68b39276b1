internal import Replication

/// Every bound a stranger can run into, in one place (docs: limits table).
public struct TransportLimits: Hashable, Sendable {
    /// Connections others opened to us. Enough for an alliance of studios and a hub's guests; at
    /// ≤ 4 MiB each a full house stays far below 512 MiB.
    public var inboundConnections = 64
    /// Connections we opened: up to 17 that the node chose, the rest for peers that its owner fixed.
    public var dialedConnections = 32
    /// Two, not one: when both sides dial at the same time the higher room picks which one stays.
    public var connectionsPerIdentity = 2
    /// Inbound connections from one IPv4 /24 or IPv6 /48, so that one cheap block of addresses
    /// cannot take every place.
    public var inboundPerNetGroup = 4
    /// Whether loopback counts as a net group too. Off: several nodes and tests share a machine.
    public var loopbackIsNetGroup = false

    /// TCP and TLS together. An honest handshake takes milliseconds.
    public var handshake: Duration = .seconds(6)
    /// From the first byte of a frame to its last: 256 KiB at 13 KiB/s.
    public var frame: Duration = .seconds(20)
    /// Without inbound bytes; the higher room pings every 60 s, so three pings went unanswered.
    public var idle: Duration = .seconds(180)
    /// How long what was sent before a `close` may take to leave.
    public var linger: Duration = .seconds(2)

    /// Frames of one peer that wait for the consumer of `events`; then its socket is not read.
    public var queuedFrames = 32
    /// Bytes of those frames. A frame of the greatest size must still fit on top of what waits.
    public var queuedBytes = 1024 * 1024
    /// Bytes sent to one peer and not yet taken by the kernel; a peer behind by more is dropped.
    public var outboundBytes = 2 * 1024 * 1024

    public init() {}

    /// Of a hub: an alliance's guests, many of whom may share a town's addresses.
    public static var hub: Self {
        var limits = Self()
        limits.inboundConnections = 1_024
        limits.inboundPerNetGroup = 64
        return limits
    }
}

extension TransportLimits {
    /// Handed to TLS at a time: several records, but a small part of what may wait.
    static let writeChunkBytes = 64 * 1024
    /// In TLS and the socket at a time; the rest waits unencrypted, so that it is held once only.
    static let writeWindowBytes = 128 * 1024
    /// What taking one event costs a connection beside what is charged to it, in nanoseconds: about what
    /// the signature of an entry does, which is looked into elsewhere.
    static let turnCost: UInt64 = 50_000
    /// One whom somebody answers for has the share of so many strangers: a node's places for others.
    static let favour: UInt64 = 64

    func hasRoom(frames: Int, bytes: Int) -> Bool {
        frames < queuedFrames && (bytes == 0 || bytes + FrameLimit.afterHello <= queuedBytes)
    }
}

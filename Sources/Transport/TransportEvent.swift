public import Identity
public import Replication

/// One connection of this process; never used again after it closed.
public struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    let number: UInt64

    public var description: String { "#\(number)" }
}

/// What happened, in the order it happened on each connection: `connected`, then frames, then
/// `closed`.
public enum TransportEvent: Hashable, Sendable {
    /// TLS is up and the certificate holds. On a dialed connection the peer may not have judged
    /// *our* certificate yet (TLS 1.3): take it as accepted only after its hello.
    case connected(ConnectionID, PeerCertificate, dialed: Bool, address: String)
    case frame(ConnectionID, Frame)
    case closed(ConnectionID, reason: CloseReason)
    /// The one answer to a `dial` that led to no `connected`.
    case dialFailed(address: String, DID?, reason: DialRefusal)
}

/// Why a connection ended; the first reason wins.
public enum CloseReason: Hashable, Sendable {
    /// The peer closed in good order.
    case byPeer
    /// The connection broke, or the peer left without closing.
    case lost
    /// The higher room's decision; the code is the one of its goodbye frame.
    case byNode(code: UInt32)
    case shutdown
    /// More than `TransportLimits.outboundBytes` waited for the peer.
    case tooSlow
    /// A frame was not whole within `TransportLimits.frame`.
    case frameOverdue
    /// Nothing came for `TransportLimits.idle`.
    case idle
    case frameRefused(FrameRefusal)
    /// `send` was given a frame no peer may accept.
    case ownFrameTooLarge(length: Int)
    /// TLS failed after the handshake: garbage, or the peer refused our certificate.
    case tlsBroken
}

/// Why a dial led to no connection.
public indirect enum DialRefusal: Error, Hashable, Sendable {
    case shutDown
    case tooManyConnections
    /// `TransportLimits.connectionsPerIdentity` are open with this identity.
    case tooManyOfIdentity(DID)
    /// No such host, no route, or nobody listens.
    case unreachable
    case overdue
    case certificate(CertificateRefusal)
    /// TLS ended otherwise: not TLS 1.3, not TLS at all, or the peer hung up.
    case handshakeFailed
}

/// Why a transport cannot serve.
public indirect enum TransportRefusal: Error, Hashable, Sendable {
    case portBusy(host: String, port: Int)
    /// No such local address, no permission for the port, or not a port; `code` is errno or 0.
    case addressUnavailable(host: String, port: Int, code: Int32)
    /// The TLS library refused the certificate made at start.
    case certificateNotMade
    case shutDown
}

internal import Identity
internal import NIOCore
internal import NIOSSL
internal import Replication
internal import Synchronization

/// What any thread may touch of one connection; the rest belongs to its handlers on the event loop.
final class Connection: Sendable {
    let id: ConnectionID
    let channel: any Channel
    /// `host:port` as dialed, or the peer's address.
    let address: String
    let dial: Dial?
    private let limits: TransportLimits
    private let outbox = Mutex(Outbox())
    private let judged = Mutex<Result<PeerCertificate, CertificateRefusal>?>(nil)

    private struct Outbox {
        /// Sent and not yet handed to the handler.
        var pending: [UInt8] = []
        /// Sent and not yet taken by the kernel, `pending` included.
        var heldBytes = 0
        /// The handler will look at `pending` without being told.
        var isScheduled = false
        var isSealed = false
    }

    init(
        id: ConnectionID, channel: any Channel, address: String, dial: Dial?,
        limits: TransportLimits
    ) {
        self.id = id
        self.channel = channel
        self.address = address
        self.dial = dial
        self.limits = limits
    }

    /// Many sends before the event loop comes round become one write.
    func send(_ frame: Frame) {
        enum Task { case nothing, flush, close(CloseReason) }
        let task = outbox.withLock { outbox -> Task in
            guard !outbox.isSealed else { return .nothing }
            guard frame.length <= FrameLimit.afterHello else {
                outbox.isSealed = true
                return .close(.ownFrameTooLarge(length: frame.length))
            }
            let size = frame.length + 4
            guard outbox.heldBytes + size <= limits.outboundBytes else {
                outbox.isSealed = true
                outbox.pending = []
                return .close(.tooSlow)
            }
            frame.append(to: &outbox.pending)
            outbox.heldBytes += size
            guard !outbox.isScheduled else { return .nothing }
            outbox.isScheduled = true
            return .flush
        }
        switch task {
        case .nothing: break
        case .flush: onLoop { $0.flushOutbox() }
        case .close(let reason): onLoop { $0.close(reason) }
        }
    }

    /// What waits, leaving none; empty means that the next `send` will call again.
    func takePending() -> [UInt8] {
        outbox.withLock { outbox in
            if outbox.pending.isEmpty { outbox.isScheduled = false }
            defer { outbox.pending = [] }
            return outbox.pending
        }
    }

    /// The kernel took, or nobody will ever take, `count` bytes.
    func release(_ count: Int) { outbox.withLock { $0.heldBytes -= count } }

    /// Nothing more is sent.
    func seal() { outbox.withLock { $0.isSealed = true } }

    var heldBytes: Int { outbox.withLock { $0.heldBytes } }

    /// From the TLS callback to the handshake's end, which come on the same event loop.
    var verdict: Result<PeerCertificate, CertificateRefusal>? {
        get { judged.withLock { $0 } }
        set { judged.withLock { $0 = newValue } }
    }

    /// Runs on the event loop if the connection is open and past its handshake.
    func onLoop(_ body: @escaping @Sendable (FrameHandler) -> Void) {
        channel.eventLoop.execute { [channel] in
            if let handler = try? channel.pipeline.syncOperations.handler(type: FrameHandler.self) {
                body(handler)
            }
        }
    }

    /// Ends the connection with this reason, in whatever state it is.
    func close(_ reason: CloseReason) {
        channel.eventLoop.execute { [channel] in
            if let handler = try? channel.pipeline.syncOperations.handler(type: FrameHandler.self) {
                handler.close(reason, lingering: true)
            } else {
                channel.abort()
            }
        }
    }
}

/// What the caller asked for.
struct Dial: Hashable, Sendable {
    let host: String
    let port: Int
    let expecting: DID?

    var address: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Channel {
    /// Closes the socket at once, without TLS's farewell: the peer may never read it. On the event
    /// loop.
    func abort() {
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLHandler.self) {
            tls.close(mode: .all, promise: nil)
        } else {
            close(mode: .all, promise: nil)
        }
    }
}

internal import Logging
internal import NIOCore
internal import NIOSSL
internal import Replication

/// Frames in and out of one connection, and its deadlines.
///
/// The socket is not read while the consumer has no room for this peer's frames, nor while a frame
/// too large for a stranger waits for `allowLargeFrames`. Nothing is held against the peer
/// meanwhile.
final class FrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let transport: Transport
    private let connection: Connection
    private let limits: TransportLimits
    private var context: ChannelHandlerContext?

    private var reader = FrameReader()
    private var framesTaken = 0
    private var isPaused = false
    /// A read that came while paused.
    private var isReadOwed = false
    private var isAwaitingLargeFrames = false

    private var staged = ByteBuffer()
    private var inFlightBytes = 0
    private var isFlushing = false

    private var lastInbound = NIODeadline.now()
    private var frameBegan: NIODeadline?
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture

    private var reason: CloseReason?
    private var isLingering = false

    init(_ transport: Transport, _ connection: Connection) {
        self.transport = transport
        self.connection = connection
        limits = transport.limits
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastInbound = .now()
        watchDeadlines()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard reason == nil else { return }
        let buffer = unwrapInboundIn(data)
        lastInbound = .now()
        reader.feed(Array(buffer.readableBytesView))
        takeFrames()
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadOwed = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOSSLError.uncleanShutdown, is IOError, is ChannelError: close(.lost)
        default:
            transport.logger.debug(
                "tls broken", metadata: connection.metadata(["error": "\(error)"]))
            close(.tlsBroken)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        connection.seal()
        transport.disconnected(connection, reason ?? .byPeer)
        reason = reason ?? .byPeer
        context.fireChannelInactive()
    }

    /// The application hello is done.
    func allowLargeFrames() {
        reader.limit = FrameLimit.afterHello
        isAwaitingLargeFrames = false
        resume()
    }

    /// The consumer has room again.
    func resume() {
        guard reason == nil, isPaused, !isAwaitingLargeFrames else { return }
        isPaused = false
        lastInbound = .now()
        frameBegan = nil
        takeFrames()
        if !isPaused, isReadOwed {
            isReadOwed = false
            context?.read()
        }
    }

    private func takeFrames() {
        while reason == nil, !isPaused {
            guard transport.queue.hasRoom(connection.id) else { return pause() }
            do throws(FrameRefusal) {
                guard let frame = try reader.next() else { break }
                framesTaken += 1
                frameBegan = nil
                transport.queue.append(.frame(connection.id, frame))
            } catch {
                return refused(error)
            }
        }
        noteBeginning()
    }

    /// A peer that has our hello may send a large frame before the consumer has seen *its* hello,
    /// which went ahead: then the frame waits, unread, instead of being refused.
    private func refused(_ refusal: FrameRefusal) {
        if case .tooLarge(let length, FrameLimit.beforeHello) = refusal,
            length <= FrameLimit.afterHello, framesTaken > 0, !isAwaitingLargeFrames
        {
            isAwaitingLargeFrames = true
            frameBegan = .now()
            isPaused = true
            watchDeadlines()
        } else {
            close(.frameRefused(refusal))
        }
    }

    private func pause() {
        isPaused = true
        frameBegan = nil
    }

    private func noteBeginning() {
        guard reason == nil, !isPaused else { return }
        if reader.waitingBytes == 0 {
            frameBegan = nil
        } else if frameBegan == nil {
            frameBegan = .now()
            watchDeadlines()
        }
    }

    // MARK: Deadlines

    /// One timer, at or before the nearest deadline; when it fires it looks again.
    private func watchDeadlines() {
        guard let context, reason == nil else { return }
        var next = lastInbound + TimeAmount(limits.idle)
        if let frameBegan { next = min(next, frameBegan + frameAllowance) }
        guard next < timerDeadline else { return }
        timer?.cancel()
        timerDeadline = next
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.timerDeadline = .distantFuture
            self.judgeDeadlines()
        }
    }

    private func judgeDeadlines() {
        guard reason == nil else { return }
        let now = NIODeadline.now()
        if let frameBegan, frameBegan + frameAllowance <= now {
            // The large frame that nobody allowed was one before the hello after all.
            return close(isAwaitingLargeFrames ? .frameRefused(pendingRefusal) : .frameOverdue)
        }
        // A peer we do not read cannot be blamed for silence.
        if isPaused { lastInbound = now }
        if lastInbound + TimeAmount(limits.idle) <= now { return close(.idle) }
        watchDeadlines()
    }

    /// A large frame waits for the consumer no longer than a handshake does.
    private var frameAllowance: TimeAmount {
        TimeAmount(isAwaitingLargeFrames ? limits.handshake : limits.frame)
    }

    private var pendingRefusal: FrameRefusal {
        do throws(FrameRefusal) { _ = try reader.next() } catch { return error }
        return .empty
    }

    // MARK: Outbound

    func flushOutbox() {
        guard let context, !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        while inFlightBytes < TransportLimits.writeWindowBytes {
            var hasWritten = false
            while inFlightBytes < TransportLimits.writeWindowBytes, let chunk = nextChunk() {
                hasWritten = true
                let count = chunk.readableBytes
                inFlightBytes += count
                context.write(wrapOutboundOut(chunk)).assumeIsolated().whenComplete { _ in
                    self.inFlightBytes -= count
                    self.connection.release(count)
                    self.flushOutbox()
                }
            }
            guard hasWritten else { break }
            context.flush()
        }
        if isLingering, inFlightBytes == 0, staged.readableBytes == 0 {
            context.close(mode: .all, promise: nil)
        }
    }

    private func nextChunk() -> ByteBuffer? {
        if staged.readableBytes == 0 {
            staged = ByteBuffer()
            let pending = connection.takePending()
            guard !pending.isEmpty else { return nil }
            staged = ByteBuffer(bytes: pending)
        }
        return staged.readSlice(
            length: min(staged.readableBytes, TransportLimits.writeChunkBytes))
    }

    // MARK: End

    /// At once; or, lingering, after what was sent has left, for `TransportLimits.linger` at most.
    func close(_ reason: CloseReason, lingering: Bool = false) {
        guard self.reason == nil, let context else { return }
        self.reason = reason
        connection.seal()
        timer?.cancel()
        if lingering {
            isLingering = true
            timer = context.eventLoop.assumeIsolated().scheduleTask(
                in: TimeAmount(limits.linger)
            ) {
                context.channel.abort()
            }
            // Reading goes on, unheard, so that the peer's farewell is seen.
            if isPaused {
                isPaused = false
                if isReadOwed { context.read() }
            }
            flushOutbox()
        } else {
            context.channel.abort()
        }
    }
}

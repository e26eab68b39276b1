internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Waits for the handshake's end, under one deadline for TCP and TLS, and then lets frames begin.
final class IdentityHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let transport: Transport
    private let connection: Connection
    private let deadline: NIODeadline
    private var timer: Scheduled<Void>?
    private var failure: DialRefusal?
    private var isDone = false

    init(_ transport: Transport, _ connection: Connection, deadline: NIODeadline) {
        self.transport = transport
        self.connection = connection
        self.deadline = deadline
    }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.fail(.overdue, context.channel)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if !isDone, let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            finish(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else { return context.fireErrorCaught(error) }
        transport.logger.debug(
            "handshake failed", metadata: connection.metadata(["error": "\(error)"]))
        fail(.handshakeFailed, context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    /// The only end of a channel that never became active.
    func handlerRemoved(context: ChannelHandlerContext) { end() }

    /// Gives the place back, once, unless the connection has been handed on.
    func end() {
        timer?.cancel()
        guard !isDone else { return }
        isDone = true
        transport.handshakeFailed(connection, failure ?? .handshakeFailed)
    }

    /// Without a verdict the peer resumed a session or the certificate was never asked for: not
    /// ours.
    private func finish(_ context: ChannelHandlerContext) {
        guard case .success(let certificate) = connection.verdict else {
            return fail(.handshakeFailed, context.channel)
        }
        do throws(DialRefusal) {
            try transport.admit(connection, certificate)
        } catch {
            return fail(error, context.channel)
        }
        isDone = true
        timer?.cancel()
        let frames = FrameHandler(transport, connection)
        do {
            try context.pipeline.syncOperations.addHandler(frames)
        } catch {
            // The pipeline is going down; the frame handler never saw it.
            transport.disconnected(connection, .lost)
            context.channel.abort()
        }
    }

    private func fail(_ reason: DialRefusal, _ channel: any Channel) {
        guard !isDone, failure == nil else { return }
        if case .failure(let refusal) = connection.verdict {
            failure = .certificate(refusal)
        } else {
            failure = reason
        }
        channel.abort()
    }
}

internal import FoundationEssentials
public import Identity
public import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
public import Replication
internal import Synchronization

/// Authenticated connections that carry frames. It says who is at the other end and how a
/// connection ended; it never opens a frame, keeps no address and dials nobody by itself.
///
/// All connections live on one event loop; whose events come first, `EventQueue` says. Every verb
/// returns at once and may be called from anywhere; what comes of it arrives in `events`.
/// `shutdown` must be called before the last reference goes.
public final class Transport: Sendable {
    /// For one consumer. Order holds per connection; between connections whoever was `charge`d least
    /// comes first. A consumer that lags slows peers down; nothing is lost but the frames of a
    /// connection that has ended before they were read.
    public let events: AsyncStream<TransportEvent>

    let limits: TransportLimits
    let logger: Logger
    let queue: EventQueue
    /// Whose node this is; which key it shows may change.
    private let did: DID
    private let checker: SignatureChecker
    private let eventLoop: any EventLoop
    private let house: House

    /// Apart, because the event queue gives places back.
    private final class House: Sendable {
        let state: Mutex<State>

        init(_ state: sending State) { self.state = Mutex(state) }
    }

    private struct State {
        var identity: TransportIdentity
        var credentials: Credentials
        var admissions: Admissions
        var connections: [ConnectionID: Connection] = [:]
        var listeners: [any Channel] = []
        /// Dials that have no connection yet.
        var dials: [ConnectionID: Dial] = [:]
        var lastNumber: UInt64 = 0
        var isStopping = false
        /// Shutdowns that wait for the last connection to go.
        var waiters: [CheckedContinuation<Void, Never>] = []

        mutating func nextID() -> ConnectionID {
            lastNumber += 1
            return ConnectionID(number: lastNumber)
        }
    }

    public init(
        identity: TransportIdentity, limits: TransportLimits = TransportLimits(),
        checker: SignatureChecker, logger: Logger
    ) throws(TransportRefusal) {
        guard let credentials = try? Credentials(identity, at: Date()) else {
            throw .certificateNotMade
        }
        let house = House(
            State(
                identity: identity, credentials: credentials, admissions: Admissions(limits: limits)
            ))
        let queue = EventQueue(limits: limits) { id in
            house.state.withLock { $0.admissions.leave(id) }
        }
        self.house = house
        self.queue = queue
        did = identity.did
        self.limits = limits
        self.checker = checker
        self.logger = logger
        // Shared with whatever else of the process speaks NIO: no threads of our own.
        eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        events = AsyncStream { await queue.next() }
    }

    /// The bound port; `port` 0 takes any free one.
    public func listen(host: String, port: Int) async throws(TransportRefusal) -> Int {
        guard (0...65_535).contains(port) else {
            throw .addressUnavailable(host: host, port: port, code: 0)
        }
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: host, port: port).get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw .portBusy(host: host, port: port)
        } catch {
            let code = (error as? IOError)?.errnoCode ?? 0
            throw .addressUnavailable(host: host, port: port, code: code)
        }
        let isStopping = house.state.withLock { state in
            if !state.isStopping { state.listeners.append(channel) }
            return state.isStopping
        }
        guard !isStopping, let bound = channel.localAddress?.port else {
            channel.close(promise: nil)
            throw .shutDown
        }
        return bound
    }

    /// Answered by `connected` or `dialFailed`. With `expecting`, any other identity is refused.
    public func dial(host: String, port: Int, expecting did: DID? = nil) {
        let dial = Dial(host: host, port: port, expecting: did)
        let deadline = NIODeadline.now() + TimeAmount(limits.handshake)
        let id: ConnectionID
        do throws(DialRefusal) {
            guard (1...65_535).contains(port) else { throw .unreachable }
            id = try begin(dial)
        } catch {
            return report(dial, error)
        }
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(limits.handshake))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
        let connecting =
            if let address = try? SocketAddress(ipAddress: host, port: port) {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: host, port: port)
            }
        connecting.whenComplete { result in
            self.connected(id, dial, result, deadline)
        }
    }

    /// Shows another key of the same identity from now on. Connections that stand are not touched.
    public func show(_ identity: TransportIdentity) throws(TransportRefusal) {
        guard identity.did == did, let made = try? Credentials(identity, at: Date()) else {
            throw .certificateNotMade
        }
        house.state.withLock { state in
            state.identity = identity
            state.credentials = made
        }
    }

    /// Joins what else is sent before the event loop comes round. Frames to a connection that has
    /// ended go nowhere.
    public func send(_ frame: Frame, to id: ConnectionID) { connection(id)?.send(frame) }

    /// Bytes that may still be sent before the kernel takes some. A burst of more drops the peer, however
    /// fast it reads: who sends much looks here first.
    public func room(to id: ConnectionID) -> Int {
        limits.outboundBytes - (connection(id)?.heldBytes ?? 0)
    }

    /// What the consumer spent on this peer's frames: while others wait as well, the peer waits until
    /// they had as much.
    public func charge(_ nanoseconds: UInt64, to id: ConnectionID) {
        queue.charge(nanoseconds, to: id)
    }

    /// A peer that somebody answers for has the share of `TransportLimits.favour` strangers.
    public func favour(_ id: ConnectionID, _ isFavoured: Bool) {
        queue.weigh(id, isFavoured ? TransportLimits.favour : 1)
    }

    /// Whether the connection stands. Where it does not, its last frames and its end may still wait in
    /// `events`, behind the first frames of another.
    public func isOpen(_ id: ConnectionID) -> Bool { connection(id) != nil }

    /// After the application hello: frames up to `FrameLimit.afterHello` are taken.
    public func allowLargeFrames(_ id: ConnectionID) {
        connection(id)?.onLoop { $0.allowLargeFrames() }
    }

    /// What was sent before still leaves, if it can within `TransportLimits.linger`; frames not yet
    /// taken from `events` are dropped. `closed` follows with the first reason there was.
    public func close(_ id: ConnectionID, reason: CloseReason) {
        guard let connection = connection(id) else { return }
        queue.mute(id)
        connection.onLoop { $0.close(reason, lingering: true) }
    }

    /// Ends everything, and `events` after what it still holds. Takes as long as the slowest
    /// farewell: `TransportLimits.linger` and a second.
    public func shutdown() async {
        let (listeners, connections, dials) = house.state.withLock { state in
            defer {
                state.isStopping = true
                state.listeners = []
                state.dials = [:]
            }
            return (state.listeners, Array(state.connections.values), Array(state.dials.values))
        }
        for listener in listeners { try? await listener.close() }
        for dial in dials { report(dial, .shutDown) }
        for connection in connections { connection.close(.shutdown) }
        await withCheckedContinuation { continuation in
            let isIdle = house.state.withLock { state in
                if !state.connections.isEmpty { state.waiters.append(continuation) }
                return state.connections.isEmpty
            }
            if isIdle { continuation.resume() }
        }
        queue.finish()
    }

    // MARK: On the event loop

    /// Throws where there is no place; the channel is then closed before a byte is read.
    private func accept(_ channel: any Channel) throws {
        let address = channel.remoteAddress
        let (connection, credentials) = try house.state.withLock { state in
            guard !state.isStopping else { throw TransportRefusal.shutDown }
            let id = state.nextID()
            do {
                try state.admissions.accept(id, from: NetGroup(address))
            } catch {
                logger.debug(
                    "not accepted",
                    metadata: ["address": "\(Self.text(address))", "reason": "\(error)"])
                throw error
            }
            let connection = Connection(
                id: id, channel: channel, address: Self.text(address), dial: nil, limits: limits)
            state.connections[id] = connection
            return (connection, fresh(&state))
        }
        let tls = NIOSSLServerHandler(
            context: credentials.server, customVerificationCallback: judge(connection))
        let identity = IdentityHandler(
            self, connection, deadline: .now() + TimeAmount(limits.handshake))
        do {
            try channel.pipeline.syncOperations.addHandlers([tls, identity])
        } catch {
            identity.end()
            throw error
        }
    }

    private func connected(
        _ id: ConnectionID, _ dial: Dial, _ result: Result<any Channel, any Error>,
        _ deadline: NIODeadline
    ) {
        switch result {
        case .failure(let error):
            // Gone if a shutdown has answered this dial.
            guard house.state.withLock({ $0.dials.removeValue(forKey: id) }) != nil
            else { return }
            logger.debug(
                "not reached", metadata: ["address": "\(dial.address)", "error": "\(error)"])
            leave(id)
            if case ChannelError.connectTimeout = error {
                report(dial, .overdue)
            } else {
                report(dial, .unreachable)
            }
        case .success(let channel):
            let connection = Connection(
                id: id, channel: channel, address: dial.address, dial: dial, limits: limits)
            let credentials = house.state.withLock { state -> Credentials? in
                guard state.dials.removeValue(forKey: id) != nil else { return nil }
                state.connections[id] = connection
                return fresh(&state)
            }
            guard let credentials else { return channel.close(promise: nil) }
            let identity = IdentityHandler(self, connection, deadline: deadline)
            do {
                let tls = try NIOSSLClientHandler(
                    context: credentials.client, serverHostname: nil,
                    customVerificationCallback: judge(connection))
                try channel.pipeline.syncOperations.addHandlers([tls, identity])
            } catch {
                identity.end()
                channel.close(promise: nil)
            }
        }
    }

    /// NIOSSL loses the error a callback fails with: what was wrong is kept and logged here.
    private func judge(_ connection: Connection) -> NIOSSLCustomVerificationCallback {
        { [did, checker, logger] chain, promise in
            do throws(CertificateRefusal) {
                let certificate = try PeerCertificate(
                    verifying: chain.map { (try? $0.toDERBytes()) ?? [] }, at: Date(),
                    by: checker, ourselves: did,
                    expecting: connection.dial?.expecting)
                connection.verdict = .success(certificate)
                promise.succeed(.certificateVerified)
            } catch {
                connection.verdict = .failure(error)
                logger.info(
                    "certificate refused", metadata: connection.metadata(["reason": "\(error)"]))
                promise.fail(error)
            }
        }
    }

    func admit(_ connection: Connection, _ certificate: PeerCertificate) throws(DialRefusal) {
        let isAdmitted = house.state.withLock { state in
            do {
                try state.admissions.identify(connection.id, by: certificate.key)
                return true
            } catch {
                return false
            }
        }
        guard isAdmitted else {
            logger.debug(
                "too many of one identity",
                metadata: connection.metadata(["did": "\(certificate.did.did)"]))
            throw .tooManyOfIdentity(certificate.did)
        }
        queue.open(connection.id) { connection.onLoop { $0.resume() } }
        queue.append(
            .connected(
                connection.id, certificate, dialed: connection.dial != nil,
                address: connection.address))
    }

    func handshakeFailed(_ connection: Connection, _ reason: DialRefusal) {
        let isStopping = house.state.withLock { $0.isStopping }
        leave(connection.id)
        if let dial = connection.dial { report(dial, isStopping ? .shutDown : reason) }
        forget(connection)
    }

    func disconnected(_ connection: Connection, _ reason: CloseReason) {
        house.state.withLock { $0.admissions.disconnect(connection.id) }
        logger.debug("closed", metadata: connection.metadata(["reason": "\(reason)"]))
        queue.append(.closed(connection.id, reason: reason))
        forget(connection)
    }

    // MARK: Book-keeping

    private func connection(_ id: ConnectionID) -> Connection? {
        house.state.withLock { $0.connections[id] }
    }

    private func begin(_ dial: Dial) throws(DialRefusal) -> ConnectionID {
        try house.state.withLock { state throws(DialRefusal) in
            guard !state.isStopping else { throw .shutDown }
            let id = state.nextID()
            do { try state.admissions.dial(id) } catch { throw .tooManyConnections }
            state.dials[id] = dial
            return id
        }
    }

    private func leave(_ id: ConnectionID) {
        house.state.withLock { $0.admissions.leave(id) }
    }

    /// After its last event.
    private func forget(_ connection: Connection) {
        let waiters = house.state.withLock { state in
            state.connections[connection.id] = nil
            guard state.connections.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func report(_ dial: Dial, _ reason: DialRefusal) {
        queue.append(.dialFailed(address: dial.address, dial.expecting, reason: reason))
    }

    /// Remade monthly; if that fails, the old one holds for eleven months more.
    private func fresh(_ state: inout State) -> Credentials {
        let now = Date()
        let age = abs(now.timeIntervalSince(state.credentials.madeAt))
        if age > CertificateLifetime.renewalSeconds,
            let made = try? Credentials(state.identity, at: now)
        {
            state.credentials = made
        }
        return state.credentials
    }

    private static func text(_ address: SocketAddress?) -> String {
        guard let address, let host = address.ipAddress, let port = address.port else { return "?" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension Connection {
    func metadata(_ more: Logger.Metadata) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["connection": "\(id)", "address": "\(address)"]
        metadata.merge(more) { $1 }
        return metadata
    }
}

import Identity
import Logging
import Replication
import Testing

@testable import Transport

/// A transport under a fixed key, and what it says next.
struct Peer: Sendable {
    let transport: Transport
    let key: SigningKey
    var did: DID { DID(key.publicKey) }

    /// Nobody here falls silent by itself, however long other tests hold the processors.
    static var patient: TransportLimits {
        var limits = TransportLimits()
        limits.idle = .seconds(3600)
        return limits
    }

    init(_ seed: UInt8, _ limits: TransportLimits = Self.patient) throws {
        try #require(Sodium.start())
        key = try Peer.key(seed)
        transport = try Transport(
            identity: TransportIdentity(did: DID(key.publicKey), keyEntry: .zero, key: key),
            limits: limits, checker: SignatureChecker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    static func key(_ seed: UInt8) throws -> SigningKey {
        let bytes = SecretBytes([UInt8](repeating: seed, count: 32))
        return try #require(SigningKey(seed: bytes))
    }

    func listen() async throws -> Int { try await transport.listen(host: "127.0.0.1", port: 0) }

    func dial(_ port: Int, expecting did: DID? = nil) {
        transport.dial(host: "127.0.0.1", port: port, expecting: did)
    }

    func next() async throws -> TransportEvent {
        var events = transport.events.makeAsyncIterator()
        return try #require(await events.next())
    }

    func connected() async throws -> (ConnectionID, PeerCertificate) {
        let event = try await next()
        guard case .connected(let id, let certificate, _, _) = event else {
            throw Unexpected(event: event)
        }
        return (id, certificate)
    }

    func frame() async throws -> Frame {
        let event = try await next()
        guard case .frame(_, let frame) = event else { throw Unexpected(event: event) }
        return frame
    }

    func closed() async throws -> CloseReason {
        let event = try await next()
        guard case .closed(_, let reason) = event else { throw Unexpected(event: event) }
        return reason
    }

    func dialFailed() async throws -> DialRefusal {
        let event = try await next()
        guard case .dialFailed(_, _, let reason) = event else { throw Unexpected(event: event) }
        return reason
    }

    struct Unexpected: Error { let event: TransportEvent }
}

/// Two peers with one connection between them; `left` dialed.
struct Pair: Sendable {
    let left: Peer
    let right: Peer
    let toRight: ConnectionID
    let toLeft: ConnectionID

    init(
        _ leftLimits: TransportLimits = Peer.patient, _ rightLimits: TransportLimits = Peer.patient
    )
        async throws
    {
        left = try Peer(1, leftLimits)
        right = try Peer(2, rightLimits)
        left.dial(try await right.listen(), expecting: right.did)
        toRight = try await left.connected().0
        toLeft = try await right.connected().0
    }

    func end() async {
        await left.transport.shutdown()
        await right.transport.shutdown()
    }
}

extension Frame {
    /// A frame whose length field is `length`.
    static func sized(_ length: Int) -> Frame {
        Frame(type: 9, payload: [UInt8](repeating: 7, count: length - 1))
    }
}

import Identity
import Logging
import NIOCore
import NIOSSL
import Replication
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct `Connections between nodes` {
    @Test func `two nodes see each other and exchange frames both ways`() async throws {
        let (left, right) = (try Peer(1), try Peer(2))
        let port = try await right.listen()
        left.dial(port, expecting: right.did)
        guard
            case .connected(let toRight, let rightCertificate, true, let address) =
                try await left.next()
        else { throw Missing() }
        guard case .connected(let toLeft, let leftCertificate, false, _) = try await right.next()
        else { throw Missing() }
        #expect(address == "127.0.0.1:\(port)")
        #expect(rightCertificate.did == right.did)
        #expect(rightCertificate.key == right.key.publicKey)
        #expect(leftCertificate.did == left.did)
        #expect(leftCertificate.keyIsFirst)
        let hello = Frame(type: 1, payload: [1, 2, 3])
        left.transport.send(hello, to: toRight)
        #expect(try await right.next() == .frame(toLeft, hello))
        right.transport.send(Frame(type: 1, payload: []), to: toLeft)
        #expect(try await left.next() == .frame(toRight, Frame(type: 1, payload: [])))
        left.transport.close(toRight, reason: .byNode(code: 3))
        #expect(try await right.closed() == .byPeer)
        #expect(try await left.closed() == .byNode(code: 3))
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    @Test func `what was sent before a close still arrives`() async throws {
        let pair = try await Pair()
        pair.right.transport.allowLargeFrames(pair.toLeft)
        for length in [1, 70_000, 200_000] {
            pair.left.transport.send(.sized(length), to: pair.toRight)
        }
        pair.left.transport.close(pair.toRight, reason: .byNode(code: 0))
        for length in [1, 70_000, 200_000] {
            #expect(try await pair.right.frame() == .sized(length))
        }
        #expect(try await pair.right.closed() == .byPeer)
        await pair.end()
    }

    @Test func `a key that is not the first is handed up to be judged`() async throws {
        let (key, right) = (try Peer.key(9), try Peer(2))
        let did = DID(try Peer.key(1).publicKey)
        let entry = try #require(EntryID([UInt8](repeating: 4, count: 32)))
        let left = try Transport(
            identity: TransportIdentity(did: did, keyEntry: entry, key: key),
            checker: SignatureChecker(), logger: right.transport.logger)
        left.dial(host: "127.0.0.1", port: try await right.listen())
        let certificate = try await right.connected().1
        #expect(certificate.did == did)
        #expect(certificate.key == key.publicKey)
        #expect(certificate.keyEntry == entry)
        #expect(!certificate.keyIsFirst)
        await left.shutdown()
        await right.transport.shutdown()
    }

    @Test func `a host can be named`() async throws {
        let (left, right) = (try Peer(1), try Peer(2))
        left.transport.dial(host: "localhost", port: try await right.listen())
        #expect(try await left.connected().1.did == right.did)
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    // MARK: Refused at the door

    @Test func `another identity than the expected one is refused`() async throws {
        let (left, right) = (try Peer(1), try Peer(2))
        let expected = DID(try Peer.key(3).publicKey)
        let port = try await right.listen()
        left.dial(port, expecting: expected)
        guard
            case .dialFailed("127.0.0.1:\(port)", expected, let reason) = try await left.next()
        else { throw Missing() }
        #expect(
            reason == .certificate(.wrongIdentity(expected: expected, found: right.did)))
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    @Test func `a node does not connect to itself`() async throws {
        let node = try Peer(1)
        node.dial(try await node.listen())
        #expect(try await node.dialFailed() == .certificate(.ourselves))
        await node.transport.shutdown()
    }

    @Test(arguments: Flaw.allCases.filter { $0 != .none && $0 != .otherCurve })
    func `a dialed node with a flawed certificate is refused`(flaw: Flaw) async throws {
        let node = try Peer(1)
        let server = try await Raw.listen(showing: Forgery(flaw, by: Peer.key(5)))
        node.dial(try #require(server.localAddress?.port))
        #expect(try await node.dialFailed() == flaw.refusal.map { .certificate($0) })
        try await server.close()
        await node.transport.shutdown()
    }

    @Test(arguments: Flaw.allCases.filter { $0 != .none })
    func `a dialing node with a flawed certificate is refused`(flaw: Flaw) async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(flaw, by: Peer.key(5)))
        try await raw.closeFuture.get()
        await node.transport.shutdown()
        #expect(await node.nothing())
    }

    @Test func `a dialing node without a certificate is refused`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(try await node.listen(), showing: nil)
        try await raw.closeFuture.get()
        await node.transport.shutdown()
        #expect(await node.nothing())
    }

    @Test func `TLS before 1_3 is refused`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)), tls: .tlsv12)
        try await raw.closeFuture.get()
        await node.transport.shutdown()
        #expect(await node.nothing())
    }

    @Test func `what is not TLS is refused`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dialSilently(try await node.listen())
        try await raw.say(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        try await raw.closeFuture.get()
        await node.transport.shutdown()
        #expect(await node.nothing())
    }

    @Test func `nobody there is unreachable`() async throws {
        let node = try Peer(1)
        let server = try await Raw.listenSilently()
        let port = try #require(server.localAddress?.port)
        try await server.close()
        node.dial(port)
        #expect(try await node.dialFailed() == .unreachable)
        for port in [0, -1, 65_536, .max] {
            node.dial(port)
            #expect(try await node.dialFailed() == .unreachable)
        }
        await node.transport.shutdown()
    }

    @Test func `a handshake has its time and no more`() async throws {
        var limits = Peer.patient
        limits.handshake = .milliseconds(200)
        let node = try Peer(1, limits)
        let server = try await Raw.listenSilently()
        node.dial(try #require(server.localAddress?.port))
        #expect(try await node.dialFailed() == .overdue)
        let raw = try await Raw.dialSilently(try await node.listen())
        try await raw.closeFuture.get()
        try await server.close()
        await node.transport.shutdown()
        #expect(await node.nothing())
    }

    @Test func `an identity has two connections and no third`() async throws {
        let (left, right) = (try Peer(1), try Peer(2))
        let port = try await right.listen()
        for _ in 1...2 {
            left.dial(port)
            _ = try await left.connected()
            _ = try await right.connected()
        }
        left.dial(port)
        #expect(try await left.dialFailed() == .tooManyOfIdentity(right.did))
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    @Test func `who comes under another's name takes none of that one's places`() async throws {
        let (bob, node) = (try Peer(1), try Peer(2))
        let port = try await node.listen()
        let masked = try Transport(
            identity: TransportIdentity(did: bob.did, keyEntry: .zero, key: try Peer.key(3)),
            checker: SignatureChecker(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        for _ in 1...2 {
            masked.dial(host: "127.0.0.1", port: port)
            let certificate = try await node.connected().1
            #expect(certificate.did == bob.did && !certificate.keyIsFirst)
        }
        bob.dial(port)
        #expect(try await node.connected().1.keyIsFirst)
        await masked.shutdown()
        await bob.transport.shutdown()
        await node.transport.shutdown()
    }

    @Test func `a net group has its places and loopback counts only if told`() async throws {
        var limits = Peer.patient
        limits.inboundPerNetGroup = 1
        limits.loopbackIsNetGroup = true
        let (left, other, right) = (try Peer(1), try Peer(3), try Peer(2, limits))
        let port = try await right.listen()
        left.dial(port)
        let toRight = try await left.connected().0
        _ = try await right.connected()
        other.dial(port)
        #expect(try await other.dialFailed() == .handshakeFailed)
        left.transport.close(toRight, reason: .byNode(code: 0))
        #expect(try await right.closed() == .byPeer)
        other.dial(port)
        #expect(try await other.connected().1.did == right.did)
        for peer in [left, other, right] { await peer.transport.shutdown() }
    }

    @Test func `a place is free again when its end was taken`() async throws {
        var limits = Peer.patient
        limits.dialedConnections = 1
        let (left, right) = (try Peer(1, limits), try Peer(2))
        let port = try await right.listen()
        left.dial(port)
        let toRight = try await left.connected().0
        left.dial(port)
        #expect(try await left.dialFailed() == .tooManyConnections)
        left.transport.close(toRight, reason: .byNode(code: 0))
        #expect(try await left.closed() == .byNode(code: 0))
        left.dial(port)
        _ = try await left.connected()
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    @Test func `a busy port is named`() async throws {
        let (left, right) = (try Peer(1), try Peer(2))
        let port = try await left.listen()
        await #expect(throws: TransportRefusal.portBusy(host: "127.0.0.1", port: port)) {
            _ = try await right.transport.listen(host: "127.0.0.1", port: port)
        }
        await #expect(
            throws: TransportRefusal.addressUnavailable(host: "::1", port: 70_000, code: 0)
        ) {
            _ = try await right.transport.listen(host: "::1", port: 70_000)
        }
        await left.transport.shutdown()
        await right.transport.shutdown()
    }

    // MARK: Frames

    @Test func `the first frame has 4 KiB and not one byte more`() async throws {
        let fits = try await Pair()
        fits.left.transport.send(.sized(FrameLimit.beforeHello), to: fits.toRight)
        #expect(try await fits.right.frame() == .sized(FrameLimit.beforeHello))
        await fits.end()
        let over = try await Pair()
        over.left.transport.send(.sized(FrameLimit.beforeHello + 1), to: over.toRight)
        #expect(
            try await over.right.closed()
                == .frameRefused(.tooLarge(length: 4097, limit: 4096)))
        #expect(try await over.left.closed() == .lost)
        await over.end()
    }

    @Test func `after the hello a frame has 256 KiB and not one byte more`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)))
        let id = try await node.connected().0
        node.transport.allowLargeFrames(id)
        let large = Frame.sized(FrameLimit.afterHello)
        try await raw.say(large.bytes)
        #expect(try await node.frame() == large)
        try await raw.say(Frame.sized(FrameLimit.afterHello + 1).bytes.prefix(100).map { $0 })
        #expect(
            try await node.closed()
                == .frameRefused(.tooLarge(length: 262_145, limit: 262_144)))
        await node.transport.shutdown()
    }

    @Test func `a large frame close behind the hello waits for it to be read`() async throws {
        let pair = try await Pair()
        let hello = Frame(type: 1, payload: [1])
        let large = Frame.sized(FrameLimit.afterHello)
        pair.left.transport.send(hello, to: pair.toRight)
        pair.left.transport.send(large, to: pair.toRight)
        pair.left.transport.send(hello, to: pair.toRight)
        #expect(try await pair.right.frame() == hello)
        pair.right.transport.allowLargeFrames(pair.toLeft)
        #expect(try await pair.right.frame() == large)
        #expect(try await pair.right.frame() == hello)
        await pair.end()
    }

    @Test func `a large frame that nobody allows is refused in the end`() async throws {
        var limits = Peer.patient
        limits.handshake = .seconds(1)
        let pair = try await Pair(Peer.patient, limits)
        pair.left.transport.send(Frame(type: 1, payload: []), to: pair.toRight)
        pair.left.transport.send(.sized(5000), to: pair.toRight)
        _ = try await pair.right.frame()
        #expect(
            try await pair.right.closed()
                == .frameRefused(.tooLarge(length: 5000, limit: 4096)))
        await pair.end()
    }

    @Test func `a frame without a type is refused`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)))
        _ = try await node.connected()
        try await raw.say([0, 0, 0, 0])
        #expect(try await node.closed() == .frameRefused(.empty))
        await node.transport.shutdown()
    }

    @Test func `our own frame above the limit ends the connection`() async throws {
        let pair = try await Pair()
        pair.left.transport.send(.sized(FrameLimit.afterHello + 1), to: pair.toRight)
        #expect(
            try await pair.left.closed()
                == .ownFrameTooLarge(length: FrameLimit.afterHello + 1))
        await pair.end()
    }

    @Test func `garbage on the wire after TLS ends the connection`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)))
        _ = try await node.connected()
        try await raw.sayUnencrypted([UInt8](repeating: 0xab, count: 200))
        #expect(try await node.closed() == .tlsBroken)
        await node.transport.shutdown()
    }

    @Test func `a frame that has begun must be whole in time`() async throws {
        var limits = Peer.patient
        limits.frame = .milliseconds(200)
        let node = try Peer(1, limits)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)))
        _ = try await node.connected()
        try await raw.say([0, 0, 0, 9, 1])
        #expect(try await node.closed() == .frameOverdue)
        await node.transport.shutdown()
    }

    @Test func `a silent peer is let go`() async throws {
        var limits = Peer.patient
        limits.idle = .milliseconds(200)
        let pair = try await Pair(Peer.patient, limits)
        #expect(try await pair.right.closed() == .idle)
        await pair.end()
    }

    // MARK: Bounds

    @Test func `a consumer that lags slows the peer and loses nothing`() async throws {
        let pair = try await Pair()
        pair.right.transport.allowLargeFrames(pair.toLeft)
        let (count, limits) = (400, Peer.patient)
        for number in 0..<count {
            let payload = [UInt8](repeating: UInt8(number % 251), count: number * 13)
            pair.left.transport.send(Frame(type: 7, payload: payload), to: pair.toRight)
        }
        for number in 0..<count {
            let frame = try await pair.right.frame()
            try #require(frame.payload.count == number * 13)
            try #require(frame.payload.allSatisfy { $0 == UInt8(number % 251) })
            let waiting = pair.right.transport.queue.waiting(for: pair.toLeft)
            try #require(waiting.frames <= limits.queuedFrames)
            try #require(waiting.bytes <= limits.queuedBytes)
        }
        await pair.end()
    }

    @Test func `a peer that stops reading is dropped and memory stays bounded`() async throws {
        let node = try Peer(1)
        let raw = try await Raw.dial(
            try await node.listen(), showing: Forgery(.none, by: Peer.key(5)))
        let id = try await node.connected().0
        try await raw.setOption(.autoRead, value: false).get()
        // The kernel's buffers take a few MiB first.
        for _ in 0..<400 {
            node.transport.send(.sized(FrameLimit.afterHello), to: id)
            try #require(node.transport.room(to: id) >= 0)
        }
        #expect(try await node.closed() == .tooSlow)
        await node.transport.shutdown()
        try? await raw.close()
    }

    @Test func `a peer that reads gets more than the bound in pieces`() async throws {
        let pair = try await Pair()
        pair.right.transport.allowLargeFrames(pair.toLeft)
        for _ in 0..<64 {
            pair.left.transport.send(.sized(FrameLimit.afterHello), to: pair.toRight)
            #expect(try await pair.right.frame() == .sized(FrameLimit.afterHello))
        }
        await pair.end()
    }

    @Test func `frames of a connection we closed are not delivered`() async throws {
        let pair = try await Pair()
        for number in 0..<20 {
            pair.left.transport.send(
                Frame(type: UInt8(number), payload: []), to: pair.toRight)
        }
        #expect(try await pair.right.frame().type == 0)
        pair.right.transport.close(pair.toLeft, reason: .byNode(code: 1))
        #expect(try await pair.left.closed() == .byPeer)
        #expect(try await pair.right.closed() == .byNode(code: 1))
        await pair.end()
    }

    // MARK: The end

    @Test func `shutdown tells both sides and finishes the events`() async throws {
        let pair = try await Pair()
        await pair.left.transport.shutdown()
        #expect(try await pair.left.closed() == .shutdown)
        #expect(await pair.left.nothing())
        #expect(try await pair.right.closed() == .byPeer)
        pair.left.transport.dial(host: "127.0.0.1", port: 1)
        #expect(await pair.left.nothing())
        await #expect(throws: TransportRefusal.shutDown) { _ = try await pair.left.listen() }
        await pair.left.transport.shutdown()
        await pair.right.transport.shutdown()
    }

    @Test func `shutdown answers dials that are under way`() async throws {
        let node = try Peer(1)
        let server = try await Raw.listenSilently()
        node.dial(try #require(server.localAddress?.port))
        await node.transport.shutdown()
        #expect(try await node.dialFailed() == .shutDown)
        #expect(await node.nothing())
        try await server.close()
    }

    @Test func `a cancelled consumer is let go`() async throws {
        let node = try Peer(1)
        let consumer = Task {
            for await _ in node.transport.events {}
        }
        consumer.cancel()
        await consumer.value
        await node.transport.shutdown()
    }

    struct Missing: Error {}
}

extension Peer {
    /// The events have ended.
    func nothing() async -> Bool {
        var events = transport.events.makeAsyncIterator()
        return await events.next() == nil
    }
}

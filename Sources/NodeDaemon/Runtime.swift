internal import Capacity
internal import Dashboard
internal import Entries
internal import Foundation
internal import Identity
internal import Logging
internal import NodeCore
internal import Replication
internal import ServiceLifecycle
internal import Storage
internal import Synchronization
internal import Transport

/// The one loop that owns the node: drain, decide and apply, commit, sync, and only then speak.
final class Runtime: Service {
    private let home: Home
    private let database: Database
    private let own: Own
    private let alliance: Alliance
    private let transport: Transport
    private let inbox = Inbox()
    private let logger: Logger
    private let frames = Turnstile(limit: Inbox.batchMax)
    private let dialer: Dialer
    private let links = Mutex(Links())
    private let start: Node

    /// Connections by the two names they have: the transport's and the node's.
    private struct Links {
        var next: UInt64 = 1
        var peerOf: [ConnectionID: PeerID] = [:]
        var connectionOf: [PeerID: ConnectionID] = [:]
        var didOf: [ConnectionID: (did: DID, initiator: DID)] = [:]
    }

    init(
        home: Home, database: Database, own: Own, alliance: Alliance, snapshot: Snapshot,
        transport: Transport, logger: Logger
    ) {
        self.home = home
        self.database = database
        self.own = own
        self.alliance = alliance
        self.transport = transport
        self.logger = logger
        dialer = Dialer(transport: transport)
        start = Node(own: own, alliance: alliance, snapshot: snapshot)
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.listenToPeers() }
            group.addTask { await self.tick() }
            group.addTask { await self.own(self.start) }
            group.addTask {
                try? await gracefulShutdown()
                self.inbox.close()
            }
            // The first to end is the loop, closed or lost.
            await group.next()
            await self.transport.shutdown()
            group.cancelAll()
        }
        database.close()
    }

    // MARK: - The loop

    private func own(_ first: Node) async {
        var node = first
        for address in node.peers { dialer.add(address) }
        for await _ in inbox.signals {
            while let batch = inbox.batch() {
                guard turn(&node, batch) else { return }
            }
        }
    }

    /// One batch: apply all, commit once, answer, then speak. False: nothing can be read any more.
    private func turn(_ node: inout Node, _ batch: [Inbox.Input]) -> Bool {
        var changes: [Change] = []
        var directives: [Directive] = []
        var answers: [@Sendable (Result<Void, any Error>) -> Void] = []
        for input in batch {
            node.begin(at: Clock.now(), seed: Entropy.seed())
            if let answer = input(&node) { answers.append(answer) }
            changes += node.takeChanges()
            directives += node.takeDirectives()
        }
        do {
            if !changes.isEmpty { try database.commit(changes) }
        } catch {
            logger.error("commit failed: \(error)")
            for answer in answers { answer(.failure(error)) }
            return reload(&node)
        }
        for answer in answers { answer(.success(())) }
        var stale = false
        for directive in directives { stale = perform(directive) || stale }
        return stale ? reload(&node) : true
    }

    /// Drops every connection and reads the node anew from what is durable.
    private func reload(_ node: inout Node) -> Bool {
        let connections = links.withLock { links in
            defer { links = Links(next: links.next) }
            return Array(links.peerOf.keys)
        }
        for connection in connections { transport.close(connection, reason: .byNode(code: 3)) }
        do {
            let (snapshot, _) = try database.load()
            node = Node(own: own, alliance: alliance, snapshot: snapshot)
            return true
        } catch {
            logger.critical("the database cannot be read again, stopping: \(error)")
            return false
        }
    }

    /// One line per case. True: the value is to be loaded again.
    private func perform(_ directive: Directive) -> Bool {
        switch directive {
        case .send(let peer, let frame): send(frame, to: peer)
        case .raiseFrameLimit(let peer): connection(peer).map { transport.allowLargeFrames($0) }
        case .close(let peer, let reason): close(peer, reason)
        case .serve(let peer, let request): serve(request, to: peer)
        case .deliver(let peer, let sealed, let key):
            if let box = SealedBox.seal(sealed.wire, to: key) {
                send(Message.put(box).frame, to: peer)
            }
        case .reload: return true
        }
        return false
    }

    private func connection(_ peer: PeerID) -> ConnectionID? {
        links.withLock { $0.connectionOf[peer] }
    }

    private func send(_ frame: Frame, to peer: PeerID) {
        guard let connection = connection(peer) else { return }
        transport.send(frame, to: connection)
    }

    private func close(_ peer: PeerID, _ reason: String) {
        guard let connection = connection(peer) else { return }
        logger.info("closing a peer's connection: \(reason)")
        transport.close(connection, reason: .byNode(code: 2))
    }

    private func serve(_ request: Message.RangeRequest, to peer: PeerID) {
        let to = min(request.to, request.from + ReplicationLimit.rangeEntries - 1)
        var wires: [[UInt8]] = []
        var last: Int64 = 0
        do {
            let entries = try database.entries(
                log: request.log, from: Int64(clamping: request.from), to: Int64(clamping: to),
                maxBytes: ReplicationLimit.answerBytes)
            for entry in entries {
                wires.append(entry.wire)
                if let place = entry.header.log { last = place.sequence }
            }
        } catch {
            logger.error("entries of \(request.log.short) cannot be read: \(error)")
        }
        let done = wires.isEmpty || last >= Int64(clamping: request.to)
        send(Message.entries(wires, done: done).frame, to: peer)
    }

    // MARK: - Inputs

    /// By then connections stand and logs are compared.
    private static let startupSeconds = 3

    private func tick() async {
        var seconds = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            seconds += 1
            if seconds == Self.startupSeconds { StartupPages.giveBack() }
            inbox.put { node in
                node.tick()
                return nil
            }
            dialer.tick()
        }
    }

    private func listenToPeers() async {
        for await event in transport.events {
            switch event {
            case .connected(let id, let certificate, let dialed, let address):
                connected(id, certificate, dialed: dialed, address: address)
            case .frame(let id, let frame):
                guard let peer = links.withLock({ $0.peerOf[id] }) else { continue }
                // Frames wait at their sockets while the node is busy: never more than this here.
                await frames.enter()
                let frames = frames
                inbox.put { node in
                    node.received(frame, from: peer)
                    frames.leave()
                    return nil
                }
            case .closed(let id, let reason):
                logger.debug("connection \(id) closed: \(reason)")
                closed(id)
            case .dialFailed(let address, _, let reason):
                logger.debug("dialing \(address) failed: \(reason)")
                dialer.failed(address: address)
            }
        }
    }

    private func connected(
        _ id: ConnectionID, _ certificate: PeerCertificate, dialed: Bool, address: String
    ) {
        let initiator = dialed ? own.did : certificate.did
        let (peer, doubled) = links.withLock { links -> (PeerID, ConnectionID?) in
            // Both may have dialed at once: the connection of the lesser identity stays.
            let other = links.didOf.first { $0.value.did == certificate.did }
            let peer = PeerID(links.next)
            links.next += 1
            links.peerOf[id] = peer
            links.connectionOf[peer] = id
            links.didOf[id] = (certificate.did, initiator)
            guard let other else { return (peer, nil) }
            let keepsOther =
                other.value.initiator != initiator
                && other.value.initiator == min(own.did, certificate.did)
            return (peer, keepsOther ? id : other.key)
        }
        dialer.connected(to: certificate.did, at: dialed ? address : nil)
        if let doubled {
            transport.close(doubled, reason: .byNode(code: 1))
            if doubled == id { return }
        }
        inbox.put { node in
            node.connected(
                peer, did: certificate.did, keyEntry: certificate.keyEntry, key: certificate.key,
                initiated: dialed)
            return nil
        }
    }

    private func closed(_ id: ConnectionID) {
        let (peer, did, others) = links.withLock { links -> (PeerID?, DID?, Bool) in
            let peer = links.peerOf.removeValue(forKey: id)
            if let peer { links.connectionOf[peer] = nil }
            let did = links.didOf.removeValue(forKey: id)?.did
            return (peer, did, links.didOf.contains { $0.value.did == did })
        }
        if let did, !others { dialer.lost(did) }
        guard let peer else { return }
        inbox.put { node in
            node.disconnected(peer)
            return nil
        }
    }

    // MARK: - For the door

    func put(_ input: @escaping Inbox.Input) { inbox.put(input) }
    func dial(_ address: PeerAddress) { dialer.add(address) }
    func forget(_ address: PeerAddress) { dialer.remove(address) }
}

internal import Capacity
internal import CoreMetrics
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

/// The one loop that owns the node: drain, decide and apply, commit, sync, and only then speak. Of peers'
/// frames the next may be decided while the last are written.
final class Runtime: Service {
    let home: Home
    let database: Database
    private let did: DID
    private let secrets: Mutex<KeyFile>
    private let alliance: Alliance
    private let transport: Transport
    private let inbox = Inbox()
    let committed = Committed()
    let logger: Logger
    private let frames = Turnstile()
    private let writer = Writer()
    private let dialer: Dialer
    private let links = Mutex(Links())
    private let watches = Watches()
    let feed = Feed()
    let measures = Exposition()
    let log: RecentLog
    private let notes = Mutex(PeerNotes())
    private let receivedBytes: Counter
    private let sentBytes: Counter
    private let receivedFrames: Counter
    private let sentFrames: Counter
    private let commits: CoreMetrics.Timer
    /// Until the loop takes it over: a copy kept here would make it copy what it changes.
    let start: Mutex<Node?>
    private let trouble = Mutex(Trouble())
    private let scrubbed = Mutex<DoorStatus.Scrub?>(nil)
    private let unheard = Mutex<[DoorStatus.Untold]>([])

    /// Connections by the two names they have: the transport's and the node's.
    private struct Links {
        var next: UInt64 = 1
        var peerOf: [ConnectionID: PeerID] = [:]
        var connectionOf: [PeerID: ConnectionID] = [:]
        var ends: [ConnectionID: End] = [:]
    }

    /// Who is at the other end, as its certificate says.
    private struct End {
        let did: DID
        let initiator: DID
        /// Where we dialed, if we did.
        let dialed: String?
        /// The node believes it. Anybody may come under a name and a key that nobody knows.
        var isBelieved = false
    }

    init(
        home: Home, secrets: KeyFile, database: Database, own: Own, alliance: Alliance,
        snapshot: Snapshot,
        transport: Transport, logger: Logger, log: RecentLog
    ) {
        self.home = home
        self.log = log
        self.database = database
        did = own.did
        self.secrets = Mutex(secrets)
        self.alliance = alliance
        self.transport = transport
        self.logger = logger
        dialer = Dialer(transport: transport)
        receivedBytes = measures.counter(.receivedBytes)
        sentBytes = measures.counter(.sentBytes)
        receivedFrames = measures.counter(.receivedFrames)
        sentFrames = measures.counter(.sentFrames)
        commits = measures.timer(.commits)
        start = Mutex(Node(own: own, alliance: alliance, snapshot: snapshot))
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.listenToPeers() }
            group.addTask { await self.tick() }
            group.addTask { await self.scrub() }
            group.addTask { await self.notify() }
            group.addTask { await self.own() }
            group.addTask {
                try? await gracefulShutdown()
                self.inbox.close()
            }
            // The first to end is the loop, closed or lost.
            await group.next()
            watches.end()
            await self.transport.shutdown()
            group.cancelAll()
        }
        database.close()
    }

    /// Why the loop ended by itself, if it did.
    var end: (any Error)? { trouble.withLock { $0.end } }

    // MARK: - The loop

    private func own() async {
        guard var node = start.withLock({ $0.take() }) else { return }
        for address in node.peers { dialer.add(address) }
        // Decided, and to be written once what is being written is.
        var turn = Turn()
        var taken: Inbox.Batch = []
        var goesOn = true
        loop: for await _ in inbox.signals {
            var batch = inbox.batch()
            var verdicts = await node.checker.verdicts(on: claims(of: batch, node))
            while true {
                if goesOn, let written = writer.take() { goesOn = end(written, &node, &turn) }
                if goesOn, !writer.isBusy, !turn.isEmpty, batch == nil || !turn.isYoung {
                    goesOn = write(&turn, &node, more: batch != nil)
                }
                guard goesOn else {
                    taken = batch ?? []
                    break loop
                }
                guard let now = batch else { break }
                // While these are decided, other processors look into the next ones' signatures.
                batch = inbox.batch()
                let (checker, claims) = (node.checker, claims(of: batch, node))
                async let ahead = checker.verdicts(on: claims)
                // Peers' frames look at nothing but the node; commands also read the disk, which thus has to
                // hold all that the node does.
                let areFrames = now.allSatisfy { $0.claim != nil }
                if !areFrames || turn.isFull {
                    if let written = await writer.finish() { goesOn = end(written, &node, &turn) }
                    if goesOn, !turn.isEmpty {
                        goesOn =
                            areFrames ? write(&turn, &node, more: true) : writeNow(&turn, &node)
                    }
                    guard goesOn else {
                        taken = now + (batch ?? [])
                        break loop
                    }
                }
                node.foresee(verdicts)
                let left = decide(now, areFrames: areFrames, &node, &turn)
                node.foresee(SignatureVerdicts())
                if let left {
                    goesOn = false
                    taken = left + (batch ?? [])
                    break loop
                }
                verdicts = await ahead
                // What came meanwhile shares the commit.
                guard batch == nil else { continue }
                batch = inbox.batch()
                verdicts = await checker.verdicts(on: self.claims(of: batch, node))
            }
        }
        if let written = await writer.finish(), goesOn { goesOn = end(written, &node, &turn) }
        if goesOn, !turn.isEmpty { _ = writeNow(&turn, &node) }
        committed.end()
        inbox.end(with: node, alsoOf: taken)
    }

    /// Fewer signatures are sooner looked into than handed out.
    private static let claimsMin = 4

    private func claims(of batch: Inbox.Batch?, _ node: Node) -> [SignatureClaim] {
        guard let batch, batch.count >= Self.claimsMin else { return [] }
        let claims = batch.compactMap { $0.claim?(node) }
        return claims.count < Self.claimsMin ? [] : claims
    }

    /// Frames some at a time: whoever writes is not to wait for the rest. What is left, where nothing can be
    /// read any more; else `nil`.
    private func decide(
        _ batch: Inbox.Batch, areFrames: Bool, _ node: inout Node, _ turn: inout Turn
    ) -> Inbox.Batch? {
        var rest = batch[...]
        while true {
            decide(&rest, &node, &turn, whole: !areFrames)
            guard !rest.isEmpty else { break }
            if let written = writer.take(), !end(written, &node, &turn) { return Array(rest) }
            if !writer.isBusy, !turn.isYoung, !write(&turn, &node, more: true) {
                return Array(rest)
            }
        }
        return areFrames || writeNow(&turn, &node) ? nil : []
    }

    /// All of them, or as many as about a commit takes.
    private func decide(
        _ rest: inout Inbox.Batch.SubSequence, _ node: inout Node, _ turn: inout Turn, whole: Bool
    ) {
        let began = Clock.uptime()
        func collect() {
            turn.add(node.takeChanges(), node.takeDirectives())
        }
        while whole || Clock.uptime() - began < Turn.youngNanoseconds,
            let (input, claim) = rest.popFirst()
        {
            // Only commands read the overview, which each collecting brings up to date.
            if claim == nil { collect() }
            node.begin(at: Clock.now(), seed: Entropy.seed())
            if let answer = input(&node) { turn.answers.append(answer) }
            if claim != nil { turn.frames += 1 }
        }
        collect()
        turn.nanoseconds += Clock.uptime() - began
    }

    private func write(_ turn: inout Turn, _ node: inout Node, more: Bool) -> Bool {
        guard !turn.changes.isEmpty, more || turn.changes.count >= Turn.asideMin else {
            return writeNow(&turn, &node)
        }
        // Whoever looks sees what is durable, thus this turn and not the next. While the copy is held, what
        // changes is copied: nobody holds one in vain.
        let shown = committed.isRead || !watches.isEmpty ? node : nil
        let handed = turn
        turn = Turn()
        writer.begin(handed, showing: shown, { try self.commit($0) }, done: { self.inbox.wake() })
        return true
    }

    private func writeNow(_ turn: inout Turn, _ node: inout Node) -> Bool {
        let now = turn
        turn = Turn()
        return end((now, node, Result { try commit(now) }), &node, &turn)
    }

    private func commit(_ turn: Turn) throws {
        if let key = turn.newKey { try home.prepare(secrets.withLock { $0.holding(key) }) }
        guard !turn.changes.isEmpty else { return }
        let began = Clock.uptime()
        try database.commit(turn.changes)
        commits.recordNanoseconds(Int64(Clock.uptime() - began))
    }

    /// A turn was written, or not: answer, then speak. What was decided since is void where the node is
    /// read anew; peers, who are asked again, alone had a part in it. False: nothing can be read any more.
    private func end(_ written: Writer.Written, _ node: inout Node, _ since: inout Turn) -> Bool {
        let (turn, shown, result) = written
        let newKey = turn.newKey
        if case .failure(let error) = result {
            logger.error("commit failed: \(error)")
            for answer in turn.answers { answer(.failure(Trouble.refusal(error))) }
            since = Turn()
            guard newKey != nil else { return recover(&node, from: error) }
            // Which key is in force, the next start finds out: whoever starts us again is to know that it is wanted.
            trouble.withLock { $0.end = error }
            return false
        }
        if !turn.changes.isEmpty { trouble.withLock { $0.failures = 0 } }
        if let newKey, !adopt(newKey, node.own) { return false }
        // Also those that came back with our own snapshot.
        for case .peer(let address, added: true) in turn.changes { dialer.add(address) }
        // Before the answers: whoever was told that it is done finds it.
        if let shown { committed.put(shown) }
        for answer in turn.answers { answer(.success(())) }
        var stale = trouble.withLock { $0.takeStale() }
        let spoke = Clock.uptime()
        for directive in turn.directives { stale = perform(directive) || stale }
        frames.took(turn.nanoseconds + Clock.uptime() - spoke, for: turn.frames)
        if let shown { watches.look(at: shown) }
        if !turn.changes.isEmpty { feed.note(turn.changes) }
        guard stale else { return true }
        since = Turn()
        return reload(&node)
    }

    /// Does `work`, whose time the peer at the other end of the connection has cost.
    private func charging(_ id: ConnectionID, _ work: () -> Void) {
        let began = Clock.uptime()
        work()
        transport.charge(Clock.uptime() - began, to: id)
    }

    /// The new key is in force: it takes the place of the old one, on disk and on the wire.
    private func adopt(_ key: SigningKey, _ own: Own) -> Bool {
        do {
            try home.adoptPreparedKey()
            secrets.withLock { $0 = $0.holding(key) }
            try transport.show(
                TransportIdentity(did: own.did, keyEntry: own.keyEntry, key: own.key))
            return true
        } catch {
            logger.critical("the new key cannot be kept, stopping: \(error)")
            trouble.withLock { $0.end = error }
            return false
        }
    }

    /// A commit failed, and until the files are opened anew nobody knows whether it was kept. False: the
    /// disk fails again and again, or nothing can be read; the process is to end.
    private func recover(_ node: inout Node, from error: any Error) -> Bool {
        guard trouble.withLock({ $0.goesOn(after: error) }) else {
            logger.critical("the disk fails again and again, stopping: \(error)")
            return false
        }
        do { try database.reopen() } catch let second {
            logger.critical("the database cannot be opened again, stopping: \(second)")
            // The first failure is the cause: a full disk has no room for opening either.
            trouble.withLock { $0.end = error }
            return false
        }
        return reload(&node)
    }

    /// Drops every connection and reads the node anew from what is durable.
    private func reload(_ node: inout Node) -> Bool {
        let ends = links.withLock { links in
            defer { links = Links(next: links.next) }
            return links.ends
        }
        for (connection, end) in ends {
            transport.close(connection, reason: .byNode(code: 3))
            dialer.lost(end.did)
            // Nobody is told of its end any more, also where it had not said who it is yet.
            if let address = end.dialed { dialer.failed(address: address) }
        }
        do {
            let (snapshot, _) = try database.loadMending { tell(mended: $0) }
            let before = node
            node = Node(own: node.own, alliance: alliance, snapshot: snapshot)
            node.follow(before)
            // Entries that lost their effect took ledger rows with them.
            _ = try database.compare(to: node.ledger, repair: true)
            committed.put(node)
            return true
        } catch {
            logger.critical("the database cannot be read again, stopping: \(error)")
            trouble.withLock { $0.end = error }
            return false
        }
    }

    /// One line per case. True: the value is to be loaded again.
    private func perform(_ directive: Directive) -> Bool {
        switch directive {
        case .send(let peer, let frame): send(frame, to: peer)
        case .raiseFrameLimit(let peer): connection(peer).map { transport.allowLargeFrames($0) }
        case .believe(let peer): believe(peer)
        case .close(let peer, let reason): close(peer, reason)
        case .dial(let address):
            transport.dial(host: address.host, port: address.port, expecting: address.did)
        case .serve(let peer, _), .sendChunk(let peer, _, _), .letters(let peer, _):
            // Whoever is gone by now is not looked up for.
            guard let id = connection(peer) else { break }
            charging(id) { fetch(directive, room: transport.room(to: id) / Self.answersAtOnce) }
        case .push, .deliver, .deposit, .giveBack:
            fetch(directive, room: ReplicationLimit.answerBytes)
        case .reload: return true
        }
        return false
    }

    private func connection(_ peer: PeerID) -> ConnectionID? {
        links.withLock { $0.connectionOf[peer] }
    }

    private func send(_ frame: Frame, to peer: PeerID) {
        guard let connection = connection(peer) else { return }
        let bytes = frame.length + 4
        notes.withLock { $0.sent(bytes, to: connection) }
        sentBytes.increment(by: bytes)
        sentFrames.increment()
        transport.send(frame, to: connection)
    }

    private func close(_ peer: PeerID, _ reason: String) {
        guard let connection = connection(peer) else { return }
        logger.info("closing a peer's connection: \(reason)")
        notes.withLock { $0.closing(connection, because: reason) }
        transport.close(connection, reason: .byNode(code: 2))
    }

    /// What waits for a peer is filled up by at most this part of the room.
    private static let answersAtOnce = 4

    /// Who reads slowly gets less at a time, and asks for the rest: all that is asked for at once would not
    /// fit, and the connection would end.
    private func fetch(_ directive: Directive, room: Int) {
        let refusal = database.fetch(directive, room: room) { send($1, to: $0) }
        if let refusal { logger.error("what a peer is to get cannot be read: \(refusal)") }
    }

    // MARK: - Inputs

    /// Who is answered for may change at any time; a second later it counts.
    private func favour(_ node: Node) {
        for (id, end) in links.withLock({ $0.ends }) where end.isBelieved {
            transport.favour(id, node.isVouchedFor(end.did))
        }
    }

    /// By then connections stand and logs are compared.
    private static let startupSeconds = 3
    /// What peers and readers caused and left is given back as often: some milliseconds for a large node.
    private static let restSeconds = 60

    private func tick() async {
        var seconds = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            seconds += 1
            if seconds == Self.startupSeconds { StartupPages.giveBack() }
            if seconds % Self.restSeconds == 0 { StartupPages.trimHeap() }
            committed.tick()
            inbox.put { node in
                node.tick()
                self.favour(node)
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
                let bytes = frame.length + 4
                notes.withLock { $0.received(bytes, from: id) }
                receivedBytes.increment(by: bytes)
                receivedFrames.increment()
                // Frames wait in the transport, and at their sockets, while the node is busy.
                await frames.enter()
                let frames = frames
                inbox.put(claiming: { $0.claim(in: frame, from: peer) }) { node in
                    self.charging(id) { node.received(frame, from: peer) }
                    frames.leave()
                    return nil
                }
            case .closed(let id, let reason):
                logger.info("connection \(id) closed: \(reason)")
                measures.counter(.ends, [("reason", reason.code)]).increment()
                notes.withLock { $0.went(id, reason) }
                closed(id)
            case .dialFailed(let address, let did, let reason):
                logger.debug("dialing \(address) failed: \(reason)")
                measures.counter(.ends, [("reason", reason.code)]).increment()
                notes.withLock { $0.notReached(address, did, reason) }
                dialer.failed(address: address)
                guard let did else { continue }
                inbox.put { node in
                    node.dialFailed(did, at: address)
                    return nil
                }
            }
        }
    }

    private func connected(
        _ id: ConnectionID, _ certificate: PeerCertificate, dialed: Bool, address: String
    ) {
        let initiator = dialed ? did : certificate.did
        let peer = links.withLock { links in
            let peer = PeerID(links.next)
            links.next += 1
            links.peerOf[id] = peer
            links.connectionOf[peer] = id
            links.ends[id] = End(
                did: certificate.did, initiator: initiator, dialed: dialed ? address : nil)
            return peer
        }
        notes.withLock { $0.came(id, certificate.did, at: address) }
        logger.info("connection \(id) says it is with \(certificate.did.shortDID) at \(address)")
        inbox.put { [feed] node in
            // It waited here while the node was read anew, and went with all that stood then: nobody would tell of
            // its end, and its peer would count as connected for good.
            guard self.connection(peer) != nil else { return nil }
            node.connected(
                peer, did: certificate.did, keyEntry: certificate.keyEntry, key: certificate.key,
                initiated: dialed)
            feed.notePeers()
            return nil
        }
    }

    /// From here on it counts as a connection to that identity, and of two such one goes.
    private func believe(_ peer: PeerID) {
        let (end, doubled) = links.withLock { links -> (End?, ConnectionID?) in
            guard let id = links.connectionOf[peer], let end = links.ends[id] else {
                return (nil, nil)
            }
            let other = links.ends.first {
                $0.value.isBelieved && $0.value.did == end.did && transport.isOpen($0.key)
            }
            links.ends[id]?.isBelieved = true
            guard let other else { return (end, nil) }
            // Both may have dialed at once: the connection of the lesser identity stays.
            let keepsOther =
                other.value.initiator != end.initiator
                && other.value.initiator == min(did, end.did)
            let doubled = keepsOther ? id : other.key
            links.ends[doubled]?.isBelieved = false
            return (end, doubled)
        }
        if let end { dialer.connected(to: end.did, at: end.dialed) }
        if let doubled { transport.close(doubled, reason: .byNode(code: 1)) }
    }

    private func closed(_ id: ConnectionID) {
        let (peer, end, others) = links.withLock { links -> (PeerID?, End?, Bool) in
            let peer = links.peerOf.removeValue(forKey: id)
            if let peer { links.connectionOf[peer] = nil }
            let end = links.ends.removeValue(forKey: id)
            let others = links.ends.values.contains { $0.isBelieved && $0.did == end?.did }
            return (peer, end, others)
        }
        if let end {
            if end.isBelieved, !others { dialer.lost(end.did) }
            if let address = end.dialed { dialer.failed(address: address) }
        }
        guard let peer else { return }
        inbox.put { [feed] node in
            node.disconnected(peer)
            feed.notePeers()
            return nil
        }
    }

    // MARK: - For the scrub

    func note(scrub: DoorStatus.Scrub) { scrubbed.withLock { $0 = scrub } }

    func tell(mended damage: StorageRefusal.Damage) {
        logger.error("damaged on the disk and asked for again from peers: \(damage)")
    }

    /// At the next turn, which this brings about.
    func readAnew() {
        trouble.withLock { $0.isStale = true }
        inbox.put { _ in nil }
    }

    func halt(_ error: any Error) {
        logger.critical("stopping, so that nothing damaged is used: \(error)")
        trouble.withLock { $0.end = error }
        inbox.close()
    }

    // MARK: - For notices

    func note(untold: [DoorStatus.Untold]) { unheard.withLock { $0 = untold } }

    /// By the key in force; the key's name and the signature in base64.
    func sign(_ bytes: [UInt8]) -> (key: String, signature: String) {
        secrets.withLock { secrets in
            (
                DID(secrets.key.publicKey).did,
                Data(secrets.key.sign(bytes).bytes).base64EncodedString()
            )
        }
    }

    // MARK: - For the door

    func put(_ input: @escaping Inbox.Input) { inbox.put(input) }

    /// The first answer of `probe`, asked now and after every batch; `nil` when the time is over.
    func watch<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?
    ) async -> T? {
        // An empty batch makes the loop look.
        await watches.first(seconds: seconds, probe) { inbox.put { _ in nil } }
    }

    /// What the connections carried, and why others ended.
    var seen: ([DID: DoorStatus.Traffic], [DoorStatus.Farewell]) {
        notes.withLock { notes in
            let all = notes.traffic.values.map { ($0.did, $0.traffic) }
            return (
                Dictionary(all, uniquingKeysWith: { $0.sent > $1.sent ? $0 : $1 }), notes.farewells
            )
        }
    }

    var lastScrub: DoorStatus.Scrub? { scrubbed.withLock { $0 } }
    var untold: [DoorStatus.Untold] { unheard.withLock { $0 } }
    func dial(_ address: PeerAddress) { dialer.add(address) }
    func forget(_ address: PeerAddress) { dialer.remove(address) }
}

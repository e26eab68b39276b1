public import Capacity
public import Entries
public import Identity
public import NodeCore
public import Replication

/// Named nodes that exchange frames in memory.
public struct Network: Sendable {
    public private(set) var now: Instant
    public private(set) var nodes: [String: Node] = [:]
    public private(set) var stores: [String: MemoryStore] = [:]
    private var owns: [String: Own] = [:]
    private var codes: [String: RecoveryCode] = [:]
    private var alliance: Alliance?
    private var links: [Link] = []
    private var queue: [Flight] = []
    private var dice: Dice
    private var nextPeer: UInt64 = 1
    /// By how much a node's clock is off, milliseconds.
    public var clockError: [String: Int64] = [:]
    /// Who listens where.
    public var listening: [String: String] = [:]
    /// Why connections were closed by a node.
    public private(set) var closed: [(by: String, reason: String)] = []
    /// What becomes of a frame on its way; `nil`: it is lost.
    public var passing: (@Sendable (Flight) -> Frame?)?
    /// Every frame that was sent, for replaying: who, to whom, what.
    public private(set) var recorded: [Flight] = []

    private struct Link: Sendable {
        let left: (name: String, peer: PeerID)
        let right: (name: String, peer: PeerID)
        /// It carries nothing any more, and nobody has noticed.
        var isDead = false

        func joins(_ one: String, _ other: String) -> Bool {
            Set([left.name, right.name]) == [one, other]
        }
    }

    public struct Flight: Sendable {
        public let from: String
        public let to: String
        let peer: PeerID
        public let frame: Frame
    }

    public init(seed: UInt64, now: Instant) {
        dice = Dice(seed: .zero)
        self.now = now
        reseed(seed)
    }

    /// A new node with `templates`; the first founds the alliance, the others join it.
    public mutating func add(_ name: String, templates: [[UInt8]] = []) throws {
        guard let key = SigningKey(seed: SecretBytes(dice.roll().bytes)),
            let code = RecoveryCode(entropy: Array(dice.roll().bytes.prefix(20)))
        else { return }
        let genesis = try Genesis(
            key: key, nextKey: code.nextKey(index: 2).publicKey, nodeSecret: code.nodeSecret,
            profile: Profile(name: name), joining: alliance, founding: "simulation", at: now,
            seed: dice.roll())
        alliance = genesis.alliance
        codes[name] = code
        var store = MemoryStore()
        store.commit(genesis.entries.map { .entry($0, own: true) })
        for bytes in templates { store.add(template: bytes) }
        owns[name] = genesis.own
        stores[name] = store
        start(name)
    }

    public func did(_ name: String) -> DID { owns[name]?.did ?? .zero }
    public func own(_ name: String) -> Own? { owns[name] }
    public func recoveryCode(_ name: String) -> RecoveryCode? { codes[name] }

    public subscript(name: String) -> Node { nodes[name]! }

    /// Another chance from here on: copies of one network go different ways.
    public mutating func reseed(_ seed: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: seed)
        dice = Dice(seed: SHA256.hash(tag: "talea.simulation.v1", bytes))
    }

    // MARK: - The world

    private func clock(_ name: String) -> Instant { now.advanced(by: clockError[name] ?? 0) }

    public mutating func pass(milliseconds: Int64) { now = now.advanced(by: milliseconds) }

    public mutating func connect(_ left: String, _ right: String) {
        let (one, two) = (PeerID(nextPeer), PeerID(nextPeer + 1))
        nextPeer += 2
        links.append(Link(left: (left, one), right: (right, two)))
        for (name, peer, other, initiated) in [(left, one, right, true), (right, two, left, false)]
        {
            guard let their = owns[other] else { continue }
            turn(name) { node in
                node.connected(
                    peer, did: their.did, keyEntry: their.keyEntry, key: their.key.publicKey,
                    initiated: initiated)
            }
        }
    }

    /// The connections between two nodes end.
    public mutating func disconnect(_ left: String, _ right: String) {
        for link in links where link.joins(left, right) { drop(link) }
    }

    /// The newest connection between two nodes is over, and neither notices before `notice`.
    public mutating func cut(_ left: String, _ right: String) {
        guard let index = links.lastIndex(where: { $0.joins(left, right) }) else { return }
        links[index].isDead = true
    }

    /// Connections that are over end at both sides.
    public mutating func notice() {
        for link in links where link.isDead { drop(link) }
    }

    public func isConnected(_ left: String, _ right: String) -> Bool {
        links.contains { $0.joins(left, right) }
    }

    public mutating func connectAll() {
        let names = nodes.keys.sorted()
        for (index, left) in names.enumerated() {
            for right in names.dropFirst(index + 1) { connect(left, right) }
        }
    }

    /// The node's process ends: connections drop, what was not committed is gone.
    public mutating func stop(_ name: String) {
        for link in links where link.left.name == name || link.right.name == name {
            drop(link)
        }
        nodes[name] = nil
    }

    /// Puts an old copy of a home in the place of what the stopped node holds.
    public mutating func restore(_ name: String, _ store: MemoryStore, own: Own? = nil) {
        stores[name] = store
        if let own { owns[name] = own }
    }

    /// Loads the node from what it committed.
    public mutating func start(_ name: String) {
        guard let own = owns[name], let alliance, let store = stores[name] else { return }
        var node = Node(own: own, alliance: alliance, snapshot: store.snapshot)
        node.begin(at: clock(name), seed: dice.roll())
        nodes[name] = node
    }

    private mutating func drop(_ link: Link) {
        links.removeAll { $0.left.peer == link.left.peer }
        queue.removeAll { $0.peer == link.left.peer || $0.peer == link.right.peer }
        for (name, peer) in [link.left, link.right] where nodes[name] != nil {
            turn(name) { $0.disconnected(peer) }
        }
    }

    // MARK: - Turns

    /// One command at one node, committed and performed; thrown refusals change nothing.
    @discardableResult
    public mutating func command<T>(
        _ name: String, _ body: (inout Node) throws -> T
    ) throws -> T {
        var node = nodes[name]!
        node.begin(at: clock(name), seed: dice.roll())
        let value = try body(&node)
        nodes[name] = node
        finish(name)
        return value
    }

    public mutating func tick() {
        for name in nodes.keys.sorted() { turn(name) { $0.tick() } }
    }

    /// Delivers frames until none is in the air, or `limit` were delivered.
    @discardableResult
    public mutating func settle(limit: Int = 100_000) -> Int {
        var count = 0
        while !queue.isEmpty, count < limit {
            deliver(queue.removeFirst())
            count += 1
        }
        return count
    }

    /// As `settle`, but frames of different links overtake each other by chance.
    public mutating func settleShuffled(limit: Int = 100_000) {
        var count = 0
        while !queue.isEmpty, count < limit {
            var first: [PeerID: Int] = [:]
            for (index, flight) in queue.enumerated() where first[flight.peer] == nil {
                first[flight.peer] = index
            }
            let ways = first.values.sorted()
            deliver(queue.remove(at: ways[Int(dice.roll().bytes[0]) % ways.count]))
            count += 1
        }
    }

    /// Delivers `frame` again to its receiver, as a replaying peer would.
    public mutating func replay(_ flight: Flight) {
        inject(flight.frame, from: flight.from, to: flight.to)
    }

    /// A frame that no program of ours would send, over the connection that its sender has now.
    public mutating func inject(_ frame: Frame, from sender: String, to receiver: String) {
        guard let node = nodes[receiver], let did = owns[sender]?.did,
            let peer = node.connections.filter({ $0.value.did == did }).keys.min()
        else { return }
        turn(receiver) { $0.received(frame, from: peer) }
    }

    /// A hand-made statement, sealed to its receiver as every statement is.
    public mutating func inject(
        _ statement: Entry, key: [UInt8]? = nil, from sender: String, to receiver: String
    ) {
        guard let their = owns[receiver]?.key.publicKey,
            let box = SealedBox.seal(
                Sealed(statement: statement, contractKey: key).wire, to: their)
        else { return }
        inject(Message.put(box).frame, from: sender, to: receiver)
    }

    private mutating func deliver(_ flight: Flight) {
        recorded.append(flight)
        turn(flight.to) { $0.received(flight.frame, from: flight.peer) }
    }

    private mutating func turn(_ name: String, _ body: (inout Node) -> Void) {
        guard nodes[name] != nil else { return }
        let (moment, seed) = (clock(name), dice.roll())
        nodes[name]?.begin(at: moment, seed: seed)
        body(&nodes[name]!)
        finish(name)
    }

    /// Commit, then perform: the order every node keeps.
    private mutating func finish(_ name: String) {
        guard let changes = nodes[name]?.takeChanges(),
            let directives = nodes[name]?.takeDirectives()
        else { return }
        stores[name]?.commit(changes)
        if let own = nodes[name]?.own { owns[name] = own }
        for directive in directives {
            for (peer, frame) in stores[name]?.outgoing(directive) ?? [] {
                send(frame, by: name, over: peer)
            }
            switch directive {
            case .send, .serve, .push, .deliver, .deposit, .letters, .sendChunk, .giveBack,
                .raiseFrameLimit, .believe:
                break
            case .close(let peer, let reason):
                closed.append((name, reason))
                if let link = link(name, peer) { drop(link) }
            case .dial(let address): dial(address, by: name)
            case .reload:
                let peers = links.filter { $0.left.name == name || $0.right.name == name }
                let others = peers.map { $0.left.name == name ? $0.right.name : $0.left.name }
                let before = nodes[name]
                stop(name)
                start(name)
                if let before { nodes[name]?.follow(before) }
                for other in others { connect(name, other) }
            }
        }
    }

    private mutating func dial(_ address: PeerAddress, by name: String) {
        let there = listening[address.text].flatMap { nodes[$0] == nil ? nil : $0 }
        if let there, did(there) == address.did { return connect(name, there) }
        guard let did = address.did else { return }
        turn(name) { $0.dialFailed(did, at: "\(address.host):\(address.port)") }
    }

    private func link(_ name: String, _ peer: PeerID) -> Link? {
        links.first {
            ($0.left.name == name && $0.left.peer == peer)
                || ($0.right.name == name && $0.right.peer == peer)
        }
    }

    private mutating func send(_ frame: Frame, by name: String, over peer: PeerID) {
        guard let link = link(name, peer), !link.isDead else { return }
        let other = link.left.peer == peer ? link.right : link.left
        let flight = Flight(from: name, to: other.name, peer: other.peer, frame: frame)
        guard let passing else { return queue.append(flight) }
        guard let frame = passing(flight) else { return }
        queue.append(Flight(from: name, to: other.name, peer: other.peer, frame: frame))
    }
}

public import Identity

/// What a session asks its node about logs. Answers come from memory.
public protocol Catalogue {
    /// Topics this node takes part in; where not all can be named, the first are.
    var topics: [TopicID] { get }
    /// Heads of every log that belongs to `topic`, key logs of its members with them.
    func heads(in topic: TopicID) -> [Message.Head]
    func head(of log: LogID) -> Message.Head?
    /// The id held at a sequence of a log.
    func id(in log: LogID, at sequence: UInt64) -> EntryID?
    /// What is known of forks in `topic`, as heads with sequence 0.
    func forks(in topic: TopicID) -> [Message.Head]
    /// Whether `id` stands for a known fork of `log`, or is an entry that is held, on whichever branch.
    func knows(fork id: EntryID, of log: LogID) -> Bool
    /// What stands for the logs of `topic` in a reconciliation, as it is now.
    func items(in topic: TopicID) -> ItemTree
    /// The heads, or forks, that these items stand for here, in the order in which their logs came; items
    /// that are not known, or not any more, are left out.
    func heads(of items: [ItemID], in topic: TopicID) -> [Message.Head]
    /// Whether `log` is one of `topic`'s, its members' key logs included.
    func contains(_ log: LogID, in topic: TopicID) -> Bool
    /// The only topic that `log` can be of; none for a key log, or where it is not known.
    func topic(of log: LogID) -> TopicID?
    /// Our own key entries as wire bytes, where our key is not the first one; else none.
    var ownKeys: [[UInt8]] { get }
    /// Whether there is room for so many ids that are hashed for one connection.
    func mayHash(_ items: Int) -> Bool
}

extension Catalogue {
    public var ownKeys: [[UInt8]] { [] }
    public func mayHash(_ items: Int) -> Bool { true }
}

/// One connection's side of the conversation.
///
///     hello ──▶ ◀── hello        versions agree, else goodbye
///     topics ──▶ ◀── topics      again whenever a topic comes or goes
///     heads ──▶ ◀── heads        for each topic both have, once, where it has few logs
///     reconcile ──▶ ◀── reconcile    where it has many, until it is known what differs
///     range ──▶ ◀── entries      until both hold the same; then pushes keep it so
public struct Session: Sendable {
    public enum Directive: Hashable, Sendable {
        case send(Message)
        /// The hello is in: larger frames may come.
        case established(agent: String, time: UInt64)
        /// The peer's clock, milliseconds, as it is now.
        case clock(UInt64)
        /// Wire bytes of entries, ascending and of one log where `run`, to be checked and kept.
        case ingest([[UInt8]], run: Bool)
        /// Fetch and send these entries, at most `answerBytes` of them.
        case serve(Message.RangeRequest)
        /// As `ingest` of one entry; where it is good it goes on along its tree.
        case pushed(PushedEntry, [UInt8])
        /// For the tree of the topic that the peer calls so, or of the only one that both have.
        case gossip(GossipMessage, topic: UInt64?)
        case open(sealed: [UInt8])
        case fetch(blob: Hash32, index: UInt32)
        case chunk(blob: Hash32, index: UInt32, size: UInt32, sealed: [UInt8])
        /// To a hub, or from one.
        case mail(Mail)
        /// The peer's own key entries.
        case keys([[UInt8]])
        /// The peer wants to know what is held here of its own logs.
        case asked([LogID])
        /// What the peer holds of our own logs.
        case answered([Message.Head])
        case keep(sealed: [UInt8])
        case kept(sealed: [UInt8])
        /// Send the proof of this log's fork, and what is held of its branches.
        case prove(LogID)
        /// Check this proof of a fork, and keep it.
        case judge(proof: [UInt8])
        case close(CloseReason)
    }

    public enum CloseReason: Hashable, Sendable {
        case newerPeer(versions: [UInt8])
        case malformed(MessageRefusal)
        case outOfOrder(type: UInt8)
        case goodbye(code: UInt8, text: String)
        case reconciliation(ReconciliationRefusal)
    }

    let me: DID
    public let peer: DID
    public let isInitiator: Bool
    let nonce: Hash32
    private(set) var remoteNonce: Hash32?
    private var remoteNames: Set<Hash32> = []
    /// What the peer calls each of our topics, and back.
    private var theirNames: [TopicID: Hash32] = [:]
    private var topicOf: [Hash32: TopicID] = [:]
    /// Topics both sides named.
    public private(set) var shared: Set<TopicID> = []
    /// What the peer was told of.
    private var named: Set<TopicID> = []
    private var hasNamed = false
    private var theirHeads: [LogID: UInt64] = [:]
    private var wanted: [LogID: UInt64] = [:]
    /// Logs it named of which nothing is held here yet.
    private var strange: Set<LogID> = []
    private var waiting: [Message.RangeRequest] = []
    private var open: [Message.RangeRequest] = []
    /// The logs of both: a peer may name thousands at once.
    private var asking: Set<LogID> = []
    /// Logs whose proof this peer was asked for, and forks it named or was told.
    private var proofsAsked: Set<LogID> = []
    private var theirForks: Set<EntryID> = []
    private(set) var lastHeard: Int64
    /// The time as it was last told.
    private(set) var toldTime: Int64
    /// When the clocks were last compared.
    private var lastPinged: Int64

    /// The peer's program pushes along trees.
    public private(set) var knowsTrees = false
    /// Topics in which trees carried something since they were compared, and when that was.
    private var carried: Set<TopicID> = []
    private var lastCompared: Int64

    var talks: Talks

    /// `nonce`: 32 fresh random bytes. `now`: milliseconds. `rehashes`: the reconciliations that this side
    /// begins compare keyed hashes of ids.
    public init(
        me: DID, peer: DID, isInitiator: Bool, nonce: Hash32, now: Int64, rehashes: Bool = false
    ) {
        self.me = me
        self.peer = peer
        self.isInitiator = isInitiator
        talks = Talks(rehashes: rehashes)
        self.nonce = nonce
        lastHeard = now
        toldTime = now
        lastPinged = now
        lastCompared = now
    }

    public var isEstablished: Bool { remoteNonce != nil }

    public func begin(now: Int64, agent: String) -> [Directive] {
        [
            .send(
                .hello(
                    .init(
                        versions: [ReplicationLimit.wireVersion, ReplicationLimit.treeVersion],
                        nonce: nonce,
                        time: UInt64(max(now, 0)), agent: agent)))
        ]
    }

    public mutating func received(_ frame: Frame, now: Int64, _ catalogue: some Catalogue)
        -> [Directive]
    {
        lastHeard = now
        toldTime = now
        let message: Message
        do { message = try Message(frame) } catch {
            // A frame type of a newer program, after hellos agreed on a version, is skipped.
            if case .unknownType = error, isEstablished { return [] }
            return [.close(.malformed(error))]
        }
        switch message {
        case .hello(let hello): return helloReceived(hello, catalogue)
        case .goodbye(let code, let text): return [.close(.goodbye(code: code, text: text))]
        case _ where !isEstablished: return [.close(.outOfOrder(type: frame.type))]
        case .topics(let names):
            let before = shared
            remoteNames = Set(names)
            shared = Set(names.compactMap { topicOf[$0] })
            return nameMore(catalogue) + share(shared.subtracting(before).sorted(), catalogue)
        case .moreTopics(let names):
            guard remoteNames.count + names.count <= ReplicationLimit.topicsNamed else {
                return [.close(.outOfOrder(type: frame.type))]
            }
            remoteNames.formUnion(names)
            let fresh = names.compactMap { topicOf[$0] }.filter { shared.insert($0).inserted }
            return nameMore(catalogue) + share(fresh.sorted(), catalogue)
        // Heads, a push, a proof, a branch: what we would ask of a stranger in return tells what we hold.
        case _ where shared.isEmpty && [3, 9, 14, 15, 50].contains(frame.type): return []
        case _ where !knowsTrees && (50...55).contains(frame.type):
            return [.close(.outOfOrder(type: frame.type))]
        case .treePush(let push, let entry): return [.pushed(push, entry)]
        case .gossip(let message, let topic): return [.gossip(message, topic: topic)]
        case .heads(let heads): return headsReceived(heads, catalogue)
        case .range(let request):
            return isShared(request.log, catalogue)
                ? [.serve(request)] : [.send(.entries([], done: true))]
        case .entries(let entries, _):
            guard !open.isEmpty else { return [.close(.outOfOrder(type: frame.type))] }
            // Answers come in the order of the questions; what is left of a range is asked for by `took`.
            asking.remove(open.removeFirst().log)
            return (entries.isEmpty ? [] : [.ingest(entries, run: true)]) + ask()
        case .push(let entry): return [.ingest([entry], run: false)]
        case .put(let sealed): return [.open(sealed: sealed)]
        case .keys(let entries): return [.keys(entries)]
        case .ask(let logs): return [.asked(logs)]
        case .answer(let heads): return [.answered(heads)]
        case .keep(let sealed): return [.keep(sealed: sealed)]
        case .kept(let sealed): return [.kept(sealed: sealed)]
        case .prove(let log):
            return isShared(log, catalogue) ? [.prove(log)] : []
        case .proof(let proof): return [.judge(proof: proof)]
        case .branch(let entries): return entries.isEmpty ? [] : [.ingest(entries, run: true)]
        case .fetch(let blob, let index): return [.fetch(blob: blob, index: index)]
        case .chunk(let blob, let index, let size, let sealed):
            return [.chunk(blob: blob, index: index, size: size, sealed: sealed)]
        case .mail(let mail): return [.mail(mail)]
        case .reconcile(let turn): return turned(turn, catalogue)
        case .resolve(let number, let items): return resolve(items, of: number, catalogue)
        case .resolved(_, let heads):
            guard talks.resolving > 0 else { return [.close(.outOfOrder(type: frame.type))] }
            talks.resolving -= 1
            return headsReceived(heads, catalogue)
        case .ping(let time):
            lastPinged = now
            return [.clock(time), .send(.pong(time: UInt64(max(now, 0))))]
        case .pong(let time): return [.clock(time)]
        }
    }

    /// Our topics came or went: name what is new, or all of them again, and exchange heads of what both now
    /// have.
    public mutating func topicsChanged(_ catalogue: some Catalogue) -> [Directive] {
        guard isEstablished else { return [] }
        let before = shared
        let told = topics(catalogue)
        shared = Set(catalogue.topics.filter(isTheirs))
        return told + share(shared.subtracting(before).sorted(), catalogue)
    }

    /// One topic came, and nothing else changed: what it costs does not grow with those that we have.
    public mutating func added(topic: TopicID, _ catalogue: some Catalogue) -> [Directive] {
        guard isEstablished, theirNames[topic] == nil else { return [] }
        learn(topic)
        if named.count == ReplicationLimit.topicsNamed {
            return isTheirs(topic) ? topicsChanged(catalogue) : []
        }
        let told = tell([topic], anew: false)
        guard isTheirs(topic) else { return told }
        shared.insert(topic)
        return told + share([topic], catalogue)
    }

    /// An entry was added here. Pushed if the peer shares its topic and is not known to hold it.
    public mutating func added(_ entry: [UInt8], _ head: Message.Head, in topics: [TopicID])
        -> [Directive]
    {
        strange.remove(head.log)
        guard topics.contains(where: shared.contains) else { return [] }
        guard theirHeads[head.log] ?? 0 < head.sequence else { return [] }
        theirHeads[head.log] = head.sequence
        return [.send(.push(entry))]
    }

    /// An entry is about to be pushed along a tree. False: the peer is known to hold it.
    public mutating func lacks(_ head: Message.Head) -> Bool {
        strange.remove(head.log)
        guard theirHeads[head.log] ?? 0 < head.sequence else { return false }
        theirHeads[head.log] = head.sequence
        return true
    }

    /// Trees carry something of `topic`. What they lose the next comparison finds.
    public mutating func carried(in topic: TopicID) { carried.insert(topic) }

    /// The node took what came of `log` up to `head`: the peer holds as much, and the rest of what it
    /// offered is asked for.
    public mutating func took(_ log: LogID, head: UInt64) -> [Directive] {
        theirHeads[log] = max(theirHeads[log] ?? 0, head)
        if head > 0 { strange.remove(log) }
        guard let goal = wanted[log] else { return [] }
        guard head < goal else {
            wanted[log] = nil
            return []
        }
        return want(.init(log: log, from: head + 1, to: goal))
    }

    /// A pushed entry does not join what is held: fetch what lies between.
    public mutating func missing(_ log: LogID, from: UInt64, to: UInt64) -> [Directive] {
        wanted[log] = max(wanted[log] ?? 0, to)
        return want(.init(log: log, from: from, to: to))
    }

    /// Something of `log` waits for its newest entry to be seen: ask for that one by itself.
    public mutating func wantNewest(_ log: LogID) -> [Directive] {
        guard let newest = theirHeads[log] else { return [] }
        return want(.init(log: log, from: newest, to: newest))
    }
    /// The sequence up to which this peer's entries of `log` are being fetched.
    public func goal(of log: LogID) -> UInt64? { wanted[log] }
    public var goals: [LogID: UInt64] { wanted }

    /// Nothing of `log` could be used: do not ask this peer for it again until it names a new head.
    public mutating func gaveUp(on log: LogID) { wanted[log] = nil }

    /// A fork became known here. Its proof goes once to a peer that shares the topic.
    public mutating func learned(
        _ proof: [UInt8], of fork: EntryID, in topic: TopicID
    ) -> [Directive] {
        guard shared.contains(topic), theirForks.insert(fork).inserted else { return [] }
        return [.send(.proof(proof))]
    }

    /// A run beside what is held was kept: it goes to whoever shares its topic.
    public func branched(_ run: [[UInt8]], in topic: TopicID) -> [Directive] {
        shared.contains(topic) ? [.send(.branch(run))] : []
    }

    /// The peer sent a proof of `fork`: it need not be told, and there is room to ask for another.
    public mutating func told(of fork: EntryID, in log: LogID) {
        theirForks.insert(fork)
        proofsAsked.remove(log)
    }

    /// What was missing to judge a proof has come.
    public func askAgain(forProofOf log: LogID) -> [Directive] { [.send(.prove(log))] }

    public mutating func tick(now: Int64, _ catalogue: some Catalogue) -> [Directive] {
        guard isEstablished else { return [] }
        toldTime = now
        if open.isEmpty, waiting.isEmpty { talks.lookAgain() }
        let directives = dropTalk(now: now) + compare(now, catalogue) + goOn(catalogue)
        // A clock that was set right, back as well, is told at once: what was measured by it is wrong.
        let since = lastPinged...(lastPinged + ReplicationLimit.pingEveryMilliseconds)
        guard !since.contains(now) else { return directives }
        lastPinged = now
        return directives + [.send(.ping(time: UInt64(max(now, 0))))]
    }

    /// Both sides compare what trees carried: who dialed begins, and the other side asks for it where it does
    /// not.
    private mutating func compare(_ now: Int64, _ catalogue: some Catalogue) -> [Directive] {
        let pause = ReplicationLimit.compareMilliseconds * (isInitiator ? 1 : 2)
        guard !(lastCompared...(lastCompared + pause)).contains(now) else { return [] }
        lastCompared = now
        // What was compared may be asked for again.
        talks.found = [:]
        var directives: [Directive] = []
        for topic in carried.intersection(shared).sorted() where talks.isIdle(topic) {
            carried.remove(topic)
            directives += reconcile(topic, catalogue)
        }
        return directives
    }

    /// The other side began.
    mutating func compared(_ topic: TopicID) { carried.remove(topic) }

    // MARK: - Inputs

    private mutating func helloReceived(_ hello: Message.Hello, _ catalogue: some Catalogue)
        -> [Directive]
    {
        guard remoteNonce == nil else { return [.close(.outOfOrder(type: 1))] }
        guard hello.versions.contains(ReplicationLimit.wireVersion) else {
            return [
                .send(.goodbye(code: 1, text: "wire version")),
                .close(.newerPeer(versions: hello.versions)),
            ]
        }
        remoteNonce = hello.nonce
        knowsTrees = hello.versions.contains(ReplicationLimit.treeVersion)
        let keys = catalogue.ownKeys
        return (keys.isEmpty ? [] : [.send(.keys(keys))])
            + [.established(agent: hello.agent, time: hello.time)] + topics(catalogue)
    }

    private func isShared(_ log: LogID, _ catalogue: some Catalogue) -> Bool {
        if let topic = catalogue.topic(of: log) {
            return shared.contains(topic) && catalogue.contains(log, in: topic)
        }
        return shared.contains { catalogue.contains(log, in: $0) }
    }

    /// Both sides have come to name these.
    private mutating func share(_ fresh: [TopicID], _ catalogue: some Catalogue) -> [Directive] {
        var heads: [Message.Head] = []
        var seen: Set<LogID> = []
        var directives: [Directive] = []
        for topic in fresh {
            talks.found[topic] = nil
            let count = catalogue.items(in: topic).count
            if count > ReplicationLimit.headsAtOnce, count <= ReplicationLimit.reconciledItems {
                directives += reconcile(topic, catalogue)
                continue
            }
            guard heads.count + count <= ReplicationLimit.headsShared else {
                heads += leaveOut(topic, catalogue)
                continue
            }
            for head in catalogue.heads(in: topic) where seen.insert(head.log).inserted {
                heads.append(head)
            }
            heads += catalogue.forks(in: topic)
        }
        return Self.tell(heads) + directives
    }

    /// A topic whose heads do not fit any more: it is compared later. Where there are too many to compare, the
    /// newest are told.
    private mutating func leaveOut(_ topic: TopicID, _ catalogue: some Catalogue) -> [Message.Head]
    {
        let items = catalogue.items(in: topic)
        guard items.count > ReplicationLimit.reconciledItems else {
            carried.insert(topic)
            return []
        }
        var newest: [ItemID] = []
        items.visit(items.count - ReplicationLimit.headsTold..<items.count) {
            newest.append($0.id)
            return true
        }
        return catalogue.heads(of: newest, in: topic)
    }

    static func tell(_ heads: [Message.Head]) -> [Directive] {
        stride(from: 0, to: heads.count, by: ReplicationLimit.headsPerFrame).map { start in
            let end = min(start + ReplicationLimit.headsPerFrame, heads.count)
            return .send(.heads(Array(heads[start..<end])))
        }
    }

    private mutating func headsReceived(_ heads: [Message.Head], _ catalogue: some Catalogue)
        -> [Directive]
    {
        var directives: [Directive] = []
        var leavesOut = false
        defer {
            if leavesOut { carried.formUnion(talks.current.map { [$0.topic] } ?? shared) }
        }
        for head in heads {
            if head.sequence == 0 {
                directives += forkNamed(head, catalogue)
                continue
            }
            let held = catalogue.head(of: head.log)
            // A peer that names logs without end fills its own frames, not our memory. What there is no room
            // for is named again when the topic is compared once more.
            if waiting.count >= ReplicationLimit.rangesWaiting { leavesOut = true }
            if held == nil, !strange.contains(head.log) {
                guard strange.count < ReplicationLimit.strangeLogs else { continue }
                strange.insert(head.log)
            }
            theirHeads[head.log] = head.sequence
            // The head of a branch that is held beside ours.
            if catalogue.knows(fork: head.id, of: head.log) { continue }
            if let mine = catalogue.id(in: head.log, at: head.sequence), mine != head.id {
                // Two ids at one sequence: fetch the rival, it is a proof.
                directives += want(.init(log: head.log, from: head.sequence, to: head.sequence))
            } else if held?.sequence ?? 0 < head.sequence {
                wanted[head.log] = head.sequence
                directives += want(
                    .init(log: head.log, from: (held?.sequence ?? 0) + 1, to: head.sequence))
            }
        }
        return directives
    }

    private mutating func forkNamed(_ head: Message.Head, _ catalogue: some Catalogue)
        -> [Directive]
    {
        if catalogue.knows(fork: head.id, of: head.log) {
            theirForks.insert(head.id)
            return []
        }
        // Nor one that names forks: what is not asked for is not remembered.
        guard proofsAsked.count < ReplicationLimit.proofsAsked,
            proofsAsked.insert(head.log).inserted
        else { return [] }
        theirForks.insert(head.id)
        return [.send(.prove(head.log))]
    }

    private mutating func want(_ request: Message.RangeRequest) -> [Directive] {
        guard waiting.count < ReplicationLimit.rangesWaiting, asking.insert(request.log).inserted
        else { return [] }
        waiting.append(request)
        return ask()
    }

    private mutating func ask() -> [Directive] {
        var directives: [Directive] = []
        while open.count < ReplicationLimit.rangesOpen, !waiting.isEmpty {
            var request = waiting.removeFirst()
            request.to = request.toAtOnce
            open.append(request)
            directives.append(.send(.range(request)))
        }
        return directives
    }

    /// All that we have, or what came since it was told.
    private mutating func topics(_ catalogue: some Catalogue) -> [Directive] {
        let all = catalogue.topics
        let gone = Set(theirNames.keys).subtracting(all)
        for topic in gone { forget(topic) }
        for topic in all { learn(topic) }
        var fresh = all.filter { !named.contains($0) }
        let anew =
            !gone.isDisjoint(with: named)
            || named.count + fresh.count > ReplicationLimit.topicsNamed
        if anew {
            // What the peer named itself comes first: a frame with more would end the connection.
            let (theirs, others) = (all.filter(isTheirs), all.filter { !isTheirs($0) })
            fresh = Array((theirs + others).prefix(ReplicationLimit.topicsNamed))
            named = []
        }
        return tell(fresh, anew: anew)
    }

    private mutating func tell(_ topics: [TopicID], anew: Bool) -> [Directive] {
        let isFirst = anew || !hasNamed
        guard isFirst || !topics.isEmpty else { return [] }
        hasNamed = true
        named.formUnion(topics)
        let names = topics.map { name(of: $0, by: me) }
        let frames = stride(from: 0, to: names.count, by: ReplicationLimit.topicsPerFrame).map {
            Array(names[$0..<min($0 + ReplicationLimit.topicsPerFrame, names.count)])
        }
        guard isFirst else { return frames.map { .send(.moreTopics($0)) } }
        return [.send(.topics(frames.first ?? []))]
            + frames.dropFirst().map { .send(.moreTopics($0)) }
    }

    /// The peer named what it was not told of for want of room.
    private mutating func nameMore(_ catalogue: some Catalogue) -> [Directive] {
        guard theirNames.count > ReplicationLimit.topicsNamed, !shared.isSubset(of: named) else {
            return []
        }
        return topics(catalogue)
    }

    private func isTheirs(_ topic: TopicID) -> Bool {
        theirNames[topic].map(remoteNames.contains) ?? false
    }

    private mutating func learn(_ topic: TopicID) {
        guard theirNames[topic] == nil else { return }
        let name = name(of: topic, by: peer)
        theirNames[topic] = name
        topicOf[name] = topic
    }

    private mutating func forget(_ topic: TopicID) {
        if let name = theirNames.removeValue(forKey: topic) { topicOf[name] = nil }
    }

    /// SHA-256("talea.topic.session.v2" ‖ initiator nonce ‖ responder nonce ‖ sender ‖ receiver ‖ topic)
    ///
    /// With both identities, since whoever stands between two connections chooses nonces as it likes.
    public func name(of topic: TopicID, by sender: DID) -> Hash32 {
        let remote = remoteNonce ?? .zero
        let (first, second) = isInitiator ? (nonce, remote) : (remote, nonce)
        return SHA256.hash(
            tag: "talea.topic.session.v2", first.bytes, second.bytes, sender.bytes,
            (sender == me ? peer : me).bytes, topic.bytes)
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Entries
public import Identity
internal import Logs
public import Replication

extension Node: Catalogue {
    public var topics: [TopicID] { topicList }

    func listTopics() -> [TopicID] {
        let open = Set(
            contracts.values.filter { !$0.isOver }.map(\.key.topic)
                + witnessing.values.map(\.topic)
                + returned.values.compactMap { ContractKey($0.key)?.topic })
        let over = Set(contracts.values.map(\.key.topic)).subtracting(open)
        let kept = Set(keptTopics.keys).subtracting(open).subtracting(over)
        return alliances.map(\.topic) + open.sorted() + over.sorted() + kept.sorted()
    }

    public func heads(in topic: TopicID) -> [Message.Head] {
        // Key logs, then public logs, then lines: each needs the one before.
        if planted(.headsUntold) { return [] }
        return authors(in: topic).compactMap { head(of: .key(author: $0)) }
            + (logsOfTopic[topic] ?? []).compactMap { standingHead(of: $0) }
    }

    public func head(of log: LogID) -> Message.Head? {
        guard let chain = chains.chain(log), let id = chain.ids.last else { return nil }
        return Message.Head(log: log, sequence: UInt64(chain.head), id: id)
    }

    public func id(in log: LogID, at sequence: UInt64) -> EntryID? {
        chains.chain(log)?.id(at: Int64(clamping: sequence))
    }

    public func items(in topic: TopicID) -> ItemTree {
        planted(.headsUntold) ? ItemTree() : items[topic]?.tree ?? ItemTree()
    }

    public func heads(of items: [ItemID], in topic: TopicID) -> [Message.Head] {
        let owned = self.items[topic]?.owners(of: items) ?? []
        // Forks after heads: what is asked for by them stands on what the heads name.
        var (heads, forks): ([Message.Head], [Message.Head]) = ([], [])
        for (item, log) in owned {
            let id = EntryID(item)
            if let head = standingHead(of: log), head.id == id {
                heads.append(head)
            } else {
                forks.append(.init(log: log, sequence: 0, id: id))
            }
        }
        return heads + forks
    }

    public func topic(of log: LogID) -> TopicID? {
        chains.chain(log).map(\.topic) ?? proofs[log]?.topic
    }

    public func contains(_ log: LogID, in topic: TopicID) -> Bool {
        if let chain = chains.chain(log) { return isItem(chain.topic, chain.author, in: topic) }
        return proofs[log].map { isItem($0.topic, $0.author, in: topic) } ?? false
    }
}

extension Node {
    /// Something about `log` changed: what stands for it in reconciliations does too. The head of a log that
    /// is known to part stands without a time, beside the fork; so do the ends of a line's branches, and what
    /// an expulsion left of a log.
    mutating func retell(_ log: LogID) {
        guard !isRestoring else { return }
        let chain = chains.chain(log)
        let proof = proofs[log]
        guard let author = chain?.author ?? proof?.author else { return }
        let topic = chain != nil ? chain?.topic : proof?.topic
        for topic in topic.map({ [$0] }) ?? topics(ofKeysOf: author) { retell(log, in: topic) }
    }

    private mutating func retell(_ log: LogID, in topic: TopicID) {
        let chain = chains.chain(log)
        var told: [Item] = []
        if let chain, let head = standingHead(of: log) {
            let isWhole =
                forkedAt[log] == nil && head.sequence == UInt64(chain.head)
                && !isCut(log, of: chain)
            let time = isWhole ? UInt64(max(chain.newestTime.milliseconds, 0)) : 0
            told.append(Item(timestamp: time, id: ItemID(head.id)))
        }
        if let proof = proofs[log] {
            told.append(Item(timestamp: 0, id: ItemID(proof.fork)))
            if isLine(log) {
                told += (chain?.tips ?? []).map { Item(timestamp: 0, id: ItemID($0)) }
            }
        }
        items[topic, default: TopicItems()].set(log, to: told)
    }

    /// Whose key logs are items of `topic` changed.
    mutating func retellKeys(of people: [DID], in topic: TopicID) {
        guard !isRestoring else { return }
        for did in people {
            if isItem(nil, did, in: topic) {
                retell(.key(author: did), in: topic)
            } else {
                items[topic]?.set(.key(author: did), to: [])
            }
        }
    }

    /// After a start, once.
    mutating func tellAll() {
        let topics = Set(logsOfTopic.keys).union(namedIn.keys).union(alliances.map(\.topic))
        for topic in topics.sorted() {
            retellKeys(of: authors(in: topic), in: topic)
            for log in logsOfTopic[topic] ?? [] { retell(log, in: topic) }
        }
        for (log, _) in sorted(proofs) where chains.chain(log) == nil { retell(log) }
    }

    /// A peer's certificate was checked: `key` is what it says is in force.
    public mutating func connected(
        _ id: PeerID, did: DID, keyEntry: EntryID, key: PublicKey, initiated: Bool
    ) {
        // The certificate proves possession of `key`; whose key it is, the key log says. A key entry that is
        // news here has until the peer's own key entries came.
        let isTheirs = isInForce(did, keyEntry, key)
        guard isTheirs != false else {
            directives.append(.close(id, "the peer's key is not the one in force"))
            return
        }
        // The first to each peer after a start, then one of several, compares hashes that nobody foresees.
        let dialed = dialed[did] ?? 0
        if initiated { self.dialed[did] = dialed + 1 }
        let session = Session(
            me: own.did, peer: did, isInitiator: initiated, nonce: dice.roll(),
            now: now.milliseconds, rehashes: dialed % ReplicationLimit.rehashEvery == 0)
        connections[id] = Connection(
            did: did, keyEntry: keyEntry, key: key, isProven: isTheirs == true, session: session)
        if isTheirs == true { directives.append(.believe(id)) }
        if initiated, self.dials[did]?.connection == nil { self.dials[did]?.connection = id }
        perform(session.begin(now: now.milliseconds, agent: agent), for: id)
    }

    public mutating func disconnected(_ id: PeerID) {
        hashedItems -= connections[id]?.session.hashedItems ?? 0
        if let did = connections[id]?.did { guestLeft(did) }
        connections[id] = nil
        unlink(id)
        dialEnded(id)
        // Its next connection names them again.
        waitingLogs.removeAll { $0.peer == id }
        waitingProofs.removeAll { $0.peer == id }
    }

    public mutating func received(_ frame: Frame, from id: PeerID) {
        if connections[id]?.isProven == false, !Message.mayComeUnproven(frame) {
            directives.append(.close(id, "the peer's key is not the one in force"))
            return
        }
        let moment = now.milliseconds
        var isNews = false
        converse(id) { session, node in
            let shared = session.shared
            defer { isNews = session.shared != shared }
            return session.received(frame, now: moment, node)
        }
        guard isNews else { return }
        link(id)
        ask(id)
        remindOfDuty(id)
    }

    /// One input to one session, and what it orders. The session is moved out, so that nothing of it is
    /// copied, and put back before its orders run, for they may speak to it again.
    mutating func converse(
        _ id: PeerID, _ input: (inout Session, borrowing Node) -> [Session.Directive]
    ) {
        guard let place = connections.index(forKey: id) else { return }
        var session = Session(
            me: own.did, peer: own.did, isInitiator: false, nonce: .zero, now: 0)
        swap(&session, &connections.values[place].session)
        let before = session.hashedItems
        let orders = input(&session, self)
        hashedItems += session.hashedItems - before
        swap(&session, &connections.values[place].session)
        perform(orders, for: id)
    }

    /// One that is larger than all that there is room for goes alone.
    public func mayHash(_ items: Int) -> Bool {
        hashedItems == 0 || hashedItems + items <= ReplicationLimit.rehashedItems
    }

    mutating func converse(_ id: PeerID, _ input: (inout Session) -> [Session.Directive]) {
        converse(id) { session, _ in input(&session) }
    }

    mutating func topicsChanged() {
        topicList = listTopics()
        for id in connections.keys.sorted() {
            converse(id) { $0.topicsChanged($1) }
            link(id)
            // What is shared now may have been here before, and only its peers can tell.
            ask(id)
        }
        for id in connections.keys.sorted() where connections[id]?.isOurHub == true { entrust(id) }
    }

    /// A contract came. As `topicsChanged`, at a cost that does not grow with the contracts that are held.
    mutating func added(topic: TopicID) {
        guard !topicList.contains(topic) else { return topicsChanged() }
        topicList.insert(topic, at: alliances.count)
        for id in connections.keys.sorted() {
            converse(id) { $0.added(topic: topic, $1) }
            ask(id)
        }
        for id in connections.keys.sorted() where connections[id]?.isOurHub == true { entrust(id) }
    }

    /// The shell is boring, and so is this: one line per case.
    mutating func perform(_ orders: [Session.Directive], for id: PeerID) {
        for order in orders {
            switch order {
            case .send(let message): directives.append(.send(id, message.frame))
            case .established(let agent, let time): established(id, agent: agent, time: time)
            case .clock(let time): compare(time, id)
            case .ingest(let entries, let run): ingest(entries, run: run, from: id)
            case .serve(let request): directives.append(.serve(id, request))
            case .pushed(let push, let entry): receive(entry, push, from: id)
            case .gossip(let message, let topic): receive(message, about: topic, from: id)
            case .open(let sealed): receive(sealed: sealed, from: id)
            case .fetch(let blob, let index): asked(for: blob, index, by: id)
            case .chunk(let blob, let index, let size, let sealed):
                received(chunk: sealed, index, of: blob, size: size, from: id)
            case .mail(let mail): receive(mail, from: id)
            case .keys(let entries): receive(keys: entries, from: id)
            case .asked(let logs):
                if let did = connections[id]?.did, connections[id]?.isGivenBack == false {
                    connections[id]?.isGivenBack = true
                    directives.append(.giveBack(id, did))
                }
                if let answer = answer(logs, to: id) { directives.append(.send(id, answer.frame)) }
            case .answered(let heads): answered(heads, by: id)
            case .keep(let sealed): keep(sealed: sealed, from: id)
            case .kept(let sealed): gotBack(sealed)
            case .prove(let log): prove(log, to: id)
            case .judge(let proof): receive(proof: proof, from: id)
            case .close(let reason): directives.append(.close(id, "\(reason)"))
            }
        }
    }

    private mutating func established(_ id: PeerID, agent: String, time: UInt64) {
        directives.append(.raiseFrameLimit(id))
        connections[id]?.agent = agent
        compare(time, id)
        if connections[id]?.isProven == true { proven(id) }
    }

    /// Their clock less ours.
    private mutating func compare(_ time: UInt64, _ id: PeerID) {
        connections[id]?.skew = Int64(clamping: time) - now.milliseconds
    }

    /// The peer is who it says, and its hello is in.
    mutating func proven(_ id: PeerID) {
        guard let did = connections[id]?.did else { return }
        answered(id, by: did)
        link(id)
        if planted(.outboxNotResent) { return }
        for (key, item) in sorted(outbox) where key.recipient == did { hand(item, to: id) }
        remindWitness(did)
        ask(id)
        if standing.contains(.hub) {
            directives.append(.send(id, Message.mail(.serving).frame))
        }
        // Whoever left this hub says nothing to it; what was kept for him before is his all the same.
        sendLetters(id)
    }

    /// The newest of several: an older one may be over, and nobody noticed yet.
    func connection(to did: DID) -> PeerID? {
        connections.filter { $0.value.did == did && $0.value.stands }.keys.max()
    }
}

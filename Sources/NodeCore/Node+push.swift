internal import Capacity
internal import Entries
internal import Identity
internal import Logs
internal import Replication

// Live push. Every connection that shares an alliance is a link of its trees: the address book says which there
// are, the trees say along which an entry goes whole.

/// The trees of a node. All of it may be forgotten at any time: what is lost, comparing finds.
struct LivePush: Sendable {
    /// Nobody measures a link's latency, so a distance counts links.
    static let linkMilliseconds: UInt16 = 50

    var trees: [TopicID: BroadcastTree<PeerID>] = [:]
    /// Where entries stand that somebody may ask for by their short ids.
    var places: [ShortID: Message.RangeRequest] = [:]
    /// What is being judged as it came, and from whom.
    var arriving: (push: PushedEntry, peer: PeerID)?

    mutating func remember(_ id: ShortID, at place: Header.LogPlace) {
        // So that of those that trees still hold at least as many again come before the next look at all.
        if places.count >= 2 * ReplicationLimit.seen * max(trees.count, 1) {
            places = places.filter { id, _ in trees.values.contains { $0.holds(id) } }
        }
        let sequence = UInt64(place.sequence)
        places[id] = .init(log: place.log, from: sequence, to: sequence)
    }
}

extension ShortID {
    init(_ id: EntryID) { self.init(id.words.0) }
}

extension Node {
    // MARK: - Links

    /// What this peer shares now is what its links are of.
    mutating func link(_ id: PeerID) {
        guard let connection = connections[id], connection.stands, connection.session.knowsTrees
        else { return }
        let moment = now.milliseconds
        for topic in alliances.map(\.topic) {
            guard connection.session.shared.contains(topic) else {
                let orders = livePush.trees[topic]?.unlinked(id, now: moment) ?? []
                perform(orders, in: topic)
                continue
            }
            if livePush.trees[topic] == nil { livePush.trees[topic] = tree() }
            let orders = livePush.trees[topic]?.linked(
                id, cost: LivePush.linkMilliseconds, now: moment)
            perform(orders ?? [], in: topic)
        }
    }

    private func tree() -> BroadcastTree<PeerID> {
        var setting = BroadcastTree<PeerID>.Setting()
        // A new neighbour is told of heads.
        setting.recentMilliseconds = -1
        return BroadcastTree(me: Root(own.did.words.0), setting: setting)
    }

    mutating func unlink(_ id: PeerID) {
        for topic in livePush.trees.keys.sorted() {
            let orders = livePush.trees[topic]?.unlinked(id, now: now.milliseconds) ?? []
            perform(orders, in: topic)
        }
    }

    // MARK: - Entries

    /// A new entry goes on along its tree; one that came by another way, or is our own, begins one here.
    mutating func push(
        _ entry: Entry, _ place: Header.LogPlace, in topic: TopicID, from source: PeerID?
    ) {
        let id = ShortID(entry.id)
        livePush.remember(id, at: place)
        let orders: [BroadcastTree<PeerID>.Directive]?
        if var push = livePush.arriving?.push, livePush.arriving?.peer == source {
            livePush.arriving = nil
            push.id = id
            orders = livePush.trees[topic]?.received(
                push, from: source ?? PeerID(0), now: now.milliseconds)
        } else {
            orders = livePush.trees[topic]?.publish(id, now: now.milliseconds)
        }
        let head = Message.Head(
            log: place.log, sequence: UInt64(place.sequence), id: entry.id)
        for id in livePush.trees[topic].map({ Array($0.neighbours) }) ?? [] {
            connections[id]?.session.carried(in: topic)
        }
        var frame: Frame?
        for order in orders ?? [] {
            guard case .push(let push, let peer) = order, push.id == id else {
                perform([order], in: topic)
                continue
            }
            guard peer != source, connections[peer]?.session.lacks(head) == true else { continue }
            let whole = frame ?? Message.treePush(push, entry.wire).frame
            frame = whole
            directives.append(.send(peer, whole))
        }
    }

    /// Judged as whatever else comes. Only what is new and good goes on.
    mutating func receive(_ wire: [UInt8], _ push: PushedEntry, from peer: PeerID) {
        livePush.arriving = (push, peer)
        ingest([wire], run: false, from: peer)
        guard livePush.arriving != nil else { return }
        livePush.arriving = nil
        guard let entry = try? Entry(strict: wire), let place = entry.header.log,
            let topic = entry.header.topic,
            chains.chain(place.log)?.id(at: place.sequence) == entry.id
        else { return }
        var push = push
        push.id = ShortID(entry.id)
        perform(livePush.trees[topic]?.repeated(push, from: peer) ?? [], in: topic)
    }

    mutating func receive(_ message: GossipMessage, about word: UInt64?, from peer: PeerID) {
        guard let session = connections[peer]?.session else { return }
        let all = sharedAlliances(with: session)
        // It may have been shared when the other side last heard.
        let topic = all.first {
            word == nil || session.name(of: $0, by: session.peer).words.0 == word
        }
        guard let topic else { return }
        let orders = livePush.trees[topic]?.received(message, from: peer, now: now.milliseconds)
        perform(orders ?? [], in: topic)
    }

    private func sharedAlliances(with session: Session) -> [TopicID] {
        alliances.map(\.topic).filter(session.shared.contains)
    }

    /// Once a second: announcements that waited for company, and what was announced and did not come.
    mutating func pushLate() {
        // After the clock went back nothing would be due.
        if now < ticked { livePush.trees = [:] }
        let topics = alliances.map(\.topic)
        livePush.trees = livePush.trees.filter { topics.contains($0.key) }
        for id in connections.keys.sorted() { link(id) }
        for topic in livePush.trees.keys.sorted() {
            perform(livePush.trees[topic]?.due(now: now.milliseconds) ?? [], in: topic)
        }
    }

    private mutating func perform(
        _ orders: [BroadcastTree<PeerID>.Directive], in topic: TopicID
    ) {
        for order in orders {
            switch order {
            case .push(let push, let peer):
                guard let place = livePush.places[push.id] else { continue }
                directives.append(.push(peer, place, push))
            case .send(let message, let peer):
                guard let session = connections[peer]?.session else { continue }
                let isOnly = sharedAlliances(with: session) == [topic]
                let name = isOnly ? nil : session.name(of: topic, by: own.did).words.0
                directives.append(.send(peer, Message.gossip(message, topic: name).frame))
            }
        }
    }
}

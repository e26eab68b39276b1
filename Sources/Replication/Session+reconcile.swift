internal import Identity

// Topics with many logs: one reconciliation at a time, begun by whoever dialed.

/// Where one connection stands with its reconciliations.
struct Talks: Sendable {
    /// Those that this side begins compare keyed hashes of ids.
    let rehashes: Bool
    /// Topics whose turn comes.
    var queue: [TopicID] = []
    var current: Talk?
    var lastNumber: UInt32 = 0
    /// Questions on items that are not answered yet.
    var resolving = 0
    /// How many items were new in the last reconciliation of a topic, where some were: there may be more than
    /// one could fetch.
    var found: [TopicID: Int] = [:]
    var again: [TopicID] = []
    /// Topics that were hashed over: once each, for it is work.
    var rehashed: Set<TopicID> = []

    init(rehashes: Bool) { self.rehashes = rehashes }

    func isIdle(_ topic: TopicID) -> Bool { current?.topic != topic && !queue.contains(topic) }

    /// What was asked for has come: whether all has, the next one tells.
    mutating func lookAgain() {
        queue += again.filter { isIdle($0) }
        again = []
    }
}

/// One reconciliation. It has its own snapshot; what is new meanwhile is pushed.
struct Talk: Sendable {
    let number: UInt32
    let topic: TopicID
    let opening: Message.Opening
    var rehash: Rehash?
    var reconciliation: Reconciliation?
    /// What to answer once the ids are hashed.
    var question: [UInt8] = []
    var found = 0
    /// Heads of what the other side lacks.
    var told = 0
    /// When it began, or the other side last said something in it.
    var since: Int64 = 0

    /// The ids that the node knows these by.
    func plain(_ ids: [ItemID]) -> [ItemID] {
        guard let rehash else { return ids }
        return ids.compactMap { rehash.plain[$0] }
    }
}

/// The first items of a set: those up to a horizon.
struct FirstItems: ItemStorage {
    let tree: ItemTree
    let count: Int

    init(_ tree: ItemTree, upTo horizon: UInt64) {
        self.tree = tree
        let above = Item(timestamp: min(horizon, Item.endOfTime - 1) + 1, id: .zero)
        count = tree.sum(from: 0, upTo: above).upper
    }

    func item(at index: Int) -> Item { tree.item(at: index) }
    func sum(_ range: Range<Int>) -> IDSum { tree.sum(range) }
    func visit(_ range: Range<Int>, _ body: (Item) -> Bool) { tree.visit(range, body) }

    func sum(from lower: Int, upTo bound: Item) -> (upper: Int, sum: IDSum) {
        let (upper, sum) = tree.sum(from: lower, upTo: bound)
        return upper <= count ? (upper, sum) : (count, tree.sum(lower..<count))
    }
}

/// Ids hashed with both nonces, a slice at a time: nobody can prepare ids whose hashes add up to the same.
struct Rehash: Sendable {
    private let items: FirstItems
    private let salt: [UInt8]
    private var next = 0
    /// Its turn has come.
    fileprivate(set) var isBegun = false
    private(set) var tree = ItemTree()
    private(set) var plain: [ItemID: ItemID] = [:]

    init(_ items: FirstItems, _ initiator: Hash32, _ responder: Hash32) {
        self.items = items
        salt = Array("talea.item.session.v1".utf8) + initiator.bytes + responder.bytes
    }

    var count: Int { items.count }

    /// Whether all are done.
    mutating func step() -> Bool {
        let end = min(next + ReplicationLimit.rehashSlice, items.count)
        var slice: [Item] = []
        items.visit(next..<end) {
            slice.append($0)
            return true
        }
        for item in slice {
            let id = ItemID(SHA256.hash(salt + item.id.bytes))
            plain[id] = item.id
            tree.insert(Item(timestamp: item.timestamp, id: id))
        }
        next = end
        return next == items.count
    }
}

extension Session {
    /// A newly shared topic with many logs here.
    mutating func reconcile(_ topic: TopicID, _ catalogue: some Catalogue) -> [Directive] {
        guard isInitiator else {
            // How many it has over there is not known: it may not begin by itself.
            let name = name(of: topic, by: me)
            let invitation = Message.Opening(topic: name, horizon: 0, isRehashed: false)
            return [.send(.reconcile(.init(number: 0, opening: invitation, bytes: [])))]
        }
        // Who names a topic again, and again, is compared with once, and a while later once more.
        guard talks.isIdle(topic) else {
            carried(in: topic)
            return []
        }
        talks.queue.append(topic)
        return goOn(catalogue)
    }

    /// Begins what waits, or goes on hashing.
    mutating func goOn(_ catalogue: some Catalogue) -> [Directive] {
        if talks.current == nil, let next = talks.queue.firstIndex(where: shared.contains) {
            let topic = talks.queue[next]
            // What is not shared any more went before it.
            talks.queue.removeFirst(next + 1)
            talks.lastNumber += 1
            let isRehashed = talks.rehashes && talks.rehashed.insert(topic).inserted
            let opening = Message.Opening(
                topic: name(of: topic, by: me),
                horizon: UInt64(max(lastHeard, 0)), isRehashed: isRehashed)
            return begin(Talk(number: talks.lastNumber, topic: topic, opening: opening), catalogue)
        }
        guard talks.current?.reconciliation == nil, let rehash = talks.current?.rehash else {
            return []
        }
        if !rehash.isBegun {
            guard catalogue.mayHash(rehash.count) else { return [] }
            talks.current?.rehash?.isBegun = true
        }
        return talks.current?.rehash?.step() == true ? ready() : []
    }

    /// Ids that were hashed for this connection, or will be now.
    public var hashedItems: Int {
        talks.current?.rehash.map { $0.isBegun ? $0.count : 0 } ?? 0
    }

    /// What was begun and is not gone on with is let go; the topic is compared once more, as it is.
    mutating func dropTalk(now: Int64) -> [Directive] {
        guard let talk = talks.current,
            !(talk.since...talk.since + ReplicationLimit.talkMilliseconds).contains(now)
        else { return [] }
        talks.current = nil
        carried(in: talk.topic)
        return [say([], in: talk)]
    }

    private mutating func begin(_ talk: Talk, _ catalogue: some Catalogue) -> [Directive] {
        var talk = talk
        talk.since = toldTime
        let tree = catalogue.items(in: talk.topic)
        var items = FirstItems(tree, upTo: talk.opening.horizon)
        // A horizon far below makes one short frame cost us the heads of everything.
        if tree.count - items.count > ReplicationLimit.resolvedPerFrame {
            items = FirstItems(tree, upTo: Item.endOfTime)
        }
        // What is above the horizon already is not pushed any more: it is told.
        var above: [ItemID] = []
        tree.visit(items.count..<tree.count) {
            above.append($0.id)
            return true
        }
        let told = Self.tell(catalogue.heads(of: above, in: talk.topic))
        guard talk.opening.isRehashed, let remoteNonce else {
            talk.reconciliation = reconciliation(of: items)
            talks.current = talk
            return told + ready()
        }
        talk.rehash =
            isInitiator ? Rehash(items, nonce, remoteNonce) : Rehash(items, remoteNonce, nonce)
        talks.current = talk
        return told + goOn(catalogue)
    }

    private func reconciliation(of items: any ItemStorage) -> Reconciliation? {
        try? Reconciliation(
            of: items, asInitiator: isInitiator, policy: .compact,
            frameLimit: ReplicationLimit.turnBytes,
            roundsMax: ReplicationLimit.reconciliationRounds,
            itemsMax: ReplicationLimit.reconciledItems)
    }

    /// The snapshot can be asked: the first word, or the first answer.
    private mutating func ready() -> [Directive] {
        guard var talk = talks.current else { return [] }
        if talk.reconciliation == nil, let tree = talk.rehash?.tree {
            talk.reconciliation = reconciliation(of: tree)
        }
        guard let reconciliation = talk.reconciliation else {
            // More than a million: the other side is told that it is over.
            talks.current = nil
            return [say([], in: talk)]
        }
        talks.current = talk
        return isInitiator
            ? [say(reconciliation.initiate(), in: talk, opening: talk.opening)]
            : answer(talk.question)
    }

    private func say(_ bytes: [UInt8], in talk: Talk, opening: Message.Opening? = nil) -> Directive
    {
        .send(.reconcile(.init(number: talk.number, opening: opening, bytes: bytes)))
    }

    // MARK: - What the other side says

    mutating func turned(_ turn: Message.Turn, _ catalogue: some Catalogue) -> [Directive] {
        if let opening = turn.opening { return opened(turn, opening, catalogue) }
        // A word on one that is over is late, and no harm.
        guard let talk = talks.current, talk.number == turn.number else { return [] }
        guard !turn.bytes.isEmpty else {
            talks.current = nil
            return goOn(catalogue)
        }
        guard talk.reconciliation != nil else { return [.close(.outOfOrder(type: 16))] }
        let now = toldTime
        talks.current?.since = now
        return isInitiator ? advance(turn.bytes, catalogue) : answer(turn.bytes)
    }

    private mutating func opened(
        _ turn: Message.Turn, _ opening: Message.Opening, _ catalogue: some Catalogue
    ) -> [Directive] {
        let topic = shared.sorted().first { name(of: $0, by: peer) == opening.topic }
        if isInitiator {
            guard turn.bytes.isEmpty else { return [.close(.outOfOrder(type: 16))] }
            guard let topic, talks.isIdle(topic), talks.found[topic] == nil
            else { return [] }
            talks.found[topic] = .max
            talks.queue.append(topic)
            return goOn(catalogue)
        }
        // One at a time; and what was over is not begun again.
        guard talks.current == nil, turn.number > talks.lastNumber, !turn.bytes.isEmpty else {
            return [.close(.outOfOrder(type: 16))]
        }
        talks.lastNumber = turn.number
        guard let topic else {
            // It was ours when the other side last heard.
            return [.send(.reconcile(.init(number: turn.number, opening: nil, bytes: [])))]
        }
        if opening.isRehashed, !talks.rehashed.insert(topic).inserted {
            return [.close(.outOfOrder(type: 16))]
        }
        compared(topic)
        var talk = Talk(number: turn.number, topic: topic, opening: opening)
        talk.question = turn.bytes
        return begin(talk, catalogue)
    }

    private mutating func answer(_ message: [UInt8]) -> [Directive] {
        guard let talk = talks.current else { return [] }
        do {
            guard let bytes = try talks.current?.reconciliation?.answer(message) else { return [] }
            return [say(bytes, in: talk)]
        } catch {
            return [.close(.reconciliation(error))]
        }
    }

    private mutating func advance(_ message: [UInt8], _ catalogue: some Catalogue) -> [Directive] {
        let finding: Reconciliation.Finding
        do {
            guard let found = try talks.current?.reconciliation?.advance(message) else { return [] }
            finding = found
        } catch {
            return [.close(.reconciliation(error))]
        }
        talks.current?.found += finding.need.count
        guard let talk = talks.current else { return [] }
        // Who lacks very much, or says so, is told of what it can ask for, in the order that the logs came in.
        let lacking = catalogue.heads(of: talk.plain(finding.have), in: talk.topic)
        let told = lacking.prefix(ReplicationLimit.headsTold - talk.told)
        talks.current?.told += told.count
        if told.count < lacking.count { carried(in: talk.topic) }
        var directives = Self.tell(Array(told))
        for start in stride(
            from: 0, to: finding.need.count, by: ReplicationLimit.resolvedPerFrame)
        {
            let end = min(start + ReplicationLimit.resolvedPerFrame, finding.need.count)
            directives.append(.send(.resolve(talk.number, Array(finding.need[start..<end]))))
            talks.resolving += 1
        }
        if let next = finding.message,
            talk.reconciliation?.rounds ?? 0 < ReplicationLimit.reconciliationRounds
        {
            return directives + [say(next, in: talk)]
        }
        directives.append(say([], in: talk))
        talks.current = nil
        // As long as each brings less that is new, another one is worth its bytes.
        if talk.found > 0, talk.found < talks.found[talk.topic] ?? .max {
            talks.again.append(talk.topic)
        }
        talks.found[talk.topic] = talk.found
        return directives + goOn(catalogue)
    }

    func resolve(
        _ items: [ItemID], of number: UInt32, _ catalogue: some Catalogue
    ) -> [Directive] {
        guard let talk = talks.current, talk.number == number, shared.contains(talk.topic) else {
            return [.send(.resolved(number, []))]
        }
        return [.send(.resolved(number, catalogue.heads(of: talk.plain(items), in: talk.topic)))]
    }
}

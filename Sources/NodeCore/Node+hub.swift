internal import HashTreeCollections
internal import Capacity
internal import Entries
public import Identity
internal import Logs
internal import Replication

// Hubs: store and forward for members who sleep or can only dial out. A hub holds sealed statements and logs
// of topics that it was given; it has no contract key and reads nothing of either.

/// What a hub keeps at most. A mailbox is 4 MiB, of which one sender takes a quarter; contract logs of one
/// member's topics 64 MiB, of which one topic takes a quarter: whoever shares it writes there what he likes.
/// Beyond: a refusal, and the sender keeps its statement.
enum HubLimit {
    static let members = 10_000
    /// How long one has to be away before his place may go to somebody else.
    static let absenceMilliseconds: Int64 = 7 * 86_400_000
    static let lettersPerMailbox = 1_024
    static let bytesPerMailbox = 4 * 1024 * 1024
    /// Letters on their way to one guest: a part of what may wait for a connection. One goes in any case.
    static let bytesInFlight = 512 * 1024
    static let lettersPerSender = 256
    static let bytesPerSender = 1024 * 1024
    static let logsPerTopic = 64
    /// Of one author: steps, those of a takeover, an end, and what a witness says, twice.
    static let logsPerAuthor = 8
    static let logBytesPerMember = 64 * 1024 * 1024
    static let logBytesPerTopic = logBytesPerMember / 4
    /// Letters are over at whole days: what is inside may name its deadline as its own end.
    static let dayMilliseconds: Int64 = 86_400_000
    /// As long as any statement is offered.
    static let lifeMilliseconds = statementLifeMilliseconds
}

extension Node {
    // MARK: - Choosing hubs

    /// From now on statements for those who are away are left with `did`, and it is shown the topics of our
    /// open contracts. It learns who shares a topic and when, and no term.
    public mutating func use(hub did: DID) throws(NodeRefusal) {
        guard did != own.did else { throw .ownHub }
        guard hubs.insert(did).inserted else { return }
        changes.append(.hub(did, true))
        for id in connections.keys.sorted() where connections[id]?.did == did { serve(by: id) }
    }

    public mutating func leave(hub did: DID) throws(NodeRefusal) {
        guard hubs.remove(did) != nil else { throw .hubUnknown(did.short) }
        changes.append(.hub(did, false))
        for id in connections.keys.sorted() where connections[id]?.did == did {
            if connections[id]?.isOurHub == true {
                directives.append(.send(id, Message.mail(.entrust([])).frame))
            }
            connections[id]?.isOurHub = false
        }
    }

    /// Connections to hubs of ours that serve now.
    var ourHubs: [PeerID] {
        connections.filter { $0.value.isOurHub }.keys.sorted()
    }

    /// At which hubs a statement waits for its recipient.
    public func hubs(holding key: OutboxKey) -> [DID] {
        ourHubs.compactMap { id in
            connections[id].flatMap { connection in
                connection.deposits.values.contains { $0.key == key && $0.outcome == .kept }
                    ? connection.did : nil
            }
        }
    }

    // MARK: - Mail

    mutating func receive(_ mail: Mail, from id: PeerID) {
        guard let did = connections[id]?.did, connections[id]?.isProven == true else { return }
        switch mail {
        case .serving:
            connections[id]?.isServing = true
            serve(by: id)
        case .entrust(let topics): keep(topics, for: did, id)
        case .deposit(let recipient, let tag, let expires, let sealed):
            let outcome = take(
                sealed, for: recipient, tag,
                until: Instant.earliest.advanced(by: Int64(clamping: expires) - 1),
                from: did)
            directives.append(
                .send(id, Message.mail(.deposited(tag: tag, outcome)).frame))
            if outcome == .kept, let peer = connection(to: recipient) { sendLetters(peer) }
        case .deposited(let tag, let outcome):
            connections[id]?.deposits[tag]?.answered(outcome, at: now)
        case .letter(let number, let sealed): open(letter: number, sealed, from: id)
        case .collected(let number, let isKept): collected(number, isKept, by: did, id)
        }
    }

    // MARK: - As a guest

    private mutating func serve(by id: PeerID) {
        guard let connection = connections[id], connection.isServing,
            hubs.contains(connection.did)
        else { return }
        connections[id]?.isOurHub = true
        entrust(id)
        offerOutbox()
    }

    /// Tells a hub what to keep for us, where that changed.
    mutating func entrust(_ id: PeerID) {
        let open = contracts.values.filter { !$0.isOver }.map(\.key.topic)
        let topics = Array(
            Set(open + witnessing.values.map(\.topic)).sorted()
                .prefix(ReplicationLimit.topicsEntrusted))
        guard connections[id]?.entrusted != topics else { return }
        connections[id]?.entrusted = topics
        directives.append(.send(id, Message.mail(.entrust(topics)).frame))
    }

    /// Once for each connection to a hub, and again over the next: it may have lost it. What it turned away
    /// is offered again after a pause: the recipient may have come to it since, or its mailbox be emptier. Once
    /// the recipient has another key it is another letter: nobody opens the one before any more.
    mutating func deposit(_ item: OutboxItem) {
        guard let key = keyLogs.inForce(item.recipient)?.key, now <= item.expires else { return }
        let head = letterhead(item, sealedTo: key)
        for id in ourHubs where connections[id]?.did != item.recipient {
            var deposit = connections[id]?.deposits[head.tag] ?? Deposit(key: item.key)
            guard deposit.isDue(at: now), mayHand(item, to: id) else { continue }
            deposit.sent()
            // What is not kept is said as often as it is asked for, and nobody waits for it.
            if outbox[item.key] != nil { connections[id]?.deposits[head.tag] = deposit }
            directives.append(.deposit(id, head, sealed(item), key: key))
        }
    }

    func letterhead(_ item: OutboxItem, sealedTo key: PublicKey) -> Letterhead {
        let rest = item.expires.milliseconds % HubLimit.dayMilliseconds
        return Letterhead(
            recipient: item.recipient,
            tag: SHA256.hash(
                tag: "talea.letter.v2", subject(of: item).bytes, item.recipient.bytes, key.bytes),
            expires: min(
                item.expires.advanced(by: rest == 0 ? 0 : HubLimit.dayMilliseconds - rest),
                now.advanced(by: HubLimit.lifeMilliseconds)))
    }

    /// What a letter is named by. That we hold a statement is signed anew whenever somebody shows it, the author or
    /// not: at a hub one such word waits, and takes no room from what we have to say.
    private func subject(of item: OutboxItem) -> EntryID {
        guard outbox[item.key] == nil, let body = try? item.statement.read(Acknowledgement.self)
        else { return item.statement.id }
        return body.entry
    }

    /// Whatever is inside came from anyone: junk is thrown away, and says nothing against the hub. A hub that
    /// we left may have kept something before, and whoever left it there believes that it reaches us.
    private mutating func open(letter number: UInt64, _ bytes: [UInt8], from id: PeerID) {
        var isKept = true
        if let plain = own.key.open(bytes), let sealed = try? Sealed(strict: plain) {
            // What still waits for a key or a contract is in memory alone, or found no room there.
            isKept = receive(sealed, from: connections[id]?.did)
        }
        directives.append(
            .send(id, Message.mail(.collected(number: number, isKept: isKept)).frame))
    }

    // MARK: - As a hub

    private func mayBeServed(_ did: DID) -> Bool {
        standing.contains(.hub)
            && alliances.contains {
                takesPart(did, in: $0.topic) && !isExpelled(did, from: $0.topic)
            }
    }

    private mutating func keep(_ topics: [TopicID], for did: DID, _ id: PeerID) {
        guard mayBeServed(did), entrusted[did] != nil || makePlace(for: did) else { return }
        // Nothing that was kept ever goes: what it takes up stays theirs, or their share would have no end.
        let held = (entrusted[did] ?? []).filter { keptTopics[$0]?.bytes ?? 0 > 0 }
        let fresh = Set(topics).subtracting(held).filter { !isAlliance($0) }.sorted()
        let room = max(ReplicationLimit.topicsEntrusted - held.count, 0)
        let wanted = (held + fresh.prefix(room)).sorted()
        if entrusted[did] != wanted {
            entrusted[did] = wanted
            changes.append(.entrusted(by: did, wanted))
            recountKept()
            topicsChanged()
        }
        sendLetters(id)
    }

    /// Where all places are taken, one who loses nothing by it gives his up: he is away, nothing of his is kept
    /// and no letter waits for him. He has a place again when he comes; until then what is for him stays with
    /// its senders. Those without a name give way to whoever was let in by name at once, and to one another, as
    /// all others do, when they were away for a week: else a crowd of new names would put out whoever sleeps.
    private mutating func makePlace(for did: DID) -> Bool {
        guard entrusted.count >= HubLimit.members else { return true }
        let here = Set(connections.values.filter(\.stands).map(\.did))
        let idle = entrusted.keys.filter { guest in
            !here.contains(guest) && mailboxes[guest]?.isEmpty ?? true
                && !(entrusted[guest] ?? []).contains { keptTopics[$0]?.bytes ?? 0 > 0 }
        }.sorted()
        let long = idle.filter { guest in
            (guestsLeft[guest] ?? servesSince ?? now).advanced(by: HubLimit.absenceMilliseconds)
                <= now
        }
        if giveWay(oneOf: idle.filter { !mayBeServed($0) }) { return true }
        guard isVouchedFor(did) else {
            return giveWay(oneOf: long.filter { !isVouchedFor($0) })
        }
        return giveWay(oneOf: idle.filter { !isVouchedFor($0) }) || giveWay(oneOf: long)
    }

    /// By lot: who chooses his own name shall not choose whose place he gets.
    private mutating func giveWay(oneOf guests: [DID]) -> Bool {
        guard !guests.isEmpty else { return false }
        let guest = guests[Int(dice.next() % UInt64(guests.count))]
        entrusted[guest] = nil
        mailboxes[guest] = nil
        guestsLeft[guest] = nil
        changes.append(.entrusted(by: guest, nil))
        return true
    }

    /// Since when a guest is away.
    mutating func guestLeft(_ did: DID) {
        if entrusted[did] != nil { guestsLeft[did] = now }
    }

    /// Who was not here since the start is away since then.
    mutating func noteServing() {
        if servesSince == nil, standing.contains(.hub) { servesSince = now }
    }

    private mutating func take(
        _ sealed: [UInt8], for recipient: DID, _ tag: Hash32, until expires: Instant,
        from sender: DID
    ) -> Mail.Outcome {
        guard mayBeServed(sender), entrusted[sender] != nil, entrusted[recipient] != nil else {
            return .unknown
        }
        guard now <= expires,
            expires <= now.advanced(by: HubLimit.lifeMilliseconds + futureSkewMilliseconds)
        else { return .untimely }
        let box = mailboxes[recipient] ?? []
        guard !box.contains(where: { $0.tag == tag && $0.sender == sender }) else { return .kept }
        let theirs = box.filter { $0.sender == sender }
        func fits(_ letters: [Letter], count: Int, bytes: Int) -> Bool {
            letters.count < count
                && letters.reduce(sealed.count) { $0 + $1.size } <= bytes
        }
        guard fits(theirs, count: HubLimit.lettersPerSender, bytes: HubLimit.bytesPerSender)
        else { return .full }
        // Names cost nothing: what those left who are known by theirs gives way to no crowd of others.
        let mayPush = isVouchedFor(sender)
        var weights = box.reduce(into: [DID: Int]()) { $0[$1.sender, default: 0] += $1.weight }
            .filter { mayPush || !isVouchedFor($0.key) }
        let own = weights[sender, default: 0] + max(sealed.count, Letter.leastWeight)
        var (left, gone) = (box, [Letter]())
        while !fits(left, count: HubLimit.lettersPerMailbox, bytes: HubLimit.bytesPerMailbox) {
            guard let most = weights.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }),
                most.value > own, let last = left.lastIndex(where: { $0.sender == most.key })
            else { return .full }
            let letter = left.remove(at: last)
            weights[most.key] = most.value - letter.weight
            gone.append(letter)
        }
        for letter in gone { giveBack(letter) }
        lastLetter += 1
        let letter = Letter(
            number: lastLetter, recipient: recipient, sender: sender, tag: tag, expires: expires,
            size: sealed.count)
        mailboxes[recipient, default: []].append(letter)
        changes.append(.letter(letter, sealed: sealed))
        return .kept
    }

    /// Whoever left most in a full mailbox makes room, its newest first, and keeps what it left in its outbox:
    /// it is told, and brings it again after a pause.
    private mutating func giveBack(_ letter: Letter) {
        mailboxes[letter.recipient]?.removeAll { $0.number == letter.number }
        changes.append(.letterGone(letter.number))
        // Nobody answers one that was on its way and not read yet.
        for id in connections.keys where connections[id]?.did == letter.recipient {
            connections[id]?.lettersInFlight[letter.number] = nil
        }
        if let peer = connection(to: letter.sender) {
            let full = Message.mail(.deposited(tag: letter.tag, .full))
            directives.append(.send(peer, full.frame))
        }
    }

    /// As many as may be on their way; the next follow as these are collected.
    mutating func sendLetters(_ id: PeerID) {
        guard let connection = connections[id], connection.stands,
            entrusted[connection.did] != nil
        else { return }
        var (onTheirWay, next) = (connection.lettersInFlight, [UInt64]())
        var bytes = onTheirWay.values.reduce(0, +)
        for letter in mailboxes[connection.did] ?? []
        where !connection.lettersSent.contains(letter.number) && now <= letter.expires {
            guard onTheirWay.count < ReplicationLimit.lettersInFlight,
                onTheirWay.isEmpty || bytes + letter.size <= HubLimit.bytesInFlight
            else { break }
            onTheirWay[letter.number] = letter.size
            bytes += letter.size
            next.append(letter.number)
        }
        guard !next.isEmpty else { return }
        connections[id]?.lettersSent.formUnion(next)
        connections[id]?.lettersInFlight = onTheirWay
        directives.append(.letters(id, next))
    }

    private mutating func collected(
        _ number: UInt64, _ isKept: Bool, by did: DID, _ id: PeerID
    ) {
        // Each answers one that is on its way.
        guard connections[id]?.lettersInFlight.removeValue(forKey: number) != nil else { return }
        if isKept, let index = mailboxes[did]?.firstIndex(where: { $0.number == number }) {
            mailboxes[did]?.remove(at: index)
            changes.append(.letterGone(number))
        }
        sendLetters(id)
    }

    mutating func dropOldLetters() {
        for (did, letters) in sorted(mailboxes) {
            let old = letters.filter { $0.expires < now }
            guard !old.isEmpty else { continue }
            mailboxes[did] = letters.filter { now <= $0.expires }
            for letter in old { changes.append(.letterGone(letter.number)) }
        }
    }

    // MARK: - Topics kept

    mutating func restoreHub(_ snapshot: Snapshot) {
        hubs = Set(snapshot.hubs)
        for (member, topics) in snapshot.entrusted { entrusted[member] = topics }
        for letter in snapshot.letters {
            mailboxes[letter.recipient, default: []].append(letter)
            lastLetter = max(lastLetter, letter.number)
        }
        recountKept()
    }

    mutating func recountKept() {
        var kept: [TopicID: KeptTopic] = [:]
        for (member, topics) in sorted(entrusted) {
            // An alliance that we joined since is ours, and no guest's.
            for topic in topics where !isAlliance(topic) {
                kept[topic, default: KeptTopic(bytes: keptTopics[topic]?.bytes ?? 0)].members
                    .append(member)
            }
        }
        keptTopics = kept
    }

    mutating func countKept(_ entry: Entry) {
        guard let topic = entry.header.topic, keptTopics[topic] != nil else { return }
        keptTopics[topic]?.bytes += entry.wire.count
    }

    /// A hub cannot tell whether a log belongs to a contract: it holds so many, and of one author a few, so that
    /// none of its people keeps the others' out.
    func mayKeep(_ log: LogID, of author: DID, in topic: TopicID) -> Bool {
        let logs = logsOfTopic[topic] ?? []
        return logs.contains(log)
            || logs.count < HubLimit.logsPerTopic
                && logs.count { chains.chain($0)?.author == author } < HubLimit.logsPerAuthor
    }

    /// Whether `entries` would pass the share of their topic, or of every member that wants it kept.
    func isFull(_ topic: TopicID?, _ entries: [Entry]) -> Bool {
        guard let topic, let kept = keptTopics[topic], !takesPart(in: topic) else { return false }
        let more = entries.reduce(0) { $0 + $1.wire.count }
        if kept.bytes + more > HubLimit.logBytesPerTopic { return true }
        return kept.members.allSatisfy { member in
            (entrusted[member] ?? []).reduce(more) { $0 + (keptTopics[$1]?.bytes ?? 0) }
                > HubLimit.logBytesPerMember
        }
    }

    /// Whether we are named in `topic` ourselves: then quotas for guests do not count.
    func takesPart(in topic: TopicID) -> Bool {
        contracts.values.contains { $0.key.topic == topic }
            || witnessing.values.contains { $0.topic == topic }
    }
}

/// A letter that was left with a hub, or offered to it, over one connection.
struct Deposit: Sendable {
    let key: Node.OutboxKey
    /// None while the answer is on its way.
    private(set) var outcome: Mail.Outcome?
    private var repetition = Repetition(first: 2_000)

    init(key: Node.OutboxKey) { self.key = key }

    func isDue(at now: Instant) -> Bool { repetition.isDue(at: now) }

    mutating func sent() {
        outcome = nil
        repetition.rest()
    }

    mutating func answered(_ outcome: Mail.Outcome, at now: Instant) {
        guard repetition.rests else { return }
        self.outcome = outcome
        if outcome != .kept { repetition.wait(from: now) }
    }
}

/// A contract topic that a hub keeps, unread.
struct KeptTopic: Hashable, Sendable {
    /// Of its entries on the wire.
    var bytes = 0
    var members: [DID] = []
}

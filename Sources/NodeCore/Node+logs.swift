internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import Market
internal import Replication

/// How far ahead of our clock an entry may be before it waits: 10 minutes.
let futureSkewMilliseconds: Int64 = 10 * 60_000
let waitingMax = 1_024
/// Logs of those who are no members, yet or ever: remembered by name, with nothing of what is in them.
let outsidersMax = 256
/// Proposals of one author that wait for an answer here; the next ones wait with their author.
let proposalsMax = 256
/// How long one that ran out counts as one that waits.
let proposalMemoryMilliseconds = statementLifeMilliseconds

extension Node {
    /// Signs and keeps the next entry of one of our own logs.
    @discardableResult
    mutating func append(
        _ kind: Entries.Kind, body: (Header.LogPlace) throws(EntryRefusal) -> [UInt8],
        to log: LogID,
        topic: TopicID?
    ) throws(NodeRefusal) -> ValidEntry {
        try checkMaySign(in: log)
        if kind != .continue, needsContinue(log), let topic, !planted(.continueForgotten) {
            try goOn(log, topic)
        }
        let chain = chains.chain(log)
        let head = chain?.head ?? 0
        let place = Header.LogPlace(log: log, sequence: head + 1, previous: chain?.id(at: head))
        do {
            let bytes = try body(place)
            let header = Header(
                kind: kind.rawValue, author: own.did, key: own.keyEntry, topic: topic,
                time: planted(.timeFalls) ? now : max(now, chain?.newestTime ?? .earliest),
                bodyHash: SHA256.hash(bytes),
                bodySize: Int64(bytes.count), place: .log(place))
            let valid = try ValidEntry(signing: header, body: bytes, by: own.key)
            take(valid, from: nil)
            return valid
        } catch {
            throw .entry(error)
        }
    }

    @discardableResult
    mutating func append<Body: EntryBody>(_ body: Body, to log: LogID, topic: TopicID?)
        throws(NodeRefusal) -> ValidEntry
    {
        try append(
            Body.kind, body: { _ throws(EntryRefusal) in body.wire }, to: log, topic: topic)
    }

    /// Keeps a valid new entry at the end of its log, tells what it means, and passes it on. Of a run only the
    /// last is the head that stands for the log.
    mutating func take(_ valid: ValidEntry, from peer: PeerID?, isHead: Bool = true) {
        changes.append(.entry(valid, own: valid.header.author == own.did))
        fold(valid, isHead: isHead)
        announce(valid, from: peer)
    }

    /// The entry's meaning: chain, keys, book, line, contract.
    mutating func fold(_ valid: ValidEntry, isHead: Bool = true) {
        let entry = valid.entry
        guard let place = entry.header.log else { return }
        if chains.chain(place.log) == nil, let topic = entry.header.topic {
            logsOfTopic[topic, default: []].append(place.log)
        }
        chains.apply(valid)
        // Proven before anything of the log was held.
        if place.sequence == 1, let proof = proofs[place.log] { chains.apply(proof) }
        countKept(entry)
        // Where anyone may come in, the first thing somebody says makes his key log an item, before it.
        if place.sequence == 1, let topic = entry.header.topic {
            retellKeys(of: [entry.header.author], in: topic)
        }
        if isHead { retell(place.log) }
        if isLine(place.log), !valid.ownSignatureChecked { vouched.insert(valid.id) }
        let base = base(of: place.log)
        if let forked = forkedAt[place.log], place.sequence >= forked {
            if entry.kind == .key { keyLogs.note(parted: valid) }
            lines[base]?.part(at: forked, in: place.log)
            if lines[base] != nil { keepBranch(entry, of: place.log) }
            guard let contract = contractOfLog[place.log], let fold = contracts[contract]?.fold,
                // A witness's log, or one that ends a contract, says nothing of the sequencer's.
                fold.writingLog == place.log
            else { return }
            if !isRuled(contract, forkedAt: forked) {
                contracts[contract]?.fold?.stop(forkedAt: forked)
            } else if entry.id == fold.takeover?.basisStep, !isRestoring {
                directives.append(.reload)
            }
            return
        }
        if entry.kind == .key {
            keyLogs.apply(valid)
        } else if entry.kind == .cut, place.sequence == 1 {
            fold(cut: entry)
        } else if let contract = contractOfLog[place.log] {
            if entry.kind == .receipt || entry.kind == .closed {
                foldTestimony(valid, in: contract)
            } else {
                foldStep(entry, in: contract)
                stopWhereForked(contract)
            }
        } else if let log = witnessed[place.log] {
            foldAsWitness(entry, of: log)
        } else if let topic = entry.header.topic, isAlliance(topic) {
            if isPublic(base, of: entry.header.author, topic) {
                foldPublic(entry, topic)
            } else if lines[base] != nil, topic == openedIn(base, of: entry.header.author) {
                foldLine(entry, base)
            } else {
                unopened[base, default: []].append(valid)
            }
        }
    }

    mutating func openLines(of author: DID, _ which: Range<Int>? = nil) {
        let openings = book[author]?.openings ?? []
        for opening in openings[which ?? openings.indices]
        where opening.clashesWith == nil && lines[opening.log] == nil {
            lines[opening.log] = LineLog(issuer: author, terms: opening.terms)
            // Opened before, above a fork of the public log, and now once more.
            for valid in unopened.removeValue(forKey: opening.log) ?? [] {
                foldLine(valid.entry, opening.log)
            }
        }
    }

    private mutating func foldLine(_ entry: Entry, _ base: LogID) {
        guard var line = lines[base] else { return }
        line.fold(entry, checker: checker)
        lines[base] = line
        if line.fault == nil, line.newerAt == nil {
            lines.keep(entry, of: base)
        }
        guard let total = line.line.total else { return }
        changes.append(
            .line(base, issuer: line.issuer, total: total, remaining: line.line.remaining))
    }

    /// Whether `log` may hold entries of `author` under `topic`, as far as this node can tell.
    func belongs(_ log: LogID, author: DID, topic: TopicID?) -> Bool {
        if let contract = contractOfLog[log] {
            let held = contracts[contract]
            guard let held, held.key.topic == topic else { return false }
            return log == .contract(contract, author: author)
                || log == .witness(of: held.log, author: author)
                || log == held.fold?.takeoverLog
                || log == Fold.settlementLog(of: author, held.proposal)
        }
        if let called = witnessed[log], let duty = witnessing[called] {
            return duty.topic == topic
                && (log == .contract(duty.terms.contract, author: author)
                    || log == .contract(duty.terms.contract, author: author, epoch: 1)
                    || log == .witness(of: called, author: author))
        }
        if let topic, keptTopics[topic] != nil { return mayKeep(log, of: author, in: topic) }
        guard let topic, isAlliance(topic) else { return false }
        if log == .publicLog(author: author, alliance: topic) { return true }
        // A line opened in two alliances has one log, and that is in the first.
        if let chain = chains.chain(log), chain.topic != topic { return false }
        return openedIn(log, of: author) == topic
            || baseOf[log] != nil && chains.chain(log)?.author == author
    }

    // MARK: - Entries from peers

    /// Checks and keeps a run of entries of one log, or one pushed entry.
    mutating func ingest(_ wire: [[UInt8]], run: Bool, from peer: PeerID) {
        var entries: [Entry] = []
        for bytes in wire {
            do { entries.append(try Entry(strict: bytes)) } catch {
                directives.append(.close(peer, "entry: \(error)"))
                return
            }
        }
        guard let first = entries.first, let place = first.header.log else { return }
        guard entries.allSatisfy({ $0.body != nil }), !superseding.contains(place.log) else {
            return
        }
        // Ahead of our clock: deferred, never refused for good.
        if let ahead = entries.firstIndex(where: {
            $0.header.time > now.advanced(by: futureSkewMilliseconds)
        }) {
            let time = entries[ahead].header.time.advanced(by: -futureSkewMilliseconds)
            let last = UInt64(place.sequence) + UInt64(entries.count) - 1
            entries.removeSubrange(ahead...)
            if !planted(.aheadDropped) { wait(for: place.log, upTo: last, peer, .time(time)) }
            if entries.isEmpty { return }
        }
        guard let entries = lawfulForNow(entries, place, from: peer) else { return }
        do {
            if first.kind == .key {
                guard mayKeepKeys(of: first.header.author, from: peer) else {
                    return wait(
                        for: place.log, upTo: UInt64(place.sequence) + UInt64(wire.count) - 1, peer,
                        .admission(first.header.author, nil))
                }
                try ingestKeys(entries, from: peer)
            } else {
                let (author, topic) = (first.header.author, first.header.topic)
                if isFull(topic, entries) {
                    connections[peer]?.session.gaveUp(on: place.log)
                    return
                }
                guard
                    belongs(place.log, author: author, topic: topic) || lawfulCut(first) != nil
                else {
                    return wait(
                        for: place.log, upTo: UInt64(place.sequence) + UInt64(wire.count) - 1, peer)
                }
                let admission = try chains.decide(
                    entries, keys: keyLogs, checker: checker,
                    anchored: entries.contains { $0.kind == .continue } ? anchored(place.log) : 0,
                    witnessed: witnessedHeight(entries, of: place.log),
                    adopting: first.header.author == own.did)
                switch admission {
                case .known: break
                case .superseded:
                    connections[peer]?.session.gaveUp(on: place.log)
                    return
                case .waits:
                    wait(
                        for: place.log, upTo: UInt64(place.sequence) + UInt64(wire.count) - 1, peer)
                    converse(peer) { $0.wantNewest(place.log) }
                    return
                case .supersedes(let valid):
                    guard let from = valid.first?.header.log?.sequence else { return }
                    // Another home of ours went on under a newer key. What we signed stays what we signed.
                    if author == own.did, let mine = chains.chain(place.log)?.id(at: from) {
                        let fork = Chains.Fork(sequence: from, held: mine, rival: valid[0].id)
                        found(fork, valid, in: place.log, from: peer)
                        connections[peer]?.session.gaveUp(on: place.log)
                        return
                    }
                    // Whoever changes his key in a thousand logs one by one makes nobody begin a thousand times.
                    if let later = readAnewAtOnce() {
                        connections[peer]?.session.gaveUp(on: place.log)
                        return wait(
                            for: place.log, from: UInt64(from),
                            upTo: UInt64(place.sequence) + UInt64(wire.count) - 1, peer,
                            .time(later))
                    }
                    superseding.insert(place.log)
                    changes.append(.superseded(place.log, from: from))
                    for entry in valid { changes.append(.entry(entry, own: false)) }
                    return
                case .extends(let valid):
                    let head = valid.last?.id
                    for entry in valid { take(entry, from: peer, isHead: entry.id == head) }
                    if first.header.author == own.did { adopted(place) }
                case .forks(let fork, let rival):
                    found(fork, rival, in: place.log, from: peer)
                    // Asking on for what stands on the rival would never end.
                    connections[peer]?.session.gaveUp(on: place.log)
                    return
                case .branches(let rival):
                    hold(rival, in: place.log, from: peer)
                    connections[peer]?.session.gaveUp(on: place.log)
                    return
                }
            }
        } catch {
            if case .gap = error, let newest = entries.last {
                // Its newest entry alone may tell what the entries below wait for.
                chains.note(above: newest, keys: keyLogs, checker: checker)
                retryWaiting()
            }
            // A range may end where the next entry alone vouches for it.
            if run, case .entry(.signatureWrong(let id)) = error, id == entries.last?.id,
                isCutShort(entries, from: peer)
            {
                if let signed = entries.lastIndex(where: isSignedItself) {
                    return ingest(entries[...signed].map(\.wire), run: true, from: peer)
                }
                // Who is busy answers in pieces this small, whoever wrote them: another time, then.
                connections[peer]?.session.gaveUp(on: place.log)
                return
            }
            return refuse(error, entries, place: place, from: peer)
        }
        report(place.log, to: peer)
        if isAlliance(first.header.topic) { retryWaiting() }
        retryProofs()
        if first.kind == .key { keysCame() }
        if let contract = contractOfLog[place.log] { advance(contract) }
        if let log = witnessed[place.log] { receiptSteps(of: log) }
        if isLine(place.log) { for id in contracts.awake.sorted() { advance(id) } }
    }

    private mutating func ingestKeys(_ entries: [Entry], from peer: PeerID) throws(LogRefusal) {
        for entry in entries {
            guard let place = entry.header.log else { continue }
            let mine = chains.chain(place.log)?.id(at: place.sequence)
            if mine == entry.id { continue }
            // What stands above a fork counts for nothing, and is not asked for again.
            if let forked = forkedAt[place.log], place.sequence >= forked {
                connections[peer]?.session.gaveUp(on: place.log)
                return
            }
            if let mine {
                let rival = try keyLogs.decide(rival: entry, checker: checker)
                found(
                    .init(sequence: place.sequence, held: mine, rival: entry.id), [rival],
                    in: place.log, from: peer)
                connections[peer]?.session.gaveUp(on: place.log)
                return
            }
            take(try keyLogs.decide(entry, checker: checker), from: peer)
            if entry.header.author == own.did, let place = entry.header.log { adopted(place) }
        }
    }

    private mutating func refuse(
        _ refusal: LogRefusal, _ run: [Entry], place: Header.LogPlace, from peer: PeerID
    ) {
        switch refusal {
        case .gap(let log, let held, let offered):
            converse(peer) {
                $0.missing(log, from: UInt64(held) + 1, to: UInt64(max(offered, held + 1)))
            }
        case .keyUnknown:
            wait(for: place.log, upTo: UInt64(place.sequence) + UInt64(run.count) - 1, peer)
        case .forkElsewhere(let log, let sequence):
            converse(peer) { $0.missing(log, from: 1, to: UInt64(sequence)) }
        case .chainBroken where place.sequence > 1:
            stepDown(run, place, from: peer)
        default:
            connections[peer]?.session.gaveUp(on: place.log)
            directives.append(.close(peer, "\(refusal)"))
        }
    }

    /// `from`: where what waits begins, if that is not above what is held.
    mutating func wait(
        for log: LogID, from: UInt64? = nil, upTo: UInt64, _ peer: PeerID,
        _ until: WaitingLog.Until = .another
    ) {
        if let known = waitingLogs.firstIndex(where: {
            $0.peer == peer && $0.log == log && $0.until == until
        }) {
            let last = waitingLogs[known].upTo
            waitingLogs[known].upTo = max(last, upTo)
            return
        }
        // Outsiders have a bound of their own: however many come, members' logs still find a place.
        // And in each, whoever named most makes room.
        let isOutside = until.isAdmission
        waitingLogs.append(
            WaitingLog(peer: peer, log: log, from: from, upTo: upTo, until: until))
        let same = waitingLogs.indices.filter { waitingLogs[$0].until.isAdmission == isOutside }
        guard same.count > (isOutside ? outsidersMax : waitingMax) else { return }
        waitingLogs.remove(at: same[heaviest(same.map { waitingLogs[$0].peer })])
    }

    mutating func retryWaiting(ofTimeOnly: Bool = false) {
        func isDue(_ waiting: WaitingLog) -> Bool {
            switch waiting.until {
            case .another: !ofTimeOnly
            case .time(let time): time <= now
            case .admission(let did, nil):
                !ofTimeOnly && mayKeepKeys(of: did, from: waiting.peer)
            case .admission(let did, let topic): !ofTimeOnly && isKnown(did, in: topic)
            }
        }
        let all = waitingLogs.filter(isDue)
        if all.isEmpty { return }
        waitingLogs = waitingLogs.filter { !isDue($0) }
        for waiting in all {
            let next = UInt64(chains.head(waiting.log)) + 1
            let from = min(waiting.from ?? next, next)
            guard from <= waiting.upTo else { continue }
            converse(waiting.peer) { $0.missing(waiting.log, from: from, to: waiting.upTo) }
        }
    }

    /// Tells the session how far a log came, so that the rest is asked for.
    private mutating func report(_ log: LogID, to peer: PeerID) {
        let head = UInt64(chains.head(log))
        converse(peer) { $0.took(log, head: head) }
    }

    /// Own entries came from a peer: this home is an old copy, and they are never signed again.
    mutating func adopted(_ place: Header.LogPlace) {
        noticeOldCopy(.peerAhead(place.log, sequence: place.sequence))
        settleRecovery()
    }

    private mutating func announce(_ valid: ValidEntry, from source: PeerID?) {
        let entry = valid.entry
        guard let place = entry.header.log else { return }
        let topics = planted(.topicLeak) ? [alliance.topic] : topics(of: entry)
        if place.sequence == 1, let topic = entry.header.topic, isAlliance(topic) {
            announceKeys(of: entry.header.author, in: topic, from: source)
        }
        // Alone it may be refused, and the connection with it. Whoever is told of the one that vouches for
        // it misses those below, and asks for them together.
        guard valid.ownSignatureChecked else { return }
        if let topic = entry.header.topic, livePush.trees[topic] != nil {
            push(entry, place, in: topic, from: source)
        }
        announce(entry, place, in: topics, from: source)
    }

    private mutating func announce(
        _ entry: Entry, _ place: Header.LogPlace, in topics: [TopicID], from source: PeerID?
    ) {
        // Along trees it is on its way already.
        let tree = entry.header.topic.flatMap { livePush.trees[$0] }
        let others = connections.keys.filter { $0 != source && tree?.isLinked($0) != true }.sorted()
        if others.isEmpty { return }
        let wire = entry.wire
        let head = Message.Head(
            log: place.log, sequence: UInt64(place.sequence), id: entry.id)
        for id in others {
            converse(id) { $0.added(wire, head, in: topics) }
        }
    }

    /// An author begins to take part in an alliance: whoever shares it needs its keys first.
    mutating func announceKeys(of author: DID, in topic: TopicID, from source: PeerID?) {
        for entry in keyLogs.log(of: author) {
            guard let place = entry.header.log else { continue }
            announce(entry, place, in: [topic], from: source)
        }
    }
}

extension Node.WaitingLog.Until {
    var isAdmission: Bool { if case .admission = self { true } else { false } }
}

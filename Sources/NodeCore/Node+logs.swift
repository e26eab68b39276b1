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

extension Node {
    /// Signs and keeps the next entry of one of our own logs.
    @discardableResult
    mutating func append(
        _ kind: Entries.Kind, body: (Header.LogPlace) throws(EntryRefusal) -> [UInt8],
        to log: LogID,
        topic: TopicID?
    ) throws(NodeRefusal) -> ValidEntry {
        let chain = chains.chain(log)
        let head = chain?.head ?? 0
        let place = Header.LogPlace(log: log, sequence: head + 1, previous: chain?.id(at: head))
        do {
            let bytes = try body(place)
            let header = Header(
                kind: kind.rawValue, author: own.did, key: own.keyEntry, topic: topic,
                time: max(now, chain?.newestTime ?? .earliest), bodyHash: SHA256.hash(bytes),
                bodySize: Int64(bytes.count), place: .log(place))
            let valid = try ValidEntry(signing: header, body: bytes, by: own.key)
            take(valid, from: nil)
            return valid
        } catch {
            throw .entry(error)
        }
    }

    @discardableResult
    mutating func append<Body: EntryBody>(_ body: Body, to log: LogID)
        throws(NodeRefusal) -> ValidEntry
    {
        try append(
            Body.kind, body: { _ throws(EntryRefusal) in body.wire }, to: log,
            topic: alliance.topic)
    }

    /// Keeps a valid new entry at the end of its log, tells what it means, and passes it on.
    mutating func take(_ valid: ValidEntry, from peer: PeerID?) {
        changes.append(.entry(valid, own: valid.header.author == own.did))
        fold(valid)
        announce(valid.entry, from: peer)
    }

    /// The entry's meaning: chain, keys, book, line, contract.
    mutating func fold(_ valid: ValidEntry) {
        let entry = valid.entry
        guard let place = entry.header.log else { return }
        if chains.chain(place.log) == nil {
            logsOfTopic[entry.header.topic ?? alliance.topic, default: []].append(place.log)
        }
        chains.apply(valid)
        if let forked = forkedAt[place.log], place.sequence >= forked {
            if let contract = contractOfLog[place.log] {
                contracts[contract]?.fold?.stop(forkedAt: forked)
            }
            return
        }
        if entry.kind == .key {
            keyLogs.apply(valid)
        } else if let contract = contractOfLog[place.log] {
            foldStep(entry, in: contract)
        } else if place.log == .publicLog(author: entry.header.author, alliance: alliance.topic) {
            book.fold(entry)
            if entry.kind == .lineOpening { openLines(of: entry.header.author) }
        } else if var line = lines[place.log] {
            line.fold(entry, checker: checker)
            lines[place.log] = line
            if line.fault == nil { lineEntries[place.log, default: []].append(entry) }
            if let total = line.line.total {
                changes.append(
                    .line(
                        place.log, issuer: line.issuer, total: total,
                        remaining: line.line.remaining))
            }
        }
    }

    private mutating func openLines(of author: DID) {
        for opening in book[author]?.openings ?? []
        where opening.clashesWith == nil && lines[opening.log] == nil {
            lines[opening.log] = LineLog(issuer: author, terms: opening.terms)
        }
    }

    /// Whether `log` may hold entries of `author` under `topic`, as far as this node can tell.
    private func belongs(_ entry: Entry) -> Bool {
        guard let place = entry.header.log else { return false }
        let author = entry.header.author
        if let contract = contractOfLog[place.log] {
            let held = contracts[contract]
            return held?.key.topic == entry.header.topic && held?.proposal.sequencer == author
        }
        guard entry.header.topic == alliance.topic else { return false }
        return place.log == .publicLog(author: author, alliance: alliance.topic)
            || book[author]?.opening(of: place.log) != nil
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
        guard entries.allSatisfy({ $0.body != nil }) else { return }
        // Ahead of our clock: deferred, never refused for good.
        if let ahead = entries.firstIndex(where: {
            $0.header.time > now.advanced(by: futureSkewMilliseconds)
        }) {
            let time = entries[ahead].header.time.advanced(by: -futureSkewMilliseconds)
            let last = UInt64(place.sequence) + UInt64(entries.count) - 1
            entries.removeSubrange(ahead...)
            wait(for: place.log, upTo: last, peer, ahead: time)
            if entries.isEmpty { return }
        }
        do {
            if first.kind == .key {
                try ingestKeys(entries, from: peer)
            } else {
                guard belongs(first) else {
                    return wait(
                        for: place.log, upTo: UInt64(place.sequence) + UInt64(wire.count) - 1, peer)
                }
                switch try chains.decide(entries, keys: keyLogs, checker: checker) {
                case .known: break
                case .extends(let valid):
                    if let first = valid.first, first.header.author == own.did {
                        restoreNoticed(first)
                    }
                    for entry in valid { take(entry, from: peer) }
                case .forks(let fork, let rival):
                    // Any one proof is enough, and the lowest sequence counts: what is known says nothing.
                    let known = chains.chain(place.log)?.fork?.sequence
                    if known.map({ fork.sequence < $0 }) ?? true {
                        for entry in rival { changes.append(.rival(entry)) }
                        changes.append(.fork(place.log, fork))
                        chains.apply(fork, in: place.log)
                        directives.append(.reload)
                    }
                    // One proof is enough: asking on for what stands on the rival would never end.
                    connections[peer]?.session.gaveUp(on: place.log)
                    return
                }
            }
        } catch {
            return refuse(error, place: place, count: entries.count, from: peer)
        }
        report(place.log, to: peer)
        if first.kind == .key || first.header.topic == alliance.topic { retryWaiting() }
        if first.kind == .key {
            resumeFolds()
            retryStatements()
        }
        if let contract = contractOfLog[place.log] { advance(contract) }
        if lines[place.log] != nil { for id in contracts.keys.sorted() { advance(id) } }
    }

    private mutating func ingestKeys(_ entries: [Entry], from peer: PeerID) throws(LogRefusal) {
        for entry in entries {
            if let place = entry.header.log,
                chains.chain(place.log)?.id(at: place.sequence) == entry.id
            {
                continue
            }
            take(try keyLogs.decide(entry, checker: checker), from: peer)
        }
    }

    private mutating func refuse(
        _ refusal: LogRefusal, place: Header.LogPlace, count: Int, from peer: PeerID
    ) {
        switch refusal {
        case .gap(let log, let held, let offered):
            converse(peer) {
                $0.missing(log, from: UInt64(held) + 1, to: UInt64(max(offered, held + 1)))
            }
        case .keyUnknown:
            wait(for: place.log, upTo: UInt64(place.sequence) + UInt64(count) - 1, peer)
        case .chainBroken where place.sequence > 1:
            // The rival branch forked further down: ask from the start of what may differ.
            let from = UInt64(max(1, place.sequence - 64))
            converse(peer) { $0.missing(place.log, from: from, to: UInt64(place.sequence)) }
        default:
            connections[peer]?.session.gaveUp(on: place.log)
            directives.append(.close(peer, "\(refusal)"))
        }
    }

    private mutating func wait(
        for log: LogID, upTo: UInt64, _ peer: PeerID, ahead: Instant? = nil
    ) {
        guard waitingLogs.count < waitingMax else { return }
        let waiting = WaitingLog(peer: peer, log: log, upTo: upTo, ahead: ahead)
        if !waitingLogs.contains(waiting) { waitingLogs.append(waiting) }
    }

    mutating func retryWaiting(ofTimeOnly: Bool = false) {
        func isDue(_ waiting: WaitingLog) -> Bool {
            waiting.ahead.map { $0 <= now } ?? !ofTimeOnly
        }
        let all = waitingLogs.filter(isDue)
        waitingLogs.removeAll(where: isDue)
        for waiting in all {
            let from = UInt64(chains.head(waiting.log)) + 1
            guard from <= waiting.upTo else { continue }
            converse(waiting.peer) { $0.missing(waiting.log, from: from, to: waiting.upTo) }
        }
    }

    /// Tells the session how far a log came, so that the rest is asked for.
    private mutating func report(_ log: LogID, to peer: PeerID) {
        let head = UInt64(chains.head(log))
        converse(peer) { $0.took(log, head: head) }
    }

    private mutating func restoreNoticed(_ valid: ValidEntry) {
        guard readOnly == nil, let place = valid.header.log else { return }
        readOnly = .peerAhead(place.log, sequence: place.sequence)
    }

    mutating func announce(_ entry: Entry, from source: PeerID?) {
        guard let place = entry.header.log else { return }
        let wire = entry.wire
        let head = Message.Head(
            log: place.log, sequence: UInt64(place.sequence), id: entry.id)
        for id in connections.keys.sorted() where id != source {
            let topic = entry.header.topic ?? alliance.topic
            converse(id) { $0.added(wire, head, in: [topic]) }
        }
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
internal import Market
internal import Replication

// Keys that change: our own, rotated with the recovery code, and those of others, which a connection may
// have to bring along before it can be believed.

extension Node {
    // MARK: - Our own

    /// The key of the next rotation, and the one after it, as the recovery code gives them.
    public mutating func rotate(with code: RecoveryCode, reason: String = "") throws(NodeRefusal) {
        let next = UInt32(clamping: keyLogs.entries(of: own.did).count + 1)
        try rotate(
            to: code.nextKey(index: next), then: code.nextKey(index: next + 1).publicKey,
            reason: reason)
    }

    /// Brings in the key that the newest key entry committed to, commits to the one after it, and goes
    /// on under it in every own log. Who has only today's key cannot do this: the next one derives from
    /// the recovery code.
    public mutating func rotate(to key: SigningKey, then next: PublicKey, reason: String = "")
        throws(NodeRefusal)
    {
        try checkClock()
        let log = LogID.key(author: own.did)
        try checkMaySign(in: log)
        guard let last = keyLogs.inForce(own.did), last.nextKeyHash == .nextKey(key.publicKey)
        else { throw .recoveryCodeWrong(rotations: keyLogs.entries(of: own.did).count - 1) }
        guard reason.utf8.count <= EntryLimit.textBytes else {
            throw .entry(
                .tooLarge(what: "reason", bytes: reason.utf8.count, limit: EntryLimit.textBytes))
        }
        let entry: ValidEntry
        do {
            entry = try KeyBody(publicKey: key.publicKey, nextKeyHash: .nextKey(next)).signed(
                by: key, of: own.did, sequence: chains.head(log) + 1, after: last.id,
                at: max(now, last.time, requestedUntil))
        } catch {
            throw .entry(error)
        }
        own = own.signing(with: key, broughtInBy: entry.id)
        changes.append(.ownKey(key))
        take(entry, from: nil)
        readOnly = nil
        goOnUnderNewKey(because: reason)
        acceptAnew()
        cancelUnheard()
    }

    /// After what M witnesses had of our requests: by a clock that is behind theirs it would be before.
    private var requestedUntil: Instant {
        contracts.values.filter { $0.isWitnessed && !$0.isOver }.flatMap { held in
            held.requests.values.filter { $0.entry.header.author == own.did }
                .compactMap { held.receipts(of: $0.entry.id).last?.header.time }
        }.max()?.advanced(by: 1) ?? .earliest
    }

    /// What we proposed and not all have heard: who hears of the change first takes no proposal under the old
    /// key, and whoever accepted answers that very one. Its owner is told, and may propose anew.
    private mutating func cancelUnheard() {
        for (id, held) in sorted(contracts)
        where held.proposalEntry.header.author == own.did && held.declined == nil
            && held.fold?.isSequenced != true
            && outbox.keys.contains(where: { $0.statement == held.proposalEntry.id })
        {
            try? decline(id)
        }
    }

    /// Acceptances that may still be on their way are said under the new key: whoever hears of the change first
    /// takes none under the old one, and nobody accepts one thing twice. So are refusals, and what we know of
    /// clocks that run.
    private mutating func acceptAnew() {
        let waiting = outbox.values.filter {
            [.acceptance, .refusal, .acknowledgement].contains($0.statement.kind)
                && isOutOfForce($0.statement)
        }.sorted { $0.key < $1.key }
        var said: [EntryID: ValidEntry] = [:]
        for item in waiting {
            let old = item.statement
            guard let kind = old.kind, let body = old.body, let place = old.header.statement,
                let topic = old.header.topic,
                let fresh = said[old.id] ?? (try? sign(kind, body, topic: topic, place: place))
            else { continue }
            if said[old.id] == nil {
                said[old.id] = fresh
                let contract = place.about.flatMap { contractOfLog[$0] }
                changes.append(.statement(fresh, contract: contract))
                statementsSeen.insert(fresh.id)
                if let contract {
                    if kind != .acknowledgement {
                        contracts[contract]?.statementCounts[own.did, default: 0] += 1
                    }
                    keep(fresh.entry, contract: contract, key: nil)
                }
            }
            settle(item.key)
            send(fresh.entry, to: item.recipient, contractKey: item.contractKey)
        }
    }

    /// One `continue` in each own log that still ends under an older key, as far as it may be signed. Why, is
    /// said in public.
    mutating func goOnUnderNewKey(because reason: String = "") {
        if planted(.continueForgotten) { return }
        for log in chains.logs where needsContinue(log) {
            guard let topic = chains.chain(log)?.topic else { continue }
            let isPublic = isPublic(base(of: log), of: own.did, topic)
            try? goOn(log, topic, because: isPublic ? reason : "")
        }
    }

    func needsContinue(_ log: LogID) -> Bool {
        guard let chain = chains.chain(log), chain.author == own.did, let key = chain.keys.last?.key
        else { return false }
        return key != own.keyEntry && chain.fork == nil
    }

    /// The entry that lets `log` go on under the key in force.
    mutating func goOn(_ log: LogID, _ topic: TopicID, because reason: String = "")
        throws(NodeRefusal)
    {
        guard let from = chains.chain(log)?.keys.last?.key else { return }
        try append(
            .continue,
            body: { _ throws(EntryRefusal) in Continue(from: from, reason: reason).wire }, to: log,
            topic: topic)
    }

    // MARK: - Others'

    /// The highest sequence of a contract's log that somebody other than its sequencer acknowledged or
    /// named as basis, or that M witnesses receipted: no `continue` takes its place, or a lower one. A
    /// witness goes by its own word alone: it says one thing of each place.
    func anchored(_ log: LogID) -> Int64 {
        let chain = chains.chain(log)
        func isHeld(_ place: WitnessLog.Place) -> Bool { chain?.id(at: place.sequence) == place.id }
        if let duty = witnessed[log].flatMap({ witnessing[$0] }) {
            return duty.said.highest(in: log, where: isHeld)
        }
        guard let id = contractOfLog[log], let held = contracts[id], let fold = held.fold else {
            return 0
        }
        let sequencer = held.proposal.sequencer
        var relied: Set<EntryID> = []
        for entry in held.acknowledgements where entry.header.author != sequencer {
            if let body = try? entry.read(Acknowledgement.self) { relied.insert(body.entry) }
        }
        for request in held.requests.values where request.entry.header.author != sequencer {
            if let basis = request.entry.header.statement?.basis { relied.insert(basis) }
        }
        relied.formUnion(fold.bases)
        let last = fold.steps.last { $0.log == log && relied.contains($0.id) }
        return max(last?.logSequence ?? 0, held.witnessedHeight(of: log, where: isHeld))
    }

    /// The highest sequence of `run` that M witnesses receipted, whatever is held beside it.
    func witnessedHeight(_ run: [Entry], of log: LogID) -> Int64 {
        // Only what a `continue` would take the place of.
        guard let chain = chains.chain(log), chain.keys.count > 1,
            let held = contractOfLog[log].flatMap({ contracts[$0] })
        else { return 0 }
        let ids = Set(run.map(\.id))
        return held.witnessedHeight(of: log) {
            ids.contains($0.id) || chain.rivals[$0.id] != nil
        }
    }

    /// Witnesses spoke of a contract: where M of them hold what a `continue` took the place of, that was
    /// no change of key but a second history.
    mutating func lookForTakenBack(in id: ContractID) {
        guard !isRestoring, let held = contracts[id], let log = held.fold?.log,
            let chain = chains.chain(log), chain.keys.count > 1
        else { return }
        let height = held.witnessedHeight(of: log) { chain.rivals[$0.id] != nil }
        let lowest = chain.rivals.filter { _, rival in
            rival.sequence <= height && rival.previous == chain.id(at: rival.sequence - 1)
                && chain.id(at: rival.sequence) != nil
        }.min { ($0.value.sequence, $0.key) < ($1.value.sequence, $1.key) }
        if let (rival, place) = lowest, let mine = chain.id(at: place.sequence) {
            guard forkedAt[log].map({ $0 > place.sequence }) ?? true else { return }
            let fork = Chains.Fork(sequence: place.sequence, held: mine, rival: rival)
            changes.append(.fork(log, fork))
            forkedAt[log] = fork.sequence
            chains.apply(fork, in: log)
            retell(log)
            directives.append(.reload)
            return
        }
        // What they hold is not here: it is asked for.
        let other = held.witnessedHeight(of: log) { place in
            chain.id(at: place.sequence).map { $0 != place.id } ?? false
        }
        guard other > 0, let from = chain.keys.last?.from, from <= other else { return }
        for peer in connections.keys.sorted() {
            converse(peer) { $0.missing(log, from: UInt64(from), to: UInt64(other)) }
        }
    }

    /// More of what a `continue` took the place of: kept as far as M witnesses hold it.
    mutating func holdTakenBack(_ rival: [ValidEntry], in log: LogID) {
        guard let contract = contractOfLog[log] else { return }
        let height = witnessedHeight(rival.map(\.entry), of: log)
        for valid in rival {
            guard let place = valid.header.log, place.sequence <= height,
                let chain = chains.chain(log), chain.rivals[valid.id] == nil,
                chain.rivals.count < branchEntriesMax
            else { continue }
            changes.append(.rival(valid))
            chains.apply(rival: valid)
        }
        lookForTakenBack(in: contract)
    }

    /// Key entries of `author` that a contract's steps have not embedded yet.
    func keysToEmbed(_ fold: Fold) -> [Entry] {
        fold.participants.flatMap { author in
            let first = keyLogs.entries(of: author).first?.id
            return keyLogs.log(of: author) { $0 != first && !fold.embeddedKeys.contains($0) }
        }
    }

    /// Whether a statement was signed under a key that its author has replaced since. `time`: when M
    /// witnesses had it, which nobody can make earlier than it was.
    func isOutOfForce(_ entry: Entry, at time: Instant? = nil) -> Bool {
        let author = entry.header.author
        guard let key = entry.header.key, let inForce = keyLogs.inForce(author), key != inForce.id
        else { return false }
        guard let time, let age = keyLogs.age(author, key) else { return true }
        // Ages count from 1: it is the place of the entry that replaced it.
        return keyLogs.entries(of: author)[age...].first.map { time >= $0.replacesFrom } ?? true
    }

    // MARK: - At the handshake

    public var ownKeys: [[UInt8]] {
        let mine = keyLogs.entries(of: own.did)
        return mine.count > 1 ? mine.map(\.wire) : []
    }

    /// The peer's own key entries: news if it rotated while we were away.
    mutating func receive(keys wires: [[UInt8]], from id: PeerID) {
        guard let connection = connections[id] else { return }
        // A stranger proves its key by them and no more: what is of nobody whom we know is not kept.
        let isKept = isNamed(connection.did)
        var known = keyLogs
        for wire in wires {
            guard let entry = try? Entry(strict: wire), entry.kind == .key, entry.body != nil,
                entry.header.author == connection.did
            else { return directives.append(.close(id, "keys that are not the peer's own")) }
            guard known.age(connection.did, entry.id) == nil else { continue }
            guard !isAboveFork(entry),
                entry.header.time <= now.advanced(by: futureSkewMilliseconds),
                let valid = try? known.decide(entry, checker: checker)
            else { break }
            known.apply(valid)
            if isKept { take(valid, from: id) }
        }
        if isKept { keysCame() }
        prove(id, by: known)
    }

    /// Key entries at or above the place where their log parts count for nothing, though one may be held.
    func isAboveFork(_ key: Entry) -> Bool {
        guard let place = key.header.log, let forked = forkedAt[place.log] else { return false }
        return place.sequence >= forked
    }

    /// Where anyone may come in nobody is named: then whoever brings the keys shares that alliance, or they
    /// come in a file.
    func mayKeepKeys(of did: DID, from peer: PeerID) -> Bool {
        if did == own.did || isNamed(did) { return true }
        guard let shared = connections[peer]?.session.shared else { return isKnown(did, in: nil) }
        return shared.contains { memberships[$0].map { !$0.isOutsider(did) } ?? false }
    }

    /// Somebody of whom more is known here than that he came: a member by name, or one whose keys are held.
    private func isNamed(_ did: DID) -> Bool {
        keyLogs.knows(did) || namedIn.values.contains { $0.contains(did) }
            || memberships.values.contains { $0.isNamed(did) }
    }

    /// What waited for a key may go on.
    mutating func keysCame() {
        takeReturned()
        retryWaiting()
        resumeFolds()
        retryStatements()
        checkOwnKey()
    }

    /// Whether the key that the connection's certificate names is in force, as far as is known here;
    /// `nil` where the key entry is news.
    func isInForce(
        _ did: DID, _ keyEntry: EntryID, _ key: PublicKey, by known: KeyLogs? = nil
    ) -> Bool? {
        let known = known ?? keyLogs
        guard let inForce = known.inForce(did) else {
            // A first key is its own proof, as long as no later one is known.
            return PublicKey(did) == key ? true : nil
        }
        if inForce.id == keyEntry { return inForce.key == key }
        return known.age(did, keyEntry) == nil ? nil : false
    }

    /// Ends a connection whose key is still not known to be in force, and begins with one whose is.
    private mutating func prove(_ id: PeerID, by known: KeyLogs) {
        guard let connection = connections[id], !connection.isProven else { return }
        guard
            isInForce(connection.did, connection.keyEntry, connection.key, by: known) == true
        else {
            directives.append(.close(id, "the peer's key is not the one in force"))
            return
        }
        connections[id]?.isProven = true
        directives.append(.believe(id))
        if connection.session.isEstablished { proven(id) }
    }

    /// Our own key log went further than the key we hold: another device, or a newer copy, rotated.
    mutating func checkOwnKey() {
        guard own.holdsKey, let inForce = keyLogs.inForce(own.did),
            inForce.key != own.key.publicKey
        else { return }
        readOnly = .keyReplaced
    }
}

extension KeyBody {
    /// A key entry, signed by the key that it brings in.
    func signed(
        by key: SigningKey, of author: DID, sequence: Int64, after previous: EntryID?,
        at time: Instant
    ) throws(EntryRefusal) -> ValidEntry {
        let bytes = wire
        return try ValidEntry(
            signing: Header(
                kind: Kind.key.rawValue, author: author, key: nil, topic: nil, time: time,
                bodyHash: SHA256.hash(bytes), bodySize: Int64(bytes.count),
                place: .log(
                    .init(log: .key(author: author), sequence: sequence, previous: previous))),
            body: bytes, by: key)
    }
}

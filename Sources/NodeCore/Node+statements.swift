internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs

/// How long a statement is offered to its recipient where nothing shorter is due: 30 days.
let statementLifeMilliseconds: Int64 = 30 * 86_400_000

/// How many statements of one identity are kept about a contract with so many steps: room for what is
/// asked and agreed to, and for some that came to nothing.
func statementsMax(steps: Int64) -> Int {
    Int(clamping: min(steps, 1_000_000)) * 8 + 256
}

/// How much of what waits for somebody is said over one connection within a tick: a part of what may wait for
/// it, or the connection would end, and the next one alike.
let handedBytesMax = 512 * 1024

extension OutboxItem {
    /// About as many bytes as it is on the wire.
    var size: Int { statement.wire.count + 256 }

    public var key: Node.OutboxKey {
        Node.OutboxKey(statement: statement.id, recipient: recipient)
    }
}

extension Node {
    // MARK: - Sending

    /// Signs a statement about `contract` and puts it into the outbox for `recipients`.
    @discardableResult
    mutating func say<Body: EntryBody>(
        _ body: Body, about contract: HeldContract, to recipients: [DID], expires: Instant,
        basis: EntryID? = nil, versions: [RecordVersion] = [], withKey: Bool = false
    ) throws(NodeRefusal) -> Entry {
        try say(
            Body.kind, body.wire, about: contract, to: recipients, expires: expires, basis: basis,
            versions: versions, withKey: withKey)
    }

    @discardableResult
    mutating func say(
        _ kind: Entries.Kind, _ body: [UInt8], about contract: HeldContract, to recipients: [DID],
        expires: Instant, basis: EntryID? = nil, versions: [RecordVersion] = [],
        withKey: Bool = false
    ) throws(NodeRefusal) -> Entry {
        // The others would not keep it either.
        let isCounted = kind != .acknowledgement
        if isCounted, let held = contracts[contract.id], !held.mayHear(own.did) {
            throw .tooManyStatements(held.id, held.statementCounts[own.did] ?? 0)
        }
        let entry = try sign(
            kind, body, topic: contract.key.topic,
            place: .init(expires: expires, about: contract.log, basis: basis, versions: versions))
        if isCounted { contracts[contract.id]?.statementCounts[own.did, default: 0] += 1 }
        if !planted(.statementUnkept) {
            changes.append(.statement(entry, contract: contract.id))
        }
        statementsSeen.insert(entry.id)
        for recipient in recipients where recipient != own.did {
            send(entry.entry, to: recipient, contractKey: withKey ? contract.key.bytes : nil)
        }
        return entry.entry
    }

    func sign<Body: EntryBody>(
        _ body: Body, topic: TopicID, place: Header.StatementPlace
    ) throws(NodeRefusal) -> ValidEntry {
        try sign(Body.kind, body.wire, topic: topic, place: place)
    }

    func sign(
        _ kind: Entries.Kind, _ bytes: [UInt8], topic: TopicID, place: Header.StatementPlace
    ) throws(NodeRefusal) -> ValidEntry {
        let header = Header(
            kind: kind.rawValue, author: own.did, key: own.keyEntry, topic: topic, time: now,
            bodyHash: SHA256.hash(bytes), bodySize: Int64(bytes.count), place: .statement(place))
        do { return try ValidEntry(signing: header, body: bytes, by: own.key) } catch {
            throw .entry(error)
        }
    }

    /// Offered until it expires, or longer where it is worth something as evidence.
    mutating func send(
        _ statement: Entry, to recipient: DID, contractKey: [UInt8]?, expires: Instant? = nil
    ) {
        let item = OutboxItem(
            statement: statement, recipient: recipient, contractKey: contractKey,
            expires: max(expires ?? .earliest, statement.header.statement?.expires ?? now))
        outbox[OutboxKey(statement: statement.id, recipient: recipient)] = item
        if !planted(.outboxUnkept) { changes.append(.outbox(item)) }
        if let peer = connection(to: recipient) {
            hand(item, to: peer)
        } else {
            deposit(item)
        }
    }

    /// Hands an item to a live connection. TCP repeats what is lost, but not what the other side found no
    /// room for, nor what went into a connection that was over already: as long as nobody answers it is
    /// said again, after ever longer pauses.
    mutating func hand(_ item: OutboxItem, to peer: PeerID) {
        guard let did = connections[peer]?.did else { return }
        var repetition =
            connections[peer]?.handed[item.statement.id] ?? Repetition(first: 10_000)
        guard repetition.isDue(at: now), mayHand(item, to: peer) else { return }
        // Nobody answers these: each new connection begins anew.
        if item.statement.kind == .acknowledgement {
            repetition.rest()
        } else {
            repetition.wait(from: now)
        }
        if outbox[item.key] != nil { connections[peer]?.handed[item.statement.id] = repetition }
        let key = keyLogs.inForce(did)?.key ?? connections[peer]?.key
        guard let key else { return }
        directives.append(.deliver(peer, sealed(item), key: key))
    }

    /// Whether it still goes over this connection now; an acknowledgement, which is not kept, always does.
    mutating func mayHand(_ item: OutboxItem, to peer: PeerID) -> Bool {
        let before = connections[peer]?.handedBytes ?? 0
        let isFirst = before == 0 || item.statement.kind == .acknowledgement
        guard isFirst || before + item.size <= handedBytesMax else { return false }
        connections[peer]?.handedBytes += item.size
        return true
    }

    /// Everything that waits, to whoever is here; for those who are away it is left with our hubs.
    mutating func offerOutbox() {
        guard !outbox.isEmpty else { return }
        var peers: [DID: PeerID] = [:]
        for (id, connection) in sorted(connections) where connection.stands {
            peers[connection.did] = id
        }
        let mayDeposit = !ourHubs.isEmpty
        let due = outbox.filter { key, _ in
            guard let peer = peers[key.recipient] else { return mayDeposit }
            return connections[peer]?.handed[key.statement]?.isDue(at: now) ?? true
        }
        for (key, item) in sorted(due) {
            guard let peer = peers[key.recipient] else {
                deposit(item)
                continue
            }
            if !planted(.outboxNotResent) { hand(item, to: peer) }
        }
    }

    /// What its recipients are not known to hold. A word that we know of a step is said over each connection
    /// while that step's clock runs, and nobody answers it: it is not among these.
    public var undelivered: [OutboxItem] {
        outbox.values.filter { $0.statement.kind != .acknowledgement }.sorted { $0.key < $1.key }
    }

    /// The recipient is known to hold it.
    mutating func settle(_ key: OutboxKey) {
        guard outbox.removeValue(forKey: key) != nil else { return }
        if planted(.deliveryUnkept) { return }
        changes.append(.delivered(key.statement, to: key.recipient))
    }

    mutating func settle(_ statement: EntryID) {
        for key in outbox.keys.sorted() where key.statement == statement { settle(key) }
    }

    // MARK: - Receiving

    mutating func receive(sealed bytes: [UInt8], from peer: PeerID) {
        guard let plain = own.key.open(bytes), let sealed = try? Sealed(strict: plain) else {
            directives.append(.close(peer, "a sealed box that does not open"))
            return
        }
        receive(sealed, from: connections[peer]?.did)
        // Forwarded by a witness: whoever brought it is told as well as its author.
        if let bearer = connections[peer]?.did, bearer != sealed.statement.header.author,
            statementsSeen.contains(sealed.statement.id)
        {
            acknowledge(sealed.statement, to: bearer)
        }
    }

    /// Takes what waited and need wait no more; what expired meanwhile is let go. The rest costs no look
    /// at its signature: a peer could make us check a thousand of them at every tick.
    mutating func retryStatements() {
        let all = waitingStatements
        waitingStatements = []
        // What a witness is told again, whose home was lost, is over for everybody else.
        for one in all
        where one.sealed.witnessTerms != nil
            || now <= one.sealed.statement.header.statement?.expires ?? .earliest
        {
            if isReady(one.sealed.statement) {
                receive(one.sealed, from: one.bearer)
            } else {
                waitingStatements.append(one)
            }
        }
    }

    /// Its author's key, its time and the contract that it is about have come.
    private func isReady(_ entry: Entry) -> Bool {
        if entry.kind == .joining { return isReady(joining: entry) }
        guard let keyID = entry.header.key, keyLogs.key(entry.header.author, keyID) != nil,
            entry.header.time <= now.advanced(by: futureSkewMilliseconds)
        else { return false }
        guard entry.kind != .proposal, let about = entry.header.statement?.about else {
            return true
        }
        if let duty = witnessing[about] { return isReady(entry, for: duty) }
        return contractOfLog[about] != nil
    }

    /// Waits in memory for a key, a contract or its time. Where there is no room, whoever brought most of
    /// what waits makes some.
    mutating func wait(for sealed: Sealed, from bearer: DID?) {
        unkept = sealed.statement.id
        guard !waitingStatements.contains(where: { $0.sealed.statement.id == unkept }) else {
            return
        }
        waitingStatements.append(WaitingStatement(sealed: sealed, bearer: bearer))
        guard waitingStatements.count > waitingMax, !planted(.waitingUnbounded) else { return }
        waitingStatements.remove(at: heaviest(waitingStatements.map(\.bearer)))
    }

    /// False: it may be worth something later, and is not kept.
    @discardableResult
    mutating func receive(_ sealed: Sealed, from bearer: DID? = nil) -> Bool {
        unkept = nil
        take(sealed, from: bearer)
        return unkept != sealed.statement.id
    }

    private mutating func take(_ sealed: Sealed, from bearer: DID?) {
        let entry = sealed.statement
        guard entry.header.statement != nil, entry.header.author != own.did,
            let keyID = entry.header.key
        else { return }
        if entry.kind == .joining { return receive(joining: entry, from: bearer) }
        guard let key = keyLogs.key(entry.header.author, keyID),
            entry.header.time <= now.advanced(by: futureSkewMilliseconds)
        else { return wait(for: sealed, from: bearer) }
        if statementsSeen.contains(entry.id) {
            // Our acknowledgement may have been lost with its connection: say it again.
            return acknowledge(entry, to: entry.header.author)
        }
        guard let valid = try? ValidEntry(entry, byCheckedKey: key, checker: checker) else {
            return
        }
        // Whoever still signs so after the change may have stolen the key. A request is answered; what its
        // author meant before the change is said again under the new key.
        if isOutOfForce(entry), !planted(.oldKeyTaken),
            [.proposal, .acceptance, .refusal, .acknowledgement].contains(entry.kind)
        {
            return
        }
        if let terms = sealed.witnessTerms {
            return receiveWitnessTerms(terms, of: valid)
        }
        if let about = entry.header.statement?.about, witnessing[about] != nil {
            return receiveAsWitness(valid, sealed, from: bearer)
        }
        switch entry.kind {
        case .proposal: receiveProposal(valid, key: sealed.contractKey)
        case .acceptance, .request, .refusal, .acknowledgement:
            // An answer may overtake the proposal that it is about.
            if let about = entry.header.statement?.about, contractOfLog[about] == nil {
                return wait(for: sealed, from: bearer)
            }
            receiveAnswer(valid)
        default: break
        }
    }

    /// Proposals of another that nobody has answered: those that still may come into force, and those whose time was
    /// over within the last days. They stay here; whoever lets his run out at once makes no room by that.
    private func openProposals(of author: DID) -> Int {
        contracts.proposed.count { id in
            guard let held = contracts[id] else { return false }
            return held.proposalEntry.header.author == author && held.declined == nil
                && !held.hasAccepted(own.did)
                && now <= held.proposal.acceptBy.advanced(by: proposalMemoryMilliseconds)
        }
    }

    private mutating func receiveProposal(_ valid: ValidEntry, key bytes: [UInt8]?) {
        guard let proposal = try? valid.entry.read(Proposal.self),
            let key = bytes.flatMap({ ContractKey($0) }), key.contract == proposal.contract,
            valid.header.topic == key.topic, proposal.participants.contains(own.did),
            proposal.participants.contains(valid.header.author), contracts[key.contract] == nil,
            valid.header.statement?.about
                == .contract(proposal.contract, author: proposal.sequencer)
        else { return }
        // Not acknowledged it stays in its author's outbox, and comes again.
        guard openProposals(of: valid.header.author) < proposalsMax else {
            unkept = valid.id
            return
        }
        changes.append(.contractKey(key.contract, key.bytes))
        changes.append(.statement(valid, contract: key.contract))
        statementsSeen.insert(valid.id)
        keep(valid.entry, contract: key.contract, key: key)
        acknowledge(valid.entry, to: valid.header.author)
        added(topic: key.topic)
        acceptChild(key.contract)
        retryStatements()
    }

    private mutating func receiveAnswer(_ valid: ValidEntry) {
        guard let about = valid.header.statement?.about, let id = contractOfLog[about],
            let held = contracts[id], held.key.topic == valid.header.topic,
            (held.participants + held.witnesses).contains(valid.header.author),
            // One without its body would be taken for the whole that comes later.
            valid.entry.body != nil,
            valid.entry.kind != .request
                || held.participants.contains(valid.header.author)
        else { return }
        if valid.entry.kind == .acknowledgement {
            guard isOfUse(valid.entry, held) else { return }
        } else {
            // Not acknowledged it stays in its author's outbox, and comes again.
            guard held.mayHear(valid.header.author) else {
                unkept = valid.id
                return
            }
            contracts[id]?.statementCounts[valid.header.author, default: 0] += 1
        }
        if !planted(.acknowledgeUnkept) { changes.append(.statement(valid, contract: id)) }
        statementsSeen.insert(valid.id)
        keep(valid.entry, contract: id, key: held.key)
        advance(id)
        // A transfer waits in the parent for all to accept the child.
        if let parent = held.proposal.parent?.contract { advance(parent) }
        // The step that admits a request, or the refusal, answers it; everything else is acknowledged.
        let pending = contracts[id]?.requests[valid.id] != nil
        if valid.entry.kind == .acceptance || valid.entry.kind == .refusal || pending {
            acknowledge(valid.entry, to: valid.header.author)
        }
    }

    /// It answers what waits here, or is the first of its author, under this key, to say that it knows a step.
    private func isOfUse(_ entry: Entry, _ held: HeldContract) -> Bool {
        guard let body = try? entry.read(Acknowledgement.self) else { return false }
        let author = entry.header.author
        if outbox[OutboxKey(statement: body.entry, recipient: author)] != nil { return true }
        return held.fold?.steps.contains { $0.id == body.entry } == true
            && !held.acknowledgements.contains {
                $0.header.author == author && $0.header.key == entry.header.key
                    && (try? $0.read(Acknowledgement.self))?.entry == body.entry
            }
    }

    /// "I hold this." Sent once and never kept: who misses it says the statement again.
    mutating func acknowledge(_ statement: Entry, to recipient: DID) {
        guard readOnly == nil, statement.kind != .acknowledgement,
            let place = statement.header.statement, let about = place.about,
            let topic = statement.header.topic,
            contractOfLog[about] != nil || witnessing[about] != nil
        else { return }
        let peer = connection(to: recipient)
        guard peer != nil || !ourHubs.isEmpty else { return }
        let body = Acknowledgement(salt: dice.roll(), entry: statement.id, purpose: .delivered)
        guard
            let answer = try? sign(
                body, topic: topic, place: .init(expires: place.expires, about: about))
        else { return }
        let item = OutboxItem(
            statement: answer.entry, recipient: recipient, contractKey: nil,
            expires: place.expires)
        if let peer { hand(item, to: peer) } else { deposit(item) }
    }

    // MARK: - What a statement means

    /// Puts a valid statement, ours or another's, where it belongs. Used at arrival and at start.
    mutating func keep(_ entry: Entry, contract: ContractID?, key: ContractKey?) {
        if entry.kind == .proposal {
            guard let key, let proposal = try? entry.read(Proposal.self),
                contracts[key.contract] == nil
            else { return }
            let held = HeldContract(key: key, proposalEntry: entry, proposal: proposal)
            contracts[key.contract] = held
            contractOfLog[held.log] = key.contract
            let named = proposal.participants + held.witnesses
            namedIn[key.topic] = named
            retellKeys(of: named, in: key.topic)
            for did in proposal.participants {
                guard let log = Fold.settlementLog(of: did, proposal) else { continue }
                contractOfLog[log] = key.contract
            }
            for witness in held.witnesses {
                contractOfLog[.witness(of: held.log, author: witness)] = key.contract
            }
            refold(key.contract)
            return
        }
        guard let contract, var held = contracts[contract] else { return }
        defer { contracts[contract] = held }
        let author = entry.header.author
        switch entry.kind {
        case .acceptance:
            guard let body = try? entry.read(Acceptance.self) else { return }
            if body.statement == held.proposalEntry.id {
                // Said again after a change of key, our own counts as it was said last.
                let before = held.acceptances[author]?.header.time
                if before.map({ author == own.did && $0 <= entry.header.time }) ?? true {
                    held.acceptances[author] = entry
                }
            } else if held.requests[body.statement] != nil {
                if author == own.did {
                    held.requests[body.statement]?.consents.removeAll {
                        $0.header.author == author
                    }
                }
                held.requests[body.statement]?.consents.append(entry)
            } else {
                held.earlyConsents[body.statement, default: []].append(entry)
            }
        case .request:
            if held.isWitnessed { held.requestsSeen[entry.id] = entry }
            guard let body = try? held.fold?.read(request: entry) ?? entry.read(Request.self),
                held.fold?.steps.contains(where: { $0.request == entry.id }) != true
            else { return }
            held.requests[entry.id] = .init(
                entry: entry, act: body.act,
                consents: held.earlyConsents.removeValue(forKey: entry.id) ?? [])
        case .refusal:
            guard let body = try? entry.read(Refusal.self) else { return }
            if body.statement == held.proposalEntry.id {
                // Once sequenced, a refusal comes too late to matter.
                if held.declined == nil {
                    held.declined = (author, body.code, body.text, entry)
                }
            } else if author == held.sequencer,
                held.requests[body.statement].map({ Act($0.act).without }) != author
            {
                let act = held.requests.removeValue(forKey: body.statement)?.act
                // Said again after a change of key it is the same no.
                if !held.refused.contains(where: { $0.request == body.statement }) {
                    held.refused.append(
                        .init(request: body.statement, act: act, code: body.code, text: body.text))
                }
            }
            settle(OutboxKey(statement: body.statement, recipient: author))
        case .acknowledgement:
            guard let body = try? entry.read(Acknowledgement.self) else { return }
            held.acknowledgements.append(entry)
            settle(OutboxKey(statement: body.entry, recipient: author))
        case .closingRequest where author == own.did:
            guard let body = try? entry.read(ClosingRequest.self) else { return }
            held.closingsAsked.insert(
                .init(record: body.record, version: body.version, deadline: body.deadline))
        default: break
        }
    }
}

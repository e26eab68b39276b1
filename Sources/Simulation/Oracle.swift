internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import NodeCore
internal import Replication

/// Who sees everything: what was signed, sent and kept by whom. It judges; it is never asked.
struct Oracle {
    /// The first broken invariant; the run ends with it.
    var violation: Violation?
    /// Whose identity is whose machine.
    var machineOf: [DID: Int] = [:]
    var honest: Set<DID> = []
    /// All that honest nodes ever signed and kept.
    var signed: Set<EntryID> = []
    /// The one entry of each place in an honest author's logs.
    var placeOf: [Place: EntryID] = [:]
    /// The wire bytes of all that honest nodes signed into logs, hashed.
    var wires: Set<UInt64> = []
    var authorOf: [LogID: DID] = [:]
    var contractOf: [LogID: ContractID] = [:]
    var participants: [ContractID: Set<DID>] = [:]
    /// Who may hold entries of its logs: participants and witnesses.
    var audience: [ContractID: Set<DID>] = [:]
    /// What is known of each contract's witnesses, and of what they said.
    var testimonies: [ContractID: Testimony] = [:]
    /// The contract of each witness's log.
    var witnessed: [LogID: ContractID] = [:]
    /// The key entries of everyone that each machine holds, oldest first.
    var keys: [[DID: [EntryID]]] = []
    /// The newest entry of each log on each machine's disk.
    var heads: [[LogID: (sequence: Int64, id: EntryID)]] = []
    /// The newest time in each log of an honest author.
    var newest: [LogID: Instant] = [:]
    /// The wire bytes of every contract's entry, hashed, and of which contract.
    var contractOfWire: [UInt64: ContractID] = [:]
    /// Wire bytes that each machine has committed, hashed.
    var committedWires: [Set<UInt64>] = []
    /// What each contract was after a step, on whichever honest node came first.
    var states: [EntryID: ContractState] = [:]
    /// Steps that were looked at, per machine.
    var examined: [Set<EntryID>] = []
    var settled: Set<ContractID> = []
    /// Once in a world is enough.
    var flooded = false
    /// The portrait of a node that ended with all it had committed.
    var portraits: [[String]?] = []

    struct Place: Hashable {
        let log: LogID
        let sequence: Int64
    }

    mutating func welcome(_ machine: Machine) {
        machineOf[machine.did] = committedWires.count
        if machine.isHonest { honest.insert(machine.did) }
        committedWires.append([])
        examined.append([])
        portraits.append(nil)
        keys.append([:])
        heads.append([:])
    }
}

extension World {
    /// How often the whole is looked at: ten minutes.
    static let lookMilliseconds: Int64 = 600_000

    func fail(
        _ check: Check, _ index: Int, _ about: String, found: Int64 = 0, wanted: Int64 = 0
    ) {
        guard oracle.violation == nil else { return }
        oracle.violation = Violation(
            check: check, time: now,
            node: machines.indices.contains(index) ? machines[index].name : "-",
            about: about, found: found, wanted: wanted)
    }

    // MARK: - At the commit

    /// Judges what one transaction makes durable, before it is.
    func observe(_ changes: [Change], at index: Int) {
        let me = machines[index].did
        for change in changes {
            switch change {
            case .entry(let valid, let own): observe(entry: valid, own: own, at: index)
            case .rival(let valid):
                tally.forks += 1
                if machines[index].isHonest, oracle.honest.contains(valid.header.author) {
                    fail(.forkOfHonest, index, valid.id.short)
                }
            case .superseded(let log, _): oracle.heads[index][log] = nil
            case .fork(let log, _):
                if machines[index].isHonest, let author = oracle.authorOf[log],
                    oracle.honest.contains(author)
                {
                    fail(.forkOfHonest, index, log.short)
                }
            case .statement(let valid, let contract):
                tally.statements += 1
                observe(statement: valid, contract, at: index)
                if valid.header.author == me, machines[index].isHonest,
                    machines[index].node?.readOnly != nil
                {
                    fail(.signedReadOnly, index, valid.id.short)
                }
            default: break
            }
        }
    }

    private func observe(entry valid: ValidEntry, own: Bool, at index: Int) {
        tally.entries += 1
        observe(key: valid.entry, at: index)
        guard let place = valid.header.log else { return }
        let author = valid.header.author
        let wire = Trace.hash(valid.entry.wire)
        oracle.authorOf[place.log] = author
        observe(word: valid.entry, at: index)
        oracle.committedWires[index].insert(wire)
        if let contract = oracle.contractOf[place.log] { oracle.contractOfWire[wire] = contract }
        guard machines[index].isHonest else { return }
        if machines[index].disk.holds(valid.id) {
            return fail(.repeated, index, valid.id.short, found: place.sequence)
        }
        observe(release: valid.entry, of: place.log, at: index)
        if let head = oracle.heads[index].updateValue(
            (place.sequence, valid.id), forKey: place.log),
            head.sequence + 1 == place.sequence, head.id != place.previous
        {
            return fail(.altered, index, "\(place.log.short) previous", found: place.sequence)
        }
        if let contract = oracle.contractOf[place.log],
            oracle.audience[contract]?.contains(machines[index].did) != true
        {
            fail(.privacy, index, contract.short)
        }
        guard oracle.honest.contains(author) else {
            if let body = valid.entry.body,
                SHA256.hash(body) != valid.header.bodyHash
                    || EntryID(SHA256.hash(valid.entry.headerBytes + valid.entry.signature.bytes))
                        != valid.id
            {
                fail(.altered, index, valid.id.short)
            }
            return
        }
        let key = Oracle.Place(log: place.log, sequence: place.sequence)
        let former = oracle.placeOf[key]
        if author == machines[index].did, former != valid.id {
            if machines[index].node?.readOnly != nil {
                fail(.signedReadOnly, index, valid.id.short)
            }
            if former.map(isHeldElsewhere(than: index)) ?? false {
                fail(.secondHistory, index, place.log.short, found: place.sequence)
            }
            if former == nil, valid.header.time < oracle.newest[place.log] ?? .earliest {
                fail(.timeFell, index, place.log.short, found: place.sequence)
            }
            oracle.newest[place.log] = valid.header.time
            observe(step: valid.entry, at: index)
            oracle.placeOf[key] = valid.id
            oracle.signed.insert(valid.id)
            oracle.contractOfWire[wire] = oracle.contractOf[place.log]
            oracle.wires.insert(wire)
            return
        }
        if !oracle.signed.contains(valid.id) {
            fail(.forged, index, valid.id.short, found: valid.header.kind)
        } else if !oracle.wires.contains(wire) {
            fail(.altered, index, valid.id.short, found: valid.header.kind)
        }
    }

    /// What a lost disk alone held, nobody can know of any more: its place is used again. Were it still on
    /// its way to somebody, he would have a fork of an honest author.
    private func isHeldElsewhere(than index: Int) -> (EntryID) -> Bool {
        { id in
            self.machines.indices.contains {
                $0 != index && self.machines[$0].isHonest
                    && self.machines[$0].disk.holds(id)
            }
        }
    }

    /// Without their holder's signature only units whose time is over go back.
    private func observe(release entry: Entry, of log: LogID, at index: Int) {
        guard entry.kind == .release, let body = try? entry.read(Release.self),
            body.holderSignature == nil, let known = machines[index].node?.lines[log],
            known.fault == nil, machines[index].node?.chains.chain(log)?.fork == nil
        else { return }
        // The line as it was before, folded anew.
        var line = LineLog(issuer: known.issuer, terms: known.terms)
        for earlier in machines[index].disk.entries(of: log) {
            line.fold(earlier, checker: checker)
        }
        guard line.folded + 1 == entry.header.log?.sequence,
            let grant = line.line.grant(body.grant)
        else { return }
        let now = entry.header.time
        let fallen =
            (grant.until < now ? grant.looseUnits : 0)
            + grant.firm.filter { $0.until < now }.reduce(0) { $0 + $1.units }
        if body.units > fallen {
            fail(
                .overGranted, index, "\(log.short) unsigned release", found: body.units,
                wanted: fallen)
        }
    }

    private func observe(statement valid: ValidEntry, _ contract: ContractID?, at index: Int) {
        let author = valid.header.author
        if let contract, let proposal = try? valid.entry.read(Proposal.self) {
            let log = LogID.contract(contract, author: proposal.sequencer)
            oracle.contractOf[log] = contract
            oracle.participants[contract] = Set(proposal.participants)
            oracle.audience[contract] = Set(
                proposal.participants + proposal.witnesses.identities)
            welcome(proposal, at: index)
            if author == machines[index].did {
                tally.proposed(shelf.byHash[proposal.template]?.name ?? "unknown")
            }
        }
        observe(asked: valid.entry)
        guard machines[index].isHonest else { return }
        if machines[index].disk.holds(valid.id) {
            return fail(.repeated, index, valid.id.short, found: valid.header.kind)
        }
        if let contract, oracle.audience[contract]?.contains(machines[index].did) != true {
            fail(.privacy, index, contract.short)
        }
        guard oracle.honest.contains(author) else { return }
        if author == machines[index].did {
            oracle.signed.insert(valid.id)
        } else if [.proposal, .acceptance, .refusal, .acknowledgement].contains(valid.entry.kind),
            isKeyReplaced(valid.entry, at: index), !machines[index].isOld
        {
            // An old copy takes back from its own snapshot what it took once.
            fail(.oldKey, index, valid.id.short, found: valid.header.kind)
        } else if !oracle.signed.contains(valid.id) {
            fail(.forged, index, valid.id.short, found: valid.header.kind)
        }
    }

    func observeBooks(_ index: Int) {
        guard let node = machines[index].node, machines[index].disk.isBookless else { return }
        // The commit fails there, and the node starts over with its books written anew.
        guard machines[index].isHonest, !node.mayHaveLostSteps else {
            return repairBooks(index, node.ledger)
        }
        fail(.imbalance, index, "stored books")
    }

    func repairBooks(_ index: Int, _ books: Books) {
        do { try machines[index].disk.repair(books) } catch {
            fail(.imbalance, index, "\(error)")
        }
    }

    /// What its disk holds is not what it held: the newest of each log is learnt anew.
    func forgetHeads(_ index: Int) {
        (oracle.keys[index], oracle.heads[index]) = ([:], [:])
        for valid in machines[index].disk.entries { observe(key: valid.entry, at: index) }
    }

    // MARK: - At the door

    /// Judges what a node says, before it is on its way.
    func observe(_ directive: Directive, at index: Int) {
        guard machines[index].isHonest else { return }
        switch directive {
        case .send(let peer, let frame) where Self.pushTypes.contains(frame.type):
            guard let pushed = try? Message(frame).pushed else { return }
            let wire = Trace.hash(pushed)
            if !oracle.committedWires[index].contains(wire) {
                fail(.sentBeforeCommitted, index, "push")
            }
            if let contract = oracle.contractOfWire[wire] {
                observe(reaching: other(peer), contract, index)
            }
        case .serve(let peer, let request), .push(let peer, let request, _):
            if let contract = oracle.contractOf[request.log] {
                observe(reaching: other(peer), contract, index)
            }
        case .deliver(let peer, let sealed, _):
            let statement = sealed.statement
            observe(sealed, reaching: other(peer), index)
            if let about = statement.header.statement?.about,
                let contract = oracle.contractOf[about]
            {
                observe(reaching: other(peer), contract, index)
            }
            if let body = try? statement.read(Acknowledgement.self) {
                // Said once and never kept: it is signed again whenever it is asked for.
                oracle.signed.insert(statement.id)
                if !machines[index].disk.holds(body.entry),
                    !isAnswered(body.entry, by: machines[index].did)
                {
                    fail(.acknowledgedLost, index, body.entry.short)
                }
            } else if !machines[index].disk.holds(statement.id) {
                fail(.sentBeforeCommitted, index, statement.id.short, found: statement.header.kind)
            }
        default: break
        }
    }

    /// Of the two messages that bring an entry unasked.
    static let pushTypes: [UInt8] = [9, 50]

    private func other(_ peer: PeerID) -> Int {
        let (link, isLeft) = Link.of(peer)
        return isLeft ? links[link].right : links[link].left
    }

    private func observe(reaching other: Int, _ contract: ContractID, _ index: Int) {
        if oracle.audience[contract]?.contains(machines[other].did) != true {
            fail(.privacy, index, contract.short)
        }
    }

    func noteClosed(by index: Int, link: Int, _ reason: String) {
        guard machines[index].isHonest else { return }
        let other = links[link].left == index ? links[link].right : links[link].left
        guard machines[other].isHonest else { return }
        tally.closed(String(reason.prefix(24)))
    }

    // MARK: - At a start

    /// Keeps what a node is, if all of it was committed, to be compared with what it starts as.
    func observeEnd(_ index: Int) {
        guard machines[index].isHonest, !machines[index].flushIsDue else { return }
        oracle.portraits[index] = machines[index].node?.portrait
    }

    /// Judges what a home gives back, before a node is made of it.
    func observe(_ contents: Loaded.Contents, at index: Int) {
        guard contents.isWorn else {
            if let lost = contents.lost { fail(.acknowledgedLost, index, lost.short) }
            if let reason = contents.snapshot.readOnly, !machines[index].isOld {
                fail(.mistaken, index, "\(reason)")
            }
            return
        }
        // A log that was cut short is an old copy. What was let go of comes again from others.
        oracle.portraits[index] = nil
        if contents.lost != nil || contents.snapshot.readOnly != nil {
            machines[index].isOld = true
        }
        forgetHeads(index)
    }

    func observeStart(_ index: Int) {
        defer { oracle.portraits[index] = nil }
        guard machines[index].isHonest, let now = machines[index].node?.portrait else { return }
        if let before = oracle.portraits[index], before != now {
            let (left, right) =
                zip(before + [""], now + [""]).first { $0 != $1 } ?? (
                    "\(before.count)", "\(now.count)"
                )
            fail(.restartDiffers, index, "\(left) | \(right)")
        }
        compareBooks(index)
    }

    func compareBooks(_ index: Int) {
        guard let node = machines[index].node, !machines[index].flushIsDue,
            let difference = machines[index].disk.difference(to: node.ledger)
        else { return }
        fail(.booksDiffer, index, difference)
    }
}

extension Node {
    /// All that two values of one node must agree on, one fact to a line.
    var portrait: [String] {
        var lines: [String] = []
        for log in chains.logs {
            let chain = chains.chain(log)
            lines.append("log \(log.short) \(chain?.head ?? 0) \(chain?.fork?.sequence ?? 0)")
        }
        for (id, held) in contracts.sorted(by: { $0.key < $1.key }) {
            var line = "contract \(id.short) \(held.grade) \(held.outcome) "
            line += "accepted \(held.acceptances.count) asked "
            // After a takeover it depends on the order of arrival whose no to a request counted.
            let asked = held.fold?.takeover == nil ? held.requests.keys.sorted() : []
            line += asked.map(\.short).joined(separator: ",")
            line +=
                " steps \(held.fold?.head.sequence ?? 0) \(held.fold?.state.digest().short ?? "-")"
            lines.append(line)
        }
        for (log, line) in self.lines.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "line \(log.short) \(line.line.remaining) \(line.line.grants.count) "
                    + "\(line.fault == nil ? "whole" : "broken")")
        }
        for key in outbox.keys.sorted() {
            lines.append("outbox \(key.statement.short) \(key.recipient.short)")
        }
        return lines
    }
}

extension Message {
    /// The entry that it brings unasked.
    fileprivate var pushed: [UInt8]? {
        switch self {
        case .push(let entry), .treePush(_, let entry): entry
        default: nil
        }
    }
}

internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import Replication

// Sealed snapshots: ours, pushed to the partners of our contracts, and theirs, kept for them. One of each
// author; it comes back when its author asks what is held of its logs, before the answer.

/// How often a partner is sent our snapshot at most, and how often we take one of the same author.
let keepsakeEveryMilliseconds: Int64 = 60_000
let keepsakeTakenEveryMilliseconds: Int64 = 20_000

extension Node {
    // MARK: - Ours

    /// Sends the snapshot as it is now to each partner that has not got it, at most once a minute.
    mutating func pushKeepsake() {
        guard recovery.reason == nil, !contracts.isEmpty else { return }
        if !changes.isEmpty { keepsakeNow = nil }
        let waited = connections.keys.sorted().filter(hasWaited)
        // To make one costs the more the more contracts there are: now and then, unless somebody has none.
        let isWanted = waited.contains { id in
            guard let did = connections[id]?.did else { return false }
            return keepsakesSent[did] == nil && contracts.isPartner(did)
        }
        let isPausing = keepsakeMade.isRecent(at: now, keepsakeEveryMilliseconds)
        guard !waited.isEmpty, isWanted || !isPausing else { return }
        var current = keepsakeNow ?? KeepsakeNow(partners: partners)
        defer { keepsakeNow = current }
        func lacksIt(_ id: PeerID) -> Bool {
            guard let did = connections[id]?.did else { return false }
            return current.partners.contains(did)
                && (current.hash == nil || keepsakesSent[did]?.hash != current.hash)
        }
        guard waited.contains(where: lacksIt) else { return }
        keepsakeMade = now
        let content = keepsake()
        let hash = content.fingerprint
        current.hash = hash
        let stale = waited.filter(lacksIt)
        guard !stale.isEmpty,
            let sealed = content.sealed(
                for: own.did, key: own.keepsakeKey,
                nonce: Array(dice.roll().bytes.prefix(XChaCha20Poly1305.nonceBytes)),
                signing: own.key, broughtInBy: own.keyEntry)
        else { return }
        for id in stale {
            guard let did = connections[id]?.did else { continue }
            keepsakesSent[did] = (hash, now)
            directives.append(.send(id, Message.keep(sealed).frame))
        }
    }

    /// Whether a connection was not sent one within the last minute.
    private func hasWaited(_ id: PeerID) -> Bool {
        guard let connection = connections[id], connection.stands else { return false }
        return keepsakesSent[connection.did]
            .map { !$0.at.isRecent(at: now, keepsakeEveryMilliseconds) } ?? true
    }

    /// Everyone named in a contract that is not over.
    private var partners: Set<DID> {
        Set(contracts.values.filter { !$0.isOver }.flatMap(\.participants))
    }

    /// What matters most first; what does not fit any more is left out: an ended contract's key can be
    /// shown by any partner of it.
    private func keepsake() -> Keepsake {
        var result = Keepsake(
            time: now,
            heads: ownLogs.compactMap { log in
                let head = chains.head(log)
                return head > 0 ? .init(log: log, sequence: head) : nil
            }.suffixed(EntryLimit.listItems),
            contracts: [],
            peers: peers.prefix(64).map {
                .init(host: $0.host, port: Int64($0.port), did: $0.did)
            },
            names: sorted(petnames).prefix(256).map { .init(did: $0.0, name: $0.1) },
            alliances: alliances.prefix(64).map { Invitation(foundingBody: $0.foundingBody) })
        var size = result.wire.count
        var asked: [[Entry]] = []
        for held in worthiestFirst {
            guard result.contracts.count < EntryLimit.listItems else { break }
            let isOpened = held.fold?.isSequenced == true
            let contract = Keepsake.Contract(
                key: held.key.bytes,
                statements: [held.proposalEntry]
                    + (isOpened ? [] : sorted(held.acceptances).map(\.1)))
            guard size + contract.bytesMost < Keepsake.wireBytesMax else { continue }
            size += contract.bytesMost
            result.contracts.append(contract)
            let requests = sorted(held.requests).map { [$0.1.entry] + $0.1.consents }
            asked.append(
                (requests.filter { $0[0].header.author == own.did }
                    + requests.filter { $0[0].header.author != own.did }).flatMap(\.self))
        }
        // What is asked for in one contract leaves room for the others themselves.
        for (index, statements) in asked.enumerated() {
            for statement in statements {
                let bytes = Keepsake.Contract(key: [], statements: [statement]).bytesMost
                guard size + bytes < Keepsake.wireBytesMax else { break }
                size += bytes
                result.contracts[index].statements.append(statement)
            }
        }
        return result
    }

    /// Those that we signed and that go on; then what others proposed to us, which may be as much as they like;
    /// then those that are over.
    private var worthiestFirst: [HeldContract] {
        let all = sorted(contracts).map(\.1)
        let open = all.filter { !$0.isOver }
        return open.filter { $0.hasAccepted(own.did) } + open.filter { !$0.hasAccepted(own.did) }
            + all.filter(\.isOver)
    }

    /// A partner gives our own snapshot back: what is not here comes from it. One that was signed under a key
    /// we replaced tells nothing to a home that is whole: whoever copied that key may have made it.
    mutating func gotBack(_ sealed: [UInt8]) {
        guard
            let opened = Keepsake.Opened(opening: sealed, of: own.did, key: own.keepsakeKey),
            let key = keyLogs.key(own.did, opened.key),
            opened.key == keyLogs.inForce(own.did)?.id || recovery.reason != nil,
            opened.isSigned(byCheckedKey: key, checker: checker)
        else { return }
        let keepsake = opened.keepsake
        for head in keepsake.heads where head.sequence > chains.head(head.log) {
            // Our own word for it: there is more of this log than is here.
            noticeOldCopy(.peerAhead(head.log, sequence: head.sequence))
            let known = recovery.answers[own.did]?[head.log] ?? 0
            recovery.answers[own.did, default: [:]][head.log] = max(known, head.sequence)
        }
        var isNew = false
        for contract in keepsake.contracts {
            guard let key = ContractKey(contract.key), lacks(contract, key.contract),
                returned[key.contract] != nil || returned.count < EntryLimit.listItems,
                let proposal = proposal(in: contract, key)
            else { continue }
            isNew = true
            noticeOldCopy(.homeLost)
            returned[key.contract] = contract
            // Whoever shares the topic brings the keys of those named.
            namedIn[key.topic] = proposal.participants + proposal.witnesses.identities
        }
        for one in keepsake.alliances {
            guard let alliance = try? Alliance(foundingBody: one.foundingBody),
                memberships[alliance.topic] == nil
            else { continue }
            isNew = true
            noticeOldCopy(.homeLost)
            enter(alliance)
        }
        // Of these nothing tells whether they are newer than what its owner did since: a whole home has its own.
        if recovery.reason != nil {
            for peer in keepsake.peers {
                addPeer(PeerAddress(host: peer.host, port: Int(peer.port), did: peer.did))
            }
            for one in keepsake.names where petnames[one.did] == nil { name(one.did, one.name) }
        }
        guard isNew else { return }
        takeReturned()
        topicsChanged()
        retryStatements()
        settleRecovery()
    }

    /// What waits for a key is in memory alone: an end of the process may leave us one part of a contract.
    private func lacks(_ contract: Keepsake.Contract, _ id: ContractID) -> Bool {
        guard let held = contracts[id] else { return true }
        return recovery.reason != nil && !held.isOver
            && contract.statements.contains { !statementsSeen.contains($0.id) }
    }

    /// The first of its statements, where it opens just this contract, and that names us.
    private func proposal(in contract: Keepsake.Contract, _ key: ContractKey) -> Proposal? {
        guard let first = contract.statements.first, first.header.topic == key.topic,
            let proposal = try? first.read(Proposal.self), proposal.contract == key.contract,
            proposal.participants.contains(own.did),
            proposal.participants.contains(first.header.author)
        else { return nil }
        return proposal
    }

    /// Takes contracts of our snapshot whose proposers' keys are here, and of the answers those that were
    /// signed: that we kept them is no proof that others said so.
    mutating func takeReturned() {
        guard !returned.isEmpty else { return }
        for (id, contract) in sorted(returned) {
            guard let key = ContractKey(contract.key) else { continue }
            var rest: [Entry] = []
            for entry in contract.statements {
                guard
                    let signer = entry.header.key.flatMap({ keyLogs.key(entry.header.author, $0) }),
                    contracts[id] != nil || rest.isEmpty
                else {
                    rest.append(entry)
                    continue
                }
                let valid = try? ValidEntry(entry, byCheckedKey: signer, checker: checker)
                guard let valid, entry.header.statement != nil else {
                    // Where nobody proposed it there is nothing to answer.
                    if contracts[id] == nil { break }
                    continue
                }
                guard statementsSeen.insert(entry.id).inserted else { continue }
                if entry.kind == .proposal { changes.append(.contractKey(id, key.bytes)) }
                changes.append(.statement(valid, contract: id))
                keep(entry, contract: id, key: key)
            }
            returned[id] = rest.isEmpty ? nil : .init(key: contract.key, statements: rest)
            if returned[id] == nil, contracts[id] == nil { namedIn[key.topic] = nil }
        }
    }

    // MARK: - Others'

    /// Keeps the snapshot of a partner in place of its older one.
    mutating func keep(sealed: [UInt8], from id: PeerID) {
        guard let did = connections[id]?.did, connections[id]?.isProven == true,
            contracts.values.contains(where: { isPartner(did, in: $0) }),
            keepsakesTaken[did].map({ !$0.isRecent(at: now, keepsakeTakenEveryMilliseconds) })
                ?? true
        else { return }
        keepsakesTaken[did] = now
        changes.append(.keepsake(of: did, sealed))
    }

    /// Named with us in what we signed, or the one who proposed it: whom else somebody names in what he would
    /// like us to sign is no partner of ours.
    private func isPartner(_ did: DID, in held: HeldContract) -> Bool {
        held.participants.contains(did)
            && (held.hasAccepted(own.did) || held.proposalEntry.header.author == did)
    }
}

/// Built again for each change, and not for each second.
struct KeepsakeNow: Sendable {
    let partners: Set<DID>
    /// `nil` while nobody waited for it.
    var hash: Hash32?
}

extension [Keepsake.Head] {
    fileprivate func suffixed(_ count: Int) -> [Keepsake.Head] { Array(suffix(count)) }
}

internal import Capacity
public import Entries
public import Identity
public import NodeCore
internal import Replication

/// What a node's database would hold: the committed changes, and entries by log for serving.
public struct MemoryStore: Sendable {
    public private(set) var snapshot = Snapshot()
    private var byLog: [LogID: [Entry]] = [:]
    /// Branches beside what is held, kept as proof.
    public private(set) var rivals: [Entry] = []

    /// Sealed snapshots of others.
    public private(set) var keepsakes: [DID: [UInt8]] = [:]

    /// Sealed statements in mailboxes, by number.
    public private(set) var letters: [UInt64: [UInt8]] = [:]

    /// Sealed chunks of files, in order.
    public private(set) var chunks: [Hash32: [[UInt8]]] = [:]

    /// What statements and outbox may refer to, as the database's tables say.
    private var contracts: Set<ContractID> = []
    private var statements: Set<EntryID> = []

    public init() {}

    /// One transaction. What the database would refuse ends the run.
    public mutating func commit(_ changes: [Change]) {
        for change in changes {
            switch change {
            case .entry(let valid, _):
                snapshot.entries.append(valid)
                if let log = valid.header.log?.log { byLog[log, default: []].append(valid.entry) }
            case .ownKey: break
            case .keepsake(let did, let sealed): keepsakes[did] = sealed
            case .recovery(.began(let reason, let since)):
                snapshot.recovery = (reason, since, [])
            case .recovery(.whole(let log, _)): snapshot.recovery?.whole.append(log)
            case .recovery(.over): snapshot.recovery = nil
            case .recovery(.confirmed): snapshot.readOnly = nil
            case .superseded(let log, let sequence):
                func isGone(_ entry: Entry) -> Bool {
                    entry.header.log.map { $0.log == log && $0.sequence >= sequence } ?? false
                }
                let gone = snapshot.entries.filter { isGone($0.entry) }
                rivals += gone.map(\.entry)
                snapshot.rivals += gone
                byLog[log]?.removeAll(where: isGone)
                snapshot.entries.removeAll { isGone($0.entry) }
            case .rival(let valid):
                rivals.append(valid.entry)
                snapshot.rivals.append(valid)
            case .proof(let proof): snapshot.proofs.append(proof)
            case .fork(let log, let fork): snapshot.forks.append((log, fork))
            case .statement(let valid, let contract):
                precondition(contract.map(contracts.contains) ?? true, "of a contract not held")
                statements.insert(valid.id)
                snapshot.statements.append((valid, contract))
            case .contractKey(let contract, let key):
                contracts.insert(contract)
                snapshot.contractKeys.append(key)
            case .outbox(let item):
                precondition(statements.contains(item.statement.id), "not kept before it is sent")
                snapshot.outbox.append(item)
            case .delivered(let statement, let recipient):
                snapshot.outbox.removeAll {
                    $0.statement.id == statement && $0.recipient == recipient
                }
            case .books, .line: break
            case .template(_, let bytes): snapshot.templates.append(bytes)
            case .petname(let did, let name):
                snapshot.petnames.removeAll { $0.0 == did }
                if let name { snapshot.petnames.append((did, name)) }
            case .alliance(let body, let isLeft):
                snapshot.alliances.removeAll { $0.foundingBody == body }
                snapshot.alliances.append((body, isLeft))
            case .peer(let address, let added):
                snapshot.peers.removeAll { $0 == address }
                if added { snapshot.peers.append(address) }
            case .tried(let address, let good):
                snapshot.tried.removeAll { $0.address == address }
                if let good { snapshot.tried.append((address, good)) }
            case .anchors(let anchors): snapshot.anchors = anchors
            case .transfer(let child, let parent, let act):
                snapshot.transfers.append((child, parent, act))
            case .transferDone(let child): snapshot.transfers.removeAll { $0.child == child }
            case .witnessTerms(_, let bytes): snapshot.witnessTerms.append(bytes)
            case .standing(let instruction, let isOn):
                if isOn {
                    snapshot.standing.insert(instruction)
                } else {
                    snapshot.standing.remove(instruction)
                }
            case .chunk(let one, let index, let sealed):
                precondition(chunks[one.blob]?.count ?? 0 == index, "chunks come in order")
                chunks[one.blob, default: []].append(sealed)
                snapshot.attachments.removeAll { $0.blob == one.blob }
                var kept = one
                kept.held = index + 1
                snapshot.attachments.append(kept)
            case .attachmentGone(let blob):
                chunks[blob] = nil
                snapshot.attachments.removeAll { $0.blob == blob }
            case .hub(let did, let isOn):
                snapshot.hubs.removeAll { $0 == did }
                if isOn { snapshot.hubs.append(did) }
            case .entrusted(let member, let topics):
                snapshot.entrusted.removeAll { $0.member == member }
                if let topics { snapshot.entrusted.append((member, topics)) }
            case .letter(let letter, let sealed):
                snapshot.letters.append(letter)
                letters[letter.number] = sealed
            case .letterGone(let number):
                snapshot.letters.removeAll { $0.number == number }
                letters[number] = nil
            }
        }
    }

    public mutating func add(template bytes: [UInt8]) { snapshot.templates.append(bytes) }

    /// What the mark outside the database would say at the next start.
    public mutating func mark(_ reason: ReadOnlyReason?) { snapshot.readOnly = reason }

    /// The entries of a log, as they were kept.
    public func entries(of log: LogID) -> [Entry] { byLog[log] ?? [] }

    /// The frames that a directive puts on their way, and to whom; none for those that send nothing.
    func outgoing(_ directive: Directive) -> [(peer: PeerID, frame: Frame)] {
        if case .letters(let peer, let numbers) = directive {
            return numbers.compactMap { number in
                letters[number].map {
                    (peer, Message.mail(.letter(number: number, sealed: $0)).frame)
                }
            }
        }
        return single(directive).map { [$0] } ?? []
    }

    private func single(_ directive: Directive) -> (peer: PeerID, frame: Frame)? {
        switch directive {
        case .send(let peer, let frame): (peer, frame)
        case .serve(let peer, let request): (peer, answer(request).frame)
        case .push(let peer, let request, let push):
            entry(request).map { (peer, Message.treePush(push, $0.wire).frame) }
        case .deliver(let peer, let sealed, let key):
            SealedBox.seal(sealed.wire, to: key).map { (peer, Message.put($0).frame) }
        case .giveBack(let peer, let did):
            keepsakes[did].map { (peer, Message.kept($0).frame) }
        case .deposit(let peer, let head, let sealed, let key):
            SealedBox.seal(sealed.wire, to: key).map { (peer, head.deposit($0)) }
        case .sendChunk(let peer, let one, let index):
            (
                peer,
                one.frame(chunks[one.blob].flatMap { index < $0.count ? $0[index] : nil }, index)
            )
        case .letters, .raiseFrameLimit, .believe, .close, .dial, .reload: nil
        }
    }

    private func entry(_ request: Message.RangeRequest) -> Entry? {
        byLog[request.log]?.first {
            $0.header.log?.sequence == Int64(clamping: request.from)
        }
    }

    /// Entries of `request`, from the first on, as many as an answer holds.
    private func answer(_ request: Message.RangeRequest) -> Message {
        let all = byLog[request.log] ?? []
        var wires: [[UInt8]] = []
        var size = 0
        for entry in all {
            guard let sequence = entry.header.log?.sequence,
                (Int64(clamping: request.from)...Int64(clamping: request.to)).contains(sequence)
            else { continue }
            let wire = entry.wire
            size += wire.count
            if size > ReplicationLimit.answerBytes, !wires.isEmpty {
                return .entries(wires, done: false)
            }
            wires.append(wire)
        }
        return .entries(wires, done: true)
    }
}

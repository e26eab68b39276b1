internal import HashTreeCollections
public import Entries
public import Identity
internal import Logs
public import Replication

// What travels on a stick instead of a wire: the same entries, and sealed letters. Nobody is asked anything on
// the way, so the order is one in which each needs only what came before.

/// One thing to carry. Ordered: keys, what an author says in public, lines, letters, logs of contracts, proofs of
/// forks.
public struct Cargo: Hashable, Comparable, Sendable {
    public enum Content: Hashable, Sendable {
        case log(LogID)
        case letter(Node.OutboxKey)
        case proof(LogID)
    }

    public let rank: Int
    public let content: Content

    /// Its place in the order, as text: where a later page goes on.
    public var name: String {
        switch content {
        case .log(let log), .proof(let log): "\(rank).\(log.hex)"
        case .letter(let key): "\(rank).\(key.statement.hex).\(key.recipient.hex)"
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.name < right.name }
}

extension Node {
    /// All that may be carried: logs of our alliances, and of contracts that we are named in or witness, and what
    /// waits for its recipients. With
    /// `people`, only what is theirs: alliances that they take part in, contracts that name them, their mail.
    public func cargo(for people: Set<DID>) -> [Cargo] {
        func isWanted(_ some: [DID]) -> Bool {
            people.isEmpty || some.contains(where: people.contains)
        }
        var keys: Set<DID> = []
        var all: [Cargo] = []
        var forked: Set<LogID> = []
        for topic in alliances.map(\.topic) {
            let authors = authors(in: topic)
            guard isWanted(authors) else { continue }
            keys.formUnion(authors)
            forked.formUnion(forks(in: topic).map(\.log))
            for log in logsOfTopic[topic] ?? [] {
                let isOpen =
                    chains.chain(log).map { isPublic(log, of: $0.author, topic) } ?? false
                all.append(Cargo(rank: isOpen ? 1 : 2, content: .log(log)))
            }
        }
        let bound =
            contracts.values.map { ($0.key.topic, $0.named) }
            + witnessing.values.map {
                ($0.topic, $0.terms.participants + $0.terms.witnesses.identities)
            }
        for (topic, named) in bound where isWanted(named) {
            keys.formUnion(named)
            forked.formUnion(forks(in: topic).map(\.log))
            for log in logsOfTopic[topic] ?? [] {
                all.append(Cargo(rank: 4, content: .log(log)))
            }
        }
        for did in keys { all.append(Cargo(rank: 0, content: .log(.key(author: did)))) }
        for key in outbox.keys where isWanted([key.recipient]) {
            all.append(Cargo(rank: 3, content: .letter(key)))
        }
        for log in forked { all.append(Cargo(rank: 5, content: .proof(log))) }
        return all.sorted()
    }

    /// A proof of the fork of this log, and of a line what is held of its branches.
    public func proof(carried log: LogID) -> [Frame] {
        guard let proof = proofs[log] else { return [] }
        return [Message.proof(proof.wire).frame]
            + branchRuns(of: log).map { Message.branch($0.map(\.wire)).frame }
    }

    /// How much there is, to tell what a file brought.
    public var held: (entries: Int, statements: Int) {
        (chains.logs.reduce(0) { $0 + Int(chains.head($1)) }, statementsSeen.count)
    }

    /// What waits for its recipient, to be sealed and put into a file.
    public func letter(_ key: OutboxKey) -> (head: Letterhead, sealed: Sealed, key: PublicKey)? {
        guard let item = outbox[key], let recipient = keyLogs.inForce(key.recipient)?.key else {
            return nil
        }
        return (letterhead(item, sealedTo: recipient), sealed(item), recipient)
    }

    /// One frame of a file: a run of entries, or a letter. What is not ours is passed over; what is wrong is
    /// not taken. Nobody stands behind a file, so nobody is asked for what it lacks. True: what is in it may be
    /// taken once more of the file was, as where its author is admitted further down.
    @discardableResult
    public mutating func take(carried frame: Frame) throws(NodeRefusal) -> Bool {
        guard let message = try? Message(frame) else { throw .fileUnreadable }
        switch message {
        case .entries(let wires, _), .branch(let wires): return takeRun(wires)
        case .proof(let proof):
            receive(proof: proof, from: .nobody)
            return forgetNobody()
        case .mail(.deposit(own.did, _, _, let bytes)):
            guard let plain = own.key.open(bytes), let sealed = try? Sealed(strict: plain) else {
                return false
            }
            receive(sealed)
            return false
        case .mail(.deposit): return false
        default: throw .fileUnreadable
        }
    }

    private mutating func takeRun(_ wires: [[UInt8]]) -> Bool {
        guard let first = wires.first.flatMap({ try? Entry(strict: $0) }),
            let log = first.header.log?.log
        else { return false }
        if let topic = first.header.topic, !isAlliance(topic), keptTopics[topic] == nil,
            !takesPart(in: topic)
        {
            return false
        }
        // The file says again what is held: only what goes on from it is looked at.
        let rest = wires.drop { wire in
            guard let place = (try? Entry(strict: wire))?.header.log else { return false }
            return place.sequence <= chains.head(log)
                && chains.chain(log)?.id(at: place.sequence) == (try? Entry(strict: wire))?.id
        }
        guard !rest.isEmpty else { return false }
        ingest(Array(rest), run: true, from: .nobody)
        return forgetNobody()
    }

    /// What waits is not asked for: it comes with the next look at the file. Whether anything did.
    private mutating func forgetNobody() -> Bool {
        let waits =
            waitingLogs.contains { $0.peer == .nobody }
            || waitingProofs.contains { $0.peer == .nobody }
        waitingLogs.removeAll { $0.peer == .nobody }
        waitingProofs.removeAll { $0.peer == .nobody }
        return waits
    }
}

extension PeerID {
    /// Where entries came from a file. No connection has this number.
    static let nobody = PeerID(0)
}

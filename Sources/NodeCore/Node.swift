public import Capacity
public import Contracts
internal import Entries
public import Identity
public import Ledger
public import Logs
public import Market
public import Replication

/// One node, whole, as a value.
public struct Node: Sendable {
    public let own: Own
    public let alliance: Alliance
    public let checker: SignatureChecker
    public let agent: String

    public internal(set) var keyLogs = KeyLogs()
    public internal(set) var chains = Chains()
    public internal(set) var book = Book()
    public internal(set) var lines: [LogID: LineLog] = [:]
    /// Entries of line logs that contracts may still have to embed.
    var lineEntries: [LogID: [Entry]] = [:]
    public internal(set) var contracts: [ContractID: HeldContract] = [:]
    var contractOfLog: [LogID: ContractID] = [:]
    var logsOfTopic: [TopicID: [LogID]] = [:]
    public internal(set) var templates: [Hash32: Template] = [:]
    public internal(set) var ledger = Books()
    public internal(set) var outbox: [OutboxKey: OutboxItem] = [:]
    public internal(set) var petnames: [DID: String] = [:]
    public internal(set) var peers: [PeerAddress] = []
    public internal(set) var connections: [PeerID: Connection] = [:]
    public internal(set) var readOnly: ReadOnlyReason?
    /// Child proposals of ours and the act to request once they are accepted.
    var transfers: [EntryID: PendingTransfer] = [:]
    var statementsSeen: Set<EntryID> = []
    /// Finished contracts of which our lines wait for nothing more.
    var released: Set<ContractID> = []
    /// Sealed statements whose author's key log has not come yet.
    var waitingStatements: [Sealed] = []
    /// Logs that could not be taken until another log comes.
    var waitingLogs: [WaitingLog] = []
    var forkedAt: [LogID: Int64] = [:]
    /// The first broken invariant of the books; a node that sees one stops trading on it.
    public internal(set) var ledgerFault: LedgerRefusal?

    /// Storage is being replayed: nothing is said.
    var isRestoring = false
    var changes: [Change] = []
    var directives: [Directive] = []
    var dice = Dice(seed: .zero)
    public internal(set) var now: Instant = .earliest

    struct PendingTransfer: Sendable {
        let parent: ContractID
        let act: SignedAct
    }

    struct WaitingLog: Hashable, Sendable {
        let peer: PeerID
        let log: LogID
        let upTo: UInt64
        /// Its time is ahead of our clock until then; `nil` where another log has to come first.
        var ahead: Instant?
    }

    public struct OutboxKey: Hashable, Comparable, Sendable {
        public let statement: EntryID
        public let recipient: DID

        public static func < (left: Self, right: Self) -> Bool {
            (left.statement, left.recipient) < (right.statement, right.recipient)
        }
    }

    /// One peer of the moment.
    public struct Connection: Sendable {
        public let did: DID
        public let keyEntry: EntryID
        public let key: PublicKey
        public internal(set) var session: Session
        public internal(set) var agent = ""
        /// Their clock less ours, milliseconds, at the hello.
        public internal(set) var skew: Int64?
        /// Statements already handed to this connection.
        var handed: Set<EntryID> = []
    }

    public init(
        own: Own, alliance: Alliance, snapshot: Snapshot, agent: String = "talea",
        checker: SignatureChecker = SignatureChecker()
    ) {
        self.own = own
        self.alliance = alliance
        self.checker = checker
        self.agent = agent
        restore(snapshot)
    }

    // MARK: - Inputs

    /// Sets the moment and the randomness of the input that follows.
    public mutating func begin(at now: Instant, seed: Hash32) {
        self.now = now
        dice = Dice(seed: seed)
    }

    public mutating func takeChanges() -> [Change] {
        defer { changes = [] }
        return changes
    }

    public mutating func takeDirectives() -> [Directive] {
        defer { directives = [] }
        return directives
    }

    public mutating func tick() {
        let moment = now.milliseconds
        for id in connections.keys.sorted() { converse(id) { $0.tick(now: moment) } }
        for (key, item) in sorted(outbox) where item.expires < now { settle(key) }
        // What was ahead of our clock may have come into its time.
        retryWaiting(ofTimeOnly: true)
        retryStatements()
        for id in contracts.keys.sorted() { advance(id) }
        releaseLapsed()
    }

    /// Takes a template file that came to this home.
    public mutating func add(template bytes: [UInt8]) throws(NodeRefusal) {
        guard templates[SHA256.hash(bytes)] == nil else { return }
        let template: Template
        do { template = try Template.read(bytes) } catch { throw .template(error) }
        templates[template.hash] = template
        changes.append(.template(template.hash, bytes))
        for id in contracts.keys.sorted() { refold(id) }
    }

    // MARK: - Start

    /// Replays what storage kept. Nothing of it is changed or announced again.
    private mutating func restore(_ snapshot: Snapshot) {
        isRestoring = true
        defer { isRestoring = false }
        readOnly = snapshot.readOnly
        petnames = Dictionary(snapshot.petnames, uniquingKeysWith: { _, last in last })
        peers = snapshot.peers
        for bytes in snapshot.templates {
            guard let template = try? Template.read(bytes) else { continue }
            templates[template.hash] = template
        }
        for (log, fork) in snapshot.forks {
            forkedAt[log] = min(forkedAt[log] ?? fork.sequence, fork.sequence)
        }
        let keys = snapshot.contractKeys.compactMap(ContractKey.init)
        let keyOf = Dictionary(
            keys.map { ($0.contract, $0) }, uniquingKeysWith: { _, last in last })
        // Key logs first: a proposal's fold needs its author's key.
        for valid in snapshot.entries where valid.entry.kind == .key { fold(valid) }
        for (valid, contract) in snapshot.statements {
            statementsSeen.insert(valid.id)
            keep(valid.entry, contract: contract, key: contract.flatMap { keyOf[$0] })
        }
        for valid in snapshot.entries where valid.entry.kind != .key { fold(valid) }
        for (log, fork) in snapshot.forks { chains.apply(fork, in: log) }
        for item in snapshot.outbox {
            outbox[OutboxKey(statement: item.statement.id, recipient: item.recipient)] = item
        }
        for transfer in snapshot.transfers {
            transfers[transfer.child] = PendingTransfer(parent: transfer.parent, act: transfer.act)
        }
        changes = []
        directives = []
    }
}

/// A dictionary's pairs in the order of its keys: nothing may depend on hashing.
func sorted<Key: Comparable, Value>(_ dictionary: [Key: Value]) -> [(Key, Value)] {
    dictionary.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}

internal import HashTreeCollections
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
    public internal(set) var own: Own
    /// Those the node takes part in, the oldest first. Never empty.
    public internal(set) var alliances: [Alliance]
    /// Those it took part in: what it said there stands.
    public internal(set) var leftAlliances: [Alliance] = []
    public internal(set) var memberships: [TopicID: Membership] = [:]
    /// How far public logs may grow by now, where their alliance has limits.
    var paces: [LogID: Pace] = [:]
    /// Everyone named in a contract, by its topic: their key logs are items there.
    var namedIn: TreeDictionary<TopicID, [DID]> = [:]
    /// At start: public entries, until it is known who is a member of what.
    var unread: [Entry] = []
    public internal(set) var checker: SignatureChecker
    public let agent: String

    public internal(set) var keyLogs = KeyLogs()
    public internal(set) var chains = Chains()
    public internal(set) var book = Book()
    /// What stands in it, the cheapest first.
    public internal(set) var market = OrderBook()
    public internal(set) var wanted = OrderBook()
    public internal(set) var lines = Lines()
    public internal(set) var contracts: HeldContracts
    var contractOfLog: TreeDictionary<LogID, ContractID> = [:]
    /// Every topic that this node takes part in or keeps, as of the last change.
    var topicList: [TopicID] = []
    /// Contracts this node witnesses, by the log that all call them by.
    public internal(set) var witnessing: [LogID: Witnessing] = [:]
    /// Every log of a witnessed contract, to the log that it is called by.
    var witnessed: [LogID: LogID] = [:]
    /// What the owner told this node to do without being asked.
    public internal(set) var standing: Set<StandingInstruction> = []
    /// Files of contracts, by the name they are asked for under.
    public internal(set) var attachments: [Hash32: Attachment] = [:]
    var fetching: [Hash32: Fetching] = [:]
    /// Hubs that our owner chose.
    public internal(set) var hubs: Set<DID> = []
    /// As a hub: each member's topics and letters.
    public internal(set) var entrusted: [DID: [TopicID]] = [:]
    public internal(set) var mailboxes: [DID: [Letter]] = [:]
    var keptTopics: [TopicID: KeptTopic] = [:]
    /// When guests went that are away, and since when this process serves.
    var guestsLeft: [DID: Instant] = [:]
    var servesSince: Instant?
    var lastLetter: UInt64 = 0
    var logsOfTopic: TreeDictionary<TopicID, [LogID]> = [:]
    /// What stands for these logs in reconciliations.
    var items: TreeDictionary<TopicID, TopicItems> = [:]
    /// Connections that this node dialed since its start.
    var dialed: [DID: Int] = [:]
    public internal(set) var templates: [Hash32: Template] = [:]
    public internal(set) var ledger = Books()
    public internal(set) var outbox: [OutboxKey: OutboxItem] = [:]
    public internal(set) var petnames: [DID: String] = [:]
    public internal(set) var peers: [PeerAddress] = []
    public internal(set) var connections: [PeerID: Connection] = [:]
    /// How entries of each alliance travel, and what is remembered of those that did.
    var livePush = LivePush()
    public internal(set) var addressBook = AddressBook(secret: .zero)
    /// Those whom this node dials, or dialed, by itself.
    public internal(set) var dials: [DID: Dial] = [:]
    /// Since they were reached last.
    var partnerDials: [DID: (tries: Int, at: Instant)] = [:]
    var lastFeeler: Instant = .earliest
    /// Members who announce themselves in this network.
    var nearby: [AddressBook.Address] = []
    /// Ids that connections keep hashed for their reconciliations.
    var hashedItems = 0
    var lan = LanSearch()
    /// What our profiles shall say of where we listen; `nil` leaves them as they are.
    var listening: [String]?
    /// The key of this home is out of force: nothing is signed with it.
    public internal(set) var readOnly: ReadOnlyReason?
    public internal(set) var recovery = Recovery()
    /// Our snapshot as each partner has it, and when each partner's last came.
    var keepsakesSent: [DID: (hash: Hash32, at: Instant)] = [:]
    var keepsakesTaken: [DID: Instant] = [:]
    /// Contracts of our own snapshot that wait for the keys of those who signed in them.
    var returned: [ContractID: Keepsake.Contract] = [:]
    /// What is known of our snapshot as it would be now; `nil` once anything changed.
    var keepsakeNow: KeepsakeNow?
    /// When it was made last.
    var keepsakeMade: Instant = .earliest
    /// Child proposals of ours and the act to request once they are accepted.
    var transfers: [EntryID: PendingTransfer] = [:]
    var statementsSeen: TreeSet<EntryID> = []
    /// Finished contracts of which our lines wait for nothing more.
    var released: TreeSet<ContractID> = []
    /// Sealed statements whose author's key log has not come yet.
    var waitingStatements: [WaitingStatement] = []
    /// The one that came last, where it may be worth something later and is not kept yet.
    var unkept: EntryID?
    /// Logs that could not be taken until another log comes.
    var waitingLogs: [WaitingLog] = []
    /// Logs of which a `continue` just took the place of what was held: until all is read anew this value knows
    /// neither, and what else comes of them would be put beside entries that stand there no more.
    var superseding: Set<LogID> = []
    /// The lowest sequence at which a log is known to part, with one proof of it to show.
    var forkedAt: [LogID: Int64] = [:]
    var proofs: [LogID: ForkProof] = [:]
    /// Entries at or above the fork of a line, of all its branches.
    var branches: [LogID: [Entry]] = [:]
    /// What goes on after cuts: the next log of a closed one, and the first of any that goes on.
    var successors: [LogID: LogID] = [:]
    var baseOf: [LogID: LogID] = [:]
    /// Entries of lines whose opening stands above a fork of their issuer's public log.
    var unopened: [LogID: [ValidEntry]] = [:]
    /// Entries of lines that are valid through a later one alone.
    var vouched: Set<EntryID> = []
    /// Proofs whose log or key is not known here yet.
    var waitingProofs: [WaitingProof] = []
    var rereading = Rereading()
    /// The first broken invariant of the books; a node that sees one stops trading on it.
    public internal(set) var ledgerFault: LedgerRefusal?

    /// Storage is being replayed: nothing is said.
    var isRestoring = false
    /// The step that is being signed: decided already, so its own fold need not decide again.
    var drafted: DraftedStep?
    /// Decided since they were taken last.
    public internal(set) var changes: [Change] = []
    var directives: [Directive] = []
    var dice = Dice(seed: .zero)
    public internal(set) var now: Instant = .earliest
    /// By the clock of the last tick.
    var ticked: Instant = .earliest

    struct PendingTransfer: Sendable {
        let parent: ContractID
        let act: SignedAct
    }

    struct DraftedStep: Sendable {
        let contract: ContractID
        let admission: Fold.Admission
        let step: Step
    }

    struct WaitingStatement: Sendable {
        let sealed: Sealed
        /// Who brought it; `nil`: a file.
        let bearer: DID?
    }

    struct WaitingLog: Hashable, Sendable {
        let peer: PeerID
        let log: LogID
        var from: UInt64?
        var upTo: UInt64
        let until: Until

        enum Until: Hashable, Sendable {
            case another
            /// Its time, or its alliance's limits, say so.
            case time(Instant)
            /// Nothing of it is taken until its author is somebody here.
            case admission(DID, TopicID?)
        }
    }

    struct WaitingProof: Hashable, Sendable {
        let peer: PeerID
        let log: LogID
        let author: DID
        let topic: TopicID?
        let key: EntryID?
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
        /// The key is known to be in force; until then nothing but the peer's own keys is heard.
        public internal(set) var isProven: Bool
        public internal(set) var session: Session
        public internal(set) var agent = ""
        /// Their clock less ours, milliseconds, at the hello.
        public internal(set) var skew: Int64?
        /// Statements handed to this connection, and when each is said again.
        var handed: [EntryID: Repetition] = [:]
        /// Of statements, since the last tick.
        var handedBytes = 0
        /// Logs that part of which it asked for the proof, and what it got of them since the last tick.
        var showing: [Showing] = []
        var shownBytes = 0
        /// It serves as a hub, and our owner chose it.
        var isOurHub = false
        /// It said that it serves.
        public internal(set) var isServing = false
        /// What it was asked to keep.
        var entrusted: [TopicID]?
        /// Letters left there over this connection, and what became of them.
        var deposits: [Hash32: Deposit] = [:]
        /// Letters of its mailbox that went to it, and the sizes of those that it did not answer yet.
        var lettersSent: Set<UInt64> = []
        var lettersInFlight: [UInt64: Int] = [:]
        /// Our logs that it was asked about.
        var asked: Set<LogID> = []
        /// It got its own snapshot back.
        var isGivenBack = false

        var stands: Bool { isProven && session.isEstablished }
    }

    /// `known`: templates that were read before, by hash; reading them again costs more than all else.
    public init(
        own: Own, alliance: Alliance, snapshot: Snapshot, agent: String = "talea",
        checker: SignatureChecker = SignatureChecker(), known: [Hash32: Template] = [:]
    ) {
        self.own = own
        contracts = HeldContracts(of: own.did)
        alliances = [alliance]
        self.checker = checker
        self.agent = agent
        restore(snapshot, known)
        topicList = listTopics()
        tellAll()
        beginUnsure(snapshot)
        checkOwnKey()
        contracts.settle(ledger)
    }

    // MARK: - Inputs

    /// Sets the moment and the randomness of the input that follows.
    public mutating func begin(at now: Instant, seed: Hash32) {
        self.now = now
        dice = Dice(seed: seed)
    }

    public mutating func takeChanges() -> [Change] {
        contracts.settle(ledger)
        if !changes.isEmpty { keepsakeNow = nil }
        defer { changes = [] }
        return changes
    }

    public mutating func takeDirectives() -> [Directive] {
        defer { directives = [] }
        return directives
    }

    public mutating func tick() {
        let moment = now.milliseconds
        for id in connections.keys.sorted() {
            converse(id) { $0.tick(now: moment, $1) }
        }
        pushLate()
        noteJump()
        dropWhatIsOver()
        // What was ahead of our clock may have come into its time.
        retryWaiting(ofTimeOnly: true)
        retryStatements()
        for id in connections.keys.sorted() {
            connections[id]?.handedBytes = 0
            connections[id]?.shownBytes = 0
            goOnShowing(id)
        }
        offerOutbox()
        goOnFetching()
        noteServing()
        settleRecovery()
        contracts.wake(at: now)
        let awake = contracts.awake.sorted()
        // What ended and gave its units back moves only when somebody asks.
        for id in awake where !released.contains(id) { advance(id) }
        for id in awake { askForRuled(id) }
        for log in witnessing.keys.sorted() { receiptSteps(of: log) }
        releaseLapsed()
        // Not those that it let rest until their units' time is over.
        for id in contracts.awake.sorted()
        where contracts[id]?.rests(isReleased: released.contains(id), at: now) ?? true {
            contracts.letRest(id)
        }
        pushKeepsake()
        sayWhereWeListen()
        lookAround()
        dialOthers()
        readAnewIfOwed()
    }

    /// A clock that is wrong for a moment, as at many a start, must not cost anybody a word.
    private mutating func dropWhatIsOver() {
        guard isTimeKnown else { return }
        for (key, _) in sorted(outbox.filter { $0.value.expires < now }) { settle(key) }
        dropOldLetters()
        market.drop(before: now)
        wanted.drop(before: now)
    }

    /// Takes a template file that came to this home.
    public mutating func add(template bytes: [UInt8]) throws(NodeRefusal) {
        guard templates[SHA256.hash(bytes)] == nil else { return }
        let template: Template
        do { template = try Template.read(bytes) } catch { throw .template(error) }
        templates[template.hash] = template
        changes.append(.template(template.hash, bytes))
        listOffers(of: template.hash)
        for id in contracts.keys.sorted() { refold(id) }
    }

    // MARK: - Start

    /// Replays what storage kept. Nothing of it is changed or announced again.
    private mutating func restore(_ snapshot: Snapshot, _ known: [Hash32: Template]) {
        isRestoring = true
        defer { isRestoring = false }
        restoreAlliances(snapshot)
        petnames = Dictionary(snapshot.petnames, uniquingKeysWith: { _, last in last })
        peers = snapshot.peers
        for bytes in snapshot.templates {
            guard let template = known[SHA256.hash(bytes)] ?? (try? Template.read(bytes)) else {
                continue
            }
            templates[template.hash] = template
        }
        restoreForks(snapshot)
        let keys = snapshot.contractKeys.compactMap(ContractKey.init)
        let keyOf = Dictionary(
            keys.map { ($0.contract, $0) }, uniquingKeysWith: { _, last in last })
        // Key logs first: a proposal's fold needs its author's key.
        for valid in snapshot.entries where valid.entry.kind == .key { fold(valid) }
        notePartedKeys(beside: snapshot.rivals)
        standing = snapshot.standing
        restoreHub(snapshot)
        restoreAttachments(snapshot)
        for bytes in snapshot.witnessTerms { keepWitnessTerms(bytes) }
        for (valid, contract) in snapshot.statements {
            statementsSeen.insert(valid.id)
            keepAsWitness(valid.entry)
            keep(valid.entry, contract: contract, key: contract.flatMap { keyOf[$0] })
            if ![.proposal, .acknowledgement].contains(valid.entry.kind), let contract {
                contracts[contract]?.statementCounts[valid.header.author, default: 0] += 1
            }
        }
        // Logs of parties first: a ruling or settlement has to be known before the steps it leaves behind,
        // and what those steps say against it before it ends anything.
        let steps = Set(contracts.values.map(\.log))
        let rest = snapshot.entries.filter { $0.entry.kind != .key }
        for valid in rest where isOfParty(valid.entry) { fold(valid) }
        let (lookup, checker) = (keyLookup, checker)
        for valid in rest {
            guard let log = valid.header.log?.log, steps.contains(log),
                let id = contractOfLog[log]
            else { continue }
            contracts[id]?.fold?.weigh(valid.entry, keys: lookup, checker: checker)
        }
        // Public logs before lines: who is a member and which line came first is to be known.
        let isPublic = publicLogs(among: rest)
        for valid in rest where isPublic.contains(valid.header.log?.log ?? .zero) { fold(valid) }
        readPublic()
        restoreAddresses(snapshot)
        for valid in rest
        where !isOfParty(valid.entry) && !isPublic.contains(valid.header.log?.log ?? .zero) {
            fold(valid)
        }
        foldRuled(snapshot)
        // Whose no counts against a request is known only now that rulings are.
        for (valid, contract) in snapshot.statements
        where valid.entry.kind == .refusal
            && contract.flatMap({ contracts[$0]?.fold?.epoch }) ?? 0 > 0
        {
            keep(valid.entry, contract: contract, key: nil)
        }
        restoreBranches(snapshot)
        for item in snapshot.outbox {
            outbox[item.key] = item
        }
        for transfer in snapshot.transfers {
            transfers[transfer.child] = PendingTransfer(parent: transfer.parent, act: transfer.act)
        }
        if planted(.restoreSpeaks) {
            changes = snapshot.entries.suffix(1).map { .entry($0, own: false) }
        } else {
            changes = []
        }
        directives = []
    }
}

/// The last index of the one that is named most often.
func heaviest<Name: Hashable>(_ names: [Name]) -> Int {
    var shares: [Name: Int] = [:]
    for name in names { shares[name, default: 0] += 1 }
    let most = shares.values.max() ?? 0
    return names.lastIndex { shares[$0] == most } ?? names.count - 1
}

/// A dictionary's pairs in the order of its keys: nothing may depend on hashing.
func sorted<Key: Comparable, Value>(
    _ pairs: some Sequence<(key: Key, value: Value)>
) -> [(Key, Value)] {
    pairs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}

public import Capacity
public import Contracts
public import Entries
public import Identity
public import NodeCore

/// What this room needs of a running node. The daemon implements it; tests hold a node in an actor.
public protocol NodeDoor: Sendable {
    func read<T: Sendable>(
        _ body: @escaping @Sendable (Node) throws -> T
    ) async throws -> T

    /// What it signs is durable before this returns, and where `body` throws nothing is kept. `dryRun`:
    /// runs on a copy and keeps nothing. `node.begin` was called with the moment and fresh randomness.
    func perform<T: Sendable>(
        dryRun: Bool, _ body: @escaping @Sendable (inout Node) throws -> T
    ) async throws -> (value: T, changes: [Change])

    /// The first answer of `probe`, asked now and after every commit; `nil` when so many seconds passed
    /// without one.
    func watch<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?
    ) async -> T?

    /// From storage, its body with it.
    func entry(log: LogID, sequence: Int64) async throws -> Entry?

    /// From storage, from one sequence on, as many as fit into so many bytes; at least one where there is one.
    func entries(log: LogID, from sequence: Int64, maxBytes: Int) async throws -> [Entry]

    /// A sealed chunk of a file, if it is held.
    func chunk(_ index: Int, of blob: Hash32) async throws -> [UInt8]?

    /// Rebuilds the ledger from entries and compares; `checkOnly` repairs nothing. Empty: equal.
    func rebuildLedger(checkOnly: Bool) async throws -> [LedgerDifference]

    func status() async -> DoorStatus

    /// Copies the home into one file, for whoever asked to read and remove; `copy` says under which name it is kept.
    func backUp() async throws(DoorRefusal) -> (path: String, copy: DoorStatus.Backup)

    /// That copy was carried away whole.
    func keep(_ copy: DoorStatus.Backup) async

    /// How the owner is told of what waits, as `talea notify show --json` has it; `null` where nobody is told.
    func notifySettings() async -> JSON

    /// Takes these options of `talea notify set`, and `smtp-password`, which is kept in the home.
    func setNotify(_ options: [String: String], _ language: Language) async throws(DoorRefusal)

    /// A fresh certificate for an IPv4 address of this computer, and its key in PEM: for the phone's door.
    func phoneCertificate(for host: String) async throws -> (der: [UInt8], key: [UInt8])

    /// What changed, told after each commit.
    var feed: Feed { get }

    /// What was counted since the start.
    var measures: Exposition { get }

    /// What was logged last.
    var log: RecentLog { get }

    /// Reads `contracts` in the home again, so that a template put there is known at the next command.
    /// What is new is explored first; those that do not hold are not taken and come back with why.
    @discardableResult
    func refreshTemplates() async -> [TemplateFault]
}

extension NodeDoor {
    public func notifySettings() async -> JSON { .null }
    public func setNotify(_ options: [String: String], _ language: Language)
        async
        throws(DoorRefusal)
    {
        throw DoorRefusal(
            "not_running", en: "the node does not run; use: talea notify set",
            zh: "节点未在运行；请用：talea notify set")
    }
}

/// A template file that a node does not take.
public struct TemplateFault: Hashable, Sendable {
    public let file: String
    public let says: Localized

    public init(file: String, says: Localized) {
        self.file = file
        self.says = says
    }
}

/// What only the shell knows of its node.
public struct DoorStatus: Hashable, Sendable {
    /// Where peers reach this node: `127.0.0.1:7001`.
    public var listening: String
    public var dataBytes: Int64
    public var started: Instant
    /// Entries in storage, where it is cheap to know.
    public var entries: Int64?
    /// The last time all that is stored was hashed again; `nil` before the first.
    public var scrub: Scrub?
    /// Frames over connections that stand, by who is at the other end.
    public var traffic: [DID: Traffic] = [:]
    /// Why connections ended and dials failed, the newest first, one for each address.
    public var farewells: [Farewell] = []

    public struct Traffic: Hashable, Sendable {
        public var received: UInt64 = 0
        public var sent: UInt64 = 0

        public init() {}
    }

    public struct Farewell: Hashable, Sendable {
        public let address: String
        /// Who was there, or was expected.
        public let did: DID?
        /// Never changes for one reason.
        public let code: String
        public let says: Localized
        public let time: Instant
        /// In a row.
        public var times = 1

        public init(address: String, did: DID?, code: String, says: Localized, time: Instant) {
            self.address = address
            self.did = did
            self.code = code
            self.says = says
            self.time = time
        }
    }

    /// Ways by which the owner asked to be told of things, and that fail.
    public var untold: [Untold] = []

    public struct Untold: Hashable, Sendable {
        /// `desktop`, `webhook`, `mail`.
        public let way: String
        public let since: Instant
        public let tries: Int
        /// What the program said that failed.
        public let complaint: String

        public init(way: String, since: Instant, tries: Int, complaint: String) {
            self.way = way
            self.since = since
            self.tries = tries
            self.complaint = complaint
        }

        var says: Localized {
            let ways = [
                "desktop": ("the desktop", "桌面"), "webhook": ("webhook", "webhook"),
                "mail": ("e-mail", "邮件"),
            ]
            let (en, zh) = ways[way] ?? (way, way)
            return Localized(
                en:
                    "What waits cannot be told by \(en), after \(tries) \(tries == 1 ? "try" : "tries"): \(complaint)",
                zh: "无法通过\(zh)提醒您，已试 \(tries) 次：\(complaint)")
        }
    }

    /// The last copy of the home; `nil` where none was made.
    public var backup: Backup?

    public struct Backup: Hashable, Sendable {
        public var made: Instant
        public var file: String

        public init(made: Instant, file: String) {
            self.made = made
            self.file = file
        }
    }

    public struct Scrub: Hashable, Sendable {
        public var finished: Instant
        /// Entries, statements, templates and keys looked at, and how many were damaged.
        public var entries: Int64
        public var bad: Int64

        public init(finished: Instant, entries: Int64, bad: Int64) {
            self.finished = finished
            self.entries = entries
            self.bad = bad
        }
    }

    public init(
        listening: String, dataBytes: Int64, started: Instant, entries: Int64? = nil,
        scrub: Scrub? = nil, backup: Backup? = nil
    ) {
        self.listening = listening
        self.dataBytes = dataBytes
        self.started = started
        self.entries = entries
        self.scrub = scrub
        self.backup = backup
    }
}

/// One row or balance that storage has other than the entries say.
public struct LedgerDifference: Hashable, Sendable {
    /// The account or cause.
    public var name: String
    public var stored: String
    public var rebuilt: String

    public init(name: String, stored: String, rebuilt: String) {
        self.name = name
        self.stored = stored
        self.rebuilt = rebuilt
    }
}

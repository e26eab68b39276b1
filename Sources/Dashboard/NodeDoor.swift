public import Capacity
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

    /// From storage, its body with it.
    func entry(log: LogID, sequence: Int64) async throws -> Entry?

    /// Rebuilds the ledger from entries and compares; `checkOnly` repairs nothing. Empty: equal.
    func rebuildLedger(checkOnly: Bool) async throws -> [LedgerDifference]

    func status() async -> DoorStatus

    /// Reads `contracts` in the home again, so that a template put there is known at the next command.
    func refreshTemplates() async
}

/// What only the shell knows of its node.
public struct DoorStatus: Hashable, Sendable {
    /// Where peers reach this node: `127.0.0.1:7001`.
    public var listening: String
    public var dataBytes: Int64
    public var started: Instant
    /// Entries in storage, where it is cheap to know.
    public var entries: Int64?

    public init(listening: String, dataBytes: Int64, started: Instant, entries: Int64? = nil) {
        self.listening = listening
        self.dataBytes = dataBytes
        self.started = started
        self.entries = entries
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

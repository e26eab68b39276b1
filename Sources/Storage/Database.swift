internal import Foundation
internal import GRDB
public import Identity
public import NodeCore
internal import Synchronization

/// The one place that knows SQL: what a node keeps, in `ledger.sqlite` in its home, and how far it has
/// signed, in `high-water` beside it.
///
///     commit: one transaction, on the disk ──▶ sidecar slot, on the disk ──▶ returns
///
/// Only then may anything be announced. A process that stops between the two arrows leaves the sidecar
/// behind; the next `load` repairs that.
public final class Database: Sendable {
    private let connection: Mutex<Connection>
    private let home: Home
    private let disk: RawDisk
    /// Whose node this is.
    public let did: DID
    let file: Hash32
    let machine: Hash32
    let vigil: Mutex<Vigil>
    let numbers = Mutex(AccountNumbers())
    private let lock: Mutex<HomeLock?>

    private struct Connection: Sendable {
        var pool: DatabasePool
        /// A closed one must not be asked to checkpoint: SQLite would follow a null pointer.
        var isOpen = true
    }

    /// The sidecar, and why it is left alone if it is.
    struct Vigil: Sendable {
        var sidecar: Sidecar
        /// Set at load. While it stands no commit touches the sidecar: a mark that is ahead must not be
        /// lowered, nor a missing one replaced, just because the node went on receiving.
        var withheld: ReadOnlyReason?
        /// The newest own statement that it knows, and where that stands.
        var statement: (Int64, EntryID) = (0, .zero)
    }

    /// A new node in `home`, which is made where it is missing. Refused where one is already.
    ///
    /// The file gets its name last, so that a crash on the way leaves nothing that looks like a node.
    public static func create(at home: String, genesis: Genesis, templates: [[UInt8]])
        throws(StorageRefusal)
    {
        try create(at: home, genesis: genesis, templates: templates, machine: Machine.hash())
    }

    package static func create(
        at path: String, genesis: Genesis, templates: [[UInt8]], machine: Hash32
    ) throws(StorageRefusal) {
        let home = Home(path: path)
        try home.make()
        let lock = try HomeLock(home)
        defer { withExtendedLifetime(lock) {} }
        try requireNone(at: path)
        if Home.exists(home.unfinishedLedger) {
            for ending in ["", "-wal", "-shm", "-journal"] {
                try Home.remove(home.unfinishedLedger + ending)
            }
            try Home.remove(home.sidecar)
        }
        try Home.makePrivate(home.unfinishedLedger)
        let file = Hash32(Entropy.bytes(32)) ?? .zero
        let pool = try connect(home.unfinishedLedger)
        let mark: GRDB.Database.OwnMark?
        do {
            try Schema.migrator.migrate(pool)
            mark = try pool.write { db in
                try db.execute(
                    sql: "INSERT INTO node (one, file, did, founding) VALUES (1, ?, ?, ?)",
                    arguments: [
                        file.data, genesis.own.did.data, Data(genesis.alliance.foundingBody),
                    ])
                for entry in genesis.entries { try db.insert(entry, own: true) }
                for template in templates {
                    try db.insert(template: SHA256.hash(template), template)
                }
                return try db.ownMark(genesis.own.did, above: 0)
            }
            try close(pool)
            for ending in ["-wal", "-shm"] { try Home.remove(home.unfinishedLedger + ending) }
        } catch {
            throw StorageRefusal(error)
        }
        guard let mark else { throw .corrupt(detail: "a genesis without own entries") }
        var sidecar = Sidecar(path: home.sidecar)
        defer { sidecar.close() }
        try sidecar.write(
            HighWater(file: file, machine: machine, count: mark.count, newest: mark.newest))
        try home.syncNames()
        guard rename(home.unfinishedLedger, home.ledger) == 0 else {
            throw StorageRefusal(errno: errno, home.ledger)
        }
        try home.syncNames()
    }

    /// Refused where a node is or was; the leavings of a creation that was cut off count as nothing.
    public static func requireNone(at path: String) throws(StorageRefusal) {
        let home = Home(path: path)
        guard !Home.exists(home.ledger) else { throw .homeExists(path: home.ledger) }
        // A sidecar alone is what is left of a lost ledger. It must not be forgotten here.
        guard !Home.exists(home.sidecar) || Home.exists(home.unfinishedLedger) else {
            throw .homeExists(path: home.sidecar)
        }
    }

    /// Removes a ledger and its sidecar that a creation left whose owner was never told. For the shell
    /// alone, which knows that nothing was.
    public static func discard(at path: String) throws(StorageRefusal) {
        let home = Home(path: path)
        let lock = try HomeLock(home)
        defer { withExtendedLifetime(lock) {} }
        for file in [home.ledger, home.unfinishedLedger] {
            for ending in ["-wal", "-shm", "-journal", ""] { try Home.remove(file + ending) }
        }
        try Home.remove(home.sidecar)
    }

    /// Takes the home, brings an older schema up to date, and makes sure that what SQLite calls
    /// committed is on the disk.
    public static func open(at home: String) throws(StorageRefusal) -> Database {
        try open(at: home, machine: Machine.hash())
    }

    /// On another machine, or on a disk that fails as ordered.
    package static func open(
        at path: String, machine: Hash32, disk: RawDisk = .system
    ) throws(StorageRefusal) -> Database {
        let home = Home(path: path)
        guard Home.exists(home.ledger) else { throw .homeMissing(path: path) }
        try Home.checkPrivate(home.path)
        try Home.checkPrivate(home.ledger)
        let lock = try HomeLock(home)
        try disk.settle(home.ledger + "-wal")
        let pool = try connect(home.ledger)
        let node: (file: Hash32, did: DID)
        do {
            let found = try pool.read { try Schema.version($0) }
            guard found > 0 else { throw StorageRefusal.corrupt(detail: "no ledger of Talea") }
            guard found <= Schema.known else {
                throw StorageRefusal.newerSchema(found: found, known: Schema.known)
            }
            try pool.read { try $0.requireWholePages() }
            try Schema.migrator.migrate(pool)
            node = try pool.read { db in
                guard let row = try Row.fetchOne(db, sql: "SELECT file, did FROM node"),
                    let file = Hash32(row[0] as Data), let did = DID(row[1] as Data)
                else { throw StorageRefusal.corrupt(detail: "whose node this is, is not told") }
                return (file, did)
            }
        } catch {
            throw StorageRefusal(error)
        }
        let database = Database(
            pool: pool, home: home, disk: disk, did: node.did, file: node.file, machine: machine,
            sidecar: Sidecar(path: home.sidecar, disk: disk), lock: lock)
        _ = try database.inspectSidecar()
        return database
    }

    private init(
        pool: DatabasePool, home: Home, disk: RawDisk, did: DID, file: Hash32, machine: Hash32,
        sidecar: Sidecar,
        lock: HomeLock
    ) {
        connection = Mutex(Connection(pool: pool))
        self.home = home
        self.disk = disk
        self.did = did
        self.file = file
        self.machine = machine
        vigil = Mutex(Vigil(sidecar: sidecar))
        self.lock = Mutex(lock)
    }

    /// Opens the files anew after a commit failed, so that nothing which the failed one left in this
    /// process is relied on. The home stays ours meanwhile.
    public func reopen() throws(StorageRefusal) {
        closeConnection()
        try disk.settle(home.ledger + "-wal")
        let fresh = try Database.connect(home.ledger)
        connection.withLock { $0 = Connection(pool: fresh) }
        numbers.withLock { $0 = AccountNumbers() }
        _ = try inspectSidecar()
    }

    var pool: DatabasePool { connection.withLock { $0.pool } }

    /// The disk that failed may fail again here; what it keeps is read from the file next.
    private func closeConnection() {
        connection.withLock { connection in
            if connection.isOpen { try? Database.close(connection.pool) }
            connection.isOpen = false
        }
        vigil.withLock { $0.sidecar.close() }
    }

    /// Lets the home go. Nothing can be asked afterwards; a second time does nothing.
    public func close() {
        lock.withLock { lock in
            guard lock != nil else { return }
            closeConnection()
            lock = nil
        }
    }

    deinit { vigil.withLock { $0.sidecar.close() } }

    // MARK: - Connections

    /// Kibibytes of page cache of each connection. An idle node stays small; the kernel caches files.
    private static let cacheKibibytes = 512
    /// Pages in the log before they move to the file, 4 KiB each. Generous: half the moving, twice the
    /// inserts in bulk sync; the log is cut back to `logBytesKept` afterwards.
    private static let checkpointPages = 8_192
    private static let logBytesKept = 4 << 20

    private static func connect(_ path: String) throws(StorageRefusal) -> DatabasePool {
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA cache_size = -\(cacheKibibytes);
                    PRAGMA trusted_schema = OFF;
                    """)
        }
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            // GRDB's pool sets NORMAL after `prepareDatabase`: only from here on does FULL last.
            try pool.writeWithoutTransaction { db in
                try db.execute(
                    sql: """
                        PRAGMA synchronous = FULL;
                        PRAGMA wal_autocheckpoint = \(checkpointPages);
                        PRAGMA journal_size_limit = \(logBytesKept);
                        """)
                try assertDurable(db)
            }
            return pool
        } catch {
            throw StorageRefusal(error)
        }
    }

    /// What S6 rests on: FULL syncs the log at every commit; NORMAL loses acknowledged commits when
    /// the power goes.
    static func assertDurable(_ db: GRDB.Database) throws {
        for (pragma, expected) in [
            ("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"),
        ] {
            let found = try String.fetchOne(db, sql: "PRAGMA \(pragma)") ?? ""
            guard found == expected else {
                throw StorageRefusal.notDurable(pragma: pragma, found: found)
            }
        }
    }

    /// Moves everything into the file first: a copy of the closed file is whole. SQLite would do so at
    /// the last close, but the pool closes a reader last, and a reader may not.
    private static func close(_ pool: DatabasePool) throws {
        defer { try? pool.close() }
        _ = try pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
    }

    func read<T>(_ body: (GRDB.Database) throws -> T) throws(StorageRefusal) -> T {
        do { return try pool.read(body) } catch { throw StorageRefusal(error) }
    }

    func write<T>(_ body: (GRDB.Database) throws -> T) throws(StorageRefusal) -> T {
        do { return try pool.write(body) } catch { throw StorageRefusal(error) }
    }
}

extension Fixed32 {
    var data: Data {
        let (a, b, c, d) = words
        return withUnsafeBytes(of: (a.bigEndian, b.bigEndian, c.bigEndian, d.bigEndian)) {
            Data($0)
        }
    }
}

extension Row {
    /// Refused where the column does not hold 32 bytes.
    func fixed<K>(_ column: String) throws -> Fixed32<K> {
        guard let value: Fixed32<K> = try fixedIfAny(column) else {
            throw StorageRefusal.corrupt(detail: "\(column) is not 32 bytes")
        }
        return value
    }

    func fixed<K>(at column: Int) throws -> Fixed32<K> {
        let value = try withUnsafeData(atIndex: column) { data in
            data?.withUnsafeBytes { Fixed32<K>(raw: $0) }
        }
        guard let value else {
            throw StorageRefusal.corrupt(detail: "column \(column) is not 32 bytes")
        }
        return value
    }

    /// `nil` where the column is NULL; refused where it holds anything but 32 bytes.
    func fixedIfAny<K>(_ column: String) throws -> Fixed32<K>? {
        try withUnsafeData(named: column) { data in
            guard let data else { return nil }
            guard let value = data.withUnsafeBytes({ Fixed32<K>(raw: $0) }) else {
                throw StorageRefusal.corrupt(detail: "\(column) is not 32 bytes")
            }
            return value
        }
    }
}

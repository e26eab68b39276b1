internal import Dashboard
internal import Dispatch
internal import Entries
internal import Foundation
internal import Glibc
internal import Identity
internal import Capacity
internal import Contracts
internal import Ledger
internal import Logging
internal import NodeCore
internal import Storage
internal import Synchronization
internal import Transport

/// The owner's way in: what the local HTTP server may ask of the running node.
final class LocalDoor: NodeDoor {
    private let runtime: Runtime
    private let home: Home
    private let database: Database
    private let listening: String
    private let started = Clock.now()
    /// A turn goes first; a ledger of a million transfers takes half a minute.
    private static let rebuildSeconds: Int64 = 600
    /// The template files as they were read last, by name, size and time.
    private let seen = Mutex(Seen())

    private struct Seen {
        var stamps: [String]?
        var faults: [TemplateFault] = []
    }

    init(runtime: Runtime, home: Home, database: Database, listening: String) {
        self.runtime = runtime
        self.home = home
        self.database = database
        self.listening = listening
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (Node) throws -> T) async throws -> T {
        if var node = runtime.committed.read() {
            node.begin(at: Clock.now(), seed: Entropy.seed())
            return try body(node)
        }
        let node = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Node, any Error>) in
            runtime.put { node in
                // A copy is read, so that the loop goes on; only once what it shows is durable.
                let copy = node
                return { commit in continuation.resume(with: commit.map { copy }) }
            }
        }
        return try body(node)
    }

    func watch<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?
    ) async -> T? {
        await runtime.watch(seconds: seconds, probe)
    }

    func perform<T: Sendable>(
        dryRun: Bool, _ body: @escaping @Sendable (inout Node) throws -> T
    ) async throws -> (value: T, changes: [Change]) {
        let done = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<(value: T, changes: [Change]), any Error>) in
            runtime.put { node in
                // On a copy, so that a refusal halfway leaves nothing behind.
                var trial = node
                do {
                    let value = try body(&trial)
                    let changes = trial.changes
                    if !dryRun { node = trial }
                    return { commit in
                        continuation.resume(with: commit.map { (value, changes) })
                    }
                } catch {
                    return { _ in continuation.resume(throwing: error) }
                }
            }
        }
        if !dryRun { follow(done.changes) }
        return done
    }

    func entry(log: LogID, sequence: Int64) async throws -> Entry? {
        try database.entry(log: log, sequence: sequence)
    }

    func entries(log: LogID, from sequence: Int64, maxBytes: Int) async throws -> [Entry] {
        try database.entries(log: log, from: sequence, to: .max, maxBytes: maxBytes)
    }

    func phoneCertificate(for host: String) async throws -> (der: [UInt8], key: [UInt8]) {
        let made = try PhoneCertificate(for: host)
        return (made.der, made.key)
    }

    func chunk(_ index: Int, of blob: Hash32) async throws -> [UInt8]? {
        try database.chunk(index, of: blob)
    }

    func rebuildLedger(checkOnly: Bool) async throws -> [Dashboard.LedgerDifference] {
        let database = database
        let found = try await read { try database.differences(from: $0.ledger, repair: false) }
        guard !found.isEmpty else { return [] }
        // The ledger may have gone on beside this look. Watches are asked by the loop itself, between two turns.
        let looked = await runtime.watch(seconds: Self.rebuildSeconds) { node in
            Result { try database.differences(from: node.ledger, repair: !checkOnly) }
        }
        guard let looked else { throw DoorRefusal.stopping }
        return try looked.get()
    }

    func status() async -> DoorStatus {
        var status = DoorStatus(
            listening: listening, dataBytes: home.dataBytes, started: started,
            scrub: runtime.lastScrub, backup: home.lastBackup)
        (status.traffic, status.farewells) = runtime.seen
        status.untold = runtime.untold
        return status
    }

    func backUp() async throws(DoorRefusal) -> (path: String, copy: DoorStatus.Backup) {
        let home = home
        let path = home.path + "/" + Home.downloadName()
        // Long reading is no work for the threads that everything else shares.
        let done: Result<DoorStatus.Backup, any Error> = await withCheckedContinuation {
            continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Result { try home.backUp(for: path) })
            }
        }
        switch done {
        case .success(let copy): return (path, copy)
        case .failure(let error):
            unlink(path)
            let words = Daemon.words(for: error) ?? Localized(en: "\(error)", zh: "\(error)")
            throw DoorRefusal("backup_failed", en: words.en, zh: words.zh)
        }
    }

    func notifySettings() async -> JSON { (home.notifySettings ?? NotifySettings()).json }

    func setNotify(_ options: [String: String], _ language: Language) async throws(DoorRefusal) {
        var (settings, options) = (home.notifySettings ?? NotifySettings(), options)
        settings.language = language
        let password = options.removeValue(forKey: "smtp-password") ?? ""
        if !password.isEmpty { options["smtp-password-file"] = home.notifyPasswordFile }
        try settings.take(options)
        do {
            if !password.isEmpty {
                try DurableFile.write(Array(password.utf8), to: home.notifyPasswordFile)
            }
            try home.set(settings)
        } catch { throw DoorRefusal(any: error) }
    }

    func keep(_ copy: DoorStatus.Backup) async {
        do { try home.keep(copy) } catch {
            runtime.logger.error("a backup was carried away, and that cannot be noted: \(error)")
        }
    }

    func refreshTemplates() async -> [TemplateFault] {
        let files = seen.withLock { seen in
            let now = Templates.stamps(home.templates)
            defer { seen.stamps = now }
            return now == seen.stamps ? nil : Templates.read(home.templates)
        }
        guard let files else { return seen.withLock { $0.faults } }
        let known = (try? await read { Set($0.templates.keys) }) ?? []
        let unknown = files.filter { !known.contains(SHA256.hash($0.bytes)) }
        var taken: [Templates.File] = []
        var faults: [TemplateFault] = []
        for file in unknown {
            if let fault = Templates.fault(file) {
                faults.append(fault)
            } else {
                taken.append(file)
            }
        }
        let new = taken
        if !new.isEmpty {
            _ = try? await perform(dryRun: false) { node in
                for file in new { try? node.add(template: file.bytes) }
            }
        }
        return seen.withLock { seen in
            seen.faults = faults
            return faults
        }
    }

    var feed: Feed { runtime.feed }
    var measures: Exposition { runtime.measures }
    var log: RecentLog { runtime.log }

    /// New peers are dialed at once.
    private func follow(_ changes: [Change]) {
        for change in changes {
            guard case .peer(let address, let added) = change else { continue }
            added ? runtime.dial(address) : runtime.forget(address)
        }
    }
}

extension Database {
    /// What the books of the entries and the stored ledger disagree on; `repair` writes the former.
    func differences(from books: Books, repair: Bool) throws -> [Dashboard.LedgerDifference] {
        try compare(to: books, repair: repair).map { Dashboard.LedgerDifference($0) }
    }
}

extension Home {
    var dataBytes: Int64 {
        ["ledger.sqlite", "ledger.sqlite-wal"].reduce(0) { sum, name in
            var found = stat()
            return stat(path + "/" + name, &found) == 0 ? sum + Int64(found.st_size) : sum
        }
    }
}

/// The door of a home whose node is stopped: everything can be read, nothing is signed.
actor OfflineDoor: NodeDoor {
    private let node: Node
    private let database: Database
    private let home: Home
    /// Silent: nothing happens here.
    nonisolated let feed = Feed()
    nonisolated let measures = Exposition()
    nonisolated let log = RecentLog { Clock.now() }

    init(node: Node, database: Database, home: Home) {
        self.node = node
        self.database = database
        self.home = home
    }

    struct Stopped: Error {}

    func read<T: Sendable>(_ body: @escaping @Sendable (Node) throws -> T) async throws -> T {
        var now = node
        now.begin(at: Clock.now(), seed: Entropy.seed())
        return try body(now)
    }

    /// Nothing happens here: what is not there now will not come.
    func watch<T: Sendable>(
        seconds: Int64, _ probe: @escaping @Sendable (Node) -> T?
    ) async -> T? { probe(node) }

    /// Previews alone.
    func perform<T: Sendable>(
        dryRun: Bool, _ body: @escaping @Sendable (inout Node) throws -> T
    ) async throws -> (value: T, changes: [Change]) {
        guard dryRun else { throw Stopped() }
        var trial = node
        trial.begin(at: Clock.now(), seed: Entropy.seed())
        let value = try body(&trial)
        return (value, trial.changes)
    }

    func entry(log: LogID, sequence: Int64) async throws -> Entry? {
        try database.entry(log: log, sequence: sequence)
    }

    func entries(log: LogID, from sequence: Int64, maxBytes: Int) async throws -> [Entry] {
        try database.entries(log: log, from: sequence, to: .max, maxBytes: maxBytes)
    }

    func chunk(_ index: Int, of blob: Hash32) async throws -> [UInt8]? {
        try database.chunk(index, of: blob)
    }

    func rebuildLedger(checkOnly: Bool) async throws -> [Dashboard.LedgerDifference] {
        try database.differences(from: node.ledger, repair: !checkOnly)
    }

    func phoneCertificate(for host: String) async throws -> (der: [UInt8], key: [UInt8]) {
        throw Stopped()
    }

    func status() async -> DoorStatus {
        DoorStatus(
            listening: "", dataBytes: home.dataBytes, started: Clock.now(), backup: home.lastBackup)
    }

    func backUp() async throws(DoorRefusal) -> (path: String, copy: DoorStatus.Backup) {
        throw DoorRefusal(
            "not_running", en: "the node does not run; use: talea backup FILE",
            zh: "节点未在运行；请用：talea backup 文件")
    }

    func keep(_ copy: DoorStatus.Backup) async {}

    func refreshTemplates() async -> [TemplateFault] { [] }
}

extension Dashboard.LedgerDifference {
    init(_ difference: Storage.LedgerDifference) {
        switch difference {
        case .transfer(let cause, let stored, let rebuilt):
            self.init(
                name: "transfer \(cause)", stored: stored.map { "\($0)" } ?? "nothing",
                rebuilt: rebuilt.map { "\($0)" } ?? "nothing")
        case .account(let account, let stored, let rebuilt):
            self.init(
                name: "account \(account.kind.rawValue) \(account.commodity.name) of "
                    + "\(account.owner.shortDID) with \(account.counterparty.shortDID)",
                stored: "\(stored)", rebuilt: "\(rebuilt)")
        case .order(let stored, let rebuilt):
            self.init(name: "order", stored: stored, rebuilt: rebuilt)
        }
    }
}

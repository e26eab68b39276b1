internal import CFaultDisk
package import Entries
internal import Foundation
package import Identity
package import Ledger
package import NodeCore
package import Replication
package import Simulation
internal import Storage

/// A home in real files: SQLite, the sidecar and all that Storage does with them, on a disk that fails as
/// ordered.
///
///     open ──▶ load ──▶ commit, commit … ──▶ a call fails ──▶ reopen ──▶ load
///       ▲                     └─▶ killed, or the power cut, at some call ─┐
///       └────────────────────────────────────────────────────────────────┘
///
/// What the process does is done by calls of the daemon's. What befalls it is drawn from the world's seed.
package final class FileDisk: Disk {
    /// Losses that are planted, for trying the worlds themselves.
    package enum Canary: Sendable {
        /// Syncs of the log keep nothing, as `synchronous = NORMAL` has it.
        case unsynced
        /// Now and then a commit returns that was never made.
        case skipped
    }

    package private(set) var own: Own
    /// What the key files hold, by the entry that names the key.
    private var keys: [EntryID: Own]
    private let platter: Platter
    private var chance: Chance
    private let canary: Canary?
    /// Calls fail by themselves.
    private var isFailing: Bool
    /// `nil` where no process runs.
    private var database: Database?
    /// What the home holds, as was read or committed last.
    private var known: Set<EntryID> = []
    /// Statements that stand in the terms of contracts that are witnessed.
    private var sealed: Set<EntryID> = []
    /// What is relied on: a commit that holds it returned, or a node was started from it.
    private var promised: Set<EntryID> = []
    private var wear = Wear.none
    private var copies: [(files: [String: Data], signed: Int)] = []
    package private(set) var befell: [String: Int] = [:]
    /// How many calls a commit makes, as the last one did.
    private var movesOfCommit: Int64 = 8
    /// How many own entries and statements the home holds.
    private var signed = 0

    /// Of a bit that turns over.
    private enum Wear: Equatable {
        case none, due
        /// It did since the last start, in this file.
        case done(String?)
    }

    private static let machine = Hash32([UInt8](repeating: 1, count: 32)) ?? .zero
    private static let copiesMax = 4

    package init(own: Own, plan: FaultPlan, chance: Chance, canary: Canary? = nil) throws {
        self.own = own
        keys = [own.keyEntry: own]
        self.chance = chance
        self.canary = canary
        isFailing = plan.has(.ioErrors)
        platter = try Platter()
    }

    deinit { database?.close() }

    package func create(_ genesis: Genesis, templates: [[UInt8]]) throws {
        try Database.create(
            at: platter.path, genesis: genesis, templates: templates, machine: Self.machine)
        platter.watchAnew()
        known = Set(genesis.entries.map(\.id))
        promised = known
        signed = genesis.entries.count
        if canary == .unsynced { platter.lie = "-wal" }
    }

    // MARK: - The process

    package func load(isFull: Bool) -> Loaded {
        defer { platter.heal() }
        if database == nil, wear == .due { wear = .done(platter.turnBit(&chance)) }
        let isAsked = isFull || isFailing && chance.below(Self.loadsToFailure) == 0
        if isAsked, !isFull { failSomewhere(within: Self.callsOfLoad) }
        if isFull { platter.fail(FAULT_WRITE, at: 1, FAULT_ENOSPC, stays: true) }
        var isMended = false
        do {
            let database = try database ?? open()
            self.database = database
            let inForce = try database.keyInForce()
            let (snapshot, _) = try database.loadMending { _ in isMended = true }
            own = keys[inForce.id] ?? own
            let lost = take(snapshot)
            // A log that a bit cut short may have lost what no id tells.
            let isCut = wear == .done(Platter.log)
            let isWorn =
                isCut || isMended || wear != .none && (lost != nil || snapshot.readOnly != nil)
            if wear != .none {
                let isReadOnly = snapshot.readOnly != nil
                befell(
                    "bit "
                        + (isMended
                            ? "mended"
                            : isReadOnly
                                ? "read-only"
                                : lost != nil ? "cut" : "harmless"))
            }
            wear = .none
            return .whole(.init(snapshot: snapshot, lost: lost, isWorn: isWorn))
        } catch {
            let hasFailed = platter.heal() && isAsked
            close()
            // What failed once may not the next time.
            if hasFailed {
                befell(isFull ? "start full" : "start failed")
                return .failing
            }
            befell("bit refused")
            return .damaged(unprovoked: wear == .none ? "\(error)" : nil)
        }
    }

    private static let loadsToFailure = 4
    private static let callsOfLoad = 60

    private func open() throws -> Database {
        try Database.open(at: platter.path, machine: Self.machine, disk: platter.raw)
    }

    /// Learns what the home holds. What was relied on and is not there.
    private func take(_ snapshot: Snapshot) -> EntryID? {
        sealed = Set(
            snapshot.witnessTerms.compactMap { try? Sealed(strict: $0) }.map(\.statement.id))
        known = sealed
        signed = 0
        for valid in snapshot.entries + snapshot.rivals + snapshot.statements.map(\.0) {
            known.insert(valid.id)
            if valid.header.author == own.did { signed += 1 }
        }
        defer { promised = known }
        return promised.subtracting(known).min()
    }

    package func commit(
        _ changes: [Change], own: Own?, under fault: DiskFault?
    ) -> CommitOutcome {
        guard let database else { return .lost }
        // The key file comes first, as the next key beside the one in force.
        if let own { keys[own.keyEntry] = own }
        if canary == .skipped, fault == nil, chance.below(50) == 0 {
            return keep(changes, own)
        }
        order(fault)
        let before = platter.moves
        do {
            try database.commit(changes)
            if fault == nil { movesOfCommit = max(platter.moves - before, 1) }
            platter.heal()
            return keep(changes, own)
        } catch {
            return fail(error, changes, database, under: fault)
        }
    }

    /// It did not return. As the daemon does, the files are opened anew; what they hold then is the outcome.
    private func fail(
        _ error: StorageRefusal, _ changes: [Change], _ database: Database,
        under fault: DiskFault?
    ) -> CommitOutcome {
        befell("commit " + (fault.map(Self.name) ?? "refused"))
        let ids = Self.ids(in: changes).filter { !known.contains($0) }
        if fault == .stops {
            endProcess(isDead: true)
            look()
        } else {
            do { try database.reopen() } catch {
                befell("reopening failed")
                close()
                platter.heal()
                look()
            }
            platter.heal()
            // What a disk that does nothing wrong says no to is no fault of the disk.
            guard fault != nil, error.isOfTheDisk else { return .refused("\(error)") }
        }
        // Where nobody has the home, what it holds was just looked at.
        guard let first = ids.first, holds(first) else { return .lost }
        befell("commit untold")
        if self.database != nil { note(changes) }
        return .untold
    }

    private static func name(_ fault: DiskFault) -> String {
        switch fault {
        case .full: "full"
        case .fails: "failed"
        case .stops: "cut short"
        }
    }

    private func befell(_ what: String) { befell[what, default: 0] += 1 }

    private func order(_ fault: DiskFault?) {
        switch fault {
        case nil: break
        case .full: platter.fail(FAULT_WRITE, at: 1, FAULT_ENOSPC, stays: true)
        case .fails: failSomewhere(within: Int(movesOfCommit))
        case .stops: platter.stop(at: chance.within(1...movesOfCommit + 1))
        }
    }

    private func failSomewhere(within calls: Int) {
        let kinds = [FAULT_WRITE, FAULT_WRITE, FAULT_SYNC, FAULT_SYNC, FAULT_TRUNCATE, FAULT_READ]
        let kind = chance.pick(kinds) ?? FAULT_WRITE
        // Of syncs a commit has one, and one more for the sidecar.
        let number = kind == FAULT_SYNC ? 1 + chance.below(2) : 1 + chance.below(calls)
        platter.fail(
            kind, at: Int64(number), chance.below(2) == 0 ? FAULT_EIO : FAULT_ENOSPC,
            stays: chance.below(4) == 0)
    }

    /// The commit returned.
    private func keep(_ changes: [Change], _ own: Own?) -> CommitOutcome {
        if let own { self.own = own }
        note(changes)
        promised.formUnion(Self.ids(in: changes))
        return .kept
    }

    private func note(_ changes: [Change]) {
        known.formUnion(Self.ids(in: changes))
        for change in changes {
            switch change {
            case .entry(_, own: true): signed += 1
            case .statement(let valid, _) where valid.header.author == own.did: signed += 1
            case .witnessTerms(_, let bytes):
                if let kept = try? Sealed(strict: bytes) { sealed.insert(kept.statement.id) }
            default: break
            }
        }
    }

    private static func ids(in changes: [Change]) -> [EntryID] {
        changes.compactMap { change in
            switch change {
            case .entry(let valid, _), .statement(let valid, _), .rival(let valid): valid.id
            case .witnessTerms(_, let bytes):
                try? Sealed(strict: bytes).statement.id
            default: nil
            }
        }
    }

    package var isBookless: Bool { false }

    package func repair(_ books: Books) throws {
        _ = try database?.compare(to: books, repair: true)
    }

    package func frames(for directive: Directive) -> [(peer: PeerID, frame: Frame)] {
        if isFailing, chance.below(Self.readsToFailure) == 0 {
            platter.fail(FAULT_READ, at: chance.within(1...4), FAULT_EIO, stays: false)
        }
        defer { platter.heal() }
        var frames: [(peer: PeerID, frame: Frame)] = []
        let refusal = database?.fetch(directive, room: ReplicationLimit.answerBytes) {
            frames.append(($0, $1))
        }
        if refusal != nil { befell("read failed") }
        return frames
    }

    private static let readsToFailure = 200

    package func close() {
        database?.close()
        database = nil
    }

    // MARK: - What befalls it

    package func crash() {
        // Where a commit did not live to its end, that was the crash.
        if database != nil { endProcess() }
    }

    /// At once, or on its way to an orderly end; and as often as not the power goes, too. `isDead`: it has
    /// ended already, and only this program still has the files open.
    private func endProcess(isDead: Bool = false) {
        let isOrderly = chance.below(3) == 0 && !isDead
        platter.stop(at: isOrderly ? chance.within(1...Self.callsOfClose) : 1)
        close()
        platter.resume()
        guard chance.below(2) == 0, let (mode, name) = chance.pick(Self.modes) else {
            return befell(isOrderly ? "killed closing" : "killed")
        }
        befell("power cut " + name)
        do { try platter.cut(mode, seed: chance.next()) } catch { befell("power cut failed") }
    }

    private static let modes = [
        (FAULT_IMAGE_NONE, "none"), (FAULT_IMAGE_ALL, "all"), (FAULT_IMAGE_PREFIX, "prefix"),
        (FAULT_IMAGE_SUBSET, "subset"), (FAULT_IMAGE_TORN, "torn"),
    ]
    private static let callsOfClose: Int64 = 40

    package func damage(_ entry: EntryID) { wear = .due }

    package func copy() {
        guard copies.count < Self.copiesMax else { return }
        copies.append((platter.copy(), signed))
    }

    package func putBack() -> Bool {
        guard let copy = copies.first, copy.signed < signed else { return false }
        close()
        platter.put(copy.files)
        copies = []
        befell("put back")
        look()
        promised = known
        return true
    }

    package func heal() {
        isFailing = false
        platter.heal()
    }

    // MARK: - What the oracle sees

    /// Reads the home while nothing goes wrong and no process has it, and leaves it as one that was killed.
    @discardableResult
    private func look() -> Snapshot? {
        guard let database = try? open() else { return nil }
        defer {
            platter.stop(at: 1)
            database.close()
            platter.resume()
        }
        guard let inForce = try? database.keyInForce(), let (snapshot, _) = try? database.load()
        else { return nil }
        own = keys[inForce.id] ?? own
        let relied = promised
        _ = take(snapshot)
        promised = relied
        return snapshot
    }

    package var snapshot: Snapshot? {
        guard let database else { return look() }
        return try? database.load().0
    }

    package var entries: [ValidEntry] { snapshot?.entries ?? [] }

    package func holds(_ id: EntryID) -> Bool {
        guard let database else { return known.contains(id) }
        return (try? database.entry(id)) != nil || sealed.contains(id)
    }

    package func entries(of log: LogID) -> [Entry] {
        let found = try? database?.entries(log: log, from: 1, to: .max, maxBytes: .max)
        return found ?? []
    }

    package func entry(of log: LogID, at sequence: Int64) -> Entry? {
        try? database?.entry(log: log, sequence: sequence)
    }

    package func difference(to books: Books) -> String? {
        do { return try database?.check(against: books).first?.description } catch {
            return "\(error)"
        }
    }

    package var print: UInt64 { UInt64(platter.moves) &+ 1 }
}

extension World.Setting {
    /// Lays real files under every machine.
    package mutating func lieOnFiles(canary: FileDisk.Canary? = nil) {
        makeDisk = { try FileDisk(own: $0, plan: $1, chance: $2, canary: canary) }
    }
}

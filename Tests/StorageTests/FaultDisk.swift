import CFaultDisk
import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

/// A node on a disk that fails and loses as ordered, and what it was told is safe.
final class FaultyNode {
    let folder: Folder
    private let disk: OpaquePointer
    private(set) var database: Storage.Database
    private var alice: Player
    private var bob: Player
    private var step: Int64 = 0
    /// Rounds whose commit returned.
    private(set) var acknowledged = 0
    /// Entries that stood before the first round.
    let entriesBefore: Int
    /// Called at each sync, before it is done.
    var atSync: (Int64) -> Void = { _ in }

    static let machine = Hash32([UInt8](repeating: 1, count: 32)) ?? .zero

    init() throws {
        try #require(fault_disk_install() == 0)
        let play = try Play(inMemory: true)
        let bob = try Player(98, joining: play.alice.genesis.alliance)
        try play.database.commit(
            bob.genesis.entries.map { .entry($0, own: false) }
                + [.contractKey(try ContractKey.of(9).contract, try ContractKey.of(9).bytes)])
        play.database.close()
        (alice, self.bob) = (play.alice, bob)
        folder = play.folder
        // Written by the machine of the tests from here on.
        let moved = try Database.open(at: folder.path, machine: Self.machine)
        try moved.confirmHighWater()
        entriesBefore = try moved.load().0.entries.count
        moved.close()
        disk = try #require(fault_disk_watch(folder.path))
        database = try Self.open(folder, on: disk)
        fault_disk_on_sync(
            disk,
            { context, number in
                guard let context else { return }
                Unmanaged<FaultyNode>.fromOpaque(context).takeUnretainedValue().atSync(number)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        database.close()
        fault_disk_release(disk)
    }

    private static func open(_ folder: Folder, on disk: OpaquePointer) throws -> Storage.Database {
        nonisolated(unsafe) let disk = disk
        return try Database.open(
            at: folder.path, machine: machine,
            disk: RawDisk(
                write: { path, file, bytes, offset in
                    Int(fault_disk_pwrite(disk, path, file, bytes, bytes.count, Int64(offset)))
                }, sync: { path, file in fault_disk_fdatasync(disk, path, file) }))
    }

    // MARK: - The disk

    func fail(
        _ kind: fault_kind, after number: Int64, _ error: fault_error, stays: Bool = false
    ) { fault_disk_fail(disk, kind, number, error, stays ? 1 : 0) }

    func heal() { fault_disk_heal(disk) }
    func lie(about part: String?) { fault_disk_lie(disk, part) }
    var hasFailed: Bool { fault_disk_failed(disk) > 0 }
    func calls(_ kind: fault_kind) -> Int64 { fault_disk_count(disk, kind) }

    /// A home as a power cut at this moment leaves it.
    func cut(_ mode: fault_image_mode, seed: UInt64) throws -> Folder {
        let left = Folder(inMemory: true)
        try FileManager.default.createDirectory(
            atPath: left.path, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try #require(fault_disk_image(disk, mode, seed, left.path) == 0)
        return left
    }

    // MARK: - The work

    /// One round is one commit: an own entry, another's entry, a statement with its way out, and a
    /// transfer. All of it is there or nothing.
    func round() throws {
        // Kept only once the commit returned: what failed is asked for anew.
        var (alice, bob) = (alice, bob)
        let number = UInt8(truncatingIfNeeded: step)
        let own = try alice.append([UInt8](repeating: number, count: 300))
        let other = try bob.append([UInt8](repeating: number, count: 900))
        let said = try alice.say([number, UInt8(truncatingIfNeeded: step >> 8)])
        let transfer = try Money.transfer(9, step + 1, 0)
        try database.commit([
            .entry(own, own: true), .entry(other, own: false),
            .statement(said, contract: transfer.cause.contract),
            .outbox(
                OutboxItem(
                    statement: said.entry, recipient: bob.did, contractKey: nil, expires: .latest)),
            .books([.reserve(transfer)]),
        ])
        (self.alice, self.bob) = (alice, bob)
        step += 1
        acknowledged += 1
    }

    /// Rounds until `count` returned, on a disk that fails: after each refusal the database is opened
    /// and read anew, and what it holds decides how to go on. The refusals.
    func rounds(_ count: Int, healing: Bool = true) throws -> [StorageRefusal] {
        var refusals: [StorageRefusal] = []
        let end = acknowledged + count
        while acknowledged < end {
            do { try round() } catch let refusal as StorageRefusal {
                refusals.append(refusal)
                try #require(refusals.count < 20, "\(refusals)")
                if healing { heal() }
                try reopen()
            }
        }
        return refusals
    }

    /// As after a refused commit: drop, open, load. A commit that failed late may have been kept.
    func reopen() throws {
        database.close()
        database = try Self.open(folder, on: disk)
        let (snapshot, _) = try database.load()
        guard snapshot.readOnly == nil else { throw ReadOnly() }
        let kept = snapshot.statements.count
        while step < kept {
            let number = UInt8(truncatingIfNeeded: step)
            _ = try alice.append([UInt8](repeating: number, count: 300))
            _ = try bob.append([UInt8](repeating: number, count: 900))
            step += 1
            acknowledged += 1
        }
    }

    struct ReadOnly: Error {}

    func checkpoint() throws {
        _ = try database.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
    }

    func sync(_ mode: String) throws {
        try database.pool.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA synchronous = \(mode)")
        }
    }
}

/// What a home that a power cut left turns out to hold.
struct Left {
    let rounds: Int
    let readOnly: ReadOnlyReason?

    /// Opens it as the program would, and checks all that must hold of any home.
    init(_ node: FaultyNode, _ mode: fault_image_mode, seed: UInt64) throws {
        let folder = try node.cut(mode, seed: seed)
        let database = try Database.open(at: folder.path, machine: FaultyNode.machine)
        defer { database.close() }
        let (snapshot, _) = try database.load()
        readOnly = snapshot.readOnly
        rounds = snapshot.statements.count
        // A commit is whole or not at all.
        #expect(snapshot.entries.count == node.entriesBefore + 2 * rounds)
        #expect(snapshot.outbox.count == rounds)
        #expect(try database.transferRows().count == rounds)
        let events = try (0..<rounds).map {
            TransferEvent.reserve(try Money.transfer(9, Int64($0) + 1, 0))
        }
        #expect(try database.check(against: try Money.books(events)) == [])
        #expect(try database.scrub() == [])
    }
}

import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

/// Somebody with a fixed key who writes logs and says things.
struct Player {
    let key: SigningKey
    let genesis: Genesis
    private var heads: [LogID: (sequence: Int64, id: EntryID)] = [:]

    init(_ letter: UInt8, joining alliance: Alliance? = nil) throws {
        key = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: letter, count: 32))))
        let next = try #require(
            SigningKey(seed: SecretBytes([UInt8](repeating: letter + 1, count: 32))))
        genesis = try Genesis(
            key: key, nextKey: next.publicKey,
            nodeSecret: SecretBytes([UInt8](repeating: 7, count: 32)),
            profile: Profile(name: "Player \(letter)"), joining: alliance,
            founding: "Letterpress Row", at: .start,
            seed: Hash32([UInt8](repeating: letter, count: 32)) ?? .zero)
        for entry in genesis.entries {
            let place = try #require(entry.header.log)
            heads[place.log] = (place.sequence, entry.id)
        }
    }

    var did: DID { genesis.own.did }
    var publicLog: LogID { .publicLog(author: did, alliance: genesis.alliance.topic) }

    /// The next entry of a log: any bytes, for storage reads no body.
    mutating func append(_ body: [UInt8], to log: LogID? = nil, kind: Kind = .profile) throws
        -> ValidEntry
    {
        let log = log ?? publicLog
        let (sequence, previous) = (heads[log]?.sequence ?? 0, heads[log]?.id)
        let entry = try sign(
            body, kind,
            .log(.init(log: log, sequence: sequence + 1, previous: previous)))
        heads[log] = (sequence + 1, entry.id)
        return entry
    }

    func say(_ body: [UInt8], _ kind: Kind = .request) throws -> ValidEntry {
        try sign(body, kind, .statement(.init(expires: .latest)))
    }

    func sign(_ body: [UInt8], _ kind: Kind, _ place: Header.Place) throws -> ValidEntry {
        let header = Header(
            kind: kind.rawValue, author: did, key: genesis.own.keyEntry,
            topic: genesis.alliance.topic, time: .start, bodyHash: SHA256.hash(body),
            bodySize: Int64(body.count), place: place)
        return try ValidEntry(signing: header, body: body, by: key)
    }
}

extension Instant {
    static let start = Instant.earliest.advanced(by: 1_795_222_800_000)
}

extension ContractKey {
    static func of(_ byte: UInt8) throws -> ContractKey {
        try #require(ContractKey([UInt8](repeating: byte, count: 32)))
    }
}

/// A folder that is gone afterwards.
final class Folder {
    let path: String

    /// `inMemory`: where syncs cost nothing, for tests that keep a book of syncs themselves.
    init(inMemory: Bool = false) {
        let memory = URL(fileURLWithPath: "/dev/shm")
        let hasMemory = FileManager.default.isWritableFile(atPath: memory.path)
        let place = inMemory && hasMemory ? memory : FileManager.default.temporaryDirectory
        path = place.appendingPathComponent("talea-storage-\(UUID().uuidString)").path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var ledger: String { path + "/ledger.sqlite" }
    var sidecar: String { path + "/high-water" }

    func bytes(_ file: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file)) }

    func put(_ bytes: Data, _ file: String) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    func remove(_ file: String) throws { try FileManager.default.removeItem(atPath: file) }

    /// The ledger as it is on the disk this moment, as a crash leaves it.
    func image() throws -> Folder {
        let copy = Folder()
        try FileManager.default.copyItem(atPath: path, toPath: copy.path)
        return copy
    }

    /// Somebody else at the file, past all code of ours.
    func outsider() throws -> DatabaseQueue { try DatabaseQueue(path: ledger) }
}

/// Alice's node, made and open.
struct Play {
    let folder: Folder
    var alice: Player
    let database: Storage.Database

    init(templates: [[UInt8]] = [], inMemory: Bool = false) throws {
        folder = Folder(inMemory: inMemory)
        alice = try Player(97)
        try Database.create(at: folder.path, genesis: alice.genesis, templates: templates)
        database = try Database.open(at: folder.path)
    }

    /// Alice writes `count` own entries, each in a commit of its own.
    mutating func sign(_ count: Int) throws {
        for number in 0..<count {
            try database.commit([.entry(try alice.append([UInt8(number & 255), 1]), own: true)])
        }
    }

    /// Closes, lets `change` work on the files, opens again and says why it is read-only, if it is.
    func reopened(after change: () throws -> Void) throws -> ReadOnlyReason? {
        database.close()
        try change()
        let again = try Database.open(at: folder.path)
        defer { again.close() }
        return try again.load().0.readOnly
    }
}

func refusal<T>(_ body: () throws -> T) -> StorageRefusal? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? StorageRefusal
    }
}

enum Money {
    static func transfer(
        _ contract: UInt8, _ step: Int64, _ index: Int64, _ kind: TransferKind = .payment,
        from: UInt8 = 1, to: UInt8 = 2, _ amount: Int64 = 50_000
    ) throws -> Transfer {
        let commodity: Commodity =
            kind == .capacity
            ? .capacity(try Resource("print/a5"), try UnitCode("C62"))
            : .money(try Currency("CNY"))
        return Transfer(
            cause: Cause(contract: try ContractKey.of(contract).contract, step: step, index: index),
            kind: kind, from: try party(from), to: try party(to), commodity: commodity,
            amount: amount)
    }

    static func party(_ byte: UInt8) throws -> DID {
        try #require(DID([UInt8](repeating: byte, count: 32)))
    }

    static func books(_ events: [TransferEvent]) throws -> Books {
        var books = Books()
        for event in events {
            try books.decide(event)
            books.apply(event)
        }
        return books
    }
}

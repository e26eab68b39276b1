@testable import Storage

import Capacity
import Entries
import Fixtures
import Foundation
import Fuzzing
import Identity
import Ledger
import NodeCore
import Replication
import Simulation

@testable import NodeDaemon

// What lies on disks and sticks: rot, old copies, and whoever could write there.

let files: [FuzzTarget] = [backup, backupFile, store, sidecar]

/// In memory, so that a second holds more of them.
private let folder: String = {
    let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
    let path = "\(base)/talea-fuzz-\(getpid())"
    atexit {
        let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : "/tmp"
        try? FileManager.default.removeItem(atPath: "\(base)/talea-fuzz-\(getpid())")
    }
    must {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    return path
}()

private func put(_ bytes: [UInt8], _ path: String) {
    must { try Data(bytes).write(to: URL(filePath: path)) }
    chmod(path, 0o600)
}

// MARK: - Backups

private let sample: Backup = {
    let parts: [(String, [UInt8])] = [
        ("key", Array("a key".utf8)), ("contracts/a.yaml", [1, 2]), ("ledger.sqlite", [9, 9, 9]),
    ]
    return Backup(
        did: alice.did, made: .morning, schema: 3, entries: 7,
        heads: [
            .key(author: alice.did): (1, alice.keyEntry.id), .filled(3): (12, .filled(4)),
        ],
        files: parts.map {
            .init(name: $0.0, hash: SHA256.hash($0.1), bytes: $0.1.count)
        })
}()

private let backup = FuzzTarget(
    "backup-text",
    law: "a table of contents has one spelling and names nothing outside a home", bytesMax: 2048,
    seeds: { [Array(sample.text.utf8)] }
) { input in
    guard let text = String(validating: input, as: UTF8.self) else { return }
    check(text)
    // Its last line is a hash of the rest: made right, so that mutations come to the other lines.
    guard let end = text.range(of: "\nend ") else { return }
    let body = text[..<end.lowerBound] + "\n"
    check(body + "end \(SHA256.hash(Array(body.utf8)).hex)\n")
}

private func check(_ text: String) {
    guard let backup = Backup(text: text) else { return }
    law(Array(backup.text.utf8) == Array(text.utf8), "two spellings")
    for file in backup.files {
        law(!file.name.contains("..") || file.name.hasSuffix(".yaml"), "outside: \(file.name)")
        law(!file.name.hasPrefix("/") && file.name.utf8.count { $0 == 47 } <= 1, file.name)
        law(!file.name.utf8.contains(0), "a zero in a name")
    }
}

private let backupFile = FuzzTarget(
    "backup-import",
    law:
        "of a file either every part comes out as its hash says, or none; a home is made whole or not at all",
    bytesMax: 4096,
    seeds: {
        [
            Array(sample.text.utf8) + Array("a key".utf8) + [1, 2, 9, 9, 9],
            Array(sample.text.utf8) + Array("a key".utf8) + [1, 2, 9, 9],
        ]
    }
) { input in
    let path = folder + "/a.backup"
    put(input, path)
    guard let (backup, start, data) = try? Backup.read(path) else { return }
    if let parts = try? backup.contents(path, data, from: start) {
        law(parts.count == backup.files.count, "\(parts.count) parts")
        for (file, bytes) in parts {
            law(SHA256.hash([UInt8](bytes)) == file.hash && bytes.count == file.bytes, file.name)
        }
        law(start + parts.reduce(0) { $0 + $1.1.count } == input.count, "bytes left over")
    }
    let home = folder + "/restored"
    // No ledger here is one: nothing may be left of the attempt.
    law((try? NodeDaemon.Home(home).restore(from: path)) == nil, "a home of nothing")
    law(!FileManager.default.fileExists(atPath: home), "half a home")
    law(!FileManager.default.fileExists(atPath: home + ".restoring"), "a draft is left")
}

// MARK: - The store

/// The home of alice after a trade with bob, as her node's process left it.
private let home: (ledger: [UInt8], sidecar: [UInt8], own: Own, known: Set<EntryID>) = {
    let path = folder + "/base"
    let genesis = must {
        try Genesis(
            key: alice.key, nextKey: alice.keys[1].publicKey,
            nodeSecret: SecretBytes([UInt8](repeating: 7, count: 32)),
            profile: Profile(name: "Alice"), joining: nil, founding: "Row", at: .morning,
            seed: .filled(9))
    }
    let template = Kept.bytes("contracts/capacity-option.yaml")
    var ids = Set(genesis.entries.map(\.id))
    must {
        try Database.create(at: path, genesis: genesis, templates: [template])
        let database = try Database.open(at: path)
        let (snapshot, alliance) = try database.load()
        var node = Node(own: genesis.own, alliance: alliance, snapshot: snapshot)
        node.begin(at: .noon, seed: .filled(2))
        try? node.acceptRisk(nil)
        _ = try node.declare(.pressWeek, total: 300)
        node.name(bob.did, "Bob")
        node.addPeer(PeerAddress(host: "a.example", port: 4711, did: bob.did))
        let changes = node.takeChanges()
        for case .entry(let valid, _) in changes { ids.insert(valid.id) }
        try database.commit(changes)
        database.close()
    }
    let read = { (name: String) in
        [UInt8](must { try Data(contentsOf: URL(filePath: path + "/" + name)) })
    }
    return (read("ledger.sqlite"), read("high-water"), genesis.own, ids)
}()

private let store = FuzzTarget(
    "store",
    law:
        "a home of any bytes is refused, read only, or holds what was signed; a node starts from it and its "
        + "books balance; a second look gives the same",
    bytesMax: 64,
    seeds: {
        var seeds: [[UInt8]] = [[], [255, 255, 0, 0, 0]]
        for number in UInt8(0)..<24 {
            seeds.append([number * 10, number, 7, number * 3, 1])
        }
        return seeds
    }
) { input in
    var ledger = home.ledger
    var choices = Choices(input)
    while choices.left >= 4 {
        // A page, a place in it, and what is done there.
        let page = choices.below(ledger.count / 4_096)
        let at = page * 4_096 + choices.below(4_096)
        switch choices.below(8) {
        case 0: for index in at..<min(at + 4, ledger.count) { ledger[index] = 0xff }
        case 1: for index in at..<min(at + 64, ledger.count) { ledger[index] = 0 }
        case 2:
            let other = choices.below(ledger.count / 4_096)
            for index in 0..<4_096 {
                ledger[page * 4_096 + index] = home.ledger[other * 4_096 + index]
            }
        default: ledger[at] ^= choices.byte() | 1
        }
    }
    let path = folder + "/tried"
    try? FileManager.default.removeItem(atPath: path)
    must {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    put(ledger, path + "/ledger.sqlite")
    put(home.sidecar, path + "/high-water")
    if let copy = try? LedgerCopy(reading: path + "/ledger.sqlite") {
        for id in copy.own.values.joined() { law(home.known.contains(id), "\(id.short) in a copy") }
    }
    guard let database = try? Database.open(at: path) else { return }
    defer { database.close() }
    guard let (snapshot, alliance) = try? database.load() else { return }
    for valid in snapshot.entries {
        law(home.known.contains(valid.id), "\(valid.id.short) was loaded")
    }
    if database.did == home.own.did, snapshot.readOnly == nil {
        var node = Node(own: home.own, alliance: alliance, snapshot: snapshot)
        node.begin(at: .noon, seed: .filled(3))
        node.tick()
        law(node.ledgerFault == nil && node.ledger.imbalance().isEmpty, "books")
    }
    guard let (again, _) = try? database.load() else { return law(false, "loads once") }
    let isSame = again.entries.elementsEqual(snapshot.entries) { $0.id == $1.id }
    law(isSame, "loads otherwise")
}

private let sidecar = FuzzTarget(
    "sidecar", law: "a slot that reads is written the same, and a wrong byte is noticed",
    bytesMax: 256,
    seeds: {
        [
            Sidecar.encode(
                HighWater(file: .filled(1), machine: .filled(2), count: 7, newest: .filled(3))),
            Sidecar.encode(
                HighWater(
                    file: .filled(1), machine: .filled(2), count: 7, newest: .filled(3),
                    statement: 9, newestStatement: .filled(4))),
            Array(home.sidecar.prefix(148)),
        ]
    }
) { input in
    if let mark = Sidecar.decode(input) { law(Sidecar.encode(mark) == input, "two spellings") }
    // The same with its checksum made right.
    guard input.count == 148 || input.count == 188 else { return }
    let body = Array(input.dropLast(32))
    let whole = body + SHA256.hash(body).bytes
    guard let mark = Sidecar.decode(whole), mark.count >= 0 else { return }
    law(Sidecar.encode(mark) == whole, "two spellings")
    for index in whole.indices where index % 13 == 0 {
        var wrong = whole
        wrong[index] ^= 1
        law(Sidecar.decode(wrong) == nil, "byte \(index) does not matter")
    }
}

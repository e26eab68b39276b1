import Entries
import Foundation
import GRDB
import Identity
import NodeCore
import Testing

@testable import Storage

@Suite struct DurabilityTests {
    @Test func `a commit is on the disk when it returns`() throws {
        let play = try Play()
        let settings = try play.database.pool.writeWithoutTransaction { db in
            try ["journal_mode", "synchronous", "foreign_keys"].map {
                try String.fetchOne(db, sql: "PRAGMA \($0)")
            }
        }
        #expect(settings == ["wal", "2", "1"])
    }

    @Test func `a writer that would lose commits is noticed`() throws {
        let play = try Play()
        let found = refusal {
            try play.database.pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                try Database.assertDurable(db)
            }
        }
        #expect(found == .notDurable(pragma: "synchronous", found: "1"))
    }

    @Test func `home and files are the owner's alone`() throws {
        let play = try Play()
        var found: [String: Int] = [:]
        for name in ["", "/ledger.sqlite", "/ledger.sqlite-wal", "/high-water", "/lock"] {
            let path = play.folder.path + name
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            found[name] = (attributes[.posixPermissions] as? NSNumber)?.intValue
        }
        #expect(
            found == [
                "": 0o700, "/ledger.sqlite": 0o600, "/ledger.sqlite-wal": 0o600,
                "/high-water": 0o600, "/lock": 0o600,
            ])
        play.database.close()
        try FileManager.default.setAttributes(
            [.posixPermissions: NSNumber(value: 0o644)], ofItemAtPath: play.folder.ledger)
        #expect(
            refusal { try Database.open(at: play.folder.path) }
                == .modeTooWide(path: play.folder.ledger, found: 0o644))
    }

    @Test func `a home is made once and opened where it is`() throws {
        let play = try Play()
        play.database.close()
        #expect(
            refusal {
                try Database.create(
                    at: play.folder.path, genesis: play.alice.genesis, templates: [])
            } == .homeExists(path: play.folder.ledger))
        #expect(
            refusal { try Database.open(at: "/nowhere/at/all") }
                == .homeMissing(path: "/nowhere/at/all"))
        // A lost ledger: its sidecar is not forgotten by making a new node over it.
        try play.folder.remove(play.folder.ledger)
        #expect(
            refusal {
                try Database.create(
                    at: play.folder.path, genesis: play.alice.genesis, templates: [])
            } == .homeExists(path: play.folder.sidecar))
    }

    @Test func `a creation that was cut off is begun again`() throws {
        let play = try Play()
        play.database.close()
        try FileManager.default.moveItem(
            atPath: play.folder.ledger, toPath: play.folder.ledger + ".new")
        try Database.create(at: play.folder.path, genesis: play.alice.genesis, templates: [])
        let again = try Database.open(at: play.folder.path)
        #expect(try again.load().0.entries.count == 3)
        again.close()
    }

    @Test func `a second opener is refused with the number of the first`() throws {
        let play = try Play()
        let held = StorageRefusal.homeLocked(path: play.folder.path, pid: getpid())
        #expect(refusal { try Database.open(at: play.folder.path) } == held)
        #expect(try flock(play.folder) == 1)
        play.database.close()
        #expect(try flock(play.folder) == 0)
    }

    /// Another process tries the lock, and says 1 where it does not get it.
    private func flock(_ folder: Folder) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        process.arguments = ["-n", folder.path + "/lock", "true"]
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    // MARK: - The sidecar

    @Test func `a crash between commit and sidecar is repaired silently`() throws {
        var play = try Play()
        try play.sign(3)
        let before = try play.folder.bytes(play.folder.sidecar)
        try play.sign(1)
        // What the disk holds if the process dies now, the sidecar one commit back.
        let crashed = try play.folder.image()
        try crashed.put(before, crashed.sidecar)
        let again = try Database.open(at: crashed.path)
        let (snapshot, _) = try again.load()
        #expect(snapshot.readOnly == nil)
        #expect(snapshot.entries.count == 3 + 4)
        again.close()
        var sidecar = Sidecar(path: crashed.sidecar)
        #expect(try sidecar.read()?.count == 7)
        sidecar.close()
        play.database.close()
    }

    @Test(arguments: [0, 1]) func `a torn slot leaves the other one`(slot: Int) throws {
        var play = try Play()
        try play.sign(2)
        let reason = try play.reopened {
            var bytes = try play.folder.bytes(play.folder.sidecar)
            bytes.replaceSubrange(slot * 4096 + 80..<slot * 4096 + 148, with: Data(count: 68))
            try play.folder.put(bytes, play.folder.sidecar)
        }
        #expect(reason == nil)
    }

    @Test func `an old copy of the database signs nothing`() throws {
        var play = try Play()
        try play.sign(2)
        play.database.close()
        let old = try play.folder.bytes(play.folder.ledger)
        let again = try Database.open(at: play.folder.path)
        for number in 0..<4 {
            try again.commit([.entry(try play.alice.append([UInt8(number), 9]), own: true)])
        }
        again.close()
        let reason = try play.reopened { try play.folder.put(old, play.folder.ledger) }
        #expect(reason == .sidecarAhead(sidecar: 9, database: 5))
    }

    @Test func `an old copy that lacks nothing but what was said signs nothing`() throws {
        var play = try Play()
        try play.sign(1)
        try play.database.commit([.statement(try play.alice.say([1]), contract: nil)])
        play.database.close()
        let old = try play.folder.bytes(play.folder.ledger)
        let again = try Database.open(at: play.folder.path)
        #expect(try again.load().0.readOnly == nil)
        try again.commit([.statement(try play.alice.say([2]), contract: nil)])
        again.close()
        #expect(try play.reopened {} == nil)
        let reason = try play.reopened { try play.folder.put(old, play.folder.ledger) }
        #expect(reason == .sidecarAhead(sidecar: 2, database: 1))
        // What it hears meanwhile does not lower the mark, nor does it stand in for what was said.
        let restored = try Database.open(at: play.folder.path)
        let bob = try Player(98, joining: play.alice.genesis.alliance)
        try restored.commit([.statement(try bob.say([3]), contract: nil)])
        #expect(try restored.load().0.readOnly == .sidecarForeign)
        try restored.commit([.statement(try play.alice.say([2]), contract: nil)])
        try restored.confirmHighWater()
        #expect(try restored.load().0.readOnly == nil)
        restored.close()
    }

    @Test func `a crash between a statement and the sidecar is repaired silently`() throws {
        var play = try Play()
        try play.sign(1)
        let before = try play.folder.bytes(play.folder.sidecar)
        try play.database.commit([.statement(try play.alice.say([1]), contract: nil)])
        #expect(try play.reopened { try play.folder.put(before, play.folder.sidecar) } == nil)
        let again = try Database.open(at: play.folder.path)
        #expect(try again.load().0.readOnly == nil)
        again.close()
        #expect(try play.folder.bytes(play.folder.sidecar) != before)
    }

    @Test func `going on while ahead does not lower the mark`() throws {
        var play = try Play()
        play.database.close()
        let old = try play.folder.bytes(play.folder.ledger)
        let again = try Database.open(at: play.folder.path)
        let lost = try (0..<3).map { try play.alice.append([UInt8($0)]) }
        try again.commit(lost.map { .entry($0, own: true) })
        again.close()
        try play.folder.put(old, play.folder.ledger)
        let restored = try Database.open(at: play.folder.path)
        // A peer hands back one own entry of three.
        try restored.commit([.entry(lost[0], own: true)])
        #expect(try restored.load().0.readOnly == .sidecarAhead(sidecar: 6, database: 4))
        try restored.commit([.entry(lost[1], own: true), .entry(lost[2], own: true)])
        try restored.confirmHighWater()
        #expect(try restored.load().0.readOnly == nil)
        restored.close()
    }

    @Test func `a missing sidecar signs nothing`() throws {
        let play = try Play()
        let reason = try play.reopened { try play.folder.remove(play.folder.sidecar) }
        #expect(reason == .sidecarMissing)
    }

    @Test func `a sidecar of another file, machine or history is foreign`() throws {
        let other = try Play()
        other.database.close()
        var play = try Play()
        try play.sign(1)
        play.database.close()
        let mine = try play.folder.bytes(play.folder.sidecar)
        try play.folder.put(try other.folder.bytes(other.folder.sidecar), play.folder.sidecar)
        #expect(try play.reopened {} == .sidecarForeign)
        try play.folder.put(mine, play.folder.sidecar)
        #expect(try play.reopened {} == nil)

        let moved = try Database.open(
            at: play.folder.path, machine: Hash32([UInt8](repeating: 5, count: 32)) ?? .zero)
        #expect(try moved.load().0.readOnly == .sidecarForeign)
        moved.close()

        // The old copy went on by itself: as many entries, other ones.
        let file = play.database.file
        var sidecar = Sidecar(path: play.folder.sidecar)
        _ = try sidecar.read()
        let stranger = EntryID([UInt8](repeating: 3, count: 32)) ?? .zero
        for _ in 0..<2 {
            try sidecar.write(
                HighWater(file: file, machine: Machine.hash(), count: 4, newest: stranger))
        }
        sidecar.close()
        #expect(try play.reopened {} == .sidecarForeign)
    }

    // MARK: - Disk trouble

    @Test func `a full disk is told, and nothing of the commit stays`() throws {
        var play = try Play()
        try play.database.pool.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 4)")
        }
        let before = try play.folder.bytes(play.folder.sidecar)
        let big = try play.alice.append([UInt8](repeating: 1, count: 60_000))
        #expect(
            refusal {
                try play.database.commit([.petname(play.alice.did, "me"), .entry(big, own: true)])
            } == .diskFull)
        let (snapshot, _) = try play.database.load()
        #expect(snapshot.entries.count == 3)
        #expect(snapshot.petnames.isEmpty)
        #expect(try play.folder.bytes(play.folder.sidecar) == before)
        play.database.close()
    }

    @Test func `what is no database is told`() throws {
        let play = try Play()
        play.database.close()
        try play.folder.put(Data(repeating: 65, count: 8192), play.folder.ledger)
        guard case .corrupt = refusal({ try Database.open(at: play.folder.path) }) else {
            Issue.record("opened")
            return
        }
    }

    @Test func `a bit flip in a body is found on read and by scrub`() throws {
        var play = try Play()
        let mark = [UInt8](repeating: 0xa7, count: 200)
        let entry = try play.alice.append(mark)
        let statement = try play.alice.say([UInt8](repeating: 0xb9, count: 200))
        try play.database.commit([.entry(entry, own: true), .statement(statement, contract: nil)])
        #expect(try play.database.scrub().isEmpty)
        play.database.close()
        var bytes = try play.folder.bytes(play.folder.ledger)
        for body in [Data(mark), Data(repeating: 0xb9, count: 200)] {
            let place = try #require(bytes.range(of: body))
            bytes[place.lowerBound + 100] ^= 4
        }
        try play.folder.put(bytes, play.folder.ledger)
        let again = try Database.open(at: play.folder.path)
        defer { again.close() }
        let place = try #require(entry.header.log)
        let damage = StorageRefusal.Damage.entry(
            entry.id, log: place.log, sequence: place.sequence)
        #expect(refusal { try again.entry(entry.id) } == .damaged(damage))
        #expect(
            refusal { try again.entry(log: place.log, sequence: place.sequence) }
                == .damaged(damage))
        #expect(
            refusal { try again.entries(log: place.log, from: 1, to: 9, maxBytes: 1 << 20) }
                == .damaged(damage))
        #expect(refusal { try again.load() } == .damaged(damage))
        #expect(try again.scrub() == [damage, .statement(statement.id)])
    }
}

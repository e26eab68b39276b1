import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import NodeCore
import Testing

@testable import Storage

/// One bit turned over in a stopped node's files: noticed, or without effect; never another answer.
/// `TALEA_BIT_FLIPS` asks for so many bits of each page instead of eight.
@Suite struct BitFlipTests {
    private static let perPage =
        ProcessInfo.processInfo.environment["TALEA_BIT_FLIPS"].flatMap { Int($0) } ?? 8

    /// All that a node starts from and serves.
    private struct Answers: Equatable {
        var snapshot: [String] = []
        var served: [[UInt8]] = []
    }

    private enum Outcome: Hashable { case same, refused, readOnly, mended, wrong }

    /// A home with something in every table.
    private func home() throws -> (Play, Player) {
        var play = try Play(templates: [Array("template: 1".utf8)], inMemory: true)
        var bob = try Player(98, joining: play.alice.genesis.alliance)
        let key = try ContractKey.of(9)
        let sent = try play.alice.say([1, 2, 3])
        let act = SignedAct(transition: "transfer", record: 1, arguments: [], child: sent.id)
        try play.database.commit(
            bob.genesis.entries.map { .entry($0, own: false) } + [
                .contractKey(key.contract, key.bytes), .statement(sent, contract: key.contract),
                .outbox(
                    OutboxItem(
                        statement: sent.entry, recipient: bob.did, contractKey: key.bytes,
                        expires: .latest)),
                .petname(bob.did, "Bob"),
                .peer(PeerAddress(host: "a.example", port: 4711, did: bob.did), added: true),
                .transfer(child: sent.id, parent: key.contract, act: act),
                .books([.reserve(try Money.transfer(9, 1, 0))]),
            ])
        for number in 0..<12 {
            let body = [UInt8](repeating: UInt8(number), count: 700)
            try play.database.commit([
                .entry(try play.alice.append(body), own: true),
                .entry(try bob.append(body), own: false),
            ])
        }
        return (play, bob)
    }

    private func answers(_ database: Storage.Database, _ logs: [LogID]) throws -> Answers {
        let (snapshot, alliance) = try database.load()
        var answers = Answers()
        answers.snapshot =
            snapshot.entries.map { $0.id.description }
            + snapshot.statements.map { "\($0.0.id) \(String(describing: $0.1))" }
            + snapshot.contractKeys.map(\.hex) + snapshot.outbox.map { "\($0)" }
            + snapshot.templates.map(\.hex) + snapshot.petnames.map { "\($0)" }
            + snapshot.peers.map { "\($0)" } + snapshot.transfers.map { "\($0)" }
            + ["\(alliance.topic)", "\(database.did)", "\(try database.keyEntry())"]
        for log in logs {
            answers.served += try database.entries(log: log, from: 1, to: 99, maxBytes: 1 << 20)
                .map(\.wire)
        }
        return answers
    }

    private func outcome(_ play: Play, _ logs: [LogID], _ before: Answers) -> Outcome {
        do {
            let database = try Database.open(at: play.folder.path)
            defer { database.close() }
            if try database.load().0.readOnly != nil { return .readOnly }
            guard try answers(database, logs) == before else { return .wrong }
            return .same
        } catch { return .refused }
    }

    @Test func `a flipped bit in any page of the ledger is refused or changes no answer`() throws {
        let (play, bob) = try home()
        let logs = [play.alice.publicLog, bob.publicLog]
        let before = try answers(play.database, logs)
        play.database.close()
        let whole = try play.folder.bytes(play.folder.ledger)
        var random = SplitMix(state: 7)
        var counts: [Outcome: Int] = [:]
        for page in 0..<whole.count / 4096 {
            for _ in 0..<Self.perPage {
                let place = page * 4096 + Int(random.next() % 4096)
                let bit = UInt8(1) << UInt8(random.next() % 8)
                var bytes = whole
                bytes[place] ^= bit
                try play.folder.put(bytes, play.folder.ledger)
                let found = outcome(play, logs, before)
                counts[found, default: 0] += 1
                #expect(found != .wrong, "byte \(place), bit \(bit)")
                // What was opened may have been written to.
                for tail in ["-wal", "-shm"] { try? play.folder.remove(play.folder.ledger + tail) }
            }
        }
        try play.folder.put(whole, play.folder.ledger)
        #expect(outcome(play, logs, before) == .same)
        #expect(counts[.refused, default: 0] > 3 * Self.perPage, "\(counts)")
    }

    @Test func `a flipped bit among transfers and balances is refused or named, and mended`() throws
    {
        let play = try Play(inMemory: true)
        let events = try LedgerTests.events()
        try play.database.commit([.books(events)])
        for contract in UInt8(10)..<14 {
            let transfer = try Money.transfer(contract, 1, 0, from: contract)
            try play.database.commit([.books([.reserve(transfer)])])
        }
        let more = try (UInt8(10)..<14).map {
            TransferEvent.reserve(try Money.transfer($0, 1, 0, from: $0))
        }
        let books = try Money.books(events + more)
        let (rows, accounts) = (
            try play.database.transferRows(), try play.database.accounts().map { "\($0)" }
        )
        play.database.close()
        let outsider = try play.folder.outsider()
        let pages = try outsider.read { db in
            try Int.fetchAll(
                db,
                sql: """
                    SELECT rootpage FROM sqlite_master WHERE rootpage > 0
                        AND tbl_name IN ('transfer', 'account', 'balance')
                    """)
        }
        try outsider.close()
        let whole = try play.folder.bytes(play.folder.ledger)
        var random = SplitMix(state: 9)
        var counts: [String: Int] = [:]
        for page in pages {
            for _ in 0..<8 * Self.perPage {
                var bytes = whole
                let place = (page - 1) * 4096 + Int(random.next() % 4096)
                bytes[place] ^= UInt8(1) << UInt8(random.next() % 8)
                try play.folder.put(bytes, play.folder.ledger)
                do {
                    let database = try Database.open(at: play.folder.path)
                    defer { database.close() }
                    if try database.check(against: books).isEmpty {
                        #expect(try database.transferRows() == rows, "byte \(place)")
                        #expect(try database.accounts().map { "\($0)" } == accounts)
                        counts["same", default: 0] += 1
                    } else {
                        counts["named", default: 0] += 1
                        try database.rewriteLedger(replaying: events + more)
                        #expect(try database.check(against: books) == [], "byte \(place)")
                    }
                } catch { counts["refused", default: 0] += 1 }
                for tail in ["-wal", "-shm"] { try? play.folder.remove(play.folder.ledger + tail) }
            }
        }
        #expect(counts["refused", default: 0] > 0 && counts["named", default: 0] > 0, "\(counts)")
    }

    @Test func `each byte that no hash covers is covered by its second copy`() throws {
        let (play, bob) = try home()
        let logs = [play.alice.publicLog, bob.publicLog]
        let before = try answers(play.database, logs)
        let did = play.database.did
        play.database.close()
        let whole = try play.folder.bytes(play.folder.ledger)
        // A petname, a host, a recipient and whose node this is, wherever they stand.
        for text in [Data("Bob".utf8), Data("a.example".utf8), bob.did.data, did.data] {
            var from = whole.startIndex
            while let range = whole.range(of: text, in: from..<whole.endIndex) {
                var bytes = whole
                bytes[range.lowerBound + 1] ^= 1
                try play.folder.put(bytes, play.folder.ledger)
                let found = outcome(play, logs, before)
                #expect(found == .refused || found == .same, "at \(range.lowerBound): \(found)")
                from = range.upperBound
            }
        }
    }

    @Test func `a flipped bit in the log of a killed node cuts it short and is noticed`() throws {
        let (play, bob) = try home()
        let logs = [play.alice.publicLog, bob.publicLog]
        let before = try answers(play.database, logs)
        let log = play.folder.ledger + "-wal"
        let whole = try play.folder.bytes(log)
        var random = SplitMix(state: 8)
        var counts: [Outcome: Int] = [:]
        for frame in 0..<(whole.count - 32) / 4120 {
            let killed = try play.folder.image()
            var bytes = whole
            let place = 32 + frame * 4120 + Int(random.next() % 4120)
            bytes[place] ^= 1 << UInt8(random.next() % 8)
            try killed.put(bytes, killed.ledger + "-wal")
            try? killed.remove(killed.ledger + "-shm")
            let found: Outcome
            do {
                let database = try Database.open(at: killed.path)
                defer { database.close() }
                // What went with the end of the log took own entries with it, and the sidecar knows.
                let readOnly = try database.load().0.readOnly
                found =
                    readOnly != nil
                    ? .readOnly : try answers(database, logs) == before ? .same : .wrong
            } catch { found = .refused }
            counts[found, default: 0] += 1
            #expect(found != .wrong, "frame \(frame), byte \(place)")
        }
        #expect(counts[.readOnly, default: 0] > 20, "\(counts)")
        play.database.close()
    }

    @Test func `a flipped bit in the sidecar is survived by the other slot`() throws {
        let (play, _) = try home()
        play.database.close()
        let whole = try play.folder.bytes(play.folder.sidecar)
        for place in 0..<whole.count where place % 4096 < 148 {
            var bytes = whole
            bytes[place] ^= 1 << UInt8(place % 8)
            try play.folder.put(bytes, play.folder.sidecar)
            #expect(try play.reopened {} == nil, "byte \(place)")
            try play.folder.put(whole, play.folder.sidecar)
        }
    }

    @Test func `a damaged entry of another is let go of, one of ours stops the node`() throws {
        let (play, bob) = try home()
        let (theirs, ours) = (
            try #require(try play.database.entry(log: bob.publicLog, sequence: 6)),
            try #require(try play.database.entry(log: play.alice.publicLog, sequence: 6))
        )
        play.database.close()
        let whole = try play.folder.bytes(play.folder.ledger)
        func flipped(_ entry: Entry) throws -> Storage.Database {
            var bytes = whole
            bytes[try #require(bytes.range(of: Data(entry.signature.bytes))).lowerBound + 9] ^= 4
            try play.folder.put(bytes, play.folder.ledger)
            return try Database.open(at: play.folder.path)
        }
        let mended = try flipped(theirs)
        var told: [StorageRefusal.Damage] = []
        let (snapshot, _) = try mended.loadMending { told.append($0) }
        #expect(told == [.entry(theirs.id, log: bob.publicLog, sequence: 6)])
        let left = snapshot.entries.compactMap { $0.header.log }.filter { $0.log == bob.publicLog }
        #expect(left.map(\.sequence) == [1, 2, 3, 4, 5])
        #expect(try mended.scrub() == [])
        // The law is back.
        #expect(
            refusal {
                try mended.write { try $0.execute(sql: "DELETE FROM entry WHERE sequence = 5") }
            } == .lawBroken(detail: "entries are append-only"))
        // Peers send it again.
        try mended.commit([
            .entry(ValidEntry(stored: theirs, ownSignatureChecked: true), own: false)
        ])
        mended.close()

        let broken = try flipped(ours)
        let damage = StorageRefusal.Damage.entry(ours.id, log: play.alice.publicLog, sequence: 6)
        #expect(refusal { try broken.loadMending { _ in } } == .damaged(damage))
        #expect(try broken.scrub() == [damage])
        broken.close()
    }

    @Test func `a scrub in slices sees what one in a single run sees`() throws {
        let (play, _) = try home()
        var mark: ScrubMark? = ScrubMark()
        var (slices, rows) = (0, Int64(0))
        while let now = mark {
            let found = try play.database.scrub(after: now, rows: 4)
            #expect(found.damages.isEmpty)
            (mark, rows, slices) = (found.next, now.rows, slices + 1)
        }
        let all = try play.database.load().0
        #expect(Int(rows) == all.entries.count + 3)
        #expect(slices > all.entries.count / 4)
        play.database.close()
    }
}

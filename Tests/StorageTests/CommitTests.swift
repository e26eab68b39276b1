import Capacity
import Entries
import Foundation
import GRDB
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Testing

@testable import Storage

@Suite struct CommitTests {
    @Test func `whatever is committed is loaded again`() throws {
        let template = Array("template: 1".utf8)
        var play = try Play(templates: [template])
        var bob = try Player(98, joining: play.alice.genesis.alliance)
        let key = try ContractKey.of(9)
        let own = try play.alice.append([1, 2, 3])
        let stored = bob.genesis.entries[0]
        let unchecked = ValidEntry(
            stored: bob.genesis.entries[1].entry, ownSignatureChecked: false)
        let sent = try play.alice.say([1])
        let received = try bob.say([2], .acceptance)
        let kept = OutboxItem(
            statement: sent.entry, recipient: bob.did, contractKey: key.bytes, expires: .latest)
        let gone = OutboxItem(
            statement: sent.entry, recipient: play.alice.did, contractKey: nil, expires: .start)
        let act = SignedAct(transition: "transfer", record: 1, arguments: [], child: sent.id)
        let added = Array("template: 2".utf8)
        let peers = [
            PeerAddress(host: "a.example", port: 4711, did: nil),
            PeerAddress(host: "a.example", port: 4711, did: bob.did),
            PeerAddress(host: "b.example", port: 4712, did: bob.did),
        ]
        let line = try bob.append([4], to: LogID([UInt8](repeating: 4, count: 32)), kind: .declare)
        let payment = try Money.transfer(9, 1, 0)
        let listeners = (1...3).map {
            AddressBook.Address(did: bob.did, host: "b.example", port: $0)
        }
        try play.database.commit([
            .entry(own, own: true), .entry(stored, own: false), .entry(unchecked, own: false),
            .contractKey(key.contract, key.bytes), .statement(sent, contract: key.contract),
            .statement(received, contract: key.contract), .outbox(kept), .outbox(gone),
            .delivered(sent.id, to: play.alice.did), .entry(line, own: false),
            .line(try #require(line.header.log?.log), issuer: bob.did, total: 10, remaining: 4),
            .template(SHA256.hash(added), added), .petname(bob.did, "Bobby"),
            .petname(play.alice.did, "me"), .petname(play.alice.did, nil),
            .petname(bob.did, "Bob"), .peer(peers[0], added: true), .peer(peers[1], added: true),
            .peer(peers[2], added: true), .peer(peers[0], added: false),
            .transfer(child: sent.id, parent: key.contract, act: act),
            .transfer(child: received.id, parent: key.contract, act: act),
            .transferDone(child: received.id), .books([.reserve(payment)]),
            .alliance(foundingBody: [7], isLeft: false),
            .alliance(foundingBody: [8], isLeft: false),
            .alliance(foundingBody: [7], isLeft: true),
            .tried(listeners[0], good: 5), .tried(listeners[1], good: 6),
            .tried(listeners[0], good: nil), .tried(listeners[1], good: 7),
            .anchors([listeners[0]]), .anchors([listeners[2], listeners[1]]),
        ])
        play.database.close()

        let again = try Database.open(at: play.folder.path)
        let (snapshot, alliance) = try again.load()
        #expect(alliance == play.alice.genesis.alliance)
        #expect(snapshot.readOnly == nil)
        #expect(snapshot.entries == play.alice.genesis.entries + [own, stored, unchecked, line])
        #expect(snapshot.statements.map(\.0) == [sent, received])
        #expect(snapshot.statements.map(\.1) == [key.contract, key.contract])
        #expect(snapshot.contractKeys == [key.bytes])
        #expect(snapshot.outbox == [kept])
        #expect(snapshot.templates == [template, added])
        #expect(snapshot.petnames.map(\.0) == [bob.did])
        #expect(snapshot.petnames.map(\.1) == ["Bob"])
        #expect(snapshot.peers == [peers[1], peers[2]])
        #expect(snapshot.tried.map(\.address) == [listeners[1]])
        #expect(snapshot.tried.map(\.good) == [7])
        #expect(snapshot.anchors == [listeners[2], listeners[1]])
        #expect(snapshot.alliances.map(\.foundingBody) == [[7], [8]])
        #expect(snapshot.alliances.map(\.isLeft) == [true, false])
        #expect(snapshot.transfers.map(\.child) == [sent.id])
        #expect(snapshot.transfers.map(\.act) == [act])
        #expect(snapshot.forks.isEmpty)
        #expect(try again.storedBooks().row(payment.cause)?.state == .pending)
        #expect(again.did == play.alice.did)
        #expect(try again.keyEntry() == play.alice.genesis.own.keyEntry)
        again.close()
    }

    @Test func `a guest who gave his place up is forgotten, one who names nothing is kept`() throws
    {
        let play = try Play()
        let guests = [DID(SHA256.hash([1])), DID(SHA256.hash([2]))]
        let topic = play.alice.genesis.alliance.topic
        try play.database.commit(guests.map { .entrusted(by: $0, [topic]) })
        try play.database.commit([
            .entrusted(by: guests[0], nil), .entrusted(by: guests[1], []),
        ])
        let (snapshot, _) = try play.database.load()
        #expect(snapshot.entrusted.map(\.member) == [guests[1]])
        #expect(snapshot.entrusted.map(\.topics) == [[]])
        play.database.close()
    }

    @Test func `a fork is proven again at load and its rival is never folded`() throws {
        let play = try Play()
        var bob = try Player(98, joining: play.alice.genesis.alliance)
        try play.database.commit(bob.genesis.entries.map { .entry($0, own: false) })
        var twin = bob
        let held = try bob.append([1])
        let rivals = [try twin.append([2]), try twin.append([3])]
        let run = [
            ValidEntry(stored: rivals[0].entry, ownSignatureChecked: false), rivals[1],
        ]
        var keys = KeyLogs()
        var chains = Chains()
        for entry in bob.genesis.entries + [held] {
            if entry.entry.kind == .key { keys.apply(entry) }
            chains.apply(entry)
        }
        guard
            case .forks(let fork, _) = try chains.decide(
                run.map(\.entry), keys: keys, checker: SignatureChecker())
        else {
            Issue.record("no fork")
            return
        }
        let proof = ForkProof(
            Vouched(entry: held.entry, chain: []), try #require(Vouched(branch: run)))
        let changes: [Change] =
            [.entry(held, own: false)] + run.map { .rival($0) }
            + [.fork(bob.publicLog, fork), .proof(proof)]
        try play.database.commit(changes)
        try play.database.commit(changes)
        let (snapshot, _) = try play.database.load()
        #expect(snapshot.forks.map(\.0) == [bob.publicLog])
        #expect(snapshot.forks.map(\.1) == [fork])
        #expect(snapshot.proofs == [proof])
        #expect(snapshot.rivals.map(\.entry) == rivals.map(\.entry))
        #expect(!snapshot.entries.contains { $0.id == rivals[0].id })
        #expect(try play.database.rivals(log: bob.publicLog) == rivals.map(\.entry))
        #expect(try play.database.entry(rivals[1].id) == rivals[1].entry)
        #expect(try play.database.entry(log: bob.publicLog, sequence: 2) == held.entry)
        play.database.close()
    }

    @Test func `the same commit twice keeps everything once`() throws {
        var play = try Play()
        let key = try ContractKey.of(3)
        let statement = try play.alice.say([5])
        let template = Array("t".utf8)
        let changes: [Change] = [
            .entry(try play.alice.append([1]), own: true),
            .contractKey(key.contract, key.bytes),
            .statement(statement, contract: key.contract),
            .outbox(
                OutboxItem(
                    statement: statement.entry, recipient: play.alice.did, contractKey: nil,
                    expires: .latest)),
            .template(SHA256.hash(template), template), .petname(play.alice.did, "me"),
            .peer(PeerAddress(host: "h", port: 1, did: nil), added: true),
        ]
        for _ in 0..<2 { try play.database.commit(changes) }
        let (snapshot, _) = try play.database.load()
        #expect(snapshot.entries.count == 4)
        #expect(snapshot.statements.count == 1)
        #expect(snapshot.outbox.count == 1)
        #expect(snapshot.contractKeys.count == 1)
        #expect(snapshot.templates.count == 1)
        #expect(snapshot.peers.count == 1)
        #expect(snapshot.readOnly == nil)

        let payment = TransferEvent.reserve(try Money.transfer(3, 1, 0))
        try play.database.commit([.books([payment])])
        #expect(
            refusal { try play.database.commit([.books([payment])]) }
                == .ledger(.causeRepeated(try Money.transfer(3, 1, 0).cause)))
        play.database.close()
    }

    @Test func `a refused commit leaves nothing, and a second own entry at one place is refused`()
        throws
    {
        var play = try Play()
        var twin = play.alice
        try play.sign(1)
        let other = try twin.append([99])
        guard
            case .lawBroken = refusal({
                try play.database.commit([
                    .petname(play.alice.did, "me"), .entry(other, own: true),
                ])
            })
        else {
            Issue.record("taken")
            return
        }
        let (snapshot, _) = try play.database.load()
        #expect(snapshot.petnames.isEmpty)
        #expect(snapshot.entries.count == 4)
        #expect(snapshot.readOnly == nil)
        play.database.close()
    }

    @Test func `a range ends where the bytes do, but never before its first entry`() throws {
        var play = try Play()
        var entries: [ValidEntry] = []
        for number in 0..<5 {
            entries.append(try play.alice.append([UInt8](repeating: UInt8(number), count: 1_000)))
        }
        try play.database.commit(entries.map { .entry($0, own: true) })
        let log = play.alice.publicLog
        func range(_ from: Int64, _ to: Int64, _ bytes: Int) throws -> [EntryID] {
            try play.database.entries(log: log, from: from, to: to, maxBytes: bytes).map(\.id)
        }
        let ids = entries.map(\.id)
        #expect(try range(3, 7, 1 << 20) == ids)
        #expect(try range(4, 5, 1 << 20) == Array(ids[1...2]))
        #expect(try range(3, 7, 2_900) == Array(ids[0...1]))
        #expect(try range(3, 7, 1) == [ids[0]])
        #expect(try range(8, 9, 1 << 20).isEmpty)
        play.database.close()
    }

    @Test func `a thousand random commits leave a whole file`() throws {
        var play = try Play()
        var bob = try Player(98, joining: play.alice.genesis.alliance)
        try play.database.commit(bob.genesis.entries.map { .entry($0, own: false) })
        var random = SplitMix(state: 42)
        var step: Int64 = 0
        var open: [Cause] = []
        var events: [TransferEvent] = []
        var expected = play.alice.genesis.entries + bob.genesis.entries
        for _ in 0..<1_000 {
            var changes: [Change] = []
            for _ in 0...(random.next() % 3) {
                let body = [UInt8](
                    repeating: UInt8(truncatingIfNeeded: random.next()),
                    count: Int(random.next() % 400) + 1)
                switch random.next() % 8 {
                case 0:
                    let entry = try play.alice.append(body)
                    expected.append(entry)
                    changes.append(.entry(entry, own: true))
                case 1...3:
                    let entry = try bob.append(body)
                    expected.append(entry)
                    changes.append(.entry(entry, own: false))
                case 4:
                    changes.append(.petname(bob.did, "Bob \(random.next())"))
                case 5:
                    step += 1
                    let transfer = try Money.transfer(UInt8(1 + random.next() % 5), step, 0)
                    open.append(transfer.cause)
                    events.append(.reserve(transfer))
                    changes.append(.books([.reserve(transfer)]))
                default:
                    guard let cause = open.popLast() else { continue }
                    let event: TransferEvent =
                        random.next() % 3 == 0
                        ? .void(cause, reason: "late") : .post(cause, amount: 1, signed: true)
                    events.append(event)
                    changes.append(.books([event]))
                }
            }
            try play.database.commit(changes)
        }
        #expect(try play.database.check(against: try Money.books(events)) == [])
        #expect(try play.database.scrub() == [])
        play.database.close()
        let again = try Database.open(at: play.folder.path)
        let (snapshot, _) = try again.load()
        #expect(snapshot.entries == expected)
        #expect(snapshot.readOnly == nil)
        let answer = try again.pool.read { try String.fetchAll($0, sql: "PRAGMA integrity_check") }
        #expect(answer == ["ok"])
        again.close()
    }
}

/// A seed is a replay.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

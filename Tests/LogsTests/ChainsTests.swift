import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Testing

@Suite struct ChainsTests {
    private let checker = SignatureChecker()

    @Test func `a run is valid through its newest signature alone`() throws {
        var writer = bob.lineWriter()
        var run: [Entry] = []
        for total in Int64(1)...9 { run.append(writer.appendGarbage(declare(total))) }
        run.append(writer.append(declare(10)).entry)
        let valid = try extended(Chains(), run)
        #expect(valid.map(\.entry) == run)
        #expect(valid.map(\.ownSignatureChecked) == Array(repeating: false, count: 9) + [true])
    }

    @Test func `a live entry with a signature nobody made is refused`() {
        var writer = bob.lineWriter()
        let garbage = writer.appendGarbage(declare(1))
        refused([garbage], .entry(.signatureWrong(garbage.id)))
        // Nor does it ride in behind a valid one.
        var behind = bob.lineWriter()
        let first = behind.append(declare(1)).entry
        let second = behind.appendGarbage(declare(2))
        refused([first, second], .entry(.signatureWrong(second.id)))
    }

    @Test func `a key change inside a run needs a signature of its own on each side`() throws {
        var keys = bothKeys
        keys.apply(alice.rotation)
        var writer = alice.lineWriter()
        let old = [
            writer.appendGarbage(declare(1)), writer.append(declare(2)).entry,
        ]
        writer.key = alice.keys[1]
        writer.keyEntry = alice.rotation.id
        let new = [
            writer.appendGarbage(Continue(from: alice.keyEntry.id)),
            writer.append(declare(4)).entry,
        ]
        let valid = try extended(Chains(), old + new, keys)
        #expect(valid.map(\.ownSignatureChecked) == [false, true, false, true])

        var careless = alice.lineWriter()
        let last = careless.appendGarbage(declare(1))
        careless.key = alice.keys[1]
        careless.keyEntry = alice.rotation.id
        let next = careless.append(Continue(from: alice.keyEntry.id)).entry
        refused([last, next], .entry(.signatureWrong(last.id)), keys: keys)
    }

    @Test func `no key entry vouches for the one before it`() throws {
        var writer = LogWriter(
            author: alice.did, key: alice.key, keyEntry: nil, log: .key(author: alice.did),
            topic: nil)
        let body = KeyBody(
            publicKey: alice.key.publicKey, nextKeyHash: .nextKey(alice.keys[1].publicKey))
        let garbage = writer.appendGarbage(body)
        writer.key = alice.keys[1]
        let next = writer.append(
            KeyBody(
                publicKey: alice.keys[1].publicKey, nextKeyHash: .nextKey(alice.keys[2].publicKey)))
        #expect(throws: EntryRefusal.runBroken(at: garbage.id)) {
            try ValidEntry(garbage, reachedBy: next)
        }
    }

    @Test func `what is held may be offered again, alone or below what is new`() throws {
        var writer = bob.lineWriter()
        let run = (Int64(1)...5).map { writer.append(declare($0)).entry }
        var chains = Chains()
        for valid in try extended(chains, Array(run[..<3])) { chains.apply(valid) }
        #expect(chains.head(writer.log) == 3)
        guard case .known = try chains.decide(Array(run[..<3]), keys: bothKeys, checker: checker)
        else {
            Issue.record("held entries are known")
            return
        }
        let fresh = try extended(chains, run)
        #expect(fresh.map(\.entry) == Array(run[3...]))
        for valid in fresh { chains.apply(valid) }
        #expect(chains.chain(writer.log)?.ids == run.map(\.id))
        #expect(chains.logs == [writer.log])
    }

    @Test func `a gap waits`() {
        var writer = bob.lineWriter()
        let run = (Int64(1)...3).map { writer.append(declare($0)).entry }
        refused([run[1], run[2]], .gap(log: writer.log, held: 0, offered: 2))
        refused([run[0], run[2]], .runUneven(at: 3))
        refused([run[1], run[0]], .runUneven(at: 1))
        refused([], .runUneven(at: 0))
    }

    @Test func `an unknown key waits for its key log`() {
        var writer = carol.lineWriter()
        let entry = writer.append(declare(1)).entry
        refused([entry], .keyUnknown(author: carol.did, key: carol.keyEntry.id))
    }

    @Test func `statements stand in no chain`() {
        let statement = bob.say(Acknowledgement(salt: .zero, entry: .zero, purpose: .branch))
        refused([statement.entry], .runUneven(at: 0))
    }

    @Test func `nobody writes in another's log, at its end or inside a run`() throws {
        var mine = bob.lineWriter()
        let first = mine.append(declare(1))
        var hers = mine
        hers.author = alice.did
        hers.key = alice.key
        hers.keyEntry = alice.keyEntry.id
        let foreign = hers.append(declare(2)).entry
        var chains = Chains()
        refused([first.entry, foreign], .foreign(foreign.id), chains: chains)
        chains.apply(first)
        refused([foreign], .foreign(foreign.id), chains: chains)
        refused([first.entry, foreign], .foreign(foreign.id), chains: chains)
    }

    @Test func `a log never changes its topic`() throws {
        var writer = bob.lineWriter()
        let first = writer.append(declare(1))
        writer.topic = .filled(9)
        let moved = writer.append(declare(2)).entry
        var chains = Chains()
        refused([first.entry, moved], .foreign(moved.id), chains: chains)
        chains.apply(first)
        refused([moved], .foreign(moved.id), chains: chains)
    }

    @Test func `time never falls within a log`() throws {
        var writer = bob.lineWriter()
        let first = writer.append(declare(1))
        writer.now = first.header.time.advanced(by: -1)
        let earlier = writer.append(declare(2)).entry
        var chains = Chains()
        refused([first.entry, earlier], .timeFell(at: earlier.id), chains: chains)
        chains.apply(first)
        refused([earlier], .timeFell(at: earlier.id), chains: chains)
        // Equal is not falling.
        var even = bob.lineWriter()
        even.append(declare(1))
        even.now = first.header.time
        #expect(try extended(chains, [even.append(declare(2)).entry]).count == 1)
    }

    @Test func `time falls not across a key change either`() {
        var keys = bothKeys
        keys.apply(alice.rotation)
        var writer = alice.lineWriter()
        let first = writer.append(declare(1)).entry
        writer.key = alice.keys[1]
        writer.keyEntry = alice.rotation.id
        writer.now = first.header.time.advanced(by: -1)
        let second = writer.append(declare(2)).entry
        refused([first, second], .timeFell(at: second.id), keys: keys)
    }

    @Test func `a fork is seen by both sides as the same two entries, and both stay`() throws {
        var writer = bob.lineWriter()
        let start = (Int64(1)...2).map { writer.append(declare($0)) }
        var other = writer
        let left = [writer.append(declare(3)), writer.append(declare(4))]
        let right = [other.append(declare(5)), other.append(declare(6))]
        func sees(_ mine: [ValidEntry], _ theirs: [ValidEntry]) throws -> Chains.Fork {
            var chains = Chains()
            for valid in start + mine { chains.apply(valid) }
            let run = (start + theirs).map(\.entry)
            guard
                case .forks(let fork, let rival) = try chains.decide(
                    run, keys: bothKeys, checker: checker)
            else { throw LogRefusal.runUneven(at: -1) }
            #expect(rival.map(\.id) == theirs.map(\.id))
            chains.apply(fork, in: writer.log)
            #expect(chains.chain(writer.log)?.fork == fork)
            #expect(chains.chain(writer.log)?.ids == (start + mine).map(\.id))
            return fork
        }
        let one = try sees(left, right)
        let two = try sees(right, left)
        #expect(one.sequence == 3)
        #expect(two.sequence == 3)
        #expect(one.held == two.rival)
        #expect(one.rival == two.held)
        #expect(one.held == left[0].id)
    }

    @Test func `a rival branch needs a valid signature to count`() {
        var writer = bob.lineWriter()
        var other = writer
        var chains = Chains()
        chains.apply(writer.append(declare(1)))
        let garbage = other.appendGarbage(declare(2))
        refused([garbage], .entry(.signatureWrong(garbage.id)), chains: chains)
    }

    @Test func `a branch above an unseen fork asks for what lies below`() {
        var writer = bob.lineWriter()
        var other = writer
        var chains = Chains()
        chains.apply(writer.append(declare(1)))
        other.append(declare(2))
        let above = other.append(declare(3)).entry
        refused([above], .chainBroken(at: above.id), chains: chains)
    }

    @Test func `the lowest fork counts`() throws {
        var writer = bob.lineWriter()
        var chains = Chains()
        var rivals: [Int64: LogWriter] = [:]
        for sequence in Int64(1)...7 {
            rivals[sequence] = writer
            chains.apply(writer.append(declare(sequence)))
        }
        for (sequence, lowest) in [(5, 5), (7, 5), (3, 3), (4, 3)] as [(Int64, Int64)] {
            let rival = try #require(rivals[sequence]?.appending(declare(99)))
            guard
                case .forks(let fork, _) = try chains.decide(
                    [rival], keys: bothKeys, checker: checker)
            else { throw LogRefusal.runUneven(at: -1) }
            chains.apply(fork, in: writer.log)
            #expect(chains.chain(writer.log)?.fork?.sequence == lowest)
        }
    }

    private var bothKeys: KeyLogs {
        var keys = KeyLogs()
        keys.apply(alice.keyEntry)
        keys.apply(bob.keyEntry)
        return keys
    }

    private func declare(_ total: Int64) -> Declare { Declare(total: total, remaining: total) }

    private func extended(_ chains: Chains, _ run: [Entry], _ keys: KeyLogs? = nil) throws
        -> [ValidEntry]
    {
        let admission = try chains.decide(run, keys: keys ?? bothKeys, checker: checker)
        guard case .extends(let valid) = admission else { throw LogRefusal.runUneven(at: -1) }
        return valid
    }

    private func refused(
        _ run: [Entry], _ refusal: LogRefusal, chains: Chains = Chains(), keys: KeyLogs? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: refusal, sourceLocation: sourceLocation) {
            try chains.decide(run, keys: keys ?? bothKeys, checker: checker)
        }
    }
}

extension LogWriter {
    /// What would come next, without moving on.
    fileprivate func appending(_ body: some EntryBody) -> Entry {
        var copy = self
        return copy.append(body).entry
    }
}

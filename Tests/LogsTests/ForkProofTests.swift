import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Testing

/// A fork as a value: what proves it, and what only looks so.
@Suite struct ForkProofTests {
    private let checker = SignatureChecker()

    private var keys: KeyLogs {
        var keys = KeyLogs()
        for entry in [alice.keyEntry, alice.rotation, bob.keyEntry] { keys.apply(entry) }
        return keys
    }

    private func declare(_ total: Int64) -> Declare { Declare(total: total, remaining: total) }

    private func alone(_ entry: Entry) -> Vouched { Vouched(entry: entry, chain: []) }

    @Test func `the same two entries give the same proof, whichever side is named first`() throws {
        var writer = bob.lineWriter()
        var other = writer
        let (one, two) = (writer.append(declare(1)).entry, other.append(declare(2)).entry)
        let proof = ForkProof(alone(one), alone(two))
        #expect(proof == ForkProof(alone(two), alone(one)))
        #expect(try ForkProof(strict: proof.wire) == proof)
        try proof.check(keys: keys, checker: checker)
        #expect(proof.fork == .fork(author: bob.did, log: writer.log, sequence: 1))
        // Without his key log it waits; that is no fault of the sender.
        #expect(throws: LogRefusal.keyUnknown(author: bob.did, key: bob.keyEntry.id)) {
            try proof.check(keys: KeyLogs(), checker: checker)
        }
    }

    @Test func `the chain is the shortest, and no longer than a run`() throws {
        var writer = bob.lineWriter()
        var branch: [ValidEntry] = []
        for total in Int64(1)...255 {
            branch.append(
                ValidEntry(
                    stored: writer.appendGarbage(declare(total)), ownSignatureChecked: false))
        }
        branch.append(writer.append(declare(256)))
        branch.append(writer.append(declare(257)))
        let vouched = try #require(Vouched(branch: branch))
        #expect(vouched.chain.count == 255)
        var other = bob.lineWriter()
        let proof = ForkProof(vouched, alone(other.append(declare(9)).entry))
        #expect(proof.wire.count <= ForkProof.bytesMax)
        try ForkProof(strict: proof.wire).check(keys: keys, checker: checker)
        // One more, and no run would have brought it here.
        var longer = bob.lineWriter()
        let bottom = ValidEntry(
            stored: longer.appendGarbage(declare(999)), ownSignatureChecked: false)
        #expect(Vouched(branch: [bottom] + branch) == nil)
    }

    @Test func `two keys at one place are no fork`() {
        var writer = alice.lineWriter()
        var other = writer
        other.key = alice.keys[1]
        other.keyEntry = alice.rotation.id
        let proof = ForkProof(
            alone(writer.append(declare(1)).entry), alone(other.append(declare(2)).entry))
        #expect(throws: LogRefusal.self) { try proof.check(keys: keys, checker: checker) }
    }

    @Test func `a key log forks where two entries follow the one below`() throws {
        func next(_ reason: String) -> Entry {
            var writer = LogWriter(
                author: alice.did, key: alice.keys[1], keyEntry: nil,
                log: .key(author: alice.did), topic: nil)
            (writer.sequence, writer.previous) = (1, alice.keyEntry.id)
            writer.now = Instant.morning.days(1)
            return writer.append(
                KeyBody(
                    publicKey: alice.keys[1].publicKey,
                    nextKeyHash: .nextKey(alice.keys[2].publicKey), reason: reason)
            ).entry
        }
        let proof = ForkProof(alone(next("one")), alone(next("two")))
        #expect(proof.one.entry.body != nil)
        try ForkProof(strict: proof.wire).check(keys: keys, checker: checker)
        var eves = LogWriter(
            author: alice.did, key: eve.key, keyEntry: nil, log: .key(author: alice.did),
            topic: nil)
        (eves.sequence, eves.previous) = (1, alice.keyEntry.id)
        let forged = eves.append(
            KeyBody(publicKey: eve.key.publicKey, nextKeyHash: .nextKey(eve.keys[1].publicKey)))
        let accusation = ForkProof(alone(next("one")), alone(forged.entry))
        #expect(throws: LogRefusal.self) { try accusation.check(keys: keys, checker: checker) }
    }
}

import Capacity
import Entries
import Fixtures
import Identity
import Logs
import Testing

@Suite struct KeyLogsTests {
    private let checker = SignatureChecker()

    @Test func `a key log starts with the identity and rotates to the committed key`() throws {
        var keys = KeyLogs()
        #expect(!keys.knows(alice.did))
        keys.apply(try keys.decide(alice.keyEntry.entry, checker: checker))
        #expect(keys.inForce(alice.did)?.key == alice.keys[0].publicKey)
        keys.apply(try keys.decide(alice.rotation.entry, checker: checker))
        #expect(keys.inForce(alice.did)?.key == alice.keys[1].publicKey)
        // What the first key signed still verifies.
        #expect(keys.key(alice.did, alice.keyEntry.id) == alice.keys[0].publicKey)
        #expect(keys.key(bob.did, alice.keyEntry.id) == nil)
        #expect(keys.entries(of: alice.did).map(\.id) == alice.keyEntries.map(\.id))
    }

    @Test func `a key nobody committed to does not follow`() {
        var writer = rotating(alice)
        writer.key = eve.key
        let entry = writer.append(
            KeyBody(publicKey: eve.key.publicKey, nextKeyHash: .nextKey(eve.keys[1].publicKey)))
        refused(entry.entry, after: [alice.keyEntry], .keyLogBroken(author: alice.did, sequence: 2))
    }

    @Test func `the old key cannot sign the rotation in the new key's place`() {
        var writer = rotating(alice)
        let entry = writer.append(
            KeyBody(
                publicKey: alice.keys[1].publicKey, nextKeyHash: .nextKey(alice.keys[2].publicKey)))
        refused(
            entry.entry, after: [alice.keyEntry], .entry(.signatureWrong(entry.id)))
    }

    @Test func `the first key is the identity itself`() {
        var writer = LogWriter(
            author: alice.did, key: eve.key, keyEntry: nil, log: .key(author: alice.did), topic: nil
        )
        let entry = writer.append(
            KeyBody(publicKey: eve.key.publicKey, nextKeyHash: .nextKey(eve.keys[1].publicKey)))
        refused(entry.entry, after: [], .keyLogBroken(author: alice.did, sequence: 1))
    }

    @Test func `a key log has one name and no gap`() {
        var elsewhere = LogWriter(
            author: alice.did, key: alice.key, keyEntry: nil, log: .key(author: bob.did), topic: nil
        )
        let body = KeyBody(
            publicKey: alice.key.publicKey, nextKeyHash: .nextKey(alice.keys[1].publicKey))
        refused(elsewhere.append(body).entry, after: [], .logIdWrong(.key(author: bob.did)))
        let log = LogID.key(author: alice.did)
        refused(alice.rotation.entry, after: [], .gap(log: log, held: 0, offered: 2))
        refused(
            alice.keyEntry.entry, after: [alice.keyEntry], .gap(log: log, held: 1, offered: 1))
    }

    @Test func `a rotation is not older than the key it replaces`() {
        var writer = rotating(alice)
        writer.key = alice.keys[1]
        writer.now = alice.keyEntry.header.time.advanced(by: -1)
        let entry = writer.append(
            KeyBody(
                publicKey: alice.keys[1].publicKey, nextKeyHash: .nextKey(alice.keys[2].publicKey)))
        refused(
            entry.entry, after: [alice.keyEntry], .keyLogBroken(author: alice.did, sequence: 2))
    }

    @Test(arguments: [0, 1])
    func `a recovered key entry has the time of the one before it`(_ later: Int64) throws {
        var writer = rotating(alice)
        writer.key = alice.keys[1]
        writer.now = alice.keyEntry.header.time.advanced(by: later)
        let entry = writer.append(
            KeyBody(
                publicKey: alice.keys[1].publicKey, nextKeyHash: .nextKey(alice.keys[2].publicKey),
                reason: KeyBody.recovered))
        guard later == 0 else {
            return refused(
                entry.entry, after: [alice.keyEntry], .keyLogBroken(author: alice.did, sequence: 2))
        }
        var keys = KeyLogs()
        keys.apply(alice.keyEntry)
        #expect(try keys.decide(entry.entry, checker: checker).id == entry.id)
    }

    @Test func `a key entry without its body or of another kind is refused`() {
        refused(alice.keyEntry.entry.withoutBody, after: [], .entry(.bodyMissing))
        var line = alice.lineWriter()
        let declare = line.append(Declare(total: 1, remaining: 1))
        refused(declare.entry, after: [], .notALogEntry(declare.id))
        let statement = alice.say(
            Acknowledgement(salt: .zero, entry: .zero, purpose: .delivered))
        refused(statement.entry, after: [], .notALogEntry(statement.id))
    }

    /// The writer of a key log just after its first entry.
    private func rotating(_ person: Person) -> LogWriter {
        var writer = LogWriter(
            author: person.did, key: person.key, keyEntry: nil, log: .key(author: person.did),
            topic: nil)
        writer.append(
            KeyBody(
                publicKey: person.key.publicKey, nextKeyHash: .nextKey(person.keys[1].publicKey)))
        #expect(writer.previous == person.keyEntry.id)
        return writer
    }

    private func refused(
        _ entry: Entry, after held: [ValidEntry], _ refusal: LogRefusal,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var keys = KeyLogs()
        for valid in held { keys.apply(valid) }
        #expect(throws: refusal, sourceLocation: sourceLocation) {
            try keys.decide(entry, checker: checker)
        }
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// A key log that parts brings in no key from there on, by whichever way its entries come again.
@Suite struct PartedKeysTests {
    /// mallory's second key entry, as often as there are reasons for it.
    private static func entries(
        _ network: Network, _ name: String, _ reasons: String...
    ) throws -> (first: Entry, key: SigningKey, seconds: [Entry]) {
        let did = network.did(name)
        let code = try #require(network.recoveryCode(name))
        let first = try #require(network[name].keyLog(of: did).first).entry
        let key = code.nextKey(index: 2)
        let seconds = try reasons.map { reason in
            let body = KeyBody(
                publicKey: key.publicKey, nextKeyHash: .nextKey(code.nextKey(index: 3).publicKey),
                reason: reason
            ).wire
            return try ValidEntry(
                signing: Header(
                    kind: Kind.key.rawValue, author: did, key: nil, topic: nil,
                    time: network.now, bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                    place: .log(.init(log: .key(author: did), sequence: 2, previous: first.id))),
                body: body, by: key
            ).entry
        }
        return (first, key, seconds)
    }

    /// Entries that are not kept twice, as the database insists.
    private static func places(_ network: Network, _ name: String, _ log: LogID) -> [Int64] {
        (network.stores[name]?.snapshot.entries ?? []).compactMap { $0.header.log }
            .filter { $0.log == log }.map(\.sequence)
    }

    @Test(arguments: [0, 1, 2])
    func `who greets with keys from above a fork is not believed, and nothing is kept twice`(
        _ which: Int
    ) throws {
        var market = try Market(names: ["alice", "bob", "mallory"], only: "capacity-option")
        let mallory = market.did("mallory")
        let log = LogID.key(author: mallory)
        let (_, key, seconds) = try Self.entries(
            market.network, "mallory", "one", "two", "three")
        var copy = try #require(market.network.stores["mallory"])
        for entry in seconds.prefix(2) { market.push(entry, from: "mallory", to: "bob") }
        market.settle()
        #expect(market.network["bob"].forked(log) == 2)
        // He comes again, under the key that he brought in each time.
        let again = seconds[which]
        market.network.stop("mallory")
        copy.commit([.entry(ValidEntry(stored: again, ownSignatureChecked: true), own: true)])
        let secret = try #require(market.network.recoveryCode("mallory")).nodeSecret
        market.network.restore(
            "mallory", copy,
            own: Own(did: mallory, keyEntry: again.id, key: key, nodeSecret: secret))
        market.network.start("mallory")
        market.network.connect("mallory", "bob")
        market.settle()
        #expect(Self.places(market.network, "bob", log) == [1, 2])
        #expect(market.network["bob"].keyLogs.entries(of: mallory).count == 1)
        #expect(!market.network.isConnected("mallory", "bob"))
    }

    @Test(arguments: [0, 1, 2])
    func `who asks to be let in with keys from above a fork is not let in by them`(
        _ which: Int
    ) throws {
        var guild = try AllianceTests.Guild(["alice", "bob", "mallory"], .invitation)
        let mallory = guild.market.did("mallory")
        let log = LogID.key(author: mallory)
        let (first, key, seconds) = try Self.entries(
            guild.network, "mallory", "one", "two", "three")
        for entry in seconds.prefix(2) { guild.market.push(entry, from: "mallory", to: "alice") }
        guild.market.settle()
        #expect(guild.network["alice"].forked(log) == 2)
        let ticket = try #require(try guild.code(from: "alice").ticket)
        let proof = try #require(SigningKey(seed: SecretBytes(ticket.secret.bytes)))
        let body = Joining(
            salt: SHA256.hash([1]), keys: [first, seconds[which]], invitation: ticket.terms,
            proof: proof.sign(Invitation.message(guild.topic, newcomer: mallory))
        ).wire
        let joining = try ValidEntry(
            signing: Header(
                kind: Kind.joining.rawValue, author: mallory, key: seconds[which].id,
                topic: guild.topic, time: guild.network.now, bodyHash: SHA256.hash(body),
                bodySize: Int64(body.count),
                place: .statement(.init(expires: ticket.terms.expires))), body: body, by: key)
        guild.network.inject(joining.entry, from: "mallory", to: "alice")
        guild.market.settle()
        #expect(Self.places(guild.network, "alice", log) == [1, 2])
        #expect(guild.standing(of: "mallory", at: "alice") == .outsider)
    }

    /// The judge said under that key that he knows of a step, which nobody asked him.
    @Test func `a word under a key from above a fork stops no contract in which it was said`()
        throws
    {
        var (story, record) = try ClockTests.delivered(heard: true)
        let (_, key, seconds) = try Self.entries(story.market.network, "judge", "one", "two")
        story.market.push(seconds[0], from: "judge", to: "bob")
        story.market.settle()
        let held = try story.market.held("bob", story.parent)
        let clock = try #require(held.fold?.state.record(record)?.clock)
        let step = try #require(held.fold?.step(clock.sequence))
        let body = Acknowledgement(salt: .zero, entry: step.id, purpose: .delivered).wire
        let word = try ValidEntry(
            signing: Header(
                kind: Kind.acknowledgement.rawValue, author: story.market.did("judge"),
                key: seconds[0].id, topic: held.key.topic, time: story.market.network.now,
                bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                place: .statement(.init(expires: story.market.at(days: 30), about: held.log))),
            body: body, by: key
        ).entry
        story.market.network.inject(word, from: "judge", to: "bob")
        story.market.settle()
        for name in ["bob", "alice", "carol"] {
            story.market.push(seconds[1], from: "judge", to: name)
        }
        story.market.settle()
        #expect(story.market.network["alice"].forked(.key(author: word.header.author)) == 2)
        try story.market.act("bob", story.parent, "accept_silent", record: record)
        for name in ["bob", "alice"] {
            let fold = try #require(try story.market.held(name, story.parent).fold)
            #expect(fold.halt == nil, "\(name)")
            #expect(fold.state.record(record)?.state == "due", "\(name)")
        }
    }
}

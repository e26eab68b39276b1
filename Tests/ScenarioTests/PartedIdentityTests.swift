import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// Whoever makes his own key log part takes nothing back that he signed in contracts.
@Suite struct PartedIdentityTests {
    /// Another first entry of the key log: the same identity, committed to another next key.
    private static func twin(_ network: Network, _ name: String) throws -> Entry {
        let own = network[name].own
        let first = try #require(network[name].keyLog(of: own.did).first)
        let body = try first.entry.read(KeyBody.self)
        let other = KeyBody(
            publicKey: body.publicKey, nextKeyHash: SHA256.hash([1]), reason: body.reason
        ).wire
        return try ValidEntry(
            signing: Header(
                kind: Kind.key.rawValue, author: own.did, key: nil, topic: nil,
                time: first.header.time, bodyHash: SHA256.hash(other), bodySize: Int64(other.count),
                place: .log(.init(log: .key(author: own.did), sequence: 1, previous: nil))),
            body: other, by: own.key
        ).entry
    }

    @Test(arguments: ["alice", "bob", "judge"])
    func `a key log that parts changes nothing in contracts that stand`(who: String) throws {
        var story = try OptionStory()
        try story.play(..<4)
        var market = story.market
        let id = story.parent
        let before = try market.held("alice", id).fold?.head.sequence
        let owed = market.network["alice"].ledger.rows(of: id)
        let twin = try Self.twin(market.network, who)
        let parties = ["alice", "bob", "judge"]
        for name in parties where name != who { market.push(twin, from: who, to: name) }
        market.settle()
        for name in parties where name != who {
            #expect(market.network[name].forked(.key(author: market.did(who))) == 1, "\(name)")
            let held = try market.held(name, id)
            #expect(held.fold?.head.sequence == before, "\(name)")
            #expect(held.fold?.halt == nil, "\(name)")
            #expect(market.network[name].ledger.rows(of: id).count == owed.count, "\(name)")
            // It can still be taken out, and folded by whoever has nothing else.
            let again = try Node(folding: market.bundle(name, id)).contracts[id]
            #expect(again?.fold?.state.digest() == held.fold?.state.digest(), "\(name)")
        }
    }
}

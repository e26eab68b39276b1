import Capacity
import Entries
import Identity
import NodeCore
import Simulation
import Testing

/// What a peer can make a node keep waiting for.
@Suite struct FloodTests {
    @Test func `answers about contracts that never come are let go when they expire`() throws {
        var market = try Market("alice", "bob", only: "capacity-option")
        let own = try #require(market.network.own("alice"))
        for number in 0..<40 {
            let hash = SHA256.hash(Array("answer \(number)".utf8))
            let body = Acceptance(salt: hash, statement: EntryID(hash), releaseKey: nil).wire
            let answer = try ValidEntry(
                signing: Header(
                    kind: Kind.acceptance.rawValue, author: own.did, key: own.keyEntry,
                    topic: TopicID(hash), time: market.network.now, bodyHash: SHA256.hash(body),
                    bodySize: Int64(body.count),
                    place: .statement(
                        .init(
                            expires: market.network.now.advanced(by: 3_600_000), about: LogID(hash))
                    )), body: body, by: own.key
            ).entry
            market.network.inject(answer, from: "alice", to: "bob")
        }
        func waiting() -> Int {
            market.network["bob"].footprint.first { $0.name == "waiting statements" }?.count ?? 0
        }
        market.network.tick()
        #expect(waiting() == 40)
        market.network.pass(milliseconds: 3_600_001)
        market.network.tick()
        #expect(waiting() == 0)
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore
import Simulation
import Testing

/// A key that comes after what it signed: until then there is no verdict, and then the same as elsewhere.
@Suite struct LateKeyTests {
    /// Everything of a contract, folded anew: the last entries without the key of `hidden`.
    static func folded(
        _ market: Market, _ name: String, _ id: ContractID, last: [Entry], hidden: DID?
    )
        throws -> Fold
    {
        let held = try market.held(name, id)
        let node = market.network[name]
        let keys = node.keyLogs
        var fold = try Fold(
            proposal: held.proposalEntry, key: held.key,
            template: #require(held.fold).template)
        let late = Set(last.map(\.id))
        for entry in market.network.stores[name]?.entries(of: held.log) ?? []
        where !late.contains(entry.id) {
            _ = fold.fold(entry, keys: { keys.key($0, $1) }, checker: node.checker)
        }
        for entry in last {
            _ = fold.fold(
                entry, keys: { $0 == hidden ? nil : keys.key($0, $1) }, checker: node.checker)
        }
        return fold
    }

    @Test func `who does not know the key behind an acknowledgement waits for it`() throws {
        var (story, record) = try ClockTests.delivered(heard: true)
        try story.market.act("bob", story.parent, "accept_silent", record: record)
        let (market, id) = (story.market, story.parent)
        let held = try market.held("judge", id)
        let entry = try #require(market.network.stores["judge"]?.entries(of: held.log).last)
        var fold = try Self.folded(
            market, "judge", id, last: [entry], hidden: market.did("alice"))
        #expect(fold.halt == .keyUnknown(sequence: fold.head.sequence + 1, market.did("alice")))
        fold.resume()
        let node = market.network["judge"]
        let keys = node.keyLogs
        _ = fold.fold(entry, keys: { keys.key($0, $1) }, checker: node.checker)
        #expect(fold.state.record(record)?.state == "due")
        #expect(fold.state.digest() == held.fold?.state.digest())
    }

    @Test func `who does not know the key behind a listed request waits for it`() throws {
        var (market, id) = try ListedTests.option()
        let exercise = try ListedTests.request(
            market, by: "alice", id, "exercise", ["n": Market.units(10)])
        let then = market.network.now
        ListedTests.pass(&market, days: 60)
        let refusal = try ListedTests.judge(
            market, id, "lapse", by: ["wei", "xin"], over: exercise,
            receipted: ["wei": then, "xin": then], hidden: market.did("alice"))
        #expect(refusal == .keyUnknown(market.did("alice")))
    }

    @Test func `who does not know the key of a witness takes the ruling when it comes`() throws {
        var (market, id) = try ListedTests.option()
        market.network.stop("bob")
        try market.act("alice", id, "exercise", ["n": Market.units(100)])
        WitnessTests.pass(&market, days: 3)
        try market.network.command("judge") { try $0.takeOver(id) }
        market.network.settle()
        WitnessTests.pass(&market, days: 0)
        let log = try #require(market.held("alice", id).fold).takeoverLog
        let arbiter = try #require(market.network.stores["alice"]?.entries(of: log))
        #expect(arbiter.count > 2)
        var fold = try Self.folded(
            market, "alice", id, last: arbiter, hidden: market.did("wei"))
        #expect(fold.epoch == 0)
        let waiting = fold.awaitingKey
        #expect(waiting.map(\.kind) == [.ruling])
        fold.resume()
        let node = market.network["alice"]
        let keys = node.keyLogs
        for entry in waiting + arbiter.dropFirst(2) {
            _ = fold.fold(entry, keys: { keys.key($0, $1) }, checker: node.checker)
        }
        #expect(fold.epoch == 1)
        #expect(try fold.state.digest() == market.state("alice", id).digest())
    }
}

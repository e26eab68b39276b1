import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Simulation
import Testing

/// The end of a contract that names witnesses, without them: all whom it names have signed it.
@Suite struct WitnessesGoneTests {
    private static let parties = ["alice", "bob", "judge"]

    /// A paid option whose only witness is off.
    private static func left() throws -> (Market, ContractID) {
        var (market, id) = try WitnessTests.option(witnesses: ["wei"], threshold: 1)
        try market.pay("alice", "bob", id)
        market.network.stop("wei")
        return (market, id)
    }

    private static func expectAlike(_ market: Market, _ id: ContractID, over: Bool = true) throws {
        for name in parties {
            #expect(try market.held(name, id).isOver == over, "\(name)")
            #expect(market.network[name].ledgerFault == nil, "\(name)")
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
        #expect(Set(parties.map { market.network[$0].ledger.dump() }).count == 1)
        #expect(market.network.closed.isEmpty, "\(market.network.closed)")
    }

    @Test(arguments: parties)
    func `whoever asks, all end it together, and their homes read it so`(_ name: String) throws {
        var (market, id) = try Self.left()
        let others = Self.parties.filter { $0 != name }
        try SettlementTests.settle(&market, id, SettlementPlan(), by: name, others[0], others[1])
        #expect(try !market.held("alice", id).isOver)
        for _ in 0..<3 { WitnessTests.pass(&market, days: 3) }
        try Self.expectAlike(market, id)
        for name in Self.parties { market.restart(name) }
        try Self.expectAlike(market, id)
        // The witness that comes back is told nothing of it, and disturbs nobody.
        market.back("wei")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 1) }
        try Self.expectAlike(market, id)
    }

    @Test func `a witness that comes back within the response time makes the end a step`() throws {
        var (market, id) = try Self.left()
        try SettlementTests.settle(&market, id, SettlementPlan(), by: "alice", "bob", "judge")
        market.back("wei")
        market.settle()
        try Self.expectAlike(market, id)
        for name in Self.parties {
            let fold = try #require(market.held(name, id).fold)
            #expect(fold.settled == nil, "\(name)")
            #expect(fold.steps.last?.log == fold.log, "\(name)")
        }
    }

    @Test func `without the word of one of them it is no end`() throws {
        var (market, id) = try Self.left()
        try SettlementTests.settle(&market, id, SettlementPlan(), by: "alice", "bob")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 3) }
        try Self.expectAlike(market, id, over: false)
        // By hand too, and as an end without the sequencer.
        let basis = try SettlementTests.step(market, "alice", id, 3)
        for (plan, names) in [
            (SettlementPlan(), ["bob"]), (SettlementPlan(without: market.did("bob")), ["judge"]),
        ] {
            let entry = try SettlementTests.forged(
                market, id, plan, on: basis, by: "alice", names[0])
            market.push(entry, from: "alice", to: "judge")
            market.settle()
            #expect(try !market.held("judge", id).isOver)
        }
    }

    @Test func `nor has the arbiter's own log room for it`() throws {
        let (market, id) = try Self.left()
        let held = try market.held("judge", id)
        #expect(held.fold?.settlementLog(of: market.did("judge")) == nil)
        #expect(held.fold?.settlementLog(of: market.did("bob")) == nil)
        #expect(held.fold?.settlementLog(of: market.did("alice")) != nil)
    }

    // MARK: - Beside a takeover

    /// Bob is silent, and judge went on from step 3 and admitted what alice had asked for.
    private static func takenOver() throws -> (Market, ContractID) {
        var (market, id) = try TakeoverTests.silent()
        try market.network.command("judge") { try $0.takeOver(id) }
        for _ in 0..<4 { WitnessTests.pass(&market, days: 0) }
        let fold = try #require(market.held("judge", id).fold)
        #expect(fold.epoch == 1 && fold.takeover?.basis == 3)
        #expect(fold.steps.last?.log == fold.takeoverLog)
        return (market, id)
    }

    @Test func `what all settled stands where a ruling goes on from its basis`() throws {
        var (market, id) = try Self.takenOver()
        let basis = try SettlementTests.step(market, "alice", id, 3)
        let entry = try SettlementTests.forged(
            market, id, SettlementPlan(), on: basis, by: "alice", "bob", "judge")
        market.push(entry, from: "alice", to: "judge")
        market.settle()
        #expect(try market.held("judge", id).fold?.settled == entry.id)
        // Bob hears of the takeover and of the end in one go.
        market.back("bob")
        for _ in 0..<3 { WitnessTests.pass(&market, days: 0) }
        for name in ["bob", "judge"] {
            #expect(try market.held(name, id).fold?.settled == entry.id, "\(name)")
            market.restart(name)
            let fold = try #require(market.held(name, id).fold)
            #expect(fold.settled == entry.id && fold.head.sequence == 4, "\(name)")
            #expect(!fold.isOvertaken, "\(name)")
        }
        #expect(try market.digests(id, "bob", "judge").count == 1)
    }

    @Test func `a ruling from below what all settled undoes it, though it came later`() throws {
        var (market, id) = try TakeoverTests.silent()
        let others = ["judge", "wei", "xin", "yan"]
        for name in others { market.network.disconnect("alice", name) }
        market.network.start("bob")
        market.network.connect("alice", "bob")
        // Whoever starts asks first whether it lacks anything.
        for _ in 0..<3 {
            market.network.pass(milliseconds: 20_000)
            market.network.tick()
            market.network.settle()
        }
        let basis = try SettlementTests.step(market, "alice", id, 4)
        let entry = try SettlementTests.forged(
            market, id, SettlementPlan(), on: basis, by: "alice", "bob", "judge")
        market.push(entry, from: "alice", to: "bob")
        market.network.settle()
        #expect(try market.held("bob", id).fold?.settled == entry.id)
        try market.network.command("judge") { try $0.takeOver(id) }
        for _ in 0..<4 { WitnessTests.pass(&market, days: 0) }
        #expect(try market.held("judge", id).fold?.takeover?.basis == 3)
        for name in others {
            market.network.connect("alice", name)
            market.network.connect("bob", name)
        }
        for _ in 0..<4 { WitnessTests.pass(&market, days: 0) }
        for again in [false, true] {
            for name in Self.parties {
                if again { market.restart(name) }
                let fold = try #require(market.held(name, id).fold)
                #expect(fold.epoch == 1 && fold.settled == nil, "\(name)")
            }
            try Self.expectAlike(market, id, over: false)
        }
    }

    @Test func `a step of the arbiter's epoch is no basis for an end without witnesses`() throws {
        var (market, id) = try Self.takenOver()
        market.back("bob")
        market.settle()
        let basis = try SettlementTests.step(market, "alice", id, 4)
        let entry = try SettlementTests.forged(
            market, id, SettlementPlan(), on: basis, by: "alice", "bob", "judge")
        market.push(entry, from: "alice", to: "judge")
        market.settle()
        for _ in 0..<2 {
            let fold = try #require(market.held("judge", id).fold)
            #expect(!fold.state.isEnded && !fold.isOvertaken)
            market.restart("judge")
        }
    }
}

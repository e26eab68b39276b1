import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Market
import NodeCore
import Simulation

/// Contracts among three nodes, made by their own commands.
struct Trade {
    var network = Network(seed: 1, now: Sync.start)
    private static let piece = try? UnitCode("C62")
    private static let currency = try? Currency("CNY")

    init(_ names: [String], template: String) throws {
        let path = "contracts/\(template).yaml"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw BenchRefusal.setUp("\(path), from the folder of the project")
        }
        for name in names { try network.add(name, templates: [Array(data)]) }
        network.connectAll()
        network.settle()
    }

    func at(days: Int64) -> Instant { network.now.advanced(by: days * 86_400_000) }
    static func money(_ minor: Int64) throws -> Value {
        .money(try Money(minor: minor, Currency("CNY")))
    }
    static func units(_ count: Int64) throws -> Value {
        .quantity(try Quantity(units: count, UnitCode("C62")))
    }

    mutating func declare(_ name: String, total: Int64) throws -> LineTerms {
        let terms = LineTerms(
            resource: try Resource("bench"),
            window: try Window(start: at(days: 10), end: at(days: 17), offsetMinutes: 480),
            unit: try UnitCode("C62"))
        try network.command(name) { try $0.declare(terms, total: total) }
        network.settle()
        return terms
    }

    mutating func agree(
        _ proposer: String, _ arguments: [String: Value], _ roles: [String: String],
        _ line: LineTerms
    ) throws -> ContractID {
        guard let template = network[proposer].templates.keys.first else {
            throw BenchRefusal.setUp("template")
        }
        let draft = Node.ProposalDraft(
            template: template, currency: try Currency("CNY"), arguments: arguments,
            roles: roles.mapValues { [network.did($0)] }, lines: [line], acceptBy: at(days: 1),
            grantBy: at(days: 1))
        let id = try network.command(proposer) { try $0.propose(draft) }
        network.settle()
        for name in Set(roles.values).sorted() where name != proposer {
            try network.command(name) { try $0.accept(id) }
            network.settle()
        }
        guard network[proposer].contracts[id]?.grade == .sequenced else {
            throw BenchRefusal.setUp("the contract is not sequenced")
        }
        return id
    }
}

/// What a second costs in which nothing happens.
enum Calm {
    static func run(contracts: Int, alliances: Int) throws -> [String: Double] {
        var trade = try Trade(["holder", "issuer", "judge"], template: "capacity-option")
        for number in 1..<max(alliances, 1) {
            try trade.network.command("holder") {
                _ = try $0.found("alliance \(number)", admission: .anyone)
            }
            trade.network.settle()
        }
        let line = try trade.declare("issuer", total: Int64(contracts))
        let begun = cpu()
        for _ in 0..<contracts {
            _ = try trade.agree(
                "holder",
                [
                    "style": .text("american"), "units": try Trade.units(1),
                    "lot": try Trade.units(1), "premium": try Trade.money(500),
                    "strike": try Trade.money(1_800), "remedy": try Trade.money(900),
                    "expiry": .instant(trade.at(days: 40)),
                    "deliver_by": .instant(trade.at(days: 60)),
                ], ["issuer": "issuer", "holder": "holder", "arbiter": "judge"], line)
        }
        let making = (cpu() - begun) / Double(contracts)
        var figures = ["contracts": Double(contracts), "make_ms": making * 1e3]
        // The first ticks after the trade may still have something to say.
        for _ in 0..<120 {
            trade.network.pass(milliseconds: 1_000)
            trade.network.tick()
            trade.network.settle()
        }
        for name in ["holder", "issuer", "judge"] {
            var node = trade.network[name]
            var moment = trade.network.now
            let ticks = 50
            let took = median(of: 5) {
                for _ in 0..<ticks {
                    moment = moment.advanced(by: 1_000)
                    node.begin(at: moment, seed: .zero)
                    node.tick()
                    _ = node.takeChanges()
                    _ = node.takeDirectives()
                }
            }
            figures["tick_\(name)_us"] = took / Double(ticks) * 1e6
        }
        return figures
    }
}

import Capacity
import Contracts
import Entries
import Foundation
import Identity
import NodeCore
import Simulation

/// Contracts among three nodes, made by their own commands.
struct Trade {
    var network = Network(seed: 1, now: benchStart)
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

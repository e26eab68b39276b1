import Capacity
import Contracts
import Entries
import Fixtures
import Identity
import NodeCore
import Simulation
import Testing

/// A small market in memory: the nodes of a story, the templates of `contracts/`, and a few words to
/// trade with.
struct Market {
    var network: Network
    static let start = try! Instant(milliseconds: 1_795_000_000_000)
    static let cny = try! Currency("CNY")
    static let piece = try! UnitCode("C62")

    static let templates = Shipped.templates

    let names: [String]
    /// After each command this node's process ends, so many frames later, and starts again.
    var crash: (name: String, after: Int)?
    /// Frames of different links overtake each other.
    var shuffles = false

    init(_ names: String..., seed: UInt64 = 1, only: String? = nil) throws {
        try self.init(names: names, seed: seed, only: only)
    }

    init(names: [String], seed: UInt64 = 1, only: String? = nil) throws {
        self.names = names
        network = Network(seed: seed, now: Self.start)
        let files = Self.templates.filter { $0.key == only ?? $0.key }
            .sorted { $0.key < $1.key }.map(\.value)
        for name in names { try network.add(name, templates: files) }
        network.connectAll()
        network.settle()
    }

    mutating func settle() {
        if let crash {
            network.settle(limit: crash.after)
            restart(crash.name)
        }
        if shuffles { network.settleShuffled() } else { network.settle() }
    }

    mutating func restart(_ name: String) {
        network.stop(name)
        back(name)
    }

    /// Starts a node that is off and connects it again.
    mutating func back(_ name: String) {
        network.start(name)
        for other in names where other != name && network.nodes[other] != nil {
            network.connect(name, other)
        }
        network.settle()
        // Whoever is still off is waited for so long.
        network.pass(milliseconds: 10_000)
        network.tick()
        network.settle()
    }

    func did(_ name: String) -> DID { network.did(name) }
    func at(days: Int64) -> Instant { network.now.advanced(by: days * 86_400_000) }

    func template(_ name: String) throws -> Template {
        try Template.read(#require(Self.templates[name]))
    }

    static func money(_ minor: Int64) -> Value { .money(try! Money(minor: minor, cny)) }
    static func units(_ count: Int64) -> Value { .quantity(try! Quantity(units: count, piece)) }

    @discardableResult
    mutating func declare(_ name: String, _ resource: String, _ total: Int64) throws -> LineTerms {
        let terms = LineTerms(
            resource: try Resource(resource),
            window: try Window(start: at(days: 10), end: at(days: 17), offsetMinutes: 480),
            unit: Self.piece)
        try network.command(name) { try $0.declare(terms, total: total) }
        settle()
        return terms
    }

    /// Proposes, has every other participant accept, and lets the network settle.
    mutating func agree(
        _ proposer: String, _ template: String, _ arguments: [String: Value],
        roles: [String: String], lines: [LineTerms], witnesses: [String] = [], threshold: Int64 = 0
    ) throws -> ContractID {
        let hash = try self.template(template).hash
        let draft = Node.ProposalDraft(
            template: hash, currency: Self.cny, arguments: arguments,
            roles: roles.mapValues { [did($0)] }, lines: lines, acceptBy: at(days: 1),
            grantBy: at(days: 1),
            witnesses: .init(identities: witnesses.map(did), threshold: threshold))
        let id = try network.command(proposer) { try $0.propose(draft) }
        settle()
        for name in Set(roles.values).sorted() where name != proposer {
            try network.command(name) { try $0.accept(id) }
            settle()
        }
        return id
    }

    @discardableResult
    mutating func act(
        _ name: String, _ contract: ContractID, _ transition: String, record: Int64 = 1,
        _ arguments: [String: Value] = [:]
    ) throws -> Node.Asked {
        let asked = try network.command(name) {
            try $0.act(
                Act(transition: transition, record: record, arguments: arguments), in: contract)
        }
        settle()
        return asked
    }

    /// The payer states, the payee confirms.
    mutating func pay(
        _ payer: String, _ payee: String, _ contract: ContractID, record: Int64 = 1
    ) throws {
        try act(
            payer, contract, "pay_state", record: record,
            ["channel": .text("bank"), "reference": .text("r\(record)")])
        try act(payee, contract, "pay_receive", record: record)
    }

    func held(_ name: String, _ contract: ContractID) throws -> HeldContract {
        try #require(network[name].contracts[contract])
    }

    func state(_ name: String, _ contract: ContractID) throws -> ContractState {
        try #require(try held(name, contract).fold?.state)
    }

    /// The number of the newest record of `family` in a state that starts so.
    func record(_ name: String, _ contract: ContractID, _ family: String, _ prefix: String)
        throws -> Int64
    {
        try #require(
            try state(name, contract).records.last {
                $0.family == family && $0.state.hasPrefix(prefix)
            }?.number)
    }

    func digests(_ contract: ContractID, _ names: String...) throws -> Set<Hash32> {
        Set(try names.map { try state($0, contract).digest() })
    }
}

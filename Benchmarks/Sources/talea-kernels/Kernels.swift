import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Ledger
import Logs
import Market
import NodeCore
import Replication
import Simulation

/// `talea-kernels` lists what a node does most often; `talea-kernels NAME COUNT` does it so many times.
/// What it costs is counted in instructions by whoever runs it (scripts/instructions).
@main struct Main {
    static func main() {
        _ = Sodium.start()
        let words = CommandLine.arguments.dropFirst()
        guard let name = words.first else {
            for name in Kernels.all.keys.sorted() { print(name) }
            return
        }
        do {
            guard let prepare = Kernels.all[name], words.count == 2,
                let count = words.last.flatMap({ Int($0) })
            else { throw BenchRefusal.usage }
            try prepare()(count)
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }
}

enum Kernels {
    typealias Kernel = (_ count: Int) throws -> Void

    /// Each prepares its input first, which whoever counts takes off again.
    static let all: [String: @Sendable () throws -> Kernel] = [
        "an entry read": read, "a run of 100 checked": check, "a pushed entry taken": take,
        "a step decided": step, "an item put among 10,000": put,
        "100 of 10,000 items reconciled": reconcile, "the best 20 of 10,000 offers": best,
        "a transfer reserved and posted": post,
    ]

    private static let authors: @Sendable (Int, Alliance) throws -> [Author] = { each, alliance in
        try Author.many(10, each: each, in: alliance, from: benchStart.advanced(by: -86_400_000))
    }

    private static func alone() throws -> Node {
        var network = Network(seed: 1, now: benchStart)
        try network.add("node")
        return network["node"]
    }

    @Sendable private static func read() throws -> Kernel {
        let wires = try authors(20, alone().alliance).flatMap(\.entries).map(\.entry.wire)
        return { count in
            for number in 0..<count { _ = try Entry(strict: wires[number % wires.count]) }
        }
    }

    @Sendable private static func check() throws -> Kernel {
        let people = try authors(101, alone().alliance)
        var keys = KeyLogs()
        var chains = Chains()
        for author in people {
            keys.apply(author.keyEntry)
            chains.apply(author.publicEntries[0])
        }
        let runs = people.map { $0.publicEntries.dropFirst().map(\.entry) }
        let (known, held, checker) = (keys, chains, SignatureChecker())
        return { count in
            for number in 0..<count {
                guard
                    case .extends = try held.decide(
                        runs[number % runs.count], keys: known, checker: checker)
                else { throw BenchRefusal.setUp("run") }
            }
        }
    }

    /// All that a node does for an entry that a peer tells it, its signature with it.
    @Sendable private static func take() throws -> Kernel {
        var network = Network(seed: 1, now: benchStart)
        try network.add("member")
        try network.add("node")
        let people = try authors(400, network["member"].alliance)
        guard var store = network.stores["node"] else { throw BenchRefusal.setUp("store") }
        store.commit(
            people.flatMap { [$0.keyEntry, $0.publicEntries[0]] }.map { .entry($0, own: false) })
        network.stop("node")
        network.restore("node", store)
        network.start("node")
        network.connect("member", "node")
        network.settle(limit: .max)
        let first = network["node"]
        guard let peer = first.connections.keys.min() else { throw BenchRefusal.setUp("peer") }
        let frames = (1..<400).flatMap { index in
            people.map { Message.push($0.publicEntries[index].entry.wire).frame }
        }
        return { count in
            var node = first
            for frame in frames.prefix(count) {
                node.begin(at: benchStart, seed: .zero)
                node.received(frame, from: peer)
                guard !node.takeChanges().isEmpty else { throw BenchRefusal.setUp("entry") }
                _ = node.takeDirectives()
            }
        }
    }

    @Sendable private static func step() throws -> Kernel {
        let (trade, made) = try Steps.contracts(1)
        guard let state = trade.network["partner"].contracts[made[0]]?.fold?.state,
            let actor = trade.network.own("partner")?.did
        else { throw BenchRefusal.setUp("contract") }
        let act = Act(transition: "stop", record: 1, arguments: [:])
        return { count in
            var state = state
            for number in 0..<count {
                state.apply(
                    try state.decide(
                        act, by: actor, consents: [],
                        at: benchStart.advanced(by: 86_400_000 + Int64(number)),
                        sequence: Int64(number) + 2))
                _ = state.digest()
            }
        }
    }

    private static func items(_ count: Int) throws -> [Item] {
        try (0..<count).map { number in
            guard let id = ItemID(SHA256.hash(Array("\(number)".utf8)).bytes) else {
                throw BenchRefusal.setUp("id")
            }
            return Item(timestamp: 1_700_000_000_000 + UInt64(number) * 31_000, id: id)
        }
    }

    @Sendable private static func put() throws -> Kernel {
        let all = try items(20_000)
        var tree = ItemTree()
        for item in all.prefix(10_000) { tree.insert(item) }
        let before = tree
        return { count in
            var tree = before
            for item in all.dropFirst(10_000).prefix(count) { tree.insert(item) }
        }
    }

    @Sendable private static func reconcile() throws -> Kernel {
        var (left, right) = (ItemTree(), ItemTree())
        for (number, item) in try items(10_000).enumerated() {
            if number % 200 != 0 { left.insert(item) }
            if number % 200 != 100 { right.insert(item) }
        }
        let (ours, theirs) = (left, right)
        return { count in
            for _ in 0..<count {
                var asker = try Reconciliation(of: ours, asInitiator: true, policy: .compact)
                var answerer = try Reconciliation(of: theirs, asInitiator: false, policy: .compact)
                var message: [UInt8]? = asker.initiate()
                var found = 0
                while let said = message {
                    let finding = try asker.advance(try answerer.answer(said))
                    found += finding.have.count + finding.need.count
                    message = finding.message
                }
                guard found == 100 else { throw BenchRefusal.setUp("\(found) found") }
            }
        }
    }

    @Sendable private static func best() throws -> Kernel {
        let resource = try Resource("print/notebook")
        var book = OrderBook()
        for (number, item) in try items(10_000).enumerated() {
            book.list(
                Quote(
                    allIn: Int64(number * 7_919 % 10_007), time: benchStart,
                    offer: EntryID(item.id), author: .zero, alliance: .zero,
                    resource: resource, until: benchStart))
        }
        let listed = book
        return { count in
            for _ in 0..<count {
                guard Array(listed.quotes(under: "print").prefix(20)).count == 20 else {
                    throw BenchRefusal.setUp("quotes")
                }
            }
        }
    }

    @Sendable private static func post() throws -> Kernel {
        let money = Commodity.money(try Currency("CNY"))
        let people = try authors(2, alone().alliance).map(\.did)
        let contracts = try items(1_000).map { ContractID($0.id) }
        return { count in
            var books = Books()
            for number in 0..<count {
                let cause = Cause(
                    contract: contracts[number / 4 % 1_000], step: Int64(number), index: 0)
                for event in [
                    TransferEvent.reserve(
                        Transfer(
                            cause: cause, kind: .payment, from: people[number % 10],
                            to: people[(number + 1 + number / 10 % 9) % 10], commodity: money,
                            amount: 1_000)),
                    .post(cause, amount: 1_000, signed: true),
                ] {
                    try books.decide(event)
                    books.apply(event)
                }
            }
        }
    }
}

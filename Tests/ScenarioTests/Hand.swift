import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore
import Replication
import Simulation
import Testing

// What no honest program would sign, signed by hand with a node's own key.
extension Market {
    var salt: Hash32 { SHA256.hash(Array("salt \(network.recorded.count)".utf8)) }

    /// A statement about `contract` by `name`, valid in every outward way.
    func statement<Body: EntryBody>(
        by name: String, _ body: Body, about held: HeldContract, basis: EntryID? = nil,
        versions: [RecordVersion] = [], time: Instant? = nil, expires: Instant? = nil
    ) throws -> Entry {
        try statement(
            by: name, Body.kind, body.wire, about: held, basis: basis, versions: versions,
            time: time, expires: expires)
    }

    func statement(
        by name: String, _ kind: Entries.Kind, _ bytes: [UInt8], about held: HeldContract,
        basis: EntryID? = nil, versions: [RecordVersion] = [], time: Instant? = nil,
        expires: Instant? = nil
    ) throws -> Entry {
        let own = try #require(network.own(name))
        return try ValidEntry(
            signing: Header(
                kind: kind.rawValue, author: own.did, key: own.keyEntry,
                topic: held.key.topic, time: time ?? network.now, bodyHash: SHA256.hash(bytes),
                bodySize: Int64(bytes.count),
                place: .statement(
                    .init(
                        expires: expires ?? at(days: 30), about: held.log, basis: basis,
                        versions: versions))), body: bytes, by: own.key
        ).entry
    }

    /// A request as `name` would sign it on the versions that `name` sees, unless given others.
    func request(
        by name: String, _ transition: String, record: Int64 = 1, _ arguments: [String: Value],
        in contract: ContractID, version: Int64? = nil, child: EntryID? = nil
    ) throws -> Entry {
        let held = try held(name, contract)
        let fold = try #require(held.fold)
        let act = SignedAct(
            transition: transition, record: record, arguments: [Argument](arguments), child: child)
        let versions = fold.state.touched(by: Act(act)).sorted().map { number in
            RecordVersion(
                record: number, version: version ?? fold.state.record(number)?.version ?? 0)
        }
        return try statement(
            by: name, Request(salt: salt, act: act), about: held, basis: fold.head.id,
            versions: versions)
    }

    /// What `name` would sign next in `log` after `kept`: by default, what its own store holds.
    func entry(
        by name: String, kind: Int64, body: [UInt8], in log: LogID, topic: TopicID,
        after kept: [Entry]? = nil, time: Instant? = nil
    ) throws -> Entry {
        let own = try #require(network.own(name))
        let kept = kept ?? network.stores[name]?.entries(of: log) ?? []
        return try ValidEntry(
            signing: Header(
                kind: kind, author: own.did, key: own.keyEntry, topic: topic,
                time: time ?? max(network.now, kept.last?.header.time ?? .earliest),
                bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                place: .log(
                    .init(log: log, sequence: Int64(kept.count) + 1, previous: kept.last?.id))),
            body: body, by: own.key
        ).entry
    }

    /// A step of a contract's log that its sequencer signs by hand.
    func step(
        by name: String, _ step: Step, in contract: ContractID, after kept: [Entry]? = nil,
        time: Instant? = nil
    ) throws -> Entry {
        let held = try held(name, contract)
        let own = try #require(network.own(name))
        let kept = kept ?? network.stores[name]?.entries(of: held.log) ?? []
        let place = Header.LogPlace(
            log: held.log, sequence: Int64(kept.count) + 1, previous: kept.last?.id)
        let body = try PrivateBody.seal(
            step.wire, key: held.key.bodyKey(log: held.log, sequence: place.sequence),
            nonce: Array(salt.bytes.prefix(24)), author: own.did, place: place)
        return try entry(
            by: name, kind: Kind.step.rawValue, body: body, in: held.log, topic: held.key.topic,
            after: kept, time: time)
    }

    mutating func push(_ entry: Entry, from sender: String, to receivers: String...) {
        for receiver in receivers {
            network.inject(Message.push(entry.wire).frame, from: sender, to: receiver)
        }
    }

    /// A run that `sender`'s own node never wrote, as it comes in answer to a head. Then he hangs up, and
    /// the others talk.
    mutating func answer(_ run: [Entry], from sender: String, to receiver: String) {
        guard let newest = run.last, let place = newest.header.log else { return }
        if !network.isConnected(sender, receiver) {
            network.connect(sender, receiver)
            network.settle()
        }
        let head = Message.Head(
            log: place.log, sequence: UInt64(place.sequence), id: newest.id)
        network.inject(Message.heads([head]).frame, from: sender, to: receiver)
        network.inject(
            Message.entries(run.map(\.wire), done: true).frame, from: sender, to: receiver)
        network.disconnect(sender, receiver)
        network.settle()
    }

    /// Everything of a node that an attack could have changed.
    func trace(_ name: String) -> [String] {
        let node = network[name]
        var trace = node.chains.logs.map { "\($0.short) \(node.chains.head($0))" }
        for (id, held) in node.contracts.sorted(by: { $0.key < $1.key }) {
            trace.append(
                "\(id.short) \(held.grade) \(held.outcome) \(held.requests.count) "
                    + "\(held.fold?.state.digest().short ?? "-") \(String(describing: held.fold?.halt))"
            )
        }
        for (log, line) in node.lines.sorted(by: { $0.key < $1.key }) {
            trace.append("\(log.short) \(line.line.remaining) \(String(describing: line.fault))")
        }
        trace.append(node.ledger.dump())
        trace.append("\(node.outbox.count) \(String(describing: node.readOnly))")
        return trace
    }

    var traces: [[String]] { names.filter { network.nodes[$0] != nil }.map(trace) }
}

/// The option story in single commands, so that something may happen between any two.
struct OptionStory {
    var market: Market
    var line: LineTerms?
    var parent = ContractID.zero
    var child = ContractID.zero

    static let names = ["alice", "bob", "carol", "judge"]
    typealias Command = @Sendable (inout OptionStory) throws -> Void

    init(seed: UInt64 = 1) throws {
        market = try Market(names: Self.names, seed: seed, only: "capacity-option")
    }

    mutating func play(_ range: PartialRangeUpTo<Int> = ..<Self.commands.count) throws {
        for command in Self.commands[range] { try command(&self) }
    }

    /// After this many commands 40 of 100 were passed on.
    static let transferred = 7
    static let commands: [Command] =
        [
            { $0.line = try $0.market.declare("bob", "print/notebook/a5", 300) },
            { $0.parent = try OptionTests.option(&$0.market, #require($0.line)) },
            { story in
                try story.market.act(
                    "alice", story.parent, "pay_state",
                    ["channel": .text("bank"), "reference": .text("r")])
            },
            { try $0.market.act("bob", $0.parent, "pay_receive") },
            { story in
                let asked = try story.market.act(
                    "alice", story.parent, "transfer",
                    [
                        "n": Market.units(40), "newcomer": .identity(story.market.did("carol")),
                        "asking": Market.money(24_000),
                    ])
                guard case .transferProposed(let child) = asked else { return }
                story.child = child
            },
            { story in
                let child = story.child
                try story.market.network.command("carol") { try $0.accept(child) }
                story.market.settle()
            },
            { story in
                let grade = try story.market.held("carol", story.child).grade
                #expect(grade == .sequenced)
            },
            { try $0.market.pay("carol", "alice", $0.child) },
        ] + trade("alice", 60) { $0.parent } + trade("carol", 40) { $0.child }

    private static func trade(
        _ name: String, _ units: Int64, _ contract: @escaping @Sendable (OptionStory) -> ContractID
    ) -> [Command] {
        [
            { try $0.market.act(name, contract($0), "exercise", ["n": Market.units(units)]) },
            { story in
                let id = contract(story)
                try story.market.act(
                    "bob", id, "deliver",
                    record: story.market.record("bob", id, "exercise", "open"),
                    ["n": Market.units(units), "evidence": StoryTests.evidence])
            },
            { story in
                let id = contract(story)
                try story.market.act(
                    name, id, "accept", record: story.market.record(name, id, "delivery", "stated"))
            },
            { story in
                let id = contract(story)
                try story.market.act(
                    name, id, "pay_state", record: story.market.record(name, id, "delivery", "due"),
                    ["channel": .text("bank"), "reference": .text("r")])
            },
            { story in
                let id = contract(story)
                try story.market.act(
                    "bob", id, "pay_receive",
                    record: story.market.record("bob", id, "delivery", "due.stated"))
            },
        ]
    }

    /// What the story comes to, whatever happened on the way: nothing in it depends on ids.
    func result() throws -> [String] {
        var result: [String] = []
        for name in Self.names {
            let node = market.network[name]
            #expect(node.ledgerFault == nil)
            #expect(node.ledger.imbalance().isEmpty)
            #expect(node.outbox.isEmpty, "\(name): \(node.outbox.values.map(\.statement.kind))")
            for contract in [parent, child] {
                guard let held = node.contracts[contract], let fold = held.fold else { continue }
                result.append("\(name) \(held.grade) \(held.outcome)")
                for record in fold.state.records {
                    result.append("\(record.family) \(record.state) \(record.version)")
                }
                let entries = market.network.stores[name]?.entries(of: held.log) ?? []
                #expect(
                    entries.compactMap { $0.header.log?.sequence } == Array(1...fold.head.sequence))
            }
            let net = node.ledger.netPaid(by: market.did(name)).first?.minor ?? 0
            result.append("\(name) \(net)")
        }
        #expect(try market.digests(parent, "alice", "bob", "judge").count == 1)
        #expect(try market.digests(child, "alice", "bob", "carol", "judge").count == 1)
        return result
    }
}

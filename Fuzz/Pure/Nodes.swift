import Capacity
import Contracts
import Entries
import Fixtures
import Fuzzing
import Identity
import Ledger
import Logs
@testable import NodeCore
import Replication
import Simulation

// Whole nodes, each as the daemon runs it, between them whatever a peer could do.

let nodes: [FuzzTarget] = [
    nodeStep, carried, bundle, keepsake, attachments,
]

/// A trade of three that came as far as its payment; every exec plays on from a copy of it.
private struct Trade: Sendable {
    var network: Network
    var contract = ContractID.zero
    var line: LineTerms
    static let names = ["alice", "bob", "judge"]
    static let unit = must { try UnitCode("C62") }

    init() {
        let start = must { try Instant(milliseconds: 1_795_000_000_000) }
        network = Network(seed: 1, now: start)
        let template = Kept.bytes("contracts/capacity-option.yaml")
        line = LineTerms(
            resource: must { try Resource("print/notebook/a5") },
            window: must {
                try Window(
                    start: start.advanced(by: 10 * day), end: start.advanced(by: 17 * day),
                    offsetMinutes: 480)
            }, unit: Self.unit)
        must {
            for name in Self.names { try network.add(name, templates: [template]) }
            network.connectAll()
            network.settle()
            let line = line
            _ = try network.command("bob") { try $0.declare(line, total: 300) }
            network.settle()
            let draft = draft(units: 100, hash: SHA256.hash(template))
            contract = try network.command("alice") { try $0.propose(draft) }
            network.settle()
            let contract = contract
            for name in ["bob", "judge"] {
                _ = try network.command(name) { try $0.accept(contract) }
                network.settle()
            }
            let pay = Act(
                transition: "pay_state", record: 1,
                arguments: ["channel": .text("bank"), "reference": .text("r")])
            _ = try network.command("alice") { try $0.act(pay, in: contract) }
            network.settle()
        }
    }

    func draft(units: Int64, hash: Hash32) -> Node.ProposalDraft {
        func at(_ days: Int64) -> Instant { network.now.advanced(by: days * day) }
        func money(_ minor: Int64) -> Value { .money(must { try Money(minor: minor, .cny) }) }
        func count(_ units: Int64) -> Value {
            .quantity(must { try Quantity(units: units, Self.unit) })
        }
        return Node.ProposalDraft(
            template: hash, currency: .cny,
            arguments: [
                "style": .text("american"), "units": count(units), "lot": count(10),
                "premium": money(50_000), "strike": money(1_800), "remedy": money(900),
                "expiry": .instant(at(40)), "deliver_by": .instant(at(60)),
            ],
            roles: [
                "issuer": [network.did("bob")], "holder": [network.did("alice")],
                "arbiter": [network.did("judge")],
            ], lines: [line], acceptBy: at(1), grantBy: at(1))
    }

    /// What must hold of every node at any moment.
    func check() {
        for name in Self.names {
            guard let node = network.nodes[name] else { continue }
            law(node.ledgerFault == nil, "\(name): \(String(describing: node.ledgerFault))")
            law(node.ledger.imbalance().isEmpty, "\(name): \(node.ledger.imbalance())")
            for (what, count, limit) in node.footprint {
                law(count <= limit, "\(name): \(count) \(what)")
            }
            for (log, line) in node.lines {
                let (total, remaining) = (line.line.total ?? 0, line.line.remaining)
                law((0...total).contains(remaining), "\(log.short): \(remaining) of \(total)")
            }
            for log in node.chains.logs {
                let head = node.chains.head(log)
                let kept = network.stores[name]?.entries(of: log).count ?? 0
                law(Int(head) == kept, "\(name) kept \(kept) of \(head) in \(log.short)")
            }
        }
    }

    /// Who holds what, as far as everybody must agree.
    func trace(_ name: String) -> [String] {
        let node = network[name]
        var trace = node.chains.logs.map { "\($0.short) \(node.chains.head($0))" }
        for (id, held) in node.contracts.values.map({ ($0.id, $0) }).sorted(by: { $0.0 < $1.0 }) {
            trace.append("\(id.short) \(held.outcome) \(held.fold?.state.digest().short ?? "-")")
        }
        trace.append(node.ledger.dump())
        return trace
    }

    mutating func rejoin() {
        for name in Self.names where network.nodes[name] == nil { network.start(name) }
        for (index, left) in Self.names.enumerated() {
            for right in Self.names.dropFirst(index + 1) where !network.isConnected(left, right) {
                network.connect(left, right)
            }
        }
    }
}

private let day: Int64 = 86_400_000
private let trade = Trade()

/// Changes `count` bytes, or cuts the end, as `choices` say.
private func twisted(_ bytes: [UInt8], _ choices: inout Choices) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<choices.below(4) where !bytes.isEmpty {
        let at = choices.below(bytes.count)
        switch choices.below(6) {
        case 0: bytes = Array(bytes.prefix(at))
        case 1: bytes += choices.bytes(8)
        case 2:
            // Whole numbers at their ends.
            for index in at..<min(at + 8, bytes.count) { bytes[index] = 0xff }
        default: bytes[at] ^= choices.byte()
        }
    }
    return bytes
}

private let nodeStep = FuzzTarget(
    "node",
    law:
        "three nodes: books balance, lines keep their total, what is held is kept, memory is bounded; a "
        + "restart shows the same; what nobody signed changes nothing",
    bytesMax: 512,
    seeds: {
        [
            [0, 0, 1, 4, 2, 6, 0, 9], [5, 0, 3, 5, 1, 0, 6, 200, 2, 3, 1], Array(0..<100),
            (0..<20).flatMap { [0, UInt8($0 * 9), 2, 3, 5, UInt8($0), 6] },
            (0..<12).flatMap { [8, UInt8($0), UInt8($0), 40, 6, 8, 2] },
        ]
    }
) { input in
    var choices = Choices(input)
    var world = trade
    let recorded = world.network.recorded
    let before = Trade.names.map(world.trace)
    /// Somebody signed something new: then states may go on.
    var isQuiet = true
    /// Somebody signed what no program of ours would.
    var isHonest = true
    var steps = 0
    while !choices.isAtEnd, steps < 24 {
        steps += 1
        let pair = [("alice", "bob"), ("bob", "alice"), ("alice", "judge"), ("judge", "bob")]
        let (from, to) = pair[choices.below(4)]
        switch choices.below(10) {
        case 0, 1:
            let frame = recorded[choices.below(recorded.count)].frame
            let payload = twisted(frame.payload, &choices)
            world.network.inject(Frame(type: frame.type, payload: payload), from: from, to: to)
        case 2:
            let type = choices.byte() % 48
            let payload = choices.bytes(choices.below(256))
            world.network.inject(Frame(type: type, payload: payload), from: from, to: to)
        case 3:
            world.network.pass(milliseconds: Int64(choices.below(65_536)) * 64)
            world.network.tick()
        case 4:
            world.network.disconnect(from, to)
            if choices.below(2) == 0 { world.network.connect(from, to) }
        case 5:
            // What the record machine offers.
            let contract = world.contract
            guard world.network.nodes[from] != nil,
                let held = world.network[from].contracts[contract], let state = held.fold?.state
            else { continue }
            let all = state.choices(
                for: world.network.did(from), at: world.network.now, includeDefaults: true)
            guard !all.isEmpty else { continue }
            var act = all[choices.below(all.count)].act
            for parameter in all[0].arguments {
                let units = Int64(choices.byte())
                act.arguments[parameter.name] =
                    units & 1 == 0
                    ? .quantity(must { try Quantity(units: units, Trade.unit) }) : .text("r")
            }
            let asked = act
            if (try? world.network.command(from) { try $0.act(asked, in: contract) }) != nil {
                isQuiet = false
            }
        case 6: world.network.settle(limit: choices.below(200))
        case 7:
            let name = Trade.names[choices.below(3)]
            let held = world.trace(name)
            world.network.stop(name)
            world.network.start(name)
            if isHonest { law(world.trace(name) == held, "\(name) differs after a restart") }
            world.rejoin()
        case 8:
            // Signed by one of them, of any kind, with any body, beside what it has, or on top.
            isQuiet = false
            isHonest = false
            sign(by: from, to: to, &world, &choices)
        default:
            let line = LogID.line(author: world.network.did("bob"), world.line)
            let total = Int64(choices.below(1_000))
            if (try? world.network.command("bob") {
                try $0.adjust(line, total: total, reason: "r")
            }) != nil {
                isQuiet = false
            }
        }
        world.check()
    }
    world.network.settle(limit: 2_000)
    world.check()
    // Time alone lets a node go on: deadlines pass, and what is due is written.
    if isQuiet, world.network.now == trade.network.now {
        for (index, name) in Trade.names.enumerated() {
            law(world.trace(name) == before[index], "\(name) changed, and nobody signed")
        }
    }
    guard isHonest else { return }
    for _ in 0..<2 {
        world.rejoin()
        world.network.settle(limit: 4_000)
        world.network.pass(milliseconds: 10_000)
        world.network.tick()
    }
    world.network.settle(limit: 4_000)
    let digests = Trade.names.map { name in
        world.network[name].contracts[world.contract]?.fold?.state.digest()
    }
    law(Set(digests).count == 1, "the same contract is told in several ways")
    for name in Trade.names {
        for log in world.network[name].chains.logs {
            law(world.network[name].forked(log) == nil, "\(name) sees a fork that nobody signed")
        }
    }
}

private func sign(by name: String, to other: String, _ world: inout Trade, _ choices: inout Choices)
{
    guard let own = world.network.own(name), let node = world.network.nodes[name],
        let held = node.contracts[world.contract]
    else { return }
    var (kind, body) = bodies[choices.below(bodies.count)]
    if choices.below(4) == 0 { kind = Int64(choices.below(50)) + 1 }
    body = twisted(body, &choices)
    if body.isEmpty { body = [1] }
    let logs: [(LogID, TopicID?)] = [
        (held.log, held.key.topic),
        (.line(author: own.did, world.line), node.alliances.first?.topic),
        (
            .publicLog(author: own.did, alliance: node.alliances.first?.topic ?? .zero),
            node.alliances.first?.topic
        ),
        (.key(author: own.did), nil), (.witness(of: held.log, author: own.did), held.key.topic),
        (.contract(held.id, author: own.did, epoch: 1), held.key.topic),
    ]
    let (log, topic) = logs[choices.below(logs.count)]
    let kept = world.network.stores[name]?.entries(of: log) ?? []
    let stand = choices.below(4) == 0 ? choices.below(kept.count + 1) : kept.count
    let below = stand > 0 ? kept[stand - 1] : nil
    let time =
        choices.below(4) == 0 ? .earliest : max(world.network.now, below?.header.time ?? .earliest)
    let place: Header.Place
    if kind >= 40 {
        place = .statement(
            .init(
                expires: world.network.now.advanced(by: Int64(choices.byte()) * 3_600_000 - day),
                about: choices.below(4) == 0 ? log : held.log, basis: held.fold?.head.id,
                versions: choices.below(2) == 0
                    ? [] : [.init(record: 1, version: Int64(choices.byte()) + 1)]))
    } else {
        place = .log(.init(log: log, sequence: Int64(stand) + 1, previous: below?.id))
    }
    let isKey = kind == Kind.key.rawValue
    let header = Header(
        kind: kind, author: own.did, key: isKey ? nil : own.keyEntry,
        topic: isKey ? nil : (kind >= 40 ? held.key.topic : topic), time: time,
        bodyHash: SHA256.hash(body), bodySize: Int64(body.count), place: place)
    guard let valid = try? ValidEntry(signing: header, body: body, by: own.key) else { return }
    if kind >= 40 {
        world.network.inject(valid.entry, from: name, to: other)
    } else if choices.below(2) == 0 {
        world.network.inject(
            Replication.Message.push(valid.entry.wire).frame, from: name, to: other)
    } else {
        world.network.inject(
            Replication.Message.branch([valid.entry.wire]).frame, from: name, to: other)
    }
}

/// Every body that was signed in the trade, with its kind.
private let bodies: [(Int64, [UInt8])] = trade.network.stores.keys.sorted().flatMap { store in
    (trade.network.stores[store]?.snapshot.entries ?? []).compactMap { valid in
        valid.entry.body.map { (valid.header.kind, $0) }
    }
}

// MARK: - Files

private let carried = FuzzTarget(
    "carried",
    law:
        "a frame of a stick changes nothing that its author did not sign",
    bytesMax: 4096,
    seeds: {
        trade.network.recorded.map(\.frame).filter {
            [8, 34].contains($0.type) && $0.payload.count < 4_000
        }
        .prefix(40).map { [0, 0, $0.type] + $0.payload }
    }
) { input in
    var choices = Choices(input)
    var network = trade.network
    let name = Trade.names[choices.below(3)]
    let before = trade.trace(name)
    let count = choices.below(4)
    let type = choices.byte()
    let frame = Frame(type: type, payload: choices.all())
    for _ in 0...count {
        _ = try? network.command(name) { try? $0.take(carried: frame) }
    }
    var after = trade
    after.network = network
    law(after.trace(name) == before, "a file changed \(name)")
    after.check()
}

private let bundle = FuzzTarget(
    "bundle",
    law:
        "a node made of a bundle holds what was signed, and folded again it is the same",
    bytesMax: 16_384,
    seeds: {
        guard let whole = wholeBundle else { return [] }
        return [packed(whole)]
    }
) { input in
    guard let given = unpacked(input), let node = try? Node(folding: given),
        let held = node.contracts[given.key.contract]
    else { return }
    law(node.ledgerFault == nil && node.ledger.imbalance().isEmpty, "books")
    guard let again = try? Node(folding: given) else { return law(false, "folds once") }
    law(
        again.contracts[given.key.contract]?.fold?.state.digest() == held.fold?.state.digest(),
        "folds to something else")
    let known = Set((wholeBundle?.entries ?? []).map(\.id))
    for entry in given.entries where entry.header.log?.log == held.log {
        law(known.contains(entry.id), "a forged step: \(entry.id.short)")
    }
}

private let wholeBundle: Bundle? = {
    let node = trade.network["alice"]
    guard let held = node.contracts[trade.contract], let store = trade.network.stores["alice"]
    else {
        return nil
    }
    var entries: [Entry] = []
    for (log, _) in node.logs(of: trade.contract) { entries += store.entries(of: log) }
    return try? node.bundle(of: held, entries: entries)
}()

/// Counted parts, so that a mutation hits one and leaves the others.
private func packed(_ bundle: Bundle) -> [UInt8] {
    var bytes = bundle.key.bytes
    for list in [bundle.keys, bundle.statements, bundle.entries] {
        bytes.append(UInt8(list.count))
        for entry in list { bytes.append(counted: entry.wire) }
    }
    return bytes
}

private func unpacked(_ input: [UInt8]) -> Bundle? {
    var choices = Choices(input)
    guard let key = ContractKey(choices.bytes(32)) else { return nil }
    var lists: [[Entry]] = []
    for _ in 0..<3 {
        var list: [Entry] = []
        for _ in 0..<choices.byte() {
            let count = choices.bytes(4).reduce(0) { $0 << 8 | Int($1) }
            guard let entry = try? Entry(strict: choices.bytes(min(count, choices.left))) else {
                return nil
            }
            list.append(entry)
        }
        lists.append(list)
    }
    return Bundle(
        key: key, template: wholeBundle?.template ?? [], keys: lists[0], statements: lists[1],
        entries: lists[2], forks: [])
}

private let keepsake = FuzzTarget(
    "keepsake",
    law:
        "a snapshot that a partner hands back leaves books and contracts, whatever is in it; sealed it "
        + "opens to the same, and for nobody else",
    bytesMax: 4096,
    seeds: {
        var chance = Seeded(9)
        let person = trade.network.did("alice")
        let store = trade.network.stores["alice"]
        let node = trade.network["alice"]
        var all: [[UInt8]] = []
        for _ in 0..<400 {
            let message = chance.message()
            if message.name == "Keepsake" { all.append([0] + message.bytes) }
        }
        guard let held = node.contracts[trade.contract] else { return all }
        let statements = store?.snapshot.statements.map(\.0.entry) ?? []
        all.append(
            [1]
                + Keepsake(
                    time: trade.network.now,
                    heads: [.init(log: .key(author: person), sequence: 1)],
                    contracts: [.init(key: held.key.bytes, statements: statements)], peers: [],
                    names: [.init(did: person, name: "me")]
                ).wire)
        return all
    }
) { input in
    guard let first = input.first, let keepsake = try? Keepsake(strict: input.dropFirst()) else {
        return
    }
    let (name, secret) = ("alice", SecretBytes([UInt8](repeating: 5, count: 32)))
    let nonce = [UInt8](repeating: 3, count: 24)
    let did = trade.network.did(name)
    guard let own = trade.network.own(name) else { return }
    if let sealed = keepsake.sealed(
        for: did, key: secret, nonce: nonce, signing: own.key, broughtInBy: own.keyEntry)
    {
        let opened = Keepsake.Opened(opening: sealed, of: did, key: secret)
        law(opened?.keepsake == keepsake, "opens to something else")
        law(
            opened?.isSigned(byCheckedKey: own.key.publicKey, checker: SignatureChecker()) == true,
            "is not signed")
        let ofAnother = Keepsake.Opened(opening: sealed, of: bob.did, key: secret)
        law(ofAnother == nil, "opens for another")
    }
    guard first & 1 == 1,
        let sealed = keepsake.sealed(
            for: did, key: own.keepsakeKey, nonce: nonce, signing: own.key,
            broughtInBy: own.keyEntry)
    else { return }
    var world = trade
    world.network.inject(Replication.Message.kept(sealed).frame, from: "bob", to: name)
    world.check()
    world.network.settle(limit: 500)
    world.check()
    law(world.network[name].contracts[trade.contract] != nil, "a contract is gone")
}

private let attachments = FuzzTarget(
    "attachments",
    law:
        "chunks in any order, of any size, of any file: what is whole opens and is as long as the file, what "
        + "is held is never more than it",
    bytesMax: 512,
    seeds: { [[0, 0, 1, 0, 2, 0, 3, 0, 3, 1, 3], Array(0..<60), [4, 4, 0, 1, 200, 9, 9, 3, 3]] }
) { input in
    var choices = Choices(input)
    var world = fetching
    let key = fetching.key
    while !choices.isAtEnd {
        switch choices.below(6) {
        case 0, 1:
            // A chunk as somebody with the key would seal it, or nearly.
            let index = choices.below(4)
            let size = [file.count, file.count, 0, 1, 65_536, 8 << 20][choices.below(6)]
            let from = min(index * 65_536, file.count)
            var plain = Array(file[from..<min(from + 65_536, file.count)])
            if choices.below(4) == 0 { plain = Array(plain.prefix(choices.below(65_536))) }
            let sealed = key.seal(plain, at: index, of: size)
            send(sealed, index, size, in: &world.network)
        case 2:
            let size = choices.below(65_536)
            let (index, sealed) = (choices.below(8), choices.bytes(choices.below(64)))
            send(size == 0 ? [] : sealed + [1], index, size, in: &world.network)
        case 3: world.network.settle(limit: choices.below(32))
        case 4:
            world.network.pass(milliseconds: Int64(choices.below(256)) * 500)
            world.network.tick()
        default:
            let contract = trade.contract
            _ = try? world.network.command("alice") {
                try $0.fetch(SHA256.hash(file), of: contract)
            }
        }
        guard let one = world.network["alice"].attachments[key.blob] else { continue }
        law(one.held <= max(one.chunks, 0), "\(one.held) of \(one.chunks) chunks")
        let chunks = world.network.stores["alice"]?.chunks[key.blob] ?? []
        law(chunks.count == one.held, "\(chunks.count) kept, \(one.held) held")
        guard one.isWhole, one.size == file.count else { continue }
        var read: [UInt8] = []
        for (index, sealed) in chunks.enumerated() {
            guard let plain = key.open(sealed, at: index, of: one.size) else {
                return law(false, "chunk \(index) does not open")
            }
            read += plain
        }
        law(read.count == file.count, "\(read.count) bytes")
    }
}

private let file = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

/// Bob holds the file, alice has asked for it.
private let fetching: (network: Network, key: AttachmentKey) = {
    var network = trade.network
    let contract = trade.contract
    let name = SHA256.hash(file)
    for (index, start) in stride(from: 0, to: file.count, by: 65_536).enumerated() {
        let chunk = Array(file[start..<min(start + 65_536, file.count)])
        must {
            try network.command("bob") {
                try $0.attach(chunk, at: index, of: name, size: file.count, to: contract)
            }
        }
    }
    must { try network.command("alice") { try $0.fetch(name, of: contract) } }
    guard let key = network["alice"].contracts[contract]?.key.attachment(name) else {
        preconditionFailure("no contract")
    }
    return (network, key)
}()

private func send(_ sealed: [UInt8], _ index: Int, _ size: Int, in network: inout Network) {
    let frame = Replication.Message.chunk(
        blob: fetching.key.blob, index: UInt32(index), size: UInt32(size), sealed: sealed
    ).frame
    network.inject(frame, from: "bob", to: "alice")
}

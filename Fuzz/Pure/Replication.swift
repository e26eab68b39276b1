import Entries
import Fixtures
import Fuzzing
import Identity
import Replication

// Two sides, or one side with whoever means no good.

let replication: [FuzzTarget] = [
    negentropy, hostileNegentropy, itemTree, session, overlay, gossip, addresses, host,
]

// MARK: - Reconciliation

private let negentropy = FuzzTarget(
    "negentropy",
    law:
        "each side's lacks are found exactly, however items lie, whoever splits how, and rounds end",
    bytesMax: 1024,
    seeds: {
        var chance = Seeded(5)
        return (0..<6).map { [UInt8($0), UInt8($0 * 40), 9] + chance.bytes(40 * $0) }
    }
) { input in
    var choices = Choices(input)
    let policies = (SplitPolicy.allCases[choices.below(2)], SplitPolicy.allCases[choices.below(2)])
    let limits = [0, 4_096, 5_000, 20_000]
    let frames = (limits[choices.below(4)], limits[choices.below(4)])
    // A block of what both hold, then single items of one side, the other, or both.
    var (left, right): ([Item], [Item]) = ([], [])
    let (count, spread) = (choices.below(1_024), UInt64(choices.below(8)) + 1)
    for number in 0..<UInt64(count) { left.append(item(number / spread, number)) }
    right = left
    while choices.left >= 3 {
        let where_ = choices.byte()
        let (time, id) = (UInt64(choices.byte()) >> 2, UInt64(choices.byte()) + 10_000)
        if where_ & 128 != 0, !left.isEmpty {
            // Taken from one of them instead.
            if where_ & 1 == 0 { left.remove(at: Int(id) % left.count) }
            if where_ & 1 != 0, !right.isEmpty { right.remove(at: Int(id) % right.count) }
            continue
        }
        let one = item(time, id)
        if where_ & 3 != 1, !left.contains(one) { left.append(one) }
        if where_ & 3 != 2, !right.contains(one) { right.append(one) }
    }
    guard let array = try? SortedItems(left) else { return }
    var tree = ItemTree()
    for one in right { tree.insert(one) }
    guard
        var initiator = try? Reconciliation(
            of: array, asInitiator: true, policy: policies.0, frameLimit: frames.0),
        var responder = try? Reconciliation(
            of: tree, asInitiator: false, policy: policies.1, frameLimit: frames.1)
    else { return law(false, "not begun") }
    var (have, need): (Set<ItemID>, Set<ItemID>) = ([], [])
    var next: [UInt8]? = initiator.initiate()
    while let message = next {
        do {
            let answer = try responder.answer(message)
            let finding = try initiator.advance(answer)
            have.formUnion(finding.have)
            need.formUnion(finding.need)
            next = finding.message
        } catch { return law(false, "refused each other: \(error)") }
        // A frame holds at least sixty items.
        law(initiator.rounds <= 16 + (left.count + right.count) / 32, "\(initiator.rounds) rounds")
    }
    let (lefts, rights) = (Set(left.map(\.id)), Set(right.map(\.id)))
    let (mine, theirs) = (lefts.subtracting(rights), rights.subtracting(lefts))
    law(have == mine, "have \(have.count) of \(mine.count), \(have.subtracting(mine).count) wrong")
    law(
        need == theirs,
        "need \(need.count) of \(theirs.count), \(need.subtracting(theirs).count) wrong")
}

private func item(_ time: UInt64, _ number: UInt64) -> Item {
    // Alike at the front, so that prefixes are long; then chance, for fingerprints are sums.
    var chance = Seeded(time << 32 | number)
    return Item(
        timestamp: time, id: ItemID(words: (0, chance.next(), chance.next(), chance.next())))
}

private let hostileNegentropy = FuzzTarget(
    "negentropy-hostile",
    law: "a message is refused or answered within the frame, and after 32 rounds it is over",
    bytesMax: 4096,
    seeds: {
        golden.filter { $0.first == 0x61 }.prefix(12).map { [1, 3] + $0 } + [
            [0, 200, 0x61, 0, 0, 1] + [UInt8](repeating: 7, count: 16),
            [3, 90, 0x61, 5, 0, 0, 1, 0, 2, 0],
        ]
    }
) { input in
    var choices = Choices(input)
    let isInitiator = choices.below(2) == 0
    let policy = SplitPolicy.allCases[choices.below(2)]
    let items = (0..<UInt64(choices.below(256)) * 4).map { item($0 / 3, $0) }
    guard let sorted = try? SortedItems(items),
        var side = try? Reconciliation(
            of: sorted, asInitiator: isInitiator, policy: policy, frameLimit: 4_096,
            roundsMax: ReplicationLimit.reconciliationRounds)
    else { return law(false, "not begun") }
    if isInitiator { _ = side.initiate() }
    let all = choices.all()
    // The bytes again and again, shortened by what the last of them says.
    for round in 0..<40 {
        let message = Array(all.dropLast(round % 5 == 4 ? round : 0))
        do {
            if isInitiator {
                let finding = try side.advance(message)
                law((finding.message?.count ?? 0) <= 4_096, "\(finding.message?.count ?? 0) bytes")
                law(finding.have.allSatisfy { id in items.contains { $0.id == id } }, "have")
                guard finding.message != nil else { return }
            } else {
                let answer = try side.answer(message)
                law(answer.count <= 4_096, "\(answer.count) bytes")
            }
        } catch { return }
    }
    law(side.rounds <= ReplicationLimit.reconciliationRounds, "\(side.rounds) rounds")
}

private let itemTree = FuzzTarget(
    "item-tree", law: "a tree answers as a sorted array does, whatever came and went",
    bytesMax: 2048,
    seeds: { (0..<4).map { Array(repeating: UInt8($0 * 50), count: 30 * $0 + 3) } }
) { input in
    var choices = Choices(input)
    var tree = ItemTree()
    var model: [Item] = []
    // Enough to begin with for branches of branches.
    for number in 0..<UInt64(choices.below(1_200)) {
        let one = item(number % 50, number)
        law(tree.insert(one), "not inserted")
        model.append(one)
    }
    model.sort()
    while choices.left >= 3 {
        let way = choices.byte()
        let one = item(UInt64(choices.byte()) % 50, UInt64(choices.byte()))
        let place = model.firstIndex { $0 >= one } ?? model.count
        let isThere = place < model.count && model[place] == one
        if way & 1 == 0 {
            law(tree.insert(one) == !isThere, "inserted twice")
            if !isThere { model.insert(one, at: place) }
        } else {
            law(tree.remove(one) == isThere, "removed what was not there")
            if isThere { model.remove(at: place) }
        }
    }
    law(tree.count == model.count, "\(tree.count) of \(model.count)")
    guard let array = try? SortedItems(model) else { return law(false, "twice") }
    for (index, one) in model.enumerated() where index % 7 == 0 {
        law(tree.item(at: index) == one, "another at \(index)")
        let inTree = tree.sum(from: index / 2, upTo: one)
        let inArray = array.sum(from: index / 2, upTo: one)
        law(inTree.upper == inArray.upper && inTree.sum == inArray.sum, "sum up to \(index)")
    }
    law(tree.sum(0..<model.count) == array.sum(0..<model.count), "sum of all")
    var seen: [Item] = []
    tree.visit(0..<model.count) { one in
        seen.append(one)
        return true
    }
    law(seen == model, "visited \(seen.count)")
}

// MARK: - Sessions

/// Ids by sequence, of logs of one topic; what is asked of it is answered from there.
struct Shelf: Catalogue {
    var topics: [TopicID] = [.alliance]
    var logs: [LogID: [EntryID]] = [:]

    func heads(in topic: TopicID) -> [Replication.Message.Head] {
        topic == .alliance ? logs.keys.sorted().compactMap(head) : []
    }
    func head(of log: LogID) -> Replication.Message.Head? {
        guard let ids = logs[log], let id = ids.last else { return nil }
        return .init(log: log, sequence: UInt64(ids.count), id: id)
    }
    func id(in log: LogID, at sequence: UInt64) -> EntryID? {
        guard let ids = logs[log], sequence >= 1, sequence <= UInt64(ids.count) else { return nil }
        return ids[Int(sequence) - 1]
    }
    func forks(in topic: TopicID) -> [Replication.Message.Head] { [] }
    func knows(fork id: EntryID, of log: LogID) -> Bool { false }
    func items(in topic: TopicID) -> ItemTree {
        var tree = ItemTree()
        for head in heads(in: topic) {
            tree.insert(Item(timestamp: head.sequence, id: ItemID(head.id)))
        }
        return tree
    }
    func heads(of items: [ItemID], in topic: TopicID) -> [Replication.Message.Head] {
        let wanted = Set(items)
        return heads(in: topic).filter { wanted.contains(ItemID($0.id)) }
    }
    func contains(_ log: LogID, in topic: TopicID) -> Bool {
        topic == .alliance && logs[log] != nil
    }
    func topic(of log: LogID) -> TopicID? { logs[log] == nil ? nil : .alliance }
}

private func shelf(_ count: Int, without gap: Int) -> Shelf {
    var shelf = Shelf()
    for number in 0..<count where number % 16 != gap {
        let log: LogID = Fixed32(SHA256.hash([UInt8(number & 255), 1]))
        shelf.logs[log] = [Fixed32(SHA256.hash([UInt8(number & 255), 2]))]
    }
    return shelf
}

private let session = FuzzTarget(
    "session",
    law:
        "nothing is served outside what is shared, what is wanted stays bounded, no session stands without "
        + "a hello",
    bytesMax: 2048,
    seeds: {
        [
            [0, 40, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5], [1, 200] + frames.flatMap { sent($0) },
            [2, 60, 0, 3] + frames.flatMap { sent($0) } + [0, 3],
        ]
    }
) { input in
    var choices = Choices(input)
    let rehashes = choices.below(2) == 1
    let count = choices.below(96)
    let shelves = [shelf(count, without: 3), shelf(count, without: 7)]
    var sides = [
        Session(
            me: alice.did, peer: bob.did, isInitiator: true, nonce: .filled(1), now: 0,
            rehashes: rehashes),
        Session(me: bob.did, peer: alice.did, isInitiator: false, nonce: .filled(2), now: 0),
    ]
    var air: [(to: Int, frame: Frame)] = []
    var isOver = false
    var now: Int64 = 0
    func sort(_ orders: [Session.Directive], by side: Int) {
        for order in orders {
            switch order {
            case .send(let message): air.append((1 - side, message.frame))
            case .close: isOver = true
            case .serve(let request):
                law(
                    shelves[side].logs[request.log] != nil && !sides[side].shared.isEmpty,
                    "served a stranger's log")
            default: break
            }
        }
        law(
            sides[side].goals.count <= ReplicationLimit.strangeLogs,
            "\(sides[side].goals.count) goals")
    }
    sort(sides[0].begin(now: 0, agent: "a"), by: 0)
    sort(sides[1].begin(now: 0, agent: "b"), by: 1)
    while !choices.isAtEnd, !isOver {
        switch choices.below(4) {
        case 0:
            for _ in 0...choices.below(16) where !air.isEmpty && !isOver {
                let (to, frame) = air.removeFirst()
                let before = sides[to].isEstablished
                sort(sides[to].received(frame, now: now, shelves[to]), by: to)
                law(before || frame.type == 1 || !sides[to].isEstablished, "stands without hello")
            }
        case 1:
            now += Int64(choices.below(65_536)) * 4
            for side in 0..<2 { sort(sides[side].tick(now: now, shelves[side]), by: side) }
        case 2:
            // Something that its peer never said.
            let (to, type) = (choices.below(2), choices.byte())
            let frame = Frame(type: type, payload: choices.bytes(choices.below(256)))
            sort(sides[to].received(frame, now: now, shelves[to]), by: to)
        default:
            // What its peer did say, with a byte changed or its end gone.
            guard !air.isEmpty else { continue }
            let place = choices.below(air.count)
            var payload = air[place].frame.payload
            let at = payload.isEmpty ? 0 : choices.below(payload.count)
            if payload.isEmpty || choices.below(4) == 0 {
                payload = Array(payload.prefix(at))
            } else {
                payload[at] ^= choices.byte()
            }
            air[place].frame = Frame(type: air[place].frame.type, payload: payload)
        }
        law(air.count <= 40_000, "\(air.count) frames in the air")
    }
}

private func sent(_ frame: Frame) -> [UInt8] {
    guard frame.payload.count < 256 else { return [] }
    return [2, 0, frame.type, UInt8(frame.payload.count)] + frame.payload
}

// MARK: - Live push

private let overlay = FuzzTarget(
    "overlay",
    law:
        "few neighbours, each once, never oneself, none a spare too; what is sent is about somebody else",
    bytesMax: 1024,
    seeds: { [[0, 1, 0, 2, 1, 1, 3, 2, 2, 1, 4, 4], Array(0..<120)] }
) { input in
    var choices = Choices(input)
    var one = Overlay<UInt8>(me: 0)
    while !choices.isAtEnd {
        let peer = UInt8(choices.below(200))
        var chance = Seeded(UInt64(choices.byte()))
        func peers() -> [UInt8] { (0..<choices.below(12)).map { _ in choices.byte() } }
        let orders: [Overlay<UInt8>.Directive]
        switch choices.below(10) {
        case 0: orders = one.join(peer)
        case 1: orders = one.lost(peer, using: &chance)
        case 2: orders = one.shuffleDue(using: &chance)
        case 3: orders = one.received(.join, from: peer, using: &chance)
        case 4:
            let message = Overlay<UInt8>.Message.forwardJoin(choices.byte(), steps: choices.byte())
            orders = one.received(message, from: peer, using: &chance)
        case 5:
            orders = one.received(
                .neighbour(urgent: choices.below(2) == 1), from: peer, using: &chance)
        case 6:
            orders = one.received(
                .answer(accepted: choices.below(2) == 1), from: peer, using: &chance)
        case 7: orders = one.received(.disconnect, from: peer, using: &chance)
        case 8:
            let (origin, steps) = (choices.byte(), choices.byte())
            orders = one.received(
                .shuffle(origin: origin, peers(), steps: steps), from: peer, using: &chance)
        default: orders = one.received(.shuffleAnswer(peers()), from: peer, using: &chance)
        }
        let (near, spare) = (Set(one.neighbours), Set(one.spares))
        law(near.count == one.neighbours.count, "a neighbour twice: \(one.neighbours)")
        law(spare.count == one.spares.count, "a spare twice: \(one.spares)")
        law(near.count <= ReplicationLimit.neighbours, "\(near.count) neighbours")
        law(spare.count <= ReplicationLimit.spares, "\(spare.count) spares")
        law(!near.contains(0) && !spare.contains(0), "myself")
        law(near.isDisjoint(with: spare), "both: \(near.intersection(spare))")
        for order in orders {
            if case .send(_, let to) = order { law(to != 0, "sent to myself: \(order)") }
        }
    }
}

private let gossip = FuzzTarget(
    "gossip",
    law:
        "an entry is taken once and pushed at most once to each link, never back to where it came from; "
        + "frames keep their bound",
    bytesMax: 1024,
    seeds: { [Array(0..<90), [0, 1, 1, 0, 2, 1, 3, 1, 1, 1, 0, 0, 0, 0, 7, 6, 9]] }
) { input in
    var choices = Choices(input)
    let me = Root(0)
    var tree = BroadcastTree<UInt8>(me: me)
    var links: Set<UInt8> = []
    var now: Int64 = 1_000_000
    func root() -> Root { Root(UInt64(choices.below(12))) }
    func id() -> ShortID { ShortID(UInt64(choices.below(40))) }
    func distance() -> UInt16 {
        let byte = choices.byte()
        return byte > 250 ? .max - UInt16(255 - byte) : UInt16(byte)
    }
    while !choices.isAtEnd {
        let peer = UInt8(choices.below(20))
        let orders: [BroadcastTree<UInt8>.Directive]
        switch choices.below(11) {
        case 0:
            orders = tree.linked(peer, cost: distance(), now: now)
            links.insert(peer)
        case 1:
            orders = tree.unlinked(peer, now: now)
            links.remove(peer)
        case 2: orders = tree.publish(id(), now: now)
        case 3, 4:
            let one = id()
            let push = PushedEntry(
                id: one, root: root(), seed: choices.below(2) == 0 ? nil : root(),
                distance: distance(), isUrgent: choices.below(2) == 1)
            orders = tree.received(push, from: peer, now: now)
            law(tree.holds(one), "not taken")
            for case .push(let other, let to) in orders where other.id == one {
                law(to != peer, "pushed back")
            }
        case 5:
            let all = (0..<choices.below(9)).map { _ in
                GossipMessage.Announced(id: id(), distance: distance(), root: root())
            }
            orders = tree.received(
                .announce(all, urgent: choices.below(2) == 1), from: peer, now: now)
        case 6:
            let all = (0..<choices.below(9)).map { _ in id() }
            orders = tree.received(
                .graft(all, wanted: choices.below(2) == 1), from: peer, now: now)
        case 7:
            let all = (0..<choices.below(9)).map { _ in id() }
            orders = tree.received(.prune(all), from: peer, now: now)
        case 8, 9:
            let all = (0..<choices.below(9)).map { _ in
                GossipMessage.Way(root: root(), distance: distance())
            }
            orders = tree.received(
                choices.below(2) == 0 ? .adopt(all) : .decline(all), from: peer, now: now)
        default:
            now += Int64(choices.below(65_536))
            orders = tree.due(now: now)
        }
        var pushed: [UInt8: Set<ShortID>] = [:]
        for order in orders {
            switch order {
            case .push(let push, let to):
                law(links.contains(to), "pushed to \(to), who is no link")
                law(tree.holds(push.id), "pushed what is not held")
                law(pushed[to, default: []].insert(push.id).inserted, "pushed twice to \(to)")
            case .send(let message, let to):
                law(links.contains(to), "sent to \(to), who is no link")
                law(message.frameBytes <= FrameLimit.afterHello, "\(message.frameBytes) bytes")
            }
        }
    }
}

// MARK: - Addresses

private let addresses = FuzzTarget(
    "addresses",
    law:
        "one source fills few places; none is both new and tried; what is dropped is gone; anchors are few",
    bytesMax: 1024, seeds: { [Array(0..<160), [1, 2, 3, 0, 0, 1, 2, 3, 2, 0]] }
) { input in
    var choices = Choices(input)
    var book = AddressBook(secret: .filled(choices.byte()))
    var now: Int64 = 1_795_000_000_000
    var sources: Set<UInt8> = []
    func address() -> AddressBook.Address {
        let group = choices.byte()
        return AddressBook.Address(
            did: .filled(choices.byte()), host: "\(group).2.3.4", port: 7_000 + Int(group & 3))
    }
    while !choices.isAtEnd {
        let one = address()
        switch choices.below(8) {
        case 0...2:
            let source = UInt8(choices.below(4))
            sources.insert(source)
            book.add(one, from: [source])
        case 3: book.good(one, at: now)
        case 4: book.failed(one)
        case 5:
            book.drop(one)
            law(!book.isTried(one) && !book.new.contains(one), "dropped, and there")
        case 6:
            book.dialed(one, at: now)
            book.keepAnchors([one, address()])
        default:
            now += Int64(choices.below(65_536)) * 1_000
            var chance = Seeded(UInt64(choices.byte()))
            let chosen = book.choose(beside: [[4, 1, 2]], at: now, using: &chance) { $0 != one }
            law(chosen != one, "chose what may not be dialed")
            let feeler = book.feeler(at: now, using: &chance) { $0 != one }
            if let feeler {
                law(book.isTried(feeler) || book.new.contains(feeler), "unknown feeler")
            }
        }
        let new = book.new
        law(Set(new).count == new.count, "twice among the new")
        law(Set(book.tried.keys).isDisjoint(with: new), "new and tried")
        let places =
            sources.count * ReplicationLimit.newBucketsOfSource * ReplicationLimit.bucketSlots
        law(new.count <= max(places, 1), "\(new.count) of \(sources.count) sources")
        law(book.anchors.count <= ReplicationLimit.anchors, "\(book.anchors.count) anchors")
    }
}

private let host = FuzzTarget(
    "host", law: "reading is stable: what a host says of itself, read again, is the same host",
    bytesMax: 280,
    seeds: {
        [
            "127.0.0.1", "::1", "fe80::1", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8", "Press.example.",
            "a_b.c",
        ]
        .map { Array($0.utf8) }
    }
) { input in
    guard let text = String(validating: input, as: UTF8.self), let host = Host(text) else { return }
    switch host {
    case .v4(let bytes):
        law(bytes.count == 4 && host.group.count == 3, "\(bytes.count) bytes")
        law(Host(bytes.map(String.init).joined(separator: ".")) == host, text)
    case .v6(let bytes):
        law(bytes.count == 16 && host.group.count == 5, "\(bytes.count) bytes")
        let groups = stride(from: 0, to: 16, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        law(Host(groups.joined(separator: ":")) == host, text)
    case .name(let name):
        law(Host(name) == host, "\(name) is another host")
        law(name.utf8.allSatisfy { $0 < 128 }, "\(name) is not ASCII")
    }
    _ = host.reach
}

/// Along which links of the overlay an entry goes whole, and along which only its short name: Plumtree
/// (Leitão, Pereira, Rodrigues, SRDS 2007), with a tree for each root, and a repair that waits for no
/// timer. One value per node and topic, with 64 links at most.
///
/// It holds no entry. The shell hands in what came and verified, and attaches the entry's bytes to each
/// `push`. docs/DECISIONS.md lists where this leaves the paper.
public struct BroadcastTree<Peer: Hashable & Sendable>: Sendable {
    public enum Directive: Hashable, Sendable {
        case push(PushedEntry, to: Peer)
        case send(GossipMessage, to: Peer)
    }

    public struct Setting: Sendable {
        /// Announcements wait for company this long.
        public var announceMilliseconds: Int64 = 1_000
        /// Announced and not pushed: asked for after this time.
        public var graftMilliseconds: Int64 = 500
        /// Asked for and not come: the next announcer is asked.
        public var retryMilliseconds: Int64 = 250
        /// After a lost neighbour all is announced at once for this long.
        public var urgentMilliseconds: Int64 = 5_000
        /// Whoever adopts is pushed, or told of, entries that came within this time.
        public var freshMilliseconds: Int64 = 1_000
        /// New neighbours are told of entries that came within this time.
        public var recentMilliseconds: Int64 = 10_000
        /// How many are asked to adopt where nobody nearer to the root is left.
        public var asks = 2
        public init() {}
    }

    private let me: Root
    private let setting: Setting
    private var peers: [Peer?] = Array(repeating: nil, count: Mask.bitWidth)
    private var places: [Peer: Int] = [:]
    private var costs = SIMD64<UInt16>(repeating: 1)
    private var linked: Mask = 0
    private var trees: [Root: Tree] = [:]
    private var seen: [ShortID: Seen] = [:]
    /// Ids of `seen` by age; those before `oldest` are forgotten.
    private var order: [ShortID] = []
    private var oldest = 0
    private var missing: [ShortID: Missing] = [:]
    /// How many of them each neighbour was the first to announce.
    private var firsts = SIMD64<UInt16>(repeating: 0)
    private var waiting: [[ShortID]] = Array(repeating: [], count: Mask.bitWidth)
    private var announceDue: Int64?
    private var graftDue: Int64?
    private var urgentUntil: Int64 = .min

    public init(me: Root, setting: Setting = Setting()) {
        self.me = me
        self.setting = setting
    }

    public func holds(_ id: ShortID) -> Bool { seen[id] != nil }
    public func isLinked(_ peer: Peer) -> Bool { places[peer] != nil }
    /// Every linked peer, in no order.
    public var neighbours: some Collection<Peer> { places.keys }
    /// When `due` has something to do.
    public var nextDue: Int64? {
        guard let announceDue else { return graftDue }
        return min(announceDue, graftDue ?? announceDue)
    }

    // MARK: - Links

    /// `cost`: the link's latency in milliseconds, which it adds to a distance.
    public mutating func linked(_ peer: Peer, cost: UInt16, now: Int64) -> [Directive] {
        guard places[peer] == nil, let place = peers.firstIndex(of: nil) else { return [] }
        peers[place] = peer
        places[peer] = place
        costs[place] = max(cost, 1)
        linked |= 1 << Mask(place)
        var orphans: [Root] = []
        for root in trees.keys {
            guard root != me, let tree = trees[root], tree.parent == nil else { continue }
            if tree.asked < setting.asks { orphans.append(root) }
        }
        var directives: [Directive] = []
        for root in orphans {
            trees[root]?.asked += 1
            trees[root]?.tried |= 1 << Mask(place)
        }
        if !orphans.isEmpty {
            let ways = orphans.sorted().map { GossipMessage.Way(root: $0, distance: .lost) }
            directives.append(.send(.adopt(ways), to: peer))
        }
        let recent = recentIDs(since: now - setting.recentMilliseconds)
        if !recent.isEmpty {
            directives.append(.send(announcement(of: recent, urgent: true), to: peer))
        }
        return directives
    }

    public mutating func unlinked(_ peer: Peer, now: Int64) -> [Directive] {
        guard let place = places.removeValue(forKey: peer) else { return [] }
        let bit: Mask = 1 << Mask(place)
        peers[place] = nil
        linked &= ~bit
        waiting[place] = []
        for id in seen.keys { seen[id]?.holders &= ~bit }
        urgentUntil = now + setting.urgentMilliseconds
        var orphans: [Root] = []
        for root in trees.keys {
            trees[root]?.eager &= ~bit
            trees[root]?.told[place] = .max
            trees[root]?.disturbed = 2
            if trees[root]?.parent == place { orphans.append(root) }
        }
        var directives = adopters(for: orphans.sorted(), now: now)
        var again: [ShortID] = []
        for id in missing.keys {
            missing[id]?.announcers.removeAll { $0.place == place }
            if missing[id]?.asked == place { again.append(id) }
        }
        for id in again.sorted() { directives += ask(for: id, now: now) }
        return directives
    }

    // MARK: - Entries

    /// An entry of our own: it goes to every neighbour.
    public mutating func publish(_ id: ShortID, now: Int64) -> [Directive] {
        guard seen[id] == nil else { return [] }
        var seed: Root?
        if trees[me] == nil {
            seed = nearestRoot()
            insert(Tree(eager: linked, parent: nil, distance: 0, used: now), me, now)
        }
        trees[me]?.eager = linked
        return took(
            PushedEntry(id: id, root: me, seed: seed, distance: 0, isUrgent: now < urgentUntil),
            from: nil, now: now)
    }

    /// An entry that came by push and verified.
    public mutating func received(_ push: PushedEntry, from peer: Peer, now: Int64) -> [Directive] {
        // A tree that is new here begins as its seed stands, or with every link.
        if trees[push.root] == nil {
            let eager = push.seed.flatMap { trees[$0]?.eager } ?? linked
            insert(Tree(eager: eager, parent: nil, used: now), push.root, now)
        }
        // From a link that was cut while this was on its way.
        guard let place = places[peer] else {
            return seen[push.id] == nil ? took(push, from: nil, now: now) : []
        }
        let bit: Mask = 1 << Mask(place)
        trees[push.root]?.told[place] = push.distance
        if seen[push.id] != nil { return repeated(push, from: peer) }
        // The old parent is told that this is held, and asks if it lacks it.
        if let old = trees[push.root]?.parent, old != place {
            trees[push.root]?.eager &= ~(1 << Mask(old))
        }
        trees[push.root]?.eager |= bit
        trees[push.root]?.parent = place
        trees[push.root]?.asked = 0
        trees[push.root]?.used = now
        let distance = sum(push.distance, costs[place])
        trees[push.root]?.distance = distance
        var onward = push
        onward.distance = distance
        let disturbed = trees[push.root]?.disturbed ?? 0
        onward.isUrgent = now < urgentUntil || disturbed > 0
        trees[push.root]?.disturbed = max(disturbed - 1, 0)
        return took(onward, from: place, now: now)
    }

    /// What came by push is held already, were it by another way and long ago: it goes no further.
    public mutating func repeated(_ push: PushedEntry, from peer: Peer) -> [Directive] {
        guard let place = places[peer] else { return [] }
        let bit: Mask = 1 << Mask(place)
        seen[push.id]?.holders |= bit
        trees[push.root]?.eager &= ~bit
        return [.send(.prune([push.id]), to: peer)]
    }

    public mutating func received(
        _ message: GossipMessage, from peer: Peer, now: Int64
    ) -> [Directive] {
        guard let place = places[peer] else { return [] }
        let bit: Mask = 1 << Mask(place)
        switch message {
        case .announce(let announced, _):
            var directives: [Directive] = []
            for one in announced.prefix(ReplicationLimit.announced) {
                directives += heard(of: one, at: place, now: now)
            }
            return directives
        case .graft(let ids, let wanted):
            var directives: [Directive] = []
            for id in ids.prefix(ReplicationLimit.announced) {
                guard let held = seen[id] else { continue }
                trees[held.root]?.eager |= bit
                if wanted, held.holders & bit == 0 {
                    directives.append(push(id, held, to: peer, now))
                }
                seen[id]?.holders |= bit
            }
            return directives
        case .prune(let ids):
            var orphans: [Root] = []
            for id in ids.prefix(ReplicationLimit.announced) {
                guard let held = seen[id] else { continue }
                seen[id]?.holders |= bit
                trees[held.root]?.eager &= ~bit
                if trees[held.root]?.parent == place { orphans.append(held.root) }
            }
            return adopters(for: orphans.sorted(), now: now)
        case .adopt(let lost):
            var adopted: Set<Root> = []
            var second: Set<Root> = []
            var told: [ShortID] = []
            var declined: [GossipMessage.Way] = []
            for one in lost.prefix(ReplicationLimit.trees) {
                guard let tree = trees[one.root] else { continue }
                trees[one.root]?.disturbed = 2
                // Not nearer than the asker was: the way may lead through the asker.
                let isLost = one.root != me && (tree.parent == nil || tree.parent == place)
                guard !isLost, tree.distance < one.distance else {
                    declined.append(.init(root: one.root, distance: isLost ? .lost : tree.distance))
                    continue
                }
                trees[one.root]?.eager |= bit
                if one.distance == .lostToo {
                    second.insert(one.root)
                } else {
                    adopted.insert(one.root)
                }
            }
            var directives: [Directive] =
                declined.isEmpty ? [] : [.send(.decline(declined), to: peer)]
            for id in recentIDs(since: now - setting.freshMilliseconds) {
                guard let held = seen[id], held.holders & bit == 0 else { continue }
                if second.contains(held.root) { told.append(id) }
                guard adopted.contains(held.root) else { continue }
                directives.append(push(id, held, to: peer, now))
                seen[id]?.holders |= bit
            }
            if !told.isEmpty {
                directives.append(.send(announcement(of: told, urgent: true), to: peer))
            }
            return directives
        case .decline(let ways):
            var orphans: [Root] = []
            var next: [Root] = []
            for way in ways.prefix(ReplicationLimit.trees) {
                trees[way.root]?.told[place] = way.distance
                guard let tree = trees[way.root] else { continue }
                if tree.parent == place {
                    trees[way.root]?.eager &= ~bit
                    orphans.append(way.root)
                } else if tree.parent == nil, tree.tried & bit != 0, way.root != me {
                    next.append(way.root)
                }
            }
            return adopters(for: orphans.sorted(), now: now) + others(for: next.sorted(), now: now)
        }
    }

    /// Announcements that waited long enough go out; what was announced and never came is asked for.
    public mutating func due(now: Int64) -> [Directive] {
        var directives: [Directive] = []
        if let announceDue, announceDue <= now {
            self.announceDue = nil
            for place in Places(linked) where !waiting[place].isEmpty {
                let ids = waiting[place].filter { isNews($0, to: place) }
                waiting[place] = []
                if let peer = peers[place], !ids.isEmpty {
                    directives.append(.send(announcement(of: ids, urgent: false), to: peer))
                }
            }
        }
        if let graftDue, graftDue <= now {
            var late: [ShortID] = []
            for (id, one) in missing where one.due <= now { late.append(id) }
            for id in late.sorted() { directives += ask(for: id, now: now) }
            self.graftDue = missing.values.map(\.due).min()
        }
        return directives
    }

    // MARK: - Inside

    private mutating func took(
        _ entry: PushedEntry, from: Int?, now: Int64
    ) -> [Directive] {
        forget(now)
        var directives: [Directive] = []
        var holders: Mask = from.map { 1 << Mask($0) } ?? 0
        let eager = trees[entry.root]?.eager ?? linked
        for one in found(entry.id) {
            holders |= 1 << Mask(one.place)
            trees[entry.root]?.told[one.place] = one.distance
        }
        let before = holders
        var told: [Int] = []
        for place in Places(linked & ~before) {
            let bit: Mask = 1 << Mask(place)
            guard let peer = peers[place] else { continue }
            if eager & bit != 0 {
                directives.append(.push(entry, to: peer))
                holders |= bit
            } else {
                told.append(place)
            }
        }
        seen[entry.id] = Seen(
            root: entry.root, seed: entry.seed, distance: entry.distance, at: now, holders: holders)
        order.append(entry.id)
        for place in told {
            if entry.isUrgent, let peer = peers[place] {
                directives.append(.send(announcement(of: [entry.id], urgent: true), to: peer))
            } else if waiting[place].count < ReplicationLimit.announced {
                waiting[place].append(entry.id)
                if announceDue == nil { announceDue = now + setting.announceMilliseconds }
            }
        }
        return directives
    }

    private mutating func heard(
        of one: GossipMessage.Announced, at place: Int, now: Int64
    ) -> [Directive] {
        let bit: Mask = 1 << Mask(place)
        if let held = seen[one.id] {
            seen[one.id]?.holders |= bit
            trees[held.root]?.told[place] = one.distance
            return shorten(held.root, one, place)
        }
        if let known = missing[one.id] {
            if !known.announcers.contains(where: { $0.place == place }) {
                missing[one.id]?.announcers.append((place, one.distance))
            }
            return []
        }
        // Whoever names what does not exist leaves room for the others.
        guard firsts[place] < ReplicationLimit.missingOfOne,
            missing.count < ReplicationLimit.missing
        else { return [] }
        firsts[place] += 1
        let due =
            one.root.map { patience(for: $0, one.distance, place, now) }
            ?? now + setting.graftMilliseconds
        missing[one.id] = Missing(
            announcers: [(place, one.distance)], first: place, asked: nil, due: due)
        if due <= now { return ask(for: one.id, now: now) }
        graftDue = min(graftDue ?? due, due)
        return []
    }

    /// How long to wait for what an urgent announcement names: as long as it can still come from the parent
    /// before the announcer's answer would.
    private func patience(
        for root: Root, _ distance: UInt16, _ place: Int, _ now: Int64
    ) -> Int64 {
        guard let tree = trees[root] else { return now }
        let link = Int64(costs[place])
        // An adopter's push may come in the same moment.
        guard tree.parent != nil else { return tree.asked > 0 ? now + link / 4 : now }
        let expected = now - Int64(distance) - link + Int64(tree.distance)
        let slack = link / 2
        return expected + slack <= now + 2 * link ? max(now, expected + slack) : now
    }

    /// The link that would have brought an entry by a shorter way takes the parent's place (§3.8).
    private mutating func shorten(
        _ root: Root, _ one: GossipMessage.Announced, _ place: Int
    ) -> [Directive] {
        guard let tree = trees[root], let parent = tree.parent, parent != place, root != me,
            let old = peers[parent], let new = peers[place]
        else { return [] }
        let distance = sum(one.distance, costs[place])
        guard distance < tree.distance else { return [] }
        trees[root]?.parent = place
        trees[root]?.distance = distance
        trees[root]?.eager |= 1 << Mask(place)
        trees[root]?.eager &= ~(1 << Mask(parent))
        return [.send(.graft([one.id], wanted: false), to: new), .send(.prune([one.id]), to: old)]
    }

    /// Whom to ask for the way to roots whose parent is gone: the nearest of those nearer to the root than
    /// we were, who cannot have got it through us; where none is left, several.
    private mutating func adopters(for roots: [Root], now: Int64) -> [Directive] {
        var asks: [[GossipMessage.Way]] = Array(
            repeating: [], count: Mask.bitWidth)
        var tells = asks
        for root in roots {
            guard var tree = trees[root] else { continue }
            let before = tree.distance
            tree.parent = nil
            tree.asked = 0
            tree.tried = 0
            var others: [(distance: UInt16, place: Int)] = []
            for place in Places(linked & ~tree.eager) {
                others.append((sum(tree.told[place], costs[place]), place))
            }
            others.sort { ($0.distance, $0.place) < ($1.distance, $1.place) }
            if let best = others.first, best.distance <= tree.distance {
                tree.parent = best.place
                tree.distance = best.distance
                tree.eager |= 1 << Mask(best.place)
                asks[best.place].append(.init(root: root, distance: before))
            } else {
                // Those it went on to are told, and look for a way of their own.
                for place in Places(linked & tree.eager) {
                    tells[place].append(.init(root: root, distance: .lost))
                    others.append((.max, place))
                }
                tree.eager = 0
                for (order, other) in others.prefix(setting.asks).enumerated() {
                    tree.asked += 1
                    tree.tried |= 1 << Mask(other.place)
                    asks[other.place].append(
                        .init(root: root, distance: order == 0 ? .lost : .lostToo))
                }
            }
            trees[root] = tree
        }
        var directives: [Directive] = []
        for place in Places(linked) where !tells[place].isEmpty {
            if let peer = peers[place] {
                directives.append(.send(.decline(tells[place]), to: peer))
            }
        }
        for place in Places(linked) where !asks[place].isEmpty {
            guard let peer = peers[place] else { continue }
            // What came lately is not to come again.
            let held = recentIDs(since: now - setting.freshMilliseconds).filter {
                (seen[$0]?.holders ?? 0) & (1 << Mask(place)) == 0
            }
            if !held.isEmpty {
                directives.append(.send(announcement(of: held, urgent: true), to: peer))
            }
            directives.append(.send(.adopt(asks[place]), to: peer))
        }
        return directives
    }

    /// Who was asked to adopt declined: the nearest of those not asked yet is.
    private mutating func others(for roots: [Root], now: Int64) -> [Directive] {
        var directives: [Directive] = []
        for root in roots {
            guard let tree = trees[root] else { continue }
            var best: (distance: UInt16, place: Int)?
            for place in Places(linked & ~tree.tried) {
                let distance = sum(tree.told[place], costs[place])
                if distance < best?.distance ?? .max { best = (distance, place) }
            }
            guard let best, let peer = peers[best.place] else {
                trees[root]?.asked = 0
                continue
            }
            trees[root]?.tried |= 1 << Mask(best.place)
            directives.append(.send(.adopt([.init(root: root, distance: .lost)]), to: peer))
        }
        return directives
    }

    /// Not missing any more, or given up. Those who announced it and were not asked.
    @discardableResult
    private mutating func found(_ id: ShortID) -> [(place: Int, distance: UInt16)] {
        guard let one = missing.removeValue(forKey: id) else { return [] }
        firsts[one.first] -= 1
        return one.announcers
    }

    /// The next announcer is asked; nobody left: whoever announces next will be.
    private mutating func ask(for id: ShortID, now: Int64) -> [Directive] {
        guard var one = missing[id] else { return [] }
        guard !one.announcers.isEmpty else {
            found(id)
            return []
        }
        let next = one.announcers.removeFirst()
        one.asked = next.place
        one.due = now + setting.retryMilliseconds
        missing[id] = one
        graftDue = min(graftDue ?? one.due, one.due)
        guard let peer = peers[next.place] else { return [] }
        return [.send(.graft([id], wanted: true), to: peer)]
    }

    private func push(_ id: ShortID, _ held: Seen, to peer: Peer, _ now: Int64) -> Directive {
        .push(
            PushedEntry(
                id: id, root: held.root, seed: held.seed, distance: held.distance,
                isUrgent: now < urgentUntil), to: peer)
    }

    private func announcement(of ids: [ShortID], urgent: Bool) -> GossipMessage {
        .announce(
            ids.compactMap { id in
                seen[id].map {
                    .init(id: id, distance: $0.distance, root: urgent ? $0.root : nil)
                }
            }, urgent: urgent)
    }

    /// Whether a neighbour lacks this, or would get it by a shorter way from here.
    private func isNews(_ id: ShortID, to place: Int) -> Bool {
        guard let held = seen[id] else { return false }
        guard held.holders & (1 << Mask(place)) != 0, let tree = trees[held.root] else {
            return true
        }
        return sum(held.distance, costs[place]) < tree.told[place]
    }

    private func recentIDs(since: Int64) -> [ShortID] {
        var recent: [ShortID] = []
        var index = order.count
        while index > oldest, recent.count < ReplicationLimit.announced {
            index -= 1
            guard let held = seen[order[index]], held.at >= since else { break }
            recent.append(order[index])
        }
        return recent.reversed()
    }

    private mutating func forget(_ now: Int64) {
        while oldest < order.count, let held = seen[order[oldest]],
            order.count - oldest >= ReplicationLimit.seen
                || held.at < now - ReplicationLimit.seenMilliseconds
        {
            seen[order[oldest]] = nil
            oldest += 1
        }
        if oldest > 1_024, oldest * 2 > order.count {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    private mutating func insert(_ tree: Tree, _ root: Root, _ now: Int64) {
        if trees.count >= ReplicationLimit.trees {
            var stale: (used: Int64, root: Root)?
            for (root, tree) in trees where root != me {
                if let known = stale, (known.used, known.root) < (tree.used, root) { continue }
                stale = (tree.used, root)
            }
            if let stale { trees[stale.root] = nil }
        }
        trees[root] = tree
    }

    private func nearestRoot() -> Root? {
        var best: (distance: UInt16, root: Root)?
        for (root, tree) in trees where root != me && tree.parent != nil {
            if let known = best, (known.distance, known.root) < (tree.distance, root) { continue }
            best = (tree.distance, root)
        }
        return best?.root
    }

    private func sum(_ distance: UInt16, _ cost: UInt16) -> UInt16 {
        let (sum, over) = distance.addingReportingOverflow(cost)
        return over ? .max : sum
    }
}

private struct Tree: Sendable {
    /// Links along which entries go whole, both ways.
    var eager: Mask
    /// Where they come from; none at the root, and where the way to it is lost.
    var parent: Int?
    var distance: UInt16 = .max
    /// The distance each neighbour last told.
    var told = SIMD64<UInt16>(repeating: .max)
    /// How many were asked to adopt since the parent was lost, and which ones declined or may yet.
    var asked = 0
    var tried: Mask = 0
    var used: Int64
    /// Entries still to be announced at once since a neighbour was lost.
    var disturbed = 0
}

private struct Seen: Sendable {
    let root: Root
    let seed: Root?
    let distance: UInt16
    let at: Int64
    /// Neighbours that hold it too.
    var holders: Mask
}

private struct Missing: Sendable {
    /// Who announced it, and is not asked yet.
    var announcers: [(place: Int, distance: UInt16)]
    let first: Int
    var asked: Int?
    var due: Int64
}

extension UInt16 {
    /// In place of a distance: there is no way any more. Whoever adopts pushes what is fresh.
    static var lost: UInt16 { .max }
    /// The same, said to the second that is asked: what is fresh is announced, for the first will push it.
    static var lostToo: UInt16 { .max - 1 }
}

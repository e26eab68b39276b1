/// Who talks to whom in a topic with many nodes: HyParView (Leitão, Pereira, Rodrigues, DSN 2007). A few
/// *neighbours* whose connections stay open, and more *spares* to replace a lost one from at once.
///
///     join ──▶ contact ──forwardJoin──▶ … ──▶ neighbour ──▶ newcomer      §4.2
///     lost ──▶ neighbour ──▶ spare ──▶ answer                             §4.3
///     shuffleDue ──▶ shuffle ──▶ … ──▶ shuffleAnswer                      §4.4
///
/// Dialing is the shell's: a message to someone who is no neighbour goes over a connection of its own,
/// which both ends keep if they become neighbours. docs/DECISIONS.md lists where this leaves the paper.
public struct Overlay<Peer: Hashable & Sendable>: Sendable {
    public enum Message: Hashable, Sendable {
        case join
        case forwardJoin(Peer, steps: UInt8)
        /// "Be my neighbour." Urgent from one that has no other: it may not be refused.
        case neighbour(urgent: Bool)
        case answer(accepted: Bool)
        case disconnect
        case shuffle(origin: Peer, [Peer], steps: UInt8)
        case shuffleAnswer([Peer])
    }

    public enum Directive: Hashable, Sendable {
        case send(Message, to: Peer)
        /// The connection to this peer is now a link of the overlay.
        case linked(Peer)
        /// It is one no more, and may be closed.
        case unlinked(Peer)
    }

    public let me: Peer
    /// The paper's active view, in the order in which they came.
    public private(set) var neighbours: [Peer] = []
    /// The paper's passive view.
    public private(set) var spares: [Peer] = []
    /// Asked to be neighbours, not answered yet.
    private var asked: [Peer] = []
    /// Refused since the last shuffle: not asked again before the next.
    private var refused: [Peer] = []
    /// What went out with the last shuffle: forgotten first when its answer needs room.
    private var offered: [Peer] = []

    public init(me: Peer) { self.me = me }

    // MARK: - From here

    /// Enters by someone who is in already (§4.2).
    public mutating func join(_ contact: Peer) -> [Directive] {
        guard contact != me, !neighbours.contains(contact) else { return [] }
        ask(contact)
        return [.send(.join, to: contact)]
    }

    /// The connection of a neighbour ended without a word: it is replaced at once (§4.3).
    public mutating func lost(
        _ peer: Peer, using chance: inout some RandomNumberGenerator
    ) -> [Directive] {
        spares.removeAll { $0 == peer }
        asked.removeAll { $0 == peer }
        let wasNeighbour = neighbours.contains(peer)
        neighbours.removeAll { $0 == peer }
        return (wasNeighbour ? [.unlinked(peer)] : []) + refill(using: &chance)
    }

    /// Time for a shuffle (§4.4), and for asking again whoever refused.
    public mutating func shuffleDue(using chance: inout some RandomNumberGenerator) -> [Directive] {
        refused = []
        var directives = refill(using: &chance)
        guard let first = pick(from: neighbours, using: &chance) else { return directives }
        offered =
            some(
                ReplicationLimit.shuffledNeighbours, of: neighbours.filter { $0 != first }, &chance)
            + some(ReplicationLimit.shuffledSpares, of: spares, &chance)
        directives.append(
            .send(
                .shuffle(origin: me, offered, steps: ReplicationLimit.overlaySteps), to: first))
        return directives
    }

    // MARK: - From others

    public mutating func received(
        _ message: Message, from peer: Peer, using chance: inout some RandomNumberGenerator
    ) -> [Directive] {
        guard peer != me else { return [] }
        switch message {
        case .join: return joined(peer, &chance)
        case .forwardJoin(let newcomer, let steps):
            return forwarded(newcomer, steps, from: peer, &chance)
        case .neighbour(let urgent):
            guard !neighbours.contains(peer) else {
                return [.send(.answer(accepted: true), to: peer)]
            }
            // Urgent ones displace, whoever else asks must find a free place (§4.3).
            guard urgent || neighbours.count < ReplicationLimit.neighbours else {
                return [.send(.answer(accepted: false), to: peer)]
            }
            return [.send(.answer(accepted: true), to: peer)] + link(peer, &chance)
        case .answer(let accepted):
            guard asked.contains(peer) else { return [] }
            asked.removeAll { $0 == peer }
            if accepted {
                if neighbours.contains(peer) { return [] }
                guard neighbours.count < ReplicationLimit.neighbours else {
                    return [.send(.disconnect, to: peer)]
                }
                return link(peer, &chance)
            }
            refused.append(peer)
            return refill(using: &chance)
        case .disconnect:
            asked.removeAll { $0 == peer }
            guard neighbours.contains(peer) else { return [] }
            neighbours.removeAll { $0 == peer }
            keep(peer, &chance)
            refused.append(peer)
            return [.unlinked(peer)] + refill(using: &chance)
        case .shuffle(let origin, let peers, let steps):
            guard origin != me, peers.count <= ReplicationLimit.shuffled else { return [] }
            let left = min(steps, ReplicationLimit.overlaySteps)
            if left > 1,
                let next = pick(
                    from: neighbours.filter { $0 != peer && $0 != origin }, using: &chance)
            {
                return [.send(.shuffle(origin: origin, peers, steps: left - 1), to: next)]
            }
            let answer = some(peers.count + 1, of: spares, &chance)
            take(peers + [origin], givingUp: answer, &chance)
            return [.send(.shuffleAnswer(answer), to: origin)]
        case .shuffleAnswer(let peers):
            guard !offered.isEmpty, peers.count <= ReplicationLimit.shuffled + 1 else { return [] }
            take(peers, givingUp: offered, &chance)
            offered = []
            return refill(using: &chance)
        }
    }

    // MARK: - Inside

    private mutating func joined(
        _ newcomer: Peer, _ chance: inout some RandomNumberGenerator
    ) -> [Directive] {
        guard !neighbours.contains(newcomer) else {
            return [.send(.answer(accepted: true), to: newcomer)]
        }
        var directives: [Directive] = [.send(.answer(accepted: true), to: newcomer)]
        directives += link(newcomer, &chance)
        for other in neighbours where other != newcomer {
            directives.append(
                .send(.forwardJoin(newcomer, steps: ReplicationLimit.overlaySteps), to: other))
        }
        return directives
    }

    private mutating func forwarded(
        _ newcomer: Peer, _ steps: UInt8, from peer: Peer,
        _ chance: inout some RandomNumberGenerator
    ) -> [Directive] {
        guard newcomer != me else { return [] }
        let left = min(steps, ReplicationLimit.overlaySteps)
        if left == ReplicationLimit.spareStep { keep(newcomer, &chance) }
        let next = pick(from: neighbours.filter { $0 != peer && $0 != newcomer }, using: &chance)
        if left > 0, let next {
            return [.send(.forwardJoin(newcomer, steps: left - 1), to: next)]
        }
        guard !neighbours.contains(newcomer), !asked.contains(newcomer) else { return [] }
        // A place is made for the newcomer if there is none, and it says whether it has one.
        var directives: [Directive] = []
        if neighbours.count + asked.count >= ReplicationLimit.neighbours {
            directives += displace(&chance)
        }
        ask(newcomer)
        return directives + [.send(.neighbour(urgent: false), to: newcomer)]
    }

    /// As many spares are asked at once as places are free: after a crash most are as dead as the lost.
    private mutating func refill(using chance: inout some RandomNumberGenerator) -> [Directive] {
        var directives: [Directive] = []
        while neighbours.count + asked.count < ReplicationLimit.neighbours {
            let left = spares.filter { !asked.contains($0) && !refused.contains($0) }
            guard let spare = pick(from: left, using: &chance) else { break }
            ask(spare)
            directives.append(
                .send(
                    .neighbour(urgent: neighbours.count <= ReplicationLimit.neighboursFew),
                    to: spare))
        }
        return directives
    }

    private mutating func ask(_ peer: Peer) { asked.append(peer) }

    private mutating func link(
        _ peer: Peer, _ chance: inout some RandomNumberGenerator
    ) -> [Directive] {
        let directives =
            neighbours.count >= ReplicationLimit.neighbours ? displace(&chance) : []
        asked.removeAll { $0 == peer }
        spares.removeAll { $0 == peer }
        neighbours.append(peer)
        return directives + [.linked(peer)]
    }

    private mutating func displace(_ chance: inout some RandomNumberGenerator) -> [Directive] {
        guard let other = pick(from: neighbours, using: &chance) else { return [] }
        neighbours.removeAll { $0 == other }
        keep(other, &chance)
        refused.append(other)
        return [.send(.disconnect, to: other), .unlinked(other)]
    }

    private mutating func take(
        _ peers: [Peer], givingUp sent: [Peer], _ chance: inout some RandomNumberGenerator
    ) {
        var sent = sent
        for peer in peers where peer != me && !neighbours.contains(peer) && !spares.contains(peer) {
            if spares.count >= ReplicationLimit.spares {
                var place: Int?
                while place == nil, let given = sent.popLast() {
                    place = spares.firstIndex(of: given)
                }
                spares.remove(at: place ?? below(spares.count, &chance))
            }
            spares.append(peer)
        }
    }

    private mutating func keep(_ peer: Peer, _ chance: inout some RandomNumberGenerator) {
        take([peer], givingUp: [], &chance)
    }

    private func pick(from peers: [Peer], using chance: inout some RandomNumberGenerator) -> Peer? {
        peers.isEmpty ? nil : peers[below(peers.count, &chance)]
    }

    private func some(
        _ count: Int, of peers: [Peer], _ chance: inout some RandomNumberGenerator
    ) -> [Peer] {
        var left = peers
        var chosen: [Peer] = []
        while chosen.count < count, !left.isEmpty {
            let place = below(left.count, &chance)
            chosen.append(left[place])
            left.swapAt(place, left.count - 1)
            left.removeLast()
        }
        return chosen
    }

    private func below(_ count: Int, _ chance: inout some RandomNumberGenerator) -> Int {
        Int(truncatingIfNeeded: chance.next() >> 1) % max(count, 1)
    }
}

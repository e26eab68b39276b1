internal import Capacity
internal import Entries
internal import Identity
internal import NodeCore
internal import Replication

// Connections: TCP and TLS as far as a node can tell. Frames of one direction arrive in order or the
// connection ends; nothing else is ever lost.

extension World {
    /// Two machines' place in the tables; both orders are the same.
    func pair(_ one: Int, _ other: Int) -> Int {
        min(one, other) * machines.count + max(one, other)
    }

    func way(from: Int, to: Int) -> Int { from * machines.count + to }

    /// A frame that stands still for longer ends its connection.
    private static let stallMilliseconds: Int64 = 90_000

    func dial(_ one: Int, _ other: Int) {
        guard linkOf[pair(one, other)] == nil, !machines[one].isGone, !machines[other].isGone,
            machines[one].node != nil, machines[other].node != nil
        else { return }
        let isCut =
            stalledUntil[way(from: one, to: other)] > now
            || stalledUntil[way(from: other, to: one)] > now
            || machines[one].pausedUntil > now || machines[other].pausedUntil > now
        guard !isCut else {
            return agenda.put(.dial(one, other), at: now + weather.within(5_000...60_000))
        }
        let link = links.count
        let isTurned = weather.below(2) == 0
        let (left, right) = isTurned ? (other, one) : (one, other)
        links.append(Link(left: left, right: right))
        linkOf[pair(one, other)] = link
        tally.connections += 1
        for (index, their, isLeft) in [(left, right, true), (right, left, false)] {
            let own = machines[their].own
            turn(index) {
                $0.connected(
                    Link.peer(link, isLeft: isLeft), did: own.did, keyEntry: own.keyEntry,
                    key: own.key.publicKey, initiated: isLeft)
            }
        }
        let old = stash.firstIndex { pair($0.from, $0.to) == pair(one, other) }
        if let old, links[link].isOpen {
            let again = stash.remove(at: old)
            put(again.frame, link: link, toLeft: again.to == left, again.print)
        }
    }

    /// The connection ends for both; each learns it in its time and then dials again.
    func drop(_ link: Int, by left: Bool? = nil) {
        guard links[link].isOpen else { return }
        links[link].isOpen = false
        let (one, other) = (links[link].left, links[link].right)
        linkOf[pair(one, other)] = nil
        for (index, isLeft) in [(one, true), (other, false)] where machines[index].node != nil {
            let delay = left == isLeft ? 0 : weather.within(1...500)
            agenda.put(
                .ended(index, Link.peer(link, isLeft: isLeft), life: machines[index].life),
                at: now + delay)
        }
        agenda.put(
            .dial(min(one, other), max(one, other)), at: now + weather.within(1_000...20_000))
    }

    /// Puts a frame on its way, if its connection stands.
    func send(_ frame: Frame, by index: Int, over peer: PeerID, print: UInt64) {
        let (link, isLeft) = Link.of(peer)
        guard links.indices.contains(link), links[link].isOpen else { return }
        let other = isLeft ? links[link].right : links[link].left
        guard let frame = said(frame, by: index, to: other) else { return }
        if !isHealed, plan.has(.loss), weather.happens(plan.rate(.loss)) {
            tally.hit(.loss)
            return drop(link)
        }
        put(frame, link: link, toLeft: !isLeft, print)
        guard !isHealed, plan.has(.duplication), weather.happens(plan.rate(.duplication)) else {
            return
        }
        tally.hit(.duplication)
        if weather.below(2) == 0 {
            put(frame, link: link, toLeft: !isLeft, print)
        } else if stash.count < 64 {
            let (from, to) =
                isLeft
                ? (links[link].left, links[link].right)
                : (links[link].right, links[link].left)
            stash.append((from, to, frame, print))
        }
    }

    private func put(_ frame: Frame, link: Int, toLeft: Bool, _ print: UInt64) {
        var latency = weather.within(1...60)
        if plan.has(.latency), !isHealed {
            latency = weather.within(1...Int64(plan.rate(.latency)))
            tally.hit(.latency)
        }
        let before = toLeft ? links[link].arrivals.toLeft : links[link].arrivals.toRight
        let arrival = max(now + latency, before)
        if toLeft {
            links[link].arrivals.toLeft = arrival
        } else {
            links[link].arrivals.toRight = arrival
        }
        agenda.put(
            .frame(Parcel(link: link, toLeft: toLeft, frame: frame, print: print)), at: arrival)
    }

    func deliver(_ parcel: Parcel) {
        guard links[parcel.link].isOpen else { return }
        let link = links[parcel.link]
        let (from, to) = parcel.toLeft ? (link.right, link.left) : (link.left, link.right)
        let wait = max(stalledUntil[way(from: from, to: to)], machines[to].pausedUntil)
        guard wait <= now else {
            guard wait - now <= Self.stallMilliseconds else { return drop(parcel.link) }
            return agenda.put(.frame(parcel), at: wait)
        }
        trace.add(UInt64(now))
        trace.add(UInt64(from * 64 + to) << 8 | UInt64(parcel.frame.type))
        trace.add(parcel.print)
        tally.frames += 1
        if machines[to].trick == .replayer, machines[to].recorded.count < 2_000 {
            machines[to].recorded.append((parcel.print, parcel.frame))
        }
        guard hears(parcel.frame, at: to) else { return }
        let peer = Link.peer(parcel.link, isLeft: parcel.toLeft)
        turn(to) { $0.received(parcel.frame, from: peer) }
    }

    /// Over the connection that two machines have now; what an adversary says.
    func inject(_ frame: Frame, from: Int, to: Int, print: UInt64? = nil) {
        guard let link = linkOf[pair(from, to)], links[link].isOpen else { return }
        put(
            frame, link: link, toLeft: links[link].left == to,
            print ?? Trace.hash(frame.payload))
    }
}

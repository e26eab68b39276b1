internal import Capacity
internal import Entries
public import Identity
internal import Market
public import Replication

// Peers find each other: members say in their profiles where they listen, and this node dials some of them
// by itself, beside the peers that its owner fixed.

public enum OutboundLimit {
    /// Connections chosen by the address book.
    public static let slots = 8
    /// Connections to people of open contracts.
    public static let partners = 8
    /// Addresses that one member may name.
    public static let addresses = 4
    /// Between two feelers.
    public static let feelerMilliseconds: Int64 = 120_000
    /// A dial that nobody answered by then failed.
    public static let dialMilliseconds: Int64 = 30_000
}

/// A member whom this node dials by itself, until that connection ends.
public struct Dial: Hashable, Sendable {
    public let address: AddressBook.Address
    public let purpose: Purpose
    let since: Instant
    /// The connection it became.
    var connection: PeerID?
    /// Whoever was expected answered.
    public internal(set) var isUp = false

    public enum Purpose: Hashable, Sendable {
        /// Named in an open contract.
        case partner
        /// One of the address book's.
        case slot
        /// Hung up on as soon as somebody answers.
        case feeler
    }
}

extension Node {
    /// The dials that this node wants beyond its connections and those under way: people of open contracts,
    /// then the address book's choice for each free slot, and now and then a feeler.
    public func wantedConnections(using chance: inout some RandomNumberGenerator) -> [Dial] {
        let moment = now.milliseconds
        var busy = Set(connections.values.filter(\.isProven).map(\.did)).union(dials.keys)
        var wanted: [Dial] = []
        func want(_ address: AddressBook.Address, _ purpose: Dial.Purpose) {
            wanted.append(Dial(address: address, purpose: purpose, since: now))
            busy.insert(address.did)
        }
        func count(_ purpose: Dial.Purpose) -> Int {
            dials.values.count { $0.purpose == purpose } + wanted.count { $0.purpose == purpose }
        }
        for did in contracts.partners
        where !busy.contains(did) && count(.partner) < OutboundLimit.partners {
            let (tries, last) = partnerDials[did] ?? (0, .earliest)
            let wait = ReplicationLimit.redialMilliseconds << Int64(min(tries, 6))
            let open = addresses(of: did)
            guard !open.isEmpty, !last.isRecent(at: now, wait) else { continue }
            want(open[tries % open.count], .partner)
        }
        func mayDial(_ address: AddressBook.Address) -> Bool {
            !busy.contains(address.did) && addresses(of: address.did).contains(address)
        }
        let fixed = peers.map { Host($0.host)?.group ?? [] }
        while count(.slot) < OutboundLimit.slots {
            let taken = fixed + (dials.values.map(\.address) + wanted.map(\.address)).map(\.group)
            let next = addressBook.choose(
                beside: taken, at: moment, using: &chance, where: mayDial)
            guard let next else { break }
            want(next, .slot)
        }
        if count(.feeler) == 0,
            !lastFeeler.isRecent(at: now, OutboundLimit.feelerMilliseconds),
            let next = addressBook.feeler(at: moment, using: &chance, where: mayDial)
        {
            want(next, .feeler)
        }
        return wanted
    }

    /// Where a member of our alliances says to listen, as far as this node may dial it. What is fixed is
    /// dialed already; and nobody names this machine or its network to a node that listens nowhere there.
    func addresses(of did: DID) -> [AddressBook.Address] {
        guard did != own.did, isMember(did) else { return [] }
        let near = Set(said(by: own.did).map(\.reach))
        let open = said(by: did).filter { $0.reach == .global || near.contains($0.reach) }
        return (open.map(\.address) + nearby.filter { $0.did == did }).filter { address in
            !peers.contains { $0.host == address.host && $0.port == address.port }
        }
    }

    private func isMember(_ did: DID) -> Bool {
        alliances.contains { alliance in
            switch memberships[alliance.topic]?.standing(of: did) {
            case .steward: true
            case .member: book[did]?[alliance.topic] != nil
            case .expelled, .outsider, nil: false
            }
        }
    }

    /// As it stands in the profile.
    private func said(by did: DID) -> [(address: AddressBook.Address, reach: Host.Reach)] {
        var all: [(address: AddressBook.Address, reach: Host.Reach)] = []
        for text in (book[did]?.profile?.addresses ?? []).prefix(OutboundLimit.addresses) {
            guard let one = PeerAddress(text, did: did), one.port > 0,
                let reach = Host(one.host)?.reach
            else {
                continue
            }
            all.append((.init(did: did, host: one.host, port: one.port), reach))
        }
        return all
    }

    // MARK: - What others say

    /// The profile of `did` was folded; `before` is what it said until then.
    mutating func hear(of did: DID, before: [AddressBook.Address]) {
        let now = listed(of: did)
        note { book in
            for address in before where !now.contains(address) { book.drop(address) }
        }
        add(did)
    }

    private mutating func add(_ did: DID) {
        // Whoever lets people in vouches for where they are. Where anyone may come in, all are one source.
        let topics = alliances.map(\.topic).filter { book[did]?[$0] != nil }
        let admitter = topics.compactMap { memberships[$0]?.admitter(of: did) }.first
        let source = admitter?.bytes ?? topics.first?.bytes ?? []
        for address in listed(of: did) { addressBook.add(address, from: source) }
    }

    func listed(of did: DID) -> [AddressBook.Address] { said(by: did).map(\.address) }

    /// At start, when all profiles are folded.
    mutating func restoreAddresses(_ snapshot: Snapshot) {
        addressBook = AddressBook(
            secret: own.addressSecret,
            tried: snapshot.tried.filter { listed(of: $0.address.did).contains($0.address) },
            anchors: snapshot.anchors.filter { listed(of: $0.did).contains($0) })
        for did in book.authors { add(did) }
    }

    // MARK: - What became of dials

    /// Nobody answered there, or another than `did`.
    public mutating func dialFailed(_ did: DID, at text: String) {
        guard let dial = dials[did], dial.connection == nil,
            PeerAddress(host: dial.address.host, port: dial.address.port, did: did).text == text
        else { return }
        failed(dial)
    }

    private mutating func failed(_ dial: Dial) {
        dials[dial.address.did] = nil
        // Both may have dialed at once, and one of the two connections was let go.
        if connections.values.contains(where: { $0.isProven && $0.did == dial.address.did }) {
            return
        }
        note { $0.failed(dial.address) }
    }

    mutating func answered(_ id: PeerID, by did: DID) {
        guard var dial = dials[did], dial.connection == id else { return }
        dial.isUp = true
        partnerDials[did]?.tries = 0
        dials[did] = dial
        let moment = now.milliseconds
        let outbound = dials.values.filter { $0.isUp && $0.purpose == .slot }
            .sorted { ($0.since, $0.address) < ($1.since, $1.address) }.map(\.address)
        note { book in
            book.good(dial.address, at: moment)
            book.keepAnchors(outbound)
        }
        if dial.purpose == .feeler {
            directives.append(.close(id, "only asked whether it is there"))
        }
    }

    mutating func dialEnded(_ id: PeerID) {
        guard let dial = dials.values.first(where: { $0.connection == id }) else { return }
        guard dial.isUp else { return failed(dial) }
        dials[dial.address.did] = nil
        let moment = now.milliseconds
        note { $0.good(dial.address, at: moment) }
    }

    mutating func dialOthers() {
        let late = sorted(dials).map(\.1).filter {
            $0.connection == nil && !$0.since.isRecent(at: now, OutboundLimit.dialMilliseconds)
        }
        for dial in late { failed(dial) }
        var chance = dice
        let wanted = wantedConnections(using: &chance)
        dice = chance
        for dial in wanted {
            dials[dial.address.did] = dial
            addressBook.dialed(dial.address, at: now.milliseconds)
            if dial.purpose == .feeler { lastFeeler = now }
            if dial.purpose == .partner {
                partnerDials[dial.address.did] = (
                    (partnerDials[dial.address.did]?.tries ?? 0) + 1, now
                )
            }
            let (did, host, port) = (dial.address.did, dial.address.host, dial.address.port)
            directives.append(.dial(PeerAddress(host: host, port: port, did: did)))
        }
    }

    /// What the book must know after a restart goes into the next commit.
    private mutating func note(_ change: (inout AddressBook) -> Void) {
        let (before, anchors) = (addressBook.tried, addressBook.anchors)
        change(&addressBook)
        let after = addressBook.tried
        for address in before.keys.sorted() where after[address] == nil {
            changes.append(.tried(address, good: nil))
        }
        // What is announced in one network only means nothing after a start.
        for (address, good) in sorted(after)
        where before[address] != good && listed(of: address.did).contains(address) {
            changes.append(.tried(address, good: good))
        }
        if anchors != addressBook.anchors { changes.append(.anchors(addressBook.anchors)) }
    }

    // MARK: - Where we listen

    /// What our profiles shall say, as soon as we may sign.
    public mutating func listen(at addresses: [String]) {
        listening = addresses
        sayWhereWeListen()
    }

    mutating func sayWhereWeListen() {
        guard let listening, maySign else { return }
        for topic in alliances.map(\.topic) {
            let log = LogID.publicLog(author: own.did, alliance: topic)
            guard var profile = book[own.did]?[topic]?.profile, profile.addresses != listening,
                maySign(in: current(log))
            else { continue }
            profile.addresses = listening
            // What the alliance's limits refuse now they let pass another day.
            _ = try? speak(profile, in: topic)
        }
    }
}

extension PeerAddress {
    /// HOST:PORT, an IPv6 host in brackets.
    public init?(_ text: String, did: DID? = nil) {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard Host(host) != nil else { return nil }
        self.init(host: host, port: port, did: did)
    }

    public var text: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

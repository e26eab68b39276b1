internal import Identity
internal import Market
internal import Replication

// Members in one network find each other: what is announced there says nothing to anybody else.

public enum LanLimit {
    /// Announcements that are looked at.
    public static let sightings = 32
    /// Alliances that one announcement gives hints of.
    public static let alliances = 8
    public static let saltBytes = 8
    public static let hintBytes = 8
    /// Hints that are worked out at once: a few hundredths of a second.
    public static let triesAtOnce = 10_000
}

/// What somebody in this network announces: a port, and hints that members of an alliance can read.
public struct Sighting: Hashable, Sendable {
    public let host: String
    public let port: Int
    public let salt: [UInt8]
    public let hints: [[UInt8]]

    public init(host: String, port: Int, salt: [UInt8], hints: [[UInt8]]) {
        self.host = host
        self.port = port
        self.salt = salt
        self.hints = hints
    }

    /// What tells whose it is, wherever it comes from.
    struct Sign: Hashable, Sendable {
        let salt: [UInt8]
        let hints: [[UInt8]]
    }

    var sign: Sign { Sign(salt: salt, hints: hints) }

    /// HMAC-SHA-256(alliance topic, "talea.lan.v1" ‖ salt ‖ identity), the first eight octets: who does not
    /// know the topic can neither read it nor tell two salts of one node from two nodes.
    static func hint(of did: DID, in alliance: TopicID, _ salt: [UInt8]) -> [UInt8] {
        let digest = HMAC256.authenticate(
            Array("talea.lan.v1".utf8) + salt + did.bytes, key: alliance.bytes)
        return Array(digest.bytes.prefix(LanLimit.hintBytes))
    }
}

extension Node {
    /// What to announce under this salt.
    public func hints(_ salt: [UInt8]) -> [[UInt8]] {
        alliances.prefix(LanLimit.alliances).map {
            Sighting.hint(of: own.did, in: $0.topic, salt)
        }
    }

    /// Everything that is announced now. Whose hints say that they are a member may be dialed there; that they
    /// are, whoever answers must prove.
    public mutating func sighted(_ sightings: [Sighting]) {
        // Anybody here can repeat what a member announced, with another address: none but this network's.
        lan.sightings = Array(
            sightings.filter { one in
                Host(one.host)?.reach == .local && (1...65_535).contains(one.port)
                    && one.salt.count == LanLimit.saltBytes
            }.prefix(LanLimit.sightings))
        let signs = Set(lan.sightings.map(\.sign))
        lan.verdicts = lan.verdicts.filter { signs.contains($0.key) }
        lookAround()
    }

    /// Compares hints with members, so many at a time, and goes on at the next tick: whoever announces himself
    /// under ever other salts is not to keep the node from all else.
    mutating func lookAround() {
        guard !lan.sightings.isEmpty || !nearby.isEmpty else { return }
        let among = book.count * alliances.count
        var tries = LanLimit.triesAtOnce
        let begun = lan.search?.sign
        for sign in lan.sightings.map(\.sign).sorted(by: { $0 == begun && $1 != begun }) {
            switch lan.verdicts[sign] {
            case .member, .nobody(among: among): continue
            case .nobody, nil: break
            }
            if lan.search?.sign != sign {
                // Of stewards the founding body tells: who was just invited knows nobody else.
                let people = Set(alliances.flatMap(\.rules.stewards) + book.authors)
                lan.search = .init(sign: sign, people: people.subtracting([own.did]).sorted())
            }
            guard let verdict = search(&tries, among: among) else { break }
            lan.verdicts[sign] = verdict
            lan.search = nil
        }
        findNearby()
    }

    /// `nil`: there are more to compare with.
    private mutating func search(_ tries: inout Int, among: Int) -> LanSearch.Verdict? {
        guard var search = lan.search else { return nil }
        defer { lan.search = search }
        while search.next < search.people.count * alliances.count {
            guard tries > 0 else { return nil }
            tries -= 1
            let (alliance, person) = search.next.quotientAndRemainder(
                dividingBy: search.people.count)
            search.next += 1
            let hint = Sighting.hint(
                of: search.people[person], in: alliances[alliance].topic, search.sign.salt)
            if search.sign.hints.contains(hint) { return .member(search.people[person]) }
        }
        return .nobody(among: among)
    }

    private mutating func findNearby() {
        var found: [AddressBook.Address] = []
        for one in lan.sightings {
            guard case .member(let did) = lan.verdicts[one.sign] else { continue }
            found.append(.init(did: did, host: one.host, port: one.port))
        }
        guard found != nearby else { return }
        let gone = nearby.filter { !found.contains($0) && !listed(of: $0.did).contains($0) }
        nearby = found
        for address in gone { addressBook.drop(address) }
        // Whoever announces most here is one source.
        for address in found { addressBook.add(address, from: Array("lan".utf8)) }
    }
}

/// What is announced in this network, and what came of looking into it.
struct LanSearch: Sendable {
    enum Verdict: Sendable {
        case member(DID)
        /// Of so many; a newcomer may be meant.
        case nobody(among: Int)
    }

    /// Where one announcement is being looked into.
    struct Search: Sendable {
        let sign: Sighting.Sign
        let people: [DID]
        var next = 0
    }

    var sightings: [Sighting] = []
    var verdicts: [Sighting.Sign: Verdict] = [:]
    var search: Search?
}

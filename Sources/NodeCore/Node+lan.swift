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
        let near = sightings.filter { one in
            Host(one.host)?.reach == .local && (1...65_535).contains(one.port)
                && one.salt.count == LanLimit.saltBytes
        }.prefix(LanLimit.sightings)
        var found: [AddressBook.Address] = []
        for one in near {
            guard let did = author(of: one) else { continue }
            found.append(.init(did: did, host: one.host, port: one.port))
        }
        let gone = nearby.filter { !found.contains($0) && !listed(of: $0.did).contains($0) }
        nearby = found
        for address in gone { addressBook.drop(address) }
        // Whoever announces most here is one source.
        for address in found { addressBook.add(address, from: Array("lan".utf8)) }
    }

    private func author(of sighting: Sighting) -> DID? {
        for alliance in alliances {
            // Of stewards the founding body tells: who was just invited knows nobody else.
            let did = (alliance.rules.stewards + book.authors).first { did in
                let hint = Sighting.hint(of: did, in: alliance.topic, sighting.salt)
                return did != own.did && sighting.hints.contains(hint)
            }
            if let did { return did }
        }
        return nil
    }
}

public import Capacity
public import Entries
public import Identity

/// The first entries of a new node: its key log, its public log with the alliance's founding (where this
/// node founds it) and its profile.
public struct Genesis: Sendable {
    public let own: Own
    public let alliance: Alliance
    public let entries: [ValidEntry]

    init(own: Own, alliance: Alliance, entries: [ValidEntry]) {
        self.own = own
        self.alliance = alliance
        self.entries = entries
    }

    /// `nextKey` derives from the recovery code; only its hash is kept.
    public init(
        key: SigningKey, nextKey: PublicKey, nodeSecret: SecretBytes, profile: Profile,
        joining alliance: Alliance?, founding name: String, at now: Instant, seed: Hash32
    ) throws(NodeRefusal) {
        let did = DID(key.publicKey)
        let keyBody = KeyBody(publicKey: key.publicKey, nextKeyHash: .nextKey(nextKey)).wire
        let keyEntry: ValidEntry
        do {
            keyEntry = try ValidEntry(
                signing: Header(
                    kind: Kind.key.rawValue, author: did, key: nil, topic: nil, time: now,
                    bodyHash: SHA256.hash(keyBody), bodySize: Int64(keyBody.count),
                    place: .log(.init(log: .key(author: did), sequence: 1, previous: nil))),
                body: keyBody, by: key)
        } catch {
            throw .entry(error)
        }
        own = Own(did: did, keyEntry: keyEntry.id, key: key, nodeSecret: nodeSecret)
        var dice = Dice(seed: seed)
        let joined: Alliance
        if let alliance {
            joined = alliance
        } else {
            joined = try Alliance(
                foundingBody: Founding(name: name, stewards: [did], nonce: dice.roll()).wire)
        }
        self.alliance = joined
        var all = [keyEntry]
        let log = LogID.publicLog(author: did, alliance: joined.topic)
        func next(_ kind: Kind, _ body: [UInt8]) throws(EntryRefusal) {
            let sequence = Int64(all.count)
            all.append(
                try ValidEntry(
                    signing: Header(
                        kind: kind.rawValue, author: did, key: keyEntry.id, topic: joined.topic,
                        time: now, bodyHash: SHA256.hash(body), bodySize: Int64(body.count),
                        place: .log(
                            .init(
                                log: log, sequence: sequence,
                                previous: sequence == 1 ? nil : all.last?.id))),
                    body: body, by: key))
        }
        do {
            if alliance == nil { try next(.founding, joined.foundingBody) }
            try next(.profile, profile.wire)
        } catch {
            throw .entry(error)
        }
        entries = all
    }
}

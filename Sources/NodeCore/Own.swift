public import Entries
public import Identity
public import Market

/// Whose node this is, with what it signs.
public struct Own: Sendable {
    public let did: DID
    /// The key entry in force.
    public let keyEntry: EntryID
    public let key: SigningKey
    /// False: who only reads a home has a key of the moment in place of the owner's.
    let holdsKey: Bool
    private let nodeSecret: SecretBytes

    public init(
        did: DID, keyEntry: EntryID, key: SigningKey, nodeSecret: SecretBytes, holdsKey: Bool = true
    ) {
        self.did = did
        self.keyEntry = keyEntry
        self.key = key
        self.nodeSecret = nodeSecret
        self.holdsKey = holdsKey
    }

    /// What our snapshots are sealed with: the recovery code opens them again.
    var keepsakeKey: SecretBytes {
        SecretBytes(
            HMAC256.authenticate(
                Array("talea.keepsakekey.v1".utf8), key: nodeSecret.exposed
            ).bytes)
    }

    /// Where addresses lie in the book: nobody else can tell.
    var addressSecret: Hash32 {
        HMAC256.authenticate(Array("talea.addressbook.v1".utf8), key: nodeSecret.exposed)
    }

    /// The same identity under its next key. Release keys do not change: they hang on the node secret.
    func signing(with key: SigningKey, broughtInBy entry: EntryID) -> Own {
        Own(did: did, keyEntry: entry, key: key, nodeSecret: nodeSecret)
    }

    /// The key of one invitation: its holder shows it once, and nothing of it is kept here. It hangs on the
    /// key in force as well, for the node secret stays: whoever copied the key file could else let others in
    /// for ever. What is signed for it is shown to nobody.
    func invitationKey(_ alliance: TopicID, _ terms: Invitation.Terms) -> SecretBytes {
        let message = Array("talea.invitation.v2".utf8) + alliance.bytes + terms.wire
        return SecretBytes(
            HMAC256.authenticate(message + key.sign(message).bytes, key: nodeSecret.exposed).bytes)
    }

    /// The one-time release key of this node in `contract`: HMAC over the node secret, which the
    /// recovery code restores, so that a lost disk locks no grant and no issuer frees what it sold.
    public func releaseKey(_ contract: ContractID) -> SigningKey {
        let seed = HMAC256.authenticate(
            Array("talea.releasekey.v1".utf8) + contract.bytes, key: nodeSecret.exposed)
        return SigningKey(seed: SecretBytes(seed.bytes))!
    }
}

/// An alliance this node belongs to: its founding body, from which its topic derives.
public struct Alliance: Hashable, Sendable {
    public let foundingBody: [UInt8]
    public let founding: Founding
    public let topic: TopicID
    public let rules: AllianceRules

    public init(foundingBody: [UInt8]) throws(NodeRefusal) {
        let founding: Founding
        do { founding = try Founding(strict: foundingBody) } catch { throw .entry(error) }
        do { rules = try AllianceRules(founding) } catch { throw .rules(error) }
        self.founding = founding
        self.foundingBody = foundingBody
        topic = .alliance(foundingBody: foundingBody)
    }
}

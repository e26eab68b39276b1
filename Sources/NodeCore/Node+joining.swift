internal import HashTreeCollections
public import Capacity
internal import Contracts
public import Entries
public import Identity
internal import Logs
public import Market

// Founding, joining and leaving alliances, and letting others in or out.

extension Node {
    /// The alliance of that name, or whose topic begins so.
    public func alliance(named text: String) throws(NodeRefusal) -> Alliance {
        let all = alliances + leftAlliances
        let named = all.filter { $0.founding.name == text }
        let found = named.isEmpty ? all.filter { $0.topic.hex.hasPrefix(text) } : named
        guard let one = found.first, !text.isEmpty else { throw .allianceUnknown(text) }
        guard found.count == 1 else { throw .allianceAmbiguous(text) }
        return one
    }

    /// Signs the next entry of our public log in this alliance, as far as its rules let us.
    @discardableResult
    mutating func speak<Body: EntryBody>(_ body: Body, in topic: TopicID) throws(NodeRefusal)
        -> ValidEntry
    {
        guard alliances.contains(where: { $0.topic == topic }), let membership = memberships[topic]
        else { throw .allianceUnknown(topic.short) }
        if case .expelled(let last) = membership.standing(of: own.did) {
            throw .expelled(topic, upTo: last)
        }
        let base = LogID.publicLog(author: own.did, alliance: topic)
        let log = current(base)
        if let sequence = forkedAt[log] { throw .ownLogForked(log, sequence: sequence) }
        if let pace = paces[base] ?? membership.pace(of: own.did) {
            let time = max(now, chains.chain(log)?.newestTime ?? .earliest)
            let due = pace.due(
                Body.kind, until: (body as? Offer)?.until ?? (body as? Wish)?.until, at: time)
            guard due <= time else { throw .tooMuch(topic, until: due) }
        }
        return try append(body, to: log, topic: topic)
    }

    // MARK: - Coming and going

    /// A new alliance: its rules are for ever.
    @discardableResult
    public mutating func found(
        _ name: String, admission: AllianceRules.Admission, stewards: [DID] = [],
        limits: [String: Int64] = [:]
    ) throws(NodeRefusal) -> TopicID {
        try checkMaySign()
        let founding = Founding(
            name: name, stewards: [own.did] + stewards.filter { $0 != own.did },
            admission: admission.rawValue,
            limits: [Argument](limits.mapValues { .integer($0) }), nonce: dice.roll())
        let alliance = try Alliance(foundingBody: founding.wire)
        // Its topic is new: nobody can hold anything of ours in it.
        var trial = self
        trial.enter(alliance)
        try trial.speak(founding, in: alliance.topic)
        trial.greet()
        self = trial
        topicsChanged()
        return alliance.topic
    }

    /// Takes part from now on. Where its rules ask for it, the inviter is asked to admit us.
    @discardableResult
    public mutating func join(_ invitation: Invitation) throws(NodeRefusal) -> TopicID {
        try checkMaySign()
        let alliance = try Alliance(foundingBody: invitation.foundingBody)
        let isIn = alliances.contains { $0.topic == alliance.topic }
        let isMember = memberships[alliance.topic].map { !$0.isOutsider(own.did) } ?? false
        guard !isIn || !isMember else { throw .alreadyJoined(alliance.topic) }
        if let ticket = invitation.ticket, ticket.terms.expires < now {
            throw .invitationOver(ticket.terms.expires)
        }
        if !isIn { enter(alliance) }
        if let ticket = invitation.ticket, memberships[alliance.topic]?.isOutsider(own.did) == true
        {
            try ask(ticket, in: alliance.topic)
        }
        topicsChanged()
        greet()
        return alliance.topic
    }

    /// Takes part no more. What was said there stands, and can be gone on with by joining again.
    public mutating func leave(_ topic: TopicID) throws(NodeRefusal) {
        guard let index = alliances.firstIndex(where: { $0.topic == topic }) else {
            throw .allianceUnknown(topic.short)
        }
        guard alliances.count > 1 else { throw .onlyAlliance(topic) }
        for (id, held) in sorted(contracts) where !held.isOver {
            let rests = held.fold?.grants.contains { grant in
                openedIn(grant.line, of: grant.issuer) == topic
            }
            if rests == true { throw .allianceInUse(topic, id) }
        }
        let alliance = alliances.remove(at: index)
        leftAlliances.append(alliance)
        changes.append(.alliance(foundingBody: alliance.foundingBody, isLeft: true))
        topicsChanged()
    }

    /// A node that was in it before, in a copy of this home that is lost, may have spoken in it: the first
    /// entry waits for an answer, as after a start.
    mutating func enter(_ alliance: Alliance) {
        leftAlliances.removeAll { $0.topic == alliance.topic }
        alliances.append(alliance)
        if memberships[alliance.topic] == nil {
            memberships[alliance.topic] = Membership(topic: alliance.topic, rules: alliance.rules)
        }
        changes.append(.alliance(foundingBody: alliance.foundingBody, isLeft: false))
        recountKept()
        let log = LogID.publicLog(author: own.did, alliance: alliance.topic)
        if chains.head(log) == 0, !alliance.rules.stewards.contains(own.did) {
            recovery.unsure.insert(log)
        }
    }

    /// Says who we are wherever we did not yet.
    mutating func greet() {
        guard maySign, let profile = book[own.did]?.profile else { return }
        for topic in alliances.map(\.topic) where book[own.did]?[topic]?.profile == nil {
            let log = LogID.publicLog(author: own.did, alliance: topic)
            guard maySign(in: current(log)) else { continue }
            _ = try? speak(profile, in: topic)
        }
    }

    // MARK: - Letting in

    /// What to hand to one newcomer. Where the rules ask for it, it admits whoever shows it first, once.
    public mutating func invite(to topic: TopicID, until expires: Instant, address: String = "")
        throws(NodeRefusal) -> Invitation
    {
        guard let alliance = alliances.first(where: { $0.topic == topic }) else {
            throw .allianceUnknown(topic.short)
        }
        guard alliance.rules.admission != .anyone else {
            return Invitation(foundingBody: alliance.foundingBody, address: address)
        }
        guard memberships[topic]?.mayAdmit(own.did) == true else { throw .mayNotAdmit(topic) }
        guard expires > now else { throw .invitationOver(expires) }
        let terms = Invitation.Terms(nonce: dice.roll(), expires: expires)
        let secret = Hash32(own.invitationKey(topic, terms).exposed) ?? .zero
        return Invitation(
            foundingBody: alliance.foundingBody,
            ticket: .init(inviter: own.did, terms: terms, secret: secret), address: address)
    }

    /// Makes `did` a member.
    public mutating func admit(_ did: DID, to topic: TopicID, with invitation: PublicKey? = nil)
        throws(NodeRefusal)
    {
        try checkMaySign()
        guard let membership = memberships[topic] else { throw .allianceUnknown(topic.short) }
        guard membership.rules.admission != .anyone, membership.mayAdmit(own.did) else {
            throw .mayNotAdmit(topic)
        }
        guard membership.isOutsider(did) else { throw .alreadyMember(did) }
        try speak(Admit(member: did, invitation: invitation), in: topic)
    }

    /// Ends the public log of `did` in this alliance where it ends here now.
    public mutating func expel(_ did: DID, from topic: TopicID, reason: String = "")
        throws(NodeRefusal)
    {
        try checkMaySign()
        guard let membership = memberships[topic] else { throw .allianceUnknown(topic.short) }
        guard membership.standing(of: own.did) == .steward else { throw .notASteward(topic) }
        switch membership.standing(of: did) {
        case .steward: throw .stewardsStay(did)
        case .outsider: throw .notAMember(did)
        case .member, .expelled: break
        }
        let log = current(.publicLog(author: did, alliance: topic))
        let last = forkedAt[log].map { $0 - 1 } ?? chains.head(log)
        try speak(Expel(member: did, log: log, sequence: last, reason: reason), in: topic)
    }

    // MARK: - Invitations

    private mutating func ask(_ ticket: Invitation.Ticket, in topic: TopicID) throws(NodeRefusal) {
        guard let key = SigningKey(seed: SecretBytes(ticket.secret.bytes)) else { return }
        let body = Joining(
            salt: dice.roll(), keys: keyLogs.log(of: own.did), invitation: ticket.terms,
            proof: key.sign(Invitation.message(topic, newcomer: own.did)))
        let entry = try sign(
            body, topic: topic, place: .init(expires: ticket.terms.expires))
        changes.append(.statement(entry, contract: nil))
        statementsSeen.insert(entry.id)
        send(entry.entry, to: ticket.inviter, contractKey: nil)
    }

    /// Whether what would answer it may be signed already.
    func isReady(joining entry: Entry) -> Bool {
        guard let topic = entry.header.topic, isAlliance(topic) else { return false }
        return maySign && maySign(in: current(.publicLog(author: own.did, alliance: topic)))
    }

    /// A newcomer shows an invitation of ours: the first one that does is admitted with it. Who comes later,
    /// or shows none of ours, is not answered.
    mutating func receive(joining entry: Entry, from bearer: DID?) {
        let author = entry.header.author
        guard let topic = entry.header.topic, let membership = memberships[topic],
            membership.mayAdmit(own.did), membership.isOutsider(author),
            let body = try? entry.read(Joining.self), now <= body.invitation.expires,
            let invitation = SigningKey(seed: own.invitationKey(topic, body.invitation))?.publicKey,
            checker.verifies(
                body.proof, of: Invitation.message(topic, newcomer: author), by: invitation),
            membership.admitted(with: invitation, by: own.did) == nil
        else { return }
        var known = keyLogs
        var fresh: [ValidEntry] = []
        for key in body.keys where known.age(author, key.id) == nil {
            guard key.header.author == author, !isAboveFork(key),
                let valid = try? known.decide(key, checker: checker)
            else { return }
            known.apply(valid)
            fresh.append(valid)
        }
        guard let key = entry.header.key.flatMap({ known.key(author, $0) }),
            (try? ValidEntry(entry, byCheckedKey: key, checker: checker)) != nil
        else { return }
        guard isReady(joining: entry) else {
            return wait(for: Sealed(statement: entry, contractKey: nil), from: bearer)
        }
        for valid in fresh { take(valid, from: nil) }
        try? admit(author, to: topic, with: invitation)
        keysCame()
    }
}

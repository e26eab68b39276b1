internal import HashTreeCollections
internal import Capacity
internal import Contracts
internal import Entries
public import Identity
internal import Logs
public import Market
internal import Replication

// The alliances a node takes part in: whose logs it takes, up to where, and who hears of them.

extension Node {
    /// The alliance that is meant where none is named: the one this node has been in longest.
    public var alliance: Alliance { alliances[0] }

    public func membership(in topic: TopicID) -> Membership? { memberships[topic] }

    /// Whether this node takes part in it, or did.
    func isAlliance(_ topic: TopicID?) -> Bool { topic.map { memberships[$0] != nil } ?? false }

    func isPublic(_ log: LogID, of author: DID, _ topic: TopicID) -> Bool {
        if let chain = chains.chain(log), chain.author == author, chain.topic == topic {
            return chain.isPublic
        }
        return log == .publicLog(author: author, alliance: topic)
    }

    /// Where the line of that log was opened first.
    func openedIn(_ line: LogID, of issuer: DID) -> TopicID? {
        book[issuer]?.opening(of: line)?.alliance
    }

    /// The alliance that one of our own logs belongs to; `nil` for key and contract logs.
    func allianceTopic(of log: LogID) -> TopicID? {
        if let topic = chains.chain(log)?.topic { return isAlliance(topic) ? topic : nil }
        if let topic = openedIn(log, of: own.did) { return topic }
        return memberships.keys.sorted().first { isPublic(log, of: own.did, $0) }
    }

    // MARK: - Who hears of what

    /// Whether the key log of `author` is an item of this alliance.
    func takesPart(_ author: DID, in topic: TopicID) -> Bool {
        guard let membership = memberships[topic] else { return false }
        if author == own.did { return true }
        if membership.rules.admission != .anyone { return !membership.isOutsider(author) }
        // Where anyone may come in, those are in who said something.
        return chains.chain(.publicLog(author: author, alliance: topic)) != nil
    }

    func isExpelled(_ did: DID, from topic: TopicID) -> Bool {
        if case .expelled = memberships[topic]?.standing(of: did) { true } else { false }
    }

    /// Whether an entry of `author` under `own` topic, or its key log, is an item of `topic`.
    func isItem(_ own: TopicID?, _ author: DID, in topic: TopicID) -> Bool {
        if let own { return own == topic }
        return takesPart(author, in: topic) || namedIn[topic]?.contains(author) ?? false
    }

    func topics(ofKeysOf author: DID) -> [TopicID] {
        let named = namedIn.filter { $0.value.contains(author) }.keys
        return alliances.map(\.topic).filter { takesPart(author, in: $0) } + named.sorted()
    }

    func topics(of entry: Entry) -> [TopicID] {
        entry.header.topic.map { [$0] } ?? topics(ofKeysOf: entry.header.author)
    }

    /// Those whose key logs are items of `topic`.
    func authors(in topic: TopicID) -> [DID] {
        guard isAlliance(topic) else { return Set(namedIn[topic] ?? []).sorted() }
        return keyLogs.authors.filter { takesPart($0, in: topic) }
    }

    /// Whether this peer may hear the name of one of our logs: it shares what the log belongs to.
    func mayName(_ log: LogID, to connection: Connection) -> Bool {
        if log == .key(author: own.did) { return true }
        let contract = contractOfLog[log].flatMap { contracts[$0]?.key.topic }
        let topic =
            allianceTopic(of: log) ?? contract ?? witnessed[log].flatMap { witnessing[$0]?.topic }
        return topic.map(connection.session.shared.contains) ?? false
    }

    // MARK: - Whose logs are taken

    /// Whether anything of `did` is taken: in this alliance, or of a key log anywhere.
    func isKnown(_ did: DID, in topic: TopicID?) -> Bool {
        if did == own.did { return true }
        if let topic { return memberships[topic].map { !$0.isOutsider(did) } ?? false }
        return keyLogs.knows(did) || memberships.values.contains { !$0.isOutsider(did) }
            || namedIn.values.contains { $0.contains(did) }
    }

    /// Whether somebody answers for `did`: it was let into an alliance by name, or the owner fixed it as a
    /// peer. Who answers for many does so under his own name.
    public func isVouchedFor(_ did: DID) -> Bool {
        peers.contains { $0.did == did }
            || memberships.values.contains {
                switch $0.standing(of: did) {
                case .steward: true
                case .member: $0.isNamed(did)
                case .expelled, .outsider: false
                }
            }
    }

    /// As much of `entries` as its alliance's rules let a node take now; `nil` where that is nothing. What
    /// is above an expulsion is let go of, the rest waits.
    mutating func lawfulForNow(_ entries: [Entry], _ start: Header.LogPlace, from peer: PeerID)
        -> [Entry]?
    {
        guard let first = entries.first, first.kind != .key, let topic = first.header.topic,
            let membership = memberships[topic], first.header.author != own.did
        else { return entries }
        let author = first.header.author
        let end = UInt64(start.sequence) + UInt64(entries.count) - 1
        guard !membership.isOutsider(author) else {
            wait(for: start.log, upTo: end, peer, .admission(author, topic))
            return nil
        }
        var log = start.log
        var below: Int64 = 0
        if let cut = lawfulCut(first) {
            // An expulsion that names it stands below it, and tells where it ends once it is here.
            if membership.isNamed(start.log, of: author) { return entries }
            (log, below) = (cut.log, cut.sequence)
        }
        let base = base(of: log)
        guard isPublic(base, of: author, topic) else { return entries }
        let standing = entries.prefix { entry in
            guard let place = entry.header.log else { return false }
            return membership.stands(
                author, at: .init(log: log, sequence: below + place.sequence, previous: nil))
        }
        guard !standing.isEmpty else {
            connections[peer]?.session.gaveUp(on: start.log)
            return nil
        }
        guard var pace = paces[base] ?? membership.pace(of: author),
            start.sequence <= chains.head(start.log) + 1
        else { return Array(standing) }
        let held = chains.head(start.log)
        for (index, entry) in standing.enumerated() {
            guard entry.header.log?.sequence ?? 0 > held else { continue }
            let due = pace.due(entry)
            guard due > now else {
                pace.fold(entry)
                continue
            }
            wait(for: start.log, upTo: end, peer, .time(due))
            return index == 0 ? nil : Array(standing.prefix(index))
        }
        return Array(standing)
    }

    /// The newest entry of a log that may be passed on: of an expelled member's, the last that stands.
    func standingHead(of log: LogID) -> Message.Head? {
        guard let head = head(of: log), let chain = chains.chain(log), let topic = chain.topic,
            let membership = memberships[topic],
            case .expelled(let last) = membership.standing(of: chain.author),
            isPublic(base(of: log), of: chain.author, topic)
        else { return head(of: log) }
        let first = membership.number(.init(log: log, sequence: 1, previous: nil))
        let standing = min(Int64(clamping: head.sequence), last - first + 1)
        return chain.id(at: standing).map { .init(log: log, sequence: UInt64(standing), id: $0) }
    }

    /// Whether an expulsion ends what may be passed on of it, above its head or below.
    func isCut(_ log: LogID, of chain: Chains.Chain) -> Bool {
        guard let topic = chain.topic,
            case .expelled = memberships[topic]?.standing(of: chain.author)
        else { return false }
        return isPublic(base(of: log), of: chain.author, topic)
    }

    // MARK: - What public entries mean

    mutating func foldPublic(_ entry: Entry, _ topic: TopicID) {
        let people = memberships[topic]?.fold(entry) ?? []
        if isRestoring { return unread.append(entry) }
        let author = entry.header.author
        let before = entry.kind == .profile ? listed(of: author) : []
        let openings = read(entry, topic)
        if entry.kind == .profile { hear(of: author, before: before) }
        if !openings.isEmpty { linesOpened(by: author, openings) }
        if !people.isEmpty { standingsChanged(of: people, in: topic) }
        // Somebody new who can be asked for what we said here.
        if entry.header.log?.sequence == 1 { settleRecovery() }
    }

    @discardableResult
    private mutating func read(_ entry: Entry, _ topic: TopicID) -> Range<Int> {
        let author = entry.header.author
        guard let place = entry.header.log, let membership = memberships[topic] else {
            return 0..<0
        }
        // What we say ourselves is here before anybody admits us.
        guard
            membership.stands(author, at: place)
                || author == own.did && !isExpelled(author, from: topic)
                || isExpelled(author, from: topic) && isRestedOn(entry)
        else {
            return 0..<0
        }
        let base = base(of: place.log)
        if var pace = paces[base] ?? membership.pace(of: author) {
            pace.fold(entry)
            paces[base] = pace
        }
        let openings = book.fold(entry)
        list(entry, openings)
        return openings
    }

    /// Opens a line that a contract here was agreed on. Whoever expels may not have heard of it, and who bought
    /// on it and paid has nothing to do with that.
    private func isRestedOn(_ entry: Entry) -> Bool {
        let author = entry.header.author
        guard entry.kind == .lineOpening, let body = try? entry.read(LineOpening.self) else {
            return false
        }
        return contracts.values.contains { held in
            held.isAgreed
                && held.fold?.state.grants.contains { need in
                    need.issuer == author && held.proposal.lines.indices.contains(need.line)
                        && held.proposal.lines[need.line] == body.terms
                } == true
        }
    }

    private mutating func linesOpened(by author: DID, _ changed: Range<Int>) {
        for opening in book[author]?.openings[changed] ?? [] {
            guard let line = lines[opening.log] else { continue }
            let isFirst = opening.clashesWith != opening.log
            let isOther =
                opening.clashesWith != nil
                || line.folded > 0 && chains.chain(opening.log)?.topic != opening.alliance
            // An earlier line came to be known, and this one was sold a second time.
            if isFirst, isOther { return readAnew() }
        }
        openLines(of: author, changed)
    }

    /// Some were admitted or expelled.
    private mutating func standingsChanged(of people: Set<DID>, in topic: TopicID) {
        guard let after = memberships[topic] else { return }
        for did in people.sorted() {
            let log = current(.publicLog(author: did, alliance: topic))
            let head = Header.LogPlace(log: log, sequence: chains.head(log), previous: nil)
            let isExpelled = isExpelled(did, from: topic)
            // What was read of it counts no more, or what was not does now.
            if did != own.did || isExpelled, chains.head(log) > 0,
                !(isExpelled && after.stands(did, at: head))
            {
                readAnew()
            }
            if did == own.did { admitted(to: topic) }
            retellKeys(of: [did], in: topic)
            retell(log)
            announceKeys(of: did, in: topic, from: nil)
        }
        retryWaiting()
    }

    /// The answer to what we asked of an inviter.
    private mutating func admitted(to topic: TopicID) {
        for (key, item) in sorted(outbox)
        where item.statement.kind == .joining && item.statement.header.topic == topic {
            settle(key)
        }
    }

    // MARK: - Start

    mutating func restoreAlliances(_ snapshot: Snapshot) {
        var all = alliances
        var left: Set<TopicID> = []
        for (body, isLeft) in snapshot.alliances {
            guard let one = try? Alliance(foundingBody: body) else { continue }
            if !all.contains(where: { $0.topic == one.topic }) { all.append(one) }
            if isLeft { left.insert(one.topic) }
        }
        for one in all { memberships[one.topic] = Membership(topic: one.topic, rules: one.rules) }
        leftAlliances = all.filter { left.contains($0.topic) }
        let stayed = all.filter { !left.contains($0.topic) }
        if !stayed.isEmpty { alliances = stayed }
    }

    /// The public logs among these entries, and what goes on after their cuts.
    func publicLogs(among entries: [ValidEntry]) -> Set<LogID> {
        var found: Set<LogID> = []
        for valid in entries {
            guard let place = valid.header.log, place.sequence == 1,
                let topic = valid.header.topic, isAlliance(topic)
            else { continue }
            if isPublic(place.log, of: valid.header.author, topic) {
                found.insert(place.log)
            } else if let cut = try? valid.entry.read(Cut.self), found.contains(cut.log) {
                found.insert(place.log)
            }
        }
        return found
    }

    /// All public logs are in: who is a member is known, and which of two lines was first.
    mutating func readPublic() {
        for entry in unread {
            if let topic = entry.header.topic { read(entry, topic) }
        }
        unread = []
        for author in book.authors { openLines(of: author) }
    }
}

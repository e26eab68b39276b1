internal import Capacity
public import Entries
public import Identity

/// Who is in an alliance, as a fold of its rules and of the `admit` and `expel` entries in public logs.
///
///     stewards ──admit──▶ members ──admit, where members may──▶ members
///     expelledBy stewards ──expel──▶ the member's log stands up to a sequence, and no further
///
/// Sequences count on through cuts. An act above its author's own cut is none. Stewards stand in the
/// founding body and are never expelled, so who expels whom never goes in a circle: acts may come in any
/// order and give the same members.
public struct Membership: Sendable {
    public let topic: TopicID
    public let rules: AllianceRules
    private var admits: [DID: [Act]] = [:]
    /// The same by whom they let in.
    private var admissions: [DID: [(author: DID, act: Act)]] = [:]
    private var expels: [DID: [DID: [(log: LogID, sequence: Int64)]]] = [:]
    private var offsets: [LogID: Int64] = [:]
    /// At which number each log ends that another goes on after.
    private var ends: [LogID: Int64] = [:]
    private var members: Set<DID> = []
    private var cuts: [DID: Int64] = [:]

    private struct Act: Sendable {
        let sequence: Int64
        let time: Instant
        let admit: Admit
    }

    public enum Standing: Hashable, Sendable {
        case steward
        case member
        /// Its log stands up to this sequence.
        case expelled(upTo: Int64)
        case outsider
    }

    public init(topic: TopicID, rules: AllianceRules) {
        self.topic = topic
        self.rules = rules
        members = Set(rules.stewards)
    }

    // MARK: - Who

    public func standing(of did: DID) -> Standing {
        if rules.stewards.contains(did) { return .steward }
        guard rules.admission == .anyone || members.contains(did) else { return .outsider }
        return cuts[did].map { .expelled(upTo: $0) } ?? .member
    }

    /// Whether somebody let `did` in by name, or the founding does.
    public func isNamed(_ did: DID) -> Bool { members.contains(did) }

    public func isOutsider(_ did: DID) -> Bool { standing(of: did) == .outsider }

    /// Those admitted by name, expelled ones among them. Where anyone may come in these are not all.
    public var admitted: [DID] { members.sorted() }

    public var expelled: [DID] { cuts.keys.filter { members.contains($0) || isOpen }.sorted() }

    private var isOpen: Bool { rules.admission == .anyone }

    /// Whether what `did` says at `place` of its public log counts.
    public func stands(_ did: DID, at place: Header.LogPlace) -> Bool {
        switch standing(of: did) {
        case .steward, .member: true
        case .expelled(let last): number(place) <= last
        case .outsider: false
        }
    }

    public func mayAdmit(_ did: DID) -> Bool {
        switch standing(of: did) {
        case .steward: true
        case .member: rules.admission == .invitation
        case .expelled, .outsider: false
        }
    }

    /// Whom `inviter` admitted with this invitation first; `nil` while it is not spent.
    public func admitted(with invitation: PublicKey, by inviter: DID) -> DID? {
        (admits[inviter] ?? []).filter { $0.admit.invitation == invitation }
            .min { $0.sequence < $1.sequence }?.admit.member
    }

    /// Who admitted `did`, the least of them; `nil` for stewards and where nobody had to.
    public func admitter(of did: DID) -> DID? {
        (admissions[did] ?? []).filter { counts($0.act, by: $0.author) }.map(\.author).min()
    }

    /// How fast the public log of `did` may grow; `nil` where the rules set no limit.
    public func pace(of did: DID) -> Pace? {
        let admitted = (admissions[did] ?? []).filter { counts($0.act, by: $0.author) }
        return Pace(rules, of: did, since: admitted.map(\.act.time).min() ?? .earliest)
    }

    /// The place of an entry in its author's public log, counted on through cuts.
    public func number(_ place: Header.LogPlace) -> Int64 {
        (offsets[place.log] ?? 0) + place.sequence
    }

    // MARK: - Acts

    /// `log` goes on where `cut` closed the log before it. Those whose standing is another now.
    @discardableResult
    public mutating func goOn(_ log: LogID, after cut: Cut) -> Set<DID> {
        let end = (offsets[cut.log] ?? 0) + cut.sequence
        offsets[log] = end
        ends[cut.log] = min(ends[cut.log] ?? end, end)
        guard !expels.isEmpty else { return [] }
        let before = self
        recount()
        return changed(since: before, Set(expels.keys))
    }

    /// Whether somebody who may says where `log` of `did` ends.
    public func isNamed(_ log: LogID, of did: DID) -> Bool {
        expels[did]?.values.contains { $0.contains { $0.log == log } } ?? false
    }

    /// Takes an `admit` or `expel`; other entries say nothing here. Those whose standing is another now.
    @discardableResult
    public mutating func fold(_ entry: Entry) -> Set<DID> {
        guard let place = entry.header.log else { return [] }
        let author = entry.header.author
        switch entry.kind {
        case .admit:
            guard let admit = try? entry.read(Admit.self) else { return [] }
            let act = Act(sequence: number(place), time: entry.header.time, admit: admit)
            admits[author, default: []].append(act)
            admissions[admit.member, default: []].append((author, act))
            guard counts(act, by: author) else { return [] }
            let fresh = spread(from: [admit.member])
            return isOpen ? [] : fresh
        case .expel:
            guard let expel = try? entry.read(Expel.self), rules.stewards.contains(author),
                !rules.stewards.contains(expel.member)
            else { return [] }
            let before = self
            expels[expel.member, default: [:]][author, default: []]
                .append((expel.log, expel.sequence))
            recount()
            return changed(since: before, [expel.member])
        default: return []
        }
    }

    private func changed(since before: Membership, _ people: Set<DID>) -> Set<DID> {
        let all = before.members.symmetricDifference(members).union(people)
        return all.filter { before.standing(of: $0) != standing(of: $0) }
    }

    private func counts(_ act: Act, by author: DID) -> Bool {
        guard members.contains(author) else { return false }
        if rules.stewards.contains(author) { return true }
        guard rules.admission == .invitation else { return false }
        return cuts[author].map { act.sequence <= $0 } ?? true
    }

    @discardableResult
    private mutating func spread(from newcomers: [DID]) -> Set<DID> {
        var next = newcomers
        var fresh: Set<DID> = []
        while let did = next.popLast() {
            guard members.insert(did).inserted else { continue }
            fresh.insert(did)
            for act in admits[did] ?? [] where counts(act, by: did) {
                next.append(act.admit.member)
            }
        }
        return fresh
    }

    private mutating func recount() {
        cuts = [:]
        for (member, byWhom) in expels where byWhom.count >= rules.expelledBy {
            let lowest = byWhom.values.compactMap { $0.map { last(of: member, $0) }.min() }.sorted()
            // So many stewards say that it stands no further.
            cuts[member] = lowest[Int(rules.expelledBy) - 1]
        }
        members = []
        spread(from: rules.stewards)
    }

    /// Whoever is expelled could else make his log part below, cut it there and say as much again in the log
    /// that goes on.
    private func last(of member: DID, _ cut: (log: LogID, sequence: Int64)) -> Int64 {
        let first = LogID.publicLog(author: member, alliance: topic)
        guard cut.log == first || offsets[cut.log] != nil else {
            // A log that is not known here. It came after the first, and another that did is not it.
            return ends[first] ?? .max
        }
        let (last, isOver) = (offsets[cut.log] ?? 0).addingReportingOverflow(cut.sequence)
        return min(isOver ? .max : last, ends[cut.log] ?? .max)
    }
}

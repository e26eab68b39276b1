public import Capacity
public import Entries
public import Identity
public import Ledger

/// The fold of one contract over its sequencer's log.
///
///     proposal ─▶ step 1 (acceptances, grants) ─▶ step n (request or own act, consents, line entries)
///
/// A step carries whole everything it reads; the fold checks all of it and compares the digest of the
/// state that results. A step that is not admissible, or states a wrong digest, has no effect: it takes
/// its place in the log and nothing else. `decide` may refuse, `apply` cannot fail.
public struct Fold: Sendable {
    private let basis: Basis
    public internal(set) var state: ContractState
    public internal(set) var steps: [StepOutline] = []
    /// The grant of each template line, by index.
    public private(set) var grants: [HeldGrant] = []
    /// Line entries that steps embedded: each serves once.
    public private(set) var usedLines: Set<EntryID> = []
    public internal(set) var halt: Halt?
    /// The arbiter's claim, its ruling, and where the new epoch goes on from.
    public internal(set) var takeover: Takeover?
    /// Rulings, and steps above a settlement, that show words of somebody whose key has not come yet.
    public internal(set) var awaitingKey: [Entry] = []
    /// Settlements without the sequencer that came, and the one that ended the contract.
    var agreed: [Agreed] = []
    public internal(set) var settled: EntryID?
    /// Key entries that steps embedded, and the older ones they put out of force here, with the time from
    /// which on they are not heard.
    public internal(set) var embeddedKeys: Set<EntryID> = []
    var supersededKeys: [EntryID: Instant] = [:]
    /// Steps that others than the sequencer named as basis or acknowledged, as later steps show.
    public internal(set) var bases: Set<EntryID> = []
    /// Who said in a step that it knows of which.
    var words: Set<Word> = []

    /// What never changes, behind one reference: folds are copied often.
    private final class Basis: Sendable {
        let key: ContractKey
        let template: Template
        let entry: Entry
        let proposal: Proposal
        let terms: Terms
        let log: LogID
        let arbiter: DID
        let takeoverLog: LogID
        let participants: [DID]

        init(
            _ key: ContractKey, _ template: Template, _ entry: Entry, _ proposal: Proposal,
            _ terms: Terms, log: LogID, arbiter: DID
        ) {
            self.key = key
            self.template = template
            self.entry = entry
            self.proposal = proposal
            self.terms = terms
            self.log = log
            self.arbiter = arbiter
            takeoverLog = .contract(proposal.contract, author: arbiter, epoch: 1)
            participants = proposal.participants
        }
    }

    public var key: ContractKey { _read { yield basis.key } }
    public var template: Template { _read { yield basis.template } }
    public var proposalEntry: Entry { _read { yield basis.entry } }
    public var proposal: Proposal { _read { yield basis.proposal } }
    public var terms: Terms { _read { yield basis.terms } }
    /// Every identity that had to accept, sorted.
    public var participants: [DID] { basis.participants }
    public var log: LogID { basis.log }
    public var arbiter: DID { basis.arbiter }
    /// The arbiter's log of this contract, should it take over.
    public var takeoverLog: LogID { basis.takeoverLog }

    /// One step as lists show it. An object, for a list of them is copied with every step.
    public final class StepOutline: Equatable, Sendable {
        /// Counted through the whole contract, whoever wrote it.
        public let sequence: Int64
        public let id: EntryID
        /// The log that holds it, and its sequence there.
        public let log: LogID
        public let logSequence: Int64
        /// When what it admits counts as done: with witnesses by their receipts, else by its own word.
        public let time: Instant
        public let act: SignedAct
        /// Who asked: the request's author, else the sequencer.
        public let actor: DID
        public let request: EntryID?
        /// Why it had no effect; `nil` if it had.
        public let void: FoldRefusal?
        public let changed: [Int64]
        public let marks: [Mark]

        init(
            sequence: Int64, id: EntryID, log: LogID, logSequence: Int64, time: Instant,
            act: SignedAct, actor: DID, request: EntryID?, void: FoldRefusal?, changed: [Int64],
            marks: [Mark] = []
        ) {
            self.sequence = sequence
            self.id = id
            self.log = log
            self.logSequence = logSequence
            self.time = time
            self.act = act
            self.actor = actor
            self.request = request
            self.void = void
            self.changed = changed
            self.marks = marks
        }

        public static func == (left: StepOutline, right: StepOutline) -> Bool {
            left.sequence == right.sequence && left.id == right.id && left.log == right.log
                && left.logSequence == right.logSequence && left.time == right.time
                && left.act == right.act && left.actor == right.actor
                && left.request == right.request && left.void == right.void
                && left.changed == right.changed && left.marks == right.marks
        }
    }

    /// Units locked for this contract on one line.
    public struct HeldGrant: Hashable, Sendable {
        public let line: LogID
        public let grant: EntryID
        public let issuer: DID
        public let holder: DID
        public let releaseKey: PublicKey
        /// When all of them fall free; `nil` where they came by a split, which does not say.
        public internal(set) var until: Instant?
        /// Units released under the holder's signature so far, as the steps of this contract tell.
        public internal(set) var released: Int64 = 0
    }

    /// The fold went no further.
    public enum Halt: Hashable, Sendable {
        /// An entry of a kind, or with a body, that a newer program wrote.
        case newer(sequence: Int64)
        case bodyMissing(sequence: Int64)
        case unreadable(sequence: Int64, EntryRefusal)
        case forked(sequence: Int64)
        /// The key log of someone who signed has not come yet.
        case keyUnknown(sequence: Int64, DID)
    }

    /// Everything of a step that its admission depends on.
    public struct Candidate: Sendable {
        public var time: Instant
        public var act: SignedAct?
        public var request: Entry?
        public var consents: [Entry]
        public var lines: [Entry]
        /// Of witnesses: receipts of what stands here, and closings where this is a default.
        public var receipts: [Entry]
        /// Key entries that it brings in. They count for what a default passes over, and else from the next
        /// step on.
        public var keys: [Entry]

        public init(
            time: Instant, act: SignedAct?, request: Entry?, consents: [Entry] = [],
            lines: [Entry] = [], receipts: [Entry] = [], keys: [Entry] = []
        ) {
            self.time = time
            self.act = act
            self.request = request
            self.consents = consents
            self.lines = lines
            self.receipts = receipts
            self.keys = keys
        }
    }

    /// An admissible candidate: what it does and the state that results.
    public struct Admission: Sendable {
        public let act: SignedAct
        public let actor: DID
        public let time: Instant
        public let outcome: Outcome
        public let state: ContractState
        public let grants: [HeldGrant]
        public let usedLines: Set<EntryID>
        public let digest: Hash32

        /// The records that changed, as the step states them.
        public var changes: [Step.RecordChange] {
            outcome.touched.compactMap { number in
                state.record(number).map {
                    Step.RecordChange(
                        record: number, state: $0.state,
                        fields: [Argument](
                            Dictionary(
                                $0.fields.map { ($0.name, $0.value) },
                                uniquingKeysWith: { first, _ in first })))
                }
            }
        }
    }

    /// Refused unless the proposal is whole: the key is the contract's, the template the named one, and
    /// its terms hold.
    public init(proposal entry: Entry, key: ContractKey, template: Template)
        throws(FoldRefusal)
    {
        let proposal: Proposal
        do { proposal = try entry.read(Proposal.self) } catch { throw .entry(error) }
        guard proposal.contract == key.contract, entry.header.topic == key.topic else {
            throw .contractKeyWrong
        }
        guard proposal.template == template.hash else { throw .templateWrong(proposal.template) }
        let log = LogID.contract(proposal.contract, author: proposal.sequencer)
        guard entry.header.statement?.about == log else { throw .notAboutThisContract }
        guard proposal.acceptBy <= proposal.grantBy else { throw .deadlinesCrossed }
        guard proposal.participants.contains(entry.header.author) else {
            throw .notNamed(entry.header.author)
        }
        let terms = Terms(proposal, id: entry.id)
        do { state = try ContractState(template: template, terms: terms) } catch {
            throw .contract(error)
        }
        basis = Basis(
            key, template, entry, proposal, terms, log: log,
            arbiter: state.identity(template.arbiterRole) ?? proposal.sequencer)
        try checkWitnesses()
    }

    public var head: (sequence: Int64, id: EntryID?) { (Int64(steps.count), steps.last?.id) }
    public var isSequenced: Bool { steps.first.map { $0.void == nil } ?? false }

    /// They are counted from 1, without a gap.
    public func step(_ sequence: Int64) -> StepOutline? {
        guard sequence > 0, sequence <= Int64(steps.count) else { return nil }
        return steps[Int(sequence) - 1]
    }

    public static let opening = "open"
}

/// Looks up the key that a key entry brought in; `nil` where it is not known here. What a key log took is of
/// prime order, so nobody who asks looks again.
public typealias KeyLookup = @Sendable (DID, EntryID) -> PublicKey?

extension Fold {
    /// Whether `candidate`, written as the log's next step, would have effect.
    public func decide(_ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker)
        throws(FoldRefusal) -> Admission
    {
        guard settled == nil else { throw .contract(.ended) }
        let sequence = head.sequence + 1
        guard sequence > 1 else {
            return try decideOpening(candidate, keys: keys, checker: checker)
        }
        let (act, actor, time) = try asked(candidate, keys: keys, checker: checker)
        // Whoever writes steps is not silent.
        guard Act(act).without == nil else { throw .contract(.notWithout(sequencer)) }
        var candidate = candidate
        candidate.time = time
        let consents = try consentsTo(candidate, act, keys: keys, checker: checker)
        let late = try lateness(of: act, candidate, keys: keys, checker: checker)
        let outcome: Outcome
        do {
            outcome = try state.decide(
                Act(act), by: actor, consents: consents, at: candidate.time, sequence: sequence,
                late: late)
        } catch {
            throw .contract(error)
        }
        try checkBooks(outcome)
        if state.defaultAct(act.record)?.transition == act.transition {
            try checkClock(of: act.record, candidate, keys: keys, checker: checker)
        }
        let (grants, used) = try checkLines(
            outcome.lines, act, candidate.lines, keys: keys, checker: checker)
        if let child = outcome.child {
            guard let proposed = act.child else { throw .childMissing }
            for did in Set(child.roles.values.joined()).sorted() where did != actor {
                guard
                    try acceptance(
                        of: proposed, by: did, in: candidate.consents, at: candidate.time,
                        keys: keys, checker: checker) != nil
                else { throw .childNotAccepted(proposed, by: did) }
            }
        }
        return admission(act, actor, time, outcome, grants, used)
    }

    /// Folds the next entry of the log, whatever it holds.
    public mutating func fold(_ entry: Entry, keys: KeyLookup, checker: SignatureChecker)
        -> [TransferEvent]
    {
        if entry.kind == .settlement {
            take(settlement: entry, keys: keys, checker: checker)
            return []
        }
        guard let place = entry.header.log else { return [] }
        guard settled == nil || isBeforeSteps(entry, place) else {
            weigh(entry, keys: keys, checker: checker)
            return []
        }
        // Even where the sequencer's log goes no further: that is what a takeover is for.
        if isBeforeSteps(entry, place) {
            take(entry, keys: keys, checker: checker)
            return []
        }
        guard halt == nil, place.log == writingLog, place.sequence == nextLogSequence else {
            return []
        }
        if isOfOtherBranch(entry, place) { return [] }
        if entry.kind == .continue { return goOn(entry, place) }
        guard entry.kind == .step else {
            halt = .newer(sequence: place.sequence)
            return []
        }
        let step: Step
        do { step = try open(entry) } catch {
            switch error {
            case .bodyMissing: halt = .bodyMissing(sequence: place.sequence)
            default: halt = .unreadable(sequence: place.sequence, error)
            }
            return []
        }
        let candidate = Candidate(
            time: entry.header.time, act: step.act, request: step.request,
            consents: step.consents, lines: step.lines, receipts: step.receipts, keys: step.keys)
        do {
            guard (step.proposal?.id == proposalEntry.id) == (head.sequence == 0) else {
                throw FoldRefusal.proposalMisplaced
            }
            guard step.epoch == epoch, isWitnessed || step.receipts.isEmpty else {
                // Whether it has effect, only a newer program can say.
                halt = .newer(sequence: place.sequence)
                return []
            }
            let admission = try decide(candidate, keys: keys, checker: checker)
            guard admission.digest == step.digest || planted(.digestIgnored),
                admission.changes == step.records
            else {
                throw FoldRefusal.digestWrong(stated: step.digest, computed: admission.digest)
            }
            try checkEmbedded(step.keys, keys: keys, checker: checker)
            let words = try words(in: step, keys: keys, checker: checker)
            apply(admission, of: step, entry: entry, words)
            return admission.outcome.transfers
        } catch {
            let refusal = (error as? FoldRefusal) ?? .notAboutThisContract
            // No verdict yet: the order in which logs arrive must not decide what stands.
            if case .keyUnknown(let did) = refusal {
                halt = .keyUnknown(sequence: place.sequence, did)
                return []
            }
            steps.append(
                StepOutline(
                    sequence: head.sequence + 1, id: entry.id, log: place.log,
                    logSequence: place.sequence, time: entry.header.time,
                    act: step.act ?? Self.unread,
                    actor: step.request?.header.author ?? entry.header.author,
                    request: step.request?.id, void: refusal, changed: []))
            beginEpochIfReached()
            return []
        }
    }

    /// Takes a decided step that was signed as `entry`.
    public mutating func apply(
        _ admission: Admission, of step: Step, entry: Entry, _ words: Set<Word>
    ) {
        embed(step.keys)
        rely(on: step, words)
        let marks = state.marks(
            Act(admission.act), by: admission.actor, at: admission.time, admission.outcome)
        state = admission.state
        grants = admission.grants
        usedLines = admission.usedLines
        steps.append(
            StepOutline(
                sequence: head.sequence + 1, id: entry.id, log: writingLog,
                logSequence: nextLogSequence, time: admission.time,
                act: admission.act, actor: admission.actor, request: step.request?.id, void: nil,
                changed: admission.outcome.touched, marks: marks))
        beginEpochIfReached()
    }

    /// Keys came in: the entry that waited for one may be folded again.
    public mutating func resume() {
        if case .keyUnknown = halt { halt = nil }
        keysCame()
        awaitingKey = []
    }

    mutating func awaitKey(_ entry: Entry) {
        if !awaitingKey.contains(where: { $0.id == entry.id }) { awaitingKey.append(entry) }
    }

    /// The fork's effect on state: the fold ends below it.
    public mutating func stop(forkedAt sequence: Int64) {
        guard takeover?.isInForce != true, settled == nil else { return }
        halt = .forked(sequence: sequence)
    }

    /// The step inside an entry of this contract's log.
    public func open(_ entry: Entry) throws(EntryRefusal) -> Step {
        try Step(strict: plaintext(entry))
    }

    func plaintext(_ entry: Entry) throws(EntryRefusal) -> [UInt8] {
        guard let place = entry.header.log, let body = entry.body else { throw .bodyMissing }
        return try PrivateBody.open(
            body, key: key.bodyKey(log: place.log, sequence: place.sequence),
            author: entry.header.author, place: place)
    }

    private static let unread = SignedAct(transition: "unread", record: 0, arguments: [])
}

// MARK: - Step 1

extension Fold {
    private func decideOpening(
        _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) -> Admission {
        guard let act = candidate.act, act.transition == Self.opening, act.record == 0 else {
            throw .openingMissing
        }
        guard candidate.time <= proposal.grantBy || planted(.openedLate) else {
            throw .late(deadline: proposal.grantBy, time: candidate.time)
        }
        try check(proposalEntry, keys: keys, checker: checker)
        var releaseKeys: [DID: PublicKey] = [:]
        releaseKeys[proposalEntry.header.author] = proposal.releaseKey
        for participant in participants where participant != proposalEntry.header.author {
            guard
                let acceptance = try acceptance(
                    of: proposalEntry.id, by: participant, in: candidate.consents,
                    at: candidate.time, keys: keys, checker: checker)
            else {
                if planted(.consentSkipped) { continue }
                throw .notAccepted(by: participant)
            }
            let time = try timeOf(
                acceptance.entry, in: candidate.receipts, keys: keys, checker: checker)
            guard time <= proposal.acceptBy || planted(.acceptedLate) else {
                throw .late(deadline: proposal.acceptBy, time: time)
            }
            releaseKeys[participant] = acceptance.body.releaseKey
        }
        try checkWitnessAcceptances(candidate, keys: keys, checker: checker)
        if proposal.parent != nil {
            try checkParentRequest(candidate, keys: keys, checker: checker)
        }
        let outcome: Outcome
        do { outcome = try state.opening(at: candidate.time, sequence: 1) } catch {
            throw .contract(error)
        }
        try checkBooks(outcome)
        var held: [HeldGrant] = []
        guard state.grants.count == template.lines.count else { throw .lineMissing(.grant) }
        for need in state.grants {
            held.append(
                try checkGrant(need, releaseKeys, candidate.lines, keys: keys, checker: checker))
        }
        return admission(
            act, proposal.sequencer, candidate.time, outcome, held, Set(held.map(\.grant)))
    }

    /// The grant, or the split that a child starts from, that one line rule needs.
    private func checkGrant(
        _ need: LineNeed, _ releaseKeys: [DID: PublicKey], _ lines: [Entry], keys: KeyLookup,
        checker: SignatureChecker
    ) throws(FoldRefusal) -> HeldGrant {
        guard proposal.lines.indices.contains(need.line) else { throw .lineMissing(need.kind) }
        let line = LogID.line(author: need.issuer, proposal.lines[need.line])
        guard let releaseKey = releaseKeys[need.holder] else {
            throw .releaseKeyMissing(need.holder)
        }
        let tag = Hash32.grantTag(contractKey: key.bytes, line: line, releaseKey: releaseKey)
        for entry in lines
        where try stands(
            entry, in: line, of: need.issuer, among: lines, keys: keys, checker: checker)
        {
            let fits: Bool
            var until: Instant?
            if let parent = proposal.parent, let split = try? entry.read(Split.self) {
                fits =
                    split.grant == parent.grant && split.units == need.units
                    && split.units == parent.units
                    && split.releaseKey == releaseKey && split.tag == tag
            } else if proposal.parent == nil, let grant = try? entry.read(Grant.self) {
                fits =
                    grant.units == need.units && grant.releaseKey == releaseKey
                    && grant.tag == tag && grant.until >= (need.until ?? .earliest)
                until = grant.until
            } else {
                fits = false
            }
            guard fits else { continue }
            try check(entry, keys: keys, checker: checker)
            return HeldGrant(
                line: line, grant: entry.id, issuer: need.issuer, holder: need.holder,
                releaseKey: releaseKey, until: until)
        }
        throw .lineMissing(need.kind)
    }

    /// A child starts on the parent holder's signed transfer request naming exactly this proposal.
    private func checkParentRequest(
        _ candidate: Candidate, keys: KeyLookup, checker: SignatureChecker
    ) throws(FoldRefusal) {
        guard let parent = proposal.parent else { return }
        let parentLog = LogID.contract(parent.contract, author: proposal.sequencer)
        for entry in candidate.consents where entry.kind == .request {
            guard let request = try? entry.read(Request.self),
                request.act.child == proposalEntry.id,
                entry.header.statement?.about == parentLog,
                entry.header.author == proposalEntry.header.author
            else { continue }
            try check(entry, keys: keys, checker: checker)
            return
        }
        throw .parentRequestMissing
    }
}

extension Terms {
    init(_ proposal: Proposal, id: EntryID) {
        var roles: [String: [DID]] = [:]
        for holders in proposal.roles { roles[holders.role] = holders.identities }
        self.init(
            contract: proposal.contract, proposal: id, parameters: proposal.arguments.byName,
            roles: roles, sequencer: proposal.sequencer, currency: proposal.currency,
            lines: proposal.lines, acceptBy: proposal.acceptBy, grantBy: proposal.grantBy,
            witnesses: proposal.witnesses.identities.count, isChild: proposal.parent != nil)
    }
}

extension Act {
    /// The act inside a request or a step, its arguments by name.
    public init(_ signed: SignedAct) {
        self.init(
            transition: signed.transition, record: signed.record,
            arguments: signed.arguments.byName)
    }
}

extension Template {
    /// What may differ between a contract and the child that a transfer opens.
    public var childVaries: (roles: Set<String>, parameters: Set<String>) {
        var roles = Set(self.roles.filter(\.onlyChild).map(\.name))
        var parameters = Set(self.parameters.filter(\.onlyChild).map(\.name))
        for transition in transitions {
            guard let child = transition.child else { continue }
            roles.formUnion(child.roles.keys)
            parameters.formUnion(child.parameters.keys)
        }
        return (roles, parameters)
    }
}

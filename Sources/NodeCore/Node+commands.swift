internal import HashTreeCollections
public import Capacity
public import Contracts
public import Entries
public import Identity
internal import Logs
internal import Market

// What the owner can ask for. Each either signs and keeps what it says, or refuses and changes nothing.
// The shell runs a dry run by calling the same on a copy.

extension Node {
    func checkMaySign() throws(NodeRefusal) {
        if let readOnly, !planted(.readOnlySigns) { throw .readOnly(readOnly) }
        try checkClock()
    }

    func checkClock() throws(NodeRefusal) {
        let skews = connections.values.compactMap(\.skew)
        let off = skews.filter { $0.magnitude > futureSkewMilliseconds.magnitude }
        if skews.count >= 3, off.count * 2 > skews.count {
            let middle = off.sorted()[off.count / 2]
            throw .clockOff(peers: off.count, milliseconds: middle)
        }
    }

    /// Most of those who are here say that our clock is right, and somebody is: what is over by it can go.
    var isTimeKnown: Bool {
        let skews = connections.values.compactMap(\.skew)
        let near = skews.count { $0.magnitude <= futureSkewMilliseconds.magnitude }
        return near * 2 > skews.count
    }

    /// A clock that jumped is compared anew: until then nobody has said anything about it.
    mutating func noteJump() {
        defer { ticked = now }
        let near =
            ticked.advanced(
                by: -futureSkewMilliseconds)...ticked.advanced(
                by: futureSkewMilliseconds)
        guard ticked > .earliest, !near.contains(now) else { return }
        for id in connections.keys { connections[id]?.skew = nil }
    }

    /// What this node does by itself it signs as well.
    var maySign: Bool {
        do { try checkMaySign() } catch { return false }
        return true
    }

    // MARK: - Lines

    /// Opens the line if it is not open and declares its total.
    @discardableResult
    public mutating func declare(
        _ terms: LineTerms, total: Int64, source: LogID? = nil, in alliance: TopicID? = nil
    ) throws(NodeRefusal) -> LogID {
        try checkMaySign()
        let log = LogID.line(author: own.did, terms)
        let opened = book[own.did]?.opening(of: log)?.alliance
        if let opened, let alliance, opened != alliance {
            throw .lineElsewhere(log, alliance: opened)
        }
        let topic = opened ?? alliance ?? self.alliance.topic
        if lines[log] == nil {
            if let source {
                guard let origin = lines[source], origin.terms.overlaps(terms) else {
                    throw .sourceWrong(source)
                }
            }
            if let clash = book[own.did]?.clash(of: terms, source: source) {
                throw .lineClash(with: clash)
            }
            try speak(LineOpening(terms: terms, source: source), in: topic)
            // Opened again after a cut of the public log: its own log says the rest.
            if lines[log]?.line.total == total { return log }
        }
        try appendLine(log) { _ in Declare(total: total, remaining: total) }
        return log
    }

    public mutating func adjust(_ log: LogID, total: Int64, reason: String) throws(NodeRefusal) {
        try checkMaySign()
        let line = try ownLine(log)
        let remaining: Int64
        do {
            remaining = try line.line.decide(.adjust(total: total), at: now)
        } catch {
            throw .capacity(field: "total", error)
        }
        try appendLine(log) { _ in Adjust(total: total, remaining: remaining, reason: reason) }
    }

    private func ownLine(_ log: LogID) throws(NodeRefusal) -> LineLog {
        guard let line = lines[log] else { throw .lineUnknown(log.short) }
        guard line.issuer == own.did else { throw .notYourLine(log) }
        return line
    }

    // MARK: - Offers

    @discardableResult
    public mutating func publish(_ offer: Offer, in alliance: TopicID? = nil) throws(NodeRefusal)
        -> EntryID
    {
        try checkMaySign()
        var topic = alliance
        guard templates[offer.template] != nil else {
            throw .templateUnknown(offer.template.short)
        }
        if let log = offer.line {
            guard let line = lines[log] else { throw .lineUnknown(log.short) }
            guard line.issuer == own.did else { throw .notYourLine(log) }
            // Whoever reads the offer has to see the line.
            if let opened = book[own.did]?.opening(of: log)?.alliance {
                guard topic ?? opened == opened else { throw .lineElsewhere(log, alliance: opened) }
                topic = opened
            }
        }
        return try speak(offer, in: topic ?? self.alliance.topic).id
    }

    @discardableResult
    public mutating func publish(_ wish: Wish, in alliance: TopicID? = nil) throws(NodeRefusal)
        -> EntryID
    {
        try checkMaySign()
        return try speak(wish, in: alliance ?? self.alliance.topic).id
    }

    /// What others read of us from now on, in every alliance that we speak in.
    public mutating func publish(_ profile: Profile) throws(NodeRefusal) {
        try checkMaySign()
        for alliance in alliances {
            if case .expelled = memberships[alliance.topic]?.standing(of: own.did) { continue }
            try speak(profile, in: alliance.topic)
        }
    }

    /// An offer or a wish.
    public mutating func withdraw(_ offer: EntryID) throws(NodeRefusal) {
        try checkMaySign()
        let standing =
            book.offer(offer).map { ($0.author, $0.alliance) }
            ?? book.wish(offer).map { ($0.author, $0.alliance) }
        guard let (author, alliance) = standing else { throw .offerUnknown(offer) }
        guard author == own.did else { throw .notYourOffer(offer) }
        try speak(Withdrawal(offer: offer), in: alliance)
    }

    // MARK: - Contracts

    /// Everything of a proposal but what the node draws itself.
    public struct ProposalDraft: Sendable {
        public var template: Hash32
        public var currency: Currency
        public var arguments: [String: Value]
        public var roles: [String: [DID]]
        public var lines: [LineTerms]
        public var acceptBy: Instant
        public var grantBy: Instant
        public var witnesses: Proposal.Witnesses
        public var parent: Proposal.Parent?
        /// Although someone named is known to have signed two histories.
        public var insists = false

        public init(
            template: Hash32, currency: Currency, arguments: [String: Value],
            roles: [String: [DID]], lines: [LineTerms], acceptBy: Instant, grantBy: Instant,
            witnesses: Proposal.Witnesses = .none, parent: Proposal.Parent? = nil
        ) {
            self.template = template
            self.currency = currency
            self.arguments = arguments
            self.roles = roles
            self.lines = lines
            self.acceptBy = acceptBy
            self.grantBy = grantBy
            self.witnesses = witnesses
            self.parent = parent
        }
    }

    @discardableResult
    public mutating func propose(_ draft: ProposalDraft) throws(NodeRefusal) -> ContractID {
        try checkMaySign()
        guard let template = templates[draft.template] else {
            throw .templateUnknown(draft.template.short)
        }
        guard let sequencer = draft.roles[template.sequencerRole]?.first else {
            throw .roleMissing(template.sequencerRole)
        }
        guard let key = ContractKey(dice.roll().bytes) else {
            throw .templateUnknown(draft.template.short)
        }
        let roles = draft.roles.map { Proposal.RoleHolders(role: $0.key, identities: $0.value) }
            .sorted { $0.role.utf8.lexicographicallyPrecedes($1.role.utf8) }
        var proposal = Proposal(
            salt: dice.roll(), contract: key.contract, template: draft.template,
            currency: draft.currency, arguments: [Argument](draft.arguments), roles: roles,
            sequencer: sequencer, witnesses: draft.witnesses, lines: draft.lines,
            acceptBy: draft.acceptBy,
            grantBy: draft.grantBy, releaseKey: own.releaseKey(key.contract).publicKey,
            parent: draft.parent)
        if draft.witnesses != .none {
            do {
                proposal.witnessTermsHash =
                    try Fold.witnessTerms(of: proposal, template: template).hash
            } catch {
                throw .contract(error)
            }
        }
        // Our own node is the first that has to be able to read and believe it.
        let entry = try sign(
            proposal, topic: key.topic,
            place: .init(
                expires: draft.grantBy,
                about: .contract(key.contract, author: sequencer)))
        let fold: Fold
        do {
            fold = try Fold(proposal: entry.entry, key: key, template: template)
        } catch {
            if case .contract(let refusal) = error { throw .contract(refusal) }
            throw .fold(error)
        }
        try checkExposure(to: proposal.participants, insists: draft.insists)
        if draft.parent == nil {
            for need in fold.state.grants {
                try checkRoom(need, draft.lines)
                let log = LogID.line(author: need.issuer, draft.lines[need.line])
                guard alliances.count > 1, let topic = openedIn(log, of: need.issuer),
                    !takesPart(sequencer, in: topic)
                else { continue }
                throw .sequencerOutside(sequencer, topic)
            }
        }
        let recipients = (proposal.participants + draft.witnesses.identities).filter {
            $0 != own.did
        }
        for did in recipients where keyLogs.inForce(did) == nil { throw .keyOfPeerUnknown(did) }
        changes.append(.contractKey(key.contract, key.bytes))
        changes.append(.statement(entry, contract: key.contract))
        statementsSeen.insert(entry.id)
        keep(entry.entry, contract: key.contract, key: key)
        for did in recipients { send(entry.entry, to: did, contractKey: key.bytes) }
        added(topic: key.topic)
        advance(key.contract)
        return key.contract
    }

    /// What its issuer's line could not grant is not proposed at all.
    private func checkRoom(_ need: LineNeed, _ terms: [LineTerms]) throws(NodeRefusal) {
        guard terms.indices.contains(need.line) else { throw .lineUnknown("\(need.line)") }
        let log = LogID.line(author: need.issuer, terms[need.line])
        guard let line = lines[log] else { throw .lineUnknown(terms[need.line].resource.path) }
        guard line.isOpen, forkedAt[current(log)] == nil else {
            throw .lineForked(log)
        }
        if need.issuer == own.did { _ = try title(for: need.units, on: log) }
        guard need.units <= line.line.remaining else {
            throw .capacity(
                field: "units",
                .lineExceeded(remaining: line.line.remaining, requested: need.units))
        }
    }

    /// Accepts a proposal, or consents to a request that waits for it.
    /// `insists`: although someone named is known to have signed two histories.
    public mutating func accept(
        _ contract: ContractID, request: EntryID? = nil, insists: Bool = false
    ) throws(NodeRefusal) {
        try checkMaySign()
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard let request else {
            guard held.declined == nil, held.fold?.isSequenced != true else {
                throw .contractOver(contract)
            }
            // Under a key that was replaced nobody may have taken it.
            let isSaid =
                held.acceptances[own.did].map { !isOutOfForce($0) } ?? held.hasAccepted(own.did)
            guard !isSaid else { throw .alreadyAccepted }
            try checkExposure(to: held.participants, insists: insists)
            guard let fold = held.fold else {
                if let refusal = held.foldRefusal { throw .fold(refusal) }
                throw .templateUnknown(held.proposal.template.short)
            }
            if held.proposal.parent == nil {
                for need in fold.state.grants where need.issuer == own.did {
                    try checkRoom(need, held.proposal.lines)
                }
            }
            try accept(held, now: now)
            return advance(contract)
        }
        guard let pending = held.requests[request] else { throw .nothingToAccept(request) }
        let (without, isSettlement) = (Act(pending.act).without, Act(pending.act).isSettlement)
        if without != nil { try checkSettles(pending.act, by: pending.entry.header.author, held) }
        let acceptance = Acceptance(salt: dice.roll(), statement: request, releaseKey: nil)
        // An issuer writes its line's entry only once everyone consented, whoever sequences. To an end
        // everyone consents, and anyone may have to write it.
        let readers =
            isSettlement
            ? held.participants
            : [held.sequencer, pending.entry.header.author]
                + (held.fold?.grants.map(\.issuer) ?? [])
        let entry = try say(
            acceptance, about: held,
            to: without == nil ? Set(readers).sorted() : settlers(of: held),
            expires: pending.entry.header.statement?.expires ?? now)
        contracts[contract]?.requests[request]?.consents.append(entry)
        advance(contract)
    }

    mutating func accept(_ held: HeldContract, now: Instant) throws(NodeRefusal) {
        guard now <= held.proposal.acceptBy || planted(.acceptedLate) else {
            throw .acceptanceLate(deadline: held.proposal.acceptBy)
        }
        let acceptance = Acceptance(
            salt: dice.roll(), statement: held.proposalEntry.id,
            releaseKey: own.releaseKey(held.id).publicKey)
        let entry = try say(
            acceptance, about: held, to: held.participants + held.witnesses,
            expires: held.proposal.grantBy)
        contracts[held.id]?.acceptances[own.did] = entry
    }

    /// A signed no: to a proposal of another's (declined) or of one's own (cancelled).
    public mutating func decline(_ contract: ContractID, text: String = "") throws(NodeRefusal) {
        try checkMaySign()
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard held.declined == nil, held.fold?.isSequenced != true else {
            throw .contractOver(contract)
        }
        let mine = held.proposalEntry.header.author == own.did
        let code = mine ? Refusal.Code.cancelled : .declined
        settle(held.proposalEntry.id)
        let entry = try say(
            Refusal(
                salt: dice.roll(), statement: held.proposalEntry.id, code: code, text: text),
            about: held, to: held.participants,
            expires: now.advanced(by: statementLifeMilliseconds))
        contracts[contract]?.declined = (own.did, code, text, entry)
    }

    /// What came of asking for a step.
    public enum Asked: Hashable, Sendable {
        /// Written by this node, which sequences.
        case sequenced(step: Int64)
        /// Sent; the sequencer's step will answer.
        case requested(EntryID)
        /// A child was proposed; its acceptances will trigger the request.
        case transferProposed(ContractID)
    }

    /// Asks for one step, or takes it where this node sequences. `act.record` must name the record.
    public mutating func act(_ act: Act, in contract: ContractID) throws(NodeRefusal) -> Asked {
        try checkMaySign()
        guard let held = contracts[contract] else { throw .contractUnknown(contract.short) }
        guard let fold = held.fold, fold.isSequenced else {
            throw .contractNotSequenced(contract)
        }
        guard held.mayBeAsked else { throw .contractHalted(contract) }
        guard fold.state.record(act.record) != nil else { throw .recordUnknown(act.record) }
        let needed = fold.state.consentsNeeded(for: act).subtracting([own.did])
        var signed = SignedAct(
            transition: act.transition, record: act.record,
            arguments: [Argument](act.arguments))
        // What needs nobody else is decided once, by the step itself; what that refuses is looked into.
        let isAlone = held.sequencer == own.did && needed.isEmpty && !held.isWitnessed
        let known = acknowledgements(for: signed, held)
        if isAlone, fold.epoch == 0,
            (try? writeStep(in: contract, act: signed, request: nil, consents: known, lines: []))
                != nil
        {
            return .sequenced(step: fold.head.sequence + 1)
        }
        let outcome: Outcome
        do {
            // The own node refuses first, with the numbers; others' consent is taken as given here.
            outcome = try fold.state.decide(
                act, by: own.did, consents: needed, at: now, sequence: fold.head.sequence + 1,
                late: lateness(of: act.record, in: contract))
        } catch {
            throw .contract(error)
        }
        if let same = waitsAlready(act, opensChild: outcome.child != nil, held, fold) {
            throw .alreadyAsked(same)
        }
        if let child = outcome.child {
            return .transferProposed(try proposeChild(child, signed, held, fold))
        }
        if let need = outcome.lines.first(where: { $0.kind == .release && $0.units > 0 }),
            need.holder == own.did, fold.grants.indices.contains(need.line)
        {
            let grant = fold.grants[need.line]
            signed.holderSignature = own.releaseKey(contract).sign(
                HolderMessage.release(
                    line: grant.line, grant: grant.grant, units: need.units,
                    runningTotal: grant.released + need.units))
        }
        guard isAlone, outcome.lines.allSatisfy({ $0.units == 0 }) else {
            acknowledgeClock(of: signed, in: contract)
            return .requested(try request(signed, in: contract))
        }
        try writeStep(in: contract, act: signed, request: nil, consents: known, lines: [])
        return .sequenced(step: contracts[contract]?.fold?.head.sequence ?? 0)
    }

    /// What we asked for alike and still waits, where no version of a record keeps the second from counting as
    /// well: a claim given up, units passed on. Whoever heard nothing and asks once more would do it twice.
    private func waitsAlready(
        _ act: Act, opensChild: Bool, _ held: HeldContract, _ fold: Fold
    ) -> EntryID? {
        guard opensChild || (!act.isSettlement && fold.state.touched(by: act).isEmpty) else {
            return nil
        }
        let asked = held.requests.values.filter {
            $0.entry.header.author == own.did && Act($0.act) == act
                && now <= $0.entry.header.statement?.expires ?? .earliest
        }
        let proposed = transfers.filter { child, transfer in
            guard transfer.parent == held.id, Act(transfer.act) == act,
                let proposed = contract(proposed: child, by: held.id)
            else { return false }
            return proposed.declined == nil && now <= proposed.proposal.acceptBy
        }
        return asked.map(\.entry.id).min() ?? proposed.keys.min()
    }

    /// Signs a request and sends it to whoever has to act on it.
    @discardableResult
    mutating func request(_ act: SignedAct, in contract: ContractID) throws(NodeRefusal)
        -> EntryID
    {
        guard let held = contracts[contract], let fold = held.fold else {
            throw .contractUnknown(contract.short)
        }
        let plain = Act(act)
        let versions = fold.state.touched(by: plain).sorted().map {
            RecordVersion(record: $0, version: fold.state.record($0)?.version ?? 0)
        }.filter { $0.version > 0 }
        let consenters = fold.state.consentsNeeded(for: plain).sorted()
        let issuers = fold.grants.map(\.issuer)
        // With witnesses all hold it: whoever asks for a default, or takes over, has to show it.
        let recipients =
            held.isWitnessed
            ? held.participants + held.witnesses
            : Set([held.sequencer] + consenters + issuers).sorted()
        let body = Request(salt: dice.roll(), act: act)
        let sealed = held.isWitnessed && act.child == nil
        let bytes: [UInt8]
        do {
            let nonce = Array(dice.roll().bytes.prefix(24))
            bytes =
                sealed
                ? try held.key.seal(body, author: own.did, log: held.log, nonce: nonce)
                : body.wire
        } catch {
            throw .entry(error)
        }
        let entry = try say(
            .request, bytes, about: held, to: recipients,
            expires: now.advanced(by: statementLifeMilliseconds), basis: fold.head.id,
            versions: versions)
        contracts[contract]?.requests[entry.id] = .init(entry: entry, act: act)
        if held.isWitnessed { contracts[contract]?.requestsSeen[entry.id] = entry }
        advance(contract)
        return entry.id
    }

    private mutating func proposeChild(
        _ need: ChildNeed, _ act: SignedAct, _ held: HeldContract, _ fold: Fold
    ) throws(NodeRefusal) -> ContractID {
        guard let grant = fold.grants.first(where: { $0.holder == own.did }) else {
            throw .contractNotSequenced(held.id)
        }
        let answerBy = now.advanced(by: childAnswerMilliseconds)
        // What the parent left to the template's defaults, the child leaves to them too: the issuer
        // compares the two word by word.
        let said = Set(held.proposal.arguments.map(\.name))
            .union(fold.template.childVaries.parameters)
        let child = try propose(
            ProposalDraft(
                template: held.proposal.template, currency: held.proposal.currency,
                arguments: need.parameters.filter { said.contains($0.key) }, roles: need.roles,
                lines: held.proposal.lines,
                acceptBy: answerBy, grantBy: answerBy, witnesses: held.proposal.witnesses,
                parent: .init(contract: held.id, grant: grant.grant, units: need.units)))
        guard let proposal = contracts[child]?.proposalEntry.id else {
            throw .contractUnknown(child.short)
        }
        transfers[proposal] = PendingTransfer(parent: held.id, act: act)
        changes.append(.transfer(child: proposal, parent: held.id, act: act))
        advance(child)
        return child
    }

    // MARK: - People

    public mutating func name(_ did: DID, _ name: String?) {
        petnames[did] = name
        changes.append(.petname(did, name))
    }

    public mutating func addPeer(_ address: PeerAddress) {
        guard !peers.contains(address) else { return }
        peers.append(address)
        changes.append(.peer(address, added: true))
    }

    public mutating func removePeer(_ address: PeerAddress) {
        guard let index = peers.firstIndex(of: address) else { return }
        peers.remove(at: index)
        changes.append(.peer(address, added: false))
    }

    /// What the profile suggests, as it may stand beside other words.
    public func profileName(_ did: DID) -> String? {
        // What stands behind it in brackets is ours alone to write.
        let own = (book[did]?.profile?.name ?? "").unicodeScalars.prefix { $0 != "…" }
        var name = String(String.UnicodeScalarView(own))
        while name.last == "(" || name.last == " " { name.removeLast() }
        let shown = name.legible
        return shown.isEmpty ? nil : shown
    }

    /// The petname, else what the profile suggests with the short did, else the short did.
    public func displayName(_ did: DID) -> String {
        if let petname = petnames[did] { return petname }
        guard let name = profileName(did) else { return did.shortDID }
        return "\(name) (\(did.shortDID))"
    }
}

/// How long the newcomer, the issuer and third parties have to accept a transfer: a day.
let childAnswerMilliseconds: Int64 = 86_400_000

internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Logs
internal import NodeCore

// Witnesses, the arbiter's takeover and changed keys, judged by what everyone in the world signed: what no
// single node could know.

/// What all of a contract's witnesses said, and what there was to say.
struct Testimony {
    let contract: ContractID
    let log: LogID
    let takeoverLog: LogID
    let response: Int64
    let threshold: Int
    /// Witnesses that may lie before anything stands that should not, less those that may here.
    let liarsToSpare: Int
    private(set) var words: [DID: Words] = [:]
    /// Requests about the contract, whoever signed them, and the closings that somebody asked for.
    var requests: [EntryID: Entry] = [:]
    var asked: [EntryID: WitnessLog.Closing] = [:]
    /// The request that a claim cites.
    var claims: [EntryID: EntryID] = [:]

    struct Words {
        var heard: Set<EntryID> = []
        var receipts: [EntryID: Instant] = [:]
        var places: [Oracle.Place: EntryID] = [:]
        var closings: Set<WitnessLog.Closing> = []
        var isClaimReceipted = false
    }

    init(_ proposal: Proposal, _ fold: Fold, honest: Set<DID>) {
        contract = proposal.contract
        log = fold.log
        takeoverLog = fold.takeoverLog
        response = fold.witnessTerms.response
        threshold = Int(proposal.witnesses.threshold)
        let witnesses = proposal.witnesses.identities
        let liars = witnesses.count { !honest.contains($0) }
        liarsToSpare = 2 * threshold - witnesses.count - 1 - liars
    }

    mutating func speak(_ witness: DID, _ body: (inout Words) -> Void) {
        body(&words[witness, default: Words()])
    }

    /// By when M witnesses receipted `subject`; `nil` where fewer did.
    func moment(of subject: EntryID) -> Instant? {
        let times = words.values.compactMap { $0.receipts[subject] }.sorted()
        return times.count >= threshold ? times[threshold - 1] : nil
    }

    /// Steps of the first epoch that M witnesses hold.
    var heldByThreshold: [(sequence: Int64, step: EntryID)] {
        var counts: [EntryID: (sequence: Int64, count: Int)] = [:]
        for one in words.values {
            for (place, step) in one.places where place.log == log {
                counts[step, default: (place.sequence, 0)].count += 1
            }
        }
        return counts.filter { $0.value.count >= threshold }
            .map { ($0.value.sequence, $0.key) }.sorted { $0 < $1 }
    }
}

extension World {
    func welcome(_ proposal: Proposal, at index: Int) {
        guard proposal.witnesses != .none, oracle.testimonies[proposal.contract] == nil,
            let fold = machines[index].node?.contracts[proposal.contract]?.fold
        else { return }
        oracle.testimonies[proposal.contract] = Testimony(proposal, fold, honest: oracle.honest)
        oracle.contractOf[fold.takeoverLog] = proposal.contract
        for witness in proposal.witnesses.identities {
            oracle.witnessed[.witness(of: fold.log, author: witness)] = proposal.contract
        }
    }

    // MARK: - What witnesses say

    /// A receipt or closing that its author is about to keep. Judged once, and only where it is honest.
    func observe(word entry: Entry, at index: Int) {
        guard let place = entry.header.log else { return }
        if entry.kind == .claim, let id = oracle.contractOf[place.log],
            let claim = try? entry.read(TakeoverClaim.self)
        {
            oracle.testimonies[id]?.claims[entry.id] = claim.request
        }
        guard let id = oracle.witnessed[place.log], let testimony = oracle.testimonies[id],
            entry.header.author == machines[index].did
        else { return }
        let me = entry.header.author
        let before = testimony.words[me] ?? Testimony.Words()
        guard !before.heard.contains(entry.id) else { return }
        oracle.testimonies[id]?.speak(me) { $0.heard.insert(entry.id) }
        if let receipt = try? entry.read(Receipt.self) {
            judge(receipt, at: entry.header.time, before, testimony, index)
        } else if let closed = try? entry.read(Closed.self) {
            judge(closed, at: entry.header.time, before, testimony, index)
        }
    }

    private func judge(
        _ receipt: Receipt, at time: Instant, _ before: Testimony.Words, _ testimony: Testimony,
        _ index: Int
    ) {
        let me = machines[index].did
        let isHonest = machines[index].isHonest
        func report(_ check: Check, found: Int64, wanted: Int64 = 0) {
            guard isHonest else { return }
            fail(check, index, testimony.contract.short, found: found, wanted: wanted)
        }
        if before.receipts[receipt.subject] != nil { report(.secondReceipt, found: 2, wanted: 1) }
        oracle.testimonies[testimony.contract]?.speak(me) { $0.receipts[receipt.subject] = time }
        guard let log = receipt.log else { return }
        let place = Oracle.Place(log: log, sequence: receipt.sequence)
        if before.places[place] != nil { report(.secondReceipt, found: receipt.sequence) }
        if log == testimony.log, before.isClaimReceipted {
            report(.secondReceipt, found: receipt.sequence)
        }
        let isClaim = log == testimony.takeoverLog && receipt.sequence == 1
        oracle.testimonies[testimony.contract]?.speak(me) {
            $0.places[place] = receipt.subject
            $0.isClaimReceipted = $0.isClaimReceipted || isClaim
        }
        guard isClaim else { return }
        let highest = before.places.keys.filter { $0.log == testimony.log }.map(\.sequence).max()
        if receipt.highest < highest ?? 0 {
            report(.belowWitnessed, found: receipt.highest, wanted: highest ?? 0)
        }
        let cited = testimony.claims[receipt.subject].flatMap { before.receipts[$0] }
        if cited.map({ $0.advanced(by: testimony.response) > time }) ?? true {
            report(.early, found: receipt.highest)
        }
    }

    private func judge(
        _ closed: Closed, at time: Instant, _ before: Testimony.Words, _ testimony: Testimony,
        _ index: Int
    ) {
        oracle.testimonies[testimony.contract]?.speak(machines[index].did) {
            $0.closings.insert(
                .init(record: closed.record, version: closed.version, deadline: closed.deadline))
        }
        guard machines[index].isHonest else { return }
        if time <= closed.deadline { fail(.early, index, testimony.contract.short) }
        let inTime = testimony.requests.values.filter {
            $0.names(closed.record, closed.version)
                && before.receipts[$0.id].map { $0 <= closed.deadline } == true
        }
        if Set(closed.requests) != Set(inTime.map(\.id)) {
            fail(
                .unlisted, index, testimony.contract.short, found: Int64(closed.requests.count),
                wanted: Int64(inTime.count))
        }
    }

    /// What somebody asked of a contract's sequencer or witnesses.
    func observe(asked entry: Entry) {
        guard let about = entry.header.statement?.about, let id = oracle.contractOf[about],
            oracle.testimonies[id] != nil
        else { return }
        if entry.kind == .request {
            oracle.testimonies[id]?.requests[entry.id] = entry
        } else if let ask = try? entry.read(ClosingRequest.self) {
            oracle.testimonies[id]?.asked[entry.id] = .init(
                record: ask.record, version: ask.version, deadline: ask.deadline)
        }
    }

    /// A witness that was asked to close answers with the closing, and keeps no more of it.
    func isAnswered(_ statement: EntryID, by witness: DID) -> Bool {
        oracle.testimonies.values.contains { testimony in
            testimony.asked[statement].map {
                testimony.words[witness]?.closings.contains($0) == true
            } ?? false
        }
    }

    /// A witness is told neither key nor terms.
    func observe(_ sealed: Sealed, reaching other: Int, _ index: Int) {
        guard let about = sealed.statement.header.statement?.about,
            let id = oracle.contractOf[about],
            oracle.participants[id]?.contains(machines[other].did) == false
        else { return }
        let isPrivate = [.proposal, .acceptance].contains(sealed.statement.kind)
        if sealed.contractKey != nil || (isPrivate && sealed.statement.body != nil) {
            fail(.privacy, index, id.short, found: sealed.statement.header.kind)
        }
    }

    // MARK: - What stands on it

    /// The M-th smallest time at which the witnesses of `held` receipted `subject`, as a step shows it.
    func moment(of subject: EntryID, in receipts: [Entry], _ held: HeldContract) -> Instant? {
        let times = held.witnesses.compactMap { witness in
            receipts.first {
                $0.header.author == witness
                    && $0.header.log?.log == .witness(of: held.log, author: witness)
                    && (try? $0.read(Receipt.self))?.subject == subject
            }?.header.time
        }.sorted()
        let needed = Int(held.proposal.witnesses.threshold)
        return times.count >= needed ? times[needed - 1] : nil
    }

    func examineTestimony(
        _ outline: Fold.StepOutline, _ step: Step, _ before: ContractState, _ held: HeldContract,
        _ fold: Fold, _ index: Int
    ) {
        for receipt in step.receipts
        where oracle.honest.contains(receipt.header.author) && !oracle.signed.contains(receipt.id) {
            fail(.forged, index, receipt.id.short, found: receipt.header.kind)
        }
        let about = "\(held.id.short) \(outline.act.transition)"
        guard let request = step.request else {
            return fail(.unreceipted, index, about, found: outline.sequence)
        }
        let number = outline.act.record
        guard before.defaultAct(number)?.transition == outline.act.transition else {
            guard let time = moment(of: request.id, in: step.receipts, held) else {
                return fail(.unreceipted, index, about, found: outline.sequence)
            }
            if time != outline.time { fail(.early, index, about, found: outline.sequence) }
            return
        }
        guard let record = before.record(number), let until = record.until else { return }
        var deadlines: [DID: Instant] = [:]
        for entry in step.receipts where held.witnesses.contains(entry.header.author) {
            guard let closed = try? entry.read(Closed.self), closed.record == number,
                closed.version == record.version, closed.deadline >= until,
                entry.header.time > closed.deadline
            else { continue }
            deadlines[entry.header.author] = closed.deadline
        }
        guard deadlines.count >= Int(held.proposal.witnesses.threshold),
            let deadline = deadlines.values.max()
        else { return fail(.unreceipted, index, about, found: outline.sequence) }
        let late = shownLate(number, before, step.receipts, held, fold)
        lookForPassedOver(outline, before, record.version, deadline, late, held, fold, index)
    }

    /// How much later than its clock began M of the witnesses held the step that started it, or one upon it.
    func shownLate(
        _ record: Int64, _ before: ContractState, _ receipts: [Entry], _ held: HeldContract,
        _ fold: Fold
    ) -> Int64 {
        guard held.isWitnessed, let clock = before.record(record)?.clock,
            let step = fold.steps.first(where: { $0.sequence == clock.sequence })
        else { return 0 }
        let writer = step.log == held.log ? held.proposal.sequencer : fold.arbiter
        guard before.awaited(record) != [writer] else { return 0 }
        let showing = Set(fold.steps.filter { $0.sequence >= clock.sequence }.map(\.id))
        let times = held.witnesses.compactMap { witness in
            receipts.filter { entry in
                entry.header.author == witness
                    && (try? entry.read(Receipt.self)).map { showing.contains($0.subject) } == true
            }.map(\.header.time).min()
        }.sorted()
        let needed = Int(held.proposal.witnesses.threshold)
        guard times.count >= needed else { return 0 }
        let began = clock.sequence == 1 ? held.proposal.grantBy : step.time
        let late = times[needed - 1].milliseconds - began.milliseconds
        return late > Fold.shownWithin ? late : 0
    }

    /// A request that M witnesses held in time, and that needed nobody else, must have gone first.
    private func lookForPassedOver(
        _ outline: Fold.StepOutline, _ before: ContractState, _ version: Int64,
        _ deadline: Instant, _ late: Int64, _ held: HeldContract, _ fold: Fold, _ index: Int
    ) {
        guard let testimony = oracle.testimonies[held.id], testimony.liarsToSpare >= 0 else {
            return
        }
        for request in testimony.requests.values.sorted(by: { $0.id < $1.id })
        where request.names(outline.act.record, version) {
            guard let time = testimony.moment(of: request.id), time <= deadline,
                let place = request.header.statement, place.expires >= deadline,
                let asked = try? fold.read(request: request), asked.act.child == nil,
                fold.steps.contains(where: {
                    $0.id == place.basis && $0.sequence < outline.sequence
                }), !hasRotated(request.header.author)
            else { continue }
            let act = Act(asked.act)
            let isFresh = before.touched(by: act).allSatisfy {
                request.names($0, before.record($0)?.version ?? 0)
            }
            let outcome = try? before.decide(
                act, by: request.header.author, consents: [], at: deadline,
                sequence: outline.sequence, late: late)
            // Whoever asked for the default as well does not bar it.
            guard isFresh, outcome != nil, act.transition != outline.act.transition else {
                continue
            }
            fail(
                .passedOver, index, "\(held.id.short) \(act.transition)", found: outline.sequence)
        }
    }

    /// A ruling is in force: nothing that M witnesses hold of the first epoch lies above its basis.
    func lookAtTakeover(_ held: HeldContract, _ fold: Fold, _ index: Int) {
        guard let takeover = fold.takeover, takeover.isInForce,
            let testimony = oracle.testimonies[held.id], testimony.liarsToSpare >= 0
        else { return }
        for (sequence, step) in testimony.heldByThreshold
        where sequence > takeover.basis
            || (sequence == takeover.basis && step != takeover.basisStep)
        {
            fail(
                .belowWitnessed, index, held.id.short, found: takeover.basis, wanted: sequence)
        }
    }

    // MARK: - Changed keys

    private func hasRotated(_ did: DID) -> Bool {
        oracle.keys.contains { $0[did].map { $0.count > 1 } ?? false }
    }

    /// Follows which key each machine knows to be in force, in the order of its commits.
    func observe(key entry: Entry, at index: Int) {
        guard entry.kind == .key else { return }
        let author = entry.header.author
        guard oracle.keys[index][author]?.contains(entry.id) != true else { return }
        oracle.keys[index][author, default: []].append(entry.id)
    }

    func isKeyReplaced(_ entry: Entry, at index: Int) -> Bool {
        guard let known = oracle.keys[index][entry.header.author], let key = entry.header.key else {
            return false
        }
        return known.contains(key) && known.last != key
    }

    /// An own step admits nothing that was signed under a key known to be replaced, but with witnesses what
    /// M of them had before that.
    func observe(step entry: Entry, at index: Int) {
        guard plan.has(.rotations), entry.kind == .step, entry.header.author == machines[index].did,
            let log = entry.header.log?.log, let id = oracle.contractOf[log],
            let node = machines[index].node, let fold = node.contracts[id]?.fold,
            let step = try? fold.open(entry),
            let request = step.request, isKeyReplaced(request, at: index)
        else { return }
        let after = node.keyLogs.entries(of: request.header.author)
            .drop { $0.id != request.header.key }.dropFirst().first
        let time = fold.steps.last { $0.request == request.id }?.time
        if fold.isWitnessed, let after, let time, time < after.replacesFrom { return }
        fail(.oldKey, index, "\(id.short) \(request.id.short)", found: request.header.kind)
    }
}

extension Entry {
    /// Whether a request was signed on this version of the record.
    fileprivate func names(_ record: Int64, _ version: Int64) -> Bool {
        header.statement?.versions.contains { $0.record == record && $0.version == version } == true
    }
}

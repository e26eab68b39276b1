internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import Market
internal import NodeCore
internal import Replication

// Phase 2: faults stop, and whoever can go on does.

extension World {
    /// Virtual time that the healed world has to come to an end of its contracts: 12 days.
    private static let patienceMilliseconds: Int64 = 12 * 86_400_000
    /// And to exchange the last frames.
    private static let quietMilliseconds: Int64 = 30 * 60_000

    /// Honest, running, allowed to sign.
    var core: [Int] {
        machines.indices.filter { index in
            machines[index].isHonest && !machines[index].isOld && !machines[index].isGone
                && machines[index].node?.readOnly == nil && machines[index].node != nil
        }
    }

    func heal() {
        isHealed = true
        for index in machines.indices {
            machines[index].clockError = 0
            machines[index].pausedUntil = 0
            machines[index].diskFullUntil = 0
            machines[index].disk.heal()
            if machines[index].flushIsDue {
                machines[index].flushIsDue = false
                speak(index)
            }
            start(index)
        }
        stalledUntil = stalledUntil.map { _ in 0 }
        for one in machines.indices {
            for other in machines.indices where other > one {
                agenda.put(.dial(one, other), at: now)
            }
        }
        let end = now + Self.patienceMilliseconds
        while now < end, oracle.violation == nil, !core.allSatisfy(isDone) {
            run(until: now + Self.quietMilliseconds)
        }
        // What a clock that was ahead signed is taken only when its time has come.
        let newest = newestSigned.milliseconds
        run(until: max(now, newest - moment(0).milliseconds) + Self.quietMilliseconds)
        guard oracle.violation == nil else { return }
        lookAtAll()
        checkProgress()
        checkConvergence()
    }

    /// The newest time that an entry of a log bears which one of the core has taken, whoever signed it: an
    /// adversary's clock may have been ahead as well, and a node whose clock was too believed it.
    private var newestSigned: Instant {
        var newest = oracle.newest.values.max() ?? moment(0)
        for index in core {
            guard let chains = machines[index].node?.chains else { continue }
            for log in chains.logs { newest = max(newest, chains.chain(log)?.newestTime ?? newest) }
        }
        return newest
    }

    private func isShared(_ held: HeldContract, among core: Set<DID>) -> Bool {
        let witnesses = held.witnesses.count(where: core.contains)
        guard witnesses >= Int(held.proposal.witnesses.threshold) else { return false }
        return held.proposal.participants.allSatisfy { did in
            // Where its sequencer is lost, the arbiter goes on.
            core.contains(did)
                || held.isWitnessed && did == held.proposal.sequencer
                    && held.fold?.isSequenced == true && held.fold?.arbiter != did
                    && oracle.machineOf[did].map { machines[$0].isGone } == true
        }
    }

    /// All that it can end with the others of the core has ended.
    private func isDone(_ index: Int) -> Bool {
        guard let node = machines[index].node else { return true }
        let core = Set(core.map { machines[$0].did })
        return node.contracts.values.allSatisfy { held in
            !isShared(held, among: core) || isOver(held, clock(index))
        }
    }

    /// No deadline will move it any more.
    private func isOver(_ held: HeldContract, _ now: Instant) -> Bool {
        if held.isOver { return true }
        if let fold = held.fold, fold.isSequenced { return fold.halt != nil }
        return now > held.proposal.grantBy
    }

    private func checkProgress() {
        let core = core
        let dids = Set(core.map { machines[$0].did })
        for index in core {
            guard let node = machines[index].node else { continue }
            for (id, held) in node.contracts.sorted(by: { $0.key < $1.key })
            where isShared(held, among: dids) && !isOver(held, clock(index)) {
                let waiting = held.fold?.state.records.first { $0.until != nil }
                fail(
                    .stuck, index,
                    "\(id.short) \(waiting.map { "\($0.family).\($0.state)" } ?? "")",
                    found: held.fold?.head.sequence ?? 0)
            }
            for (key, item) in node.outbox.sorted(by: { $0.key < $1.key })
            where dids.contains(key.recipient) && item.statement.kind != .acknowledgement {
                // Who never heard of a contract cannot say that it got what is about it.
                let other = oracle.machineOf[key.recipient].flatMap { machines[$0].node }
                guard item.statement.header.time.advanced(by: 3_600_000) < clock(index),
                    let about = item.statement.header.statement?.about,
                    let id = oracle.contractOf[about], other?.contracts[id] != nil
                else { continue }
                fail(
                    .undelivered, index, "\(key.statement.short) to \(key.recipient.short)",
                    found: item.statement.header.kind)
            }
        }
    }

    private func checkConvergence() {
        let core = core
        guard let first = core.first, let one = machines[first].node else { return }
        tally.guildLines = one.lines.values.count {
            one.book[$0.issuer]?.opening(of: $0.log)?.alliance != one.alliance.topic
        }
        for index in core.dropFirst() {
            guard let other = machines[index].node else { continue }
            let topics = Set(one.alliances.map(\.topic)).intersection(other.alliances.map(\.topic))
            let shared = Set(one.chains.logs + other.chains.logs).filter { log in
                let chain = one.chains.chain(log) ?? other.chains.chain(log)
                // Key logs are items of every alliance.
                return chain.map { $0.topic.map(topics.contains) ?? true } == true
            }
            for log in shared.sorted() {
                let (left, right) = (one.chains.chain(log), other.chains.chain(log))
                // Two branches: whoever holds one of them knows of the other, or of none yet.
                if left?.fork == nil, right?.fork == nil, left?.ids != right?.ids {
                    fail(
                        .diverged, index, "log \(log.short)", found: right?.head ?? 0,
                        wanted: left?.head ?? 0)
                }
            }
        }
        compareContracts(core)
        checkProofs(core)
    }

    private func compareContracts(_ core: [Int]) {
        var known: [ContractID: (index: Int, text: String)] = [:]
        for index in core {
            guard let node = machines[index].node else { continue }
            for (id, held) in node.contracts.sorted(by: { $0.key < $1.key }) {
                guard let fold = held.fold, fold.isSequenced,
                    oracle.honest.contains(held.proposal.sequencer),
                    fold.takeover == nil || oracle.honest.contains(fold.arbiter)
                else { continue }
                let text = "\(fold.head.sequence) \(fold.state.digest().hex)"
                if let other = known[id] {
                    if other.text != text {
                        fail(
                            .diverged, index,
                            "\(id.short): \(text.prefix(14)) | \(other.text.prefix(14))",
                            found: fold.head.sequence)
                    }
                } else {
                    known[id] = (index, text)
                }
            }
        }
        // Who signed what was opened knows that it was.
        for (id, _) in known.sorted(by: { $0.key < $1.key }) {
            for index in core where oracle.participants[id]?.contains(machines[index].did) == true {
                if machines[index].node?.contracts[id]?.fold?.isSequenced == true { continue }
                fail(.diverged, index, "\(id.short) is not opened")
            }
        }
    }

    /// Whoever knows that a log parts can show it to a stranger.
    private func checkProofs(_ core: [Int]) {
        for (index, stranger) in zip(core, core.dropFirst() + core.prefix(1)) {
            guard let node = machines[index].node, let other = machines[stranger].node else {
                continue
            }
            // A `continue` beside what somebody relied on has no proof that travels.
            for (log, _, sequence) in node.forks
            where node.chains.chain(log)?.keys.count ?? 1 == 1 {
                guard
                    case .proof(let wire)? = try? node.proof(carried: log).first.map(Message.init),
                    let proof = try? ForkProof(strict: wire), proof.log == log,
                    proof.sequence == sequence,
                    (try? proof.check(keys: other.keyLogs, checker: SignatureChecker())) != nil
                else {
                    fail(.unproven, index, log.short, found: sequence)
                    continue
                }
            }
        }
    }
}

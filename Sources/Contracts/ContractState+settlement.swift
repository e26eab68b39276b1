internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

// The end that its signers agree on. Whoever does not sign loses nothing by it: money due to that one is
// owed from then on, its deposits go back to it, and units reserved for it are freed only once their line
// has freed them.

extension ContractState {
    func settle(
        _ act: Act, by actor: DID, consents: Set<DID>, at time: Instant, sequence: Int64,
        free: [Instant?]
    ) throws(ContractRefusal) -> Outcome {
        let plan = try SettlementPlan(act)
        if let without = plan.without, without != terms.sequencer { throw .notWithout(without) }
        let signers = consents.union([actor])
        for did in consentsNeeded(for: act).sorted() where !signers.contains(did) {
            throw .consentMissing(transition: act.transition, did)
        }
        var step = StepRun(
            state: self, time: time, sequence: sequence, actor: actor, signers: signers,
            reason: act.transition)
        return try step.settle(plan, free)
    }

    func settlement(_ act: Act, _ language: Language) -> String {
        let posts = (try? SettlementPlan(act).posts) ?? []
        let debts = (try? SettlementPlan(act).debts) ?? []
        func name(_ did: DID) -> String {
            let role = terms.roles.sorted { $0.key < $1.key }.first { $0.value.contains(did) }
            return role.map { display(language).text(.name($0.key), .role) } ?? did.shortDID
        }
        let posted = posts.map { post in
            let transfer = pending.first {
                $0.cause.step == post.step && $0.cause.index == post.index
            }
            guard let transfer else { return "\(post.amount) (\(post.step)/\(post.index))" }
            let isMoney = if case .money = transfer.commodity { true } else { false }
            let amount =
                isMoney ? display(language).text(.number(post.amount), .money) : "\(post.amount)"
            return "\(amount) \(name(transfer.from)) → \(name(transfer.to))"
        }
        let owed = debts.map {
            "\(name($0.from)) → \(name($0.to)) "
                + display(language).text(.number($0.money.minor), .money)
        }
        switch language {
        case .en:
            return "This contract ends here"
                + (act.without.map { " without \(name($0)), who loses nothing by it" } ?? "")
                + (posted.isEmpty ? "" : "; posted: " + posted.joined(separator: ", "))
                + (owed.isEmpty ? "" : "; owed: " + owed.joined(separator: ", "))
                + "; all else that was pending falls back."
        case .zh:
            return "合同到此了结"
                + (act.without.map { "，\(name($0)) 未参与，也不因此受损" } ?? "")
                + (posted.isEmpty ? "" : "；过账：" + posted.joined(separator: "、"))
                + (owed.isEmpty ? "" : "；欠款：" + owed.joined(separator: "、")) + "；其余待定事项一律退回。"
        }
    }
}

extension StepRun {
    mutating func settle(_ plan: SettlementPlan, _ free: [Instant?]) throws(ContractRefusal)
        -> Outcome
    {
        isSettling = true
        /// What each could still owe: what was pending or in escrow from it.
        var means: [DID: Int128] = [:]
        for deposit in deposits { means[deposit.depositor, default: 0] += Int128(deposit.amount) }
        var posts = plan.posts
        for record in records {
            for hold in record.holds {
                guard let transfer = hold.transfer else { continue }
                if transfer.to == plan.without {
                    let until = free[safe: hold.line] ?? nil
                    guard let until, until < time else {
                        throw .heldForSilent(transfer.to, units: transfer.amount, until: until)
                    }
                }
                _ = try resolve(transfer, &posts, plan)
            }
            if let transfer = record.pay?.transfer {
                let posted = try resolve(transfer, &posts, plan)
                if transfer.to == plan.without, transfer.kind != .deposit {
                    try claim(transfer.amount, transfer.from, transfer.to, record.number)
                } else {
                    means[transfer.from, default: 0] += Int128(transfer.amount - posted)
                }
                if transfer.kind == .payout {
                    takeEscrow(posted, from: transfer.from, for: transfer.to, record.number)
                }
            }
            guard record.until != nil else { continue }
            edit(record.number) { record in
                record.until = nil
                record.pay = nil
                record.clock = nil
                for index in record.holds.indices { record.holds[index].transfer = nil }
            }
        }
        if let unknown = posts.first {
            throw .notPostable(step: unknown.step, index: unknown.index)
        }
        // What custodians who sign still hold is owed to those who paid it in.
        for deposit in deposits where deposit.custodian != plan.without {
            try claim(deposit.amount, deposit.custodian, deposit.depositor, 1)
        }
        deposits.removeAll { $0.custodian != plan.without }
        for debt in plan.debts {
            let (amount, had) = (debt.money.minor, means[debt.from] ?? 0)
            guard signers.contains(debt.from), signers.contains(debt.to), debt.from != debt.to,
                debt.money.currency == state.terms.currency
            else { throw .argumentUnknown("owe") }
            guard amount > 0, Int128(amount) <= had else {
                throw .settlementAbove(had: Int64(clamping: had), asked: amount)
            }
            means[debt.from] = had - Int128(amount)
            try claim(amount, debt.from, debt.to, 1)
        }
        return Outcome(
            sequence: sequence, records: records.filter { changed.contains($0.number) },
            transfers: transfers, lines: [], child: nil, ends: true, outcome: .cancelled,
            claims: claims, deposits: deposits)
    }

    /// Posts what the plan lists of a transfer, voids it else; how much was posted.
    private mutating func resolve(
        _ transfer: Transfer, _ posts: inout [SettlementPlan.Post], _ plan: SettlementPlan
    ) throws(ContractRefusal) -> Int64 {
        let cause = transfer.cause
        guard
            let place = posts.firstIndex(where: { $0.step == cause.step && $0.index == cause.index }
            )
        else {
            transfers.append(.void(cause, reason: reason))
            return 0
        }
        let post = posts.remove(at: place)
        guard transfer.kind != .deposit, signers.contains(transfer.from),
            signers.contains(transfer.to), transfer.from != plan.without
        else { throw .notPostable(step: post.step, index: post.index) }
        guard post.amount > 0, post.amount <= transfer.amount else {
            throw .settlementAbove(had: transfer.amount, asked: post.amount)
        }
        transfers.append(.post(cause, amount: post.amount, signed: true))
        return post.amount
    }

    /// What the receiver paid in itself goes first, then what was paid in on the same record, as for that
    /// very thing, then the oldest.
    mutating func takeEscrow(
        _ amount: Int64, from custodian: DID, for receiver: DID, _ record: Int64
    ) {
        var wanted = amount
        func rank(_ deposit: Deposit) -> Int {
            deposit.depositor == receiver ? 0 : deposit.record == record ? 1 : 2
        }
        for preferred in 0...2 {
            for index in deposits.indices
            where deposits[index].custodian == custodian && rank(deposits[index]) == preferred {
                let part = min(wanted, deposits[index].amount)
                wanted -= part
                deposits[index].amount -= part
            }
        }
        deposits.removeAll { $0.amount == 0 }
    }
}

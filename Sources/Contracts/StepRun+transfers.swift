internal import Capacity
internal import Identity
internal import Ledger

extension StepRun {
    // MARK: Transfers

    @discardableResult
    mutating func reserve(
        _ kind: TransferKind, _ from: DID, _ to: DID, _ commodity: Commodity, _ amount: Int64
    ) throws(ContractRefusal) -> Transfer {
        guard index < Int64(Self.transfersMax) || isSettling else {
            throw .transfersTooMany(limit: Self.transfersMax)
        }
        let transfer = Transfer(
            cause: Cause(contract: state.terms.contract, step: sequence, index: index), kind: kind,
            from: from, to: to, commodity: commodity, amount: amount)
        index += 1
        transfers.append(.reserve(transfer))
        return transfer
    }

    /// Into a hold that is empty; nothing for zero.
    mutating func reserve(
        _ units: Int64, _ number: Int64, _ hold: Int
    ) throws(ContractRefusal) {
        guard units > 0 else { return }
        guard let record = record(number), let current = record.holds[safe: hold],
            let rule = state.template.family(record.family)?.holds[safe: hold],
            let line = state.terms.lines[safe: rule.line]
        else { throw .recordUnknown(number) }
        guard current.transfer == nil else {
            throw .holdExceeded(hold: rule.name, held: current.amount, asked: units)
        }
        let environment = environment(number)
        let transfer = try reserve(
            .capacity, try person(rule.from, environment).did, try person(rule.to, environment).did,
            .capacity(line.resource, line.unit), units)
        edit(number) { record in
            guard record.holds.indices.contains(hold) else { return }
            record.holds[hold].transfer = transfer
        }
    }

    /// Voids a hold and hands what `units` leave to `then`, which reserves anew.
    mutating func take(
        _ units: Int64, _ number: Int64, _ hold: Int,
        then: (inout StepRun, Int64) throws(ContractRefusal) -> Void
    ) throws(ContractRefusal) {
        guard units > 0 else { return }
        let held = record(number)?.holds[safe: hold]?.amount ?? 0
        try checkHeld(units, held, number, hold)
        void(number, hold)
        try then(&self, held - units)
    }

    mutating func post(
        _ units: Int64, _ number: Int64, _ hold: Int
    ) throws(ContractRefusal) {
        guard units > 0 else {
            void(number, hold)
            return
        }
        let transfer = record(number)?.holds[safe: hold]?.transfer
        try checkHeld(units, transfer?.amount ?? 0, number, hold)
        guard let transfer else { return }
        transfers.append(
            .post(transfer.cause, amount: units, signed: signers.contains(transfer.to)))
        clear(number, hold)
    }

    mutating func void(_ number: Int64, _ hold: Int) {
        guard let cause = record(number)?.holds[safe: hold]?.cause else { return }
        transfers.append(.void(cause, reason: reason))
        clear(number, hold)
    }

    mutating func clear(_ number: Int64, _ hold: Int) {
        edit(number) { record in
            guard record.holds.indices.contains(hold) else { return }
            record.holds[hold].transfer = nil
        }
    }

    func checkHeld(
        _ units: Int64, _ held: Int64, _ number: Int64, _ hold: Int
    ) throws(ContractRefusal) {
        guard units <= held else {
            let name = record(number)?.holds[safe: hold]?.name ?? "\(hold)"
            throw .holdExceeded(hold: name, held: held, asked: units)
        }
    }

    mutating func claim(
        _ amount: Int64, _ from: DID, _ to: DID, _ number: Int64
    ) throws(ContractRefusal) {
        guard amount > 0 else { return }
        let transfer = try reserve(.claim, from, to, .money(state.terms.currency), amount)
        transfers.append(.post(transfer.cause, amount: amount, signed: true))
        claims.append(Claim(transfer: transfer, open: amount, record: number))
        // As in the books, a claim on a custodian takes the place of what it holds.
        takeEscrow(amount, from: from, for: to, number)
    }
}

internal import Identity
internal import Ledger

// What the books would refuse, the fold refuses. A template may do it where nobody looked when it was
// explored; the node's ledger, which is that of all its contracts, must not stop for one.

extension Fold {
    /// Nobody pays oneself, and custodians pay out of what they hold.
    func checkBooks(_ outcome: Outcome) throws(FoldRefusal) {
        var reserved: [Cause: Transfer] = [:]
        var held: [DID: Int128]?
        for event in outcome.transfers {
            switch event {
            case .reserve(let transfer):
                guard transfer.from != transfer.to else {
                    let role = roleName(transfer.from)
                    throw .contract(.rolesNotDistinct(role, role, transfer.from))
                }
                reserved[transfer.cause] = transfer
            case .post(let cause, let amount, _):
                guard let transfer = reserved[cause] ?? state.transfer(cause) else { continue }
                var purses = held ?? purses
                switch transfer.kind {
                case .deposit: purses[transfer.to, default: 0] += Int128(amount)
                case .payout:
                    let had = purses[transfer.from] ?? 0
                    guard Int128(amount) <= had else {
                        throw .contract(
                            .settlementAbove(had: Int64(clamping: had), asked: amount))
                    }
                    purses[transfer.from] = had - Int128(amount)
                case .claim:
                    purses[transfer.from] = max(0, (purses[transfer.from] ?? 0) - Int128(amount))
                case .payment, .capacity: break
                }
                held = purses
            case .void, .discharge: break
            }
        }
    }

    private var purses: [DID: Int128] {
        state.deposits.reduce(into: [:]) { $0[$1.custodian, default: 0] += Int128($1.amount) }
    }

    private func roleName(_ did: DID) -> String {
        terms.roles.sorted { $0.key < $1.key }.first { $0.value.contains(did) }?.key ?? did.shortDID
    }
}

extension ContractState {
    /// A pending one, by its cause.
    func transfer(_ cause: Cause) -> Transfer? {
        for record in records {
            if let transfer = record.pay?.transfer, transfer.cause == cause { return transfer }
            for hold in record.holds where hold.transfer?.cause == cause { return hold.transfer }
        }
        return nil
    }
}

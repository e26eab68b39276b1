public import Identity

/// A part of what one depositor gave to a custodian.
public struct EscrowShare: Hashable, Sendable {
    public let depositor: DID
    /// Above zero, minor units.
    public internal(set) var amount: Int64
}

/// What custodians hold for one contract, share by share in the order of posting. Contracts are never
/// mixed: one contract's payout cannot eat another's deposit, and their order does not matter.
struct Escrow: Sendable {
    private var sharesOf: [Purse: [EscrowShare]] = [:]

    struct Purse: Hashable, Comparable, Sendable {
        let contract: ContractID
        let custodian: DID
        let commodity: Commodity

        static func < (left: Purse, right: Purse) -> Bool {
            (left.contract, left.custodian, left.commodity)
                < (right.contract, right.custodian, right.commodity)
        }
    }

    var purses: [(purse: Purse, shares: [EscrowShare])] {
        sharesOf.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func held(in purse: Purse) -> Int128 {
        (sharesOf[purse] ?? []).reduce(0) { $0 + Int128($1.amount) }
    }

    mutating func put(_ share: EscrowShare, into purse: Purse) {
        sharesOf[purse, default: []].append(share)
    }

    /// Takes up to `amount`. What `receiver` itself deposited goes first, so that a refund returns
    /// the receiver's own money; then the oldest.
    mutating func take(_ amount: Int64, from purse: Purse, for receiver: DID) -> [EscrowShare] {
        guard var shares = sharesOf[purse] else { return [] }
        var wanted = amount
        var taken: [EscrowShare] = []
        let own = shares.indices.filter { shares[$0].depositor == receiver }
        let others = shares.indices.filter { shares[$0].depositor != receiver }
        for index in own + others where wanted > 0 {
            let part = min(wanted, shares[index].amount)
            wanted -= part
            shares[index].amount -= part
            taken.append(EscrowShare(depositor: shares[index].depositor, amount: part))
        }
        shares.removeAll { $0.amount == 0 }
        sharesOf[purse] = shares.isEmpty ? nil : shares
        return taken
    }
}

import Capacity
import Contracts
import Identity
import Ledger
import Testing

/// What the transfers of one contract come to, added up from the events alone and held against what its
/// state says, and against the books. The harness knows the grants and nothing else.
struct Sums {
    /// Units of one line, by what became of them; the rest is pending.
    struct Units {
        let granted: Int64
        let issuer: DID
        var posted: Int64 = 0
        var passedOn: Int64 = 0
        var givenUp: Int64 = 0
    }

    private(set) var units: [Commodity: Units] = [:]
    /// What each custodian still holds.
    private(set) var held: [DID: Int64] = [:]
    /// What is still owed, by claim.
    private(set) var owed: [Cause: Int64] = [:]
    private var pending: [Cause: Transfer] = [:]
    private var books = Books()

    init(_ state: ContractState) {
        for grant in state.grants {
            let line = state.terms.lines[grant.line]
            units[.capacity(line.resource, line.unit)] = Units(
                granted: grant.units, issuer: grant.issuer)
        }
    }

    /// One step from `before` to `after`.
    mutating func take(_ outcome: Outcome, from before: ContractState, to after: ContractState) {
        var freed: [Commodity: Int64] = [:]
        var paid: [Transfer] = []
        for event in outcome.transfers {
            do throws(LedgerRefusal) { try books.decide(event) } catch {
                Issue.record("the books refuse \(event): \(error)")
                continue
            }
            books.apply(event)
            switch event {
            case .reserve(let transfer):
                pending[transfer.cause] = transfer
                guard transfer.kind == .capacity else { break }
                freed[transfer.commodity, default: 0] -= transfer.amount
                #expect(units[transfer.commodity]?.issuer == transfer.from)
            case .post(let cause, let amount, _):
                guard let transfer = pending.removeValue(forKey: cause) else { break }
                if transfer.kind == .capacity {
                    units[transfer.commodity]?.posted += amount
                    freed[transfer.commodity, default: 0] += transfer.amount - amount
                } else {
                    #expect(amount == transfer.amount)
                    if transfer.kind != .claim { paid.append(transfer) }
                    move(transfer)
                }
            case .void(let cause, _):
                guard let transfer = pending.removeValue(forKey: cause) else { break }
                if transfer.kind == .capacity {
                    freed[transfer.commodity, default: 0] += transfer.amount
                }
            case .discharge(let cause, let amount): owed[cause, default: 0] -= amount
            }
        }
        count(freed, outcome, isOpening: before.records.isEmpty, after)
        compare(paid, from: before, to: after)
    }

    private mutating func move(_ transfer: Transfer) {
        let amount = transfer.amount
        switch transfer.kind {
        case .deposit: held[transfer.to, default: 0] += amount
        case .payout: held[transfer.from, default: 0] -= amount
        // What a custodian comes to owe it holds no more.
        case .claim:
            owed[transfer.cause] = amount
            held[transfer.from] = held[transfer.from].map { max($0 - amount, 0) }
        case .payment, .capacity: break
        }
    }

    /// `freed`: units given up in this step and reserved for nobody again.
    private mutating func count(
        _ freed: [Commodity: Int64], _ outcome: Outcome, isOpening: Bool, _ after: ContractState
    ) {
        for (commodity, line) in units {
            let index = after.terms.lines.firstIndex {
                .capacity($0.resource, $0.unit) == commodity
            }
            func asked(_ kind: LineNeed.Kind) -> Int64 {
                outcome.lines.filter { $0.line == index && $0.kind == kind }
                    .reduce(0) { $0 + $1.units }
            }
            var rest = freed[commodity] ?? 0
            if isOpening {
                #expect(rest == -line.granted)
                rest = 0
            }
            let passed = asked(.split)
            #expect(rest >= passed, "units out of nothing, or passed on and still held")
            #expect(asked(.release) <= rest - passed, "released and still held")
            units[commodity]?.passedOn += passed
            units[commodity]?.givenUp += rest - passed
            let held = after.records.flatMap(\.holds).compactMap(\.transfer)
                .filter { $0.commodity == commodity }.reduce(0) { $0 + $1.amount }
            #expect(asked(.firm) <= held)
            guard let now = units[commodity] else { continue }
            #expect(
                held + now.posted + now.passedOn + now.givenUp == now.granted,
                "\(commodity.name): \(held) held, \(now)")
        }
        #expect(Set(freed.keys).isSubset(of: units.keys), "units of no line")
        #expect(
            outcome.child.map(\.units) ?? 0
                == outcome.lines.filter { $0.kind == .split }
                .reduce(0) { $0 + $1.units })
    }

    private func compare(
        _ paid: [Transfer], from before: ContractState, to after: ContractState
    ) {
        // Money moves as a record waited for it, whole and once, and in no other way.
        for transfer in paid {
            let records = before.records.filter { $0.pay?.transfer == transfer }
            #expect(records.count == 1, "paid without being due")
            for record in records {
                #expect(record.pay?.from == transfer.from && record.pay?.to == transfer.to)
                #expect(record.pay?.amount == transfer.amount)
                #expect(after.record(record.number)?.pay?.transfer != transfer)
            }
        }
        #expect(pending.values.sorted { $0.cause < $1.cause } == after.pending)
        #expect(books.imbalance().isEmpty)
        #expect(held.values.allSatisfy { $0 >= 0 })
        for custodian in Set(held.keys).union(after.deposits.map(\.custodian)) {
            let said = after.deposits.filter { $0.custodian == custodian }
                .reduce(0) { $0 + $1.amount }
            #expect(said == held[custodian] ?? 0, "in escrow")
            let booked = books.held(
                by: custodian, for: after.terms.contract, after.terms.currency)
            #expect(booked == Int128(said), "in escrow, as booked")
        }
        #expect(after.escrow == held.values.reduce(0, +))
        #expect(after.deposits.allSatisfy { $0.amount > 0 })
        let open = Dictionary(uniqueKeysWithValues: after.claims.map { ($0.cause, $0.open) })
        #expect(open == owed.filter { $0.value != 0 })
        guard after.isEnded else { return }
        #expect(pending.isEmpty && after.pending.isEmpty)
        #expect(held.values.allSatisfy { $0 == 0 } && after.escrow == 0)
        for line in units.values {
            #expect(line.posted + line.passedOn + line.givenUp == line.granted)
        }
    }
}

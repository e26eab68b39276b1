import Capacity
import Identity
import Ledger
import Testing

/// What the books should say, found the slow way: every unit of money in escrow is one element of
/// an array, and positions are counted over all rows each time.
private struct Model {
    struct Row {
        var transfer: Transfer
        var posted: Int64?
        var isSigned = false
        var voided = false
        var cleared: Int64 = 0
    }

    struct Purse: Hashable {
        let contract: ContractID
        let custodian: DID
    }

    var rows: [Cause: Row] = [:]
    /// Depositor of each fen held, in order.
    var fen: [Purse: [DID]] = [:]

    /// False where it should be refused.
    mutating func take(_ event: TransferEvent) -> Bool {
        switch event {
        case .reserve(let transfer):
            var isUnits = false
            if case .capacity = transfer.commodity { isUnits = true }
            if transfer.amount < 1 || transfer.from == transfer.to || rows[transfer.cause] != nil
                || isUnits != (transfer.kind == .capacity)
            {
                return false
            }
            rows[transfer.cause] = Row(transfer: transfer)
        case .post(let cause, let amount, let isSigned):
            guard let row = rows[cause], row.posted == nil, !row.voided, amount > 0,
                amount <= row.transfer.amount
            else { return false }
            let from = Purse(contract: cause.contract, custodian: row.transfer.from)
            let into = Purse(contract: cause.contract, custodian: row.transfer.to)
            let held = fen[from]?.count ?? 0
            switch row.transfer.kind {
            case .deposit:
                fen[into, default: []] += [DID](repeating: row.transfer.from, count: Int(amount))
            case .payout where held < Int(amount): return false
            case .payout, .claim:
                for _ in 0..<min(held, Int(amount)) {
                    let own = fen[from]?.firstIndex(of: row.transfer.to)
                    fen[from]?.remove(at: own ?? 0)
                }
            case .payment, .capacity: break
            }
            rows[cause]?.posted = amount
            rows[cause]?.isSigned = isSigned
        case .void(let cause, _):
            guard let row = rows[cause], row.posted == nil, !row.voided else { return false }
            rows[cause]?.voided = true
        case .discharge(let cause, let amount):
            guard let row = rows[cause], row.transfer.kind == .claim, let posted = row.posted,
                amount > 0, row.cleared + amount <= posted
            else { return false }
            rows[cause]?.cleared += amount
        }
        return true
    }

    func netPaid(by owner: DID) -> Int128 {
        rows.values.filter { $0.isSigned && $0.transfer.kind.isPaid }.reduce(0) { sum, row in
            let amount = Int128(row.posted ?? 0)
            return sum + (row.transfer.from == owner ? amount : 0)
                - (row.transfer.to == owner ? amount : 0)
        }
    }

    func position(_ account: Account) -> Int128 {
        if account.kind == .escrow {
            func heldBy(_ custodian: DID, for depositor: DID) -> Int {
                fen.filter { $0.key.custodian == custodian }.values
                    .reduce(0) { sum, owners in sum + owners.count { $0 == depositor } }
            }
            return account.commodity == .money(cny)
                ? Int128(heldBy(account.counterparty, for: account.owner))
                    - Int128(heldBy(account.owner, for: account.counterparty)) : 0
        }
        var sum: Int64 = 0
        for row in rows.values where row.transfer.commodity == account.commodity {
            let transfer = row.transfer
            let sign: Int64
            switch (transfer.from, transfer.to) {
            case (account.owner, account.counterparty): sign = 1
            case (account.counterparty, account.owner): sign = -1
            default: continue
            }
            switch (account.kind, transfer.kind) {
            case (.due, .payment), (.due, .deposit), (.due, .payout), (.due, .claim),
                (.reserved, .capacity):
                if row.posted == nil, !row.voided { sum += sign * transfer.amount }
            case (.paid, .payment), (.paid, .deposit), (.paid, .payout), (.delivered, .capacity):
                sum += sign * (row.posted ?? 0)
            case (.owed, .claim): sum -= sign * ((row.posted ?? 0) - row.cleared)
            default: break
            }
        }
        return Int128(sum)
    }
}

private let cny = try! Currency("CNY")
private let commodities = try! ["CNY", "print/a5"].map { try Play.commodity($0) }
private let parties = try! Play.parties.prefix(4).map { try Play.party($0) }

extension TransferEvent {
    /// Mostly lawful; small numbers, so that causes repeat and amounts collide.
    fileprivate static func random(using dice: inout Dice) -> TransferEvent {
        let contract = try! Play.contract(["k", "m", "p"].randomElement(using: &dice)!)
        let cause = Cause(
            contract: contract, step: .random(in: 1...3, using: &dice),
            index: .random(in: 0...2, using: &dice))
        let amount = Int64.random(in: 0...12, using: &dice)
        switch Int.random(in: 0..<10, using: &dice) {
        case 0..<4:
            let kind = TransferKind.allCases.randomElement(using: &dice)!
            let isOdd = Int.random(in: 0..<20, using: &dice) == 0
            return .reserve(
                Transfer(
                    cause: cause, kind: kind,
                    from: parties.randomElement(using: &dice)!,
                    to: parties.randomElement(using: &dice)!,
                    commodity: commodities[(kind == .capacity) != isOdd ? 1 : 0],
                    amount: amount * 2))
        case 4..<8: return .post(cause, amount: amount, signed: .random(using: &dice))
        case 8: return .void(cause, reason: "because")
        default: return .discharge(cause, amount: amount)
        }
    }
}

@Suite struct ModelTests {
    @Test func `two thousand random plays agree with the slow model and conserve everything`() {
        for seed in UInt64(0)..<2000 {
            var dice = Dice(seed: seed)
            var books = Books()
            var model = Model()
            for _ in 0..<40 {
                let event = TransferEvent.random(using: &dice)
                let isLawful = (try? books.decide(event)) != nil
                #expect(isLawful == model.take(event), "seed \(seed), \(event)")
                if isLawful { books.apply(event) }
            }
            #expect(books.imbalance().isEmpty, "seed \(seed)")
            for owner in parties {
                let paid = model.netPaid(by: owner)
                #expect(books.netPaid(by: owner).map(\.minor) == (paid == 0 ? [] : [paid]))
                let positions = books.positions(of: owner)
                var expected: [Account: Int128] = [:]
                for other in parties where other != owner {
                    for commodity in commodities {
                        for kind in AccountKind.allCases {
                            let account = Account(
                                owner: owner, counterparty: other, commodity: commodity, kind: kind)
                            let net = model.position(account)
                            if net != 0 { expected[account] = net }
                            // Two parties' positions mirror each other.
                            #expect(
                                books.balance(of: account).net
                                    == -books.balance(of: account.mirror).net, "seed \(seed)")
                        }
                    }
                }
                let found = positions.map { position in
                    (
                        Account(
                            owner: owner, counterparty: position.counterparty,
                            commodity: position.commodity, kind: position.kind), position.amount
                    )
                }
                #expect(
                    Dictionary(uniqueKeysWithValues: found) == expected, "seed \(seed)")
                #expect(found.map(\.0) == found.map(\.0).sorted(), "seed \(seed)")
            }
        }
    }

    @Test func `contracts fed in any order give the same bytes`() {
        for seed in UInt64(0)..<200 {
            var dice = Dice(seed: seed)
            var books = Books()
            var events: [TransferEvent] = []
            for _ in 0..<80 {
                let event = TransferEvent.random(using: &dice)
                guard (try? books.decide(event)) != nil else { continue }
                books.apply(event)
                events.append(event)
            }
            for _ in 0..<5 {
                // Each contract keeps its own order; which contract comes next is thrown.
                var queues = Dictionary(grouping: events, by: \.contract).values
                    .sorted { $0[0].contract < $1[0].contract }
                var shuffled = Books()
                while !queues.isEmpty {
                    let next = Int.random(in: queues.indices, using: &dice)
                    let event = queues[next].removeFirst()
                    #expect((try? shuffled.decide(event)) != nil, "seed \(seed), \(event)")
                    shuffled.apply(event)
                    if queues[next].isEmpty { queues.remove(at: next) }
                }
                #expect(shuffled.dump() == books.dump(), "seed \(seed)")
            }
        }
    }

    @Test func `where nothing is pending nothing is due or reserved`() {
        for seed in UInt64(0)..<200 {
            var dice = Dice(seed: seed)
            var books = Books()
            for _ in 0..<40 {
                let event = TransferEvent.random(using: &dice)
                if (try? books.decide(event)) != nil { books.apply(event) }
            }
            for row in books.rows where row.state == .pending {
                books.apply(.void(row.transfer.cause, reason: "the end"))
            }
            let open = books.balances().filter { [.due, .reserved].contains($0.account.kind) }
            #expect(open.isEmpty, "seed \(seed)")
        }
    }
}

extension TransferEvent {
    fileprivate var contract: ContractID {
        switch self {
        case .reserve(let transfer): transfer.cause.contract
        case .post(let cause, _, _), .void(let cause, _), .discharge(let cause, _): cause.contract
        }
    }
}

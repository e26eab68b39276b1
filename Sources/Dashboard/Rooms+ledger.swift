import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore

extension Rooms {
    private static let statementSize = 50

    func ledger(after: Int) -> JSON {
        let rows = node.ledger.rows.filter { $0.transfer.from == me || $0.transfer.to == me }
            .map { (view.time($0.transfer.cause), $0) }
            .sorted { ($0.0, $0.1.transfer.cause) > ($1.0, $1.1.transfer.cause) }
        let part = rows.dropFirst(after).prefix(Self.statementSize)
        let next = after + part.count
        let net = node.ledger.netPaid(by: me)
        let due = due()
        return [
            "empty": .bool(rows.isEmpty),
            "net": .array(
                net.map { currency, minor in
                    [
                        "text": .string(figures.money(minor < 0 ? -minor : minor, currency)),
                        "says": .string(word(minor < 0 ? "net_received" : "net_paid")),
                    ]
                }),
            "partners": .array(balances()),
            "due": .array(due.rows), "due_picture": .string(due.picture),
            "rows": .array(part.map { statementRow($0.1, at: $0.0) }),
            "more": next < rows.count ? .string("/ledger?after=\(next)") : .null,
            "exports": .array(
                ["csv", "hledger", "beancount"].map {
                    ["href": .string("/ledger/export?format=" + $0), "text": .string($0)]
                }),
        ]
    }

    private func balances() -> [JSON] {
        let positions = node.ledger.positions(of: me)
        let partners = Set(positions.map(\.counterparty)).sorted { name($0) < name($1) }
        return partners.map { did in
            [
                "name": .string(name(did)), "did": .string(did.did),
                "positions": .array(
                    positions.filter { $0.counterparty == did }.map { position in
                        let amount = position.amount
                        let what =
                            if case .capacity(let resource, _) = position.commodity {
                                resource.path + " "
                            } else {
                                ""
                            }
                        return [
                            "kind": .string(word("account_" + position.kind.rawValue)),
                            "text": .string(
                                what
                                    + figures.amount(
                                        amount < 0 ? -amount : amount, position.commodity)),
                            "side": .string(word(amount < 0 ? "side_minus" : "side_plus")),
                        ]
                    }),
            ]
        }
    }

    private func statementRow(_ row: TransferRow, at time: Instant) -> JSON {
        let transfer = row.transfer
        let out = transfer.from == me
        let (state, amount): (String, Int64) =
            switch row.state {
            case .pending: ("row_pending", transfer.amount)
            case .posted(let amount, let signed): (signed ? "row_posted" : "row_silent", amount)
            case .voided: ("row_voided", transfer.amount)
            }
        let held = node.contracts[transfer.cause.contract]
        var what = word("kind_" + transfer.kind.rawValue)
        if case .capacity(let resource, _) = transfer.commodity { what = resource.path }
        return [
            "date": .string(figures.date(time)), "at": .string(figures.moment(time)),
            "who": .string(name(out ? transfer.to : transfer.from)), "what": .string(what),
            "title": .string(held.map(title) ?? ""),
            "href": .string("/contracts/" + transfer.cause.contract.hex),
            "out": .string(out ? figures.amount(Int128(amount), transfer.commodity) : ""),
            "in": .string(out ? "" : figures.amount(Int128(amount), transfer.commodity)),
            "state": badge(state, state == "row_posted" ? "done" : "plain"),
            "void": .bool(state == "row_voided"),
        ]
    }

    /// What contracts will ask of me and for me, by week.
    private func due() -> (rows: [JSON], picture: String) {
        struct Due {
            let held: HeldContract
            let pay: Record.Pay
            let until: Instant
        }
        var all: [Due] = []
        for held in node.contracts.values where !held.isOver {
            for record in held.fold?.state.records ?? [] {
                guard let pay = record.pay, pay.from == me || pay.to == me,
                    let until = record.until, case .money = pay.transfer.commodity
                else { continue }
                all.append(Due(held: held, pay: pay, until: until))
            }
        }
        all.sort { ($0.until, $0.held.id) < ($1.until, $1.held.id) }
        let rows: [JSON] = all.prefix(50).map { due in
            [
                "until": .string(figures.date(due.until)),
                "left": .string(figures.left(until: due.until)),
                "urgency": .string(urgency(due.until)),
                "who": .string(name(due.pay.from == me ? due.pay.to : due.pay.from)),
                "out": .bool(due.pay.from == me),
                "text": .string(
                    figures.amount(Int128(due.pay.amount), due.pay.transfer.commodity)),
                "title": .string(title(due.held)), "href": .string(page(due.held)),
            ]
        }
        guard let first = all.first, case .money(let currency) = first.pay.transfer.commodity else {
            return (rows, "")
        }
        let start = figures.monday(of: min(now, first.until))
        var weeks = [(out: Int128, in: Int128)](repeating: (0, 0), count: 12)
        for due in all where due.pay.transfer.commodity == .money(currency) {
            let index = Int((due.until.milliseconds - start.milliseconds) / Figures.week)
            guard weeks.indices.contains(index) else { continue }
            if due.pay.from == me {
                weeks[index].out += Int128(due.pay.amount)
            } else {
                weeks[index].in += Int128(due.pay.amount)
            }
        }
        let most = max(weeks.map { max($0.out, $0.in) }.max() ?? 1, 1)
        var picture = Picture(width: 640, height: 190, says: word("due_says"))
        picture.line("axis", 0, 90, 640, 90)
        for (index, week) in weeks.enumerated() {
            let x = index * 53 + 4
            let monday = start.advanced(by: Int64(index) * Figures.week)
            let (up, down) = (Int(week.in * 66 / most), Int(week.out * 66 / most))
            picture.box(
                "fill-done", x: x, y: 90 - up, width: 40, height: up,
                tip: word("comes_in") + " " + figures.money(week.in, currency))
            picture.box(
                "fill-open", x: x, y: 91, width: 40, height: down,
                tip: word("goes_out") + " " + figures.money(week.out, currency))
            if week.in > 0 {
                picture.text(
                    short(week.in, currency), x: x + 20, y: 84 - up, "small", anchor: "middle")
            }
            if week.out > 0 {
                picture.text(
                    short(week.out, currency), x: x + 20, y: 104 + down, "small", anchor: "middle")
            }
            picture.text(
                figures.shortDate(monday), x: x + 20, y: 186, "faint small", anchor: "middle")
        }
        return (rows, picture.svg)
    }

    /// Without the small change, for a narrow column.
    private func short(_ minor: Int128, _ currency: Currency) -> String {
        String(figures.money(minor, currency).split(separator: ".").first ?? "")
    }
}

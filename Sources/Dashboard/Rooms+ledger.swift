import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Market
import NodeCore

extension Rooms {
    private static let positionsMax = 20

    func ledger(after: Int) -> JSON {
        let all = overview.transfers
        var rows: [JSON] = []
        var next = after
        for one in all.reversed().dropFirst(after) {
            if rows.count == Self.pageSize { break }
            next += 1
            guard let row = node.ledger.row(one.cause),
                row.transfer.from == me || row.transfer.to == me
            else { continue }
            rows.append(statementRow(row, at: one.time))
        }
        let net = node.ledger.netPaid(by: me)
        let partners = Dictionary(grouping: node.ledger.positions(of: me), by: \.counterparty)
            .sorted { (name($0.key), $0.key) < (name($1.key), $1.key) }
        return [
            "empty": .bool(all.isEmpty),
            "net": .array(
                net.map { currency, minor in
                    [
                        "text": .string(figures.money(minor < 0 ? -minor : minor, currency)),
                        "says": .string(word(minor < 0 ? "net_received" : "net_paid")),
                    ]
                }),
            "partners": .array(partners.prefix(Self.pageSize).map(balances)),
            "more_partners": rest(partners.count - Self.pageSize),
            "any_due": .bool(!overview.dues.isEmpty), "due": .array(dueRows()),
            "due_pictures": .array(duePictures()),
            "rows": .array(rows),
            "more": more("/ledger", next, of: all.count),
            "exports": .array(
                ["csv", "hledger", "beancount"].map {
                    ["href": .string("/ledger/export?format=" + $0), "text": .string($0)]
                }),
        ]
    }

    private func balances(_ did: DID, _ positions: [Position]) -> JSON {
        [
            "name": .string(name(did)), "did": .string(did.did),
            "positions": .array(
                positions.prefix(Self.positionsMax).map { position in
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
                        "side": .string(side(position)),
                    ]
                }),
            "more_positions": rest(positions.count - Self.positionsMax),
        ]
    }

    /// By whom, or to whom. What is owed to us is the other's to give, what is kept for us is in the other's hands.
    private func side(_ position: Position) -> String {
        let isPlus = position.amount >= 0
        switch position.kind {
        case .due, .paid, .reserved, .delivered: return word(isPlus ? "side_plus" : "side_minus")
        case .owed: return word(isPlus ? "side_minus" : "side_plus")
        case .escrow:
            return isPlus ? figures.pick("for you", "（对方代管）") : figures.pick("by you", "（您方代管）")
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

    /// What contracts will ask of me and for me.
    private func dueRows() -> [JSON] {
        overview.dues.prefix(Self.pageSize).map { due in
            let held = node.contracts[due.contract]
            return [
                "until": .string(figures.date(due.until)),
                "left": .string(figures.left(until: due.until)),
                "urgency": .string(urgency(due.until)),
                "who": .string(name(due.partner)), "out": .bool(due.isOut),
                "text": .string(figures.money(Int128(due.amount), due.currency)),
                "title": .string(held.map(title) ?? ""),
                "href": .string("/contracts/" + due.contract.hex),
            ]
        }
    }

    private typealias Column = (out: Int128, in: Int128)
    /// Columns of a picture: what is overdue, and these weeks.
    private static let columns = 12

    /// One for each currency.
    private func duePictures() -> [JSON] {
        let start = figures.monday(of: now)
        var all: [Currency: [Column]] = [:]
        for due in overview.dues {
            let column = due.until < now ? 0 : figures.weeks(from: start, to: due.until) + 1
            // In order of time: none that follows is in a picture.
            guard column < Self.columns else { break }
            var columns =
                all[due.currency] ?? Array(repeating: (out: 0, in: 0), count: Self.columns)
            if due.isOut {
                columns[column].out += Int128(due.amount)
            } else {
                columns[column].in += Int128(due.amount)
            }
            all[due.currency] = columns
        }
        return all.sorted { $0.key.code < $1.key.code }.map { currency, columns in
            [
                "currency": .string(currency.code),
                "svg": .string(draw(columns, from: start, in: currency)),
            ]
        }
    }

    private func draw(_ columns: [Column], from start: Instant, in currency: Currency) -> String {
        let most = max(columns.map { max($0.out, $0.in) }.max() ?? 1, 1)
        var picture = Picture(
            width: 640, height: 190, says: word("due_says") + " " + currency.code)
        picture.line("axis", 0, 90, 640, 90)
        for (index, week) in columns.enumerated() {
            let x = index * 53 + 4
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
            let monday = figures.monday(index - 1, after: start)
            picture.text(
                index == 0 ? word("overdue") : figures.shortDate(monday), x: x + 20, y: 186,
                "faint small", anchor: "middle")
        }
        return picture.svg
    }

    /// Without the small change and the currency's code, for a narrow column.
    private func short(_ minor: Int128, _ currency: Currency) -> String {
        let whole = figures.money(minor, currency).split(separator: ".").first ?? ""
        return String(whole.split(separator: " ").last ?? "")
    }
}

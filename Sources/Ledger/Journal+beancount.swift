import Capacity
import Identity

extension Journal {
    /// Accepted by `bean-check`. Capacity is named `PRINT-NOTEBOOK-A5`; what it stands for is
    /// metadata of its commodity line.
    public func beancount() -> String {
        let symbols = beancountSymbols()
        func amount(_ value: Int128, _ commodity: Commodity) -> String {
            "\(commodity.text(value)) \(symbols[commodity] ?? "")"
        }
        var text = "; Talea: the books of \(owner.did)\n\n"
        for commodity in commodities {
            text += "1970-01-01 commodity \(symbols[commodity] ?? "")\n"
            if case .capacity(let resource, let unit) = commodity {
                text += "  resource: \"\(resource.path)\"\n  unit: \"\(unit.code)\"\n"
            }
        }
        for account in accounts { text += "1970-01-01 open \(account)\n" }
        for item in items {
            text += "\n"
            switch item.row.state {
            case .voided(let reason):
                text += voidedLine(item, reason: reason) + "\n"
                continue
            case .pending: text += "\(item.date) ! \"\(title(item.row))\"\n"
            case .posted: text += "\(item.date) * \"\(title(item.row))\"\n"
            }
            text += "  cause: \"\(item.row.transfer.cause.full)\"\n"
            if case .posted(_, signed: false) = item.row.state { text += "  signed: FALSE\n" }
            for entry in item.postings {
                text += "  \(entry.account)  \(amount(Int128(entry.amount), entry.commodity))\n"
            }
        }
        // A balance holds at the start of its day, so it stands on the day after the last posting.
        guard !balances.isEmpty, let last = items.last?.date, let next = dayAfter(last) else {
            return text
        }
        text += "\n"
        for balance in balances {
            let position = balance.position
            text += "\(next) balance \(balance.account)  "
            text += "\(amount(position.amount, position.commodity))\n"
        }
        return text
    }

    /// Beancount's currency token: 24 characters of `A-Z 0-9 -`, first a letter, last no hyphen. A
    /// name that is too long, shared, or would be read as something else (`NULL`, `CNY` for a
    /// resource `cny`) ends in a hash of path and unit.
    private func beancountSymbols() -> [Commodity: String] {
        var uses: [String: Int] = [:]
        for commodity in commodities { uses[commodity.upperName, default: 0] += 1 }
        func name(_ commodity: Commodity, _ hashed: (Commodity) -> String) -> String {
            switch commodity {
            case .money(let currency): currency.code
            case .capacity:
                commodity.isToken && uses[commodity.upperName] == 1
                    ? commodity.upperName : hashed(commodity)
            }
        }
        var names = commodities.map { commodity in
            name(commodity) { "\($0.upperName.prefix(15))-\($0.hash(digits: 8))" }
        }
        // A resource may be named like another's hashed name; nobody finds 92 equal bits.
        if Set(names).count < names.count {
            uses = [:]
            names = commodities.map { name($0) { "X" + $0.hash(digits: 23) } }
        }
        return Dictionary(zip(commodities, names)) { first, _ in first }
    }
}

extension Commodity {
    /// `PRINT-NOTEBOOK-A5`; never begins with a digit or hyphen.
    fileprivate var upperName: String {
        var text = ""
        for character in name.uppercased() { text.append(character == "/" ? "-" : character) }
        guard let first = text.utf8.first, (65...90).contains(first) else { return "X" + text }
        return text
    }

    /// Three letters could be a currency, one letter a flag.
    fileprivate var isToken: Bool {
        let text = upperName
        return (4...24).contains(text.utf8.count) && text.last != "-"
            && !["NULL", "TRUE", "FALSE"].contains(text)
    }

    fileprivate func hash(digits: Int) -> String {
        guard case .capacity(let resource, let unit) = self else { return "" }
        let digest = SHA256.hash(Array("\(resource.path) \(unit.code)".utf8))
        return String(digest.hex.uppercased().prefix(digits))
    }
}

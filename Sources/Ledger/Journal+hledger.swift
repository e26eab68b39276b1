import Capacity
import Identity

extension Journal {
    /// Accepted by `hledger check --strict`. Capacity is quoted by its path, and by path and unit
    /// where one path is counted in two units.
    public func hledger() -> String {
        let symbols = hledgerSymbols()
        func amount(_ value: Int128, _ commodity: Commodity) -> String {
            "\(commodity.text(value)) \(symbols[commodity] ?? "")"
        }
        var text = "; Talea: the books of \(owner.did)\ndecimal-mark .\n\n"
        for commodity in commodities {
            let sample =
                commodity.fractionDigits == 0 ? "1000." : commodity.text(.sample(commodity))
            text += "commodity \(sample) \(symbols[commodity] ?? "")\n"
        }
        for account in accounts { text += "account \(account)\n" }
        for item in items {
            text += "\n"
            switch item.row.state {
            case .voided(let reason):
                text += voidedLine(item, reason: reason) + "\n"
                continue
            case .pending: text += "\(item.date) ! \(title(item.row))\n"
            case .posted: text += "\(item.date) * \(title(item.row))\n"
            }
            text += "    ; cause: \(item.row.transfer.cause.full)\n"
            if case .posted(_, signed: false) = item.row.state { text += "    ; signed: no\n" }
            for entry in item.postings {
                text += "    \(entry.account)  \(amount(Int128(entry.amount), entry.commodity))\n"
            }
        }
        guard !balances.isEmpty, let last = items.last?.date else { return text }
        text += "\n\(last) * balances as Talea counts them\n"
        for balance in balances {
            let position = balance.position
            text += "    \(balance.account)  \(amount(0, position.commodity))"
            text += " = \(amount(position.amount, position.commodity))\n"
        }
        return text
    }

    private func hledgerSymbols() -> [Commodity: String] {
        var uses: [String: Int] = [:]
        for commodity in commodities { uses[commodity.name, default: 0] += 1 }
        var symbols: [Commodity: String] = [:]
        for commodity in commodities {
            switch commodity {
            case .money(let currency): symbols[commodity] = currency.code
            case .capacity(let resource, let unit):
                let alone = uses[commodity.name] == 1
                symbols[commodity] = "\"\(resource.path)\(alone ? "" : " \(unit.code)")\""
            }
        }
        return symbols
    }
}

extension Int128 {
    /// One thousand of the commodity, for hledger's format line.
    fileprivate static func sample(_ commodity: Commodity) -> Int128 {
        (0..<commodity.fractionDigits).reduce(1000) { value, _ in value * 10 }
    }
}

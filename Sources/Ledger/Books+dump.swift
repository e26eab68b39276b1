import Capacity
import Identity

extension Books {
    /// Everything in the books as text, one line each, the same bytes for the same events in any
    /// order of contracts. Identities and contracts in hexadecimal; for machines and for comparing.
    public func dump() -> String {
        var text = "rows\n"
        for row in rows {
            let transfer = row.transfer
            text += "\(transfer.cause.full) \(transfer.kind.rawValue) "
            text += "\(transfer.from) \(transfer.to) "
            text += "\(transfer.commodity.dumped) \(transfer.amount) "
            switch row.state {
            case .pending: text += "pending"
            case .posted(let amount, let signed):
                text += "posted \(amount) \(signed ? "signed" : "unsigned")"
            case .voided(let reason): text += "voided \(reason.escaped)"
            }
            if row.dischargedAmount > 0 { text += " discharged \(row.dischargedAmount)" }
            for share in row.released { text += " released \(share.depositor) \(share.amount)" }
            text += "\n"
        }
        text += "balances\n"
        for (account, balance) in balances() {
            text += "\(account.owner) \(account.counterparty) \(account.commodity.dumped) "
            text += "\(account.kind.rawValue) \(balance.debits) \(balance.credits)\n"
        }
        text += "held\n"
        for (purse, shares) in purses {
            text += "\(purse.contract) \(purse.custodian) \(purse.commodity.dumped)"
            for share in shares { text += " \(share.depositor) \(share.amount)" }
            text += "\n"
        }
        return text
    }
}

extension Cause {
    /// Contract in full, step and index: `description` is for people, this one names it for ever.
    var full: String { "\(contract)/\(step)/\(index)" }
}

extension Commodity {
    fileprivate var dumped: String {
        switch self {
        case .money(let currency): currency.code
        case .capacity(let resource, let unit): "\(resource.path):\(unit.code)"
        }
    }
}

extension String {
    /// In quotation marks, on one line whatever it holds.
    fileprivate var escaped: String {
        var text = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\" + String(scalar)
            case _ where scalar.breaksLines: text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// Whatever could end a line replaced by a space.
    var onOneLine: String {
        var text = ""
        for scalar in unicodeScalars {
            text.unicodeScalars.append(scalar.breaksLines ? " " : scalar)
        }
        return text
    }
}

extension Unicode.Scalar {
    fileprivate var breaksLines: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

import Capacity
import Identity

extension Journal {
    /// One line per transfer, voided ones included, RFC 4180 (comma, CRLF), led by the mark by which
    /// spreadsheets know UTF-8. Amounts in the currency's decimals; a text that a spreadsheet would run
    /// as a formula is led by an apostrophe.
    public func csv() -> String {
        var text = "\u{FEFF}" + Self.columns.joined(separator: ",") + "\r\n"
        for item in items {
            let row = item.row
            let transfer = row.transfer
            var unit = ""
            if case .capacity(_, let code) = transfer.commodity { unit = code.code }
            var posted = ""
            var signed = ""
            var reason = ""
            let state: String
            switch row.state {
            case .pending: state = "pending"
            case .posted(let amount, let isSigned):
                state = "posted"
                posted = transfer.commodity.text(Int128(amount))
                signed = isSigned ? "yes" : "no"
            case .voided(let why):
                state = "voided"
                reason = why
            }
            let fields = [
                item.date, transfer.cause.contract.hex, "\(transfer.cause.step)",
                "\(transfer.cause.index)", transfer.kind.rawValue, transfer.from.did,
                name(transfer.from), transfer.to.did, name(transfer.to), transfer.commodity.name,
                unit, transfer.commodity.text(Int128(transfer.amount)), state, posted, signed,
                row.dischargedAmount > 0
                    ? transfer.commodity.text(Int128(row.dischargedAmount)) : "",
                reason,
            ]
            text += fields.map(\.csvField).joined(separator: ",") + "\r\n"
        }
        return text
    }

    private static let columns = [
        "date", "contract", "step", "index", "kind", "from", "fromName", "to", "toName",
        "commodity", "unit", "amount", "state", "posted", "signed", "discharged", "reason",
    ]
}

extension String {
    fileprivate var csvField: String {
        let line = onOneLine
        let safe =
            line.unicodeScalars.first.map { "=+-@".unicodeScalars.contains($0) } == true
            ? "'" + line : line
        guard safe.unicodeScalars.contains(where: { $0 == "," || $0 == "\"" }) else { return safe }
        var quoted = "\""
        for scalar in safe.unicodeScalars {
            if scalar == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}

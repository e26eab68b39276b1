public import Capacity

extension Currency {
    /// Decimals of the minor unit, ISO 4217 table A.1: two but for these.
    public var fractionDigits: Int {
        switch code {
        case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF":
            0
        case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND": 3
        case "CLF", "UYW": 4
        default: 2
        }
    }
}

extension Commodity {
    /// Zero for capacity, which is counted in whole units.
    public var fractionDigits: Int {
        switch self {
        case .money(let currency): currency.fractionDigits
        case .capacity: 0
        }
    }

    /// Minor or whole units as people write them, without the name: `-1250.05`, `62`.
    public func text(_ amount: Int128) -> String {
        let digits = String(amount.magnitude)
        let sign = amount < 0 ? "-" : ""
        guard fractionDigits > 0 else { return sign + digits }
        let padded =
            String(repeating: "0", count: max(0, fractionDigits + 1 - digits.count)) + digits
        return sign + padded.dropLast(fractionDigits) + "." + padded.suffix(fractionDigits)
    }
}

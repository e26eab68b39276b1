import Identity

/// Names that both accounting programs read as one component of an account: ASCII letters and
/// digits, letters and digits of any other script, and hyphens, not beginning in lower case
/// (beancount 3, lexer.l, `ACCOUNTNAME`).
enum AccountNames {
    /// One name per party, no two alike. Who shares a name with another carries the end of the did;
    /// where someone has taken even such a name, all carry their whole key.
    static func unique(_ parties: [DID], _ names: (DID) -> String) -> [DID: String] {
        let plain = parties.map { component(names($0)) }
        var uses: [String: Int] = [:]
        for name in plain { uses[name, default: 0] += 1 }
        var chosen = zip(parties, plain).map { party, name in
            uses[name] == 1 ? name : "\(name)-\(party.did.suffix(8))"
        }
        if Set(chosen).count < chosen.count {
            chosen = zip(parties, plain).map { party, name in "\(name)-\(party.hex)" }
        }
        return Dictionary(zip(parties, chosen)) { first, _ in first }
    }

    private static let lengthMax = 40

    static func component(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars.prefix(lengthMax) {
            if scalar.isNameable {
                text.unicodeScalars.append(scalar)
            } else if !text.isEmpty, text.last != "-" {
                text += "-"
            }
        }
        while text.last == "-" { text.removeLast() }
        guard let first = text.unicodeScalars.first else { return "Party" }
        guard first.isASCII, first.properties.isLowercase else { return text }
        return first.properties.uppercaseMapping + String(text.unicodeScalars.dropFirst())
    }
}

extension Unicode.Scalar {
    fileprivate var isNameable: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber:
            true
        default: false
        }
    }
}

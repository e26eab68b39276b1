/// What an entry is. Numbers below 40 stand in logs, 40 and above are statements.
public enum Kind: Int64, Hashable, Sendable, CaseIterable {
    case key = 1
    case profile = 4
    case lineOpening = 5
    case offer = 6
    case withdrawal = 7
    case declare = 10
    case adjust = 11
    case grant = 12
    case firm = 13
    case split = 14
    case release = 15
    case step = 20
    case founding = 30
    case proposal = 40
    case acceptance = 41
    case request = 42
    case refusal = 43
    case acknowledgement = 46

    public var isStatement: Bool { rawValue >= 40 }

    /// Numbers kept for later capabilities, with the name each will bear: stored and relayed unread.
    public static let reserved: [Int64: String] = [
        2: "continue", 3: "cut", 21: "receipt", 22: "closed", 23: "takeover claim", 24: "ruling",
        25: "checkpoint", 26: "snapshot", 27: "settlement", 31: "admit", 32: "expel",
    ]
}

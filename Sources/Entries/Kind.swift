/// What an entry is. Numbers below 40 stand in logs, 40 and above are statements.
public enum Kind: Int64, Hashable, Sendable, CaseIterable {
    case key = 1
    case `continue` = 2
    case cut = 3
    case profile = 4
    case lineOpening = 5
    case offer = 6
    case withdrawal = 7
    case wish = 8
    case declare = 10
    case adjust = 11
    case grant = 12
    case firm = 13
    case split = 14
    case release = 15
    case step = 20
    case receipt = 21
    case closed = 22
    case claim = 23
    case ruling = 24
    case settlement = 27
    case founding = 30
    case admit = 31
    case expel = 32
    case proposal = 40
    case acceptance = 41
    case request = 42
    case refusal = 43
    case acknowledgement = 46
    case closingRequest = 47
    case joining = 48

    public var isStatement: Bool { rawValue >= 40 }

    /// Numbers kept for later capabilities, with the name each will bear: stored and relayed unread.
    public static let reserved: [Int64: String] = [
        25: "checkpoint", 26: "snapshot",
    ]
}

/// Into how many parts a range that differs is split, or whether its ids are listed. Peers need not agree.
public enum SplitPolicy: String, Hashable, Sendable, CaseIterable {
    /// Lists below 32 ids, else 16 parts: what the reference implementation does, byte for byte.
    case reference
    /// As many rounds, fewer bytes: parts sized by what is left of those rounds.
    case compact

    /// What a range costs besides the ids it lists.
    private static let fingerprintBytes = 20
    static let idBytes = 34

    /// The number of parts of a range of `count` items; 1: list them.
    func parts(of count: Int, _ moment: SplitMoment) -> Int {
        switch self {
        case .reference: count < 32 ? 1 : 16
        case .compact: compactParts(of: count, moment)
        }
    }

    private func compactParts(of count: Int, _ moment: SplitMoment) -> Int {
        // The initiator's list is answered with a list: it rather splits once more and lets the other list.
        guard count > 1 else { return 1 }
        var splits = moment.splitsLeft
        if splits == 0 {
            if count <= 64, moment.listsFit { return 1 }
            // Where frames are cut, bytes cost rounds: one more split is less than long lists.
            splits = moment.listsFit ? 2 : 1
        }
        var best = moment.isInitiator ? 2 : 1
        var leastCost = moment.isInitiator ? Int.max : count * Self.idBytes
        for number in 1...splits {
            let parts = Self.evenParts(of: count, splits: number)
            var left = count
            for _ in 0..<number { left = (left + parts - 1) / parts }
            let cost = number * parts * Self.fingerprintBytes + left * Self.idBytes
            if cost < leastCost { (leastCost, best) = (cost, parts) }
        }
        // Next to everything differs, in few ranges: how much does is not known yet, and parts are cheap.
        if moment.differing <= 128, moment.equal * 8 < moment.differing {
            best = max(best, min(64, count / 64))
        }
        return min(best, count)
    }

    /// Splits and the list at their end cost the same per range where parts^(splits + 1) = count ÷ 0.6.
    private static func evenParts(of count: Int, splits: Int) -> Int {
        var parts = 2
        while true {
            var reach = 3
            for _ in 0...splits {
                reach = reach.multipliedReportingOverflow(by: parts + 1).partialValue
                if reach > 5 * count { return parts }
            }
            parts += 1
        }
    }

    /// Rounds that the reference takes over sets of this size, where no frame limit cuts in.
    static func rounds(over count: Int) -> Int {
        var (left, splits) = (count, 0)
        while left >= 32 {
            left = (left + 15) / 16
            splits += 1
        }
        return splits / 2 + 1
    }
}

/// What a side knows when it splits.
struct SplitMoment {
    let isInitiator: Bool
    /// Messages in which ranges may still be split, this one included; after them the responder lists.
    let splitsLeft: Int
    /// Fingerprints of the message that is answered, by whether they agreed.
    let differing: Int
    let equal: Int
    /// All that differs could be listed in one message.
    let listsFit: Bool
}

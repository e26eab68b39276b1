public import Entries
public import Identity

/// What the founding body of an alliance says about who is in it and how much each may say. It stands in
/// the topic's hash, so every node reads the same rules for ever.
public struct AllianceRules: Hashable, Sendable {
    public let stewards: [DID]
    public let admission: Admission
    /// Entries that a member may add to its public log within a day; `nil`: no limit.
    public let entriesPerDay: Int64?
    /// Offers of one member that may stand at once; `nil`: no limit.
    public let openOffers: Int64?
    /// Stewards that must expel a member before it is expelled.
    public let expelledBy: Int64

    public enum Admission: String, Hashable, Sendable, CaseIterable {
        /// Whoever holds the founding body.
        case anyone
        /// Whom a member admits.
        case invitation
        /// Whom a steward admits.
        case steward
    }

    public enum Refusal: Error, Hashable, Sendable {
        /// Rules of a newer program: who does not understand them must not judge by them.
        case admissionUnknown(String)
        case limitUnknown(String)
        case limitUnreadable(String)
        case noStewards
        case stewardTwice(DID)
        case tooFewStewards(have: Int, needed: Int64)
    }

    public static let limitNames = [entriesPerDayName, expelledByName, openOffersName]
    public static let entriesPerDayName = "entries_per_day"
    public static let openOffersName = "open_offers"
    public static let expelledByName = "expelled_by"

    public init(_ founding: Founding) throws(Refusal) {
        guard let admission = Admission(rawValue: founding.admission) else {
            throw .admissionUnknown(founding.admission)
        }
        self.admission = admission
        stewards = founding.stewards
        guard !stewards.isEmpty else { throw .noStewards }
        var seen: Set<DID> = []
        for steward in stewards where !seen.insert(steward).inserted {
            throw .stewardTwice(steward)
        }
        var limits: [String: Int64] = [:]
        for limit in founding.limits {
            guard Self.limitNames.contains(limit.name) else { throw .limitUnknown(limit.name) }
            guard case .integer(let number) = limit.value, number > 0 else {
                throw .limitUnreadable(limit.name)
            }
            limits[limit.name] = number
        }
        entriesPerDay = limits[Self.entriesPerDayName]
        openOffers = limits[Self.openOffersName]
        expelledBy = limits[Self.expelledByName] ?? 1
        guard expelledBy <= Int64(stewards.count) else {
            throw .tooFewStewards(have: stewards.count, needed: expelledBy)
        }
    }
}

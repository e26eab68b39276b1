internal import HashTreeCollections

/// One capacity line as its log counts it.
///
///     declare ──▶ grant ──▶ firm …      grant ──split──▶ two grants      grant ──release──▶ remaining
///        └─adjust─▶
///
/// `decide` may refuse, `apply` cannot fail. Every event states the `remaining` that it leaves, so a
/// reader compares one number per entry. `GrantID` is the id of the entry that made the grant.
public struct Line<GrantID: Hashable & Sendable>: Sendable {
    /// The declared total; `nil` before the first declaration.
    public private(set) var total: Int64?
    public private(set) var remaining: Int64 = 0
    /// Copies share what did not change: a line that sells for years has very many.
    private var grantOf: TreeDictionary<GrantID, Grant> = [:]

    /// What one holder has of the line.
    public struct Grant: Hashable, Sendable {
        /// Units still held: granted, less what was split off or released.
        public internal(set) var units: Int64
        /// Units that are not firm fall free after this.
        public let until: Instant
        /// Units held longer, each until its own instant.
        public internal(set) var firm: [Firm] = []
        /// All units ever released under the holder's signature; part of the signed message.
        public internal(set) var releasedBySignature: Int64 = 0

        public struct Firm: Hashable, Sendable {
            public internal(set) var units: Int64
            public let until: Instant
        }

        public var firmUnits: Int64 { firm.reduce(0) { $0 + $1.units } }
        public var looseUnits: Int64 { units - firmUnits }
    }

    public enum Event: Hashable, Sendable {
        case declare(total: Int64)
        case adjust(total: Int64)
        case grant(GrantID, units: Int64, until: Instant)
        case firm(GrantID, units: Int64, until: Instant)
        /// `into` is the id of the new grant.
        case split(GrantID, units: Int64, into: GrantID)
        /// `signed`: the holder's signature over these units was verified.
        case release(GrantID, units: Int64, signed: Bool)
    }

    public init() {}

    public func grant(_ id: GrantID) -> Grant? { grantOf[id] }
    public var grants: some Collection<Grant> { grantOf.values }

    /// `remaining` after `event`, if the event is lawful at `now`. `now` matters to unsigned releases
    /// alone.
    public func decide(_ event: Event, at now: Instant) throws(CapacityRefusal) -> Int64 {
        if case .declare(let total) = event {
            if let declared = self.total { throw .lineAlreadyDeclared(total: declared) }
            guard (0...wholeNumberMax).contains(total) else { throw .numberOutOfBounds(total) }
            return total
        }
        guard let total = self.total else { throw .lineNotDeclared }
        switch event {
        case .declare: return total
        case .adjust(let wanted):
            guard (0...wholeNumberMax).contains(wanted) else { throw .numberOutOfBounds(wanted) }
            let granted = total - remaining
            guard wanted >= granted else {
                throw .totalBelowGranted(granted: granted, total: wanted)
            }
            return wanted - granted
        case .grant(let id, let units, _):
            guard units > 0 else { throw .unitsNotPositive(units) }
            guard grantOf[id] == nil else { throw .grantRepeated }
            guard units <= remaining || planted(.grantBeyondRemaining) else {
                throw .lineExceeded(remaining: remaining, requested: units)
            }
            return remaining - units
        case .firm(let id, let units, let until):
            let grant = try self.held(id, units)
            guard until >= grant.until else {
                throw .firmShortened(until: grant.until, requested: until)
            }
            let held = grant.looseUnits + grant.firmUnits(endingBy: until)
            guard units <= held else {
                throw .grantExceeded(held: held, requested: units)
            }
            return remaining
        case .split(let id, let units, let new):
            _ = try held(id, units)
            guard grantOf[new] == nil else { throw .grantRepeated }
            return remaining
        case .release(let id, let units, let signed):
            let grant = try held(id, units)
            if !signed, !planted(.releaseUnsigned), !planted(.heldUnitsReleased) {
                try checkFallen(grant, units, at: now)
            }
            return remaining + units
        }
    }

    /// Applies a decided event. Applying what `decide` refused breaks the line's invariant.
    public mutating func apply(_ event: Event) {
        switch event {
        case .declare(let total):
            self.total = total
            remaining = total
        case .adjust(let wanted):
            remaining = wanted - ((total ?? 0) - remaining)
            total = wanted
        case .grant(let id, let units, let until):
            remaining -= units
            grantOf[id] = Grant(units: units, until: until)
        case .firm(let id, let units, let until):
            grantOf[id]?.takeFirm(beyondLoose: units)
            grantOf[id]?.firm.append(.init(units: units, until: until))
        case .split(let id, let units, let new):
            guard var grant = grantOf[id] else { break }
            let firm = grant.takeFirm(beyondLoose: units)
            grant.units -= units
            grantOf[id] = grant
            grantOf[new] = Grant(units: units, until: grant.until, firm: firm)
        case .release(let id, let units, let signed):
            remaining += units
            guard var grant = grantOf[id] else { break }
            grant.takeFirm(beyondLoose: units)
            grant.units -= units
            if signed { grant.releasedBySignature += units }
            grantOf[id] = grant
        }
        assert((0...(total ?? 0)).contains(remaining))
        assert(remaining + grants.reduce(0) { $0 + $1.units } == total ?? 0)
    }

    private func held(_ id: GrantID, _ units: Int64) throws(CapacityRefusal) -> Grant {
        guard let grant = grantOf[id] else { throw .grantUnknown }
        guard units > 0 else { throw .unitsNotPositive(units) }
        guard units <= grant.units else {
            throw .grantExceeded(held: grant.units, requested: units)
        }
        return grant
    }

    private func checkFallen(_ grant: Grant, _ units: Int64, at now: Instant)
        throws(CapacityRefusal)
    {
        let loose = grant.until < now ? grant.looseUnits : 0
        let firm = grant.firm.filter {
            $0.until < now || planted(.firmFalls) && grant.until < now
        }.reduce(0) { $0 + $1.units }
        guard units <= loose + firm else {
            let last = grant.firm.map(\.until).max() ?? grant.until
            throw .releaseTooEarly(until: loose == 0 ? grant.until : last, now: now)
        }
    }
}

extension Line.Grant {
    /// Firm units that `until` would not shorten.
    fileprivate func firmUnits(endingBy until: Instant) -> Int64 {
        firm.filter { $0.until <= until }.reduce(0) { $0 + $1.units }
    }

    /// Every event takes loose units first, then the firm ones that end earliest (loose units never
    /// outlast firm ones). Removes and returns the firm holds among the next `units` taken.
    @discardableResult
    fileprivate mutating func takeFirm(beyondLoose units: Int64) -> [Firm] {
        var excess = units - looseUnits
        var taken: [Firm] = []
        firm.sort { $0.until < $1.until }
        while excess > 0, let first = firm.first {
            let part = min(first.units, excess)
            excess -= part
            taken.append(Firm(units: part, until: first.until))
            if part == first.units {
                firm.removeFirst()
            } else {
                firm[0].units -= part
            }
        }
        return taken
    }
}

/// The ways in which a simulated world goes wrong. Each seed draws which of them it has, and how often.
public enum FaultFamily: String, CaseIterable, Sendable, Hashable {
    /// Frames take up to five seconds instead of milliseconds.
    case latency
    /// Connections end by themselves, with whatever was on its way.
    case loss
    /// A frame comes a second time, over the same connection or a later one.
    case duplication
    /// The network falls into two halves.
    case halves
    /// One node is cut off.
    case isolation
    /// One direction between two nodes stalls.
    case asymmetry
    /// Nodes are cut off one after the other and come back in another order.
    case swizzle
    /// Clocks that are off by up to two days.
    case skew
    /// A clock that jumps while its node runs.
    case jumps
    /// A process that stands still for a while.
    case pauses
    /// A process that ends between two of its steps, and starts again.
    case crashes
    /// A disk that is lost for good.
    case wipes
    /// An old copy of the database put back.
    case oldCopies
    /// A power failure that takes the newest commits with it, whatever the disk had promised.
    case lostWrites
    /// A commit that fails, of which nobody knows whether it is there.
    case ioErrors
    /// A disk that is full for a while.
    case fullDisk
    /// A bit that changes in what was stored.
    case bitFlips
    /// Several inputs share one commit.
    case batches
    /// An owner changes the key of a node that runs.
    case rotations
    case equivocator, replayer, splitView, withholder, timeLiar, colluder, badCounterparty, garbage

    /// Played by a node with a key of its own, outside the honest ones.
    public var isAdversary: Bool {
        switch self {
        case .equivocator, .replayer, .splitView, .withholder, .timeLiar, .colluder,
            .badCounterparty, .garbage:
            true
        default: false
        }
    }

    /// How often in a world, as a mean, what strikes at times of its own does at least. An old copy has to be
    /// made before it is put back.
    fileprivate var strikesAtLeast: Int64 {
        switch self {
        case .oldCopies, .lostWrites: 4
        default: isAdversary ? 8 : 1
        }
    }
}

/// Which families a world has, and how often each strikes.
public struct FaultPlan: Sendable {
    /// For each family that is on: how often it strikes. Of scheduled ones the mean pause between two in
    /// milliseconds, of the others how many times in a million chances.
    public private(set) var rates: [FaultFamily: Int64] = [:]

    public func has(_ family: FaultFamily) -> Bool { rates[family] != nil }
    func rate(_ family: FaultFamily) -> Int { Int(rates[family] ?? 0) }

    /// The families that are on, in the order of their declaration.
    public var families: [FaultFamily] { FaultFamily.allCases.filter(has) }

    public static let none = FaultPlan()

    private init() {}

    /// As a swarm: each family is in about a third of all seeds, so that some are met alone.
    /// What strikes at times of its own does so about once in `minutes` at least.
    public init(drawnFrom chance: inout Chance, without: Set<FaultFamily>, minutes: Int) {
        // One seed in sixteen is quiet: what fails there is nobody's fault but ours.
        let isQuiet = chance.below(16) == 0
        // Adversaries are few, and each of them is as often among them.
        var adversaries = 0
        let families =
            FaultFamily.allCases.filter { !$0.isAdversary }
            + FaultFamily.allCases.filter(\.isAdversary).shuffled(using: &chance)
        for family in families {
            let isOn = chance.below(family == .batches ? 2 : 3) == 0
            var rate = Self.draw(family, &chance)
            if family.isScheduled || family.isAdversary {
                rate = min(rate, Int64(minutes) * 60_000 / family.strikesAtLeast)
            }
            guard isOn, !isQuiet, !without.contains(family) else { continue }
            if family.isAdversary {
                guard adversaries < 2 else { continue }
                adversaries += 1
            }
            rates[family] = rate
        }
    }

    /// What ends processes and fails commits does so eight times as often: few seeds are played on real files.
    /// A disk that fails and a power cut are worse together.
    mutating func strainDisks(without: Set<FaultFamily>) {
        for family in [FaultFamily.crashes, .ioErrors] {
            if let rate = rates[family] { rates[family] = rate * 8 }
        }
        if has(.ioErrors), !has(.crashes), !without.contains(.crashes) { rates[.crashes] = 20_000 }
    }

    private static func draw(_ family: FaultFamily, _ chance: inout Chance) -> Int64 {
        let minute: Int64 = 60_000
        return switch family {
        case .latency: chance.within(50...5_000)
        case .loss: chance.within(100...10_000)
        case .duplication: chance.within(500...50_000)
        case .halves, .isolation, .asymmetry, .swizzle: chance.within(10 * minute...90 * minute)
        case .skew: chance.within(1 * minute...48 * 60 * minute)
        case .jumps: chance.within(30 * minute...180 * minute)
        case .pauses: chance.within(5 * minute...60 * minute)
        case .crashes: chance.within(500...20_000)
        case .wipes: chance.within(180 * minute...900 * minute)
        case .oldCopies: chance.within(120 * minute...600 * minute)
        case .lostWrites: chance.within(120 * minute...600 * minute)
        case .ioErrors: chance.within(200...10_000)
        case .fullDisk: chance.within(30 * minute...240 * minute)
        case .bitFlips: chance.within(180 * minute...900 * minute)
        case .batches: chance.within(50_000...600_000)
        case .rotations: chance.within(10 * minute...120 * minute)
        default: chance.within(minute...15 * minute)
        }
    }
}

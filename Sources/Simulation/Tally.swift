/// What a run was made of.
public struct Tally: Sendable {
    public var events = 0
    public var frames = 0
    public var connections = 0
    public var starts = 0
    /// Nodes whose storage was found damaged, and which stopped.
    public var halts = 0
    public var commands = 0
    public var refusals = 0
    public var entries = 0
    public var statements = 0
    public var proposals = 0
    public var sequenced = 0
    public var settled = 0
    public var steps = 0
    public var forks = 0
    /// Lines that the first machine sees in the second alliance at the end.
    public var guildLines = 0
    /// How often each family struck.
    public private(set) var faults: [FaultFamily: Int] = [:]
    /// What befell disks that are real files.
    public private(set) var disks: [String: Int] = [:]
    /// Contracts by template: proposed by its author, and opened as its sequencer saw it.
    public private(set) var proposed: [String: Int] = [:]
    public private(set) var opened: [String: Int] = [:]
    /// How often each transition had effect.
    public private(set) var transitions: [String: Int] = [:]
    /// Contracts by what they came to.
    public private(set) var outcomes: [String: Int] = [:]
    /// Why honest nodes closed a connection.
    public private(set) var closed: [String: Int] = [:]

    mutating func hit(_ family: FaultFamily) { faults[family, default: 0] += 1 }
    mutating func befell(_ disk: [String: Int]) { disks.merge(disk, uniquingKeysWith: +) }
    mutating func took(_ transition: String) { transitions[transition, default: 0] += 1 }
    mutating func proposed(_ template: String) {
        proposals += 1
        proposed[template, default: 0] += 1
    }
    mutating func opened(_ template: String) {
        sequenced += 1
        opened[template, default: 0] += 1
    }
    mutating func ended(_ outcome: String) { outcomes[outcome, default: 0] += 1 }
    mutating func closed(_ reason: String) { closed[reason, default: 0] += 1 }

    /// The sum of two runs.
    public mutating func add(_ other: Tally) {
        events += other.events
        frames += other.frames
        connections += other.connections
        starts += other.starts
        halts += other.halts
        commands += other.commands
        refusals += other.refusals
        guildLines += other.guildLines
        entries += other.entries
        statements += other.statements
        proposals += other.proposals
        sequenced += other.sequenced
        settled += other.settled
        steps += other.steps
        forks += other.forks
        faults.merge(other.faults, uniquingKeysWith: +)
        disks.merge(other.disks, uniquingKeysWith: +)
        proposed.merge(other.proposed, uniquingKeysWith: +)
        opened.merge(other.opened, uniquingKeysWith: +)
        transitions.merge(other.transitions, uniquingKeysWith: +)
        outcomes.merge(other.outcomes, uniquingKeysWith: +)
        closed.merge(other.closed, uniquingKeysWith: +)
    }

    public init() {}
}

/// What became of one seed.
public struct Fate: Sendable {
    public let seed: UInt64
    public let families: [FaultFamily]
    /// Virtual time.
    public let milliseconds: Int64
    public let tally: Tally
    /// Equal for equal runs, in any process.
    public let trace: UInt64
    public let violation: Violation?
}

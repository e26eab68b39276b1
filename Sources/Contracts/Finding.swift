/// Something that does not hold of a template, with the shortest play found that shows it.
public struct Finding: Hashable, Sendable {
    public enum What: Hashable, Sendable {
        /// No parameters were found that meet the template's own bounds and checks.
        case noParameters(isChild: Bool)
        /// More states than are looked at: nothing is known beyond.
        case tooLarge(states: Int)
        case openingRefused(ContractRefusal)
        case neverReached(String)
        case neverTaken(String)
        /// Nobody moves, the deadline passes, and the default cannot be done: the contract is stuck.
        case defaultRefused(String, state: String, ContractRefusal)
        /// A payment or ruling that the language promises cannot be done.
        case builtInRefused(String, state: String, ContractRefusal)
        /// If all stay silent from here on, it never ends.
        case neverEnds(state: String)
        /// One role alone can put the end off again and again.
        case putOff(role: String, [String])
        /// Minor units that a custodian holds when all is over, or was to pay without holding them.
        case escrowLeft(Int64)
        case escrowOverdrawn(Int64)
        /// Of what somebody holds for others: neither paid, nor owed, nor shown with evidence. Minor units.
        case custodyGone(Int64)
        /// Out of the deposit before anybody signed evidence. Minor units.
        case prepaid(Int64, of: Int64)
        case lossUnstated(role: String, found: Int64)
        case lossDiffers(role: String, stated: Int64?, found: Int64)
        case lossUnbounded(role: String)
    }

    public let what: What
    /// Of the file, from 1.
    public let line: Int
    public let column: Int
    /// Parameters as a person would type them, by name; empty where they do not matter.
    public var setting: [String] = []
    public var play: [PlayedStep] = []

    init(what: What, line: Int, column: Int) {
        self.what = what
        self.line = line
        self.column = column
    }

    init(what: What, place: Place) { self.init(what: what, line: place.line, column: place.column) }

    /// Two findings of one sort tell the same.
    var sort: [String] {
        switch what {
        case .noParameters, .tooLarge, .openingRefused, .escrowLeft, .escrowOverdrawn, .prepaid,
            .custodyGone:
            [String("\(what)".prefix { $0 != "(" })]
        case .neverReached(let name), .neverTaken(let name): ["never", name]
        case .defaultRefused(let name, let state, _), .builtInRefused(let name, let state, _):
            ["refused", name, state]
        case .neverEnds: ["neverEnds"]
        case .putOff(let role, let names): ["putOff", role] + names
        case .lossUnstated(let role, _), .lossDiffers(let role, _, _), .lossUnbounded(let role):
            ["loss", role]
        }
    }

    var isAboutBounds: Bool {
        switch what {
        case .noParameters, .tooLarge, .openingRefused: true
        default: false
        }
    }

    var isAboutFullFamily: Bool {
        switch what {
        case .defaultRefused(_, _, .recordsFull), .builtInRefused(_, _, .recordsFull): true
        default: false
        }
    }
}

/// One step of a play, as it happened.
public struct PlayedStep: Hashable, Sendable {
    /// Days since the grant; deadlines of different records need not fall in this order.
    public let day: Int64
    /// Who moved; `nil` where a deadline passed.
    public let role: String?
    /// The transition or built-in move, with its arguments.
    public let move: String
    /// `delivery.0 stated → due`, one for each record that changed its state.
    public let changes: [String]
}

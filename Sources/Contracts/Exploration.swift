/// What a contract under a template can come to: everything that its roles may do is tried, and every
/// deadline may pass, with the very machine that runs contracts, over small parameters.
///
///     parameters ──▶ states and steps between them ──▶ questions ──▶ findings, each with a play
///
/// Deadlines are abstract: of two records either may expire first, so more is tried than can happen.
/// Records that no longer touch main are run to their end one after the other, since their order changes
/// nothing; a finished record is forgotten. A proof within `Limits`, not beyond.
public struct Exploration: Sendable {
    public struct Limits: Sendable {
        /// Sets of parameters tried, beyond the first and the bounds as long as fewer than `steps` were.
        public var settings = 24
        public var steps = 60_000
        /// States visited under one set: beyond, the template counts as unknown.
        public var states = 20_000
        public var stepsEach = 300_000
        /// Records of one family, where the template allows more than `few`; one less where they touch main,
        /// and under other sets than the first.
        public var records = 3
        public var few = 12

        public init() {}
    }

    public let template: Template
    public let limits: Limits
    /// Sets of parameters, states visited and steps tried.
    public internal(set) var settings = 0
    public internal(set) var states = 0
    public internal(set) var steps = 0
    /// What does not hold. Empty: the template may be trusted within the bounds.
    public internal(set) var findings: [Finding] = []
    /// Of each party, under the first set of parameters.
    public internal(set) var losses: [Loss] = []
    /// By role: the defaults that carry on where it stays silent.
    public internal(set) var carriers: [String: Set<String>] = [:]

    /// Roles whose move a record waited for.
    private(set) var awaitedRoles: Set<String> = []
    var reachedStates: Set<String> = []
    var takenTransitions: Set<String> = []
    private var everyLoss: [Loss] = []

    /// What a party may lose in money, goods counted at their worth; claims that are owed to it count as
    /// nothing, for nobody can be made to pay.
    public struct Loss: Hashable, Sendable {
        public let role: String
        /// Its place in a list of roles, from 0.
        public let member: Int?
        public let isChild: Bool
        /// While it does its own part and others fall silent. Minor units.
        public let silent: Int64
        /// And others also deny, dispute and rule as they like.
        public let hostile: Int64
        /// What `worst` says of the silent case; `nil`: nothing.
        public let stated: Int64?
    }

    public static func run(_ template: Template, limits: Limits = Limits()) -> Exploration {
        var exploration = Exploration(template: template, limits: limits)
        exploration.explore()
        return exploration
    }

    init(template: Template, limits: Limits) {
        self.template = template
        self.limits = limits
    }

    private mutating func explore() {
        for isChild in template.startChild == nil ? [false] : [false, true] {
            var search = SettingSearch(
                template: template, isChild: isChild, limit: limits.settings)
            var drafts = search.settings()
            guard !drafts.isEmpty else {
                add(Finding(what: .noParameters(isChild: isChild), line: 1, column: 1))
                continue
            }
            var index = 0
            while index < drafts.count, index < 2 || steps < limits.steps {
                var graph = StateGraph(
                    drafts[index], limits: limits, breadth: index == 0 ? .wide : .narrow)
                graph.explore()
                // Where lists of roles make many states, all else is tried with short ones.
                if index == 0, graph.steps > limits.steps / 8, var shorter = search.shorter {
                    drafts = (graph.isCut ? [] : [drafts[0]]) + shorter.settings()
                    search = shorter
                    if graph.isCut, !drafts.isEmpty { continue }
                }
                take(graph, isFirst: index == 0)
                index += 1
            }
            if let first = drafts.first { fillBounds(first) }
        }
        judgeReach()
        judgeLosses()
        findings.sort { ($0.line, $0.column, $0.play.count) < ($1.line, $1.column, $1.play.count) }
    }

    /// Once more with the longest families cut short: whoever fills one must not stop the others.
    private mutating func fillBounds(_ setting: Setting) {
        let long = template.families.compactMap { family -> Int64? in
            guard case .number(let max) = family.max.node, max > Int64(limits.few) else {
                return nil
            }
            return max
        }
        guard let least = long.min() else { return }
        var short = template
        for index in short.families.indices {
            guard case .number(let max) = short.families[index].max.node, max >= least else {
                continue
            }
            let lowered = max - least + 2
            short.families[index].max = Expression(
                text: "\(lowered)", kind: .int, node: .number(lowered))
        }
        guard let cut = Setting(short, terms: setting.terms, isExtreme: false) else { return }
        var graph = StateGraph(cut, limits: limits, breadth: .least)
        graph.explore()
        states += graph.nodes.count
        steps += graph.steps
        for finding in graph.findings where finding.isAboutFullFamily { add(finding) }
    }

    private mutating func take(_ graph: StateGraph, isFirst: Bool) {
        settings += 1
        states += graph.nodes.count
        steps += graph.steps
        reachedStates.formUnion(graph.reachedStates)
        takenTransitions.formUnion(graph.takenTransitions)
        awaitedRoles.formUnion(graph.awaitedRoles)
        carriers.merge(graph.carriers) { $0.union($1) }
        for finding in graph.findings { add(finding) }
        if graph.isCut, !graph.setting.isExtreme {
            add(Finding(what: .tooLarge(states: graph.nodes.count), line: 1, column: 1))
        }
        guard !graph.isCut else { return }
        for finding in graph.endings() { add(finding) }
        guard !graph.setting.isExtreme else { return }
        let (found, faults) = graph.losses()
        for finding in faults { add(finding) }
        if isFirst { losses += found }
        everyLoss += found
    }

    /// The first of its sort stays: breadth first makes it a short one.
    private mutating func add(_ finding: Finding) {
        if !findings.contains(where: { $0.sort == finding.sort }) { findings.append(finding) }
    }

    private mutating func judgeReach() {
        guard !findings.contains(where: \.isAboutBounds) else { return }
        for family in template.families {
            for state in family.states
            where !reachedStates.contains("\(family.name).\(state.name)") {
                add(
                    Finding(
                        what: .neverReached("\(family.name).\(state.name)"), place: state.place))
            }
            for final in family.finals
            where !reachedStates.contains("\(family.name).\(final.state)") {
                add(
                    Finding(
                        what: .neverReached("\(family.name).\(final.state)"),
                        place: family.states.first?.place ?? Place(line: 1, column: 1)))
            }
        }
        for transition in template.transitions where !takenTransitions.contains(transition.name) {
            add(Finding(what: .neverTaken(transition.name), place: transition.place))
        }
    }

    /// What is stated must be the least that holds: somewhere it is lost to the fen.
    private mutating func judgeLosses() {
        guard !findings.contains(where: \.isAboutBounds) else { return }
        for loss in losses {
            let same = everyLoss.filter { $0.role == loss.role && $0.isChild == loss.isChild }
            let isMet = same.contains { $0.stated == $0.silent && $0.silent > 0 }
            guard let stated = loss.stated, !isMet, same.contains(where: { $0.stated != 0 }) else {
                continue
            }
            add(
                Finding(
                    what: .lossDiffers(role: loss.role, stated: stated, found: loss.silent),
                    place: template.worst[loss.role]?.place ?? Place(line: 1, column: 1)))
        }
    }
}

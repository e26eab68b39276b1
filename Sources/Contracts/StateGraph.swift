internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

/// All states that a contract can reach under one set of parameters, and the steps between them.
struct StateGraph {
    struct Node {
        let state: ContractState
        /// The step that first led here; `nil` for the opening.
        let first: Int?
        /// Paid out of the deposit while nobody had signed evidence yet; `nil` afterwards.
        let early: Early?
    }

    struct Early: Hashable {
        var deposited: Int64 = 0
        /// Of it to others than who deposited it.
        var paid: Int64 = 0
        /// Of each identity, in `people`'s order: what of its own it has not got back.
        var own: [Int64]
    }

    /// A default that could not be done, though its deadline had passed.
    struct Refused {
        let name: String
        let state: String
        let refusal: ContractRefusal
        let place: Place
    }

    struct Edge {
        let from: Int
        let to: Int
        let attempt: Attempt
        /// Whom the record waited for.
        let awaited: Set<DID>
        /// Of each identity, in `people`'s order: what it gains, in money times `scale`.
        let gains: [Int128]
        /// What it came to owe, likewise.
        let owes: [Int128]
        /// Whether the record it moves waits longer after it.
        let putsOff: Bool
    }

    enum Breadth {
        /// Under the first set of parameters, under the others, and where only bounds are filled.
        case wide, narrow, least
    }

    struct Attempt {
        let act: Act
        /// Whoever may make it alike; none where a deadline passes.
        let actors: [DID]
        let consents: Set<DID>
        let time: Instant
        /// A denial, a dispute or a ruling: somebody says that another lies.
        let isHostile: Bool
        /// The language promises it: a refusal is a finding.
        let mustWork: Bool

        var actor: DID? { actors.first }
    }

    let setting: Setting
    let limits: Exploration.Limits
    /// How many values are tried for an argument.
    let breadth: Breadth
    let people: [DID]
    let roleNames: [DID: String]
    private(set) var nodes: [Node] = []
    private(set) var edges: [Edge] = []
    private(set) var steps = 0
    private(set) var isCut = false
    private(set) var findings: [Finding] = []
    /// By node; it matters only where nothing else leads on.
    private(set) var refused: [Int: Refused] = [:]
    private(set) var reachedStates: Set<String> = []
    private(set) var takenTransitions: Set<String> = []
    private(set) var awaitedRoles: Set<String> = []
    private(set) var carriers: [String: Set<String>] = [:]
    private var known: [[Int64]: Int] = [:]
    private let names: [String: Int64]
    /// By family: states from which on a record never touches main.
    private let isolated: [String: Set<String>]
    private let trackedCounts: [Int]
    /// Makes whole what one unit is worth; `nil` where gains are not counted, as under bounds.
    let scale: Int128?
    private let worth: [Int128]
    /// Who may hold money of people who are not in the contract.
    private let keepers: Set<Int>
    /// Beyond, a contract takes money in without end: each state would hold a longer list of it.
    private static let depositsMax = 512
    /// With amounts of 2^53 and as many steps as are tried, sums so stay far below 128 bit.
    private static let scaleMax: Int128 = 1 << 40

    var template: Template { setting.state.template }

    init(_ setting: Setting, limits: Exploration.Limits, breadth: Breadth) {
        self.setting = setting
        self.limits = limits
        self.breadth = breadth
        let template = setting.state.template
        var people: [DID] = []
        var roleNames: [DID: String] = [:]
        for role in template.roles {
            let identities = setting.terms.roles[role.name] ?? []
            for (index, did) in identities.enumerated() {
                people.append(did)
                roleNames[did] = role.many == nil ? role.name : "\(role.name).\(index)"
            }
        }
        self.people = people
        self.roleNames = roleNames
        var names: [String: Int64] = [:]
        func number(_ name: String) {
            if names[name] == nil { names[name] = Int64(names.count) + 1 }
        }
        for family in template.families {
            number(family.name)
            for state in family.states {
                for tail in ["", ".stated", ".denied"] { number(state.name + tail) }
            }
            for final in family.finals { number(final.state) }
        }
        for did in people { number(roleNames[did] ?? "") }
        for parameter in template.values {
            if case .choice(let options) = parameter.kind { options.forEach(number) }
        }
        self.names = names
        isolated = template.isolatedStates()
        trackedCounts = template.families.indices.dropFirst().filter { index in
            let max = setting.state.limit(of: template.families[index])
            return max <= Int64(limits.few)
        }
        let units = setting.state.grants.map { Int128(max($0.units, 1)) }
        var scale: Int128? = setting.isExtreme ? nil : 1
        for count in units {
            scale = scale.flatMap { $0 * count <= Self.scaleMax ? $0 * count : nil }
        }
        self.scale = scale
        let keeping = template.families.flatMap(\.custody).reduce(into: Set<String>()) {
            $0.formUnion($1.by.node.names)
        }
        keepers = Set(
            people.indices.filter { keeping.contains(Self.role(roleNames[people[$0]] ?? "")) })
        let environment = setting.state.environment(nil, time: setting.terms.grantBy)
        worth = template.lines.enumerated().map { index, line in
            guard let scale, let rule = line.worth,
                let money = try? rule.number(in: environment, as: .money)
            else { return 0 }
            return Int128(money) * (scale / units[index])
        }
    }

    // MARK: Walking

    mutating func explore() {
        let opening: Outcome
        do {
            opening = try setting.state.opening(at: setting.terms.grantBy)
        } catch {
            note(.openingRefused(error), Place(line: 1, column: 1), at: nil)
            return
        }
        var state = setting.state
        state.apply(opening)
        for record in state.records { reachedStates.insert("\(record.family).\(record.stateName)") }
        _ = visit(state, first: nil, early: Early(own: people.map { _ in 0 }))
        var next = 0
        while next < nodes.count {
            guard nodes.count < limits.states, steps < limits.stepsEach else {
                isCut = true
                return
            }
            expand(next)
            next += 1
        }
    }

    private mutating func visit(_ state: ContractState, first: Int?, early: Early?) -> Int {
        let key = key(state, early)
        if let found = known[key] { return found }
        known[key] = nodes.count
        nodes.append(Node(state: state, first: first, early: early))
        return nodes.count - 1
    }

    private mutating func expand(_ index: Int) {
        let state = nodes[index].state
        if state.isEnded {
            let left = custody(state).reduce(state.escrow) { $0.plus($1) }
            if left != 0 {
                let last = nodes[index].first.flatMap { edge in
                    let edge = edges[edge]
                    return nodes[edge.from].state.record(edge.attempt.act.record).map(place)
                }
                note(.escrowLeft(left), last ?? Place(line: 1, column: 1), at: index)
            }
            return
        }
        for record in active(state) {
            let awaited = state.awaited(record.number)
            for attempt in attempts(record, state) { take(attempt, record, awaited, from: index) }
        }
    }

    private mutating func take(
        _ attempt: Attempt, _ record: Record, _ awaited: Set<DID>, from index: Int
    ) {
        let node = nodes[index]
        let state = node.state
        steps += 1
        let outcome: Outcome
        do {
            outcome = try decide(attempt, on: state)
        } catch {
            guard attempt.mustWork else { return }
            let place = place(of: record)
            let name = attempt.act.transition
            let path = "\(record.family).\(record.state)"
            if attempt.actor == nil {
                refused[index] = Refused(name: name, state: path, refusal: error, place: place)
            } else {
                note(.builtInRefused(name, state: path, error), place, at: index)
            }
            return
        }
        var after = state
        after.apply(outcome)
        guard after.deposits.count <= Self.depositsMax else {
            isCut = true
            return
        }
        takenTransitions.insert(attempt.act.transition)
        for record in outcome.records {
            reachedStates.insert("\(record.family).\(record.stateName)")
        }
        for one in awaited {
            let role = roleNames[one].map(Self.role) ?? ""
            awaitedRoles.insert(role)
            if attempt.actor == nil {
                carriers[role, default: []].insert(attempt.act.transition)
            }
        }
        let posts = posts(outcome, state)
        let moved = moved(posts)
        let kept = keeps(state, after, posts, attempt)
        let early = early(node.early, attempt, posts, kept.came)
        let edgeIndex = edges.count
        let count = nodes.count
        let to = visit(after, first: edgeIndex, early: early)
        let until = record.until ?? .latest
        let putsOff =
            to == index ? (after.record(record.number)?.until ?? .earliest) > until : true
        edges.append(
            Edge(
                from: index, to: to, attempt: attempt, awaited: awaited,
                gains: gains(moved, attempt, record), owes: moved.owes, putsOff: putsOff))
        if let missing = overdrawn(posts, state) {
            note(.escrowOverdrawn(missing), place(of: record), at: to)
        }
        if let fault = kept.fault { note(fault, place(of: record), at: to) }
        if nodes.count > count, let early, Int128(early.paid) * 10 > Int128(early.deposited) * 4 {
            note(.prepaid(early.paid, of: early.deposited), place(of: record), at: to)
        }
    }

    func decide(
        _ attempt: Attempt, on state: ContractState
    ) throws(ContractRefusal) -> Outcome {
        let sequence = (state.records.map(\.version).max() ?? 1) + 1
        return try state.decide(
            attempt.act, by: attempt.actor ?? people[0], consents: attempt.consents,
            at: attempt.time, sequence: sequence)
    }

    /// Records that may move. The newest that touches nothing else any more goes to its end before all
    /// others.
    private func active(_ state: ContractState) -> [Record] {
        let live = state.records.filter { $0.until != nil }
        if let one = live.last(where: { isolated[$0.family]?.contains($0.stateName) == true }) {
            return [one]
        }
        return live
    }

    /// `members` of `members.0`.
    static func role(_ name: String) -> String { String(name.prefix { $0 != "." }) }

    func isIsolated(_ family: Family) -> Bool {
        isolated[family.name]?.count == family.states.count
    }

    func place(of record: Record) -> Place {
        template.family(record.family)?.rule(record.stateName)?.place ?? Place(line: 1, column: 1)
    }

    // MARK: What counts as one state

    func key(_ state: ContractState, _ early: Early?) -> [Int64] {
        var live: [[Int64]] = []
        for record in state.records where record.until != nil || record.number == 1 {
            var one: [Int64] = [names[record.family] ?? 0, names[record.state] ?? 0]
            for field in record.fields {
                switch (field.kind, field.datum) {
                case (.instant, _): break
                case (_, .number(let number)): one.append(number)
                case (_, .name(let name)): one.append(names[name] ?? -1)
                default: one.append(0)
                }
            }
            one += record.holds.map(\.amount)
            if let pay = record.pay {
                one += [names[pay.fromRole] ?? 0, names[pay.toRole] ?? 0, pay.amount]
            }
            live.append(one)
        }
        live.sort { $0.lexicographicallyPrecedes($1) }
        var key: [Int64] = [state.isEnded ? 1 : 0, state.escrow]
        if let early { key += [early.paid, early.deposited] + early.own }
        key.append(-1)
        for index in trackedCounts {
            let name = template.families[index].name
            key.append(Int64(state.records.count { $0.family == name }))
        }
        for one in live {
            key.append(Int64(one.count))
            key += one
        }
        return key
    }

    // MARK: What moved

    private struct Moved {
        var cash: [Int128]
        var owes: [Int128]
    }

    private func posts(
        _ outcome: Outcome, _ state: ContractState
    ) -> [(transfer: Transfer, amount: Int64)] {
        let some = outcome.transfers.contains { if case .post = $0 { true } else { false } }
        guard some else { return [] }
        var open: [Cause: Transfer] = [:]
        for transfer in state.pending { open[transfer.cause] = transfer }
        var posts: [(transfer: Transfer, amount: Int64)] = []
        for event in outcome.transfers {
            switch event {
            case .reserve(let transfer): open[transfer.cause] = transfer
            case .post(let cause, let amount, _):
                if let transfer = open[cause] { posts.append((transfer, amount)) }
            case .void, .discharge: break
            }
        }
        return posts
    }

    private func moved(_ posts: [(transfer: Transfer, amount: Int64)]) -> Moved {
        var moved = Moved(
            cash: [Int128](repeating: 0, count: people.count),
            owes: [Int128](repeating: 0, count: people.count))
        guard let scale else { return moved }
        for (transfer, amount) in posts {
            let amount = Int128(amount)
            guard let from = people.firstIndex(of: transfer.from),
                let to = people.firstIndex(of: transfer.to)
            else { continue }
            switch transfer.kind {
            case .payment, .deposit, .payout:
                moved.cash[from] -= amount * scale
                moved.cash[to] += amount * scale
            case .claim: moved.owes[from] += amount * scale
            case .capacity:
                let value = worth[line(of: transfer)] * amount
                moved.cash[from] -= value
                moved.cash[to] += value
            }
        }
        return moved
    }

    private func line(of transfer: Transfer) -> Int {
        guard case .capacity(let resource, _) = transfer.commodity else { return 0 }
        return setting.terms.lines.firstIndex { $0.resource == resource } ?? 0
    }

    private func gains(_ moved: Moved, _ attempt: Attempt, _ record: Record) -> [Int128] {
        var gains = moved.cash
        // Who stated a payment made it, whatever was ruled.
        if let scale, let pay = record.pay, record.phase == "denied",
            let payer = people.firstIndex(of: pay.from), gains[payer] == 0
        {
            gains[payer] -= Int128(pay.amount) * scale
        }
        return gains
    }

    /// What a custodian paid out without holding it.
    private func overdrawn(
        _ posts: [(transfer: Transfer, amount: Int64)], _ state: ContractState
    ) -> Int64? {
        for (transfer, amount) in posts where transfer.kind == .payout {
            let held = state.deposits.reduce(0) {
                $1.custodian == transfer.from ? $0 + $1.amount : $0
            }
            if amount > held { return amount - held }
        }
        return nil
    }

    /// What each identity holds, in `people`'s order, of people who are not in the contract.
    private func custody(_ state: ContractState) -> [Int64] {
        var held = [Int64](repeating: 0, count: people.count)
        guard template.families.contains(where: { !$0.custody.isEmpty }) else { return held }
        for record in state.records {
            for one in template.family(record.family)?.custody ?? [] {
                guard let name = try? one.by.name(in: state.environment(record)),
                    let person = state.identity(name).flatMap(people.firstIndex),
                    let amount = record.fields[safe: one.field]?.datum.number
                else { continue }
                held[person] = held[person].plus(amount)
            }
        }
        return held
    }

    /// Such money comes by word, and goes as it is paid or owed in the contract, or with evidence that its
    /// holder signs. What came, and what is wrong.
    private func keeps(
        _ before: ContractState, _ after: ContractState,
        _ posts: [(transfer: Transfer, amount: Int64)], _ attempt: Attempt
    ) -> (came: Int64, fault: Finding.What?) {
        guard template.families.contains(where: { !$0.custody.isEmpty }) else { return (0, nil) }
        let (had, has) = (custody(before), custody(after))
        var came: Int64 = 0
        for (index, person) in people.enumerated() {
            let gone = had[index] - has[index]
            came = came.plus(max(-gone, 0))
            let given = posts.reduce(Int64(0)) { sum, post in
                let counts = [.payment, .claim].contains(post.transfer.kind)
                return counts && post.transfer.from == person ? sum + post.amount : sum
            }
            let shows =
                attempt.actors.contains(person)
                && template.transition(attempt.act.transition)?.evidence != nil
            if gone > given, !shows { return (came, .custodyGone(gone - given)) }
            let isKeeper = had[index] > 0 || has[index] > 0
            if isKeeper, given > max(gone, 0) {
                return (came, .escrowOverdrawn(given - max(gone, 0)))
            }
        }
        return (came, nil)
    }

    /// Evidence counts from whoever neither paid in nor holds the money: its own word proves no progress.
    private func early(
        _ before: Early?, _ attempt: Attempt, _ posts: [(transfer: Transfer, amount: Int64)],
        _ came: Int64
    ) -> Early? {
        guard var early = before else { return nil }
        let carriesEvidence = template.transition(attempt.act.transition)?.evidence != nil
        if carriesEvidence, early.deposited > 0, let actor = attempt.actor,
            let index = people.firstIndex(of: actor), early.own[index] == 0,
            template.role(Self.role(roleNames[actor] ?? ""))?.kind == .party
        {
            return nil
        }
        early.deposited = early.deposited.plus(came)
        for (transfer, amount) in posts {
            if transfer.kind == .payment, let from = people.firstIndex(of: transfer.from),
                keepers.contains(from)
            {
                early.paid = early.paid.plus(amount)
            }
            if transfer.kind == .deposit, let from = people.firstIndex(of: transfer.from) {
                early.deposited = early.deposited.plus(amount)
                early.own[from] = early.own[from].plus(amount)
            }
            if transfer.kind == .payout, let to = people.firstIndex(of: transfer.to) {
                let back = min(amount, early.own[to])
                early.own[to] -= back
                early.paid = early.paid.plus(amount - back)
            }
        }
        return early
    }

    // MARK: Findings

    mutating func note(_ what: Finding.What, _ place: Place, at index: Int?) {
        var finding = Finding(what: what, place: place)
        guard !findings.contains(where: { $0.sort == finding.sort }) else { return }
        finding.setting = setting.texts
        if let index { finding.play = play(path(to: index)) }
        findings.append(finding)
    }
}

extension Template {
    /// Of each family but main, the states from which on nothing that a record does or waits for reads or
    /// writes main.
    func isolatedStates() -> [String: Set<String>] {
        var isolated: [String: Set<String>] = [:]
        for family in families.dropFirst() {
            var found = Set(family.states.filter { !touchesMain($0, of: family) }.map(\.name))
            var before = -1
            while before != found.count {
                before = found.count
                for rule in family.states {
                    let leadsOut = exits(rule, of: family).contains { name in
                        family.rule(name) != nil && !found.contains(name)
                    }
                    if leadsOut { found.remove(rule.name) }
                }
            }
            isolated[family.name] = found
        }
        return isolated
    }

    private func moves(_ rule: StateRule, of family: Family) -> [Transition] {
        transitions.filter { $0.family == family.name && $0.state == rule.name }
    }

    private func touchesMain(_ rule: StateRule, of family: Family) -> Bool {
        if moves(rule, of: family).contains(where: \.touchesMain) { return true }
        return switch rule.waits {
        case .until(let until, _): until.node.readsMain
        case .pay(let pay):
            pay.paid.touchesMain || pay.unpaid.touchesMain
                || ([pay.from, pay.to, pay.amount] + (pay.by.map { [$0] } ?? []))
                    .contains { $0.node.readsMain }
        case .dispute(let dispute):
            dispute.ruled.touchesMain
                || (dispute.between + [dispute.fallback]).contains { $0.node.readsMain }
        }
    }

    private func exits(_ rule: StateRule, of family: Family) -> [String] {
        switch rule.waits {
        case .until: moves(rule, of: family).flatMap(\.to.node.outcomes)
        case .pay(let pay): pay.paid.to.node.outcomes + pay.unpaid.to.node.outcomes
        case .dispute(let dispute): dispute.ruled.to.node.outcomes
        }
    }
}

extension Int64 {
    /// As far as numbers go: what goes round and round adds up without end, and is only compared here.
    fileprivate func plus(_ other: Int64) -> Int64 {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}

extension ContractState {
    /// How many records of a family may be made.
    func limit(of family: Family) -> Int64 {
        (try? family.max.number(in: environment(nil, time: terms.grantBy), as: .int)) ?? 1
    }
}

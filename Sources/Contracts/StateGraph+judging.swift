internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

extension StateGraph {
    /// Steps lead mostly to states found later, so a few looks are enough where there is a least.
    private static let roundsMax = 256

    // MARK: Does it end

    /// From every state silence alone must lead to the end, and no role alone may put it off for ever.
    func endings() -> [Finding] {
        var findings: [Finding] = []
        var backward: [[Int]] = Array(repeating: [], count: nodes.count)
        for edge in edges where edge.attempt.actor == nil { backward[edge.to].append(edge.from) }
        var ends = nodes.map(\.state.isEnded)
        var open = ends.indices.filter { ends[$0] }
        while let index = open.popLast() {
            for before in backward[index] where !ends[before] {
                ends[before] = true
                open.append(before)
            }
        }
        if let stuck = ends.firstIndex(of: false) { findings.append(impasse(from: stuck)) }
        for person in people {
            if let loop = loop(of: person) {
                let names = Set(loop.map(\.attempt.act.transition)).sorted()
                var finding = Finding(
                    what: .putOff(role: roleNames[person] ?? "", names),
                    place: names.first.flatMap { template.transition($0)?.place }
                        ?? Place(line: 1, column: 1))
                finding.setting = setting.texts
                finding.play = play((loop.first.map { path(to: $0.from) } ?? []) + loop)
                findings.append(finding)
            }
        }
        return findings
    }

    /// Where silence leads from a state that it never leads out of: to a default that cannot be done, or
    /// round and round.
    private func impasse(from stuck: Int) -> Finding {
        // The first default of each state; one that leads elsewhere before one that does not.
        var onward: [Int: Edge] = [:]
        for edge in edges where edge.attempt.actor == nil {
            if let first = onward[edge.from], first.to != first.from || edge.to == edge.from {
                continue
            }
            onward[edge.from] = edge
        }
        var at = stuck
        var seen: Set<Int> = []
        var step: Edge?
        while seen.insert(at).inserted {
            step = onward[at]
            guard let step else { break }
            at = step.to
        }
        let state = nodes[at].state
        let record =
            step.flatMap { edge in
                nodes[edge.from].state.record(edge.attempt.act.record)
            } ?? state.records.first { $0.until != nil }
        var finding: Finding
        if step == nil, let why = refused[at] {
            finding = Finding(
                what: .defaultRefused(why.name, state: why.state, why.refusal), place: why.place)
        } else {
            finding = Finding(
                what: .neverEnds(state: record.map { "\($0.family).\($0.stateName)" } ?? "main"),
                place: record.map(place) ?? Place(line: 1, column: 1))
        }
        finding.setting = setting.texts
        finding.play = play(path(to: at))
        return finding
    }

    /// A way from a state back to it on which this identity alone moves: by moves that need nobody else, and
    /// by deadlines of the same kind of record, which it may as well let pass.
    private func loop(of person: DID) -> [Edge]? {
        for family in template.families {
            var onward: [[Int]] = Array(repeating: [], count: nodes.count)
            var own: [Int] = []
            for (index, edge) in edges.enumerated() where edge.putsOff {
                let record = nodes[edge.from].state.record(edge.attempt.act.record)
                guard record?.family == family.name else { continue }
                let isOwn =
                    edge.attempt.actors.contains(person)
                    && edge.attempt.consents.subtracting([person]).isEmpty
                guard isOwn || edge.attempt.actor == nil else { continue }
                onward[edge.from].append(index)
                if isOwn { own.append(index) }
            }
            let circles = circles(onward)
            for index in own where circles[edges[index].from] == circles[edges[index].to] {
                let edge = edges[index]
                return [edge] + (way(from: edge.to, to: edge.from, onward) ?? [])
            }
        }
        return nil
    }

    /// Of each node a number that it shares with exactly those which it reaches and which reach it (Tarjan,
    /// Depth-First Search and Linear Graph Algorithms, 1972), without recursion.
    private func circles(_ onward: [[Int]]) -> [Int] {
        var circle = [Int](repeating: -1, count: nodes.count)
        var order = [Int](repeating: -1, count: nodes.count)
        var low = [Int](repeating: 0, count: nodes.count)
        var open: [Int] = []
        var isOpen = [Bool](repeating: false, count: nodes.count)
        var next = 0
        var path: [(node: Int, at: Int)] = []
        func enter(_ node: Int) {
            (order[node], low[node]) = (next, next)
            next += 1
            open.append(node)
            isOpen[node] = true
            path.append((node, 0))
        }
        for start in nodes.indices where order[start] < 0 && !onward[start].isEmpty {
            enter(start)
            while let (node, at) = path.last {
                if at < onward[node].count {
                    path[path.count - 1].at += 1
                    let to = edges[onward[node][at]].to
                    if order[to] < 0 {
                        enter(to)
                    } else if isOpen[to] {
                        low[node] = min(low[node], order[to])
                    }
                    continue
                }
                path.removeLast()
                if let before = path.last?.node { low[before] = min(low[before], low[node]) }
                guard low[node] == order[node] else { continue }
                while let one = open.popLast() {
                    isOpen[one] = false
                    circle[one] = node
                    if one == node { break }
                }
            }
        }
        for node in nodes.indices where circle[node] < 0 { circle[node] = nodes.count + node }
        return circle
    }

    /// The shortest way, empty where it is the same node.
    private func way(from: Int, to: Int, _ onward: [[Int]]) -> [Edge]? {
        var last = [Int: Int]()
        var front = [from]
        while last[to] == nil, from != to, !front.isEmpty {
            var further: [Int] = []
            for node in front {
                for index in onward[node] where last[edges[index].to] == nil {
                    last[edges[index].to] = index
                    further.append(edges[index].to)
                }
            }
            front = further
        }
        var path: [Edge] = []
        var at = to
        while at != from {
            guard let index = last[at] else { return nil }
            path.append(edges[index])
            at = edges[index].from
        }
        return path.reversed()
    }

    // MARK: What may be lost

    func losses() -> (found: [Exploration.Loss], faults: [Finding]) {
        var found: [Exploration.Loss] = []
        var faults: [Finding] = []
        for (index, person) in people.enumerated() {
            let name = roleNames[person] ?? ""
            let base = Self.role(name)
            guard let role = template.role(base), role.kind == .party else { continue }
            let member = setting.terms.roles[base]?.firstIndex(of: person) ?? 0
            let stated = setting.state.loss(role: base, member: member)?.minor
            let place = template.worst[base]?.place ?? Place(line: 1, column: 1)
            guard let silent = loss(of: index, hostile: false),
                let hostile = loss(of: index, hostile: true)
            else {
                faults.append(Finding(what: .lossUnbounded(role: base), place: place))
                continue
            }
            found.append(
                Exploration.Loss(
                    role: base, member: role.many == nil ? nil : member,
                    isChild: setting.terms.isChild, silent: silent.money, hostile: hostile.money,
                    stated: stated))
            if let what = judge(base, silent.money, stated) {
                var finding = Finding(what: what, place: place)
                finding.setting = setting.texts
                finding.play = play(silent.path)
                faults.append(finding)
            }
        }
        return (found, faults)
    }

    private func judge(_ role: String, _ found: Int64, _ stated: Int64?) -> Finding.What? {
        guard template.worst[role]?.loses != nil else {
            return .lossUnstated(role: role, found: found)
        }
        // More than was found may still be right elsewhere; `Exploration` asks that it is found once.
        if let stated, stated >= found { return nil }
        return .lossDiffers(role: role, stated: stated, found: found)
    }

    /// The least that an identity may end with over all plays in which it does its part: its own
    /// deadline never passes where it then owes or leaves a payment unmade. `nil` where there is no least,
    /// none came out in `roundsMax` looks at all steps, or units are too many to be counted in money.
    private func loss(of person: Int, hostile: Bool) -> (money: Int64, path: [Edge])? {
        guard let scale else { return nil }
        let did = people[person]
        // Of each state the least to be had there, in the fewest steps.
        var best = [(value: Int128, steps: Int)?](repeating: nil, count: nodes.count)
        var last = [Int](repeating: -1, count: nodes.count)
        if !best.isEmpty { best[0] = (0, 0) }
        let usable = edges.indices.filter { index in
            let edge = edges[index]
            if !hostile, edge.attempt.isHostile { return false }
            guard edge.attempt.actor == nil, edge.awaited.contains(did) else { return true }
            return edge.owes[person] == 0
                && edge.attempt.act.transition != BuiltIn.payUnpaid.rawValue
        }
        var rounds = 0
        var changed = true
        while changed {
            changed = false
            rounds += 1
            guard rounds <= Self.roundsMax else { return nil }
            for index in usable {
                let edge = edges[index]
                guard edge.from != edge.to || edge.gains[person] < edge.owes[person],
                    let before = best[edge.from]
                else { continue }
                let value = before.value + edge.gains[person] - edge.owes[person]
                if (value, before.steps + 1) < best[edge.to] ?? (.max, .max) {
                    best[edge.to] = (value, before.steps + 1)
                    last[edge.to] = index
                    changed = true
                }
            }
        }
        var worst: (value: Int128, steps: Int, node: Int) = (0, 0, 0)
        for (index, node) in nodes.enumerated() where node.state.isEnded {
            guard let (value, steps) = best[index], (value, steps) < (worst.value, worst.steps)
            else { continue }
            worst = (value, steps, index)
        }
        var path: [Edge] = []
        var at = worst.node
        while last[at] >= 0, path.count <= nodes.count {
            path.append(edges[last[at]])
            at = edges[last[at]].from
        }
        return (Int64(clamping: (-worst.value + scale - 1) / scale), path.reversed())
    }
}

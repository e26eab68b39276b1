internal import Capacity
internal import Entries
internal import Identity
internal import Ledger

extension StateGraph {
    /// The steps that first led to a state.
    func path(to index: Int) -> [Edge] {
        var path: [Edge] = []
        var at = index
        while let first = nodes[at].first {
            path.append(edges[first])
            at = edges[first].from
        }
        return path.reversed()
    }

    /// Each step of a path from the opening is done once more. States that count as one may number their
    /// records differently, so it is sought anew which record moved.
    func play(_ path: [Edge]) -> [PlayedStep] {
        guard var state = nodes.first?.state else { return [] }
        return path.map { edge in
            if let (step, next) = again(edge, on: state) {
                state = next
                return step
            }
            let before = nodes[edge.from].state
            state = nodes[edge.to].state
            return told(edge.attempt, on: before, nil)
        }
    }

    private func again(
        _ edge: Edge, on state: ContractState
    ) -> (step: PlayedStep, next: ContractState)? {
        let wanted = key(nodes[edge.to].state, nil)
        for record in state.records where record.until != nil {
            for attempt in attempts(record, state)
            where attempt.act.transition == edge.attempt.act.transition
                && attempt.actors == edge.attempt.actors
                && attempt.act.arguments == edge.attempt.act.arguments
            {
                guard let outcome = try? decide(attempt, on: state) else { continue }
                var next = state
                next.apply(outcome)
                if key(next, nil) == wanted { return (told(attempt, on: state, outcome), next) }
            }
        }
        return nil
    }

    private func told(
        _ attempt: Attempt, on before: ContractState, _ outcome: Outcome?
    ) -> PlayedStep {
        let changes = (outcome?.records ?? []).compactMap { record -> String? in
            let name = record.family == "main" ? "main" : "\(record.family).\(record.index)"
            guard let old = before.record(record.number) else {
                return "\(name) → \(record.state)"
            }
            return old.state == record.state ? nil : "\(name) \(old.state) → \(record.state)"
        }
        let arguments = attempt.act.arguments.keys.sorted().compactMap { name in
            attempt.act.arguments[name].map { "\(name) \(StateGraph.text($0))" }
        }
        let milliseconds = attempt.time.milliseconds - setting.terms.grantBy.milliseconds
        return PlayedStep(
            day: milliseconds / 86_400_000,
            role: attempt.actor.map { roleNames[$0] ?? "" },
            move: ([attempt.act.transition] + arguments).joined(separator: " "),
            changes: changes)
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .integer(let number): "\(number)"
        case .quantity(let quantity): "\(quantity.units)"
        case .money(let money): Display.decimal(money.minor)
        case .text(let text): text
        case .list(let items): "[" + items.map(text).joined(separator: ", ") + "]"
        case .instant(let instant): instant.description
        default: "…"
        }
    }
}

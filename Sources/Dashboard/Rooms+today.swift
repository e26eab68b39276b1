import Capacity
import Contracts
import Entries
import Identity
import NodeCore

extension Rooms {
    /// How much of what waits is shown.
    private static let waitingMax = 60

    /// What waits for me, most urgent first, and what came in.
    func today() -> JSON {
        let shown = overview.waiting(at: now, most: Self.waitingMax)
        return [
            "waiting": .array(shown.compactMap { item($0.contract, $0.what, until: $0.until) }),
            "count": .number(waitingCount),
            "more": rest(waitingCount - shown.count),
            "news": .array(news()),
            "first_steps": .bool(node.contracts.isEmpty),
        ]
    }

    private func item(
        _ id: ContractID, _ what: HeldContract.Awaited.What, until: Instant
    ) -> JSON? {
        guard let held = node.contracts[id] else { return nil }
        switch what {
        case .proposal:
            let says = held.fold.map { figures.local($0.state.prose(language)) } ?? title(held)
            return item(held, until: until, "wait_accept", says, [accept(held)])
        case .record(let number):
            let acts = acts(held, record: number)
            guard let state = held.fold?.state, let record = state.record(number),
                let first = acts.first
            else { return nil }
            let otherwise = state.defaultAct(number).map { act in
                sentence { state.says(act, $0) }
            }
            return item(
                held, until: until, record.waitsAs, first["says"]?.string ?? "", [first],
                about: first["about"]?.string, others: acts.count > 1, otherwise: otherwise ?? "")
        case .request(let request):
            let says = held.requests[request].flatMap { asked in
                held.fold.map { figures.local($0.state.says(Act(asked.act), language)) }
            }
            return item(
                held, until: until, "wait_consent", says ?? "", [consent(held, request)])
        }
    }

    private func item(
        _ held: HeldContract, until: Instant, _ kind: String, _ says: String, _ acts: [JSON],
        about: String? = nil, others: Bool = false, otherwise: String = ""
    ) -> JSON {
        [
            "about": .text(about), "kind": .string(word(kind)), "says": .string(says),
            "title": .string(title(held)), "cast": .string(cast(held)),
            "href": .string(page(held)), "urgency": .string(urgency(until)),
            "left": .string(until == .latest ? "" : figures.left(until: until)),
            "until": .string(until == .latest ? "" : figures.moment(until)),
            "otherwise": .string(otherwise), "others": .bool(others),
            // Whoever works through this list comes back to it.
            "acts": .array(acts.map { $0.merging([.init("back", "/")]) }),
        ]
    }

    func accept(_ held: HeldContract) -> JSON {
        DeskAct(
            verb: "contract accept", button: word("review"), hidden: [("contract", held.id.hex)],
            back: page(held), isPrimary: true
        ).json.merging([.init("says", .string(word("accept_says")))])
    }

    func decline(_ held: HeldContract) -> JSON {
        let isMine = held.proposalEntry.header.author == me
        return DeskAct(
            verb: isMine ? "contract cancel" : "contract decline",
            button: word(isMine ? "take_back" : "decline"), hidden: [("contract", held.id.hex)],
            fields: [
                DeskField(name: "o.reason", label: word("reason"), isRequired: false).json
            ], back: page(held)
        ).json.merging([.init("says", .string(word(isMine ? "take_back" : "decline")))])
    }

    func consent(_ held: HeldContract, _ request: EntryID) -> JSON {
        DeskAct(
            verb: "contract accept", button: word("review"),
            hidden: [("contract", held.id.hex), ("request", request.hex)], back: page(held),
            isPrimary: true
        ).json.merging([.init("says", .string(word("consent_says")))])
    }

    /// The newest steps that others took.
    private func news() -> [JSON] {
        var steps: [(time: Instant, id: ContractID, step: Fold.StepOutline)] = []
        for one in overview.news.suffix(Overview.newsMax) {
            let last = node.contracts[one.contract]?.fold?.steps.suffix(Overview.newsMax) ?? []
            steps += last.filter { $0.actor != me }.map { ($0.time, one.contract, $0) }
        }
        steps.sort { ($0.time, $0.id, $0.step.sequence) > ($1.time, $1.id, $1.step.sequence) }
        var told: [ContractID: View.Replay] = [:]
        return steps.prefix(Overview.newsMax).compactMap { time, id, step in
            guard let held = node.contracts[id] else { return nil }
            let past = told[held.id] ?? view.replay(held)
            told[held.id] = past
            return [
                "who": .string(name(step.actor)), "ago": .string(figures.ago(time)),
                "at": .string(figures.moment(time)), "title": .string(title(held)),
                "href": .string(page(held)),
                "says": .string(past.says[step.sequence].map(sentence) ?? step.act.transition),
            ]
        }
    }
}

extension View {
    /// A contract played again from its opening.
    struct Replay {
        /// What each effective step said when it was taken.
        var says: [Int64: Localized] = [:]
        /// Which step made each record.
        var maker: [Int64: Int64] = [:]
    }

    func replay(_ held: HeldContract) -> Replay {
        var past = Replay()
        guard let fold = held.fold,
            var state = try? ContractState(template: fold.template, terms: fold.state.terms)
        else { return past }
        for step in fold.steps where step.void == nil {
            let act = Act(step.act)
            let outcome: Outcome?
            if state.records.isEmpty {
                past.says[step.sequence] = Localized(
                    en: "In force: all have signed.", zh: "合同生效：各方均已签署。")
                outcome = try? state.opening(at: step.time, sequence: step.sequence)
            } else {
                past.says[step.sequence] = Localized(
                    en: state.says(act, .en), zh: state.says(act, .zh))
                outcome = try? state.decide(
                    act, by: step.actor, consents: state.consentsNeeded(for: act), at: step.time,
                    sequence: step.sequence, free: fold.freeTimes)
            }
            // Where something outside the state decided, the rest is told as it stands now.
            guard let outcome else {
                past.says.merge(now(fold)) { one, _ in one }
                return past
            }
            state.apply(outcome)
            for record in state.records where past.maker[record.number] == nil {
                past.maker[record.number] = step.sequence
            }
        }
        return past
    }

    private func now(_ fold: Fold) -> [Int64: Localized] {
        Dictionary(
            fold.steps.map { step in
                let act = Act(step.act)
                return (
                    step.sequence,
                    Localized(en: fold.state.says(act, .en), zh: fold.state.says(act, .zh))
                )
            }, uniquingKeysWith: { one, _ in one })
    }
}

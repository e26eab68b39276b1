import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore

// The templates' own verbs. A new template brings its own words; nothing here knows one by name.

extension Commands {
    /// Two words that are not built in: a template's word for proposing, or one of its moves.
    func alias(_ request: CommandRequest) async throws -> JSON {
        let verb = request.verb
        return try await write(request) { node, options in
            let proposes = node.templates.values.contains { $0.verb == verb }
            let moves =
                Self.builtIn[verb] != nil || verb == Self.defaultVerb
                || node.templates.values.contains { template in
                    template.transitions.contains { $0.verb == verb }
                }
            if proposes, !moves || !options.has("contract") {
                return try Self.propose(&node, &options, verb: verb)
            }
            guard moves else { throw Self.unknown(verb, among: node.templates.values) }
            return options.count("contract") > 1
                ? try Self.actInShares(&node, &options, verb: verb)
                : try Self.act(&node, &options, verb: verb)
        }
    }

    /// Asks for one step; `verb` where a template's word was typed, else `--transition` names it.
    static func act(_ node: inout Node, _ options: inout Options, verb: String?) throws -> Done {
        let text = try options.need("contract", Localized(en: "its id", zh: "合同编号"))
        let id = try node.contractID(text)
        guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
        let wanted: Wanted
        if let verb {
            wanted = .verb(verb)
        } else {
            let name = try options.need(
                "transition", Localized(en: "its name in the template", zh: "模板中的步骤名"))
            wanted = .transition(String(name.map { $0 == "-" ? "_" : $0 }))
        }
        guard let fold = held.fold, fold.isSequenced else {
            throw NodeRefusal.contractNotSequenced(id)
        }
        let record = try options.number("record", atLeast: 1)
        let seconds = try options.number("wait", atLeast: 1)
        let view = View(node: node, now: node.now)
        var move = try find(wanted, record, held, fold, view)
        let units = held.proposal.lines.map(\.unit)
        for parameter in move.parameters {
            guard
                let value = try argument(
                    parameter, node, &options, currency: held.proposal.currency, units: units)
            else {
                guard move.act.arguments[parameter.name] != nil || parameter.optional else {
                    let option = argumentNames(parameter).first ?? parameter.name
                    throw DoorRefusal(
                        "argument_missing", field: option,
                        en: "--\(option) is missing: \(parameter.kind.words(.en))",
                        zh: "缺少 --\(option)：\(parameter.kind.words(.zh))")
                }
                continue
            }
            move.act.arguments[parameter.name] = value
        }
        if options.has("evidence"), let given = try options.one("evidence") {
            try check(evidence: given, record: move.act.record, fold)
        }
        try options.finish()
        var done = expected(move.act, by: node.own.did, held, view, options)
        done.again = unanswered(move.act, held, view)
        let result = try node.act(move.act, in: id)
        done.value = asked(result, id, node).merging([
            .init("again", done.again?.json ?? .null)
        ])
        if case .requested(let request) = result, let seconds {
            done.follow = Follow(request: request, contract: id, seconds: min(seconds, waitMax))
        }
        return done
    }

    /// Says that I asked for exactly this before, where it still waits.
    private static func unanswered(_ act: Act, _ held: HeldContract, _ view: View) -> Localized? {
        let same = held.requests.values.filter {
            $0.entry.header.author == view.node.own.did && Act($0.act) == act
        }
        guard let one = same.min(by: { $0.entry.header.time < $1.entry.header.time }) else {
            return nil
        }
        let awaited = held.consentsMissing(to: one)
        let who = (awaited.isEmpty ? [held.sequencer] : awaited).map(view.name)
        let time = one.entry.header.time
        return Localized(
            en:
                "You asked for the same at \(time), and \(who.joined(separator: ", ")) did not answer yet; "
                + "at most one of the two takes effect.",
            zh: "您已于 \(time) 发出相同的请求，\(who.joined(separator: "、"))尚未答复；两者至多一项生效。")
    }

    /// The longest a command waits for an answer: ten minutes.
    private static let waitMax: Int64 = 600

    /// What became of a request: the step that admitted it, or the sequencer's no.
    static func answer(to follow: Follow, _ node: Node) -> [JSON.Field]? {
        guard let held = node.contracts[follow.contract], let fold = held.fold else { return nil }
        if let step = fold.steps.last(where: { $0.request == follow.request }) {
            return [
                .init("step", .number(step.sequence)),
                .init("void", .bool(step.void != nil)),
                .init("contract", summary(follow.contract, node)),
            ]
        }
        guard let refused = held.refused.last(where: { $0.request == follow.request }) else {
            return nil
        }
        let view = View(node: node, now: node.now)
        return [.init("refused", view.refused(refused, fold))]
    }

    private enum Wanted {
        case verb(String)
        case transition(String)

        func matches(_ choice: Choice) -> Bool {
            switch self {
            case .verb(Commands.defaultVerb): choice.isDefault
            case .verb(let verb): choice.verb == verb && !choice.isDefault
            case .transition(let name): choice.act.transition == name
            }
        }

        func matches(_ transition: Transition) -> Bool {
            switch self {
            case .verb(let verb): transition.verb == verb && !transition.isDefault
            case .transition(let name): transition.name == name
            }
        }

        var text: String {
            switch self {
            case .verb(let text), .transition(let text): text
            }
        }

        var builtIn: String? {
            switch self {
            case .verb(let verb): Commands.builtIn[verb]?.first
            case .transition(let name):
                Commands.builtIn.values.joined().first { $0 == name }
            }
        }
    }

    private struct Move {
        var act: Act
        var parameters: [Parameter]
    }

    /// The one move that is meant: among what I may do now; else what the words can only mean, so that
    /// the contract itself says, with its numbers, why not.
    private static func find(
        _ wanted: Wanted, _ record: Int64?, _ held: HeldContract, _ fold: Fold, _ view: View
    ) throws -> Move {
        let open = view.myChoices(held).filter { wanted.matches($0) }
        let choices = open.filter { record == nil || $0.act.record == record }
        if choices.count == 1, let choice = choices.first {
            return Move(act: choice.act, parameters: choice.arguments)
        }
        if choices.count > 1 { throw ambiguous(wanted.text, choices, fold) }
        let transitions = fold.template.transitions.filter { wanted.matches($0) }
        let numbers = fold.state.records
        for transition in transitions {
            let fitting = numbers.filter {
                $0.family == transition.family && (record == nil || $0.number == record)
            }
            let waiting = fitting.filter { $0.state == transition.state }
            guard
                let one = waiting.count == 1
                    ? waiting.first : fitting.count == 1 ? fitting.first : nil
            else { continue }
            return Move(
                act: Act(transition: transition.name, record: one.number),
                parameters: transition.arguments)
        }
        if let builtIn = wanted.builtIn {
            // These two take nothing that must be given, so the contract itself can say why not.
            let paying = numbers.filter {
                $0.state.hasSuffix(".stated") && (record ?? $0.number) == $0.number
            }
            if ["pay_receive", "pay_deny"].contains(builtIn), paying.count == 1,
                let number = paying.first?.number
            {
                return Move(act: Act(transition: builtIn, record: number), parameters: [])
            }
        } else if transitions.isEmpty {
            throw NodeRefusal.transitionUnknown(wanted.text)
        }
        if let record, fold.state.record(record) == nil { throw NodeRefusal.recordUnknown(record) }
        throw nothing(wanted, record, fold, view, view.myChoices(held))
    }

    private static func ambiguous(_ text: String, _ choices: [Choice], _ fold: Fold) -> DoorRefusal
    {
        func list(_ language: Language) -> String {
            choices.map { choice in
                let family = fold.state.record(choice.act.record)?.family ?? ""
                return
                    "\(choice.act.record) (\(family): \(choice.act.transition), \(fold.state.says(choice.act, language)))"
            }.joined(separator: "; ")
        }
        return DoorRefusal(
            "record_ambiguous", field: "record", value: text,
            en:
                "“\(text)” fits \(choices.count) records; give --record (or --transition): \(list(.en))",
            zh: "“\(text)”对应 \(choices.count) 个记录；请给 --record（或 --transition）：\(list(.zh))")
    }

    private static func nothing(
        _ wanted: Wanted, _ record: Int64?, _ fold: Fold, _ view: View, _ choices: [Choice]
    ) -> DoorRefusal {
        let text = wanted.text
        let due = wanted.builtIn?.hasPrefix("pay_") == true ? due(record, fold, view) : nil
        let list = Set(choices.map(\.verb)).sorted().joined(separator: ", ")
        let waits = fold.state.records.compactMap { record -> String? in
            let people = fold.state.awaited(record.number).sorted().map(view.name)
            guard !people.isEmpty else { return nil }
            return "\(record.number) (\(record.family) \(record.state)): "
                + people.joined(separator: ", ")
        }.joined(separator: "; ")
        return DoorRefusal(
            "nothing_to_do", field: "verb", value: text,
            en: (due.map { $0.en + "; " } ?? "")
                + "nothing here waits for “\(text)” from you; you may now: "
                + (list.isEmpty ? "nothing" : list)
                + (waits.isEmpty ? "" : "; records wait for: \(waits)"),
            zh: (due.map { $0.zh + "；" } ?? "") + "此处没有等您“\(text)”的事；您现在可以："
                + (list.isEmpty ? "无" : list)
                + (waits.isEmpty ? "" : "；各记录等待：\(waits)"))
    }

    /// Which payments the record, or the whole contract, waits for.
    private static func due(_ record: Int64?, _ fold: Fold, _ view: View) -> Localized {
        let list = fold.state.records.compactMap { one -> String? in
            guard let pay = one.pay, (record ?? one.number) == one.number else { return nil }
            let amount = View.text(Int128(pay.amount), pay.transfer.commodity)
            return "\(one.number) (\(one.state)): "
                + "\(amount), \(view.name(pay.from)) → \(view.name(pay.to))"
        }.joined(separator: "; ")
        guard list.isEmpty else {
            return Localized(en: "due in record \(list)", zh: "应付款项：记录 \(list)")
        }
        return Localized(
            en: "nothing is due in " + (record.map { "record \($0)" } ?? "this contract"),
            zh: (record.map { "记录 \($0) " } ?? "此合同") + "没有应付款项")
    }

    // MARK: - Arguments

    private static func argumentNames(_ parameter: Parameter) -> [String] {
        switch (parameter.name, parameter.kind) {
        case ("n", _): ["units", "n"]
        case ("asking", _): ["asking", "price"]
        case (let name, .hash): [Options.plain(name), "evidence"]
        case (let name, _): [Options.plain(name)]
        }
    }

    private static func argument(
        _ parameter: Parameter, _ node: Node, _ options: inout Options, currency: Currency,
        units: [UnitCode]
    ) throws -> Value? {
        var given: String?
        var field = parameter.name
        for name in argumentNames(parameter) where given == nil {
            given = try options.one(name)
            field = name
        }
        guard let given, !given.isEmpty else { return nil }
        if case .party = parameter.kind { return .identity(try node.party(given, field: field)) }
        return try options.value(
            parameter, given, currency: currency, units: units, field: field
        ).checked(field)
    }

    /// A file shown with a step that carries no hash itself must be the one that was signed before it.
    private static func check(evidence text: String, record: Int64, _ fold: Fold) throws {
        guard let given = Hash32(hex: text) else {
            throw Options.wrong(
                "evidence", text, "a file, or its SHA-256 in 64 hexadecimal digits",
                "文件，或其 SHA-256（64 位十六进制）")
        }
        let makers = fold.steps.filter {
            $0.void == nil && ($0.changed.contains(record) || $0.act.record == record)
        }
        let signed = makers.compactMap { step in
            step.act.arguments.compactMap { argument -> Hash32? in
                if case .hash(let hash) = argument.value { hash } else { nil }
            }.last.map { (step.sequence, $0) }
        }.last
        guard let (step, hash) = signed else {
            throw DoorRefusal(
                "evidence_unsigned", field: "evidence", value: given.short,
                en: "--evidence: no file was signed in record \(record) to compare with",
                zh: "--evidence：记录 \(record) 中没有签署过可比对的文件")
        }
        guard hash == given else {
            throw DoorRefusal(
                "evidence_differs", field: "evidence", value: given.hex,
                en:
                    "--evidence: this file hashes to \(given.short)…, but step \(step) signed \(hash.short)…; "
                    + "it is not the same file",
                zh: "--evidence：此文件哈希为 \(given.short)…，而第 \(step) 步签署的是 \(hash.short)…，不是同一文件")
        }
    }

    // MARK: - Answer

    static func asked(_ asked: Node.Asked, _ id: ContractID, _ node: Node) -> JSON {
        var (what, step, request, child) = (
            "sequenced", Int64?.none, EntryID?.none, ContractID?.none
        )
        switch asked {
        case .sequenced(let sequence): step = sequence
        case .requested(let entry):
            what = "requested"
            request = entry
            // Where this node sequences, the request may be admitted already.
            step =
                node.contracts[id]?.fold?.steps.first { $0.request == entry && $0.void == nil }?
                .sequence
        case .transferProposed(let contract):
            what = "transfer_proposed"
            child = contract
        }
        return [
            "asked": .string(what), "step": .number(step), "request": .text(request?.hex),
            "child": .text(child?.hex), "contract": summary(id, node),
        ]
    }
}

extension Value {
    fileprivate func checked(_ field: String) throws -> Value {
        if case .text(let text) = self, text.utf8.count > 1024 {
            throw Options.wrong(
                field, String(text.prefix(20)) + "…", "at most 1024 bytes", "至多 1024 字节")
        }
        return self
    }
}

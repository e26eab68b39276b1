import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore

extension View {
    func localized(_ words: (Language) -> String) -> JSON {
        ["en": .string(words(.en)), "zh": .string(words(.zh))]
    }

    func template(of held: HeldContract) -> Template? {
        held.fold?.template ?? node.templates[held.proposal.template]
    }

    /// The digest that all participants share, once there is a step.
    func digest(_ held: HeldContract) -> JSON {
        guard let fold = held.fold, fold.isSequenced else { return .null }
        return .string(fold.state.digest().hex)
    }

    func contractLine(_ held: HeldContract) -> JSON {
        let roles = held.proposal.roles.map { holders in
            JSON.Field(holders.role, .array(holders.identities.map { .string(name($0)) }))
        }
        let choices = myChoices(held).map { JSON.string($0.verb) }
        let template = template(of: held)
        let titles = held.proposal.roles.compactMap { holders in
            template?.role(holders.role).map { JSON.Field(holders.role, $0.title.json) }
        }
        return [
            "id": .string(held.id.hex), "template": .text(template?.name),
            "template_hash": .string(held.proposal.template.hex),
            "title": template?.title.json ?? .null,
            "grade": .string(held.grade.rawValue), "outcome": .string(held.outcome.rawValue),
            "roles": .object(roles), "role_titles": .object(titles),
            "my_roles": .array(myRoles(held).map { .string($0) }),
            "proposed": instant(held.proposalEntry.header.time),
            "parent": .text(held.proposal.parent?.contract.hex),
            "children": .array(node.contracts.children(of: held.id).map { .string($0.hex) }),
            "state_digest": digest(held), "steps": .number(held.fold?.steps.count ?? 0),
            "waits_for_me": .bool(waitsForMe(held)), "verbs": .array(choices),
        ]
    }

    func myRoles(_ held: HeldContract) -> [String] { myPlaces(held).map(\.role) }

    /// My roles, and of lists my place among them.
    private func myPlaces(_ held: HeldContract) -> [(role: String, member: Int)] {
        held.proposal.roles.compactMap { holders in
            holders.identities.firstIndex(of: node.own.did).map { (holders.role, $0) }
        }
    }

    /// The worst that I may come to, by what the template says of each of my roles; empty where it says
    /// nothing. Together the sum that I may lose.
    func worst(_ held: HeldContract, _ state: ContractState, _ language: Language) -> String {
        myPlaces(held).compactMap { state.worst(role: $0.role, member: $0.member, language) }
            .joined(separator: " ")
    }

    func losses(_ held: HeldContract, _ state: ContractState) -> [Money] {
        myPlaces(held).compactMap { state.loss(role: $0.role, member: $0.member) }
    }

    func myChoices(_ held: HeldContract) -> [Choice] {
        guard let fold = held.fold, held.mayBeAsked else { return [] }
        return fold.state.choices(
            for: node.own.did, at: now, includeDefaults: true,
            late: { node.lateness(of: $0, in: held.id) })
    }

    private func waitsForMe(_ held: HeldContract) -> Bool {
        !held.awaited(of: node.own.did).isEmpty
    }

    // MARK: In full

    func contract(_ held: HeldContract) -> JSON {
        let proposal = held.proposal
        let template = template(of: held)
        var fields = contractLine(held).fields.filter { $0.name != "roles" && $0.name != "steps" }
        func add(_ name: String, _ value: JSON) { fields.append(.init(name, value)) }
        add("forks", forks(touching: held.id))
        add("proposal", .string(held.proposalEntry.id.hex))
        add("log", .string(held.log.hex))
        add("proposed_by", person(held.proposalEntry.header.author))
        add("sequencer", person(held.sequencer))
        add("currency", .string(proposal.currency.code))
        add("accept_by", instant(proposal.acceptBy))
        add("grant_by", instant(proposal.grantBy))
        add(
            "roles",
            .object(
                proposal.roles.map { holders in
                    .init(
                        holders.role,
                        .array(
                            holders.identities.map { did in
                                [
                                    "did": .string(did.did), "name": .string(name(did)),
                                    "accepted": .bool(held.hasAccepted(did)),
                                ]
                            }))
                }))
        add(
            "waiting_for",
            .array(
                held.declined != nil
                    ? [] : proposal.participants.filter { !held.hasAccepted($0) }.map(person)))
        add(
            "parameters",
            arguments(
                proposal.arguments, (template?.parameters ?? []) + (template?.terms ?? [])))
        add("lines", .array(lines(held, template)))
        add("parent_units", .number(proposal.parent?.units))
        add("declined", declined(held))
        add("problem", problem(held))
        add("clock", clock(held))
        add("witnesses", witnesses(held))
        add("silent_since", instant(held.silentSince))
        guard let fold = held.fold else { return .object(fields) }
        let state = fold.state
        add("records", .array(state.records.map { record($0, fold) }))
        add("steps", .array(fold.steps.map { step($0, fold) }))
        add("requests", .array(requests(held)))
        add("refused", .array(held.refused.map { refused($0, fold) }))
        add("choices", .array(myChoices(held).map { choice($0, fold) }))
        add(
            "terms",
            .array(
                state.shownTerms.map { term in
                    [
                        "name": .string(term.name), "title": term.title.json,
                        "text": term.text.json, "given": .bool(term.isGiven),
                    ]
                }))
        add("worst", worst(held, fold))
        add("may_lose", mayLose(held, fold))
        add("prose", localized(state.prose))
        add(
            "notes",
            .array(
                zip(state.notes(.en), state.notes(.zh)).map {
                    ["en": .string($0), "zh": .string($1)]
                }))
        add("claims", .array(state.claims.map { claim($0) }))
        add("pending", .array(state.pending.map { pending($0) }))
        add("deadlines", deadlines(state))
        return .object(fields)
    }

    /// What each record waits for until when, and what follows if nobody moves.
    func deadlines(_ state: ContractState) -> JSON {
        .array(
            state.records.compactMap { record in
                guard let until = record.until, let act = state.defaultAct(record.number) else {
                    return nil
                }
                return [
                    "record": .number(record.number), "family": .string(record.family),
                    "state": .string(record.state), "until": instant(until),
                    "passed": .bool(until < now), "default": .string(act.transition),
                    "otherwise": localized { state.says(act, $0) },
                ]
            })
    }

    /// Whose word on time counts.
    private func clock(_ held: HeldContract) -> JSON {
        let (count, needed) = (held.witnesses.count, held.proposal.witnesses.threshold)
        let sequencer = name(held.sequencer)
        let usual = usualSequencer(held)
        guard held.isWitnessed else {
            return [
                "en": .string(
                    "no witnesses: the sequencer's clock decides, that of \(sequencer)"
                        + (usual.map { "; beware, it is usually that of the \($0.en)" } ?? "")),
                "zh": .string(
                    "没有见证：以排序方 \(sequencer) 的时钟为准"
                        + (usual.map { "；注意：通常应为\($0.zh)" } ?? "")),
            ]
        }
        let liars = 2 * needed - Int64(count) - 1
        return [
            "en": .string(
                "\(needed) of \(count) witnesses say when; \(liars) of them may lie without harm"
                    + (usual.map { "; the sequencer is \(sequencer), usually the \($0.en)" } ?? "")),
            "zh": .string(
                "\(count) 名见证中 \(needed) 名决定时间；其中 \(liars) 名说谎也无妨"
                    + (usual.map { "；排序方为 \(sequencer)，通常应为\($0.zh)" } ?? "")),
        ]
    }

    /// The role that writes the log by the template, where the proposal names somebody else: whoever signs
    /// should not take that one's clock for the usual one's.
    private func usualSequencer(_ held: HeldContract) -> Localized? {
        guard let template = template(of: held),
            held.proposal.roles.first(where: { $0.role == template.sequencerRole })?.identities
                .contains(held.proposal.sequencer) != true
        else { return nil }
        return template.role(template.sequencerRole)?.title
    }

    private func witnesses(_ held: HeldContract) -> JSON {
        let head = held.fold?.head.id
        return .array(
            held.witnesses.map { did in
                [
                    "did": .string(did.did), "name": .string(name(did)),
                    "accepted": .bool(held.hasAccepted(did)),
                    "has_newest": .bool(
                        head.map { held.witnessLogs[did]?.receipts[$0] != nil } ?? false),
                ]
            })
    }

    func worst(_ held: HeldContract, _ fold: Fold) -> JSON {
        worst(held, fold.state, .en).isEmpty
            ? .null : localized { worst(held, fold.state, $0) }
    }

    /// In money, by currency; what several of my roles may lose adds up.
    func mayLose(_ held: HeldContract, _ fold: Fold) -> JSON {
        let losses = losses(held, fold.state)
        guard let first = losses.first else { return .null }
        return [first.currency.code: .number(losses.reduce(0) { $0 + $1.minor })]
    }

    private func lines(_ held: HeldContract, _ template: Template?) -> [JSON] {
        held.proposal.lines.enumerated().map { index, terms in
            let rule = template.flatMap { $0.lines.indices.contains(index) ? $0.lines[index] : nil }
            let role = rule?.issuer.split(separator: ".").first.map(String.init)
            guard
                let issuer = held.proposal.roles.first(where: { $0.role == role })?.identities.first
            else { return ["resource": .string(terms.resource.path)] }
            let log = LogID.line(author: issuer, terms)
            let line = node.lines[log]
            return [
                "id": .string(log.hex), "issuer": .string(issuer.did),
                "issuer_name": .string(name(issuer)), "resource": .string(terms.resource.path),
                "unit": .string(terms.unit.code), "start": instant(terms.window.start),
                "end": instant(terms.window.end), "known": .bool(line != nil),
                "remaining": .number(line?.line.remaining),
                "valid": .bool(
                    line?.isOpen == true),
            ]
        }
    }

    /// The lines it is over, each with its window and whose it is.
    func lines(of held: HeldContract) -> [Localized] {
        let template = template(of: held)
        return zip(held.proposal.lines, template?.lines ?? []).map { terms, rule in
            let role = rule.issuer.split(separator: ".").first.map(String.init)
            let issuer = held.proposal.roles.first { $0.role == role }?.identities.first
            return about(terms, of: issuer)
        }
    }

    func about(_ line: LogID) -> [Localized] {
        node.lines[line].map { [about($0.terms, of: $0.issuer)] } ?? []
    }

    private func about(_ terms: LineTerms, of issuer: DID?) -> Localized {
        let (path, window) = (terms.resource.path, terms.window)
        let whose = issuer.map { $0 == node.own.did ? "" : name($0) } ?? ""
        return Localized(
            en: "\(path), \(window.start.iso) to \(window.end.iso)"
                + (whose.isEmpty ? "" : ", of \(whose)"),
            zh: (whose.isEmpty ? "" : whose + " 的 ")
                + "\(path)，自 \(window.start.iso) 至 \(window.end.iso)")
    }

    /// Of a record that a later step made: which one, and what was said then.
    func origin(of record: Int64, _ past: Replay) -> Localized? {
        guard let step = past.maker[record], step > 1, let says = past.says[step] else {
            return nil
        }
        return Localized(
            en: "About step \(step): “\(says.en)”", zh: "事关第 \(step) 步：“\(says.zh)”")
    }

    private func declined(_ held: HeldContract) -> JSON {
        guard let declined = held.declined else { return .null }
        return [
            "by": .string(declined.by.did), "by_name": .string(name(declined.by)),
            "code": .string(declined.code.word), "reason": declined.code.words.json,
            "text": .string(declined.text),
        ]
    }

    /// Why this contract cannot be read, or not any further.
    private func problem(_ held: HeldContract) -> JSON {
        func words(_ code: String, _ en: String, _ zh: String) -> JSON {
            ["code": .string(code), "message": ["en": .string(en), "zh": .string(zh)]]
        }
        if let refusal = held.foldRefusal {
            let put = DoorRefusal(refusal, name: name)
            return ["code": .string(put.code), "message": put.message.json]
        }
        guard let fold = held.fold else {
            return words(
                "template_missing",
                "incomplete: the template \(held.proposal.template.short) is not in this home",
                "不完整：本机没有模板 \(held.proposal.template.short)")
        }
        guard let put = fold.halt?.wording(name).refusal else { return .null }
        return ["code": .string(put.code), "message": put.message.json]
    }

    private func record(_ record: Record, _ fold: Fold) -> JSON {
        var pay = JSON.null
        if let due = record.pay {
            let commodity = due.transfer.commodity
            pay = [
                "from": .string(due.from.did), "from_name": .string(name(due.from)),
                "to": .string(due.to.did), "to_name": .string(name(due.to)),
                "amount": .number(due.amount), "commodity": .string(commodity.name),
                "text": .string(Self.text(Int128(due.amount), commodity)),
                "reference": .text(due.reference),
            ]
        }
        return [
            "number": .number(record.number), "family": .string(record.family),
            "index": .number(record.index), "state": .string(record.state),
            "version": .number(record.version), "until": instant(record.until),
            "fields": .object(
                record.fields.map { field in
                    .init(
                        field.name,
                        ["value": raw(field.value), "text": .string(text(field.value, nil))])
                }),
            "holds": .object(record.holds.map { .init($0.name, .number($0.amount)) }),
            "pay": pay,
            "awaits": .array(fold.state.awaited(record.number).sorted().map(person)),
        ]
    }

    private func step(_ step: Fold.StepOutline, _ fold: Fold) -> JSON {
        var void = JSON.null
        if let refusal = step.void {
            let put = DoorRefusal(refusal, name: name)
            void = ["code": .string(put.code), "message": put.message.json]
        }
        let parameters = fold.template.transition(step.act.transition)?.arguments ?? []
        return [
            "sequence": .number(step.sequence), "id": .string(step.id.hex),
            "time": instant(step.time), "actor": .string(step.actor.did),
            "actor_name": .string(name(step.actor)),
            "transition": .string(step.act.transition), "record": .number(step.act.record),
            "arguments": arguments(step.act.arguments, parameters),
            "request": .text(step.request?.hex), "void": void,
            "changed": .array(step.changed.map { .number($0) }),
        ]
    }

    private func requests(_ held: HeldContract) -> [JSON] {
        held.requests.sorted { $0.key < $1.key }.map { id, request in
            let waits = held.consentsMissing(to: request)
            let act = Act(request.act)
            return [
                "id": .string(id.hex), "by": .string(request.entry.header.author.did),
                "by_name": .string(name(request.entry.header.author)),
                "sent": instant(request.entry.header.time),
                "expires": instant(request.entry.header.statement?.expires),
                "transition": .string(act.transition), "record": .number(act.record),
                "arguments": arguments(
                    request.act.arguments,
                    held.fold?.template.transition(act.transition)?.arguments ?? []),
                "says": held.fold.map { fold in localized { fold.state.says(act, $0) } } ?? .null,
                "waits_for": .array(waits.map(person)),
                "waits_for_me": .bool(waits.contains(node.own.did)),
            ]
        }
    }

    func refused(_ request: HeldContract.RefusedRequest, _ fold: Fold) -> JSON {
        [
            "request": .string(request.request.hex),
            "transition": .text(request.act?.transition), "record": .number(request.act?.record),
            "arguments": arguments(
                request.act?.arguments ?? [],
                request.act.flatMap { fold.template.transition($0.transition)?.arguments } ?? []),
            "code": .string(request.code.word), "reason": request.code.words.json,
            "text": .string(request.text),
        ]
    }

    /// The signed sentence; an argument not yet known stands as its name.
    func says(_ act: Act, _ fold: Fold) -> Localized {
        Localized(en: fold.state.says(act, .en), zh: fold.state.says(act, .zh))
    }

    private func choice(_ choice: Choice, _ fold: Fold) -> JSON {
        [
            "verb": .string(choice.verb), "transition": .string(choice.act.transition),
            "record": .number(choice.act.record),
            "family": .text(fold.state.record(choice.act.record)?.family),
            "arguments": .array(
                choice.arguments.map { argument in
                    var fields = parameter(argument).fields
                    fields.append(
                        .init("given", choice.act.arguments[argument.name].map(raw) ?? .null))
                    return .object(fields)
                }),
            "says": says(choice.act, fold).json, "is_default": .bool(choice.isDefault),
        ]
    }

    private func pending(_ transfer: Transfer) -> JSON {
        [
            "step": .number(transfer.cause.step), "index": .number(transfer.cause.index),
            "kind": .string(transfer.kind.rawValue),
            "from": .string(transfer.from.did), "from_name": .string(name(transfer.from)),
            "to": .string(transfer.to.did), "to_name": .string(name(transfer.to)),
            "amount": .number(transfer.amount),
            "text": .string(Self.text(Int128(transfer.amount), transfer.commodity)),
        ]
    }

    private func claim(_ claim: Claim) -> JSON {
        let transfer = claim.transfer
        return [
            "from": .string(transfer.from.did), "from_name": .string(name(transfer.from)),
            "to": .string(transfer.to.did), "to_name": .string(name(transfer.to)),
            "amount": .number(transfer.amount), "open": .number(claim.open),
            "text": .string(Self.text(Int128(claim.open), transfer.commodity)),
            "step": .number(claim.cause.step), "index": .number(claim.cause.index),
            "record": .number(claim.record),
        ]
    }
}

extension Refusal.Code {
    /// For programs.
    var word: String {
        switch self {
        case .declined: "declined"
        case .stale: "stale"
        case .notAdmissible: "not_admissible"
        case .lineExceeded: "line_exceeded"
        case .cancelled: "cancelled"
        case .late: "late"
        default: "code_\(number)"
        }
    }

    var words: Localized {
        switch self {
        case .declined: Localized(en: "declined", zh: "谢绝")
        case .stale:
            Localized(
                en: "stale: the record changed after it was signed; look and ask again",
                zh: "过时：签署后记录已变；请查看后重提")
        case .notAdmissible:
            Localized(en: "the contract's rules do not allow it now", zh: "合同规则此时不允许")
        case .lineExceeded:
            Localized(en: "the capacity line has not enough left", zh: "产能线余量不足")
        case .cancelled: Localized(en: "taken back by its proposer", zh: "提议方已撤回")
        case .late: Localized(en: "it came after its deadline", zh: "已过期限")
        default:
            Localized(
                en: "reason \(number), known to a newer program", zh: "理由 \(number)，由更新的程序定义")
        }
    }
}

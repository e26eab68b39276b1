import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore

extension Rooms {
    /// The list; `which`: open, all or ended.
    func contractList(which: String, after: Int) -> JSON {
        // Newest first.
        let shown = overview.contracts.reversed().filter {
            which == "all" || $0.isOver == (which == "ended")
        }
        let part = shown.dropFirst(after).prefix(Self.pageSize)
            .compactMap { node.contracts[$0.id] }
        let next = after + part.count
        return [
            "rows": .array(
                part.map { held in
                    let until = deadline(held)
                    return [
                        "href": .string(page(held)), "title": .string(title(held)),
                        "partners": .string(partners(held)), "grade": grade(held),
                        "outcome": outcome(held),
                        "mine": .bool(held.awaited(of: me).contains { $0.waits(at: now) }),
                        "left": .string(until.map { figures.left(until: $0) } ?? ""),
                        "until": .string(until.map { figures.moment($0) } ?? ""),
                        "urgency": .string(urgency(until)),
                        "begun": .string(figures.date(held.proposalEntry.header.time)),
                    ]
                }),
            "count": .number(shown.count), "empty": .bool(shown.isEmpty),
            "more": more("/contracts?which=" + which, next, of: shown.count),
            "tabs": .array(
                ["open", "ended", "all"].map { tab in
                    [
                        "href": .string("/contracts?which=" + tab),
                        "text": .string(word("which_" + tab)), "here": .bool(tab == which),
                    ]
                }),
        ]
    }

    /// One in full.
    func contract(_ held: HeldContract, pictures: Set<Hash32> = []) -> JSON {
        let fold = held.fold
        let proposal = held.proposal
        let template = view.template(of: held)
        let children = node.contracts.children(of: held.id)
        let known = view.contract(held)
        let grades = HeldContract.Grade.allCases.filter { held.isWitnessed || $0 != .witnessed }
        var acts: [JSON] = []
        if fold?.isSequenced != true, held.declined == nil {
            if !held.hasAccepted(me) { acts.append(accept(held)) }
            acts.append(decline(held))
        }
        for request in held.requests.values.sorted(by: { $0.entry.id < $1.entry.id })
        where held.consentsMissing(to: request).contains(me) {
            let says = fold.map { figures.local($0.state.says(Act(request.act), language)) } ?? ""
            acts.append(
                consent(held, request.entry.id).merging([
                    .init(
                        "says",
                        .string(name(request.entry.header.author) + figures.pick(": ", "：") + says))
                ]))
        }
        acts += self.acts(held)
        let ways = waysOut(held)
        let problem = known["problem"].flatMap { $0["message"]?[language.rawValue]?.string }
        return [
            "id": .string(held.id.hex), "short": .string(held.id.short),
            "title": .string(title(held)), "partners": .string(partners(held)),
            "prose": .string(fold.map { figures.local($0.state.prose(language)) } ?? ""),
            "outcome": outcome(held),
            "grade": grade(held),
            "grades": .array(
                grades.map { grade in
                    [
                        "text": .string(word("grade_" + grade.rawValue)),
                        "done": .bool(grade <= held.grade), "here": .bool(grade == held.grade),
                    ]
                }),
            "problem": .string(problem ?? ""),
            "declined": .string(declined(held)),
            "silent": .string(
                held.silentSince.map { word("silent_since") + " " + figures.moment($0) } ?? ""),
            "acts": .array(acts), "can_act": .bool(!acts.isEmpty),
            "ways": .array(ways), "has_ways": .bool(!ways.isEmpty),
            "ways_title": .string(
                figures.pick("If it cannot go on as agreed", "如果合同无法照约继续")),
            "waiting": .array(waiting(held)),
            "worst": .string(figures.local(known["worst"]?[language.rawValue]?.string ?? "")),
            "may_lose": .string(loss(held)),
            "steps": .array(steps(held, pictures)),
            "has_steps": .bool(fold?.steps.isEmpty == false),
            "requests": .array(
                held.requests.values.sorted { $0.entry.id < $1.entry.id }.map { request in
                    let waits = held.consentsMissing(to: request)
                    return [
                        "who": .string(name(request.entry.header.author)),
                        "says": .string(
                            fold.map {
                                figures.local($0.state.says(Act(request.act), language))
                            } ?? ""),
                        "waits": .string(names(waits)),
                    ]
                }),
            "people": .array(
                proposal.roles.flatMap { holders in
                    holders.identities.map { did in
                        [
                            "role": .string(
                                template?.role(holders.role)?.title[language] ?? holders.role),
                            "name": .string(name(did)), "did": .string(did.did),
                            "accepted": .bool(held.hasAccepted(did)),
                        ]
                    }
                }
                    + held.witnesses.map { did in
                        [
                            "role": .string(word("witness")), "name": .string(name(did)),
                            "did": .string(did.did), "accepted": .bool(held.hasAccepted(did)),
                        ]
                    }),
            "clock": .string(known["clock"]?[language.rawValue]?.string ?? ""),
            "terms": .array(terms(held, template)),
            "notes": .array(
                (fold?.state.notes(language) ?? []).map { .string(figures.local($0)) }),
            "money": .string(moneyPicture(held)), "capacity": .string(capacityPicture(held)),
            "children": .array(
                children.prefix(Self.pageSize).map {
                    [
                        "href": .string("/contracts/" + $0.hex), "text": .string($0.short),
                    ]
                }),
            "more_children": rest(children.count - Self.pageSize),
            "parent": .string(proposal.parent.map { "/contracts/" + $0.contract.hex } ?? ""),
        ]
    }

    private func loss(_ held: HeldContract) -> String {
        guard let fold = held.fold else { return "" }
        let losses = view.losses(held, fold.state)
        guard let first = losses.first else { return "" }
        return figures.money(losses.reduce(0) { $0 + Int128($1.minor) }, first.currency)
    }

    private func declined(_ held: HeldContract) -> String {
        guard let declined = held.declined else { return "" }
        return name(declined.by) + figures.pick(": ", "：") + pick(declined.code.words)
            + (declined.text.isEmpty ? "" : figures.pick(" — ", "——") + declined.text)
    }

    /// Who acts next, by when, and what follows if nobody does.
    private func waiting(_ held: HeldContract) -> [JSON] {
        if held.fold?.isSequenced != true {
            guard held.declined == nil else { return [] }
            let missing = (held.proposal.participants + held.witnesses)
                .filter { !held.hasAccepted($0) }
            return [
                [
                    "who": .string(missing.isEmpty ? name(held.sequencer) : names(missing)),
                    "what": .string(word(missing.isEmpty ? "to_open" : "to_accept")),
                    "left": .string(figures.left(until: held.proposal.acceptBy)),
                    "until": .string(figures.moment(held.proposal.acceptBy)),
                    "urgency": .string(urgency(held.proposal.acceptBy)), "otherwise": "",
                ]
            ]
        }
        guard let fold = held.fold else { return [] }
        return fold.state.records.compactMap { record in
            let awaited = fold.state.awaited(record.number)
            guard !awaited.isEmpty, let until = record.until else { return nil }
            var what = ""
            if let pay = record.pay {
                let amount = figures.amount(Int128(pay.amount), pay.transfer.commodity)
                what =
                    record.isDenied
                    ? figures.pick("to rule on \(amount)", "裁定 \(amount) 是否已付")
                    : !record.isStated
                        ? figures.pick("to pay \(amount)", "支付 \(amount)")
                        : figures.pick("to confirm \(amount)", "确认收到 \(amount)")
            }
            let otherwise = fold.state.defaultAct(record.number).map { act in
                sentence { fold.state.says(act, $0) }
            }
            return [
                "who": .string(names(awaited.sorted())), "what": .string(what),
                "left": .string(figures.left(until: until)),
                "until": .string(figures.moment(until)), "urgency": .string(urgency(until)),
                "otherwise": .string(otherwise ?? ""),
            ]
        }
    }

    private func steps(_ held: HeldContract, _ pictures: Set<Hash32>) -> [JSON] {
        guard let fold = held.fold else { return [] }
        let told = view.replay(held).says
        return fold.steps.reversed().map { step in
            var void = ""
            if let refusal = step.void {
                void = DoorRefusal(refusal, name: view.name).message[language]
            }
            let evidence = step.act.arguments.compactMap { argument -> Hash32? in
                if case .hash(let hash) = argument.value { hash } else { nil }
            }.first
            return [
                "number": .number(step.sequence), "who": .string(name(step.actor)),
                "signer": .string(view.name(step.actor)),
                "mine": .bool(step.actor == me), "at": .string(figures.moment(step.time)),
                "says": .string(
                    told[step.sequence].map(sentence) ?? step.act.transition),
                "void": .string(void), "evidence": .string(evidence?.hex ?? ""),
                "code": .string(
                    step.act == Fold.continued
                        ? "" : "/contracts/\(held.id.hex)/code?step=\(step.sequence)"),
                "proof": .string(
                    "/contracts/\(held.id.hex)/proof?step=\(step.sequence)"),
                "photo": evidence.map { file($0, of: held, signer: step.actor, pictures) } ?? .null,
            ]
        }
    }

    /// A file that a step names: shown, on its way, to be asked for, or to be added by its signer.
    private func file(
        _ hash: Hash32, of held: HeldContract, signer: DID, _ pictures: Set<Hash32>
    ) -> JSON {
        let one = node.attachments[held.key.attachment(hash).blob]
        let place = page(held)
        // What is not said here would be looked for further out.
        var (picture, file, coming, add) = ("", "", "", "")
        var ask: [JSON] = []
        let parts = one.map { $0.size > 0 ? " \($0.held) / \($0.chunks)" : "" } ?? ""
        if one?.isWhole == true {
            let isPicture = pictures.contains(hash)
            picture = isPicture ? "\(place)/photo/\(hash.hex)" : ""
            file = isPicture ? "" : "\(place)/file/\(hash.hex)"
        } else if let one, node.isFetching(one) {
            coming = word("photo_coming") + parts
        } else if signer == me {
            add = hash.hex
        } else {
            let hidden = [("contract", held.id.hex), ("hash", hash.hex)]
            ask.append(
                DeskAct(
                    verb: "attachment fetch", button: word("photo_ask") + parts, hidden: hidden,
                    back: place
                ).json)
        }
        return [
            "picture": .string(picture), "file": .string(file), "coming": .string(coming),
            "add": .string(add), "contract": .string(held.id.hex), "acts": .array(ask),
        ]
    }

    private func terms(_ held: HeldContract, _ template: Template?) -> [JSON] {
        let parameters = (template?.parameters ?? []) + (template?.terms ?? [])
        let given = held.proposal.arguments.byName
        func row(_ parameter: Parameter?, _ name: String, _ value: String) -> JSON {
            ["label": .string(parameter?.title[language] ?? name), "value": .string(value)]
        }
        func row(_ name: String, _ value: Value) -> JSON {
            let parameter = parameters.first { $0.name == name }
            return row(parameter, name, figures.value(value, parameter?.kind, view))
        }
        // In the template's order, also what nobody had to say; without it, what was said.
        var rows: [JSON] =
            held.fold?.state.shownTerms.map { term in
                given[term.name].map { row(term.name, $0) }
                    ?? row(
                        parameters.first { $0.name == term.name }, term.name,
                        figures.local(term.text[language]))
            } ?? held.proposal.arguments.map { row($0.name, $0.value) }
        for line in held.proposal.lines {
            let window = line.window
            rows.append([
                "label": .string(line.resource.path),
                "value": .string(
                    figures.date(window.start) + " – " + figures.date(window.end)),
            ])
        }
        return rows
    }

    // MARK: Pictures

    private func rows(of held: HeldContract) -> [TransferRow] {
        node.ledger.rows(of: held.id)
    }

    /// Money: signed for, said and not signed, still to come.
    private func moneyPicture(_ held: HeldContract) -> String {
        var (done, silent, open, custody) = (Int128(0), Int128(0), Int128(0), Int128(0))
        for row in rows(of: held) {
            // Paid out, or owed from now on.
            custody -= row.released.reduce(0) { $0 + Int128($1.amount) }
            guard row.transfer.kind.isPaid else { continue }
            switch (row.state, row.transfer.kind) {
            case (.posted(let amount, _), .deposit): custody += Int128(amount)
            case (.posted(let amount, let signed), _):
                if signed { done += Int128(amount) } else { silent += Int128(amount) }
            case (.pending, .payout): break
            case (.pending, _): open += Int128(row.transfer.amount)
            case (.voided, _): break
            }
        }
        let currency = held.proposal.currency
        return bar([
            ("fill-done", done, word("money_done"), figures.money(done, currency)),
            ("fill-soft", silent, word("money_silent"), figures.money(silent, currency)),
            ("fill-custody", custody, word("money_custody"), figures.money(custody, currency)),
            ("fill-open", open, word("money_open"), figures.money(open, currency)),
        ])
    }

    private func capacityPicture(_ held: HeldContract) -> String {
        var (done, open) = (Int128(0), Int128(0))
        var unit: UnitCode?
        for row in rows(of: held) where row.transfer.kind == .capacity {
            guard case .capacity(_, let code) = row.transfer.commodity else { continue }
            guard unit == nil || unit == code else { return "" }
            unit = code
            switch row.state {
            case .posted(let amount, _): done += Int128(amount)
            case .pending: open += Int128(row.transfer.amount)
            case .voided: break
            }
        }
        guard let unit else { return "" }
        return bar([
            ("fill-done", done, word("capacity_done"), figures.units(done, unit.code)),
            ("fill-open", open, word("capacity_open"), figures.units(open, unit.code)),
        ])
    }

    private func bar(_ parts: [(style: String, amount: Int128, label: String, text: String)])
        -> String
    {
        let total = parts.reduce(0) { $0 + $1.amount }
        guard total > 0 else { return "" }
        let shown = parts.filter { $0.amount > 0 }
        let says = shown.map { "\($0.label) \($0.text)" }.joined(separator: figures.pick("; ", "；"))
        let width = 360
        var picture = Picture(width: width, height: 26 + shown.count * 20, says: says)
        var x = 0
        for (index, part) in shown.enumerated() {
            let wide = max(Int(part.amount * Int128(width) / total), 4)
            picture.box(
                part.style, x: x, y: 2, width: min(wide, width - x) - 2, height: 14, round: 4)
            x += wide
            picture.box(part.style, x: 0, y: 27 + index * 20, width: 10, height: 10, round: 3)
            picture.text("\(part.label) \(part.text)", x: 16, y: 37 + index * 20)
        }
        return picture.svg
    }
}

extension Record {
    /// Of a payment: its payer said that it was made.
    var isStated: Bool { state.hasSuffix(".stated") }

    /// Of a payment: its payee said that it did not come, and the arbiter is asked.
    var isDenied: Bool { state.hasSuffix(".denied") }

    /// The word for what it waits for.
    var waitsAs: String {
        pay == nil || isDenied ? "wait_move" : isStated ? "wait_confirm" : "wait_pay"
    }
}

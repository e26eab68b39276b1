import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore

extension Commands {
    // MARK: - Proposing

    /// `verb`: the template's own word for it, where one was typed.
    static func propose(
        _ node: inout Node, _ options: inout Options, verb: String?
    ) throws -> Done {
        let offer = try standingOffer(node, &options)
        let template = try proposed(node, &options, verb: verb, offer: offer)
        let currency = try currency(&options, usual: offer?.offer.arguments.currency)
        var roles = try self.roles(template, node, &options)
        let given = try options.all("line").map { try node.lineID($0) }
        fillRoles(template, node, offer, &roles)
        let lines = try self.lines(template, node, roles, given, offer)
        let arguments = try parameters(
            template, &options, offer: offer, currency: currency, units: lines.map(\.unit))
        let (acceptBy, grantBy) = try deadlines(&options)
        let witnesses = try self.witnesses(node, &options)
        let insists = try options.insists()
        try options.finish()
        if let offer {
            try check(arguments, within: offer, template, node)
            for parameter in template.parameters + template.terms where parameter.name != "units" {
                guard offer.offer.arguments.byName[parameter.name] == nil,
                    let standard = parameter.defaultText, let given = arguments[parameter.name]
                else { continue }
                // What an offer leaves out it offers with the template's default.
                let offered = try options.value(
                    parameter, standard, currency: currency, units: lines.map(\.unit))
                if given != offered { throw differs(parameter, given, offered, node) }
            }
        }
        try checkRoom(template, roles, lines, arguments, node)
        var draft = Node.ProposalDraft(
            template: template.hash, currency: currency, arguments: arguments, roles: roles,
            lines: lines, acceptBy: acceptBy, grantBy: grantBy, witnesses: witnesses)
        draft.insists = insists
        let id = try node.propose(draft)
        return opened(id, node, options)
    }

    /// In a trial also what step 1 would move, and the proposal in its own prose.
    private static func opened(_ id: ContractID, _ node: Node, _ options: Options) -> Done {
        let view = View(node: node, now: node.now)
        guard let held = node.contracts[id] else { return Done(value: ["id": .string(id.hex)]) }
        var done = Done(value: view.contract(held))
        if options.isTrial, let fold = held.fold {
            let outcome = try? fold.state.opening(at: held.proposal.grantBy)
            done.moves = view.moves(outcome?.transfers ?? [])
            done.says = Localized(en: fold.state.prose(.en), zh: fold.state.prose(.zh))
            done.about = view.lines(of: held)
            done.worst = view.worst(held, fold)
            done.mayLose = view.mayLose(held, fold)
            done.deadlines = view.deadlines(after(outcome, fold.state))
        }
        return done
    }

    private static func standingOffer(_ node: Node, _ options: inout Options) throws
        -> PublicLog.StandingOffer?
    {
        guard let text = try options.one("offer") else { return nil }
        let id = try node.offerID(text)
        guard let offer = node.book.offer(id) else { throw NodeRefusal.offerUnknown(id) }
        guard !offer.withdrawn else {
            throw DoorRefusal(
                "offer_withdrawn", field: "offer", value: text,
                en: "--offer “\(text)” was withdrawn; see: talea offer list",
                zh: "--offer “\(text)”已撤回；请看 talea offer list")
        }
        guard node.now <= offer.offer.until else {
            throw DoorRefusal(
                "offer_over", field: "offer", value: text,
                en: "--offer “\(text)” stood until \(offer.offer.until.iso); see: talea offer list",
                zh: "--offer “\(text)”已于 \(offer.offer.until.iso) 到期；请看 talea offer list")
        }
        return offer
    }

    private static func proposed(
        _ node: Node, _ options: inout Options, verb: String?, offer: PublicLog.StandingOffer?
    ) throws -> Template {
        let named = try options.one("template").map { try node.template($0) }
        if let offer {
            guard let template = node.templates[offer.offer.template] else {
                throw NodeRefusal.templateUnknown(offer.offer.template.short)
            }
            guard named == nil || named?.hash == template.hash,
                verb == nil || template.verb == verb
            else {
                throw DoorRefusal(
                    "template_differs", field: "offer", value: offer.id.short,
                    en: "--offer “\(offer.id.short)” is for \(template.name)",
                    zh: "--offer “\(offer.id.short)”用的是 \(template.name)")
            }
            return template
        }
        if let named { return named }
        guard let verb else {
            throw DoorRefusal(
                "option_missing", field: "template",
                en: "--template is missing: its name (talea template list), or give --offer ID",
                zh: "缺少 --template：模板名（talea template list），或给 --offer 编号")
        }
        let found = node.templates.values.filter { $0.verb == verb }.sorted { $0.hash < $1.hash }
        guard found.count == 1, let template = found.first else {
            let list = found.map { "\($0.name) \($0.hash.short)" }.joined(separator: ", ")
            throw DoorRefusal(
                "template_ambiguous", field: "template", value: verb,
                en: "“\(verb)” belongs to \(found.count) templates; give --template: \(list)",
                zh: "“\(verb)”属于 \(found.count) 个模板；请给 --template：\(list)")
        }
        return template
    }

    private static func roles(_ template: Template, _ node: Node, _ options: inout Options) throws
        -> [String: [DID]]
    {
        var roles: [String: [DID]] = [:]
        for role in template.roles where !role.onlyChild {
            let people = try options.all(role.name).map {
                try node.party($0, field: Options.plain(role.name))
            }
            if !people.isEmpty { roles[role.name] = people }
        }
        return roles
    }

    /// The offer's author is the issuer of its line; whoever asks takes the one party role left free.
    private static func fillRoles(
        _ template: Template, _ node: Node, _ offer: PublicLog.StandingOffer?,
        _ roles: inout [String: [DID]]
    ) {
        if let offer, let issuer = template.lines.first?.issuer.split(separator: ".").first {
            let role = String(issuer)
            if roles[role] == nil { roles[role] = [offer.author] }
        }
        guard !roles.values.joined().contains(node.own.did) else { return }
        let free = template.roles.filter {
            $0.kind == .party && !$0.onlyChild && roles[$0.name] == nil
        }
        if free.count == 1, let role = free.first { roles[role.name] = [node.own.did] }
    }

    /// One line for each rule: the given ones in order, the offer's, or the issuer's only one.
    private static func lines(
        _ template: Template, _ node: Node, _ roles: [String: [DID]], _ given: [LogID],
        _ offer: PublicLog.StandingOffer?
    ) throws -> [LineTerms] {
        var left = given
        var lines: [LineTerms] = []
        for (index, rule) in template.lines.enumerated() {
            let parts = rule.issuer.split(separator: ".")
            let people = parts.first.flatMap { roles[String($0)] } ?? []
            let position = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
            guard people.indices.contains(position) else {
                throw NodeRefusal.roleMissing(parts.first.map(String.init) ?? rule.issuer)
            }
            let issuer = people[position]
            if let place = left.firstIndex(where: { node.lines[$0]?.issuer == issuer }),
                let line = node.lines[left[place]]
            {
                left.remove(at: place)
                lines.append(line.terms)
                continue
            }
            if index == 0, let offered = offer?.offer.line, let line = node.lines[offered],
                line.issuer == issuer
            {
                lines.append(line.terms)
                continue
            }
            let taken = lines
            let fitting = node.lines.values.filter {
                $0.issuer == issuer && $0.fault == nil && $0.terms.window.end > node.now
                    && !taken.contains($0.terms)
            }.sorted { $0.log < $1.log }
            guard fitting.count == 1, let line = fitting.first else {
                let list = fitting.map { "\($0.log.short) \($0.terms.resource.path)" }
                    .joined(separator: ", ")
                let name = node.displayName(issuer)
                throw DoorRefusal(
                    "line_needed", field: "line", value: list,
                    en: fitting.isEmpty
                        ? "\(name) has no open capacity line here; they declare one first (talea line declare)"
                        : "\(name) has \(fitting.count) lines; say which with --line: \(list)",
                    zh: fitting.isEmpty
                        ? "\(name) 在此没有产能线；须先申报（talea line declare）"
                        : "\(name) 有 \(fitting.count) 条产能线；请用 --line 指明：\(list)")
            }
            lines.append(line.terms)
        }
        if let line = left.first {
            throw DoorRefusal(
                "line_unfit", field: "line", value: line.short,
                en: "--line “\(line.short)” is of nobody who issues in this contract",
                zh: "--line “\(line.short)”不属于此合同的出让方")
        }
        return lines
    }

    private static func parameters(
        _ template: Template, _ options: inout Options, offer: PublicLog.StandingOffer?,
        currency: Currency, units: [UnitCode]
    ) throws -> [String: Value] {
        var values = offer?.offer.arguments.byName ?? [:]
        var missing: [String] = []
        let termNames = Set(template.terms.map(\.name))
        for parameter in template.parameters + template.terms where !parameter.onlyChild {
            if let text = try options.one(parameter.name) {
                values[parameter.name] = try options.value(
                    parameter, text, currency: currency, units: units)
            } else if values[parameter.name] == nil, parameter.defaultText == nil,
                !parameter.optional, !termNames.contains(parameter.name)
            {
                missing.append("--" + Options.plain(parameter.name))
            }
        }
        guard let first = missing.first else { return values }
        // A word nobody knows is more likely the mistake than the value it was meant for.
        try options.finishExcept(["accept-by", "grant-by"])
        let list = missing.joined(separator: ", ")
        throw DoorRefusal(
            "parameter_missing", field: String(first.dropFirst(2)),
            en:
                "missing: \(list); talea template show --template \(template.name) says what each is",
            zh: "缺少：\(list)；说明见 talea template show --template \(template.name)")
    }

    /// A day to accept and an hour more to grant, unless said otherwise.
    private static func deadlines(_ options: inout Options) throws -> (Instant, Instant) {
        let accept = try options.instant("accept-by")?.0
        let grant = try options.instant("grant-by")?.0
        let day: Int64 = 86_400_000
        let acceptBy = accept ?? min(options.now.advanced(by: day), grant ?? .latest)
        let grantBy = grant ?? acceptBy.advanced(by: 3_600_000)
        for (name, instant) in [("accept-by", acceptBy), ("grant-by", grantBy)]
        where instant <= options.now {
            throw Options.wrong(name, instant.iso, "an instant after now", "晚于现在的时刻")
        }
        guard acceptBy <= grantBy else {
            throw Options.wrong(
                "grant-by", grantBy.iso, "an instant not before --accept-by \(acceptBy.iso)",
                "不早于 --accept-by \(acceptBy.iso) 的时刻")
        }
        return (acceptBy, grantBy)
    }

    /// What its line has left is said before what the offer allows: it is the harder limit.
    private static func check(
        _ arguments: [String: Value], within offer: PublicLog.StandingOffer, _ template: Template,
        _ node: Node
    ) throws {
        for offered in offer.offer.arguments {
            guard let given = arguments[offered.name], given != offered.value,
                let parameter = template.parameter(offered.name)
            else { continue }
            throw differs(parameter, given, offered.value, node)
        }
        guard case .quantity(let quantity)? = arguments["units"] else { return }
        let (most, lot) = (offer.offer.maxUnits, offer.offer.lot)
        if let log = offer.offer.line, let line = node.lines[log]?.line,
            quantity.units > line.remaining
        {
            throw exceeded(quantity.units, line.total ?? 0, line.remaining)
        }
        guard quantity.units <= most, lot > 0, quantity.units % lot == 0 else {
            throw Options.wrong(
                "units", "\(quantity.units)", "at most \(most) in lots of \(lot), as offered",
                "报价允许至多 \(most)，每批 \(lot)")
        }
    }

    private static func differs(
        _ parameter: Parameter, _ given: Value, _ offered: Value, _ node: Node
    ) -> DoorRefusal {
        let view = View(node: node, now: node.now)
        let (asked, said) = (view.text(given, parameter.kind), view.text(offered, parameter.kind))
        let option = Options.plain(parameter.name)
        return DoorRefusal(
            "offer_differs", field: parameter.name, value: asked,
            en:
                "--\(option) “\(asked)”: the offer says \(said); leave it out, or propose without --offer",
            zh: "--\(option)“\(asked)”：报价为 \(said)；请省略，或不带 --offer 提议")
    }

    /// As the node will check it, but with the line's whole story in the words.
    private static func checkRoom(
        _ template: Template, _ roles: [String: [DID]], _ lines: [LineTerms],
        _ arguments: [String: Value], _ node: Node
    ) throws {
        guard let rule = template.lines.first, rule.units.text == "units",
            case .quantity(let quantity)? = arguments["units"], let terms = lines.first,
            let issuer = rule.issuer.split(separator: ".").first.flatMap({
                roles[String($0)]?.first
            }),
            let line = node.lines[.line(author: issuer, terms)]?.line,
            quantity.units > line.remaining
        else { return }
        throw exceeded(quantity.units, line.total ?? 0, line.remaining)
    }

    private static func exceeded(_ asked: Int64, _ total: Int64, _ remaining: Int64) -> DoorRefusal
    {
        DoorRefusal(
            "line_exceeded", field: "units", value: "\(asked)",
            en: "--units “\(asked)”: the line has \(remaining) left of \(total) declared",
            zh: "--units “\(asked)”：产能线申报 \(total)，剩余 \(remaining)")
    }

    // MARK: - Answering

    static func contract(_ node: Node, _ options: inout Options) throws -> HeldContract {
        let text = try options.need("contract", Localized(en: "its id", zh: "合同编号"))
        let id = try node.contractID(text)
        guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
        return held
    }

    static func accept(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let request = try options.one("request").map { text in
            try Node.unique(
                text, among: held.requests.keys.sorted(), field: "request",
                Localized(en: "pending request", zh: "待同意的请求"),
                see: "talea contract show --contract \(held.id.short)")
        }
        let insists = try options.insists()
        try options.finish()
        guard let request else {
            var done = opened(held.id, node, options)
            try node.accept(held.id, insists: insists)
            done.value = opened(held.id, node, options).value
            return done
        }
        guard let pending = held.requests[request] else {
            throw NodeRefusal.nothingToAccept(request)
        }
        let view = View(node: node, now: node.now)
        guard held.consentsMissing(to: pending).contains(node.own.did) else {
            throw NodeRefusal.nothingToAccept(request)
        }
        var done = expected(
            Act(pending.act), by: pending.entry.header.author, held, view, options)
        try node.accept(held.id, request: request)
        done.value = summary(held.id, node)
        return done
    }

    static func decline(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let text = try options.one("reason") ?? ""
        try options.finish()
        guard held.proposalEntry.header.author != node.own.did else {
            throw DoorRefusal(
                "your_own_proposal", field: "contract", value: held.id.short,
                en: "this proposal is yours; take it back with: talea contract cancel",
                zh: "这是您自己的提议；请用 talea contract cancel 撤回")
        }
        try node.decline(held.id, text: text)
        return Done(
            value: summary(held.id, node),
            says: Localized(en: "I decline this proposal.", zh: "我谢绝此提议。"))
    }

    static func cancel(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        let text = try options.one("reason") ?? ""
        try options.finish()
        guard held.proposalEntry.header.author == node.own.did else {
            throw NodeRefusal.notYourProposal
        }
        try node.decline(held.id, text: text)
        return Done(
            value: summary(held.id, node),
            says: Localized(en: "I take this proposal back.", zh: "我撤回此提议。"))
    }

    static func summary(_ id: ContractID, _ node: Node) -> JSON {
        let view = View(node: node, now: node.now)
        return node.contracts[id].map(view.contractLine) ?? ["id": .string(id.hex)]
    }

    /// What an act, with every consent, would move on the state as it stands. Only a trial is told.
    static func expected(
        _ act: Act, by actor: DID, _ held: HeldContract, _ view: View, _ options: Options
    ) -> Done {
        var done = Done(value: .null)
        guard options.isTrial, let fold = held.fold else { return done }
        let consents = fold.state.consentsNeeded(for: act)
        let outcome = try? fold.state.decide(
            act, by: actor, consents: consents.subtracting([actor]), at: view.now,
            sequence: fold.head.sequence + 1, free: fold.freeTimes)
        done.moves = view.moves(outcome?.transfers ?? [])
        done.says = view.says(act, fold)
        done.record = (held.id, act.record)
        done.worst = view.worst(held, fold)
        done.mayLose = view.mayLose(held, fold)
        done.deadlines = view.deadlines(after(outcome, fold.state))
        let version = fold.state.record(act.record)?.version ?? 0
        done.basis = SHA256.hash(
            Array("\(held.id.hex) \(act.record) \(version) \(done.moves.text())".utf8))
        return done
    }

    private static func after(_ outcome: Outcome?, _ state: ContractState) -> ContractState {
        var state = state
        if let outcome { state.apply(outcome) }
        return state
    }

    // MARK: - Looking

    static func showContract(_ view: View, _ options: inout Options) throws -> JSON {
        let held = try contract(view.node, &options)
        try options.finish()
        return view.contract(held)
    }

    static func listContracts(_ view: View, _ options: inout Options) throws -> JSON {
        let template = try options.one("template").map { try view.node.template($0) }
        let grade = try options.one("grade")
        let page = try options.page()
        try options.finish()
        let grades = HeldContract.Grade.allCases.map(\.rawValue)
        if let grade, !grades.contains(grade) {
            let list = grades.joined(separator: ", ")
            throw Options.wrong("grade", grade, "one of \(list)", "以下之一：\(list)")
        }
        let all = view.node.contracts.overview.contracts.lazy.filter {
            (template == nil || $0.template == template?.hash)
                && (grade == nil || $0.grade.rawValue == grade)
        }
        let (cut, next) = page.cut(lazily: all, id: \.id.hex)
        let shown = cut.compactMap { view.node.contracts[$0.id] }
        return ["contracts": .array(shown.map(view.contractLine)), "next": next]
    }
}

extension Options {
    /// Refuses what is known to be wrong before a missing value is complained of.
    func finishExcept(_ names: [String]) throws(DoorRefusal) {
        var copy = self
        for name in names { _ = copy.all(name) }
        try copy.finish()
    }
}

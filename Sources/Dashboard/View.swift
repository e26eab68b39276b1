import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore

/// A node as JSON. Ids whole and in hexadecimal, instants ISO 8601 in UTC, money in whole minor units with
/// a readable text beside it.
struct View: Sendable {
    let node: Node
    let now: Instant

    func name(_ did: DID) -> String { node.displayName(did) }

    func person(_ did: DID) -> JSON { ["did": .string(did.did), "name": .string(name(did))] }

    func instant(_ instant: Instant?) -> JSON { .text(instant?.iso) }

    static func text(_ amount: Int128, _ commodity: Commodity) -> String {
        switch commodity {
        case .money(let currency): commodity.text(amount) + " " + currency.code
        case .capacity(_, let unit): commodity.text(amount) + " " + unit.code
        }
    }

    static func clamp(_ number: Int128) -> JSON { .number(Int64(clamping: number)) }

    // MARK: Values

    /// The value for programs.
    func raw(_ value: Value) -> JSON {
        switch value {
        case .integer(let number): .number(number)
        case .money(let money): .number(money.minor)
        case .quantity(let quantity): .number(quantity.units)
        case .instant(let instant): .string(instant.iso)
        case .hash(let hash): .string(hash.hex)
        case .text(let text): .string(text)
        case .identity(let did): .string(did.did)
        case .list(let values): .array(values.map(raw))
        }
    }

    /// The value for people.
    func text(_ value: Value, _ kind: ValueKind?) -> String {
        switch value {
        case .integer(let number): return Self.text(number, kind)
        case .money(let money): return Self.text(Int128(money.minor), .money(money.currency))
        case .quantity(let quantity): return "\(quantity.units) \(quantity.unit.code)"
        case .instant(let instant): return instant.iso
        case .hash(let hash): return hash.short + "…"
        case .text(let text): return text.oneLine
        case .identity(let did): return name(did)
        case .list(let values):
            var inner: ValueKind?
            switch kind {
            case .list(let item): inner = item
            case .schedule: inner = .bp
            default: break
            }
            return "[" + values.map { text($0, inner) }.joined(separator: ", ") + "]"
        }
    }

    private static func text(_ number: Int64, _ kind: ValueKind?) -> String {
        switch kind {
        case .bp:
            let tail = number % 100
            guard tail != 0 else { return "\(number / 100) %" }
            return "\(number / 100)." + (tail < 10 ? "0\(tail)" : "\(tail)") + " %"
        case .duration:
            for (size, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")]
            where number != 0 && number % Int64(size) == 0 {
                return "\(number / Int64(size))\(unit)"
            }
            return "\(number) ms"
        default: return "\(number)"
        }
    }

    func arguments(_ arguments: [Argument], _ parameters: [Parameter]) -> JSON {
        .object(
            arguments.map { argument in
                let parameter = parameters.first { $0.name == argument.name }
                return JSON.Field(
                    argument.name,
                    [
                        "value": raw(argument.value),
                        "text": .string(text(argument.value, parameter?.kind)),
                        "title": parameter?.title.json ?? .null,
                    ])
            })
    }

    // MARK: Transfers

    /// What events would move, in words and numbers.
    func moves(_ events: [TransferEvent]) -> JSON {
        var reserved: [Cause: Transfer] = [:]
        return .array(
            events.map { event in
                let (cause, word, amount, detail): (Cause, String, Int64?, String?)
                switch event {
                case .reserve(let transfer):
                    reserved[transfer.cause] = transfer
                    (cause, word, amount, detail) = (
                        transfer.cause, "reserve", transfer.amount, nil
                    )
                case .post(let posted, let units, _):
                    (cause, word, amount, detail) = (posted, "post", units, nil)
                case .void(let voided, let reason):
                    (cause, word, amount, detail) = (voided, "void", nil, reason)
                case .discharge(let claim, let units):
                    (cause, word, amount, detail) = (claim, "discharge", units, nil)
                }
                return move(
                    word, reserved[cause] ?? node.ledger.row(cause)?.transfer, amount, detail)
            })
    }

    private func move(_ word: String, _ transfer: Transfer?, _ amount: Int64?, _ reason: String?)
        -> JSON
    {
        guard let transfer else { return ["event": .string(word), "reason": .text(reason)] }
        let units = amount ?? transfer.amount
        let text = Self.text(Int128(units), transfer.commodity)
        let (from, to) = (name(transfer.from), name(transfer.to))
        let verbs: (en: String, zh: String) =
            switch word {
            case "reserve": ("is set aside", "预留")
            case "post": ("moves for good", "过账")
            case "void": ("falls back", "作废")
            default: ("is given up", "放弃")
            }
        let what = transfer.commodity.name
        let kind = DeskWords.all["kind_" + transfer.kind.rawValue]
        var of = ""
        if case .capacity = transfer.commodity { of = " " + what }
        return [
            "event": .string(word), "kind": .string(transfer.kind.rawValue),
            "from": .string(transfer.from.did), "from_name": .string(from),
            "to": .string(transfer.to.did), "to_name": .string(to),
            "commodity": .string(what), "amount": .number(units), "text": .string(text),
            "reason": .text(reason),
            "says": [
                "en": .string("\(kind?.en ?? "")\(of): \(text) \(verbs.en), \(from) → \(to)"),
                "zh": .string("\(kind?.zh ?? "")\(of)：\(text) \(verbs.zh)，\(from) → \(to)"),
            ],
        ]
    }

    // MARK: Lines and offers

    func line(_ log: LogID) -> JSON {
        guard let line = node.lines[log] else { return ["id": .string(log.hex)] }
        let titles = node.titles(of: log).sorted { $0.key < $1.key }
        let grants: [JSON] = titles.compactMap { id, title in
            guard let grant = line.line.grant(id) else { return nil }
            return [
                "id": .string(id.hex), "units": .number(grant.units),
                "firm": .number(grant.firmUnits), "until": instant(grant.until),
                "title": self.title(title),
            ]
        }
        var fault = JSON.null
        if let found = line.fault {
            let words = DoorRefusal(found.reason)
            fault = [
                "sequence": .number(found.sequence), "entry": .string(found.entry.hex),
                "code": .string(words.code), "message": words.message.json,
            ]
        }
        let total = line.line.total
        return [
            "id": .string(log.hex), "issuer": .string(line.issuer.did),
            "issuer_name": .string(name(line.issuer)), "own": .bool(line.issuer == node.own.did),
            "alliance": .text(
                node.book[line.issuer]?.opening(of: log).flatMap { allianceName($0.alliance) }),
            "resource": .string(line.terms.resource.path),
            "unit": .string(line.terms.unit.code), "start": instant(line.terms.window.start),
            "end": instant(line.terms.window.end), "total": .number(total),
            "remaining": .number(line.line.remaining),
            "granted": .number((total ?? 0) - line.line.remaining), "grants": .array(grants),
            "fault": fault, "forked": .bool(line.parted != nil && !line.isClosed),
            "fork": fork(of: line),
            "newer_at": .number(line.newerAt),
        ]
    }

    func offer(_ standing: PublicLog.StandingOffer) -> JSON {
        let offer = standing.offer
        let template = node.templates[offer.template]
        let line = offer.line.flatMap { node.lines[$0] }
        return [
            "id": .string(standing.id.hex), "issuer": .string(standing.author.did),
            "issuer_name": .string(name(standing.author)),
            "alliance": .text(allianceName(standing.alliance)),
            "template": .text(template?.name), "template_hash": .string(offer.template.hex),
            "verb": .text(template?.verb), "line": .text(offer.line?.hex),
            "resource": .text(line?.terms.resource.path), "unit": .text(line?.terms.unit.code),
            "remaining": .number(line?.line.remaining), "max_units": .number(offer.maxUnits),
            "lot": .number(offer.lot), "until": instant(offer.until),
            "published": instant(standing.time), "withdrawn": .bool(standing.withdrawn),
            "open": .bool(!standing.withdrawn && now <= offer.until),
            "parameters": arguments(
                offer.arguments, (template?.parameters ?? []) + (template?.terms ?? [])),
        ]
    }

    // MARK: Templates

    func template(_ template: Template) -> JSON {
        [
            "name": .string(template.name), "hash": .string(template.hash.hex),
            "title": template.title.json, "verb": .text(template.verb),
            "sequencer": .string(template.sequencerRole),
            "arbiter": .string(template.arbiterRole), "bytes": .number(template.bytes.count),
            "verbs": .array(
                Set(template.transitions.filter { !$0.isDefault }.map(\.verb)).sorted().map {
                    .string($0)
                }),
        ]
    }

    func templateInFull(_ template: Template) -> JSON {
        var fields = self.template(template).fields
        fields.append(
            .init(
                "roles",
                .array(
                    template.roles.map { role in
                        [
                            "name": .string(role.name), "kind": .string(role.kind.rawValue),
                            "title": role.title.json, "only_child": .bool(role.onlyChild),
                            "many": .bool(role.many != nil),
                        ]
                    })))
        fields.append(.init("parameters", .array(template.parameters.map(parameter))))
        fields.append(.init("terms", .array(template.terms.map(parameter))))
        fields.append(
            .init(
                "lines",
                .array(
                    template.lines.map {
                        ["issuer": .string($0.issuer), "holder": .string($0.holder)]
                    })))
        fields.append(
            .init(
                "transitions",
                .array(
                    template.transitions.map { transition in
                        [
                            "name": .string(transition.name),
                            "verb": .string(transition.verb),
                            "family": .string(transition.family),
                            "state": .string(transition.state),
                            "by": .array(transition.by.map { .string($0) }),
                            "is_default": .bool(transition.isDefault),
                            "arguments": .array(transition.arguments.map(parameter)),
                        ]
                    })))
        fields.append(
            .init("text", .string(String(decoding: template.bytes, as: UTF8.self))))
        return .object(fields)
    }

    func parameter(_ parameter: Parameter) -> JSON {
        [
            "name": .string(parameter.name), "option": .string(Options.plain(parameter.name)),
            "title": parameter.title.json,
            "kind": [
                "en": .string(parameter.kind.words(.en)), "zh": .string(parameter.kind.words(.zh)),
            ],
            "default": .text(parameter.defaultText),
            "optional": .bool(parameter.optional || parameter.defaultText != nil),
            "only_child": .bool(parameter.onlyChild),
        ]
    }
}

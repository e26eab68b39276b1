import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore

/// What the pages show, as data for their templates: a node read once, in one language.
struct Rooms: Sendable {
    let view: View
    var figures: Figures

    var node: Node { view.node }
    var now: Instant { view.now }
    var me: DID { node.own.did }
    var language: Language { figures.language }

    init(_ node: Node, _ language: Language, now: Instant) {
        view = View(node: node, now: now)
        figures = Figures(language, now: now)
    }

    func word(_ key: String) -> String { DeskWords.all[key]?[language] ?? key }

    func pick(_ words: Localized) -> String { words[language] }

    func name(_ did: DID) -> String { did == me ? word("you") : view.name(did) }

    func names(_ dids: some Sequence<DID>) -> String {
        dids.map(name).joined(separator: figures.pick(", ", "、"))
    }

    /// So many rows of a list stand on one page.
    static let pageSize = 50

    /// Where the rows go on, if there are more than these.
    func more(_ path: String, _ next: Int, of count: Int) -> JSON {
        guard next < count else { return .null }
        return .string(path + (path.contains("?") ? "&" : "?") + "after=\(next)")
    }

    /// How many are left out where a list is cut.
    func rest(_ count: Int) -> JSON {
        count > 0 ? .string(figures.pick("and \(count) more", "另有 \(count) 项")) : .null
    }

    // MARK: Contracts

    var overview: Overview { node.contracts.overview }

    func title(_ held: HeldContract) -> String {
        view.template(of: held)?.title[language] ?? held.proposal.template.short
    }

    /// Everyone else in it.
    func partners(_ held: HeldContract) -> String {
        names(held.proposal.participants.filter { $0 != me })
    }

    /// Who has which part in it: `issuer: you · holder: …`.
    func cast(_ held: HeldContract) -> String {
        let template = view.template(of: held)
        return held.proposal.roles.map { holders in
            (template?.role(holders.role)?.title[language] ?? holders.role)
                + figures.pick(": ", "：") + names(holders.identities)
        }.joined(separator: " · ")
    }

    func page(_ held: HeldContract) -> String { "/contracts/" + held.id.hex }

    /// Sentences have ‹name› where a value is still to be given.
    func sentence(_ says: Localized) -> String {
        var text = ""
        var isOpen = false
        for character in says[language] {
            switch character {
            case "‹":
                isOpen = true
                text += "…"
            case "›": isOpen = false
            default: if !isOpen { text.append(character) }
            }
        }
        return figures.local(text)
    }

    func sentence(_ says: (Language) -> String) -> String {
        sentence(Localized(en: says(.en), zh: says(.zh)))
    }

    var waitingCount: Int { overview.waitingCount(at: now) }

    /// An option in the reader's words: ours, or of a template that has it.
    func label(_ option: String) -> String {
        let name = String(option.map { $0 == "-" ? "_" : $0 })
        if let words = DeskWords.all["field_" + name] { return pick(words) }
        for template in node.templates.values.sorted(by: { $0.hash < $1.hash }) {
            if let parameter = template.parameter(name) { return pick(parameter.title) }
            if let role = template.role(name) { return pick(role.title) }
        }
        return option
    }

    /// The words of a refusal, which were made for the command line, for somebody who never saw one: options by
    /// their labels, and nothing of commands.
    func plain(_ refusal: String) -> String {
        var words = refusal
        let hints = [
            ("; see: talea", ""), ("; talea ", ""), ("；请看 talea", ""), (" (talea", ")"),
            ("（talea", "）"), ("; make one with: talea", ""), ("；请运行：talea", ""),
        ]
        for (opening, closing) in hints {
            while let start = words.firstRange(of: opening) {
                let close =
                    closing.isEmpty ? nil : words[start.upperBound...].firstRange(of: closing)
                words.removeSubrange(start.lowerBound..<(close?.upperBound ?? words.endIndex))
            }
        }
        while let start = words.firstRange(of: "--") {
            let name = words[start.upperBound...].prefix {
                $0.isASCII && ($0.isLetter || $0 == "-")
            }
            words.replaceSubrange(start.lowerBound..<name.endIndex, with: label(String(name)))
        }
        return words
    }

    func badge(_ word: String, _ tone: String) -> JSON {
        ["text": .string(self.word(word)), "tone": .string(tone)]
    }

    func grade(_ held: HeldContract) -> JSON {
        badge("grade_" + held.grade.rawValue, held.grade == .settled ? "done" : "plain")
    }

    func outcome(_ held: HeldContract) -> JSON {
        let tone =
            switch held.outcome {
            case .open: "open"
            case .fulfilled: "done"
            case .disputed, .defaulted: "bad"
            default: "plain"
            }
        return badge("outcome_" + held.outcome.rawValue, tone)
    }

    /// The next deadline that is still to come, or the first that passed.
    func deadline(_ held: HeldContract) -> Instant? {
        if held.isOver { return nil }
        guard let fold = held.fold, fold.isSequenced else { return held.proposal.acceptBy }
        return fold.state.records.compactMap(\.until).min()
    }

    func urgency(_ until: Instant?) -> String {
        guard let until else { return "later" }
        let rest = until.milliseconds - now.milliseconds
        return rest < 0 ? "late" : rest < 2 * 86_400_000 ? "soon" : "later"
    }
}

/// A form that leads to a preview, and from there to a signature.
struct DeskAct: Sendable {
    var verb: String
    var button: String
    var hidden: [(String, String)] = []
    var fields: [JSON] = []
    var back: String
    var isPrimary = false

    /// What stands in the template: texts are never missing there, so that none is taken from outside.
    var json: JSON {
        [
            "verb": .string(verb), "button": .string(button), "back": .string(back),
            "primary": .bool(isPrimary), "has_fields": .bool(!fields.isEmpty),
            "hidden": .array(
                hidden.map { ["name": .string("o." + $0.0), "value": .string($0.1)] }),
            "fields": .array(fields),
        ]
    }
}

/// One field of a form. `o.`: as typed; `m.`: money; `t.`: a local time; `i.`: several of them.
struct DeskField: Sendable {
    /// As many times as one list is asked for on a page.
    static let timesMax = 12

    var name: String
    var label: String
    var type = "text"
    var mode = ""
    var value = ""
    var help = ""
    var isRequired = true
    var choices: [(value: String, label: String)]?
    var isMany = false
    /// Local times, one below the other; a script shows one more than are filled in.
    var times: [String]?
    /// A file whose hash is signed; the file stays where it is.
    var isEvidence = false
    /// How a code begins that a camera may read into it.
    var scan: String?

    var json: JSON {
        [
            "name": .string(name), "label": .string(label), "type": .string(type),
            "mode": .string(mode), "value": .string(value), "help": .string(help),
            "required": .bool(isRequired), "is_choice": .bool(choices != nil),
            "many": .bool(isMany), "evidence": .bool(isEvidence),
            "scan": .text(scan),
            "is_times": .bool(times != nil),
            "times": .array(
                (times ?? []).enumerated().map {
                    ["place": .number($0.offset + 1), "value": .string($0.element)]
                }),
            "options": .array(
                (choices ?? []).map {
                    [
                        "value": .string($0.value), "label": .string($0.label),
                        "selected": .bool($0.value == value && !value.isEmpty),
                    ]
                }),
        ]
    }
}

extension Rooms {
    /// The field of a template's parameter.
    func field(_ parameter: Parameter, people: [DID]) -> DeskField {
        let option = parameter.name == "n" ? "units" : Options.plain(parameter.name)
        let isOptional = parameter.optional || parameter.defaultText != nil
        var field = DeskField(
            name: "o." + option, label: pick(parameter.title), isRequired: !isOptional)
        if parameter.title[language] == parameter.name {
            field.label = DeskWords.all["field_" + parameter.name]?[language] ?? parameter.name
        }
        switch parameter.kind {
        case .money, .price:
            field.name = "m." + option
            field.mode = "decimal"
        case .int, .quantity: field.mode = "numeric"
        case .instant:
            field.name = "t." + option
            field.type = "datetime-local"
        case .list(.instant):
            field.name = "i." + option
            field.times = Array(repeating: "", count: DeskField.timesMax)
        case .choice(let words):
            field.choices = words.map {
                ($0, Self.choice($0, language))
            }
        case .party: field.choices = choices(people)
        case .hash:
            field.isEvidence = parameter.name == "evidence"
            field.help = field.isEvidence ? word("evidence_help") : pick(kindWords(parameter))
        case .schedule(let total):
            field.help = pick(kindWords(parameter)).replacing(total, with: label(total))
        case .text: break
        default: field.help = pick(kindWords(parameter))
        }
        if let text = parameter.defaultText {
            let short = Self.choice(text.filter { !"[]".contains($0) }, language)
            field.help +=
                (field.help.isEmpty ? "" : figures.pick("; ", "；")) + word("otherwise_value") + " "
                + short
        }
        return field
    }

    private func kindWords(_ parameter: Parameter) -> Localized {
        Localized(en: parameter.kind.words(.en), zh: parameter.kind.words(.zh))
    }

    func choices(_ people: [DID]) -> [(value: String, label: String)] {
        people.map { ($0.did, view.name($0)) }
    }

    /// Everyone known but me.
    var others: [DID] {
        Set(node.book.authors + Array(node.petnames.keys)).filter { $0 != me }.sorted {
            (view.name($0), $0) < (view.name($1), $1)
        }
    }

    /// The forms of what I may do now in a contract.
    func acts(_ held: HeldContract, record: Int64? = nil) -> [JSON] {
        let choices = view.myChoices(held).filter { record == nil || $0.act.record == record }
        let past =
            choices.contains { $0.act.record > 1 } ? view.replay(held) : View.Replay()
        return choices.map { choice in
            var hidden = [
                ("contract", held.id.hex), ("record", "\(choice.act.record)"),
                ("transition", choice.act.transition),
            ]
            var fields: [JSON] = []
            for parameter in choice.arguments {
                if let given = choice.act.arguments[parameter.name] {
                    let text =
                        switch given {
                        case .money(let money): plain(money)
                        case .integer(let number): "\(number)"
                        default: ""
                        }
                    if !text.isEmpty {
                        hidden.append((Options.plain(parameter.name), text))
                        continue
                    }
                }
                var field = field(parameter, people: others)
                if parameter.name == "channel" {
                    field.choices = ["bank", "wechat", "alipay", "cash"].map {
                        ($0, word("channel_" + $0))
                    }
                }
                fields.append(field.json)
            }
            let act = DeskAct(
                verb: "contract request", button: word("review"), hidden: hidden, fields: fields,
                back: page(held), isPrimary: !choice.isDefault)
            return act.json.merging([
                .init("says", .string(held.fold.map { sentence(view.says(choice.act, $0)) } ?? "")),
                .init(
                    "about",
                    .text(
                        view.origin(of: choice.act.record, past).map { pick($0) }.map(figures.local)
                    )),
                .init("is_default", .bool(choice.isDefault)),
            ])
        }
    }

    private func plain(_ money: Money) -> String {
        Commodity.money(money.currency).text(Int128(money.minor)).filter { $0 != "," }
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Market
import NodeCore

// A form that was filled in: as it is read before it is signed, and once more where it was refused.

extension Rooms {
    /// The form as it stood on its page, before anything was typed; `nil` for those that stand in few places.
    private func original(_ verb: String, _ form: [(String, String)]) -> JSON? {
        func one(_ name: String) -> String { form.last { $0.0 == "o." + name }?.1 ?? "" }
        let template = try? node.template(one("template"))
        switch verb {
        case "contract propose":
            if let id = try? node.offerID(one("offer")), let offer = node.book.offer(id) {
                return node.templates[offer.offer.template].flatMap {
                    proposeForm($0, offer: offer)["acts"]?.array.first
                }
            }
            return template.flatMap { proposeForm($0, offer: nil)["acts"]?.array.first }
        case "offer publish": return template.flatMap { offerForm($0)["acts"]?.array.first }
        case "contract request":
            guard let held = ContractID(hex: one("contract")).flatMap({ node.contracts[$0] }) else {
                return nil
            }
            // Of several of one kind that which asks for just this: another debt, or another sum, is another form.
            return acts(held, record: Int64(one("record"))).first { act in
                (act["hidden"]?.array ?? []).allSatisfy { pair in
                    form.contains {
                        $0.0 == pair["name"]?.string && $0.1 == pair["value"]?.string
                    }
                }
            }
        case "contract settle":
            // That without the sequencer says so besides.
            return ContractID(hex: one("contract")).flatMap { node.contracts[$0] }.map(waysOut)?
                .last { way in
                    way["verb"]?.string == verb
                        && (way["hidden"]?.array ?? []).allSatisfy { pair in
                            form.contains {
                                $0.0 == pair["name"]?.string && $0.1 == pair["value"]?.string
                            }
                        }
                }
        case "line declare": return declareAct.json
        case "wish publish": return wishForm()["acts"]?.array.first
        default: return nil
        }
    }

    /// The fields of a form once more, as they were filled in.
    func again(_ verb: String, _ form: [(String, String)], back: String) -> JSON {
        if let act = original(verb, form) {
            let fields = act["fields"]?.array.map { $0.filled(from: form) } ?? []
            return act.merging([.init("fields", .array(fields)), .init("back", .string(back))])
        }
        var act = DeskAct(verb: verb, button: word("review"), back: back, isPrimary: true)
        for (name, value) in form where Desk.isOption(name) {
            let option = String(name.dropFirst(2))
            if Desk.fixed.contains(option) {
                act.hidden.append((option, value))
                continue
            }
            var field = DeskField(
                name: name, label: label(option), value: value, isRequired: !value.isEmpty)
            if name.hasPrefix("t.") { field.type = "datetime-local" }
            if DID(did: value) != nil { field.choices = choices([me] + others) }
            act.fields.append(field.json)
        }
        return act.json
    }

    /// What was typed into a form, under its labels and as it is read; not what the form is about.
    func given(_ verb: String, _ form: [(String, String)]) -> [JSON] {
        let fields = original(verb, form)?["fields"]?.array ?? []
        let held = form.last { $0.0 == "o.contract" }.flatMap { ContractID(hex: $0.1) }
            .flatMap { node.contracts[$0] }
        let offer = form.last { $0.0 == "o.offer" }.flatMap { EntryID(hex: $0.1) }
            .flatMap { node.book.offer($0) }
        let currency =
            held?.proposal.currency ?? offer?.offer.arguments.currency ?? (try? Currency("CNY"))
        return form.compactMap { name, value in
            let option = String(name.dropFirst(2))
            let named = fields.filter { $0["name"]?.string == name }
            // Several may have one name, each with choices of its own.
            let field =
                named.first {
                    $0["options"]?.array.contains { $0["value"]?.string == value } == true
                }
                ?? named.first
            guard field != nil || !Desk.fixed.contains(option) else { return nil }
            let chosen = field?["options"]?.array.first { $0["value"]?.string == value }
            return [
                "label": .string(field?["label"]?.string ?? label(option)),
                "value": .string(chosen?["label"]?.string ?? readable(name, value, currency)),
            ]
        }
    }

    /// A typed value: people by name, times and sums as they are read.
    private func readable(_ name: String, _ value: String, _ currency: Currency?) -> String {
        if value.isEmpty { return "–" }
        if let did = DID(did: value) { return view.name(did) }
        switch name.prefix(2) {
        case "t.", "i.":
            return CivilTime.read(figures.zoned(value)).map { figures.moment($0.instant) } ?? value
        case "m.":
            guard let currency,
                let minor = Desk.minor(value, decimals: currency.fractionDigits)
            else { return value }
            return figures.money(Int128(minor), currency)
        default: return value
        }
    }

    /// A word that a template lets one choose, as people say it where these pages know it.
    static func choice(_ word: String, _ language: Language) -> String {
        DeskWords.all["choice_" + word]?[language] ?? word
    }
}

extension JSON {
    /// A field of a form with what was typed into it.
    fileprivate func filled(from form: [(String, String)]) -> JSON {
        let typed = form.filter { $0.0 == self["name"]?.string }.map(\.1)
        guard let value = typed.last else { return self }
        let options = (self["options"]?.array ?? []).map { option in
            option.merging([
                .init("selected", .bool(typed.contains(option["value"]?.string ?? "")))
            ])
        }
        let times = (self["times"]?.array ?? []).enumerated().map { index, time in
            time.merging([.init("value", .string(index < typed.count ? typed[index] : ""))])
        }
        return merging([
            .init("value", .string(value)), .init("options", .array(options)),
            .init("times", .array(times)),
        ])
    }
}

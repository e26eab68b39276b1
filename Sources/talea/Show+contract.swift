import Capacity
import Contracts
import Dashboard
import Entries

// One contract in full, as its owner reads it.

extension Show {
    static func contract(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        var lines = [
            "\(json["id"]?.string ?? "")",
            "\(words(json["title"], language))  \(grade(json, language))",
        ]
        if let prose = json["prose"] { lines.append(words(prose, language)) }
        func section(_ title: String, _ rows: [String]) {
            if !rows.isEmpty { lines += ["", title] + rows.map { "  " + $0 } }
        }
        if let problem = json["problem"], problem != .null {
            lines.append("! " + words(problem["message"], language))
        }
        if let since = json["silent_since"], since != .null {
            lines.append((en ? "! the sequencer is silent since " : "! 排序方失联，自 ") + cell(since))
        }
        section(en ? "People" : "各方", people(json, language) + [words(json["clock"], language)])
        section(en ? "Terms" : "条款", terms(json, language))
        section(
            en ? "Records" : "记录",
            (json["records"]?.array ?? []).map { record in
                var text =
                    "\(cell(record["number"])) \(cell(record["family"])): \(cell(record["state"]))"
                for hold in record["holds"]?.fields ?? [] {
                    text += ", \(hold.name) \(cell(hold.value))"
                }
                if let pay = record["pay"], pay != .null {
                    text +=
                        ", \(cell(pay["text"])) \(cell(pay["from_name"])) → \(cell(pay["to_name"]))"
                }
                if let until = record["until"], until != .null {
                    text += (en ? ", until " : "，至 ") + cell(until)
                }
                return text
            })
        section(
            en ? "Steps" : "步骤",
            (json["steps"]?.array ?? []).map { step in
                let void = step["void"].flatMap {
                    $0 == .null ? nil : words($0["message"], language)
                }
                let says = words(step["says"], language)
                let given = arguments(step["arguments"], language)
                return
                    "\(cell(step["sequence"])) \(cell(step["time"])) \(cell(step["actor_name"])): "
                    + ProofWords.act(cell(step["transition"]), language)
                    + (given.isEmpty ? "" : " " + given)
                    + (says.isEmpty ? "" : " — " + says)
                    + (void.map { (en ? " (no effect: " : "（未生效：") + $0 + ")" } ?? "")
            })
        section(
            en ? "Pending requests" : "待定请求",
            (json["requests"]?.array ?? []).map { request in
                "\(cell(request["id"])) \(cell(request["by_name"])): \(words(request["says"], language))"
            })
        section(
            en ? "Refused requests" : "被拒请求",
            (json["refused"]?.array ?? []).map {
                "\(cell($0["request"])) \(ProofWords.act(cell($0["transition"]), language)): "
                    + words($0["reason"], language)
            })
        section(
            en ? "Notes" : "附注", (json["notes"]?.array ?? []).map { words($0, language) })
        section(
            en ? "Pending" : "待定",
            (json["pending"]?.array ?? []).map {
                "\(cell($0["step"]))/\(cell($0["index"])) "
                    + "\(cell($0["from_name"])) → \(cell($0["to_name"])): \(cell($0["text"]))"
            })
        section(
            en ? "Claims" : "债权",
            (json["claims"]?.array ?? []).map {
                "\(cell($0["from_name"])) → \(cell($0["to_name"])): \(cell($0["text"]))"
            })
        section(
            en ? "You may" : "您可以",
            (json["choices"]?.array ?? []).map { choice in
                let options = (choice["arguments"]?.array ?? []).map { " --\(cell($0["option"]))" }
                return
                    "\(cell(choice["verb"]))\(options.joined()) (--record \(cell(choice["record"]))): "
                    + words(choice["says"], language)
            })
        if let worst = json["worst"], worst != .null {
            section(
                en ? "At worst" : "最坏情形",
                [words(worst, language)] + mayLose(json["may_lose"], language))
        }
        return lines.joined(separator: "\n")
    }

    static func people(_ json: JSON, _ language: Language) -> [String] {
        let witnesses = (json["witnesses"]?.array ?? []).map { witness in
            (language == .en ? "witness: " : "见证方: ") + cell(witness["name"])
                + (witness["accepted"]?.bool == true ? " ✓" : "")
        }
        return (json["roles"]?.fields ?? []).map { role in
            let people = role.value.array.map { person in
                person.string
                    ?? (cell(person["name"]) + (person["accepted"]?.bool == true ? " ✓" : ""))
            }
            let title = words(json["role_titles"]?[role.name], language)
            return "\(title.isEmpty ? role.name : title): " + people.joined(separator: ", ")
        } + witnesses
    }

    /// Also what nobody said, and holds by default; where the template is not here, what was said.
    static func terms(_ json: JSON, _ language: Language) -> [String] {
        guard let terms = json["terms"]?.array else {
            return (json["parameters"]?.fields ?? []).map {
                "\($0.name): \(cell($0.value["text"]))"
            }
        }
        return terms.map { term in
            let standard = language == .en ? " (default)" : "（默认）"
            return "\(cell(term["name"])) (\(words(term["title"], language))): "
                + words(term["text"], language) + (term["given"]?.bool == true ? "" : standard)
        }
    }

    static func mayLose(_ json: JSON?, _ language: Language) -> [String] {
        (json?.fields ?? []).compactMap { field in
            guard let minor = field.value.number, let currency = try? Currency(field.name),
                let money = try? Money(minor: minor, currency)
            else { return nil }
            let sum = Phrases(language).sentence(Value.money(money).digits)
            return language == .en ? "You may lose up to \(sum)." : "您至多可能损失 \(sum)。"
        }
    }
}

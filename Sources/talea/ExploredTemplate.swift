import Contracts
import Dashboard
import Identity

/// What `template check` found, for people and programs.
struct ExploredTemplate {
    let template: Template
    let found: Exploration

    var json: JSON {
        [
            "valid": .bool(found.findings.isEmpty), "name": .string(template.name),
            "hash": .string(template.hash.hex),
            "title": ["en": .string(template.title.en), "zh": .string(template.title.zh)],
            "verb": template.verb.map { .string($0) } ?? .null,
            "roles": .array(template.roles.map { .string($0.name) }),
            "parameters": .array(template.parameters.map { .string($0.name) }),
            "verbs": .array(verbs.map { .string($0) }),
            "bounds": [
                "settings": .number(Int64(found.settings)), "states": .number(Int64(found.states)),
                "steps": .number(Int64(found.steps)),
                "records": .number(Int64(found.limits.records)),
            ],
            "findings": .array(
                found.findings.map { finding in
                    [
                        "line": .number(Int64(finding.line)),
                        "column": .number(Int64(finding.column)),
                        "message": [
                            "en": .string(finding.words(.en)), "zh": .string(finding.words(.zh)),
                        ],
                    ]
                }),
            "losses": .array(
                found.losses.map { loss in
                    [
                        "role": .string(loss.role),
                        "member": loss.member.map { .number(Int64($0)) } ?? .null,
                        "child": .bool(loss.isChild),
                        "silent": .number(loss.silent), "hostile": .number(loss.hostile),
                    ]
                }),
        ]
    }

    private var verbs: [String] {
        Set(template.transitions.filter { !$0.isDefault }.map(\.verb)).sorted()
    }

    func text(_ language: Language) -> String {
        let english = language == .en
        let parameters = template.parameters.map { parameter in
            [
                "  --" + parameter.name, parameter.title[language], parameter.kind.words(language),
                parameter.defaultText.map { (english ? "default " : "默认 ") + $0 } ?? "",
            ]
        }
        return """
            \(template.name): \(template.title[language]) (\(template.hash.short)…)
            \(english ? "roles" : "角色"): \
            \(template.roles.map { "\($0.name) (\($0.title[language]))" }.joined(separator: ", "))
            \(english ? "verbs" : "命令"): \
            \(([template.verb].compactMap(\.self) + verbs).joined(separator: ", "))
            \(Table.text([english ? "parameter" : "参数", "", "", ""], parameters))

            \(verdict(language))
            """
    }

    private func losses(_ language: Language) -> [String] {
        found.losses.map { loss in
            let title = template.role(loss.role)?.title[language] ?? loss.role
            let place = loss.member.map { " \($0 + 1)" } ?? ""
            let child = loss.isChild ? language == .en ? " (in a child)" : "（子合同）" : ""
            return
                "  \(title)\(place)\(child): \(loss.amounts)"
        }
    }

    private func verdict(_ language: Language) -> String {
        let english = language == .en
        let bounds =
            english
            ? "explored \(found.settings) sets of small parameters, \(found.states) states, \(found.steps) steps; "
                + "of a family that may have more than \(found.limits.few) records at most "
                + "\(found.limits.records), fewer where they touch main; of each argument a few values"
            : "已探查 \(found.settings) 组小参数、\(found.states) 个状态、\(found.steps) 步；"
                + "可超过 \(found.limits.few) 条的记录类至多 \(found.limits.records) 条，牵涉 main 时更少；每个参数只取几个值"
        guard found.findings.isEmpty else {
            let count = found.findings.count
            let head = english ? "\(count) found wrong:" : "发现 \(count) 处问题："
            return ([head] + found.findings.map { $0.words(language) } + [bounds]).joined(
                separator: "\n")
        }
        let carriers = template.roles.compactMap { role -> String? in
            let names = template.transitions.map(\.name).filter {
                found.carriers[role.name]?.contains($0) == true
            }
            let builtIn = (found.carriers[role.name] ?? []).subtracting(names).sorted()
            guard !(names + builtIn).isEmpty else { return nil }
            return "  \(role.title[language]): " + (names + builtIn).joined(separator: ", ")
        }
        return """
            \(english ? "holds: every play ends, nothing stays reserved or in escrow, and no silence blocks" : "成立：每种走法都会结束，不留占用与托管款，任何一方沉默都不会卡住")
            \(english ? "if silent, carried on by" : "若沉默，由以下缺省继续")
            \(carriers.joined(separator: "\n"))
            \(english ? "with the first set, may lose while others fall silent, and if they also lie" : "按首组参数，他方沉默时可能损失；他方还说谎时")
            \(losses(language).joined(separator: "\n"))
            \(bounds)
            """
    }
}

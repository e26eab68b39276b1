import ArgumentParser
import Contracts
import Dashboard
import NodeDaemon

struct Examine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look whether home, machine and node are well.")

    @OptionGroup var common: Common

    func act(_ line: Line) async -> Int32 {
        let findings = await Doctor.look(at: line.home, version: Main.version)
        let worst = findings.map(\.grade).max() ?? .ok
        if common.json {
            print(
                ([
                    "grade": .string(worst.rawValue),
                    "findings": .array(
                        findings.map { finding in
                            [
                                "about": .string(finding.about.rawValue),
                                "grade": .string(finding.grade.rawValue),
                                "says": finding.says.json,
                                "advice": finding.advice?.json ?? .null,
                            ]
                        }),
                ] as JSON).text(pretty: true))
        } else {
            for finding in findings { print(Self.text(finding, line.language)) }
        }
        return worst == .act ? Main.Exit.checkFailed : 0
    }

    private static func text(_ finding: Doctor.Finding, _ language: Language) -> String {
        let sign =
            switch finding.grade {
            case .ok: "✓"
            case .attention: "·"
            case .act: "!"
            }
        let about = word(finding.about, language)
        let blank = String(repeating: " ", count: max(1, 10 - Table.width(about)))
        let advice = finding.advice.map { "\n            → " + $0[language] } ?? ""
        return "\(sign) \(about)\(blank)\(finding.says[language])\(advice)"
    }

    private static func word(_ subject: Doctor.Subject, _ language: Language) -> String {
        guard language == .zh else { return subject.rawValue }
        return switch subject {
        case .home: "主目录"
        case .key: "密钥"
        case .disk: "磁盘"
        case .ledger: "账本"
        case .mark: "水位"
        case .versions: "版本"
        case .backup: "备份"
        case .node: "节点"
        case .port: "端口"
        case .clock: "时钟"
        case .recovery: "恢复"
        case .notify: "提醒"
        }
    }
}

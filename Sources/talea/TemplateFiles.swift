import ArgumentParser
import Contracts
import Dashboard
import FoundationEssentials
import NodeDaemon

/// A template by its file, or by its name among those of the home and those that ship.
private func templateBytes(_ named: String, home: String, field: String) throws -> [UInt8] {
    if let bytes = Home(home).template(named: named) { return bytes }
    return try Local.read(named, field: field)
}

struct NewTemplate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template new", abstract: "Begin a template of your own with a copy.")

    @OptionGroup var common: Common
    @Option(help: "The template to begin with: a name or a file.") var from: String
    @Option(help: "Its new name: small letters, digits and hyphens.") var name: String
    @Option(help: "The file to write; NAME.yaml by default.") var out: String?

    func act(_ line: Line) throws {
        let bytes = try templateBytes(from, home: line.home, field: "from")
        let changed = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map { text in
            if text.hasPrefix("name: ") { return "name: \(name)" }
            return text.hasPrefix("verb: ") ? "verb: \(name) propose" : String(text)
        }.joined(separator: "\n")
        do { _ = try Template.read(Array(changed.utf8)) } catch {
            throw DoorRefusal(
                "value_unreadable", field: "name", value: name,
                en: "--name “\(name)”: \(error.words(.en))",
                zh: "--name“\(name)”：\(error.words(.zh))")
        }
        let file = out ?? "\(name).yaml"
        guard !FileManager.default.fileExists(atPath: file) else {
            throw DoorRefusal(
                "file_exists", field: "out", value: file,
                en: "“\(file)” is there already; give another with --out",
                zh: "“\(file)”已存在；请用 --out 另取名")
        }
        do { try changed.write(toFile: file, atomically: true, encoding: .utf8) } catch {
            throw DoorRefusal(
                "file_unwritable", field: "out", value: file,
                en: "“\(file)” cannot be written; give another place with --out",
                zh: "无法写入“\(file)”；请用 --out 另选位置")
        }
        if common.json {
            print((["file": .string(file), "name": .string(name)] as JSON).text(pretty: true))
        } else {
            print(
                line.language == .en
                    ? "\(file) is a copy of \(from). Change it, then: talea template check \(file)"
                    : "\(file) 是 \(from) 的副本。修改后请运行：talea template check \(file)")
        }
    }
}

struct CompareTemplates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template diff", abstract: "Say in what two templates differ.")

    @OptionGroup var common: Common
    @Argument(help: "A template: a name or a file.") var old: String
    @Argument(help: "Another one.") var new: String

    /// 0 where they say the same, 1 where they differ.
    func act(_ line: Line) throws -> Int32 {
        let english = line.language == .en
        let found: [TemplateDifference]
        do {
            found = try TemplateDifference.between(
                try templateBytes(old, home: line.home, field: "FILE"),
                try templateBytes(new, home: line.home, field: "FILE"))
        } catch let refusal as TemplateRefusal {
            throw DoorRefusal(
                "template_unreadable", field: "FILE", en: refusal.words(.en),
                zh: refusal.words(.zh))
        }
        if common.json {
            let differences = found.map { one -> JSON in
                [
                    "path": .string(one.path), "line": .number(Int64(one.line)),
                    "old": one.old.map { .string($0) } ?? .null,
                    "new": one.new.map { .string($0) } ?? .null,
                ]
            }
            print((["differences": .array(differences)] as JSON).text(pretty: true))
        } else if found.isEmpty {
            print(english ? "They say the same." : "内容相同。")
        } else {
            let nothing = english ? "(not there)" : "（无）"
            for one in found {
                print(
                    "\(one.path) (\(english ? "line" : "第") \(one.line)\(english ? "" : " 行"))")
                print("  - \(one.old ?? nothing)")
                print("  + \(one.new ?? nothing)")
            }
        }
        return found.isEmpty ? 0 : Main.Exit.checkFailed
    }
}

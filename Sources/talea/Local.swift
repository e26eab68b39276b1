import ArgumentParser
import Contracts
import Dashboard
import Entries
import FoundationEssentials
import Glibc
import Identity
import NodeDaemon

/// The commands that need no running node.
enum Local {
    static func run(_ arguments: [String], _ line: Line) async -> Int32 {
        do {
            switch line.words.first {
            case "init": try Init.parse(rest(arguments, after: ["init"])).act(line)
            case "run": try await Run.parse(rest(arguments, after: ["run"])).act(line)
            case "backup": try BackUp.parse(rest(arguments, after: ["backup"])).act(line)
            case "restore": try Restore.parse(rest(arguments, after: ["restore"])).act(line)
            case "notify" where line.words.dropFirst().first == "show":
                try ShowNotify.parse(rest(arguments, after: ["notify", "show"])).act(line)
            case "notify":
                try SetNotify.parse(rest(arguments, after: ["notify", "set"])).act(line)
            case "completions":
                try Completions.parse(rest(arguments, after: ["completions"])).act()
            case "doctor":
                return try await Examine.parse(rest(arguments, after: ["doctor"])).act(line)
            case "recover": try await Recover.parse(rest(arguments, after: ["recover"])).act(line)
            case "simulate" where line.words.dropFirst().first == "gossip":
                return try SimulateGossip.parse(rest(arguments, after: ["simulate", "gossip"]))
                    .act(line)
            case "simulate":
                return try SimulateWorlds.parse(rest(arguments, after: ["simulate"])).act(line)
            case "verify": return try VerifyFile.parse(rest(arguments, after: ["verify"])).act(line)
            case "template" where line.words.dropFirst().first == "new":
                try NewTemplate.parse(rest(arguments, after: ["template", "new"])).act(line)
            case "template" where line.words.dropFirst().first == "diff":
                return try CompareTemplates.parse(rest(arguments, after: ["template", "diff"]))
                    .act(line)
            default:
                return try CheckTemplate.parse(rest(arguments, after: ["template", "check"]))
                    .act(line)
            }
            return 0
        } catch let failure as Daemon.Failure {
            return Terminal.refuse(
                DoorRefusal("failed", en: failure.message.en, zh: failure.message.zh),
                json: line.has("json"), line.language, status: failure.exit)
        } catch let failure as DoorServer.Failure {
            return Terminal.refuse(
                DoorRefusal("failed", en: failure.words.en, zh: failure.words.zh),
                json: line.has("json"), line.language)
        } catch let refusal as DoorRefusal {
            return Terminal.refuse(refusal, json: line.has("json"), line.language)
        } catch {
            return Terminal.refuse(
                Complaint.refusal(Init.message(for: error), line),
                json: line.has("json"), line.language)
        }
    }

    /// The arguments without the command's own words, wherever these stand.
    private static func rest(_ arguments: [String], after words: [String]) -> [String] {
        var left = words[...]
        return arguments.filter { argument in
            guard argument == left.first else { return true }
            left = left.dropFirst()
            return false
        }
    }

    static func read(_ file: String, field: String) throws -> [UInt8] {
        guard let data = try? Data(contentsOf: URL(filePath: file)) else {
            throw DoorRefusal(
                "file_unreadable", field: field, value: file,
                en: "\(field) “\(file)”: cannot be read; wanted a file that exists",
                zh: "\(field == "FILE" ? "文件" : field)“\(file)”：无法读取；应为已有的文件")
        }
        return [UInt8](data)
    }

    /// From a file, typed twice, or knowingly none.
    static func newPassphrase(file: String?, none: Bool, _ language: Language) throws -> String? {
        if none { return nil }
        if let file { return try passphrase(file: file) }
        guard Terminal.isPresent else {
            throw DoorRefusal(
                "passphrase_needed", field: "passphrase-file",
                en:
                    "no terminal to ask for a passphrase; give --passphrase-file FILE or --no-passphrase",
                zh: "没有终端可输入口令；请给 --passphrase-file 文件 或 --no-passphrase")
        }
        let first = Terminal.secret(language == .en ? "Passphrase: " : "口令：") ?? ""
        let again = Terminal.secret(language == .en ? "Again: " : "再输一次：") ?? ""
        guard !first.isEmpty, first == again else {
            throw DoorRefusal(
                "passphrase_differs", field: "passphrase",
                en: "the passphrases are empty or differ; nothing was made",
                zh: "口令为空或两次不同；没有创建")
        }
        return first
    }

    static func recoveryCode(file: String) throws -> String {
        let bytes = try read(file, field: "--code-file")
        return String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
    }

    /// The first line of a file; what remains of a text editor's newline is no part of it.
    static func passphrase(file: String) throws -> String {
        let bytes = try read(file, field: "--passphrase-file")
        let text = String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
        guard !text.isEmpty else {
            throw DoorRefusal(
                "passphrase_empty", field: "passphrase-file", value: file,
                en: "--passphrase-file “\(file)”: its first line is empty",
                zh: "--passphrase-file “\(file)”：首行为空")
        }
        return text
    }
}

/// What every command takes. Read by `Line`; declared here so that the parser knows them.
struct Common: ParsableArguments {
    @Option(help: "The node's folder.") var home = "~/.talea"
    @Option(help: "en or zh; the environment's otherwise.") var lang: String?
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Ask nothing.") var yes = false
}

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make an identity and its home.")

    @OptionGroup var common: Common
    @Option(help: "What others see you called.") var name: String
    @Option(help: "What you do: printer, custodian, …") var role = ""
    @Option(help: "Where you are, as people there write it.") var place = ""
    @Option(help: "Join the alliance of this code (talea-invite:…).") var invitation: String?
    @Option(help: "Found an alliance of this name.") var alliance: String?
    @Option(help: "Read the passphrase from the first line of this file.")
    var passphraseFile: String?
    @Flag(help: "Keep the key file unencrypted, knowingly.") var noPassphrase = false
    @Option(help: "Copy the templates of this folder into the home.") var contracts: String?

    func act(_ line: Line) throws {
        var joined: Invitation?
        if let invitation {
            guard let read = Invitation(code: invitation) else {
                throw DoorRefusal(
                    "invitation_unreadable", field: "invitation", value: invitation,
                    en: "--invitation: wanted the whole code that talea id prints (talea-invite:…)",
                    zh: "--invitation：应为 talea id 打印的完整邀请码（talea-invite:…）")
            }
            joined = read
        }
        guard (joined == nil) != (alliance == nil) else {
            throw DoorRefusal(
                "alliance_or_invitation", field: "alliance",
                en: "give one of --invitation CODE (join) and --alliance NAME (found)",
                zh: "请给 --invitation 邀请码（加入）或 --alliance 名称（创建）之一")
        }
        for (field, text) in [("name", name), ("alliance", alliance)] {
            guard let text, !(1...64).contains(text.utf8.count) || !text.isLegible else { continue }
            throw DoorRefusal(
                "value_unreadable", field: field, value: text,
                en: "--\(field): wanted 1 to 64 bytes of visible letters",
                zh: "--\(field)：应为 1 至 64 字节的可见文字")
        }
        for (field, text) in [("role", role), ("place", place)] where text.utf8.count > 64 {
            throw DoorRefusal(
                "value_unreadable", field: field, value: text,
                en: "--\(field): wanted at most 64 bytes", zh: "--\(field)：应至多 64 字节")
        }
        let begun = try Daemon.initialise(
            .init(
                home: line.home, name: name, role: role, place: place, invitation: joined,
                alliance: alliance ?? "",
                passphrase: try Local.newPassphrase(
                    file: passphraseFile, none: noPassphrase, line.language),
                contracts: contracts))
        let code = Invitation(foundingBody: begun.foundingBody).code
        if common.json {
            print(
                ([
                    "did": .string(begun.did), "short": .string(begun.short),
                    "home": .string(line.home), "recovery_code": .string(begun.recoveryCode),
                    "invitation": .string(code),
                ] as JSON).text(pretty: true))
        } else {
            print(Self.words(begun, code, line))
        }
    }

    private static func words(_ begun: Daemon.Begun, _ code: String, _ line: Line) -> String {
        switch line.language {
        case .en:
            """
            Your identity   \(begun.did)
            Its home        \(line.home)

            Recovery code   \(begun.recoveryCode)
              Shown this once and kept nowhere. Write it on paper and keep it away from this computer:
              it brings your identity back after a lost disk, and whoever has it can take it over.

            Invitation      \(code)
              Give it to whoever shall join this alliance (talea init --invitation …).

            Start the node  talea run --home \(line.home)
            """
        case .zh:
            """
            您的身份   \(begun.did)
            主目录     \(line.home)

            恢复码     \(begun.recoveryCode)
              仅显示这一次，不作任何保存。请抄在纸上，与本机分开保管：
              硬盘丢失后可凭它找回身份，持有它的人也能接管您的身份。

            邀请码     \(code)
              交给要加入此联盟的人（talea init --invitation …）。

            启动节点   talea run --home \(line.home)
            """
        }
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the node of a home until it is stopped.")

    @OptionGroup var common: Common
    @Option(help: "Where peers reach it, HOST:PORT; port 0 is any free one.")
    var listen = "127.0.0.1:0"
    @Option(help: "The loopback port of the command door; 0 is any free one.") var http = 0
    @Option(help: "Read the passphrase from the first line of this file.")
    var passphraseFile: String?
    @Option(
        help: "Tell the alliance to dial HOST:PORT; port 0 is the one of --listen; none: nowhere.")
    var announce: String?
    @Flag(help: "Keep mail and contract logs for members who are away, and witness.")
    var hub = false
    @Flag(
        help:
            "Find members in this network, and be found by them alone, by avahi where it is present."
    )
    var lan = false

    func act(_ line: Line) async throws {
        guard (0...65_535).contains(http) else {
            throw DoorRefusal(
                "value_unreadable", field: "http", value: "\(http)",
                en: "--http “\(http)”: wanted a port from 0 to 65535",
                zh: "--http “\(http)”：应为 0 至 65535 的端口")
        }
        var passphrase: String?
        if try Daemon.needsPassphrase(home: line.home) {
            if let passphraseFile {
                passphrase = try Local.passphrase(file: passphraseFile)
            } else if Terminal.isPresent {
                passphrase = Terminal.secret(line.language == .en ? "Passphrase: " : "口令：")
            } else {
                throw DoorRefusal(
                    "passphrase_needed", field: "passphrase-file",
                    en:
                        "the key file of \(line.home) is encrypted and there is no terminal to ask; give "
                        + "--passphrase-file FILE",
                    zh: "\(line.home) 的密钥文件已加密而没有终端可询问；请给 --passphrase-file 文件")
            }
        }
        try await Daemon.run(
            home: line.home, listen: listen, http: http, passphrase: passphrase, asHub: hub,
            announcing: announce, onLan: lan, language: line.language)
    }
}

struct VerifyFile: ParsableCommand {
    /// What the first code of ours says that is seen in a photograph.
    private static func proof(inPicture file: String) throws -> String {
        guard let text = try Photo.codes(inFile: file).first(where: { $0.contains("TALEA1") })
        else {
            throw DoorRefusal(
                "qr_unseen", field: "image", value: file,
                en:
                    "--image “\(file)”: no code of ours is seen in it; try a sharper picture, straight from above",
                zh: "--image “\(file)”：其中未见本程序的二维码；请从正上方拍得更清晰些")
        }
        return text
    }

    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check an exported contract or step offline.")

    @OptionGroup var common: Common
    @ArgumentParser.Argument(help: "What talea proof or talea proof export wrote.")
    var file: String?
    @Option(help: "What a QR code says (TALEA1…).") var text: String?
    @Option(help: "A picture with the QR code in it.") var image: String?

    func act(_ line: Line) throws -> Int32 {
        let said = try text ?? image.map(Self.proof(inPicture:))
        let place = said.flatMap { VerifyProof.place(in: $0) }
        guard text == nil || image == nil, said == nil || place != nil || file == nil else {
            throw DoorRefusal(
                "one_at_a_time", field: "FILE",
                en:
                    "give one of FILE, --text and --image; FILE goes with a code only where that names a file",
                zh: "文件、--text、--image 只给其一；仅当二维码指明文件时才同时给出文件")
        }
        if let said, place == nil { return try tell(try VerifyProof(said), line) }
        guard let file else {
            if let place { throw VerifyProof.elsewhere(place) }
            throw DoorRefusal(
                "option_missing", field: "FILE",
                en: "nothing to check: give FILE, --text TEXT or --image PHOTO",
                zh: "没有可验证的内容：请给 文件、--text 文字 或 --image 照片")
        }
        let bytes = try Local.read(file, field: "FILE")
        if let place, SHA256.hash(bytes) != place.hash {
            throw VerifyProof.another(place, file)
        }
        if bytes.starts(with: Array("TALEA1".utf8)) {
            let text = String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
            return try tell(try VerifyProof(text), line)
        }
        if let bundle = VerifyBundle(bytes) {
            print(common.json ? bundle.json().text(pretty: true) : bundle.text(line.language))
            return bundle.passed ? 0 : Main.Exit.checkFailed
        }
        guard let verify = Verify(bytes) else {
            throw DoorRefusal(
                "proof_unreadable", field: "FILE", value: file,
                en: "FILE “\(file)”: no proof; wanted the JSON that talea proof export writes",
                zh: "文件“\(file)”：不是证明；应为 talea proof export 写出的 JSON")
        }
        print(common.json ? verify.json().text(pretty: true) : verify.text(line.language))
        return verify.passed ? 0 : Main.Exit.checkFailed
    }
}

extension VerifyFile {
    private func tell(_ proof: VerifyProof, _ line: Line) throws -> Int32 {
        print(common.json ? proof.json().text(pretty: true) : proof.text(line.language))
        return proof.passed ? 0 : Main.Exit.checkFailed
    }
}

struct CheckTemplate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template check",
        abstract: "Read a template file and explore what it can come to, as a node does.")

    @OptionGroup var common: Common
    @ArgumentParser.Argument(help: "A YAML file.") var file: String

    func act(_ line: Line) throws -> Int32 {
        let bytes = try Local.read(file, field: "FILE")
        do {
            let template = try Template.read(bytes)
            let found = Exploration.run(template)
            let answer = ExploredTemplate(template: template, found: found)
            print(common.json ? answer.json.text(pretty: true) : answer.text(line.language))
            return found.findings.isEmpty ? 0 : Main.Exit.checkFailed
        } catch {
            if common.json {
                print(
                    ([
                        "valid": false, "line": .number(Int64(error.line)),
                        "column": .number(Int64(error.column)),
                        "message": [
                            "en": .string(error.words(.en)), "zh": .string(error.words(.zh)),
                        ],
                    ] as JSON).text(pretty: true))
            }
            Terminal.complain("\(file): \(error.words(line.language))")
            return Main.Exit.checkFailed
        }
    }
}

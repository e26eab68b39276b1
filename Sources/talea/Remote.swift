import Contracts
import Dashboard
import FoundationEssentials
import Glibc
import Identity
import NodeDaemon

/// A verb that the running node answers.
struct Remote {
    let line: Line

    /// Asked once, for the preview and for the deed.
    private let typedCode: String?

    init(line: Line) {
        self.line = line
        let asks = line.verb == "key rotate" && line.options["code-file"] == nil
        typedCode =
            asks && Terminal.isPresent
            ? Terminal.secret(line.language == .en ? "Recovery code: " : "恢复码：") : nil
    }

    private var language: Language { line.language }

    func run() async -> Int32 { await answering { try await ask() } }

    /// Whatever goes wrong in `body` is put into words.
    func answering(_ body: () async throws -> Int32) async -> Int32 {
        do {
            return try await body()
        } catch let refusal as DoorRefusal {
            return Terminal.refuse(refusal, json: line.has("json"), language)
        } catch let failure as DoorClient.Failure {
            return unreachable(failure)
        } catch let failure as Daemon.Failure {
            Terminal.complain(failure.message[language])
            return failure.exit
        } catch {
            Terminal.complain("\(error)")
            return Main.Exit.refused
        }
    }

    private func ask() async throws -> Int32 {
        let verb = line.verb
        guard line.words.count <= 2 || verb == "proof export" else {
            throw DoorRefusal(
                "words", field: "verb", value: verb,
                en:
                    "“\(verb)”: a command is one or two words, everything else stands behind --option",
                zh: "“\(verb)”：命令为一到两个词，其余请写成 --选项")
        }
        var request = CommandRequest(
            verb: verb, options: try options(), dryRun: line.has("dry-run"))
        var trial = request
        trial.dryRun = true
        let signs = !Manual.unsigned.contains(verb)
        // Without a person to ask and without --yes nothing is looked up but whether a word that is
        // not built in is a template's, which only the node knows.
        if signs, !request.dryRun, !line.has("yes"), !Terminal.isPresent {
            if !Commands.verbs.contains(verb) { _ = try await answerer(signs: false)(trial) }
            throw DoorRefusal(
                "not_confirmed", field: "yes",
                en: "“\(verb)” signs, and standard input is no terminal to confirm on; add --yes",
                zh: "“\(verb)”会签署，而标准输入不是终端，无法确认；请加 --yes")
        }
        let ask = try answerer(signs: signs && !request.dryRun)
        if signs, !request.dryRun, !line.has("yes") {
            let preview = try await ask(trial)
            Terminal.tell(Show.preview(preview, language))
            request.basis = preview["basis"]?.string
            guard Terminal.confirms(language == .en ? "Sign this?" : "签署吗？") else {
                Terminal.tell(language == .en ? "Nothing was signed." : "没有签署。")
                return Main.Exit.refused
            }
        }
        let answer = try await ask(request)
        return try show(answer, verb)
    }

    /// The running node, or with --offline the home itself, read only.
    private func answerer(signs: Bool) throws -> (CommandRequest) async throws -> JSON {
        guard line.has("offline") else {
            let client = try DoorClient(home: line.home)
            return { try await client.run($0).get() }
        }
        guard !signs else {
            throw DoorRefusal(
                "offline_signs", field: "offline", value: line.verb,
                en: "--offline only reads; start the node to sign: talea run --home \(line.home)",
                zh: "--offline 仅供读取；要签署请先启动节点：talea run --home \(line.home)")
        }
        let commands = Commands(door: try Daemon.offline(home: line.home))
        return { try await commands.run($0).get() }
    }

    /// What goes to the node: all but what only this program reads; files become their hashes here, so
    /// that none ever leaves this place.
    private func options() throws -> [String: [String]] {
        var options = line.options
        for name in ["home", "lang", "out", "code-file"] { options[name] = nil }
        if line.verb == "key rotate" { options["code"] = [try recoveryCode()] }
        if line.has("check") { options["check"] = [] }
        if let files = options["evidence"] { options["evidence"] = try files.map(hash) }
        return options
    }

    /// Typed without echo, or the first line of a file; it never stands on the command line.
    private func recoveryCode() throws -> String {
        if let file = line.options["code-file"]?.last { return try Local.recoveryCode(file: file) }
        if let typed = typedCode { return typed }
        throw DoorRefusal(
            "recovery_code_needed", field: "code-file",
            en: "no terminal to ask for the recovery code; give --code-file FILE",
            zh: "没有终端可输入恢复码；请给 --code-file 文件")
    }

    private func hash(_ file: String) throws -> String {
        if let data = try? Data(contentsOf: URL(filePath: file)) {
            return SHA256.hash([UInt8](data)).hex
        }
        if Hash32(hex: file) != nil { return file.lowercased() }
        throw DoorRefusal(
            "file_unreadable", field: "evidence", value: file,
            en:
                "--evidence “\(file)”: no such file can be read; wanted a file, or a SHA-256 in 64 digits",
            zh: "--evidence “\(file)”：无法读取；应为文件，或 64 位 SHA-256")
    }

    private func show(_ answer: JSON, _ verb: String) throws -> Int32 {
        if let file = line.options["out"]?.last {
            // An export's text as it is, everything else as JSON.
            let text =
                answer["format"] == nil
                ? answer.text(pretty: true) + "\n"
                : answer["text"]?.string ?? answer["text"]?[language.rawValue]?.string
            do {
                if answer["format"]?.string == "paper", file.hasSuffix(".pdf") {
                    try Tool.print(text ?? "", to: file)
                    print(file)
                    return 0
                }
                try Data(picture(answer, file) ?? Array((text ?? "").utf8))
                    .write(to: URL(filePath: file), options: .atomic)
            } catch let refusal as DoorRefusal {
                throw refusal
            } catch {
                throw DoorRefusal(
                    "file_unwritable", field: "out", value: file,
                    en: "-o “\(file)”: cannot be written; wanted a file in a folder that exists",
                    zh: "-o “\(file)”：无法写入；应为已有文件夹中的文件")
            }
            if line.has("json") { print(answer.text(pretty: true)) } else { print(file) }
        } else if line.has("json") {
            print(answer.text(pretty: true))
        } else if line.has("dry-run"), answer["dry_run"] != nil {
            print(Show.preview(answer, language))
        } else {
            print(Show.text(answer, verb: verb, language))
        }
        if line.has("qr"), let code = answer["code"] { print(try Self.qr(code).blocks) }
        let isCheck = verb == "ledger rebuild" && line.has("check")
        return isCheck && answer["equal"]?.bool == false ? Main.Exit.checkFailed : 0
    }

    /// Of an answer that has a code, where the file's name asks for a picture.
    private func picture(_ answer: JSON, _ file: String) throws -> [UInt8]? {
        guard let code = answer["code"] else { return nil }
        if file.hasSuffix(".png") { return try Self.qr(code).png }
        if file.hasSuffix(".svg") { return Array(try Self.qr(code).svg(says: "Talea").utf8) }
        return nil
    }

    private static func qr(_ code: JSON) throws -> QR {
        if let text = code.string, let qr = QR(text) { return qr }
        throw DoorRefusal(
            "qr_full", field: "qr",
            en:
                "this is too large for a QR code; write it to FILE.txt, put that where others can fetch it, and give its address: --at URL",
            zh: "内容超出二维码容量；请写入 FILE.txt，放到他人可取之处，并给出地址：--at URL")
    }

    func unreachable(_ failure: DoorClient.Failure) -> Int32 {
        switch failure {
        case .notRunning:
            do {
                _ = try Daemon.needsPassphrase(home: line.home)
            } catch let missing as Daemon.Failure {
                return homeless(missing)
            } catch {}
            if let unknown = unknown() {
                return Terminal.refuse(unknown, json: line.has("json"), language)
            }
            return fails(
                DoorRefusal(
                    "not_running", field: "home",
                    en:
                        "no node answers for \(line.home); is it running? start it with: talea run --home \(line.home)",
                    zh: "\(line.home) 的节点没有应答；是否在运行？请用 talea run --home \(line.home) 启动"))
        case .unanswered:
            return fails(
                DoorRefusal(
                    "unanswered", field: "home",
                    en: "the node ended before it answered, and whether this was done is not sure; "
                        + "start it, look whether it is there, and ask again if not: "
                        + "talea run --home \(line.home)",
                    zh: "节点在应答之前已结束，此事是否已完成尚不确定；请启动节点，查看是否已在，若无则重试："
                        + "talea run --home \(line.home)"))
        case .refused(let status, let what):
            return fails(
                DoorRefusal(
                    "not_a_node", field: "home",
                    en:
                        "the program at this home's port answers \(status) (\(what)); restart the node: talea run --home \(line.home)",
                    zh: "此端口上的程序回答 \(status)（\(what)）；请重启节点：talea run --home \(line.home)"))
        }
    }

    private func fails(_ refusal: DoorRefusal) -> Int32 {
        Terminal.refuse(
            refusal, json: line.has("json"), language, status: Main.Exit.notRunning)
    }

    /// No home, so no template either that could bring a verb.
    private func homeless(_ missing: Daemon.Failure) -> Int32 {
        guard var unknown = unknown() else {
            return fails(
                DoorRefusal(
                    "home_missing", field: "home", en: missing.message.en,
                    zh: missing.message.zh))
        }
        unknown.message = Localized(
            en: "\(unknown.message.en); \(missing.message.en)",
            zh: "\(unknown.message.zh)；\(missing.message.zh)")
        return Terminal.refuse(unknown, json: line.has("json"), language)
    }

    /// Where no node answers, the files of its home say what its templates bring.
    private func unknown() -> DoorRefusal? {
        guard !Commands.verbs.contains(line.verb) else { return nil }
        let folder = line.home + "/contracts"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let templates = names.compactMap { name in
            (try? Data(contentsOf: URL(filePath: folder + "/" + name))).flatMap {
                try? Template.read([UInt8]($0))
            }
        }
        guard !Commands.verbs(of: templates).contains(line.verb) else { return nil }
        return Commands.unknown(line.verb, among: templates)
    }
}

import ArgumentParser
import Contracts
import Dashboard
import Entries
import Identity

/// A lost laptop: paper and one partner bring the identity back.
struct Recover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Bring an identity back with its recovery code.")

    @OptionGroup var common: Common
    @Option(help: "The alliance's code (talea-invite:…).") var invitation: String
    @Option(help: "HOST:PORT of a partner's node; more than one may be given.") var peer: [String]
    @Option(help: "Read the recovery code from the first line of this file.") var codeFile: String?
    @Option(help: "Read the passphrase from the first line of this file.")
    var passphraseFile: String?
    @Flag(help: "Keep the key file unencrypted, knowingly.") var noPassphrase = false
    @Option(help: "Copy the templates of this folder into the home.") var contracts: String?

    func act(_ line: Line) async throws {
        guard let body = Invitation(code: invitation)?.foundingBody else {
            throw DoorRefusal(
                "invitation_unreadable", field: "invitation", value: invitation,
                en: "--invitation: wanted the whole code that talea id prints (talea-invite:…)",
                zh: "--invitation：应为 talea id 打印的完整邀请码（talea-invite:…）")
        }
        let found = try await Daemon.recover(
            home: line.home, code: try code(line.language), invitation: body,
            peers: try peer.map(address),
            passphrase: try Local.newPassphrase(
                file: passphraseFile, none: noPassphrase, line.language), contracts: contracts)
        if common.json {
            print(
                ([
                    "did": .string(found.did), "home": .string(line.home),
                    "rotations": .number(Int64(found.rotations + 1)),
                ] as JSON).text(pretty: true))
        } else {
            print(words(found.did, line))
        }
    }

    private func code(_ language: Language) throws -> RecoveryCode {
        let text: String
        if let codeFile {
            text = try Local.recoveryCode(file: codeFile)
        } else if Terminal.isPresent {
            text = Terminal.secret(language == .en ? "Recovery code: " : "恢复码：") ?? ""
        } else {
            throw DoorRefusal(
                "recovery_code_needed", field: "code-file",
                en: "no terminal to ask for the recovery code; give --code-file FILE",
                zh: "没有终端可输入恢复码；请给 --code-file 文件")
        }
        guard let code = RecoveryCode(text: text) else {
            throw DoorRefusal(
                "recovery_code_unreadable", field: "code",
                en:
                    "the recovery code is mistyped: wanted the nine groups of four letters from paper",
                zh: "恢复码有误：应为纸上的九组、每组四个字符")
        }
        return code
    }

    private func address(_ text: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port),
            colon > text.startIndex
        else {
            throw DoorRefusal(
                "value_unreadable", field: "peer", value: text,
                en: "--peer “\(text)”: wanted HOST:PORT", zh: "--peer“\(text)”：应为 主机:端口")
        }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return (String(isBracketed ? host.dropFirst().dropLast() : host), port)
    }

    private func words(_ did: String, _ line: Line) -> String {
        switch line.language {
        case .en:
            """
            Your identity is back   \(did)
            Its home                \(line.home)
            Its key was changed: the lost one is out of force as soon as your peers hear of it, and with it end
            invitations that nobody has shown yet.

            Start the node          talea run --home \(line.home)
            It takes over what your partners hold, and signs in each log once everyone bound by it was heard:
            talea status --home \(line.home)
            """
        case .zh:
            """
            身份已找回   \(did)
            主目录       \(line.home)
            密钥已更换：伙伴得知后，丢失的旧密钥即告失效；尚未有人出示的邀请随之失效。

            启动节点     talea run --home \(line.home)
            节点会接收伙伴持有的内容；每份日志在相关各方都答复之后才恢复签署：
            talea status --home \(line.home)
            """
        }
    }
}

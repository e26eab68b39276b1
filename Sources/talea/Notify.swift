import ArgumentParser
import Contracts
import Dashboard
import FoundationEssentials
import NodeDaemon

/// `talea notify set`: what stands in the home, read by the node at its next look.
struct SetNotify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notify set", abstract: "How to be told of things while no page is open.")

    @OptionGroup var common: Common
    @Option(help: "on or off.") var desktop: String?
    @Option(help: "An https address, or off.") var webhook: String?
    @Option(help: "Where to, or off.") var email: String?
    @Option(help: "Whom it is from; the recipient otherwise.") var emailFrom: String?
    @Option(help: "smtp://HOST:587 or smtps://HOST:465.") var smtp: String?
    @Option(help: "Who logs in there.") var smtpUser: String?
    @Option(help: "The password is the first line of this file.") var smtpPasswordFile: String?
    @Option(help: "22:00-07:00, or off.") var quiet: String?
    @Option(help: "A deadline is near so many hours before.") var hours: Int64?
    @Option(help: "brief or full.") var detail: String?

    func act(_ line: Line) throws {
        var settings = Daemon.notifySettings(home: line.home) ?? NotifySettings()
        settings.language = line.language
        let given: [(String, String?)] = [
            ("desktop", desktop), ("webhook", webhook), ("email", email),
            ("email-from", emailFrom), ("smtp", smtp), ("smtp-user", smtpUser),
            ("smtp-password-file", smtpPasswordFile), ("quiet", quiet),
            ("hours", hours.map { "\($0)" }), ("detail", detail),
        ]
        try settings.take(
            Dictionary(
                given.compactMap { name, value in value.map { (name, $0) } },
                uniquingKeysWith: { one, _ in one }))
        try Daemon.set(settings, home: line.home)
        ShowNotify.show(settings, json: common.json, line.language)
        if settings.desktop, !Tool.isHere(NotifySettings.desktopTool) {
            let stop = line.language == .en ? "; " : "；"
            Terminal.complain(
                NotifySettings.desktopMissing[line.language] + stop
                    + NotifySettings.desktopAdvice[line.language])
        }
    }
}

struct ShowNotify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notify show", abstract: "How you are told of things.")

    @OptionGroup var common: Common

    func act(_ line: Line) {
        Self.show(
            Daemon.notifySettings(home: line.home) ?? NotifySettings(), json: common.json,
            line.language)
    }

    static func show(_ settings: NotifySettings, json: Bool, _ language: Language) {
        if json {
            print(settings.json.text(pretty: true))
            return
        }
        let en = language == .en
        let off = en ? "off" : "关"
        let rows = [
            (en ? "desktop" : "桌面", settings.desktop ? (en ? "on" : "开") : off),
            ("webhook", settings.webhook ?? off),
            (en ? "e-mail" : "邮件", settings.mail.map { "\($0.to) · \($0.server)" } ?? off),
            (en ? "quiet" : "免打扰", settings.quiet?.text ?? off),
            (en ? "near from" : "临近", "\(settings.hours) h"),
            (
                en ? "says" : "内容",
                settings.isFull
                    ? (en ? "sentences, amounts and names" : "完整句子、金额与名称")
                    : (en ? "that something waits, no more" : "只说有事项，不含内容")
            ),
        ]
        for (name, value) in rows {
            print(name + String(repeating: " ", count: max(1, 11 - Table.width(name))) + value)
        }
    }
}

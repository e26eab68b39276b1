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
        if let desktop { settings.desktop = try Self.choice("desktop", desktop, "on", "off") }
        if let webhook {
            guard webhook == "off" || NotifySettings.isSafe(webhook: webhook) else {
                throw Self.wrong(
                    "webhook", webhook, "an https:// address, or http:// on this machine, or off",
                    "https:// 地址，或本机的 http:// 地址，或 off")
            }
            settings.webhook = webhook == "off" ? nil : webhook
        }
        if let quiet {
            settings.quiet = quiet == "off" ? nil : NotifySettings.Quiet(text: quiet)
            guard quiet == "off" || settings.quiet != nil else {
                throw Self.wrong("quiet", quiet, "22:00-07:00, or off", "22:00-07:00 或 off")
            }
        }
        if let hours {
            guard (1...720).contains(hours) else {
                throw Self.wrong("hours", "\(hours)", "1 to 720", "1 至 720")
            }
            settings.hours = hours
        }
        if let detail { settings.isFull = try Self.choice("detail", detail, "full", "brief") }
        try setMail(&settings)
        try Daemon.set(settings, home: line.home)
        ShowNotify.show(settings, json: common.json, line.language)
        if settings.desktop, !Tool.isHere(NotifySettings.desktopTool) {
            let stop = line.language == .en ? "; " : "；"
            Terminal.complain(
                NotifySettings.desktopMissing[line.language] + stop
                    + NotifySettings.desktopAdvice[line.language])
        }
    }

    private func setMail(_ settings: inout NotifySettings) throws {
        if email == "off" {
            settings.mail = nil
            return
        }
        guard
            email != nil || emailFrom != nil || smtp != nil || smtpUser != nil
                || smtpPasswordFile != nil
        else { return }
        guard let to = email ?? settings.mail?.to, NotifySettings.isAddress(to) else {
            throw Self.wrong(
                "email", email ?? "", "you@example.org, or off", "you@example.org 或 off")
        }
        let from = emailFrom ?? settings.mail?.from ?? to
        guard NotifySettings.isAddress(from) else {
            throw Self.wrong("email-from", from, "you@example.org", "you@example.org")
        }
        guard let server = smtp ?? settings.mail?.server, NotifySettings.isSafe(server: server)
        else {
            throw Self.wrong(
                "smtp", smtp ?? "", "smtp://HOST:587 or smtps://HOST:465",
                "smtp://主机:587 或 smtps://主机:465")
        }
        let user = smtpUser ?? settings.mail?.user
        let file = smtpPasswordFile ?? settings.mail?.passwordFile
        guard (user == nil) == (file == nil) else {
            throw Self.wrong(
                "smtp-password-file", file ?? "", "a file, together with --smtp-user",
                "文件，与 --smtp-user 一起给出")
        }
        settings.mail = .init(
            to: to, from: from, server: server, user: user,
            passwordFile: file.map { URL(filePath: $0).standardized.path })
    }

    private static func choice(_ field: String, _ value: String, _ yes: String, _ no: String) throws
        -> Bool
    {
        guard value == yes || value == no else {
            throw wrong(field, value, "\(yes) or \(no)", "\(yes) 或 \(no)")
        }
        return value == yes
    }

    private static func wrong(_ field: String, _ value: String, _ en: String, _ zh: String)
        -> DoorRefusal
    {
        DoorRefusal(
            "value_unreadable", field: field, value: value,
            en: "--\(field) “\(value)”: wanted \(en)", zh: "--\(field)“\(value)”：应为 \(zh)")
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

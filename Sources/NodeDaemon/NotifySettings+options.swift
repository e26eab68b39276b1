public import Dashboard
internal import Foundation

// Settings as their owner writes them, on the command line or on a page.

extension NotifySettings {
    /// Takes what is given by option: `webhook`, `email`, `smtp` …; emptied or `off` is off. Refuses what would
    /// leave this machine in clear, or is none of these.
    public mutating func take(_ options: [String: String]) throws(DoorRefusal) {
        var next = self
        if let desktop = options["desktop"] {
            next.desktop = try Self.choice("desktop", desktop, "on", "off")
        }
        if let webhook = options["webhook"] {
            next.webhook = Self.isOff(webhook) ? nil : webhook
            guard next.webhook.map(Self.isSafe(webhook:)) ?? true else {
                throw Self.wrong(
                    "webhook", webhook, "an https:// address, or http:// on this machine, or off",
                    "https:// 地址，或本机的 http:// 地址，或 off")
            }
        }
        if let quiet = options["quiet"] {
            next.quiet = Self.isOff(quiet) ? nil : Quiet(text: quiet)
            guard Self.isOff(quiet) || next.quiet != nil else {
                throw Self.wrong("quiet", quiet, "22:00-07:00, or off", "22:00-07:00 或 off")
            }
        }
        if let hours = options["hours"] {
            guard let number = Int64(hours), (1...720).contains(number) else {
                throw Self.wrong("hours", hours, "1 to 720", "1 至 720")
            }
            next.hours = number
        }
        if let detail = options["detail"] {
            next.isFull = try Self.choice("detail", detail, "full", "brief")
        }
        try next.takeMail(options)
        self = next
    }

    private static let mailOptions = [
        "email", "email-from", "smtp", "smtp-user", "smtp-password-file",
    ]

    private mutating func takeMail(_ options: [String: String]) throws(DoorRefusal) {
        if let email = options["email"], Self.isOff(email) {
            mail = nil
            return
        }
        guard Self.mailOptions.contains(where: { options[$0] != nil }) else { return }
        let before = mail
        // As given, nothing where it was emptied, else as it was.
        func one(_ name: String, _ old: String?) -> String? {
            options[name].map { $0.isEmpty ? nil : $0 } ?? old
        }
        guard let to = one("email", before?.to), Self.isAddress(to) else {
            throw Self.wrong(
                "email", options["email"] ?? "", "you@example.org, or off", "you@example.org 或 off")
        }
        let from = one("email-from", before?.from) ?? to
        guard Self.isAddress(from) else {
            throw Self.wrong("email-from", from, "you@example.org", "you@example.org")
        }
        guard let server = one("smtp", before?.server), Self.isSafe(server: server) else {
            throw Self.wrong(
                "smtp", options["smtp"] ?? "", "smtp://HOST:587 or smtps://HOST:465",
                "smtp://主机:587 或 smtps://主机:465")
        }
        let user = one("smtp-user", before?.user)
        let file =
            user == nil && options["smtp-user"] != nil
            ? nil : one("smtp-password-file", before?.passwordFile)
        guard (user == nil) == (file == nil) else {
            throw Self.wrong(
                "smtp-password-file", file ?? "", "a file, together with --smtp-user",
                "文件，与 --smtp-user 一起给出")
        }
        mail = .init(
            to: to, from: from, server: server, user: user,
            passwordFile: file.map { URL(filePath: $0).standardized.path })
    }

    private static func isOff(_ text: String) -> Bool { text.isEmpty || text == "off" }

    private static func choice(_ field: String, _ value: String, _ yes: String, _ no: String)
        throws(DoorRefusal) -> Bool
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

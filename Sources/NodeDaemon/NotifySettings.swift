public import Contracts
public import Dashboard
internal import Foundation

/// How the owner wants to be told of things while no page is open; `notify.json` in the home.
public struct NotifySettings: Hashable, Sendable {
    public var desktop = false
    /// https, or http on this machine.
    public var webhook: String?
    public var mail: Mail?
    /// Minutes of the day, local time; from 22:00 to 7:00 crosses midnight.
    public var quiet: Quiet?
    /// A deadline is near from so many hours on.
    public var hours: Int64 = 24
    /// With sentences, amounts and names; without: that something waits, and until when.
    public var isFull = false
    public var language = Language.en

    public struct Mail: Hashable, Sendable {
        public var to: String
        public var from: String
        /// smtp://HOST:PORT, which must offer TLS unless it is this machine, or smtps://HOST:PORT.
        public var server: String
        public var user: String?
        /// A file of the owner's alone, with the password in its first line.
        public var passwordFile: String?

        public init(to: String, from: String, server: String, user: String?, passwordFile: String?)
        {
            self.to = to
            self.from = from
            self.server = server
            self.user = user
            self.passwordFile = passwordFile
        }
    }

    public struct Quiet: Hashable, Sendable {
        public var from: Int64
        public var to: Int64

        /// `22:00-07:00`.
        public init?(text: String) {
            let ends = text.split(separator: "-").map { end -> Int64? in
                let parts = end.split(separator: ":").compactMap { Int64($0) }
                guard parts.count == 2, (0..<24).contains(parts[0]), (0..<60).contains(parts[1])
                else { return nil }
                return parts[0] * 60 + parts[1]
            }
            guard ends.count == 2, let from = ends[0], let to = ends[1], from != to else {
                return nil
            }
            self.from = from
            self.to = to
        }

        public var text: String {
            func clock(_ minutes: Int64) -> String {
                let (hour, minute) = (minutes / 60, minutes % 60)
                return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
            }
            return clock(from) + "-" + clock(to)
        }

        func holds(_ minute: Int64) -> Bool {
            from < to ? from <= minute && minute < to : minute >= from || minute < to
        }
    }

    public init() {}

    // MARK: - The desktop

    public static let desktopTool = "notify-send"
    public static let desktopMissing = Localized(
        en: "the desktop cannot be reached: notify-send is not installed",
        zh: "无法发出桌面提醒：未安装 notify-send")
    public static let desktopAdvice = Localized(
        en: "run: sudo apt install libnotify-bin (elsewhere the package is called libnotify)",
        zh: "请运行：sudo apt install libnotify-bin（其他系统的软件包名为 libnotify）")

    // MARK: - Addresses

    /// Whether nothing leaves this machine in clear by this address.
    public static func isSafe(webhook text: String) -> Bool {
        guard let url = plain(text), url.scheme == "https" || url.scheme == "http" else {
            return false
        }
        return url.scheme == "https" || isLocal(url)
    }

    public static func isSafe(server text: String) -> Bool {
        guard let url = plain(text), url.path.isEmpty, url.port != nil else { return false }
        return url.scheme == "smtp" || url.scheme == "smtps"
    }

    /// One mailbox and nothing that could begin another line or recipient.
    public static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let odd = Set(" <>,;:\"\\()[]")
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && text.utf8.count <= 254
            && text.allSatisfy { $0.isASCII && $0 > " " && $0 != "\u{7F}" && !odd.contains($0) }
    }

    static func isLocal(_ url: URL) -> Bool {
        ["127.0.0.1", "localhost", "[::1]", "::1"].contains(url.host() ?? "")
    }

    static func isLocal(_ text: String) -> Bool { plain(text).map(isLocal) ?? false }

    private static func plain(_ text: String) -> URL? {
        guard text.utf8.count <= 2_048,
            text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 34 && $0 != 92 }),
            let url = URL(string: text), url.host()?.isEmpty == false, url.user == nil
        else { return nil }
        return url
    }
}

extension Home {
    var notifyFile: String { path + "/notify.json" }
    /// Of the mail server, where it was typed on a page.
    var notifyPasswordFile: String { path + "/notify.password" }

    /// `nil` where nothing was set, or the file is none of ours.
    public var notifySettings: NotifySettings? {
        guard let data = FileManager.default.contents(atPath: notifyFile),
            let json = try? JSON(reading: data)
        else { return nil }
        var settings = NotifySettings()
        settings.desktop = json["desktop"]?.bool ?? false
        settings.webhook = json["webhook"]?.string.flatMap {
            NotifySettings.isSafe(webhook: $0) ? $0 : nil
        }
        settings.quiet = json["quiet"]?.string.flatMap { NotifySettings.Quiet(text: $0) }
        settings.hours = json["hours"]?.number ?? settings.hours
        settings.isFull = json["full"]?.bool ?? false
        settings.language = json["language"]?.string.flatMap { Language(rawValue: $0) } ?? .en
        if let mail = json["mail"], let to = mail["to"]?.string, let from = mail["from"]?.string,
            let server = mail["server"]?.string, NotifySettings.isAddress(to),
            NotifySettings.isAddress(from), NotifySettings.isSafe(server: server)
        {
            settings.mail = .init(
                to: to, from: from, server: server, user: mail["user"]?.string,
                passwordFile: mail["password_file"]?.string)
        }
        return settings
    }

    public func set(_ settings: NotifySettings) throws {
        guard isInhabited else { throw Refusal.missing(path) }
        try DurableFile.write(settings.json.bytes(pretty: true), to: notifyFile)
        // Nobody needs a password any more that mail no longer names.
        if settings.mail?.passwordFile != URL(filePath: notifyPasswordFile).standardized.path {
            try? FileManager.default.removeItem(atPath: notifyPasswordFile)
        }
    }
}

extension NotifySettings {
    public var json: JSON {
        [
            "desktop": .bool(desktop), "webhook": webhook.map { .string($0) } ?? .null,
            "mail": mail.map {
                [
                    "to": .string($0.to), "from": .string($0.from), "server": .string($0.server),
                    "user": $0.user.map { .string($0) } ?? .null,
                    "password_file": $0.passwordFile.map { .string($0) } ?? .null,
                ]
            } ?? .null, "quiet": quiet.map { .string($0.text) } ?? .null, "hours": .number(hours),
            "full": .bool(isFull), "language": .string(language.rawValue),
        ]
    }
}

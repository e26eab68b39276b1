internal import Capacity
internal import Contracts
internal import Dashboard
internal import Entries
internal import Foundation
internal import Glibc
internal import Identity
internal import Logging
internal import NodeCore

/// Tells the owner what waits, once by each way, outside the quiet hours.
///
/// Nothing here is on the node's own way: what cannot be told is tried again, ever more rarely, as long as it
/// waits.
struct Notifier {
    private let home: Home
    private let logger: Logger
    private let sign: @Sendable ([UInt8]) -> (key: String, signature: String)
    /// By way: what was told, and why one fails and when it is tried again.
    private var told: [Way: [String]] = [:]
    private var failures: [Way: (untold: DoorStatus.Untold, next: Instant)] = [:]
    /// Those under which ways failed: others may do.
    private var settings: NotifySettings?

    enum Way: String, CaseIterable { case desktop, webhook, mail }

    /// Signed over as DSSE: a notice is no entry, and no entry is a notice.
    static let payloadType = "application/vnd.talea.notice.v1+json"
    /// After a failure; each wait is twice as long as the one before.
    private static let waitMin: Int64 = 2_000
    private static let waitMax: Int64 = 3_600_000
    /// In one message; the rest is counted.
    private static let noticesMax = 20
    /// Kept of what was told by one way, the oldest forgotten.
    private static let toldMax = 4_096

    init(
        home: Home, logger: Logger,
        sign: @escaping @Sendable ([UInt8]) -> (key: String, signature: String)
    ) {
        self.home = home
        self.logger = logger
        self.sign = sign
        guard let data = FileManager.default.contents(atPath: home.path + "/notified.json"),
            let json = try? JSON(reading: data)
        else { return }
        for way in Way.allCases { told[way] = json[way.rawValue]?.array.compactMap(\.string) }
    }

    /// What could not be told is to be tried again now.
    func isDue(at now: Instant) -> Bool {
        !isQuiet(at: now) && failures.values.contains { $0.next <= now }
    }

    private func isQuiet(at now: Instant) -> Bool {
        settings?.quiet?.holds(Self.minute(of: now)) ?? false
    }

    /// Of ways that fail now.
    var untold: [DoorStatus.Untold] {
        Way.allCases.compactMap { failures[$0]?.untold }
    }

    /// Tells what is new of `notices`, as `settings` have it.
    mutating func tell(
        _ notices: [Notice], _ settings: NotifySettings, of did: DID, at now: Instant
    ) async {
        if settings != self.settings { failures = [:] }
        self.settings = settings
        if isQuiet(at: now) { return }
        for way in Way.allCases where settings.uses(way) {
            let before = Set(told[way] ?? [])
            let new = notices.filter { !before.contains($0.key) }
            guard !new.isEmpty else {
                failures[way] = nil
                continue
            }
            if let wait = failures[way], now < wait.next { continue }
            if let wrong = await send(new, way, settings, of: did, at: now) {
                let last = failures[way]?.untold
                let untold = DoorStatus.Untold(
                    way: way.rawValue, since: last?.since ?? now, tries: (last?.tries ?? 0) + 1,
                    complaint: wrong)
                logger.error(
                    "notices could not be told by \(way.rawValue), try \(untold.tries): \(wrong)")
                let wait = (1..<untold.tries).reduce(Self.waitMin) { wait, _ in
                    min(wait * 2, Self.waitMax)
                }
                failures[way] = (untold, now.advanced(by: wait))
                continue
            }
            failures[way] = nil
            let keys = new.map(\.key).suffix(Self.toldMax)
            told[way] = (told[way] ?? []).suffix(Self.toldMax - keys.count) + keys
            keep()
        }
    }

    private func keep() {
        let json = JSON.object(
            told.sorted { $0.key.rawValue < $1.key.rawValue }.map { way, keys in
                .init(way.rawValue, .array(keys.map { .string($0) }))
            })
        do { try DurableFile.write(json.bytes(), to: home.path + "/notified.json") } catch {
            logger.error("what was told cannot be kept: \(error)")
        }
    }

    private static func minute(of now: Instant) -> Int64 {
        var seconds = time_t(now.milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        return Int64(local.tm_hour * 60 + local.tm_min)
    }

    // MARK: - Ways

    /// `nil`: it went out.
    private func send(
        _ notices: [Notice], _ way: Way, _ settings: NotifySettings, of did: DID, at now: Instant
    ) async -> String? {
        let shown = notices.prefix(Self.noticesMax)
        var lines = shown.map { settings.isFull ? $0.full : $0.brief }
        // The same words again say nothing more.
        lines = lines.enumerated().filter { !lines[..<$0.offset].contains($0.element) }.map(
            \.element)
        if notices.count > shown.count { lines.append("+ \(notices.count - shown.count)") }
        switch way {
        case .desktop:
            return await Self.run(
                [
                    NotifySettings.desktopTool, "--app-name=Talea", "--", "Talea",
                    lines.joined(separator: "\n").writing(["<": "‹", ">": "›", "&": "＆"]),
                ], "")
        case .webhook: return await post(Array(shown), settings, of: did, at: now)
        case .mail: return await mail(lines, settings)
        }
    }

    private func post(
        _ notices: [Notice], _ settings: NotifySettings, of did: DID, at now: Instant
    ) async -> String? {
        guard let address = settings.webhook else { return nil }
        let body: JSON = [
            "did": .string(did.did), "time": .string(now.iso),
            "notices": .array(
                notices.map { notice in
                    [
                        "kind": .string(notice.kind.rawValue),
                        "id": .string(SHA256.hash(Array(notice.key.utf8)).hex),
                        "until": notice.until.map { .string($0.iso) } ?? .null,
                        "text": .string(settings.isFull ? notice.full : notice.brief),
                    ]
                }),
        ]
        let signed = sign(DSSE.encode(body.bytes(), type: Self.payloadType))
        return await Self.curl([
            ("url", address), ("proto", NotifySettings.isLocal(address) ? "=http,https" : "=https"),
            ("header", "Content-Type: \(Self.payloadType)"), ("header", "Talea-Key: \(signed.key)"),
            ("header", "Talea-Signature: \(signed.signature)"), ("data-raw", body.text()),
        ])
    }

    private func mail(_ lines: [String], _ settings: NotifySettings) async -> String? {
        guard let mail = settings.mail else { return nil }
        let file = home.path + "/notify.mail"
        let subject = settings.language == .en ? "Talea: something for you" : "符契：有事项等您"
        let text = Data((lines.joined(separator: "\n") + "\n").utf8).base64EncodedString(
            options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
        let head = [
            "From: Talea <\(mail.from)>", "To: <\(mail.to)>",
            "Subject: =?utf-8?B?\(Data(subject.utf8).base64EncodedString())?=", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64",
            "Auto-Submitted: auto-generated", "", text, "",
        ]
        do { try DurableFile.write(Array(head.joined(separator: "\r\n").utf8), to: file) } catch {
            return "\(error)"
        }
        defer { unlink(file) }
        var options = [
            ("url", mail.server), ("mail-from", mail.from), ("mail-rcpt", mail.to),
            ("upload-file", file), ("proto", "=smtp,smtps"),
        ]
        if !NotifySettings.isLocal(mail.server) { options.append(("ssl-reqd", "")) }
        if let user = mail.user {
            guard let file = mail.passwordFile,
                let password = try? home.privateText(file).split(whereSeparator: \.isNewline).first
            else { return "the password file cannot be read, or others can read it" }
            options.append(("user", "\(user):\(password)"))
        }
        return await Self.curl(options)
    }

    // MARK: - Programs

    /// curl knows TLS, certificates and the ways of mail servers. What it is to do goes in by standard input:
    /// arguments can be read by every user of a machine.
    private static func curl(_ options: [(String, String)]) async -> String? {
        let fixed = [
            ("silent", ""), ("show-error", ""), ("fail", ""), ("max-time", "20"),
            ("output", "/dev/null"),
        ]
        let text = (fixed + options).map { name, value in
            let quoted = value.writing([
                "\\": "\\\\", "\"": "\\\"", "\n": "\\n", "\r": "\\r", "\t": "\\t",
            ])
            return value.isEmpty ? name : "\(name) = \"\(quoted)\""
        }
        // -q: nothing of the user's own configuration.
        return await run(["curl", "-q", "--config", "-"], text.joined(separator: "\n") + "\n")
    }

    /// `nil` where it ended with 0; else what it complained of.
    private static func run(_ words: [String], _ input: String) async -> String? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        let (into, complaints) = (Pipe(), Pipe())
        process.standardInput = into
        process.standardOutput = FileHandle.nullDevice
        process.standardError = complaints
        let (ends, ended) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            ended.yield(process.terminationStatus)
            ended.finish()
        }
        do {
            try process.run()
            try into.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try into.fileHandleForWriting.close()
        } catch { return "\(words[0]): \(error)" }
        var status: Int32 = -1
        for await end in ends { status = end }
        guard status != 0 else { return nil }
        let said = try? complaints.fileHandleForReading.readToEnd()
        return "\(words[0]) ended with \(status): "
            + String(decoding: (said ?? Data()).prefix(300), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

extension NotifySettings {
    fileprivate func uses(_ way: Notifier.Way) -> Bool {
        switch way {
        case .desktop: desktop
        case .webhook: webhook != nil
        case .mail: mail != nil
        }
    }
}

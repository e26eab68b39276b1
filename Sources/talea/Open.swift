import Contracts
import Dashboard
import FoundationEssentials
import Glibc
import NodeDaemon

/// `talea open`: a link to the owner's pages, good once, and the browser where there is one. Where no home is
/// yet the pages make one, and this process goes on as its node; so it does with `--wake` where the node is asleep.
enum Open {
    /// Where partners reach a node that began on pages: a port that an invitation can name for years.
    private static let listenDefault = "0.0.0.0:7001"

    static func run(_ line: Line) async -> Int32 {
        let isPhone = line.has("phone")
        let known = ["home", "lang"] + (isPhone ? ["address"] : ["listen", "http"])
        let unknown = line.options.keys.filter { !known.contains($0) }.sorted()
        if let name = unknown.first ?? line.words.dropFirst().first {
            return Terminal.refuse(
                DoorRefusal(
                    "option_unknown", field: name,
                    en: "“\(name)” is not known here; known: --reader, --wake, --listen, --http; "
                        + "with --phone: --sign, --address",
                    zh: "此处没有“\(name)”；可用：--reader、--wake、--listen、--http；"
                        + "用 --phone 时：--sign、--address"),
                json: line.has("json"), line.language)
        }
        let odd = isPhone ? ["reader", "wake"] : ["sign"]
        if let flag = odd.first(where: line.has) {
            return Terminal.refuse(
                DoorRefusal(
                    "option_unknown", field: flag,
                    en: isPhone
                        ? "--\(flag) does not go with --phone: a phone looks, with --sign it also signs"
                        : "--sign goes with --phone alone; a link without --reader signs anyway",
                    zh: isPhone
                        ? "--\(flag) 不能与 --phone 同用：手机只能查看，加 --sign 可签署"
                        : "--sign 仅用于 --phone；不带 --reader 的链接本就可以签署"),
                json: line.has("json"), line.language)
        }
        if isPhone { return await pair(line) }
        guard Daemon.isInhabited(home: line.home) else { return await serve(welcome(line), line) }
        let link: String
        do {
            link = try await Self.link(line)
        } catch {
            guard line.has("wake"), case .notRunning = error else {
                return Remote(line: line).unreachable(error)
            }
            return await start(line)
        }
        tell(link, line)
        return 0
    }

    private static func pair(_ line: Line) async -> Int32 {
        do throws(DoorClient.Failure) {
            let answer = try await DoorClient(home: line.home).pair(
                isReader: !line.has("sign"), address: line.options["address"]?.last)
            switch answer {
            case .failure(let refusal):
                return Terminal.refuse(refusal, json: line.has("json"), line.language)
            case .success(let made):
                let link = made["link"]?.string ?? ""
                let fingerprint = made["fingerprint"]?.string ?? ""
                if line.has("json") {
                    print(made.text(pretty: true))
                } else {
                    print(QR(link)?.blocks ?? "")
                    print(link)
                    print(
                        line.language == .en
                            ? "Scan it within ten minutes, once. The phone will warn you; compare its certificate's fingerprint first:"
                            : "请在十分钟内扫描，仅限一次。手机会发出警告；请先核对其证书的指纹：")
                    print(fingerprint)
                }
                return 0
            }
        } catch {
            return Remote(line: line).unreachable(error)
        }
    }

    /// Where the node is asleep and a service stands for it, it is woken first: whoever clicks on a menu has no
    /// terminal to do so.
    private static func link(_ line: Line) async throws(DoorClient.Failure) -> String {
        do {
            return try await DoorClient(home: line.home).link(isReader: line.has("reader"))
        } catch {
            guard case .notRunning = error, line.options["home"] == nil,
                system("systemctl --user start talea.service >/dev/null 2>&1") == 0
            else { throw error }
        }
        // A service that cannot open its key is over at once.
        for _ in 0..<50 where system("systemctl --user is-active --quiet talea.service") == 0 {
            if let key = DoorKey.read(home: line.home), await DoorClient(key: key).isAlive() {
                break
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
        return try await DoorClient(home: line.home).link(isReader: line.has("reader"))
    }

    private static func tell(_ link: String, _ line: Line) {
        if line.has("json") {
            print((["link": .string(link)] as JSON).text(pretty: true))
        } else {
            print(link)
            if hasScreen { show(link) }
        }
        fflush(nil)
    }

    /// This process becomes the node; where its key is under a passphrase, a page asks for it.
    private static func start(_ line: Line) async -> Int32 {
        do {
            let home = line.home
            let isSealed = try Daemon.needsPassphrase(home: home)
            let opens: @Sendable (String) -> Bool = { Daemon.opens(home: home, with: $0) }
            return await serve(Welcome(scan: scan, opens: isSealed ? opens : nil), line)
        } catch {
            Terminal.complain((error as? Daemon.Failure)?.message[line.language] ?? "\(error)")
            return Main.Exit.refused
        }
    }

    private static let scan = Scan(Photo.codes(in:))

    private static func welcome(_ line: Line) -> Welcome {
        Welcome(scan: scan) { beginning in
            do {
                _ = try Daemon.initialise(
                    .init(
                        home: line.home, name: beginning.name, role: beginning.role,
                        place: beginning.place, invitation: beginning.invitation,
                        alliance: beginning.alliance,
                        passphrase: beginning.passphrase, code: beginning.code))
            } catch let failure as Daemon.Failure {
                throw DoorRefusal("failed", en: failure.message.en, zh: failure.message.zh)
            }
        }
    }

    private static func serve(_ welcome: Welcome, _ line: Line) async -> Int32 {
        guard let http = Int(line.options["http"]?.last ?? "0"), (0...65_535).contains(http) else {
            return Terminal.refuse(
                DoorRefusal(
                    "value_unreadable", field: "http",
                    en: "--http: wanted a port from 0 to 65535", zh: "--http：应为 0 至 65535 的端口"),
                json: line.has("json"), line.language)
        }
        let serving = Task {
            try await welcome.run(port: http) { link in tell(link, line) }
        }
        defer { serving.cancel() }
        for await passphrase in welcome.passphrases {
            do {
                try await Daemon.run(
                    home: line.home, listen: line.options["listen"]?.last ?? listenDefault,
                    http: http, passphrase: passphrase, asHub: false, welcome: welcome,
                    language: line.language)
            } catch let failure as Daemon.Failure {
                Terminal.complain(failure.message[line.language])
                return failure.exit
            } catch {
                Terminal.complain("\(error)")
                return Main.Exit.refused
            }
            return 0
        }
        do { try await serving.value } catch let failure as DoorServer.Failure {
            Terminal.complain(failure.words[line.language])
        } catch {
            Terminal.complain("\(error)")
        }
        return Main.Exit.refused
    }

    private static var hasScreen: Bool {
        let names: [String] = ["DISPLAY", "WAYLAND_DISPLAY"]
        return names.contains { name in getenv(name).map { $0.pointee != 0 } ?? false }
    }

    /// By whatever opens links on this desktop; that it is missing is no error, the link stands printed.
    private static func show(_ link: String) {
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("xdg-open"), strdup(link), nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        _ = posix_spawnp(&child, "xdg-open", nil, nil, &arguments, environ)
    }
}

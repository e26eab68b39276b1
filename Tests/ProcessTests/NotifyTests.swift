import Entries
import Foundation
import Identity
import Testing

extension ProcessTests {
    @Suite struct NotifyTests {
        /// A web server and a mail server, and what they were given.
        private final class Sink {
            let folder: Folder
            let process: Running
            let ports: Found

            init(_ arguments: [String] = []) async throws {
                let folder = try Folder()
                self.folder = folder
                let out = try folder.write("ports", "")
                let handle = try FileHandle(forWritingTo: URL(filePath: out))
                process = try Running(
                    try #require(Programs.python),
                    [Programs.checkout + "/scripts/notify_sink.py", folder.path] + arguments,
                    out: handle, error: handle)
                ports = try await find("the servers listen") {
                    try? JSONDecoder().decode(
                        Found.self, from: Data(contentsOf: URL(filePath: out)))
                }
            }

            func kept(_ ending: String) throws -> [Data] {
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    .filter { $0.hasSuffix("." + ending) }
                    .map { try Data(contentsOf: URL(filePath: folder.path + "/" + $0)) }
            }
        }

        /// Anna proposes to Berta, who is told by whatever was set.
        private func proposed(_ settings: [String]) async throws -> Trade {
            let trade = try await Trade.open()
            try await trade.publish()
            HomeTests.expectDone(try await trade.press.run(["notify", "set"] + settings))
            trade.option = try await trade.maker(
                "option buy", ["offer": trade.offer, "units": "100", "arbiter": "judge"])["id"].text
            return trade
        }

        @Test
        func `whoever waits for nothing to look at is told once, by a signed post and by mail`()
            async throws
        {
            // Out of reach for longer than anybody's patience.
            let sink = try await Sink(["--fail", "4"])
            let trade = try await proposed([
                "--webhook", "http://127.0.0.1:\(sink.ports["web"].text)/hook", "--email",
                "anna@example.org", "--smtp", "smtp://127.0.0.1:\(sink.ports["mail"].text)",
                "--hours", "1",
            ])
            try await until("it is said why nothing is told") {
                let untold = try await trade.press("status")["untold"].items
                let says = try await trade.press.run("doctor", [:], ["--json"]).json["findings"]
                    .items.filter { $0["about"].text == "notify" }.map(\.["says"]["en"].text)
                return untold.contains {
                    $0["way"].text == "webhook" && $0["complaint"].text.contains("503")
                } && says.contains { $0.contains("webhook") && $0.contains("503") }
            }
            try await until("try after try fails") {
                (try await trade.press("status")["untold"].items.first?["tries"].number ?? 0) > 3
            }
            try await until("the post arrives, at the fifth try, and the letter") {
                let (posts, letters) = (try sink.kept("json").count, try sink.kept("mail").count)
                return posts > 0 && letters > 0
            }
            let post = try JSONDecoder().decode(Found.self, from: try sink.kept("json")[0])
            let body = try #require(Data(base64Encoded: post["body"].text))
            // Anybody who knows the identity can check who speaks.
            let headers = post["headers"]
            #expect(headers["talea-key"].text == trade.press.did)
            let key = try #require(DID(did: headers["talea-key"].text).flatMap { PublicKey($0) })
            let signature = try #require(
                Data(base64Encoded: headers["talea-signature"].text).flatMap {
                    Signature([UInt8]($0))
                })
            let signed = DSSE.encode(
                [UInt8](body), type: "application/vnd.talea.notice.v1+json")
            #expect(SignatureChecker().verifies(signature, of: signed, by: key))
            let notices = try JSONDecoder().decode(Found.self, from: body)["notices"].items
            #expect(notices.map(\.["kind"].text) == ["waiting"])
            // Brief unless the owner asks for more: no names, no terms. Amounts are looked for in the
            // words alone: in ids and keys any three digits turn up sooner or later.
            for said in notices.map(\.["text"].text) {
                #expect(said.hasPrefix("Something waits"), "\(said)")
                #expect(!said.contains("500"), "\(said)")
            }
            #expect(!String(decoding: body, as: UTF8.self).contains("maker"))
            let letter = String(decoding: try sink.kept("mail")[0], as: UTF8.self)
            #expect(letter.contains("RCPT TO:<anna@example.org>"))
            let text = letter.split(separator: "\r\n\r\n").last.map(String.init) ?? ""
            let words = Data(base64Encoded: text, options: .ignoreUnknownCharacters)
            #expect(String(decoding: words ?? Data(), as: UTF8.self).hasPrefix("Something waits"))

            #expect(try await trade.press("status")["untold"].items.isEmpty)

            // Told is told, also after a restart; what is new is told anew.
            try await trade.press.stop()
            try await trade.press.start()
            try await trade.agree(trade.option)
            try await trade.maker(
                "pay state",
                ["contract": trade.option, "record": "1", "channel": "bank", "reference": "T"])
            try await until("the payment is told") { try sink.kept("json").count > 1 }
            let all = try sink.kept("json").flatMap { data -> [Found] in
                let post = try JSONDecoder().decode(Found.self, from: data)
                let body = Data(base64Encoded: post["body"].text) ?? Data()
                return try JSONDecoder().decode(Found.self, from: body)["notices"].items
            }
            #expect(all.map(\.["kind"].text) == ["waiting", "payment"])
            #expect(Set(all.map(\.["id"].text)).count == 2)
        }

        @Test func `quiet hours hold everything back, and a stranger's mail server gets nothing`()
            async throws
        {
            let sink = try await Sink()
            // Quiet but for the minute twelve hours from now.
            let now = Calendar.current.dateComponents([.hour, .minute], from: Date())
            let minute = ((now.hour ?? 0) + 12) % 24 * 60 + (now.minute ?? 0)
            func clock(_ minute: Int) -> String { "\(minute / 60 % 24):\(minute % 60)" }
            let web = "http://127.0.0.1:\(sink.ports["web"].text)/"
            let trade = try await proposed([
                "--webhook", web, "--quiet", "\(clock(minute + 1))-\(clock(minute))",
            ])
            try await trade.press.reaches(trade.option, "proposed", "agreed")
            let log = URL(filePath: trade.press.home + ".log")
            HomeTests.expectDone(
                try await trade.press.run([
                    "notify", "set", "--quiet", "off", "--webhook", "off", "--email",
                    "a@example.org", "--smtp", "smtp://127.0.0.2:\(sink.ports["strange"].text)",
                ]))
            try await until("the certificate is refused") {
                try String(contentsOf: log, encoding: .utf8).contains("told by mail")
            }
            #expect(try sink.kept("mail").isEmpty && sink.kept("json").isEmpty)
            // The hours over, it comes.
            HomeTests.expectDone(
                try await trade.press.run(
                    [
                        "notify", "set", "--webhook", web, "--email", "off", "--detail", "full",
                    ], lang: "zh"))
            try await until("it is told after all") { try sink.kept("json").count == 1 }
            let post = try JSONDecoder().decode(Found.self, from: try sink.kept("json")[0])
            let body = String(
                decoding: Data(base64Encoded: post["body"].text) ?? Data(), as: UTF8.self)
            #expect(body.contains("maker") && body.unicodeScalars.contains { $0.value > 0x2E80 })
        }

        @Test func `the password that the home keeps goes when mail does`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            let password = studio.home + "/notify.password"
            try Data("secret".utf8).write(to: URL(filePath: password))
            HomeTests.expectDone(
                try await studio.run([
                    "notify", "set", "--email", "a@example.org", "--smtp",
                    "smtps://example.org:465",
                    "--smtp-user", "anna", "--smtp-password-file", password,
                ]))
            HomeTests.expectDone(try await studio.run(["notify", "set", "--quiet", "off"]))
            #expect(FileManager.default.fileExists(atPath: password))
            HomeTests.expectDone(try await studio.run(["notify", "set", "--email", "off"]))
            #expect(!FileManager.default.fileExists(atPath: password))
        }

        @Test func `an address over which news would leave in clear is refused`() async throws {
            let folder = try Folder()
            let studio = Studio("anna", in: folder)
            try await studio.make()
            for (option, value) in [
                ("webhook", "http://example.org/hook"), ("webhook", "file:///etc/passwd"),
                ("webhook", "https://user:secret@example.org/"), ("email", "a@b\r\nRCPT TO:<c@d>"),
                ("quiet", "25:00-7:00"), ("hours", "0"), ("detail", "some"), ("desktop", "maybe"),
            ] {
                let refused = try await studio.run(["notify", "set", "--" + option, value])
                HomeTests.expectOneLine(refused, "--" + option)
            }
            let shown = try await studio.run(["notify", "show", "--json"])
            #expect(try shown.json["webhook"] == .none)
            // What the desktop lacks is said at once, and by whoever is asked later.
            if Programs.find("notify-send") == nil {
                let set = try await studio.run(["notify", "set", "--desktop", "on"], lang: "zh")
                #expect(set.status == 0 && set.error.contains("libnotify-bin"), "\(set.error)")
                let doctor = try await studio.run("doctor")
                #expect(doctor.out.contains("libnotify-bin"), "\(doctor.out)")
            }
            HomeTests.expectDone(
                try await studio.run(["notify", "set", "--quiet", "22:00-07:00"]))
            #expect(
                try await studio.run(["notify", "show", "--json"]).json["quiet"].text
                    == "22:00-07:00")
        }
    }
}

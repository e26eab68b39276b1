import Identity
import NIOCore
import Synchronization
import Testing

@testable import Dashboard

/// The first start without a browser: who may speak, and that nothing is made too early.
@Suite(.serialized) struct WelcomeTests {
    private final class Made: Sendable {
        let names = Mutex<[String]>([])
    }

    private struct Answer {
        let status: Int
        let text: String

        init(_ raw: String) {
            text = raw
            let words = raw.split(separator: " ")
            status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        }

        func value(_ header: String) -> String? {
            text.split(separator: "\r\n").first {
                $0.lowercased().hasPrefix(header + ": ")
            }.map { String($0.dropFirst(header.count + 2)) }
        }

        func first(_ pattern: Regex<(Substring, Substring)>) -> String? {
            text.firstMatch(of: pattern).map { String($0.1) }
        }
    }

    private func serving(_ body: (_ port: Int, _ link: String, _ made: Made) async throws -> Void)
        async throws
    {
        let made = Made()
        let welcome = Welcome { beginning in made.names.withLock { $0.append(beginning.name) } }
        try await serving(welcome) { try await body($0, $1, made) }
    }

    /// A welcome that serves, and the link to it.
    private func serving(
        _ welcome: Welcome, _ body: (_ port: Int, _ link: String) async throws -> Void
    ) async throws {
        let (links, told) = AsyncStream<String>.makeStream()
        let running = Task { try await welcome.run(port: 0) { told.yield($0) } }
        defer { running.cancel() }
        let link = try #require(await links.first { _ in true })
        let parts = link.split(separator: "/")
        let port = try #require(parts[1].split(separator: ":").last.flatMap { Int($0) })
        try await body(port, "/open/" + String(parts[3]))
    }

    private func ask(
        _ port: Int, _ path: String, cookie: String? = nil, form: [(String, String)]? = nil,
        host: String? = nil, origin: String? = nil
    ) async throws -> Answer {
        let host = host ?? "127.0.0.1:\(port)"
        var lines = ["\(form == nil ? "GET" : "POST") \(path) HTTP/1.1", "Host: \(host)"]
        lines.append("Connection: close")
        if let cookie { lines.append("Cookie: \(cookie)") }
        if let origin { lines.append("Origin: \(origin)") }
        let body = (form ?? []).map { $0.0 + "=" + FormData.encode($0.1) }.joined(separator: "&")
        if form != nil {
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append("Content-Length: \(body.utf8.count)")
        }
        return Answer(
            try await DoorTests.raw(port, lines.joined(separator: "\r\n") + "\r\n\r\n" + body))
    }

    private let filled = [
        ("name", "Inkwell"), ("way", "found"), ("alliance", "Ovens"), ("passphrase", "a b c d e"),
        ("again", "a b c d e"),
    ]

    @Test func `strangers, other places and forms without their token make nothing`() async throws {
        try await serving { port, link, made in
            let ours = "http://127.0.0.1:\(port)"
            #expect(try await ask(port, "/").status == 401)
            #expect(try await ask(port, link, host: "evil.example:\(port)").status == 403)
            let opened = try await ask(port, link)
            let cookie = try #require(opened.value("set-cookie")?.split(separator: ";").first)
            #expect(try await ask(port, link).status == 401, "a link opens once")
            let page = try await ask(port, "/", cookie: String(cookie))
            let token = try #require(page.first(/name="form-token" value="([0-9a-f]+)"/))
            func post(_ token: String, _ origin: String?, cookie: String) async throws -> Int {
                try await ask(
                    port, "/", cookie: cookie, form: filled + [("form-token", token)],
                    origin: origin
                ).status
            }
            let mine = String(cookie)
            #expect(try await post(token, nil, cookie: mine) == 403)
            #expect(try await post(token, "http://evil.example", cookie: mine) == 403)
            let other = String(token.map { $0 == "0" ? "1" : "0" })
            #expect(try await post(other, ours, cookie: mine) == 403)
            #expect(try await post(token, ours, cookie: "talea-\(port)=00") == 401)
            #expect(try await ask(port, "/check", cookie: mine).status == 303)
            #expect(try await post(token, ours, cookie: mine) == 303)
            #expect(made.names.withLock { $0 }.isEmpty)
        }
    }

    @Test func `a home is made once the right groups come back, and only once`() async throws {
        try await serving { port, link, made in
            let ours = "http://127.0.0.1:\(port)"
            let opened = try await ask(port, link)
            let cookie = String(
                try #require(opened.value("set-cookie")?.split(separator: ";").first))
            let page = try await ask(port, "/", cookie: cookie)
            let token = ("form-token", page.first(/name="form-token" value="([0-9a-f]+)"/) ?? "")
            func post(_ path: String, _ form: [(String, String)]) async throws -> Answer {
                try await ask(port, path, cookie: cookie, form: form + [token], origin: ours)
            }
            // Each of these is refused with words, and writes no passphrase back.
            for change in [
                ("name", ""), ("name", "abc\u{202e}"), ("alliance", ""), ("again", "x"),
                ("passphrase", ""),
                ("passphrase", "a b c"),
                ("way", "join"), ("name", String(repeating: "墨", count: 22)),
            ] {
                let refused = try await post("/", filled + [change])
                #expect(refused.status == 422, "\(change)")
                #expect(refused.text.contains("role=\"alert\""))
                #expect(!refused.text.contains("a b c"))
                #expect(change.0 == "name" || refused.text.contains("value=\"Inkwell\""))
            }
            #expect(try await post("/", filled).status == 303)
            let shown = try await ask(port, "/code", cookie: cookie)
            let code = try #require(shown.first(/<code>([0-9A-Z-]+)<\/code>/))
            let groups = code.split(separator: "-").map(String.init)
            let check = try await ask(port, "/check", cookie: cookie)
            let asked = check.text.matches(of: /<span>Group ([0-9])<\/span>/).compactMap {
                Int($0.1)
            }
            #expect(asked.count == 2 && asked[0] < asked[1] && asked[1] <= 9)
            #expect(!check.text.contains(groups[asked[0] - 1]))
            let wrong = try await post("/check", [("first", "0000"), ("second", "0000")])
            #expect(wrong.status == 422 && made.names.withLock { $0 }.isEmpty)
            let right = [
                ("first", groups[asked[0] - 1].lowercased()), ("second", groups[asked[1] - 1]),
            ]
            #expect(try await post("/check", right).text.contains("http-equiv=\"refresh\""))
            // A second finger, or a page that was left open, makes no second home and shows no code.
            _ = try await post("/check", right)
            _ = try await post("/", filled)
            #expect(!(try await ask(port, "/code", cookie: cookie).text.contains(code)))
            #expect(made.names.withLock { $0 } == ["Inkwell"])
        }
    }

    @Test func `a picture is read for a page of ours alone, and only a picture`() async throws {
        let read = Mutex(0)
        let welcome = Welcome(
            scan: Scan { picture in
                read.withLock { $0 += 1 }
                return picture.count > 16 ? ["talea-invite:abc"] : []
            }
        ) { _ in }
        try await serving(welcome) { port, link in
            let ours = "http://127.0.0.1:\(port)"
            let opened = try await ask(port, link)
            let mine = String(
                try #require(opened.value("set-cookie")?.split(separator: ";").first))
            let page = try await ask(port, "/", cookie: mine)
            let token = page.first(/name="form-token" value="([0-9a-f]+)"/) ?? ""
            func send(
                _ picture: String, token: String = token, origin: String? = ours,
                cookie: String = mine, type: String = "image/gif"
            ) async throws -> Answer {
                let lines = [
                    "POST /scan HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close",
                    "Cookie: \(cookie)", "X-Form-Token: \(token)", "Content-Type: \(type)",
                    "Content-Length: \(picture.utf8.count)",
                ]
                let origin = origin.map { ["Origin: \($0)"] } ?? []
                let head = (lines + origin).joined(separator: "\r\n") + "\r\n\r\n"
                return Answer(try await DoorTests.raw(port, head + picture))
            }
            let picture = "GIF89a with a code in it"
            #expect(try await send(picture, origin: nil).status == 403)
            #expect(try await send(picture, origin: "http://evil.example").status == 403)
            #expect(try await send(picture, token: "0").status == 403)
            #expect(try await send(picture, cookie: "talea-\(port)=00").status == 401)
            #expect(try await send(picture, type: "text/plain").status == 415)
            #expect(try await send("push graphic-context url(http://x)").status == 415)
            #expect(read.withLock { $0 } == 0)
            #expect(try await send("GIF89a").text.contains("code_unseen"))
            #expect(try await send(picture).text.contains(#"{"texts":["talea-invite:abc"]}"#))
        }
    }

    @Test func `a locked home is opened by its passphrase, and nothing is made over it`()
        async throws
    {
        let welcome = Welcome(opens: { $0 == "a b c" })
        try await serving(welcome) { port, link in
            let opened = try await ask(port, link)
            let cookie = String(
                try #require(opened.value("set-cookie")?.split(separator: ";").first))
            let page = try await ask(port, "/", cookie: cookie)
            let token = ("form-token", page.first(/name="form-token" value="([0-9a-f]+)"/) ?? "")
            func post(_ path: String, _ form: [(String, String)]) async throws -> Answer {
                try await ask(
                    port, path, cookie: cookie, form: form + [token],
                    origin: "http://127.0.0.1:\(port)")
            }
            #expect(try await post("/", filled).status == 303)
            #expect(try await ask(port, "/code", cookie: cookie).status == 303)
            #expect(try await post("/unlock", [("passphrase", "abc")]).status == 422)
            #expect(try await post("/unlock", [("passphrase", "a b c")]).status == 200)
            #expect(await welcome.passphrases.first { _ in true } == "a b c")
        }
    }
}

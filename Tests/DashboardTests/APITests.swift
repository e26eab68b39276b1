import Foundation
import Glibc
import Identity
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Dashboard

/// The verbs over HTTP, as a program and as a browser reach them.
@Suite(.serialized) struct APITests {
    static let token = String(repeating: "a1", count: 32)
    static let reader = String(repeating: "b2", count: 32)

    struct Reply {
        let status: Int
        let headers: String
        let body: String

        var json: JSON { (try? JSON(reading: Array(body.utf8))) ?? .null }
    }

    /// Alice's door, a line and an offer of hers behind it, while `body` runs; or another's.
    static func serving(
        untold: [DoorStatus.Untold] = [], _ other: (World, name: String)? = nil,
        _ body: @escaping @Sendable (Int, World) async throws -> Void
    ) async throws {
        let (world, name) =
            if let other { other } else { (try await offered().0, name: "alice") }
        let server = DoorServer(
            Door(world: world, name: name, untold: untold), port: 0, token: token, reader: reader)
        let (ports, running) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run { running.yield($0) }
                running.finish()
            }
            for await port in ports {
                try await body(port, world)
                break
            }
            group.cancelAll()
        }
    }

    static func ask(
        _ port: Int, _ method: String, _ path: String, body: String? = nil,
        _ headers: [String] = ["Authorization: Bearer \(token)"], host: String? = nil
    ) async throws -> Reply {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\n"
        for header in headers { text += header + "\r\n" }
        if let body {
            if !headers.contains(where: { $0.hasPrefix("Content-Type") }) {
                text += "Content-Type: application/json\r\n"
            }
            text += "Content-Length: \(body.utf8.count)\r\n"
        }
        text += "Connection: close\r\n\r\n\(body ?? "")"
        let raw = try await DoorTests.raw(port, text)
        let halves = raw.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
        let words = raw.split(separator: " ")
        return Reply(
            status: words.count > 1 ? Int(words[1]) ?? 0 : 0, headers: halves.first ?? "",
            body: halves.count > 1 ? halves[1] : "")
    }

    @Test func `every verb that a node answers has one path and one method`() async throws {
        try await Self.serving { port, _ in
            let described = try await Self.ask(port, "GET", "/openapi.json").json
            let paths = try #require(described["paths"]).fields
            #expect(paths.count > Manual.answered.count)
            for (page, action) in Manual.answered {
                let path = "/api/v1/" + page.verb.split(separator: " ").joined(separator: "/")
                let reads = action == .reads
                let found = try #require(paths.first { $0.name == path }, "\(path)")
                #expect(found.value.fields.map(\.name) == [reads ? "get" : "post"])
                // Asked with nothing, each answers or says what it lacks.
                let reply = try await Self.ask(
                    port, reads ? "GET" : "POST", path, body: reads ? nil : #"{"dry_run":true}"#)
                #expect([200, 422].contains(reply.status), "\(path): \(reply)")
                #expect(reply.json["code"]?.string != "verb_unknown")
                let other = try await Self.ask(port, reads ? "POST" : "GET", path, body: "{}")
                #expect(other.status == 405)
            }
            // Whoever is called something is no number.
            for path in ["name", "profile/set", "alliance/found"] {
                let post = described["paths"]?["/api/v1/" + path]?["post"]
                let body = post?["requestBody"]?["content"]?["application/json"]?["schema"]
                #expect(body?["properties"]?["name"]?["type"]?.string == "string", "\(path)")
            }
            // Both tokens are told of, and which does what.
            let schemes = described["components"]?["securitySchemes"]?.fields.map(\.name)
            #expect(schemes == ["owner", "reader"])
            for path in paths.map(\.value) {
                guard let get = path["get"], get["operationId"] != "events" else { continue }
                #expect(get["security"]?.array.count == 2)
            }
            // And what the template here adds.
            #expect(paths.contains { $0.name == "/api/v1/hours/buy" })
        }
    }

    @Test func `a preview signs nothing, a deed does, and a key lets it happen once`() async throws
    {
        try await Self.serving { port, world in
            func declare(_ dry: Bool, key: String? = nil, total: Int = 7) async throws -> Reply {
                let body =
                    #"{"resource":"work/press","start":"+40d","end":"+47d","total":\#(total),"unit":"HUR","dry_run":\#(dry)}"#
                return try await Self.ask(
                    port, "POST", "/api/v1/line/declare", body: body,
                    ["Authorization: Bearer \(Self.token)"]
                        + (key.map { ["Idempotency-Key: \($0)"] } ?? []))
            }
            func lines() async throws -> Int {
                try await Self.ask(port, "GET", "/api/v1/line/show").json["lines"]?.array.count ?? 0
            }
            #expect(try await declare(true).json["dry_run"]?.bool == true)
            #expect(try await lines() == 1)
            let first = try await declare(false, key: "k1")
            #expect(first.status == 200)
            let again = try await declare(false, key: "k1")
            #expect(again.status == 200)
            #expect(again.body == first.body)
            #expect(again.headers.lowercased().contains("idempotency-replayed: true"))
            #expect(try await lines() == 2)
            #expect(try await declare(false, key: "k1", total: 8).status == 409)
            // Without its key the second is refused by the log itself.
            #expect(try await declare(false).status == 422)
        }
    }

    @Test func `a refusal is a problem with a stable code and words in the reader's language`()
        async throws
    {
        try await Self.serving { port, _ in
            let reply = try await Self.ask(
                port, "GET", "/api/v1/offer/show?offer=xyz",
                ["Authorization: Bearer \(Self.token)", "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8"])
            #expect(reply.status == 422)
            #expect(reply.headers.lowercased().contains("application/problem+json"))
            #expect(reply.json["code"]?.string == "value_unreadable")
            #expect(reply.json["field"]?.string == "offer")
            #expect(reply.json["detail"]?.string == reply.json["message"]?["zh"]?.string)
            for (path, status) in [
                ("/api/v1/burn/it", 404), ("/api/v1/init", 404), ("/api/v1/", 404),
                ("/api/v1/a/b/c", 404), ("/api/v1/offer/list?x=1", 422),
                ("/api/v1/offer/list?resource=%zz", 400),
            ] {
                #expect(try await Self.ask(port, "GET", path).status == status, "\(path)")
            }
            for body in ["", "[]", #"{"total":{}}"#, #"{"dry_run":"yes"}"#, #"{"total":[[1]]}"#] {
                let reply = try await Self.ask(port, "POST", "/api/v1/line/declare", body: body)
                #expect(reply.status == 400, "\(body)")
            }
        }
    }

    @Test func `a list is read part by part, nothing twice and nothing left out`() async throws {
        try await Self.serving { port, _ in
            for day in 1...6 {
                let body =
                    #"{"resource":"work/x\#(day)","start":"+\#(day)d","end":"+\#(day + 1)d","total":\#(day)}"#
                let made = try await Self.ask(port, "POST", "/api/v1/line/declare", body: body)
                #expect(made.status == 200)
            }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let after = cursor.map { "&after=\($0)" } ?? ""
                let part = try await Self.ask(port, "GET", "/api/v1/line/show?limit=2\(after)").json
                seen += part["lines"]?.array.compactMap { $0["resource"]?.string } ?? []
                cursor = part["next"]?.string
            } while cursor != nil
            #expect(seen == ["work/studio"] + (1...6).map { "work/x\($0)" })
            #expect(
                try await Self.ask(port, "GET", "/api/v1/line/show?after=nonsense").status == 422)
        }
    }

    @Test func `a place in a list that no list has is refused or empty, and the node stands`()
        async throws
    {
        try await Self.serving { port, _ in
            let reader = ["Authorization: Bearer \(Self.reader)"]
            let (cookie, _) = try await Self.enter(port, reader: true)
            for number in ["\(Int.max)", "\(Int.max - 1)", "9007199254740991"] {
                for verb in Manual.paged.sorted() {
                    let path = "/api/v1/" + verb.split(separator: " ").joined(separator: "/")
                    let reply = try await Self.ask(
                        port, "GET", path + "?limit=1000&after=\(number).x", reader)
                    #expect([200, 422].contains(reply.status), "\(path) \(number): \(reply)")
                }
                for room in ["capacity", "contracts", "ledger", "partners"] {
                    let page = try await Self.ask(
                        port, "GET", "/\(room)?after=\(number)", ["Cookie: \(cookie)"])
                    #expect(page.status == 200, "\(room) \(number)")
                }
            }
        }
    }

    @Test
    func `a page shows so many rows and leads to the rest, nothing twice and nothing left out`()
        async throws
    {
        try await Self.serving { port, _ in
            let (cookie, _) = try await Self.enter(port)
            let resources = (10..<70).map { "work/x\($0)" }
            for (day, resource) in resources.enumerated() {
                let body =
                    #"{"resource":"\#(resource)","start":"+\#(day + 1)d","end":"+\#(day + 2)d","total":5}"#
                #expect(
                    try await Self.ask(port, "POST", "/api/v1/line/declare", body: body).status
                        == 200)
            }
            var seen: [String] = []
            var path: String? = "/capacity"
            while let here = path {
                let page = try await Self.ask(port, "GET", here, ["Cookie: \(cookie)"]).body
                let rows = page.matches(of: /<tr><td><b>(.+?)<\/b>/).map { String($0.1) }
                #expect(rows.count <= 50, "\(here)")
                seen += rows
                path = page.firstMatch(of: /"(\/capacity\?after=[0-9]+)"/).map { String($0.1) }
            }
            #expect(Set(seen).isSuperset(of: resources) && Set(seen).count == seen.count)
        }
    }

    @Test func `an accountant's token looks and does nothing`() async throws {
        try await Self.serving { port, _ in
            let reader = ["Authorization: Bearer \(Self.reader)"]
            #expect(try await Self.ask(port, "GET", "/api/v1/ledger/balance", reader).status == 200)
            for path in ["/api/v1/line/declare", "/api/v1/name", "/api/v1/ledger/rebuild"] {
                let reply = try await Self.ask(port, "POST", path, body: "{}", reader)
                #expect(reply.status == 403, "\(path)")
            }
            for path in ["/v1/command", "/v1/link"] {
                let reply = try await Self.ask(port, "POST", path, body: DoorTests.body, reader)
                #expect(reply.status == 403, "\(path)")
            }
        }
    }

    // MARK: - Browsers

    /// The cookie that a link gives.
    static func enter(_ port: Int, reader: Bool = false) async throws -> (
        cookie: String, link: String
    ) {
        let made = try await ask(port, "POST", "/v1/link", body: #"{"reader":\#(reader)}"#)
        let link = try #require(made.json["ok"]?["path"]?.string)
        let reply = try await ask(port, "GET", link, [])
        let line = reply.headers.split(separator: "\r\n").first {
            $0.lowercased().hasPrefix("set-cookie:")
        }
        let cookie = try #require(line, "\(reply)")
        #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"))
        let pair = cookie.dropFirst("set-cookie: ".count).prefix { $0 != ";" }
        return (String(pair), link)
    }

    @Test func `a link opens once, and a session acts only with our Origin and its own token`()
        async throws
    {
        try await Self.serving { port, _ in
            let (cookie, link) = try await Self.enter(port)
            #expect(try await Self.ask(port, "GET", link, []).status == 401)
            let own = "http://127.0.0.1:\(port)"
            let page = try await Self.ask(port, "GET", "/", ["Cookie: \(cookie)"])
            #expect(page.status == 200)
            let token = try #require(
                page.body.firstMatch(of: /name="form-token" content="([0-9a-f]{64})"/)?.1)
            let cases: [([String], Int)] = [
                (["Origin: \(own)", "X-Form-Token: \(token)"], 200),
                (["Origin: \(own)"], 403),
                (["Origin: \(own)", "X-Form-Token: \(String(repeating: "0", count: 64))"], 403),
                (["X-Form-Token: \(token)"], 403),
                (["Origin: null", "X-Form-Token: \(token)"], 403),
                (["Origin: http://127.0.0.1:1", "X-Form-Token: \(token)"], 403),
                (["Origin: http://localhost:\(port)", "X-Form-Token: \(token)"], 403),
                (["Origin: \(own)", "X-Form-Token: \(token)", "Sec-Fetch-Site: same-site"], 401),
                (["Origin: \(own)", "X-Form-Token: \(token)", "Sec-Fetch-Site: cross-site"], 401),
            ]
            for (headers, status) in cases {
                let reply = try await Self.ask(
                    port, "POST", "/api/v1/peer/add", body: #"{"address":"127.0.0.1:9"}"#,
                    ["Cookie: \(cookie)"] + headers)
                #expect(reply.status == status, "\(headers) \(reply)")
            }
            let foreign = try await Self.ask(
                port, "GET", "/api/v1/id", ["Cookie: \(cookie)"], host: "evil.example:\(port)")
            #expect(foreign.status == 403)
            #expect(try await Self.ask(port, "GET", "/api/v1/id", []).status == 401)
        }
    }

    /// Every user of a machine sees in its list of processes what a browser is told to open.
    @Test(
        .enabled(if: geteuid() == 0 && FileManager.default.fileExists(atPath: "/usr/bin/setpriv")))
    func `a link opens for no other user of this machine, and stays good for the owner`()
        async throws
    {
        try await Self.serving { port, _ in
            let made = try await Self.ask(port, "POST", "/v1/link", body: #"{"reader":false}"#)
            let link = try #require(made.json["ok"]?["path"]?.string)
            let thief = Process()
            thief.executableURL = URL(filePath: "/usr/bin/setpriv")
            thief.arguments =
                ["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-qsi"]
                + ["http://127.0.0.1:\(port)\(link)"]
            let said = Pipe()
            thief.standardOutput = said
            try thief.run()
            let text = await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    let answer = try? said.fileHandleForReading.readToEnd()
                    continuation.resume(
                        returning: String(decoding: answer ?? Data(), as: UTF8.self))
                }
            }
            #expect(text.contains("401"), "\(text)")
            #expect(!text.lowercased().contains("set-cookie"), "\(text)")
            let owner = try await Self.ask(port, "GET", link, [])
            #expect(owner.status == 200)
            #expect(owner.headers.lowercased().contains("set-cookie"))
        }
    }

    @Test func `the kernel's table tells whose the other end is`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
               1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 12 1
               2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000    33        0 13 1
               3: 0000000000000000FFFF00000100007F:C351 0000000000000000FFFF00000100007F:1F90 01 0:0 0:0 0  33 0 14
               4: 0A00000A:C350 0B00000A:1F90 01 00000000:00000000 00:00000000 00000000    34        0 15 1
               x
            """
        #expect(Neighbour.users(at: 50_000, of: 8080, in: table) == [1000])
        #expect(Neighbour.users(at: 50_001, of: 8080, in: table) == [33])
        #expect(Neighbour.users(at: 50_002, of: 8080, in: table).isEmpty)
        #expect(Neighbour.isOurs(at: nil, of: 8080))
        #expect(Neighbour.listeners(at: 8080, in: table) == [0])
        #expect(Neighbour.listeners(at: 50_000, in: table).isEmpty)
    }

    @Test func `a door is known by whose program listens there`() async throws {
        try await Self.serving { port, _ in
            #expect(Neighbour.isDoor(at: port, of: geteuid()))
            #expect(!Neighbour.isDoor(at: port, of: geteuid() + 1))
        }
    }

    @Test func `sessions end by themselves, and the oldest makes room`() {
        let clock = TestClock()
        let sessions = Sessions(now: { clock.now })
        let late = sessions.makeLink(isReader: false)
        clock.pass(.seconds(Sessions.linkSeconds + 1))
        #expect(sessions.open(late) == nil)
        let first = sessions.open(sessions.makeLink(isReader: false)) ?? ""
        #expect(sessions.find(first) != nil)
        for _ in 0..<Sessions.sessionsMax {
            clock.pass(.seconds(1))
            _ = sessions.open(sessions.makeLink(isReader: true))
        }
        #expect(sessions.find(first) == nil)
        let last = sessions.open(sessions.makeLink(isReader: true)) ?? ""
        #expect(sessions.find(last)?.isReader == true)
        clock.pass(.seconds(Sessions.idleSeconds + 1))
        #expect(sessions.find(last) == nil)
    }

    // MARK: - Backups

    /// How many bytes came of the answer; hangs up once there are `enough`.
    static func receive(_ port: Int, _ request: String, enough: Int) async throws -> Int {
        try await DoorTests.connect(port).executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var count = 0
            for try await part in inbound {
                count += part.readableBytes
                if count >= enough { break }
            }
            return count
        }
    }

    @Test func `a backup counts once all of it was carried away, and not where that broke off`()
        async throws
    {
        try await Self.serving { port, world in
            let (cookie, _) = try await Self.enter(port)
            let page = try await Self.ask(port, "GET", "/node", ["Cookie: \(cookie)"]).body
            let token = try #require(
                page.firstMatch(of: /name="form-token" value="([0-9a-f]+)"/)?.1)
            let form = "form-token=\(token)"
            let request =
                "POST /backup HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nCookie: \(cookie)\r\n"
                + "Origin: http://127.0.0.1:\(port)\r\nConnection: close\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n"
                + "Content-Length: \(form.utf8.count)\r\n\r\n\(form)"
            let part = try await Self.receive(port, request, enough: 1)
            #expect(part < World.copyBytes)
            let whole = try await Self.receive(port, request, enough: .max)
            #expect(whole > World.copyBytes)
            while await world.copies.isEmpty { await Task.yield() }
            #expect(await world.copies.map(\.file) == ["a.backup"])
        }
    }

    // MARK: - The log

    @Test func `owners read the newest of the log, and accountants none of it`() async throws {
        let log = RecentLog { World.clock }
        let logger = Logger(label: "test") { _ in log.handler }
        logger.debug("too small to be told")
        for _ in 0..<3 { logger.error("the disk\u{1B}[2J is full", metadata: ["file": "a"]) }
        #expect(log.newestFirst.map(\.text) == ["the disk [2J is full file=a"])
        #expect(log.newestFirst.map(\.times) == [3])
        logger.notice("\(String(repeating: "x", count: 2 * RecentLog.lettersMax))")
        #expect(log.newestFirst[0].text.count == RecentLog.lettersMax)
        for number in 0..<2 * RecentLog.linesMax { logger.info("line <\(number)>") }
        #expect(log.newestFirst.count == RecentLog.linesMax)
        #expect(log.newestFirst[0].text == "line <\(2 * RecentLog.linesMax - 1)>")
        try await Self.serving { port, _ in
            for reader in [false, true] {
                let (cookie, _) = try await Self.enter(port, reader: reader)
                let page = try await Self.ask(
                    port, "GET", "/node", ["Cookie: \(cookie)", "Accept-Language: en"])
                #expect(page.body.contains("&lt;Door&gt; made") == !reader)
            }
        }
    }

    // MARK: - Events

    @Test func `events go on where a reader left off, and say so where they cannot`() async throws {
        let feed = Feed()
        #expect(feed.read(after: nil)?.missed?.isEmpty == true)
        for _ in 0..<3 { feed.notePeers() }
        let reading = try #require(feed.read(after: feed.id(1)))
        #expect(reading.missed?.map(\.number) == [2, 3])
        #expect(feed.read(after: feed.id(3))?.missed?.isEmpty == true)
        #expect(feed.read(after: "of another run.1")?.missed == nil)
        #expect(feed.read(after: feed.id(99))?.missed == nil)
        for _ in 0...Feed.window { feed.notePeers() }
        #expect(feed.read(after: feed.id(1))?.missed == nil)
        let live = try #require(feed.read(after: nil))
        feed.notePeers()
        for await event in live.stream {
            #expect(event.about == ["node", "partners"])
            break
        }
        var readers: [Feed.Reading] = []
        while let one = feed.read(after: nil) { readers.append(one) }
        #expect(readers.count <= Feed.readersMax)
    }
}

/// A clock that a test turns.
final class TestClock: Sendable {
    private let time = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func pass(_ duration: Duration) { time.withLock { $0 += duration } }
}

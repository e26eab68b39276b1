import Capacity
import Identity
import NIOCore
import Synchronization
import Testing

@testable import Dashboard

/// The rules of the phone's door over real sockets; `scripts/browser_test.py` plays it over its TLS.
@Suite(.serialized) struct PhoneTests {
    /// Alice's phone door, as it answers beneath TLS; `enter` pairs a browser.
    private static func serving(
        _ body:
            @escaping @Sendable (
                _ port: Int, _ enter: @escaping @Sendable (_ isReader: Bool) async throws -> String
            ) async throws -> Void
    ) async throws {
        let world = try World(["alice"], templates: [])
        let gate = Gate(
            commands: Commands(door: Door(world: world, name: "alice")), token: nil, reader: nil)
        let (ports, running) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await DoorServer.serve(gate, port: 0, logger: DoorServer.quiet) {
                    running.yield($0)
                }
                running.finish()
            }
            for await port in ports {
                gate.site.withLock { $0 = .phone("127.0.0.1", port) }
                try await body(port) { isReader in
                    let link = Desk.openPrefix + gate.sessions.makeLink(isReader: isReader)
                    let reply = try await APITests.ask(port, "GET", link, [])
                    let cookie = try #require(
                        reply.headers.firstMatch(of: /[Ss]et-[Cc]ookie: ([^;]+);([^\r]*)/))
                    let rules = cookie.2.split(separator: ";").map { $0.drop { $0 == " " } }
                    #expect(Set(rules) == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"])
                    #expect(cookie.1.hasPrefix("__Host-talea-\(port)="))
                    return String(cookie.1)
                }
                break
            }
            group.cancelAll()
        }
    }

    @Test func `at the phone's door no token is heard, and its own Host and Origin alone pass`()
        async throws
    {
        try await Self.serving { port, enter in
            let cookie = try await enter(false)
            func get(_ headers: [String], host: String? = nil) async throws -> Int {
                try await APITests.ask(port, "GET", "/", headers, host: host).status
            }
            #expect(try await get([]) == 401)
            #expect(try await get(["Cookie: \(cookie)"]) == 200)
            #expect(try await get(["Cookie: \(cookie)"], host: "localhost:\(port)") == 403)
            #expect(try await get(["Cookie: \(cookie)"], host: "evil.example:\(port)") == 403)
            #expect(
                try await get(["Cookie: \(cookie)", "Origin: https://127.0.0.1:\(port)"]) == 200)
            // The computer's own door is another site.
            #expect(
                try await get(["Cookie: \(cookie)", "Origin: http://127.0.0.1:\(port)"]) == 403)
            #expect(try await get(["Cookie: \(cookie)", "Sec-Fetch-Site: cross-site"]) == 401)
            for token in ["", APITests.token, DoorTests.token] {
                for path in ["/v1/health", "/v1/command", "/v1/link", "/api/v1/id", "/metrics"] {
                    let reply = try await APITests.ask(
                        port, path == "/v1/health" ? "GET" : "POST", path, body: "{}",
                        ["Authorization: Bearer \(token)"])
                    #expect(reply.status == 401, "\(path) \(token)")
                }
            }
        }
    }

    @Test func `a phone that may look does nothing, and one that may sign takes no home away`()
        async throws
    {
        try await Self.serving { port, enter in
            func post(_ path: String, _ form: String, _ cookie: String) async throws
                -> APITests.Reply
            {
                let page = try await APITests.ask(
                    port, "GET", "/capacity", ["Cookie: \(cookie)"]
                ).body
                let token =
                    page.firstMatch(of: /name="form-token" value="([0-9a-f]+)"/)?.1 ?? ""
                return try await APITests.ask(
                    port, "POST", path, body: "form-token=\(token)&sign=yes&" + form,
                    [
                        "Cookie: \(cookie)", "Origin: https://127.0.0.1:\(port)",
                        "Content-Type: application/x-www-form-urlencoded",
                    ])
            }
            let declare =
                "verb=line+declare&back=%2Fcapacity&o.resource=work%2Fpage&t.start=%2B40d"
                + "&t.end=%2B47d&o.total=7"
            let looks = try await enter(true)
            #expect(try await post("/act", declare, looks).status == 403)
            let signs = try await enter(false)
            #expect(try await post("/act", declare, signs).status == 303)
            #expect(try await post("/backup", "", signs).status == 403)
            #expect(try await post("/phone", "", signs).status == 403)
            for verb in Manual.atTheComputer {
                let form = "verb=\(verb.replacing(" ", with: "+"))&back=%2F"
                let reply = try await post("/act", form, signs)
                #expect(reply.status == 403)
                #expect(reply.body.contains("at the computer"), "\(verb)")
                let asked = try await APITests.ask(
                    port, "POST", "/api/v1/" + verb.replacing(" ", with: "/"), body: "{}",
                    [
                        "Cookie: \(signs)", "Origin: https://127.0.0.1:\(port)",
                        "X-Form-Token: \(try await Self.token(port, signs))",
                    ])
                #expect(asked.json["code"]?.string == "at_the_computer", "\(asked)")
            }
            let node = try await APITests.ask(port, "GET", "/node", ["Cookie: \(signs)"]).body
            #expect(!node.contains("action=\"/backup\"") && !node.contains("action=\"/phone\""))
        }
    }

    private static func token(_ port: Int, _ cookie: String) async throws -> String {
        let page = try await APITests.ask(port, "GET", "/capacity", ["Cookie: \(cookie)"]).body
        return String(page.firstMatch(of: /name="form-token" value="([0-9a-f]+)"/)?.1 ?? "")
    }

    @Test func `the computer pairs at its own addresses alone, and closing ends every pairing`()
        async throws
    {
        let world = try World(["alice"], templates: [])
        let phone = Phone(commands: Commands(door: Door(world: world, name: "alice")))
        #expect(await phone.standing == nil)
        let refusal = await #expect(throws: DoorRefusal.self) {
            _ = try await phone.pair(host: "203.0.113.9", isReader: true)
        }
        #expect(refusal?.code == "phone_address_unknown")
        let first = try await phone.pair(host: "127.0.0.1", isReader: true)
        let second = try await phone.pair(host: "127.0.0.1", isReader: false)
        // One door, one certificate, a link for each phone.
        #expect(first.fingerprint == second.fingerprint && first.link != second.link)
        #expect(first.fingerprint.wholeMatch(of: /([0-9A-F]{2}:){31}[0-9A-F]{2}/) != nil)
        #expect(await phone.standing?.browsers == 0)
        await phone.close()
        #expect(await phone.standing == nil)
        let third = try await phone.pair(host: "127.0.0.1", isReader: true)
        #expect(third.fingerprint != first.fingerprint)
        await phone.close()
    }
}

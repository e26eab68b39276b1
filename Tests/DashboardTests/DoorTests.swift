import Capacity
import Entries
import Foundation
import Identity
import NIOCore
import NIOPosix
import Replication
import Synchronization
import Testing

@testable import Dashboard

/// Raw bytes over a real socket: what a browser, a form or a confused program may send.
@Suite(.serialized) struct DoorTests {
    static let token = String(repeating: "a1", count: 32)

    /// Serves while `body` runs.
    static func serving(
        reader: String? = nil, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let world = try World(["alice"], templates: [])
        let server = DoorServer(
            Door(world: world, name: "alice"), port: 0, token: token, reader: reader)
        let (ports, running) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run { running.yield($0) }
                running.finish()
            }
            for await port in ports {
                try await body(port)
                break
            }
            group.cancelAll()
        }
    }

    /// The answer's status; 0 where none came.
    static func status(_ port: Int, _ request: String) async throws -> Int {
        let answer = try await raw(port, request)
        let words = answer.split(separator: " ")
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    static func connect(_ port: Int) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
    }

    static func raw(_ port: Int, _ request: String) async throws -> String {
        try await connect(port).executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            // A part may end inside a character.
            var answer = ByteBuffer()
            for try await part in inbound { answer.writeImmutableBuffer(part) }
            return String(buffer: answer)
        }
    }

    static let body = #"{"verb":"id","options":{},"dry_run":false}"#

    static func request(
        host: String?, origin: String?, type: String?, token: String?, path: String = "/v1/command",
        method: String = "POST", body: String = body
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\n"
        if let host { text += "Host: \(host)\r\n" }
        if let origin { text += "Origin: \(origin)\r\n" }
        if let type { text += "Content-Type: \(type)\r\n" }
        if let token { text += "Authorization: \(token)\r\n" }
        text += "Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        return text
    }

    @Test func `a request that stays half is let go of`() async throws {
        let world = try World(["alice"], templates: [])
        let door = Door(world: world, name: "alice")
        let gate = Gate(commands: Commands(door: door), token: Self.token, reader: nil)
        let (ports, running) = AsyncStream<Int>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await DoorServer.serve(
                    gate, port: 0, logger: DoorServer.quiet, idle: .seconds(1)
                ) { running.yield($0) }
                running.finish()
            }
            for await port in ports {
                gate.site.withLock { $0 = .loopback(port) }
                let whole = Self.request(
                    host: "127.0.0.1:\(port)", origin: nil, type: "application/json",
                    token: "Bearer " + Self.token)
                // What ends is the other side's connection: nothing else ends this reading.
                for half in [String(whole.dropLast(8)), "POST /v1/comm", ""] {
                    let said = try await Self.raw(port, half)
                    #expect(said == "", "\(half)")
                }
                break
            }
            group.cancelAll()
        }
    }

    @Test func `of every Host, Origin, type and token only the right one passes`() async throws {
        try await Self.serving { port in
            let hosts: [(String?, Bool)] = [
                ("127.0.0.1:\(port)", true), ("localhost:\(port)", true), ("127.0.0.1", false),
                ("evil.example:\(port)", false), ("0.0.0.0:\(port)", false), (nil, false),
            ]
            let origins: [(String?, Bool)] = [
                (nil, true), ("http://127.0.0.1:\(port)", false), ("null", false),
            ]
            let types: [(String?, Bool)] = [
                ("application/json", true), ("text/plain", false),
                ("application/x-www-form-urlencoded", false), (nil, false),
            ]
            let tokens: [(String?, Bool)] = [
                ("Bearer \(Self.token)", true), ("Bearer \(Self.token.dropLast())b", false),
                ("Basic \(Self.token)", false), (nil, false),
            ]
            var passed = 0
            var tried = 0
            for host in hosts {
                for origin in origins {
                    for type in types {
                        for token in tokens {
                            let right = host.1 && origin.1 && type.1 && token.1
                            let status = try await Self.status(
                                port,
                                Self.request(
                                    host: host.0, origin: origin.0, type: type.0, token: token.0))
                            tried += 1
                            if status == 200 { passed += 1 }
                            #expect(
                                (status == 200) == right,
                                "\(host) \(origin) \(type) \(token) → \(status)")
                        }
                    }
                }
            }
            #expect(tried == 288)
            #expect(passed == 2)
        }
    }

    @Test func `paths, methods, doubled headers and sizes are refused`() async throws {
        try await Self.serving { port in
            let host = "127.0.0.1:\(port)"
            let bearer = "Bearer \(Self.token)"
            func status(
                _ path: String, _ method: String = "POST", body: String = Self.body,
                host: String = "127.0.0.1:\(port)"
            ) async throws -> Int {
                try await Self.status(
                    port,
                    Self.request(
                        host: host, origin: nil, type: "application/json", token: bearer,
                        path: path,
                        method: method, body: body))
            }
            #expect(try await status("/v1/other") == 404)
            #expect(try await status("/v1/command?x=1") == 404)
            #expect(try await status("/v1/command", "PUT") == 405)
            #expect(try await status("/v1/command", body: "{}") == 400)
            #expect(try await status("/v1/command", body: #"{"verb":"id","x":1}"#) == 400)
            #expect(try await status("/v1/command", body: #"{"verb":"id","verb":"id"}"#) == 400)
            #expect(try await status("/v1/command", body: #"{"verb":"burn it"}"#) == 422)
            let long =
                #"{"verb":""# + String(repeating: "a", count: DoorServer.bodyBytesMax) + #""}"#
            #expect(try await status("/v1/command", body: long) == 413)
            #expect(try await status("/v1/health", "GET", body: "") == 200)
            #expect(
                try await status("/v1/health", "GET", body: "", host: "a\r\nHost: \(host)") != 200)
            #expect(
                try await status("/v1/health", "GET", body: "", host: "\(host)\r\nHost: evil")
                    != 200)
            let answer = try await Self.raw(
                port,
                Self.request(
                    host: host, origin: nil, type: "application/json", token: bearer))
            let lower = answer.lowercased()
            #expect(lower.contains("cache-control: no-store"))
            #expect(lower.contains("x-content-type-options: nosniff"))
            #expect(!lower.contains("access-control"))
            #expect(!lower.contains("set-cookie"))
        }
    }

    @Test func `the client talks to its node and to no other`() async throws {
        try await Self.serving { port in
            let client = DoorClient(key: DoorKey(port: port, token: Self.token))
            let answer = try await client.run(.init(verb: "id")).get()
            #expect(answer["alliance"]?.string == "test")
            #expect(await client.isAlive())
            let refused = try await client.run(.init(verb: "offer show"))
            #expect(refusal(refused)?.field == "offer")
            let stranger = DoorClient(key: DoorKey(port: port, token: "x"))
            await #expect(throws: DoorClient.Failure.self) {
                try await stranger.run(.init(verb: "id"))
            }
        }
        let nobody = DoorClient(key: DoorKey(port: 1, token: "x"))
        await #expect(throws: DoorClient.Failure.notRunning) {
            try await nobody.run(.init(verb: "id"))
        }
    }

    @Test func `a node that ends before it answers is not taken for one that was not asked`()
        async throws
    {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(HangUp())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let client = DoorClient(key: DoorKey(port: port, token: "x"))
        await #expect {
            try await client.run(.init(verb: "contract propose"))
        } throws: { error in
            error as? DoorClient.Failure == .unanswered
        }
        try await listener.close()
    }

    /// Ends as soon as it was asked something.
    private final class HangUp: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.close(promise: nil)
        }
    }

    @Test func `the largest frame of a file fits into a command`() async throws {
        let frame = Frame(
            type: 14, payload: [UInt8](repeating: 0, count: FrameLimit.afterHello - 1))
        let page = try #require(SyncFile.pages(frame.bytes)?.first)
        try await Self.serving { port in
            let client = DoorClient(key: DoorKey(port: port, token: Self.token))
            let answer = try await client.run(
                .init(
                    verb: "sync import",
                    options: ["frames": [Data(page).base64EncodedString()]]))
            #expect((try? answer.get()) != nil)
        }
    }

    @Test func `a busy port is named`() async throws {
        try await Self.serving { port in
            let world = try World(["bob"], templates: [])
            let second = DoorServer(Door(world: world, name: "bob"), port: port, token: "t")
            await #expect(throws: DoorServer.Failure.portBusy(port)) { try await second.run() }
        }
    }

    @Test func `JSON reads back what it writes and refuses what is not JSON`() throws {
        let value: JSON = [
            "a": [1, -2, 9_007_199_254_740_991], "纸": "墨\u{1}\"\\\n😀", "n": nil, "t": true,
            "o": [:],
        ]
        #expect(try JSON(reading: Array(value.text().utf8)) == value)
        #expect(try JSON(reading: Array(value.text(pretty: true).utf8)) == value)
        #expect(try JSON(reading: Array(#""\ud83d\ude00""#.utf8)) == "😀")
        for bad in [
            "", "{", "[1,]", "01", "1.5", "1e3", "{\"a\":1,\"a\":2}", "\"\u{1}\"", "\"\\ud800\"",
            "nul",
            "[] []", "-", String(repeating: "[", count: 40),
        ] {
            #expect(throws: JSON.Malformed.self, "\(bad)") { try JSON(reading: Array(bad.utf8)) }
        }
    }
}

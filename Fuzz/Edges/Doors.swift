@testable import Dashboard

import Capacity
import Dispatch
import Entries
import Fixtures
import Foundation
import Fuzzing
import HTTPTypes
import Hummingbird
import Identity
import Logging
import Logs
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NodeCore
import Synchronization

// What browsers, programs and people hand in.

let doors: [FuzzTarget] = [json, form, http, bundleFile, invitation]

private func text(_ input: [UInt8]) -> String? { String(validating: input, as: UTF8.self) }

private let json = FuzzTarget(
    "json", law: "what reads is written, on a line or indented, as what reads the same",
    bytesMax: 1024,
    seeds: {
        [
            #"{"verb":"id","options":{"a":["b"]},"dry_run":false}"#,
            #"[1,-2,null,true,"\u00e9\ud83d\ude00\n"]"#,
            #"[[[[{"a":{"b":[]}}]]]]"#, "-9223372036854775808", #""\u009f\u0085""#,
        ].map { Array($0.utf8) }
    }
) { input in
    guard let value = try? JSON(reading: input) else { return }
    for isPretty in [false, true] {
        let bytes = value.bytes(pretty: isPretty)
        guard let again = try? JSON(reading: bytes) else {
            return law(false, "does not read again")
        }
        law(again.bytes() == value.bytes(), "reads otherwise")
        // Nothing in it moves a reader's cursor.
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
        law(
            scalars.allSatisfy { $0 == "\n" || $0.value >= 32 && !(127..<160).contains($0.value) },
            "a control character")
    }
    if let command = CommandRequest(value) {
        law(CommandRequest(command.json) == command, "a command that reads otherwise")
    }
}

private let form = FuzzTarget(
    "form", law: "pairs that read are the same pairs when encoded again", bytesMax: 512,
    seeds: { ["a=b&c=d+e", "x=%E7%AC%A6&y=", "=", "a&b=%00", "%zz"].map { Array($0.utf8) } }
) { input in
    guard let text = text(input), let pairs = FormData.read(text) else { return }
    let again = pairs.map { FormData.encode($0.0) + "=" + FormData.encode($0.1) }
        .joined(separator: "&")
    guard let second = FormData.read(again) else { return law(false, "does not read again") }
    law(
        second.map { Array($0.0.utf8) } == pairs.map { Array($0.0.utf8) }
            && second.map { Array($0.1.utf8) } == pairs.map { Array($0.1.utf8) }, "other pairs")
}

// MARK: - The door

private let token = String(repeating: "a1", count: 32)

private let http = FuzzTarget(
    "http",
    law:
        "without the token nothing is told or changed; with it every answer has a lawful status, and JSON where "
        + "it says so",
    bytesMax: 2048,
    seeds: {
        let host = "Host: 127.0.0.1:7000\r\n"
        let bearer = "Authorization: Bearer \(token)\r\n"
        func post(_ path: String, _ body: String, _ more: String = "") -> String {
            "POST \(path) HTTP/1.1\r\n\(host)\(more)Content-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        let command = #"{"verb":"id","options":{},"dry_run":false}"#
        let declare =
            #"{"resource":"print/a5","total":300,"from":"+1d","to":"+9d","unit":"C62","dry_run":true}"#
        return [
            post("/v1/command", command, bearer), post("/v1/command", command),
            post("/api/v1/line/declare", declare, bearer),
            post("/v1/link", #"{"reader":true}"#, bearer),
            "GET /api/v1/offer/list?resource=print&limit=5 HTTP/1.1\r\n\(host)\(bearer)\r\n",
            "GET /v1/health HTTP/1.1\r\n\(host)\(bearer)\r\n", "GET / HTTP/1.1\r\n\(host)\r\n",
            "GET /openapi.json HTTP/1.1\r\n\(host)\(bearer)\r\n",
            "POST /act HTTP/1.1\r\n\(host)Origin: http://127.0.0.1:7000\r\nCookie: talea-7000=x\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
            "GET /language?to=zh&back=/x HTTP/1.1\r\n\(host)Accept-Language: zh\r\n\r\n",
            "GET /verify.html HTTP/1.1\r\n\(host)\r\n",
        ].map { Array($0.utf8) }
    }
) { input in
    let requests = decoded(input)
    guard !requests.isEmpty else { return }
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        for request in requests { await judge(request) }
        done.signal()
    }
    done.wait()
}

private func judge(_ request: Request) async {
    guard let world = try? World(["alice"], templates: []) else { return }
    let door = Door(world: world, name: "alice")
    let gate = Gate(commands: Commands(door: door), token: token, reader: nil)
    gate.site.withLock { $0 = .loopback(7_000) }
    let before = await heads(world)
    let source = ApplicationRequestContextSource(
        channel: EmbeddedChannel(), logger: Logger(label: "fuzz"))
    guard
        let response = try? await gate.respond(
            to: request, context: Gate.Context(source: source))
    else { return law(false, "no answer") }
    let isOwner = request.headers.contains {
        $0.name.canonicalName == "authorization" && $0.value == "Bearer \(token)"
    }
    law((200..<504).contains(response.status.code), "\(response.status.code)")
    law(response.status != .internalServerError, "500")
    let path = request.head.path ?? ""
    if !isOwner {
        let after = await heads(world)
        law(before == after, "a stranger changed something")
        law(
            response.status != .ok || !path.hasPrefix("/v1/") && !path.hasPrefix("/api/"),
            "a stranger was answered at \(path)")
    }
    guard !path.hasPrefix("/api/v1/events"),
        response.headers[.contentType]?.contains("json") == true
    else { return }
    let collector = Collector()
    try? await response.body.write(collector)
    law((try? JSON(reading: collector.bytes)) != nil, "no JSON at \(path)")
}

private func heads(_ world: World) async -> [String] {
    (try? await world.read("alice") { node in
        node.chains.logs.map { "\($0) \(node.chains.head($0))" } + node.petnames.values.sorted()
    }) ?? []
}

private final class Collector: ResponseBodyWriter {
    private let all = Mutex<[UInt8]>([])
    var bytes: [UInt8] { all.withLock { $0 } }

    func write(_ buffer: ByteBuffer) async throws {
        all.withLock { $0 += Array(buffer.readableBytesView) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// The requests that the server's own pipeline makes of these bytes.
private func decoded(_ input: [UInt8]) -> [Request] {
    let channel = EmbeddedChannel()
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    do {
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: true)
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try channel.writeInbound(ByteBuffer(bytes: input))
    } catch { return [] }
    var requests: [Request] = []
    var head: HTTPRequest?
    var body = ByteBuffer()
    while let part = try? channel.readInbound(as: HTTPRequestPart.self) {
        switch part {
        case .head(let new):
            head = new
            body.clear()
        case .body(var more): body.writeBuffer(&more)
        case .end:
            if let head { requests.append(Request(head: head, body: RequestBody(buffer: body))) }
            head = nil
        }
    }
    return requests
}

// MARK: - Files and words of people

private let bundleFile = FuzzTarget(
    "bundle-file",
    law: "a file that reads is written as what reads the same",
    bytesMax: 8192,
    seeds: {
        let key = ContractKey.repeating(5)
        let bundle = Bundle(
            key: key, template: [1, 2, 3], keys: [alice.keyEntry.entry], statements: [],
            entries: [],
            forks: [])
        let disclosure = Disclosure(
            contract: key.contract, keys: [alice.keyEntry.entry, bob.keyEntry.entry],
            parts: [
                .init(
                    entry: alice.say(
                        Acceptance(salt: .filled(1), statement: .filled(2), releaseKey: nil)
                    ).entry)
            ])
        return [
            BundleFile.whole(bundle).json.bytes(),
            BundleFile.steps(disclosure).json.bytes(pretty: true),
        ]
    }
) { input in
    guard let file = try? BundleFile(input) else { return }
    let written = file.json.bytes()
    guard let again = try? BundleFile(written) else {
        return law(false, "does not read again")
    }
    law(again.json.bytes() == written, "reads otherwise")
    _ = try? file.told()
}

private let invitation = FuzzTarget(
    "invitation", law: "a code that reads is written the same, but for blanks", bytesMax: 1024,
    seeds: {
        let ticket = Invitation.Ticket(
            inviter: alice.did, terms: .init(nonce: .filled(2), expires: .noon), secret: .filled(3))
        return [
            Invitation(
                foundingBody: Founding.sample.wire, ticket: ticket, address: "a.example:7001"),
            Invitation(foundingBody: Founding.sample.wire),
        ].map { Array($0.code.utf8) }
    }
) { input in
    guard let text = text(input) else { return }
    if let read = Invitation(code: text) {
        let bare = text.split(whereSeparator: \.isWhitespace).joined()
        law(Array(read.code.utf8) == Array(bare.utf8), "two spellings")
        law(Invitation(code: read.code) == read, "does not come back")
    }
    // The bytes themselves, past the letters.
    if let read = try? Invitation(strict: input), (try? Founding(strict: read.foundingBody)) != nil
    {
        law(Invitation(code: read.code) == read, "does not come back")
    }
}

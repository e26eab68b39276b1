public import Contracts
import Hummingbird
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// The HTTP door on the loopback address.
///
///     POST /v1/command   {"verb","options","dry_run"} → 200 {"ok"} | 422 {"refusal"}
///     GET  /v1/health    → 200 {"ok":{"wire_version"}}
///
/// Every request on every path passes the same gate before its path is even looked at: exact Host, no
/// Origin, bearer token. A page in a browser can send none of the three rightly (T18).
public struct DoorServer: Sendable {
    private let commands: Commands
    private let port: Int
    private let token: String
    private let logger: Logger

    public static let bodyBytesMax = 256 * 1024

    /// Port 0: any free one; `run` tells which.
    public init(_ door: any NodeDoor, port: Int, token: String, logger: Logger? = nil) {
        commands = Commands(door: door)
        self.port = port
        self.token = token
        if let logger {
            self.logger = logger
        } else {
            var quiet = Logger(label: "talea.door")
            quiet.logLevel = .error
            self.logger = quiet
        }
    }

    public indirect enum Failure: Error, Hashable, Sendable {
        case portBusy(Int)

        public var words: Localized {
            switch self {
            case .portBusy(let port):
                Localized(
                    en: "--http \(port): another program listens on 127.0.0.1:\(port); "
                        + "choose another port, or 0 for any free one",
                    zh: "--http \(port)：127.0.0.1:\(port) 已被占用；请换一个端口，或用 0 自动选择")
            }
        }
    }

    /// Serves until cancelled or, under ServiceLifecycle, asked to shut down; `onRunning` gets the port
    /// once connections are taken.
    public func run(onRunning: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let gate = Gate(commands: commands, token: token)
        let application = Application(
            responder: gate,
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                gate.port.withLock { $0 = port }
                await onRunning(port)
            }, logger: logger)
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw Failure.portBusy(port)
        }
    }
}

/// Who may speak, and in which form.
private final class Gate: HTTPResponder {
    typealias Context = BasicRequestContext

    let commands: Commands
    let token: String
    let port = Mutex(0)

    init(commands: Commands, token: String) {
        self.commands = commands
        self.token = token
    }

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let port = port.withLock { $0 }
        let hosts = ["127.0.0.1:\(port)", "localhost:\(port)"]
        let fields = request.headers
        guard let host = request.head.authority, hosts.contains(host),
            !fields.contains(where: { $0.name.canonicalName == "host" })
        else { return answer(.forbidden, "host") }
        guard !fields.contains(where: { $0.name.canonicalName == "origin" }) else {
            return answer(.forbidden, "origin")
        }
        let given = fields.filter { $0.name.canonicalName == "authorization" }
        guard given.count == 1, let value = given.first?.value, value.hasPrefix("Bearer "),
            DoorKey.same(value.dropFirst(7), token)
        else { return answer(.unauthorized, "token") }
        switch (request.method, request.head.path) {
        case (.get, "/v1/health"):
            return answer(.ok, ["ok": ["wire_version": .number(Commands.wireVersion)]])
        case (.post, "/v1/command"): return await command(request)
        case (_, "/v1/command"), (_, "/v1/health"): return answer(.methodNotAllowed, "method")
        default: return answer(.notFound, "path")
        }
    }

    private func command(_ request: Request) async -> Response {
        let types = request.headers.filter { $0.name.canonicalName == "content-type" }
        guard types.count == 1, let type = types.first?.value.lowercased(),
            type == "application/json" || type == "application/json; charset=utf-8"
        else { return answer(.unsupportedMediaType, "content type") }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: DoorServer.bodyBytesMax)
        } catch {
            return answer(.contentTooLarge, "body")
        }
        guard let json = try? JSON(reading: body.readableBytesView),
            let command = CommandRequest(json)
        else { return answer(.badRequest, "body") }
        switch await commands.run(command) {
        case .success(let value): return answer(.ok, ["ok": value])
        case .failure(let refusal): return answer(.unprocessableContent, ["refusal": refusal.json])
        }
    }

    private func answer(_ status: HTTPResponse.Status, _ wrong: String) -> Response {
        answer(status, ["error": .string(wrong)])
    }

    private func answer(_ status: HTTPResponse.Status, _ json: JSON) -> Response {
        var fields = HTTPFields()
        fields[.contentType] = "application/json; charset=utf-8"
        fields[.cacheControl] = "no-store"
        fields[.xContentTypeOptions] = "nosniff"
        return Response(
            status: status, headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes())))
    }
}

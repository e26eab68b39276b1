public import Contracts
import Hummingbird
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Replication
import Synchronization

/// The HTTP door on the loopback address; `Gate` says who may speak.
///
///     POST /v1/command   {"verb","options","dry_run"} → 200 {"ok"} | 422 {"refusal"}
///     POST /v1/link      {"reader"} → 200 {"ok":{"path"}}, a link for a browser, once;
///                        with "phone": true and an "address" or null, {"ok":{"link","fingerprint"}}
///     GET  /v1/health    → 200 {"ok":{"wire_version"}}
///     GET  /openapi.json, /api/v1/…   `API`
public struct DoorServer: Sendable {
    private let commands: Commands
    private let port: Int
    private let token: String
    private let reader: String?
    private let scan: Scan?
    private let logger: Logger

    /// What pages and programs send is small. The largest is a frame out of a file, in base64 and with its words.
    public static let bodyBytesMax = (FrameLimit.afterHello + 2) / 3 * 4 + 4 * 1024
    /// Nothing was said for so long: a connection goes, however much of a request it has begun. What is being
    /// answered does not count.
    static let idleSeconds: Int64 = 60

    /// Port 0: any free one; `run` tells which.
    /// `reader`: the token of whoever may look and do nothing.
    public init(
        _ door: any NodeDoor, port: Int, token: String, reader: String? = nil, scan: Scan? = nil,
        logger: Logger? = nil
    ) {
        commands = Commands(door: door)
        self.port = port
        self.token = token
        self.reader = reader
        self.scan = scan
        self.logger = logger ?? Self.quiet
    }

    static var quiet: Logger {
        var quiet = Logger(label: "talea.door")
        quiet.logLevel = .error
        return quiet
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
        let gate = Gate(commands: commands, token: token, reader: reader, scan: scan)
        try await Self.serve(gate, port: port, logger: logger) { port in
            gate.site.withLock { $0 = .loopback(port) }
            await onRunning(port)
        }
    }

    static func serve(
        _ responder: some HTTPResponder<DoorContext>, port: Int, logger: Logger,
        idle: TimeAmount = .seconds(idleSeconds),
        onRunning: @escaping @Sendable (Int) async -> Void
    ) async throws {
        let application = Application(
            responder: responder, server: .http1(configuration: .init(idleTimeout: idle)),
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: port), serverName: nil),
            onServerRunning: { await onRunning($0.localAddress?.port ?? 0) }, logger: logger)
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw Failure.portBusy(port)
        }
    }
}

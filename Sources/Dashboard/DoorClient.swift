import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks the running node of one home. One request, one connection.
public struct DoorClient: Sendable {
    public let key: DoorKey

    public indirect enum Failure: Error, Hashable, Sendable {
        /// No `api.json`, or nothing answers at its port.
        case notRunning
        /// It was asked, and ended before its answer was here: nobody knows whether it was done.
        case unanswered
        /// Something answers that is not our node.
        case refused(status: Int, String)
    }

    public init(key: DoorKey) { self.key = key }

    public init(home: String) throws(Failure) {
        guard let key = DoorKey.read(home: home) else { throw .notRunning }
        self.key = key
    }

    /// What the node answers, or its refusal.
    public func run(_ command: CommandRequest) async throws(Failure) -> Result<JSON, DoorRefusal> {
        try Self.read(try await send(.POST, "/v1/command", command.json.text()))
    }

    private static func read(_ answer: (Int, [UInt8])) throws(Failure) -> Result<JSON, DoorRefusal>
    {
        let (status, body) = answer
        guard let json = try? JSON(reading: body) else {
            throw .refused(status: status, String(decoding: body.prefix(200), as: UTF8.self))
        }
        if status == 200, let value = json["ok"] { return .success(value) }
        if status == 422, let refusal = json["refusal"].flatMap(DoorRefusal.init) {
            return .failure(refusal)
        }
        throw .refused(status: status, json["error"]?.string ?? "")
    }

    /// The address of a page that opens once, in whichever browser asks for it first.
    public func link(isReader: Bool) async throws(Failure) -> String {
        let body: JSON = ["reader": .bool(isReader)]
        let (status, answer): (Int, [UInt8])
        // A link that nobody was told of harms nobody.
        do throws(Failure) {
            (status, answer) = try await send(.POST, "/v1/link", body.text())
        } catch {
            throw error == .unanswered ? .notRunning : error
        }
        guard status == 200, let json = try? JSON(reading: answer),
            let path = json["ok"]?["path"]?.string
        else {
            throw .refused(status: status, String(decoding: answer.prefix(200), as: UTF8.self))
        }
        return "http://127.0.0.1:\(key.port)\(path)"
    }

    /// The same for a phone, at `address` or the first of this computer's: JSON with `link` and `fingerprint`.
    public func pair(isReader: Bool, address: String?) async throws(Failure)
        -> Result<JSON, DoorRefusal>
    {
        let body: JSON = [
            "reader": .bool(isReader), "phone": true,
            "address": address.map { .string($0) } ?? .null,
        ]
        return try Self.read(try await send(.POST, "/v1/link", body.text()))
    }

    /// Whether the node of this key answers.
    public func isAlive() async -> Bool { (try? await send(.GET, "/v1/health", nil).0) == 200 }

    private func send(_ method: HTTPMethod, _ path: String, _ body: String?) async throws(Failure)
        -> (Int, [UInt8])
    {
        // Root reads what the owner says anyway, and may ask the owner's node.
        guard geteuid() == 0 || Neighbour.isDoor(at: key.port, of: geteuid()) else {
            throw .notRunning
        }
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
        head.headers.add(name: "Host", value: "127.0.0.1:\(key.port)")
        head.headers.add(name: "Authorization", value: "Bearer \(key.token)")
        head.headers.add(name: "Connection", value: "close")
        if let body {
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        }
        let group = MultiThreadedEventLoopGroup.singleton
        let promise = group.next().makePromise(of: Answer.self)
        let question = Question(head: head, body: body.map { ByteBuffer(string: $0) })
        var isAsked = false
        do {
            let bootstrap = ClientBootstrap(group: group).connectTimeout(.seconds(5))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            Asker(question, promise))
                    }
                }
            let channel = try await bootstrap.connect(host: "127.0.0.1", port: key.port).get()
            isAsked = true
            let answer = try await promise.futureResult.get()
            try? await channel.close().get()
            return (answer.status, answer.body)
        } catch {
            promise.fail(error)
            throw isAsked ? .unanswered : .notRunning
        }
    }
}

private struct Question: Sendable {
    let head: HTTPRequestHead
    let body: ByteBuffer?
}

private struct Answer: Sendable {
    var status = 0
    var body: [UInt8] = []
}

/// Writes the question when connected, gathers the answer, at most 64 MiB.
private final class Asker: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let question: Question
    private let promise: EventLoopPromise<Answer>
    private var answer = Answer()
    private var isDone = false

    init(_ question: Question, _ promise: EventLoopPromise<Answer>) {
        self.question = question
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(question.head)), promise: nil)
        if let body = question.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): answer.status = Int(head.status.code)
        case .body(let part):
            answer.body += part.readableBytesView
            if answer.body.count > 64 << 20 { finish(.failure(ChannelError.eof)) }
        case .end: finish(.success(answer))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { finish(.failure(ChannelError.eof)) }

    private func finish(_ result: Result<Answer, any Error>) {
        guard !isDone else { return }
        isDone = true
        promise.completeWith(result)
    }
}

import Contracts
import HTTPTypes
import Hummingbird
import Identity
import NIOCore
import ServiceLifecycle
import Synchronization

/// Who may speak, and in which form.
///
/// First the Host, exactly ours (no name that somebody else can point here). Then either a token of a
/// program, which comes with no Origin; or a browser's session, whose acts come with exactly our Origin
/// and the token of its forms. Nothing else sees more than a style sheet and the way in.
final class Gate: HTTPResponder {
    typealias Context = DoorContext

    private let commands: Commands
    private let api: API
    private let desk: Desk
    let sessions: Sessions
    private let token: String?
    private let reader: String?
    private let phone: Phone?
    private let scan: Scan?
    let site = Mutex(Site.loopback(0))

    /// Without a token no program is heard, as at the phone's door.
    init(
        commands: Commands, token: String?, reader: String?, scan: Scan? = nil,
        sessions: Sessions = Sessions()
    ) {
        self.commands = commands
        self.token = token
        self.reader = reader
        self.sessions = sessions
        self.scan = scan
        phone = token == nil ? nil : Phone(commands: commands, scan: scan)
        let repeats = Repeats()
        api = API(commands: commands, repeats: repeats)
        desk = Desk(commands: commands, repeats: repeats, sessions: sessions, phone: phone)
    }

    /// Who speaks.
    enum Speaker {
        case owner, reader
        case browser(Sessions.Session)

        var isReader: Bool {
            switch self {
            case .owner: false
            case .reader: true
            case .browser(let session): session.isReader
            }
        }

        var scope: String {
            switch self {
            case .owner, .reader: "token"
            case .browser(let session): session.id.hex
            }
        }
    }

    func respond(to request: Request, context: DoorContext) async throws -> Response {
        let site = site.withLock { $0 }
        let language = Self.language(of: request, site)
        func no(_ status: HTTPResponse.Status, _ code: String) -> Response {
            request.head.path?.hasPrefix("/v1/") == true
                ? .json(status, ["error": .string(code)])
                : Problem.response(status, code, language)
        }
        if let wrong = Self.wrong(request, site) { return no(.forbidden, wrong) }
        let origins = request.all("origin")
        let path = request.head.path ?? ""
        if let speaker = program(request) {
            // A program has no origin; a page that holds a token would be a page that stole it.
            guard origins.isEmpty else { return no(.forbidden, "origin") }
            return await program(speaker, request, path, language, no)
        }
        guard request.all("authorization").isEmpty, !path.hasPrefix("/v1/") else {
            return no(
                origins.isEmpty ? .unauthorized : .forbidden, origins.isEmpty ? "token" : "origin")
        }
        if request.method == .get {
            if let asset = Desk.asset(path) { return asset }
            if path.hasPrefix(Desk.openPrefix) {
                return Desk.open(
                    String(path.dropFirst(Desk.openPrefix.count)), sessions, site, language,
                    from: context.port)
            }
        }
        if let session = Self.session(request, sessions, site) {
            return await browser(session, request, path, language, site, no)
        }
        // A form that is sent by a person is answered to a person.
        let wantsPage =
            request.method == .get || request.all("accept").contains { $0.contains("text/html") }
        let isPage =
            wantsPage && !path.hasPrefix("/api/") && !["/openapi.json", "/metrics"].contains(path)
        guard isPage else { return no(.unauthorized, "token") }
        return Desk.alone(language, site, unsigned: request.method != .get)
    }

    /// The part of a request that names another place than ours: its host, or where it comes from.
    static func wrong(_ request: Request, _ site: Site) -> String? {
        guard let host = request.head.authority, site.isHost(host),
            request.all("host").isEmpty
        else { return "host" }
        let origins = request.all("origin")
        let isOurs = origins.count == 1 && site.isOrigin(origins[0], of: host)
        return origins.isEmpty || isOurs ? nil : "origin"
    }

    // MARK: - Programs

    private func program(_ request: Request) -> Speaker? {
        let given = request.all("authorization")
        guard given.count == 1, let value = given.first, value.hasPrefix("Bearer ") else {
            return nil
        }
        let token = value.dropFirst(7)
        if let owner = self.token, DoorKey.same(token, owner) { return .owner }
        if let reader, DoorKey.same(token, reader) { return .reader }
        return nil
    }

    private func program(
        _ speaker: Speaker, _ request: Request, _ path: String, _ language: Language,
        _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response {
        switch (request.method, path) {
        case (.get, "/v1/health"):
            return .json(.ok, ["ok": ["wire_version": .number(Commands.wireVersion)]])
        case (.post, "/v1/command"), (.post, "/v1/link"):
            guard !speaker.isReader else { return no(.forbidden, "read_only") }
            return path == "/v1/link" ? await link(request, no) : await command(request, no)
        case (_, "/v1/command"), (_, "/v1/health"), (_, "/v1/link"):
            return no(.methodNotAllowed, "method")
        default:
            return await open(speaker, request, path, language, no) ?? no(.notFound, "path")
        }
    }

    private func command(
        _ request: Request, _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response {
        switch await json(request) {
        case .failure(let wrong):
            return no(wrong.status, wrong.code == "content_type" ? "content type" : wrong.code)
        case .success(let json):
            guard let command = CommandRequest(json) else { return no(.badRequest, "body") }
            switch await commands.run(command) {
            case .success(let value): return .json(.ok, ["ok": value])
            case .failure(let refusal):
                return .json(.unprocessableContent, ["refusal": refusal.json])
            }
        }
    }

    private func link(
        _ request: Request, _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response {
        guard case .success(let json) = await json(request), let isReader = json["reader"]?.bool
        else { return no(.badRequest, "body") }
        if let phone, json["phone"]?.bool == true {
            do throws(DoorRefusal) {
                let made = try await phone.pair(host: json["address"]?.string, isReader: isReader)
                return .json(
                    .ok,
                    [
                        "ok": [
                            "link": .string(made.link), "fingerprint": .string(made.fingerprint),
                        ]
                    ])
            } catch {
                return .json(.unprocessableContent, ["refusal": error.json])
            }
        }
        let code = sessions.makeLink(isReader: isReader)
        return .json(.ok, ["ok": ["path": .string(Desk.openPrefix + code)]])
    }

    // MARK: - Browsers

    static func session(_ request: Request, _ sessions: Sessions, _ site: Site) -> Sessions.Session?
    {
        // What another site makes a browser fetch is a stranger's, whatever cookies come along.
        let sites = request.all("sec-fetch-site")
        guard sites.allSatisfy({ $0 == "same-origin" || $0 == "none" }) else { return nil }
        return request.cookie(site.sessionCookie).flatMap { sessions.find($0) }
    }

    private func browser(
        _ session: Sessions.Session, _ request: Request, _ path: String, _ language: Language,
        _ site: Site, _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response {
        if request.method != .get {
            guard !request.all("origin").isEmpty else { return no(.forbidden, "origin") }
            if path.hasPrefix(API.prefix) {
                let tokens = request.all("x-form-token")
                guard tokens.count == 1, DoorKey.same(tokens[0], session.token) else {
                    return no(.forbidden, "form_token")
                }
            }
        }
        if let answer = await open(.browser(session), request, path, language, no) {
            return answer
        }
        let (bare, query) = Self.split(path)
        let pairs = FormData.read(query)
        guard pairs != nil || request.method == .get else { return no(.badRequest, "query") }
        let visit = Desk.Visit(
            session: session, language: language, isPhone: site.isPhone, path: bare,
            query: pairs ?? [],
            seen: commands.door.feed.newest, isRefresh: !request.all("x-refresh").isEmpty)
        switch (request.method, bare) {
        case (.post, "/act"): return await act(visit, request, no)
        case (.post, Scan.path):
            guard let scan, !session.isReader else { return no(.forbidden, "read_only") }
            return await scan.respond(to: request, token: session.token, language)
        case (.post, "/backup"), (.post, "/phone"):
            guard !site.isPhone else { return no(.forbidden, "at_the_computer") }
            return await act(visit, request, no)
        case (.get, _) where pairs == nil: return await desk.lost(visit)
        case (.get, "/language"): return Self.choose(pairs ?? [], site)
        case (.get, _):
            if let answer = await desk.file(visit) { return answer }
            if let answer = await desk.get(visit) { return answer }
            return await desk.lost(visit)
        default: return no(.methodNotAllowed, "method")
        }
    }

    private func act(
        _ visit: Desk.Visit, _ request: Request, _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response {
        switch await Self.form(request) {
        case .failure(let wrong): return no(wrong.status, wrong.code)
        case .success(let form):
            switch visit.path {
            case "/backup": return await desk.backUp(visit, form)
            case "/phone": return await desk.pair(visit, form)
            default: return await desk.post(visit, form)
            }
        }
    }

    /// What a form of a page sent.
    static func form(_ request: Request) async -> Result<[(String, String)], Wrong> {
        let types = request.all("content-type").map { $0.lowercased().prefix { $0 != ";" } }
        guard types == ["application/x-www-form-urlencoded"] else {
            return .failure(Wrong(status: .unsupportedMediaType, code: "content_type"))
        }
        guard let body = try? await request.body.collect(upTo: DoorServer.bodyBytesMax) else {
            return .failure(Wrong(status: .contentTooLarge, code: "body_size"))
        }
        guard let form = FormData.read(String(buffer: body)) else {
            return .failure(Wrong(status: .badRequest, code: "body"))
        }
        return .success(form)
    }

    static func choose(_ query: [(String, String)], _ site: Site) -> Response {
        func value(_ name: String) -> String { query.last { $0.0 == name }?.1 ?? "" }
        var response = Desk.redirect(Desk.local(value("back")))
        if let language = Language(rawValue: value("to")) {
            response.headers[.setCookie] =
                "\(site.languageCookie)=\(language.rawValue); Max-Age=31536000; \(site.cookieRules)"
        }
        return response
    }

    // MARK: - What both may ask for

    private func open(
        _ speaker: Speaker, _ request: Request, _ path: String, _ language: Language,
        _ no: (HTTPResponse.Status, String) -> Response
    ) async -> Response? {
        let (bare, query) = Self.split(path)
        if bare == "/openapi.json" {
            guard request.method == .get else { return no(.methodNotAllowed, "method") }
            return .json(.ok, await commands.openAPI())
        }
        if bare == "/metrics" {
            guard request.method == .get else { return no(.methodNotAllowed, "method") }
            guard let text = await commands.measures() else {
                return no(.serviceUnavailable, "measures")
            }
            return Desk.response(.ok, text, type: "text/plain; version=0.0.4; charset=utf-8")
        }
        guard bare.hasPrefix(API.prefix) else { return nil }
        if bare == "/api/v1/events" {
            guard request.method == .get else { return no(.methodNotAllowed, "method") }
            guard let options = FormData.read(query) else { return no(.badRequest, "query") }
            // A browser sends the header once its connection broke; the query is what it began with.
            let last = request.all("last-event-id").first ?? options.last { $0.0 == "after" }?.1
            return Events.response(commands.door.feed, request, after: last)
                ?? no(.tooManyRequests, "readers")
        }
        guard let verb = API.verb(bare.dropFirst(API.prefix.count)), await commands.knows(verb)
        else { return no(.notFound, "path") }
        let reads = Manual.action(of: verb) == .reads
        guard request.method == (reads ? .get : .post) else {
            var response = no(.methodNotAllowed, "method")
            response.headers[.allow] = reads ? "GET" : "POST"
            return response
        }
        if reads {
            guard let options = FormData.read(query) else { return no(.badRequest, "query") }
            return await api.look(verb, options, language)
        }
        guard !speaker.isReader else { return no(.forbidden, "read_only") }
        guard !site.withLock({ $0.isPhone }) || !Manual.atTheComputer.contains(verb) else {
            return no(.forbidden, "at_the_computer")
        }
        switch await json(request) {
        case .failure(let wrong): return no(wrong.status, wrong.code)
        case .success(let body):
            let keys = request.all("idempotency-key")
            guard keys.count <= 1, query.isEmpty else { return no(.badRequest, "query") }
            return await api.act(
                verb, body, key: keys.first, scope: speaker.scope, language)
        }
    }

    static func split(_ path: String) -> (path: String, query: String) {
        guard let mark = path.firstIndex(of: "?") else { return (path, "") }
        return (String(path[..<mark]), String(path[path.index(after: mark)...]))
    }

    // MARK: - Bodies and headers

    struct Wrong: Error {
        let status: HTTPResponse.Status
        let code: String
    }

    private func json(_ request: Request) async -> Result<JSON, Wrong> {
        let types = request.all("content-type").map { $0.lowercased() }
        guard types == ["application/json"] || types == ["application/json; charset=utf-8"] else {
            return .failure(Wrong(status: .unsupportedMediaType, code: "content_type"))
        }
        guard let body = try? await request.body.collect(upTo: DoorServer.bodyBytesMax) else {
            return .failure(Wrong(status: .contentTooLarge, code: "body_size"))
        }
        guard let json = try? JSON(reading: body.readableBytesView) else {
            return .failure(Wrong(status: .badRequest, code: "body"))
        }
        return .success(json)
    }

    /// As chosen on a page; else the first that the browser or program asks for.
    static func language(of request: Request, _ site: Site) -> Language {
        if let chosen = request.cookie(site.languageCookie),
            let language = Language(rawValue: chosen)
        {
            return language
        }
        for part in request.all("accept-language").joined(separator: ",").split(separator: ",") {
            let tag = part.drop { $0 == " " }.prefix(2).lowercased()
            if let language = Language(rawValue: tag) { return language }
        }
        return .en
    }
}

extension Request {
    /// Every header of this name, lower case.
    func all(_ name: String) -> [String] {
        headers.filter { $0.name.canonicalName == name }.map(\.value)
    }

    /// `nil` where none, or several, bear this name.
    func cookie(_ name: String) -> String? {
        let found = all("cookie").flatMap { $0.split(separator: ";") }.compactMap {
            part -> String? in
            let pair = part.drop { $0 == " " }
            return pair.hasPrefix(name + "=") ? String(pair.dropFirst(name.utf8.count + 1)) : nil
        }
        return found.count == 1 ? found.first : nil
    }
}

/// The feed as server-sent events.
enum Events {
    /// Tells a browser that nobody hung up, and a server whether it is still there.
    static let heartbeat: Duration = .seconds(15)

    /// `nil`: too many listen.
    static func response(_ feed: Feed, _ request: Request, after last: String?) -> Response? {
        guard let reading = feed.read(after: last) else { return nil }
        var fields = HTTPFields()
        fields[.contentType] = "text/event-stream; charset=utf-8"
        fields[.cacheControl] = "no-store"
        fields[.xContentTypeOptions] = "nosniff"
        let body = request.body
        return Response(
            status: .ok, headers: fields,
            body: ResponseBody { writer in
                // Ends where the browser goes away, and where the node stops.
                try await body.consumeWithCancellationOnInboundClose { _ in
                    let lines = merge(reading, feed)
                    for await line in lines.cancelOnGracefulShutdown() {
                        try await writer.write(ByteBuffer(string: line))
                    }
                }
                try await writer.finish(nil)
            })
    }

    private static func merge(_ reading: Feed.Reading, _ feed: Feed) -> AsyncStream<String> {
        AsyncStream(bufferingPolicy: .bufferingNewest(Feed.window)) { lines in
            let first = reading.missed.map { $0.map { text($0, feed) }.joined() }
            lines.yield(
                "retry: 2000\n" + (first ?? "event: anew\nid: \(reading.last)\ndata: {}\n\n")
                    + ": \(reading.last)\n\n")
            let events = Task {
                for await event in reading.stream { lines.yield(text(event, feed)) }
                lines.finish()
            }
            let heart = Task {
                while !Task.isCancelled {
                    try? await Task.sleep(for: heartbeat)
                    lines.yield(": here\n\n")
                }
            }
            lines.onTermination = { _ in
                events.cancel()
                heart.cancel()
            }
        }
    }

    private static func text(_ event: Feed.Event, _ feed: Feed) -> String {
        "event: change\nid: \(feed.id(event.number))\ndata: \(event.json.text())\n\n"
    }
}

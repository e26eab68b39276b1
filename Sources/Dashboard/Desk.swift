import Capacity
import Contracts
import Entries
import Glibc
import HTTPTypes
import Hummingbird
import Identity
import Logs
import Market
import Mustache
import NIOCore
import NodeCore

/// The owner's pages: seven rooms, written on the server, whole without any script. A form leads to a
/// preview, the preview to a signature; both go the way of the API.
struct Desk: Sendable {
    let commands: Commands
    let repeats: Repeats
    let sessions: Sessions

    static let openPrefix = "/open/"
    /// Whatever changes a file changes its address, so a browser may keep it for ever.
    static let staticPrefix: String = {
        let all = PageFiles.all.sorted { $0.key < $1.key }.flatMap {
            Array(($0.key + $0.value).utf8)
        }
        return "/static/\(SHA256.hash(all).short)/"
    }()

    init(commands: Commands, repeats: Repeats, sessions: Sessions) {
        self.commands = commands
        self.repeats = repeats
        self.sessions = sessions
    }

    private static let library: MustacheLibrary = {
        var templates: [String: MustacheTemplate] = [:]
        for (file, text) in PageFiles.all where file.hasSuffix(".mustache") {
            // What does not parse is missing, and a test renders every one.
            templates[String(file.dropLast(9))] = try? MustacheTemplate(string: text)
        }
        return MustacheLibrary(templates: templates)
    }()

    static let rooms: [(name: String, path: String, key: String)] = [
        ("today", "/", "t"), ("market", "/market", "m"), ("capacity", "/capacity", "p"),
        ("contracts", "/contracts", "c"), ("ledger", "/ledger", "l"),
        ("partners", "/partners", "a"), ("node", "/node", "n"),
    ]

    struct Visit: Sendable {
        let session: Sessions.Session
        let language: Language
        let port: Int
        let path: String
        let query: [(String, String)]
        /// A page that is open already asks for its newest state.
        var isRefresh = false

        func value(_ name: String) -> String { query.last { $0.0 == name }?.1 ?? "" }
    }

    // MARK: - Rooms

    /// `nil`: no page stands there.
    func get(_ visit: Visit) async -> Response? {
        do {
            guard let (template, room, heading, data) = try await room(visit) else { return nil }
            return await page(visit, template, room: room, heading: heading, data)
        } catch {
            return await refused(
                visit, DoorRefusal(any: error), back: "/", again: nil, status: .notFound)
        }
    }

    private typealias Shown = (template: String, room: String, heading: String, data: JSON)

    private func room(_ visit: Visit) async throws -> Shown? {
        let parts = visit.path.split(separator: "/").map(String.init)
        let after = max(Int(visit.value("after")) ?? 0, 0)
        switch (parts.first, parts.count) {
        case (nil, _):
            return try await show(visit, "today", "today") { $0.today() }
        case ("market", 1):
            return try await show(visit, "market", "market") { rooms in
                rooms.market(Self.filter(visit))
            }
        case ("market", 2): return try await marketForm(visit, parts[1])
        case ("capacity", 1):
            return try await show(visit, "capacity", "capacity") { $0.capacity() }
        case ("contracts", 1):
            let asked = visit.value("which")
            let which = ["open", "ended", "all"].contains(asked) ? asked : "open"
            return try await show(visit, "contracts", "contracts") {
                $0.contractList(which: which, after: max(after, 0))
            }
        case ("contracts", 2):
            guard let id = ContractID(hex: parts[1]) else { return nil }
            let pictures = try await commands.pictures(of: id)
            let data: JSON? = try await rooms(visit) { rooms in
                rooms.node.contracts[id].map { rooms.contract($0, pictures: pictures) }
            }
            guard let data else { return nil }
            return ("contract", "contract", data["title"]?.string ?? "", data)
        case ("contracts", 3) where parts[2] == "code":
            return try await code(visit, contract: parts[1])
        case ("ledger", 1):
            return try await show(visit, "ledger", "ledger") { $0.ledger(after: max(after, 0)) }
        case ("partners", 1):
            return try await show(visit, "partners", "partners") { $0.partners() }
        case ("node", 1):
            let status = await commands.door.status()
            return try await show(visit, "node", "node") { $0.nodeRoom(status) }
        default: return nil
        }
    }

    /// One step as a picture; what whoever scans it will read stands beside it.
    private func code(_ visit: Visit, contract: String) async throws -> Shown {
        let (step, language) = (visit.value("step"), visit.language)
        let isRequest = visit.value("what") == "request"
        let answer = try await commands.run(
            CommandRequest(
                verb: "proof",
                options: [
                    "contract": [contract], "step": [step],
                    "what": [isRequest ? "request" : "step"],
                ])
        ).get()
        let (told, text) = (answer["told"] ?? .null, answer["text"]?.string ?? "")
        func words(_ key: String) -> String { DeskWords.all[key]?[language] ?? key }
        let asked = told["signatures"]?.array.contains { $0["part"]?.string == "asked" } == true
        let other = isRequest ? "step" : "request"
        let data: JSON = [
            "back": .string("/contracts/\(contract)#step-\(step)"), "text": .string(text),
            "qr": .string(QR(text)?.svg(says: words("code_text")) ?? ""),
            "lines": .array(ProofWords.lines(told, language).map { .string($0) }),
            "limits": .string(ProofWords.limits(told, language)),
            "other": .string(
                asked ? "/contracts/\(contract)/code?step=\(step)&what=\(other)" : ""),
            "other_text": .string(words("code_of_" + other)),
        ]
        return ("proof", "contract", words("proof_code"), data)
    }

    private func show(
        _ visit: Visit, _ template: String, _ room: String,
        _ body: @escaping @Sendable (Rooms) -> JSON
    ) async throws -> Shown {
        let data = try await rooms(visit, body)
        return (template, room, DeskWords.all[room]?[visit.language] ?? room, data)
    }

    private func rooms<T: Sendable>(
        _ visit: Visit, _ body: @escaping @Sendable (Rooms) throws -> T
    ) async throws -> T {
        let (language, now) = (visit.language, commands.clock())
        return try await commands.door.read { try body(Rooms($0, language, now: now)) }
    }

    private static func filter(_ visit: Visit) -> Rooms.MarketFilter {
        var filter = Rooms.MarketFilter()
        filter.resource = visit.value("resource")
        filter.template = visit.value("template")
        filter.units = Int64(visit.value("units"))
        filter.most = Int64(visit.value("most").split(separator: ".").first ?? "").map {
            $0.multipliedReportingOverflow(by: 100).partialValue
        }
        filter.from = CivilTime.read(visit.value("from") + "T00:00Z")?.instant
        filter.completed = Int64(visit.value("completed"))
        return filter
    }

    private func marketForm(_ visit: Visit, _ kind: String) async throws -> Shown? {
        await commands.door.refreshTemplates()
        let (offerText, templateText) = (visit.value("offer"), visit.value("template"))
        let data: JSON? = try await rooms(visit) { rooms in
            if kind == "propose", !offerText.isEmpty {
                let id = try rooms.node.offerID(offerText)
                guard let offer = rooms.node.book.offer(id),
                    let template = rooms.node.templates[offer.offer.template]
                else { return nil }
                return rooms.proposeForm(template, offer: offer)
            }
            let template = try rooms.node.template(templateText)
            switch kind {
            case "propose": return rooms.proposeForm(template, offer: nil)
            case "offer": return rooms.offerForm(template)
            default: return nil
            }
        }
        guard let data else { return nil }
        return ("form", "market", data["heading"]?.string ?? "", data)
    }

    // MARK: - Files for the owner

    /// Exports and proofs, as files.
    func file(_ visit: Visit) async -> Response? {
        let parts = visit.path.split(separator: "/").map(String.init)
        var request: CommandRequest
        let name: String
        switch (parts.first, parts.count, parts.last) {
        case ("ledger", 2, "export"):
            request = CommandRequest(
                verb: "ledger export", options: ["format": [visit.value("format")]])
            let ending = ["csv": "csv", "hledger": "journal", "beancount": "beancount"]
            name = "talea." + (ending[visit.value("format")] ?? "txt")
        case ("contracts", 3, "proof"):
            request = CommandRequest(verb: "proof export", options: ["contract": [parts[1]]])
            if !visit.value("step").isEmpty { request.options["step"] = [visit.value("step")] }
            name = "talea-\(parts[1].prefix(8)).json"
        case ("contracts", 3, "page"):
            let chosen = visit.query.filter { $0.0 == "step" }.map(\.1)
            request = CommandRequest(
                verb: "proof page",
                options: [
                    "contract": [parts[1]], "steps": [chosen.joined(separator: ",")],
                    "what": [visit.value("what") == "step" ? "step" : "request"],
                ])
            name = "talea-\(parts[1].prefix(8)).html"
        case ("contracts", 3, "paper"):
            guard let id = ContractID(hex: parts[1]),
                let html = try? await commands.paper(
                    of: id, visit.language, static: Self.staticPrefix)
            else { return nil }
            return Self.response(.ok, html, type: "text/html; charset=utf-8")
        case ("contracts", 4, _) where parts[2] == "photo":
            return await photo(parts[1], parts[3])
        default: return nil
        }
        switch await commands.run(request) {
        case .failure(let refusal):
            return await refused(visit, refusal, back: "/", again: nil)
        case .success(let value):
            let text = value["text"]?.string ?? value.text(pretty: true)
            var response = Self.response(.ok, text, type: "application/octet-stream")
            response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
            return response
        }
    }

    /// A copy of the home for the owner to keep elsewhere, streamed, and gone from here afterwards.
    func backUp(_ visit: Visit, _ form: [(String, String)]) async -> Response {
        let token = form.last { $0.0 == "form-token" }?.1 ?? ""
        if let no = await stranger(visit, token, back: "/node") { return no }
        do {
            let (path, name) = try await commands.door.backUp()
            let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            unlink(path)
            var response = Self.response(.ok, "", type: "application/octet-stream")
            response.headers[.contentDisposition] = "attachment; filename=\"\(name)\""
            response.body = ResponseBody { writer in
                defer { Glibc.close(file) }
                var block = [UInt8](repeating: 0, count: 256 << 10)
                while case let count = Glibc.read(file, &block, block.count), count > 0 {
                    try await writer.write(ByteBuffer(bytes: block[..<count]))
                }
                try await writer.finish(nil)
            }
            return response
        } catch {
            return await refused(visit, error, back: "/node", again: nil)
        }
    }

    private func photo(_ contract: String, _ hash: String) async -> Response? {
        guard let id = ContractID(hex: contract), let hash = Hash32(hex: hash),
            let held = try? await commands.door.read({ $0.contracts[id] }),
            let photo = try? await commands.photo(hash, of: held)
        else { return nil }
        var response = Self.response(.ok, "", type: photo.type)
        response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: photo.bytes))
        return response
    }

    // MARK: - Acting

    /// The answer to a form that another session made, or that a reader sends.
    private func stranger(_ visit: Visit, _ token: String, back: String) async -> Response? {
        guard DoorKey.same(token, visit.session.token) else {
            return await refused(
                visit, Self.words("form_token", "stale_form"), back: back, again: nil,
                status: .forbidden)
        }
        guard !visit.session.isReader else {
            return await refused(
                visit, Self.words("read_only", "reader"), back: back, again: nil, status: .forbidden
            )
        }
        return nil
    }

    func post(_ visit: Visit, _ form: [(String, String)]) async -> Response {
        func one(_ name: String) -> String { form.last { $0.0 == name }?.1 ?? "" }
        let back = Self.local(one("back"))
        let verb = one("verb")
        if let no = await stranger(visit, one("form-token"), back: back) { return no }
        guard await commands.knows(verb), Manual.action(of: verb) != .reads else {
            return await refused(
                visit, Self.words("verb_unknown", "lost_says"), back: back, again: nil,
                status: .notFound)
        }
        let zone = Figures(visit.language, now: commands.clock()).zone
        var request = CommandRequest(verb: verb, options: Self.options(form, zone: zone))
        let signs = Manual.action(of: verb) == .signs
        if signs, one("sign") != "yes" {
            request.dryRun = true
            switch await commands.run(request) {
            case .success(let answer): return await preview(visit, form, verb, back, answer)
            case .failure(let refusal):
                return await refused(visit, refusal, back: back, again: (verb, form))
            }
        }
        let key = one("key").isEmpty ? Entropy.bytes(16).hex : String(one("key").prefix(64))
        let done = await repeats.once(visit.session.id.hex + " " + key, request) {
            await commands.run($0)
        }
        switch done?.answer {
        case nil:
            return await refused(
                visit, Self.words("idempotency_key_reused", "stale_form"), back: back, again: nil)
        case .failure(let refusal):
            return await refused(visit, refusal, back: back, again: (verb, form))
        case .success(let answer):
            sessions.leave(
                ["tone": "good", "what": .string(signs ? "done" : "kept")], for: visit.session)
            var place = back
            if verb == "contract propose", let id = answer["id"]?.string {
                place = "/contracts/" + id
            }
            return Self.redirect(place)
        }
    }

    private static func words(_ code: String, _ key: String) -> DoorRefusal {
        let words = DeskWords.all[key] ?? Localized(en: code, zh: code)
        return DoorRefusal(code, en: words.en, zh: words.zh)
    }

    /// `o.`: as typed; `m.`: money, however people write it; `t.`: a time of this machine's zone.
    static func options(_ form: [(String, String)], zone: Int) -> [String: [String]] {
        var options: [String: [String]] = [:]
        for (name, value) in form {
            let text = String(value.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            guard name.count > 2, !text.isEmpty else { continue }
            let option = String(name.dropFirst(2))
            switch name.prefix(2) {
            case "o.": options[option, default: []].append(text)
            case "m.":
                options[option, default: []].append(
                    String(text.filter { !"¥￥, ，".contains($0) }))
            case "t.":
                let sign = zone < 0 ? "-" : "+"
                func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
                let offset = "\(sign)\(two(abs(zone) / 60)):\(two(abs(zone) % 60))"
                let isLocal = text.contains("T") && !text.hasSuffix("Z")
                options[option, default: []].append(isLocal ? text + offset : text)
            default: continue
            }
        }
        return options
    }

    private func preview(
        _ visit: Visit, _ form: [(String, String)], _ verb: String, _ back: String, _ answer: JSON
    ) async -> Response {
        let language = visit.language.rawValue
        let figures = Figures(visit.language, now: commands.clock())
        func says(_ json: JSON?) -> String { figures.local(json?[language]?.string ?? "") }
        let shown = form.filter { Self.isOption($0.0) && !$0.1.isEmpty }
        let given: [JSON] =
            (try? await rooms(visit) { rooms in
                shown.compactMap { name, value -> JSON? in
                    let option = String(name.dropFirst(2))
                    guard !Self.fixed.contains(option)
                    else { return nil }
                    return [
                        "label": .string(rooms.label(option)),
                        "value": .string(rooms.readable(value)),
                    ]
                }
            }) ?? []
        let deadlines: [JSON] = (answer["deadlines"]?.array ?? []).enumerated().map { index, one in
            let until = one["until"]?.string.flatMap { CivilTime.read($0)?.instant }
            return [
                "first": .bool(index == 0),
                "until": .string(until.map { figures.moment($0) } ?? ""),
                "otherwise": .string(says(one["otherwise"])),
            ]
        }
        let loses = (answer["may_lose"]?.fields ?? []).compactMap { field -> String? in
            guard let minor = field.value.number, let currency = try? Currency(field.name) else {
                return nil
            }
            return figures.money(Int128(minor), currency)
        }
        let data: JSON = [
            "says": .string(says(answer["says"])),
            "given": given.isEmpty ? .null : ["rows": .array(given)],
            "moves": .array(
                (answer["would_move"]?.array ?? []).map { .string(says($0["says"])) }),
            "deadlines": .array(deadlines), "worst": .string(says(answer["worst"])),
            "may_lose": .string(loses.joined(separator: " + ")),
            "verb": .string(verb), "back": .string(back), "key": .string(Entropy.bytes(16).hex),
            "hidden": .array(
                shown.map { ["name": .string($0.0), "value": .string($0.1)] }),
        ]
        return await page(
            visit, "preview", room: "preview",
            heading: DeskWords.all["check_title"]?[visit.language] ?? "", data)
    }

    /// What a form is about; the reader does not fill it in.
    static let fixed = [
        "contract", "record", "transition", "offer", "line", "template", "request", "did",
    ]

    static func isOption(_ name: String) -> Bool {
        ["o.", "m.", "t."].contains(name.prefix(2))
    }

    /// What happened, that nothing was lost, and the form once more.
    private func refused(
        _ visit: Visit, _ refusal: DoorRefusal, back: String,
        again: (verb: String, form: [(String, String)])?,
        status: HTTPResponse.Status = .unprocessableContent
    ) async -> Response {
        let (words, acts) =
            (try? await rooms(visit) { rooms in
                (
                    rooms.plain(refusal.message[visit.language]),
                    again.map { [rooms.again($0.verb, $0.form, back: back)] } ?? []
                )
            }) ?? (refusal.message[visit.language], [])
        return await page(
            visit, "refused", room: "refused",
            heading: DeskWords.all["refused_title"]?[visit.language] ?? "",
            [
                "message": .string(words), "code": .string(refusal.code), "back": .string(back),
                "acts": .array(acts),
            ], status: status)
    }

    /// A path of ours; never another site's address.
    static func local(_ path: String) -> String {
        path.hasPrefix("/") && !path.hasPrefix("//") && !path.contains("\\")
            && path.utf8.allSatisfy { $0 > 32 && $0 < 127 } ? path : "/"
    }

    // MARK: - Coming in and going out

    /// The page behind a link: it sets the cookie and goes on by itself, from our own origin.
    static func open(_ code: String, _ sessions: Sessions, port: Int, _ language: Language)
        -> Response
    {
        guard let secret = sessions.open(code) else { return alone(language, port: port) }
        var response = standing(
            language, "welcome", paragraphs: [], forward: true, command: "", status: .ok)
        response.headers[.setCookie] =
            "\(Gate.cookieName(port: port))=\(secret); Path=/; HttpOnly; SameSite=Strict"
        return response
    }

    /// For whoever came without a session.
    static func alone(_ language: Language, port: Int) -> Response {
        standing(
            language, "enter_title", paragraphs: ["enter_says"], forward: false,
            command: "talea open", status: .unauthorized, after: ["enter_why"])
    }

    func lost(_ visit: Visit) async -> Response {
        await page(
            visit, "refused", room: "refused",
            heading: DeskWords.all["lost_title"]?[visit.language] ?? "",
            [
                "message": .string(DeskWords.all["lost_says"]?[visit.language] ?? ""),
                "code": "path",
                "back": "/", "acts": [],
            ], status: .notFound)
    }

    private static func standing(
        _ language: Language, _ heading: String, paragraphs: [String], forward: Bool,
        command: String, status: HTTPResponse.Status, after: [String] = []
    ) -> Response {
        let words = (paragraphs + after).compactMap { DeskWords.all[$0]?[language] }
        return bare(
            "alone", heading, language,
            [
                "paragraphs": .array(words.map { .string($0) }), "forward": .bool(forward),
                "command": .string(command),
            ], status: status)
    }

    /// A page outside of the rooms.
    static func bare(
        _ template: String, _ heading: String, _ language: Language, _ data: JSON,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        let shell: JSON = [
            "lang": .string(tag(language)), "static": .string(staticPrefix),
            "heading": .string(DeskWords.all[heading]?[language] ?? ""),
            "w": wordsJSON[language] ?? .null,
        ]
        let html = library.render(shell.merging(data.fields).mustache, withTemplate: template)
        return response(
            html == nil ? .internalServerError : status, html ?? "",
            type: "text/html; charset=utf-8")
    }

    /// Style, script and mark; they hold no secret.
    static func asset(_ path: String) -> Response? {
        guard path.hasPrefix(staticPrefix) else { return nil }
        let name = String(path.dropFirst(staticPrefix.count))
        let types = [
            "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
            "svg": "image/svg+xml",
        ]
        guard let ending = name.split(separator: ".").last,
            let type = types[String(ending)], let text = PageFiles.all[name]
        else { return nil }
        var response = response(.ok, text, type: type)
        response.headers[.cacheControl] = "public, max-age=31536000, immutable"
        return response
    }

    // MARK: - Writing pages

    private func page(
        _ visit: Visit, _ template: String, room: String, heading: String, _ data: JSON,
        status: HTTPResponse.Status = .ok
    ) async -> Response {
        let language = visit.language
        let (me, did, waiting) =
            (try? await rooms(visit) { rooms in
                (rooms.view.name(rooms.me), rooms.me.did, rooms.waitingCount)
            }) ?? ("", "", 0)
        var notice = JSON.null
        if template != "preview", !visit.isRefresh,
            let left = sessions.takeNotice(of: visit.session)
        {
            let key = left["what"]?.string ?? ""
            notice = [
                "tone": left["tone"] ?? "good",
                "what": .string(DeskWords.all[key]?[language] ?? key), "detail": .null,
            ]
        }
        let shell: JSON = [
            "lang": .string(Self.tag(language)), "token": .string(visit.session.token),
            "static": .string(Self.staticPrefix), "heading": .string(heading),
            "room": .string(room), "me": .string(me), "did": .string(did),
            "reader": .bool(visit.session.isReader), "notice": notice,
            "other_lang": language == .en ? "zh" : "en",
            "other_lang_name": language == .en ? "中文" : "English",
            "other_lang_href": .string(
                "/language?to=\(language == .en ? "zh" : "en")&back="
                    + FormData.encode(room == "preview" || room == "refused" ? "/" : visit.path)),
            "rooms": .array(
                Self.rooms.map { one in
                    let isHere = one.name == room || (one.name == "contracts" && room == "contract")
                    return [
                        "href": .string(one.path), "key": .string(one.key),
                        "text": .string(DeskWords.all[one.name]?[language] ?? one.name),
                        "here": .bool(isHere),
                        "badge": one.name == "today" && waiting > 0 ? .number(waiting) : .null,
                    ]
                }),
            "w": Self.wordsJSON[language] ?? .null,
        ]
        let html = Self.library.render(
            shell.merging(data.fields).mustache, withTemplate: template)
        return Self.response(
            html == nil ? .internalServerError : status, html ?? "",
            type: "text/html; charset=utf-8")
    }

    private static let wordsJSON: [Language: JSON] = {
        var words: [Language: JSON] = [:]
        for language in [Language.en, .zh] {
            words[language] = .object(
                DeskWords.table.map {
                    .init($0.0, .string(language == .en ? $0.1 : $0.2))
                })
        }
        return words
    }()

    private static func tag(_ language: Language) -> String { language == .zh ? "zh-CN" : "en" }

    static func redirect(_ path: String) -> Response {
        var response = response(.seeOther, "", type: "text/plain")
        response.headers[.location] = path
        return response
    }

    /// Nothing of a page runs, loads or is shown elsewhere but what we wrote.
    static func response(_ status: HTTPResponse.Status, _ text: String, type: String) -> Response {
        var fields = HTTPFields()
        fields[.contentType] = type
        fields[.cacheControl] = "no-store"
        fields[.xContentTypeOptions] = "nosniff"
        fields[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        let others = [
            ("X-Frame-Options", "DENY"), ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        for (name, value) in others {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        return Response(
            status: status, headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// Nothing to show: no section opens on it, and no name is looked for further out.
private struct Nothing: MustacheCustomRenderable, Sendable {
    var renderText: String { "" }
    var isNull: Bool { true }
}

extension JSON {
    /// As mustache templates take it. An empty text counts as nothing.
    var mustache: Any {
        switch self {
        case .null, .string(""): Nothing()
        case .bool(let truth): truth
        case .number(let number): number
        case .string(let text): text
        case .array(let items): items.map(\.mustache)
        case .object(let fields):
            Dictionary(
                fields.map { ($0.name, $0.value.mustache) }, uniquingKeysWith: { one, _ in one })
        }
    }
}

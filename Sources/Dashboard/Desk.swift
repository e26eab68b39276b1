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
    /// The phone's door, where this one is not it.
    let phone: Phone?

    static let openPrefix = "/open/"
    /// Whatever changes a file changes its address, so a browser may keep it for ever.
    static let staticPrefix: String = {
        let all = PageFiles.all.sorted { $0.key < $1.key }.flatMap {
            Array(($0.key + $0.value).utf8)
        }
        return "/static/\(SHA256.hash(all).short)/"
    }()

    init(commands: Commands, repeats: Repeats, sessions: Sessions, phone: Phone?) {
        self.commands = commands
        self.repeats = repeats
        self.sessions = sessions
        self.phone = phone
    }

    static let library: MustacheLibrary = {
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
        /// At the phone's door.
        let isPhone: Bool
        let path: String
        let query: [(String, String)]
        /// The newest event before this page was written: it listens for all that came after.
        let seen: String
        /// A page that is open already asks for its newest state.
        var isRefresh = false

        func value(_ name: String) -> String { query.last { $0.0 == name }?.1 ?? "" }

        /// Path and query, written anew from what was read.
        var address: String {
            let pairs = query.filter { !$0.1.isEmpty }.map {
                FormData.encode($0.0) + "=" + FormData.encode($0.1)
            }
            return path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&"))
        }
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

    typealias Shown = (template: String, room: String, heading: String, data: JSON)

    func room(_ visit: Visit) async throws -> Shown? {
        let parts = visit.path.split(separator: "/").map(String.init)
        let after = max(Int(visit.value("after")) ?? 0, 0)
        switch (parts.first, parts.count) {
        case (nil, _):
            return try await show(visit, "today", "today") { $0.today() }
        case ("market", 1):
            return try await show(visit, "market", "market") { rooms in
                rooms.market(self.filter(visit))
            }
        case ("market", 2): return try await marketForm(visit, parts[1])
        case ("capacity", 1):
            return try await show(visit, "capacity", "capacity") { $0.capacity(after: after) }
        case ("contracts", 1):
            let asked = visit.value("which")
            let which = ["open", "ended", "all"].contains(asked) ? asked : "open"
            return try await show(visit, "contracts", "contracts") {
                $0.contractList(which: which, after: after)
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
            return try await show(visit, "ledger", "ledger") { $0.ledger(after: after) }
        case ("partners", 1):
            let listening = await commands.door.status().listening
            let alliance = visit.session.isReader ? nil : TopicID(hex: visit.value("invite"))
            let seed = SHA256.hash(
                Array(
                    [visit.session.token, visit.value("invite"), visit.value("one")].joined(
                        separator: " "
                    ).utf8))
            return try await show(visit, "partners", "partners") {
                $0.partners(
                    after: after, address: Commands.address(of: $0.node, listening: listening),
                    ticket: alliance.map { ($0, seed) })
            }
        case ("node", 1):
            var status = await commands.door.status()
            // What programs complained of names servers and paths, as the log does.
            if visit.session.isReader { status.untold = [] }
            let shown = status
            let lines = visit.session.isReader ? [] : commands.door.log.newestFirst
            let phone = visit.session.isReader ? nil : await phoneSection(visit.language)
            let notify =
                visit.session.isReader || visit.isPhone
                ? JSON.null : await commands.door.notifySettings()
            return try await show(visit, "node", "node") {
                $0.nodeRoom(shown, log: lines).merging([
                    .init("phone", phone ?? .null), .init("notify", $0.notifyForm(notify)),
                ])
            }
        default: return nil
        }
    }

    /// One step as a picture; what whoever scans it will read stands beside it.
    func code(_ visit: Visit, contract: String) async throws -> Shown {
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

    func show(
        _ visit: Visit, _ template: String, _ room: String,
        _ body: @escaping @Sendable (Rooms) -> JSON
    ) async throws -> Shown {
        let data = try await rooms(visit, body)
        return (template, room, DeskWords.all[room]?[visit.language] ?? room, data)
    }

    func rooms<T: Sendable>(
        _ visit: Visit, _ body: @escaping @Sendable (Rooms) throws -> T
    ) async throws -> T {
        let (language, now) = (visit.language, commands.clock())
        return try await commands.door.read { try body(Rooms($0, language, now: now)) }
    }

    func filter(_ visit: Visit) -> Rooms.MarketFilter {
        var filter = Rooms.MarketFilter()
        filter.resource = visit.value("resource")
        filter.template = visit.value("template")
        filter.place = String(visit.value("place").prefix(64))
        let figures = Figures(visit.language, now: commands.clock())
        filter.typed = Dictionary(visit.query) { _, last in last }
        filter.units = Int64(Self.sum(filter.typed["units"] ?? ""))
        filter.most = Self.minor(filter.typed["most"] ?? "")
        filter.from =
            CivilTime.read(figures.zoned((filter.typed["from"] ?? "") + "T00:00"))?.instant
        let read: [(String, Bool)] = [
            ("units", filter.units != nil), ("most", filter.most != nil),
            ("from", filter.from != nil),
        ]
        filter.unread = read.compactMap { name, isRead in
            isRead || filter.typed[name]?.isEmpty != false ? nil : filter.typed[name]
        }
        filter.completed = Int64(visit.value("completed"))
        return filter
    }

    func marketForm(_ visit: Visit, _ kind: String) async throws -> Shown? {
        await commands.door.refreshTemplates()
        let (offerText, templateText) = (visit.value("offer"), visit.value("template"))
        let wishText = visit.value("wish")
        if kind == "answer" {
            let data = try await rooms(visit) { rooms in
                try rooms.node.book.wish(rooms.node.wishID(wishText)).map(rooms.answers)
            }
            return data.map { ("answer", "market", $0["heading"]?.string ?? "", $0) }
        }
        let data: JSON? = try await rooms(visit) { rooms in
            if kind == "wish" { return rooms.wishForm() }
            if kind == "propose", !offerText.isEmpty {
                let id = try rooms.node.offerID(offerText)
                guard let offer = rooms.node.book.offer(id),
                    let template = rooms.node.templates[offer.offer.template]
                else { return nil }
                return rooms.proposeForm(template, offer: offer)
            }
            let template = try rooms.node.template(templateText)
            switch kind {
            case "propose":
                let wish =
                    wishText.isEmpty
                    ? nil : try rooms.node.book.wish(rooms.node.wishID(wishText))
                return rooms.proposeForm(template, offer: nil, wish: wish)
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
        case ("contracts", 4, _) where ["photo", "file"].contains(parts[2]):
            return await evidence(parts[1], parts[3], isShown: parts[2] == "photo")
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
            let door = commands.door
            let (path, copy) = try await door.backUp()
            let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            unlink(path)
            var about = stat()
            guard file >= 0, fstat(file, &about) == 0 else {
                throw DoorRefusal(
                    "backup_failed", en: "the copy cannot be read", zh: "副本无法读取")
            }
            let size = Int(about.st_size)
            var response = Self.response(.ok, "", type: "application/octet-stream")
            response.headers[.contentDisposition] = "attachment; filename=\"\(copy.file)\""
            response.body = ResponseBody(contentLength: size) { writer in
                defer { Glibc.close(file) }
                var block = [UInt8](repeating: 0, count: 256 << 10)
                var left = size
                while left > 0 {
                    let count = Glibc.read(file, &block, block.count)
                    // What breaks off must not look whole.
                    guard count > 0 else { throw IOError(errnoCode: errno, reason: "read") }
                    left -= count
                    try await writer.write(ByteBuffer(bytes: block[..<count]))
                }
                try await writer.finish(nil)
                // Only now: a copy that broke off must not pass for a backup.
                await door.keep(copy)
            }
            return response
        } catch {
            return await refused(visit, DoorRefusal(any: error), back: "/node", again: nil)
        }
    }

    /// A file that a step names. Only pictures are shown; what else a partner sent is kept out of our pages.
    func evidence(_ contract: String, _ hash: String, isShown: Bool) async -> Response? {
        guard let id = ContractID(hex: contract), let hash = Hash32(hex: hash),
            let held = try? await commands.door.read({ $0.contracts[id] }),
            let bytes = try? await commands.file(hash, of: held)
        else { return nil }
        let photo = ProofPage.Photo(bytes)
        guard !isShown || photo != nil else { return nil }
        var response = Self.response(
            .ok, "", type: isShown ? photo?.type ?? "" : "application/octet-stream")
        response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        if !isShown {
            response.headers[.contentDisposition] =
                "attachment; filename=\"talea-\(hash.short)\""
        }
        return response
    }
}

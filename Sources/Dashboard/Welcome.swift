import Contracts
public import Entries
import HTTPTypes
import Hummingbird
public import Identity
import Synchronization

/// The first start: pages that make a home where none is, and then go on as the pages of its node, at the same
/// port and in the same browser session.
///
///     form ──▶ recovery code shown ──▶ two of its groups asked back ──▶ home made ──▶ node
///     home there ──▶ its passphrase asked ──▶ node
///
/// Nothing is on the disk before the code was asked back: whoever closes the page has made nothing. What was
/// typed stays in this process's memory and stands in no address, log or argument.
public final class Welcome: Sendable {
    /// What the owner chose.
    public struct Beginning: Sendable {
        public let name: String
        public let role: String
        public let place: String
        /// To the alliance to join; `nil` founds one called `alliance`.
        public let invitation: Invitation?
        public let alliance: String
        /// `nil`: knowingly none.
        public let passphrase: String?
        public let code: RecoveryCode
    }

    /// Characters. Whoever copies the key file may try as many as a computer can.
    static let passphraseMin = 8

    private enum Stage {
        case asking
        /// The home is there, and its key under a passphrase.
        case locked
        /// With the two groups of the code that are asked back, from 0.
        case showing(Beginning, asked: [Int])
        case made
    }

    private let stage: Mutex<Stage>
    private let gate = Mutex<Gate?>(nil)
    private let port = Mutex(0)
    private let sessions = Sessions()
    private let scan: Scan?
    private let make: @Sendable (Beginning) throws -> Void
    private let opens: @Sendable (String) -> Bool
    private let told: AsyncStream<String?>.Continuation
    /// Once, when the node can start: the passphrase of its home, if it has one.
    public let passphrases: AsyncStream<String?>

    /// Where no home is: `make` makes it, or throws a `DoorRefusal`.
    public init(scan: Scan? = nil, make: @escaping @Sendable (Beginning) throws -> Void) {
        self.scan = scan
        self.make = make
        opens = { _ in false }
        stage = Mutex(.asking)
        (passphrases, told) = AsyncStream.makeStream()
    }

    /// Where the home is there and its node asleep. `opens` tries a passphrase; `nil`: none is needed.
    public init(scan: Scan? = nil, opens: (@Sendable (String) -> Bool)?) {
        self.scan = scan
        make = { _ in }
        self.opens = opens ?? { _ in false }
        stage = Mutex(opens == nil ? .made : .locked)
        (passphrases, told) = AsyncStream.makeStream()
        if opens == nil { ready(nil) }
    }

    private func ready(_ passphrase: String?) {
        told.yield(passphrase)
        told.finish()
    }

    /// Serves until cancelled; `onRunning` gets the link that opens the first page, once.
    public func run(port: Int, onRunning: @escaping @Sendable (String) async -> Void) async throws {
        // Whoever waits for a beginning that cannot come any more is told.
        defer { told.finish() }
        try await DoorServer.serve(Answering(welcome: self), port: port, logger: DoorServer.quiet) {
            port in
            self.port.withLock { $0 = port }
            let code = self.sessions.makeLink(isReader: false)
            await onRunning("http://127.0.0.1:\(port)\(Desk.openPrefix)\(code)")
        }
    }

    /// From now on the node answers here. Returns the port.
    public func hand(over door: any NodeDoor, token: String, reader: String?) -> Int {
        let port = port.withLock { $0 }
        let next = Gate(
            commands: Commands(door: door), token: token, reader: reader, scan: scan,
            sessions: sessions)
        next.site.withLock { $0 = .loopback(port) }
        gate.withLock { $0 = next }
        return port
    }

    // MARK: - Answers

    fileprivate func respond(to request: Request, context: DoorContext) async throws
        -> Response
    {
        if let gate = gate.withLock({ $0 }) {
            return try await gate.respond(to: request, context: context)
        }
        let site = Site.loopback(port.withLock { $0 })
        let language = Gate.language(of: request, site)
        if let wrong = Gate.wrong(request, site) {
            return Problem.response(.forbidden, wrong, language)
        }
        let (path, query) = Gate.split(request.head.path ?? "")
        if request.method == .get {
            if let asset = Desk.asset(path) { return asset }
            if path.hasPrefix(Desk.openPrefix) {
                return Desk.open(
                    String(path.dropFirst(Desk.openPrefix.count)), sessions, site, language,
                    from: context.port)
            }
        }
        guard let session = Gate.session(request, sessions, site) else {
            return Desk.alone(language, site)
        }
        let page = Sheet(language: language, token: session.token)
        switch request.method {
        case .get where path == "/language":
            return Gate.choose(FormData.read(query) ?? [], site)
        case .get: return shown(page, path)
        case .post where path == Scan.path:
            guard let scan else { return Problem.response(.notFound, "path", language) }
            return await scan.respond(to: request, token: session.token, language)
        case .post:
            // A form of ours comes from our own origin and carries its session's token.
            guard !request.all("origin").isEmpty else {
                return Problem.response(.forbidden, "origin", language)
            }
            switch await Gate.form(request) {
            case .failure(let wrong): return Problem.response(wrong.status, wrong.code, language)
            case .success(let form):
                let form = Form(form)
                guard DoorKey.same(form["form-token"], session.token) else {
                    return Problem.response(.forbidden, "form_token", language)
                }
                return switch path {
                case "/check": check(page, form)
                case "/unlock": unlock(page, form)
                default: begin(page, form)
                }
            }
        default: return Problem.response(.methodNotAllowed, "method", language)
        }
    }

    private func shown(_ page: Sheet, _ path: String) -> Response {
        switch (stage.withLock { $0 }, path) {
        case (.made, _): page.starting()
        case (.locked, "/"): page.unlock(wrong: false)
        case (.showing(let beginning, _), "/code"): page.code(beginning)
        case (.showing(_, let asked), "/check"): page.check(asked, wrong: false)
        case (_, "/"): page.form(Form([]), refusal: nil)
        default: Desk.redirect("/")
        }
    }

    private func begin(_ page: Sheet, _ form: Form) -> Response {
        let beginning: Beginning
        do { beginning = try form.beginning() } catch {
            return page.form(form, refusal: error.message[page.language])
        }
        let first = Int(Entropy.bytes(1)[0]) % 8
        let asked = [first, first + 1 + Int(Entropy.bytes(1)[0]) % (8 - first)]
        return stage.withLock { stage in
            switch stage {
            case .made, .locked: return Desk.redirect("/")
            case .asking, .showing: break
            }
            stage = .showing(beginning, asked: asked)
            return Desk.redirect("/code")
        }
    }

    private func unlock(_ page: Sheet, _ form: Form) -> Response {
        stage.withLock { stage in
            guard case .locked = stage else { return Desk.redirect("/") }
            guard opens(form["passphrase"]) else { return page.unlock(wrong: true) }
            stage = .made
            ready(form["passphrase"])
            return page.starting()
        }
    }

    private func check(_ page: Sheet, _ form: Form) -> Response {
        stage.withLock { stage in
            guard case .showing(let beginning, let asked) = stage else { return Desk.redirect("/") }
            let groups = beginning.code.groups
            let typed = ["first", "second"].map { RecoveryCode.canonical(form[$0]) }
            guard typed == asked.map({ groups[$0] }) else { return page.check(asked, wrong: true) }
            do { try make(beginning) } catch {
                let refusal = error as? DoorRefusal ?? DoorRefusal(any: error)
                return page.form(Form(beginning), refusal: refusal.message[page.language])
            }
            stage = .made
            ready(beginning.passphrase)
            return page.starting()
        }
    }
}

private struct Answering: HTTPResponder {
    let welcome: Welcome

    func respond(to request: Request, context: DoorContext) async throws -> Response {
        try await welcome.respond(to: request, context: context)
    }
}

// MARK: - What was typed

private struct Form {
    private let pairs: [(String, String)]

    init(_ pairs: [(String, String)]) { self.pairs = pairs }

    /// As it was typed, but for the passphrase.
    init(_ beginning: Welcome.Beginning) {
        pairs = [
            ("name", beginning.name), ("role", beginning.role), ("place", beginning.place),
            ("alliance", beginning.alliance),
            ("way", beginning.invitation == nil ? "found" : "join"),
            ("invitation", beginning.invitation?.code ?? ""),
        ]
    }

    subscript(_ name: String) -> String { pairs.last { $0.0 == name }?.1 ?? "" }

    private func plain(_ name: String) -> String {
        String(self[name].split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }

    func beginning() throws(DoorRefusal) -> Welcome.Beginning {
        let (name, alliance) = (plain("name"), plain("alliance"))
        let joins = self["way"] == "join"
        for text in joins ? [name] : [name, alliance] where !(1...64).contains(text.utf8.count) {
            throw DoorRefusal(
                "name_length", en: "A name has 1 to 64 bytes: up to 21 Chinese characters.",
                zh: "名称应为 1 至 64 字节，即至多 21 个汉字。")
        }
        guard name.isLegible, joins || alliance.isLegible else {
            throw DoorRefusal(
                "name_illegible", en: "A name has visible letters alone, and turns no line.",
                zh: "名称只能由可见文字组成，不能改变书写方向。")
        }
        guard plain("role").utf8.count <= 64 else {
            throw DoorRefusal(
                "role_length", en: "What you do has at most 64 bytes.", zh: "所做之事至多 64 字节。")
        }
        guard plain("place").utf8.count <= 64 else {
            throw DoorRefusal(
                "place_length", en: "The place has at most 64 bytes.", zh: "地点至多 64 字节。")
        }
        var invitation: Invitation?
        if joins {
            guard let read = Invitation(code: self["invitation"]) else {
                throw DoorRefusal(
                    "invitation_unreadable",
                    en:
                        "The invitation is not whole: it begins with talea-invite: and has no gap. Paste it again.",
                    zh: "邀请码不完整：应以 talea-invite: 开头且无缺漏。请重新粘贴。")
            }
            invitation = read
        }
        let isNone = self["none"] == "yes"
        guard isNone || !self["passphrase"].isEmpty else {
            throw DoorRefusal(
                "passphrase_empty", en: "Choose a passphrase, or tick that you want none.",
                zh: "请设置口令，或勾选不设口令。")
        }
        guard isNone || self["passphrase"].count >= Welcome.passphraseMin else {
            throw DoorRefusal(
                "passphrase_short",
                en:
                    "A passphrase has at least \(Welcome.passphraseMin) letters; several words are best.",
                zh: "口令至少 \(Welcome.passphraseMin) 个字符，最好由几个词组成。")
        }
        guard isNone || self["passphrase"] == self["again"] else {
            throw DoorRefusal(
                "passphrase_differs", en: "The two passphrases differ. Type both again.",
                zh: "两次口令不同，请重新输入。")
        }
        guard let code = RecoveryCode(entropy: Entropy.bytes(RecoveryCode.entropyBytes)) else {
            throw DoorRefusal("failed", en: "No recovery code could be made.", zh: "无法生成恢复码。")
        }
        return Welcome.Beginning(
            name: name, role: plain("role"), place: plain("place"), invitation: invitation,
            alliance: alliance, passphrase: isNone ? nil : self["passphrase"], code: code)
    }
}

extension RecoveryCode {
    fileprivate var groups: [String] { text.split(separator: "-").map(String.init) }
}

// MARK: - Pages

private struct Sheet {
    let language: Language
    let token: String

    private func show(
        _ stage: String, _ heading: String, _ data: JSON, status: HTTPResponse.Status = .ok
    ) -> Response {
        let (other, name) = language == .en ? ("zh", "中文") : ("en", "English")
        return Desk.bare(
            "welcome", heading, language,
            data.merging([
                .init(stage, .bool(true)), .init("token", .string(token)),
                .init("other_lang", .string(other)), .init("other_lang_name", .string(name)),
                .init("refresh", .bool(stage == "starting")),
            ]), status: status)
    }

    /// Secrets are never written back into a page.
    func form(_ form: Form, refusal: String?) -> Response {
        show(
            "asking", "first_heading",
            [
                "refusal": .string(refusal ?? ""), "name": .string(form["name"]),
                "role": .string(form["role"]), "place": .string(form["place"]),
                "alliance": .string(form["alliance"]),
                "invitation": .string(form["invitation"]),
                "joins": .bool(form["way"] == "join"), "none": .bool(form["none"] == "yes"),
            ], status: refusal == nil ? .ok : .unprocessableContent)
    }

    func code(_ beginning: Welcome.Beginning) -> Response {
        show("showing", "first_code", ["code": .string(beginning.code.text)])
    }

    func check(_ asked: [Int], wrong: Bool) -> Response {
        show(
            "checking", "first_check",
            [
                "wrong": .bool(wrong), "first": .number(asked[0] + 1),
                "second": .number(asked[1] + 1),
            ], status: wrong ? .unprocessableContent : .ok)
    }

    func unlock(wrong: Bool) -> Response {
        show(
            "locked", "first_locked", ["wrong": .bool(wrong)],
            status: wrong ? .unprocessableContent : .ok)
    }

    func starting() -> Response { show("starting", "first_starting", [:]) }
}

import Capacity
import Contracts
import HTTPTypes
import Hummingbird
import Identity
import Mustache
import NIOCore
import NodeCore

extension Desk {
    // MARK: - Coming in and going out

    /// The page behind a link: it sets the cookie and goes on by itself, from our own origin. Another user's
    /// program, at `port` of this machine, finds it closed, and it stays good for the owner.
    static func open(
        _ code: String, _ sessions: Sessions, _ site: Site, _ language: Language, from port: Int?
    ) -> Response {
        guard site.isPhone || Neighbour.isOurs(at: port, of: site.port),
            let secret = sessions.open(code)
        else { return alone(language, site) }
        var response = standing(
            language, "welcome", paragraphs: [], forward: true, command: "", status: .ok)
        response.headers[.setCookie] =
            "\(site.sessionCookie)=\(secret); \(site.cookieRules)"
        return response
    }

    /// For whoever came without a session.
    static func alone(_ language: Language, _ site: Site, unsigned: Bool = false) -> Response {
        standing(
            language, "enter_title",
            paragraphs: (unsigned ? ["enter_unsigned"] : [])
                + [site.isPhone ? "enter_phone" : "enter_says"],
            forward: false, command: site.isPhone ? "talea open --phone" : "talea open",
            status: .unauthorized, after: ["enter_why"])
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

    static func standing(
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

    func page(
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
            "room": .string(room), "seen": .string(visit.seen), "me": .string(me),
            "did": .string(did),
            "reader": .bool(visit.session.isReader), "away": .bool(visit.isPhone),
            "notice": notice,
            "other_lang": language == .en ? "zh" : "en",
            "other_lang_name": language == .en ? "中文" : "English",
            "other_lang_href": .string(
                "/language?to=\(language == .en ? "zh" : "en")&back="
                    + FormData.encode(
                        ["preview", "refused"].contains(room)
                            ? "/" : visit.path == "/phone" ? "/node" : visit.address)),
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

    static let wordsJSON: [Language: JSON] = {
        var words: [Language: JSON] = [:]
        for language in [Language.en, .zh] {
            words[language] = .object(
                DeskWords.table.map {
                    .init($0.0, .string(language == .en ? $0.1 : $0.2))
                })
        }
        return words
    }()

    static func tag(_ language: Language) -> String { language == .zh ? "zh-CN" : "en" }

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
        case .string(let text): text.parted
        case .array(let items): items.map(\.mustache)
        case .object(let fields):
            Dictionary(
                fields.map { ($0.name, $0.value.mustache) }, uniquingKeysWith: { one, _ in one })
        }
    }
}

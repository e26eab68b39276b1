import Contracts
import HTTPTypes
import Hummingbird
import NIOCore

/// The verbs over HTTP: `GET` for those that look, `POST` for those that act.
///
///     GET  /api/v1/offer/list?resource=print&limit=50
///     POST /api/v1/line/declare   {"resource":"print","total":300,…,"dry_run":true}
///
/// Options are those of the command line, `-` or `_` between words. Answers are what `--json` prints;
/// refusals are problems (RFC 9457) with the code, the field and the words in both languages.
struct API: Sendable {
    let commands: Commands
    let repeats: Repeats

    static let prefix = "/api/v1/"
    static let keyBytesMax = 128

    /// The verb of a path: one or two words.
    static func verb(_ path: Substring) -> String? {
        let words = path.split(separator: "/", omittingEmptySubsequences: false)
        let lawful = words.allSatisfy { word in
            (1...64).contains(word.utf8.count)
                && word.utf8.allSatisfy {
                    (97...122).contains($0) || (48...57).contains($0) || $0 == 45
                }
        }
        return lawful && words.count <= 2 ? words.joined(separator: " ") : nil
    }

    /// Any `GET` that looks.
    func look(_ verb: String, _ query: [(String, String)], _ language: Language) async -> Response {
        var options: [String: [String]] = [:]
        for (name, value) in query { options[name, default: []].append(value) }
        if Manual.paged.contains(verb), options["limit"] == nil {
            options["limit"] = ["\(Page.limitDefault)"]
        }
        return Self.response(
            await commands.run(CommandRequest(verb: verb, options: options)), language)
    }

    /// A `POST`. With a key, the same request again gets the same answer.
    func act(
        _ verb: String, _ body: JSON, key: String?, scope: String, _ language: Language
    ) async -> Response {
        guard let request = Self.request(verb, body) else {
            return Problem.response(.badRequest, "body", language)
        }
        guard let key else { return Self.response(await commands.run(request), language) }
        guard !key.isEmpty, key.utf8.count <= Self.keyBytesMax,
            key.utf8.allSatisfy({ (33...126).contains($0) })
        else { return Problem.response(.badRequest, "idempotency_key", language) }
        guard
            let (answer, isRepeat) = await repeats.once(
                scope + " " + key, request, { await commands.run($0) })
        else { return Problem.response(.conflict, "idempotency_key_reused", language) }
        var response = Self.response(answer, language)
        if isRepeat, let name = HTTPField.Name("Idempotency-Replayed") {
            response.headers[name] = "true"
        }
        return response
    }

    /// `{"option": "text" | number | true | [ … ], "dry_run": true, "basis": "…"}`
    static func request(_ verb: String, _ body: JSON) -> CommandRequest? {
        guard case .object(let fields) = body else { return nil }
        var request = CommandRequest(verb: verb)
        for field in fields {
            if field.name == "dry_run" {
                guard let truth = field.value.bool else { return nil }
                request.dryRun = truth
                continue
            }
            if field.name == "basis" {
                guard let text = field.value.string else { return nil }
                request.basis = text
                continue
            }
            switch field.value {
            case .null, .bool(false): continue
            case .bool(true): request.options[field.name] = []
            case .array(let items):
                let texts = items.compactMap(text)
                guard texts.count == items.count else { return nil }
                request.options[field.name] = texts
            default:
                guard let text = text(field.value) else { return nil }
                request.options[field.name] = [text]
            }
        }
        return request
    }

    private static func text(_ value: JSON) -> String? {
        value.string ?? value.number.map { "\($0)" }
    }

    static func response(_ answer: Result<JSON, DoorRefusal>, _ language: Language) -> Response {
        switch answer {
        case .success(let value): .json(.ok, value)
        case .failure(let refusal): Problem.response(refusal, language)
        }
    }
}

/// What went wrong, as RFC 9457 has it. `code` never changes; `detail` is for people.
enum Problem {
    static func response(_ refusal: DoorRefusal, _ language: Language) -> Response {
        let status: HTTPResponse.Status =
            switch refusal.code {
            case "verb_unknown": .notFound
            case "failed": .internalServerError
            default: .unprocessableContent
            }
        return response(status, refusal, language)
    }

    /// A request that came in no lawful form; `code` says in which respect.
    static func response(
        _ status: HTTPResponse.Status, _ code: String, _ language: Language
    ) -> Response {
        let words = words[code] ?? Localized(en: code, zh: code)
        return response(status, DoorRefusal(code, en: words.en, zh: words.zh), language)
    }

    private static func response(
        _ status: HTTPResponse.Status, _ refusal: DoorRefusal, _ language: Language
    ) -> Response {
        let json: JSON = [
            "type": .string("urn:talea:problem:\(refusal.code)"),
            "title": .string(status.reasonPhrase), "status": .number(Int64(status.code)),
            "detail": .string(refusal.message[language]), "code": .string(refusal.code),
            "field": .string(refusal.field), "value": .string(refusal.value),
            "message": refusal.message.json,
        ]
        var response = Response.json(status, json)
        response.headers[.contentType] = "application/problem+json"
        return response
    }

    static let words: [String: Localized] = [
        "host": Localized(
            en: "the Host is not this node's own address", zh: "Host 不是本节点的地址"),
        "origin": Localized(
            en: "the request comes from another page", zh: "请求来自其他页面"),
        "token": Localized(
            en: "no valid token or session; see: talea open", zh: "没有有效的令牌或会话；请用 talea open"),
        "form_token": Localized(
            en: "the form's token is missing or of another session; load the page again",
            zh: "表单令牌缺失或属于其他会话；请重新载入页面"),
        "at_the_computer": Localized(
            en: "done at the computer that runs the node, not from a phone",
            zh: "须在运行节点的电脑上进行，不能用手机"),
        "read_only": Localized(
            en: "this token or session may look and do nothing", zh: "此令牌或会话只能查看"),
        "path": Localized(en: "there is nothing at this path", zh: "此路径没有内容"),
        "method": Localized(
            en: "this path takes another method", zh: "此路径应使用其他方法"),
        "content_type": Localized(
            en: "wanted Content-Type: application/json", zh: "应为 Content-Type: application/json"),
        "body": Localized(
            en:
                "wanted one JSON object whose values are texts, whole numbers, true, or lists of these",
            zh: "应为一个 JSON 对象，其值为文字、整数、true 或它们的列表"),
        "body_size": Localized(
            en: "the body is longer than \(DoorServer.bodyBytesMax) bytes",
            zh: "正文超过 \(DoorServer.bodyBytesMax) 字节"),
        "query": Localized(en: "the query is no list of options", zh: "查询不是选项列表"),
        "idempotency_key": Localized(
            en: "wanted an Idempotency-Key of 1 to \(API.keyBytesMax) visible letters",
            zh: "Idempotency-Key 应为 1 至 \(API.keyBytesMax) 个可见字符"),
        "idempotency_key_reused": Localized(
            en: "this Idempotency-Key stood for another request; take a new one",
            zh: "此 Idempotency-Key 已用于另一请求；请换新的"),
        "measures": Localized(en: "the node is stopping", zh: "节点正在停止"),
        "readers": Localized(
            en: "too many read the events at once", zh: "同时读取事件者过多"),
        "picture_type": Localized(
            en: "wanted a JPEG, PNG, GIF or WebP", zh: "应为 JPEG、PNG、GIF 或 WebP 图片"),
        "picture_size": Localized(
            en: "the picture is larger than \(Scan.bytesMax >> 20) MiB",
            zh: "图片大于 \(Scan.bytesMax >> 20) MiB"),
        "picture_busy": Localized(
            en: "another picture is being read; send it again", zh: "正在读取另一张图片；请重新发送"),
        "code_unseen": Localized(
            en: "no code is seen in it; come closer, and let light fall on it",
            zh: "其中未见二维码；请靠近一些，并让光线充足"),
    ]
}

extension Response {
    static func json(_ status: HTTPResponse.Status, _ json: JSON) -> Response {
        var fields = HTTPFields()
        fields[.contentType] = "application/json; charset=utf-8"
        fields[.cacheControl] = "no-store"
        fields[.xContentTypeOptions] = "nosniff"
        return Response(
            status: status, headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes())))
    }
}

/// `a=1&b=%20` of a query or a form; `nil` where it is not well formed.
enum FormData {
    static func read(_ text: some StringProtocol) -> [(String, String)]? {
        guard !text.isEmpty else { return [] }
        var pairs: [(String, String)] = []
        for part in text.split(separator: "&", omittingEmptySubsequences: true) {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(halves[0]),
                let value = decode(halves.count > 1 ? halves[1] : ""),
                !name.isEmpty
            else { return nil }
            pairs.append((name, value))
        }
        return pairs
    }

    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(32)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit),
                    let low = rest.popFirst().flatMap(digit)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static func encode(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126:
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                out += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return out
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }
}

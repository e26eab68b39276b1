import Capacity
import Contracts
import Dashboard
import Entries
import Identity

/// What an exported proof is worth, found out offline: no home, no node, no network.
struct Verify {
    struct Check: Hashable {
        let passed: Bool
        let what: Localized
    }

    private(set) var checks: [Check] = []
    private(set) var entry: Entry?
    private(set) var step: Entries.Step?
    private(set) var signer: PublicKey?

    var passed: Bool { !checks.isEmpty && checks.allSatisfy(\.passed) }

    /// `nil`: the bytes have not the shape of a proof, so there is nothing to check.
    init?(_ bytes: [UInt8]) {
        guard bytes.count <= 1 << 20, let shape = Shape(bytes) else { return nil }
        Sodium.start() ? run(shape) : fail("libsodium does not start", "libsodium 无法启动")
    }

    private mutating func pass(_ en: String, _ zh: String) {
        checks.append(Check(passed: true, what: Localized(en: en, zh: zh)))
    }

    private mutating func fail(_ en: String, _ zh: String) {
        checks.append(Check(passed: false, what: Localized(en: en, zh: zh)))
    }

    /// Everything a proof holds, and nothing else.
    private struct Shape {
        let payload: [UInt8], type: String, keyid: String, sig: [UInt8], body: [UInt8]
        let bodyKey: [UInt8]?

        init?(_ bytes: [UInt8]) {
            guard let json = try? JSON(reading: bytes),
                Self.has(json, ["envelope", "body", "body_key"]),
                let envelope = json["envelope"],
                Self.has(envelope, ["payload", "payloadType", "signatures"]),
                let signatures = envelope["signatures"]?.array, signatures.count == 1,
                let signature = signatures.first, Self.has(signature, ["keyid", "sig"]),
                let payload = envelope["payload"]?.base64,
                let type = envelope["payloadType"]?.string, let keyid = signature["keyid"]?.string,
                let sig = signature["sig"]?.base64, let body = json["body"]?.base64
            else { return nil }
            (self.payload, self.type, self.keyid, self.sig, self.body) = (
                payload, type, keyid, sig, body
            )
            if let key = json["body_key"], key != .null {
                guard let bytes = key.base64 else { return nil }
                bodyKey = bytes
            } else {
                bodyKey = nil
            }
        }

        static func has(_ json: JSON, _ names: Set<String>) -> Bool {
            guard case .object(let fields) = json else { return false }
            return fields.allSatisfy { names.contains($0.name) }
        }
    }

    private mutating func run(_ shape: Shape) {
        pass("the file has the shape of a proof", "文件具有证明的格式")
        guard shape.type == DSSE.payloadType else {
            return fail(
                "the payload type is “\(shape.type)”, not \(DSSE.payloadType)",
                "载荷类型为“\(shape.type)”，而非 \(DSSE.payloadType)")
        }
        pass("the payload type is \(shape.type)", "载荷类型为 \(shape.type)")
        guard let signature = Signature(shape.sig) else {
            return fail("the signature is not 64 bytes long", "签名不是 64 字节")
        }
        let entry: Entry
        do {
            entry = try Entry(headerBytes: shape.payload, signature: signature, body: shape.body)
        } catch {
            let put = DoorRefusal(error).message
            return fail(
                "header and body do not hold together: \(put.en)", "条目头与正文不一致：\(put.zh)")
        }
        pass(
            "the header is strictly well-formed; size and SHA-256 of the body are as signed",
            "条目头严格合规；正文大小与 SHA-256 和签名一致")
        guard let key = PublicKey(did: shape.keyid), key.did == shape.keyid, key.isPrimeOrder else {
            return fail(
                "the keyid “\(shape.keyid)” is no did:key of a valid Ed25519 key",
                "keyid“\(shape.keyid)”不是有效 Ed25519 密钥的 did:key")
        }
        do {
            _ = try ValidEntry(entry, by: key, checker: SignatureChecker())
        } catch {
            return fail(
                "the Ed25519 signature does not verify with \(shape.keyid)",
                "以 \(shape.keyid) 验证 Ed25519 签名不通过")
        }
        pass(
            "the Ed25519 signature over the DSSE encoding verifies with \(shape.keyid)",
            "以 \(shape.keyid) 验证 DSSE 编码上的 Ed25519 签名通过")
        self.entry = entry
        signer = key
        open(entry, shape)
    }

    private mutating func open(_ entry: Entry, _ shape: Shape) {
        guard entry.kind == .step, let place = entry.header.log else {
            guard shape.bodyKey == nil else {
                return fail("a body key for a body that is not private", "正文并非私密，却给了密钥")
            }
            return pass(
                "the body is public; its kind (\(entry.header.kind)) is no contract step",
                "正文公开；类型（\(entry.header.kind)）不是合同步骤")
        }
        guard let bodyKey = shape.bodyKey, bodyKey.count == 32 else {
            return fail("the key of the private body is missing", "缺少私密正文的密钥")
        }
        do {
            let plain = try PrivateBody.open(
                shape.body, key: bodyKey, author: entry.header.author, place: place)
            pass(
                "the body commits to this key and opens with it", "正文承诺了此密钥，并由其打开")
            let step = try Entries.Step(strict: plain)
            pass("the opened step is strictly well-formed", "打开的步骤严格合规")
            self.step = step
        } catch {
            let put = DoorRefusal(error).message
            fail("the body does not open: \(put.en)", "正文打不开：\(put.zh)")
        }
    }

    // MARK: - In words

    /// The act: the sequencer's own, or the embedded request's.
    var act: SignedAct? {
        guard let step else { return nil }
        return step.act ?? (try? step.request?.read(Request.self))?.act
    }

    func text(_ language: Language) -> String {
        var lines: [String] = []
        let phrases = Phrases(language)
        func say(_ en: String, _ zh: String) { lines.append(language == .en ? en : zh) }
        if let entry, let signer {
            let header = entry.header
            say("Signed by  \(header.author.did)", "签署者    \(header.author.did)")
            if signer.did != header.author.did {
                say("  with key \(signer.did)", "  所用密钥 \(signer.did)")
            }
            let time = phrases.sentence(header.time.iso)
            say("When       \(time) (the signer's clock)", "时间      \(time)（签署者时钟）")
            if let place = header.log {
                say(
                    "Where      contract log \(place.log.hex), step \(place.sequence)",
                    "位置      合同日志 \(place.log.hex)，第 \(place.sequence) 步")
            }
        }
        if let act {
            let move = ProofWords.act(act.transition, language)
            say("What       \(move) on record \(act.record)", "内容      \(move)，记录 \(act.record)")
            for argument in act.arguments {
                lines.append(
                    "             \(phrases.field(argument.name)) = "
                        + phrases.sentence(argument.value.digits))
            }
        }
        if let request = step?.request {
            say("Asked by   \(request.header.author.did)", "请求方    \(request.header.author.did)")
        }
        for check in checks {
            lines.append((check.passed ? "✓ " : "✗ ") + check.what[language])
        }
        for note in unchecked { lines.append("– " + note[language]) }
        say(
            passed ? "VALID: every check passed." : "NOT VALID: a check failed.",
            passed ? "有效：各项检查通过。" : "无效：有检查未通过。")
        return lines.joined(separator: "\n")
    }

    /// What this file alone cannot tell.
    var unchecked: [Localized] {
        guard passed, let entry, let signer else { return [] }
        var notes: [Localized] = []
        if signer.did == entry.header.author.did {
            notes.append(
                Localized(
                    en:
                        "not checked: whether this first key of the signer was still in force (needs its key log)",
                    zh: "未检查：签署者的首个密钥当时是否仍有效（需其密钥日志）"))
        } else {
            notes.append(
                Localized(
                    en: "not checked: whether this key belongs to the signer (needs its key log)",
                    zh: "未检查：此密钥是否属于签署者（需其密钥日志）"))
        }
        if let request = step?.request {
            let author = PublicKey(request.header.author)
            if (try? ValidEntry(request, by: author, checker: SignatureChecker())) != nil {
                notes.append(
                    Localized(
                        en:
                            "the request inside is signed by the first key of \(request.header.author.did)",
                        zh: "其中的请求由 \(request.header.author.did) 的首个密钥签署"))
            } else {
                notes.append(
                    Localized(
                        en:
                            "not checked: the request inside is not signed by its author's first key",
                        zh: "未检查：其中的请求不是由其作者的首个密钥签署"))
            }
        }
        notes.append(
            Localized(
                en:
                    "not checked: whether the step had effect in its contract (needs the whole contract log)",
                zh: "未检查：此步骤在合同中是否生效（需完整的合同日志）"))
        return notes
    }

    func json() -> JSON {
        var fields: [JSON.Field] = [.init("valid", .bool(passed))]
        func add(_ name: String, _ text: String?) {
            fields.append(.init(name, text.map { .string($0) } ?? .null))
        }
        add("signer", entry?.header.author.did)
        add("keyid", signer?.did)
        add("time", entry.map { "\($0.header.time)" })
        add("entry", entry?.id.hex)
        add("log", entry?.header.log?.log.hex)
        fields.append(
            .init("sequence", entry?.header.log.map { .number($0.sequence) } ?? .null))
        add("transition", act?.transition)
        fields.append(.init("record", act.map { .number($0.record) } ?? .null))
        fields.append(
            .init(
                "arguments",
                .object((act?.arguments ?? []).map { .init($0.name, .string($0.value.digits)) })
            ))
        add("requested_by", step?.request?.header.author.did)
        fields.append(
            .init(
                "checks",
                .array(
                    checks.map {
                        [
                            "passed": .bool($0.passed), "en": .string($0.what.en),
                            "zh": .string($0.what.zh),
                        ]
                    })))
        fields.append(
            .init(
                "not_checked",
                .array(unchecked.map { ["en": .string($0.en), "zh": .string($0.zh)] })))
        return .object(fields)
    }
}

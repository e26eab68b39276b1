import Contracts
import Dashboard
import Identity

/// A contract, or some of its steps, folded again out of one file: no home, no node, no network.
struct VerifyBundle {
    private let isWhole: Bool
    private let told: Result<JSON, DoorRefusal>

    var passed: Bool { (try? told.get()) != nil }

    /// `nil`: the bytes have not the shape of a bundle.
    init?(_ bytes: [UInt8]) {
        do {
            guard Sodium.start(), let file = try BundleFile(bytes) else { return nil }
            (isWhole, told) = (file.isWhole, .success(try file.told()))
        } catch {
            (isWhole, told) = (false, .failure(DoorRefusal(any: error)))
        }
    }

    func json() -> JSON {
        switch told {
        case .success(let story):
            .object([.init("valid", true), .init("whole", .bool(isWhole))] + story.fields)
        case .failure(let refusal):
            ["valid": false, "code": .string(refusal.code), "message": refusal.message.json]
        }
    }

    func text(_ language: Language) -> String {
        let en = language == .en
        switch told {
        case .success(let story):
            let readable = Phrases(language).readable(story)
            let lines =
                isWhole ? Self.contract(readable, language) : Self.steps(readable, language)
            let verdict =
                isWhole
                ? (en
                    ? "VALID: every signature verifies and the contract was folded again from its proposal on."
                    : "有效：各项签名通过，合同已自提案起重新推演。")
                : (en
                    ? "VALID: every signature verifies, and the chain is whole up to its last entry here. What a step did to the contract cannot be told without the others."
                    : "有效：各项签名通过，链至此末条完整。没有其余步骤，无从得知某一步对合同的作用。")
            let limit =
                en
                ? "Not checked: whether later entries or keys exist that this file leaves out."
                : "未检查：是否存在此文件未含的后续条目或密钥。"
            return (lines + ["", verdict, limit]).joined(separator: "\n")
        case .failure(let refusal):
            return (en ? "NOT VALID: " : "无效：") + refusal.message[language]
        }
    }

    private static func contract(_ story: JSON, _ language: Language) -> [String] {
        let en = language == .en
        var lines = [Show.text(story, verb: "verify", language)]
        func section(_ title: String, _ rows: [String]) {
            if !rows.isEmpty { lines += ["", title] + rows.map { "  " + $0 } }
        }
        section(
            en ? "Evidence (SHA-256)" : "凭证（SHA-256）",
            (story["evidence"]?.array ?? []).map {
                "\(text($0["step"])) \(Phrases(language).field(text($0["name"]))): \(text($0["hash"]))"
            })
        for balance in story["balances"]?.array ?? [] {
            let net = (balance["net_paid_text"]?.array ?? []).map {
                (en ? "net paid, signed by both: " : "净付（双方签署）：") + text($0)
            }
            section(
                text(balance["owner"]),
                Show.worded(balance["positions"]?.array ?? [], ["kind": "account"], language).map {
                    "\(text($0["counterparty_name"])): \(text($0["kind"])) \(text($0["text"]))"
                        + ($0["unit"] == .null ? "" : " \(text($0["commodity"]))")
                } + net)
        }
        section(en ? "State digest" : "状态摘要", [text(story["state_digest"])])
        return lines
    }

    private static func steps(_ story: JSON, _ language: Language) -> [String] {
        let en = language == .en
        let phrases = Phrases(language)
        var lines = [text(story["id"])]
        for step in story["steps"]?.array ?? [] {
            var line = "\(text(step["sequence"])) \(text(step["time"])) "
            if step["hidden"]?.bool == true {
                line += "\(text(step["author"])): " + (en ? "(hidden)" : "（未披露）")
            } else {
                line += "\(text(step["actor"] == .null ? step["author"] : step["actor"])): "
                line +=
                    step["transition"] == .null
                    ? text(step["kind"]) : ProofWords.act(text(step["transition"]), language)
                for argument in step["arguments"]?.fields ?? [] {
                    line += "\n    \(phrases.field(argument.name)) = \(text(argument.value))"
                }
            }
            lines.append(line)
        }
        return lines
    }

    private static func text(_ json: JSON?) -> String {
        json?.string ?? json?.number.map { "\($0)" } ?? "–"
    }
}

import Contracts
import Dashboard
import Entries
import Identity

/// What stands in a QR code: one step or request, checked with nothing else at hand.
struct VerifyProof {
    private let told: Result<JSON, DoorRefusal>

    var passed: Bool { (try? told.get()) != nil }

    /// Refused where the text does not begin as ours do; what is wrong inside is a failed check.
    init(_ text: String) throws(DoorRefusal) {
        _ = Sodium.start()
        do {
            switch try ProofText(in: text) {
            case .proof(let proof): told = .success(try proof.told())
            case .place(let place): throw Self.elsewhere(place)
            case nil:
                throw DoorRefusal(
                    "proof_unreadable", field: "text", value: String(text.prefix(40)),
                    en: "no proof: wanted the text of a QR code that talea proof made (TALEA1:…)",
                    zh: "不是证明：应为 talea proof 所制二维码中的文字（TALEA1:…）")
            }
        } catch let refusal as DoorRefusal {
            throw refusal
        } catch {
            told = .failure(DoorRefusal(any: error))
        }
    }

    /// Where the text says only where the proof lies.
    static func place(in text: String) -> ProofPlace? {
        guard case .place(let place) = try? ProofText(in: text) else { return nil }
        return place
    }

    static func elsewhere(_ place: ProofPlace) -> DoorRefusal {
        DoorRefusal(
            "proof_elsewhere", field: "FILE", value: place.hash.hex,
            en:
                "this code holds no proof itself, it names one: \(place.bytes) bytes with SHA-256 \(place.hash.hex), at \(place.address); fetch it and give it as FILE beside the code",
            zh:
                "此码不含证明本身，只指明其所在：\(place.bytes) 字节，SHA-256 为 \(place.hash.hex)，位于 \(place.address)；请取来，与此码一并以 文件 给出"
        )
    }

    static func another(_ place: ProofPlace, _ file: String) -> DoorRefusal {
        DoorRefusal(
            "proof_another", field: "FILE", value: file,
            en: "FILE “\(file)” is not the proof that the code names (SHA-256 \(place.hash.hex))",
            zh: "文件“\(file)”不是此码所指的证明（SHA-256 \(place.hash.hex)）")
    }

    func json() -> JSON {
        switch told {
        case .success(let told): .object([.init("valid", true)] + told.fields)
        case .failure(let refusal):
            ["valid": false, "code": .string(refusal.code), "message": refusal.message.json]
        }
    }

    func text(_ language: Language) -> String {
        let en = language == .en
        switch told {
        case .success(let told):
            let verdict =
                en
                ? "VALID: every signature verifies, and all of it belongs together."
                : "有效：各项签名通过，内容彼此相符。"
            return
                (ProofWords.lines(told, language) + [verdict, ProofWords.limits(told, language)])
                .joined(separator: "\n")
        case .failure(let refusal):
            return (en ? "NOT VALID: " : "无效：") + refusal.message[language]
        }
    }
}

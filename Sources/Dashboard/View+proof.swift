public import Contracts
public import Entries
import Identity
public import NodeCore

extension Proof {
    /// What anyone who holds it learns; refused where a check fails.
    public func told() throws(BundleRefusal) -> JSON { try check().told }
}

extension Proven {
    var told: JSON {
        let header = entry.header
        return [
            "contract": .string(proof.contract.hex), "entry": .string(entry.id.hex),
            "kind": .text(entry.kind.map { "\($0)" }),
            "step": .number(header.log?.sequence), "time": .string(header.time.iso),
            "transition": .string(act.transition), "record": .number(act.record),
            "arguments": .object(
                act.arguments.map { .init($0.name, .string($0.value.digits)) }),
            "actor": .string(actor.did), "sequencer": .text(proof.sequencer?.did),
            "signatures": .array(
                signatures.map {
                    [
                        "part": .string($0.part.rawValue), "did": .string($0.author.did),
                        "time": .string($0.time.iso),
                    ]
                }),
            "records": .array(
                records.map { change in
                    [
                        "record": .number(change.record), "state": .string(change.state),
                        "fields": .object(
                            change.fields.map { .init($0.name, .string($0.value.digits)) }),
                    ]
                }),
        ]
    }
}

/// A proof in sentences, for the command line; the page `verify.html` says the same in a browser.
public enum ProofWords {
    public static func lines(_ told: JSON, _ language: Language) -> [String] {
        var lines: [String] = []
        func say(_ en: String, _ zh: String, _ value: String) {
            lines.append((language == .en ? en : zh) + value)
        }
        func text(_ json: JSON?) -> String { json?.string ?? json?.number.map { "\($0)" } ?? "–" }
        let phrases = Phrases(language)
        let told = phrases.readable(told)
        func list(_ json: JSON?) -> String {
            (json?.fields ?? []).map { "\(phrases.field($0.name)) = \(text($0.value))" }
                .joined(separator: ", ")
        }
        say("Contract   ", "合同      ", text(told["contract"]))
        let act = act(text(told["transition"]), language)
        say("What       ", "内容      ", act + " · " + text(told["record"]))
        let given = list(told["arguments"])
        if !given.isEmpty { lines.append("           " + given) }
        if let sequencer = told["sequencer"]?.string { say("Sequencer  ", "排序方    ", sequencer) }
        for signed in told["signatures"]?.array ?? [] {
            let part = parts[text(signed["part"])]?[language] ?? ""
            lines.append("✓ \(part) \(text(signed["did"])) · \(text(signed["time"]))")
        }
        for record in told["records"]?.array ?? [] {
            let (number, state) = (text(record["record"]), text(record["state"]))
            let fields = list(record["fields"])
            say(
                "Left       ", "结果      ",
                (language == .en ? "record " : "记录 ") + "\(number): \(state)"
                    + (fields.isEmpty ? "" : " (\(fields))"))
        }
        return lines
    }

    /// A move as programs name it, with plain words where there are some.
    public static func act(_ name: String, _ language: Language) -> String {
        name + (acts[name].map { " (\($0[language]))" } ?? "")
    }

    /// Times are the words of whoever signed, and a proof is silent about the rest of its contract.
    public static func limits(_ told: JSON, _ language: Language) -> String {
        let isRequest = told["kind"]?.string == "request"
        switch (language, isRequest) {
        case (.en, true):
            return
                "Not shown by it: that the contract's writer took this request up, and what came of it. Times are by the signers' clocks."
        case (.zh, true): return "未能说明：合同记录方是否采纳此请求及其结果。时间以各签署者的时钟为准。"
        case (.en, false):
            return
                "Not shown by it: whether the step had effect, whether a later step changed that, or a key was replaced before. Times are by the signers' clocks."
        case (.zh, false): return "未能说明：此步骤是否生效、其后是否有变、密钥是否此前已更换。时间以各签署者的时钟为准。"
        }
    }

    static let parts: [String: Localized] = [
        "wrote": Localized(en: "written by", zh: "记录方"),
        "asked": Localized(en: "asked for by", zh: "请求方"),
        "consented": Localized(en: "agreed to by", zh: "同意方"),
        "proposed": Localized(en: "proposed by", zh: "提议方"),
        "witnessed": Localized(en: "received by the witness", zh: "见证方收悉"),
        "beside": Localized(en: "also signed inside by", zh: "其中另有签署"),
    ]

    /// Moves by their names in plain words, from the page that shows them too.
    public static let acts: [String: Localized] = {
        let page = PageFiles.all["verify.html"] ?? ""
        let mark = "<script type=\"application/json\" id=\"acts\">"
        let parts = page.split(separator: mark, maxSplits: 1)
        guard parts.count == 2,
            let table = parts[1].split(separator: "</script>", maxSplits: 1).first,
            let json = try? JSON(reading: Array(table.utf8))
        else { return [:] }
        var acts: [String: Localized] = [:]
        for field in json.fields {
            let words = field.value.array
            guard words.count == 2, let en = words[0].string, let zh = words[1].string else {
                continue
            }
            acts[field.name] = Localized(en: en, zh: zh)
        }
        return acts
    }()
}

extension StringProtocol {
    func putting(_ new: String, for old: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}

extension ProofText {
    /// In what a picture held or somebody pasted: the text itself, or a page's address with it behind `#`.
    public init?(in text: some StringProtocol) throws(EntryRefusal) {
        guard let hash = text.firstIndex(of: "#"), !text.hasPrefix("TALEA1") else {
            try self.init(text)
            return
        }
        let rest = text[text.index(after: hash)...]
        try self.init(rest.putting(" ", for: "%20").putting("%", for: "%25"))
    }

    /// As the address of a page that checks it: no letter of it means anything else there.
    public func address(of page: String) -> String {
        page + "#"
            + text.map { $0 == "%" ? "%25" : $0 == " " ? "%20" : String($0) }.joined()
    }
}

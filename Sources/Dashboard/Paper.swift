import Contracts
import Entries
import Identity
import Mustache
import NodeCore

/// A contract as a page to print: what it says, its terms, who signed, and a code that anyone can check.
enum Paper {
    private static let library: MustacheLibrary = {
        let text = PageFiles.all["paper.mustache"] ?? ""
        return MustacheLibrary(
            templates: (try? MustacheTemplate(string: text)).map { ["paper": $0] } ?? [:])
    }()

    /// With its style inside, or behind an address where a page may hold none.
    static func html(_ data: JSON, static address: String?) -> String {
        let style: JSON = address == nil ? .string(PageFiles.all["paper.css"] ?? "") : .null
        let whole = data.merging([
            .init("style", style), .init("static", .string(address ?? "")),
        ])
        return library.render(whole.mustache, withTemplate: "paper") ?? ""
    }
}

extension Rooms {
    /// `proof`: of the newest step that anyone can check by itself.
    func paper(_ held: HeldContract, proof: (step: Int64, text: String)?) -> JSON {
        let shown = contract(held)
        let template = view.template(of: held)
        func role(_ did: DID) -> String {
            let holders = held.proposal.roles.filter { $0.identities.contains(did) }
            if holders.isEmpty { return held.witnesses.contains(did) ? word("witness") : "" }
            return holders.map { template?.role($0.role)?.title[language] ?? $0.role }
                .joined(separator: figures.pick(", ", "、"))
        }
        let signed = [held.proposalEntry] + held.acceptances.values.sorted { $0.id < $1.id }
        let code = proof.flatMap { QR($0.text) }
        return [
            "lang": language == .zh ? "zh-CN" : "en", "title": .string(title(held)),
            "id": .string(held.id.hex), "short": .string(held.id.short),
            "prose": shown["prose"] ?? .null, "notes": shown["notes"] ?? .null,
            "terms": shown["terms"] ?? .null, "clock": shown["clock"] ?? .null,
            "standing": .string(
                word("grade_" + held.grade.rawValue) + " · "
                    + (shown["outcome"]?["text"]?.string ?? "") + " · " + figures.moment(now)),
            "signatures": .array(
                signed.map { entry in
                    let author = entry.header.author
                    return [
                        "role": .string(role(author)), "name": .string(view.name(author)),
                        "did": .string(author.did),
                        "at": .string(figures.moment(entry.header.time)),
                        "signature": .string(entry.signature.bytes.hex),
                    ]
                }),
            "steps": .array((shown["steps"]?.array ?? []).reversed()),
            "has_steps": shown["has_steps"] ?? .null,
            "qr": code.map { .string($0.svg(says: word("code_text"))) } ?? .null,
            "code_says": .string(
                figures.pick(
                    "Step \(proof?.step ?? 0), to be checked by anyone: talea verify, or verify.html.",
                    "第 \(proof?.step ?? 0) 步，任何人均可验证：talea verify 或 verify.html。")),
            "w": .object(
                ["terms", "steps", "signatures", "paper_says"].map {
                    .init($0, .string(word($0)))
                }),
        ]
    }
}

extension Commands {
    /// In both languages, each a file of its own.
    func paper(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let id = try await door.read { node in
            var options = Options(request.options, now: now)
            let id = try node.contractID(
                try options.need("contract", Localized(en: "its id", zh: "合同编号")))
            try options.finish()
            return id
        }
        return [
            "format": "paper",
            "text": [
                "en": .string(try await paper(of: id, .en, static: nil)),
                "zh": .string(try await paper(of: id, .zh, static: nil)),
            ],
        ]
    }

    func paper(of id: ContractID, _ language: Language, static address: String?) async throws
        -> String
    {
        let now = clock()
        let last = try await door.read { node in
            guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(id.hex) }
            return (held: held, step: held.lastStep)
        }
        var proof: (step: Int64, text: String)?
        if let step = last.step {
            let made = try await self.proof(of: last.held, step, requestAlone: false)
            proof = (step.sequence, ProofText.proof(made).text)
        }
        let shown = proof
        let data = try await door.read { node in
            var rooms = Rooms(node, language, now: now)
            rooms.figures.isPrinted = true
            return rooms.paper(last.held, proof: shown)
        }
        return Paper.html(data, static: address)
    }

    /// Files of a contract that a page can show; told by their first bytes.
    func pictures(of id: ContractID) async throws -> Set<Hash32> {
        let held = try await door.read { node in
            (key: node.contracts[id]?.key, files: node.attachments(of: id).filter(\.isWhole))
        }
        var found: Set<Hash32> = []
        for one in held.files {
            guard let key = held.key?.attachment(one.file),
                let sealed = try await door.chunk(0, of: one.blob),
                let first = key.open(sealed, at: 0, of: one.size), ProofPage.Photo(first) != nil
            else { continue }
            found.insert(one.file)
        }
        return found
    }
}

extension HeldContract {
    /// The newest that had effect.
    var lastStep: Fold.StepOutline? {
        fold?.steps.last { $0.void == nil && $0.act != Fold.continued }
    }
}

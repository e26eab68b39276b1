import Contracts
import Entries
import FoundationEssentials
import Identity
import NodeCore

/// A page for people without a node: `verify.html` with chosen steps in it, and the photos that they name. Whoever
/// opens it has each proof checked by the page itself.
public enum ProofPage {
    static let photosMax = 24 << 20

    public struct Photo {
        let type: String
        let bytes: [UInt8]

        /// What browsers show; told by its first bytes, as names do not come along.
        public init?(_ bytes: [UInt8]) {
            let known: [(type: String, start: [UInt8])] = [
                ("image/jpeg", [0xff, 0xd8, 0xff]), ("image/png", [0x89, 0x50, 0x4e, 0x47]),
                ("image/gif", Array("GIF8".utf8)), ("image/webp", Array("RIFF".utf8)),
            ]
            guard let found = known.first(where: { bytes.starts(with: $0.start) }) else {
                return nil
            }
            // Films begin so too.
            let isFilm =
                found.type == "image/webp" && !bytes.dropFirst(8).starts(with: "WEBP".utf8)
            guard !isFilm else { return nil }
            (type, self.bytes) = (found.type, bytes)
        }
    }

    /// `nil` title: the page that waits for a proof to be pasted.
    static func html(title: String?, steps: [(proof: ProofText, photos: [Photo])]) -> String {
        let page = PageFiles.all["verify.html"] ?? ""
        guard let title else { return page }
        let given: JSON = [
            "title": .string(title),
            "steps": .array(
                steps.map { step in
                    [
                        "proof": .string(step.proof.text),
                        "photos": .array(
                            step.photos.map {
                                ["type": .string($0.type), "data": .base64($0.bytes)]
                            }),
                    ]
                }),
        ]
        // No text inside ends the script that holds it.
        let safe = given.text().writing(["<": "\\u003c"])
        return page.putting("id=\"given\">\(safe)<", for: "id=\"given\">null<")
    }
}

extension Commands {
    /// Steps that the owner chose, and nothing else of their contract.
    func provePage(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let asked = try await door.read { node in
            var options = Options(request.options, now: now)
            let text = try options.one("contract")
            let what = try options.what(or: "request")
            let title = try options.one("title")
            let steps = try options.one("steps")
            try options.finish()
            guard let text else { return nil as Chosen? }
            let id = try node.contractID(text)
            guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
            guard let steps else {
                throw DoorRefusal(
                    "option_missing", field: "steps",
                    en: "--steps is missing: which steps to show, as 3,5",
                    zh: "缺少 --steps：要展示的步骤，如 3,5")
            }
            let outlines = try steps.split(separator: ",", omittingEmptySubsequences: false).map {
                try held.step(Options.number(String($0), "steps", atLeast: 1))
            }
            return Chosen(
                held: held, steps: outlines, requestAlone: what == "request",
                title: title ?? "Talea")
        }
        guard let asked else {
            return ["format": "page", "text": .string(ProofPage.html(title: nil, steps: []))]
        }
        var shown: [(proof: ProofText, photos: [ProofPage.Photo])] = []
        var told: [JSON] = []
        var room = ProofPage.photosMax
        for step in asked.steps {
            let proof = try await proof(of: asked.held, step, requestAlone: asked.requestAlone)
            var photos: [ProofPage.Photo] = []
            for argument in step.act.arguments {
                guard case .hash(let hash) = argument.value,
                    let photo = try await photo(hash, of: asked.held)
                else { continue }
                room -= photo.bytes.count
                photos.append(photo)
            }
            guard room >= 0 else {
                throw DoorRefusal(
                    "photos_full", field: "steps",
                    en: "the photos of these steps exceed 24 MiB; choose fewer steps",
                    zh: "这些步骤的照片超过 24 MiB；请少选几步")
            }
            shown.append((.proof(proof), photos))
            told.append(
                try proof.told().merging([.init("photos", .number(photos.count))]))
        }
        return [
            "format": "page", "text": .string(ProofPage.html(title: asked.title, steps: shown)),
            "shows": .array(told),
        ]
    }

    private struct Chosen: Sendable {
        let held: HeldContract
        let steps: [Fold.StepOutline]
        let requestAlone: Bool
        let title: String
    }

    /// A file that a step names, where it is here as a whole and a picture.
    func photo(_ hash: Hash32, of held: HeldContract) async throws -> ProofPage.Photo? {
        try await file(hash, of: held).flatMap { ProofPage.Photo($0) }
    }

    /// A file that a step names, where it is here as a whole. What is not what its name says, as a partner
    /// may have sent it, is let go.
    func file(_ hash: Hash32, of held: HeldContract) async throws -> [UInt8]? {
        let key = held.key.attachment(hash)
        guard let one = try await door.read({ $0.attachments[key.blob] }), one.isWhole else {
            return nil
        }
        var bytes: [UInt8] = []
        for index in 0..<one.chunks {
            guard let sealed = try await door.chunk(index, of: key.blob),
                let chunk = key.open(sealed, at: index, of: one.size)
            else { return nil }
            bytes += chunk
        }
        guard SHA256.hash(bytes) == hash else {
            _ = try await door.perform(dryRun: false) { $0.forget(attachment: key.blob) }
            return nil
        }
        return bytes
    }
}

extension Options {
    mutating func what(or usual: String) throws -> String {
        let what = try one("what") ?? usual
        guard ["step", "request"].contains(what) else {
            throw Self.wrong("what", what, "step or request", "step 或 request")
        }
        return what
    }
}

extension HeldContract {
    func step(_ number: Int64) throws(NodeRefusal) -> Fold.StepOutline {
        guard let step = fold?.steps.first(where: { $0.sequence == number }) else {
            throw .stepUnknown(number)
        }
        return step
    }
}

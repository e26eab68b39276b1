import Contracts
import Entries
import FoundationEssentials
import Identity
import NodeCore
import Replication

/// A file that carries what connections would: a first line, then frames.
public enum SyncFile {
    public static let head = Array("talea sync 1\n".utf8)
    /// Of one page between the node and the program that writes or reads the file.
    public static let pageBytes = 96 * 1024

    /// A file after its head, in pages of whole frames; `nil` where it does not come out even.
    public static func pages(_ bytes: [UInt8]) -> [[UInt8]]? {
        guard let frames = frames(bytes) else { return nil }
        var pages: [[UInt8]] = []
        for frame in frames {
            if let last = pages.last, last.count + frame.length <= pageBytes {
                frame.append(to: &pages[pages.count - 1])
            } else {
                pages.append(frame.bytes)
            }
        }
        return pages
    }

    static func frames(_ bytes: [UInt8]) -> [Frame]? {
        var reader = FrameReader(limit: FrameLimit.afterHello)
        reader.feed(bytes)
        var frames: [Frame] = []
        do {
            while let frame = try reader.next() { frames.append(frame) }
        } catch { return nil }
        return reader.waitingBytes == 0 ? frames : nil
    }
}

extension Commands {
    /// One page of all that may be carried. `next` is where the following one goes on, absent at the end.
    func exportSync(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let place = try await door.read { node in
            var options = Options(request.options, now: now)
            let people = Set(try options.all("for").map { try node.party($0, field: "for") })
            let after = try options.one("after") ?? ""
            try options.finish()
            return (people: people, after: after)
        }
        let parts = place.after.split(separator: ":", omittingEmptySubsequences: false)
        let done = String(parts.first ?? "")
        var sequence = parts.count > 1 ? Int64(parts[1]) ?? 1 : 1
        let people = place.people
        let rest = try await door.read { node in node.cargo(for: people).filter { $0.name >= done }
        }
        var page: [UInt8] = []
        var (entries, letters) = (0, 0)
        func answer(next: String?) -> JSON {
            [
                "frames": .string(Data(page).base64EncodedString()), "next": .text(next),
                "entries": .number(entries), "letters": .number(letters),
            ]
        }
        for cargo in rest {
            if cargo.name != done { sequence = 1 }
            if page.count >= SyncFile.pageBytes { return answer(next: "\(cargo.name):1") }
            switch cargo.content {
            case .log(let log):
                while true {
                    let room = SyncFile.pageBytes - page.count
                    guard room > 0 else { return answer(next: "\(cargo.name):\(sequence)") }
                    let run = try await door.entries(log: log, from: sequence, maxBytes: room)
                    guard let last = run.last?.header.log?.sequence else { break }
                    entries += run.count
                    Message.entries(run.map(\.wire), done: true).frame.append(to: &page)
                    sequence = last + 1
                }
            case .letter(let key):
                let letter = try await door.read { $0.letter(key) }
                guard let letter, let box = SealedBox.seal(letter.sealed.wire, to: letter.key)
                else { continue }
                letters += 1
                letter.head.deposit(box).append(to: &page)
            case .proof(let log):
                for frame in try await door.read({ $0.proof(carried: log) }) {
                    frame.append(to: &page)
                }
            }
        }
        return answer(next: nil)
    }

    static func importSync(_ node: inout Node, _ options: inout Options) throws -> Done {
        let text = try options.need(
            "frames", Localized(en: "frames in base64", zh: "base64 编码的帧"))
        try options.finish()
        guard let data = Data(base64Encoded: text), let frames = SyncFile.frames([UInt8](data))
        else { throw NodeRefusal.fileUnreadable }
        let before = node.held
        var waiting = 0
        for frame in frames where try node.take(carried: frame) { waiting += 1 }
        let after = node.held
        return Done(
            value: [
                "entries": .number(after.entries - before.entries),
                "statements": .number(after.statements - before.statements),
                "waiting": .number(waiting),
            ])
    }
}

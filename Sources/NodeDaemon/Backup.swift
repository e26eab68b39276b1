public import Capacity
internal import Entries
internal import Foundation
internal import Glibc
public import Identity
internal import Storage

/// One file that a home can be made anew from: a page of text that tells what is in it, then the files.
///
///     talea-backup 1
///     did DID · made MILLISECONDS · schema N · entries N
///     log LOG SEQUENCE ID          the newest of each of our own logs, by id
///     file BYTES SHA256 NAME       in the order in which the bytes follow
///     end SHA256                   of all lines above
///
/// The hashes find rot and cuts. Whoever can change the file can change them too: where it lies is as
/// private as the home itself.
public struct Backup: Sendable {
    public let did: DID
    public let made: Instant
    let schema: Int
    public let entries: Int64
    let heads: [LogID: (sequence: Int64, id: EntryID)]
    let files: [File]

    struct File: Hashable, Sendable {
        let name: String
        let hash: Hash32
        let bytes: Int
    }

    static let ledger = "ledger.sqlite"
    private static let title = "talea-backup 1"
    /// Of the text. A log takes 150 bytes: a hundred thousand fit.
    private static let textBytesMax = 16 << 20

    public indirect enum Refusal: Error, Sendable {
        /// No backup, or not whole: what does not hold.
        case unreadable(String, part: String)
        case unwritable(String)
        /// The file or home there is another identity's.
        case foreign(String, DID)
        /// What is there holds more of a log than what would take its place.
        case emptier(String, here: Int64, there: Int64, log: LogID?)
        /// The folder holds something, and no node.
        case occupied(String)
        /// The key changed each time while the ledger was copied.
        case keyChanging
    }

    // MARK: - Writing

    static func fileName(_ did: DID, _ made: Instant) -> String {
        "talea-\(did.did.suffix(8))-\(CivilTime(made, offsetMinutes: 0).date).backup"
    }

    var text: String {
        var lines = [
            Self.title, "did \(did.did)", "made \(made.milliseconds)", "schema \(schema)",
            "entries \(entries)",
        ]
        for (log, head) in heads.sorted(by: { $0.key < $1.key }) {
            lines.append("log \(log.hex) \(head.sequence) \(head.id.hex)")
        }
        for file in files { lines.append("file \(file.bytes) \(file.hash.hex) \(file.name)") }
        let body = lines.joined(separator: "\n") + "\n"
        return body + "end \(SHA256.hash(Array(body.utf8)).hex)\n"
    }

    init(
        did: DID, made: Instant, schema: Int, entries: Int64,
        heads: [LogID: (sequence: Int64, id: EntryID)], files: [File]
    ) {
        self.did = did
        self.made = made
        self.schema = schema
        self.entries = entries
        self.heads = heads
        self.files = files
    }

    // MARK: - Reading

    /// Takes the text apart; `nil` unless it is the one spelling of what it says.
    init?(text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard lines.popFirst().map(String.init) == Self.title else { return nil }
        func word(_ name: String) -> String? {
            guard let line = lines.first, line.hasPrefix(name + " ") else { return nil }
            lines = lines.dropFirst()
            return String(line.dropFirst(name.utf8.count + 1))
        }
        guard let did = word("did").flatMap(DID.init(did:)),
            let made = word("made").flatMap({ Int64($0) }).flatMap({
                try? Instant(milliseconds: $0)
            }), let schema = word("schema").flatMap({ Int($0) }),
            let entries = word("entries").flatMap({ Int64($0) }), entries >= 0
        else { return nil }
        var heads: [LogID: (sequence: Int64, id: EntryID)] = [:]
        while let line = word("log") {
            let parts = line.split(separator: " ")
            guard parts.count == 3, let log = LogID(hex: String(parts[0])),
                let sequence = Int64(parts[1]), sequence > 0,
                let id = EntryID(hex: String(parts[2]))
            else { return nil }
            heads[log] = (sequence, id)
        }
        var files: [File] = []
        while let line = word("file") {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, let bytes = Int(parts[0]), (0...(1 << 50)).contains(bytes),
                let hash = Hash32(hex: String(parts[1])), Self.allows(String(parts[2]))
            else { return nil }
            files.append(File(name: String(parts[2]), hash: hash, bytes: bytes))
        }
        self.init(
            did: did, made: made, schema: schema, entries: entries, heads: heads, files: files)
        guard Set(files.map(\.name)).count == files.count, self.text == text else { return nil }
    }

    /// What a home may hold, and nothing outside of it.
    static func allows(_ name: String) -> Bool {
        if ["key", "key.next", ledger].contains(name) { return true }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "contracts" else { return false }
        return parts[1].hasSuffix(".yaml") && !parts[1].hasPrefix(".") && parts[1].utf8.count <= 255
            && parts[1].unicodeScalars.allSatisfy { $0.value >= 0x20 }
    }

    /// The text at the head of a file, and where the files begin.
    static func read(_ path: String) throws(Refusal) -> (backup: Backup, start: Int, data: Data) {
        // Mapped, so that a ledger of any size takes no memory.
        guard let data = try? Data(contentsOf: URL(filePath: path), options: .alwaysMapped) else {
            throw .unreadable(path, part: "file")
        }
        let head = data.prefix(textBytesMax)
        guard let mark = head.range(of: Data("\nend ".utf8)),
            mark.upperBound + 65 <= data.count,
            let text = String(data: data[..<(mark.upperBound + 65)], encoding: .utf8),
            let backup = Backup(text: text)
        else { throw .unreadable(path, part: "table of contents") }
        return (backup, mark.upperBound + 65, data)
    }

    /// The files, each as it was taken; refused where one is not.
    func contents(_ path: String, _ data: Data, from start: Int) throws(Refusal) -> [(File, Data)] {
        var place = start
        var found: [(File, Data)] = []
        for file in files {
            let end = place + file.bytes
            guard end <= data.count, data[place..<end].sha256 == file.hash else {
                throw .unreadable(path, part: file.name)
            }
            found.append((file, data[place..<end]))
            place = end
        }
        guard place == data.count else { throw .unreadable(path, part: "end") }
        return found
    }
}

extension Data {
    var sha256: Hash32 { withUnsafeBytes { SHA256.hash($0) } }
}

internal import Capacity
internal import Dashboard
internal import Entries
internal import Foundation
internal import Glibc
internal import Identity
internal import Storage

// A copy of a home in one file, and a home from such a file.
//
// The copy is taken beside the running node. Left out are the sidecar, so that a restored home knows
// itself for an old copy and asks before it signs, and what a start makes anew: port, tokens, lock.

extension Home {
    private var backupNote: String { path + "/backup.json" }

    /// When this home was copied last, and to where.
    var lastBackup: DoorStatus.Backup? {
        guard let data = FileManager.default.contents(atPath: backupNote),
            let json = try? JSON(reading: data), let made = json["made"]?.number,
            let time = try? Instant(milliseconds: made), let file = json["file"]?.string
        else { return nil }
        return .init(made: time, file: file)
    }

    private func note(backup made: Instant, at file: String) throws(Refusal) {
        let json: JSON = ["made": .number(made.milliseconds), "file": .string(file)]
        try DurableFile.write(json.bytes(), to: backupNote)
    }

    // MARK: - Taking

    /// Copies this home to `file`, or into that folder under a name of the day. Where a backup is already
    /// it is replaced by one that holds as much or more, and by no other.
    public func backUp(to file: String) throws -> (backup: Backup, file: String) {
        let done = try take(to: file)
        // Of a disk that is full a backup is worth most, and this one is whole.
        try? note(backup: done.backup.made, at: done.file)
        return done
    }

    /// Copies this home to `file`, which somebody carries away under the name that this returns. Once it is there,
    /// `keep` says so.
    func backUp(for file: String) throws -> DoorStatus.Backup {
        let made = try take(to: file).backup
        return .init(made: made.made, file: Backup.fileName(made.did, made.made))
    }

    func keep(_ copy: DoorStatus.Backup) throws(Refusal) {
        try note(backup: copy.made, at: copy.file)
    }

    private func take(to file: String) throws -> (backup: Backup, file: String) {
        guard Sodium.start() else { throw Refusal.unwritable("libsodium") }
        _ = try needsPassphrase
        let made = Clock.now()
        let place = Home(file).path
        let draft =
            Self.isFolder(place) ? place + "/.talea-ledger" : Self.beside(place, "ledger")
        try Self.makeDraft(draft)
        defer { try? FileManager.default.removeItem(atPath: draft) }
        let keys = try copyLedger(to: draft + "/" + Backup.ledger)
        let copy = try LedgerCopy(reading: draft + "/" + Backup.ledger)
        let target =
            Self.isFolder(place) ? "\(place)/\(Backup.fileName(copy.did, made))" : place
        try Self.check(copy, against: target)

        var contents = keys.sorted { $0.key < $1.key }.map { ($0.key, Data($0.value.utf8)) }
        // The ledger holds every template too; a name that no backup may bear is left out.
        contents += Templates.read(templates).map { ("contracts/" + $0.name, Data($0.bytes)) }
            .filter { Backup.allows($0.0) }
        let ledger = URL(filePath: draft + "/" + Backup.ledger)
        contents.append((Backup.ledger, try Data(contentsOf: ledger, options: .alwaysMapped)))
        let backup = Backup(
            did: copy.did, made: made, schema: copy.schema, entries: copy.entries,
            heads: copy.heads,
            files: contents.map { .init(name: $0.0, hash: $0.1.sha256, bytes: $0.1.count) })
        try DurableFile.write(
            [Data(backup.text.utf8)] + contents.map(\.1), to: target,
            by: Self.beside(target, "draft"))
        // Read again from the disk: a backup that nobody looked at is a hope.
        let written = try Backup.read(target)
        _ = try written.backup.contents(target, written.data, from: written.start)
        return (backup, target)
    }

    /// The key files as they were all the while that the ledger was copied: a key that changed in between
    /// would not open what the copy says.
    private func copyLedger(to path: String) throws -> [String: String] {
        for _ in 0..<5 {
            let before = try keyFiles()
            try LedgerCopy.make(of: self.path, to: path)
            if try keyFiles() == before { return before }
            unlink(path)
        }
        throw Backup.Refusal.keyChanging
    }

    private func keyFiles() throws -> [String: String] {
        var files = ["key": try privateText(keyFile)]
        if FileManager.default.fileExists(atPath: keyFile + ".next") {
            files["key.next"] = try privateText(keyFile + ".next")
        }
        return files
    }

    private static func check(_ copy: LedgerCopy, against target: String) throws {
        guard FileManager.default.fileExists(atPath: target) else { return }
        let old = try Backup.read(target).backup
        guard old.did == copy.did else { throw Backup.Refusal.foreign(target, old.did) }
        if let lack = copy.lacks(of: old.heads) {
            throw Backup.Refusal.emptier(target, here: lack.here, there: lack.there, log: lack.log)
        }
        guard copy.entries >= old.entries else {
            throw Backup.Refusal.emptier(
                target, here: copy.entries, there: old.entries, log: nil)
        }
    }

    // MARK: - Bringing back

    /// What `restore` did.
    public struct Restored: Sendable {
        public let backup: Backup
        /// Where the home that stood there lies now.
        public let aside: String?
    }

    /// Makes this home from a backup. What stands there already is put aside, and only if it is the same
    /// identity's and holds nothing that the backup lacks, or cannot be read any more.
    public func restore(from file: String) throws -> Restored {
        guard Sodium.start() else { throw Refusal.unwritable("libsodium") }
        let source = Home(file).path
        let (backup, start, data) = try Backup.read(source)
        let contents = try backup.contents(source, data, from: start)
        guard backup.files.contains(where: { $0.name == "key" }),
            backup.files.contains(where: { $0.name == Backup.ledger })
        else { throw Backup.Refusal.unreadable(source, part: "key") }
        let draft = Self.beside(path, "restoring")
        for left in [draft, draft + DurableFile.between] { try keepAside(left) }
        try Self.makeDraft(draft)
        defer { try? FileManager.default.removeItem(atPath: draft) }
        try Self.makeFolder(draft + "/contracts")
        for (part, bytes) in contents {
            try DurableFile.write([bytes], to: draft + "/" + part.name)
        }
        let copy = try LedgerCopy(reading: draft + "/" + Backup.ledger)
        guard copy.did == backup.did, copy.entries == backup.entries,
            copy.heads.count == backup.heads.count, copy.lacks(of: backup.heads) == nil
        else { throw Backup.Refusal.unreadable(source, part: Backup.ledger) }
        try Home(draft).note(backup: backup.made, at: source)
        let marks = ["key", Backup.ledger, "high-water"].map { path + "/" + $0 }
        let isHome = marks.contains { FileManager.default.fileExists(atPath: $0) }
        guard try isHome || isFree else { throw Backup.Refusal.occupied(path) }
        let aside = try Database.whileUnused(path) { () throws -> String? in
            try checkStanding(against: copy, backup.did)
            guard try !isFree else {
                try DurableFile.rename(draft, to: path)
                return nil
            }
            try DurableFile.exchange(draft, with: path)
            return try keepAside(draft)
        }
        return Restored(backup: backup, aside: aside)
    }

    /// Where the home that stood here lies now; `nil` where none lies at `draft`. One that is told by its lock, which
    /// no draft has: a process that is killed after the exchange leaves it there, and the next `restore` keeps it.
    @discardableResult
    private func keepAside(_ draft: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: draft + "/lock") else { return nil }
        let name = "\(path).before-\(Clock.now().milliseconds)"
        try DurableFile.rename(draft, to: name)
        return name
    }

    /// Goes with a start: what a process that was killed while a browser took a copy left of it, with the key and
    /// all else that is in it.
    func clearDownloads() {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: path)) ?? []
        where name.hasPrefix(Self.download) || name.hasPrefix("." + Self.download) {
            try? files.removeItem(atPath: path + "/" + name)
        }
    }

    /// Two at once do not share one.
    static func downloadName() -> String { "\(download)\(UUID().uuidString).backup" }

    private static let download = "download-"

    /// No folder, or one with nothing in it but the lock that was taken on it just now.
    private var isFree: Bool {
        get throws {
            guard FileManager.default.fileExists(atPath: path) else { return true }
            let names = try FileManager.default.contentsOfDirectory(atPath: path)
            guard names.allSatisfy({ $0 == "lock" }) else { return false }
            unlink(path + "/lock")
            return true
        }
    }

    private func checkStanding(against copy: LedgerCopy, _ did: DID) throws {
        // What cannot be read cannot be compared; it is kept aside, whatever it was.
        guard let standing = try? LedgerCopy(reading: path + "/" + Backup.ledger) else { return }
        guard standing.did == did else { throw Backup.Refusal.foreign(path, standing.did) }
        if let lack = copy.lacks(of: standing.heads) {
            throw Backup.Refusal.emptier(path, here: lack.here, there: lack.there, log: lack.log)
        }
        guard copy.entries >= standing.entries else {
            throw Backup.Refusal.emptier(
                path, here: copy.entries, there: standing.entries, log: nil)
        }
    }

    // MARK: - Folders

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// A name for a while that is plainly ours: what else lies in an owner's folder is left alone.
    private static func beside(_ path: String, _ what: String) -> String {
        let folder = DurableFile.folder(of: path)
        return
            "\(folder)/.\(path.dropFirst(folder == "/" ? 1 : folder.utf8.count + 1)).talea-\(what)"
    }

    private static func makeDraft(_ path: String) throws {
        try? FileManager.default.removeItem(atPath: path)
        try makeFolder(path)
    }

    private static func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 else { throw Backup.Refusal.unwritable(path) }
    }
}

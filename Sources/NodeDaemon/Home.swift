public import Capacity
internal import Contracts
public import Dashboard
public import Entries
internal import Foundation
internal import Glibc
public import Identity
internal import NodeCore
internal import Storage

/// One identity's folder: key file, database, templates, and the address of the running node.
public struct Home: Sendable {
    public let path: String

    public init(_ path: String) {
        self.path = URL(filePath: NSString(string: path).expandingTildeInPath).standardized.path
    }

    var keyFile: String { path + "/key" }
    /// The key file while its home is being made. Where it lies, nobody was told of this identity yet.
    private var begunKeyFile: String { path + "/key.begun" }
    public var templates: String { path + "/contracts" }
    public indirect enum Refusal: Error, Sendable {
        case exists(String)
        case missing(String)
        case keyFileOpenToOthers(String, mode: Int)
        case keyFile(KeyFile.Refusal)
        case invitation(String)
        case templatesMissing([String])
        case templateBroken(TemplateFault)
        case unwritable(String)
        /// The key file does not hold the key that the key log has in force.
        case keyNotInForce(String)
        /// None of the given peers could be reached.
        case nobodyAnswers([String])
        /// No identity that the peers know commits to this code's next key.
        case codeUnknown(identities: Int)
    }

    /// What `init` made. The recovery code is shown once and kept nowhere.
    public struct Made: Sendable {
        public let did: DID
        public let recoveryCode: String
        public let foundingBody: [UInt8]
    }

    /// Makes a new home. `passphrase` nil: the key file lies in clear, by the owner's own choice. `code`:
    /// the recovery code that the owner has been shown already.
    public static func initialise(
        at path: String, name: String, role: String, place: String = "", invitation: Invitation?,
        alliance: String,
        passphrase: String?, templatesFrom folder: String?, code: RecoveryCode? = nil
    ) throws -> Made {
        guard Sodium.start() else { throw Refusal.unwritable("libsodium") }
        let home = Home(path)
        let files = FileManager.default
        guard !files.fileExists(atPath: home.keyFile) else { throw Refusal.exists(home.path) }
        let joined = try invitation.map { invitation in
            guard let alliance = try? Alliance(foundingBody: invitation.foundingBody) else {
                throw Refusal.invitation(invitation.foundingBody.hex)
            }
            return alliance
        }
        let templates = try Templates.shipped(folder)
        if let fault = templates.lazy.compactMap(Templates.fault).first {
            throw Refusal.templateBroken(fault)
        }
        try home.clear()
        guard let code = code ?? RecoveryCode(entropy: Entropy.bytes(RecoveryCode.entropyBytes)),
            let key = SigningKey(seed: SecretBytes(Entropy.bytes(32)))
        else { throw Refusal.unwritable(home.path) }
        let genesis = try Genesis(
            key: key, nextKey: code.nextKey(index: 2).publicKey, nodeSecret: code.nodeSecret,
            profile: Profile(name: name, role: role, place: place), joining: joined,
            founding: alliance,
            at: Clock.now(), seed: Entropy.seed())
        try home.make(
            genesis, nodeSecret: code.nodeSecret, passphrase: passphrase, templates: templates
        ) {
            if let invitation { try ask(invitation, at: home.path, genesis) }
        }
        return Made(
            did: genesis.own.did, recoveryCode: code.text,
            foundingBody: genesis.alliance.foundingBody)
    }

    /// Room for a home: what an attempt left that was cut off goes, of which nobody was told; a ledger that
    /// somebody may still have a key for stays, and is refused.
    func clear() throws {
        let files = FileManager.default
        do {
            try files.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try files.createDirectory(atPath: templates, withIntermediateDirectories: true)
        } catch {
            throw Refusal.unwritable(path)
        }
        if files.fileExists(atPath: begunKeyFile) { try Database.discard(at: path) }
        // Before the key is begun: what lies beside a begun key may be thrown away.
        try Database.requireNone(at: path)
    }

    /// The key comes first, under another name, and takes its own last: with it the home exists. A power cut on
    /// the way leaves what the next attempt knows to be nobody's. `beside` writes what else is to be in the ledger.
    func make(
        _ genesis: Genesis, nodeSecret: SecretBytes, passphrase: String?,
        templates files: [Templates.File], beside: () throws -> Void
    ) throws {
        let text: String
        do {
            text = try KeyFile(key: genesis.own.key, nodeSecret: nodeSecret).text(
                passphrase: passphrase, salt: Entropy.bytes(Argon2id.saltBytes),
                nonce: Entropy.bytes(XChaCha20Poly1305.nonceBytes))
        } catch {
            throw Refusal.keyFile(error)
        }
        try DurableFile.write(Array(text.utf8), to: begunKeyFile)
        try Database.create(at: path, genesis: genesis, templates: files.map(\.bytes))
        try beside()
        for template in files {
            try DurableFile.write(template.bytes, to: templates + "/" + template.name)
        }
        try DurableFile.syncNames(of: DurableFile.folder(of: path))
        try DurableFile.rename(begunKeyFile, to: keyFile)
    }

    /// Where the inviter listens, and the word to it that waits in the outbox until the node runs.
    private static func ask(_ invitation: Invitation, at path: String, _ genesis: Genesis) throws {
        let database = try Database.open(at: path)
        defer { database.close() }
        let (snapshot, alliance) = try database.load()
        var node = Node(own: genesis.own, alliance: alliance, snapshot: snapshot)
        node.begin(at: Clock.now(), seed: Entropy.seed())
        if invitation.ticket != nil { try node.join(invitation) }
        if let address = Commands.peer(of: invitation) { node.addPeer(address) }
        try database.commit(node.takeChanges())
    }

    /// Whether somebody's identity is here.
    public var isInhabited: Bool { FileManager.default.fileExists(atPath: keyFile) }

    /// Whether the key file is encrypted.
    public var needsPassphrase: Bool {
        get throws { KeyFile.needsPassphrase(try keyText()) }
    }

    /// Whether `passphrase` opens the key file.
    public func opens(with passphrase: String) -> Bool {
        (try? unlock(passphrase: passphrase)) != nil
    }

    private func keyText() throws -> String { try privateText(keyFile) }

    func privateText(_ file: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Refusal.missing(path)
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else { throw Refusal.keyFileOpenToOthers(file, mode: mode) }
        return String(decoding: data, as: UTF8.self)
    }

    func unlock(passphrase: String?) throws -> KeyFile {
        do { return try KeyFile.read(try keyText(), passphrase: passphrase) } catch let refusal
            as KeyFile.Refusal
        {
            throw Refusal.keyFile(refusal)
        }
    }
}

extension Home {
    /// The file of a template by its name, of this home or among those that ship.
    public func template(named name: String) -> [UInt8]? {
        let shipped = (try? Templates.shipped(nil)) ?? []
        return (Templates.read(templates) + shipped).first { $0.name == name + ".yaml" }?.bytes
    }
}

extension Home {
    /// The template files that the program ships.
    public static func shippedTemplates() throws -> [[UInt8]] {
        try Templates.shipped(nil).map(\.bytes)
    }
}

/// Template files: those the program ships, and those of a home.
enum Templates {
    struct File: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    /// `folder`, else `TALEA_CONTRACTS`, else `share/talea/contracts` beside the program, else the
    /// `contracts` folder of the checkout that the program was built in.
    static func shipped(_ folder: String?) throws -> [File] {
        if let folder {
            let files = read(folder)
            guard !files.isEmpty else { throw Home.Refusal.templatesMissing([folder]) }
            return files
        }
        var candidates: [String] = []
        if let named = ProcessInfo.processInfo.environment["TALEA_CONTRACTS"] {
            candidates.append(named)
        }
        var place = URL(filePath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath()
        if let real = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            place = URL(filePath: real)
        }
        place.deleteLastPathComponent()
        candidates.append(
            place.deletingLastPathComponent().appending(path: "share/talea/contracts").path)
        for _ in 0..<6 {
            candidates.append(place.appending(path: "contracts").path)
            guard place.path != "/" else { break }
            place.deleteLastPathComponent()
        }
        for candidate in candidates {
            let files = read(candidate)
            if !files.isEmpty { return files }
        }
        throw Home.Refusal.templatesMissing(candidates)
    }

    /// Why a node does not take a file; `nil`: it does. A template that the program does not know is
    /// explored, which can take some seconds.
    static func fault(_ file: File) -> TemplateFault? {
        do {
            let template = try Template.read(file.bytes)
            guard !template.isExplored else { return nil }
            guard let finding = Exploration.run(template).findings.first else { return nil }
            return TemplateFault(
                file: file.name, says: Localized(en: finding.words(.en), zh: finding.words(.zh)))
        } catch {
            return TemplateFault(
                file: file.name, says: Localized(en: error.words(.en), zh: error.words(.zh)))
        }
    }

    /// One line per template file, different whenever a file is.
    static func stamps(_ folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted().map { name in
            var found = stat()
            _ = stat(folder + "/" + name, &found)
            return "\(name) \(found.st_size) \(found.st_mtim.tv_sec) \(found.st_mtim.tv_nsec)"
        }
    }

    static func read(_ folder: String) -> [File] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: folder + "/" + name).map {
                File(name: name, bytes: Array($0))
            }
        }
    }
}

/// The one clock. Everything below gets its time from here.
public enum Clock {
    public static func now() -> Instant {
        let seconds = Date().timeIntervalSince1970
        return (try? Instant(milliseconds: Int64(seconds * 1000))) ?? .earliest
    }

    /// Nanoseconds from some fixed moment on, whatever the calendar is set to.
    static func uptime() -> UInt64 { DispatchTime.now().uptimeNanoseconds }
}

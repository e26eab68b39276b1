import Foundation
import Testing

/// All tests of the real program: one after another, each in folders of its own.
@Suite(.serialized) struct ProcessTests {}

/// What went otherwise than a test's own preparations need.
struct Broken: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A folder for one test, gone with it.
final class Folder {
    let path: String

    init() throws {
        let place = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
        path = place.appendingPathComponent("talea-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        return "\(path)/\(name)"
    }
}

/// How a program ended and what it wrote.
struct Ended: Sendable {
    let status: Int32
    let out: String
    let error: String

    var lines: [Substring] { error.split(separator: "\n") }

    var json: Found {
        get throws {
            do { return try JSONDecoder().decode(Found.self, from: Data(out.utf8)) } catch {
                throw Broken("no JSON: \(out) \(self.error)")
            }
        }
    }
}

enum Programs {
    /// The program is built beside the bundle of these tests; `TALEA_BINARY` names another one.
    static let talea: String = {
        if let named = ProcessInfo.processInfo.environment["TALEA_BINARY"] { return named }
        let real = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let candidates = [CommandLine.arguments[0], real ?? ""]
            .map { URL(fileURLWithPath: $0).deletingLastPathComponent().path + "/talea" }
        let found = candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
        return found ?? checkout + "/.build/debug/talea"
    }()

    static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    static let isCI = ProcessInfo.processInfo.environment["CI"] != nil
    static let python = ProcessInfo.processInfo.environment["TALEA_PYTHON"] ?? find("python3")
    static let hledger = find("hledger")

    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Output goes through files, so that no full pipe can stop the program.
    static func run(_ path: String, _ arguments: [String], in folder: String? = nil) async throws
        -> Ended
    {
        let files = FileManager.default
        let base = files.temporaryDirectory.appendingPathComponent("talea-\(UUID().uuidString)")
        let names = [base.path + ".out", base.path + ".err"]
        defer { for name in names { try? files.removeItem(atPath: name) } }
        let handles = try names.map { name in
            try Data().write(to: URL(fileURLWithPath: name))
            return try FileHandle(forWritingTo: URL(fileURLWithPath: name))
        }
        let running = try Running(path, arguments, out: handles[0], error: handles[1], in: folder)
        let status = await running.ended()
        for handle in handles { try handle.close() }
        return Ended(
            status: status, out: try String(contentsOfFile: names[0], encoding: .utf8),
            error: try String(contentsOfFile: names[1], encoding: .utf8))
    }

    static func python(_ arguments: [String]) async throws -> Ended {
        try await run(
            try #require(python, "python3 is missing: apt-get install python3"), arguments)
    }
}

/// A process; waiting for it holds no thread.
final class Running {
    private let process = Process()
    private let end: AsyncStream<Int32>
    private var status: Int32?

    init(
        _ path: String, _ arguments: [String], out: FileHandle, error: FileHandle,
        in folder: String? = nil
    ) throws {
        let (end, told) = AsyncStream<Int32>.makeStream()
        self.end = end
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment
            .merging(["LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = error
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        process.terminationHandler = { process in
            told.yield(process.terminationStatus)
            told.finish()
        }
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Under strace: to the program that it runs.
    func signal(_ number: Int32) {
        let children = "/proc/\(pid)/task/\(pid)/children"
        let isTracing = process.executableURL?.lastPathComponent == "strace"
        let text = isTracing ? try? String(contentsOfFile: children, encoding: .utf8) : nil
        kill(text?.split(separator: " ").first.flatMap { Int32($0) } ?? pid, number)
    }

    func ended() async -> Int32 {
        for await found in end { status = found }
        return status ?? -1
    }
}

/// One home and the commands of its owner.
final class Studio {
    let name: String
    let home: String
    let folder: Folder
    private(set) var did = ""
    private(set) var invitation = ""
    private(set) var recoveryCode = ""
    var address: String?
    private(set) var node: Running?

    init(_ name: String, in folder: Folder) {
        self.name = name
        self.folder = folder
        home = "\(folder.path)/\(name)"
    }

    // MARK: Commands

    func run(
        _ verb: String, _ options: KeyValuePairs<String, String> = [:], _ flags: [String] = [],
        lang: String = "en"
    ) async throws -> Ended {
        try await run(
            verb.split(separator: " ").map(String.init)
                + options.flatMap { ["--" + $0.key, $0.value] } + flags, lang: lang)
    }

    func run(_ words: [String], lang: String = "en") async throws -> Ended {
        try await Programs.run(Programs.talea, ["--home", home, "--lang", lang] + words)
    }

    /// The answer of a command that must succeed.
    @discardableResult
    func callAsFunction(
        _ verb: String, _ options: KeyValuePairs<String, String> = [:], _ flags: [String] = []
    ) async throws -> Found {
        let ended = try await run(verb, options, ["--json", "--yes"] + flags)
        guard ended.status == 0 else {
            throw Broken("\(name): talea \(verb) ended with \(ended.status): \(ended.error)")
        }
        return try ended.json
    }

    // MARK: The node

    func make(joining other: Studio? = nil, flags: [String] = ["--no-passphrase"]) async throws {
        let alliance = other.map { ["--invitation", $0.invitation] } ?? ["--alliance", "纸间联盟"]
        let ended = try await run(
            ["init", "--name", name, "--role", "studio", "--json"] + alliance + flags)
        guard ended.status == 0 else { throw Broken("init ended: \(ended.error)") }
        let made = try ended.json
        did = made["did"].text
        invitation = made["invitation"].text
        recoveryCode = made["recovery_code"].text
    }

    /// Starts the node, under another program where one is given, and returns when it answers.
    func start(_ flags: [String] = [], under program: [String] = []) async throws {
        let log = home + ".log"
        if !FileManager.default.fileExists(atPath: log) {
            try Data().write(to: URL(fileURLWithPath: log))
        }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        handle.seekToEndOfFile()
        let listen = address ?? "127.0.0.1:0"
        let words = program + [Programs.talea, "--home", home, "run", "--listen", listen] + flags
        let node = try Running(words[0], Array(words.dropFirst()), out: handle, error: handle)
        self.node = node
        try handle.close()
        address = try await find("\(name) answers") { () -> String? in
            guard node.isRunning else {
                throw Broken("\(name) ended: \(try String(contentsOfFile: log, encoding: .utf8))")
            }
            let status = try await run("status", [:], ["--json"])
            return status.status == 0 ? try status.json["listening"].text : nil
        }
    }

    @discardableResult
    func stop(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        guard let node else { throw Broken("\(name) is not running") }
        node.signal(signal)
        let status = await node.ended()
        self.node = nil
        return status
    }

    // MARK: Asking again

    func show(_ contract: String) async throws -> Found {
        try await self("contract show", ["contract": contract])
    }

    func reaches(_ contract: String, _ grades: String...) async throws {
        try await until("\(name) sees \(grades)") {
            let found = try await run("contract show", ["contract": contract], ["--json"])
            guard found.status == 0 else { return false }
            return grades.contains(try found.json["grade"].text)
        }
    }

    /// The number of the newest record of a family in a state.
    @discardableResult
    func record(_ contract: String, _ family: String, _ state: String) async throws -> String {
        try await find("\(name) sees \(family) \(state)") { () -> String? in
            let records = try await show(contract)["records"].items
            let found = records.last { $0["family"].text == family && $0["state"].text == state }
            return found.map { $0["number"].text }
        }
    }

    /// All that this home shows for its own, for a comparison of before and after.
    func lists() async throws -> [Found] {
        var all: [Found] = []
        for verb in ["contract list", "line show", "offer list", "name list", "ledger balance"] {
            all.append(try await self(verb))
        }
        all.append(.array(try await self("status")["outbox"].items.map { $0["statement"] }))
        return all
    }

    /// Every byte of the home but the lists that SQLite shares between processes.
    func bytes() throws -> [String: Data] {
        let files = FileManager.default
        var all: [String: Data] = [:]
        for name in files.enumerator(atPath: home) ?? .init() {
            guard let name = name as? String, !name.hasSuffix("-shm") else { continue }
            all[name] = files.contents(atPath: "\(home)/\(name)")
        }
        return all
    }
}

/// Asks again until it holds; the commands themselves are the waiting.
func until(_ what: String, _ check: () async throws -> Bool) async throws {
    _ = try await find(what) { () -> Bool? in try await check() ? true : nil }
}

/// Asks again until there is an answer.
func find<T>(_ what: String, _ check: () async throws -> T?) async throws -> T {
    let end = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < end {
        if let found = try await check() { return found }
        await Task.yield()
    }
    throw Broken("waited 30 s in vain: \(what)")
}

/// JSON as a command printed it.
enum Found: Decodable, Equatable, Sendable {
    case none
    case truth(Bool)
    case number(Int64)
    case string(String)
    case array([Found])
    case object([String: Found])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .none
        } else if let found = try? value.decode(Bool.self) {
            self = .truth(found)
        } else if let found = try? value.decode(Int64.self) {
            self = .number(found)
        } else if let found = try? value.decode(String.self) {
            self = .string(found)
        } else if let found = try? value.decode([Found].self) {
            self = .array(found)
        } else {
            self = .object(try value.decode([String: Found].self))
        }
    }

    subscript(_ name: String) -> Found {
        if case .object(let fields) = self { fields[name] ?? .none } else { .none }
    }

    var items: [Found] { if case .array(let items) = self { items } else { [] } }
    var fields: [String: Found] { if case .object(let fields) = self { fields } else { [:] } }
    var isTrue: Bool { self == .truth(true) }

    var number: Int64? { if case .number(let number) = self { number } else { nil } }

    /// A string, or a number in digits; empty for all else.
    var text: String {
        switch self {
        case .string(let text): text
        case .number(let number): "\(number)"
        default: ""
        }
    }
}

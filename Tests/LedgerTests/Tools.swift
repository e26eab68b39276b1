import Foundation

/// The accounting programs that read our exports, where this machine has them. In CI their absence
/// is a failure that says what to install; elsewhere the tests that need them are skipped.
enum Tools {
    static let isCI = ProcessInfo.processInfo.environment["CI"] != nil
    static let hledger = find("hledger")
    /// A python that has beancount: `TALEA_PYTHON`, else `python3` of the path.
    static let python: String? = {
        let named = ProcessInfo.processInfo.environment["TALEA_PYTHON"]
        return [named, find("python3")].compactMap(\.self).first { path in
            (try? run(path, ["-c", "import beancount"]).status) == 0
        }
    }()
    static let hledgerMissing = "hledger is missing: apt-get install hledger"
    static let beancountMissing =
        "no python with beancount: pip install beancount==3.2.3, and set TALEA_PYTHON to it"

    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Output and errors together go through a file, so that no full pipe can stop the program.
    static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String)
    {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("talea-\(UUID().uuidString).out")
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let handle = try FileHandle(forWritingTo: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment
            .merging(["LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"]) { $1 }
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        try handle.close()
        return (process.terminationStatus, try String(contentsOf: file, encoding: .utf8))
    }

    /// Calls `body` with the path of a file that holds `text` and is gone afterwards.
    static func withFile<T>(_ text: String, _ ending: String, _ body: (String) throws -> T) throws
        -> T
    {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("talea-\(UUID().uuidString).\(ending)")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try body(file.path)
    }
}

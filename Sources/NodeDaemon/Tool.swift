public import Foundation

/// Another program, run for what it alone can do, with a limit on its time and its words.
public enum Tool {
    private static let patience: TimeInterval = 30
    private static let answerMax = 256 << 10

    /// Status 127: there is no such program. Blocks until it ended.
    public static func run(_ arguments: [String]) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let end = DispatchWorkItem { if process.isRunning { process.terminate() } }
        DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: end)
        defer { end.cancel() }
        var output = Data()
        while output.count < answerMax,
            let more = try pipe.fileHandleForReading.read(upToCount: answerMax), !more.isEmpty
        {
            output += more
        }
        if output.count >= answerMax { process.terminate() }
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }

    /// Whether the shell would find it.
    public static func isHere(_ program: String) -> Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
        }
    }

    /// Does `work` with a folder that nobody else may look into, and that is gone afterwards.
    public static func withFolder<Result>(_ work: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "talea-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        return try work(folder)
    }
}

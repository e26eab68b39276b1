import Foundation

/// Where the golden bytes lie, and how to run another program over them.
enum Vectors {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let folder = repository.appending(path: "Tests/Vectors")
    static let environment = ProcessInfo.processInfo.environment
    static let inCI = environment["CI"] != nil

    static func json<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: name)))
    }

    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let complaint: String
    }

    /// Runs a program found on the path, feeding it `input`.
    static func run(_ words: [String], input: [UInt8] = []) throws -> Outcome {
        let scratch = try Scratch()
        let (from, to, errors) = (
            scratch.folder.appending(path: "in"), scratch.folder.appending(path: "out"),
            scratch.folder.appending(path: "err")
        )
        try Data(input).write(to: from)
        for file in [to, errors] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = try FileHandle(forReadingFrom: from)
        process.standardOutput = try FileHandle(forWritingTo: to)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: Array(try Data(contentsOf: to)),
            complaint: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }
}

/// A folder that goes away with its holder.
final class Scratch {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "talea-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
}

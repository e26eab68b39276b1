import Dashboard
import Foundation
import Glibc

/// Another program, run for what it alone can do, with a limit on its time and its words.
enum Child {
    private static let patience: TimeInterval = 30
    private static let answerMax = 256 << 10

    /// Status 127: there is no such program.
    static func run(_ arguments: [String]) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let child = process
        DispatchQueue.global().asyncAfter(deadline: .now() + patience) {
            if child.isRunning { child.terminate() }
        }
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

    /// By the first browser of that family that is here; none is asked of who needs no PDF.
    static func print(_ html: String, to file: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "talea-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        let page = folder.appending(path: "paper.html")
        try Data(html.utf8).write(to: page)
        let made = folder.appending(path: "paper.pdf")
        for name in ["chromium", "chromium-browser", "google-chrome"] {
            let ended = try run(
                [
                    name, "--headless", "--disable-gpu", "--no-pdf-header-footer",
                    "--user-data-dir=" + folder.path, "--print-to-pdf=" + made.path,
                ] + (getuid() == 0 ? ["--no-sandbox"] : []) + [page.absoluteString])
            if ended.status == 127 { continue }
            guard let pdf = try? Data(contentsOf: made), pdf.starts(with: Data("%PDF".utf8)) else {
                break
            }
            return try pdf.write(to: URL(filePath: file), options: .atomic)
        }
        throw DoorRefusal(
            "pdf_unprintable", field: "out", value: file,
            en:
                "-o “\(file)”: no chromium is here to make a PDF; write FILE.html and print it from any browser",
            zh: "-o “\(file)”：没有 chromium 可生成 PDF；请写 FILE.html 并从任一浏览器打印")
    }
}

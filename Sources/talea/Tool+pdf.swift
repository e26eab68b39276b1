import Dashboard
import Foundation
import Glibc
import NodeDaemon

extension Tool {
    /// By the first browser of that family that is here; none is asked of who needs no PDF.
    static func print(_ html: String, to file: String) throws {
        let pdf = try withFolder { folder in try Self.pdf(of: html, in: folder) }
        guard let pdf else {
            throw DoorRefusal(
                "pdf_unprintable", field: "out", value: file,
                en:
                    "-o “\(file)”: no chromium is here to make a PDF; write FILE.html and print it from any browser",
                zh: "-o “\(file)”：没有 chromium 可生成 PDF；请写 FILE.html 并从任一浏览器打印")
        }
        try pdf.write(to: URL(filePath: file), options: .atomic)
    }

    private static func pdf(of html: String, in folder: URL) throws -> Data? {
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
            let pdf = try? Data(contentsOf: made)
            return pdf?.starts(with: Data("%PDF".utf8)) == true ? pdf : nil
        }
        return nil
    }
}

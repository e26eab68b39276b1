internal import Foundation
internal import Glibc

/// Program pages that only starting up needed. A node idles for months on small machines; what it does
/// not run need not stay resident.
enum StartupPages {
    /// Unmaps the pages of every executable file mapping. They are clean, so whatever still runs is mapped
    /// again from the page cache as it is reached.
    static func giveBack() {
        guard let text = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else {
            return
        }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let ends = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard ends.count == 2, ends[0] < ends[1],
                let start = UnsafeMutableRawPointer(bitPattern: ends[0])
            else { continue }
            madvise(start, Int(ends[1] - ends[0]), MADV_DONTNEED)
        }
    }
}

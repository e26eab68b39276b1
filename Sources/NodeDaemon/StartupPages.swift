internal import Foundation
internal import Glibc

/// Memory that only starting up needed. A node idles for months on small machines; what it does not use
/// need not stay resident.
enum StartupPages {
    /// Unmaps the pages of every executable file mapping. They are clean, so whatever still runs is mapped
    /// again from the page cache as it is reached.
    static func giveBack() {
        trimHeap()
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

    /// Reading the ledger's file, or meeting a peer, leaves holes between what stays. No header that Swift
    /// imports declares the function, and other C libraries than GNU's have none (malloc_trim(3)).
    static func trimHeap() {
        typealias Trim = @convention(c) (Int) -> Int32
        guard let found = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(found, to: Trim.self)(0)
    }
}

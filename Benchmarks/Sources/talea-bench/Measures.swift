import Capacity
import Foundation

/// When everything begins.
let benchStart = Instant.earliest.advanced(by: 1_795_000_000_000)

enum BenchRefusal: Error {
    case usage
    case setUp(String)
}

/// Processor seconds of this process so far.
func cpu() -> Double {
    var used = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
    return Double(used.tv_sec) + Double(used.tv_nsec) / 1e9
}

/// Bytes of this process in memory now.
func resident() -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = status.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * 4096
}

/// The middle one of some runs, each in processor seconds.
func median(of runs: Int, _ work: () throws -> Void) rethrows -> Double {
    var all: [Double] = []
    for _ in 0..<runs {
        let begun = cpu()
        try work()
        all.append(cpu() - begun)
    }
    return all.sorted()[runs / 2]
}

private let writer = DispatchQueue(label: "bench.commit")

/// On a thread of its own, as the node's loop writes.
func aside(_ work: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        writer.async { continuation.resume(with: Result { try work() }) }
    }
}

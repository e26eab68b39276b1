import Fixtures
import Foundation
import Hardware
import Identity
import Simulation
import Testing

/// Worlds whose homes are real files: SQLite on a disk that fails and forgets.
@Suite struct FileWorldTests {
    static let environment = ProcessInfo.processInfo.environment
    /// `TALEA_FILE_SEEDS` says how many; where nobody says, some to whose disks much happens.
    static let seeds: [UInt64] =
        environment["TALEA_FILE_SEEDS"].flatMap { UInt64($0) }.map { Array(1...$0) }
        ?? [1, 2, 5, 6, 8, 10, 14, 35, 39, 60]

    private static func run(
        _ seed: UInt64, minutes: Int = 20, canary: FileDisk.Canary? = nil
    ) throws -> Fate {
        _ = Sodium.start()
        var setting = World.Setting(nodes: 4, hours: 1, templates: Shipped.ordered)
        setting.minutes = minutes
        setting.lieOnFiles(canary: canary)
        return try World(seed: seed, setting).run()
    }

    @Test func `worlds on real files keep every invariant`() throws {
        var tally = Tally()
        for seed in Self.seeds {
            let fate = try Self.run(seed)
            #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
            tally.add(fate.tally)
        }
        guard Self.environment["TALEA_FILE_SEEDS"] == nil else { return }
        // What does not happen is not tested.
        for what in ["killed", "power cut torn", "commit failed", "commit cut short"] {
            #expect(tally.disks[what, default: 0] > 0, "\(what) of \(tally.disks)")
        }
    }

    /// A bit of the log turned over after a process was killed while it wrote the log's pages into the ledger:
    /// a row stood there of a step that was gone.
    @Test func `a home that lost its newest part has no rows of it`() throws {
        var tally = Tally()
        for seed in [453, 510, 518, 534] as [UInt64] {
            let fate = try Self.run(seed, minutes: 60)
            #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
            tally.add(fate.tally)
        }
        #expect(tally.disks["bit read-only", default: 0] > 0)
    }

    @Test(arguments: [FileDisk.Canary.unsynced, .skipped])
    func `a planted loss is found`(_ canary: FileDisk.Canary) throws {
        let violation = try (1...8 as ClosedRange<UInt64>).lazy.compactMap {
            try Self.run($0, minutes: 60, canary: canary).violation
        }.first
        let losses: [Check] = [
            .acknowledgedLost, .sentBeforeCommitted, .restartDiffers, .refused, .secondHistory,
        ]
        #expect(
            violation.map { losses.contains($0.check) } == true, "\(String(describing: violation))")
    }

    @Test func `one seed is one run on real files, too, in two processes`() throws {
        let here = try Self.run(4)
        #expect(here.tally.disks.count > 2)
        let other = Process()
        other.executableURL = URL(filePath: "/proc/self/exe")
        other.arguments = [
            "--testing-library", "swift-testing", "--filter", "the file trace of TALEA_TRACE",
        ]
        other.environment = Self.environment.merging(["TALEA_TRACE": "4"]) { $1 }
        let output = Pipe()
        other.standardOutput = output
        try other.run()
        let said = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        other.waitUntilExit()
        #expect(said.contains("trace \(here.trace) frames \(here.tally.frames)"))
    }

    @Test(.enabled(if: environment["TALEA_TRACE"] != nil))
    func `the file trace of TALEA_TRACE`() throws {
        let seed = try #require(Self.environment["TALEA_TRACE"].flatMap { UInt64($0) })
        let fate = try Self.run(seed)
        print("trace \(fate.trace) frames \(fate.tally.frames)")
    }
}

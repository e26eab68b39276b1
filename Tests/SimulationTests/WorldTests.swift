import Fixtures
import Foundation
import Identity
import Simulation
import Testing

/// Whole nodes trade while everything goes wrong, and nothing that must hold breaks.
@Suite struct WorldTests {
    static let environment = ProcessInfo.processInfo.environment
    /// `TALEA_SEEDS` says how many; 40 where nobody says.
    static let count = environment["TALEA_SEEDS"].flatMap { UInt64($0) } ?? 40

    @Test(arguments: 0..<4)
    func `seeded worlds keep every invariant`(_ group: UInt64) throws {
        for seed in stride(from: group, to: Self.count, by: 4) {
            let fate = try Seeds.run(seed)
            #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
        }
    }

    @Test(arguments: 0..<4)
    func `seeded worlds of two alliances keep every invariant`(_ group: UInt64) throws {
        var lines = 0
        for seed in stride(from: group, to: Self.count / 2, by: 4) {
            let fate = try Seeds.run(seed, hasGuild: true)
            #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
            lines += fate.tally.guildLines
        }
        #expect(lines > 0)
    }

    /// What is never proposed is never tested, and nobody would notice.
    @Test func `every template is proposed and opened in some world`() throws {
        var tally = Tally()
        for seed: UInt64 in 1...40 where tally.opened.count < Shipped.templates.count {
            tally.add(try Seeds.trade(seed))
        }
        #expect(tally.proposed.count == Shipped.templates.count, "\(tally.proposed)")
        #expect(tally.opened.count == Shipped.templates.count, "\(tally.opened)")
    }

    @Test func `people end contracts together, and without who is silent, in some world`() throws {
        var tally = Tally()
        // In these it happened, before others would have had to be looked through.
        for seed: UInt64 in [77, 12, 59, 22, 79, 23, 88, 46, 93, 94]
        where ["settle", "settlement"].contains(where: { tally.transitions[$0] == nil }) {
            tally.add(try Seeds.run(seed).tally)
        }
        #expect(tally.transitions["settle", default: 0] > 0)
        #expect(tally.transitions["settlement", default: 0] > 0)
    }

    @Test func `the canary dies`() throws {
        _ = Sodium.start()
        var setting = World.Setting(nodes: 2, hours: 2, templates: [])
        setting.isCanary = true
        let fate = try World(seed: 3, setting).run()
        #expect(fate.violation?.check == .canary)
    }

    @Test func `one seed is one run in two processes, each with a hash seed of its own`() throws {
        let here = try Seeds.run(8)
        #expect(try Seeds.run(9).trace != here.trace)
        let other = Process()
        other.executableURL = URL(filePath: "/proc/self/exe")
        other.arguments = [
            "--testing-library", "swift-testing", "--filter", "the trace of TALEA_TRACE",
        ]
        other.environment = Self.environment.merging(["TALEA_TRACE": "8"]) { $1 }
        let output = Pipe()
        other.standardOutput = output
        try other.run()
        let said = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        other.waitUntilExit()
        #expect(said.contains("trace \(here.trace) frames \(here.tally.frames)"))
    }

    @Test(.enabled(if: environment["TALEA_TRACE"] != nil))
    func `the trace of TALEA_TRACE`() throws {
        let seed = try #require(Self.environment["TALEA_TRACE"].flatMap { UInt64($0) })
        let fate = try Seeds.run(seed)
        print("trace \(fate.trace) frames \(fate.tally.frames)")
    }
}

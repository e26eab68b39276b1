import Foundation
import Identity
import Simulation
import Testing

/// Whole nodes trade while everything goes wrong, and nothing that must hold breaks.
@Suite struct WorldTests {
    /// `TALEA_SEEDS` says how many; a handful where nobody asks for more.
    static let count =
        ProcessInfo.processInfo.environment["TALEA_SEEDS"].flatMap { UInt64($0) } ?? 4

    @Test(arguments: 0..<4)
    func `seeded worlds keep every invariant`(_ group: UInt64) throws {
        for seed in stride(from: group, to: Self.count, by: 4) {
            let fate = try Seeds.run(seed)
            #expect(fate.violation == nil, "seed \(seed): \(String(describing: fate.violation))")
        }
    }

    @Test func `the canary dies`() throws {
        _ = Sodium.start()
        var setting = World.Setting(nodes: 2, hours: 2, templates: [])
        setting.isCanary = true
        let fate = try World(seed: 3, setting).run()
        #expect(fate.violation?.check == .canary)
    }

    @Test func `one seed is one run`() throws {
        for seed: UInt64 in [8] {
            let (one, other) = (try Seeds.run(seed), try Seeds.run(seed))
            #expect(one.trace == other.trace && one.tally.frames == other.tally.frames)
            #expect(try Seeds.run(seed + 1).trace != one.trace)
        }
    }
}

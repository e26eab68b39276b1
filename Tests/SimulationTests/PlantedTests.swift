#if PLANTED
    import Capacity
    import Foundation
    import Identity
    import Simulation
    import Testing

    /// The tester tested: `scripts/planted` builds these and runs them alone, one bug to a process.
    @Suite struct PlantedTests {
        @Test func `the planted bug is found`() throws {
            let name = ProcessInfo.processInfo.environment["TALEA_PLANT"] ?? ""
            let bug = try #require(Planted(rawValue: name), "TALEA_PLANT=\(name)")
            defer { Planted.chosen = nil }
            for seed: UInt64 in 1...200 {
                Planted.chosen = bug
                guard let violation = try Seeds.run(seed, minutes: 60).violation else { continue }
                // Without the bug nothing must be wrong with this seed.
                Planted.chosen = nil
                guard try Seeds.run(seed, minutes: 60).violation == nil else { continue }
                print("found \(name): \(violation.check.rawValue), seed \(seed)")
                return
            }
            Issue.record("not found in 200 seeds: \(name)")
        }

        @Test func `every planted bug has a name of its own`() {
            #expect(Planted.allCases.count >= 25)
            for bug in Planted.allCases { print("planted \(bug.rawValue)") }
        }
    }
#endif

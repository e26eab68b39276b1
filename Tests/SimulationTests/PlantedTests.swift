#if PLANTED
    import Capacity
    import Foundation
    import Identity
    import Simulation
    import Testing

    /// The tester tested: `scripts/planted` builds these and runs them alone, one bug to a process.
    @Suite struct PlantedTests {
        private static let seeds: ClosedRange<UInt64> = {
            let words = ProcessInfo.processInfo.environment["TALEA_SEEDS"]?.split(separator: "-")
            let ends = words?.compactMap { UInt64($0) } ?? [1, 200]
            return ends[0]...ends[1]
        }()

        private static let nodes = ProcessInfo.processInfo.environment["TALEA_NODES"].flatMap {
            Int($0)
        }

        private static func play(_ seed: UInt64) throws -> Fate {
            try Seeds.run(seed, minutes: 60, crowds: 3, nodes: nodes)
        }

        @Test func `the planted bug is found`() throws {
            let name = ProcessInfo.processInfo.environment["TALEA_PLANT"] ?? ""
            let bug = try #require(Planted(rawValue: name), "TALEA_PLANT=\(name)")
            defer { Planted.chosen = nil }
            for seed in Self.seeds {
                Planted.chosen = bug
                guard let violation = try Self.play(seed).violation else { continue }
                // Without the bug nothing must be wrong with this seed.
                Planted.chosen = nil
                guard try Self.play(seed).violation == nil else { continue }
                print("found \(name): \(violation.check.rawValue), seed \(seed)")
                return
            }
            Issue.record("not found in \(Self.seeds.count) seeds: \(name)")
        }

        @Test func `where no bug is planted the same worlds are whole`() throws {
            for seed in Self.seeds {
                let fate = try Self.play(seed)
                #expect(fate.violation == nil, "seed \(seed)")
                if let violation = fate.violation {
                    print("seed \(seed): \(violation) among \(fate.families.map(\.rawValue))")
                }
                if seed % 20 == 0 { print("up to \(seed)") }
                fflush(nil)
            }
        }

        @Test func `every planted bug has a name of its own`() {
            #expect(Planted.allCases.count >= 25)
            for bug in Planted.allCases { print("planted \(bug.rawValue)") }
        }
    }
#endif

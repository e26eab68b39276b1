import Simulation
import Testing

/// Many nodes that push live, by seeds. The figures of thousands of nodes are in docs/RELIABILITY.md.
@Suite struct GossipTests {
    private func report(seed: UInt64, fail: Int, nodes: Int = 300) -> GossipReport {
        var setting = GossipWorld.Setting()
        setting.nodes = nodes
        setting.shuffles = 15
        setting.sources = 6
        return GossipReport(seed: seed, setting, failPercent: fail)
    }

    @Test func `a stable network delivers to all, once, as fast as a flood`() {
        let report = report(seed: 1, fail: 0)
        #expect(report.parts == [300])
        #expect(report.stable.delivered == 1_000)
        #expect(report.stable.redundancy <= 20)
        #expect(report.stable.lastHop * 100 <= report.stable.floodLastHop * 115)
        // 1.3 × an entry of 400 bytes.
        #expect(report.stable.bytes <= 520_000)
    }

    @Test(arguments: [20, 50])
    func `the first entry after a crash reaches all who are left`(_ percent: Int) {
        let report = report(seed: 2, fail: percent)
        #expect(report.parts == [300 - 300 * percent / 100])
        #expect(report.crashed.delivered == 1_000)
        #expect(report.crashed.redundancy * 3 < report.crashed.floodRedundancy)
        #expect(report.crashed.lastHop < report.crashed.floodLastHop * 2)
        #expect(report.later.delivered == 1_000)
    }

    @Test func `after most are gone the rest is one network`() {
        #expect(report(seed: 3, fail: 80).parts == [60])
    }

    @Test func `one seed is one run`() {
        #expect(report(seed: 4, fail: 20, nodes: 80) == report(seed: 4, fail: 20, nodes: 80))
        #expect(
            report(seed: 4, fail: 20, nodes: 80).trace
                != report(seed: 5, fail: 20, nodes: 80).trace)
    }
}

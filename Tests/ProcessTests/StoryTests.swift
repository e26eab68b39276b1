import Foundation
import Testing

extension ProcessTests {
    @Suite struct StoryTests {
        static let netPaid: [String: Int64] = [
            "zhijian": 3_184_880, "dongguan": -2_230_000, "shouzuo": 77_600, "jike": -19_200,
            "zhebi": -114_000, "weicai": -899_280, "wenchuang": 0, "zhongcai": 0,
        ]

        @Test(.timeLimit(.minutes(5)))
        func `eight processes play the journal story and agree on every fen`() async throws {
            let folder = try Folder()
            let report = folder.path + "/report.json"
            let story = try await Programs.python([
                Programs.checkout + "/scripts/journal_story.py", "--talea", Programs.talea,
                "--json", report,
            ])
            try #require(story.status == 0, "\(story.out)\n\(story.error)")
            let data = try Data(contentsOf: URL(fileURLWithPath: report))
            let nodes = try JSONDecoder().decode(Found.self, from: data)["nodes"].items
            var paid: [String: Int64] = [:]
            for node in nodes { paid[node["name"].text] = node["net_paid"]["CNY"].number }
            #expect(nodes.count == 8)
            #expect(paid == Self.netPaid)
            #expect(paid.values.reduce(0, +) == 0)
            #expect(Set(nodes.map { $0["did"].text }).count == 8)
            var digests: [String: Set<String>] = [:]
            var holders: [String: Int] = [:]
            for contract in nodes.flatMap({ $0["contracts"].items }) {
                let id = contract["id"].text
                #expect(contract["grade"].text == "settled")
                #expect(contract["state_digest"].text.count == 64)
                digests[id, default: []].insert(contract["state_digest"].text)
                holders[id, default: 0] += 1
            }
            #expect(digests.count == 7)
            #expect(digests.values.allSatisfy { $0.count == 1 })
            #expect(holders.values.allSatisfy { $0 >= 3 })
        }

        @Test(.timeLimit(.minutes(5)), .enabled(if: Programs.isCI))
        func `a surge is met by the kitchens that answer, and the silent one owes`() async throws {
            let folder = try Folder()
            let report = folder.path + "/report.json"
            let story = try await Programs.python([
                Programs.checkout + "/scripts/surge_story.py", "--talea", Programs.talea, "--json",
                report,
            ])
            try #require(story.status == 0, "\(story.out)\n\(story.error)")
            #expect(story.out.contains("Demand 400 = 250 own + 140 moved + 10 unserved"))
            let data = try Data(contentsOf: URL(fileURLWithPath: report))
            let nodes = try JSONDecoder().decode(Found.self, from: data)["nodes"].items
            #expect(nodes.reduce(0) { $0 + ($1["net_paid"]["CNY"].number ?? 0) } == 0)
            let moved = nodes.reduce(into: [:]) { $0[$1["name"].text] = $1["moved"].number }
            #expect(moved["yunxi"] == 80 && moved["hetang"] == 60 && moved["songfeng"] == 0)
        }
    }
}

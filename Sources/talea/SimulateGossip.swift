import ArgumentParser
import Contracts
import Dashboard
import Simulation

/// Live push at size, by a seed. No home is needed.
struct SimulateGossip: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "gossip")

    @Option(help: "How many nodes.") var nodes = 1_000
    @Option(help: "The seed.") var seed: UInt64 = 1
    @Option(help: "How many of a hundred nodes crash at once.") var fail = 0
    @Flag(help: "Link delays are drawn, from half to one and a half.") var drawn = false
    @Flag(help: "A lost neighbour is noticed only by the next message to it.") var late = false
    @OptionGroup var common: Common

    func act(_ line: Line) throws -> Int32 {
        guard (10...20_000).contains(nodes), (0...90).contains(fail) else {
            throw DoorRefusal(
                "value_unreadable", field: "simulate", value: "gossip",
                en: "simulate gossip: wanted 10 to 20000 nodes, and a crash of 0 to 90 percent",
                zh: "simulate gossip：节点应为 10 至 20000，崩溃比例应为 0 至 90")
        }
        var setting = GossipWorld.Setting()
        setting.nodes = nodes
        setting.drawsDelays = drawn
        setting.noticesLoss = !late
        let report = GossipReport(seed: seed, setting, failPercent: fail)
        print(common.json ? Self.json(report) : Self.text(report, line.language))
        return 0
    }

    /// What is asked about: the first entry after the crash, or those of a stable network.
    private static func figures(_ report: GossipReport) -> GossipReport.Figures {
        report.failPercent > 0 ? report.crashed : report.stable
    }

    /// Fractions are what this is about, so they are written here and not as `JSON`, which has none.
    private static func json(_ report: GossipReport) -> String {
        func object(_ figures: GossipReport.Figures) -> String {
            [
                "\"delivery_ratio\":\(decimal(figures.delivered))",
                "\"last_hop\":\(decimal(figures.lastHop))",
                "\"rmr\":\(decimal(figures.redundancy))",
                "\"bytes_per_node_and_entry\":\(decimal(figures.bytes))",
                "\"flood_delivery_ratio\":\(decimal(figures.floodDelivered))",
                "\"flood_last_hop\":\(decimal(figures.floodLastHop))",
                "\"flood_rmr\":\(decimal(figures.floodRedundancy))",
            ].joined(separator: ",")
        }
        return "{"
            + [
                "\"nodes\":\(report.setting.nodes)", "\"seed\":\(report.seed)",
                "\"fail\":\(report.failPercent)", object(figures(report)),
                "\"heal_ms\":\(report.healMilliseconds)",
                "\"parts\":[\(report.parts.map(String.init).joined(separator: ","))]",
                "\"stable\":{\(object(report.stable))}", "\"cold\":{\(object(report.cold))}",
                "\"later\":{\(object(report.later))}",
                "\"trace\":\"\(String(report.trace, radix: 16))\"",
            ].joined(separator: ",") + "}"
    }

    private static func text(_ report: GossipReport, _ language: Language) -> String {
        let english = language == .en
        var rows = [
            (english ? "stable" : "稳定", report.stable),
            (english ? "new source" : "新来源", report.cold),
        ]
        if report.failPercent > 0 {
            rows.append((english ? "first after the crash" : "崩溃后首条", report.crashed))
            rows.append((english ? "second and third" : "第二、三条", report.later))
        }
        let table = Table.text(
            english
                ? ["entry", "delivered", "last hop", "flood", "rmr", "flood", "bytes"]
                : ["条目", "送达", "末跳", "泛洪", "冗余", "泛洪", "字节"],
            rows.map { name, figures in
                [
                    name, decimal(figures.delivered), decimal(figures.lastHop),
                    decimal(figures.floodLastHop), decimal(figures.redundancy),
                    decimal(figures.floodRedundancy), decimal(figures.bytes),
                ]
            }, rightAligned: [1, 2, 3, 4, 5, 6])
        let parts = report.parts.map(String.init).joined(separator: ", ")
        return [
            english
                ? "\(report.setting.nodes) nodes, seed \(report.seed), \(report.failPercent) % crash at once"
                : "\(report.setting.nodes) 个节点，种子 \(report.seed)，\(report.failPercent) % 同时崩溃",
            "", table, "",
            english
                ? "healed in \(report.healMilliseconds) ms; parts of the overlay: \(parts)"
                : "\(report.healMilliseconds) 毫秒后恢复；覆盖网各部分：\(parts)",
        ].joined(separator: "\n")
    }

    private static func decimal(_ thousandths: Int) -> String {
        let size = abs(thousandths)
        let rest = String(1_000 + size % 1_000).dropFirst()
        return (thousandths < 0 ? "-" : "") + "\(size / 1_000).\(rest)"
    }
}

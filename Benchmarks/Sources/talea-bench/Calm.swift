import Capacity
import Contracts
import Entries
import Foundation
import Identity
import Market
import NodeCore
import Simulation

/// What a second costs in which nothing happens.
enum Calm {
    static func run(contracts: Int, alliances: Int) throws -> [String: Double] {
        var trade = try Trade(["holder", "issuer", "judge"], template: "capacity-option")
        for number in 1..<max(alliances, 1) {
            try trade.network.command("holder") {
                _ = try $0.found("alliance \(number)", admission: .anyone)
            }
            trade.network.settle()
        }
        let line = try trade.declare("issuer", total: Int64(contracts))
        let begun = cpu()
        for _ in 0..<contracts {
            _ = try trade.agree(
                "holder",
                [
                    "style": .text("american"), "units": try Trade.units(1),
                    "lot": try Trade.units(1), "premium": try Trade.money(500),
                    "strike": try Trade.money(1_800), "remedy": try Trade.money(900),
                    "expiry": .instant(trade.at(days: 40)),
                    "deliver_by": .instant(trade.at(days: 60)),
                ], ["issuer": "issuer", "holder": "holder", "arbiter": "judge"], line)
        }
        let making = (cpu() - begun) / Double(contracts)
        var figures = ["contracts": Double(contracts), "make_ms": making * 1e3]
        // The first ticks after the trade may still have something to say.
        for _ in 0..<120 {
            trade.network.pass(milliseconds: 1_000)
            trade.network.tick()
            trade.network.settle()
        }
        for name in ["holder", "issuer", "judge"] {
            var node = trade.network[name]
            var moment = trade.network.now
            let ticks = 50
            let took = median(of: 5) {
                for _ in 0..<ticks {
                    moment = moment.advanced(by: 1_000)
                    node.begin(at: moment, seed: .zero)
                    node.tick()
                    _ = node.takeChanges()
                    _ = node.takeDirectives()
                }
            }
            figures["tick_\(name)_us"] = took / Double(ticks) * 1e6
        }
        return figures
    }
}

import Foundation
import Testing

extension ProcessTests {
    /// Processes that no wire connects; files are carried between them.
    @Suite struct StickTests {
        /// What `one` holds goes to all others.
        private static func carry(_ trade: Trade, from one: Studio) async throws {
            let file = "\(trade.folder.path)/\(one.name).talea"
            try await one("sync", ["to": file])
            for other in trade.all where other !== one { try await other("sync", ["from": file]) }
        }

        private static func round(_ trade: Trade) async throws {
            for studio in trade.all { try await carry(trade, from: studio) }
        }

        @Test func `an option is agreed and paid by files alone`() async throws {
            let trade = try Trade()
            for studio in trade.all {
                try await studio.make(joining: studio === trade.press ? nil : trade.press)
                try await studio.start()
            }
            try await Self.round(trade)
            trade.line = try await trade.press(
                "line declare",
                [
                    "resource": "print/notebook/a5", "start": "+20d", "end": "+27d",
                    "total": "300",
                ])["id"].text
            trade.offer = try await trade.press(
                "offer publish",
                [
                    "template": "capacity-option", "line": trade.line, "max-units": "200",
                    "lot": "10", "until": "+10d", "premium": "500.00", "strike": "18.00",
                    "remedy": "9.00", "expiry": "+30d", "deliver-by": "+60d",
                ])["id"].text
            try await Self.carry(trade, from: trade.press)
            trade.option = try await trade.maker(
                "option buy", ["offer": trade.offer, "units": "100", "arbiter": "judge"])["id"].text
            try await Self.carry(trade, from: trade.maker)
            for studio in [trade.judge, trade.press] {
                try await studio("contract accept", ["contract": trade.option])
            }
            try await Self.round(trade)
            try await Self.round(trade)
            for studio in trade.all { try await studio.reaches(trade.option, "sequenced") }
            let first: KeyValuePairs = ["contract": trade.option, "record": "1"]
            try await trade.maker(
                "pay state",
                [
                    "contract": trade.option, "record": "1", "channel": "bank",
                    "reference": "T1",
                ])
            try await Self.round(trade)
            try await trade.press("pay receive", first)
            try await Self.round(trade)
            var digests: Set<String> = []
            for studio in trade.all {
                digests.insert(try await studio.show(trade.option)["state_digest"].text)
                #expect(try await studio("ledger rebuild", [:], ["--check"])["equal"].isTrue)
            }
            #expect(digests.count == 1)
            let paid = try await trade.press("ledger balance")["net_paid"]["CNY"]
            #expect(paid.number == -50_000)
            // Read twice, a file brings nothing; and it names no contract.
            let file = "\(trade.folder.path)/press.talea"
            try await trade.press("sync", ["to": file])
            try await trade.maker("sync", ["from": file])
            #expect(try await trade.maker("sync", ["from": file])["entries"].number == 0)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            #expect(bytes.range(of: Data(trade.option.utf8)) == nil)

            // Cut short or with a flipped bit anywhere: refused, or at least nothing wrong is taken.
            let cut = try trade.folder.write(
                "cut.talea", String(decoding: bytes.prefix(9), as: UTF8.self))
            let refused = try await trade.judge.run("sync", ["from": cut])
            #expect(refused.status == 2)
            #expect(refused.error.contains("ask for it again"), "\(refused.error)")
            let newcomer = Studio("late", in: trade.folder)
            try await newcomer.make(joining: trade.press)
            try await newcomer.start()
            for place in stride(from: 40, to: bytes.count, by: max(bytes.count / 12, 1)) {
                var broken = bytes
                broken[place] ^= 1
                let path = "\(trade.folder.path)/broken.talea"
                try broken.write(to: URL(fileURLWithPath: path))
                _ = try await newcomer.run("sync", ["from": path])
            }
            try await newcomer("sync", ["from": file])
            #expect(try await newcomer("offer list")["offers"].items.count == 1)
            #expect(try await newcomer("status")["forks"].items.isEmpty)
        }
    }
}

import Testing

extension ProcessTests {
    /// Real processes that know one member each and find the others.
    @Suite struct OutboundTests {
        static func isConnected(_ studio: Studio, _ other: Studio) async throws -> Bool {
            try await studio("status")["peers"].items.contains { $0["did"].text == other.did }
        }

        static func found(_ studio: Studio) async throws -> [Found] {
            try await studio("peer list")["peers"].items.filter { $0["from"].text == "found" }
        }

        @Test func `partners who know one third member come to be connected and trade`()
            async throws
        {
            let trade = try Trade()
            for studio in trade.all {
                try await studio.make(joining: studio === trade.press ? nil : trade.press)
                try await studio.start(["--announce", "127.0.0.1:0"])
            }
            let (press, maker, judge) = (trade.press, trade.maker, trade.judge)
            for studio in [press, maker] {
                try await studio("peer add", ["address": judge.address ?? "", "did": judge.did])
            }
            try await until("press and maker are connected") {
                try await Self.isConnected(press, maker)
            }
            try await trade.publish()
            try await trade.buy()

            // One of the two dialed, and says so.
            let (dialer, other) =
                try await Self.found(press).isEmpty ? (maker, press) : (press, maker)
            let found = try await Self.found(dialer)
            #expect(found.map { $0["did"].text } == [other.did])
            #expect(found.map { $0["address"].text } == [other.address ?? ""])
            for (language, words) in [("en", ["fixed", "found"]), ("zh", ["固定", "自动发现"])] {
                let shown = try await dialer.run(["peer", "list"], lang: language)
                for word in words { #expect(shown.out.contains(word), "\(shown.out)") }
            }

            // After a start nobody has to say anything.
            try await judge.stop()
            try await dialer.stop()
            try await dialer.start()
            try await until("they are connected again, without the third") {
                try await Self.isConnected(dialer, other)
            }
            for studio in [press, maker] { try await studio.stop() }
        }

        @Test func `a node says where it listens, and stops saying it`() async throws {
            let trade = try Trade()
            try await trade.press.make()
            func says(_ addresses: [String]) async throws {
                try await until("press says \(addresses)") {
                    try await trade.press("id")["addresses"].items.map(\.text) == addresses
                }
            }
            try await trade.press.start(["--announce", "127.0.0.1:0"])
            try await says([trade.press.address ?? ""])
            try await trade.press.stop()
            let wrong = try await trade.press.run("run", ["announce": "127.1:7001"])
            #expect(wrong.status != 0)
            #expect(wrong.error.contains("127.1:7001"))
            try await trade.press.start()
            try await says([trade.press.address ?? ""])
            try await trade.press.stop()
            try await trade.press.start(["--announce", "none"])
            try await says([])
            try await trade.press.stop()
        }
    }
}

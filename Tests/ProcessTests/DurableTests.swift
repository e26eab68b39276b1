import Foundation
import Testing

extension ProcessTests {
    @Suite struct DurableTests {
        @Test(.timeLimit(.minutes(3)))
        func `an offer whose publisher was killed at once is seen after its return`() async throws {
            let folder = try Folder()
            let (press, maker) = (Studio("press", in: folder), Studio("maker", in: folder))
            try await press.make()
            try await maker.make(joining: press)
            try await press.start()
            try await maker.start()
            try await Trade.connect([press, maker])
            let line = try await press("line declare", HomeTests.window("print/a"))["id"].text
            var offers: Set<String> = []
            for round in 1...3 {
                let offer = try await press(
                    "offer publish",
                    [
                        "template": "capacity-option", "line": line, "max-units": "\(round)",
                        "until": "+10d", "premium": "1.00", "strike": "2.00", "remedy": "1.00",
                        "expiry": "+30d", "deliver-by": "+60d",
                    ])["id"].text
                try await press.stop(SIGKILL)
                offers.insert(offer)
                try await press.start()
                let own = try await press("offer list")["offers"].items.map { $0["id"].text }
                #expect(Set(own) == offers)
                try await until("the maker sees offer \(round)") {
                    let seen = try await maker("offer list")["offers"].items
                    return Set(seen.map { $0["id"].text }) == offers
                }
            }
            #expect(try await press("status")["read_only"] == .none)
            #expect(try await press("line show")["lines"].items.allSatisfy { !$0["forked"].isTrue })
        }
    }
}

import Contracts
import Dashboard
import Testing

@Suite struct NoticeTests {
    @Test func `a notice in full says that a payment is still to be made, as the pages do`()
        async throws
    {
        let (world, _) = try await inForce()
        for (language, toPay, paid) in [(Language.en, "To pay: ", "I paid"), (.zh, "待付款：", "付")] {
            let notices = try await world.read("bob") {
                Notice.all(of: $0, at: World.clock, hours: 1, language)
            }
            let notice = try #require(notices.first)
            #expect(notices.count == 1 && notice.kind == .waiting)
            #expect(notice.full.hasPrefix(toPay), "\(notice.full)")
            #expect(notice.full.contains(paid), "\(notice.full)")
        }
    }
}

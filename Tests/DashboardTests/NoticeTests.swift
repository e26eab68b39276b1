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

    @Test func `room Node names a way that fails, with what the other side said`() async throws {
        let untold = DoorStatus.Untold(
            way: "mail", since: World.clock, tries: 7, complaint: "curl ended with 67")
        try await APITests.serving(untold: [untold]) { port, _ in
            let (cookie, _) = try await APITests.enter(port)
            for (language, words) in [
                ("en", "cannot be told by e-mail, after 7 tries: curl ended with 67"),
                ("zh-CN", "无法通过邮件提醒您，已试 7 次：curl ended with 67"),
            ] {
                let page = try await APITests.ask(
                    port, "GET", "/node", ["Cookie: \(cookie)", "Accept-Language: \(language)"])
                #expect(page.body.contains(words), "\(page.body)")
            }
        }
    }
}

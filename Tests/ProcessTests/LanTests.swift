import Foundation
import Testing

extension ProcessTests {
    /// A node beside stand-ins for avahi's programs; the real ones play in scripts/lan_test.py.
    @Suite struct LanTests {
        static func isAlive(_ id: String) -> Bool {
            Int32(id.trimmingCharacters(in: .whitespacesAndNewlines)).map { kill($0, 0) == 0 }
                ?? false
        }

        @Test(arguments: [SIGTERM, SIGKILL])
        func `a node announces a hint and no name, and its announcement ends with it`(
            signal: Int32
        ) async throws {
            let trade = try Trade()
            let (press, folder) = (trade.press, try Folder())
            for program in ["avahi-publish-service", "avahi-browse"] {
                let file = try folder.write(
                    program, "#!/bin/sh\necho $$ > $0.id\necho $@ > $0.words\nexec sleep 600\n")
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o755], ofItemAtPath: file)
            }
            func read(_ name: String) async throws -> String {
                try await find(name) {
                    let text = try? String(
                        contentsOfFile: folder.path + "/" + name, encoding: .utf8)
                    return text?.hasSuffix("\n") == true ? text : nil
                }
            }
            try await press.make()
            press.address = "0.0.0.0:0"
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            try await press.start(
                ["--lan"], under: ["/usr/bin/env", "PATH=\(folder.path):\(path)"])
            let said = try await read("avahi-publish-service.words")
            let port = try #require(press.address?.split(separator: ":").last)
            let form = #/[0-9a-f]{16} _talea\._tcp (\d+) h=[0-9a-f]{16}\n/#
            #expect(try form.wholeMatch(in: said)?.1 == port, "\(said)")
            #expect(try await read("avahi-browse.words").contains("--resolve"))
            let ids = [
                try await read("avahi-publish-service.id"), try await read("avahi-browse.id"),
            ]
            #expect(ids.allSatisfy(Self.isAlive))
            try await press.stop(signal)
            try await until("nothing is announced any more") { !ids.contains(where: Self.isAlive) }
        }

        @Test func `a node without avahi runs as any other`() async throws {
            let trade = try Trade()
            let empty = try Folder()
            try await trade.press.make()
            try await trade.press.start(
                ["--lan"], under: ["/usr/bin/env", "PATH=\(empty.path)"])
            #expect(try await trade.press.stop() == 0)
        }
    }
}

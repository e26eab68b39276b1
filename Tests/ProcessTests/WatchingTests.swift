import Foundation
import FoundationNetworking
import Testing

extension ProcessTests {
    /// What an owner, or a program, sees of the peers of a running node.
    @Suite struct WatchingTests {
        @Test func `status tells bytes both ways, and why a peer is not there any more`()
            async throws
        {
            let trade = try Trade()
            let (press, maker) = (trade.press, trade.maker)
            try await press.make()
            try await maker.make(joining: press)
            try await press.start()
            try await maker.start()
            try await maker("peer add", ["address": press.address ?? "", "did": press.did])
            let peer = try await find("frames went both ways") { () -> Found? in
                let peers = try await maker("status")["peers"].items
                return peers.first {
                    ($0["received_bytes"].number ?? 0) > 0 && ($0["sent_bytes"].number ?? 0) > 0
                }
            }
            #expect(peer["did"].text == press.did)
            try await until("nothing is missing") {
                try await maker("status")["behind"].items.isEmpty
            }

            let reader = try Data(contentsOf: URL(fileURLWithPath: maker.home + "/reader.json"))
            let token = try #require(
                try JSONDecoder().decode([String: String].self, from: reader)["token"])
            let door = try Data(contentsOf: URL(fileURLWithPath: maker.home + "/api.json"))
            let port = try #require(
                (try JSONSerialization.jsonObject(with: door) as? [String: Any])?["port"] as? Int)
            func measured(_ name: String) async throws -> Double? {
                var request = URLRequest(url: URL(string: "http://127.0.0.1:\(port)/metrics")!)
                request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
                let (data, _) = try await URLSession.shared.data(for: request)
                let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
                return lines.first { $0.hasPrefix(name + " ") }
                    .flatMap { Double($0.dropFirst(name.count + 1)) }
            }
            #expect(try await measured("talea_received_bytes_total") ?? 0 > 0)
            #expect(try await measured("talea_connections") == 1)

            try await press.stop()
            let farewell = try await find("the farewell") {
                try await maker("status")["farewells"].items.first { $0["did"].text == press.did }
            }
            #expect(["by_peer", "lost", "unreachable"].contains(farewell["code"].text))
            for (language, words) in [("en", "not connected"), ("zh", "未连接")] {
                #expect(try await maker.run(["status"], lang: language).out.contains(words))
            }
            try await until("nobody is connected") { try await measured("talea_connections") == 0 }
            try await maker.stop()
        }
    }
}

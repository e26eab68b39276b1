import Foundation
import Testing

extension ProcessTests {
    /// Real processes that only dial out, one after the other, to a hub that is always on.
    @Suite struct HubTests {
        @Test func `studios that are never on together trade through a hub`() async throws {
            let trade = try Trade()
            let relay = Studio("relay", in: trade.folder)
            try await trade.press.make()
            for studio in [relay, trade.maker, trade.judge] {
                try await studio.make(joining: trade.press)
            }
            for studio in trade.all { try await studio.start() }
            try await relay.start(["--hub"])
            for studio in trade.all {
                try await studio(
                    "peer add", ["address": relay.address ?? "", "did": relay.did])
            }
            for studio in trade.all {
                try await until("\(studio.name) knows everybody") {
                    for other in trade.all + [relay] {
                        let known = try await studio.run("line show", ["issuer": other.name])
                        guard known.status == 0 else { return false }
                    }
                    return true
                }
                try await studio("hub use", ["who": "relay"])
            }
            try await trade.publish()
            try await until("the hub has mailboxes") {
                try await relay("hub list")["members"].items.count == 3
            }
            // From here on one at a time.
            for studio in trade.all { try await studio.stop() }
            let visit: (Studio, () async throws -> Void) async throws -> Void = { studio, body in
                try await studio.start()
                try await until("\(studio.name) is at the hub") {
                    try await studio("hub list")["hubs"].items.contains { $0["serves"].isTrue }
                }
                try await body()
                try await until("the hub has what \(studio.name) said") {
                    try await studio("status")["outbox"].items.allSatisfy {
                        !$0["at_hubs"].items.isEmpty
                    }
                }
                try await studio.stop()
            }
            try await visit(trade.maker) {
                trade.option = try await trade.maker(
                    "option buy", ["offer": trade.offer, "units": "100", "arbiter": "judge"])["id"]
                    .text
            }
            for studio in [trade.judge, trade.press] {
                try await visit(studio) {
                    try await studio.reaches(trade.option, "proposed", "agreed")
                    try await until("\(studio.name) may accept") {
                        try await studio.run(
                            "contract accept", ["contract": trade.option], ["--yes"]
                        ).status == 0
                    }
                    if studio === trade.press {
                        try await studio.reaches(trade.option, "sequenced")
                    }
                }
            }
            try await visit(trade.maker) {
                try await trade.maker.reaches(trade.option, "sequenced")
                try await until("maker may pay") {
                    try await trade.maker.run(
                        "pay state",
                        [
                            "contract": trade.option, "record": "1", "channel": "bank",
                            "reference": "T1",
                        ], ["--yes"]
                    ).status == 0
                }
            }
            try await visit(trade.press) {
                try await until("press may receive") {
                    try await trade.press.run(
                        "pay receive", ["contract": trade.option, "record": "1"], ["--yes"]
                    ).status == 0
                }
            }
            var digests: Set<String> = []
            for studio in [trade.maker, trade.judge] {
                try await visit(studio) {
                    try await until("\(studio.name) sees the receipt") {
                        let shown = try await studio.show(trade.option)
                        let main = shown["records"].items.first { $0["number"].text == "1" }
                        guard shown["steps"].items.count > 2, main?["pay"] == Found.none else {
                            return false
                        }
                        digests.insert(shown["state_digest"].text)
                        return true
                    }
                }
            }
            #expect(digests.count == 1)
            let members = try await relay("hub list")["members"].items
            #expect(members.count == 3)
            // Its files name no contract.
            let id = try #require(Data(hex: trade.option))
            for (file, bytes) in try relay.bytes() {
                #expect(bytes.range(of: id) == nil, "\(file)")
                #expect(bytes.range(of: Data(trade.option.utf8)) == nil, "\(file)")
            }
        }
    }
}

extension Data {
    fileprivate init?(hex: String) {
        var bytes: [UInt8] = []
        var rest = Substring(hex)
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        self.init(bytes)
    }
}

import Capacity
import Contracts
import CoreMetrics
import Foundation
import Testing

@testable import Dashboard

/// What Prometheus reads, read as strictly as it does.
@Suite struct MetricsTests {
    struct Malformed: Error { let line: String }

    /// Values by series; throws where a line is no comment and no sample of a family that was announced.
    static func read(_ text: String) throws -> [String: Double] {
        let name = #/[a-zA-Z_:][a-zA-Z0-9_:]*/#
        let sample =
            #/([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*")*\})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)/#
        var found: [String: Double] = [:]
        var kinds: [String: String] = [:]
        var family = ""
        guard text.hasSuffix("\n") else { throw Malformed(line: text) }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words.first == "#" {
                guard words.count == 4, try name.wholeMatch(in: words[2]) != nil else {
                    throw Malformed(line: String(line))
                }
                if words[1] == "TYPE" {
                    guard ["counter", "gauge", "summary"].contains(words[3]),
                        kinds.updateValue(words[3], forKey: words[2]) == nil
                    else { throw Malformed(line: String(line)) }
                    family = words[2]
                }
                continue
            }
            guard let match = try sample.wholeMatch(in: line), let value = Double(match.3),
                found.updateValue(value, forKey: "\(match.1)\(match.2 ?? "")") == nil
            else { throw Malformed(line: String(line)) }
            let names =
                kinds[family] == "summary" ? [family + "_sum", family + "_count"] : [family]
            guard names.contains(String(match.1)) else { throw Malformed(line: String(line)) }
        }
        return found
    }

    @Test func `every measure reads, with whatever stands in its labels`() throws {
        let all = Exposition()
        for measure in Measure.allCases where measure != .commits {
            all.set(measure, [("peer", "a\"b\\c\nd{}=,契")], to: 7)
        }
        all.timer(.commits).recordNanoseconds(1_500_000)
        all.timer(.commits).recordNanoseconds(500_000)
        Counter(label: "0 odd-name", dimensions: [("1 x", "")], factory: all).increment(by: 3)
        let found = try Self.read(all.text())
        #expect(found["talea_commit_seconds_count"] == 2)
        #expect(found["talea_commit_seconds_sum"] == 0.002)
        #expect(found[#"talea_outbox_statements{peer="a\"b\\c\nd{}=,契"}"#] == 7)
        #expect(found[#"_0_odd_name{_1_x=""}"#] == 3)
        #expect(found.count == Measure.allCases.count + 2)
    }

    @Test func `what was counted goes on, and what a gauge stood at is gone with it`() throws {
        let all = Exposition()
        for _ in 0..<3 { all.counter(.ends, [("reason", "idle")]).increment() }
        all.set(.connections, to: 5)
        all.set(.connections, to: 4)
        // Of another kind than before: not heard.
        Meter(label: Measure.ends.rawValue, dimensions: [("reason", "idle")], factory: all).set(9)
        let meter = Meter(label: "gone", factory: all)
        meter.set(1)
        meter.destroy()
        #expect(
            try Self.read(all.text()) == [
                #"talea_connections_ended_total{reason="idle"}"#: 3, "talea_connections": 4,
            ])
    }

    @Test func `measures are for those alone who may look`() async throws {
        let reader = String(repeating: "b2", count: 32)
        try await DoorTests.serving(reader: reader) { port in
            @Sendable func answer(
                _ token: String?, _ method: String = "GET"
            ) async throws -> String {
                try await DoorTests.raw(
                    port,
                    DoorTests.request(
                        host: "127.0.0.1:\(port)", origin: nil, type: nil,
                        token: token.map { "Bearer " + $0 }, path: "/metrics", method: method,
                        body: ""))
            }
            for token in [DoorTests.token, reader] {
                let whole = try await answer(token)
                #expect(whole.hasPrefix("HTTP/1.1 200"))
                #expect(whole.lowercased().contains("text/plain; version=0.0.4"))
                let text = try #require(whole.range(of: "\r\n\r\n"))
                let found = try Self.read(String(whole[text.upperBound...]))
                #expect(found["talea_data_bytes"] == 4096)
                #expect(found["talea_read_only"] == 0)
            }
            #expect(try await answer(nil).hasPrefix("HTTP/1.1 401"))
            #expect(try await answer(reader, "POST").hasPrefix("HTTP/1.1 405"))
        }
    }
}

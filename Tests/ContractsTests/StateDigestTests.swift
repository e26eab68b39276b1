import Capacity
import Contracts
import Entries
import Identity
import Testing

struct StateDigestTests {
    @Test func `the same acts give the same digests whatever the order of a dictionary`() throws {
        func run(_ order: Bool) throws -> [Hash32] {
            var parameters: [String: Value] = [:]
            var roles: [String: [DID]] = [:]
            let keys = CapacityOptionTests.parameters.keys.sorted()
            for key in order ? keys : keys.reversed() {
                parameters[key] = CapacityOptionTests.parameters[key]
            }
            let names = CapacityOptionTests.roles.keys.sorted()
            for key in order ? names : names.reversed() {
                roles[key] = CapacityOptionTests.roles[key]
            }
            var play = try Play(template("capacity-option"), terms(parameters, roles))
            try play.pay(1)
            try play.act("exercise", by: Who.zhijian, ["n": pcs(60)])
            try play.act("deliver", 2, by: Who.dongguan, ["n": pcs(30), "evidence": proof])
            try play.act("dispute", 3, by: Who.zhijian, ["evidence": proof])
            try play.silent(3)
            return play.digests
        }
        let first = try run(true)
        #expect(try run(false) == first)
        #expect(Set(first).count == first.count)
    }

    @Test func `another field, version or reference gives another digest`() throws {
        func run(_ units: Int64, _ reference: String, _ sequence: Int64 = 1) throws -> Hash32 {
            var play = try Play(
                template("capacity-option"),
                terms(
                    CapacityOptionTests.parameters.merging(["units": pcs(units)]) { $1 },
                    CapacityOptionTests.roles))
            play.sequence = sequence
            try play.act(
                "pay_state", by: Who.zhijian,
                ["channel": .text("bank"), "reference": .text(reference)])
            return play.state.digest()
        }
        let digests = [
            try run(100, "a"), try run(90, "a"), try run(100, "b"), try run(100, "a", 2),
        ]
        #expect(Set(digests).count == 4)
        #expect(try run(100, "a") == digests[0])
    }

    @Test func `the digest is exactly the encoding that its comment gives`() throws {
        var play = try Play(
            template("capacity-option"),
            terms(CapacityOptionTests.parameters, CapacityOptionTests.roles))
        func text(_ text: String) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(counted: Array(text.utf8))
            return bytes
        }
        func number(_ number: Int64) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(bigEndian: UInt64(bitPattern: number))
            return bytes
        }
        func state(_ version: Int64, _ path: String, _ until: Instant, _ tail: [UInt8]) -> Hash32 {
            var bytes = Array("talea.state.v1".utf8) + [0]
            bytes += [UInt8](repeating: 7, count: 32)
            bytes += play.state.template.hash.bytes
            bytes += [0, 0, 0, 1]
            bytes += text("main") + [0, 0, 0, 0] + number(version) + text(path)
            bytes += [1] + number(until.milliseconds)
            bytes += [8] + text("holder")
            bytes += [2] + number(100)
            bytes += tail
            bytes += [0, 0, 0, 0] + [0]
            return SHA256.hash(bytes)
        }
        let pay = [1] + text("holder") + text("issuer") + number(50_000)
        #expect(play.state.digest() == state(1, "premium_due", on(day: 3), pay + [0]))
        try play.act(
            "pay_state", by: Who.zhijian,
            ["channel": .text("bank"), "reference": .text("W-17")])
        let reference = SHA256.hash(Array("W-17".utf8)).bytes
        #expect(
            play.state.digest()
                == state(2, "premium_due.stated", on(day: 2), pay + [1] + reference))
        try play.act("pay_receive", by: Who.dongguan)
        #expect(play.state.digest() == state(3, "open", on(day: 30), [0]))
    }
}

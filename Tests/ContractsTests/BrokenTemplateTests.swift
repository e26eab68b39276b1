import Identity
import Testing

@testable import Contracts

/// One change to a good template each: the refusal must name the reason and the line.
struct BrokenTemplateTests {
    struct Case: Sendable {
        let old: String
        let new: String
        /// The fault's name.
        let fault: String
        /// Lines after the one that `old` stands on; `nil`: anywhere.
        var below: Int? = 0
    }

    static let cases: [Case] = [
        Case(old: "talea: 1", new: "talea: 2", fault: "version"),
        Case(old: "name: capacity-option", new: "name: Capacity", fault: "badName"),
        Case(old: "verb: option buy", new: "colour: red", fault: "unknownKey"),
        Case(old: "sequencer: issuer", new: "sequencer: nobody", fault: "unknownName"),
        Case(old: "sequencer: issuer", new: "name: twice", fault: "duplicateKey", below: nil),
        Case(old: "units: {type: quantity", new: "issuer: {type: quantity", fault: "nameTwice"),
        Case(old: "units: {type: quantity", new: "time: {type: quantity", fault: "nameReserved"),
        Case(old: "lot: {type: quantity", new: "lot: {type: wuantity", fault: "expected"),
        Case(
            old: "min: 1, max: units, default: 1", new: "min: 1, max: premium, default: 1",
            fault: "wrongKind"),
        Case(old: "default: 50 %", new: "default: 150 %", fault: "badLiteral"),
        Case(old: "child, default: 0", new: "child, default: x", fault: "badLiteral"),
        Case(old: "pay_within: 3d", new: "pay_within: 91d", fault: "badLiteral"),
        Case(old: "multiple(units, lot)", new: "multiple(units, lots)", fault: "unknownName"),
        Case(old: "expiry < deliver_by", new: "expiry < units", fault: "wrongKind"),
        Case(old: "denied: unpaid}", new: "denied: perhaps}", fault: "expected"),
        Case(
            old: "disputes: {arbiter: arbiter", new: "disputes: {arbiter: holder",
            fault: "noArbiter"),
        Case(
            old: "fields: {owner: role}", new: "fields: {owner: role, expiry: int}",
            fault: "nameTwice"),
        Case(
            old: "open: {until: expiry, default: lapse}", new: "open: {until: expiry}",
            fault: "defaultMissing"),
        Case(
            old: "open: {until: expiry, default: lapse}",
            new: "open: {until: units, default: lapse}", fault: "wrongKind"),
        Case(old: "default: lapse}", new: "default: exercise}", fault: "defaultUnknown"),
        Case(old: "default: lapse}", new: "default: fail}", fault: "defaultElsewhere"),
        Case(old: "max: 32", new: "max: 1025", fault: "tooMany"),
        Case(old: "between: [issuer, who]", new: "between: [issuer]", fault: "expected"),
        Case(
            old: "unpaid: {to: owed, claim: true}", new: "unpaid: {to: gone}", fault: "unknownName"),
        Case(old: "at: main.open", new: "at: main.shut", fault: "unknownState"),
        Case(old: "at: main.open", new: "at: annex.open", fault: "unknownFamily"),
        Case(old: "at: main.open", new: "at: main.premium_due", fault: "expected"),
        Case(old: "args: {n: quantity}", new: "args: {held: quantity}", fault: "nameTwice"),
        Case(
            old: "{make: exercise, state: open, with: {who: owner}}",
            new: "{make: exercise, state: open}", fault: "fieldMissing"),
        Case(old: "into: exercise.left", new: "into: delivery.goods", fault: "notMade"),
        Case(old: "{cut: n, of: held}", new: "{cut: n, of: hold}", fault: "unknownName"),
        Case(old: "{cut: n, of: held}", new: "{loop: n}", fault: "expected"),
        Case(old: "line: [{firm: n, until", new: "line: [{firmly: n, until", fault: "expected"),
        Case(old: "  lapse:", new: "  settle:", fault: "nameReserved"),
        Case(old: "  lapse:", new: "  pay_state:", fault: "nameReserved"),
        Case(
            old: "verb: option transfer", new: "verb: option exercise", fault: "verbTwice",
            below: -3),
        Case(old: "by: owner", new: "by: seller", fault: "onlyChild", below: -2),
        Case(
            old: "final: {used: fulfilled,", new: "final: {limbo: lapsed, used: fulfilled,",
            fault: "unreachable", below: nil),
        Case(old: "{n} of {held}", new: "{n of {held}", fault: "syntax", below: nil),
        Case(old: "  - {is: lapsed}", new: "  - {is: open}", fault: "expected"),
        Case(
            old: "  - {is: lapsed}", new: "  - {when: any(lapsed), is: lapsed}", fault: "expected",
            below: nil),
        Case(
            old: "title: {en: Capacity option, zh: 产能期权}", new: "title: &a {en: x, zh: y}",
            fault: "forbidden"),
        Case(old: "title: {en: Capacity option, zh: 产能期权}", new: "title: *a", fault: "forbidden"),
        Case(
            old: "title: {en: Capacity option, zh: 产能期权}", new: "title: !!map {en: x, zh: y}",
            fault: "forbidden"),
        Case(old: "title: {en: Capacity option, zh: 产能期权}", new: "title: |", fault: "forbidden"),
        Case(
            old: "title: {en: Capacity option, zh: 产能期权}", new: "title: {en: x}",
            fault: "missingKey"),
        Case(
            old: "title: {en: Capacity option, zh: 产能期权}", new: "title: {en: x", fault: "notYAML",
            below: nil),
    ]

    @Test(arguments: cases.indices)
    func `a broken template is refused with its reason and line`(_ index: Int) throws {
        let broken = Self.cases[index]
        let text = String(decoding: try templateBytes("capacity-option"), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let line = try #require(lines.firstIndex { replacing(String($0), broken.old, "") != $0 })
        var changed = lines.map(String.init)
        changed[line] = replacing(changed[line], broken.old, broken.new)
        do {
            _ = try Template.read(Array(changed.joined(separator: "\n").utf8))
            Issue.record("accepted: \(broken.new)")
        } catch {
            let name = "\(error.what)".split(separator: "(").first.map(String.init)
            #expect(name == broken.fault, "\(broken.new): \(error.words(.en))")
            if let below = broken.below {
                #expect(error.line == line + 1 + below, "\(broken.new): \(error.words(.en))")
            }
            #expect(facts(error.words(.en)) == facts(error.words(.zh)))
        }
    }

    @Test func `hostile texts are refused before anything recursive reads them`() {
        let texts = [
            String(repeating: "[", count: 60_000), String(repeating: "{a: ", count: 15_000),
            String(repeating: "- ", count: 30_000), String(repeating: "? ", count: 30_000),
            String(repeating: "[\"]\", ", count: 5000), "a: \"]]\n", "]", "\t", "a: 'b",
            String(repeating: "[ #]\n", count: 5000), "%YAML 1.1\n---\na: b", "---\na", "", "a",
            "\u{0}", String(repeating: "a", count: 65_537), "a: b\n \"[\"", "x: y\r\n",
            (0..<200).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ]
        for text in texts {
            #expect(throws: TemplateRefusal.self) { try Template.read(Array(text.utf8)) }
        }
        #expect(throws: TemplateRefusal.self) { try Template.read([0xff, 0xfe]) }
    }

    @Test func `any cut or flipped byte of a template is read or refused, never more`() throws {
        let bytes = try templateBytes("capacity-swap")
        for index in stride(from: 0, to: bytes.count, by: 97) {
            _ = try? Template.read(Array(bytes.prefix(index)))
            var flipped = bytes
            flipped[index] ^= 0x15
            _ = try? Template.read(flipped)
        }
    }
}

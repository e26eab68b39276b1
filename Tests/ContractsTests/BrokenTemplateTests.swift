import Identity
import Testing

@testable import Contracts

/// One change to a good template each: the refusal must name the reason and the place, and where a name is
/// wrong, what would be right.
struct BrokenTemplateTests {
    struct Case: Sendable {
        var template = "capacity-option"
        let old: String
        let new: String
        /// The fault's name.
        let fault: String
        /// The column is where this stands first in its line.
        let at: String
        /// Lines after the one that `old` stands on.
        var below = 0
        /// What its words must hold.
        var says = ""
    }

    static let title = "title: {en: Capacity option, zh: 产能期权}"
    static let waiting = "open: {until: expiry, default: lapse}"

    static let cases: [Case] = [
        Case(old: "talea: 1", new: "talea: 2", fault: "version", at: "2"),
        Case(old: "name: capacity-option", new: "name: Capacity", fault: "badName", at: "Capacity"),
        Case(
            old: "units: {type: quantity", new: "time: {type: quantity", fault: "nameReserved",
            at: "time"),
        Case(
            old: "lot: {type: quantity", new: "lot: {type: wuantity", fault: "expected",
            at: "wuantity", says: "int, quantity, money"),
        Case(
            old: "min: 1, max: units, default: 1", new: "min: 1, max: premium, default: 1",
            fault: "wrongKind", at: "premium"),
        Case(
            old: "default: 50 %", new: "default: 150 %", fault: "badLiteral", at: "150",
            says: "0 % to 100 %"),
        Case(
            old: "child, default: 0", new: "child, default: x", fault: "badLiteral", at: "x0",
            says: "64 hexadecimal digits"),
        Case(old: "expiry < deliver_by", new: "expiry < units", fault: "wrongKind", at: "units"),
        Case(old: "denied: unpaid}", new: "denied: perhaps}", fault: "expected", at: "perhaps"),
        Case(
            old: "disputes: {arbiter: arbiter", new: "disputes: {arbiter: holder",
            fault: "noArbiter", at: "holder"),
        Case(old: waiting, new: "open: {until: expiry}", fault: "defaultMissing", at: "open"),
        Case(
            old: waiting, new: "open: {until: units, default: lapse}", fault: "wrongKind",
            at: "units"),
        Case(old: "max: 32", new: "max: 1025", fault: "tooMany", at: "1025", says: "at most 1024"),
        Case(
            old: "between: [issuer, who]", new: "between: [issuer]", fault: "expected",
            at: "[issuer]"),
        Case(
            old: "at: main.open", new: "at: main.premium_due", fault: "expected",
            at: "main.premium_due"),
        Case(
            old: "at: main.open", new: "at: open", fault: "expected", at: "open",
            says: "like main.open"),
        Case(
            old: "{make: exercise, state: open, with: {who: owner}}",
            new: "{make: exercise, state: open}", fault: "fieldMissing", at: "exercise, state"),
        Case(
            old: "{cut: n, of: held}", new: "{loop: n}", fault: "expected", at: "{loop",
            says: "set, make, carve, cut"),
        Case(
            old: "line: [{firm: n, until", new: "line: [{firmly: n, until", fault: "expected",
            at: "{firmly"),
        Case(old: "  lapse:", new: "  settle:", fault: "nameReserved", at: "settle"),
        Case(old: "  lapse:", new: "  pay_state:", fault: "nameReserved", at: "pay_state"),
        Case(
            old: "verb: option transfer", new: "verb: option exercise", fault: "verbTwice",
            at: "transfer", below: -3),
        Case(old: "by: owner", new: "by: seller", fault: "onlyChild", at: "exercise", below: -2),
        Case(
            old: "final: {used: fulfilled,", new: "final: {limbo: lapsed, used: fulfilled,",
            fault: "unreachable", at: "limbo"),
        Case(old: "{n} of {held}", new: "{n of {held}", fault: "syntax", at: "{held}"),
        Case(
            old: "  - {is: lapsed}", new: "  - {is: open}", fault: "expected", at: "open",
            says: "fulfilled, lapsed"),
        Case(
            old: "  - {is: lapsed}", new: "  - {when: any(lapsed), is: lapsed}", fault: "expected",
            at: "{when", says: "without `when`"),
        Case(old: title, new: "title: &a {en: x, zh: y}", fault: "forbidden", at: "&a"),
        Case(old: title, new: "title: *a", fault: "forbidden", at: "*a"),
        Case(old: title, new: "title: !!map {en: x, zh: y}", fault: "forbidden", at: "!!map"),
        Case(old: title, new: "title: |", fault: "forbidden", at: "|"),
        Case(old: title, new: "title: {en: x}", fault: "missingKey", at: "{en"),
        Case(
            template: "revenue-share", old: "many: 1..7", new: "many: 1...7", fault: "expected",
            at: "1...7", says: "a range like 2..8"),
        Case(
            template: "material-call", old: "{taken: quantity}",
            new: "{taken: {type: quantity, min: 1}}", fault: "unknownKey", at: "min",
            says: "known here: line, type"),
        Case(old: "at: main.open", new: "at: main..open", fault: "expected", at: "main..open"),
        // Not closed: the next line's colon is the first that cannot be.
        Case(old: title, new: "title: {en: x", fault: "notYAML", at: ":", below: 1),

        Case(
            old: "pay_within: 3d", new: "pay_within: 91d", fault: "termOutside", at: "91d",
            says: "from 1m to 90d, written like 90s, 30m, 2h or 3d"),
        Case(
            old: "pay_within: 3d", new: "pay_within: 3 days", fault: "termOutside", at: "3 days",
            says: "2h or 3d"),
        Case(
            old: "verb: option buy", new: "verbs: option buy", fault: "unknownKey", at: "verbs",
            says: "did you mean “verb”?"),
        Case(
            old: "verb: option buy", new: "colour: red", fault: "unknownKey", at: "colour",
            says: "verb"),

        Case(
            old: "sequencer: issuer", new: "name: twice", fault: "duplicateKey", at: "name",
            says: "the first is in line 11"),
        Case(
            old: "stop: grace, title", new: "stop: grace, kind: third, title",
            fault: "duplicateKey", at: "kind: third, title", says: "line 19"),
        Case(
            old: "lot: {type: quantity", new: "\"units\": {type: quantity", fault: "duplicateKey",
            at: "\"units", says: "“units” stands here a second time; the first is in line 22"),
        Case(
            old: "verb: option transfer", new: "at: main.open", fault: "duplicateKey", at: "at",
            says: "line 102"),
        Case(
            old: "  - {is: lapsed}", new: "  - is: lapsed\n    is: lapsed", fault: "duplicateKey",
            at: "is", below: 1, says: "line 181"),

        Case(
            old: "units: {type: quantity", new: "issuer: {type: quantity", fault: "nameTwice",
            at: "issuer", says: "from line 16; take another, such as “issuer_2”"),
        Case(
            old: "fields: {owner: role}", new: "fields: {owner: role, expiry: int}",
            fault: "nameTwice", at: "expiry", says: "“expiry_2”"),
        Case(
            old: "args: {n: quantity}", new: "args: {held: quantity}", fault: "nameTwice",
            at: "held", says: "from line 51"),
        Case(
            old: "  exercise:", new: "  price:", fault: "nameTwice", at: "price", says: "“price_2”"),

        Case(
            old: "sequencer: issuer", new: "sequencer: isuer", fault: "unknownName", at: "isuer",
            says: "did you mean “issuer”? Also known here: "),
        Case(
            old: "sequencer: issuer", new: "sequencer: nobody", fault: "unknownName", at: "nobody",
            says: "known here: holder, arbiter, issuer"),
        Case(
            old: "stop: grace", new: "stop: graze", fault: "unknownName", at: "graze",
            says: "“grace”"),
        Case(
            template: "milestone-production", old: "of: total, count", new: "of: sum, count",
            fault: "unknownName", at: "sum", says: "known here: total"),
        Case(
            old: "multiple(units, lot)", new: "multiple(units, lots)", fault: "unknownName",
            at: "lots", says: "did you mean “lot”? Also known here: lock, units, "),
        Case(
            old: "line: {issuer: issuer", new: "line: {issuer: arbiter", fault: "unknownName",
            at: "arbiter", says: "known here: holder, issuer"),
        Case(
            old: "from: issuer, to: owner}", new: "from: issuer, to: owners}", fault: "unknownName",
            at: "owners", says: "did you mean “owner”? Also known here: holder, issuer"),
        Case(
            old: "pay: {from: holder, to: issuer", new: "pay: {from: holdr, to: issuer",
            fault: "unknownName", at: "holdr", says: "“holder”"),
        Case(
            old: "style == american", new: "style == amerikan", fault: "unknownName",
            at: "amerikan", says: "did you mean “american”? Also known here: "),
        Case(
            old: "{cut: n, of: held}", new: "{cut: n, of: hold}", fault: "unknownName", at: "hold",
            says: "did you mean “held”?"),
        Case(
            old: "{set: owner, to: seller}", new: "{set: owns, to: seller}", fault: "unknownName",
            at: "owns", says: "known here: owner"),
        Case(
            old: "with: {who: owner}", new: "with: {whom: owner}", fault: "unknownName", at: "whom",
            says: "“who”"),
        Case(
            old: "into: exercise.left", new: "into: exercise.lift", fault: "unknownName",
            at: "exercise.lift", says: "“exercise.left”"),
        Case(
            old: "into: exercise.left", new: "into: delivery.goods", fault: "notMade",
            at: "delivery.goods", says: "known here: exercise.left"),
        Case(
            template: "capacity-swap", old: "{set: main.waiting, to: main.waiting - 1}",
            new: "{set: main.wating, to: main.waiting - 1}", fault: "unknownName",
            at: "main.wating", says: "“main.waiting”"),
        Case(
            template: "joint-purchase", old: "portions), member + 1)\"",
            new: "portions), membr + 1)\"", fault: "unknownName", at: "membr ",
            says: "did you mean “member”?"),
        Case(
            template: "capacity-swap", old: "to: main.waiting - 1}", new: "to: main.wating - 1}",
            fault: "unknownName", at: "main.wating", says: "“main.waiting”"),
        Case(
            old: "owner: holder, held: units", new: "owned: holder, held: units",
            fault: "unknownName", at: "owned", says: "“owner”"),
        Case(
            old: "child: {roles: {holder: newcomer", new: "child: {roles: {holders: newcomer",
            fault: "unknownName", at: "holders", says: "“holder”"),
        Case(
            old: "parameters: {units: n", new: "parameters: {unit: n", fault: "unknownName",
            at: "unit:", says: "“units”"),
        Case(
            old: "  seller:\n    loses", new: "  sellers:\n    loses", fault: "unknownName",
            at: "sellers", says: "“seller”"),
        Case(
            old: "I take {n}", new: "I take {m}", fault: "unknownName", at: "m}",
            says: "did you mean “n”?"),

        Case(
            old: "unpaid: {to: lapsed, do", new: "unpaid: {to: lapse, do", fault: "unknownState",
            at: "lapse,",
            says:
                "main has no state “lapse” here; did you mean “lapsed”? Also known here: locked, open"
        ),
        Case(
            old: "to: if n == held then used", new: "to: if n == held then use",
            fault: "unknownState", at: "use else", says: "“used”"),
        Case(
            old: "to: if n == held then used", new: "to: if n == hold then used",
            fault: "unknownName", at: "hold", says: "“held”"),
        Case(
            old: "unpaid: {to: owed, claim: true}", new: "unpaid: {to: gone}",
            fault: "unknownState", at: "gone", says: "known here: due, owed, paid, stated, disputed"
        ),
        Case(
            old: "at: main.open", new: "at: main.shut", fault: "unknownState", at: "main.shut",
            says: "known here: open, locked"),
        Case(
            old: "{make: exercise, state: open", new: "{make: exercise, state: opened",
            fault: "unknownState", at: "opened",
            says: "exercise has no state “opened” here; did you mean “open”?"),
        Case(
            old: "state: premium_due", new: "state: premium", fault: "unknownState", at: "premium,",
            says: "premium_due"),
        Case(
            old: "main.state == used", new: "main.state == usd", fault: "unknownState", at: "usd",
            says: "main has no state “usd” here; did you mean “used”?"),

        Case(
            old: "at: main.open", new: "at: annex.open", fault: "unknownFamily", at: "annex",
            says: "known here: main, delivery, exercise"),
        Case(
            old: "{make: exercise, state", new: "{make: excercise, state", fault: "unknownFamily",
            at: "excercise", says: "did you mean “exercise”? Also known here: delivery"),
        Case(
            old: "count(exercise)", new: "count(exercises)", fault: "unknownFamily",
            at: "exercises", says: "“exercise”"),
        Case(
            old: "multiple(units, lot)", new: "multiples(units, lot)", fault: "unknownFunction",
            at: "multiples", says: "did you mean “multiple”?"),
        Case(
            old: "when: any(defaulted)", new: "when: eny(defaulted)", fault: "unknownFunction",
            at: "eny", says: "did you mean “any”?"),

        Case(
            old: "default: lapse}", new: "default: lapsed}", fault: "defaultUnknown", at: "lapsed",
            says: "did you mean “lapse”?"),
        Case(
            old: "default: lapse}", new: "default: exercise}", fault: "defaultUnknown",
            at: "exercise", says: "no transition `by: default`; known here: lapse"),
        Case(
            old: "default: lapse}", new: "default: fail}", fault: "defaultElsewhere", at: "fail",
            says: "does not start at main.open; known here: lapse"),
        Case(
            old: waiting, new: "limbo: {until: expiry, default: lapse}\n      \(waiting)",
            fault: "defaultElsewhere", at: "lapse",
            says: "write one with `at: main.limbo` and `by: default`"),
    ]

    @Test(arguments: cases.indices)
    func `a broken template is refused with its reason, line and column`(_ index: Int) throws {
        let broken = Self.cases[index]
        let text = String(decoding: try templateBytes(broken.template), as: UTF8.self)
        let start = try #require(text.firstRange(of: broken.old)?.lowerBound)
        let edited = text[..<start].count { $0 == "\n" } + 1
        let changed = text.replacing(broken.old, with: broken.new, maxReplacements: 1)
        let lines = changed.split(separator: "\n", omittingEmptySubsequences: false)
        do {
            _ = try Template.read(Array(changed.utf8))
            Issue.record("accepted: \(broken.new)")
        } catch {
            let words = error.words(.en)
            let name = "\(error.what)".split(separator: "(").first.map(String.init)
            #expect(name == broken.fault, "\(broken.new): \(words)")
            #expect(error.line == edited + broken.below, "\(broken.new): \(words)")
            let line = lines[edited + broken.below - 1]
            let at = try #require(line.firstRange(of: broken.at)?.lowerBound, "\(line)")
            #expect(error.column == line[..<at].count + 1, "\(broken.new): \(words)")
            #expect(words.contains(broken.says), "\(words)")
            #expect(facts(words) == facts(error.words(.zh)))
        }
    }

    @Test func `a hundred known names are cut, an endless unknown one is not measured`() {
        let known = Set((100..<200).map { "name_\($0)" })
        let place = Place(line: 1, column: 1)
        func words(_ name: String) -> String {
            TemplateRefusal(place, .unknownName(name, known: known)).words(.en)
        }
        #expect(words("name_1000").contains("did you mean “name_100”?"))
        #expect(words("name_1000").hasSuffix(" …"))
        #expect(words("x").matches(of: /name_/).count == 12)
        #expect(words(String(repeating: "x", count: 60_000)).matches(of: /name_/).count == 12)
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

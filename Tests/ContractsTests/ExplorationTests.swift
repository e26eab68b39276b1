import Capacity
import Identity
import Testing

@testable import Contracts

struct ExplorationTests {
    @Test(arguments: Shelf.names)
    func `a standard template holds, and whoever is silent, a default carries on`(
        _ name: String
    ) throws {
        let template = try template(name)
        let found = Exploration.run(template)
        #expect(found.findings.map { $0.words(.en) } == [])
        #expect(found.settings > 10 && found.states > 500)
        #expect(found.losses.allSatisfy { $0.hostile >= $0.silent })
        #expect(found.awaitedRoles.sorted() == template.roles.map(\.name).sorted())
        for role in found.awaitedRoles {
            #expect(found.carriers[role]?.isEmpty == false, "\(role)")
        }
    }

    /// What docs/TEMPLATES.md shows to whoever writes a first template.
    @Test func `the whole template of the page for writers holds`() throws {
        let page = try page("TEMPLATES.md")
        let start = try #require(page.firstRange(of: "```yaml\ntalea: 1\n"))
        let text = page[start.lowerBound...].dropFirst(8)
        let end = try #require(text.firstRange(of: "```"))
        let template = try Template.read(Array(text[..<end.lowerBound].utf8))
        let found = Exploration.run(template)
        #expect(found.findings.map { $0.words(.en) } == [])
        #expect(found.awaitedRoles.sorted() == template.roles.map(\.name).sorted())
    }

    @Test func `the presets that the page for writers names can be typed`() throws {
        let page = replacing(try page("TEMPLATES.md"), "\n", " ")
        let schedule = try #require(try template("milestone-production").parameter("schedule"))
        for (name, preset) in [
            ("A", "[30 %, 0 %, 20 %, 25 %, 25 %]"),
            ("B, the default", try #require(schedule.defaultText)),
        ] {
            #expect(page.contains("preset \(name), `\(preset)`"))
            let typed = try schedule.read(preset, currency: cny, unit: pieces)
            #expect(try Shelf.refusal("milestone-production", ["schedule": typed]) == nil)
        }
    }

    private func page(_ name: String, file: String = #filePath) throws -> String {
        let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
        return String(
            decoding: try #require(readFile("/\(root)/docs/\(name)")), as: UTF8.self)
    }

    @Test func `the program knows exactly the files that ship with it`() throws {
        let hashes = try Shelf.names.map { try template($0).hash.hex }
        #expect(Template.explored.sorted() == hashes.sorted())
    }

    @Test func `the defaults that carry on are named`() throws {
        let carriers = Exploration.run(try template("milestone-production")).carriers
        #expect(
            carriers == [
                "buyer": [
                    "pay_unpaid", "pay_silent", "no_order", "release", "end_batches",
                    "accept_silent",
                ],
                "maker": ["missed", "not_made", "pay_silent"],
                "custodian": ["pay_unpaid", "pay_silent"],
                "arbiter": ["rule_default", "pay_rule_default"],
            ])
    }

    @Test(arguments: ["capacity-swap", "milestone-production", "joint-purchase"])
    func `bounds as large as numbers may be are judged and trap nothing`(_ name: String) throws {
        let most = wholeNumberMax
        var text = String(decoding: try templateBytes(name), as: UTF8.self)
        text = replacing(
            text, "type: quantity, min: 1,", "type: quantity, min: \(most / 2),")
        for bound in ["100000", "1000000", "1000000000", "10000000"] {
            text = replacing(text, "max: \(bound),", "max: \(most),")
        }
        var few = Exploration.Limits()
        few.settings = 3
        let found = Exploration.run(try Template.read(Array(text.utf8)), limits: few)
        #expect(!found.findings.isEmpty)
    }

    /// A deposit that is asked for again and again, and one that goes back each time.
    @Test(arguments: [false, true])
    func `deposits without end are judged and trap nothing`(_ goesOn: Bool) throws {
        let back =
            "{from: custodian, to: maker, amount: total, out_of: escrow, paid: {to: again}, unpaid: {to: owed, claim: true}}"
        let text = """
            talea: 1
            name: endless-deposit
            title: {en: Endless deposit, zh: 无尽托管}
            verb: endless ask
            sequencer: custodian
            roles:
              buyer: {kind: party, title: {en: buyer, zh: 买方}}
              maker: {kind: party, title: {en: maker, zh: 生产方}}
              custodian: {kind: third, stop: grace, title: {en: custodian, zh: 托管方}}
              arbiter: {kind: third, stop: grace, title: {en: arbiter, zh: 仲裁方}}
            parameters:
              total: {type: money, min: 1, max: \(wholeNumberMax), title: {en: total, zh: 总价}}
            terms: {pay_within: 3d, confirm_within: 2d, rule_within: 5d, grace: 3d}
            check: []
            line: []
            payments: {within: pay_within, confirm: confirm_within, denied: unpaid}
            disputes: {arbiter: arbiter, within: rule_within}
            records:
              main:
                shape:
                  final: {owed: defaulted}
                states:
                  again: {pay: {from: buyer, to: custodian, amount: total, into: escrow, paid: {to: \(goesOn ? "back" : "again")}, unpaid: {to: owed}}}
                  \(goesOn ? "back: {pay: \(back)}" : "")
            start:
              first: {main: {state: again}}
            transitions: {}
            outcome: [{is: defaulted}]
            worst:
              buyer: {loses: total, en: All., zh: 全部。}
              maker: {loses: 0, en: Nothing., zh: 无。}
            prose: {en: Without end., zh: 没有尽头。}
            """
        var few = Exploration.Limits()
        few.settings = 2
        few.states = 6_000
        let found = Exploration.run(try Template.read(Array(text.utf8)), limits: few)
        #expect(found.findings.contains { "\($0.what)".hasPrefix("tooLarge") })
    }

    @Test func `what survives a flipped byte is explored and traps nothing`() throws {
        let bytes = try templateBytes("capacity-option")
        var tiny = Exploration.Limits()
        tiny.settings = 2
        tiny.states = 200
        var explored = 0
        for index in stride(from: 0, to: bytes.count, by: 41) {
            var flipped = bytes
            flipped[index] ^= 0x01
            guard let template = try? Template.read(flipped) else { continue }
            _ = Exploration.run(template, limits: tiny)
            explored += 1
        }
        #expect(explored > 20)
    }

    // MARK: Broken on purpose

    /// A change to a good template, in which the reader finds nothing wrong; exploring it does.
    struct Case: Sendable {
        let template: String
        let old: String
        let new: String
        /// The finding's name, and what its words must hold.
        let finding: String
        let says: String
        /// Steps of the play that shows it.
        var steps = 1...20
    }

    static let cases: [Case] = [
        Case(
            template: "capacity-option", old: "unpaid: {to: lapsed, do: [{void: held}]}",
            new: "unpaid: {to: lapsed}", finding: "defaultRefused", says: "main.premium_due",
            steps: 0...0),
        Case(
            template: "capacity-option", old: "unpaid: {to: owed, claim: true}",
            new: "unpaid: {to: if amount > 0 then due else owed}", finding: "neverEnds",
            says: "delivery.due"),
        Case(
            template: "capacity-option",
            old: "do: [{claim: remedy * left, from: issuer, to: who}, {void: left}]",
            new: "do: [{claim: remedy * left, from: issuer, to: who}]", finding: "defaultRefused",
            says: "“fail”"),
        Case(
            template: "capacity-option", old: "    to: lapsed\n    do: [{void: held}]",
            new: "    to: if held > 0 then open else lapsed", finding: "neverEnds",
            says: "main.open", steps: 2...2),
        Case(
            template: "capacity-option", old: "require: [n >= 1, n <= left]",
            new: "require: [n > left]", finding: "neverTaken", says: "deliver", steps: 0...0),
        Case(
            template: "capacity-option", old: "to: if n == left then done else open",
            new: "to: if n > left then done else open", finding: "neverReached",
            says: "exercise.done", steps: 0...0),
        Case(
            template: "capacity-option", old: "{post: \"part(goods, ruling)\", of: goods}",
            new: "{post: goods + 1, of: goods}", finding: "builtInRefused", says: "“rule”"),
        Case(
            template: "mutual-assistance", old: "min(ends_at, time + notice)",
            new: "max(ends_at, time + notice)", finding: "putOff", says: "partner alone"),
        Case(
            template: "capacity-option", old: "loses: premium", new: "loses: 0",
            finding: "lossDiffers", says: "holder"),
        Case(
            template: "capacity-option", old: "loses: premium", new: "loses: premium * 2",
            finding: "lossDiffers", says: "holder", steps: 0...0),
        Case(
            template: "capacity-option", old: "    loses: strike * units\n", new: "",
            finding: "lossUnstated", says: "issuer", steps: 0...12),
        Case(
            template: "capacity-option",
            old: "remedy: {type: price, min: 0, max: 10000000",
            new: "remedy: {type: price, min: 0, max: 9007199254740991", finding: "defaultRefused",
            says: "“fail”"),
        Case(
            template: "capacity-option", old: "that: expiry < deliver_by",
            new: "that: expiry < grant_by", finding: "noParameters", says: "bounds and checks",
            steps: 0...0),
        Case(
            template: "mutual-assistance",
            old: "  coordination:\n    shape:\n      max: 256",
            new: "  coordination:\n    shape:\n      max: 2", finding: "defaultRefused",
            says: "coordination"),
        Case(
            template: "milestone-production",
            old: "do: [{make: refund, state: out, with: {amount: left}}, {void: held}]",
            new: "do: [{void: held}]", finding: "escrowLeft", says: "still holds"),
        Case(
            template: "milestone-production",
            old:
                "              - {make: refund, state: out, with: {amount: \"amount - part(amount, ruling)\"}}\n",
            new: "", finding: "escrowLeft", says: "still holds"),
        Case(
            template: "milestone-production", old: "total * 4000", new: "total * 9000",
            finding: "prepaid", says: "at most 40 %"),
        Case(
            template: "milestone-production",
            old: "{make: tranche, state: out, with: {amount: \"at(schedule, 0)\"}}",
            new: "{make: tranche, state: out, with: {amount: \"at(schedule, 0) + total\"}}",
            finding: "escrowOverdrawn", says: "more than it holds"),
        Case(
            template: "milestone-production",
            old: "out_of: escrow, paid: {to: paid}, unpaid: {to: owed, claim: true}}",
            new: "out_of: escrow, paid: {to: paid}, unpaid: {to: owed}}", finding: "escrowLeft",
            says: "still holds"),
        Case(
            template: "milestone-production", old: "loses: total",
            new: "loses: \"at(schedule, 0)\"",
            finding: "lossDiffers", says: "buyer"),
        Case(
            template: "capacity-swap", old: "unpaid: {to: owed, claim: true}",
            new: "unpaid: {to: if waiting == 0 then balance else owed}", finding: "neverEnds",
            says: "main.balance"),
        Case(
            template: "capacity-swap", old: "{set: main.waiting, to: main.waiting - 1}",
            new: "{set: main.waiting, to: main.waiting + 0}", finding: "defaultRefused",
            says: "balance_late"),
        // Nobody gives back what was deposited.
        Case(
            template: "joint-purchase", old: "    to: back\n    do: [{void: goods}]",
            new: "    to: dropped\n    do: [{void: goods}]", finding: "escrowLeft",
            says: "still holds"),
        Case(
            template: "joint-purchase",
            old:
                "              - {make: refund, state: back, with: {to_whom: who, rest: \"amount - part(amount, ruling)\"}}\n",
            new:
                "              - {make: refund, state: back, with: {to_whom: who, rest: amount - amount}}\n",
            finding: "escrowLeft", says: "still holds"),
        Case(
            template: "joint-purchase",
            old: "    at: order.funded\n    by: default\n    to: back",
            new: "    at: order.funded\n    by: default\n    to: out", finding: "prepaid",
            says: "at most 40 %"),
        // Shares that do not sum.
        Case(
            template: "revenue-share", old: "amount: \"at(share(income, shares), next)\"",
            new: "amount: income", finding: "lossDiffers", says: "seller"),
        Case(
            template: "revenue-share", old: "to: if next + 1 == count(contributors)",
            new: "to: if next == count(contributors)", finding: "defaultRefused",
            says: "share_late"),
        Case(
            template: "revenue-share", old: "earned: {type: money, min: 0, max: most}",
            new: "earned: {type: money, min: 0, max: most * 2}", finding: "lossDiffers",
            says: "seller"),
        // A third whose silence blocks.
        Case(
            template: "presale-cover",
            old: "  unanswered:\n    at: loss.reported\n    by: default\n    to: disputed",
            new: "  unanswered:\n    at: loss.reported\n    by: default\n    to: reported",
            finding: "neverEnds", says: "loss.reported"),
        Case(
            template: "presale-cover",
            old: "    at: loss.reported_swing\n    by: default\n",
            new:
                "    at: loss.reported_swing\n    by: default\n    require: [word == 10000]\n",
            finding: "defaultRefused", says: "swing_unanswered"),
        Case(
            template: "presale-cover", old: "{set: amount, to: \"min(amount, main.left)\"}",
            new: "{set: amount, to: amount}", finding: "lossUnbounded", says: "insurer",
            steps: 0...0),
        Case(
            template: "receivable-advance",
            old: "    at: main.running\n    by: default\n    to: disputed",
            new: "    at: main.running\n    by: default\n    to: running",
            finding: "neverEnds", says: "main.running"),
        Case(
            template: "receivable-advance", old: "amount: advance + interest",
            new: "amount: advance + interest * 2", finding: "lossDiffers", says: "borrower"),
        Case(
            template: "tiered-presale",
            old: "    at: main.unstated\n    by: default\n    to: lapsed",
            new:
                "    at: main.unstated\n    by: default\n    to: if total > 0 then lapsed else unstated",
            finding: "neverEnds", says: "main.unstated"),
        Case(
            template: "tiered-presale", old: "do: [{set: left, to: left - total * prepay / 100}]",
            new: "do: [{set: left, to: left - total * prepay}]", finding: "builtInRefused",
            says: "pay_receive"),
        Case(
            template: "tiered-presale", old: "{claim: left, from: custodian, to: creator}",
            new: "{claim: left, from: creator, to: custodian}", finding: "lossDiffers",
            says: "creator"),
        // What backers paid is neither refunded nor owed any more.
        Case(
            template: "tiered-presale",
            old: "[{claim: left, from: custodian, to: creator}, {set: left, to: 0}]",
            new: "[{set: left, to: 0}]", finding: "custodyGone", says: "held for others"),
        Case(
            template: "tiered-presale",
            old: "[{claim: left, from: custodian, to: creator}, {set: left, to: 0}]", new: "[]",
            finding: "escrowLeft", says: "still holds"),
        // Paid twice out of what backers paid once.
        Case(
            template: "tiered-presale",
            old: "paid: {to: delivering, do: [{set: left, to: left - total * prepay / 100}]}",
            new: "paid: {to: delivering}", finding: "escrowOverdrawn", says: "more than it holds"),
        Case(
            template: "tiered-presale", old: "prepay: {type: int, min: 0, max: 40, default: 30",
            new: "prepay: {type: int, min: 0, max: 100, default: 90", finding: "prepaid",
            says: "at most 40 %"),
        // Of evidence that whoever pays gives to itself nothing is released.
        Case(
            template: "milestone-production", old: "<= total * 4000", new: "<= total * 9000",
            finding: "prepaid", says: "at most 40 %"),
        Case(
            template: "joint-purchase",
            old: "at(share(units, portions), next) + at(share(freight, portions), next)\"}}",
            new:
                "at(share(units, portions), next) * (if next == 2 then 2 else 1) + at(share(freight, portions), next)\"}}",
            finding: "lossDiffers", says: "members"),
        // The supplier's key frees nothing that the buyer holds.
        Case(
            template: "flexible-volume",
            old: "by: buyer\n    with: supplier\n    verb: volume close",
            new: "by: supplier\n    with: buyer\n    verb: volume close", finding: "neverTaken",
            says: "close", steps: 0...0),
        Case(
            template: "vendor-managed-stock",
            old: "\"cost * left - part(cost * unsold, supplier_share)\"",
            new: "\"cost * left + part(cost * unsold, supplier_share)\"", finding: "lossDiffers",
            says: "creator", steps: 1...40),
        Case(
            template: "virtual-stock",
            old: "unpaid: {to: owed, do: [{post: semi, of: semi}], claim: true}",
            new: "unpaid: {to: owed, claim: true}", finding: "defaultRefused",
            says: "pool.rest_due"),
        Case(
            template: "idle-slots", old: "    to: empty\n    do: [{void: free}]",
            new: "    to: empty", finding: "defaultRefused", says: "slot.offered"),
        Case(
            template: "flexible-volume",
            old: "price * max(part(forecast, 10000 - band) - called, 0)",
            new: "price * (part(forecast, 10000 - band) - called)", finding: "defaultRefused",
            says: "close_year"),
        Case(
            template: "material-put", old: "loses: premium + market * units",
            new: "loses: premium", finding: "lossDiffers", says: "seller"),
        Case(
            template: "material-call", old: "from: issuer, to: holder}, {void: left}]",
            new: "from: holder, to: issuer}, {void: left}]", finding: "lossDiffers",
            says: "holder"),
    ]

    @Test func `nobody puts the end off for ever by letting a deadline pass in between`() throws {
        var text = String(decoding: try templateBytes("material-call"), as: UTF8.self)
        text = replacing(
            text, "      open: {until: expiry, default: lapse}\n",
            "      open: {until: expiry, default: wait}\n"
                + "      waiting: {until: expiry, default: lapse}\n")
        text = replacing(
            text, "  lapse:\n    at: main.open\n",
            """
              wait:
                at: main.open
                by: default
                to: waiting
                says: {en: I wait., zh: 等待。}
              again:
                at: main.waiting
                by: issuer
                to: open
                says: {en: Once more., zh: 再来。}
              lapse:
                at: main.waiting

            """)
        let found = Exploration.run(try Template.read(Array(text.utf8))).findings
        let finding = try #require(found.first { "\($0.what)".hasPrefix("putOff") })
        #expect(finding.words(.en).contains("issuer alone can put the end off for ever with again"))
        #expect(finding.play.suffix(2).map(\.role) == ["issuer", nil])
    }

    /// A line's log and a grant's key are some people's own: where nobody signs, they are not asked.
    @Test(arguments: [
        ("flexible-volume", "    at: main.running\n    by: default\n", "a default without"),
        ("capacity-option", "unpaid: {to: owed, ", "unknown key “line”"),
    ])
    func `what nobody signs moves no line`(
        _ name: String, _ old: String, _ says: String
    ) throws {
        let text = String(decoding: try templateBytes(name), as: UTF8.self)
        let line = "line: [{release: \(name == "flexible-volume" ? "held" : "goods")}]"
        let added = old.hasPrefix(" ") ? old + "    \(line)\n" : old + line + ", "
        let changed = replacing(text, old, added)
        #expect(changed != text)
        let refusal = #expect(throws: TemplateRefusal.self) {
            try Template.read(Array(changed.utf8))
        }
        #expect(refusal?.words(.en).contains(says) == true, "\(refusal?.words(.en) ?? "")")
    }

    @Test func `at least thirty different broken templates are refused`() {
        let read = Set(BrokenTemplateTests.cases.map { [$0.old, $0.new] })
        let explored = Set(Self.cases.map { [$0.template, $0.old, $0.new] })
        #expect(read.count + explored.count >= 30)
    }

    @Test(arguments: cases.indices)
    func `exploring a broken template finds what is wrong with it`(_ index: Int) throws {
        let broken = Self.cases[index]
        let text = String(decoding: try templateBytes(broken.template), as: UTF8.self)
        let changed = replacing(text, broken.old, broken.new)
        #expect(changed != text)
        var few = Exploration.Limits()
        few.settings = 6
        few.steps = 2000
        let found = Exploration.run(try Template.read(Array(changed.utf8)), limits: few).findings
        let finding = try #require(
            found.first {
                "\($0.what)".hasPrefix(broken.finding) && $0.words(.en).contains(broken.says)
            },
            "found instead: \(found.map { $0.words(.en) })")
        #expect(broken.steps.contains(finding.play.count), "\(finding.words(.en))")
        #expect(!finding.words(.zh).isEmpty)
    }
}

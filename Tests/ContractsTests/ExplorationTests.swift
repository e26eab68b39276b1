import Identity
import Testing

@testable import Contracts

struct ExplorationTests {
    @Test(arguments: Shelf.names)
    func `a standard template holds`(_ name: String) throws {
        let found = Exploration.run(try template(name))
        #expect(found.findings.map { $0.words(.en) } == [])
        #expect(found.settings > 10 && found.states > 500)
        #expect(found.losses.allSatisfy { $0.hostile >= $0.silent })
    }

    @Test func `the program knows exactly the files that ship with it`() throws {
        let hashes = try Shelf.names.map { try template($0).hash.hex }
        #expect(Template.explored.sorted() == hashes.sorted())
    }

    @Test func `whoever is silent, a default carries on`() throws {
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
    ]

    @Test(arguments: cases.indices)
    func `exploring a broken template finds what is wrong with it`(_ index: Int) throws {
        let broken = Self.cases[index]
        let text = String(decoding: try templateBytes(broken.template), as: UTF8.self)
        let changed = replacing(text, broken.old, broken.new)
        #expect(changed != text)
        var few = Exploration.Limits()
        few.settings = 6
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

import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore
import Replication
import Simulation
import Testing

/// What a newer program says, and what came to a home later than the node.
@Suite struct NewerTests {
    @Test func `an unknown kind is kept and passed on, and the contract waits behind it`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        let held = try story.market.held("bob", story.parent)
        let body = [UInt8](repeating: 1, count: 80)
        let newer = try story.market.entry(
            by: "bob", kind: 24, body: body, in: held.log, topic: held.key.topic)
        // Judge alone hears it from bob; alice has it from judge.
        story.market.network.disconnect("alice", "bob")
        story.market.push(newer, from: "bob", to: "judge")
        story.market.network.settle()
        for name in ["alice", "judge"] {
            let fold = try #require(try story.market.held(name, story.parent).fold)
            #expect(story.market.network.stores[name]?.entries(of: held.log).last == newer)
            #expect(fold.halt == .newer(sequence: newer.header.log?.sequence ?? 0), "\(name)")
            #expect(fold.state.record(1)?.state == "open")
        }
        #expect(throws: NodeRefusal.self) {
            try story.market.act("alice", story.parent, "exercise", ["n": Market.units(10)])
        }
        story.market.restart("alice")
        #expect(try story.market.held("alice", story.parent).fold?.halt != nil)
    }

    @Test func `a step with a list of a newer program is not judged`() throws {
        var story = try OptionStory()
        try story.play(..<4)
        let held = try story.market.held("bob", story.parent)
        let fold = try #require(held.fold)
        let step = try story.market.step(
            by: "bob",
            Step(
                act: SignedAct(transition: "lapse", record: 1, arguments: []), request: nil,
                receipts: [held.proposalEntry], records: [], digest: fold.state.digest()),
            in: story.parent)
        story.market.push(step, from: "bob", to: "judge")
        story.market.network.settle()
        #expect(
            try story.market.held("judge", story.parent).fold?.halt
                == .newer(sequence: fold.head.sequence + 1))
    }

    @Test func `an unknown kind in a public log ends its reading, and no one else's`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        try market.declare("bob", "print/notebook/a5", 300)
        let alliance = market.network["bob"].alliance.topic
        let log = LogID.publicLog(author: market.did("bob"), alliance: alliance)
        let newer = try market.entry(
            by: "bob", kind: 26, body: [1, 2, 3], in: log, topic: alliance)
        market.push(newer, from: "bob", to: "alice")
        market.network.settle()
        try market.declare("carol", "paper", 100)
        for name in ["alice", "carol", "judge"] {
            let book = market.network[name].book
            #expect(market.network.stores[name]?.entries(of: log).last == newer, "\(name)")
            #expect(book[market.did("bob")]?.newerAt == newer.header.log?.sequence)
            #expect(book[market.did("bob")]?.openings.count == 1)
            #expect(book[market.did("carol")]?.openings.count == 1)
        }
    }

    @Test func `an entry of a newer version is refused and says so`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let log = LogID.publicLog(
            author: market.did("bob"), alliance: market.network["bob"].alliance.topic)
        let entry = try #require(market.network.stores["bob"]?.entries(of: log).last)
        var header = entry.headerBytes
        #expect(header.prefix(2) == [8, 1])
        header[1] = 2
        var writer = WireWriter()
        writer.bytes(1, header)
        writer.bytes(2, entry.signature.bytes)
        writer.bytes(3, entry.body)
        let before = market.trace("alice")
        market.network.inject(Message.push(writer.bytes).frame, from: "bob", to: "alice")
        market.network.settle()
        #expect(market.trace("alice") == before)
        #expect(market.network.closed.last?.reason.contains("newerVersion(2)") == true)
    }

    // MARK: - A sixth template

    static let loan = """
        talea: 1
        name: tool-loan
        title: {en: Tool loan, zh: 工具借用}
        verb: loan ask
        sequencer: lender
        roles:
          lender: {kind: party, title: {en: lender, zh: 出借方}}
          user: {kind: party, title: {en: user, zh: 借用方}}
          arbiter: {kind: third, title: {en: arbiter, zh: 仲裁方}}
        parameters:
          units: {type: quantity, min: 1, max: 1000, title: {en: units, zh: 数量}}
          rent: {type: money, min: 0, max: 1000000, title: {en: rent, zh: 租金}}
          ends: {type: instant, title: {en: end, zh: 结束}}
        terms: {pay_within: 3d, confirm_within: 2d, rule_within: 5d, grace: 3d}
        check:
          - {that: "grant_by + grace < ends", en: "too close to the end {ends}", zh: "离 {ends} 太近"}
        line: {issuer: lender, holder: user, units: units, until: ends + grace * 2}
        payments: {within: pay_within, confirm: confirm_within, denied: unpaid}
        disputes: {arbiter: arbiter, within: rule_within}
        records:
          main:
            shape:
              holds: {held: {of: units, from: lender, to: user}}
              final: {paid: fulfilled, owed: defaulted, lapsed: lapsed}
            states:
              open: {until: ends, default: lapse}
              due: {pay: {from: user, to: lender, amount: rent, paid: {to: paid}, unpaid: {to: owed, claim: true}}}
        start:
          first: {main: {state: open, held: units}}
        transitions:
          take:
            at: main.open
            by: user
            verb: loan take
            to: due
            do: [{post: held, of: held}]
            says: {en: "I take {held} for {rent}.", zh: "我借用 {held}，租金 {rent}。"}
          lapse:
            at: main.open
            by: default
            to: lapsed
            do: [{void: held}]
            says: {en: "{held} were not taken.", zh: "未借用 {held}。"}
        outcome:
          - {when: any(defaulted), is: defaulted}
          - {when: main.state == lapsed, is: lapsed}
          - {is: fulfilled}
        worst:
          user: {loses: rent, en: "You owe the rent {rent}.", zh: "最多欠租金 {rent}。"}
          lender: {loses: 0, en: The rent may stay unpaid as a claim., zh: 租金可能成为债权。}
        prose:
          en: "The {lender} lends {units} to the {user} until {ends} for {rent}."
          zh: "{lender}把 {units} 借给{user}至 {ends}，租金 {rent}。"

        """

    @Test func `a template that comes as a file works on running nodes to the end`() throws {
        var market = try Market(names: OptionStory.names, only: "capacity-option")
        let line = try market.declare("bob", "tools/press", 10)
        let file = Array(Self.loan.utf8)
        try market.network.command("alice") { try $0.add(template: file) }
        let draft = Node.ProposalDraft(
            template: SHA256.hash(file), currency: Market.cny,
            arguments: [
                "units": Market.units(2), "rent": Market.money(500),
                "ends": .instant(market.at(days: 20)),
            ],
            roles: [
                "lender": [market.did("bob")], "user": [market.did("alice")],
                "arbiter": [market.did("judge")],
            ], lines: [line], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
        let id = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        // It waits where the file is not, and is not accepted unread.
        for name in ["bob", "judge"] {
            #expect(try market.held(name, id).fold == nil)
            #expect(throws: NodeRefusal.self) {
                try market.network.command(name) { try $0.accept(id) }
            }
        }
        for name in ["bob", "judge"] {
            try market.network.command(name) { try $0.add(template: file) }
            try market.network.command(name) { try $0.accept(id) }
            market.settle()
        }
        #expect(try market.held("alice", id).grade == .sequenced)
        try market.act("alice", id, "take")
        try market.pay("alice", "bob", id)
        for name in ["alice", "bob", "judge"] {
            #expect(try market.held(name, id).grade == .settled)
            #expect(try market.held(name, id).outcome == .fulfilled)
            #expect(market.network[name].outbox.isEmpty)
        }
        #expect(try market.digests(id, "alice", "bob", "judge").count == 1)
    }
}

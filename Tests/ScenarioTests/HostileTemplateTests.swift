import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore
import Simulation
import Testing

/// Templates that do what books refuse where nobody looked: under one number among a million. It is one
/// contract's matter, and no other's.
@Suite struct HostileTemplateTests {
    /// A deposit that is paid out; what differs from an honest one is filled in.
    static func template(payer: String = "custodian", amount: String = "rent") -> String {
        """
        talea: 1
        name: tool-rent
        title: {en: Tool rent, zh: 工具租用}
        verb: rent ask
        sequencer: lender
        roles:
          lender: {kind: party, title: {en: lender, zh: 出借方}}
          user: {kind: party, title: {en: user, zh: 借用方}}
          custodian: {kind: third, title: {en: custodian, zh: 托管方}}
          arbiter: {kind: third, title: {en: arbiter, zh: 仲裁方}}
        parameters:
          rent: {type: money, min: 0, max: 1000000, title: {en: rent, zh: 租金}}
          number: {type: int, min: 0, max: 1000000, title: {en: number, zh: 编号}}
        terms: {pay_within: 3d, confirm_within: 2d, rule_within: 5d, hold: 9d}
        check: []
        line: []
        payments: {within: pay_within, confirm: confirm_within, denied: unpaid}
        disputes: {arbiter: arbiter, within: rule_within}
        records:
          main:
            shape:
              final: {paid: fulfilled, owed: defaulted, lapsed: lapsed}
            states:
              due:
                pay:
                  from: user
                  to: custodian
                  amount: rent
                  by: grant_by + pay_within
                  into: escrow
                  paid: {to: holding}
                  unpaid: {to: lapsed}
              holding: {until: time + hold, default: give_back}
              back:
                pay:
                  from: custodian
                  to: user
                  amount: rent
                  out_of: escrow
                  paid: {to: lapsed}
                  unpaid: {to: owed, claim: true}
              out:
                pay:
                  from: \(payer)
                  to: lender
                  amount: \(amount)
                  out_of: escrow
                  paid: {to: paid}
                  unpaid: {to: owed, claim: true}
        start:
          first: {main: {state: due}}
        transitions:
          show:
            at: main.holding
            by: lender
            verb: rent show
            args: {evidence: hash}
            to: out
            says: {en: "You have the tool.", zh: "工具已交付。"}
          give_back:
            at: main.holding
            by: default
            to: back
            says: {en: "Nothing was shown: {rent} goes back.", zh: "逾期未交付，退还 {rent}。"}
        outcome:
          - {when: any(defaulted), is: defaulted}
          - {when: main.state == lapsed, is: lapsed}
          - {is: fulfilled}
        worst:
          user: {loses: rent, en: "You pay the rent {rent}.", zh: "最多付租金 {rent}。"}
          lender: {loses: 0, en: The rent may stay unpaid as a claim., zh: 租金可能成为债权。}
          custodian: {loses: rent, en: You owe what you hold., zh: 托管款逾期未付即成债权。}
        prose:
          en: "The {user} deposits {rent} with the {custodian} for the {lender}; number {number}."
          zh: "{user}向{custodian}托管 {rent}，付给{lender}；编号 {number}。"

        """
    }

    /// The contract with the number, between alice and carol, with bob and judge as third parties; and
    /// bob's own, which has nothing to do with it.
    static func play(_ text: String) throws -> (Market, hostile: ContractID, own: ContractID) {
        let bytes = Array(text.utf8)
        // Exploring finds nothing: it does not try this number.
        let findings = Exploration.run(try Template.read(bytes)).findings
        #expect(findings.isEmpty, "\(findings.map { $0.words(.en) })")
        var market = try Market("alice", "bob", "carol", "judge", only: "capacity-option")
        for name in market.names {
            try market.network.command(name) { try $0.add(template: bytes) }
        }
        let line = try market.declare("bob", "print/notebook/a5", 300)
        let own = try OptionTests.option(&market, line)
        let draft = Node.ProposalDraft(
            template: try Template.read(bytes).hash, currency: Market.cny,
            arguments: ["rent": Market.money(50_000), "number": .integer(777_777)],
            roles: [
                "lender": [market.did("carol")], "user": [market.did("alice")],
                "custodian": [market.did("bob")], "arbiter": [market.did("judge")],
            ], lines: [], acceptBy: market.at(days: 1), grantBy: market.at(days: 1))
        let hostile = try market.network.command("alice") { try $0.propose(draft) }
        market.settle()
        for name in ["bob", "carol", "judge"] {
            try market.network.command(name) { try $0.accept(hostile) }
            market.settle()
        }
        return (market, hostile, own)
    }

    static func state(_ market: inout Market, _ name: String, _ id: ContractID) {
        _ = try? market.act(
            name, id, "pay_state", ["channel": .text("bank"), "reference": .text("r")])
    }

    static func goesOn(_ market: inout Market, _ own: ContractID) throws {
        for name in market.names { #expect(market.network[name].ledgerFault == nil, "\(name)") }
        try market.pay("alice", "bob", own)
        #expect(try market.state("bob", own).record(1)?.state == "open")
    }

    @Test func `a payment to oneself stops no other contract`() throws {
        var (market, hostile, own) = try Self.play(
            Self.template(payer: "if number == 777777 then lender else custodian"))
        Self.state(&market, "alice", hostile)
        try market.act("bob", hostile, "pay_receive")
        _ = try? market.act("carol", hostile, "show", ["evidence": StoryTests.evidence])
        try Self.goesOn(&market, own)
        #expect(try market.state("bob", hostile).record(1)?.state == "holding")
    }

    @Test func `more than was deposited is not paid out, and stops no other contract`() throws {
        var (market, hostile, own) = try Self.play(
            Self.template(amount: "if number == 777777 then rent * 2 else rent"))
        Self.state(&market, "alice", hostile)
        try market.act("bob", hostile, "pay_receive")
        try market.act("carol", hostile, "show", ["evidence": StoryTests.evidence])
        Self.state(&market, "bob", hostile)
        _ = try? market.act("carol", hostile, "pay_receive")
        try Self.goesOn(&market, own)
        #expect(try market.state("bob", hostile).record(1)?.state == "out.stated")
        // What cannot be paid out of it is denied, and then owed.
        try market.act("carol", hostile, "pay_deny", ["reason": .text("nothing came")])
        try market.act("judge", hostile, "pay_rule", ["paid": .integer(0)])
        #expect(try market.held("carol", hostile).outcome == .defaulted)
        #expect(try market.digests(hostile, "alice", "bob", "carol", "judge").count == 1)
        for name in market.names { #expect(market.network[name].ledgerFault == nil, "\(name)") }
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore

extension Commands {
    /// Ends a contract by the word of all, or of all but its sequencer.
    static func settle(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        guard let fold = held.fold, fold.isSequenced else {
            throw NodeRefusal.contractNotSequenced(held.id)
        }
        let posts = try options.all("post").map { try post($0, held, fold, options) }
        let debts = try options.all("owe").map { try debt($0, held, node, options) }
        let without = try options.yes("without-sequencer")
        try options.finish()
        let plan = SettlementPlan(
            posts: posts, debts: debts, without: without ? held.proposal.sequencer : nil)
        let view = View(node: node, now: node.now)
        var done = expected(plan.act, by: node.own.did, held, view, options)
        let asked = try node.settle(plan, in: held.id)
        done.value = Self.asked(asked, held.id, node)
        return done
    }

    /// `STEP/INDEX,AMOUNT`
    private static func post(
        _ text: String, _ held: HeldContract, _ fold: Fold, _ options: Options
    ) throws -> SettlementPlan.Post {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let place = parts[0].split(separator: "/").map { Int64($0) }
        guard parts.count == 2, place.count == 2, let step = place[0], let index = place[1] else {
            throw Options.wrong(
                "post", text, "STEP/INDEX,AMOUNT of what talea contract show lists as pending",
                "talea contract show 所列待定事项的 步骤/序号,数额")
        }
        let pending = fold.state.pending.first { $0.cause.step == step && $0.cause.index == index }
        guard let pending else {
            throw NodeRefusal.contract(.notPostable(step: step, index: index))
        }
        let amount: Int64
        switch pending.commodity {
        case .money: amount = try money(parts[1], "post", held, options).minor
        case .capacity: amount = try Options.number(String(parts[1]), "post", atLeast: 1)
        }
        return .init(step: step, index: index, amount: amount)
    }

    /// `FROM,TO,AMOUNT`
    private static func debt(
        _ text: String, _ held: HeldContract, _ node: Node, _ options: Options
    ) throws -> SettlementPlan.Debt {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw Options.wrong("owe", text, "FROM,TO,AMOUNT", "欠款方,收款方,金额")
        }
        return .init(
            from: try node.party(String(parts[0]), field: "owe"),
            to: try node.party(String(parts[1]), field: "owe"),
            money: try money(parts[2], "owe", held, options))
    }

    private static func money(
        _ text: Substring, _ field: String, _ held: HeldContract, _ options: Options
    ) throws -> Money {
        let value = try options.value(
            SettlementPlan.money, String(text), currency: held.proposal.currency, units: [],
            field: field)
        guard case .money(let money) = value else {
            throw Options.wrong(field, String(text), "money", "金额")
        }
        return money
    }
}

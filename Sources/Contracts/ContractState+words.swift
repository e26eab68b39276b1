public import Capacity
internal import Entries
internal import Identity
internal import Ledger

extension ContractState {
    /// The sentence that an act's author signs; arguments not given stand as their names.
    public func says(_ act: Act, _ language: Language) -> String {
        let record = record(act.record)
        if let transition = template.transition(act.transition) {
            var environment = environment(record)
            environment.arguments = transition.arguments.map { parameter in
                act.arguments[parameter.name].flatMap {
                    Datum(
                        $0, kind: parameter.kind, currency: terms.currency, units: terms.units)
                }
            }
            return display(language).fill(transition.says, environment)
        }
        guard let builtIn = BuiltIn(rawValue: act.transition) else { return act.transition }
        return says(builtIn, record, act, language)
    }

    /// What the contract is, in one sentence.
    public func prose(_ language: Language) -> String {
        display(language).fill(template.prose, environment(nil))
    }

    /// A parameter or term as it holds here.
    public struct ShownTerm: Sendable {
        public let name: String
        public let title: Localized
        public let text: Localized
        /// False: nobody said it, and the template's default holds.
        public let isGiven: Bool
    }

    /// All that was agreed, in the template's order, also what nobody had to say.
    public var shownTerms: [ShownTerm] {
        let (english, chinese) = (display(.en), display(.zh))
        return zip(template.values, values).compactMap { parameter, datum in
            datum.map { datum in
                ShownTerm(
                    name: parameter.name, title: parameter.title,
                    text: Localized(
                        en: english.text(datum, parameter.kind),
                        zh: chinese.text(datum, parameter.kind)),
                    isGiven: terms.parameters[parameter.name] != nil)
            }
        }
    }

    /// The worst that this role may come to, of a list its `member`, from 0; `nil` where the template says
    /// nothing of it.
    public func worst(role: String, member: Int = 0, _ language: Language) -> String? {
        if template.role(role)?.onlyChild == true, !terms.isChild { return nil }
        var environment = environment(nil)
        environment.member = Int64(member)
        return template.worst[role].map { display(language).fill($0.says, environment) }
    }

    /// What `worst` says in money; `nil` where it says nothing.
    public func loss(role: String, member: Int = 0) -> Money? {
        guard let worst = template.worst[role], let loses = worst.loses else { return nil }
        let rule = terms.isChild ? worst.child ?? loses : loses
        var environment = environment(nil, time: terms.grantBy)
        environment.member = Int64(member)
        let minor = try? rule.number(in: environment, as: .money)
        return minor.flatMap { try? Money(minor: $0, terms.currency) }
    }

    /// Remarks that hold now, for display alone.
    public func notes(_ language: Language) -> [String] {
        let environment = environment(records.first)
        guard !records.isEmpty else { return [] }
        return template.notes.compactMap { note in
            if let when = note.when, (try? when.truth(in: environment)) != true { return nil }
            return display(language).fill(note.says, environment)
        }
    }

    private func says(
        _ builtIn: BuiltIn, _ record: Record?, _ act: Act, _ language: Language
    ) -> String {
        let display = display(language)
        func money(_ amount: Int64?) -> String {
            amount.map { display.text(.number($0), .money) } ?? "‹amount›"
        }
        func role(_ name: String?) -> String {
            name.map { display.text(.name($0), .role) } ?? ""
        }
        func ruling() -> String {
            guard case .integer(let share)? = act.arguments["ruling"] else { return "‹ruling›" }
            return display.text(.number(share), .bp)
        }
        let pay = record?.pay
        let amount = money(pay?.amount)
        let from = role(pay?.fromRole)
        let to = role(pay?.toRole)
        let arbiter = role(template.arbiterRole)
        switch (builtIn, language) {
        case (.payState, .en): return "I paid \(amount) to \(to)."
        case (.payState, .zh): return "我已向 \(to) 支付 \(amount)。"
        case (.payReceive, .en): return "I received \(amount) from \(from)."
        case (.payReceive, .zh): return "我已收到 \(from) 支付的 \(amount)。"
        case (.payDeny, .en): return "I did not receive \(amount); \(arbiter) decides."
        case (.payDeny, .zh): return "我未收到 \(amount)，由 \(arbiter) 裁定。"
        case (.payRule, .en):
            guard case .integer(let paid)? = act.arguments["paid"] else {
                return "I rule whether \(amount) was paid."
            }
            return paid == 1 ? "I rule: \(amount) was paid." : "I rule: \(amount) was not paid."
        case (.payRule, .zh):
            guard case .integer(let paid)? = act.arguments["paid"] else {
                return "我裁定 \(amount) 是否已付。"
            }
            return paid == 1 ? "我裁定：\(amount) 已付。" : "我裁定：\(amount) 未付。"
        case (.payUnpaid, .en): return "\(amount) was not paid in time."
        case (.payUnpaid, .zh): return "\(amount) 逾期未付。"
        case (.paySilent, .en): return "No word in time counts as received: \(amount)."
        case (.paySilent, .zh): return "逾期未答复视为收到：\(amount)。"
        case (.payRuleDefault, .en):
            return "No ruling in time: \(amount) counts as "
                + (template.deniedIsPaid ? "paid." : "not paid.")
        case (.payRuleDefault, .zh):
            return "逾期未裁定：\(amount) 视为" + (template.deniedIsPaid ? "已付。" : "未付。")
        case (.rule, .en): return "I rule \(ruling())."
        case (.rule, .zh): return "我裁定 \(ruling())。"
        case (.agree, .en): return "We agree on \(ruling())."
        case (.agree, .zh): return "我们同意 \(ruling())。"
        case (.ruleDefault, .en): return "No ruling in time: the agreed share holds."
        case (.ruleDefault, .zh): return "逾期未裁定，按约定比例。"
        case (.discharge, .en), (.discharge, .zh):
            var given = "‹amount›"
            if case .money(let money)? = act.arguments["amount"] {
                given = display.text(.number(money.minor), .money)
            }
            return language == .en ? "I give up my claim of \(given)." : "我放弃债权 \(given)。"
        case (.settle, _): return settlement(act, language)
        }
    }
}

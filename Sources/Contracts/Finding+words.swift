extension Finding {
    /// What is wrong and where, then the play that shows it, one step a line.
    public func words(_ language: Language) -> String {
        let head =
            switch language {
            case .en: "line \(line), column \(column): \(english)"
            case .zh: "第 \(line) 行第 \(column) 列：\(chinese)"
            }
        var lines = [head]
        if !setting.isEmpty {
            lines.append(
                (language == .en ? "  with " : "  取值 ") + setting.joined(separator: ", "))
        }
        for (index, step) in play.enumerated() {
            lines.append("  \(index + 1)  \(step.words(language))")
        }
        return lines.joined(separator: "\n")
    }

    private static func money(_ minor: Int64) -> String { Display.decimal(minor) }

    private var english: String {
        switch what {
        case .noParameters(let isChild):
            "no small parameters were found that meet the bounds and checks"
                + (isChild ? " of a child" : "") + "; loosen them, or give defaults that meet them"
        case .tooLarge(let states): "more than \(states) states: nothing is known beyond"
        case .openingRefused(let refusal): "step 1 cannot be done: \(refusal.words(.en))"
        case .neverReached(let state): "\(state) is never reached"
        case .neverTaken(let name): "“\(name)” can never be done"
        case .defaultRefused(let name, let state, let refusal):
            "\(state) is stuck: its default “\(name)” cannot be done: \(refusal.words(.en))"
        case .builtInRefused(let name, let state, let refusal):
            "“\(name)” cannot be done in \(state): \(refusal.words(.en))"
        case .neverEnds(let state): "if all stay silent, \(state) never comes to an end"
        case .putOff(let role, let names):
            "\(role) alone can put the end off for ever with \(names.joined(separator: ", "))"
        case .escrowLeft(let amount):
            "the custodian still holds \(Self.money(amount)) when all is over; pay it out or refund it"
        case .escrowOverdrawn(let amount):
            "the custodian is to pay \(Self.money(amount)) more than it holds"
        case .custodyGone(let amount):
            "\(Self.money(amount)) that is held for others is held no more, and was neither paid, nor owed, "
                + "nor shown as returned"
        case .prepaid(let paid, let total):
            "\(Self.money(paid)) of \(Self.money(total)) are paid out before evidence is signed by whom it pays; at most 40 %"
        case .lossUnstated(let role, let found):
            "`worst` does not say what the \(role) loses; the worst found is \(Self.money(found))"
        case .lossDiffers(let role, let stated, let found):
            "the \(role) may lose \(Self.money(found)), but `worst` says "
                + (stated.map(Self.money) ?? "what has no value here")
        case .lossUnbounded(let role): "what the \(role) may lose has no bound"
        }
    }

    private var chinese: String {
        switch what {
        case .noParameters(let isChild):
            (isChild ? "子合同" : "") + "找不到满足取值范围与检查条件的小参数；请放宽，或给出可行的默认值"
        case .tooLarge(let states): "状态超过 \(states) 个，其余未知"
        case .openingRefused(let refusal): "第 1 步无法进行：\(refusal.words(.zh))"
        case .neverReached(let state): "\(state) 永远到不了"
        case .neverTaken(let name): "“\(name)” 永远无法进行"
        case .defaultRefused(let name, let state, let refusal):
            "\(state) 会卡住：默认 “\(name)” 无法进行：\(refusal.words(.zh))"
        case .builtInRefused(let name, let state, let refusal):
            "在 \(state) 无法进行 “\(name)”：\(refusal.words(.zh))"
        case .neverEnds(let state): "若各方都沉默，\(state) 永不结束"
        case .putOff(let role, let names):
            "\(role) 独自即可用 \(names.joined(separator: "、")) 无限拖延"
        case .escrowLeft(let amount): "全部结束时托管方仍持有 \(Self.money(amount))；须付出或退还"
        case .escrowOverdrawn(let amount): "托管方须支付的款项超出其所持 \(Self.money(amount))"
        case .custodyGone(let amount):
            "为他人保管的 \(Self.money(amount)) 不再计入，却既未付出、未记为欠款，也无退还凭证"
        case .prepaid(let paid, let total):
            "在收款方签署凭证之前已付出 \(Self.money(total)) 中的 \(Self.money(paid))；至多 40 %"
        case .lossUnstated(let role, let found):
            "`worst` 未写明\(role)的损失；查得最坏为 \(Self.money(found))"
        case .lossDiffers(let role, let stated, let found):
            "\(role) 可能损失 \(Self.money(found))，而 `worst` 写的是 "
                + (stated.map(Self.money) ?? "此处没有值")
        case .lossUnbounded(let role): "\(role) 的损失没有上限"
        }
    }
}

extension Exploration.Loss {
    /// While others fall silent, and if they also lie.
    public var amounts: String { "\(Display.decimal(silent)), \(Display.decimal(hostile))" }
}

extension PlayedStep {
    public func words(_ language: Language) -> String {
        let who = role ?? (language == .en ? "silence" : "沉默")
        let when = language == .en ? "day \(day)" : "第 \(day) 天"
        return "\(when)  \(who): \(move)   \(changes.joined(separator: ", "))"
    }
}

import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import NodeCore

extension ContractRefusal {
    /// What it points at, for programs.
    private var target: (code: String, field: String, value: String) {
        switch self {
        case .parameterMissing(let name): ("parameter_missing", name, "")
        case .parameterUnknown(let name): ("parameter_unknown", name, "")
        case .parameterKind(let name, _): ("parameter_kind", name, "")
        case .parameterBounds(let name, let value, _, _): ("parameter_bounds", name, value)
        case .listCount(let name, let found, _): ("list_count", name, "\(found)")
        case .listOrder(let name, let item): ("list_order", name, "\(item)")
        case .scheduleSum(let name, let found, _): ("schedule_sum", name, found)
        case .roleMissing(let role): ("role_missing", role, "")
        case .roleUnknown(let role): ("role_unknown", role, "")
        case .roleCount(let role, let found, _): ("role_count", role, "\(found)")
        case .rolesNotDistinct(_, let role, let did), .childRolesNotDistinct(_, let role, let did):
            ("roles_not_distinct", role, did.did)
        case .lineCount(let found, _): ("line_count", "line", "\(found)")
        case .notAChild: ("not_a_child", "template", "")
        case .check: ("check", "terms", "")
        case .ended: ("ended", "contract", "")
        case .notOpened: ("not_opened", "contract", "")
        case .opened: ("opened", "contract", "")
        case .recordUnknown(let number): ("record_unknown", "record", "\(number)")
        case .transitionUnknown(let name): ("transition_unknown", "transition", name)
        case .wrongState(_, let state, let transition): ("wrong_state", transition, state)
        case .notYours(let transition, _): ("not_yours", "transition", transition)
        case .argumentMissing(let name): ("argument_missing", name, "")
        case .argumentUnknown(let name): ("argument_unknown", name, "")
        case .argumentKind(let name, _): ("argument_kind", name, "")
        case .tooEarly(let transition, let at, _): ("too_early", transition, at.iso)
        case .tooLate(let transition, let at, _): ("too_late", transition, at.iso)
        case .notMet(let transition, let rule, _): ("not_met", transition, rule)
        case .consentMissing(let transition, let did): ("consent_missing", transition, did.did)
        case .recordsFull(let family, let limit): ("records_full", family, "\(limit)")
        case .holdExceeded(let hold, _, let asked): ("hold_exceeded", hold, "\(asked)")
        case .transfersTooMany(let limit): ("transfers_too_many", "step", "\(limit)")
        case .chainTooLong(let limit): ("chain_too_long", "step", "\(limit)")
        case .pendingAtEnd(let count): ("pending_at_end", "contract", "\(count)")
        case .claimUnknown(let step, let index): ("claim_unknown", "step", "\(step)/\(index)")
        case .notWithout(let did): ("not_without", "without-sequencer", did.did)
        case .notPostable(let step, let index): ("not_postable", "post", "\(step)/\(index)")
        case .settlementAbove(_, let asked): ("settlement_above", "amount", "\(asked)")
        case .heldForSilent(_, let units, _): ("held_for_silent", "units", "\(units)")
        case .claimExceeded(_, let asked): ("claim_exceeded", "amount", "\(asked)")
        case .arithmetic(let rule, _): ("arithmetic", "terms", rule)
        }
    }

    /// In words every name that is typed stands as it is typed; programs get the bare one.
    func wording(_ name: (DID) -> String) -> Wording {
        if case .roleMissing(let role) = self { return NodeRefusal.roleMissing(role).wording(name) }
        return Wording(
            target.code, target.field, target.value, typed.words(.en, name: name),
            typed.words(.zh, name: name))
    }

    private var typed: ContractRefusal {
        func option(_ name: String) -> String { Options.typed(name) }
        return switch self {
        case .parameterMissing(let name): .parameterMissing(option(name))
        case .parameterUnknown(let name): .parameterUnknown(option(name))
        case .parameterKind(let name, let kind): .parameterKind(option(name), wanted: kind)
        case .parameterBounds(let name, let value, let low, let high):
            .parameterBounds(option(name), value: value, minimum: low, maximum: high)
        case .listCount(let name, let found, let wanted):
            .listCount(option(name), found: found, wanted: wanted)
        case .listOrder(let name, let item): .listOrder(option(name), item: item)
        case .scheduleSum(let name, let found, let wanted):
            .scheduleSum(option(name), found: found, wanted: wanted)
        case .roleCount(let role, let found, let wanted):
            .roleCount(option(role), found: found, wanted: wanted)
        case .rolesNotDistinct(let one, let other, let did):
            .rolesNotDistinct(option(one), option(other), did)
        case .argumentMissing(let name): .argumentMissing(option(name))
        case .argumentUnknown(let name): .argumentUnknown(option(name))
        case .argumentKind(let name, let kind): .argumentKind(option(name), wanted: kind)
        default: self
        }
    }
}

extension TemplateRefusal {
    var wording: Wording {
        Wording("template_refused", "template", "\(line):\(column)", words(.en), words(.zh))
    }
}

extension CapacityRefusal {
    func wording(_ field: String) -> Wording {
        func make(_ code: String, _ value: String, _ en: String, _ zh: String) -> Wording {
            let lead = field.isEmpty ? "" : "\(field): "
            return Wording(code, field, value, lead + en, lead + zh)
        }
        switch self {
        case .numberOutOfBounds(let number):
            return make(
                "number_out_of_bounds", "\(number)", "\(number) lies outside 0 … \(wholeNumberMax)",
                "\(number) 超出 0 … \(wholeNumberMax)")
        case .overflow: return make("overflow", "", "the number grows too large", "数字过大")
        case .currencyMalformed(let code):
            return make(
                "currency_malformed", code,
                "“\(code)” is no currency; wanted three letters such as CNY",
                "“\(code)”不是货币；应为三个大写字母，如 CNY")
        case .unitMalformed(let code):
            return make(
                "unit_malformed", code,
                "“\(code)” is no unit; wanted a UN/CEFACT code: C62 piece, HUR hour, KGM kilogram",
                "“\(code)”不是单位；应为 UN/CEFACT 代码：C62 件、HUR 小时、KGM 公斤")
        case .resourceMalformed(let path):
            return make(
                "resource_malformed", path,
                "“\(path)” is no resource; wanted up to 8 parts of a-z 0-9 - joined by /, as print/notebook/a5",
                "“\(path)”不是资源名；应为 a-z 0-9 - 以 / 相连，至多 8 段，如 print/notebook/a5")
        case .windowEmpty(let start, let end):
            return make(
                "window_empty", end.iso,
                "the window ends (\(end.iso)) before it starts (\(start.iso))",
                "时间窗结束 \(end.iso) 早于开始 \(start.iso)")
        case .windowOffset(let minutes):
            return make(
                "window_offset", "\(minutes)", "an offset of \(minutes) minutes; at most ±18 hours",
                "时区偏移 \(minutes) 分钟；至多 ±18 小时")
        case .unitsMixed(let one, let other):
            return make(
                "units_mixed", one, "units \(one) and \(other) do not mix",
                "单位 \(one) 与 \(other) 不能混用")
        case .lineNotDeclared:
            return make(
                "line_not_declared", "",
                "the line has no declared total yet; see: talea line declare",
                "产能线尚未申报总量；请用 talea line declare")
        case .lineAlreadyDeclared(let total):
            return make(
                "line_already_declared", "\(total)",
                "the line is declared with \(total) already; change it with: talea line adjust",
                "产能线已申报 \(total)；请用 talea line adjust 调整")
        case .unitsNotPositive(let units):
            return make(
                "units_not_positive", "\(units)", "\(units) units; wanted at least 1",
                "数量 \(units)；至少为 1")
        case .lineExceeded(let remaining, let requested):
            return make(
                "line_exceeded", "\(requested)",
                "the line has \(remaining) left, you asked \(requested)",
                "产能线剩余 \(remaining)，您要 \(requested)")
        case .totalBelowGranted(let granted, let total):
            return make(
                "total_below_granted", "\(total)",
                "\(granted) are granted already; the total cannot fall to \(total)",
                "已授予 \(granted)；总量不能降到 \(total)")
        case .grantUnknown: return make("grant_unknown", "", "there is no such grant", "没有这项授予")
        case .grantRepeated:
            return make("grant_repeated", "", "this grant exists already", "这项授予已存在")
        case .grantExceeded(let held, let requested):
            return make(
                "grant_exceeded", "\(requested)", "held \(held), you asked \(requested)",
                "持有 \(held)，您要 \(requested)")
        case .firmShortened(let until, let requested):
            return make(
                "firm_shortened", requested.iso,
                "these units are held until \(until.iso); \(requested.iso) would be shorter",
                "这些数量保留至 \(until.iso)；\(requested.iso) 更短")
        case .releaseTooEarly(let until, let now):
            return make(
                "release_too_early", now.iso,
                "these units are held until \(until.iso); before that they need the holder's signature",
                "这些数量保留至 \(until.iso)；此前释放需持有方签名")
        case .remainingMisstated(let stated, let computed):
            return make(
                "remaining_misstated", "\(stated)",
                "the entry says \(stated) remain, but it is \(computed)",
                "条目称剩余 \(stated)，实为 \(computed)")
        }
    }
}

extension LineLog.Reason {
    var wording: Wording {
        switch self {
        case .capacity(let refusal): return refusal.wording("line")
        case .holderSignature:
            return Wording(
                "holder_signature", "line", "",
                "the holder's signature over these units does not verify",
                "持有方对这些数量的签名验证不通过")
        case .releaseKeyNotPrimeOrder:
            return Wording(
                "release_key_not_prime_order", "line", "", "the release key is no valid point",
                "释放密钥不是有效的点")
        case .unreadable(let refusal): return refusal.wording
        case .kindMisplaced(let kind):
            return Wording(
                "kind_misplaced", "line", "\(kind)",
                "an entry of kind \(kind) stands in the line's log, where it does not belong",
                "产能线日志中有类型 \(kind) 的条目，它不属于此处")
        }
    }
}

extension EntryRefusal {
    var wording: Wording {
        func wire(_ code: String, _ field: Int, _ en: String, _ zh: String) -> Wording {
            Wording(
                code, "entry", "\(field)", "field \(field) of the bytes: \(en)",
                "字节第 \(field) 栏：\(zh)")
        }
        switch self {
        case .tooLarge(let what, let bytes, let limit):
            return Wording(
                "too_large", what, "\(bytes)", "\(what) of \(bytes), at most \(limit)",
                "\(what) 为 \(bytes)，至多 \(limit)")
        case .wireTruncated:
            return Wording(
                "wire_truncated", "entry", "", "the bytes end too early", "字节提前结束")
        case .wireVarint:
            return Wording(
                "wire_varint", "entry", "", "a number is not written in its shortest form",
                "数字不是最短写法")
        case .wireType(let field): return wire("wire_type", field, "of another type", "类型不对")
        case .wireField(let field, let after):
            return wire(
                "wire_field", field, "unknown, repeated or out of order after \(after)",
                "在第 \(after) 栏之后未知、重复或乱序")
        case .wireDefaultSpelledOut(let field):
            return wire("wire_default", field, "a default is spelled out", "写出了默认值")
        case .wireMissing(let field): return wire("wire_missing", field, "missing", "缺失")
        case .wireText(let field): return wire("wire_text", field, "no lawful text", "文字不合规")
        case .wireLength(let field, let bytes):
            return wire("wire_length", field, "\(bytes) bytes do not fit", "长度 \(bytes) 不对")
        case .wireOrder(let field): return wire("wire_order", field, "not in order", "顺序不对")
        case .wireTooMany(let field, let limit):
            return wire("wire_too_many", field, "more than \(limit) items", "超过 \(limit) 项")
        case .value(_, let refusal): return refusal.wording("entry")
        case .newerVersion(let version):
            return Wording(
                "newer_version", "entry", "\(version)",
                "signed under wire version \(version): the peer is newer; update this program",
                "以协议版本 \(version) 签署：对方更新，请升级本程序")
        case .headerShape(let rule):
            return Wording(
                "header_shape", "entry", "", "the header breaks a rule: \(rule)",
                "条目头不合规则：\(rule)")
        case .bodySize(let stated, let found):
            return Wording(
                "body_size", "body", "\(found)",
                "the header states \(stated) bytes, the body has \(found)",
                "条目头写明 \(stated) 字节，正文有 \(found)")
        case .bodyHash:
            return Wording(
                "body_hash", "body", "", "the body is not the one that was signed", "正文与签名的哈希不符")
        case .bodyMissing:
            return Wording("body_missing", "body", "", "the body is withheld or lost", "缺少正文")
        case .kindMismatch(let expected, let found):
            return Wording(
                "kind_mismatch", "kind", "\(found)",
                "an entry of kind \(found) where \(expected.rawValue) was wanted",
                "条目类型为 \(found)，应为 \(expected.rawValue)")
        case .keyNotPrimeOrder:
            return Wording(
                "key_not_prime_order", "key", "", "the key is no valid point of prime order",
                "密钥不是素数阶的有效点")
        case .signatureWrong(let entry):
            return Wording(
                "signature_wrong", "signature", entry.short, "the signature does not verify",
                "签名验证不通过")
        case .runBroken(let entry):
            return Wording(
                "run_broken", "entry", entry.short, "the chain breaks at \(entry.short)",
                "链在 \(entry.short) 断开")
        case .proofShape(let rule):
            return Wording(
                "proof_shape", "proof", rule, "the proof is not one: \(rule)",
                "证明不成立：\(rule)")
        case .privateBodyClosed:
            return Wording(
                "private_body_closed", "body", "", "the body does not open with this key",
                "此密钥打不开正文")
        case .commitmentWrong:
            return Wording(
                "commitment_wrong", "body_key", "", "the key is not the one the body commits to",
                "密钥不是正文所承诺的那一把")
        }
    }
}

extension LedgerRefusal {
    var wording: Wording {
        func make(_ code: String, _ value: String, _ en: String, _ zh: String) -> Wording {
            Wording(
                "ledger_" + code, "ledger", value,
                "the books refuse \(value): \(en)", "账本拒绝 \(value)：\(zh)")
        }
        switch self {
        case .amountNotPositive(let amount):
            return make("amount", "\(amount)", "an amount must be above zero", "金额须大于零")
        case .amountOutOfBounds(let amount):
            return make("bounds", "\(amount)", "the amount is too large", "金额过大")
        case .sameParty(let did):
            return make("same_party", did.shortDID, "giver and taker are one", "付方与收方相同")
        case .commodityUnfit(let kind, let commodity):
            return make(
                "commodity", commodity.name, "\(kind.rawValue) does not move this",
                "\(kind.rawValue) 不能移动此物")
        case .causeRepeated(let cause):
            return make("repeated", "\(cause)", "it is booked already", "已经记过")
        case .causeUnknown(let cause):
            return make("unknown", "\(cause)", "it was never reserved", "从未预留")
        case .alreadyResolved(let cause):
            return make("resolved", "\(cause)", "it is posted or voided already", "已过账或作废")
        case .abovePending(let pending, let requested):
            return make(
                "above_pending", "\(requested)", "only \(pending) are pending", "待定仅 \(pending)")
        case .aboveHeld(let held, let requested):
            return make(
                "above_held", "\(requested)", "the custodian holds \(held)", "托管方仅持有 \(held)")
        case .notClaim(let cause):
            return make("not_claim", "\(cause)", "it is no claim", "不是债权")
        case .claimNotPosted(let cause):
            return make("claim_pending", "\(cause)", "the claim is not owed yet", "债权尚未成立")
        case .aboveOwed(let owed, let requested):
            return make("above_owed", "\(requested)", "only \(owed) are owed", "仅欠 \(owed)")
        }
    }
}

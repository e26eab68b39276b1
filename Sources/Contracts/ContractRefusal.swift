public import Capacity
public import Identity

/// Every lawful no of the record machine, with the numbers that decided it.
public indirect enum ContractRefusal: Error, Hashable, Sendable {
    // Terms
    case parameterMissing(String)
    case parameterUnknown(String)
    case parameterKind(String, wanted: ValueKind)
    case parameterBounds(String, value: String, minimum: String?, maximum: String?)
    case listCount(String, found: Int, wanted: String)
    case listOrder(String, item: Int)
    case scheduleSum(String, found: String, wanted: String)
    case roleMissing(String)
    case roleUnknown(String)
    case roleCount(String, found: Int, wanted: String)
    case rolesNotDistinct(String, String, DID)
    case childRolesNotDistinct(String, String, DID)
    case lineCount(found: Int, wanted: Int)
    case notAChild
    case check(Localized)
    // Acts
    case ended
    case notOpened
    case opened
    case recordUnknown(Int64)
    case transitionUnknown(String)
    case wrongState(record: Int64, state: String, transition: String)
    case notYours(transition: String, awaited: [String])
    case argumentMissing(String)
    case argumentUnknown(String)
    case argumentKind(String, wanted: ValueKind)
    case tooEarly(transition: String, at: Instant, earliest: Instant)
    case tooLate(transition: String, at: Instant, until: Instant)
    case notMet(transition: String, rule: String, values: Localized)
    case consentMissing(transition: String, DID)
    case recordsFull(family: String, limit: Int64)
    case holdExceeded(hold: String, held: Int64, asked: Int64)
    case transfersTooMany(limit: Int)
    case chainTooLong(limit: Int)
    case pendingAtEnd(count: Int)
    case claimUnknown(step: Int64, index: Int64)
    case claimExceeded(open: Int64, asked: Int64)
    /// Only the sequencer may be settled without.
    case notWithout(DID)
    /// Names a transfer that is not pending, or that the settlement cannot post.
    case notPostable(step: Int64, index: Int64)
    /// More than was pending, or than was pending and in escrow from the one who gives.
    case settlementAbove(had: Int64, asked: Int64)
    /// Units that are reserved for the silent one stay so until they fall free on their line.
    case heldForSilent(DID, units: Int64, until: Instant?)
    case arithmetic(rule: String, EvaluationFault)

    /// `name` puts an identity into the reader's words.
    public func words(_ language: Language, name: (DID) -> String = \.shortDID) -> String {
        switch language {
        case .en: english(name)
        case .zh: chinese(name)
        }
    }

    private static func bounds(_ low: String?, _ high: String?) -> String {
        "\(low ?? "…") … \(high ?? "…")"
    }

    private func english(_ name: (DID) -> String) -> String {
        switch self {
        case .parameterMissing(let name): "the parameter \(name) is missing"
        case .parameterUnknown(let name): "the template has no parameter \(name)"
        case .parameterKind(let name, let kind): "\(name) must be \(kind.words(.en))"
        case .parameterBounds(let name, let value, let low, let high):
            "\(name) is \(value), outside \(Self.bounds(low, high))"
        case .listCount(let name, let found, let wanted):
            "\(name) has \(found) items, wanted \(wanted)"
        case .listOrder(let name, let item):
            "\(name): item \(item + 1) is not later than the one before"
        case .scheduleSum(let name, let found, let wanted):
            "\(name) sums to \(found), not \(wanted)"
        case .roleMissing(let role): "nobody is named as \(role)"
        case .roleUnknown(let role): "the contract has no role \(role)"
        case .roleCount(let role, let found, let wanted):
            "\(found) identities as \(role), wanted \(wanted)"
        case .rolesNotDistinct(let one, let other, let did):
            "\(one) and \(other) are the same identity, \(name(did)); nobody judges or pays oneself"
        case .childRolesNotDistinct(let one, let other, let did):
            "\(one) and \(other) of the new contract would be the same identity, \(name(did))"
        case .lineCount(let found, let wanted): "\(found) capacity lines, wanted \(wanted)"
        case .notAChild: "this template opens no child contract"
        case .check(let message): message.en
        case .ended: "the contract has ended"
        case .notOpened: "the contract is not yet in force"
        case .opened: "the contract is already in force"
        case .recordUnknown(let number): "there is no record \(number)"
        case .transitionUnknown(let name): "the template has no step \(name)"
        case .wrongState(let record, let state, let transition):
            "record \(record) is \(state); \(transition) does not start there"
        case .notYours(let transition, let awaited):
            "\(transition) is for \(awaited.joined(separator: " or "))"
        case .argumentMissing(let name): "\(name) is missing"
        case .argumentUnknown(let name): "\(name) is not asked for"
        case .argumentKind(let name, let kind): "\(name) must be \(kind.words(.en))"
        case .tooEarly(let transition, let at, let earliest):
            "\(transition) at \(at) is too early: not before \(earliest)"
        case .tooLate(let transition, let at, let until):
            "\(transition) at \(at) is too late: until \(until)"
        case .notMet(let transition, let rule, let values):
            values.en.isEmpty
                ? "\(transition): \(rule) does not hold"
                : "\(transition): \(rule) does not hold (\(values.en))"
        case .consentMissing(let transition, let did):
            "\(transition) needs the consent of \(name(did))"
        case .recordsFull(let family, let limit):
            "the contract already has \(limit) records \(family), its limit"
        case .holdExceeded(let hold, let held, let asked): "\(asked) asked of \(hold), held \(held)"
        case .transfersTooMany(let limit): "more than \(limit) transfers in one step"
        case .chainTooLong(let limit): "more than \(limit) payments of zero in a row"
        case .pendingAtEnd(let count): "\(count) transfers would stay pending at the end"
        case .claimUnknown(let step, let index): "no open claim \(step)/\(index)"
        case .notWithout(let did):
            "a contract is settled without its sequencer alone, not without \(name(did))"
        case .notPostable(let step, let index):
            "\(step)/\(index) is no pending transfer between two who sign"
        case .settlementAbove(let had, let asked): "only \(had) was pending or held, \(asked) asked"
        case .heldForSilent(let did, let units, let until):
            "\(units) units are reserved for \(name(did)), who does not sign"
                + (until.map { ", until \($0)" } ?? "")
        case .claimExceeded(let open, let asked):
            "\(Display.decimal(asked)) to clear, but \(Display.decimal(open)) is owed"
        case .arithmetic(let rule, let fault): "\(rule): \(fault.words(.en))"
        }
    }

    private func chinese(_ name: (DID) -> String) -> String {
        switch self {
        case .parameterMissing(let name): "缺少参数 \(name)"
        case .parameterUnknown(let name): "模板没有参数 \(name)"
        case .parameterKind(let name, let kind): "\(name) 应为\(kind.words(.zh))"
        case .parameterBounds(let name, let value, let low, let high):
            "\(name) 为 \(value)，超出 \(Self.bounds(low, high))"
        case .listCount(let name, let found, let wanted): "\(name) 有 \(found) 项，应为 \(wanted)"
        case .listOrder(let name, let item): "\(name)：第 \(item + 1) 项不晚于前一项"
        case .scheduleSum(let name, let found, let wanted):
            "\(name) 合计 \(found)，而非 \(wanted)"
        case .roleMissing(let role): "没有人担任 \(role)"
        case .roleUnknown(let role): "合同没有角色 \(role)"
        case .roleCount(let role, let found, let wanted):
            "\(role) 有 \(found) 个身份，应为 \(wanted)"
        case .rolesNotDistinct(let one, let other, let did):
            "\(one) 与 \(other) 是同一身份：\(name(did))；不得自裁或自付"
        case .childRolesNotDistinct(let one, let other, let did):
            "新合同的 \(one) 与 \(other) 会是同一身份：\(name(did))"
        case .lineCount(let found, let wanted): "产能线 \(found) 条，应为 \(wanted)"
        case .notAChild: "此模板没有子合同"
        case .check(let message): message.zh
        case .ended: "合同已结束"
        case .notOpened: "合同尚未生效"
        case .opened: "合同已经生效"
        case .recordUnknown(let number): "没有记录 \(number)"
        case .transitionUnknown(let name): "模板没有步骤 \(name)"
        case .wrongState(let record, let state, let transition):
            "记录 \(record) 为 \(state)，不能 \(transition)"
        case .notYours(let transition, let awaited):
            "\(transition) 只能由 \(awaited.joined(separator: "或")) 提出"
        case .argumentMissing(let name): "缺少 \(name)"
        case .argumentUnknown(let name): "不需要 \(name)"
        case .argumentKind(let name, let kind): "\(name) 应为\(kind.words(.zh))"
        case .tooEarly(let transition, let at, let earliest):
            "\(transition) 于 \(at) 太早，不得早于 \(earliest)"
        case .tooLate(let transition, let at, let until):
            "\(transition) 于 \(at) 太迟，期限 \(until)"
        case .notMet(let transition, let rule, let values):
            values.zh.isEmpty
                ? "\(transition)：不满足 \(rule)" : "\(transition)：不满足 \(rule)（\(values.zh)）"
        case .consentMissing(let transition, let did): "\(transition) 需要 \(name(did)) 同意"
        case .recordsFull(let family, let limit): "合同已有 \(limit) 个 \(family)，达到上限"
        case .holdExceeded(let hold, let held, let asked): "\(hold) 持有 \(held)，却要 \(asked)"
        case .transfersTooMany(let limit): "一步超过 \(limit) 笔转移"
        case .chainTooLong(let limit): "连续 \(limit) 笔以上零额付款"
        case .pendingAtEnd(let count): "结束时仍有 \(count) 笔未决"
        case .claimUnknown(let step, let index): "没有未清债权 \(step)/\(index)"
        case .notWithout(let did): "合同只可在缺排序方时了结，不可缺 \(name(did))"
        case .notPostable(let step, let index): "\(step)/\(index) 不是两个签署方之间的待定转移"
        case .settlementAbove(let had, let asked): "待定或托管的只有 \(had)，却要 \(asked)"
        case .heldForSilent(let did, let units, let until):
            "为未签署的 \(name(did)) 预留着 \(units)" + (until.map { "，至 \($0)" } ?? "")
        case .claimExceeded(let open, let asked):
            "要清 \(Display.decimal(asked))，只欠 \(Display.decimal(open))"
        case .arithmetic(let rule, let fault): "\(rule)：\(fault.words(.zh))"
        }
    }
}

internal import Capacity
internal import Contracts
internal import Entries
internal import Identity
internal import Ledger
internal import Logs
internal import NodeCore

// Why a step has no effect, in words.

extension FoldRefusal {
    func wording(_ name: (DID) -> String) -> Wording {
        switch self {
        case .entry(let refusal): return refusal.wording
        case .contract(let refusal): return refusal.wording(name)
        case .contractKeyWrong:
            return Wording(
                "contract_key_wrong", "contract", "",
                "the key handed over is not this contract's; ask for the proposal again",
                "交来的密钥不属于此合同；请对方重发提议")
        case .templateWrong(let template):
            return Wording(
                "template_wrong", "template", template.short,
                "the proposal names the template \(template.short), another file than the one here",
                "提议所指的模板 \(template.short) 与此处的文件不同")
        case .notAboutThisContract:
            return Wording(
                "not_about_this_contract", "contract", "", "it was signed for another contract",
                "它是为另一份合同签署的")
        case .witnessesUnfit(let count, let threshold):
            return Wording(
                "witnesses_unfit", "witness", "\(threshold) of \(count)",
                "\(threshold) of \(count) witnesses will not do: they must be distinct, none of them a "
                    + "party, custodian or arbiter, and --threshold more than half of them",
                "\(count) 名见证中 \(threshold) 名不可行：见证须各不相同，不得为合同方、托管方或仲裁方，"
                    + "且 --threshold 须过半数")
        case .witnessTermsWrong:
            return Wording(
                "witness_terms_wrong", "witness", "",
                "what the witnesses were told is not what the proposal says", "见证所得条款与提议不符")
        case .receiptsMissing(let id, let found, let needed):
            return Wording(
                "receipts_missing", "receipts", id.short,
                "\(found) of \(needed) receipts for \(id.short) are here",
                "\(id.short) 的回执有 \(found) 份，需 \(needed) 份")
        case .closingsMissing(let record, let found, let needed):
            return Wording(
                "closings_missing", "record", "\(record)",
                "\(found) of \(needed) witnesses have closed record \(record)",
                "记录 \(record) 已有 \(found) 名见证封闭，需 \(needed) 名")
        case .listedMissing(let id):
            return Wording(
                "listed_missing", "request", id.short,
                "witnesses list the request \(id.short), which the step does not show",
                "见证列出的请求 \(id.short) 未随步骤出示")
        case .listedAdmissible(let id):
            return Wording(
                "listed_admissible", "request", id.short,
                "the request \(id.short) came in time and comes first; nothing lapsed",
                "请求 \(id.short) 已按时收到，应先处理；未发生逾期")
        case .rulingBelow(let stated, let highest):
            return Wording(
                "ruling_below", "step", "\(stated)",
                "the ruling goes on from step \(stated), but witnesses hold step \(highest): it is void, "
                    + "and proof against the arbiter",
                "裁定从第 \(stated) 步继续，而见证持有第 \(highest) 步：裁定无效，并构成对仲裁方的证据")
        case .claimMissing:
            return Wording(
                "claim_missing", "claim", "", "there is no claim that this ruling could follow",
                "没有此裁定可依据的接管声明")
        case .deadlinesCrossed:
            return Wording(
                "deadlines_crossed", "grant-by", "",
                "--accept-by must not be after --grant-by", "--accept-by 不得晚于 --grant-by")
        case .notNamed(let did):
            return Wording(
                "not_named", "party", did.did, "\(name(did)) is not named in the contract",
                "合同没有列出 \(name(did))")
        case .openingMissing:
            return Wording(
                "opening_missing", "step", "", "the contract's first step must be its opening",
                "合同第一步必须是开启")
        case .proposalMisplaced:
            return Wording(
                "proposal_misplaced", "step", "", "the proposal stands in step 1 and nowhere else",
                "提议只在第 1 步")
        case .late(let deadline, let time):
            return Wording(
                "late", "time", time.iso, "it came at \(time.iso), after \(deadline.iso)",
                "于 \(time.iso) 才到，期限 \(deadline.iso)")
        case .notAccepted(let did):
            return Wording(
                "not_accepted", "party", did.did, "\(name(did)) has not accepted",
                "\(name(did)) 尚未接受")
        case .keyUnknown(let did):
            return Wording(
                "key_unknown", "party", did.did, "the key log of \(name(did)) is not here yet",
                "此处还没有 \(name(did)) 的密钥日志")
        case .keySuperseded(let did):
            return Wording(
                "key_superseded", "party", did.did,
                "signed under a key that \(name(did)) has replaced; sign it again under the new one",
                "用 \(name(did)) 已更换的旧密钥签署；请用新密钥重新签署")
        case .keyEntryMisplaced(let id):
            return Wording(
                "key_entry_misplaced", "step", id.hex,
                "the step embeds a key entry (\(id.short)…) that is not a participant's next one",
                "此步嵌入的密钥条目（\(id.short)…）不是参与方的下一个密钥")
        case .releaseKeyMissing(let did):
            return Wording(
                "release_key_missing", "party", did.did,
                "\(name(did)) gave no release key with the acceptance",
                "\(name(did)) 接受时没有给出释放密钥")
        case .lineMissing(let kind):
            return Wording(
                "line_missing", "line", kind.rawValue,
                "the issuer's line entry (\(kind.rawValue)) is missing",
                "缺少出让方产能线的条目（\(kind.rawValue)）")
        case .holderSignatureWrong:
            return Wording(
                "holder_signature_wrong", "line", "",
                "the holder's signature over these units is wrong", "持有方对这些数量的签名不对")
        case .parentRequestMissing:
            return Wording(
                "parent_request_missing", "contract", "",
                "the holder's signed transfer that opens this contract is missing",
                "缺少开启此合同的已签转让请求")
        case .childMissing:
            return Wording(
                "child_missing", "contract", "", "the transfer names no new contract",
                "转让没有指明新合同")
        case .childNotAccepted(let child, let did):
            return Wording(
                "child_not_accepted", "party", did.did,
                "\(name(did)) has not accepted the new contract \(child.short)",
                "\(name(did)) 尚未接受新合同 \(child.short)")
        case .basisUnknown:
            return Wording(
                "basis_unknown", "step", "",
                "it was signed on a step that this contract does not have; look at the contract and ask again",
                "它基于此合同没有的步骤；请查看合同后重新提出")
        case .alreadyAdmitted(let request):
            return Wording(
                "already_admitted", "request", request.short,
                "the request \(request.short) was admitted already; it changes nothing twice",
                "请求 \(request.short) 已被接纳，不会重复生效")
        case .stale(let record, let named, let current):
            return Wording(
                "stale", "record", "\(record)",
                "record \(record) moved on: it was signed on version \(named), now it is \(current); look at "
                    + "the contract and ask again",
                "记录 \(record) 已变：签署时版本 \(named)，现为 \(current)；请查看合同后重新提出")
        case .clockUnacknowledged(let step, let did):
            return Wording(
                "clock_unacknowledged", "party", did.did,
                "\(name(did)) has not acknowledged step \(step.short), which started this deadline; the "
                    + "record waits",
                "\(name(did)) 尚未确认开始计时的步骤 \(step.short)；此记录继续等待")
        case .digestWrong(let stated, let computed):
            return Wording(
                "digest_wrong", "digest", stated.short,
                "the step states the result \(stated.short), but \(computed.short) follows from it; it has "
                    + "no effect",
                "步骤声称结果 \(stated.short)，实际为 \(computed.short)；不生效")
        }
    }
}

public import Capacity
public import Contracts
public import Entries
public import Identity
public import Ledger
public import Logs
public import NodeCore

// Every lawful no of every room in English and Chinese: what happened, with the numbers, and what to do
// next. The one place where refusals become words; a new case does not compile until it stands here.

/// What a refusal is called by programs, what it points at, and its words.
struct Wording {
    var code: String
    var field = ""
    var value = ""
    var en: String
    var zh: String

    init(_ code: String, _ field: String = "", _ value: String = "", _ en: String, _ zh: String) {
        self.code = code
        self.field = field
        self.value = value
        self.en = en
        self.zh = zh
    }

    var refusal: DoorRefusal {
        DoorRefusal(code, field: field, value: value, en: en, zh: zh)
    }
}

extension DoorRefusal {
    /// `name` puts an identity into the reader's words.
    public init(_ refusal: NodeRefusal, name: (DID) -> String = \.shortDID) {
        self = refusal.wording(name).refusal
    }

    public init(_ refusal: FoldRefusal, name: (DID) -> String = \.shortDID) {
        self = refusal.wording(name).refusal
    }

    public init(_ refusal: EntryRefusal) { self = refusal.wording.refusal }

    public init(_ refusal: CapacityRefusal, field: String = "") {
        self = refusal.wording(field).refusal
    }

    public init(_ reason: LineLog.Reason) { self = reason.wording.refusal }

    public init(_ refusal: ContractRefusal, name: (DID) -> String = \.shortDID) {
        self = refusal.wording(name).refusal
    }

    public init(_ refusal: TemplateRefusal) { self = refusal.wording.refusal }

    public init(_ refusal: ParameterRefusal) {
        self.init(
            "value_unreadable", field: refusal.name, value: refusal.text,
            en: refusal.words(.en), zh: refusal.words(.zh))
    }

    public init(_ refusal: LedgerRefusal) { self = refusal.wording.refusal }

    /// Any error of the rooms below; what is none of them is a defect or a failing machine.
    public init(any error: any Error, name: (DID) -> String = \.shortDID) {
        switch error {
        case let refusal as DoorRefusal: self = refusal
        case let refusal as NodeRefusal: self.init(refusal, name: name)
        case let refusal as FoldRefusal: self.init(refusal, name: name)
        case let refusal as BundleRefusal: self.init(refusal, name: name)
        case let refusal as EntryRefusal: self.init(refusal)
        case let refusal as CapacityRefusal: self.init(refusal)
        case let refusal as LineLog.Reason: self.init(refusal)
        case let refusal as ContractRefusal: self.init(refusal, name: name)
        case let refusal as TemplateRefusal: self.init(refusal)
        case let refusal as ParameterRefusal: self.init(refusal)
        case let refusal as LedgerRefusal: self.init(refusal)
        default:
            self.init(
                "failed", en: "the node could not do it: \(error); nothing was signed",
                zh: "节点未能完成：\(error)；没有签署任何内容")
        }
    }
}

extension Instant {
    /// `2026-11-21T09:00:00.000Z`; `CivilTime.read` takes it back.
    public var iso: String {
        let time = CivilTime(self, offsetMinutes: 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let tail = "\(time.millisecond)"
        return "\(time.year)-\(two(time.month))-\(two(time.day))T\(two(time.hour)):"
            + "\(two(time.minute)):\(two(time.second))."
            + String(repeating: "0", count: 3 - tail.count) + tail + "Z"
    }
}

extension NodeRefusal {
    func wording(_ name: (DID) -> String) -> Wording {
        switch self {
        case .readOnly(let reason): return reason.wording
        case .recovering(let waiting): return waiting.wording(name)
        case .logUnknown(let log):
            return Wording(
                "log_unknown", "log", log, "no log of yours is called “\(log)”; see: talea status",
                "您没有名为“\(log)”的日志；请看 talea status")
        case .recoveryCodeWrong(let rotations):
            return Wording(
                "recovery_code_wrong", "code", "",
                "this recovery code does not belong to this identity (its key was changed \(rotations) "
                    + "times); nothing was signed",
                "此恢复码不属于这个身份（密钥已更换 \(rotations) 次）；没有签署")
        case .clockOff(let peers, let milliseconds):
            let seconds = milliseconds / 1000
            return Wording(
                "clock_off", "clock", "\(seconds) s",
                "this computer's clock is \(seconds) s off that of \(peers) peers; nothing is signed "
                    + "until it is set right",
                "本机时钟与 \(peers) 个节点相差 \(seconds) 秒；校准之前不签署")
        case .capacity(let field, let refusal):
            var wording = refusal.wording(Options.typed(field))
            wording.field = field
            return wording
        case .entry(let refusal): return refusal.wording
        case .line(let reason): return reason.wording
        case .fold(let refusal): return refusal.wording(name)
        case .contract(let refusal): return refusal.wording(name)
        case .template(let refusal): return refusal.wording
        case .rules(let refusal): return refusal.wording
        case .allianceUnknown(let text):
            return Wording(
                "alliance_unknown", "alliance", text,
                "you are in no alliance “\(text)”; see: talea alliance list",
                "您不在联盟“\(text)”中；请看 talea alliance list")
        case .allianceAmbiguous(let text):
            return Wording(
                "alliance_ambiguous", "alliance", text,
                "several alliances are called “\(text)”; write the first digits of its topic, see: "
                    + "talea alliance list",
                "有多个联盟叫“\(text)”；请写其主题编号的前几位，见 talea alliance list")
        case .alreadyJoined(let topic):
            return Wording(
                "already_joined", "code", topic.hex,
                "you are in this alliance already; see: talea alliance list",
                "您已在此联盟中；请看 talea alliance list")
        case .onlyAlliance(let topic):
            return Wording(
                "only_alliance", "alliance", topic.hex,
                "it is your only alliance; join or found another one first",
                "这是您唯一的联盟；请先加入或创建另一个")
        case .allianceInUse(let topic, let contract):
            return Wording(
                "alliance_in_use", "alliance", topic.hex,
                "the contract \(contract.short) rests on a line of this alliance; leave when it is settled",
                "合同 \(contract.short) 依托此联盟中的产能线；了结之后再离开")
        case .mayNotAdmit(let topic):
            return Wording(
                "may_not_admit", "alliance", topic.hex,
                "its rules do not let you admit anybody; see who does: talea alliance list",
                "其规则不允许您接纳他人；请看 talea alliance list 由谁接纳")
        case .alreadyMember(let did):
            return Wording(
                "already_member", "did", did.did,
                "\(name(did)) was admitted before; see: talea alliance list",
                "\(name(did)) 已被接纳过；请看 talea alliance list")
        case .notASteward(let topic):
            return Wording(
                "not_a_steward", "alliance", topic.hex,
                "only its stewards expel; see who they are: talea alliance list",
                "只有管理人可以除名；请看 talea alliance list")
        case .stewardsStay(let did):
            return Wording(
                "stewards_stay", "did", did.did,
                "\(name(did)) is a steward, and stewards stay; found a new alliance without them",
                "\(name(did)) 是管理人，不可除名；可另建没有此人的联盟")
        case .notAMember(let did):
            return Wording(
                "not_a_member", "did", did.did,
                "\(name(did)) is no member; see: talea alliance list",
                "\(name(did)) 不是成员；请看 talea alliance list")
        case .expelled(let topic, let last):
            return Wording(
                "expelled", "alliance", topic.hex,
                "you were expelled from this alliance: your public log in it stands up to entry \(last), and "
                    + "running contracts go on; publish in another one with --alliance",
                "您已被此联盟除名：您在其中的公开日志至第 \(last) 条有效，合同照常履行；请用 --alliance 在别的联盟发布")
        case .tooMuch(let topic, let until):
            return Wording(
                "too_much", "alliance", topic.hex,
                "the alliance's limits let you say the next thing from \(until.iso) on; withdraw an offer, or "
                    + "wait",
                "联盟限额：\(until.iso) 起才能再发布；请撤回一份报价，或等待")
        case .invitationOver(let time):
            return Wording(
                "invitation_over", "code", time.iso,
                "this invitation was good until \(time.iso); ask for a new one",
                "此邀请码有效期至 \(time.iso)；请另要一个")
        case .lineElsewhere(let line, let topic):
            return Wording(
                "line_elsewhere", "alliance", topic.hex,
                "the line \(line.short) was opened in another alliance and is sold there alone; leave "
                    + "--alliance out",
                "产能线 \(line.short) 开在另一联盟，只在那里出售；请去掉 --alliance")
        case .sequencerOutside(let did, let topic):
            return Wording(
                "sequencer_outside", "line", topic.hex,
                "\(name(did)) is to keep this contract's log and is not in the line's alliance; invite them "
                    + "first: talea alliance invite",
                "\(name(did)) 负责此合同的日志，却不在产能线所属的联盟中；请先邀请：talea alliance invite")
        case .lineUnknown(let line):
            return Wording(
                "line_unknown", "line", line,
                "no capacity line \(line) is known here; see: talea line show",
                "此处没有产能线 \(line)；请看 talea line show")
        case .notYourLine(let line):
            return Wording(
                "not_your_line", "line", line.short,
                "the line \(line.short) is another's; only its issuer adjusts it or offers of it",
                "产能线 \(line.short) 属于他人，只有出让方能调整它或据此报价")
        case .lineClash(let other):
            return Wording(
                "line_clash", "resource", other.short,
                "it overlaps your line \(other.short) in resource and time, which would sell the same "
                    + "capacity twice; choose another window, or adjust that line",
                "与您的产能线 \(other.short) 资源和时间重叠，等于一物二卖；请改时间窗，或调整那条产能线")
        case .lineForked(let line):
            return Wording(
                "line_broken", "line", line.short,
                "the line \(line.short) is forked or broken by its issuer; nothing is granted on it",
                "产能线 \(line.short) 已被出让方分叉或破坏，不再授予")
        case .authorForked(let did, let log, let sequence):
            return Wording(
                "author_forked", "party", did.did,
                "\(name(did)) signed two different entries \(sequence) of log \(log.short); see talea status. "
                    + "To trade all the same: --despite-fork yes",
                "\(name(did)) 在日志 \(log.short) 签署了两个不同的第 \(sequence) 条；请看 talea status。"
                    + "仍要交易：--despite-fork yes")
        case .ownLogForked(let log, let sequence):
            return Wording(
                "own_log_forked", "log", "\(log.short)/\(sequence)",
                "your own log \(log.short) holds two different entries \(sequence); close it first: "
                    + "talea cut --log \(log.short)",
                "您自己的日志 \(log.short) 有两个不同的第 \(sequence) 条；请先用 talea cut --log "
                    + "\(log.short) 封存")
        case .titleMissing(let source, let free, let needed):
            return Wording(
                "title_missing", "line", source.short,
                "this line passes on line \(source.short), of which your contracts lock \(free) more, and "
                    + "\(needed) are asked for",
                "此产能线转授 \(source.short)；您的合同还锁定 \(free)，而需要 \(needed)")
        case .sourceWrong(let source):
            return Wording(
                "source_wrong", "source", source.short,
                "line \(source.short) is not known here, or is another capacity or time",
                "此处没有产能线 \(source.short)，或其资源与时段不符")
        case .nothingToCut(let log):
            return Wording(
                "nothing_to_cut", "log", log.short,
                "log \(log.short) is not a forked public or line log of yours; see: talea status",
                "日志 \(log.short) 不是您已分叉的公开日志或产能线日志；请看 talea status")
        case .offerUnknown(let offer):
            return Wording(
                "offer_unknown", "offer", offer.short,
                "no offer \(offer.short) is known here; see: talea offer list",
                "此处没有报价 \(offer.short)；请看 talea offer list")
        case .notYourOffer(let offer):
            return Wording(
                "not_your_offer", "offer", offer.short,
                "\(offer.short) is another's; only its author withdraws it",
                "\(offer.short) 属于他人，只有发布者能撤回")
        case .templateUnknown(let template):
            return Wording(
                "template_unknown", "template", template,
                "no template \(template) is here; put its file into the home's contracts folder, or see: "
                    + "talea template list",
                "此处没有模板 \(template)；请把文件放入 contracts 文件夹，或看 talea template list")
        case .parameterMissing(let parameter):
            return Wording(
                "parameter_missing", parameter, "", "--\(parameter) is missing", "缺少 --\(parameter)"
            )
        case .parameterUnknown(let parameter):
            return Wording(
                "parameter_unknown", parameter, "", "the template has no --\(parameter)",
                "模板没有 --\(parameter)")
        case .valueUnreadable(let field, let value, let expected):
            return Wording(
                "value_unreadable", field, value, "--\(field) “\(value)”: wanted \(expected)",
                "--\(field) “\(value)”：应为 \(expected)")
        case .roleMissing(let role):
            return Wording(
                "role_missing", role, "", "nobody is named as \(role); give --\(role) NAME",
                "没有人担任 \(role)；请给 --\(role) 名称")
        case .roleUnknown(let role):
            return Wording(
                "role_unknown", role, "", "the template has no role \(role)", "模板没有角色 \(role)")
        case .nameUnknown(let wanted):
            return Wording(
                "name_unknown", "name", wanted,
                "nobody is known here as “\(wanted)”; give a petname (talea name), a profile name or a did",
                "此处没有名为“\(wanted)”的人；请用备注名（talea name）、档案名或 did")
        case .contractUnknown(let contract):
            return Wording(
                "contract_unknown", "contract", contract,
                "no contract \(contract) is known here; see: talea contract list",
                "此处没有合同 \(contract)；请看 talea contract list")
        case .contractNotSequenced(let contract):
            return Wording(
                "contract_not_sequenced", "contract", contract.short,
                "contract \(contract.short) is not in force yet: its sequencer has not written step 1; wait "
                    + "for all to accept",
                "合同 \(contract.short) 尚未生效：排序方还没有写第 1 步；请等各方接受")
        case .contractOver(let contract):
            return Wording(
                "contract_over", "contract", contract.short,
                "contract \(contract.short) is past its proposal (in force, declined or cancelled)",
                "合同 \(contract.short) 已过提议阶段（已生效、已谢绝或已取消）")
        case .contractHalted(let contract):
            return Wording(
                "contract_halted", "contract", contract.short,
                "contract \(contract.short) cannot be read further here (forked, or written by a newer "
                    + "program); see: talea contract show",
                "合同 \(contract.short) 在此无法继续读取（分叉或由更新的程序写成）；请看 talea contract show")
        case .alreadyAccepted:
            return Wording(
                "already_accepted", "contract", "", "you have accepted this already",
                "您已经接受过")
        case .alreadyAsked(let request):
            return Wording(
                "already_asked", "contract", "",
                "you asked for the same (request \(request.short)) and it is not answered yet; both would "
                    + "count, so ask again once it is",
                "您已发出相同的请求（\(request.short)），尚未答复；两者都会生效，请待其答复后再提")
        case .acceptanceLate(let deadline):
            return Wording(
                "acceptance_late", "accept-by", deadline.iso,
                "it could be accepted until \(deadline.iso); ask for a new proposal",
                "接受期限 \(deadline.iso) 已过；请对方重新提议")
        case .notYourProposal:
            return Wording(
                "not_your_proposal", "contract", "",
                "this proposal is another's; decline it with: talea contract decline",
                "这是他人的提议；请用 talea contract decline 谢绝")
        case .nothingToAccept(let request):
            return Wording(
                "nothing_to_accept", "request", request.short,
                "no pending request \(request.short) waits for you; see: talea contract show",
                "没有待您同意的请求 \(request.short)；请看 talea contract show")
        case .transitionUnknown(let transition):
            return Wording(
                "transition_unknown", "transition", transition,
                "the template has no step “\(transition)”; talea contract show lists what you may do now",
                "模板没有步骤“\(transition)”；talea contract show 列出您现在能做的事")
        case .recordUnknown(let record):
            return Wording(
                "record_unknown", "record", "\(record)",
                "there is no record \(record); talea contract show lists them",
                "没有记录 \(record)；请看 talea contract show")
        case .recordAmbiguous(let records):
            let list = records.map(String.init).joined(separator: ", ")
            return Wording(
                "record_ambiguous", "record", list, "say which record with --record: \(list)",
                "请用 --record 指明记录：\(list)")
        case .nothingToDo(let transition):
            return Wording(
                "nothing_to_do", "transition", transition,
                "nothing here waits for “\(transition)” from you; talea contract show lists what you may do",
                "此处没有等您“\(transition)”的事；talea contract show 列出您现在能做的事")
        case .stepUnknown(let step):
            return Wording(
                "step_unknown", "step", "\(step)",
                "the contract has no step \(step) here; talea contract show lists its steps",
                "此合同没有第 \(step) 步；请看 talea contract show")
        case .keyOfPeerUnknown(let did):
            return Wording(
                "key_unknown", "party", did.did,
                "the key log of \(name(did)) has not come yet; connect to a node that knows them "
                    + "(talea peer add) and try again",
                "还没有 \(name(did)) 的密钥日志；请连接认识对方的节点（talea peer add）后再试")
        case .noWitnesses(let contract):
            return Wording(
                "no_witnesses", "contract", contract.short,
                "contract \(contract.short) names no witnesses, so nobody can take it over; the other "
                    + "parties may settle among themselves",
                "合同 \(contract.short) 没有见证，无人可接管；其他各方可自行了结")
        case .tooManyStatements(let contract, let count):
            return Wording(
                "too_many_statements", "contract", contract.short,
                "you said \(count) things about contract \(contract.short), and the others keep no more "
                    + "until a step stands; nothing was lost: wait for \(contract.short) to go on, or "
                    + "ask its sequencer why it does not",
                "您就合同 \(contract.short) 已发出 \(count) 条声明，在新步骤成立前各方不再保存更多；没有丢失任何内容："
                    + "请等待合同继续，或询问其排序方为何停滞")
        case .hasWitnesses(let contract):
            return Wording(
                "has_witnesses", "contract", contract.short,
                "contract \(contract.short) has witnesses: its arbiter goes on (talea contract takeover)",
                "合同 \(contract.short) 有见证：由仲裁方接续（talea contract takeover）")
        case .notTheArbiter(let arbiter):
            return Wording(
                "not_the_arbiter", "contract", arbiter.did,
                "only its arbiter \(name(arbiter)) may take the contract over",
                "只有仲裁方 \(name(arbiter)) 可以接管此合同")
        case .takenOver(let contract):
            return Wording(
                "taken_over", "contract", contract.short,
                "contract \(contract.short) was claimed already; the ruling follows by itself",
                "合同 \(contract.short) 已声明接管；裁定会自动作出")
        case .nothingUnanswered(let contract):
            return Wording(
                "nothing_unanswered", "contract", contract.short,
                "no receipted request waits in contract \(contract.short); there is nothing to take over",
                "合同 \(contract.short) 没有已回执而未答复的请求，无需接管")
        case .notSilentYet(let until):
            return Wording(
                "not_silent_yet", "contract", until.iso,
                "the sequencer has until \(until.iso) to answer; take over after that",
                "排序方须在 \(until.iso) 前答复；此后方可接管")
        case .ownHub:
            return Wording(
                "own_hub", "who", "me",
                "a node is no hub to itself; to serve others: talea hub on",
                "节点不能作自己的枢纽；要为他人服务请用 talea hub on")
        case .attachmentTooLarge(let bytes, let limit):
            return Wording(
                "attachment_too_large", "file", "\(bytes)",
                "the file has \(bytes) bytes; \(limit) are the most; make the photo smaller",
                "文件有 \(bytes) 字节；至多 \(limit)；请缩小照片")
        case .attachmentOutOfOrder(let next):
            return Wording(
                "attachment_out_of_order", "index", "\(next)",
                "part \(next) of this file comes next; add the file again from there",
                "此文件接下来应为第 \(next) 部分；请从该处重新添加")
        case .tooManyAttachments(let limit):
            return Wording(
                "too_many_attachments", "file", "\(limit)",
                "\(limit) are the most at a time; wait for one to end", "同时至多 \(limit) 个；请等其一完成")
        case .fileUnreadable:
            return Wording(
                "file_unreadable", "from", "",
                "this is no file that talea sync --to wrote, or it was cut short; nothing of this part was taken",
                "这不是 talea sync --to 写出的文件，或文件已残缺；此部分未被采用")
        case .hubUnknown(let who):
            return Wording(
                "hub_unknown", "who", who, "“\(who)” is not among your hubs; see: talea hub list",
                "“\(who)”不在您的枢纽之列；请看 talea hub list")
        }
    }
}

extension ReadOnlyReason {
    var wording: Wording {
        switch self {
        case .sidecarAhead(let sidecar, let database):
            return Wording(
                "old_copy", "home", "\(sidecar) > \(database)",
                "\(sidecar) were written but the database holds \(database): an old copy was put back",
                "已写入 \(sidecar) 条，数据库只有 \(database) 条：像是恢复了旧副本")
        case .sidecarMissing:
            return Wording(
                "old_copy", "home", "",
                "the high-water file is missing beside the database, so this may be an old copy",
                "数据库旁缺少水位文件，可能是旧副本")
        case .sidecarForeign:
            return Wording(
                "old_copy", "home", "",
                "the high-water file belongs to another database or machine, so this may be an old copy",
                "水位文件属于另一个数据库或机器，可能是旧副本")
        case .peerAhead(let log, let sequence):
            return Wording(
                "old_copy", "home", "\(log.short)/\(sequence)",
                "a peer held your own entry \(sequence) of log \(log.short), which was missing here: this "
                    + "home was an old copy",
                "对方持有您在日志 \(log.short) 的第 \(sequence) 条而此处曾缺少：本主目录是旧副本")
        case .homeLost:
            return Wording(
                "home_lost", "home", "",
                "this home was brought back with the recovery code; what it signed last is still being "
                    + "asked for",
                "本主目录由恢复码找回，正在询问此前最后签署了什么")
        case .keyReplaced:
            return Wording(
                "key_replaced", "home", "",
                "your key was changed elsewhere; this home's key signs nothing any more. "
                    + "Bring the identity here with: talea recover",
                "您的密钥已在别处更换，本主目录的密钥不能再签署；请用 talea recover 在此恢复身份")
        }
    }
}

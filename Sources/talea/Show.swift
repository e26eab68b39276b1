import Contracts
import Dashboard

/// The node's JSON as people read it. Lists are tables, the rest short lines.
enum Show {
    /// Texts for other programs, or of a file: not a letter of them is put otherwise.
    private static let verbatim: Set<String> = [
        "template show", "contract paper", "ledger export", "proof",
    ]

    static func text(_ json: JSON, verb: String, _ language: Language) -> String {
        let en = language == .en
        if json["envelope"] != nil || json["bundle"] != nil { return json.text(pretty: true) }
        let json = verbatim.contains(verb) ? json : Phrases(language).readable(json)
        if json["asked"] != nil { return asked(json, language) }
        switch verb {
        case "line show": return lines(json["lines"]?.array ?? [], en)
        case "line declare", "line adjust": return lines([json], en)
        case "alliance found", "alliance join", "alliance admit", "alliance expel":
            return alliances([json], language)
        case "alliance list", "alliance leave":
            return alliances(json["alliances"]?.array ?? [], language)
        case "offer list": return offers(json["offers"]?.array ?? [], language)
        case "wish list":
            let wishes = json["wishes"]?.array ?? []
            return table(
                wishes,
                [
                    (en ? "wish" : "求购", "id"), (en ? "by" : "发布者", "by_name"),
                    (en ? "place" : "地点", "place"), (en ? "resource" : "资源", "resource"),
                    (en ? "units" : "数量", "units"), (en ? "from" : "自", "start"),
                    (en ? "to" : "至", "end"), (en ? "at most, each" : "单价不超过", "most"),
                    (en ? "until" : "有效至", "until"),
                ] + alliance(wishes, en), en)
        case "contract list": return contracts(json["contracts"]?.array ?? [], language)
        case "template list":
            let list = table(
                json["templates"]?.array ?? [],
                [(en ? "name" : "名称", "name"), (en ? "proposed by" : "提议命令", "verb")], en,
                extra: (en ? "title" : "标题", { words($0["title"], language) }))
            let refused = (json["refused"]?.array ?? []).map { one in
                (en ? "not taken: " : "未采用：") + (one["file"]?.string ?? "") + ": "
                    + words(one["message"], language)
            }
            return ([list] + refused).joined(separator: "\n")
        case "template show": return json["text"]?.string ?? ""
        case "contract paper": return words(json["text"], language)
        case "proof page":
            return (json["shows"]?.array ?? []).map {
                ProofWords.lines($0, language).joined(separator: "\n") + "\n"
                    + (en ? "Photos     " : "照片      ") + "\($0["photos"]?.number ?? 0)\n"
            }.joined(separator: "\n")
                + (en
                    ? "Whoever has the page reads this, and nothing else of the contract; write it with -o FILE.html."
                    : "持有此网页者可读以上内容，合同其余部分不在其中；用 -o FILE.html 写出。")
        case "proof":
            let told = json["told"] ?? .null
            return
                (ProofWords.lines(told, language) + [
                    ProofWords.limits(told, language), "", json["text"]?.string ?? "",
                ]).joined(separator: "\n")
        case "witness list", "witness accept":
            return duties(json, en)
        case "hub list", "hub use", "hub leave", "hub on", "hub off":
            return hubs(json, language == .en)
        case "attachment list":
            return table(
                json["attachments"]?.array ?? [],
                language == .en
                    ? [
                        ("file", "hash"), ("bytes", "bytes"), ("parts held", "held"),
                        ("of", "chunks"),
                    ]
                    : [("文件", "hash"), ("字节", "bytes"), ("已有部分", "held"), ("共", "chunks")],
                language == .en)
        case "witness on", "witness off":
            let isOn = json["witness"]?.bool == true
            return en
                ? "Witnessing for the alliance is \(isOn ? "on" : "off")."
                : "联盟见证已\(isOn ? "开启" : "关闭")。"
        case "contract takeover":
            return en
                ? "Claimed. The ruling follows as soon as enough witnesses have said how far the log came."
                : "已声明接管。待足够见证说明日志到达何处后，裁定自动作出。"
        case "key show", "key rotate":
            let keys = table(
                json["keys"]?.array ?? [],
                [
                    ("", "number"), (en ? "key" : "密钥", "key"), (en ? "since" : "自", "since"),
                    (en ? "in force" : "现行", "in_force"), (en ? "reason" : "原因", "reason"),
                ], en)
            let says = words(json["says"], language)
            return says.isEmpty ? keys : says + "\n" + keys
        case "name list":
            return table(
                json["names"]?.array ?? [],
                [
                    (en ? "petname" : "备注名", "petname"), (en ? "profile" : "档案名", "profile_name"),
                    (en ? "role" : "角色", "role"), (en ? "place" : "地点", "place"),
                    ("did", "did"),
                    (en ? "key changed on" : "换钥于", "key_changed"),
                ], en)
        case "peer list", "peer add", "peer remove":
            return table(
                json["peers"]?.array ?? [], [(en ? "address" : "地址", "address"), ("did", "did")],
                en,
                extra: (
                    en ? "from" : "来源",
                    {
                        $0["from"]?.string == "found"
                            ? en ? "found" : "自动发现" : en ? "fixed" : "固定"
                    }
                ))
        case "ledger balance": return balance(json, language)
        case "ledger statement": return statement(json, language)
        case "ledger export": return json["text"]?.string ?? ""
        case "ledger rebuild": return rebuild(json, en)
        case "reputation show": return people(json["people"]?.array ?? [], language)
        case "status": return status(json, language)
        default: break
        }
        if json["grade"] != nil { return contract(json, language) }
        if let shares = json["shares"]?.array {
            return Table.text(
                en ? ["contract", "units"] : ["合同", "数量"],
                shares.map { [cell($0["contract"]?["id"]), cell($0["units"])] })
        }
        return plain(json, language)
    }

    static func preview(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        let json = Phrases(language).readable(json)
        var lines: [String] = []
        if let says = json["says"], says != .null { lines.append(words(says, language)) }
        lines += (json["about"]?.array ?? []).map { words($0, language) }
        // A contract before it is signed: who, and all that would hold.
        if let would = json["would"], would["terms"] != nil, would["records"]?.array.isEmpty == true
        {
            lines += [en ? "People:" : "各方："] + people(would, language).map { "  " + $0 }
            lines += [en ? "Terms:" : "条款："] + terms(would, language).map { "  " + $0 }
            lines.append(words(would["clock"], language))
        }
        let moves = json["would_move"]?.array ?? []
        if moves.isEmpty {
            lines.append(en ? "It would move nothing." : "不会移动任何东西。")
        } else {
            lines.append(en ? "It would move:" : "将会移动：")
            lines += moves.map { "  " + words($0["says"], language) }
        }
        if let worst = json["worst"], worst != .null {
            lines.append((en ? "At worst: " : "最坏情形：") + words(worst, language))
        }
        lines += mayLose(json["may_lose"], language)
        if let again = json["again"], again != .null { lines.append(words(again, language)) }
        for one in json["deadlines"]?.array ?? [] where one["passed"]?.bool != true {
            let until = cell(one["until"])
            let otherwise = words(one["otherwise"], language)
            lines.append(
                en
                    ? "Until \(until) it waits for the next move; else: \(otherwise)"
                    : "至 \(until) 等待下一步；否则：\(otherwise)")
        }
        return lines.joined(separator: "\n")
    }

    // MARK: - Pieces

    static func words(_ json: JSON?, _ language: Language) -> String {
        json?[language.rawValue]?.string ?? json?.string ?? ""
    }

    static func cell(_ json: JSON?) -> String {
        switch json {
        case .string(let text):
            text.utf8.count == 64 && isHex(text) ? String(text.prefix(8)) : text.oneLine
        case .number(let number): "\(number)"
        case .bool(let truth): truth ? "✓" : ""
        case .array(let items): items.map { cell($0) }.joined(separator: ", ")
        case .object, .null, nil: ""
        }
    }

    private static func isHex(_ text: String) -> Bool {
        text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// These rows with the pages' words in the place of codes; `kinds` says what the code of a field is of.
    static func worded(_ rows: [JSON], _ kinds: [String: String], _ language: Language) -> [JSON] {
        let phrases = Phrases(language)
        return rows.map { row in
            .object(
                row.fields.map { field in
                    guard let kind = kinds[field.name], let code = field.value.string else {
                        return field
                    }
                    return .init(field.name, .string(phrases.word(code, of: kind)))
                })
        }
    }

    static func grade(_ json: JSON, _ language: Language) -> String {
        let phrases = Phrases(language)
        return phrases.word(cell(json["grade"]), of: "grade") + (language == .en ? ", " : "，")
            + phrases.word(cell(json["outcome"]), of: "outcome")
    }

    static func table(
        _ items: [JSON], _ columns: [(String, String)], _ en: Bool,
        extra: (String, (JSON) -> String)? = nil
    ) -> String {
        guard !items.isEmpty else { return en ? "(none)" : "（无）" }
        var head = columns.map(\.0)
        if let extra { head.append(extra.0) }
        let rows = items.map { item in
            columns.map { cell(item[$0.1]) } + (extra.map { [$0.1(item)] } ?? [])
        }
        var right: Set<Int> = []
        for (index, column) in columns.enumerated() {
            if case .number? = items.first?[column.1] { right.insert(index) }
        }
        return Table.text(head, rows, rightAligned: right)
    }

    private static func lines(_ items: [JSON], _ en: Bool) -> String {
        table(
            worded(items, ["unit": "unit"], en ? .en : .zh),
            en
                ? [
                    ("line", "id"), ("issuer", "issuer_name"), ("resource", "resource"),
                    ("unit", "unit"), ("total", "total"), ("left", "remaining"),
                    ("granted", "granted"), ("from", "start"), ("until", "end"),
                ] + alliance(items, en)
                : [
                    ("产能线", "id"), ("出让方", "issuer_name"), ("资源", "resource"), ("单位", "unit"),
                    ("总量", "total"), ("剩余", "remaining"), ("已授予", "granted"), ("起", "start"),
                    ("止", "end"),
                ] + alliance(items, en), en,
            extra: (
                en ? "fault" : "问题",
                {
                    words($0["fault"]?["message"], en ? .en : .zh)
                        + ($0["forked"]?.bool == true ? (en ? "forked" : "分叉") : "")
                }
            ))
    }

    /// A column for the alliance, where there is more than one to tell apart.
    private static func alliance(_ items: [JSON], _ en: Bool) -> [(String, String)] {
        let names = Set(items.compactMap { $0["alliance"]?.string })
        return names.count > 1 ? [(en ? "alliance" : "联盟", "alliance")] : []
    }

    /// Each alliance with its rules in a line, then whom it is made of.
    private static func alliances(_ items: [JSON], _ language: Language) -> String {
        let en = language == .en
        return items.map { one in
            var head = (one["name"]?.string ?? "") + " " + cell(one["topic"])
            let admission = one["admission"]?.string ?? ""
            switch admission {
            case "anyone": head += en ? " · anyone with the code joins" : " · 持码即可加入"
            case "invitation": head += en ? " · members invite" : " · 成员邀请"
            default: head += en ? " · stewards admit" : " · 管理人接纳"
            }
            if let limit = one["entries_per_day"], limit != .null {
                head += en ? " · \(cell(limit)) entries a day" : " · 每日 \(cell(limit)) 条"
            }
            if let limit = one["open_offers"], limit != .null {
                head += en ? " · \(cell(limit)) open offers" : " · 有效报价 \(cell(limit)) 份"
            }
            if one["left"]?.bool == true { head += en ? " · left" : " · 已离开" }
            if one["standing"]?.string == "outsider" {
                head +=
                    en
                    ? " · you wait to be admitted; others see nothing of you until then"
                    : " · 您在等待接纳；此前他人看不到您发布的内容"
            }
            let people = table(
                (one["people"]?.array ?? []).map { person in
                    .object(
                        person.fields.map {
                            $0.name == "standing"
                                ? .init($0.name, .string(standing(cell($0.value), en))) : $0
                        })
                },
                [
                    (en ? "name" : "名称", "name"), (en ? "standing" : "身份", "standing"),
                    (en ? "stands up to" : "有效至第", "stands_up_to"),
                    (en ? "admitted by" : "接纳者", "admitted_by"), ("did", "did"),
                ], en)
            return head + "\n" + people
        }.joined(separator: "\n\n")
    }

    private static func standing(_ code: String, _ en: Bool) -> String {
        let chinese = ["steward": "管理人", "member": "成员", "expelled": "已除名", "outsider": "待接纳"]
        return en ? code : chinese[code] ?? code
    }

    private static func offers(_ items: [JSON], _ language: Language) -> String {
        let en = language == .en
        return table(
            items,
            en
                ? [
                    ("offer", "id"), ("by", "issuer_name"), ("template", "template"),
                    ("resource", "resource"), ("up to", "max_units"), ("lot", "lot"),
                    ("until", "until"),
                ] + alliance(items, en)
                : [
                    ("报价", "id"), ("发布者", "issuer_name"), ("模板", "template"), ("资源", "resource"),
                    ("至多", "max_units"), ("每批", "lot"), ("有效至", "until"),
                ] + alliance(items, en), en,
            extra: (en ? "terms" : "条款", { arguments($0["parameters"], language) }))
    }

    /// By title where the template is here; what one chooses is told in the words of the pages.
    static func arguments(_ json: JSON?, _ language: Language) -> String {
        let phrases = Phrases(language)
        return (json?.fields ?? []).map { field in
            let title = words(field.value["title"], language)
            let isNamed = !title.isEmpty && title != field.name
            let text = phrases.word(
                cell(field.value["text"]), of: field.name == "channel" ? "channel" : "choice")
            return "\(isNamed ? title : phrases.field(field.name)) \(text)"
        }.joined(separator: language == .en ? ", " : "，")
    }

    private static func contracts(_ items: [JSON], _ language: Language) -> String {
        let en = language == .en
        let rows = worded(items, ["grade": "grade", "outcome": "outcome"], language).map { row in
            let roles = (row["my_roles"]?.array ?? []).map { role in
                let title = words(row["role_titles"]?[cell(role)], language)
                return JSON.string(title.isEmpty ? cell(role) : title)
            }
            let title = words(row["title"], language)
            return JSON.object(
                row.fields.filter { !["my_roles", "title"].contains($0.name) } + [
                    .init("my_roles", .array(roles)),
                    .init("title", title.isEmpty ? row["template"] ?? .null : .string(title)),
                ])
        }
        return table(
            rows,
            en
                ? [
                    ("contract", "id"), ("kind", "title"), ("grade", "grade"),
                    ("outcome", "outcome"), ("my part", "my_roles"), ("child of", "parent"),
                    ("you may", "verbs"),
                ]
                : [
                    ("合同", "id"), ("种类", "title"), ("等级", "grade"), ("结果", "outcome"),
                    ("我的角色", "my_roles"), ("母合同", "parent"), ("您可以", "verbs"),
                ], en)
    }

    private static func balance(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        var text = table(
            worded(json["positions"]?.array ?? [], ["kind": "account"], language),
            en
                ? [
                    ("with", "counterparty_name"), ("kind", "kind"), ("commodity", "commodity"),
                    ("amount", "text"),
                ]
                : [
                    ("对方", "counterparty_name"), ("类别", "kind"), ("物", "commodity"), ("数额", "text"),
                ], en)
        for paid in json["net_paid_text"]?.array ?? [] {
            text += (en ? "\nnet paid, signed by both: " : "\n净付（双方签署）：") + cell(paid)
        }
        return text
    }

    /// Of one person also the entries behind each number.
    private static func people(_ items: [JSON], _ language: Language) -> String {
        let en = language == .en
        var text = table(
            items,
            en
                ? [
                    ("who", "name"), ("completed", "completed"), ("due", "due"),
                    ("in time", "in_time"), ("on time", "on_time"),
                    ("at least", "on_time_at_least"), ("late", "late"),
                    ("silent", "silent"), ("defaults", "defaults"), ("ruled", "ruled"),
                    ("lost", "lost"), ("oversold", "oversales"),
                ]
                : [
                    ("谁", "name"), ("完成", "completed"), ("应做", "due"), ("按时", "in_time"),
                    ("按时率", "on_time"),
                    ("按时率至少", "on_time_at_least"), ("迟到", "late"), ("沉默", "silent"),
                    ("违约", "defaults"), ("受裁", "ruled"), ("败诉", "lost"), ("超卖", "oversales"),
                ], en)
        guard items.count == 1 else { return text }
        for field in items[0]["entries"]?.fields ?? [] where !field.value.array.isEmpty {
            text += "\n\n" + Phrases(language).word(field.name, of: "mark")
            for link in field.value.array {
                let contract =
                    link["contract"] == .null ? en ? "log" : "日志" : en ? "contract" : "合同"
                text +=
                    "\n  \(contract) \(cell(link["contract"] == .null ? link["log"] : link["contract"]))"
                    + " \(cell(link["step"])) \(link["entry"]?.string ?? "")"
            }
        }
        return text
    }

    private static func direction(_ code: JSON, _ en: Bool) -> String {
        switch code.string {
        case "in": en ? "in" : "入"
        // Out of what a custodian held for the owner.
        case "held": en ? "held for you" : "代管支出"
        default: en ? "out" : "出"
        }
    }

    private static func statement(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        let rows = (json["rows"]?.array ?? []).map { row in
            // Posted without a signature is by silence.
            let isSilent = row["state"]?.string == "posted" && row["signed"]?.bool == false
            return JSON.object(
                row.fields.map { field in
                    switch field.name {
                    case "state" where isSilent: .init("state", "silent")
                    case "direction": .init("direction", .string(direction(field.value, en)))
                    case "reason":
                        .init("reason", .string(ProofWords.act(cell(field.value), language)))
                    default: field
                    }
                })
        }
        var text = table(
            worded(rows, ["kind": "kind", "state": "row"], language),
            en
                ? [
                    ("when", "time"), ("contract", "contract"), ("what", "kind"), ("", "direction"),
                    ("who", "who"), ("commodity", "commodity"), ("amount", "text"),
                    ("state", "state"), ("reason", "reason"),
                ]
                : [
                    ("时间", "time"), ("合同", "contract"), ("事项", "kind"), ("", "direction"),
                    ("对方", "who"), ("物", "commodity"), ("数额", "text"), ("状态", "state"),
                    ("理由", "reason"),
                ], en)
        for contract in json["contracts"]?.array ?? [] {
            text +=
                "\n\n\(cell(contract["id"]))  \(words(contract["title"], language))"
                + (en ? ": " : "：") + grade(contract, language)
            text += "\n  " + words(contract["prose"], language)
            for note in contract["notes"]?.array ?? [] { text += "\n  " + words(note, language) }
        }
        return text
    }

    private static func duties(_ json: JSON, _ en: Bool) -> String {
        table(
            json["witnessing"]?.array ?? [json],
            en
                ? [
                    ("contract", "contract"), ("accepted", "accepted"), ("of", "witnesses"),
                    ("needed", "threshold"), ("receipts", "receipts"), ("closings", "closings"),
                ]
                : [
                    ("合同", "contract"), ("已承接", "accepted"), ("见证数", "witnesses"),
                    ("须", "threshold"), ("回执", "receipts"), ("封闭", "closings"),
                ], en)
    }

    /// Our hubs; of a hub also those whom it serves.
    private static func hubs(_ json: JSON, _ en: Bool) -> String {
        let ours = table(
            json["hubs"]?.array ?? [],
            en
                ? [
                    ("hub", "name"), ("connected", "connected"), ("serves", "serves"),
                    ("letters there", "holds"),
                ]
                : [("枢纽", "name"), ("已连接", "connected"), ("在服务", "serves"), ("存放", "holds")], en)
        guard json["serving"]?.bool == true else { return ours }
        let members = table(
            json["members"]?.array ?? [],
            en
                ? [
                    ("member", "name"), ("topics", "topics"), ("letters", "letters"),
                    ("bytes", "letter_bytes"),
                ]
                : [("成员", "name"), ("主题", "topics"), ("邮件", "letters"), ("字节", "letter_bytes")],
            en)
        return ours + (en ? "\n\nThis node is a hub.\n" : "\n\n本节点是枢纽。\n") + members
    }

    private static func rebuild(_ json: JSON, _ en: Bool) -> String {
        if json["equal"]?.bool == true {
            return en ? "equal: the ledger is what the entries say" : "一致：账本与条目相符"
        }
        return table(
            json["differences"]?.array ?? [],
            en
                ? [("differs", "name"), ("stored", "stored"), ("rebuilt", "rebuilt")]
                : [("不符", "name"), ("存储", "stored"), ("重建", "rebuilt")], en)
    }

    private static func asked(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        let grade = Phrases(language).word(cell(json["contract"]?["grade"]), of: "grade")
        switch json["asked"]?.string {
        case "transfer_proposed":
            let child = cell(json["child"])
            return en
                ? "Proposed as the new contract \(child); the transfer follows when all have accepted."
                : "已提议新合同 \(child)；各方接受后完成转让。"
        case "requested" where json["refused"] != nil:
            let reason = words(json["refused"]?["reason"], language)
            return en ? "Refused by the sequencer: \(reason)" : "排序方拒绝：\(reason)"
        case "requested" where json["step"]?.number == nil:
            let request = cell(json["request"])
            let again = words(json["again"], language)
            return
                (en
                ? "Asked, request \(request); the sequencer's step will answer."
                : "已请求 \(request)；等待排序方写步骤。") + (again.isEmpty ? "" : "\n" + again)
        default:
            return en
                ? "Done: step \(cell(json["step"])), the contract is \(grade.lowercased())."
                : "完成：第 \(cell(json["step"])) 步，合同\(grade)。"
        }
    }

    private static func plain(_ json: JSON, _ language: Language) -> String {
        let rows = json.fields.compactMap { field -> [String]? in
            let text: String
            switch field.value {
            case .object:
                let put = words(field.value, language)
                text = put.isEmpty ? arguments(field.value, language) : put
            case .null: return nil
            case .string(let whole): text = whole
            default: text = cell(field.value)
            }
            return text.isEmpty ? nil : [field.name, text]
        }
        return rows.isEmpty ? json.text() : Table.text(["", ""], rows).trimmingFirstLine
    }
}

extension String {
    /// A table without its empty head.
    fileprivate var trimmingFirstLine: String {
        guard let newline = firstIndex(of: "\n") else { return self }
        return String(self[index(after: newline)...])
    }
}

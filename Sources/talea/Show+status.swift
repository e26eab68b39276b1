import Contracts
import Dashboard

// The node itself: what it is connected to, what it waits for, what is wrong with it.

extension Show {
    static func status(_ json: JSON, _ language: Language) -> String {
        let en = language == .en
        var lines = [
            (en ? "node       " : "节点   ") + "\(cell(json["name"])) \(cell(json["did"]))",
            (en ? "listening  " : "监听   ") + cell(json["listening"]),
            (en ? "since      " : "自     ") + cell(json["started"]),
            (en ? "data       " : "数据   ") + cell(json["data_bytes"]) + " B",
        ]
        if let scrub = json["last_scrub"], scrub != .null {
            let counts = "\(cell(scrub["entries"])) / \(cell(scrub["bad"]))"
            lines.append(
                (en ? "scrubbed   " : "巡检   ") + cell(scrub["time"])
                    + (en ? " (entries / bad: \(counts))" : "（条目 / 损坏：\(counts)）"))
        }
        let backup = json["last_backup"]?["time"]
        lines.append(
            (en ? "backup     " : "备份   ")
                + (backup.map(cell) ?? (en ? "none yet" : "尚无")))
        if let due = json["backup_due"], due != .null { lines.append("  " + words(due, language)) }
        for name in ["read_only", "ledger_fault"] {
            if let problem = json[name], problem != .null {
                lines.append("! " + words(problem["message"], language))
            }
        }
        for one in json["untold"]?.array ?? [] {
            lines.append("! " + words(one["message"], language))
        }
        for fork in json["forks"]?.array ?? [] {
            lines.append("! " + words(fork["says"], language))
        }
        lines += recovery(json["recovery"] ?? .null, language)
        let grades = (json["contracts"]?.fields ?? []).filter { $0.value != .number(0) }
            .map { field in
                let isGrade = field.name != "declined"
                return Phrases(language).word(field.name, of: isGrade ? "grade" : "outcome")
                    + " \(cell(field.value))"
            }
        lines.append((en ? "contracts  " : "合同   ") + grades.joined(separator: ", "))
        lines.append("")
        lines.append(
            table(
                json["peers"]?.array ?? [],
                en
                    ? [
                        ("peer", "name"), ("clock ms", "skew_ms"), ("waiting", "lag"),
                        ("behind", "entries_behind"), ("bytes in", "received_bytes"),
                        ("bytes out", "sent_bytes"), ("agent", "agent"),
                        ("key changed on", "key_changed"),
                    ]
                    : [
                        ("对端", "name"), ("时钟差 ms", "skew_ms"), ("待送", "lag"),
                        ("落后", "entries_behind"), ("收字节", "received_bytes"),
                        ("发字节", "sent_bytes"), ("程序", "agent"), ("换钥于", "key_changed"),
                    ], en))
        lines += heldBack(json["peers"]?.array ?? [], en)
        let behind = json["behind"]?.array ?? []
        if !behind.isEmpty {
            lines.append("")
            let columns = [
                (en ? "behind in alliance" : "落后的联盟", "alliance"),
                (en ? "or contract" : "或合同", "contract"), (en ? "logs" : "日志", "logs"),
                (en ? "entries" : "条目", "entries"),
            ]
            lines.append(table(behind, columns, en))
        }
        let farewells = (json["farewells"]?.array ?? []).prefix(10)
        if !farewells.isEmpty {
            lines.append("")
            let columns = [
                (en ? "not connected" : "未连接", "address"), (en ? "who" : "对端", "name"),
                (en ? "since" : "自", "time"), (en ? "times" : "次数", "times"),
            ]
            lines.append(
                table(
                    Array(farewells), columns, en,
                    extra: (en ? "why" : "原因", { words($0["message"], language) })))
        }
        let outbox = json["outbox"]?.array ?? []
        if !outbox.isEmpty {
            lines.append("")
            lines.append(
                table(
                    worded(outbox, ["kind": "statement"], language),
                    en
                        ? [("to send", "kind"), ("to", "to_name"), ("age ms", "age_ms")]
                        : [("待送", "kind"), ("收件人", "to_name"), ("已等 ms", "age_ms")], en))
        }
        return lines.joined(separator: "\n")
    }

    /// What is not taken yet of what a peer offered, and why: it is slowed down, not dropped.
    private static func heldBack(_ peers: [JSON], _ en: Bool) -> [String] {
        let reasons = [
            ("another", "another log must come first", "须先有另一日志"),
            ("time", "ahead of the alliance's limits or of our clock", "超出联盟限额，或早于本机时钟"),
            ("admission", "of nobody here yet", "作者尚未被接纳"),
        ]
        return peers.flatMap { peer in
            reasons.compactMap { code, english, chinese -> String? in
                guard let count = peer["held_back"]?[code]?.number, count > 0 else { return nil }
                let name = cell(peer["name"])
                return en
                    ? "\(name): \(count) logs wait, \(english)"
                    : "\(name)：\(count) 份日志等待，\(chinese)"
            }
        }
    }

    /// Which of our logs wait, and for whom.
    private static func recovery(_ json: JSON, _ language: Language) -> [String] {
        guard json != .null else { return [] }
        let en = language == .en
        var lines: [String] = []
        if let message = json["message"], message != .null {
            lines.append("! " + words(message, language))
        }
        let logs = json["logs"]?.array ?? []
        if logs.isEmpty {
            lines.append(
                en
                    ? "signing    every log is whole again"
                    : "签署   所有日志均已补全")
        }
        for log in logs {
            lines.append(
                (en ? "waits      " : "等待   ")
                    + "\(words(log["title"], language)): \(words(log["says"], language))")
        }
        return lines
    }
}

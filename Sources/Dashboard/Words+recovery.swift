internal import Identity
internal import NodeCore

// Why a log may not be signed in, in words: which one, whom it waits for, and what the owner can do.

extension OwnLog {
    /// What the owner types for it.
    var typed: String {
        switch self {
        case .key: "key"
        case .publicLog: "public"
        case .line(let resource): resource
        case .contract(let id), .witness(let id): id.short
        }
    }

    var words: (en: String, zh: String) {
        switch self {
        case .key: ("key log", "密钥日志")
        case .publicLog(let alliance):
            ("public log in \(alliance)", "在 \(alliance) 的公开日志")
        case .line(let resource): ("line \(resource)", "产能线 \(resource)")
        case .contract(let id): ("contract \(id.short)", "合同 \(id.short)")
        case .witness(let id): ("testimony on \(id.short)", "对 \(id.short) 的见证")
        }
    }
}

extension Recovery.Waiting {
    func wording(_ name: (DID) -> String) -> Wording {
        let (english, chinese) = whom(name)
        let why = reason?.wording
        return Wording(
            reason == nil ? "unconfirmed" : "recovering", "log", log.short,
            "log \(log.short) is not signed in yet: \(english)"
                + (why.map { " (\($0.en))" } ?? "")
                + ". Wait, or take the risk of a second history: talea recover --accept-risk \(log.short)",
            "日志 \(log.short) 暂不签署：\(chinese)" + (why.map { "（\($0.zh)）" } ?? "")
                + "。请等待，或自担出现第二份历史的风险：talea recover --accept-risk \(log.short)")
    }

    /// Whom it waits for.
    func whom(_ name: (DID) -> String) -> (en: String, zh: String) {
        if let ahead = behind.first {
            return (
                "\(name(ahead.did)) holds your entry \(ahead.sequence), which is not here yet",
                "\(name(ahead.did)) 持有您的第 \(ahead.sequence) 条，此处尚未收到"
            )
        }
        guard !missing.isEmpty else {
            return ("it waits for an answer of any member of the alliance", "等待联盟中任一成员答复")
        }
        let names = named.map(name)
        let others = missing.count - names.count
        let english = names + (others > 0 ? ["\(others) others"] : [])
        let chinese = names + (others > 0 ? ["另外 \(others) 位"] : [])
        return (
            "it waits for an answer of "
                + english.joined(separator: oneIsEnough ? " or " : " and "),
            "等待 \(chinese.joined(separator: oneIsEnough ? "或" : "与")) 答复"
        )
    }

    /// Of many the first few: an alliance may have thousands of members.
    var named: ArraySlice<DID> { missing.count > 4 ? missing.prefix(3) : missing[...] }
}

extension View {
    /// Nothing where all may be signed in.
    var recovery: JSON {
        let waiting = node.waitingLogsOfOurs
        guard !waiting.isEmpty || node.recovery.reason != nil else { return .null }
        let reason = node.recovery.reason?.wording.refusal
        return [
            "reason": .text(reason?.code),
            "message": reason?.message.json ?? .null,
            "since": instant(node.recovery.reason == nil ? nil : node.recovery.since),
            "logs": .array(
                waiting.map { waiting in
                    let own = node.ownLog(waiting.log)
                    let (english, chinese) = waiting.whom(name)
                    return [
                        "log": .string(waiting.log.hex), "name": .text(own?.typed),
                        "title": [
                            "en": .text(own?.words.en), "zh": .text(own?.words.zh),
                        ],
                        "recovering": .bool(waiting.reason != nil),
                        "waits_for": .array(
                            waiting.named.map {
                                ["did": .string($0.did), "name": .string(name($0))]
                            }), "waits_for_count": .number(waiting.missing.count),
                        "one_is_enough": .bool(waiting.oneIsEnough),
                        "behind": .array(
                            waiting.behind.map {
                                [
                                    "did": .string($0.did.did), "name": .string(name($0.did)),
                                    "sequence": .number($0.sequence),
                                ]
                            }),
                        "says": ["en": .string(english), "zh": .string(chinese)],
                    ]
                }),
        ]
    }
}

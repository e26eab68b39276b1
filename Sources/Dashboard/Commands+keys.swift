internal import Contracts
internal import Identity
internal import Logs
internal import Market
internal import NodeCore

// The owner's key: what it is, since when, and the next one.

extension Commands {
    static func showKeys(_ view: View, _ options: inout Options) throws -> JSON {
        let node = view.node
        let did = try options.one("of").map { try node.party($0, field: "of") }
        try options.finish()
        return view.keys(of: did ?? node.own.did)
    }

    static func rotateKey(_ node: inout Node, _ options: inout Options) throws -> Done {
        let text = try options.need(
            "code", Localized(en: "the recovery code from paper", zh: "纸上的恢复码"))
        let reason = try options.one("reason") ?? ""
        try options.finish()
        guard let code = RecoveryCode(text: text) else {
            throw DoorRefusal(
                "recovery_code_unreadable", field: "code",
                en:
                    "the recovery code is mistyped: wanted the nine groups of four letters from paper",
                zh: "恢复码有误：应为纸上的九组、每组四个字符")
        }
        // Of an alliance that anybody may enter the code is no promise of ours, and stays good.
        let invites = node.alliances.contains { $0.rules.admission != .anyone }
        try node.rotate(with: code, reason: reason)
        let says = Localized(
            en:
                "I sign with my next key; the one before is out of force as soon as others hear of it."
                + (invites
                    ? " My invitations that nobody has shown yet end: I make them anew (talea alliance invite)."
                    : ""),
            zh: "我改用下一把密钥签署；他人得知后，旧密钥即告失效。"
                + (invites ? "尚未有人出示的邀请随之失效，需重新生成（talea alliance invite）。" : ""))
        return Done(
            value: View(node: node, now: node.now).keys(of: node.own.did).merging([
                .init("says", says.json)
            ]), says: says)
    }
}

extension Commands {
    /// The owner answers for a log, or for all, where nobody else does.
    static func acceptRisk(_ node: inout Node, _ options: inout Options) throws -> Done {
        let text = try options.need(
            "accept-risk",
            Localized(
                en: "key, public, a line's resource, a contract or log ID, or all",
                zh: "key、public、产能线资源、合同或日志 ID，或 all"))
        try options.finish()
        let reader = node
        let logs = reader.ownLogs.filter { log in
            text == "all" || reader.ownLog(log)?.typed == text
                || text.utf8.count >= 6
                    && (log.hex.hasPrefix(text.lowercased())
                        || isContract(log, text, reader))
        }
        guard let first = logs.first else { throw NodeRefusal.logUnknown(text) }
        guard text == "all" || logs.count == 1 else { throw NodeRefusal.logUnknown(text) }
        try node.acceptRisk(text == "all" ? nil : first)
        let view = View(node: node, now: node.now)
        return Done(
            value: ["accepted": .string(text), "recovery": view.recovery],
            says: Localized(
                en:
                    "You answer for “\(text)”: should this home be an old copy, the next signature is a second "
                    + "history, and whoever holds the first can prove it against you.",
                zh: "您对“\(text)”自担风险：若本主目录是旧副本，下一次签署就是第二份历史，"
                    + "持有第一份的人可凭此举证。"))
    }

    private static func isContract(_ log: LogID, _ text: String, _ node: Node) -> Bool {
        guard case .contract(let id) = node.ownLog(log) else { return false }
        return id.hex.hasPrefix(text.lowercased())
    }
}

extension View {
    func keys(of did: DID) -> JSON {
        let keys = node.keyLogs.entries(of: did)
        let changes = keys.map { node.book[did]?.change(to: $0.id) }
        return [
            "did": .string(did.did), "name": .string(name(did)), "own": .bool(did == node.own.did),
            "keys": .array(
                keys.enumerated().map { index, key in
                    [
                        "number": .number(Int64(index + 1)), "key": .string(key.key.did),
                        "entry": .string(key.id.hex),
                        "since": instant(index == 0 ? key.time : changes[index]?.time),
                        "in_force": .bool(index == keys.count - 1),
                        "reason": .text(
                            changes[index].flatMap { $0.reason.isEmpty ? nil : $0.reason }),
                    ]
                }),
            "changed": keyChanged(did),
        ]
    }

    /// When the owner first went on under his present key; nothing under his first one.
    func keyChanged(_ did: DID) -> JSON {
        instant(
            node.keyLogs.inForce(did).flatMap { node.book[did]?.change(to: $0.id)?.time })
    }
}

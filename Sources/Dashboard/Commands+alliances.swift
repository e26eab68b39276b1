import Capacity
import Contracts
public import Entries
import Identity
import Market
public import NodeCore
import Replication

extension Commands {
    static func foundAlliance(_ node: inout Node, _ options: inout Options) throws -> Done {
        let name = try options.need("name", Localized(en: "the alliance's name", zh: "联盟名称"))
        let text = try options.one("admission") ?? AllianceRules.Admission.anyone.rawValue
        let stewards = try options.all("steward").map { try node.party($0, field: "steward") }
        var limits: [String: Int64] = [:]
        for limit in AllianceRules.limitNames {
            limits[limit] = try options.number(Options.plain(limit), atLeast: 1)
        }
        try options.finish()
        guard !name.isEmpty, name.utf8.count <= 64 else {
            throw Options.wrong("name", name, "1 to 64 bytes", "1 至 64 字节")
        }
        guard let admission = AllianceRules.Admission(rawValue: text) else {
            throw Options.wrong(
                "admission", text, "anyone, invitation or steward", "anyone、invitation 或 steward")
        }
        let topic = try node.found(name, admission: admission, stewards: stewards, limits: limits)
        return Done(
            value: View(node: node, now: node.now).alliance(topic),
            says: Localized(
                en: "I found the alliance \(name). Its rules can never be changed.",
                zh: "我创建联盟 \(name)。其规则不可更改。"))
    }

    static func joinAlliance(_ node: inout Node, _ options: inout Options) throws -> Done {
        let text = try options.need("code", Localized(en: "talea-invite:…", zh: "talea-invite:…"))
        try options.finish()
        guard let invitation = Invitation(code: text) else {
            throw Options.wrong(
                "code", text, "the whole code, from talea-invite: on", "完整的邀请码，自 talea-invite: 起")
        }
        let topic = try node.join(invitation)
        if let address = peer(of: invitation) { node.addPeer(address) }
        let view = View(node: node, now: node.now)
        let name = view.allianceName(topic) ?? ""
        return Done(
            value: view.alliance(topic),
            says: Localized(
                en: "I join the alliance \(name). Its members will see what I say there.",
                zh: "我加入联盟 \(name)。其成员将看到我在其中发布的内容。"))
    }

    /// Where the inviter says it listens; `nil` where it says nothing that could be dialed.
    public static func peer(of invitation: Invitation) -> PeerAddress? {
        let text = invitation.address
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        guard host.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 47 }), host.utf8.count <= 253
        else { return nil }
        return PeerAddress(host: host, port: port, did: invitation.ticket?.inviter)
    }

    static func listAlliances(_ view: View, _ options: inout Options) throws -> JSON {
        try options.finish()
        return ["alliances": .array(view.alliances)]
    }

    static func leaveAlliance(_ node: inout Node, _ options: inout Options) throws -> Done {
        let topic = try options.needAlliance(of: node)
        try options.finish()
        let name = View(node: node, now: node.now).allianceName(topic) ?? ""
        try node.leave(topic)
        return Done(
            value: ["alliances": .array(View(node: node, now: node.now).alliances)],
            says: Localized(
                en: "I leave the alliance \(name). What I said there stands.",
                zh: "我离开联盟 \(name)。已发布的内容仍然有效。"))
    }

    /// Where partners reach this node: as it announces, else where it listens, and at every address of this
    /// computer the one that its network knows it by.
    static func address(of node: Node, listening: String) -> String {
        if let announced = node.book[node.own.did]?.profile?.addresses.first { return announced }
        guard let address = PeerAddress(listening), Host(address.host)?.reach == nil else {
            return listening
        }
        return (Phone.outward ?? Phone.addresses.first).map {
            PeerAddress(host: $0, port: address.port, did: nil).text
        } ?? ""
    }

    static func invite(
        _ node: inout Node, _ options: inout Options, listening: String
    ) throws -> Done {
        let topic = try options.alliance(of: node) ?? node.alliance.topic
        let days = try options.number("days", atLeast: 1) ?? 7
        let address = try options.one("address") ?? self.address(of: node, listening: listening)
        try options.finish()
        guard days <= 366 else {
            throw Options.wrong("days", "\(days)", "1 to 366", "1 至 366")
        }
        let until = node.now.advanced(by: days * 86_400_000)
        let invitation = try node.invite(to: topic, until: until, address: address)
        let view = View(node: node, now: node.now)
        let name = view.allianceName(topic) ?? ""
        // A code is good as soon as it is seen: a trial shows none.
        let code = JSON.text(options.isTrial ? nil : invitation.code)
        guard invitation.ticket != nil else {
            return Done(
                value: ["code": code, "alliance": .string(name)],
                says: Localized(
                    en: "Whoever has this code may join \(name).", zh: "持有此邀请码者均可加入 \(name)。"))
        }
        return Done(
            value: [
                "code": code, "alliance": .string(name), "once": true, "until": .string(until.iso),
            ],
            says: Localized(
                en:
                    "I will admit to \(name) whoever shows this code first, once, until \(until.iso).",
                zh: "至 \(until.iso) 止，我将接纳首个出示此码者加入 \(name)，仅一次。"))
    }

    static func admit(_ node: inout Node, _ options: inout Options) throws -> Done {
        let did = try node.party(
            try options.need("did", Localized(en: "whom", zh: "接纳谁")), field: "did")
        let topic = try options.alliance(of: node) ?? node.alliance.topic
        try options.finish()
        try node.admit(did, to: topic)
        let view = View(node: node, now: node.now)
        return Done(
            value: view.alliance(topic),
            says: Localized(
                en: "I admit \(view.name(did)) to \(view.allianceName(topic) ?? "").",
                zh: "我接纳 \(view.name(did)) 加入 \(view.allianceName(topic) ?? "")。"))
    }

    static func expel(_ node: inout Node, _ options: inout Options) throws -> Done {
        let did = try node.party(
            try options.need("did", Localized(en: "whom", zh: "除名谁")), field: "did")
        let topic = try options.alliance(of: node) ?? node.alliance.topic
        let reason = try options.one("reason") ?? ""
        try options.finish()
        guard reason.utf8.count <= 1024 else {
            throw Options.wrong("reason", reason, "at most 1024 bytes", "至多 1024 字节")
        }
        try node.expel(did, from: topic, reason: reason)
        let view = View(node: node, now: node.now)
        return Done(
            value: view.alliance(topic),
            says: Localized(
                en:
                    "I expel \(view.name(did)) from \(view.allianceName(topic) ?? ""): what was published so "
                    + "far stands, nothing further is taken; contracts go on.",
                zh:
                    "我将 \(view.name(did)) 从 \(view.allianceName(topic) ?? "") 除名：此前发布的仍有效，此后不再接受；合同照常履行。"
            ))
    }
}

extension Options {
    /// `--alliance`, where it is given.
    mutating func alliance(of node: Node) throws -> TopicID? {
        guard let text = try one("alliance") else { return nil }
        return try node.alliance(named: text).topic
    }

    mutating func needAlliance(of node: Node) throws -> TopicID {
        let text = try need("alliance", Localized(en: "its name", zh: "联盟名称"))
        return try node.alliance(named: text).topic
    }
}

extension View {
    func allianceName(_ topic: TopicID) -> String? {
        (node.alliances + node.leftAlliances).first { $0.topic == topic }?.founding.name
    }

    var alliances: [JSON] { (node.alliances + node.leftAlliances).map { alliance($0.topic) } }

    func alliance(_ topic: TopicID) -> JSON {
        guard let one = (node.alliances + node.leftAlliances).first(where: { $0.topic == topic }),
            let membership = node.membership(in: topic)
        else { return .null }
        let isLeft = !node.alliances.contains { $0.topic == topic }
        let heard = node.book.authors.filter { node.book[$0]?[topic] != nil }
        let people = Set(heard + membership.admitted + membership.expelled).sorted()
        return [
            "name": .string(one.founding.name), "topic": .string(topic.hex),
            "admission": .string(one.rules.admission.rawValue),
            "entries_per_day": .number(one.rules.entriesPerDay),
            "open_offers": .number(one.rules.openOffers),
            "expelled_by": .number(one.rules.expelledBy),
            "default": .bool(topic == node.alliance.topic), "left": .bool(isLeft),
            "standing": .string(word(membership.standing(of: node.own.did))),
            "people": .array(
                people.map { did in
                    let standing = membership.standing(of: did)
                    var last: Int64?
                    if case .expelled(let sequence) = standing { last = sequence }
                    return [
                        "did": .string(did.did), "name": .string(name(did)),
                        "standing": .string(word(standing)), "stands_up_to": .number(last),
                        "admitted_by": .text(membership.admitter(of: did).map(name)),
                    ]
                }),
        ]
    }

    private func word(_ standing: Membership.Standing) -> String {
        switch standing {
        case .steward: "steward"
        case .member: "member"
        case .expelled: "expelled"
        case .outsider: "outsider"
        }
    }
}

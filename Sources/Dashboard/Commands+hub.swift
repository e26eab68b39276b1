import Capacity
import Contracts
import Identity
import NodeCore

extension Commands {
    // MARK: - Hubs of ours

    static func useHub(_ node: inout Node, _ options: inout Options) throws -> Done {
        let did = try hubNamed(node, &options)
        try options.finish()
        try node.use(hub: did)
        return Done(
            value: View(node: node, now: node.now).hubs,
            says: Localized(
                en:
                    "What I send to people who are away waits sealed with this hub. It learns with whom "
                    + "I share a contract and when, and none of its terms.",
                zh: "发给离线者的内容将加密存放于此枢纽。它会知道我与谁共有合同、何时往来，但不知任何条款。"))
    }

    static func leaveHub(_ node: inout Node, _ options: inout Options) throws -> Done {
        let did = try hubNamed(node, &options)
        try options.finish()
        try node.leave(hub: did)
        return Done(value: View(node: node, now: node.now).hubs)
    }

    private static func hubNamed(_ node: Node, _ options: inout Options) throws -> DID {
        let text = try options.need("who", Localized(en: "its name or did", zh: "名称或 did"))
        return try node.party(text, field: "who")
    }

    // MARK: - Being a hub

    static func hub(_ node: inout Node, _ options: inout Options, isOn: Bool) throws -> Done {
        try options.finish()
        node.set(.hub, isOn)
        // Whoever is always on is also the one to say what came when.
        if isOn { node.set(.witness, true) }
        return Done(
            value: View(node: node, now: node.now).hubs,
            says: isOn
                ? Localized(
                    en:
                        "This node keeps sealed mail and contract logs for members of the alliance, and "
                        + "witnesses what they ask for. It can read neither.",
                    zh: "本节点为联盟成员保存加密邮件与合同日志，并按其请求作见证；两者皆无法阅读。")
                : Localized(
                    en: "This node takes no further mail; what waits here can still be collected.",
                    zh: "本节点不再接收新邮件；已存放的仍可取走。"))
    }

    static func listHubs(_ view: View, _ options: inout Options) throws -> JSON {
        try options.finish()
        return view.hubs
    }
}

extension View {
    var hubs: JSON {
        let connected = Dictionary(
            node.connections.values.filter(\.isProven).map { ($0.did, $0) },
            uniquingKeysWith: { one, _ in one })
        return [
            "hubs": .array(
                node.hubs.sorted().map { did in
                    [
                        "did": .string(did.did), "name": .string(name(did)),
                        "connected": .bool(connected[did] != nil),
                        "serves": .bool(connected[did]?.isServing == true),
                        "holds": .number(
                            node.undelivered.count { node.hubs(holding: $0.key).contains(did) }),
                    ]
                }),
            "serving": .bool(node.standing.contains(.hub)),
            "members": .array(
                node.entrusted.sorted { $0.key < $1.key }.map { did, topics in
                    let letters = node.mailboxes[did] ?? []
                    return [
                        "did": .string(did.did), "name": .string(name(did)),
                        "topics": .number(topics.count), "letters": .number(letters.count),
                        "letter_bytes": .number(letters.reduce(0) { $0 + $1.size }),
                    ]
                }),
        ]
    }
}

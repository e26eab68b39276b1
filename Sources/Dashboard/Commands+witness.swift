import Capacity
import Contracts
import Entries
import Identity
import NodeCore

extension Commands {
    /// `--witness` once for each, `--threshold` of them must say so: by default the least that is more
    /// than half.
    static func witnesses(_ node: Node, _ options: inout Options) throws -> Proposal.Witnesses {
        let names = try options.all("witness").map { try node.party($0, field: "witness") }
        guard let given = try options.number("threshold", atLeast: 1) else {
            guard !names.isEmpty else { return .none }
            return .init(identities: names, threshold: Int64(names.count / 2 + 1))
        }
        guard !names.isEmpty else {
            throw Options.wrong(
                "threshold", "\(given)", "with at least one --witness NAME", "须同时给出 --witness 名称")
        }
        return .init(identities: names, threshold: given)
    }

    /// The arbiter goes on where a silent sequencer stopped.
    static func takeOver(_ node: inout Node, _ options: inout Options) throws -> Done {
        let held = try contract(node, &options)
        try options.finish()
        try node.takeOver(held.id)
        return Done(
            value: ["claimed": true, "contract": summary(held.id, node)],
            says: Localized(
                en:
                    "I claim to sequence this contract from now on; the witnesses say from which step.",
                zh: "我声明自此接管此合同的排序；由见证指明从哪一步继续。"))
    }

    // MARK: - Being a witness

    static func witness(_ node: inout Node, _ options: inout Options, isOn: Bool) throws -> Done {
        try options.finish()
        node.set(.witness, isOn)
        return Done(
            value: ["witness": .bool(isOn)],
            says: isOn
                ? Localized(
                    en: "This node will witness any contract of the alliance that asks it to.",
                    zh: "本节点将见证联盟内任何提出请求的合同。")
                : Localized(
                    en:
                        "This node takes on no further contracts to witness; what it took on it keeps.",
                    zh: "本节点不再承接新的见证；已承接的照旧。"))
    }

    static func listDuties(_ view: View, _ options: inout Options) throws -> JSON {
        try options.finish()
        return [
            "standing": .bool(view.node.standing.contains(.witness)),
            "witnessing": .array(
                view.node.witnessing.sorted { $0.key < $1.key }.map { view.duty($0.value) }),
        ]
    }

    static func acceptDuty(_ node: inout Node, _ options: inout Options) throws -> Done {
        let text = try options.need("contract", Localized(en: "its id", zh: "合同编号"))
        try options.finish()
        let ids = node.witnessing.values.map(\.terms.contract).sorted()
        let id = try Node.unique(
            text, among: ids, field: "contract",
            Localized(en: "contract to witness", zh: "待见证的合同"), see: "talea witness list")
        guard let duty = node.witnessing.values.first(where: { $0.terms.contract == id }) else {
            throw NodeRefusal.contractUnknown(text)
        }
        try node.acceptDuty(duty.terms.log)
        let view = View(node: node, now: node.now)
        return Done(
            value: view.duty(node.witnessing[duty.terms.log] ?? duty),
            says: Localized(
                en:
                    "I will say when steps and requests of this contract reached me, and sign no two "
                    + "stories.",
                zh: "我将如实记录此合同的步骤与请求到达的时间，绝不作两种说法。"))
    }
}

extension View {
    func duty(_ duty: Witnessing) -> JSON {
        [
            "contract": .string(duty.terms.contract.hex), "accepted": .bool(duty.isAccepted),
            "witnesses": .number(duty.terms.witnesses.identities.count),
            "threshold": .number(duty.terms.witnesses.threshold),
            "participants": .array(
                duty.terms.participants.map { ["did": .string($0.did), "name": .string(name($0))] }),
            "receipts": .number(duty.said.receipts.count),
            "closings": .number(duty.said.closings.count),
        ]
    }
}

import Contracts
import Entries
import Identity
import NodeCore

extension Commands {
    /// One step, or the request that it admits, as a line of text that fits a picture.
    func prove(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let asked = try await door.read { node in
            var options = Options(request.options, now: now)
            let text = try options.need("contract", Localized(en: "its id", zh: "合同编号"))
            let id = try node.contractID(text)
            let number = try options.number("step", atLeast: 1)
            let what = try options.what(or: "step")
            let (page, place) = (try options.one("page"), try options.one("at"))
            try options.finish()
            guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
            guard let step = try number.map(held.step) ?? held.lastStep else {
                throw NodeRefusal.stepUnknown(1)
            }
            return (
                held: held, step: step, requestAlone: what == "request", page: page, place: place
            )
        }
        let proof = try await proof(of: asked.held, asked.step, requestAlone: asked.requestAlone)
        let text = ProofText.proof(proof)
        var shown = text
        if let address = asked.place {
            let octets = Array(text.text.utf8)
            shown = .place(
                .init(hash: SHA256.hash(octets), bytes: Int64(octets.count), address: address))
        }
        let code = asked.page.map { shown.address(of: $0) } ?? shown.text
        return [
            "format": "proof", "text": .string(text.text), "bytes": .number(proof.wire.count),
            "code": .string(code), "fits": .bool(QR(code) != nil), "told": try proof.told(),
        ]
    }

    func proof(of held: HeldContract, _ step: Fold.StepOutline, requestAlone: Bool) async throws
        -> Proof
    {
        guard step.act != Fold.continued,
            let entry = try await door.entry(log: step.log, sequence: step.logSequence)
        else { throw NodeRefusal.stepUnknown(step.sequence) }
        guard !requestAlone || step.request != nil else {
            throw DoorRefusal(
                "request_none", field: "what", value: "\(step.sequence)",
                en: "step \(step.sequence) was its writer's own right: there is no request to show",
                zh: "第 \(step.sequence) 步由记录方自行作出，没有请求可示")
        }
        return try await door.read { node in
            try node.proof(of: held, entry, requestAlone: requestAlone)
        }
    }
}

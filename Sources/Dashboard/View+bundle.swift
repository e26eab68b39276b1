import Capacity
import Contracts
public import Entries
import Identity
import Ledger
import NodeCore

extension Bundle {
    func told() throws(BundleRefusal) -> JSON {
        let node = try Node(folding: self)
        guard let held = node.contracts[key.contract] else { throw .proposalMissing }
        return View(node: node, now: .earliest).story(held)
    }
}

extension Disclosure {
    func told() throws(BundleRefusal) -> JSON {
        let opened = try opened()
        return [
            "id": .string(contract.hex), "hidden": .number(opened.count(where: \.isHidden)),
            "steps": .array(
                opened.map { one in
                    let header = one.entry.header
                    return [
                        "log": .text(header.log?.log.hex),
                        "sequence": .number(header.log?.sequence),
                        "id": .string(one.entry.id.hex), "time": .string(header.time.iso),
                        "author": .string(header.author.did), "hidden": .bool(one.isHidden),
                        "kind": .text(one.entry.kind.map { "\($0)" }),
                        "actor": .text(one.actor?.did), "transition": .text(one.act?.transition),
                        "record": .number(one.act?.record),
                        "arguments": .object(
                            (one.act?.arguments ?? []).map {
                                .init($0.name, .string($0.value.digits))
                            }),
                    ]
                }),
        ]
    }
}

extension View {
    /// What is the same for every reader of a contract, with each one's balances in it.
    func story(_ held: HeldContract) -> JSON {
        let same: Set = [
            "id", "template", "template_hash", "title", "grade", "outcome", "parent",
            "state_digest", "proposal", "proposed", "log", "sequencer", "currency", "roles",
            "role_titles",
            "parameters", "terms", "declined", "problem", "clock", "forks", "records", "steps",
            "prose",
            "notes", "claims", "pending",
        ]
        var fields = contract(held).fields.filter { same.contains($0.name) }
        let told = replay(held).says
        if let index = fields.firstIndex(where: { $0.name == "steps" }) {
            let steps = fields[index].value.array.map { step in
                let says = step["sequence"]?.number.flatMap { told[$0] }
                return step.merging([.init("says", says?.json ?? .null)])
            }
            fields[index] = .init("steps", .array(steps))
        }
        var evidence: [JSON] = []
        for step in held.fold?.steps ?? [] {
            for argument in step.act.arguments {
                guard case .hash(let hash) = argument.value else { continue }
                evidence.append([
                    "step": .number(step.sequence), "name": .string(argument.name),
                    "hash": .string(hash.hex),
                ])
            }
        }
        fields.append(.init("evidence", .array(evidence)))
        fields.append(.init("balances", .array(held.proposal.participants.map { balance(of: $0) })))
        return .object(fields)
    }

    /// What `owner` stands with everyone at.
    func balance(of owner: DID) -> JSON {
        let positions = node.ledger.positions(of: owner).map { position -> JSON in
            var unit: String?
            if case .capacity(_, let code) = position.commodity { unit = code.code }
            return [
                "counterparty": .string(position.counterparty.did),
                "counterparty_name": .string(name(position.counterparty)),
                "commodity": .string(position.commodity.name), "unit": .text(unit),
                "kind": .string(position.kind.rawValue), "amount": Self.clamp(position.amount),
                "text": .string(Self.text(position.amount, position.commodity)),
            ]
        }
        let paid = node.ledger.netPaid(by: owner)
        return [
            "owner": .string(owner.did), "owner_name": .string(name(owner)),
            "positions": .array(positions),
            "net_paid": .object(
                paid.map { JSON.Field($0.currency.code, Self.clamp($0.minor)) }),
            "net_paid_text": .array(
                paid.map { .string(Self.text($0.minor, .money($0.currency))) }),
        ]
    }
}

extension Value {
    /// Where no template tells what it is.
    public var digits: String {
        switch self {
        case .integer(let number): "\(number)"
        case .money(let money): View.text(Int128(money.minor), .money(money.currency))
        case .quantity(let quantity): "\(quantity.units) \(quantity.unit.code)"
        case .instant(let instant): "\(instant)"
        case .hash(let hash): hash.hex
        // No mark inside ends it.
        case .text(let text): "“\(text.oneLine.writing(["“": "\"", "”": "\""]))”"
        case .identity(let did): did.did
        case .list(let values): "[" + values.map(\.digits).joined(separator: ", ") + "]"
        }
    }
}

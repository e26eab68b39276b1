import Capacity
import Contracts
import Entries
import FoundationEssentials
import Identity
import Ledger
import Logs
import Market
import NodeCore

extension Commands {
    static func balance(_ view: View, _ options: inout Options) throws -> JSON {
        let owner =
            try options.one("owner").map { try view.node.party($0, field: "owner") }
            ?? view.node.own.did
        try options.finish()
        return view.balance(of: owner)
    }

    // MARK: - Statement

    static func statement(_ view: View, _ options: inout Options) throws -> JSON {
        let contract = try options.one("contract").map { try view.node.contractID($0) }
        let page = try options.page()
        try options.finish()
        let own = view.node.own.did
        let all = view.node.contracts.overview.transfers.lazy.filter {
            contract == nil || $0.cause.contract == contract
        }
        let (cut, next) = page.cut(lazily: all) {
            "\($0.cause.contract.hex)/\($0.cause.step)/\($0.cause.index)"
        }
        let rows = cut.compactMap { one in
            view.node.ledger.row(one.cause).map { view.row($0, at: one.time) }
        }
        let shown = Set(cut.map(\.cause.contract)).union(contract.map { [$0] } ?? [])
        let contracts = shown.sorted().compactMap { view.node.contracts[$0] }
        return [
            "owner": .string(own.did), "owner_name": .string(view.name(own)),
            "rows": .array(rows),
            "contracts": .array(contracts.map(view.statementHead)), "next": next,
        ]
    }

    static func export(_ view: View, _ options: inout Options) throws -> JSON {
        let wanted = Localized(en: "hledger, beancount or csv", zh: "hledger、beancount 或 csv")
        let format = try options.need("format", wanted)
        try options.finish()
        let node = view.node
        let journal = Journal(
            of: node.own.did, in: node.ledger,
            names: { did in
                node.petnames[did] ?? node.profileName(did) ?? did.shortDID
            },
            dateOf: { CivilTime(view.time($0), offsetMinutes: 0).date })
        let text: String
        switch format {
        case "hledger": text = journal.hledger()
        case "beancount": text = journal.beancount()
        case "csv": text = journal.csv()
        default: throw Options.wrong("format", format, wanted.en, wanted.zh)
        }
        return [
            "format": .string(format), "text": .string(text),
            "balances": .array(
                journal.balances.map { balance in
                    [
                        "account": .string(balance.account),
                        "commodity": .string(balance.position.commodity.name),
                        "amount": View.clamp(balance.position.amount),
                    ]
                }),
        ]
    }

    func rebuild(_ request: CommandRequest) async throws -> JSON {
        var options = Options(request.options, now: clock())
        let checkOnly = options.has("check") || request.dryRun
        _ = options.all("check")
        try options.finish()
        let differences = try await door.rebuildLedger(checkOnly: checkOnly)
        return [
            "equal": .bool(differences.isEmpty), "check_only": .bool(checkOnly),
            "differences": .array(
                differences.map {
                    [
                        "name": .string($0.name), "stored": .string($0.stored),
                        "rebuilt": .string($0.rebuilt),
                    ]
                }),
        ]
    }

    // MARK: - Proof

    /// A whole contract, or some of its steps with the rest hidden, or one step as a DSSE envelope.
    func proof(_ request: CommandRequest) async throws -> JSON {
        let now = clock()
        let (held, steps, one, logs) = try await door.read { node in
            var options = Options(request.options, now: now)
            let text = try options.need("contract", Localized(en: "its id", zh: "合同编号"))
            let id = try node.contractID(text)
            let one = try options.number("step", atLeast: 1)
            let steps = try options.one("steps")
            try options.finish()
            guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
            return (held, steps, one, node.logs(of: id))
        }
        if let one { return try await envelope(held, step: one) }
        var entries: [Entry] = []
        for (log, head) in logs {
            for sequence in stride(from: 1, through: head, by: 1) {
                guard let entry = try await door.entry(log: log, sequence: sequence) else {
                    throw NodeRefusal.stepUnknown(sequence)
                }
                entries.append(entry)
            }
        }
        let all = entries
        return try await door.read { node in
            guard let steps else {
                return BundleFile.whole(try node.bundle(of: held, entries: all)).json
            }
            var numbers: Set<Int64> = []
            for text in steps.split(separator: ",", omittingEmptySubsequences: false) {
                numbers.insert(try Options.number(String(text), "steps", atLeast: 1))
            }
            return BundleFile.steps(
                try node.disclosure(of: held, steps: numbers, entries: all)
            ).json
        }
    }

    /// One step that anyone can check offline: the DSSE envelope, the body, and the key of this one body.
    private func envelope(_ held: HeldContract, step: Int64) async throws -> JSON {
        let outline = held.fold?.step(step)
        let (log, sequence) = (outline?.log ?? held.log, outline?.logSequence ?? step)
        guard let entry = try await door.entry(log: log, sequence: sequence),
            let body = entry.body
        else { throw NodeRefusal.stepUnknown(step) }
        let key = try await door.read { node in
            guard let id = entry.header.key,
                let key = node.keyLogs.key(entry.header.author, id)
            else { throw NodeRefusal.keyOfPeerUnknown(entry.header.author) }
            // Exported on its own signature alone, whatever run it came in.
            _ = try ValidEntry(entry, by: key, checker: node.checker)
            return key
        }
        let isPrivate = entry.kind == .step
        return [
            "envelope": [
                "payload": .base64(entry.headerBytes), "payloadType": .string(DSSE.payloadType),
                "signatures": [
                    ["keyid": .string(key.did), "sig": .base64(entry.signature.bytes)]
                ],
            ],
            "body": .base64(body),
            "body_key": isPrivate
                ? .base64(held.key.bodyKey(log: log, sequence: sequence)) : .null,
        ]
    }
}

extension View {
    /// When the step was taken that moved it.
    func time(_ cause: Cause) -> Instant {
        node.contracts[cause.contract]?.fold?.step(cause.step)?.time
            ?? .earliest
    }

    func row(_ row: TransferRow, at time: Instant) -> JSON {
        let transfer = row.transfer
        let own = node.own.did
        let outward = transfer.from == own
        // A custodian paid another out of what it held for us, or owes that one: nothing came in.
        let isOurs = outward || transfer.to == own
        let kept = row.released.filter { $0.depositor == own }.reduce(Int128(0)) {
            $0 + Int128($1.amount)
        }
        let (state, posted, signed, reason): (String, Int64?, Bool?, String?) =
            switch row.state {
            case .pending: ("pending", nil, nil, nil)
            case .posted(let amount, let isSigned): ("posted", amount, isSigned, nil)
            case .voided(let why): ("voided", nil, nil, why)
            }
        var unit: String?
        if case .capacity(_, let code) = transfer.commodity { unit = code.code }
        let other = outward || !isOurs ? transfer.to : transfer.from
        let shown = isOurs ? Int128(posted ?? transfer.amount) : kept
        return [
            "date": .string(CivilTime(time, offsetMinutes: 0).date), "time": instant(time),
            "contract": .string(transfer.cause.contract.hex),
            "template": .text(
                node.contracts[transfer.cause.contract].flatMap { template(of: $0)?.name }),
            "step": .number(transfer.cause.step), "index": .number(transfer.cause.index),
            "kind": .string(transfer.kind.rawValue),
            "direction": .string(!isOurs ? "held" : outward ? "out" : "in"),
            "from": .string(transfer.from.did), "from_name": .string(name(transfer.from)),
            "to": .string(transfer.to.did), "to_name": .string(name(transfer.to)),
            "who": .string(name(other)), "commodity": .string(transfer.commodity.name),
            "unit": .text(unit), "amount": .number(transfer.amount), "posted": .number(posted),
            "text": .string(Self.text(shown, transfer.commodity)),
            "state": .string(state), "signed": signed.map { .bool($0) } ?? .null,
            "discharged": .number(row.dischargedAmount), "reason": .text(reason),
        ]
    }

    func statementHead(_ held: HeldContract) -> JSON {
        var notes: [JSON] = []
        if let state = held.fold?.state {
            notes = zip(state.notes(.en), state.notes(.zh)).map {
                ["en": .string($0), "zh": .string($1)]
            }
        }
        return [
            "id": .string(held.id.hex), "template": .text(template(of: held)?.name),
            "title": template(of: held)?.title.json ?? .null,
            "grade": .string(held.grade.rawValue), "outcome": .string(held.outcome.rawValue),
            "parent": .text(held.proposal.parent?.contract.hex),
            "prose": held.fold.map { fold in localized(fold.state.prose) } ?? .null,
            "notes": .array(notes),
        ]
    }
}

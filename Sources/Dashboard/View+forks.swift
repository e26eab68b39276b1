import Capacity
import Contracts
import Entries
import Identity
import Logs
import NodeCore

extension Options {
    /// `--despite-fork yes`: the user knows that someone named signed two histories.
    mutating func insists() throws(DoorRefusal) -> Bool { try yes("despite-fork") }

    /// What is said on purpose or not at all.
    mutating func yes(_ name: String) throws(DoorRefusal) -> Bool {
        guard let text = try one(name) else { return false }
        guard text == "yes" else { throw Self.wrong(name, text, "yes", "yes") }
        return true
    }
}

extension Commands {
    /// Closes a forked log of one's own.
    static func cut(_ node: inout Node, _ options: inout Options) throws -> Done {
        let own = node.forkStandings.filter { $0.author == node.own.did }.map(\.log)
        let log = try Node.unique(
            try options.need("log", Localized(en: "the forked log's id", zh: "分叉日志的编号")),
            among: own, field: "log",
            Localized(en: "forked log of yours", zh: "您的分叉日志"), see: "talea status")
        try options.finish()
        let successor = try node.cut(log)
        return Done(
            value: [
                "closed": .string(log.hex), "goes_on": .string(successor.hex),
                "forks": View(node: node, now: node.now).forks(),
            ],
            says: Localized(
                en: "I close the log \(log.short); it goes on as \(successor.short).",
                zh: "我封存日志 \(log.short)，续于 \(successor.short)。"))
    }
}

// Who signed two histories, and what it has to do with the reader.

extension View {
    /// Every fork known here, those of our own logs first.
    func forks() -> JSON {
        let all = node.forkStandings
        return .array(
            (all.filter { $0.author == node.own.did } + all.filter { $0.author != node.own.did })
                .map(fork))
    }

    func forks(touching contract: ContractID) -> JSON {
        .array(node.forkStandings.filter { $0.contracts.contains(contract) }.map(fork))
    }

    private func fork(_ standing: Node.ForkStanding) -> JSON {
        let (kind, says) = words(standing)
        return [
            "log": .string(standing.log.hex), "author": .string(standing.author.did),
            "author_name": .string(name(standing.author)),
            "own": .bool(standing.author == node.own.did),
            "sequence": .number(standing.sequence), "kind": .string(kind),
            "looks_like_restore": .bool(standing.looksLikeRestore),
            "closed_by": .text(standing.successor?.hex), "says": says.json,
            "contracts": .array(standing.contracts.map { .string($0.hex) }),
        ]
    }

    private func words(_ standing: Node.ForkStanding) -> (String, Localized) {
        let (who, at) = (name(standing.author), standing.sequence)
        let own = standing.author == node.own.did
        let restored = Localized(
            en: own
                ? "; it looks as if an old copy of this home was put back. Close it with: talea cut --log "
                    + standing.log.short
                : "; nothing was sold twice, so it looks like an old copy that was put back",
            zh: own
                ? "，像是恢复了本机的旧副本；请用 talea cut --log \(standing.log.short) 封存"
                : "，没有重复出售，像是恢复了旧副本")
        let closed =
            standing.successor.map {
                Localized(en: "; closed, it goes on as \($0.short)", zh: "；已封存，续于 \($0.short)")
            } ?? Localized(en: "", zh: "")
        func said(_ en: String, _ zh: String) -> Localized {
            let tail = standing.looksLikeRestore && standing.successor == nil ? restored : closed
            return Localized(en: en + tail.en, zh: zh + tail.zh)
        }
        switch standing.kind {
        case .key:
            return (
                "key",
                said(
                    "\(who) signed two different keys \(at): no key of theirs counts from there on",
                    "\(who) 签署了两个不同的第 \(at) 把密钥：其后的密钥均不算数")
            )
        case .publicLog:
            return (
                "public",
                said(
                    "the public log of \(who) parts at \(at); what stands below counts",
                    "\(who) 的公开日志在第 \(at) 条分叉；其下仍然有效")
            )
        case .doubleSale(let units):
            return (
                "double_sale",
                said(
                    "\(who) sold \(units) more of a line than declared, in two histories from \(at) on",
                    "\(who) 自第 \(at) 条起有两份记录，比申报多售出 \(units)")
            )
        case .line:
            return (
                "line",
                said(
                    "a line of \(who) parts at \(at); every grant on either side binds them",
                    "\(who) 的一条产能线在第 \(at) 条分叉；两边的授予对其均有约束")
            )
        case .contract:
            return (
                "contract",
                said(
                    "\(who) signed two different steps \(at) of a contract; nothing from there on counts",
                    "\(who) 签署了合同两个不同的第 \(at) 步；其后均不算数")
            )
        }
    }

    /// What a line's fork comes to.
    func fork(of line: LineLog) -> JSON {
        guard let parted = line.parted else { return .null }
        return [
            "sequence": .number(parted.sequence), "promised": .number(line.promised),
            "oversold": .number(line.oversold), "double_sale": .bool(line.oversold > 0),
            "closed": .bool(line.isClosed),
        ]
    }

    /// Where a grant's units come from, as far as this node can tell.
    func title(_ title: Node.Title?) -> JSON {
        func put(_ word: String, _ step: EntryID?, _ contract: ContractID? = nil) -> JSON {
            [
                "standing": .string(word), "step": .text(step?.hex),
                "contract": .text(contract?.hex), "sound": .bool(title?.isSound != false),
            ]
        }
        switch title {
        case nil, .own: return put("own", nil)
        case .unseen(let step): return put("unseen", step)
        case .held(let step, let contract): return put("held", step, contract)
        case .missing: return put("missing", nil)
        case .wrong(let step, let contract): return put("wrong", step, contract)
        case .exceeded(let step, _, _): return put("exceeded", step)
        }
    }
}

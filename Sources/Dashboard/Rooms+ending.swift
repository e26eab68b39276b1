import Capacity
import Contracts
import Entries
import Identity
import Ledger
import NodeCore

// The ways out of a contract that does not go on by itself.

extension Rooms {
    /// To go on in the place of a silent sequencer, and the end by the word of all, or of all but the sequencer.
    func waysOut(_ held: HeldContract) -> [JSON] {
        guard let fold = held.fold, fold.isSequenced, !fold.state.isEnded,
            fold.participants.contains(me)
        else { return [] }
        var ways: [JSON] = []
        if fold.isWitnessed, fold.arbiter == me, fold.takeover == nil {
            var trial = node
            if (try? trial.takeOver(held.id)) != nil { ways.append(takeover(held)) }
        }
        ways.append(ending(held, fold, without: nil))
        if !fold.isWitnessed, held.proposal.sequencer != me {
            ways.append(ending(held, fold, without: held.proposal.sequencer))
        }
        return ways
    }

    private func takeover(_ held: HeldContract) -> JSON {
        DeskAct(
            verb: "contract takeover", button: word("review"), hidden: [("contract", held.id.hex)],
            back: page(held), isPrimary: true
        ).json.merging([
            .init(
                "says",
                .string(
                    figures.pick(
                        "Go on in the place of \(name(held.sequencer)), who does not answer",
                        "\(name(held.sequencer)) 未应答，由您接续"))),
            .init("about", ""),
        ])
    }

    private func ending(_ held: HeldContract, _ fold: Fold, without: DID?) -> JSON {
        let silent = without.map(name)
        let says =
            silent.map { figures.pick("End it without \($0)", "不经 \($0) 了结") }
            ?? figures.pick("End it together", "各方共同了结")
        var about = figures.pick(
            "Whatever you leave falls back to who would have given it, and what is in custody is owed to who paid it in. "
                + "It counts once \(names(fold.participants.filter { $0 != without && $0 != me })) have signed too.",
            "未选的待定事项退回给付方，托管款归还原付款人。"
                + "\(names(fold.participants.filter { $0 != without && $0 != me }))也签署后生效。")
        if let silent {
            about += figures.pick(
                " \(silent) loses nothing by it.", "\(silent) 不因此受损。")
        } else if held.isWitnessed {
            about += figures.pick(
                " Where no witness answers any more, it counts without them after a while.",
                "见证人若不再应答，过一段时间后无须见证即生效。")
        }
        let posts = fold.state.pending.filter {
            $0.kind != .deposit && $0.from != without && $0.to != without
        }
        let fields = posts.map { transfer in
            let amount =
                switch transfer.commodity {
                case .money(let currency):
                    Commodity.money(currency).text(Int128(transfer.amount)).filter { $0 != "," }
                case .capacity: "\(transfer.amount)"
                }
            return DeskField(
                name: "o.post",
                label: figures.amount(Int128(transfer.amount), transfer.commodity) + " "
                    + name(transfer.from) + " → " + name(transfer.to), isRequired: false,
                choices: [
                    (
                        "\(transfer.cause.step)/\(transfer.cause.index),\(amount)",
                        figures.pick("counts as done", "视为已完成")
                    )
                ]
            ).json
        }
        return DeskAct(
            verb: "contract settle", button: word("review"),
            hidden: [("contract", held.id.hex)]
                + (without == nil ? [] : [("without-sequencer", "yes")]), fields: fields,
            back: page(held)
        ).json.merging([.init("says", .string(says)), .init("about", .string(about))])
    }
}

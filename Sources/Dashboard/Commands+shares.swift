import Contracts
import Entries
import Identity
import NodeCore

// One need, met by several contracts: a studio in a surge asks all partners at once.

extension Commands {
    /// The same step in each of several contracts. Its units are split in shares of what each contract still
    /// holds, largest remainders, ties by the order given; one to which nothing falls is not asked. All are
    /// asked, or none.
    static func actInShares(
        _ node: inout Node, _ options: inout Options, verb: String
    ) throws -> Done {
        guard !options.has("wait"), !options.has("record") else {
            throw DoorRefusal(
                "one_contract", field: "contract",
                en: "--wait and --record go with one --contract only",
                zh: "--wait 与 --record 只能配一个 --contract")
        }
        let units = try options.needNumber("units", atLeast: 1)
        let held = try options.all("contract").map { text in
            let id = try node.contractID(text)
            guard let held = node.contracts[id] else { throw NodeRefusal.contractUnknown(text) }
            guard let fold = held.fold, fold.isSequenced else {
                throw NodeRefusal.contractNotSequenced(id)
            }
            return (
                id: id, units: (fold.state.records.first?.holds ?? []).reduce(0) { $0 + $1.amount }
            )
        }
        guard Set(held.map(\.id)).count == held.count else {
            throw DoorRefusal(
                "contract_twice", field: "contract", en: "one --contract stands twice",
                zh: "同一个 --contract 出现两次")
        }
        let room = held.reduce(0) { $0 + $1.units }
        guard units <= room else {
            let each = held.map { "\($0.id.short) \($0.units)" }.joined(separator: ", ")
            throw DoorRefusal(
                "room_exceeded", field: "units", value: "\(units)",
                en: "--units “\(units)”: these contracts hold \(room) together (\(each))",
                zh: "--units “\(units)”：这些合同合计剩余 \(room)（\(each)）")
        }
        var (all, rest) = (Done(value: .null), options)
        var (asked, said, worst): ([JSON], [Localized], [Localized]) = ([], [], [])
        var losses: [String: Int64] = [:]
        var bases: [Hash32] = []
        for (one, share) in zip(held, try Shares.split(units, held.map(\.units))) where share > 0 {
            var its = options
            its.give("contract", one.id.hex)
            its.give("units", "\(share)")
            let done = try act(&node, &its, verb: verb)
            rest = its
            asked.append(done.value.merging([.init("units", .number(share))]))
            all.moves = .array(all.moves.array + done.moves.array)
            all.deadlines = .array(all.deadlines.array + done.deadlines.array)
            if let basis = done.basis { bases.append(basis) }
            if let says = done.says { said.append(says) }
            if let at = done.worst["en"]?.string, let zh = done.worst["zh"]?.string {
                let words = Localized(en: at, zh: zh)
                if !worst.contains(words) { worst.append(words) }
            }
            for loss in done.mayLose.fields {
                losses[loss.name, default: 0] += loss.value.number ?? 0
            }
        }
        func joined(_ all: [Localized], _ between: String) -> Localized {
            Localized(
                en: all.map(\.en).joined(separator: between),
                zh: all.map(\.zh).joined(separator: between))
        }
        all.basis = bases.isEmpty ? nil : SHA256.hash(bases.flatMap(\.bytes))
        all.says = said.isEmpty ? nil : joined(said, "\n")
        all.worst = worst.isEmpty ? .null : joined(worst, " ").json
        all.mayLose =
            losses.isEmpty
            ? .null
            : .object(losses.sorted { $0.key < $1.key }.map { .init($0.key, .number($0.value)) })
        options = rest
        all.value = ["shares": .array(asked)]
        return all
    }
}

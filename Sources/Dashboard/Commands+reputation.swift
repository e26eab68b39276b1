import Capacity
import Contracts
import Entries
import Identity
import NodeCore

extension Commands {
    static func reputation(_ view: View, _ options: inout Options) throws -> JSON {
        let node = view.node
        let one = try options.one("of").map { try node.party($0, field: "of") }
        let least = try options.number("at-least") ?? 0
        try options.finish()
        let all = (one.map { [$0] } ?? node.counterparties).map(node.reputation)
        return [
            "people": .array(all.filter { $0.completed.count >= least }.map(view.reputation))
        ]
    }
}

extension View {
    /// Fractions as text: JSON here holds whole numbers alone.
    func reputation(_ reputation: Reputation) -> JSON {
        let counts: KeyValuePairs = [
            "completed": reputation.completed, "in_time": reputation.inTime,
            "late": reputation.late, "silent": reputation.silent,
            "defaults": reputation.defaults, "ruled": reputation.ruled,
            "lost": reputation.lost, "oversales": reputation.oversales,
        ]
        let who = reputation.who
        var fields: [JSON.Field] = [
            .init("did", .string(who.did)), .init("name", .string(name(who))),
            .init("due", .number(reputation.due)),
            .init("on_time_at_least", .string(Self.millionths(reputation.onTimeAtLeast))),
        ]
        for (name, links) in counts {
            let count = name == "oversales" ? min(links.count, 1) : links.count
            fields.append(.init(name, .number(count)))
        }
        fields.append(
            .init(
                "entries",
                .object(counts.map { .init($0.key, .array($0.value.map(Self.link))) })))
        return .object(fields)
    }

    private static func link(_ link: Reputation.Link) -> JSON {
        [
            "entry": .string(link.entry.hex), "log": .string(link.log.hex),
            "contract": .text(link.contract?.hex), "step": .number(link.step),
        ]
    }

    /// Rounded down: a bound is never said to be higher than it is.
    static func millionths(_ share: Double) -> String {
        let digits = "\(Int(share * 1_000_000))"
        guard digits.count <= 6 else { return "1.000000" }
        return "0." + String(repeating: "0", count: 6 - digits.count) + digits
    }
}

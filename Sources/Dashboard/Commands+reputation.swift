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
        let steps: KeyValuePairs = [
            "completed": reputation.completed, "in_time": reputation.inTime,
            "late": reputation.late, "silent": reputation.silent,
            "defaults": reputation.defaults, "ruled": reputation.ruled,
            "lost": reputation.lost,
        ]
        let who = reputation.who
        var fields: [JSON.Field] = [
            .init("did", .string(who.did)), .init("name", .string(name(who))),
            .init("due", .number(reputation.due)),
            .init("on_time", .text(Self.percent(reputation.inTime.count, of: reputation.due))),
            .init("on_time_at_least", .string(Self.millionths(reputation.onTimeAtLeast))),
        ]
        var entries: [JSON.Field] = []
        for (name, steps) in steps {
            fields.append(.init(name, .number(steps.count)))
            entries.append(.init(name, .array(steps.compactMap(node.link).map(Self.link))))
        }
        fields.append(.init("oversales", .number(min(reputation.oversales.count, 1))))
        entries.append(.init("oversales", .array(reputation.oversales.map(Self.link))))
        fields.append(.init("entries", .object(entries)))
        return .object(fields)
    }

    private static func link(_ link: Reputation.Link) -> JSON {
        [
            "entry": .string(link.entry.hex), "log": .string(link.log.hex),
            "contract": .text(link.contract?.hex), "step": .number(link.step),
        ]
    }

    /// To a tenth, rounded down: 100 % is said of nobody who was late once. `nil`: nothing was due.
    static func percent(_ count: Int, of all: Int) -> String? {
        guard all > 0 else { return nil }
        let tenths = count * 1000 / all
        return "\(tenths / 10).\(tenths % 10) %"
    }

    /// Rounded down: a bound is never said to be higher than it is.
    static func millionths(_ share: Double) -> String {
        let digits = "\(Int(share * 1_000_000))"
        guard digits.count <= 6 else { return "1.000000" }
        return "0." + String(repeating: "0", count: 6 - digits.count) + digits
    }
}

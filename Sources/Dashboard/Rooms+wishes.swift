import Capacity
import Contracts
import Entries
import Identity
import Market
import NodeCore

extension Rooms {
    /// So many are listed, those who would pay most first.
    private static let wishesMax = 100

    /// What others look for, and what the owner does.
    func wishes(_ filter: MarketFilter, _ isSeasoned: (DID) -> Bool) -> [JSON] {
        var shown: [JSON] = []
        for quote in node.wishes(under: filter.resource, at: now) {
            guard shown.count < Self.wishesMax, let standing = node.book.wish(quote.offer),
                node.isAt(filter.place, standing.author),
                filter.units.map({ standing.wish.units >= $0 }) ?? true,
                filter.from.map({ standing.wish.terms.window.end > $0 }) ?? true,
                isSeasoned(standing.author)
            else { continue }
            shown.append(row(standing))
        }
        return shown
    }

    private func row(_ standing: PublicLog.StandingWish) -> JSON {
        let (wish, terms) = (standing.wish, standing.wish.terms)
        let withdraw = DeskAct(
            verb: "wish withdraw", button: word("withdraw"), hidden: [("wish", standing.id.hex)],
            back: "/market")
        let mine = standing.author == me
        return [
            "by": .string(name(standing.author)), "mine": .bool(mine),
            "place": .string(node.book[standing.author]?.profile?.place ?? ""),
            "resource": .string(terms.resource.path),
            "week": .string(
                figures.date(terms.window.start) + " – " + figures.date(terms.window.end)),
            "units": .string(figures.units(Int128(wish.units), terms.unit.code)),
            "most": .string(
                wish.most.map { figures.money(Int128($0.minor), $0.currency) } ?? "—"),
            "left": .string(figures.left(until: wish.until)),
            "until": .string(figures.moment(wish.until)),
            "answer": .string("/market/answer?wish=" + standing.id.hex),
            "acts": .array(mine ? [withdraw.json] : []),
        ]
    }

    func wishForm() -> JSON {
        let units = DeskField(name: "o.units", label: word("field_units"), mode: "numeric")
        let most = DeskField(
            name: "m.most", label: word("field_most"), mode: "decimal", isRequired: false)
        let until = DeskField(
            name: "t.until", label: word("field_until"), type: "datetime-local")
        let act = DeskAct(
            verb: "wish publish", button: word("review"),
            fields: lineFields(units) + [most.json, until.json], back: "/market", isPrimary: true)
        return [
            "heading": .string(word("wish_make")), "intro": .string(word("wish_intro")),
            "acts": [act.json], "back": "/market",
        ]
    }

    /// The kinds of contracts that a wish can be answered with: those that rest on somebody's capacity.
    func answers(to standing: PublicLog.StandingWish) -> JSON {
        let templates = node.templates.values.filter { !$0.lines.isEmpty && !$0.roles.isEmpty }
            .sorted { ($0.name, $0.hash) < ($1.name, $1.hash) }
        return [
            "heading": .string(word("wish_answer")), "wishes": [row(standing)],
            "kinds": .array(
                templates.map {
                    [
                        "title": .string(pick($0.title)),
                        "propose": .string(
                            "/market/propose?template=\($0.hash.hex)&wish=\(standing.id.hex)"),
                    ]
                }),
        ]
    }
}

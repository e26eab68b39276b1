import Capacity
import Contracts
import Entries
import Identity
import Ledger
import Logs
import Market
import NodeCore

extension Rooms {
    /// What a reader of the market asked for.
    struct MarketFilter: Sendable {
        /// As it was typed, and what of it could not be read.
        var typed: [String: String] = [:]
        var unread: [String] = []
        var resource = ""
        var template = ""
        var units: Int64?
        /// Hundredths of whatever currency a price is in.
        var most: Int64?
        var from: Instant?
        /// A part of what their profiles name as place.
        var place = ""
        /// Only of people with at least so many contracts completed with this node.
        var completed: Int64?
    }

    struct Bid {
        let standing: PublicLog.StandingOffer
        let line: LineLog?
        let template: Template?
        /// For one unit, all taken, the premium with it; `nil` where no price is named.
        let allIn: Money?

        /// What can still be taken.
        var units: Int64 {
            min(standing.offer.maxUnits, line?.line.remaining ?? standing.offer.maxUnits)
        }
    }

    func bid(_ standing: PublicLog.StandingOffer) -> Bid {
        Bid(
            standing: standing, line: standing.offer.line.flatMap { node.lines[$0] },
            template: node.templates[standing.offer.template],
            allIn: node.allIn(of: standing.offer))
    }

    /// So many are listed, the cheapest.
    private static let offersMax = 100

    func market(_ filter: MarketFilter) -> JSON {
        var completed: [DID: Int64] = [:]
        func isSeasoned(_ author: DID) -> Bool {
            guard let least = filter.completed else { return true }
            let count = completed[author] ?? Int64(node.reputation(of: author).completed.count)
            completed[author] = count
            return count >= least
        }
        var shown: [Bid] = []
        var isMore = false
        for quote in node.quotes(under: filter.resource, at: now) {
            guard node.isAt(filter.place, quote.author),
                let bid = node.book.offer(quote.offer).map(bid),
                filter.template.isEmpty || bid.template?.name == filter.template,
                filter.units.map({ bid.units >= $0 }) ?? true,
                filter.most.map({ most in bid.allIn.map { $0.isAtMost(most) } ?? false }) ?? true,
                filter.from.map({ (bid.line?.terms.window.end ?? .earliest) > $0 }) ?? true,
                isSeasoned(quote.author)
            else { continue }
            if shown.count == Self.offersMax {
                isMore = true
                break
            }
            shown.append(bid)
        }
        let isNone = shown.isEmpty && !node.quotes(under: "", at: now).contains { _ in true }
        let templates = node.templates.values.sorted { ($0.name, $0.hash) < ($1.name, $1.hash) }
        return [
            "rows": .array(shown.map(row)),
            "more": isMore
                ? .string(
                    figures.pick(
                        "The best \(Self.offersMax); choose above to see others.",
                        "最优的 \(Self.offersMax) 项；可在上方筛选，查看其余。")) : .null,
            "empty": .bool(shown.isEmpty), "none_at_all": .bool(isNone),
            "books": .array(books(shown)),
            "resources": .array(
                Set(node.market.resources + node.wanted.resources).sorted().map {
                    [
                        "value": .string($0), "label": .string($0),
                        "selected": .bool($0 == filter.resource),
                    ]
                }),
            "templates": .array(
                templates.map {
                    [
                        "value": .string($0.name), "label": .string(pick($0.title)),
                        "selected": .bool($0.name == filter.template),
                    ]
                }),
            "units": .text(filter.typed["units"]), "most": .text(filter.typed["most"]),
            "from": .text(filter.typed["from"]),
            "unread": .string(
                filter.unread.map { "“\($0.prefix(32))”" }.joined(
                    separator: figures.pick(", ", "、"))),
            "place": .string(filter.place), "wishes": .array(wishes(filter, isSeasoned)),
            "completed": .bool(filter.completed != nil),
            "kinds": .array(
                templates.filter { !$0.roles.isEmpty }.map {
                    [
                        "title": .string(pick($0.title)),
                        "propose": .string("/market/propose?template=" + $0.hash.hex),
                        "offer": .string("/market/offer?template=" + $0.hash.hex),
                        "has_line": .bool(!$0.lines.isEmpty),
                    ]
                }),
        ]
    }

    private func row(_ bid: Bid) -> JSON {
        let offer = bid.standing.offer
        let mine = bid.standing.author == me
        let code = bid.line?.terms.unit.code ?? "C62"
        let window = bid.line?.terms.window
        return [
            "issuer": .string(name(bid.standing.author)), "mine": .bool(mine),
            "place": .string(node.book[bid.standing.author]?.profile?.place ?? ""),
            "resource": .string(bid.line?.terms.resource.path ?? "—"),
            "kind": .string(bid.template.map { pick($0.title) } ?? offer.template.short),
            "week": .string(
                window.map { figures.date($0.start) + " – " + figures.date($0.end) } ?? ""),
            "units": .string(figures.units(Int128(bid.units), code)),
            "lot": .string(figures.units(Int128(offer.lot), code)),
            "all_in": .string(
                bid.allIn.map { figures.money(Int128($0.minor), $0.currency) } ?? "—"),
            "until": .string(figures.moment(offer.until)),
            "left": .string(figures.left(until: offer.until)),
            "terms": .array(
                offer.arguments.map { argument in
                    let parameter = bid.template?.parameter(argument.name)
                    return [
                        "label": .string(parameter.map { pick($0.title) } ?? argument.name),
                        "value": .string(figures.value(argument.value, parameter?.kind, view)),
                    ]
                }),
            "take": .string("/market/propose?offer=" + bid.standing.id.hex),
            "acts": .array(
                mine
                    ? [
                        DeskAct(
                            verb: "offer withdraw", button: word("withdraw"),
                            hidden: [("offer", bid.standing.id.hex)], back: "/market"
                        ).json
                    ] : []),
        ]
    }

    // MARK: The book as a picture

    private struct Place: Hashable {
        let resource: String
        let monday: Instant
    }

    /// In each week in which the calendar has it.
    private func places(of bid: Bid) -> [Place] {
        guard bid.allIn != nil, let terms = bid.line?.terms else { return [] }
        return weeks(of: terms.window).map { Place(resource: terms.resource.path, monday: $0) }
    }

    /// So many blocks a picture shows.
    private static let blocksMax = 60

    /// A picture for each of the first places that are listed, of all that stand there.
    private func books(_ listed: [Bid]) -> [JSON] {
        let places = Set(listed.flatMap(places)).sorted {
            ($0.resource, $0.monday) < ($1.resource, $1.monday)
        }
        return places.prefix(6).map { place in
            var bids: [Bid] = []
            for quote in node.quotes(under: place.resource, at: now) {
                guard let bid = node.book.offer(quote.offer).map(bid), bid.allIn != nil,
                    let terms = bid.line?.terms, terms.resource.path == place.resource,
                    stands(terms.window, in: place.monday)
                else { continue }
                bids.append(bid)
                if bids.count == Self.blocksMax { break }
            }
            let title = place.resource + " · " + figures.weekName(place.monday)
            return [
                "title": .string(title), "svg": .string(depth(bids, title)),
                "best": .string(
                    bids.first?.allIn.map { figures.money(Int128($0.minor), $0.currency) } ?? ""),
            ]
        }
    }

    /// Each offer a block: as wide as it is large, as high as it is dear; the cheapest first.
    private func depth(_ bids: [Bid], _ title: String) -> String {
        let total = max(bids.reduce(0) { $0 + $1.units }, 1)
        let dearest = max(bids.compactMap { $0.allIn?.minor }.max() ?? 1, 1)
        var picture = Picture(
            width: 420, height: 128,
            says: title + figures.pick(": ", "：")
                + bids.map { bid in
                    let code = bid.line?.terms.unit.code ?? "C62"
                    let price = bid.allIn.map { figures.money(Int128($0.minor), $0.currency) } ?? ""
                    return figures.units(Int128(bid.units), code) + " @ " + price
                }.joined(separator: figures.pick("; ", "；")))
        picture.line("axis", 0, 106, 420, 106)
        var x = 0
        var sum: Int64 = 0
        for (index, bid) in bids.enumerated() {
            guard let price = bid.allIn else { continue }
            let width = max(Int(bid.units * 420 / total), 4)
            let height = max(Int(price.minor * 78 / dearest), 4)
            let label = figures.money(Int128(price.minor), price.currency)
            let code = bid.line?.terms.unit.code ?? "C62"
            picture.box(
                index == 0 ? "fill-accent" : "fill-soft", x: x, y: 106 - height, width: width - 2,
                height: height,
                tip:
                    "\(name(bid.standing.author)): \(figures.units(Int128(bid.units), code)), \(label)",
                round: 3)
            // What is too narrow for its price says it under the pointer.
            if width >= 52 {
                picture.text(label, x: x + 2, y: 100 - height, index == 0 ? "strong" : "")
            }
            sum += bid.units
            x += width
            if width >= 34 {
                picture.text(
                    figures.grouped(Int128(sum)), x: x - 4, y: 122, "faint", anchor: "end")
            }
        }
        picture.text("0", x: 0, y: 122, "faint")
        return picture.svg
    }

    // MARK: Forms

    /// The form for a contract, from an offer or from a template alone.
    func proposeForm(
        _ template: Template, offer: PublicLog.StandingOffer?,
        wish: PublicLog.StandingWish? = nil
    ) -> JSON {
        var fields: [JSON] = []
        let given = Set(offer?.offer.arguments.map(\.name) ?? [])
        let issuerRole = template.lines.first?.issuer.split(separator: ".").first.map(String.init)
        let everyone = [me] + others
        for role in template.roles where !role.onlyChild {
            if offer != nil, role.name == issuerRole { continue }
            let isParty = role.kind == .party
            if offer != nil, isParty, role.many == nil { continue }
            var field = DeskField(name: "o." + role.name, label: pick(role.title))
            field.choices = choices(isParty ? everyone : others)
            if let wish, isParty {
                field.value = (role.name == issuerRole ? me : wish.author).did
            }
            field.isMany = role.many != nil
            fields.append(field.json)
        }
        let lines = node.lines.values.filter { $0.fault == nil && $0.terms.window.end > now }
            .sorted(by: Self.comesFirst)
        if offer == nil, !template.lines.isEmpty {
            var field = DeskField(name: "o.line", label: word("capacity_line"))
            field.choices = lines.map { ($0.log.hex, lineName($0)) }
            field.value =
                lines.first { $0.issuer == me && $0.terms.resource == wish?.wish.terms.resource }?
                .log.hex ?? ""
            field.isMany = template.lines.count > 1
            fields.append(field.json)
        }
        for parameter in template.parameters where !parameter.onlyChild {
            if given.contains(parameter.name) { continue }
            var field = field(parameter, people: others)
            if let wish, parameter.name == "units" { field.value = "\(wish.wish.units)" }
            fields.append(field.json)
        }
        var hidden: [(String, String)] = []
        var intro = ""
        if let offer {
            let bid = bid(offer)
            hidden.append(("offer", offer.id.hex))
            let code = bid.line?.terms.unit.code ?? "C62"
            intro = figures.pick(
                "\(name(offer.author)) offers up to \(figures.units(Int128(bid.units), code)) in lots of \(offer.offer.lot).",
                "\(name(offer.author))提供至多 \(figures.units(Int128(bid.units), code))，每批 \(offer.offer.lot)。"
            )
        } else {
            hidden.append(("template", template.hash.hex))
        }
        let act = DeskAct(
            verb: "contract propose", button: word("review"), hidden: hidden, fields: fields,
            back: "/market", isPrimary: true)
        return [
            "heading": .string(pick(template.title)), "intro": .string(intro), "acts": [act.json],
            "back": "/market",
        ]
    }

    /// By what it is of, then by when.
    private static func comesFirst(_ one: LineLog, _ other: LineLog) -> Bool {
        (one.terms.resource, one.terms.window.start, one.log)
            < (other.terms.resource, other.terms.window.start, other.log)
    }

    func lineName(_ line: LineLog) -> String {
        line.terms.resource.path + " · " + figures.date(line.terms.window.start) + " – "
            + figures.date(line.terms.window.end) + " · " + name(line.issuer)
    }

    /// The form for an offer on a line of mine.
    func offerForm(_ template: Template) -> JSON {
        var line = DeskField(name: "o.line", label: word("capacity_line"))
        line.choices = node.lines.values.filter { $0.issuer == me && $0.terms.window.end > now }
            .sorted(by: Self.comesFirst)
            .map { ($0.log.hex, lineName($0)) }
        let noLine = line.choices?.isEmpty == true
        var fields = [
            line.json,
            DeskField(name: "o.max-units", label: word("field_max_units"), mode: "numeric").json,
            DeskField(name: "o.lot", label: word("field_lot"), mode: "numeric", value: "1").json,
            DeskField(name: "t.until", label: word("field_until"), type: "datetime-local").json,
        ]
        for parameter in template.parameters where !parameter.onlyChild {
            if ["units", "lot"].contains(parameter.name) { continue }
            var field = field(parameter, people: others)
            field.isRequired = false
            fields.append(field.json)
        }
        let act = DeskAct(
            verb: "offer publish", button: word("review"),
            hidden: [("template", template.hash.hex)], fields: fields, back: "/market",
            isPrimary: true)
        return [
            "heading": .string(word("offer_as") + " " + pick(template.title)),
            "intro": .string(noLine ? word("declare_first") : word("offer_intro")),
            "acts": noLine ? [] : [act.json], "back": "/market",
        ]
    }
}

extension Money {
    /// Whether it is written as no more than so many hundredths.
    fileprivate func isAtMost(_ hundredths: Int64) -> Bool {
        let scale = (0..<currency.fractionDigits).reduce(Int128(1)) { scale, _ in scale * 10 }
        return Int128(minor) * 100 <= Int128(hundredths) * scale
    }
}

public import Capacity
internal import Contracts
public import Entries
internal import Identity
internal import Ledger
public import Market

// What the offers that stand ask, in an order in which they can be compared.

extension Node {
    /// For one unit, all taken, the premium with it, rounded up; `nil` where the template names no price or
    /// is not here, and where no contract could name such a one: it would stand before all others.
    public func allIn(of offer: Offer) -> Money? {
        guard let template = templates[offer.template] else { return nil }
        var (premium, price) = (Money?.none, Money?.none)
        for argument in offer.arguments {
            guard case .money(let money) = argument.value else { continue }
            switch template.parameter(argument.name)?.kind {
            case .price where ["strike", "price"].contains(argument.name): price = money
            case .money where argument.name == "premium": premium = money
            default: break
            }
        }
        guard let price, price.minor >= 0 else { return nil }
        guard premium.map({ $0.minor >= 0 && $0.currency == price.currency }) ?? true else {
            return nil
        }
        let units = max(offer.maxUnits, 1)
        let all = premium?.minor ?? 0
        let share = all / units + (all % units > 0 ? 1 : 0)
        return try? Money(minor: price.minor + share, price.currency)
    }

    /// Something was said in public: what can be taken follows.
    mutating func list(_ entry: Entry, _ openings: Range<Int>) {
        let author = entry.header.author
        switch entry.kind {
        case .offer:
            if let standing = book.offer(entry.id) { list(standing) }
        case .wish:
            if let standing = book.wish(entry.id) { list(standing) }
        case .withdrawal:
            guard let offer = try? entry.read(Withdrawal.self).offer else { return }
            if book.offer(offer)?.withdrawn ?? true { market.remove(offer) }
            if book.wish(offer) == nil { wanted.remove(offer) }
        default:
            if openings.isEmpty { return }
            // A line counts from now on, or counts no more.
            let lines = Set(book[author]?.openings[openings].map(\.log) ?? [])
            for standing in book[author]?.offers ?? [] {
                if let line = standing.offer.line, lines.contains(line) { list(standing) }
            }
        }
    }

    /// A template came: what it makes of an offer's numbers is known now.
    mutating func listOffers(of template: Hash32) {
        for standing in book.standing(at: now) where standing.offer.template == template {
            list(standing)
        }
    }

    private mutating func list(_ standing: PublicLog.StandingOffer) {
        if standing.withdrawn { return }
        let price = allIn(of: standing.offer)
        let opening = standing.offer.line.flatMap { book[standing.author]?.opening(of: $0) }
        market.list(
            Quote(
                allIn: price?.minor ?? .max, decimals: price?.currency.fractionDigits ?? 2,
                time: standing.time, offer: standing.id, author: standing.author,
                alliance: standing.alliance,
                resource: opening.flatMap { $0.clashesWith == nil ? $0.terms.resource : nil },
                until: standing.offer.until))
    }

    private mutating func list(_ standing: PublicLog.StandingWish) {
        let wish = standing.wish
        wanted.list(
            Quote(
                allIn: wish.most.map { $0.minor > 0 ? -$0.minor : .max } ?? .max,
                decimals: wish.most?.currency.fractionDigits ?? 2, time: standing.time,
                offer: standing.id,
                author: standing.author, alliance: standing.alliance,
                resource: wish.terms.resource, until: wish.until))
    }

    /// Wishes for `resource` and what lies below it, in alliances that this node takes part in; whoever would
    /// pay most for a unit comes first. All of them under the empty path.
    public func wishes(under resource: String, at now: Instant) -> some Sequence<Quote> {
        standing(in: wanted, under: resource, at: now)
    }

    /// Offers for `resource` and what lies below it that can be taken now, in alliances that this node takes
    /// part in, the cheapest first. All of them under the empty path.
    public func quotes(under resource: String, at now: Instant) -> some Sequence<Quote> {
        standing(in: market, under: resource, at: now)
    }

    private func standing(in book: OrderBook, under resource: String, at now: Instant)
        -> some Sequence<Quote>
    {
        let ours = Set(alliances.map(\.topic))
        return book.quotes(under: resource).lazy.filter {
            $0.until >= now && ours.contains($0.alliance)
        }
    }
}

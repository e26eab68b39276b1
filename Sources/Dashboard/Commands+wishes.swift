import Capacity
import Contracts
import Entries
import Identity
import Market
import NodeCore

extension Commands {
    // MARK: - Wishes

    static func publishWish(_ node: inout Node, _ options: inout Options) throws -> Done {
        let terms = try lineTerms(&options)
        let units = try options.needNumber("units", atLeast: 1)
        let mostText = try options.one("most")
        let until = try options.needInstant("until").0
        let currency = try currency(&options)
        let alliance = try options.alliance(of: node)
        try options.finish()
        guard until > node.now else {
            throw Options.wrong("until", until.iso, "an instant after now", "晚于现在的时刻")
        }
        let most = try mostText.map { try price($0, currency, options) }
        let id = try node.publish(
            Wish(terms: terms, units: units, most: most, until: until), in: alliance)
        let view = View(node: node, now: node.now)
        let what = says(units, terms)
        let asking = most.map { money in
            let text = view.text(.money(money), .price)
            return Localized(en: ", for at most \(text) each", zh: "，单价不超过 \(text)")
        }
        return Done(
            value: node.book.wish(id).map(view.wish) ?? ["id": .string(id.hex)],
            says: Localized(
                en: "I look for \(what.en)\(asking?.en ?? ""), until \(until.iso).",
                zh: "我求购 \(what.zh)\(asking?.zh ?? "")，有效至 \(until.iso)。"))
    }

    private static func price(
        _ text: String, _ currency: Currency, _ options: Options
    ) throws -> Money {
        let value = try options.value(
            SettlementPlan.money, text, currency: currency, units: [], field: "most")
        guard case .money(let money) = value, money.minor > 0 else {
            throw Options.wrong("most", text, "money above 0", "大于 0 的金额")
        }
        return money
    }

    static func withdrawWish(_ node: inout Node, _ options: inout Options) throws -> Done {
        let wish = try node.wishID(
            try options.need("wish", Localized(en: "its id", zh: "求购编号")))
        try options.finish()
        try node.withdraw(wish)
        return Done(
            value: ["id": .string(wish.hex)],
            says: Localized(
                en: "I withdraw the wish \(wish.short).", zh: "我撤回求购 \(wish.short)。"))
    }

    static func listWishes(_ view: View, _ options: inout Options) throws -> JSON {
        let resource = try options.one("resource")
        let author = try options.one("by").map { try view.node.party($0, field: "by") }
        let place = try options.one("place")
        let alliance = try options.alliance(of: view.node)
        let page = try options.page()
        try options.finish()
        let quotes = view.node.wishes(under: resource ?? "", at: view.now)
        let wishes = quotes.lazy.compactMap { quote -> PublicLog.StandingWish? in
            guard alliance == nil || alliance == quote.alliance,
                author == nil || author == quote.author,
                view.node.isAt(place ?? "", quote.author)
            else { return nil }
            return view.node.book.wish(quote.offer)
        }
        let (shown, next) = page.cut(lazily: wishes, id: \.id.hex)
        return ["wishes": .array(shown.map(view.wish)), "next": next]
    }

    // MARK: - The owner's own profile

    static let profileFieldMax = 64
    static let profileTermsMax = 1024

    static func setProfile(_ node: inout Node, _ options: inout Options) throws -> Done {
        var profile = node.book[node.own.did]?.profile ?? Profile(name: node.own.did.shortDID)
        func short(_ name: String, _ text: String?, _ most: Int) throws -> String? {
            guard let text else { return nil }
            guard text.utf8.count <= most else {
                throw Options.wrong(
                    name, text, "at most \(most) bytes", "至多 \(most) 字节")
            }
            return text
        }
        let before = profile
        if let name = try short("name", try options.one("name"), profileFieldMax) {
            guard !name.isEmpty, name.isLegible else {
                throw Options.wrong(
                    "name", name, "a name of visible letters that turns no line",
                    "由可见文字组成、不改变书写方向的名称")
            }
            profile.name = name
        }
        profile.role = try short("role", try options.one("role"), profileFieldMax) ?? profile.role
        profile.place =
            try short("place", try options.one("place"), profileFieldMax) ?? profile.place
        profile.terms =
            try short("terms", try options.one("terms"), profileTermsMax) ?? profile.terms
        try options.finish()
        guard profile != before else {
            throw DoorRefusal(
                "profile_same", en: "nothing of this would change your profile",
                zh: "您的资料不会因此改变")
        }
        try node.publish(profile)
        return Done(
            value: identity(View(node: node, now: node.now)),
            says: Localized(
                en: "Everyone reads of me: \(said(profile)).", zh: "所有人看到的我：\(said(profile))。"))
    }

    private static func said(_ profile: Profile) -> String {
        [profile.name, profile.role, profile.place, profile.terms].filter { !$0.isEmpty }
            .joined(separator: " · ")
    }
}

extension Node {
    /// Whether the profile of `did` names a place with `text` in it; nobody is left out by no text.
    func isAt(_ text: String, _ did: DID) -> Bool {
        guard !text.isEmpty else { return true }
        let place = book[did]?.profile?.place.lowercased() ?? ""
        return place.contains(text.lowercased())
    }

    func wishID(_ text: String) throws(DoorRefusal) -> EntryID {
        if let whole = EntryID(hex: text), book.wish(whole) != nil { return whole }
        let all = book.authors.flatMap { book[$0]?.wishes ?? [] }.map(\.id)
        return try Self.unique(
            text, among: all, field: "wish", Localized(en: "wish", zh: "求购"),
            see: "talea wish list")
    }
}

extension View {
    func wish(_ standing: PublicLog.StandingWish) -> JSON {
        let (wish, terms) = (standing.wish, standing.wish.terms)
        return [
            "id": .string(standing.id.hex), "by": .string(standing.author.did),
            "by_name": .string(name(standing.author)),
            "place": .text(node.book[standing.author]?.profile?.place),
            "alliance": .text(allianceName(standing.alliance)),
            "resource": .string(terms.resource.path), "unit": .string(terms.unit.code),
            "start": instant(terms.window.start), "end": instant(terms.window.end),
            "units": .number(wish.units),
            "most": wish.most.map { .string(text(.money($0), .price)) } ?? .null,
            "until": instant(wish.until), "published": instant(standing.time),
        ]
    }
}

import Capacity
import Contracts
import HTTPTypes
import Hummingbird
import Identity
import NodeCore

// From a form to a preview, and from there to a signature.

extension Desk {
    /// The answer to a form that another session made, or that a reader sends.
    func stranger(_ visit: Visit, _ token: String, back: String) async -> Response? {
        guard DoorKey.same(token, visit.session.token) else {
            return await refused(
                visit, Self.words("form_token", "stale_form"), back: back, again: nil,
                status: .forbidden)
        }
        guard !visit.session.isReader else {
            return await refused(
                visit, Self.words("read_only", "reader"), back: back, again: nil, status: .forbidden
            )
        }
        return nil
    }

    func post(_ visit: Visit, _ form: [(String, String)]) async -> Response {
        func one(_ name: String) -> String { form.last { $0.0 == name }?.1 ?? "" }
        let back = Self.local(one("back"))
        let verb = one("verb")
        if let no = await stranger(visit, one("form-token"), back: back) { return no }
        if verb == Self.notifyVerb { return await setNotify(visit, form, back: back) }
        guard await commands.knows(verb), Manual.action(of: verb) != .reads else {
            return await refused(
                visit, Self.words("verb_unknown", "lost_says"), back: back, again: nil,
                status: .notFound)
        }
        if visit.isPhone, Manual.atTheComputer.contains(verb) {
            return await refused(
                visit, Self.words("at_the_computer", "at_the_computer"), back: back, again: nil,
                status: .forbidden)
        }
        let figures = Figures(visit.language, now: commands.clock())
        var request = CommandRequest(verb: verb, options: Self.options(form, figures))
        let signs = Manual.action(of: verb) == .signs
        if signs, one("sign") != "yes" {
            request.dryRun = true
            switch await commands.run(request) {
            case .success(let answer): return await preview(visit, form, verb, back, answer)
            case .failure(let refusal):
                return await refused(visit, refusal, back: back, again: (verb, form))
            }
        }
        if !one("basis").isEmpty { request.basis = one("basis") }
        let key = one("key").isEmpty ? Entropy.bytes(16).hex : String(one("key").prefix(64))
        let done = await repeats.once(visit.session.id.hex + " " + key, request) {
            await commands.run($0)
        }
        switch done?.answer {
        case nil:
            return await refused(
                visit, Self.words("idempotency_key_reused", "stale_form"), back: back, again: nil)
        case .failure(let refusal) where refusal.code == "changed_since_shown":
            (request.dryRun, request.basis) = (true, nil)
            switch await commands.run(request) {
            case .success(let answer):
                return await preview(visit, form, verb, back, answer, hasChanged: true)
            case .failure(let refusal):
                return await refused(visit, refusal, back: back, again: (verb, form))
            }
        case .failure(let refusal):
            return await refused(visit, refusal, back: back, again: (verb, form))
        case .success(let answer):
            let what = signs ? "done" : verb == "attachment fetch" ? "asked" : "kept"
            sessions.leave(["tone": "good", "what": .string(what)], for: visit.session)
            var place = back
            if verb == "contract propose", let id = answer["id"]?.string {
                place = "/contracts/" + id
            }
            return Self.redirect(place)
        }
    }

    static func words(_ code: String, _ key: String) -> DoorRefusal {
        let words = DeskWords.all[key] ?? Localized(en: code, zh: code)
        return DoorRefusal(code, en: words.en, zh: words.zh)
    }

    /// `o.`: as typed; `e.`: as typed, and emptied is said too; `m.`: money, however people write it; `t.`: a time of this machine's zone; `i.`: a list of
    /// such times, those filled in.
    static func options(_ form: [(String, String)], _ figures: Figures) -> [String: [String]] {
        var options: [String: [String]] = [:]
        func time(_ text: String) -> String {
            text.contains("T") && !text.hasSuffix("Z") ? figures.zoned(text) : text
        }
        for (name, value) in form {
            let text = String(value.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            guard name.count > 2, !text.isEmpty || Self.mayBeEmpty(name) else { continue }
            let option = String(name.dropFirst(2))
            switch name.prefix(2) {
            case "o.", "e.": options[option, default: []].append(text)
            case "m.":
                options[option, default: []].append(Self.sum(text))
            case "t.": options[option, default: []].append(time(text))
            case "i.":
                let before = options[option]?.first.map { $0.dropLast() + ", " } ?? "["
                options[option] = [before + time(text) + "]"]
            default: continue
            }
        }
        return options
    }

    /// `¥1,000.50` as programs write it. A comma that does not part thousands may be meant for a point, and stays:
    /// then it is refused where it is read, and not a hundred times as much.
    static func sum(_ text: String) -> String {
        let bare = String(text.filter { !"¥￥ ".contains($0) }.map { $0 == "，" ? "," : $0 })
        let groups = bare.prefix { $0 != "." }.split(
            separator: ",", omittingEmptySubsequences: false)
        let isGrouped =
            (1...3).contains(groups[0].count) && groups.dropFirst().allSatisfy { $0.count == 3 }
        return isGrouped ? groups.joined() + bare.drop { $0 != "." } : bare
    }

    /// The same in minor units; `nil` where it is no sum of at most so many decimals.
    static func minor(_ text: String, decimals: Int = 2) -> Int64? {
        let parts = sum(text).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            (1...15).contains(parts[0].count), parts.count == 1 || !parts[1].isEmpty
        else { return nil }
        let cents = parts.count == 1 ? "" : String(parts[1])
        guard cents.count <= decimals else { return nil }
        return Int64(parts[0] + cents + String(repeating: "0", count: decimals - cents.count))
    }

    func preview(
        _ visit: Visit, _ form: [(String, String)], _ verb: String, _ back: String, _ answer: JSON,
        hasChanged: Bool = false
    ) async -> Response {
        let language = visit.language.rawValue
        let figures = Figures(visit.language, now: commands.clock())
        func says(_ json: JSON?) -> String { figures.local(json?[language]?.string ?? "") }
        let shown = form.filter {
            Self.isOption($0.0) && (!$0.1.isEmpty || Self.mayBeEmpty($0.0))
        }
        let contract = form.last { $0.0 == "o.contract" }.flatMap { ContractID(hex: $0.1) }
        let (cast, given): (String, [JSON]) =
            (try? await rooms(visit) { rooms in
                let held = contract.flatMap { rooms.node.contracts[$0] }
                return (held.map(rooms.cast) ?? "", rooms.given(verb, shown))
            }) ?? ("", [])
        // A contract before it is signed: also what nobody typed.
        let would = answer["would"]
        let isNew = would?["terms"] != nil && would?["records"]?.array.isEmpty == true
        let typed = Set(shown.map { String($0.0.dropFirst(2)) })
        let agreed: [JSON] =
            !isNew
            ? []
            : (would?["terms"]?.array ?? []).compactMap { term in
                guard let name = term["name"]?.string,
                    !typed.contains(Options.plain(name)), !typed.contains(name)
                else { return nil }
                return [
                    "label": .string(term["title"]?[language]?.string ?? name),
                    "value": .string(Rooms.choice(says(term["text"]), visit.language)),
                ]
            }
        let deadlines: [JSON] = (answer["deadlines"]?.array ?? []).enumerated().map { index, one in
            let until = one["until"]?.string.flatMap { CivilTime.read($0)?.instant }
            return [
                "first": .bool(index == 0),
                "until": .string(until.map { figures.moment($0) } ?? ""),
                "otherwise": .string(says(one["otherwise"])),
            ]
        }
        let loses = (answer["may_lose"]?.fields ?? []).compactMap { field -> String? in
            guard let minor = field.value.number, let currency = try? Currency(field.name) else {
                return nil
            }
            return figures.money(Int128(minor), currency)
        }
        let data: JSON = [
            "changed": .bool(hasChanged), "basis": answer["basis"] ?? .null,
            "says": .string(says(answer["says"])),
            "about": .array((answer["about"]?.array ?? []).map { .string(says($0)) }),
            "cast": .string(cast),
            "given": given.isEmpty ? .null : ["rows": .array(given)],
            "agreed": agreed.isEmpty ? .null : ["rows": .array(agreed)],
            "clock": .string(isNew ? says(would?["clock"]) : ""),
            "still": .bool(!isNew),
            "moves": .array(
                (answer["would_move"]?.array ?? []).map { .string(says($0["says"])) }),
            "again": .string(says(answer["again"])),
            "deadlines": .array(deadlines), "worst": .string(says(answer["worst"])),
            "may_lose": .string(loses.joined(separator: " + ")),
            "verb": .string(verb), "back": .string(back), "key": .string(Entropy.bytes(16).hex),
            "hidden": .array(
                shown.map { ["name": .string($0.0), "value": .string($0.1)] }),
        ]
        return await page(
            visit, "preview", room: "preview",
            heading: DeskWords.all["check_title"]?[visit.language] ?? "", data)
    }

    /// What a form is about; the reader does not fill it in.
    static let fixed = [
        "contract", "record", "transition", "offer", "line", "template", "request", "did",
        "wish", "without-sequencer",
    ]

    static func isOption(_ name: String) -> Bool {
        ["o.", "e.", "m.", "t.", "i."].contains(name.prefix(2))
    }

    private static func mayBeEmpty(_ name: String) -> Bool { name.hasPrefix("e.") }

    /// What happened, that nothing was lost, and the form once more.
    func refused(
        _ visit: Visit, _ refusal: DoorRefusal, back: String,
        again: (verb: String, form: [(String, String)])?,
        status: HTTPResponse.Status = .unprocessableContent
    ) async -> Response {
        let (words, acts) =
            (try? await rooms(visit) { rooms in
                (
                    rooms.plain(refusal.message[visit.language]),
                    again.map { [rooms.again($0.verb, $0.form, back: back)] } ?? []
                )
            }) ?? (refusal.message[visit.language], [])
        return await page(
            visit, "refused", room: "refused",
            heading: DeskWords.all["refused_title"]?[visit.language] ?? "",
            [
                "message": .string(words), "code": .string(refusal.code), "back": .string(back),
                "acts": .array(acts),
            ], status: status)
    }

    /// A path of ours; never another site's address.
    static func local(_ path: String) -> String {
        path.hasPrefix("/") && !path.hasPrefix("//") && !path.contains("\\")
            && path.utf8.allSatisfy { $0 > 32 && $0 < 127 } ? path : "/"
    }
}

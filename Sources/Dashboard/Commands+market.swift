import Capacity
import Contracts
import Entries
import Identity
import Logs
import Market
import NodeCore

extension Commands {
    // MARK: - Lines

    /// What, when and in which unit: of a line, and of what somebody looks for.
    static func lineTerms(_ options: inout Options) throws -> LineTerms {
        let path = try options.need(
            "resource",
            Localized(en: "a name such as print/notebook/a5", zh: "资源名，如 print/notebook/a5"))
        let start = try options.needInstant("start")
        let end = try options.needInstant("end")
        let unit = try options.one("unit") ?? "C62"
        return LineTerms(
            resource: try worded("resource") { try Resource(path) },
            window: try worded("end") {
                try Window(start: start.0, end: end.0, offsetMinutes: start.offsetMinutes)
            }, unit: try worded("unit") { try UnitCode(unit) })
    }

    /// `300 C62 of print/notebook/a5, …`
    static func says(_ units: Int64, _ terms: LineTerms) -> Localized {
        let (path, unit, window) = (terms.resource.path, terms.unit.code, terms.window)
        return Localized(
            en: "\(units) \(unit) of \(path), \(window.start.iso) to \(window.end.iso)",
            zh: "\(path) \(units) \(unit)，自 \(window.start.iso) 至 \(window.end.iso)")
    }

    static func declareLine(_ node: inout Node, _ options: inout Options) throws -> Done {
        let terms = try lineTerms(&options)
        let total = try options.needNumber("total")
        let source = try options.one("source").map { try node.lineID($0) }
        let alliance = try options.alliance(of: node)
        try options.finish()
        let log = try node.declare(terms, total: total, source: source, in: alliance)
        let what = says(total, terms)
        return Done(
            value: View(node: node, now: node.now).line(log),
            says: Localized(en: "I declare \(what.en).", zh: "我申报 \(what.zh)。"),
            about: terms.window.end <= node.now
                ? [Localized(en: "This window is over already.", zh: "此时间段已经结束。")] : [])
    }

    static func adjustLine(_ node: inout Node, _ options: inout Options) throws -> Done {
        let log = try node.lineID(
            try options.need("line", Localized(en: "the line's id", zh: "产能线编号")))
        let total = try options.needNumber("total")
        let reason = try options.need("reason", Localized(en: "why", zh: "理由"))
        try options.finish()
        guard reason.utf8.count <= 1024 else {
            throw Options.wrong("reason", reason, "at most 1024 bytes", "至多 1024 字节")
        }
        try node.adjust(log, total: total, reason: reason)
        return Done(
            value: View(node: node, now: node.now).line(log),
            says: Localized(
                en: "I set the total to \(total): \(reason)", zh: "我把总量改为 \(total)：\(reason)"),
            about: View(node: node, now: node.now).about(log))
    }

    static func showLines(_ view: View, _ options: inout Options) throws -> JSON {
        let issuer = try options.one("issuer").map { try view.node.party($0, field: "issuer") }
        let resource = try options.one("resource")
        let line = try options.one("line").map { try view.node.lineID($0) }
        let alliance = try options.alliance(of: view.node)
        let page = try options.page()
        try options.finish()
        let logs = view.node.lines.values.filter { one in
            let opened = view.node.book[one.issuer]?.opening(of: one.log)?.alliance
            guard alliance == nil || opened == alliance else { return false }
            return (issuer == nil || one.issuer == issuer) && (line == nil || one.log == line)
                && (resource.map { Self.lies(one.terms.resource.path, under: $0) } ?? true)
        }
        .sorted { ($0.terms.resource, $0.log) < ($1.terms.resource, $1.log) }.map(\.log)
        let (shown, next) = page.cut(logs, id: \.hex)
        return ["lines": .array(shown.map(view.line)), "next": next]
    }

    static func lies(_ path: String, under wanted: String) -> Bool {
        path == wanted || path.hasPrefix(wanted + "/")
    }

    /// The rooms below know no option's name: here it is put beside their refusal.
    static func worded<T>(_ field: String, _ make: () throws -> T) throws -> T {
        do {
            return try make()
        } catch let refusal as CapacityRefusal {
            throw DoorRefusal(refusal, field: "--" + field).pointing(at: field)
        }
    }

    // MARK: - Offers

    static func publishOffer(_ node: inout Node, _ options: inout Options) throws -> Done {
        let template = try node.template(
            try options.need("template", Localized(en: "its name", zh: "模板名")))
        let line = try options.one("line").map { try node.lineID($0) }
        let maxUnits = try options.needNumber("max-units", atLeast: 1)
        let lot = try options.number("lot", atLeast: 1) ?? 1
        let until = try options.needInstant("until").0
        let alliance = try options.alliance(of: node)
        let currency = try currency(&options)
        guard maxUnits % lot == 0 else {
            throw Options.wrong(
                "max-units", "\(maxUnits)", "a multiple of the lot \(lot)", "每批 \(lot) 的整数倍")
        }
        guard until > node.now else {
            throw Options.wrong("until", until.iso, "an instant after now", "晚于现在的时刻")
        }
        let units = line.flatMap { node.lines[$0]?.terms.unit }.map { [$0] } ?? []
        var arguments: [String: Value] = [:]
        for parameter in template.parameters + template.terms where !parameter.onlyChild {
            // The offer's own lot stands for a parameter of that name.
            if parameter.name == "lot" {
                arguments["lot"] = try options.value(
                    parameter, "\(lot)", currency: currency, units: units)
                continue
            }
            guard let text = try options.one(parameter.name) else { continue }
            arguments[parameter.name] = try options.value(
                parameter, text, currency: currency, units: units)
        }
        try options.finish()
        let id = try node.publish(
            Offer(
                template: template.hash, line: line, arguments: [Argument](arguments),
                maxUnits: maxUnits, lot: lot, until: until), in: alliance)
        let view = View(node: node, now: node.now)
        return Done(
            value: node.book.offer(id).map(view.offer) ?? ["id": .string(id.hex)],
            says: Localized(
                en:
                    "I offer up to \(maxUnits) in lots of \(lot) until \(until.iso), as \(template.title.en).",
                zh: "我发布报价：\(template.title.zh)，至多 \(maxUnits)，每批 \(lot)，至 \(until.iso)。"),
            about: line.map(view.about) ?? [])
    }

    static func currency(_ options: inout Options, usual: Currency? = nil) throws -> Currency {
        let code = try options.one("currency") ?? usual?.code ?? "CNY"
        return try worded("currency") { try Currency(code) }
    }

    static func withdrawOffer(_ node: inout Node, _ options: inout Options) throws -> Done {
        let offer = try node.offerID(
            try options.need("offer", Localized(en: "its id", zh: "报价编号")))
        try options.finish()
        try node.withdraw(offer)
        let view = View(node: node, now: node.now)
        return Done(
            value: node.book.offer(offer).map(view.offer) ?? .null,
            says: Localized(
                en: "I withdraw the offer \(offer.short).", zh: "我撤回报价 \(offer.short)。"))
    }

    static func listOffers(_ view: View, _ options: inout Options) throws -> JSON {
        let resource = try options.one("resource")
        let issuer = try options.one("issuer").map { try view.node.party($0, field: "issuer") }
        let template = try options.one("template").map { try view.node.template($0) }
        let place = try options.one("place")
        let alliance = try options.alliance(of: view.node)
        let page = try options.page()
        try options.finish()
        // Of an alliance that was left nothing is offered any more.
        let quotes = view.node.quotes(under: resource ?? "", at: view.now)
        let offers = quotes.lazy.compactMap { quote -> PublicLog.StandingOffer? in
            guard alliance == nil || alliance == quote.alliance,
                issuer == nil || issuer == quote.author,
                view.node.isAt(place ?? "", quote.author),
                let standing = view.node.book.offer(quote.offer),
                template == nil || standing.offer.template == template?.hash
            else { return nil }
            return standing
        }
        let (shown, next) = page.cut(lazily: offers, id: \.id.hex)
        return ["offers": .array(shown.map(view.offer)), "next": next]
    }

    static func showOffer(_ view: View, _ options: inout Options) throws -> JSON {
        let offer = try view.node.offerID(
            try options.need("offer", Localized(en: "its id", zh: "报价编号")))
        try options.finish()
        guard let standing = view.node.book.offer(offer) else {
            throw NodeRefusal.offerUnknown(offer)
        }
        return view.offer(standing)
    }

    // MARK: - Templates

    static func listTemplates(
        _ view: View, _ options: inout Options, _ faults: [TemplateFault]
    ) throws -> JSON {
        try options.finish()
        let all = view.node.templates.values.sorted { ($0.name, $0.hash) < ($1.name, $1.hash) }
        let refused = faults.map { fault -> JSON in
            [
                "file": .string(fault.file),
                "message": ["en": .string(fault.says.en), "zh": .string(fault.says.zh)],
            ]
        }
        return ["templates": .array(all.map(view.template)), "refused": .array(refused)]
    }

    static func showTemplate(_ view: View, _ options: inout Options) throws -> JSON {
        let template = try view.node.template(
            try options.need("template", Localized(en: "its name", zh: "模板名")))
        try options.finish()
        return view.templateInFull(template)
    }
}

extension DoorRefusal {
    func pointing(at field: String) -> DoorRefusal {
        var copy = self
        copy.field = field
        return copy
    }
}

extension Sequence<Argument> {
    /// In which an offer names its prices; `nil` where it names none.
    var currency: Currency? {
        for argument in self {
            if case .money(let money) = argument.value { return money.currency }
        }
        return nil
    }
}

public import Contracts

/// One command as it travels: `{"verb","options","dry_run","basis"}`.
public struct CommandRequest: Hashable, Sendable {
    /// `line declare`, or a template's own words.
    public var verb: String
    public var options: [String: [String]]
    public var dryRun: Bool
    /// What its preview was worked out from, where one was shown: refused where that is not so any more.
    public var basis: String?

    public init(verb: String, options: [String: [String]] = [:], dryRun: Bool = false) {
        self.verb = verb
        self.options = options
        self.dryRun = dryRun
    }

    /// `nil` unless exactly of this shape; all but the verb may be left out.
    public init?(_ json: JSON) {
        guard case .object(let fields) = json, let verb = json["verb"]?.string,
            fields.allSatisfy({ ["verb", "options", "dry_run", "basis"].contains($0.name) })
        else { return nil }
        self.verb = verb
        options = [:]
        dryRun = false
        if let given = json["options"] {
            guard case .object(let fields) = given else { return nil }
            for field in fields {
                guard case .array(let items) = field.value else { return nil }
                let texts = items.compactMap(\.string)
                guard texts.count == items.count else { return nil }
                options[field.name] = texts
            }
        }
        if let given = json["dry_run"] {
            guard let truth = given.bool else { return nil }
            dryRun = truth
        }
        if let given = json["basis"] {
            guard let text = given.string else { return nil }
            basis = text
        }
    }

    public var json: JSON {
        let fields = options.sorted { $0.key < $1.key }.map {
            JSON.Field($0.key, .array($0.value.map { .string($0) }))
        }
        let command: JSON = [
            "verb": .string(verb), "options": .object(fields), "dry_run": .bool(dryRun),
        ]
        return basis.map { command.merging([.init("basis", .string($0))]) } ?? command
    }
}

/// A lawful no in words: which field, what was given, what would be right.
public struct DoorRefusal: Error, Hashable, Sendable {
    /// For programs; never translated.
    public var code: String
    public var field: String
    public var value: String
    public var message: Localized

    /// Of what was given, more is not repeated.
    private static let lettersMax = 80

    /// A long `field` or `value` is cut, also where the words quote it.
    public init(_ code: String, field: String = "", value: String = "", en: String, zh: String) {
        var (en, zh) = (en, zh)
        func cut(_ given: String) -> String {
            guard given.count > Self.lettersMax else { return given }
            let shown = String(given.prefix(Self.lettersMax)) + "…"
            (en, zh) = (en.putting(shown, for: given), zh.putting(shown, for: given))
            return shown
        }
        self.code = code
        self.value = cut(value)
        self.field = cut(field)
        message = Localized(en: en, zh: zh)
    }

    public var json: JSON {
        [
            "code": .string(code), "field": .string(field), "value": .string(value),
            "message": message.json,
        ]
    }

    public init?(_ json: JSON) {
        guard let code = json["code"]?.string, let en = json["message"]?["en"]?.string,
            let zh = json["message"]?["zh"]?.string
        else { return nil }
        self.init(
            code, field: json["field"]?.string ?? "", value: json["value"]?.string ?? "", en: en,
            zh: zh)
    }
}

extension Localized {
    public var json: JSON { ["en": .string(en), "zh": .string(zh)] }
}

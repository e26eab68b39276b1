public import Contracts
import NodeCore

// Which words are commands, and which ones a mistyped word may have meant.

extension Commands {
    /// Every verb that no template brings, also those that need no node.
    public static let verbs = Set(Manual.groups.flatMap(\.1).map(\.verb))
        .subtracting([Manual.anyTemplateVerb])

    /// The verbs of payments and disputes, the same in every contract, with what they may mean.
    static let builtIn: [String: [String]] = [
        "pay state": ["pay_state"], "pay receive": ["pay_receive"], "pay deny": ["pay_deny"],
        "rule": ["rule", "pay_rule"], "agree": ["agree"], "discharge": ["discharge"],
    ]
    static let defaultVerb = "default"

    /// What these templates add, with the moves that are in every contract.
    public static func verbs(of templates: some Collection<Template>) -> Set<String> {
        var words = Set(builtIn.keys).union([defaultVerb])
        for template in templates {
            if let verb = template.verb { words.insert(verb) }
            words.formUnion(template.transitions.filter { !$0.isDefault }.map(\.verb))
        }
        return words
    }

    /// Whether a node may answer it: built in, or of a template here.
    func knows(_ verb: String) async -> Bool {
        if Self.verbs.contains(verb) { return !Manual.alone.contains(verb) }
        await door.refreshTemplates()
        let added = try? await door.read { Self.verbs(of: $0.templates.values) }
        return added?.contains(verb) == true
    }

    func openAPI() async -> JSON {
        let templates = (try? await door.read { Array($0.templates.values) }) ?? []
        return OpenAPI.description(version: Self.wireVersion, templates: templates)
    }

    /// The refusal of a verb that is none, with those it may have meant.
    public static func unknown(
        _ verb: String, among templates: some Collection<Template>
    ) -> DoorRefusal {
        let added = verbs(of: templates)
        let near = nearest(verb, among: verbs.union(added))
        var (en, zh) = ("talea --help lists all", "全部命令见 talea --help")
        if !near.isEmpty {
            let list = near.joined(separator: ", ")
            en = "did you mean: \(list)? " + en
            zh = "是否指：\(list)？" + zh
        } else if !templates.isEmpty {
            let list = added.sorted().joined(separator: ", ")
            en = "talea --help lists those built in, the templates here add: \(list)"
            zh = "内建命令见 talea --help，此处模板另有：\(list)"
        }
        return DoorRefusal(
            "verb_unknown", field: "verb", value: verb,
            en: "“\(verb)” is no command here; \(en)", zh: "此处没有命令“\(verb)”；\(zh)")
    }

    /// At most five, the likeliest first: few letters differ, or the first word is the same.
    static func nearest(_ verb: String, among verbs: Set<String>) -> [String] {
        func first(_ text: String) -> Substring { text.prefix { $0 != " " } }
        return verbs.compactMap { other -> (Int, String)? in
            let edits = edits(verb, other)
            let close = edits <= max(1, verb.count / 4) || first(verb) == first(other)
            return close ? (edits, other) : nil
        }
        .sorted(by: <).prefix(5).map(\.1)
    }

    /// How many letters must be added, taken away or changed (Levenshtein).
    private static func edits(_ one: String, _ other: String) -> Int {
        var row = Array(0...other.count)
        for (line, letter) in one.enumerated() {
            var next = [line + 1]
            for (column, wanted) in other.enumerated() {
                let changed = row[column] + (letter == wanted ? 0 : 1)
                next.append(min(changed, row[column + 1] + 1, next[column] + 1))
            }
            row = next
        }
        return row[other.count]
    }
}

public import Contracts

/// One option of a verb, as its page in the manual writes it.
struct Usage: Hashable, Sendable {
    let name: String
    /// What stands for the value: `ID`, `I`, `N`, `WHO`; empty for a bare flag.
    let value: String
    let isRequired: Bool
    let repeats: Bool

    /// The words that it must be one of; empty where anything may stand.
    var choices: [String] {
        let words = value.split(separator: "|").map(String.init)
        let areWords = words.allSatisfy { $0.allSatisfy { $0.isLowercase || $0.isNumber } }
        return value.isEmpty || !areWords ? [] : words
    }
}

extension Manual.Page {
    /// The options that a node is asked with.
    var usages: [Usage] {
        var usages: [Usage] = []
        var depth = 0
        var name: String?
        func named(_ name: String) -> String {
            // The command line reads the code from its file.
            name == "code-file" ? "code" : name
        }
        func close(_ value: String, repeats: Bool) {
            guard let taken = name else { return }
            name = nil
            usages.append(
                Usage(name: named(taken), value: value, isRequired: depth == 0, repeats: repeats))
        }
        for word in words {
            switch word {
            case "[", "(", "]", ")", "|":
                close("", repeats: false)
                if "[(".contains(word) { depth += 1 } else if word != "|" { depth -= 1 }
            case "…":
                guard let last = usages.popLast() else { break }
                usages.append(
                    Usage(
                        name: last.name, value: last.value, isRequired: last.isRequired,
                        repeats: true))
            case _ where word.hasPrefix("--"):
                close("", repeats: false)
                name = String(word.dropFirst(2))
            default: close(word, repeats: false)
            }
        }
        close("", repeats: false)
        return usages.filter { !Self.isLocal($0.name) && $0.name.first?.isUppercase != true }
    }

    /// By option, the words that it must be one of.
    var choices: [String: [String]] {
        Dictionary(
            usages.filter { !$0.choices.isEmpty }.map { ($0.name, $0.choices) },
            uniquingKeysWith: { one, _ in one })
    }

    /// It also takes what a template calls its roles, parameters and arguments.
    var takesMore: Bool {
        words.contains { $0.hasPrefix("--") && $0.dropFirst(2).first?.isUppercase == true }
    }

    /// Read by the command line alone.
    private static func isLocal(_ name: String) -> Bool {
        ["passphrase-file", "out"].contains(name)
    }

    /// Brackets stand apart.
    private var words: [String] {
        var spaced = ""
        for character in options {
            spaced += "[]()".contains(character) ? " \(character) " : String(character)
        }
        return spaced.split(separator: " ").map(String.init)
    }
}

extension Manual {
    enum Action: Sendable { case reads, keeps, signs }

    /// The verbs that a node answers, in the order of the manual, with what they do to it.
    static let answered: [(page: Page, action: Action)] = groups.flatMap(\.1).compactMap { page in
        guard !alone.contains(page.verb), page.verb != anyTemplateVerb,
            page.verb != "recover" || page.options.contains("--accept-risk")
        else { return nil }
        return (page, action(of: page.verb))
    }

    static func action(of verb: String) -> Action {
        changing.contains(verb) ? .keeps : unsigned.contains(verb) ? .reads : .signs
    }
}

extension Manual {
    /// What may be typed behind a verb of one or two words: its options, and the words that some must be one of.
    public struct Offered: Sendable {
        public let verb: String
        public fileprivate(set) var options: [String]
        public fileprivate(set) var choices: [String: [String]] = [:]

        fileprivate static let everywhere = ["home", "json", "lang", "yes"]
    }

    /// Every verb once, those that `templates` bring with them.
    public static func offered(with templates: [Template]) -> [Offered] {
        var found: [Offered] = []
        func add(_ one: Offered) {
            guard let index = found.firstIndex(where: { $0.verb == one.verb }) else {
                return found.append(one)
            }
            found[index].options += one.options.filter { !found[index].options.contains($0) }
            found[index].choices.merge(one.choices) { one, _ in one }
        }
        for page in groups.flatMap(\.1) where page.verb != anyTemplateVerb {
            let signs = !unsigned.contains(page.verb) && !alone.contains(page.verb)
            add(
                Offered(
                    verb: page.verb,
                    options: page.options.matches(of: /--([a-z-]+)/).map { String($0.1) }
                        + Offered.everywhere + (signs ? ["dry-run"] : []),
                    choices: page.choices))
        }
        for template in templates { offered(by: template).forEach(add) }
        for (verb, arguments) in Template.everywhere { add(offered(verb, contract, arguments)) }
        return found
    }

    private static let contract = ["contract", "record", "wait"]

    private static func offered(_ verb: String, _ options: [String], _ values: [Parameter])
        -> Offered
    {
        var one = Offered(verb: verb, options: options + Offered.everywhere + ["dry-run"])
        for value in values {
            let name = String(Options.typed(value.name).dropFirst(2))
            if !one.options.contains(name) { one.options.append(name) }
            if case .choice(let words) = value.kind { one.choices[name] = words }
        }
        return one
    }

    /// The verb that proposes, and those of its steps.
    private static func offered(by template: Template) -> [Offered] {
        let proposing = template.verb.map { verb in
            offered(
                verb,
                ["offer", "line", "currency", "accept-by", "grant-by"]
                    + template.roles.map { Options.plain($0.name) },
                template.parameters + template.terms)
        }
        let steps = template.transitions.filter { !$0.isDefault }.map {
            offered($0.verb, contract, $0.arguments)
        }
        return [proposing].compactMap { $0 } + steps
    }
}

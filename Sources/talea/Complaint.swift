import Dashboard

/// What the parser of arguments, which knows English alone, complains of.
enum Complaint {
    /// `words` as the parser put them, for the reader of either language.
    static func refusal(_ words: String, _ line: Line) -> DoorRefusal {
        if words.hasPrefix("Missing expected argument"), let unknown = unknown(line) {
            return unknown
        }
        let verb = line.words.first ?? ""
        return DoorRefusal(
            "arguments", field: "", value: quoted(words).first ?? "",
            en:
                "\(words.hasSuffix(".") ? String(words.dropLast()) : words); see: talea help \(verb)",
            zh: "\(chinese(words))；用法见 talea help \(verb)")
    }

    /// An option that the verb does not know: the parser asks for what was meant instead.
    private static func unknown(_ line: Line) -> DoorRefusal? {
        let page = Manual.offered(with: []).first {
            line.words.starts(with: $0.verb.split(separator: " ").map(String.init))
        }
        guard let page, let name = line.options.keys.filter({ !page.options.contains($0) }).min()
        else { return nil }
        let list = page.options.sorted().map { "--" + $0 }.joined(separator: ", ")
        return DoorRefusal(
            "option_unknown", field: name, value: line.options[name]?.first ?? "",
            en: "--\(name) is not known here; known: \(list)",
            zh: "此处没有 --\(name)；可用：\(list)")
    }

    /// The common complaints; of any other the words that it quotes.
    private static func chinese(_ words: String) -> String {
        if let found = words.wholeMatch(of: /Unknown option '(.+)'\. Did you mean '(.+)'\?/) {
            return "没有选项“\(found.1)”，是否指“\(found.2)”？"
        }
        if let found = words.wholeMatch(of: /Unknown option '(.+)'/) {
            return "没有选项“\(found.1)”"
        }
        if let found = words.wholeMatch(of: /Missing value for '(.+)'/) {
            return "“\(found.1)”缺少取值"
        }
        if let found = words.wholeMatch(of: /Missing expected argument '(.+)'/) {
            return "缺少“\(found.1)”"
        }
        if let found = words.wholeMatch(of: /(?:\d+ u|U)nexpected arguments?:? '(.+)'/) {
            return "多余的参数：“\(found.1.replacing("', '", with: "”、“"))”"
        }
        if let found = words.wholeMatch(of: /The value '(.*)' is invalid for '(.+)'/) {
            return "“\(found.2)”的取值“\(found.1)”无效"
        }
        return "命令写法有误：" + quoted(words).map { "“\($0)”" }.joined(separator: "、")
    }

    private static func quoted(_ words: String) -> [String] {
        words.matches(of: /'(.+?)'/).map { String($0.1) }
    }
}

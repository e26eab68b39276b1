/// Why a template file is refused: where, and what would be right.
public struct TemplateRefusal: Error, Hashable, Sendable {
    /// From 1.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int
    public let what: Fault

    public indirect enum Fault: Hashable, Sendable {
        case tooLarge(bytes: Int, limit: Int)
        case notUTF8
        case notYAML(String)
        case tooDeep(limit: Int)
        /// Something of YAML that templates do not use: anchors, tags, block texts, tabs …
        case forbidden(String)
        /// `first`: the line of the other one.
        case duplicateKey(String, first: Int)
        case unknownKey(String, known: [String])
        case missingKey(String)
        case expected(String)
        case version(String)
        case badName(String)
        /// `first`: the line that gave the name its meaning; `free`: a name that has none.
        case nameTwice(String, first: Int, free: String)
        case nameReserved(String)
        case unknownName(String, known: Set<String> = [])
        case wrongKind(found: ValueKind, wanted: [ValueKind])
        case badLiteral(String, ValueKind)
        case termOutside(String, least: String, most: String)
        case tooMany(String, count: Int, limit: Int)
        case syntax(String, wanted: String)
        case unknownFunction(String, known: Set<String> = [])
        case argumentCount(String, found: Int, wanted: String)
        case expressionTooLong(tokens: Int, limit: Int)
        case expressionTooDeep(limit: Int)
        case unknownState(String, family: String, known: Set<String> = [])
        case unknownFamily(String, known: Set<String> = [])
        case defaultMissing(state: String)
        /// `known`: what is `by: default` at that state.
        case defaultUnknown(String, state: String, known: Set<String>)
        case defaultElsewhere(String, state: String, known: Set<String>)
        case defaultIdle(String)
        case unreachable(family: String, state: String)
        case onlyChild(String)
        case noArbiter
        case notMade(String, known: Set<String> = [])
        case madeTwice(String)
        case verbTwice(String)
        case fieldMissing(String, family: String)
    }

    public func words(_ language: Language) -> String {
        switch language {
        case .en: "line \(line), column \(column): \(english)"
        case .zh: "第 \(line) 行第 \(column) 列：\(chinese)"
        }
    }

    private var english: String {
        switch what {
        case .tooLarge(let bytes, let limit): "the file has \(bytes) bytes, at most \(limit)"
        case .notUTF8: "the file is not UTF-8"
        case .notYAML(let problem): "not YAML: \(problem)"
        case .tooDeep(let limit): "nested deeper than \(limit)"
        case .forbidden(let what): "\(what) is not used in templates; write it out or quote it"
        case .duplicateKey(let key, let first):
            "“\(key)” stands here a second time; the first is in line \(first)"
        case .unknownKey(let key, let known):
            "unknown key “\(key)”" + Suggestion.words(key, known, .en, most: known.count)
        case .missingKey(let key): "“\(key)” is missing"
        case .expected(let what): "expected \(what)"
        case .version(let found): "language version \(found); this node reads version 1"
        case .badName(let name):
            "“\(name)” is no name: a-z, 0-9, _ after a letter, at most 32"
        case .nameTwice(let name, let first, let free):
            "the name “\(name)” has its meaning from line \(first); take another, such as “\(free)”"
        case .nameReserved(let name): "“\(name)” is built in and cannot be defined"
        case .unknownName(let name, let known):
            "unknown name “\(name)”" + Suggestion.words(name, known, .en)
        case .wrongKind(let found, let wanted):
            "this is \(found.words(.en)), wanted "
                + wanted.map { $0.words(.en) }.joined(separator: " or ")
        case .badLiteral(let text, let kind): "“\(text)” is not \(kind.words(.en))"
        case .termOutside(let text, let least, let most):
            "“\(text)” is not a duration from \(least) to \(most), written like 90s, 30m, 2h or 3d"
        case .tooMany(let what, let count, let limit): "\(count) \(what), at most \(limit)"
        case .syntax(let found, let wanted): "“\(found)” here, wanted \(wanted)"
        case .unknownFunction(let name, let known):
            "unknown function “\(name)”" + Suggestion.words(name, known, .en)
        case .argumentCount(let name, let found, let wanted):
            "\(name) takes \(wanted) arguments, not \(found)"
        case .expressionTooLong(let tokens, let limit): "\(tokens) tokens, at most \(limit)"
        case .expressionTooDeep(let limit): "expression nested deeper than \(limit)"
        case .unknownState(let state, let family, let known):
            "\(family) has no state “\(state)” here" + Suggestion.words(state, known, .en)
        case .unknownFamily(let family, let known):
            "no record is called “\(family)”" + Suggestion.words(family, known, .en)
        case .defaultMissing(let state):
            "“\(state)” waits without `until` and `default`, `pay` or `dispute`"
        case .defaultUnknown(let name, let state, let known):
            "“\(name)”, the default of \(state), is no transition `by: default`"
                + Self.defaults(name, state, known, .en)
        case .defaultElsewhere(let name, let state, let known):
            "“\(name)” does not start at \(state)" + Self.defaults(name, state, known, .en)
        case .defaultIdle(let name): "no state names “\(name)” as its default"
        case .unreachable(let family, let state): "\(family).\(state) is never reached"
        case .onlyChild(let name):
            "“\(name)” exists only in a child, but a first contract reaches this"
        case .noArbiter: "`arbiter` must name a role of kind third"
        case .notMade(let name, let known):
            "“\(name)” is not made in this step" + Suggestion.words(name, known, .en)
        case .madeTwice(let name): "one step makes at most one “\(name)”"
        case .verbTwice(let verb): "the verb “\(verb)” cannot tell two transitions apart"
        case .fieldMissing(let field, let family): "\(family) starts without its “\(field)”"
        }
    }

    private var chinese: String {
        switch what {
        case .tooLarge(let bytes, let limit): "文件 \(bytes) 字节，至多 \(limit)"
        case .notUTF8: "文件不是 UTF-8"
        case .notYAML(let problem): "不是 YAML：\(problem)"
        case .tooDeep(let limit): "嵌套超过 \(limit) 层"
        case .forbidden(let what): "模板不使用 \(what)，请写明或加引号"
        case .duplicateKey(let key, let first): "“\(key)” 重复，首次在第 \(first) 行"
        case .unknownKey(let key, let known):
            "未知的键 “\(key)”" + Suggestion.words(key, known, .zh, most: known.count)
        case .missingKey(let key): "缺少 “\(key)”"
        case .expected(let what): "此处应为 \(what)"
        case .version(let found): "语言版本 \(found)；本节点读版本 1"
        case .badName(let name): "“\(name)” 不是名称：字母开头，a-z、0-9、_，至多 32 个"
        case .nameTwice(let name, let first, let free):
            "名称 “\(name)” 已在第 \(first) 行另有含义，请换一个，如 “\(free)”"
        case .nameReserved(let name): "“\(name)” 是内建名称，不能定义"
        case .unknownName(let name, let known):
            "未知的名称 “\(name)”" + Suggestion.words(name, known, .zh)
        case .wrongKind(let found, let wanted):
            "此处是\(found.words(.zh))，应为"
                + wanted.map { $0.words(.zh) }.joined(separator: "或")
        case .badLiteral(let text, let kind): "“\(text)” 不是\(kind.words(.zh))"
        case .termOutside(let text, let least, let most):
            "“\(text)” 不是 \(least) 至 \(most) 的时长，写法如 90s、30m、2h、3d"
        case .tooMany(let what, let count, let limit): "\(what) 有 \(count) 个，至多 \(limit)"
        case .syntax(let found, let wanted): "此处为 “\(found)”，应为 \(wanted)"
        case .unknownFunction(let name, let known):
            "未知的函数 “\(name)”" + Suggestion.words(name, known, .zh)
        case .argumentCount(let name, let found, let wanted):
            "\(name) 需要 \(wanted) 个参数，而非 \(found)"
        case .expressionTooLong(let tokens, let limit): "\(tokens) 个记号，至多 \(limit)"
        case .expressionTooDeep(let limit): "表达式嵌套超过 \(limit) 层"
        case .unknownState(let state, let family, let known):
            "\(family) 在此没有状态 “\(state)”" + Suggestion.words(state, known, .zh)
        case .unknownFamily(let family, let known):
            "没有名为 “\(family)” 的记录" + Suggestion.words(family, known, .zh)
        case .defaultMissing(let state):
            "“\(state)” 等待却没有 `until` 与 `default`、`pay` 或 `dispute`"
        case .defaultUnknown(let name, let state, let known):
            "\(state) 的默认 “\(name)” 不是 `by: default` 的步骤"
                + Self.defaults(name, state, known, .zh)
        case .defaultElsewhere(let name, let state, let known):
            "“\(name)” 不从 \(state) 开始" + Self.defaults(name, state, known, .zh)
        case .defaultIdle(let name): "没有状态以 “\(name)” 为默认"
        case .unreachable(let family, let state): "\(family).\(state) 永远到不了"
        case .onlyChild(let name): "“\(name)” 只在子合同中存在，而首份合同会走到这里"
        case .noArbiter: "`arbiter` 必须是 third 类角色"
        case .notMade(let name, let known):
            "本步骤没有产生 “\(name)”" + Suggestion.words(name, known, .zh)
        case .madeTwice(let name): "一步至多产生一个 “\(name)”"
        case .verbTwice(let verb): "动词 “\(verb)” 无法区分两个步骤"
        case .fieldMissing(let field, let family): "\(family) 起始缺少 “\(field)”"
        }
    }
}

extension TemplateRefusal {
    /// The defaults that a state could name; where there are none, how to write one.
    private static func defaults(
        _ name: String, _ state: String, _ known: Set<String>, _ language: Language
    ) -> String {
        if !known.isEmpty { return Suggestion.words(name, known, language) }
        switch language {
        case .en: return "; none does yet: write one with `at: \(state)` and `by: default`"
        case .zh: return "；尚无可用者：请写一个 `at: \(state)`、`by: default` 的步骤"
        }
    }

    init(_ place: Place, _ what: Fault) {
        self.init(line: place.line, column: place.column, what: what)
    }
}

/// Where something stands in the file, both from 1.
struct Place: Hashable, Sendable {
    var line: Int
    var column: Int

    func shifted(_ columns: Int) -> Place { Place(line: line, column: column + columns) }
}

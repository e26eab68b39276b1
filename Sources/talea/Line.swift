import Contracts
import Dashboard
import Glibc

/// A command line taken apart: words, `--key value` pairs that may repeat, and a few bare flags.
struct Line: Sendable {
    var words: [String] = []
    var options: [String: [String]] = [:]
    private var flags: Set<String> = []

    static let flagNames: Set<String> = [
        "json", "dry-run", "yes", "help", "version", "check", "no-passphrase", "offline", "hub",
        "qr", "reader", "wake", "lan", "phone", "sign",
    ]

    init(_ arguments: [String]) throws(DoorRefusal) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "-h" {
                flags.insert("help")
            } else if argument == "-o" {
                try take("out", &rest)
            } else if argument.hasPrefix("--"), argument.utf8.count > 2 {
                let body = argument.dropFirst(2)
                if let equals = body.firstIndex(of: "=") {
                    let name = String(body[..<equals])
                    guard !Self.flagNames.contains(name) else {
                        throw DoorRefusal(
                            "value_unwanted", field: name, value: argument,
                            en: "“\(argument)”: --\(name) takes no value; write --\(name) alone",
                            zh: "“\(argument)”：--\(name) 不带取值；只写 --\(name)")
                    }
                    options[name, default: []].append(String(body[body.index(after: equals)...]))
                } else if Self.flagNames.contains(String(body)) {
                    flags.insert(String(body))
                } else {
                    try take(String(body), &rest)
                }
            } else {
                words.append(argument)
            }
        }
        if options["home"]?.last == "" { throw Self.missing("home") }
        if let given = options["lang"]?.last, Language(rawValue: given) == nil {
            throw DoorRefusal(
                "value_unreadable", field: "lang", value: given,
                en: "--lang “\(given)”: wanted en or zh", zh: "--lang “\(given)”：应为 en 或 zh")
        }
    }

    private mutating func take(_ name: String, _ rest: inout ArraySlice<String>) throws(DoorRefusal)
    {
        guard let value = rest.first, !value.hasPrefix("--") else { throw Self.missing(name) }
        rest = rest.dropFirst()
        options[name, default: []].append(value)
    }

    private static func missing(_ name: String) -> DoorRefusal {
        DoorRefusal(
            "value_missing", field: name, en: "--\(name) has no value; write --\(name) VALUE",
            zh: "--\(name) 缺少取值；请写 --\(name) 取值")
    }

    /// The last `--lang`, also of arguments that do not come apart otherwise.
    static func language(of arguments: [String]) -> Language {
        var asked: String?
        for (argument, next) in zip(arguments, arguments.dropFirst() + [""]) {
            if argument == "--lang" { asked = next }
            if argument.hasPrefix("--lang=") { asked = String(argument.dropFirst(7)) }
        }
        return .chosen(asked)
    }

    func has(_ flag: String) -> Bool { flags.contains(flag) }

    var language: Language { .chosen(options["lang"]?.last) }

    var home: String {
        let given = options["home"]?.last ?? "~/.talea"
        guard given == "~" || given.hasPrefix("~/") else { return given }
        return (getenv("HOME").map { String(cString: $0) } ?? "") + given.dropFirst()
    }

    var verb: String { words.joined(separator: " ") }
}

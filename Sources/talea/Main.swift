import Contracts
import Dashboard
import Glibc

/// The command line. A verb goes to the running node of its home over the loopback door; `init`, `run`,
/// `recover`, `backup`, `restore`, `doctor`, `verify` and `template check`, `new` and `diff` need no node.
@main
enum Main {
    /// What scripts read. 0: all well.
    enum Exit {
        static let checkFailed: Int32 = 1
        static let refused: Int32 = 2
        static let notRunning: Int32 = 3
    }

    static let version = "0.1.0"

    static func main() async {
        let code = await run(Array(CommandLine.arguments.dropFirst()))
        fflush(nil)
        exit(code)
    }

    static func run(_ arguments: [String]) async -> Int32 {
        let line: Line
        do {
            line = try Line(arguments)
        } catch {
            return Terminal.refuse(
                error, json: arguments.contains("--json"), Line.language(of: arguments))
        }
        if line.has("version") {
            print("talea \(version), wire version \(Commands.wireVersion)")
            return 0
        }
        if line.has("help") || line.words.isEmpty || line.words.first == "help" {
            let words = line.words.filter { $0 != "help" }
            print(
                Manual.text(words.joined(separator: " "), version: version, line.language))
            return 0
        }
        switch line.words.first {
        case "init", "run", "verify", "simulate", "backup", "restore", "doctor",
            "completions", "notify":
            return await Local.run(arguments, line)
        case "open": return await Open.run(line)
        case "recover" where line.options["accept-risk"] == nil:
            return await Local.run(arguments, line)
        case "template" where ["check", "new", "diff"].contains(line.words.dropFirst().first):
            return await Local.run(arguments, line)
        case "attachment" where ["add", "get"].contains(line.words.dropFirst().first):
            return await Remote(line: line).attach()
        case "sync": return await Remote(line: line).carry()
        default: return await Remote(line: line).run()
        }
    }
}

extension Language {
    /// `--lang`, else the environment's.
    static func chosen(_ text: String?) -> Language {
        if let text, let language = Language(rawValue: text) { return language }
        for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
            guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else {
                continue
            }
            return value.hasPrefix("zh") ? .zh : .en
        }
        return .en
    }
}

import Contracts
import Dashboard
import FoundationEssentials
import Glibc

/// `talea open`: a link to the owner's pages, good once, and the browser where there is one.
enum Open {
    static func run(_ line: Line) async -> Int32 {
        let unknown = line.options.keys.filter { $0 != "home" && $0 != "lang" }.sorted()
        if let name = unknown.first ?? line.words.dropFirst().first {
            return Terminal.refuse(
                DoorRefusal(
                    "option_unknown", field: name,
                    en: "“\(name)” is not known here; known: --reader",
                    zh: "此处没有“\(name)”；可用：--reader"),
                json: line.has("json"), line.language)
        }
        let link: String
        do {
            link = try await DoorClient(home: line.home).link(isReader: line.has("reader"))
        } catch {
            return Remote(line: line).unreachable(error)
        }
        if line.has("json") {
            print((["link": .string(link)] as JSON).text(pretty: true))
            return 0
        }
        print(link)
        if hasScreen { show(link) }
        return 0
    }

    private static var hasScreen: Bool {
        let names: [String] = ["DISPLAY", "WAYLAND_DISPLAY"]
        return names.contains { name in getenv(name).map { $0.pointee != 0 } ?? false }
    }

    /// By whatever opens links on this desktop; that it is missing is no error, the link stands printed.
    private static func show(_ link: String) {
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("xdg-open"), strdup(link), nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        _ = posix_spawnp(&child, "xdg-open", nil, nil, &arguments, environ)
    }
}

import Foundation

/// The only place of these tests that touches disk and environment.
func readFile(_ path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: path).map { [UInt8]($0) }
}

func number(in variable: String) -> Int? {
    ProcessInfo.processInfo.environment[variable].flatMap { Int($0) }
}

func replacing(_ text: String, _ old: String, _ new: String) -> String {
    text.replacingOccurrences(of: old, with: new)
}

/// The figures and names that a sentence tells, which it must tell in every language.
func facts(_ sentence: String) -> [String] {
    sentence.matches(of: /“[^”]*”|`[^`]*`|[0-9]+/).map { String($0.output) }.sorted()
}

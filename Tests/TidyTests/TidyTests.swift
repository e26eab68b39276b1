import Foundation
import Testing

/// The picture in docs/ARCHITECTURE.md, held: SwiftPM alone does not look at imports.
@Suite struct TidyTests {
    /// Room → rooms and outside modules it may import.
    private static let allowed: [String: Set<String>] = [
        "Capacity": ["HashTreeCollections"],
        "Identity": ["CSodium"],
        "Entries": ["Identity", "Capacity"],
        "Ledger": ["Identity", "Capacity", "HashTreeCollections"],
        "Replication": ["Identity", "HashTreeCollections"],
        "Contracts": ["Entries", "Ledger", "Capacity", "Identity", "Yams"],
        "Market": ["Entries", "Capacity", "Identity", "HashTreeCollections"],
        "Logs": ["Entries", "Capacity", "Identity", "HashTreeCollections"],
        "NodeCore": made.union(["Replication", "HashTreeCollections"]),
        "Transport": [
            "Replication", "Identity", "NIOCore", "NIOPosix", "NIOTLS", "NIOSSL", "X509", "Crypto",
            "SwiftASN1", "Logging", "HeapModule",
        ],
        "Storage": made.union(["NodeCore", "Replication", "GRDB"]),
        "Dashboard": made.union([
            "NodeCore", "Replication", "Hummingbird", "HummingbirdCore", "HummingbirdTLS",
            "Mustache", "ServiceLifecycle",
            "Logging", "NIOSSL",
            "NIOCore", "NIOPosix", "NIOHTTP1", "HTTPTypes", "CoreMetrics", "CQrencode",
        ]),
        "Simulation": made.union(["NodeCore", "Replication"]),
        "Hardware": made.union(["Simulation", "Storage", "CFaultDisk", "NodeCore", "Replication"]),
        "NodeDaemon": made.union([
            "Transport", "Storage", "Dashboard", "NodeCore", "Replication", "ServiceLifecycle",
            "UnixSignals", "Logging", "CoreMetrics",
        ]),
        "talea-negentropy-harness": ["Replication", "Identity"],
        "talea": made.union([
            "NodeDaemon", "Hardware", "Dashboard", "Simulation", "ArgumentParser",
        ]),
    ]
    /// What a node is made of.
    private static let made: Set<String> = [
        "Contracts", "Market", "Logs", "Ledger", "Entries", "Capacity", "Identity",
    ]
    private static let pure: Set<String> = [
        "Capacity", "Identity", "Entries", "Ledger", "Replication", "Contracts", "Market", "Logs",
        "NodeCore",
    ]
    /// The platform, for edges alone.
    private static let platform: Set<String> = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch", "Glibc",
        "Synchronization",
    ]

    @Test func `every import follows the picture`() throws {
        for source in try sources() {
            let room = source.room
            let edges = try #require(Self.allowed[room], "\(room) is not in the picture")
            let allowed = Self.pure.contains(room) ? edges : edges.union(Self.platform)
            for module in source.imports {
                #expect(allowed.contains(module), "\(source.path) imports \(module)")
            }
        }
    }

    @Test func `pure rooms read no clock, roll no dice, print nothing and never give up`() throws {
        let banned = [
            "Date()", ".random", "SystemRandomNumberGenerator", "ContinuousClock",
            "SuspendingClock", "UUID()", "print(", "try!", "fatalError", "Task {", "Task.",
        ]
        for source in try sources() where Self.pure.contains(source.room) {
            for (number, line) in source.code {
                for word in banned where line.holds(word) {
                    Issue.record("\(source.path):\(number) has \(word)")
                }
            }
        }
    }

    /// Where one is read at run time, the library copies between two places that overlap.
    @Test func `no key path leads through an optional`() throws {
        for source in try sources() {
            for (number, line) in source.code {
                #expect(!line.contains(/\\\.[\w.]+\?\./), "\(source.path):\(number)")
            }
        }
    }

    @Test func `every room has a front page that names it`() throws {
        for room in Self.allowed.keys.sorted() {
            let page = try text(root.appending(path: "Sources/\(room)/README.md"))
            #expect(page.hasPrefix("# \(room)"), "Sources/\(room)/README.md")
        }
    }

    @Test func `no source file is longer than six hundred lines or left half done`() throws {
        for source in try sources() {
            #expect(source.lines.count <= 600, "\(source.path)")
            for (index, line) in source.lines.enumerated() {
                #expect(!line.contains("TO" + "DO"), "\(source.path):\(index + 1)")
                #expect(!line.contains("FIX" + "ME"), "\(source.path):\(index + 1)")
            }
        }
    }

    @Test func `the eye that checks sees what it should see`() {
        let source = Source(
            room: "Capacity", path: "x",
            lines: [
                "public import Identity", "@testable import Logs", "import struct Foundation.Date",
                "// import Nothing", "let important = 1", "internal import CSodium  // why",
            ])
        #expect(source.imports == ["Identity", "Logs", "Foundation", "CSodium"])
        #expect(source.code.count == 5)
        #expect("  print(1)".holds("print("))
        #expect(!"fingerprint(1)".holds("print("))
    }

    private struct Source {
        let room: String
        let path: String
        let lines: [String]

        var imports: [String] {
            lines.compactMap { line in
                var words = line.split(whereSeparator: \.isWhitespace)
                while let first = words.first, first.hasPrefix("@") || Self.levels.contains(first) {
                    words.removeFirst()
                }
                guard words.count > 1, words[0] == "import" else { return nil }
                let name = Self.kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
                return name.split(separator: ".").first.map(String.init)
            }
        }

        /// Lines that are not comments, with their numbers.
        var code: [(Int, String)] {
            lines.enumerated().compactMap { index, line in
                line.drop(while: \.isWhitespace).hasPrefix("//") ? nil : (index + 1, line)
            }
        }

        private static let levels: Set<Substring> = [
            "public", "package", "internal", "fileprivate", "private",
        ]
        private static let kinds: Set<Substring> = [
            "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
        ]
    }

    private let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func sources() throws -> [Source] {
        let base = root.appending(path: "Sources").path
        let walker = try #require(FileManager.default.enumerator(atPath: base))
        var found: [Source] = []
        for case let path as String in walker where path.hasSuffix(".swift") {
            let lines = try text(URL(filePath: "\(base)/\(path)")).split(
                separator: "\n", omittingEmptySubsequences: false)
            found.append(
                Source(
                    room: String(path.prefix { $0 != "/" }), path: path,
                    lines: lines.map(String.init)))
        }
        #expect(found.count > 40)
        return found.sorted { $0.path < $1.path }
    }

    private func text(_ file: URL) throws -> String {
        String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }
}

extension String {
    /// Whether `word` stands in it, not as the tail of a longer one: `fingerprint(` is no `print(`.
    fileprivate func holds(_ word: String) -> Bool {
        ranges(of: word).contains { range in
            guard word.first?.isLetter == true, range.lowerBound > startIndex else { return true }
            let before = self[index(before: range.lowerBound)]
            return !before.isLetter && !before.isNumber && before != "_"
        }
    }
}

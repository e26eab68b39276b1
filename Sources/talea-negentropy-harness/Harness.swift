import Foundation
import Identity
import Replication

/// One side of a reconciliation, driven line by line.
@main struct Harness {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        do {
            if arguments.first == "bench" {
                try Bench.run(Array(arguments.dropFirst()))
            } else {
                var side = try Side(ProcessInfo.processInfo.environment)
                while let line = readLine() {
                    for answer in try side.perform(line) { print(answer) }
                    fflush(nil)
                }
            }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }
}

enum HarnessRefusal: Error {
    case line(String)
    case environment(String)
}

struct Side {
    private let policy: SplitPolicy
    private let frameLimit: Int
    private let storesTree: Bool
    private var items: [Item] = []
    private var storage: (any ItemStorage)?
    private var reconciliation: Reconciliation?
    private var isInitiator = false

    init(_ environment: [String: String]) throws {
        guard let policy = SplitPolicy(rawValue: environment["TALEA_POLICY"] ?? "reference"),
            let frameLimit = Int(environment["FRAMESIZELIMIT"] ?? "0")
        else { throw HarnessRefusal.environment("TALEA_POLICY or FRAMESIZELIMIT") }
        self.policy = policy
        self.frameLimit = frameLimit
        storesTree = environment["TALEA_STORAGE"] == "tree"
    }

    mutating func perform(_ line: String) throws -> [String] {
        let words = line.split(separator: ",", omittingEmptySubsequences: false)
        switch (words[0], words.count) {
        case ("item", 3):
            guard storage == nil, let time = UInt64(words[1]),
                let id = ItemID(hex: String(words[2]))
            else { break }
            items.append(Item(timestamp: time, id: id))
            return []
        case ("seal", 1):
            guard storage == nil else { break }
            let sorted = try SortedItems(items)
            if storesTree {
                var tree = ItemTree()
                for item in items { tree.insert(item) }
                storage = tree
            } else {
                storage = sorted
            }
            return []
        case ("initiate", 1):
            isInitiator = true
            let reconciliation = try begin()
            return ["msg," + reconciliation.initiate().hex]
        case ("msg", 2):
            guard let message = [UInt8](hex: String(words[1])) else { break }
            if reconciliation == nil { _ = try begin() }
            guard isInitiator else {
                let answer = try reconciliation?.answer(message) ?? []
                return ["msg," + answer.hex]
            }
            guard let finding = try reconciliation?.advance(message) else { break }
            return finding.have.map { "have," + $0.hex } + finding.need.map { "need," + $0.hex }
                + [finding.message.map { "msg," + $0.hex } ?? "done"]
        default: break
        }
        throw HarnessRefusal.line(line)
    }

    private mutating func begin() throws -> Reconciliation {
        guard let storage, reconciliation == nil else { throw HarnessRefusal.line("not sealed") }
        let fresh = try Reconciliation(
            of: storage, asInitiator: isInitiator, policy: policy, frameLimit: frameLimit)
        reconciliation = fresh
        return fresh
    }
}

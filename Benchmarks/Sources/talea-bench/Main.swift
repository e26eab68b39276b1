import Foundation
import Identity

/// One subject of a benchmark, by its name and numbers.
@main struct Main {
    static func main() async {
        _ = Sodium.start()
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        do {
            switch (arguments.first, numbers.count) {
            case ("entries", 2) where arguments.count == 4:
                try Rows.write(founding: bytes(ofHex: arguments[1]), numbers[0], numbers[1])
            case ("sync", 2): try tell(Sync.run(authors: numbers[0], each: numbers[1]))
            case ("calm", 2): try tell(Calm.run(contracts: numbers[0], alliances: numbers[1]))
            case ("logs", 1): try tell(Sync.memory(logs: numbers[0]))
            case ("steps", 2): try tell(Steps.run(contracts: numbers[0], each: numbers[1]))
            case ("live", 2): try await tell(Ingest.live(authors: numbers[0], each: numbers[1]))
            case ("runs", 2): try await tell(Ingest.runs(authors: numbers[0], each: numbers[1]))
            case ("commits", 3):
                try await tell(
                    Commits.run(contracts: numbers[0], each: numbers[1], batch: numbers[2]))
            case ("offers", 1): try await tell(Offers.run(numbers[0]))
            case ("rebuild", 1): try await tell(Moves.rebuild(numbers[0]))
            case ("transfers", 2): try await tell(Moves.durable(numbers[0], batch: numbers[1]))
            default: throw BenchRefusal.usage
            }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func tell(_ figures: [String: Double]) throws {
        let data = try JSONSerialization.data(withJSONObject: figures, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }

    private static func bytes(ofHex text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(digits[$0] * 16 + digits[$0 + 1])
        }
    }
}

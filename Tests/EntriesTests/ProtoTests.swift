import Fixtures
import Foundation
import Testing

/// docs/wire/talea.proto says what Sources/Entries does: protoc, which knows nothing of us, reads our
/// bytes without a field left over and writes the same bytes again.
@Suite struct ProtoTests {
    private static let proto = Vectors.repository.appending(path: "docs/wire/talea.proto").path
    /// In CI protoc must be there; elsewhere its absence skips the test.
    private static let protocRuns =
        Vectors.inCI || (try? Vectors.run(["protoc", "--version"]).status) == 0

    @Test(.enabled(if: protocRuns), arguments: 0..<Seeded.messageKinds)
    func `protoc reads and writes what we write`(kind: Int) throws {
        var random = Seeded(UInt64(kind) + 100)
        for _ in 0..<3 {
            let message = random.message(kind)
            let decoded = try protoc("--decode", message.name, message.bytes)
            let text = String(decoding: decoded, as: UTF8.self)
            let unknown = text.split(separator: "\n").filter {
                $0.drop { $0 == " " }.first?.isNumber == true
            }
            #expect(unknown.isEmpty, "\(message.name): \(unknown)")
            let encoded = try protoc("--encode", message.name, decoded)
            #expect(encoded == message.bytes, "\(message.name):\n\(text)")
        }
    }

    @Test(.enabled(if: protocRuns))
    func `a field the specification does not know would be noticed`() throws {
        let message = try protoc("--decode", "Withdrawal", [0x10, 7])
        #expect(String(decoding: message, as: UTF8.self).hasPrefix("2: 7"))
    }

    private func protoc(_ verb: String, _ name: String, _ input: [UInt8]) throws -> [UInt8] {
        let folder = URL(filePath: Self.proto).deletingLastPathComponent().path
        let outcome = try Vectors.run(
            ["protoc", "-I", folder, "\(verb)=talea.v1.\(name)", Self.proto], input: input)
        #expect(outcome.status == 0, "\(name): \(outcome.complaint)")
        return outcome.output
    }
}

import Entries
import FoundationEssentials

/// The founding of an alliance as one word to hand on: `talea-invite:` and the founding body in base64url
/// (RFC 4648 §5, no padding). It names no address; `talea peer add` does.
public enum Invitation {
    public static let lead = "talea-invite:"

    public static func code(foundingBody: [UInt8]) -> String {
        let text = Data(foundingBody).base64EncodedString()
        let safe = text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }
        return lead + String(safe)
    }

    /// The founding body; `nil` where the text is no such code. Blanks around it do not matter.
    public static func read(_ text: String) -> [UInt8]? {
        let trimmed = text.split(whereSeparator: \.isWhitespace).joined()
        guard trimmed.hasPrefix(lead) else { return nil }
        var base64 = String(
            trimmed.dropFirst(lead.count).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        guard let data = Data(base64Encoded: base64), !data.isEmpty else { return nil }
        let bytes = [UInt8](data)
        guard code(foundingBody: bytes) == trimmed, (try? Founding(strict: bytes)) != nil else {
            return nil
        }
        return bytes
    }
}

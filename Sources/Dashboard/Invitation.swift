public import Entries
import FoundationEssentials

/// An invitation as one word to hand on: `talea-invite:` and the message in base64url (RFC 4648 §5, no
/// padding).
extension Invitation {
    public static let lead = "talea-invite:"

    public var code: String {
        let text = Data(wire).base64EncodedString()
        let safe = text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }
        return Self.lead + String(safe)
    }

    /// `nil` where the text is no such code. Blanks in it do not matter.
    public init?(code text: String) {
        let trimmed = text.split(whereSeparator: \.isWhitespace).joined()
        guard trimmed.hasPrefix(Self.lead) else { return nil }
        var base64 = String(
            trimmed.dropFirst(Self.lead.count).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        guard let data = Data(base64Encoded: base64),
            let invitation = try? Invitation(strict: [UInt8](data)), invitation.code == trimmed,
            (try? Founding(strict: invitation.foundingBody)) != nil
        else { return nil }
        self = invitation
    }
}

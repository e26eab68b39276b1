/// One service of `_talea._tcp` as `avahi-browse --parsable --resolve` tells of it, a line at a time. Anybody in
/// the network writes what it holds.
public struct Announcement: Hashable, Sendable {
    /// What it is called on this interface; it comes and goes under this name.
    public struct Name: Hashable, Sendable {
        let network: String
        public let instance: String
    }

    public let name: Name
    public let host: String
    public let port: Int
    /// The strings of its TXT record, in their order.
    public let texts: [String]

    public static let service = "_talea._tcp"
    static let lineBytesMax = 4_096

    public enum Change: Hashable, Sendable {
        case came(Announcement)
        case went(Name)
    }

    /// `nil`: nothing of ours, not resolved yet, or no line that avahi writes.
    public static func read(_ line: String) -> Change? {
        guard line.utf8.count <= lineBytesMax else { return nil }
        // Whatever is no letter or digit in a name is escaped, so semicolons divide fields alone.
        let fields = line.split(
            separator: ";", maxSplits: 9, omittingEmptySubsequences: false
        ).map(String.init)
        guard fields.count >= 6, fields[4] == service else { return nil }
        let name = Name(network: fields[1] + ";" + fields[2], instance: fields[3])
        switch fields[0] {
        case "-": return .went(name)
        case "=":
            guard fields.count == 10, let port = Int(fields[8]), (1...65_535).contains(port) else {
                return nil
            }
            // Within a link, an address of IPv6 means nothing without the link's name.
            guard !fields[7].lowercased().hasPrefix("fe80") else { return nil }
            let texts = fields[9].split(separator: "\"").map(String.init).filter { $0 != " " }
            return .came(
                Announcement(name: name, host: fields[7], port: port, texts: texts))
        default: return nil
        }
    }
}

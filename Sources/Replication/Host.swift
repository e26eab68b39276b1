/// The host of an address as somebody else wrote it: what it could reach, and whom one owner gets together.
public enum Host: Hashable, Sendable {
    case v4([UInt8])
    case v6([UInt8])
    /// Lower case, without a dot at the end.
    case name(String)

    /// How far away it is. What another names is dialed only where we can be reached ourselves.
    public enum Reach: Sendable {
        case loopback
        /// Private and link-local addresses.
        case local
        case global
    }

    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let bytes = Self.v6(text) else { return nil }
            let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10...11] == [255, 255]
            self = isMapped ? .v4(Array(bytes[12...])) : .v6(bytes)
        } else if let bytes = Self.v4(text[...]) {
            self = .v4(bytes)
        } else {
            guard let name = Self.name(text) else { return nil }
            self = .name(name)
        }
    }

    /// An IPv4 /16 or IPv6 /32. All names are one group: they cost nothing.
    public var group: [UInt8] {
        switch self {
        case .v4(let bytes): [4] + bytes.prefix(2)
        case .v6(let bytes): [6] + bytes.prefix(4)
        case .name: [0]
        }
    }

    /// `nil` where nobody listens: multicast, and addresses that stand for none.
    public var reach: Reach? {
        switch self {
        case .v4(let bytes):
            switch (bytes[0], bytes[1]) {
            case (0, _), (224..., _): nil
            case (127, _): .loopback
            case (10, _), (172, 16...31), (192, 168), (169, 254), (100, 64...127): .local
            default: .global
            }
        case .v6(let bytes):
            switch (bytes[0], bytes[1]) {
            case (0, 0) where bytes.dropLast().allSatisfy { $0 == 0 }:
                bytes[15] == 1 ? .loopback : nil
            case (255, _): nil
            case (0xfc...0xfd, _), (0xfe, 0x80...0xbf): .local
            default: .global
            }
        case .name(let name): name == "localhost" ? .loopback : .global
        }
    }

    // MARK: - Reading

    private static func v4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            // One spelling: no sign, no zeros in front.
            guard let byte = UInt8(part), "\(byte)" == part else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func v6(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 45 else { return nil }
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard halves.count <= 2, let left = groups(halves[0], isLast: halves.count == 1),
            let right = halves.count == 2 ? groups(halves[1], isLast: true) : []
        else { return nil }
        let missing = 16 - left.count - right.count
        guard halves.count == 1 ? missing == 0 : missing >= 2 else { return nil }
        return left + [UInt8](repeating: 0, count: missing) + right
    }

    private static func groups(_ text: Substring, isLast: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, let end = v4(part) {
                bytes += end
                continue
            }
            guard (1...4).contains(part.utf8.count),
                part.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let number = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(number >> 8), UInt8(number & 0xff)]
        }
        return bytes
    }

    private static func name(_ text: String) -> String? {
        var name = text.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        guard (1...253).contains(name.utf8.count) else { return nil }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isLawful = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy {
                    (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
                }
        }
        // Resolvers read "127.1" and "0x7f.1" as addresses.
        guard isLawful, let first = labels.last?.utf8.first, !(48...57).contains(first) else {
            return nil
        }
        return name
    }
}

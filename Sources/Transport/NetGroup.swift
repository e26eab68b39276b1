internal import NIOCore

/// Addresses one owner gets together: an IPv4 /24 or an IPv6 /48.
enum NetGroup: Hashable, Sendable {
    case loopback
    case prefix([UInt8])
    /// Not an internet address; all of them count as one group.
    case other

    // The fields are named in a module nobody may import; where they lie is the kernel's promise
    // (ip(7), ipv6(7)).
    init(_ address: SocketAddress?) {
        switch address {
        case .v4(let address):
            self.init(v4: withUnsafeBytes(of: address.address) { Array($0[4..<8]) })
        case .v6(let address):
            self.init(v6: withUnsafeBytes(of: address.address) { Array($0[8..<24]) })
        case .unixDomainSocket, nil:
            self = .other
        }
    }

    init(v4 bytes: [UInt8]) {
        self = bytes.first == 127 ? .loopback : .prefix(Array(bytes.prefix(3)))
    }

    init(v6 bytes: [UInt8]) {
        let mapped = [UInt8](repeating: 0, count: 10) + [255, 255]
        if Array(bytes.prefix(12)) == mapped {
            self.init(v4: Array(bytes.suffix(4)))
        } else if bytes == [UInt8](repeating: 0, count: 15) + [1] {
            self = .loopback
        } else {
            self = .prefix(Array(bytes.prefix(6)))
        }
    }
}

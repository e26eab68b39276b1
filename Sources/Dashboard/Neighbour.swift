import Glibc
import Hummingbird
import NIOCore

/// What a request to a door comes with: also the port of whoever asks.
struct DoorContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let port: Int?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        port = source.channel.remoteAddress?.port
    }
}

/// Whose program is at the other end of a connection within this machine: every user of it reaches the
/// loopback address, and may read in the list of processes what a browser was told to open.
enum Neighbour {
    /// False where a program of another user holds that end. Root reads our memory anyway, and what the kernel
    /// does not tell is no reason to shut the owner out.
    static func isOurs(at port: Int?, of door: Int) -> Bool {
        guard let port else { return true }
        let found = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap {
            users(at: port, of: door, in: read($0))
        }
        return found.allSatisfy { $0 == 0 || $0 == geteuid() }
    }

    /// Of sockets of the loopback address at `port` that are connected to `door`, in the kernel's table:
    /// `number: local remote state queues timer retransmits user …`, addresses and ports in hexadecimal.
    static func users(at port: Int, of door: Int, in table: String) -> [UInt32] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 7 else { return nil }
            let ends = words[1...2].map { $0.split(separator: ":") }
            // Written in the machine's own order of octets; the same behind `::ffff:`.
            let isHere = ["0100007F", "7F000001"].contains { ends[0][0].hasSuffix($0) }
            guard isHere, ends.allSatisfy({ $0.count == 2 }), Int(ends[0][1], radix: 16) == port,
                Int(ends[1][1], radix: 16) == door
            else { return nil }
            return UInt32(words[7])
        }
    }

    /// A file whose size the kernel does not tell.
    private static func read(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(file, &block, block.count)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += block[..<count]
        }
    }
}

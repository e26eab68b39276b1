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
        let found = tables.flatMap { users(at: port, of: door, in: read($0)) }
        return found.allSatisfy { $0 == 0 || $0 == geteuid() }
    }

    /// False where somebody else's program listens at `port`: after a crash anybody may take the port of a
    /// door that is gone, and would be told what is meant for it.
    static func isDoor(at port: Int, of user: UInt32) -> Bool {
        tables.flatMap { listeners(at: port, in: read($0)) }.allSatisfy { $0 == user }
    }

    private static let tables = ["/proc/net/tcp", "/proc/net/tcp6"]

    /// Of sockets that listen at `port`, at the loopback address or any.
    static func listeners(at port: Int, in table: String) -> [UInt32] {
        rows(table).compactMap { row in
            let isHere = row.isLoopback || row.local.address.allSatisfy { $0 == "0" }
            return isHere && row.state == "0A" && row.local.port == port ? row.user : nil
        }
    }

    /// Of sockets of the loopback address at `port` that are connected to `door`, in the kernel's table:
    /// `number: local remote state queues timer retransmits user …`, addresses and ports in hexadecimal.
    static func users(at port: Int, of door: Int, in table: String) -> [UInt32] {
        rows(table).compactMap { row in
            row.isLoopback && row.local.port == port && row.remote.port == door ? row.user : nil
        }
    }

    private struct Row {
        typealias End = (address: Substring, port: Int)
        let local: End
        let remote: End
        let state: Substring
        let user: UInt32

        /// Written in the machine's own order of octets; the same behind `::ffff:`.
        var isLoopback: Bool { ["0100007F", "7F000001"].contains { local.address.hasSuffix($0) } }
    }

    private static func rows(_ table: String) -> [Row] {
        func end(_ word: Substring) -> Row.End? {
            let parts = word.split(separator: ":")
            guard parts.count == 2, let port = Int(parts[1], radix: 16) else { return nil }
            return (parts[0], port)
        }
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 7, let local = end(words[1]), let remote = end(words[2]),
                let user = UInt32(words[7])
            else { return nil }
            return Row(local: local, remote: remote, state: words[3], user: user)
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

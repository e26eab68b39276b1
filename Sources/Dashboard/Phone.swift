import Contracts
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Identity
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The second door, for the owner's phone: the same pages over TLS, in the network that this computer is in.
/// Closed until the owner pairs one, and again when the owner says so or the node ends.
///
/// Nobody vouches for its certificate but the node: the owner compares what the phone shows of it. Key,
/// certificate and sessions live in memory alone.
actor Phone {
    struct Pairing: Sendable {
        /// Good once, for ten minutes.
        let link: String
        /// SHA-256 of the certificate, as browsers write it.
        let fingerprint: String
    }

    struct Standing: Sendable {
        let address: String
        let browsers: Int
    }

    private struct Door {
        let host: String
        let site: Site
        let fingerprint: String
        let sessions: Sessions
        let serving: Task<Void, Never>
    }

    /// Connections at a time; a browser opens six or so.
    static let connectionsMax = 64

    private let commands: Commands
    private let scan: Scan?
    /// Being opened, or open; the number tells one from the next.
    private var door: (number: Int, opening: Task<Door, any Error>)?
    private var doors = 0

    init(commands: Commands, scan: Scan? = nil) {
        self.commands = commands
        self.scan = scan
    }

    /// IPv4 addresses of this computer that a phone may reach, private ones first.
    static var addresses: [String] {
        let all = (try? System.enumerateDevices()) ?? []
        let hosts = all.compactMap { $0.address?.ipAddress }.filter {
            $0.contains(".") && !$0.hasPrefix("127.") && !$0.hasPrefix("169.254.")
        }
        return Array(Set(hosts)).sorted {
            (isPrivate($0) ? 0 : 1, $0) < (isPrivate($1) ? 0 : 1, $1)
        }
    }

    /// The one that this computer speaks from to others far away: nothing is sent to find out. Of several, those
    /// of virtual machines and the like are none that a partner reaches.
    static var outward: String? {
        guard let far = try? SocketAddress(ipAddress: "192.0.2.1", port: 9) else { return nil }
        let file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard file >= 0 else { return nil }
        defer { Glibc.close(file) }
        guard far.withSockAddr({ Glibc.connect(file, $0, socklen_t($1)) }) == 0 else { return nil }
        // Family, port, and its four numbers.
        var own = [UInt8](repeating: 0, count: 16)
        var size = socklen_t(own.count)
        let isTold = own.withUnsafeMutableBytes {
            guard let place = $0.baseAddress?.assumingMemoryBound(to: sockaddr.self) else {
                return false
            }
            return getsockname(file, place, &size) == 0
        }
        let host = own[4..<8].map { "\($0)" }.joined(separator: ".")
        return isTold && addresses.contains(host) ? host : nil
    }

    /// Of a network that is not the Internet (RFC 1918, RFC 6598).
    static func isPrivate(_ host: String) -> Bool {
        let parts = host.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return false }
        return switch (parts[0], parts[1]) {
        case (10, _), (192, 168), (172, 16...31), (100, 64...127): true
        default: false
        }
    }

    var standing: Standing? {
        get async {
            guard let open = try? await door?.opening.value else { return nil }
            return Standing(address: open.site.address, browsers: open.sessions.count)
        }
    }

    /// A link for one phone; opens the door where it is closed, or at another address than `host`.
    func pair(host: String?, isReader: Bool) async throws(DoorRefusal) -> Pairing {
        let own = Self.addresses
        // Without a word the one that is open, else one of a home's network: never one of the Internet.
        let standing = try? await door?.opening.value.host
        guard
            let host = host ?? standing.flatMap({ own.contains($0) ? $0 : nil })
                ?? own.first(where: Self.isPrivate)
        else { throw Self.refusal("phone_no_network") }
        // The loopback address is nobody's network; whoever names it tries this out.
        guard own.contains(host) || host == "127.0.0.1" else {
            let list = own.joined(separator: ", ")
            throw DoorRefusal(
                "phone_address_unknown", field: "address", value: host,
                en: "\(host) is not an address of this computer; it has: \(list)",
                zh: "\(host) 不是本机的地址；本机地址：\(list)")
        }
        while let open = try? await door?.opening.value, open.host != host { await close() }
        let wanted = door ?? next(host)
        door = wanted
        do {
            let open = try await wanted.opening.value
            let code = open.sessions.makeLink(isReader: isReader)
            return Pairing(
                link: open.site.address + Desk.openPrefix + code, fingerprint: open.fingerprint)
        } catch {
            ended(wanted.number)
            throw DoorRefusal(any: error)
        }
    }

    /// Whoever was paired is not any more.
    func close() async {
        // Taken away first: whoever pairs meanwhile opens another.
        let closing = door
        door = nil
        // It listens no more at once; an answer on its way may take a while to end.
        try? await closing?.opening.value.serving.cancel()
    }

    private func next(_ host: String) -> (number: Int, opening: Task<Door, any Error>) {
        doors += 1
        let number = doors
        return (number, Task { try await self.open(host, number) })
    }

    private func ended(_ number: Int) { if door?.number == number { door = nil } }

    private func open(_ host: String, _ number: Int) async throws -> Door {
        let certificate = try await commands.door.phoneCertificate(for: host)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [
                .certificate(try NIOSSLCertificate(bytes: certificate.der, format: .der))
            ],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: certificate.key, format: .pem)))
        tls.minimumTLSVersion = .tlsv13
        let gate = Gate(commands: commands, token: nil, reader: nil, scan: scan)
        let (ports, bound) = AsyncStream<Int>.makeStream()
        let application = Application(
            responder: gate,
            server: try .tls(
                .http1(configuration: .init(idleTimeout: .seconds(DoorServer.idleSeconds))),
                tlsConfiguration: tls),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: 0), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.connectionsMax)),
            onServerRunning: { bound.yield($0.localAddress?.port ?? 0) },
            logger: DoorServer.quiet)
        let serving = Task {
            try? await application.run()
            bound.finish()
            // By itself, too: then the next phone is paired at a new one.
            self.ended(number)
        }
        for await port in ports {
            let site = Site.phone(host, port)
            gate.site.withLock { $0 = site }
            return Door(
                host: host, site: site, fingerprint: Self.fingerprint(of: certificate.der),
                sessions: gate.sessions, serving: serving)
        }
        throw Self.refusal("phone_not_opened")
    }

    static func fingerprint(of der: [UInt8]) -> String {
        SHA256.hash(der).bytes.map { byte in
            let hex = String(byte, radix: 16, uppercase: true)
            return hex.utf8.count == 1 ? "0" + hex : hex
        }.joined(separator: ":")
    }

    private static func refusal(_ key: String) -> DoorRefusal { Desk.words(key, key) }
}

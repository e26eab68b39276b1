public import Dashboard
internal import Foundation
internal import Identity
internal import Logging
internal import NodeCore
internal import Replication
internal import ServiceLifecycle
internal import Storage
internal import Transport
internal import UnixSignals

/// Runs the node of a home until it is told to stop.
public enum Daemon {
    public indirect enum Refusal: Error, Sendable {
        /// libsodium could not start.
        case cryptography
        case address(String)
        /// No address that others could dial.
        case announced(String)
        case portBusy(String, Int)
    }

    /// `listen` is HOST:PORT for peers, `httpPort` the local door's; 0 is any free port. `asHub` serves the
    /// alliance from now on, until the owner says otherwise. `announcing` is what others are told to dial:
    /// HOST:PORT or `none`; `onLan` finds members in this network by avahi. Returns when the process is told
    /// to end (SIGTERM, SIGINT). `welcome` made this home, and its pages go on as the node's.
    public static func run(
        home path: String, listen: String, httpPort: Int, passphrase: String?, asHub: Bool = false,
        announcing: String? = nil, onLan: Bool = false, verbose: Bool, welcome: Welcome? = nil,
        announce: @escaping @Sendable (_ did: String, _ peers: String, _ door: String) -> Void
    ) async throws {
        guard Sodium.start() else { throw Refusal.cryptography }
        let home = Home(path)
        let log = RecentLog { Clock.now() }
        let logger = Logger(label: "talea") { label in
            var stream = StreamLogHandler.standardError(label: label)
            stream.logLevel = verbose ? .debug : .notice
            return MultiplexLogHandler([stream, log.handler])
        }
        // The folder first: a passphrase is not even asked of a home that holds none.
        _ = try home.needsPassphrase
        let database = try Database.open(at: home.path)
        home.clearDownloads()
        let inForce = try database.keyInForce()
        let secrets: KeyFile
        do {
            secrets = try home.unlock(passphrase: passphrase, inForce: inForce.key)
        } catch {
            database.close()
            throw error
        }
        let (snapshot, alliance) = try database.loadMending {
            logger.error("damaged on the disk and asked for again from peers: \($0)")
        }
        let own = Own(
            did: database.did, keyEntry: inForce.id, key: secrets.key,
            nodeSecret: secrets.nodeSecret)
        let checker = SignatureChecker()
        let (host, port) = try address(listen)
        let announced = try Announced(announcing)
        let transport = try Transport(
            identity: TransportIdentity(did: own.did, keyEntry: own.keyEntry, key: own.key),
            limits: asHub ? .hub : TransportLimits(), checker: checker, logger: logger)
        let bound: Int
        do { bound = try await transport.listen(host: host, port: port) } catch {
            await transport.shutdown()
            database.close()
            if case .portBusy(let host, let port) = error { throw Refusal.portBusy(host, port) }
            throw error
        }
        let runtime = Runtime(
            home: home, secrets: secrets, database: database, own: own, alliance: alliance,
            snapshot: snapshot,
            transport: transport, logger: logger, log: log)
        runtime.mendLedger()
        let listening = PeerAddress(host: host, port: bound, did: nil).text
        logger.info("started; peers reach this node at \(listening)")
        if asHub {
            runtime.put { node in
                node.set(.hub, true)
                node.set(.witness, true)
                return nil
            }
        }
        if let announced {
            let addresses = announced.texts(bound: bound)
            runtime.put { node in
                node.listen(at: addresses)
                return nil
            }
        }
        let door = LocalDoor(
            runtime: runtime, home: home, database: database, listening: listening)
        let server = DoorService(
            door: door, home: home.path, port: httpPort, logger: logger, welcome: welcome,
            onRunning: { announce(own.did.did, listening, "127.0.0.1:\($0)") })
        defer { DoorKey.remove(home: home.path) }
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: server, successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: runtime, successTerminationBehavior: .gracefullyShutdownGroup),
        ]
        if onLan {
            let isReachable = Host(host)?.reach != .loopback
            let lan = Lan(runtime: runtime, port: isReachable ? bound : nil, logger: logger)
            services.append(
                .init(service: lan, successTerminationBehavior: .gracefullyShutdownGroup))
        }
        let group = ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        // Only now: a service that throws would cut off the door while somebody still waits there.
        if let end = runtime.end { throw end }
    }

    /// Answers one command from a home whose node is stopped: reads, signs nothing, connects nowhere.
    public static func offline(home path: String) throws -> any NodeDoor {
        guard Sodium.start() else { throw Refusal.cryptography }
        let home = Home(path)
        let database = try Database.open(at: home.path)
        let (snapshot, alliance) = try database.load()
        // Reading needs no secret: a key of the moment stands where the owner's would.
        guard let key = SigningKey(seed: SecretBytes(Entropy.bytes(32))) else {
            throw Refusal.cryptography
        }
        let own = Own(
            did: database.did, keyEntry: try database.keyEntry(), key: key,
            nodeSecret: SecretBytes(Entropy.bytes(32)), holdsKey: false)
        return OfflineDoor(
            node: Node(own: own, alliance: alliance, snapshot: snapshot), database: database,
            home: home)
    }

    private static func address(_ text: String) throws -> (String, Int) {
        // Whatever has a name on this machine may be listened at: a host is looked at no further here.
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
        else { throw Refusal.address(text) }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return (String(isBracketed ? host.dropFirst().dropLast() : host), port)
    }
}

/// The local door as a service: its key lies in the home exactly while it is open.
private struct DoorService: Service {
    let door: any NodeDoor
    let home: String
    let port: Int
    let logger: Logger
    /// Serves already, at a port of its own, and goes on as this door.
    let welcome: Welcome?
    let onRunning: @Sendable (Int) -> Void

    func run() async throws {
        let token = DoorKey.freshToken()
        let reader = DoorKey.readerToken(home: home)
        let (home, onRunning) = (home, onRunning)
        if let welcome {
            let port = welcome.hand(over: door, token: token, reader: reader)
            try? DoorKey(port: port, token: token).write(home: home)
            onRunning(port)
            try await gracefulShutdown()
            return
        }
        let server = DoorServer(
            door, port: port, token: token, reader: reader, scan: Scan(Photo.codes(in:)),
            logger: logger)
        try await server.run { port in
            try? DoorKey(port: port, token: token).write(home: home)
            onRunning(port)
        }
    }
}

/// What `--announce` says: nothing, `none`, or HOST:PORT, of which port 0 is the one that is listened on.
private struct Announced {
    private let address: PeerAddress?

    init?(_ text: String?) throws {
        guard let text else { return nil }
        address = PeerAddress(text)
        guard text == "none" || address.map({ Host($0.host)?.reach != nil }) == true else {
            throw Daemon.Refusal.announced(text)
        }
    }

    func texts(bound: Int) -> [String] {
        guard let address else { return [] }
        let port = address.port == 0 ? bound : address.port
        return [PeerAddress(host: address.host, port: port, did: nil).text]
    }
}

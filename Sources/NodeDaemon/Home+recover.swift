internal import Entries
internal import Foundation
public import Identity
internal import Logging
internal import Logs
internal import NodeCore
internal import Replication
internal import Storage
internal import Synchronization
internal import Transport

// A home made anew from the recovery code: a nameless guest asks the given peers for the alliance's key
// logs, finds the one that commits to this code's next key, and goes on under that key.

extension Home {
    /// What `recover` brought back.
    public struct Recovered: Sendable {
        public let did: DID
        /// How often the key was changed before.
        public let rotations: Int
    }

    /// Refused where the home holds an identity already, where nobody answers, or where no identity of
    /// the alliance belongs to the code.
    public static func recover(
        at path: String, code: RecoveryCode, invitation: [UInt8],
        peers: [(host: String, port: Int)], passphrase: String?, templatesFrom folder: String?
    ) async throws -> Recovered {
        guard Sodium.start() else { throw Refusal.unwritable("libsodium") }
        let home = Home(path)
        guard !home.isInhabited else { throw Refusal.exists(home.path) }
        guard let alliance = try? Alliance(foundingBody: invitation) else {
            throw Refusal.invitation(invitation.hex)
        }
        let templates = try Templates.shipped(folder)
        let keyLog = try await Guest(alliance: alliance).keyLog(of: code, from: peers)
        let genesis = try Genesis(recovering: keyLog, with: code, joining: alliance)
        try home.clear()
        // Whom it asked was told nothing of the new key: what is cut off here is nobody's, too.
        try home.make(
            genesis, nodeSecret: code.nodeSecret, passphrase: passphrase, templates: templates
        ) {
            let database = try Database.open(at: home.path)
            defer { database.close() }
            try database.commit(
                [.recovery(.began(.homeLost, at: Clock.now()))]
                    + peers.map {
                        .peer(PeerAddress(host: $0.host, port: $0.port, did: nil), added: true)
                    })
        }
        return Recovered(did: genesis.own.did, rotations: keyLog.count - 1)
    }
}

/// A node of the moment that keeps nothing and says nothing but which alliance it asks about.
private struct Guest {
    let alliance: Alliance
    /// How long it listens, and how long after the last word it takes for the last one.
    private static let secondsMax = 30
    private static let secondsQuiet = 2

    func keyLog(of code: RecoveryCode, from peers: [(host: String, port: Int)]) async throws
        -> [ValidEntry]
    {
        guard let key = SigningKey(seed: SecretBytes(Entropy.bytes(32))) else {
            throw Home.Refusal.unwritable("libsodium")
        }
        let did = DID(key.publicKey)
        var node = Node(
            own: Own(
                did: did, keyEntry: .zero, key: key, nodeSecret: SecretBytes(Entropy.bytes(32))),
            alliance: alliance, snapshot: Snapshot())
        let transport = try Transport(
            identity: TransportIdentity(did: did, keyEntry: .zero, key: key),
            limits: TransportLimits(), checker: SignatureChecker(),
            logger: Logger(label: "talea.recover") { _ in SwiftLogNoOpLogHandler() })
        for peer in peers { transport.dial(host: peer.host, port: peer.port) }
        let clock = Watch()
        let stopping = Task {
            for _ in 0..<(Self.secondsMax * 4) {
                try await Task.sleep(for: .milliseconds(250))
                if clock.isQuiet(seconds: Self.secondsQuiet) { break }
            }
            await transport.shutdown()
        }
        var connections: [PeerID: ConnectionID] = [:]
        var peerOf: [ConnectionID: PeerID] = [:]
        var failed = 0
        var met = 0
        for await event in transport.events {
            node.begin(at: Clock.now(), seed: Entropy.seed())
            switch event {
            case .connected(let id, let certificate, let dialed, _):
                let peer = PeerID(UInt64(peerOf.count + 1))
                (connections[peer], peerOf[id]) = (id, peer)
                met += 1
                node.connected(
                    peer, did: certificate.did, keyEntry: certificate.keyEntry,
                    key: certificate.key, initiated: dialed)
            case .frame(let id, let frame):
                if let peer = peerOf[id] { node.received(frame, from: peer) }
            case .closed(let id, _):
                if let peer = peerOf.removeValue(forKey: id) { node.disconnected(peer) }
            case .dialFailed: failed += 1
            }
            for directive in node.takeDirectives() {
                switch directive {
                case .send(let peer, let frame):
                    if let id = connections[peer] { transport.send(frame, to: id) }
                case .raiseFrameLimit(let peer):
                    if let id = connections[peer] { transport.allowLargeFrames(id) }
                case .close(let peer, _):
                    if let id = connections[peer] {
                        transport.close(id, reason: .byNode(code: 2))
                    }
                case .serve, .push, .deliver, .deposit, .letters, .sendChunk, .giveBack, .dial,
                    .believe,
                    .reload:
                    break
                }
            }
            _ = node.takeChanges()
            // Quiet counts only from where there is something to be quiet about.
            if node.keyLogs.author(recoverable: code) != nil || failed == peers.count {
                clock.heard()
            }
        }
        _ = try? await stopping.value
        guard met > 0 else {
            throw Home.Refusal.nobodyAnswers(peers.map { "\($0.host):\($0.port)" })
        }
        guard let author = node.keyLogs.author(recoverable: code) else {
            throw Home.Refusal.codeUnknown(identities: node.keyLogs.authors.count)
        }
        return node.keyLog(of: author)
    }
}

/// When something was heard last.
private final class Watch: Sendable {
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    func heard() { last.withLock { $0 = ContinuousClock.now } }

    func isQuiet(seconds: Int) -> Bool {
        last.withLock { last in
            last.map { ContinuousClock.now - $0 > .seconds(seconds) } ?? false
        }
    }
}

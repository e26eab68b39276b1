import Dashboard
import Dispatch
import Entries
import Foundation
import Identity
import Logging
import NodeCore
import Storage
import Testing
import Transport

@testable import NodeDaemon

/// The daemon's loop, without its doors, that reads itself anew while connections begin.
@Suite struct RereadingTests {
    private struct Enough: Error {}

    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "talea-\(UUID().uuidString)"
    ).path
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func transport(_ did: DID, _ keyEntry: EntryID, _ key: SigningKey) throws -> Transport {
        try Transport(
            identity: TransportIdentity(did: did, keyEntry: keyEntry, key: key),
            checker: SignatureChecker(), logger: quiet)
    }

    private func runtime() throws -> Runtime {
        _ = try Home.initialise(
            at: folder, name: "anna", role: "", invitation: nil, alliance: "x", passphrase: nil,
            templatesFrom: nil)
        let home = Home(folder)
        let database = try Database.open(at: folder)
        let inForce = try database.keyInForce()
        let secrets = try home.unlock(passphrase: nil, inForce: inForce.key)
        let (snapshot, alliance) = try database.load()
        let own = Own(
            did: database.did, keyEntry: inForce.id, key: secrets.key,
            nodeSecret: secrets.nodeSecret)
        return Runtime(
            home: home, secrets: secrets, database: database, own: own, alliance: alliance,
            snapshot: snapshot, transport: try transport(own.did, own.keyEntry, own.key),
            logger: quiet, log: RecentLog { NodeDaemon.Clock.now() })
    }

    @Test(.timeLimit(.minutes(1)))
    func `whoever connects while the node is read anew is no ghost, and is dialed again`()
        async throws
    {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let runtime = try runtime()
        let key = try #require(SigningKey(seed: SecretBytes([UInt8](repeating: 7, count: 32))))
        let peer = try transport(DID(key.publicKey), .zero, key)
        let port = try await peer.listen(host: "127.0.0.1", port: 0)
        let running = Task { try await runtime.run() }
        var events = peer.events.makeAsyncIterator()

        // The loop is busy while the connection comes to stand.
        let gate = DispatchSemaphore(value: 0)
        runtime.put { _ in
            gate.wait()
            return nil
        }
        runtime.dial(PeerAddress(host: "127.0.0.1", port: port, did: DID(key.publicKey)))
        while runtime.seen.0.isEmpty, !Task.isCancelled { await Task.yield() }
        runtime.readAnew()
        gate.signal()

        // It ends, and another one is begun: of that one the node's hello comes.
        var (begun, isGreeted) = (0, false)
        while !isGreeted, let event = await events.next() {
            switch event {
            case .connected: begun += 1
            case .frame: isGreeted = begun == 2
            default: break
            }
        }
        #expect(begun == 2)
        let connections = await withCheckedContinuation { continuation in
            runtime.put { node in
                let count = node.connections.count
                return { _ in continuation.resume(returning: count) }
            }
        }
        #expect(connections == 1)
        runtime.halt(Enough())
        try await running.value
        await peer.shutdown()
    }

    @Test func `who asks once the loop has ended does not wait for an answer`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let runtime = try runtime()
        runtime.halt(Enough())
        try await runtime.run()
        let began = ContinuousClock.now
        let answer: Int? = await runtime.watch(seconds: 20) { _ in nil }
        #expect(answer == nil)
        #expect(ContinuousClock.now - began < .seconds(10))
    }
}

internal import Identity
internal import NodeCore
internal import Synchronization
internal import Transport

/// Keeps trying the addresses of peers: at once, then after ever longer waits, while they are away.
final class Dialer: Sendable {
    private let transport: Transport
    private let targets = Mutex<[Target]>([])

    /// Seconds between tries: doubles up to this.
    private static let waitMax = 30
    /// Whoever is closed for what he says as soon as he is met is not met each second. A connection that stood
    /// for so long was a good one; after one that did not, no more than a few seconds are waited.
    private static let standsAfter = 10
    private static let briefWaitMax = 4

    private struct Target {
        let address: PeerAddress
        var wait = 1
        var dueIn = 0
        /// For how many seconds the connection has stood.
        var stood = 0
        var state = State.away

        enum State: Equatable { case away, dialing, connected(DID) }

        mutating func rest() {
            state = .away
            dueIn = wait - 1
            wait = min(wait * 2, Dialer.waitMax)
        }
    }

    init(transport: Transport) { self.transport = transport }

    func add(_ address: PeerAddress) {
        let isNew = targets.withLock { targets in
            guard !targets.contains(where: { $0.address == address }) else { return false }
            targets.append(Target(address: address, state: .dialing))
            return true
        }
        if isNew { transport.dial(host: address.host, port: address.port, expecting: address.did) }
    }

    func remove(_ address: PeerAddress) {
        targets.withLock { $0.removeAll { $0.address == address } }
    }

    /// A connection to `did` stands; `address` is where we dialed, if we did.
    func connected(to did: DID, at address: String?) {
        update({ $0.did == did || ($0.did == nil && $0.text == address) }) { target in
            target.state = .connected(did)
            target.stood = 0
            target.wait = min(target.wait, Self.briefWaitMax)
        }
    }

    func lost(_ did: DID) {
        targets.withLock { targets in
            for index in targets.indices {
                guard case .connected(did) = targets[index].state else { continue }
                if targets[index].stood >= Self.standsAfter { targets[index].wait = 1 }
                targets[index].rest()
            }
        }
    }

    func failed(address: String) {
        update({ $0.text == address }) { target in
            guard case .dialing = target.state else { return }
            target.rest()
        }
    }

    private func update(_ which: (PeerAddress) -> Bool, _ change: (inout Target) -> Void) {
        targets.withLock { targets in
            for index in targets.indices where which(targets[index].address) {
                change(&targets[index])
            }
        }
    }

    /// Once a second.
    func tick() {
        let due = targets.withLock { targets in
            var due: [PeerAddress] = []
            for index in targets.indices {
                if case .connected = targets[index].state { targets[index].stood += 1 }
                guard case .away = targets[index].state else { continue }
                if targets[index].dueIn > 0 {
                    targets[index].dueIn -= 1
                } else {
                    targets[index].state = .dialing
                    due.append(targets[index].address)
                }
            }
            return due
        }
        for address in due {
            transport.dial(host: address.host, port: address.port, expecting: address.did)
        }
    }
}

internal import Identity

/// Counts places. A place is taken when a connection begins and free again when its end has been
/// *seen* by the consumer, so that a consumer that lags bounds how many events can wait for it. Its
/// share of a net group and of an identity is free as soon as the connection is gone.
struct Admissions {
    private struct Place {
        let dialed: Bool
        var group: NetGroup?
        var key: PublicKey?
    }

    enum Refusal: Error, Hashable { case places, netGroup, identity }

    private let limits: TransportLimits
    private var places: [ConnectionID: Place] = [:]

    init(limits: TransportLimits) { self.limits = limits }

    mutating func accept(_ id: ConnectionID, from group: NetGroup) throws(Refusal) {
        guard places.values.count(where: { !$0.dialed }) < limits.inboundConnections
        else { throw .places }
        let counted = group != .loopback || limits.loopbackIsNetGroup
        if counted {
            let taken = places.values.count { $0.group == group }
            guard taken < limits.inboundPerNetGroup else { throw .netGroup }
        }
        places[id] = Place(dialed: false, group: counted ? group : nil, key: nil)
    }

    mutating func dial(_ id: ConnectionID) throws(Refusal) {
        guard places.values.count(where: \.dialed) < limits.dialedConnections
        else { throw .places }
        places[id] = Place(dialed: true, group: nil, key: nil)
    }

    /// By the key, which the peer has proved to hold: whose it is may only be claimed, and would fill the
    /// places of another.
    mutating func identify(_ id: ConnectionID, by key: PublicKey) throws(Refusal) {
        guard places.values.count(where: { $0.key == key }) < limits.connectionsPerIdentity
        else { throw .identity }
        places[id]?.key = key
    }

    /// The connection is gone; its end has not been seen.
    mutating func disconnect(_ id: ConnectionID) {
        places[id]?.group = nil
        places[id]?.key = nil
    }

    mutating func leave(_ id: ConnectionID) { places[id] = nil }
}

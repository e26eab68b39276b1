internal import Capacity
internal import Contracts
internal import Entries
public import Identity

/// The contracts of a node, by id, and which of them are awake: something may be due in them.
///
/// Whatever touches a contract wakes it. A tick looks at those that are awake, and lets rest what only
/// another input, or a later moment, can move: a second costs what is due, however many contracts are held.
public struct HeldContracts: Sequence, Sendable {
    private var all: [ContractID: HeldContract] = [:]
    private(set) var awake: Set<ContractID> = []
    /// When those that rest wake by themselves; `next` is not after any of them.
    private var alarms: [ContractID: Instant] = [:]
    private var next = Instant.latest
    /// Grows with every touch: what was found out at the same number still holds.
    private(set) var revision: UInt64 = 0
    /// The last moment that was asked about.
    private var seen = Instant.earliest
    private var offspring: [ContractID: Set<ContractID>] = [:]

    public internal(set) subscript(id: ContractID) -> HeldContract? {
        get { all[id] }
        _modify {
            awake.insert(id)
            revision &+= 1
            let isNew = all[id] == nil
            yield &all[id]
            if isNew, let parent = all[id]?.proposal.parent?.contract {
                offspring[parent, default: []].insert(id)
            }
        }
    }

    /// Contracts that are drawn under another, or pass on a part of it.
    public func children(of id: ContractID) -> [ContractID] { offspring[id]?.sorted() ?? [] }

    public var keys: Dictionary<ContractID, HeldContract>.Keys { all.keys }
    public var values: Dictionary<ContractID, HeldContract>.Values { all.values }
    public var count: Int { all.count }
    public var isEmpty: Bool { all.isEmpty }

    public func makeIterator() -> Dictionary<ContractID, HeldContract>.Iterator {
        all.makeIterator()
    }

    mutating func wake(at now: Instant) {
        // What was let rest by a clock that was ahead may not rest by the right one.
        if now < seen { awake = Set(all.keys) }
        seen = now
        guard next < now else { return }
        next = .latest
        for (id, moment) in alarms {
            if moment < now {
                alarms[id] = nil
                awake.insert(id)
            } else {
                next = Swift.min(next, moment)
            }
        }
    }

    /// `alarm`: the moment after which it wakes by itself.
    mutating func letRest(_ id: ContractID, until alarm: Instant? = nil) {
        awake.remove(id)
        alarms[id] = alarm
        if let alarm { next = Swift.min(next, alarm) }
    }
}

func sorted(_ contracts: HeldContracts) -> [(ContractID, HeldContract)] {
    contracts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}

extension HeldContract {
    /// Time alone makes nothing due in it. `isReleased`: it ended, and our lines got back what they had
    /// to.
    func rests(isReleased: Bool, at now: Instant) -> Bool {
        guard let fold else { return true }
        if planted(.heldUnitsReleased) || planted(.openedLate) { return false }
        if let takeover = fold.takeover, !takeover.isInForce { return false }
        guard fold.isSequenced else {
            return declined != nil || !isAgreed || proposal.grantBy < now
        }
        return isReleased || requests.isEmpty && !fold.state.isEnded
    }
}
